"""What the balance missed, where the level can tell, and how long it is believed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.bias import (
    EXPECTED,
    Bias,
    balance_backtest,
    bias_paths_cfs,
    estimate_bias,
    estimate_parts,
    expected_parts_cfs,
    residuals_cfs,
    with_bias,
)
from domain.errors import InputError
from domain.plant import Plant, PoolState
from domain.plant_checks import with_settings
from domain.reservoir_inputs import BIAS_PARTS, read_inputs
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


def test_each_part_fades_in_its_own_time_and_only_the_balances_is_added_unless_told() -> None:
    parts = {name: Bias(bias_cfs=80.0, hours_used=24, hours_masked=0) for name in ("r30", "balance")}
    ahead = np.array([0.0, 12.0, 24.0])
    paths = bias_paths_cfs(PLANT, parts, ahead)
    assert paths["bias_balance_cfs"].tolist() == [80.0, 40.0, 20.0]
    assert [name for name, path in paths.items() if path.any()] == ["bias_balance_cfs"]
    told = with_settings(PLANT, {"bias.r30_share": "0.5", "bias.r30_half_life_h": "24", "balance_half_life_h": "6"})
    paths = bias_paths_cfs(told, parts, ahead)
    assert paths["bias_r30_cfs"][[0, 2]].tolist() == [40.0, 20.0]
    assert paths["bias_balance_cfs"].tolist() == [80.0, 20.0, 5.0]
    legacy = replace(PLANT, balance=replace(PLANT.balance, form="legacy"))
    assert bias_paths_cfs(legacy, parts, ahead)["bias_balance_cfs"].tolist() == [80.0] * 3


def expecting(seen: pl.DataFrame, **expected: float | None) -> pl.DataFrame:
    """Return a record with what was expected an hour ahead: what came, unless given."""
    columns = {name: expected.get(name, pl.col(name)) for name in EXPECTED.values()}
    return seen.with_columns(pl.lit(value).alias(f"{name}_expected") if not isinstance(value, pl.Expr)
                             else value.alias(f"{name}_expected") for name, value in columns.items())  # fmt: skip


def test_what_was_expected_wrongly_is_told_apart_from_what_the_balance_misses() -> None:
    seen = measured(hours(48, mfra_mw=60.0), 25.0, np.full(48, 2.0))
    # R30 is 180 cfs: 30 less was expected; dispatch 60 MW came where 50 were expected, all else as it came.
    parts = estimate_parts(PLANT, expecting(seen, r30_flow_cfs=150.0, mfra_mw=50.0), 1170.0)
    found = {name: round(bias.bias_cfs, 6) for name, bias in parts.items()}
    # R4 is near 40 cfs and R5L 27, so S = 1.3 MW; P = 0.59 (MFRA - S) rises from 28.7 to 34.6 MW and
    # Q_mf = 0.00943 P^2 + 5.6653 P by 0.00943 (34.6^2 - 28.7^2) + 5.6653 x 5.9 = 3.5 + 33.4 cfs
    assert found == pytest.approx({"r4": 0.0, "r30": 30.0, "r20": 0.0, "dispatch": 36.9, "balance": 25.0}, abs=0.3)
    expected = read_inputs(PLANT, seen.with_columns(r30_flow_cfs=pl.lit(150.0), mfra_mw=pl.lit(50.0)))
    came = read_inputs(PLANT, seen).inflow_cfs + 25.0
    assert sum(bias.bias_cfs for bias in parts.values()) == pytest.approx(
        float((came - expected.inflow_cfs)[-24:].mean()), abs=1e-6
    )


@settings(max_examples=20)
@given(st.floats(0, 600), st.floats(0, 600), st.floats(0, 300), st.floats(0, 200), st.sampled_from(["GEN", "SPILL"]))
def test_the_parts_add_up_to_what_came_beyond_what_was_expected(
    r4_cfs: float, r30_cfs: float, r20_cfs: float, mfra_mw: float, mode: str
) -> None:
    seen = hours(24, mfra_mw=60.0, ccs_mode=mode).with_columns(oxbow_mw=pl.lit(2.0), elevation_ft=pl.lit(1170.0))
    expected = {"r4_flow_cfs": r4_cfs, "r30_flow_cfs": r30_cfs, "r20_flow_cfs": r20_cfs, "mfra_mw": mfra_mw}
    parts = expected_parts_cfs(PLANT, expecting(seen, **expected))
    believed = seen.with_columns(**{name: pl.lit(value) for name, value in expected.items()})
    frames = (frame.drop("oxbow_mw", "elevation_ft") for frame in (seen, believed))
    came, thought = (read_inputs(PLANT, frame).inflow_cfs for frame in frames)
    assert sum(parts.values()) == pytest.approx(came - thought, abs=1e-6)


def test_a_part_of_which_nothing_was_expected_is_not_known_and_says_so() -> None:
    seen = measured(hours(30, mfra_mw=60.0), 25.0, np.full(30, 2.0))
    parts = estimate_parts(PLANT, expecting(seen, r4_flow_cfs=None), 1170.0)
    assert parts["r4"].reason == "0 h with an expectation an hour or so ahead, 6 are needed"
    assert parts["balance"].bias_cfs == pytest.approx(25.0, abs=1e-6)


def planned(**columns: object) -> pl.DataFrame:
    """Return a plan's inputs of three hours: the balance adds 8 cfs, R4's error 2."""
    zero = dict.fromkeys(BIAS_PARTS, 0.0) | {"bias_balance_cfs": 8.0, "bias_r4_cfs": 2.0} | columns
    return hours(3).with_columns(**{name: pl.lit(value) for name, value in zero.items()}, bias_cfs=pl.lit(10.0))


FIRST = np.array([True, False, False])


def test_a_part_set_by_hand_takes_the_place_of_the_estimate_in_the_sum() -> None:
    edited = planned().with_columns(bias_r4_cfs=pl.Series([-5.0, 2.0, 2.0]))
    assert with_bias(edited, {"bias_r4_cfs": FIRST})["bias_cfs"].to_list() == [3.0, 10.0, 10.0]


def test_a_river_set_by_hand_is_not_corrected_on_top() -> None:
    told = with_bias(planned(), {"r4_flow_cfs": FIRST})
    assert told["bias_cfs"].to_list() == [8.0, 10.0, 10.0]
    assert told["bias_r4_cfs"].to_list() == [0.0, 2.0, 2.0]


def test_a_bias_set_by_hand_stands_alone_and_no_part_can_be_set_beside_it() -> None:
    whole = with_bias(planned().with_columns(bias_cfs=pl.Series([-7.0, 10.0, 10.0])), {"bias_cfs": FIRST})
    assert whole["bias_cfs"].to_list() == [-7.0, 10.0, 10.0]
    assert whole["bias_r4_cfs"].to_list() == [None, 2.0, 2.0]
    with pytest.raises(InputError, match=r"at 2026-07-06T07:00:00Z the whole of bias_cfs is set by hand"):
        with_bias(whole, {"bias_r4_cfs": FIRST})


def test_inputs_without_parts_are_all_balance() -> None:
    told = with_bias(hours(3).with_columns(bias_cfs=pl.lit(4.0)), {})
    assert told["bias_cfs"].to_list() == told["bias_balance_cfs"].to_list() == [4.0] * 3


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
    table = balance_backtest(PLANT, [(seen[:150], 1170.0), (seen[150:], seen["elevation_ft"][149])])
    best = table.row(0, named=True)
    assert best["form"] == "mass_balance"
    by_rule = {(row["form"], row["bias_rule"]): row["rmse_ft"] for row in table.iter_rows(named=True)}
    # the double count of legacy is worth a constant; fading it loses it
    assert by_rule["legacy", "constant"] < by_rule["legacy", "fading"]
    assert by_rule["legacy", "none"] > by_rule["mass_balance", "none"]
    assert table["starts"].min() > 10
