"""The heuristic before and in a rafting window that the water may not be enough for."""

from __future__ import annotations

import pytest

from domain.plant import PoolState
from solvers.reservoir import ReservoirPlan, check_plan, plan_reservoir
from tests.reservoir_cases import afterbay, hours

PLANT = afterbay()
LOW = PoolState(elevation_ft=1169.0, oxbow_mw=2.5)


def planned(first: int, last: int, mfra_mw: float, step_h: float = 1.0) -> ReservoirPlan:
    """Return the rule's plan of a day whose hours from ``first`` up to ``last`` are a window."""
    count = round(24 / step_h)
    target = [5.8 if first <= at * step_h < last else None for at in range(count)]
    frame = hours(count, mfra_mw=mfra_mw, raft_target_mw=target, step_h=step_h)
    made = plan_reservoir(PLANT, frame, LOW, optimizer="rule")
    assert check_plan(PLANT, frame, LOW, made.schedule) == []
    return made


@pytest.mark.parametrize("step_h", [1.0, 0.25])
def test_the_pool_is_filled_for_a_window_and_the_window_delivered(step_h: float) -> None:
    made = planned(10, 13, 60.0, step_h)
    level = made.schedule["elevation_ft"].to_numpy()
    assert level[round(8 / step_h) - 1] > LOW.elevation_ft + 1.0
    assert made.report["violations"]["raft_shortfall_mwh"] == pytest.approx(0.0, abs=1e-6)


def test_a_window_too_long_for_the_water_is_served_from_its_start_for_as_long_as_it_lasts() -> None:
    # Inflow is some 360 cfs, 1.7 MW. Held at 0.8 MW (214 cfs), ten hours gain 146 cfs x 10 h; with the 54 af between
    # 1169 and 1168.25 ft that is some 2,100 cfs-h. Full output draws 574 cfs more than flows in: 3.7 h of it, its ramp
    # up (half an hour's worth each way) included, and no plan serves eight.
    made = planned(10, 18, 30.0)
    mean = made.schedule["oxbow_mw"].to_numpy()
    assert mean[1:6].max() < 1.1  # filling
    full = mean[10:18] > 4.0
    assert full.tolist() == [True] * 2 + [False] * 6
    assert mean[12:18].min() >= 1.2  # the rest of the window passes on what flows in
    assert made.report["violations"]["below_minimum_minutes"] == 0.0


def test_of_a_window_that_no_plan_can_serve_whole_the_rule_serves_most_of_what_the_best_plan_does() -> None:
    frame = hours(24, mfra_mw=60.0, raft_target_mw=[5.8 if 10 <= at < 18 else None for at in range(24)])
    made = [plan_reservoir(PLANT, frame, LOW, optimizer=name) for name in ("rule", "lp")]
    rule, best = (float(one.schedule["oxbow_mw"].to_numpy()[10:18].sum()) for one in made)
    assert 0.85 * best < rule <= best + 1e-6
