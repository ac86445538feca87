"""Whole plans against the plans once accepted: a change of result is a decision, not an accident.

Each folder of ``reservoir/`` holds inputs, state and the accepted plan and report. To accept a changed plan, look at
what changed and why, write the new files, and say so in the commit.
"""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from domain.plant import PoolState
from solvers.reservoir import check_plan, plan_reservoir
from tests.reservoir_cases import afterbay

CASES = sorted(path for path in (Path(__file__).parent / "reservoir").iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", CASES, ids=[path.name for path in CASES])
def test_the_accepted_plan_comes_out_again(folder: Path) -> None:
    inputs = pl.read_csv(folder / "inputs.csv", infer_schema_length=None)
    values = json.loads((folder / "state.json").read_text())
    state = PoolState(elevation_ft=values["elevation_ft"], oxbow_mw=values["oxbow_mw"])
    made = plan_reservoir(afterbay(), inputs, state)
    assert check_plan(afterbay(), inputs, state, made.schedule) == []
    accepted = json.loads((folder / "expected_report.json").read_text())
    assert made.report["objective_usd"] == pytest.approx(accepted["objective_usd"], abs=0.01)
    assert made.report["bound_usd"] == pytest.approx(accepted["bound_usd"], abs=0.01)
    assert made.report["terms"] == pytest.approx(accepted["terms"], abs=0.05)
    plan = pl.read_csv(folder / "expected_plan.csv", infer_schema_length=None)
    for name, tolerance in (("oxbow_end_mw", 1e-3), ("elevation_ft", 1e-3), ("spill_cfs", 0.1)):
        assert made.schedule[name].to_list() == pytest.approx(plan[name].to_list(), abs=tolerance), name
    assert made.schedule["binding"].to_list() == [text or "" for text in plan["binding"]]
