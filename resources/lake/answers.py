"""Answers: what the lake's reads return, from the winning rows.

Put here: the questions (as of, history, difference, slice by horizon) and the shape of their answers. Keep out: how
rows are found (reading.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from domain.beliefs import ASOF_COLUMNS, KEY, TIME
from domain.distributions import GRID_COLUMNS, unfold
from domain.order import in_order, into_order, with_key
from domain.revisions import TOTAL_ORDER

ASOF_NEEDS: Final = ("belief_time", "recorded_at", "value", "grid", "quantiles", "unit", "quality")
"""Stored columns behind an as-of answer."""

HISTORY_COLUMNS: Final = (*ASOF_COLUMNS, "event_end", "belief_basis", "quality_detail", "rev")
"""Columns of ``history``: those of an as-of answer, and what tells revisions apart."""

Knowable = Callable[[pl.Series], pl.Series]
"""From distinct ``event_start`` to when each event can first be known, such as ``domain.knowledge.GateClosure``."""


def as_of_frame(rows: pl.DataFrame) -> pl.DataFrame:
    """Return winners as an as-of answer: one row a stated number, sorted.

    Order: series_id, event_start, source, scenario, member, quantile; nulls first.
    """
    needed = [name for name in rows.columns if name in (*ASOF_COLUMNS, *GRID_COLUMNS)]
    if rows["grid"].null_count() == rows.height:
        needed = [name for name in needed if name not in GRID_COLUMNS]
    # Each step lets go of the frame before it: a year of everything must not be in memory twice.
    rows = with_key(rows.select(needed), series=True)
    rows = into_order(rows, ("series", "event_start", "key"))
    return unfold(rows).select(ASOF_COLUMNS)


def history_frame(rows: pl.DataFrame) -> pl.DataFrame:
    """Return every belief of one event, voice by voice, oldest first; the last of a voice is the newest."""
    return unfold(in_order(with_key(rows), TOTAL_ORDER)).select(HISTORY_COLUMNS)


def difference(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return where two as-of answers differ in value or quality, or only one of them says anything.

    Returns:
        The key and ``quantile``, then belief_time, value and quality as ``*_before`` and ``*_after``, and ``change``
        (after minus before, in the series' unit; null where either has no value). In no promised order.
    """
    on = [*KEY, "quantile"]
    said = ["belief_time", "value", "quality"]
    pairs = before.select(*on, pl.col(said).name.suffix("_before")).join(
        after.select(*on, "unit", pl.col(said).name.suffix("_after")),
        on=on,
        how="full",
        coalesce=True,
        nulls_equal=True,
    )
    units = before.select(*on, unit_before="unit")
    pairs = pairs.join(units, on=on, how="left", nulls_equal=True).with_columns(
        unit=pl.coalesce("unit", "unit_before"), change=pl.col("value_after") - pl.col("value_before")
    )
    differs = pl.any_horizontal(
        pl.col(f"{name}_before").ne_missing(pl.col(f"{name}_after")) for name in ("value", "quality")
    )
    columns = [*on, "unit", *(f"{name}_{side}" for name in said for side in ("before", "after")), "change"]
    return pairs.filter(differs).select(columns)


def in_answers_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows sorted as an as-of answer."""
    return rows.sort("series_id", "event_start", "source", "scenario", "member", "quantile")


def known_early_enough(horizon: timedelta, knowable: Knowable | None) -> pl.Expr:
    """Return True on beliefs stated at least ``horizon`` before their event could be known.

    Args:
        horizon: How long before; zero or negative reaches beliefs stated afterwards.
        knowable: When an event can be known; None means when it ends.
    """
    if knowable is None:
        return pl.col("belief_time") <= pl.col("event_end") - horizon

    def known_at(events: pl.Series) -> pl.Series:
        distinct = events.unique()
        return events.replace_strict(distinct, knowable(distinct).cast(events.dtype), return_dtype=events.dtype)

    known = pl.col("event_start").map_batches(known_at, return_dtype=TIME, is_elementwise=True)
    return pl.col("belief_time") <= known - horizon


def window_of(moment: datetime) -> tuple[datetime, datetime]:
    """Return the window that holds one event_start and no other."""
    return moment, moment + timedelta(microseconds=1)
