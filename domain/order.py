"""Order: rows sorted by what they are about, at the speed of one integer sort.

Put here: the rank of a voice (series, source, scenario, member) and sorts over several integer or time columns.
Keep out: which of the sorted rows wins (domain/revisions.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

VOICE: Final = ("series_id", "source", "scenario", "member")
"""Who says something about what: a belief's key without the event."""

LARGE_ROWS: Final = 500_000
"""Rows from which a frame is sorted column by column, to save memory."""

_STEPS_US: Final = (3_600_000_000, 900_000_000, 60_000_000, 1_000_000, 1_000)
"""Common raster of times, coarsest first [microseconds]: hours, quarter hours, minutes, seconds, milliseconds."""


def changed(names: Sequence[str]) -> pl.Expr:
    """Return True where a row differs in any of ``names`` from the row before it, and on the first row."""
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in names)
    return differs | (pl.int_range(pl.len()) == 0)


def with_key(rows: pl.DataFrame, *, series: bool = False) -> pl.DataFrame:
    """Return ``rows`` with ``key``, the rank of their voice among those in the frame (UInt32), nulls first.

    Strings are compared once a run of equal voices, not once a row: rows mostly arrive series by series.

    Args:
        rows: Rows with the columns of a voice.
        series: Add the rank of the series alone too, as ``series``.
    """
    names = ("key", "series")[: 1 + series]
    if rows.is_empty():
        return rows.with_columns(pl.lit(None, pl.UInt32).alias(name) for name in names)
    starts = rows.select(changed(VOICE)).to_series()
    heads = rows.select(VOICE).filter(starts)
    ranks = heads.unique().sort(VOICE).with_row_index("key")
    if series:
        ranks = ranks.with_columns(series=changed(["series_id"]).cum_sum().cast(pl.UInt32) - 1)
    found = heads.join(ranks, on=VOICE, how="left", nulls_equal=True, maintain_order="left").select(names)
    if found.height == 1:
        return rows.with_columns(pl.lit(found.item(0, name), pl.UInt32).alias(name) for name in names)
    run = starts.cum_sum() - 1
    return rows.with_columns(found[name].gather(run) for name in names)


def in_order(rows: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Return ``rows`` sorted by integer or time columns, nulls first; equal rows keep their order."""
    place = places(rows, by)
    return rows if place is None else rows[place]


def into_order(rows: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Return ``rows`` sorted as `in_order` does; a large frame is left empty.

    It is taken column by column, so that it is never in memory twice; a small one at once, which is faster.
    """
    place = places(rows, by)
    if place is None:
        return rows
    if rows.height < LARGE_ROWS:
        return rows[place]
    index = pl.Series(place)
    return pl.DataFrame([rows.drop_in_place(name).rechunk().gather(index) for name in rows.columns])


def places(rows: pl.DataFrame, by: Sequence[str]) -> np.ndarray | None:
    """Return the places of the rows in order, or None where they are in order.

    Columns are packed into as few 64-bit integers as hold them. Sorting those, the last first, is several times
    faster than comparing columns, and nearly free on rows that are a few sorted runs, which is how files arrive.
    """
    if rows.height <= 1:  # one row is in order
        return None
    words = _packed(rows, by)
    if len(words) == 1 and bool(np.all(words[0][1:] >= words[0][:-1])):
        return None
    place = np.argsort(words[-1], kind="stable")
    for word in reversed(words[:-1]):
        place = place[np.argsort(word[place], kind="stable")]
    return place


def _packed(rows: pl.DataFrame, by: Sequence[str]) -> list[np.ndarray]:
    """Return integers that order as the columns ``by`` do, most significant first, as many as 63 bits need."""
    words: list[np.ndarray] = []
    room = 0
    for name in by:
        numbers = _ranked(rows[name])
        bits = int(numbers.max()).bit_length()
        if words and bits <= room:
            words[-1] = (words[-1] << bits) | numbers
            room -= bits
        else:
            words.append(numbers)
            room = 63 - bits  # of a signed 64-bit integer
    return words


def _ranked(column: pl.Series) -> np.ndarray:
    """Return the column as integers from 0, divided by its time raster; null is 0 and moves the others up."""
    physical = column.to_physical()
    if physical.null_count():
        numbers = physical.fill_null(physical.min() or 0).to_numpy().astype(np.int64)
        return np.where(physical.is_null().to_numpy(), 0, _above(numbers, column.dtype) + 1)
    return _above(physical.to_numpy().astype(np.int64, copy=False), column.dtype)


def _above(numbers: np.ndarray, dtype: pl.DataType) -> np.ndarray:
    above = numbers - numbers.min()
    if isinstance(dtype, pl.Datetime):
        above //= next((step for step in _STEPS_US if not np.any(above % step)), 1)
    return above
