"""Market awards (MarketAwards v4 XML) as canonical rows: what the market bought from our resources.

Put here: award records and "no data" replies. Keep out: the drop folder (sensors) and settlement.

A resource's CLEARED award is the sum of its MARKET and SELF parts; the three are distinct series
(``awards:{resource}:{product}:{scheduleType}``) and must never be added up. The market is the scenario: ``day_ahead``
(DAM), ``real_time`` (RTM, the fifteen-minute market) or ``real_time:rtd`` (another real-time execution, by its name),
since all of them award the same hours. Known when the message is dated; without a date, at
13:00 Pacific on the day before (day-ahead, ``schedule_rule``) or when fetched (real-time).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from typing import Final
from xml.etree.ElementTree import Element

import polars as pl

from domain.beliefs import CANONICAL, canonical
from domain.errors import PayloadError
from domain.instants import PACIFIC
from resources.payloads import Facts
from resources.payloads.envelope import Kind, check, documents, kind_of, refuse_html, short_name, xml_of
from resources.payloads.tables import floats, unrepeated
from resources.payloads.times import day_at, instant, instants, known_by

NO_DATA: Final = "FMWK0008"
"""Result code of "no data for the given criteria": an empty answer, not a failure."""
SCHEDULE_TYPES: Final = frozenset({"CLEARED", "MARKET", "SELF"})
MARKETS: Final = {"DAM": "day_ahead", "RTM": "real_time"}
_RECORD: Final = ("resource", "product", "scheduleType", "marketType")


def parse(payload: bytes, facts: Facts) -> pl.DataFrame:
    """Return canonical rows of an awards message; a "no data" reply is an empty frame.

    Raises:
        PayloadError: The XML is broken or hostile, a record lacks a field, or the reply is another refusal.
    """
    what = short_name(facts.name, "awards message")
    refuse_html(check(payload, what), what)
    frames = [_message(document.body, facts, what) for document in documents(payload, what, what=what)]
    return pl.concat(frames)


def _message(body: bytes, facts: Facts, what: str) -> pl.DataFrame:
    root = _root(body, what)
    records = list(_cells(root, what))
    if not records:
        told = " ".join(" ".join(node.text for node in root.iter() if node.text).split())
        if NO_DATA in told or _local(root) == "MarketAwards":
            return pl.DataFrame(schema=CANONICAL)
        raise PayloadError(f"{what} holds no award record: {_local(root)}, {told[:200]}")
    names = ("resource", "product", "schedule", "market", "start", "end", "mw")
    table = pl.DataFrame(records, schema=dict.fromkeys(names, pl.String), orient="row")
    table = floats(table, ["mw"], what)
    rows = table.select(
        series_id=pl.format("awards:{}:{}:{}", "resource", "product", "schedule"),
        event_start=instants(table["start"], what),
        event_end=instants(table["end"], what),
        value="mw",
        unit=pl.lit("MW"),
        source=pl.lit("awards"),
        scenario="market",
    )
    dated = _text(root, "TimeDate")
    public = day_at(rows["event_start"], PACIFIC, time(13), days=-1)
    rows = known_by(
        rows,
        fetched_at=facts.fetched_at,
        stamp=facts.issue or (instant(dated, f"{what}, TimeDate") if dated else None),
        rule=pl.when(pl.col("scenario") == "day_ahead").then(pl.lit(public)),
    )
    return unrepeated(canonical(rows, what=what), ["series_id", "event_start", "scenario"])


def _root(body: bytes, what: str) -> Element:
    kind = kind_of(body)
    if kind is not Kind.XML:
        raise PayloadError(f"{what} is {kind}, not XML", retryable=kind is Kind.HTML)
    return xml_of(body, what)


def _cells(root: Element, what: str) -> Iterator[tuple[str, ...]]:
    """Yield one tuple a trade interval: its record's four names, its start, its end and its MW."""
    for record in root.iter():
        if _local(record) != "MarketResultRecord":
            continue
        head = {_local(node): (node.text or "").strip() for node in record}
        lacking = [name for name in _RECORD if not head.get(name)]
        if lacking:
            raise PayloadError(f"{what} has a record without {', '.join(lacking)}")
        schedule, market = head["scheduleType"].upper(), head["marketType"].upper()
        if schedule not in SCHEDULE_TYPES or market not in MARKETS:
            raise PayloadError(
                f"{what} has an award of type {schedule} in market {market}; known: {', '.join(sorted(SCHEDULE_TYPES))}"
                f" in {', '.join(MARKETS)}"
            )
        for interval in (node for node in record if _local(node) == "TradeIntervalData"):
            cells = {_local(node): (node.text or "").strip() for node in interval}
            try:
                times = cells["intervalStartTime"], cells["intervalEndTime"], cells["MW"]
            except KeyError as error:
                raise PayloadError(f"{what} has an interval of {head['resource']} without {error}") from None
            yield head["resource"], head["product"], schedule, _scenario(market, head.get("executionType", "")), *times


def _scenario(market: str, execution: str) -> str:
    """Return the scenario of a market's execution; the fifteen-minute one (RTUC) is the real-time award itself."""
    own = market == "RTM" and execution.upper() not in ("", "RTUC")
    return f"{MARKETS[market]}:{execution.lower()}" if own else MARKETS[market]


def _local(node: Element) -> str:
    return node.tag.rsplit("}", 1)[-1]


def _text(root: Element, name: str) -> str | None:
    return next((node.text.strip() for node in root.iter() if _local(node) == name and node.text), None)
