"""Paths: as uncertain as the forecast in each hour, as steady as the past in time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.scenario_paths import ensemble_ranks, ranked, steady_ranks, through_quantiles


def test_ranks_of_an_hour_are_spread_evenly_over_the_paths() -> None:
    ranks = steady_ranks(40, 24, half_life_h=6.0, random=np.random.default_rng(1))
    expected = (np.arange(40) + 0.5) / 40
    for hour in range(24):
        assert sorted(ranks[:, hour].tolist()) == pytest.approx(expected.tolist())


def test_correlation_halves_in_the_half_life() -> None:
    ranks = steady_ranks(4000, 13, half_life_h=12.0, random=np.random.default_rng(2))
    # rank correlation of a normal pair with correlation r is 6/pi asin(r/2): 0.483 at r = 1/2
    assert np.corrcoef(ranks[:, 0], ranks[:, 12])[0, 1] == pytest.approx(0.483, abs=0.05)
    assert np.corrcoef(ranks[:, 0], ranks[:, 1])[0, 1] > 0.9


def test_paths_of_an_ensemble_move_as_its_members_do() -> None:
    # two members that never cross and one that goes from top to bottom
    members = np.array([[1.0, 1.0, 2.0], [2.0, 3.0, 3.0], [3.0, 2.0, 1.0]])
    ranks = ensemble_ranks(members, 3, random=np.random.default_rng(3))
    order = [tuple(np.argsort(np.argsort(column)).tolist()) for column in ranks.T]
    rows = {tuple(row) for row in np.array(order).T.tolist()}
    assert rows == {(0, 0, 1), (1, 2, 2), (2, 1, 0)}


def test_more_paths_than_members_are_members_again_but_not_the_same_path_twice() -> None:
    ranks = ensemble_ranks(np.random.default_rng(4).random((5, 10)), 12, random=np.random.default_rng(5))
    assert ranks.shape == (12, 10)
    assert len({tuple(row) for row in ranks.tolist()}) == 12


@given(
    st.lists(st.floats(-500.0, 500.0), min_size=3, max_size=7),
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20),
)
def test_values_rise_with_their_ranks_and_meet_every_stated_quantile(values: list[float], shares: list[float]) -> None:
    probabilities = np.linspace(0.05, 0.95, len(values))
    quantiles = np.array([sorted(values)])
    ranks = np.array(sorted(shares))[:, None]
    found = through_quantiles(probabilities, quantiles, ranks).ravel()
    assert (np.diff(found) >= -1e-9).all()
    stated = through_quantiles(probabilities, quantiles, probabilities[:, None]).ravel()
    assert stated.tolist() == pytest.approx(sorted(values), abs=1e-9)


def test_tails_go_on_by_the_outermost_pair_and_stop_at_the_physical_bound() -> None:
    # 0.05 -> 10, 0.10 -> 30: a line of 400 a unit of probability reaches -10 at 0, the river stops at 0
    quantiles = np.array([[10.0, 30.0, 50.0]])
    assert through_quantiles(np.array([0.05, 0.1, 0.9]), quantiles, np.array([[0.0]]))[0, 0] == pytest.approx(-10.0)
    assert through_quantiles(np.array([0.05, 0.1, 0.9]), quantiles, np.array([[0.0]]), lowest=0.0)[0, 0] == 0.0


def test_equal_values_share_their_ranks_in_the_order_they_came() -> None:
    assert ranked(np.array([[5.0], [5.0]])).ravel().tolist() == [0.25, 0.75]
