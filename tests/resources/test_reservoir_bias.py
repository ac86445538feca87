"""The bias of a decision: read part by part, added once, replaced by operators part by part."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.beliefs import Cutoffs, Mode
from domain.errors import InputError
from resources.reservoir_bias import unbroken
from resources.reservoir_decisions import ReservoirCase, RunSettings, decide_reservoir, reservoir_case
from resources.reservoir_readings import read_record
from solvers.reservoir.overrides import Edit, apply_edits
from tests.reservoir_lake import HOUR, World

NOW = datetime(2026, 7, 14, 7, tzinfo=UTC)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A lake whose forecasts of ours, one an hour through the last day, run 5 % high: R30 189 cfs instead of 180."""
    found = World(tmp_path_factory.mktemp("world"), NOW)
    for hour in range(-26, 1):
        found.forecast(NOW + hour * HOUR, hours_ahead=97)
    return found


def case_of(world: World, run: RunSettings | None = None) -> ReservoirCase:
    cutoffs = Cutoffs(at=NOW, mode=Mode.PUBLISHED, recorded_before=world.lake.pin())
    return reservoir_case(world.lake, world.reader, world.plant.plant, cutoffs, run)


def edit(column: str, value: float, first: int = 0, last: int = 4) -> Edit:
    span = {"start": NOW + HOUR * first, "end": NOW + HOUR * last, "at": NOW}
    return Edit(column=column, value=value, author="A. Operator", reason="gauge washed out", **span)


def test_each_part_is_told_with_its_hours_and_only_the_balance_is_added(world: World) -> None:
    found = case_of(world)
    assert found.provenance["bias_r30_cfs"] == "-9.0 cfs from 24 measured hours, shown, not added"
    assert found.provenance["bias_dispatch_cfs"].startswith("0 cfs: 0 h with an expectation an hour or so ahead")
    assert found.provenance["bias_cfs"].endswith("cfs from 24 measured hours, halves every 12 h")
    parts = found.inputs.select("bias_r4_cfs", "bias_r30_cfs", "bias_r20_cfs", "bias_dispatch_cfs")
    assert parts.sum_horizontal().to_list() == [0.0] * 96
    assert found.inputs["bias_cfs"].to_list() == found.inputs["bias_balance_cfs"].to_list()


def test_a_share_adds_a_part_and_its_half_life_fades_it_for_this_run_alone(world: World) -> None:
    settings = {"bias.r30_share": "1", "bias.r30_half_life_h": "6", "bias.balance_half_life_h": "24"}
    plain, found = case_of(world), case_of(world, RunSettings(settings=settings))
    balance = plain.inputs["bias_cfs"].to_numpy()
    assert found.inputs["bias_cfs"][0] == pytest.approx(balance[0] - 9.0, abs=1e-6)
    assert found.inputs["bias_r30_cfs"][6] == pytest.approx(-4.5)
    assert found.inputs["bias_balance_cfs"][24] == pytest.approx(balance[0] / 2.0)
    assert found.provenance["bias_cfs"].endswith("and what was expected wrongly of r30")


def test_an_operator_replaces_one_part_hour_by_hour_and_is_named(world: World) -> None:
    plain = case_of(world)
    found = case_of(world, RunSettings(edits=(edit("bias_r30_cfs", -25.0),)))
    changed = (found.inputs["bias_cfs"] - plain.inputs["bias_cfs"]).to_list()
    assert changed == pytest.approx([-25.0] * 4 + [0.0] * 92)
    assert found.hourly["bias_r30_cfs"][0].startswith("override, A. Operator")
    assert decide_reservoir(found).status == "optimal"


def test_what_an_operator_says_of_a_river_is_not_corrected_by_its_part(world: World) -> None:
    run = RunSettings(settings={"bias.r30_share": "1"}, edits=(edit("r30_flow_cfs", 400.0),))
    found = case_of(world, run)
    assert found.inputs["bias_r30_cfs"].to_list()[:4] == [0.0] * 4
    assert found.inputs["bias_r30_cfs"][4] < 0.0


def test_a_gauge_that_plans_hold_can_be_set_by_hand_in_every_future(world: World) -> None:
    found = case_of(world, RunSettings(edits=(edit("r20_flow_cfs", 60.0),)))
    assert found.inputs["r20_flow_cfs"].to_list()[:4] == [60.0] * 4
    assert found.futures(8) is not None


def test_the_whole_bias_and_a_part_of_it_contradict_each_other() -> None:
    with pytest.raises(InputError, match="two overrides of bias_cfs and bias_r4_cfs contradict each other"):
        RunSettings(edits=(edit("bias_cfs", 10.0), edit("bias_r4_cfs", 5.0, 3, 6)))
    RunSettings(edits=(edit("bias_cfs", 10.0), edit("bias_r4_cfs", 5.0, 4, 6)))


def test_a_what_if_replaces_a_part_of_the_plans_own_bias(world: World) -> None:
    case = case_of(world)
    base = decide_reservoir(case)
    made = apply_edits(
        case.plant, case.inputs, case.state, base, [edit("bias_dispatch_cfs", 40.0)], mode="recompute",
        options=case.options,
    )  # fmt: skip
    gained = made.plan.schedule["inflow_cfs"] - base.schedule["inflow_cfs"]
    assert gained.to_list() == pytest.approx([40.0] * 4 + [0.0] * 92)


def test_a_record_with_gaps_falls_into_unbroken_stretches(tmp_path: Path) -> None:
    world = World(tmp_path, NOW - 40 * HOUR)
    world.measure(NOW - 30 * HOUR, NOW)  # ten hours, and what carries over them, are missing
    record, _ = read_record(world.reader, start=NOW - 60 * HOUR, end=NOW, cutoffs=Cutoffs(at=NOW, mode=Mode.PUBLISHED))
    stretches = list(unbroken(record))
    # whole hours end with a level: the hour before the gap and the one under way have none
    assert [stretch.height for stretch, _ in stretches] == [19, 29]
    first, level_ft = stretches[1]
    assert first["event_start"][0] == NOW - 30 * HOUR
    assert level_ft == record.filter(record["event_start"] == first["event_start"][0])["level"][0]
