"""Operations messages: notices, watches and emergencies as ERCOT's page tells them.

Put here: the HTML table and the level in a notice's text. Keep out: the numeric emergency level (dashboards.py).
A message is a series point: ``ercot:ops_message:{kind}`` is 1 while active and 0 once cancelled; its text is the
detail, its hash the scenario, so that two messages of one minute stay apart. An active message was known when it is
dated; when one was cancelled the page does not say, so that is known since the fetch.
"""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser
from typing import Final

import polars as pl

from domain.beliefs import CANONICAL, TIME, Basis, canonical
from domain.errors import PayloadError
from domain.instants import CENTRAL
from resources.payloads import Facts
from resources.payloads.envelope import short_name, text_of
from resources.payloads.times import known_by, local_stamps, published_stamps

_WHEN: Final = re.compile(r"[A-Z][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d{2}:\d{2} [AP]M")
_LEVEL: Final = re.compile(r"(?:EEA|Energy Emergency Alert)\s*(?:Level\s*)?([0-3])", re.IGNORECASE)
_KINDS: Final = (
    ("eea", re.compile(r"\bEEA|Energy Emergency Alert", re.IGNORECASE)),
    ("emergency", re.compile(r"\bemergency", re.IGNORECASE)),
    ("watch", re.compile(r"\bwatch\b", re.IGNORECASE)),
    ("advisory", re.compile(r"\badvisory\b", re.IGNORECASE)),
    ("ocn", re.compile(r"\bOCN\b|operating condition notice", re.IGNORECASE)),
)
_WIDTH: Final = 4
"""Cells of a message: date and time, notice, type, status."""


def parse(payload: bytes, facts: Facts) -> pl.DataFrame:
    """Return canonical rows of the messages page; a window without messages is an empty frame.

    Raises:
        PayloadError: The page has no table of messages: it is a login or block page (retryable).
    """
    what = short_name(facts.name, "operations messages")
    table = operations_messages(payload, what)
    table = table.with_columns(dated=published_stamps(table["stamp"], CENTRAL, what, fetched_at=facts.fetched_at))
    if not table.height:
        return pl.DataFrame(schema=CANONICAL)
    active = pl.col("status").str.to_lowercase() != "cancelled"
    rows = table.with_columns(
        event_end="event_start",
        series_id=pl.format("ercot:ops_message:{}", "kind"),
        value=active.cast(pl.Float64),
        unit=pl.lit("1"),
        quality_detail="notice",
        source=pl.lit("ercot_dash"),
        scenario="key",
    )
    stamp = pl.when(active).then("dated")
    return canonical(known_by(rows, fetched_at=facts.fetched_at, stamp=stamp, basis=Basis.SOURCE_STAMP), what=what)


def operations_messages(payload: bytes, what: str = "operations messages") -> pl.DataFrame:
    """Return the messages: ``event_start`` (UTC), ``notice, type, status, kind, level`` (EEA 0 to 3, null), ``key``.

    Times are Central without a zone (``stamp``); in the repeated hour the first pass is assumed, so that a message
    stays the same one however often it is read. When it was known is another matter (`parse`).

    Raises:
        PayloadError: As `parse`.
    """
    reader = _Rows()
    reader.feed(text_of(payload, what))
    rows = [row for row in reader.rows if len(row) >= _WIDTH and _WHEN.fullmatch(row[0])]
    if not rows and not any("notice" in cell.lower() for row in reader.rows for cell in row):
        raise PayloadError(f"{what} is an HTML page without a table of messages: a login or block page", retryable=True)
    levels = [match for row in rows if (match := _LEVEL.search(row[1])) or True]
    table = pl.DataFrame(
        {
            "stamp": pl.Series([row[0] for row in rows], dtype=pl.String),
            "notice": pl.Series([row[1] for row in rows], dtype=pl.String),
            "type": pl.Series([row[2] for row in rows], dtype=pl.String),
            "status": pl.Series([row[3] for row in rows], dtype=pl.String),
            "kind": pl.Series([_kind(f"{row[2]} {row[1]}") for row in rows], dtype=pl.String),
            "level": pl.Series([int(match[1]) if match else None for match in levels], dtype=pl.Int32),
            "key": pl.Series([_key(row[0], row[1]) for row in rows], dtype=pl.String),
        }
    )
    return table.with_columns(event_start=local_stamps(table["stamp"], CENTRAL, what).cast(TIME))


def _kind(text: str) -> str:
    return next((kind for kind, tells in _KINDS if tells.search(text)), "other")


def _key(stamp: str, notice: str) -> str:
    return hashlib.sha256(f"{stamp}|{notice}".encode()).hexdigest()[:12]


class _Rows(HTMLParser):
    """Collects the cells of every table row as stripped texts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[str]] = []
        self._cell: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the base's signature
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._cell is not None and self.rows:
            self.rows[-1].append(" ".join("".join(self._cell).split()))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)
