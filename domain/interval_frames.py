"""Frames of evenly spaced intervals: their times and numbers, checked as they are read.

Put here: what any table of intervals must satisfy; a failure names the hour and the column. Keep out: which columns a
plan needs (domain/reservoir_inputs.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl

from domain.beliefs import TIME
from domain.errors import FrameError, TimeError
from domain.hydraulics import Array
from domain.instants import iso, parse_instant

LONGEST_STEP: Final = timedelta(hours=1)


def require_columns(frame: pl.DataFrame, wanted: tuple[str, ...]) -> None:
    """Refuse a frame without rows or without a wanted column."""
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        raise FrameError(f"the inputs lack column(s) {', '.join(missing)}; they have {', '.join(frame.columns)}")
    if frame.height == 0:
        raise FrameError("the inputs have no row; a plan needs at least one interval")


def interval_starts(frame: pl.DataFrame) -> tuple[datetime, ...]:
    """Return the ``event_start`` column as instants in UTC; text needs an offset."""
    column = frame["event_start"]
    if column.null_count():
        raise FrameError(
            f"event_start is null in row {column.is_null().arg_max()} (counted from 0); every row needs one"
        )
    if column.dtype in (pl.String, pl.Null):
        return tuple(_parse(text, row) for row, text in enumerate(column))
    if not isinstance(column.dtype, pl.Datetime):
        raise TimeError(f"event_start is {column.dtype}; it must be a time with a zone")
    if column.dtype.time_zone is None:
        raise TimeError(f"event_start {column[0]} has no zone; write aware UTC times, such as 2026-11-21T07:00Z")
    return tuple(column.dt.convert_time_zone("UTC").dt.cast_time_unit("us").to_list())


def _parse(text: str, row: int) -> datetime:
    return parse_instant(text, what=f"event_start in row {row}")


def in_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a file's rows by time; text is read first, for with several offsets it does not sort as it stands."""
    if "event_start" not in frame.columns:
        return frame
    if frame.schema["event_start"] == pl.String:
        frame = frame.with_columns(pl.Series("event_start", interval_starts(frame), dtype=TIME))
    return frame.sort("event_start", maintain_order=True)


def step_hours(start: tuple[datetime, ...], *, end: datetime | None = None) -> float:
    """Return the length of the intervals [h]; refuse gaps, repeats and steps that do not divide an hour.

    Args:
        start: When each begins.
        end: When the first one ends, which is all that says so of a single one; None takes that for an hour.
    """
    if len(start) == 1:
        step = LONGEST_STEP if end is None else end - start[0]
        if not timedelta(0) < step <= LONGEST_STEP or LONGEST_STEP % step:
            raise FrameError(f"the only row runs from {iso(start[0])} for {step}; use an hour or an even part of one")
        return step / timedelta(hours=1)
    for before, after in pairwise(start):
        if after <= before:
            raise FrameError(f"event_start {iso(after)} follows {iso(before)}; rows must rise in time, each once")
    step = min(after - before for before, after in pairwise(start))
    for before, after in pairwise(start):
        if after - before != step:
            raise FrameError(
                f"event_start has no row for {iso(before + step)}: {iso(before)} is followed by {iso(after)},"
                f" the other rows are {step} apart; give every interval"
            )
    if step > LONGEST_STEP or LONGEST_STEP % step:
        raise FrameError(f"event_start steps by {step} from {iso(start[0])}; use an hour or an even part of one")
    return step / timedelta(hours=1)


def numbers(frame: pl.DataFrame, name: str, start: tuple[datetime, ...]) -> Array:
    """Return a column as finite numbers; a failure names the hour and the column."""
    column = frame[name]
    if not (column.dtype.is_numeric() or column.dtype in (pl.String, pl.Null)):
        raise FrameError(f"{name} is {column.dtype}; write it as numbers")
    if not column.dtype.is_numeric():
        cast = column.cast(pl.Float64, strict=False)
        bad = cast.is_null() & column.is_not_null()
        if bad.any():
            row = int(bad.arg_max() or 0)
            raise FrameError(f"{name} at {iso(start[row])} is {column[row]!r}, which is no number")
        column = cast
    values = column.cast(pl.Float64).to_numpy()
    finite = np.isfinite(values)
    if not finite.all():
        row = int(np.argmin(finite))
        raise FrameError(f"{name} at {iso(start[row])} is {column[row]}; every interval needs a finite number")
    return values


def optional_numbers(frame: pl.DataFrame, name: str, start: tuple[datetime, ...]) -> Array:
    """Return a column in which null means none, as NaN."""
    if name not in frame.columns:
        return np.full(len(start), np.nan)
    column = frame[name]
    present = column.is_not_null().to_numpy()
    if column.dtype.is_float():
        present = present & ~column.is_nan().fill_null(value=True).to_numpy()
    values = np.full(len(start), np.nan)
    kept = tuple(moment for moment, there in zip(start, present, strict=True) if there)
    values[present] = numbers(frame.filter(pl.Series(present)), name, kept)
    return values
