"""Edits: what follows, what cannot be had, what they break."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from domain.errors import InputError
from solvers.reservoir import check_plan, judged_plan, plan_reservoir
from solvers.reservoir.overrides import Edit, apply_edits, compare_plans
from tests.reservoir_cases import MIDDLE, START, afterbay, hours

PLANT = afterbay()
FRAME = hours(36, raft_target_mw=[5.8 if 9 <= hour % 24 < 12 else None for hour in range(36)])
BASE = plan_reservoir(PLANT, FRAME, MIDDLE)


def edit(column: str, first: int, last: int, value: float, **other: object) -> Edit:
    span = {"start": START + timedelta(hours=first), "end": START + timedelta(hours=last)}
    said = {"author": "operator", "at": START, "reason": "test"}
    return Edit(column=column, value=value, **(span | said | other))  # ty: ignore[invalid-argument-type]


def test_recomputing_keeps_every_other_setpoint_and_the_hours_before() -> None:
    made = apply_edits(PLANT, FRAME, MIDDLE, BASE, [edit("mfra_mw", 20, 26, 0.0)], mode="recompute")
    assert check_plan(PLANT, made.inputs, MIDDLE, made.plan.schedule) == []
    assert made.first_edit == START + timedelta(hours=20)
    before, after = BASE.schedule["elevation_ft"].to_numpy(), made.plan.schedule["elevation_ft"].to_numpy()
    assert after[:20].tolist() == before[:20].tolist()
    assert after[26] < before[26]
    assert made.plan.status == "edited"
    assert made.plan.report["bound_usd"] is None


def test_planning_anew_keeps_the_edits_and_earns_more_than_recomputing() -> None:
    edits = [edit("setpoint_mw", 19, 21, 2.5), edit("r30_flow_cfs", 19, 36, 120.0)]
    anew = apply_edits(PLANT, FRAME, MIDDLE, BASE, edits, mode="reoptimize").plan
    walked = apply_edits(PLANT, FRAME, MIDDLE, BASE, edits, mode="recompute").plan
    setpoints = anew.schedule["setpoint_mw"].to_numpy()
    assert setpoints[19:21].tolist() == pytest.approx([2.5, 2.5])
    assert anew.report["objective_usd"] >= walked.report["objective_usd"] - 1e-6


def test_an_edit_far_from_the_plan_is_reached_by_a_ramp_that_begins_before_it() -> None:
    kept = BASE.schedule["setpoint_mw"].to_numpy()
    at = next(t for t in range(16, 32) if kept[t - 1] > 4.0)  # clear of the windows
    anew = apply_edits(PLANT, FRAME, MIDDLE, BASE, [edit("setpoint_mw", at, at + 1, 0.8)], mode="reoptimize")
    setpoints = anew.plan.schedule["setpoint_mw"].to_numpy()
    assert setpoints[at] == pytest.approx(0.8)
    assert setpoints[at - 1] <= 0.8 + 2.52 + 1e-6
    assert anew.warnings == ()


def test_an_edit_that_breaks_a_rafting_window_or_cannot_be_reached_is_named() -> None:
    made = apply_edits(PLANT, FRAME, MIDDLE, BASE, [edit("setpoint_mw", 9, 12, 1.0)], mode="recompute")
    assert any("2026-07-06T16:00:00Z misses" in line for line in made.warnings)
    jump = [edit("setpoint_mw", 26, 27, 0.8), edit("setpoint_mw", 27, 28, 5.0)]
    made = apply_edits(PLANT, FRAME, MIDDLE, BASE, jump, mode="recompute")
    assert any("2026-07-07T10:00:00Z 5 MW was asked, 3.32 MW can be had (ramp up)" in line for line in made.warnings)


def test_plans_stand_side_by_side_with_their_dollars() -> None:
    made = apply_edits(PLANT, FRAME, MIDDLE, BASE, [edit("setpoint_mw", 20, 24, 2.0)], mode="recompute").plan
    table, dollars = compare_plans(BASE, made)
    assert table.height == 36
    assert np.abs(table["setpoint_mw_change"].to_numpy()[:19]).max() == 0.0
    assert table["elevation_ft_change"].to_numpy()[23] < 0.0
    assert dollars["objective_usd"][1] < dollars["objective_usd"][0]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: edit("float_ft", 0, 1, 1170.0), "cannot be edited; choose from setpoint_mw"),
        (lambda: edit("mfra_mw", 3, 3, 10.0), "is empty"),
        (lambda: edit("mfra_mw", 0, 1, -1.0), "must be 0 or more"),
        (lambda: edit("mfra_mw", 0, 1, float("nan")), "makes no sense"),
        (lambda: edit("mfra_mw", 0, 1, 1.0, author=" "), "needs an author and a reason"),
        (lambda: edit("mfra_mw", 0, 1, 1.0, start=datetime(2026, 7, 6)), "has no zone"),  # noqa: DTZ001 - the mistake
    ],
)
def test_an_edit_that_makes_no_sense_is_refused(make: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        make()  # ty: ignore[not-callable]


def test_contradicting_edits_and_edits_outside_the_plan_are_refused() -> None:
    def apply(*edits: Edit) -> None:
        apply_edits(PLANT, FRAME, MIDDLE, BASE, edits, mode="recompute")

    with pytest.raises(InputError, match="contradict each other at 2026-07-06T09:00:00Z: 1 and 2"):
        apply(edit("setpoint_mw", 0, 4, 1.0), edit("setpoint_mw", 2, 6, 2.0))
    with pytest.raises(InputError, match="touches no interval"):
        apply(edit("setpoint_mw", 50, 60, 1.0))
    with pytest.raises(InputError, match="no edit"):
        apply()


def test_a_held_setpoint_can_be_judged_like_a_plan() -> None:
    held = judged_plan(PLANT, hours(12), MIDDLE, np.full(12, 3.0), status="held")
    assert held.status == "held"
    assert held.report["objective_usd"] < plan_reservoir(PLANT, hours(12), MIDDLE).report["objective_usd"]
