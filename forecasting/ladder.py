"""Which forecast an hour gets: the best source that has one, named in the row.

Put here: the order of the sources for each kind of series. Keep out: how a source makes its numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

import polars as pl

from domain.errors import MissingInputError
from domain.instants import PACIFIC, iso, require_utc
from forecasting.frames import HOUR, SCHEMA, known_history, ordered, target_steps
from forecasting.naive import ERROR_WINDOW, RIVER_SEASONS, day_block, seasonal_naive, spread
from forecasting.vendor import vendor_forecast


def blend(rungs: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return, for each interval, all rows of the first rung that has its mean.

    A distribution comes from one rung whole: the mean of one source and the quantiles of another would agree on
    nothing.

    Args:
        rungs: Forecasts as ``forecasting.frames.SCHEMA``, best first.
    """
    taken: list[pl.DataFrame] = []
    for rung in rungs:
        have = rung.filter(pl.col("quantile").is_null() & pl.col("value").is_not_null()).select("event_start")
        for better in taken:
            have = have.join(better, on="event_start", how="anti")
        taken.append(rung.join(have, on="event_start", how="semi"))
    return ordered(pl.concat(taken) if taken else pl.DataFrame(schema=SCHEMA))


def forecast_inflow(
    observed: pl.DataFrame,
    vendor: Mapping[str, pl.DataFrame],
    *,
    origin: datetime,
    horizon_h: int,
    series_id: str = "inflow",
    zone: ZoneInfo = PACIFIC,
) -> pl.DataFrame:
    """Forecast a flow: the vendors in their order, then the same hour of the last days, then the last value held.

    Args:
        observed: ``event_start`` (UTC) and ``value``, hour means [cfs].
        vendor: Name -> as-of rows (``event_start, belief_time, value, quantile``) [cfs], best first; may be empty.
        origin: The instant of the decision.
        horizon_h: Hours to forecast [h].
        series_id: The planning series, named in errors.
        zone: Zone of the plant.

    Returns:
        ``forecasting.frames.SCHEMA`` [cfs], one mean an hour and quantiles where the source has them; a vendor that
        gives only means is taken to be as uncertain as the last days' own forecast, in proportion. ``model`` is
        ``vendor:<name>``, ``seasonal_naive:daily`` or ``seasonal_naive:hold``.

    Raises:
        MissingInputError: An hour has neither a vendor's value nor a usable past.
    """
    past = known_history(observed, origin=origin, what=series_id)
    # A gauge reads nothing below zero, except the few local-flow points whose own record does (mild negatives).
    lower = min([0.0, *past["value"].to_list()])
    rungs = {
        f"vendor:{name}": vendor_forecast(rows, name=name, origin=origin, horizon_h=horizon_h)
        for name, rows in vendor.items()
    }
    naive = seasonal_naive(
        past, origin=origin, horizon_h=horizon_h, zone=zone, seasons=RIVER_SEASONS, lower=lower, series_id=series_id
    )
    rungs = {name: _spread_like(rung, naive) for name, rung in rungs.items()} | {"seasonal_naive": naive}
    return _complete(rungs, origin=origin, horizon_h=horizon_h, series_id=series_id)


