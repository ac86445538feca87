"""The baseline every other forecast has to beat: the same hour of comparable days, with the errors it used to make.

The point is the median of the same local hour in the last comparable days; the distribution is that point plus the
errors the same rule made in the past, pooled by how many seasons it had to reach back and by block of the day.
It omits weather, holidays and trends. The interval is marginal: it says nothing about the correlation between hours.

Put here: forecasts that need nothing but the series itself. Keep out: vendors (vendor.py), choosing (ladder.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from domain.instants import iso, require_utc
from forecasting.frames import HOUR, QUANTILES, SCHEMA, known_history, ordered, target_steps

DAY_BLOCK_H: Final = 4
"""Length of the blocks of the local day whose errors are pooled [h]: six blocks keep the peaks apart from the night."""
ENOUGH_ERRORS: Final = 20
"""Fewest past errors from which a 5 % quantile is read; below it the pool is widened."""
ERROR_WINDOW: Final = timedelta(days=56)
"""How far back errors are collected: eight weeks stay inside one season."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """One way to find comparable hours.

    Attributes:
        name: Label in ``model``, after ``seasonal_naive:``.
        days: Length of the season in local calendar days.
        last: How many seasons are looked at.
        at_least: Fewest of them that must have a value.
    """

    name: str
    days: int
    last: int
    at_least: int


WEEKLY: Final = Season(name="weekly", days=7, last=4, at_least=2)
DAILY: Final = Season(name="daily", days=1, last=7, at_least=3)
RIVER_DAY: Final = Season(name="daily", days=1, last=3, at_least=1)
"""Rivers know no weekdays, and their level drifts: only the last days are comparable."""

MARKET_SEASONS: Final = (WEEKLY, DAILY)
RIVER_SEASONS: Final = (RIVER_DAY,)
HOLD_FOR: Final = timedelta(hours=24)
"""Oldest last value that may still be held when no season has one."""


def seasonal_naive(
    history: pl.DataFrame,
    *,
    origin: datetime,
    horizon_h: int,
    zone: ZoneInfo,
    seasons: Sequence[Season] = MARKET_SEASONS,
    step: timedelta = HOUR,
    lower: float | None = None,
    series_id: str = "series",
) -> pl.DataFrame:
    """Forecast a series from its own past.

    Each interval takes the first season that has enough values; where none has, the last value known at the origin
    is held, if it is not older than a day.

    Args:
        history: ``event_start`` (UTC) and ``value`` (mean over ``step``, any unit). Nothing that ends after
            ``origin`` is used.
        origin: The instant of the decision.
        horizon_h: Hours to forecast [h].
        zone: The zone whose clock the series follows; "the same hour" is the same hour there, across DST changes.
        seasons: Tiers, best first.
        step: Length of an interval.
        lower: Physical lower bound of the values, if there is one (unit of the series).
        series_id: Names the series in an error.

    Returns:
        ``forecasting.frames.SCHEMA``: a mean and ``QUANTILES`` an interval. Quantiles are left out, and ``basis``
        says so, where fewer than ``ENOUGH_ERRORS`` past errors exist. Intervals with neither a comparable value nor
        a last one to hold are left out: the caller refuses or asks another source.

    Raises:
        FrameError: See ``known_history``.
    """
    origin = require_utc(origin, what="origin")
    past = _on_the_wall(known_history(history, origin=origin, what=series_id, step=step), zone)
    targets = _on_the_wall(target_steps(origin, horizon_h, step), zone)
    parts: list[pl.DataFrame] = []
    left = targets
    for season in seasons:
        part = _from_season(left, past, season, origin=origin, step=step)
        parts.append(part)
        left = left.join(part, on="event_start", how="anti")
    if left.height:
        parts.append(_held(left, past, origin=origin, step=step))
    forecast = pl.concat(parts)
    if lower is not None:
        forecast = forecast.with_columns(pl.col("value").clip(lower_bound=lower))
    return ordered(forecast)


def error_quantiles(errors: pl.DataFrame, *, by: Sequence[str]) -> pl.DataFrame:
    """Return the mean and ``QUANTILES`` of past errors, pooled as narrowly as their number allows.

    Args:
        errors: The columns of ``by`` and ``error``.
        by: From the widest grouping key to the narrowest; each pool drops the last key of the one before.

    Returns:
        One row a group that occurs: ``by``, ``quantile`` (null = mean), ``error``, ``errors`` (size of the pool
        used). Groups stay away when even the widest pool holds fewer than ``ENOUGH_ERRORS``.
    """
    wanted = errors.select(by).unique(maintain_order=True)
    found: list[pl.DataFrame] = []
    for width in range(len(by), -1, -1):
        keys = list(by[:width])
        statistics = [pl.col("error").mean().alias("mean"), pl.len().alias("errors")]
        statistics += [pl.col("error").quantile(q, interpolation="linear").alias(str(q)) for q in QUANTILES]
        # In order: a mean summed in another order differs in its last bits, and a replay must not.
        pools = errors.group_by(keys, maintain_order=True).agg(statistics) if keys else errors.select(statistics)
        pools = pools.filter(pl.col("errors") >= ENOUGH_ERRORS)
        hit = wanted.join(pools, on=keys) if keys else wanted.join(pools, how="cross")
        found.append(hit)
        wanted = wanted.join(hit, on=list(by), how="anti")
    wide = pl.concat(found, how="diagonal")
    return wide.unpivot(
        on=["mean", *(str(q) for q in QUANTILES)], index=[*by, "errors"], variable_name="statistic", value_name="error"
    ).select(
        *by,
        pl.when(pl.col("statistic") != "mean").then(pl.col("statistic")).cast(pl.Float64).alias("quantile"),
        "error",
        "errors",
    )


def spread(points: pl.DataFrame, errors: pl.DataFrame, *, by: Sequence[str]) -> pl.DataFrame:
    """Return the forecast rows of ``points`` with the distribution of past ``errors`` around each.

    Args:
        points: ``event_start, value, model, basis`` and the columns of ``by``.
        errors: The columns of ``by`` and ``error``.
        by: See ``error_quantiles``.
    """
    pools = error_quantiles(errors, by=by)
    banded = points.join(pools, on=list(by)).with_columns(
        value=pl.col("value") + pl.col("error"), basis=pl.format("{}; {} past errors", "basis", "errors")
    )
    bare = points.join(banded, on="event_start", how="anti").with_columns(
        quantile=pl.lit(None, pl.Float64), basis=pl.format("{}; too few past errors for quantiles", "basis")
    )
    columns = [pl.col(name).cast(dtype) for name, dtype in SCHEMA.items()]
    return pl.concat([banded.select(columns), bare.select(columns)])


def day_block(zone: ZoneInfo) -> pl.Expr:
    """Return the block of the local day an ``event_start`` lies in, 0 to 5."""
    return pl.col("event_start").dt.convert_time_zone(zone.key).dt.hour() // DAY_BLOCK_H


def _on_the_wall(rows: pl.DataFrame, zone: ZoneInfo) -> pl.DataFrame:
    wall = pl.col("event_start").dt.convert_time_zone(zone.key).dt.replace_time_zone(None)
    return rows.with_columns(wall=wall, block=day_block(zone))


def _from_season(
    targets: pl.DataFrame, past: pl.DataFrame, season: Season, *, origin: datetime, step: timedelta
) -> pl.DataFrame:
    """Return forecast rows for those targets that have enough comparable values."""
    length_us = timedelta(days=season.days) // timedelta(microseconds=1)
    lead_us = (pl.col("event_start") + step - origin).dt.total_microseconds()
    # Reaching back n seasons makes one error, whatever the lead inside the season: so errors pool by n, not by hour.
    targets = targets.with_columns(back=((lead_us + length_us - 1) // length_us).cast(pl.Int64))
    points = _comparable(targets, past, season).with_columns(
        model=pl.lit(f"seasonal_naive:{season.name}"),
        basis=pl.format(f"median of {{}} of the last {season.last} comparable days", "values"),
    )
    recent = past.filter(pl.col("event_start") >= origin - ERROR_WINDOW)
    hindcast = recent.rename({"value": "actual"}).join(points.select("back").unique().sort("back"), how="cross")
    errors = _comparable(hindcast, past, season).with_columns(error=pl.col("actual") - pl.col("value"))
    return spread(points, errors, by=("back", "block"))


def _comparable(targets: pl.DataFrame, past: pl.DataFrame, season: Season) -> pl.DataFrame:
    """Return the targets with ``value``, the median of their comparable hours, and ``values``, how many there were."""
    targets = targets.with_row_index("target")
    # The autumn hour occurs twice on the wall; its first pass stands for both.
    lookup = past.select("wall", "value").unique("wall", keep="first", maintain_order=True)
    nth = pl.DataFrame({"nth": range(season.last)}, schema={"nth": pl.Int64})
    found = (
        targets.select("target", "wall", "back")
        .join(nth, how="cross")
        .with_columns(wall=pl.col("wall") - pl.duration(days=season.days * (pl.col("back") + pl.col("nth"))))
        .join(lookup, on="wall")
        .group_by("target")
        .agg(pl.col("value").median(), pl.len().alias("values"))
        .filter(pl.col("values") >= season.at_least)
    )
    return targets.join(found, on="target").drop("target").sort("event_start", "back")


def _held(targets: pl.DataFrame, past: pl.DataFrame, *, origin: datetime, step: timedelta) -> pl.DataFrame:
    """Return the last known value for every target, with the drift it showed over the same lead in the past."""
    if past.is_empty() or origin - (past["event_start"][-1] + step) > HOLD_FOR:
        return pl.DataFrame(schema=SCHEMA)
    last_start, last_value = past.row(-1)[:2]
    recent = past.filter(pl.col("event_start") >= origin - ERROR_WINDOW).select("event_start", "value")
    series = recent.upsample("event_start", every=step)["value"].to_numpy()
    leads = np.array([(at - last_start) // step for at in targets["event_start"]], dtype=np.int64)
    drift = [(int(lead), series[lead:] - series[:-lead]) for lead in np.unique(leads)]
    errors = pl.concat(
        [
            pl.DataFrame({"lead": np.full(one.size, lead, np.int64), "error": one}).filter(pl.col("error").is_finite())
            for lead, one in drift
        ]
    )
    points = targets.select("event_start").with_columns(
        lead=pl.Series(leads),
        value=pl.lit(last_value),
        model=pl.lit("seasonal_naive:hold"),
        basis=pl.lit(f"value of {iso(last_start)} held"),
    )
    return spread(points, errors, by=("lead",))
