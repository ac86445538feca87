"""Futures of rivers, dispatch and price."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from domain.futures import Uncertainty, draw_futures, futures_frame, stacked_inputs
from domain.hydraulics import dispatch_band_mw
from domain.reservoir_inputs import read_inputs, read_scenarios
from tests.reservoir_cases import START, afterbay, hours

PLANT = afterbay()
FRAME = hours(48)
PROBABILITIES = np.array([0.05, 0.5, 0.95])


def around(column: str, *, share: float) -> np.ndarray:
    """Return quantiles a share below and above a column."""
    return FRAME[column].to_numpy()[:, None] * np.array([1.0 - share, 1.0, 1.0 + share])


def uncertainty(**other: object) -> Uncertainty:
    start = [START - timedelta(hours=hour) for hour in range(400, 0, -1)]
    shocks = np.repeat(np.random.default_rng(0).choice([0.0, -20.0, 25.0], size=100), 4)
    known = Uncertainty(
        probabilities=PROBABILITIES,
        quantiles={
            "r4_flow_cfs": around("r4_flow_cfs", share=0.3),
            "r30_flow_cfs": around("r30_flow_cfs", share=0.3),
            "price_usd_mwh": around("price_usd_mwh", share=0.2),
        },
        members={},
        tiers_mw=FRAME["mfra_mw"].to_numpy(),
        deviations=pl.DataFrame({"event_start": start, "deviation_mw": shocks}),
        now_mw=25.0,
        held={},
    )
    return replace(known, **other)  # ty: ignore[invalid-argument-type]


def test_equal_seeds_give_equal_futures_and_others_do_not() -> None:
    one, same, other = (draw_futures(PLANT, FRAME, uncertainty(), 30, seed=seed) for seed in (7, 7, 8))
    assert all((one[name] == same[name]).all() for name in one)
    assert any((one[name] != other[name]).any() for name in one)


def test_the_futures_of_an_hour_have_the_forecasts_own_spread() -> None:
    futures = draw_futures(PLANT, FRAME, uncertainty(), 200, seed=1)
    for name in ("r4_flow_cfs", "r30_flow_cfs"):
        low, middle, high = np.quantile(futures[name][:, 20], [0.05, 0.5, 0.95])
        value = FRAME[name][20]
        assert [low, middle, high] == pytest.approx([0.7 * value, value, 1.3 * value], rel=0.01)


def test_the_rivers_share_their_weather() -> None:
    futures = draw_futures(PLANT, FRAME, uncertainty(), 400, seed=2)
    together = np.corrcoef(futures["r4_flow_cfs"][:, 30], futures["r30_flow_cfs"][:, 30])[0, 1]
    assert 0.6 < together < 0.95


def test_paths_begin_with_the_deviation_measured_now_and_wander_off() -> None:
    futures = draw_futures(PLANT, FRAME, uncertainty(), 300, seed=3)
    shock = futures["mfra_mw"] - FRAME["mfra_mw"].to_numpy()
    # shocks hold for four hours: three in four hours like the present one are followed by the same again
    assert np.mean(np.abs(shock[:, 0] - 25.0) < 1e-9) > 0.5
    assert np.mean(np.abs(shock[:, 40] - 25.0) < 1e-9) < 0.5


def test_dispatch_stays_within_what_the_powerhouses_can_hold_at_that_futures_river() -> None:
    futures = draw_futures(PLANT, FRAME, uncertainty(tiers_mw=np.full(48, 208.0)), 50, seed=4)
    low, high = dispatch_band_mw(PLANT.upstream, futures["r4_flow_cfs"], FRAME["r5l_flow_cfs"].to_numpy())
    assert (futures["mfra_mw"] <= high + 1e-9).all()
    assert (futures["mfra_mw"] >= low - 1e-9).all()


def test_an_hour_without_a_distribution_and_one_an_operator_holds_do_not_vary() -> None:
    quantiles = dict(uncertainty().quantiles)
    quantiles["r4_flow_cfs"] = np.where(np.arange(48)[:, None] < 5, np.nan, quantiles["r4_flow_cfs"])
    held = {"mfra_mw": np.arange(48) < 3}
    futures = draw_futures(PLANT, FRAME, uncertainty(quantiles=quantiles, held=held), 20, seed=5)
    assert np.ptp(futures["r4_flow_cfs"][:, :5], axis=0).max() == 0.0
    assert np.ptp(futures["r4_flow_cfs"][:, 5:], axis=0).min() > 0.0
    assert (futures["mfra_mw"][:, :3] == FRAME["mfra_mw"].to_numpy()[:3]).all()


def test_stacked_arrays_and_the_scenario_columns_say_the_same() -> None:
    read = read_inputs(PLANT, FRAME)
    futures = draw_futures(PLANT, FRAME, uncertainty(), 12, seed=6)
    stacked = stacked_inputs(PLANT, read, FRAME, futures)
    chosen = np.array([2, 9])
    frame = futures_frame(FRAME, futures, chosen, np.array([0.25, 0.75]))
    slow, probability = read_scenarios(PLANT, frame, read)
    assert probability.tolist() == [0.25, 0.75]
    assert slow.inflow_cfs == pytest.approx(stacked.inflow_cfs[chosen])
    assert slow.price_usd_mwh == pytest.approx(stacked.price_usd_mwh[chosen])
