"""Judgements about batches of rows: what is missing, late or implausible.

Put here: pure rules over canonical rows. Keep out: what happens to a batch that fails one (assets).
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from domain.instants import require_utc


def missing_intervals(rows: pl.DataFrame, *, start: datetime, end: datetime) -> pl.DataFrame:
    """Return the intervals that series of regular intervals lack between their neighbours' bounds.

    Args:
        rows: Canonical rows; series of instants (``event_end`` = ``event_start``) have no expected count and are
            left out. The step of a series is its own commonest interval length.
        start: Start of the window that was asked for [UTC].
        end: End of what should be known by now [UTC], exclusive.

    Returns:
        ``series_id, expected, found, missing`` (counts) and ``first_missing`` (UTC), one row a series that lacks
        something.
    """
    start, end = require_utc(start, what="start"), require_utc(end, what="end")
    regular = rows.filter((pl.col("event_end") > pl.col("event_start")) & pl.col("value").is_not_null())
    steps = regular.group_by("series_id").agg((pl.col("event_end") - pl.col("event_start")).mode().min().alias("step"))
    expected = (
        steps.with_columns(count=(pl.lit(end - start) / pl.col("step")).floor().cast(pl.Int64))
        .filter(pl.col("count") > 0)
        .with_columns(index=pl.int_ranges(0, pl.col("count")))
        .explode("index")
        .with_columns(event_start=pl.lit(start).cast(rows.schema["event_start"]) + pl.col("index") * pl.col("step"))
    )
    found = regular.select("series_id", "event_start").unique().with_columns(found=pl.lit(1))
    return (
        expected.join(found, on=["series_id", "event_start"], how="left")
        .group_by("series_id")
        .agg(
            pl.len().alias("expected"),
            pl.col("found").count(),
            pl.col("found").is_null().sum().alias("missing"),
            pl.col("event_start").filter(pl.col("found").is_null()).min().alias("first_missing"),
        )
        .filter(pl.col("missing") > 0)
        .sort("series_id")
    )
