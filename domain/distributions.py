"""Distributions: the quantile rows of one belief made one row, and back.

A belief that speaks in quantiles is one statement. It is kept as one row, so that a newer belief replaces all of it:
newest-per-quantile would splice vintages into a distribution that nobody ever stated. Put here: folding, unfolding,
monotone quantiles. Keep out: which belief wins (domain/revisions.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from domain.beliefs import CANONICAL, KEY, Quality
from domain.errors import FrameError
from domain.order import changed, in_order, with_key
from domain.quality import CROSSED

GRID_COLUMNS: Final[dict[str, pl.DataType]] = {"grid": pl.String(), "quantiles": pl.List(pl.Float64())}
"""What a folded row has instead of ``quantile``.

``grid`` names the non-exceedance probabilities of ``quantiles``, ascending, such as ``point 0.1 0.5 0.9``; the word
``point`` says that ``value`` was stated as well. Null where the belief is a single value.
"""

FOLDED: Final[dict[str, pl.DataType]] = {
    **{name: dtype for name, dtype in CANONICAL.items() if name != "quantile"},
    **GRID_COLUMNS,
}
"""Columns of a folded row: canonical without ``quantile``, with ``grid`` and ``quantiles``."""

POINT: Final = "point"

_BELIEF: Final = (*KEY, "belief_time")
_SHARED: Final = ("event_end", "belief_basis", "unit", "quality")


@dataclass(frozen=True, slots=True)
class Folded:
    """Canonical rows with one row a belief.

    Attributes:
        beliefs: Columns of ``FOLDED``, those of one voice, event and belief_time in the order given.
        quantiles_sorted: Distributions whose quantiles fell with rising probability and were put in order. They are
            of quality questionable, unless worse, and their ``quality_detail`` says so.
    """

    beliefs: pl.DataFrame
    quantiles_sorted: int


def fold(rows: pl.DataFrame, *, what: str, apart: Sequence[str] = ()) -> Folded:
    """Return canonical ``rows`` with one row a belief.

    Quantiles that are not monotone are rearranged (each probability gets the value of its rank), which never makes
    a quantile forecast worse: Chernozhukov, Fernandez-Val and Galichon, Econometrica 78 (2010), 1093.

    Args:
        rows: Canonical rows, and the columns ``apart``.
        what: Names the rows in an error.
        apart: Further integer or time columns that tell revisions of one belief apart; they are kept.

    Raises:
        FrameError: A distribution states a probability twice with different values, or mixes units, qualities,
            ends or bases.
    """
    columns = [*FOLDED, *apart]
    if rows["quantile"].null_count() == rows.height:
        return Folded(_as_points(rows, columns), 0)
    one = ["key", "event_start", "belief_time", *apart]
    numbered = with_key(rows.with_columns(level=_rank_of_level(rows["quantile"])))
    numbered = in_order(numbered, [*one, "level"]).with_columns(belief=changed(one).cum_sum())
    spoken = pl.col("quantile").is_not_null().any().over("belief")
    distributions = _without_repetition(numbered.filter(spoken), what)
    risen, fixed = _monotone(distributions)
    beliefs = pl.concat([_as_points(numbered.filter(~spoken), columns), _joined(risen, columns)])
    return Folded(beliefs, fixed)


def unfold(beliefs: pl.DataFrame) -> pl.DataFrame:
    """Return folded rows with one row a stated number: ``grid`` and ``quantiles`` become ``quantile``.

    The order of the beliefs is kept; within one, the single value comes first, then rising probabilities.
    """
    if "grid" not in beliefs.columns or beliefs["grid"].null_count() == beliefs.height:
        plain = beliefs.drop("grid", "quantiles", strict=False)
        return plain.with_columns(quantile=pl.lit(None, pl.Float64))
    grids = beliefs["grid"].drop_nulls().unique()
    levels = {grid: _levels(grid) for grid in grids}
    table = pl.DataFrame(
        {"grid": [None, *levels], "level": [[None], *levels.values()]},
        schema={"grid": pl.String, "level": pl.List(pl.Float64)},
    )
    point = pl.concat_list("value")
    has_point = pl.col("grid").str.starts_with(POINT)
    stated = (
        pl.when(pl.col("grid").is_null())
        .then(point)
        .when(has_point)
        .then(pl.concat_list(point, "quantiles"))
        .otherwise("quantiles")
    )
    return (
        beliefs.with_columns(value=stated)
        .join(table, on="grid", how="left", nulls_equal=True, maintain_order="left")
        .drop("grid", "quantiles")
        .rename({"level": "quantile"})
        .explode("value", "quantile")
    )


def stated_numbers(grid: pl.Expr) -> pl.Expr:
    """Return how many rows a folded row unfolds into."""
    return pl.when(grid.is_null()).then(1).otherwise(grid.str.count_matches(" ", literal=True) + 1).cast(pl.Int64)


def _levels(grid: str) -> list[float | None]:
    return [None if word == POINT else float(word) for word in grid.split(" ")]


def _rank_of_level(quantile: pl.Series) -> pl.Series:
    """Return 0 for the single value (null) and 1, 2, ... for rising probabilities."""
    levels = quantile.unique().sort()
    return quantile.replace_strict(levels, pl.int_range(levels.len(), eager=True), return_dtype=pl.Int64)


def _as_points(rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    none = [pl.lit(None, dtype).alias(name) for name, dtype in GRID_COLUMNS.items()]
    return rows.with_columns(none).select(columns)


def _without_repetition(parts: pl.DataFrame, what: str) -> pl.DataFrame:
    """Return sorted quantile rows without exact repetitions, and refuse those that contradict each other."""
    again = ~changed(["belief", "level"])
    same = ~changed(["belief", "level", "value", *_SHARED])
    parts = parts.filter(~(again & same))
    torn = ~changed(["belief"]) & (changed(_SHARED) | again)
    bad = parts.filter(torn)
    if bad.height:
        raise FrameError(
            f"{what} has {bad.height} quantile row(s) that contradict the rest of their distribution; first: "
            f"{bad.select(*_BELIEF, 'quantile', 'value', *_SHARED).row(0, named=True)}. One belief states each"
            f" probability once and has one {', one '.join(_SHARED)}"
        )
    return parts


def _monotone(parts: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Return the rows with values rising within each belief, and how many distributions were not."""
    parts = parts.with_row_index("row")
    stated = parts.filter(pl.col("quantile").is_not_null() & pl.col("value").is_not_null())
    stated = stated.select("row", "belief", "value").with_columns(
        risen=stated.select("belief", "value").sort("belief", "value")["value"]
    )
    fixed = stated.filter(pl.col("value") != pl.col("risen"))["belief"].unique()
    parts = parts.join(stated.select("row", "risen"), on="row", how="left", maintain_order="left")
    parts = parts.with_columns(value=pl.coalesce("risen", "value"))
    return (_flagged(parts, fixed) if fixed.len() else parts), fixed.len()


