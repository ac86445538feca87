"""Scenarios, risk and the heuristic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InputError
from domain.hydraulics import elevation_ft, storage_af
from domain.plant import PoolState
from domain.plant_checks import with_settings
from domain.reservoir_inputs import read_inputs, read_scenarios
from domain.trajectory import simulate
from domain.units import AF_PER_CFS_HOUR
from solvers.reservoir import ReservoirOptions, check_plan, plan_reservoir
from solvers.reservoir.linear import solve
from solvers.reservoir.margins import margins_of, ready_af, reduced
from solvers.reservoir.rule import raft_floor_mw, rule_setpoints
from solvers.reservoir.stochastic import solve_two_stage
from solvers.reservoir.value import low_af, objective_usd, raft_shortfall_mw, terms_usd
from tests.reservoir_cases import MIDDLE, afterbay, futures, hours

PLANT = afterbay()
FRAME = hours(48)
SCENARIOS = futures(FRAME, 6)


def test_one_certain_scenario_is_the_plain_plan() -> None:
    alone = futures(FRAME, 1)
    same = pl.concat([FRAME.with_columns(scenario=pl.lit("only"), probability=pl.lit(1.0))])
    assert alone.height == same.height
    inputs = read_inputs(PLANT, FRAME)
    many, probability = read_scenarios(PLANT, same, inputs)
    linear = solve(PLANT, inputs, MIDDLE, ReservoirOptions())
    stages = solve_two_stage(PLANT, many, probability, MIDDLE, ReservoirOptions(), linear.storage_af)
    assert stages.value_usd == pytest.approx(linear.bound_usd, abs=1e-3)


def test_the_first_day_is_shared_and_the_second_is_not() -> None:
    inputs = read_inputs(PLANT, FRAME)
    many, probability = read_scenarios(PLANT, SCENARIOS, inputs)
    linear = solve(PLANT, inputs, MIDDLE, ReservoirOptions())
    stages = solve_two_stage(PLANT, many, probability, MIDDLE, ReservoirOptions(), linear.storage_af)
    assert np.ptp(stages.course_mw[:, :24], axis=0).max() == 0.0
    assert np.ptp(stages.course_mw[:, 24:], axis=0).max() > 0.1
    assert stages.shared_mw.tolist() == stages.course_mw[0, :24].tolist()


def test_knowing_each_scenario_would_be_worth_more_and_ignoring_them_less() -> None:
    # wait-and-see >= here-and-now >= the single-forecast first day with the best that can follow
    inputs = read_inputs(PLANT, FRAME)
    many, probability = read_scenarios(PLANT, SCENARIOS, inputs)
    options = ReservoirOptions()
    linear = solve(PLANT, inputs, MIDDLE, options)
    here_and_now = solve_two_stage(PLANT, many, probability, MIDDLE, options, linear.storage_af).value_usd
    wait_and_see = sum(p * solve(PLANT, many.scenario(s), MIDDLE, options).bound_usd for s, p in enumerate(probability))
    ignoring = 0.0
    for scenario, chance in enumerate(probability):
        one = many.scenario(scenario)
        day = simulate(PLANT, one.window(0, 24), linear.setpoint_mw[:24], MIDDLE)
        evening = PoolState(elevation_ft=float(day.elevation_ft[-1]), oxbow_mw=float(day.end_mw[-1]))
        rest = solve(PLANT, one.window(24, 48), evening, options).setpoint_mw
        whole = simulate(PLANT, one, np.concatenate([day.end_mw, rest]), MIDDLE)
        ignoring += chance * float(objective_usd(terms_usd(PLANT, one, whole)))
    assert wait_and_see >= here_and_now - 1e-6
    assert here_and_now >= ignoring - 1e-6


def test_the_stochastic_plan_obeys_the_physics_and_says_what_it_expects() -> None:
    made = plan_reservoir(PLANT, FRAME, MIDDLE, scenarios=SCENARIOS, optimizer="stochastic")
    assert check_plan(PLANT, FRAME, MIDDLE, made.schedule) == []
    assert made.report["scenarios"] == 6
    assert made.report["worst_objective_usd"] <= made.report["cvar_usd"] + 1e-9
    assert made.report["cvar_usd"] <= made.report["expected_objective_usd"]


def test_a_weight_on_risk_lifts_the_worst_cases() -> None:
    found = [
        plan_reservoir(
            PLANT,
            FRAME,
            MIDDLE,
            scenarios=SCENARIOS,
            optimizer="stochastic",
            options=ReservoirOptions(settings={"cvar_weight": weight, "cvar_tail": 0.3}),
        ).report
        for weight in (0.0, 0.9)
    ]
    assert found[1]["cvar_usd"] >= found[0]["cvar_usd"] - 1e-6
    assert found[1]["expected_objective_usd"] <= found[0]["expected_objective_usd"] + 1e-6


def test_what_the_two_stages_promise_is_what_their_courses_earn() -> None:
    # (1 - w) expectation + w CVaR of the simulated courses, recomputed here, is the programme's own value
    inputs = read_inputs(PLANT, FRAME)
    many, probability = read_scenarios(PLANT, SCENARIOS, inputs)
    middle = solve(PLANT, inputs, MIDDLE, ReservoirOptions()).storage_af
    for weight in (0.0, 0.5):
        plant = with_settings(PLANT, {"cvar_weight": weight, "cvar_tail": 0.25})
        stages = solve_two_stage(plant, many, probability, MIDDLE, ReservoirOptions(), middle)
        worth = objective_usd(terms_usd(plant, many, simulate(plant, many, stages.course_mw, MIDDLE)))
        worst, second = np.sort(worth)[:2]
        cvar = (worst / 6.0 + second * (0.25 - 1.0 / 6.0)) / 0.25
        assert stages.value_usd == pytest.approx((1.0 - weight) * worth.mean() + weight * cvar, abs=0.01)


def test_no_small_change_of_the_shared_day_earns_more_over_all_scenarios() -> None:
    inputs = read_inputs(PLANT, FRAME)
    many, probability = read_scenarios(PLANT, SCENARIOS, inputs)
    options = ReservoirOptions(shared_hours=48.0)
    stages = solve_two_stage(PLANT, many, probability, MIDDLE, options, np.full(48, 2100.0))

    def expected(setpoints: np.ndarray) -> float:
        walked = simulate(PLANT, many, np.tile(setpoints, (6, 1)), MIDDLE, guarded=False)
        return float(probability @ objective_usd(terms_usd(PLANT, many, walked)))

    # A setpoint must be within the head cap of every future; letting the head cut it in a few would gain a little.
    best = expected(stages.shared_mw) * 1.0005
    for hour in range(0, 48, 3):
        for change in (0.05, -0.05):
            assert expected(stages.shared_mw + change * (np.arange(48) == hour)) <= best


def test_a_guarded_plan_keeps_its_distance_from_both_ends_where_forecasts_may_miss() -> None:
    frame = hours(48, mfra_mw=40.0)
    around = futures(frame, 6)
    plain = plan_reservoir(PLANT, frame, MIDDLE, scenarios=around)
    margins = margins_of(PLANT, plain.inputs, *read_scenarios(PLANT, around, plain.inputs))
    guarded = plan_reservoir(PLANT, frame, MIDDLE, scenarios=around, options=ReservoirOptions(margins=margins))
    assert check_plan(PLANT, frame, MIDDLE, guarded.schedule) == []
    wanted = low_af(PLANT) + np.array(margins.low_af)
    missing = [float(np.maximum(0.0, wanted - made.trajectory.storage_af).sum()) for made in (plain, guarded)]
    assert missing[1] < 0.7 * missing[0]
    assert guarded.report["bound_usd"] == pytest.approx(plain.report["bound_usd"], abs=1e-6)
    assert guarded.report["objective_usd"] < plain.report["objective_usd"]


def test_margins_hold_what_inflow_may_take_in_the_hours_nobody_can_answer() -> None:
    # Two futures, 100 cfs below and 60 above the forecast: 3 h x 100 cfs x 0.0826446 = 24.79 af, and 14.88 af of room.
    inputs = read_inputs(PLANT, FRAME)
    off = np.array([[-100.0], [60.0]])
    many = replace(inputs, inflow_cfs=inputs.inflow_cfs + off)
    margins = margins_of(PLANT, inputs, many, np.array([0.5, 0.5]))
    assert margins.low_af[:4] == pytest.approx((8.264, 16.529, 24.793, 24.793), abs=1e-3)
    assert margins.high_af[5] == pytest.approx(14.876, abs=1e-3)
    assert margins.low_af[24:] == (0.0,) * 24


RAFT = hours(12, raft_target_mw=[None] * 8 + [4.0, 4.0] + [None] * 2)
"""Two hours of rafting, eight ahead."""


def test_a_future_asks_for_the_water_of_its_windows_less_what_still_flows_in() -> None:
    # 4 MW need ramps of 2.52 MW/h: at hour ends 5, 6, 7, 8, 9 the unit gives 0.8, 1.48, 4, 4, 4 MW (window 8 and 9; the
    # target is reached as it begins). Means of the hours 8 and 9: 4 MW = 163.73 x 4 + 83 = 737.92 cfs.
    # With 500 cfs coming in, an hour of the window takes 237.92 cfs = 19.663 af; hours 7 and 10, between 1.48 and 4 MW,
    # a mean of 2.74 MW = 531.62 cfs, take 31.62 cfs = 2.613 af; hour 6, from 0.8 to 1.48, passes 269.65 cfs and gains.
    inputs = read_inputs(PLANT, RAFT)
    asked = ready_af(PLANT, inputs, np.full((1, 12), 500.0))[0] - low_af(PLANT)
    assert asked[[10, 9, 8, 7, 6]] == pytest.approx([0.0, 2.613, 22.276, 41.939, 44.552], abs=2e-3)
    assert asked[5] == pytest.approx(44.552 - (500.0 - 269.65) * AF_PER_CFS_HOUR, abs=2e-3)
    assert asked[0] == 0.0


@given(st.lists(st.floats(150.0, 1000.0), min_size=12, max_size=12))
def test_a_pool_filled_as_asked_carries_its_windows_and_stays_above_the_buffer(flows: list[float]) -> None:
    inputs = replace(read_inputs(PLANT, RAFT), inflow_cfs=np.array(flows))
    full = storage_af(PLANT.storage, inputs.float_ft)
    asked = ready_af(PLANT, inputs, np.array([flows]))[0]
    ends = raft_floor_mw(inputs, PLANT.unit.minimum_mw)
    ends[10] = 4.0 - 2.52  # the way down from the window takes two hours
    for t in np.flatnonzero(asked < full - 1e-6)[:-1]:
        if (asked[t:] >= full[t:] - 1e-6).any():
            continue
        state = PoolState(elevation_ft=float(elevation_ft(PLANT.storage, asked[t])), oxbow_mw=float(ends[t]))
        walked = simulate(PLANT, inputs.window(t + 1, 12), ends[t + 1 :], state, guarded=False)
        assert walked.storage_af.min() >= low_af(PLANT) - 1e-6


def test_a_plan_that_keeps_the_water_for_a_window_sells_less_before_it() -> None:
    frame = hours(
        36, mfra_mw=20.0, raft_target_mw=[None] * 30 + [5.8] * 4 + [None] * 2, price_usd_mwh=[80.0] * 8 + [20.0] * 28
    )
    inputs = read_inputs(PLANT, frame)
    dry = replace(inputs, inflow_cfs=inputs.inflow_cfs + np.array([[-60.0], [60.0]]))
    margins = margins_of(PLANT, inputs, dry, np.array([0.5, 0.5]))
    ready, sold = (
        plan_reservoir(PLANT, frame, MIDDLE, options=ReservoirOptions(margins=one))
        for one in (margins, replace(margins, window_af=()))
    )
    assert ready.trajectory.storage_af[29] > sold.trajectory.storage_af[29] + 5.0
    assert float(raft_shortfall_mw(ready.inputs, ready.trajectory).sum()) < 0.01


def test_few_futures_stand_for_many_with_their_probabilities() -> None:
    members = np.tile(np.arange(100.0)[:, None], (1, 12))
    chosen, probability = reduced(members, 7)
    assert probability.sum() == pytest.approx(1.0)
    assert len(chosen) == 7
    assert probability[0] < probability[3] > probability[6]
    assert float(probability @ members[chosen, 0]) == pytest.approx(49.5, abs=1.0)


def test_bands_are_the_forward_simulation_of_the_plan() -> None:
    made = plan_reservoir(PLANT, FRAME, MIDDLE, scenarios=SCENARIOS)
    many, _ = read_scenarios(PLANT, SCENARIOS, made.inputs)
    levels = simulate(PLANT, many, made.schedule["setpoint_mw"].to_numpy(), MIDDLE, guarded=False).elevation_ft
    # six equal chances: P10 is the lowest, P50 the third, P90 the highest (5/6 < 0.9)
    ranked = np.sort(levels, axis=0)
    for name, rank in (("p10", 0), ("p50", 2), ("p90", 5)):
        assert made.schedule[f"elevation_{name}_ft"].to_numpy() == pytest.approx(ranked[rank], abs=1e-9)
    below = (levels < 1168.0 - 1e-5).mean(axis=0)
    assert made.schedule["below_minimum_probability"].to_numpy() == pytest.approx(below, abs=1e-9)
    assert made.report["probabilities"]["below_minimum"] >= below.max() - 1e-9


def test_the_dated_rules_hold_in_every_scenario() -> None:
    # Tuesday 7 July, 9 to 12 local: the window is delivered by the plan's first day or after it, in all scenarios alike
    shared = ReservoirOptions(apply_rules=True, shared_hours=48.0)
    made = plan_reservoir(PLANT, FRAME, MIDDLE, scenarios=SCENARIOS, optimizer="stochastic", options=shared)
    window = made.schedule[33:36]
    assert (window["head_cap_mw"] - window["oxbow_mw"]).max() < 0.1
    assert "raft_missed" in made.report["probabilities"]


def test_a_stochastic_plan_without_scenarios_is_refused() -> None:
    with pytest.raises(InputError, match="needs scenarios"):
        plan_reservoir(PLANT, FRAME, MIDDLE, optimizer="stochastic")


def test_the_heuristic_holds_while_nothing_is_at_stake() -> None:
    # Inflow equals what 2.0 MW draws: 163.73 * 2 + 83 = 410.46 cfs. Nothing to do for two days.
    natural = 410.46 + 5.0 - 40.0 - 18.54
    still = hours(48, mfra_mw=0.0, r4_flow_cfs=27.0, r30_flow_cfs=natural)
    state = PoolState(elevation_ft=1170.0, oxbow_mw=2.0)
    assert set(rule_setpoints(PLANT, read_inputs(PLANT, still), state).tolist()) == {2.0}


def test_the_heuristic_neither_spills_nor_runs_dry_where_it_can_help_it() -> None:
    frame = hours(96)
    made = plan_reservoir(PLANT, frame, MIDDLE, optimizer="rule")
    assert check_plan(PLANT, frame, MIDDLE, made.schedule) == []
    assert made.status == "rule"
    assert made.report["terms"]["spill_usd"] == pytest.approx(0.0, abs=1e-6)
    assert made.report["violations"]["below_minimum_minutes"] == 0.0
    assert made.report["objective_usd"] < made.report["bound_usd"]


def test_the_heuristic_ramps_up_before_rafting_as_late_as_it_can() -> None:
    target = np.full(8, np.nan)
    target[5:7] = 5.8
    inputs = read_inputs(PLANT, hours(8, raft_target_mw=[None if np.isnan(v) else v for v in target]))
    # full at the end of hour 4, 2.52 MW less an hour before, and 0.76 two hours before, below the smallest output
    assert raft_floor_mw(inputs, 0.8).tolist() == pytest.approx([0.8, 0.8, 0.8, 3.28, 5.8, 5.8, 5.8, 0.8])


def test_the_heuristic_moves_by_day_where_the_night_can_wait() -> None:
    frame = hours(96, mfra_mw=100.0)
    made = plan_reservoir(PLANT, frame, MIDDLE, optimizer="rule")
    moves = np.abs(np.diff(made.schedule["oxbow_end_mw"].to_numpy(), prepend=3.0)) > 1e-6
    night = made.inputs.night
    assert moves[~night].sum() >= moves[night].sum()


def test_a_plan_nobody_asked_a_bound_of_says_so_and_is_worth_the_same() -> None:
    raft = hours(48, raft_target_mw=[5.8 if 33 <= hour < 36 else None for hour in range(48)])
    proven = plan_reservoir(PLANT, raft, MIDDLE)
    quick = plan_reservoir(PLANT, raft, MIDDLE, options=ReservoirOptions(certify=False))
    assert quick.report["bound_usd"] is None
    assert quick.report["gap"] is None
    assert quick.report["objective_usd"] == pytest.approx(proven.report["objective_usd"], abs=1.0)
