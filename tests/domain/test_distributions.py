"""Claims about folding quantile rows into one belief and back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.beliefs import canonical
from domain.distributions import fold, stated_numbers, unfold
from domain.errors import FrameError

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def quantile_rows(pairs: list[tuple[float | None, float | None]], **other: Any) -> pl.DataFrame:  # noqa: ANN401
    shared = {"series_id": "a:x", "event_start": NOON, "belief_time": NOON, "unit": "cfs", "source": "s", **other}
    rows = [{**shared, "quantile": quantile, "value": value} for quantile, value in pairs]
    return canonical(pl.DataFrame(rows, schema_overrides={"quantile": pl.Float64, "value": pl.Float64}), what="rows")


def test_a_distribution_is_one_row_and_comes_back_as_it_was() -> None:
    rows = quantile_rows([(None, 5.0), (0.1, 1.0), (0.9, 9.0)])
    folded = fold(rows, what="rows")
    assert folded.beliefs.select("value", "grid", "quantiles").row(0) == (5.0, "point 0.1 0.9", [1.0, 9.0])
    assert folded.beliefs.select(stated_numbers(pl.col("grid"))).item() == 3
    assert unfold(folded.beliefs).select(rows.columns).equals(rows)


@given(
    levels=st.lists(st.floats(0, 1), min_size=1, max_size=8, unique=True),
    values=st.lists(st.floats(-1e6, 1e6), min_size=8, max_size=8),
    mean=st.booleans(),
)
def test_quantiles_rise_with_probability_and_none_is_lost(levels: list[float], values: list[float], mean: bool) -> None:
    pairs: list[tuple[float | None, float | None]] = list(zip(levels, values, strict=False))
    folded = fold(quantile_rows([*pairs, *([(None, 0.5)] if mean else [])]), what="rows")
    told = unfold(folded.beliefs).filter(pl.col("quantile").is_not_null())
    assert told["quantile"].to_list() == sorted(levels)
    assert told["value"].to_list() == sorted(value for _, value in pairs)
    assert folded.quantiles_sorted == (dict(sorted(pairs)) != dict(zip(sorted(levels), told["value"], strict=True)))


def test_a_distribution_that_was_put_in_order_is_marked_and_no_other() -> None:
    rows = pl.concat(
        [
            quantile_rows([(0.1, 3.0), (0.9, 2.0)], series_id="a:crossed"),
            quantile_rows([(0.1, 3.0), (0.9, 2.0)], series_id="a:worse", quality="bad", quality_detail="flag 7"),
            quantile_rows([(0.1, 2.0), (0.9, 3.0)], series_id="a:sound"),
        ]
    )
    told = fold(rows, what="rows").beliefs.sort("series_id").select("quality", "quality_detail", "quantiles").rows()
    assert told == [
        ("questionable", "quantiles cross", [2.0, 3.0]),
        ("good", None, [2.0, 3.0]),
        ("bad", "flag 7; quantiles cross", [2.0, 3.0]),
    ]


def test_points_and_distributions_of_one_frame_keep_apart() -> None:
    rows = pl.concat([quantile_rows([(None, 7.0)]), quantile_rows([(0.5, 1.0)], series_id="a:y")])
    folded = fold(rows, what="rows")
    assert folded.quantiles_sorted == 0
    assert sorted(folded.beliefs.select("series_id", "value", "grid").rows(), key=str) == [
        ("a:x", 7.0, None),
        ("a:y", None, "0.5"),
    ]


def test_a_probability_stated_twice_with_different_values_is_refused() -> None:
    assert fold(quantile_rows([(0.5, 1.0), (0.5, 1.0)]), what="rows").beliefs["quantiles"].to_list() == [[1.0]]
    with pytest.raises(FrameError, match="contradict"):
        fold(quantile_rows([(0.5, 1.0), (0.5, 2.0)]), what="rows")


def test_a_distribution_in_two_units_is_refused() -> None:
    mixed = pl.concat([quantile_rows([(0.1, 1.0)]), quantile_rows([(0.9, 2.0)], unit="af")])
    with pytest.raises(FrameError, match="contradict"):
        fold(mixed, what="rows")
