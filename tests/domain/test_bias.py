"""What the balance missed, where the level can tell, and how long it is believed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from domain.bias import Bias, balance_backtest, bias_path_cfs, estimate_bias, residuals_cfs
from domain.plant import Plant, PoolState
from domain.reservoir_inputs import read_inputs
from domain.trajectory import simulate
from tests.reservoir_cases import afterbay, hours

PLANT = afterbay()
START = PoolState(elevation_ft=1170.0, oxbow_mw=2.5)


def measured(
    frame: pl.DataFrame, hidden_cfs: np.ndarray | float, setpoints: np.ndarray, plant: Plant = PLANT
) -> pl.DataFrame:
    """Return what gauges and level would show if water came that no gauge sees."""
    truth = read_inputs(
        plant, frame.with_columns(bias_cfs=pl.lit(0.0) + pl.Series(np.zeros(frame.height) + hidden_cfs))
    )
    done = simulate(plant, truth, setpoints, START)
    return frame.with_columns(elevation_ft=pl.Series(done.elevation_ft), oxbow_mw=pl.Series(done.mean_mw))


def test_hidden_water_is_found_to_the_drop() -> None:
    inflow = read_inputs(PLANT, hours(48, mfra_mw=60.0)).inflow_cfs
    seen = measured(hours(48, mfra_mw=60.0), 37.0, (inflow - 83.0) / 163.73)
    found = estimate_bias(PLANT, seen, 1170.0)
    assert found.bias_cfs == pytest.approx(37.0, abs=1e-6)
    assert (found.hours_used, found.hours_masked, found.reason) == (24.0, 0.0, "")


def test_hours_at_the_float_are_masked_and_do_not_look_like_a_lack_of_water() -> None:
    # Dispatch fills the pool to the float and it spills: the level stands still although water comes.
    dispatch = np.concatenate([np.full(12, 200.0), np.full(24, 20.0)])
    seen = measured(hours(36, mfra_mw=dispatch), 20.0, np.full(36, 2.0))
    assert seen["elevation_ft"].max() == pytest.approx(1173.0)
    difference, clear = residuals_cfs(PLANT, seen, 1170.0)
    assert difference[~clear].min() < -100.0
    assert difference[clear] == pytest.approx(20.0, abs=1e-6)
    found = estimate_bias(PLANT, seen, 1170.0)
    assert found.bias_cfs == pytest.approx(20.0, abs=1e-6)


def test_a_day_of_spilling_says_nothing_and_says_so() -> None:
    seen = measured(hours(36, mfra_mw=200.0), 0.0, np.full(36, 0.8))
    found = estimate_bias(PLANT, seen, 1170.0)
    assert found.bias_cfs == 0.0
    assert "0 of 24 hours stand clear" in found.reason


def test_a_gauges_wild_hour_is_left_out() -> None:
    seen = measured(hours(24), 0.0, np.full(24, 3.0))
    jump = seen.with_columns(
        elevation_ft=pl.col("elevation_ft") + pl.Series([-300.0 * (i == 23) / 10 for i in range(24)])
    )
    difference, clear = residuals_cfs(PLANT, jump, 1170.0)
    assert difference[-1] < -2000.0
    assert clear.tolist() == [True] * 23 + [False]
    assert estimate_bias(PLANT, jump, 1170.0) == Bias(
        bias_cfs=pytest.approx(0.0, abs=1e-6), hours_used=23, hours_masked=1
    )


def test_a_bias_fades_by_half_in_twelve_hours_unless_it_is_built_in_or_ordered() -> None:
    bias = Bias(bias_cfs=80.0, hours_used=24, hours_masked=0)
    ahead = np.array([0.0, 12.0, 24.0])
    assert bias_path_cfs(PLANT, bias, ahead).tolist() == [80.0, 40.0, 20.0]
    assert bias_path_cfs(PLANT, bias, ahead, half_life_h=24.0)[2] == 40.0
    assert bias_path_cfs(PLANT, bias, ahead, components_cfs={"r30": 20.0})[0] == 100.0
    assert bias_path_cfs(PLANT, bias, ahead, operator_cfs=-15.0).tolist() == [-15.0] * 3
    legacy = replace(PLANT, balance=replace(PLANT.balance, form="legacy"))
    assert bias_path_cfs(legacy, bias, ahead).tolist() == [80.0] * 3


def test_the_back_test_says_which_form_and_rule_fit() -> None:
    # Truth: mass balance with unseen water that comes and goes with half a day; natural inflow swings daily.
    hours_of = np.arange(240)
    swing = 200.0 + 120.0 * np.sin(hours_of / 24.0 * 2.0 * np.pi)
    frame = hours(240, mfra_mw=30.0, r4_flow_cfs=swing, r30_flow_cfs=150.0, float_ft=1176.0)
    random = np.random.default_rng(5)
    hidden = np.zeros(240)
    for hour in range(1, 240):
        hidden[hour] = 0.94 * hidden[hour - 1] + random.normal(0.0, 8.0)
    inflow = read_inputs(PLANT, frame).inflow_cfs + hidden
    seen = measured(frame, hidden, np.clip((inflow - 83.0) / 163.73, 0.8, 5.0))
    table = balance_backtest(PLANT, seen, 1170.0)
    best = table.row(0, named=True)
    assert best["form"] == "mass_balance"
    by_rule = {(row["form"], row["bias_rule"]): row["rmse_ft"] for row in table.iter_rows(named=True)}
    # the double count of legacy is worth a constant; fading it loses it
    assert by_rule["legacy", "constant"] < by_rule["legacy", "fading"]
    assert by_rule["legacy", "none"] > by_rule["mass_balance", "none"]
    assert table["starts"].min() > 10
