"""What a fleet runs under: prices on an even grid, limits of feeders, a reserve to hold.

Put here: the checks of these frames and the numbers they stand for. Keep out: devices and plans.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from domain.beliefs import TIME
from domain.errors import FrameError
from domain.instants import parse_instant


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PriceGrid:
    """Prices on an even grid.

    Attributes:
        starts: When each interval begins, UTC, ascending.
        hours: Length of an interval [h].
        usd_mwh: What a MWh costs and earns in each interval.
    """

    starts: pl.Series
    hours: float
    usd_mwh: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reserve:
    """Upward reserve that the fleet must be able to deliver.

    Attributes:
        power_kw: Power to hold in each interval; 0 asks nothing.
        duration_h: For how long it may be called.
    """

    power_kw: np.ndarray
    duration_h: np.ndarray


def price_grid(prices: pl.DataFrame) -> PriceGrid:
    """Return the prices as a grid.

    Args:
        prices: ``event_start`` (aware, evenly spaced, in any order) and ``price_usd_mwh``. A single row needs
            ``event_end`` too: one time says nothing about the length of an interval.

    Raises:
        FrameError: A column is missing, a time has no zone or stands twice, the grid has a hole, or a price is not
            finite. Prices are never filled.
    """
    frame = _timed(prices, "prices", ["price_usd_mwh"]).sort("event_start")
    starts = frame["event_start"]
    gaps = starts.diff().drop_nulls() if frame.height > 1 else _only_step(frame)
    step = gaps.min()
    if not isinstance(step, timedelta) or step <= timedelta(0):
        twice = frame.filter(starts.is_duplicated())["event_start"][0]
        raise FrameError(f"prices have event_start {twice.isoformat()} more than once; keep the one that counts")
    if (gaps != step).any():
        at = int((gaps != step).arg_max() or 0)
        raise FrameError(
            f"prices jump from {starts[at].isoformat()} to {starts[at + 1].isoformat()}, the shortest step is {step}:"
            " they must be evenly spaced. Supply the missing intervals; none is ever filled in"
        )
    return PriceGrid(starts=starts, hours=step / timedelta(hours=1), usd_mwh=_finite(frame, "price_usd_mwh", "prices"))


def _only_step(prices: pl.DataFrame) -> pl.Series:
    """Return the length of the only interval of a frame."""
    if prices.height != 1 or "event_end" not in prices.columns:
        raise FrameError(
            f"prices have {prices.height} row(s); two are needed to know how long an interval is, or one with event_end"
        )
    end = with_instants(prices.select(event_start=pl.col("event_end")), "prices' event_end")["event_start"]
    if end[0] <= prices["event_start"][0]:
        raise FrameError(f"prices have an event_end of {end[0].isoformat()}, not after its event_start")
    return end - prices["event_start"]


def feeder_limits(feeders: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str]]:
    """Divide a feeders frame into usable limits and reasons why others are not.

    Args:
        feeders: ``feeder``, ``import_limit_kw``, ``export_limit_kw``: of the net power of the feeder's devices.

    Returns:
        The good rows, and feeder -> reason for the others. Infinity is a limit that never binds.

    Raises:
        FrameError: A column is missing or is no number.
    """
    limits = ["import_limit_kw", "export_limit_kw"]
    _require(feeders, ["feeder", *limits], "feeders")
    frame = feeders.with_columns(pl.col("feeder").cast(pl.String), pl.col(limits).cast(pl.Float64))
    bad = {
        "feeder has no name": pl.col("feeder").is_null(),
        "the feeder stands in the file more than once": pl.col("feeder").is_duplicated(),
    } | {
        f"{name} is not a number of 0 or more": ~(pl.col(name) >= 0).fill_null(value=False) | pl.col(name).is_nan()
        for name in limits
    }
    reasons = {
        str(name): reason
        for reason, broken in reversed(bad.items())
        for name in frame.filter(broken)["feeder"].unique().sort().to_list()
    }
    good = frame.filter(~pl.any_horizontal(*bad.values())).select("feeder", *limits)
    return good, reasons


def reserve_requirement(reserve: pl.DataFrame, grid: PriceGrid) -> Reserve:
    """Return the reserve on the grid of the prices.

    Args:
        reserve: ``event_start``, ``up_reserve_kw``, ``duration_h``; an interval without a row asks for nothing.
        grid: Of the prices. Rows before or after it are no part of this plan.

    Raises:
        FrameError: A column is missing, a number is negative or not finite, a time stands twice or lies inside the
            horizon but not on the grid.
    """
    names = ["up_reserve_kw", "duration_h"]
    frame = _timed(reserve, "reserve", names)
    for name in names:
        if (_finite(frame, name, "reserve") < 0).any():
            raise FrameError(f"reserve has a {name} below 0; only upward reserve is planned")
    if frame["event_start"].is_duplicated().any():
        raise FrameError("reserve has an event_start more than once; keep the one that counts")
    end = grid.starts[-1] + timedelta(hours=grid.hours)
    inside = frame.filter((pl.col("event_start") >= grid.starts[0]) & (pl.col("event_start") < end))
    off = inside.filter(~pl.col("event_start").is_in(grid.starts.implode()))
    if off.height:
        raise FrameError(f"reserve has event_start {off['event_start'][0].isoformat()}, no interval of the prices")
    on_grid = pl.DataFrame({"event_start": grid.starts}).join(
        inside, on="event_start", how="left", maintain_order="left"
    )
    power, hours = (on_grid[name].cast(pl.Float64).fill_null(0.0).to_numpy() for name in names)
    return Reserve(power_kw=power, duration_h=hours)


def _require(frame: pl.DataFrame, names: list[str], what: str) -> None:
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise FrameError(f"{what} lack column(s) {', '.join(missing)}; they have {', '.join(frame.columns)}")
    for name in names[1:]:
        # A CSV without rows says nothing about types.
        if not (frame.is_empty() or frame.schema[name].is_numeric() or frame.schema[name] == pl.Null):
            raise FrameError(f"{what} have {name} of type {frame.schema[name]}; write it as numbers")


def _timed(frame: pl.DataFrame, what: str, names: list[str]) -> pl.DataFrame:
    _require(frame, ["event_start", *names], what)
    return with_instants(frame, what)


def with_instants(frame: pl.DataFrame, what: str) -> pl.DataFrame:
    """Return a frame whose ``event_start`` is aware UTC in microseconds, from aware times or ISO-8601 text.

    Raises:
        FrameError: ``event_start`` is neither, or a row has none.
        TimeError: A text is no time, or has no offset.
    """
    times = frame["event_start"]
    if times.is_empty():
        return frame.with_columns(pl.Series("event_start", [], dtype=TIME))
    if times.null_count():
        raise FrameError(f"{what} have {times.null_count()} row(s) without event_start")
    if times.dtype == pl.String:
        texts = times.unique().to_list()
        instants = [parse_instant(text, what=f"{what}: event_start") for text in texts]
        return frame.with_columns(times.replace_strict(texts, instants, return_dtype=TIME))
    if not isinstance(times.dtype, pl.Datetime) or times.dtype.time_zone is None:
        raise FrameError(f"{what} have event_start of type {times.dtype}: times must be aware UTC timestamps")
    return frame.with_columns(times.dt.convert_time_zone("UTC").cast(TIME))


def _finite(frame: pl.DataFrame, name: str, what: str) -> np.ndarray:
    bad = frame.filter(~pl.col(name).cast(pl.Float64).is_finite().fill_null(value=False))
    if bad.height:
        raise FrameError(
            f"{what} have {bad.height} row(s) with {name} that is not finite; first: {bad[name][0]} at"
            f" {bad['event_start'][0].isoformat()}. Supply it; none is ever filled in"
        )
    return frame[name].cast(pl.Float64).to_numpy()
