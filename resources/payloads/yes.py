"""YES Energy time series as canonical rows: CSV or JSON, one column an item, stamps that end their period.

Put here: item columns, requested zones, period ends. Keep out: requests and logins (resources/yes.py).

The payload does not say in which zone it was asked for, and one system once took a Californian node for Eastern time.
So the zone must be told, by ``Facts.options["timezone"]`` or by the request in ``Facts.name`` (``timezone=GMT``), or
the payload is refused. The same holds for ``iso`` and, where the stamps do not show it, ``agglevel``.

YES stamps no publication: a price counts as known by its ISO's own rule (``schedule_rule``), anything else when it was
fetched (``ingest_time``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import polars as pl

from domain.beliefs import CANONICAL, TIME, canonical
from domain.errors import PayloadError, TimeError, UnitError
from domain.instants import CENTRAL, PACIFIC
from domain.units import to_canonical
from resources.payloads import Facts
from resources.payloads.envelope import Kind, check, documents, json_of, refuse_html, short_name
from resources.payloads.tables import MAX_COLUMNS, doubt_last, floats, read_below, split_header, unrepeated
from resources.payloads.times import day_at, is_repeated, known_by, localised, naive

_PREVAILING: Final = {
    "EPT": "America/New_York",
    "CPT": "America/Chicago",
    "MPT": "America/Denver",
    "PPT": "America/Los_Angeles",
}
_STANDARD: Final = {"GMT": 0, "UTC": 0, "EST": -5, "CST": -6, "MST": -7, "PST": -8}
_LENGTHS: Final = {
    "5min": timedelta(minutes=5),
    "15min": timedelta(minutes=15),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
_ITEM: Final = re.compile(r"(?P<object>.+?)\s*(?:\((?P<node>[^()]*)\)\s*)?\((?P<datatype>[A-Za-z0-9_]+)\)")
_PRICE: Final = re.compile(r".*LMP.*|.*_(CONG|LOSS|ENERGY)|.*SPP.*")
_DAY_AHEAD: Final = re.compile(r"DA")
_MEGAWATTS: Final = re.compile(r".*(LOAD|WIND|SOLAR|GEN).*")
_MARKET_CLOSE: Final = {"CAISO": (PACIFIC, time(13)), "ERCOT": (CENTRAL, time(13, 30))}
"""When each market's day-ahead results are public, on the day before, at the wall clock of the market."""
_REAL_TIME: Final = timedelta(minutes=10)
"""Real-time prices are public within ten minutes of their interval's end."""
_MISSING: Final = ("null", "NULL", "N/A", "None")


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for, as far as options and the request's URL tell.

    Attributes:
        timezone: Zone of the stamps.
        iso: Market of the objects.
        agglevel: Length of a period; None lets the stamps show it.
    """

    timezone: str
    iso: str
    agglevel: str | None


def parse(payload: bytes, facts: Facts) -> pl.DataFrame:
    """Return canonical rows of an answer; empty cells are not available yet and give no row.

    ``facts.options``: ``timezone``, ``iso``, ``agglevel``, ``unit`` for data types whose unit their name does not tell.

    Raises:
        PayloadError: The zone or the market is not told, a column is no item, or the page is HTML (retryable).
        TimeError: A stamp is none, or does not exist in its zone.
        UnitError: A data type has no unit that we know.
    """
    what = short_name(facts.name, "YES answer")
    body, kind, is_packed = _unpacked(payload, what)
    asked = request(facts, what)
    table = _from_json(body, what) if kind is Kind.JSON else _from_csv(body, what)
    stamp, items = _columns(table.columns, what)
    ends_in_item = kind is Kind.TEXT and table.columns[-1] == items[-1]
    table = table.filter(pl.col(stamp).is_not_null())
    if not table.height:
        return pl.DataFrame(schema=CANONICAL)
    ends = _ends(table[stamp], asked.timezone, what)
    length = _length(asked.agglevel, ends, what)
    table = floats(table, items, what, blanks=_MISSING).with_columns(event_end=ends, event_start=ends - length)
    rows = canonical(pl.concat(_item(table, name, asked, facts) for name in items), what=what)
    rows = doubt_last(rows, body) if ends_in_item and not is_packed else rows
    return unrepeated(rows, ["series_id", "event_start"])


def _columns(names: Sequence[str], what: str) -> tuple[str, list[str]]:
    """Return the column of stamps and those of items."""
    items = [name for name in names if _ITEM.fullmatch(name)]
    stamp = next((name for name in names if name.strip().upper() == "DATETIME"), None)
    if stamp is None or not items:
        has = ", ".join(names[:20])
        raise PayloadError(f"{what} lacks DATETIME or items like 'OBJECT (DATATYPE)'; it has {has}")
    return stamp, items


def _unpacked(payload: bytes, what: str) -> tuple[bytes, Kind, bool]:
    """Return the one document of a payload, its kind and whether it came in an archive."""
    refuse_html(check(payload, what), what)
    (document, *others) = documents(payload, what, what=what)
    if others:
        raise PayloadError(f"{what} holds {len(others) + 1} files; load one at a time")
    kind = check(document.body, document.name)
    refuse_html(kind, what)
    if kind is Kind.XML:
        raise PayloadError(f"{what} is XML; ask for csv or json")
    return document.body, kind, bool(document.outer)


def request(facts: Facts, what: str) -> Request:
    """Return what was asked for.

    Raises:
        PayloadError: The zone or the market is not told; neither is ever assumed.
    """
    query = {key: values[0] for key, values in parse_qs(urlsplit(facts.name).query).items()}
    told = {**query, **facts.options}
    zone = told.get("timezone", "").upper()
    if zone not in _STANDARD and zone not in _PREVAILING:
        known = ", ".join([*_STANDARD, *_PREVAILING])
        raise PayloadError(
            f"{what} does not say in which zone its stamps are ({zone or 'no timezone'}); it is not assumed:"
            f" --option timezone=GMT (known: {known})"
        )
    iso = told.get("iso") or _iso_of_items(query.get("items", ""))
    if not iso:
        raise PayloadError(f"{what} does not say of which market it is; use --option iso=CAISO")
    return Request(zone, iso.upper(), told.get("agglevel"))


def _iso_of_items(items: str) -> str:
    """Return the market that items name in the form ``DATATYPE:NAME:ISO``, if they name one."""
    isos = {parts[2] for item in items.split(",") if len(parts := item.split(":")) == 3}  # noqa: PLR2004 - as written
    return isos.pop() if len(isos) == 1 else ""


def _from_csv(payload: bytes, what: str) -> pl.DataFrame:
    header = split_header(payload, what)
    _columns(header.names, what)  # before a row is read
    rows = read_below(header, what)
    return rows.select(pl.col(str(index)).alias(name) for index, name in enumerate(header.names) if name)


def _from_json(payload: bytes, what: str) -> pl.DataFrame:
    value = json_of(payload, what)
    rows = value.get("data", value) if isinstance(value, Mapping) else value
    if isinstance(rows, Mapping) or not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        told = value.get("message", list(value)[:8]) if isinstance(value, Mapping) else type(value).__name__
        raise PayloadError(f"{what} is no list of row objects: {told}")
    names: dict[str, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row))
        if len(names) > MAX_COLUMNS:
            raise PayloadError(f"{what} has more than {MAX_COLUMNS:,} columns; no answer of ours has")
    return pl.DataFrame(
        {name: pl.Series([_cell(row.get(name)) for row in rows], dtype=pl.String) for name in names if _wanted(name)}
    )


def _wanted(name: str) -> bool:
    return name.upper() == "DATETIME" or _ITEM.fullmatch(name) is not None


def _cell(value: Any) -> str | None:  # noqa: ANN401 - a JSON cell: numbers may come as text
    return None if value is None else str(value)


def _ends(stamps: pl.Series, zone: str, what: str) -> pl.Series:
    """Return the stamps as UTC; a label that occurs twice in autumn is told apart by row order."""
    if zone in _STANDARD:
        walls = {text: naive(text, what) for text in stamps.unique()}
        ends = stamps.replace_strict(walls, return_dtype=pl.Datetime("us")) - timedelta(hours=_STANDARD[zone])
        return ends.dt.replace_time_zone("UTC").cast(TIME)
    where = ZoneInfo(_PREVAILING[zone])
    labelled = stamps.to_frame("stamp").with_columns(later=pl.int_range(pl.len()).over("stamp"))
    distinct = labelled.unique(maintain_order=True)
    ends = [_end(text, later, where, what) for text, later in distinct.iter_rows()]
    lookup = distinct.with_columns(end=pl.Series(ends, dtype=TIME))
    return labelled.join(lookup, on=["stamp", "later"], how="left", maintain_order="left")["end"]


def _end(text: str, later: int, zone: ZoneInfo, what: str) -> datetime:
    wall = naive(text, what)
    if later and not (later == 1 and is_repeated(wall, zone)):
        raise TimeError(f"{what} has {text!r} {later + 1} times, but {zone.key} shows it once")
    return localised(wall, zone, what, repeated=bool(later))


def _length(agglevel: str | None, ends: pl.Series, what: str) -> timedelta:
    if agglevel:
        if agglevel.lower() not in _LENGTHS:
            raise PayloadError(f"{what} was asked with agglevel {agglevel!r}; known: {', '.join(_LENGTHS)}")
        return _LENGTHS[agglevel.lower()]
    steps = ends.unique().sort().diff().drop_nulls()
    shortest = steps.min()
    if not isinstance(shortest, timedelta) or shortest not in _LENGTHS.values():
        raise PayloadError(f"{what} does not show how long its periods are; use --option agglevel=hour")
    return shortest


def _item(table: pl.DataFrame, name: str, asked: Request, facts: Facts) -> pl.DataFrame:
    match = _ITEM.fullmatch(name)
    if match is None:
        raise PayloadError(f"{name!r} is no item")
    datatype = match["datatype"].upper()
    unit, factor = _unit(datatype, facts)
    rows = table.select("event_start", "event_end", value=pl.col(name) * factor).drop_nulls("value")
    rows = rows.with_columns(
        # In capitals, as the vendor writes names: a header in another case is no other object.
        series_id=pl.lit(f"yes:{asked.iso}:{datatype}:{match['object'].strip().upper()}"),
        unit=pl.lit(unit),
        source=pl.lit("yes"),
    )
    rule = None
    if _PRICE.fullmatch(datatype) and not _DAY_AHEAD.match(datatype):
        rule = pl.col("event_end") + _REAL_TIME
    elif _PRICE.fullmatch(datatype) and asked.iso in _MARKET_CLOSE:
        zone, close = _MARKET_CLOSE[asked.iso]
        rows = rows.with_columns(public=day_at(rows["event_start"], zone, close, days=-1))
        rule = pl.col("public")
    return known_by(rows, fetched_at=facts.fetched_at, rule=rule).drop("public", strict=False)


def _unit(datatype: str, facts: Facts) -> tuple[str, float]:
    if _PRICE.fullmatch(datatype):
        return "USD/MWh", 1.0
    declared = facts.options.get("unit")
    if declared is not None:
        return to_canonical(declared)
    if _MEGAWATTS.fullmatch(datatype):
        return "MW", 1.0
    raise UnitError(f"data type {datatype} has no unit that we know; use --option unit=MW")
