"""A plant whose unit starts and stops and takes less water per MW the higher the pond stands."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest

from domain.plant import PoolState
from domain.reservoir_inputs import read_inputs
from domain.trajectory import simulate
from resources.plant_files import load_plant
from solvers.reservoir import ReservoirOptions, check_plan, plan_reservoir
from solvers.reservoir.value import objective_usd, terms_usd
from tests.reservoir_cases import PLANTS, hours

PLANT = load_plant(PLANTS / "headpond.toml")
STOPPED = PoolState(elevation_ft=495.0, oxbow_mw=0.0)


def pond(count: int, **columns: object) -> pl.DataFrame:
    dispatch = np.repeat([0.0, 30.0, 50.0, 0.0, 30.0, 0.0, 50.0, 30.0], 6)[:count]
    return hours(count, **({"float_ft": 500.0, "r30_flow_cfs": 160.0, "mfra_mw": dispatch} | columns))


def test_the_unit_waits_for_the_price_and_starts_once() -> None:
    price = np.where((np.arange(18) >= 8) & (np.arange(18) < 14), 120.0, 15.0)
    frame = pond(18, price_usd_mwh=price)
    made = plan_reservoir(PLANT, frame, STOPPED)
    assert check_plan(PLANT, frame, STOPPED, made.schedule) == []
    ends = made.schedule["oxbow_end_mw"].to_numpy()
    assert (ends[9:13] > 0.0).all()
    assert made.report["terms"]["startup_usd"] == -150.0
    assert made.schedule["outflow_cfs"][0] == 0.0
    assert "off" in made.schedule["binding"][0]


@pytest.mark.parametrize("seed", [0, 1])
def test_programme_and_polish_come_close_to_the_proven_bound(seed: int) -> None:
    frame = pond(12, seed=seed)
    made = plan_reservoir(PLANT, frame, STOPPED, options=ReservoirOptions(bound_search_s=20.0))
    assert check_plan(PLANT, frame, STOPPED, made.schedule) == []
    assert made.report["bound_usd"] >= made.report["objective_usd"]
    assert made.report["gap"] < 0.01


def test_no_on_and_off_pattern_of_a_short_day_beats_the_plan() -> None:
    # 5 hours, 4 outputs and off: 3,125 courses, each simulated. Ramp 6 MW/h, so all of them are within it or clamped.
    frame = pond(5, price_usd_mwh=np.array([20.0, 90.0, 95.0, 30.0, 80.0]))
    made = plan_reservoir(PLANT, frame, STOPPED)
    courses = np.array(list(itertools.product([0.0, 3.0, 6.0, 9.0, 11.5], repeat=5)))
    inputs = read_inputs(PLANT, frame)
    worth = objective_usd(terms_usd(PLANT, inputs, simulate(PLANT, inputs, courses, STOPPED)))
    assert made.report["objective_usd"] >= float(worth.max()) - 1.0


def test_head_zones_change_the_water_a_megawatt_takes() -> None:
    # 6 MW at 495 ft: 58 * 6 + 38 = 386 cfs; at 491 ft: 62 * 6 + 40 = 412; at 499 ft: 55 * 6 + 36 = 366
    inputs = read_inputs(PLANT, pond(1))
    for level, wanted in ((495.0, 386.0), (491.0, 412.0), (499.0, 366.0)):
        done = simulate(PLANT, inputs, np.array([6.0]), PoolState(elevation_ft=level, oxbow_mw=6.0))
        assert float(done.unit_cfs[0]) == pytest.approx(wanted)


def test_a_stop_is_only_reached_from_an_output_the_ramp_can_leave() -> None:
    inputs = read_inputs(PLANT, pond(3))
    done = simulate(PLANT, inputs, np.zeros(3), PoolState(elevation_ft=497.0, oxbow_mw=10.0))
    # 10 is above 6 MW, so down by the ramp to 4, then off; the hour of the stop still averages 2 MW and takes water
    assert done.end_mw.tolist() == pytest.approx([4.0, 0.0, 0.0])
    assert done.mean_mw.tolist() == pytest.approx([7.0, 2.0, 0.0])
    assert done.unit_cfs[1] > 100.0
    assert done.unit_cfs[2] == 0.0


def test_rafting_floor_and_outage_hold_for_such_a_unit_too() -> None:
    frame = pond(
        12,
        raft_target_mw=[None] * 6 + [8.0] * 3 + [None] * 3,
        minimum_flow_cfs=50.0,
        oxbow_available=[1, 1, 0, 0] + [1] * 8,
    )
    made = plan_reservoir(PLANT, frame, STOPPED, options=ReservoirOptions(bound_search_s=1.0))
    assert check_plan(PLANT, frame, STOPPED, made.schedule) == []
    assert made.report["violations"]["raft_shortfall_mwh"] < 0.2
    assert made.schedule["oxbow_mw"][2:4].to_list() == [0.0, 0.0]


def test_the_heuristic_knows_such_a_unit_may_stand_still() -> None:
    # 60 cfs feed the pond; even the smallest output, 3 MW, takes over 200 and would drain it within the look ahead.
    frame, running = pond(24, mfra_mw=0.0, r30_flow_cfs=60.0), PoolState(elevation_ft=495.0, oxbow_mw=6.0)
    made = plan_reservoir(PLANT, frame, running, optimizer="rule", options=ReservoirOptions(bound_search_s=0.5))
    assert check_plan(PLANT, frame, running, made.schedule) == []
    assert (made.schedule["oxbow_end_mw"] == 0.0).any()
    assert made.report["violations"]["below_minimum_minutes"] == 0.0
