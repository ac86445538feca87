"""When a decision cannot be made as it should: what takes its place, and what it says of itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from domain.errors import InputError, MissingInputError
from domain.plant import Plant, PoolState
from domain.rules import FlowLimit, Rules, WaterYear
from resources.publisher import Publisher, Version
from resources.reservoir_decisions import ReservoirCase, RunSettings
from resources.reservoir_ladder import Decision, decide_on_the_ladder, last_valid, pinned_previous
from solvers.reservoir import check_plan
from solvers.reservoir.overrides import Edit
from tests.reservoir_cases import MIDDLE, START, afterbay, hours
from tests.reservoir_lake import HOUR

PLANT = afterbay()
LATER = START + 5 * HOUR


def case_of(plant: Plant = PLANT, *, state: PoolState = MIDDLE, run: RunSettings | None = None) -> ReservoirCase:
    """Return a case that needs no lake."""
    inputs = hours(48)
    where = {"elevation_ft": "afterbay_now.elevation.ft, held since 06:55", "oxbow_mw": "oxbow_now.power.mw"}
    return ReservoirCase(
        plant=plant, inputs=inputs, state=state, provenance=where, hourly=inputs.select("event_start"),
        uncertainty=None, run=run or RunSettings(),
    )  # fmt: skip


def decide(case: ReservoirCase, previous: Version | None = None, at: datetime = START) -> Decision:
    return decide_on_the_ladder(lambda: case, at=at, plant=PLANT, previous=previous)


def failing(error: Exception) -> ReservoirCase:
    raise error


@pytest.fixture
def published(tmp_path: Path) -> Publisher:
    """A publisher that holds a valid plan of ``START``."""
    publisher = Publisher(tmp_path)
    decision = decide(case_of())
    facts = {
        "status": decision.plan.status, "mode": "published", "input_sha256": "x", "provenance": {"a": "b"},
        "state": {"elevation_ft": MIDDLE.elevation_ft, "oxbow_mw": MIDDLE.oxbow_mw}, "run": RunSettings().record(),
        "stale_since": None,
    }  # fmt: skip
    publisher.store("reservoir", START, decision.schedule, facts, inputs={"inputs.parquet": decision.case.inputs})
    return publisher


def test_a_case_that_can_be_solved_is_no_fallback() -> None:
    assert decide(case_of()).fallback is None


def test_missing_inputs_carry_the_last_valid_plan_on_labelled_stale(published: Publisher) -> None:
    previous = last_valid(published, LATER)
    assert previous is not None
    error = MissingInputError("the reservoir plan", {"r4.flow.cfs": "our forecast covers 90 of 96 hours"})
    made = decide_on_the_ladder(lambda: failing(error), at=LATER, plant=PLANT, previous=previous)
    assert made.fallback is not None
    assert made.fallback.facts() == {
        "fallback": {
            "rung": "shifted", "reason": str(error), "previous": {"as_of": "2026-07-06T07:00:00Z", "version": 1},
        },
        "stale_since": "2026-07-06T07:00:00Z",
    }  # fmt: skip
    old = previous.schedule().filter(pl.col("event_start") >= LATER)
    assert made.schedule["event_start"].to_list() == old["event_start"].to_list()
    for name in ("setpoint_mw", "elevation_ft", "oxbow_mw"):
        assert made.schedule[name].to_numpy() == pytest.approx(old[name].to_numpy(), abs=1e-6)
    alert = made.fallback.alert("reservoir-x", 2)
    assert alert.severity == "critical"
    assert "stale since 2026-07-06T07:00:00Z" in alert.message
    assert "90 of 96 hours" in alert.message


def test_a_stale_plan_carried_on_again_stays_stale_since_the_first(published: Publisher) -> None:
    error = MissingInputError("the reservoir plan", {"x": "y"})
    for hour in (1, 2, 3):
        at = START + hour * HOUR
        made = decide_on_the_ladder(lambda: failing(error), at=at, plant=PLANT, previous=last_valid(published, at))
        assert made.fallback is not None
        facts = {
            "status": made.plan.status, "input_sha256": f"{hour}", "provenance": {}, "run": RunSettings().record(),
            "state": {"elevation_ft": made.case.state.elevation_ft, "oxbow_mw": made.case.state.oxbow_mw},
        } | made.fallback.facts()  # fmt: skip
        version = published.store("reservoir", at, made.schedule, facts, inputs={"inputs.parquet": made.case.inputs})
        assert version.manifest["stale_since"] == "2026-07-06T07:00:00Z"
        assert pinned_previous(published, version.manifest) is not None
        published.publish(version, published_at=at)
    pointer = (published._root / "reservoir" / "current.json").read_text()
    assert '"stale_since": "2026-07-06T07:00:00Z"' in pointer
    assert '"status": "shifted"' in pointer


def test_an_impossible_state_names_the_gauge_the_rule_and_the_remedy(published: Publisher) -> None:
    high = case_of(state=PoolState(elevation_ft=1189.0, oxbow_mw=3.0))
    made = decide(high, last_valid(published, LATER), LATER)
    assert made.fallback is not None
    assert made.fallback.rung == "shifted"
    assert (
        "elevation_ft 1189 is no level of afterbay: its storage curve holds from 1121 to 1180 ft"
        in made.fallback.reason
    )
    assert "elevation_ft from afterbay_now.elevation.ft, held since 06:55" in made.fallback.reason


def test_a_licence_that_cannot_be_kept_names_hour_and_relaxation_and_leaves_the_last_plan(
    published: Publisher,
) -> None:
    # a cap of 100 cfs is below 163.73 x 0.8 + 83 = 214 cfs, what the smallest output passes: 114 cfs are missing
    cap = FlowLimit(kind="maximum", types=("Dry",), months=(7,), flow_cfs=100.0, source="test")
    strict = replace(PLANT, rules=Rules(water_years=(WaterYear(type="Dry"),), flow_limits=(cap,)))
    made = decide_on_the_ladder(lambda: case_of(strict), at=LATER, plant=strict, previous=last_valid(published, LATER))
    assert made.fallback is not None
    assert made.fallback.rung == "shifted"
    assert "at 2026-07-06T07:00:00Z: a flow cap of 100 cfs is below the 214 cfs" in made.fallback.reason
    assert "raise the cap by 114 cfs, or enter an outage" in made.fallback.reason


def test_no_rule_against_running_still_leaves_a_plan_when_the_programme_has_none() -> None:
    """The pool drains in an hour whatever the unit does: the heuristic at least keeps the output low."""
    empty = case_of(state=PoolState(elevation_ft=1121.5, oxbow_mw=0.8))
    made = decide(empty)
    assert made.plan.schedule.height == 48


def test_a_setpoint_beyond_the_ramp_falls_to_the_rule_which_obeys_the_physics() -> None:
    said = {"author": "A. Operator", "at": START, "reason": "test"}
    jump = (
        Edit(column="setpoint_mw", start=START + HOUR, end=START + 2 * HOUR, value=0.8, **said),  # ty: ignore[invalid-argument-type]
        Edit(column="setpoint_mw", start=START + 2 * HOUR, end=START + 3 * HOUR, value=5.0, **said),  # ty: ignore[invalid-argument-type]
    )
    made = decide(case_of(run=RunSettings(edits=jump)))
    assert made.fallback is not None
    assert made.fallback.rung == "rule"
    assert "2026-07-06T09:00:00Z the setpoint fixed at 5 MW" in made.fallback.reason
    assert "lower it by that much" in made.fallback.reason
    assert check_plan(PLANT, made.case.inputs, MIDDLE, made.plan.schedule, apply_rules=True) == []
    assert made.fallback.stale_since is None


def test_contradictory_overrides_leave_the_last_valid_plan_in_force(published: Publisher) -> None:
    def read() -> ReservoirCase:
        said = {"author": "A. Operator", "at": START, "reason": "test", "start": START, "end": START + HOUR}
        both = tuple(Edit(column="mfra_mw", value=value, **said) for value in (10.0, 20.0))  # ty: ignore[invalid-argument-type]
        return case_of(run=RunSettings(edits=both))

    made = decide_on_the_ladder(read, at=LATER, plant=PLANT, previous=last_valid(published, LATER))
    assert made.fallback is not None
    assert made.fallback.rung == "shifted"
    assert "two overrides of mfra_mw contradict each other" in made.fallback.reason


def test_without_any_earlier_plan_the_reason_itself_is_the_answer(tmp_path: Path) -> None:
    assert last_valid(Publisher(tmp_path), START) is None
    with pytest.raises(MissingInputError, match="90 of 96"):
        decide_on_the_ladder(
            lambda: failing(MissingInputError("the plan", {"r4": "90 of 96"})), at=START, plant=PLANT, previous=None
        )
    with pytest.raises(InputError, match="is no level of afterbay"):
        decide(case_of(state=PoolState(elevation_ft=1189.0, oxbow_mw=3.0)))


def test_a_plan_older_than_its_horizon_is_no_longer_carried_on(published: Publisher) -> None:
    assert last_valid(published, START + 96 * HOUR) is None
    assert last_valid(published, datetime(2026, 7, 6, 6, tzinfo=UTC)) is None
