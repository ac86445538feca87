"""Scores by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InputError
from forecasting.scoring import coverage, mae, pinball


def test_the_mean_absolute_error_by_hand() -> None:
    assert mae([10, 20, 30], [13, 20, 24]) == pytest.approx(3.0)  # (3 + 0 + 6) / 3


def test_pinball_punishes_the_side_the_quantile_should_avoid() -> None:
    # P90: being 10 under costs 0.9 x 10, being 10 over costs 0.1 x 10.
    assert pinball([20, 20], [10, 30], 0.9) == pytest.approx((9 + 1) / 2)


def test_coverage_counts_the_bounds_as_inside() -> None:
    assert coverage([1, 2, 3, 4], [1, 1, 1, 1], [3, 3, 3, 3]) == pytest.approx(0.75)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(-1e6, 1e6))
def test_the_pinball_of_the_median_is_half_the_absolute_error(actual: list[float], said: float) -> None:
    point = [said] * len(actual)
    assert pinball(actual, point, 0.5) == pytest.approx(mae(actual, point) / 2)


@pytest.mark.parametrize(("actual", "said"), [([], []), ([1.0], [1.0, 2.0]), ([float("nan")], [1.0])])
def test_a_score_of_nothing_is_refused(actual: list[float], said: list[float]) -> None:
    with pytest.raises(InputError, match="a score needs"):
        mae(actual, said)


def test_a_certain_quantile_is_refused() -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        pinball([1.0], [1.0], 1.0)
