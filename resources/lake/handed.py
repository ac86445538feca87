"""Rows that an analyst hands in: from the columns of the file contract to canonical rows.

Put here: defaults that can be derived, columns that are refused, what is said about them. Keep out: reading the file
(pipelines/commands/lake.py), checks that every canonical row passes (domain/beliefs.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from domain.beliefs import CANONICAL, TIME
from domain.errors import FrameError, InputError
from domain.instants import parse_instant
from domain.series import PlanningSeries

REQUIRED: Final = ("series_id", "event_start", "belief_time", "value")
ACCEPTED: Final = (*CANONICAL, "rev", "recorded_at")
"""Columns that may be handed in: the contract's, and those by which canonical rows and exports come back."""

SOURCE: Final = "analyst"
"""Whose statement a row is that names no source."""

DIMENSIONLESS: Final = "1"

_TIMES: Final = ("event_start", "event_end", "belief_time", "recorded_at")


@dataclass(frozen=True, slots=True)
class Handed:
    """Rows ready for the lake.

    Attributes:
        rows: Canonical columns, and ``rev`` and ``recorded_at`` where they were given.
        without_unit: Series kept as plain numbers, unit ``1``, because nothing says their unit.
    """

    rows: pl.DataFrame
    without_unit: tuple[str, ...]


def prepare(
    rows: pl.DataFrame, *, units: Callable[[list[str]], Mapping[str, str]], is_history: bool, what: str
) -> Handed:
    """Return the rows with source and unit filled where they can be derived.

    A unit comes from the row, else from the id of a planning series, else from what the lake holds of that series;
    a series of which none of them says anything is a plain number, and is named in the answer.

    Args:
        rows: Columns of `ACCEPTED`.
        units: From series ids to the units the lake holds of them.
        is_history: Whether ``recorded_at`` is expected.
        what: Names the rows in an error.

    Raises:
        FrameError: A column is missing or unknown, a type is wrong, or a planning series has another unit.
    """
    _refuse_columns(rows, is_history=is_history, what=what)
    _refuse_what_no_number_is(rows, what)
    try:
        rows = rows.with_columns(pl.col("series_id").cast(pl.String))
        text = {name: pl.String for name in ("unit", "source") if name in rows.columns}
        rows = rows.cast(text)  # ty: ignore[invalid-argument-type] - a subset of the columns may be cast
    except pl.exceptions.PolarsError as error:
        raise FrameError(f"{what} has a column of the wrong type: {str(error).splitlines()[0]}") from None
    named = set(rows["series_id"].drop_nulls())
    if strange := sorted(name for name in named if not name.isprintable() or not name or set(name) & {"*", "?"}):
        raise FrameError(f"{what} has series {strange[0]!r}: an id is printable and holds neither * nor ?")
    source = pl.col("source").fill_null(SOURCE) if "source" in rows.columns else pl.lit(SOURCE)
    unit = pl.col("unit") if "unit" in rows.columns else pl.lit(None, pl.String)
    rows = _with_read_times(rows.with_columns(source=source, unit=unit), what)
    return _with_units(rows, units, what)


def _with_read_times(rows: pl.DataFrame, what: str) -> pl.DataFrame:
    """Return the rows with times that are text, as in a CSV file, read; text without an offset is refused."""
    for name in _TIMES:
        if name not in rows.columns or rows.schema[name] != pl.String:
            continue
        texts = rows[name].drop_nulls().unique()
        moments = [parse_instant(text, what=f"{name} in {what}") for text in texts]
        read = pl.col(name).replace_strict(texts, pl.Series(moments, dtype=TIME), default=None, return_dtype=TIME)
        rows = rows.with_columns(read.alias(name))
    return rows


def _refuse_columns(rows: pl.DataFrame, *, is_history: bool, what: str) -> None:
    missing = [name for name in REQUIRED if name not in rows.columns]
    if missing:
        raise FrameError(f"{what} lacks column(s) {', '.join(missing)}; it has {', '.join(rows.columns)}")
    unknown = [name for name in rows.columns if name not in ACCEPTED]
    if unknown:
        raise FrameError(f"{what} has unknown column(s) {', '.join(unknown)}; known: {', '.join(ACCEPTED)}")
    if "recorded_at" in rows.columns and not is_history:
        raise FrameError(
            f"{what} has recorded_at, which we write ourselves; drop it, or say --backfill for old records"
        )


def _refuse_what_no_number_is(rows: pl.DataFrame, what: str) -> None:
    """Refuse times, truths and lists where a number belongs, and parts of a whole one: a cast would make it one."""
    for name in ("value", "quantile", "member", "rev"):
        dtype = rows.schema.get(name, pl.Null())
        if not (dtype.is_numeric() or dtype in (pl.String, pl.Null)):
            raise FrameError(f"{what} has {name} of type {dtype}; write it as numbers")
        if name in ("member", "rev") and dtype.is_numeric() and not dtype.is_integer():
            broken = rows[name].filter(rows[name] % 1 != 0)
            if len(broken):
                raise FrameError(f"{what} has {name} {broken[0]}; members and revisions are counted in whole numbers")


def _with_units(rows: pl.DataFrame, units: Callable[[list[str]], Mapping[str, str]], what: str) -> Handed:
    stated = {name: unit for name in rows["series_id"].drop_nulls().unique() if (unit := _unit_of_id(name))}
    own = pl.col("series_id").replace_strict(stated, default=None, return_dtype=pl.String)
    torn = rows.filter(pl.col("unit") != own)
    if torn.height:
        first = torn.select("series_id", "unit").row(0)
        raise FrameError(f"{what} has {torn.height} row(s) whose unit is not that of their series id; first: {first}")
    rows = rows.with_columns(unit=pl.coalesce("unit", own))
    bare = sorted(rows.filter(pl.col("unit").is_null())["series_id"].drop_nulls().unique())
    known = units(bare) if bare else {}
    rows = rows.with_columns(
        unit=pl.coalesce(
            "unit",
            pl.col("series_id").replace_strict(dict(known), default=None, return_dtype=pl.String),
            pl.lit(DIMENSIONLESS),
        )
    )
    return Handed(rows, tuple(name for name in bare if name not in known))


def _unit_of_id(series_id: str) -> str | None:
    try:
        return PlanningSeries.parse(series_id).unit
    except InputError:
        return None
