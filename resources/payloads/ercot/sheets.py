"""One product table in our names, and the two ways in which ERCOT lays out series in it.

Put here: the alias map from ERCOT's column names, long and wide layouts. Keep out: which product has which columns.
CSV headers and API field names differ, and both change case; `tables.key_of` has removed case and punctuation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from domain.beliefs import TIME
from resources.payloads.tables import floats, texts

ALIASES: Final = {
    "deliverydate": "date",
    "operday": "date",
    "operatingday": "date",
    "operatingdate": "date",
    "deliveryhour": "hour",
    "hourending": "hour",
    "deliveryinterval": "interval",
    "deliveryint": "interval",
    "dstflag": "repeated",
    "repeathourflag": "repeated",
    "repeatedhourflag": "repeated",
    "intervalrepeathourflag": "interval_repeated",
    "intervalrepeatedhourflag": "interval_repeated",
    "scedtimestamp": "sced_at",
    "rtdtimestamp": "rtd_at",
    "intervalending": "interval_ending",
    "timeending": "time_ending",
    "posteddatetime": "posted",
    "postdatetime": "posted",
    "settlementpoint": "point",
    "settlementpointname": "point",
    "settlementpointtype": "point_type",
    "settlementpointprice": "price",
    "ancillarytype": "as_type",
    "astype": "as_type",
    "northc": "northcentral",
    "southc": "southcentral",
    "pricecorrectiontime": "corrected_at",
    # Since 2026-09-01 prices by dispatch run come capped and uncapped; the capped one is the price that settles.
    "cappedlmp": "lmp",
    "cappedmcpc": "mcpc",
    "cappedsystemlambda": "systemlambda",
    "cappedlmporiginal": "lmporiginal",
    "cappedlmpcorrected": "lmpcorrected",
    "cappedmcpcoriginal": "mcpcoriginal",
    "cappedmcpccorrected": "mcpccorrected",
    "electricbusname": "electricalbus",
    "constrname": "constraintname",
    "shadowpriceorig": "shadowpriceoriginal",
}
"""What ERCOT calls a column, without case and punctuation -> what we call it."""

_TOTAL_OF: Final = ("cap", "offlineavailablemw")
"""Stems of columns that documents end in ``Total`` and the row API does not: ``CapREGUPTotal``."""

PRICES: Final = frozenset({"settlementpointprice", "lmp", "mcpc"})
"""Columns of the documents that have a hundred thousand rows a day: read as numbers at once where all of them are."""

TIMES: Final = ("event_start", "event_end", "posted_at", "public_at")
"""The clocks of a row: ``posted_at`` as stamped, ``public_at`` by the product's rule; each null where unknown."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A product's table, its clock already read.

    Attributes:
        table: Text columns in our names, with the `TIMES`.
        what: Names the payload in errors.
    """

    table: pl.DataFrame
    what: str


def renamed(table: pl.DataFrame) -> pl.DataFrame:
    """Give a table our column names; of two columns with one meaning the first is kept."""
    return table.select(pl.col(column).alias(name) for name, column in our_names(table.columns).items())


def our_names(columns: Iterable[str]) -> dict[str, str]:
    """Return our name of each column, and which column has it."""
    chosen: dict[str, str] = {}
    for column in columns:
        plain = column.removesuffix("total") if column.startswith(_TOTAL_OF) else column
        chosen.setdefault(ALIASES.get(plain, plain), column)
    return chosen


def posting_time(table: pl.DataFrame, moments: Sequence[datetime | None], counts: Sequence[int]) -> pl.DataFrame:
    """Add ``posted_at``: the moment of the document that each block of rows came from."""
    if len(moments) == 1:
        return table.with_columns(posted_at=pl.lit(moments[0], TIME))
    stamps = pl.DataFrame({"posted_at": pl.Series(moments, dtype=TIME), "rows": counts})
    repeated = stamps.select(pl.col("posted_at").repeat_by("rows").explode(empty_as_null=False))
    return table.with_columns(repeated["posted_at"])


def long(
    sheet: Sheet, series: str, names: Sequence[str], value: str, *, unit: str, scenario: str = "actual"
) -> pl.DataFrame:
    """Return one row a table row: its series is named by columns.

    Args:
        sheet: The table.
        series: Template of the series id, one ``{}`` for each of ``names``.
        names: Text columns that fill it.
        value: The column of values.
        unit: Their unit.
        scenario: Their scenario.
    """
    table = floats(texts(sheet.table, names), [value], sheet.what)
    return table.select(
        *TIMES,
        series_id=pl.format(series, *names),
        value=value,
        unit=pl.lit(unit),
        scenario=pl.lit(scenario),
    )


def wide(
    sheet: Sheet, series: Mapping[str, str], *, unit: str, scenario: str | None = "actual", sparse: bool = False
) -> pl.DataFrame:
    """Return one row a cell of the named columns.

    Args:
        sheet: The table.
        series: Column -> series id; columns that the table lacks are left out.
        unit: Their unit.
        scenario: Their scenario; None takes it from the table's own column ``scenario``.
        sparse: True where an empty cell means "not yet" (an actual beside a forecast) and gives no row.
    """
    columns = [column for column in series if column in sheet.table.columns]
    table = floats(sheet.table, columns, sheet.what)
    if scenario is not None:
        table = table.with_columns(scenario=pl.lit(scenario))
    rows = table.unpivot(columns, index=[*TIMES, "scenario"], variable_name="column", value_name="value")
    if sparse:
        rows = rows.drop_nulls("value")
    ids = {column: series[column] for column in columns}
    return rows.select(
        *TIMES,
        series_id=pl.col("column").replace_strict(ids, return_dtype=pl.String),
        value="value",
        unit=pl.lit(unit),
        scenario="scenario",
    )
