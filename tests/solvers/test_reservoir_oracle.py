"""The fast path against the readable model, and the judge against plans that cheat."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyomo.environ as pyo
import pytest

from domain.plant import PoolState
from domain.reservoir_inputs import read_inputs
from solvers.reservoir import ReservoirOptions, check_plan, plan_reservoir
from solvers.reservoir.highs import run_with_cuts
from solvers.reservoir.linear import solve
from solvers.reservoir.lines import raft_tangents
from solvers.reservoir.model import reservoir_model
from solvers.reservoir.program import build
from tests.reservoir_cases import MIDDLE, afterbay, hours

PLANT = afterbay()
RAFT = [5.8 if 9 <= hour % 24 < 12 else None for hour in range(48)]
OUT = np.array([0 if 10 <= hour < 16 else 1 for hour in range(48)])
CASES = {
    "plain": (hours(48), MIDDLE),
    "rafting": (hours(48, raft_target_mw=RAFT), MIDDLE),
    "outage and floor": (hours(48, oxbow_available=OUT, minimum_flow_cfs=250.0), MIDDLE),
    "committed": (hours(24, oxbow_award_mw=3.0, da_price_usd_mwh=50.0), MIDDLE),
    "storm in SPILL": (hours(48, r4_flow_cfs=700.0, ccs_mode="SPILL"), PoolState(elevation_ft=1172.8, oxbow_mw=5.0)),
    "low start, quarter-hours": (hours(48, step_h=0.25), PoolState(elevation_ft=1167.5, oxbow_mw=0.0)),
}
LEVELS = np.linspace(1166.0, 1174.0, 17)


@pytest.mark.parametrize("name", CASES)
def test_arrays_and_the_readable_model_have_one_optimum(name: str) -> None:
    frame, state = CASES[name]
    inputs = read_inputs(PLANT, frame)
    raft = (
        raft_tangents(PLANT, inputs, np.full(inputs.intervals, 2100.0)) if "raft_target_mw" in frame.columns else None
    )
    program = build(PLANT, inputs, state, levels_ft=LEVELS, raft=raft)
    model = reservoir_model(PLANT, inputs, state, levels_ft=LEVELS, raft=raft)
    pyo.SolverFactory("appsi_highs").solve(model)
    # Extra cuts would lower the fast path below the model: seventeen tangents leave less than 1e-4 MW to cut.
    fast = -run_with_cuts(PLANT, program, ReservoirOptions()).bound
    assert fast == pytest.approx(pyo.value(model.worth), rel=2e-6, abs=0.02)


def test_cuts_where_they_are_needed_are_as_good_as_tangents_everywhere() -> None:
    frame, state = CASES["plain"]
    inputs = read_inputs(PLANT, frame)
    model = reservoir_model(PLANT, inputs, state, levels_ft=np.linspace(1166.0, 1174.0, 161))
    pyo.SolverFactory("appsi_highs").solve(model)
    assert solve(PLANT, inputs, state, ReservoirOptions()).bound_usd == pytest.approx(pyo.value(model.worth), abs=1e-3)


def test_no_small_change_of_a_plan_earns_more() -> None:
    frame = hours(12)
    inputs = read_inputs(PLANT, frame)
    made = plan_reservoir(PLANT, frame, MIDDLE)
    from domain.trajectory import simulate  # noqa: PLC0415 - next to its use
    from solvers.reservoir.value import objective_usd, terms_usd  # noqa: PLC0415

    best = made.schedule["setpoint_mw"].to_numpy()
    changes = np.concatenate([np.eye(12) * 0.05, -np.eye(12) * 0.05, np.tril(np.ones((12, 12))) * 0.03])
    worth = objective_usd(terms_usd(PLANT, inputs, simulate(PLANT, inputs, best + changes, MIDDLE)))
    assert worth.max() <= made.report["objective_usd"] + 1e-6


def cheat(schedule: pl.DataFrame, column: str, row: int, by: float) -> pl.DataFrame:
    values = schedule[column].to_list()
    values[row] += by
    return schedule.with_columns(pl.Series(column, values))


@pytest.mark.parametrize(
    ("column", "by", "said"),
    [
        ("storage_af", 0.01, "water balance"),
        ("elevation_ft", 0.001, "level of that storage"),
        ("spill_cfs", 50.0, "water balance"),
        ("spill_cfs", -1.0, "negative spill"),
        ("outflow_cfs", 0.1, "flow through the unit"),
        ("inflow_cfs", 0.1, "inflow"),
        ("oxbow_mw", 0.001, "mean output"),
        ("oxbow_end_mw", 6.0, "ramp up"),
        ("oxbow_end_mw", 6.0, "head cap"),
        ("oxbow_end_mw", 6.0, "largest output"),
        ("oxbow_end_mw", -6.0, "smallest output"),
        ("oxbow_end_mw", -6.0, "ramp down"),
        ("storage_af", 500.0, "storage above the float"),
        ("oxbow_end_mw", float("nan"), "no numbers"),
    ],
)
def test_the_judge_sees_a_plan_that_cheats(column: str, by: float, said: str) -> None:
    frame = hours(12)
    honest = plan_reservoir(PLANT, frame, MIDDLE).schedule
    assert check_plan(PLANT, frame, MIDDLE, honest) == []
    assert any(said in line for line in check_plan(PLANT, frame, MIDDLE, cheat(honest, column, 5, by)))


def test_the_judge_sees_output_in_an_outage_and_rows_that_are_missing() -> None:
    frame = hours(12)
    honest = plan_reservoir(PLANT, frame, MIDDLE).schedule
    out = frame.with_columns(oxbow_available=pl.lit(0))
    assert any("output in an outage" in line for line in check_plan(PLANT, out, MIDDLE, honest))
    assert "do not cover" in check_plan(PLANT, frame, MIDDLE, honest[:5])[0]
