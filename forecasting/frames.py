"""The shape of a forecast and of what it may be made from.

Put here: the columns, the grid of target hours, and the one rule that decides what was known at the origin.
Keep out: any way of guessing a value (naive.py, vendor.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from domain.beliefs import TIME
from domain.errors import FrameError, InputError
from domain.instants import iso, require_utc

QUANTILES: Final = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
"""The grid of non-exceedance probabilities every distribution of ours is given on."""

SCHEMA: Final[dict[str, pl.DataType]] = {
    "event_start": TIME,
    "quantile": pl.Float64(),
    "value": pl.Float64(),
    "model": pl.String(),
    "basis": pl.String(),
}
"""Columns of a forecast: hour means over [t, t + step), ``quantile`` null for the mean, ``model`` the label of what
made the row, ``basis`` in words from how much. Values carry the unit of the series they continue."""

HOUR: Final = timedelta(hours=1)


def target_steps(origin: datetime, horizon_h: int, step: timedelta = HOUR) -> pl.DataFrame:
    """Return the intervals to forecast: those that start at or after ``origin``, ``horizon_h`` hours of them.

    An interval under way at the origin is left out: half of it is history.

    Args:
        origin: The instant of the decision (aware).
        horizon_h: Length of the horizon [h].
        step: Length of one interval; an hour must hold a whole number of them.

    Returns:
        One column, ``event_start`` (UTC), in order.

    >>> from datetime import UTC
    >>> target_steps(datetime(2026, 11, 21, 7, 30, tzinfo=UTC), 2)["event_start"].dt.hour().to_list()
    [8, 9]
    """
    if horizon_h < 1:
        raise InputError(f"horizon of {horizon_h} h: it must be at least 1 h")
    require_step(step)
    origin = require_utc(origin, what="origin")
    since_hour = timedelta(minutes=origin.minute, seconds=origin.second, microseconds=origin.microsecond)
    start = origin - since_hour + step * -(-since_hour // step)
    end = start + timedelta(hours=horizon_h)
    return pl.DataFrame({"event_start": pl.datetime_range(start, end, step, closed="left", eager=True).cast(TIME)})


def require_step(step: timedelta) -> None:
    """Refuse a step that does not divide an hour."""
    if step <= timedelta() or HOUR % step:
        raise InputError(f"step of {step}: an hour must hold a whole number of steps, such as 15 or 60 minutes")


def known_history(
    rows: pl.DataFrame, *, origin: datetime, what: str, step: timedelta = HOUR, by: datetime | None = None
) -> pl.DataFrame:
    """Return what ``rows`` really said at ``origin``: the leak stops here.

    Args:
        rows: ``event_start`` (UTC) and ``value``; optional ``quantile`` (only its null rows count) and
            ``belief_time``.
        origin: The instant of the decision. A row with a later ``belief_time`` is dropped.
        what: Names the rows in an error.
        step: Length of one interval.
        by: Drop intervals that end after this instant. Default: ``origin``, right for measurements. Prices and
            forecasts published ahead name their own horizon's end.

    Returns:
        ``event_start, value`` in order, without nulls.

    Raises:
        FrameError: A column is missing or its time has no zone, two rows speak about one interval, a value is not
            finite, or an interval does not start on the grid of ``step``.
    """
    origin = require_utc(origin, what="origin")
    rows = published_rows(rows, origin=origin, what=what)
    if "quantile" in rows.columns:
        rows = rows.filter(pl.col("quantile").is_null())
    end = origin if by is None else require_utc(by, what="end")
    rows = (
        rows.select("event_start", pl.col("value").cast(pl.Float64))
        .filter(pl.col("event_start") <= end - step)
        .drop_nulls("value")
        .sort("event_start")
    )
    _require_clean(rows, step=step, what=what)
    return rows


def published_rows(rows: pl.DataFrame, *, origin: datetime, what: str) -> pl.DataFrame:
    """Return ``rows`` in UTC microseconds without those whose ``belief_time`` lies after ``origin``."""
    missing = [name for name in ("event_start", "value") if name not in rows.columns]
    if missing:
        raise FrameError(f"{what} lacks column(s) {', '.join(missing)}; it has {', '.join(rows.columns)}")
    for name in ("event_start", "belief_time"):
        if name not in rows.columns:
            continue
        dtype = rows.schema[name]
        if not isinstance(dtype, pl.Datetime) or dtype.time_zone is None:
            raise FrameError(f"{what} has {name} of type {dtype}: times must be aware UTC timestamps")
        rows = rows.with_columns(pl.col(name).dt.convert_time_zone("UTC").dt.cast_time_unit("us"))
    return rows.filter(pl.col("belief_time") <= origin) if "belief_time" in rows.columns else rows


def _require_clean(rows: pl.DataFrame, *, step: timedelta, what: str) -> None:
    minutes = step // timedelta(minutes=1)
    off_grid = rows.filter(pl.col("event_start").dt.truncate(f"{minutes}m") != pl.col("event_start"))
    if off_grid.height:
        first = iso(off_grid["event_start"][0])
        raise FrameError(f"{what} has an interval starting at {first}, off the grid of {minutes} minutes; resample it")
    twice = rows.filter(pl.col("event_start").is_duplicated())
    if twice.height:
        first = iso(twice["event_start"][0])
        raise FrameError(
            f"{what} has {twice.height} rows that share an interval, first {first}; read it as of one instant"
        )
    if not rows["value"].is_finite().all():
        raise FrameError(f"{what} has a value that is not finite; store such a value as null with its quality")


def hour_means(rows: pl.DataFrame, *, step: timedelta) -> pl.DataFrame:
    """Return means over [t, t + 1 h) of a finer series; an hour with a missing part is left out, not patched.

    Args:
        rows: ``event_start`` (UTC, on the grid of ``step``) and ``value``, means over ``step``.
        step: Length of one interval.

    >>> from datetime import UTC
    >>> start = datetime(2026, 11, 21, 7, tzinfo=UTC)
    >>> times = pl.Series([start + timedelta(minutes=15) * i for i in range(5)], dtype=TIME)
    >>> hour_means(pl.DataFrame({"event_start": times, "value": [1, 2, 3, 6, 9]}), step=timedelta(minutes=15)).height
    1
    """
    require_step(step)
    return (
        rows.drop_nulls("value")
        .group_by(pl.col("event_start").dt.truncate("1h"))
        .agg(pl.col("value").mean(), pl.len().alias("parts"))
        .filter(pl.col("parts") == HOUR // step)
        .drop("parts")
        .sort("event_start")
    )


def ordered(rows: pl.DataFrame) -> pl.DataFrame:
    """Return forecast rows in their contract's columns and order, quantiles of each interval made non-decreasing.

    Sorting the values of one interval is the isotonic repair of a crossed distribution: it never widens it.
    """
    rows = rows.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())
    means = rows.filter(pl.col("quantile").is_null())
    bands = rows.filter(pl.col("quantile").is_not_null()).sort("event_start", "quantile")
    bands = bands.with_columns(pl.col("value").sort().over("event_start"))
    return pl.concat([means, bands]).sort("event_start", "quantile", nulls_last=False)