def _flagged(parts: pl.DataFrame, beliefs: pl.Series) -> pl.DataFrame:
    """Return the rows with those of some beliefs marked as having crossed."""
    struck = pl.col("belief").is_in(beliefs.implode())
    usable = pl.col("quality").is_in([Quality.GOOD, Quality.SUBSTITUTED, Quality.ESTIMATED])
    said = pl.col("quality_detail").str.contains(CROSSED, literal=True).fill_null(value=False)
    detail = pl.concat_str("quality_detail", pl.lit(CROSSED), separator="; ", ignore_nulls=True)
    return parts.with_columns(
        quality=pl.when(struck & usable).then(pl.lit(Quality.QUESTIONABLE.value)).otherwise("quality"),
        quality_detail=pl.when(struck & ~said).then(detail).otherwise("quality_detail"),
    )


def _joined(parts: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    single = pl.col("quantile").is_null()
    word = pl.when(single).then(pl.lit(POINT)).otherwise(pl.col("quantile").cast(pl.String))
    taken = [name for name in columns if name not in ("value", *GRID_COLUMNS)]
    return (
        parts.group_by("belief", maintain_order=True)
        .agg(
            pl.col(taken).first(),
            pl.col("value").filter(single).first(),
            word.str.join(" ").alias("grid"),
            pl.col("value").filter(~single).alias("quantiles"),
        )
        .select(columns)
    )
