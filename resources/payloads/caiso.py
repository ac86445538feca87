"""CAISO OASIS answers as canonical rows: zips of CSV, in no order, or a zip that only says why there is none.

Put here: prices with their components, load and renewable forecasts, ancillary-service prices, error members.
Keep out: requests and the five-second limiter (resources/caiso.py).

OASIS stamps no publication. Day-ahead results and forecasts count as known at 13:00 Pacific on the day before (the
forecast 2DA two days before), real-time ones five minutes after their interval (``schedule_rule``); never later than
the retrieval stamp in the file's name (``filename``) or the fetch (``ingest_time``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from xml.etree.ElementTree import Element

import polars as pl

from domain.beliefs import CANONICAL, TIME, Basis, canonical
from domain.errors import PayloadError
from domain.instants import PACIFIC
from resources.payloads import Facts
from resources.payloads.envelope import Document, Kind, check, documents, kind_of, refuse_html, short_name, xml_of
from resources.payloads.tables import floats, key_of, keys_of, read_table, require_columns, texts, unrepeated
from resources.payloads.times import day_at, instants, is_repeated, known_by, localised

NO_DATA: Final = "1000"
"""ERR_CODE of "no data returned for the specified selection": an empty answer, not a failure."""

_STARTS: Final = ("intervalstarttimegmt", "intervalstartgmt", "starttimegmt", "startdategmt")
_ENDS: Final = ("intervalendtimegmt", "intervalendgmt", "endtimegmt", "enddategmt")
_VALUES: Final = ("mw", "prc", "value")
"""The value's column: a day-ahead price sits in one called MW, a 15-minute price in PRC, a 5-minute price in VALUE."""
_PRICE_RUNS: Final = {"DAM": "da", "RTPD": "rtpd", "RTM": "rtd", "RTD": "rtd", "HASP": "hasp", "RUC": "ruc"}
_LMP_TYPES: Final = {
    "LMP_PRC": "LMP",
    "LMP_ENE_PRC": "MCE",
    "LMP_CONG_PRC": "MCC",
    "LMP_LOSS_PRC": "MCL",
    "LMP_GHG_PRC": "MGHG",
}
"""What an XML answer calls a component of the price -> what a CSV calls it."""
_DAY_AHEAD: Final = frozenset({"DAM", "2DA", "7DA", "RUC"})
_CREATED: Final = re.compile(r"_(\d{8}|\d{4}_\d{2}_\d{2})_(\d{2})_(\d{2})_(\d{2})_v\d+")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What OASIS said in place of data.

    Attributes:
        code: ERR_CODE; `NO_DATA` means an empty answer.
        description: ERR_DESC.
    """

    code: str
    description: str


@dataclass(frozen=True, slots=True)
class _Query:
    """One report: the columns that tell it, and how its series are named."""

    columns: tuple[str, ...]
    unit: str
    series: Callable[[pl.DataFrame, str], pl.DataFrame]


def parse(payload: bytes, facts: Facts) -> pl.DataFrame:
    """Return canonical rows of an OASIS answer; ERR_CODE 1000 gives an empty frame (`refusal` tells it apart).

    Raises:
        PayloadError: Another ERR_CODE, an HTML page (retryable), a damaged zip (retryable), or an unknown report.
    """
    what = short_name(facts.name, "OASIS answer")
    refuse_html(check(payload, what), what)
    found = documents(payload, what, what=what)
    tables = [(document, None) for document in found if kind_of(document.body) is Kind.TEXT] or _reports(found, what)
    if not tables:
        said = _refusal(found, what)
        if said is None:
            names = ", ".join(document.name for document in found[:5])
            raise PayloadError(f"{what} holds no CSV, no report and no ERR_CODE ({names}); ask with resultformat=6")
        if said.code != NO_DATA:
            raise PayloadError(f"{what} was refused: ERR_CODE {said.code}, {said.description}")
        return pl.DataFrame(schema=CANONICAL)
    return pl.concat(_rows(document, table, facts, what) for document, table in tables)


def created_in(names: Sequence[str]) -> datetime | None:
    """Return the retrieval stamp that OASIS puts into file names [UTC]; in the repeated hour the later pass.

    >>> created_in(["20250204_20250211_SLD_REN_FCST_DAM_20250214_04_52_10_v1.csv"]).isoformat()
    '2025-02-14T12:52:10+00:00'
    """
    for name in names:
        if match := _CREATED.search(name):
            wall = datetime.strptime("".join(match.groups()).replace("_", ""), "%Y%m%d%H%M%S")  # noqa: DTZ007 - Pacific
            return localised(wall, PACIFIC, name, repeated=is_repeated(wall, PACIFIC))
    return None


def _reports(found: Sequence[Document], what: str) -> list[tuple[Document, pl.DataFrame | None]]:
    """Return the tables of XML answers (resultformat 5), with the columns that the CSV of the same report has."""
    tables = []
    for document in found:
        if kind_of(document.body) is not Kind.XML:
            continue
        rows: list[dict[str, str]] = []
        for item in xml_of(document.body, what).iter():
            if _local(item) == "REPORT_ITEM":
                head = {_local(cell): (cell.text or "").strip() for part in item for cell in part}
                cells = [part for part in item if _local(part) == "REPORT_DATA"]
                rows += [_named_as_in_csv(part, head.get("MKT_TYPE", "")) for part in cells]
        if rows:
            tables.append((document, pl.DataFrame(rows, infer_schema_length=None)))
    return tables


def _named_as_in_csv(data: Element, market: str) -> dict[str, str]:
    """Return one REPORT_DATA as a row: ``RESOURCE_NAME`` is a node, an area or a hub, by what the report is of."""
    cells = {key_of(_local(cell)): (cell.text or "").strip() for cell in data}
    item, place = cells.pop("dataitem", ""), cells.pop("resourcename", "")
    if item in _LMP_TYPES:
        cells |= {"lmptype": _LMP_TYPES[item], "node": place}
    elif item.startswith("SYS_FCST"):
        cells |= {"tacareaname": place}
    return cells | {"mw": cells.pop("value", ""), "marketrunid": market}


def _rows(document: Document, table: pl.DataFrame | None, facts: Facts, what: str) -> pl.DataFrame:
    columns = keys_of(document.body, document.name) if table is None else table.columns
    query = next((query for query in _QUERIES if set(query.columns) <= set(columns)), None)
    if query is None:
        has = ", ".join(columns[:20])
        raise PayloadError(f"{document.name} is no OASIS report we read; its columns are {has}")
    table = _timed(read_table(document.body, document.name) if table is None else table, document.name)
    value = _value_column(table, document.name)
    table = floats(table, [value], document.name).with_columns(value=pl.col(value))
    table = texts(table, [*query.columns, "marketrunid"]).with_columns(
        pl.col("marketrunid").str.to_uppercase(), unit=pl.lit(query.unit), source=pl.lit("caiso_oasis")
    )
    rows = _believed(query.series(table, document.name), document, facts)
    return unrepeated(canonical(rows, what=what), ["series_id", "event_start", "scenario"])


def _timed(table: pl.DataFrame, what: str) -> pl.DataFrame:
    start = next((name for name in _STARTS if name in table.columns), None)
    end = next((name for name in _ENDS if name in table.columns), None)
    if start is None or end is None:
        raise PayloadError(f"{what} lacks the GMT start or end of its intervals; it has {', '.join(table.columns)}")
    require_columns(table, ["marketrunid"], what)
    return table.with_columns(event_start=instants(table[start], what), event_end=instants(table[end], what))


def _value_column(table: pl.DataFrame, what: str) -> str:
    filled = [name for name in _VALUES if name in table.columns and table[name].null_count() < max(table.height, 1)]
    if len(filled) != 1:
        raise PayloadError(f"{what} should have one of the columns MW, PRC, VALUE filled; it has {filled or 'none'}")
    return filled[0]


def _prices(table: pl.DataFrame, what: str) -> pl.DataFrame:
    node = "node" if "node" in table.columns else "nodeid"
    require_columns(table, [node], what)
    return texts(table, [node]).with_columns(
        series_id=pl.format("caiso:lmp_{}:{}:{}", _run(table, what), node, "lmptype"), scenario=pl.lit("actual")
    )


def _ancillary(table: pl.DataFrame, what: str) -> pl.DataFrame:
    return table.with_columns(
        series_id=pl.format("caiso:as_{}:{}:{}", _run(table, what), "ancregion", "anctype"), scenario=pl.lit("actual")
    )


def _load(table: pl.DataFrame, what: str) -> pl.DataFrame:
    return _forecast(table, "load", ["tacareaname"], what)


def _renewables(table: pl.DataFrame, what: str) -> pl.DataFrame:
    return _forecast(table, "ren", ["tradinghub", "renewabletype"], what)


def _forecast(table: pl.DataFrame, family: str, names: list[str], what: str) -> pl.DataFrame:
    """Name what was measured apart from what was forecast; the runs are vintages of one target, told in the id."""
    require_columns(table, names, what)
    run = pl.col("marketrunid")
    if "executiontype" in table.columns:  # the real-time run forecasts 5 and 15 minutes ahead under one run id
        execution = pl.col("executiontype").str.strip_chars().str.to_uppercase()
        run = pl.when((run == "RTM") & execution.is_not_null() & (execution != "")).then(execution).otherwise(run)
    where = "{}".join([":"] * len(names)) + "{}"
    measured = pl.col("marketrunid") == "ACTUAL"
    return table.with_columns(
        series_id=pl.when(measured)
        .then(pl.format(f"caiso:{family}_actual{where}", *names))
        .otherwise(pl.format(f"caiso:{family}_fcst:{{}}{where}", run, *names)),
        scenario=pl.when(measured).then(pl.lit("actual")).otherwise(pl.lit("deterministic")),
    )


def _run(table: pl.DataFrame, what: str) -> pl.Expr:
    unknown = set(table["marketrunid"].unique().drop_nulls()) - set(_PRICE_RUNS)
    if unknown or table["marketrunid"].null_count():
        raise PayloadError(f"{what} has the market run {sorted(unknown) or 'none'}; known: {', '.join(_PRICE_RUNS)}")
    return pl.col("marketrunid").replace_strict(_PRICE_RUNS, return_dtype=pl.String)


def _believed(rows: pl.DataFrame, document: Document, facts: Facts) -> pl.DataFrame:
    run = pl.col("marketrunid")
    one, two = (day_at(rows["event_start"], PACIFIC, time(13), days=-days) for days in (1, 2))
    public = pl.when(run == "2DA").then(two).otherwise(one)
    rule = pl.when(run.is_in(list(_DAY_AHEAD))).then(public).otherwise(pl.col("event_end") + timedelta(minutes=5))
    created = created_in([*document.names, facts.name])
    limit = min(created, facts.fetched_at) if created is not None else facts.fetched_at
    # What a file holds was known when the file was made, whatever the rule says of it.
    stamp = pl.when(rule > pl.lit(limit, TIME)).then(pl.lit(limit, TIME)) if limit != facts.fetched_at else None
    return known_by(rows, fetched_at=facts.fetched_at, stamp=stamp, basis=Basis.FILENAME, rule=rule)


def _refusal(found: Sequence[Document], what: str) -> Refusal | None:
    for document in found:
        if kind_of(document.body) is not Kind.XML:
            continue
        root = xml_of(document.body, what)
        code = _text_of(root, "ERR_CODE")
        if code is not None:
            return Refusal(code, _text_of(root, "ERR_DESC") or "no description")
    return None


def _local(node: Element) -> str:
    return node.tag.rsplit("}", 1)[-1]


def _text_of(root: Element, tag: str) -> str | None:
    return next((node.text.strip() for node in root.iter() if node.tag.endswith(tag) and node.text), None)


_QUERIES: Final = (
    _Query(("lmptype",), "USD/MWh", _prices),
    _Query(("anctype", "ancregion"), "USD/MW", _ancillary),
    _Query(("renewabletype",), "MW", _renewables),
    _Query(("tacareaname",), "MW", _load),
)