def _spread_like(rung: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Return a forecast whose hours without quantiles have those of another, scaled to its own means."""
    means, quantiles = (pl.col("quantile").is_null(), pl.col("quantile").is_not_null())
    bare = rung.filter(means).join(rung.filter(quantiles), on="event_start", how="anti")
    scales = bare.join(other.filter(means & (pl.col("value") > 0.0)), on="event_start", suffix="_other")
    scales = scales.select(
        "event_start", "model", scale=pl.col("value") / pl.col("value_other"),
        basis=pl.format("{}; spread of the last days", "basis"),
    )  # fmt: skip
    spread = other.filter(quantiles).drop("model", "basis").join(scales, on="event_start")
    spread = spread.with_columns(value=pl.col("value") * pl.col("scale"))
    return pl.concat([rung, spread.select(rung.columns)])


def forecast_price(
    day_ahead: pl.DataFrame,
    real_time: pl.DataFrame,
    *,
    origin: datetime,
    horizon_h: int,
    zone: ZoneInfo,
    series_id: str = "price",
) -> pl.DataFrame:
    """Forecast the real-time price: the published day-ahead price where there is one, comparable days beyond.

    In a day-ahead hour the mean row is the market's own price, unaltered; the quantiles are that price plus the
    spread (real time minus day-ahead) that the same block of the local day showed in the last eight weeks. No value
    is clipped: prices go below zero and above the offer cap.

    Args:
        day_ahead: ``event_start`` (UTC) and ``value``, hourly day-ahead prices [USD/MWh], history and published
            future; with ``belief_time``, rows published after ``origin`` are dropped.
        real_time: ``event_start`` (UTC) and ``value``, hour means of real-time prices [USD/MWh].
        origin: The instant of the decision.
        horizon_h: Hours to forecast [h].
        zone: Zone of the market's day.
        series_id: The price, named in errors.

    Returns:
        ``forecasting.frames.SCHEMA`` [USD/MWh]. ``model`` is ``day_ahead``, ``seasonal_naive:weekly``,
        ``seasonal_naive:daily``, ``seasonal_naive:hold``, or the same from day-ahead prices
        (``seasonal_naive_day_ahead:weekly`` ...) where no real-time price is known.

    Raises:
        MissingInputError: An hour has no published price and no usable past.
    """
    origin = require_utc(origin, what="origin")
    grid = target_steps(origin, horizon_h)
    end = grid["event_start"][-1] + HOUR
    ahead = known_history(day_ahead, origin=origin, what=f"{series_id}, day-ahead", by=end)
    past = known_history(real_time, origin=origin, what=f"{series_id}, real time")
    naive = partial(seasonal_naive, origin=origin, horizon_h=horizon_h, zone=zone, series_id=series_id)
    second = pl.col("model").str.replace("seasonal_naive", "seasonal_naive_day_ahead", literal=True)
    rungs = {
        "day_ahead": _around_day_ahead(ahead, past, grid, origin=origin, zone=zone),
        "seasonal_naive": naive(past),
        "seasonal_naive_day_ahead": naive(ahead).with_columns(model=second),
    }
    return _complete(rungs, origin=origin, horizon_h=horizon_h, series_id=series_id)


def _around_day_ahead(
    ahead: pl.DataFrame, past: pl.DataFrame, grid: pl.DataFrame, *, origin: datetime, zone: ZoneInfo
) -> pl.DataFrame:
    points = ahead.join(grid, on="event_start", how="semi").with_columns(
        block=day_block(zone), model=pl.lit("day_ahead"), basis=pl.lit("published day-ahead price")
    )
    both = past.join(ahead, on="event_start", suffix="_ahead").filter(pl.col("event_start") >= origin - ERROR_WINDOW)
    errors = both.select(error=pl.col("value") - pl.col("value_ahead"), block=day_block(zone))
    banded = spread(points, errors, by=("block",)).filter(pl.col("quantile").is_not_null())
    means = points.with_columns(quantile=pl.lit(None, pl.Float64)).select(
        pl.col(name).cast(dtype) for name, dtype in SCHEMA.items()
    )
    return pl.concat([means, banded])


def _complete(rungs: Mapping[str, pl.DataFrame], *, origin: datetime, horizon_h: int, series_id: str) -> pl.DataFrame:
    """Return the blend of the rungs, or refuse with what each of them had."""
    grid = target_steps(origin, horizon_h)
    forecast = blend(list(rungs.values()))
    empty = grid.join(forecast, on="event_start", how="anti")
    if empty.is_empty():
        return forecast
    had = ", ".join(f"{name} {rung['event_start'].n_unique()}" for name, rung in rungs.items())
    reason = (
        f"no value for {empty.height} of {grid.height} hours, first {iso(empty['event_start'][0])}"
        f" (hours covered: {had}); load a newer forecast or more history"
    )
    raise MissingInputError(f"the forecast from {iso(origin)}", {series_id: reason})
