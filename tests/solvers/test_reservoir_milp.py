"""Plans against an oracle written from the file contract: none may be worth less, no bound may be crossed."""

from __future__ import annotations

import numpy as np
import pytest

from domain.trajectory import simulate
from solvers.reservoir import ReservoirOptions, check_plan, plan_reservoir
from solvers.reservoir.value import objective_usd, terms_usd
from tests.reservoir_cases import afterbay, hostile
from tests.reservoir_milp import best_plan

PLANT = afterbay()
RELATIVE = 1e-6


def compare(seed: int, counts: tuple[int, ...] = (12, 24), *, seconds: float = 10.0) -> None:
    """Plan a hostile case and hold it against the oracle."""
    frame, state, weights = hostile(seed, counts=counts)
    options = ReservoirOptions(settings=weights, explain=False)
    made = plan_reservoir(PLANT, frame, state, options=options)
    assert check_plan(PLANT, frame, state, made.schedule) == []
    _, oracle_bound, setpoints = best_plan(frame, state.elevation_ft, state.oxbow_mw, weights, seconds=seconds)
    walked = simulate(made.plant, made.inputs, np.asarray(setpoints), state, guarded=False)
    oracle = float(objective_usd(terms_usd(made.plant, made.inputs, walked)))
    mine = made.report["objective_usd"]
    slack = RELATIVE * max(1.0, abs(mine))
    assert mine >= oracle - slack
    assert mine <= oracle_bound + slack
    assert made.report["bound_usd"] >= oracle - slack


@pytest.mark.parametrize("block", range(4))
def test_no_plan_is_worth_less_than_the_oracles_and_no_bound_is_crossed(block: int) -> None:
    for seed in range(block * 8, block * 8 + 8):
        compare(seed)
