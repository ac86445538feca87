"""Forecasts that somebody else made, put onto our grid unchanged.

Put here: passing a vendor's distribution through, hole by hole honest. Keep out: correcting it (learned models).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from domain.errors import FrameError
from domain.instants import iso, require_utc
from forecasting.frames import HOUR, QUANTILES, SCHEMA, ordered, published_rows, target_steps

WIDEST_HOLE: Final = timedelta(hours=3)
"""Longest hole between two hours of one issue that is bridged by a straight line (the operators' own gap rule)."""

STALE_AFTER: Final = timedelta(hours=36)
"""Oldest issue still passed through: two missed daily issues of a vendor that issues at least daily are too many."""


def vendor_forecast(
    rows: pl.DataFrame, *, name: str, origin: datetime, horizon_h: int, stale_after: timedelta = STALE_AFTER
) -> pl.DataFrame:
    """Return a vendor's newest forecast on the hourly grid.

    Hours the vendor did not cover are left out: the ladder fills them from the next source. Within one issue a hole
    of up to three hours is bridged linearly. Quantiles outside our grid are dropped, none are invented: a vendor
    that gives only a mean has no quantile rows. Without a mean row, the mean is integrated from the quantiles.

    Args:
        rows: As-of rows: ``event_start`` (UTC, on the hour), ``value`` (hour mean), ``quantile`` (null = mean), and
            ``belief_time``, when the vendor issued it; issues after ``origin`` are dropped.
        name: The vendor, for the label ``vendor:<name>``.
        origin: The instant of the decision.
        horizon_h: Hours to forecast [h].
        stale_after: Oldest issue used.

    Returns:
        ``forecasting.frames.SCHEMA``, possibly without any row.

    Raises:
        FrameError: A column is missing, a time has no zone, a row starts off the hour, or one issue says the same
            quantile of an hour twice.
    """
    origin = require_utc(origin, what="origin")
    rows = published_rows(rows, origin=origin, what=f"forecast of {name}")
    if "belief_time" not in rows.columns:
        raise FrameError(f"forecast of {name} lacks column belief_time: its age decides whether it may be used")
    if "quantile" not in rows.columns:
        rows = rows.with_columns(quantile=pl.lit(None, pl.Float64))
    grid = target_steps(origin, horizon_h)
    rows = _newest_issue_per_hour(rows, name, since=origin - stale_after)
    filled = _bridged(rows, grid)
    filled = pl.concat([filled, _means_from_quantiles(filled)])
    filled = filled.filter(pl.col("quantile").is_null() | pl.col("quantile").is_in(QUANTILES))
    return ordered(
        filled.with_columns(model=pl.lit(f"vendor:{name}")).select(pl.col(c).cast(t) for c, t in SCHEMA.items())
    )


def _newest_issue_per_hour(rows: pl.DataFrame, name: str, *, since: datetime) -> pl.DataFrame:
    rows = rows.select(
        "event_start", "belief_time", pl.col("quantile").cast(pl.Float64), pl.col("value").cast(pl.Float64)
    ).filter(pl.col("belief_time") >= since)
    off = rows.filter(pl.col("event_start").dt.truncate("1h") != pl.col("event_start"))
    if off.height:
        raise FrameError(
            f"forecast of {name} has a row at {iso(off['event_start'][0])}, off the hour; ask for hourly means"
        )
    # A distribution is replaced whole: quantiles of two issues are never mixed in one hour.
    rows = rows.filter(pl.col("belief_time") == pl.col("belief_time").max().over("event_start"))
    rows = rows.drop_nulls("value").filter(pl.col("value").is_finite())
    twice = rows.filter(pl.struct("event_start", "quantile").is_duplicated())
    if twice.height:
        first = twice.sort("event_start").row(0, named=True)
        raise FrameError(f"forecast of {name} says one quantile of one hour twice, first {first}; pick one scenario")
    return rows


def _bridged(rows: pl.DataFrame, grid: pl.DataFrame) -> pl.DataFrame:
    """Return ``rows`` on the grid, short holes inside one issue filled by a straight line."""
    if rows.is_empty():
        return rows.with_columns(basis=pl.lit(""))
    first, last = grid["event_start"][0], grid["event_start"][-1]
    around = rows.filter(pl.col("event_start").is_between(first - WIDEST_HOLE - HOUR, last + WIDEST_HOLE + HOUR))
    key = ["quantile"]
    bounds = around.sort("event_start").with_columns(
        next_start=pl.col("event_start").shift(-1).over(key),
        next_value=pl.col("value").shift(-1).over(key),
        next_belief=pl.col("belief_time").shift(-1).over(key),
    )
    hole = pl.col("next_start") - pl.col("event_start")
    holes = bounds.filter(
        (hole > HOUR) & (hole <= WIDEST_HOLE + HOUR) & (pl.col("next_belief") == pl.col("belief_time"))
    )
    share = (pl.col("at") - pl.col("event_start")).dt.total_seconds() / hole.dt.total_seconds()
    bridges = (
        holes.with_columns(at=pl.datetime_ranges(pl.col("event_start") + HOUR, "next_start", "1h", closed="left"))
        .explode("at")
        .with_columns(value=pl.col("value") + share * (pl.col("next_value") - pl.col("value")))
        .select(pl.col("at").alias("event_start"), "belief_time", "quantile", "value")
        .with_columns(part=pl.lit(", hole bridged"))
    )
    given = around.with_columns(part=pl.lit(""))
    issued = pl.col("belief_time").dt.to_string("%Y-%m-%dT%H:%M:%SZ")
    return (
        pl.concat([given, bridges])
        .join(grid, on="event_start", how="semi")
        .with_columns(basis=pl.format("issued {}{}", issued, "part"))
        .drop("part")
    )


def _means_from_quantiles(rows: pl.DataFrame) -> pl.DataFrame:
    """Return a mean for the hours that have quantiles only: the area under the piecewise linear quantile function."""
    bare = rows.join(rows.filter(pl.col("quantile").is_null()), on="event_start", how="anti")
    q, value = pl.col("quantile"), pl.col("value")
    inner = ((value + value.shift(1)) / 2 * (q - q.shift(1))).sum()
    tails = value.first() * q.first() + value.last() * (1 - q.last())
    return (
        bare.sort("event_start", "quantile")
        .group_by("event_start", "belief_time", maintain_order=True)
        .agg(value=inner + tails, basis=pl.format("{}, mean integrated from quantiles", pl.col("basis").first()))
        .with_columns(quantile=pl.lit(None, pl.Float64))
        .select(rows.columns)
    )
