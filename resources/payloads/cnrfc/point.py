"""The CSV of one point, as its web page offers it: Pacific times, feet and cfs, observed and forecast rows.

Put here: that layout and its variants. Keep out: watershed exports (exports.py), which are in GMT and kcfs.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qs, urlsplit

import polars as pl

from domain.beliefs import TIME, Basis, canonical
from domain.errors import PayloadError
from domain.instants import PACIFIC
from resources.payloads import Facts
from resources.payloads.cnrfc.exports import MISSING_TEXTS, judged, point_in
from resources.payloads.envelope import Document
from resources.payloads.tables import floats, read_table, texts, unrepeated
from resources.payloads.times import is_repeated, known_by, local_stamps, naive, published_stamps

STAMPS: Final = ("validdatetimepacific", "datetimepacifictime", "datetimepacific")
"""Names of the column of times; Pacific wall clock without an offset."""
_ISSUED: Final = "issuancedatetimepacific"
_SEEN: Final = "observedforecast"
_VALUES: Final = {"flowcfs": ("flow", "cfs"), "stagefeet": ("stage", "ft")}


def parse_point(document: Document, facts: Facts, what: str) -> pl.DataFrame:
    """Return canonical rows of one point's CSV; the point is in the URL (``id=``), the name or the option ``point``.

    Forecast rows are known at their issuance stamp; observed rows, which have none, when the document was modified or
    fetched.

    Raises:
        PayloadError: It has neither stage nor flow, or does not say where forecasts begin, or of which point it is.
    """
    table = read_table(document.body, what)
    stamp = next(name for name in STAMPS if name in table.columns)
    columns = [name for name in _VALUES if name in table.columns]
    if not columns:
        raise PayloadError(f"{what} has neither flow nor stage; its columns are {', '.join(table.columns)}")
    point = facts.options.get("point") or _asked(facts.name) or point_in((*document.names, facts.name))
    if point is None:
        raise PayloadError(f"{what} does not say of which point it is; use --option point=FOLC1")
    table = floats(texts(table, [stamp]), columns, what, blanks=MISSING_TEXTS)
    table = table.with_columns(
        event_start=local_stamps(table[stamp], PACIFIC, what, repeated=_second_pass(table, stamp, what)),
        observed=_observed(table, what),
        issued=_issued(table, facts, what),
    )
    rows = pl.concat(
        table.select("event_start", "observed", "issued", value=column).with_columns(
            series_id=pl.lit(f"cnrfc:{_VALUES[column][0]}:{point}"), unit=pl.lit(_VALUES[column][1])
        )
        for column in columns
    ).drop_nulls("event_start")
    rows = judged(rows).with_columns(
        source=pl.lit("cnrfc"),
        scenario=pl.when("observed").then(pl.lit("actual")).otherwise(pl.lit("deterministic")),
    )
    rows = canonical(pl.concat([_known(part, facts) for part in rows.partition_by("observed")]), what=what)
    return unrepeated(rows, ["series_id", "event_start", "scenario", "belief_time"])


def is_point(columns: list[str]) -> bool:
    """Whether a header is one of this layout's."""
    return any(name in columns for name in STAMPS)


def _asked(name: str) -> str | None:
    return parse_qs(urlsplit(name).query).get("id", [None])[0]


def _second_pass(table: pl.DataFrame, stamp: str, what: str) -> pl.Series:
    """Return which rows are in the second pass of autumn's repeated hour: the later of two rows with one label."""
    later = table.select(pl.int_range(pl.len()).over(stamp) > 0).to_series()
    twice = table[stamp].filter(later).unique()
    ambiguous = [text for text in twice if is_repeated(naive(text, what), PACIFIC)]
    return later & table[stamp].is_in(ambiguous)


def _observed(table: pl.DataFrame, what: str) -> pl.Series:
    if _SEEN in table.columns:
        return table[_SEEN].str.strip_chars().str.to_lowercase().str.starts_with("obs")
    if "trend" not in table.columns:
        raise PayloadError(f"{what} does not say which rows are observed; it has {', '.join(table.columns)}")
    # A blank trend marks the first observed row and the first forecast row.
    blank = table["trend"].str.strip_chars().fill_null("").eq("").cast(pl.Int32)
    return blank.cum_sum() <= 1  # up to the second blank


def _issued(table: pl.DataFrame, facts: Facts, what: str) -> pl.Series:
    if _ISSUED not in table.columns:
        return pl.Series([None] * table.height, dtype=TIME)
    said = table[_ISSUED].str.strip_chars()
    stamps = published_stamps(said.set(said == "", None), PACIFIC, what, fetched_at=facts.fetched_at)
    # Printed without minutes ("08 AM") it is the hour in which the issue was made: known for sure when that is over.
    whole = ~said.str.contains(":", literal=True)
    end = pl.min_horizontal(pl.col("at") + timedelta(hours=1), pl.max_horizontal("at", pl.lit(facts.fetched_at, TIME)))
    told = pl.DataFrame({"at": stamps, "whole": whole})
    return told.select(pl.when("whole").then(end).otherwise("at").alias("at"))["at"]


def _known(rows: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    forecast = not rows["observed"][0]
    if forecast and rows["issued"].null_count() == 0:
        return known_by(rows, fetched_at=facts.fetched_at, stamp=pl.col("issued"), basis=Basis.SOURCE_STAMP)
    modified: datetime | None = facts.last_modified
    return known_by(rows, fetched_at=facts.fetched_at, stamp=modified, basis=Basis.HTTP_LAST_MODIFIED)
