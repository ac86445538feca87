"""Payloads in the layouts of the vendors, built by hand, and the days on which clocks change.

Put here: builders of bytes. Keep out: what should come of them (the tests).
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from resources.payloads import Facts
from resources.payloads.registry import parse

FETCHED = datetime(2026, 12, 31, tzinfo=UTC)
"""After everything that these payloads tell."""

AUTUMN = date(2026, 11, 1)
SPRING = date(2026, 3, 8)
SUMMER = date(2026, 8, 14)


def utc(text: str) -> datetime:
    """The instant that an ISO text without an offset names in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def facts(**given: Any) -> Facts:  # noqa: ANN401 - any field of Facts
    """Facts fetched at `FETCHED` unless told otherwise."""
    return Facts(**{"fetched_at": FETCHED, **given})


def rows_of(service: str, payload: bytes, **given: Any) -> pl.DataFrame:  # noqa: ANN401 - any field of Facts
    """Parse as the platform does."""
    return parse(service, payload, facts(**given))


def csv_of(header: str, rows: Iterable[str]) -> bytes:
    """A CSV document."""
    return "\n".join([header, *rows, ""]).encode()


def zip_of(members: Mapping[str, bytes]) -> bytes:
    """A zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return buffer.getvalue()


def page_of(fields: Sequence[str], data: Sequence[Sequence[Any]], emil: str = "") -> bytes:
    """One page of ERCOT's row API."""
    return json.dumps(
        {
            "_meta": {"totalRecords": len(data), "totalPages": 1 if data else 0, "currentPage": 1 if data else 0},
            "report": {"reportEMIL": emil},
            "fields": [{"name": name, "dataType": "VARCHAR"} for name in fields],
            **({"data": [list(row) for row in data]} if data else {}),
        },
        separators=(",", ":"),
    ).encode()


def steps(start: datetime, count: int, step: timedelta) -> list[datetime]:
    """Instants evenly spaced: what a day in UTC must look like, whatever its labels."""
    return [start + index * step for index in range(count)]


def market_hours(day: date) -> list[tuple[int, str]]:
    """ERCOT's labels of a day's hours in order: hour ending and DST flag."""
    if day == AUTUMN:
        return [(1, "N"), (2, "N"), (2, "Y"), *((hour, "N") for hour in range(3, 25))]
    if day == SPRING:
        return [(1, "N"), (2, "N"), *((hour, "N") for hour in range(4, 25))]
    return [(hour, "N") for hour in range(1, 25)]


def quarter_labels(day: date) -> list[tuple[str, str]]:
    """ERCOT's labels of a day's quarter hours by their ending, as NP6-235 prints them."""
    plain = [(f"{minutes // 60:02d}:{minutes % 60:02d}", "N") for minutes in range(15, 24 * 60 + 1, 15)]
    if day == SPRING:  # 01:45 is followed by 03:00
        return [label for label in plain if not "02:00" <= label[0] < "03:00"]
    if day == AUTUMN:  # 01:45 N, then 01:00 N a second time, then 01:15 Y to 02:00 Y
        again = [("01:00", "N"), ("01:15", "Y"), ("01:30", "Y"), ("01:45", "Y"), ("02:00", "Y")]
        return (
            [label for label in plain if label[0] <= "01:45"] + again + [label for label in plain if label[0] > "02:00"]
        )
    return plain
