"""From the lake to a plan: what a decision reads, what replaces what is missing, what it says of itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from domain.beliefs import Cutoffs, Mode
from domain.errors import InputError, MissingInputError
from resources.reservoir_decisions import (
    ReservoirCase,
    RunSettings,
    decide_reservoir,
    hindsight_case,
    margins_frame,
    published_schedule,
    reservoir_case,
)
from solvers.reservoir.overrides import Edit
from tests.reservoir_lake import HOUR, World

NOW = datetime(2026, 7, 14, 7, tzinfo=UTC)  # Tuesday midnight at the plant: rafting from 09:00 local


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    found = World(tmp_path_factory.mktemp("world"), NOW)
    found.forecast(NOW)
    return found


@pytest.fixture(scope="module")
def case(world: World) -> ReservoirCase:
    return case_of(world)


def case_of(world: World, run: RunSettings | None = None, at: datetime = NOW) -> ReservoirCase:
    cutoffs = Cutoffs(at=at, mode=Mode.PUBLISHED, recorded_before=world.lake.pin())
    return reservoir_case(world.lake, world.reader, world.plant.plant, cutoffs, run)


def edit(column: str, first: int, last: int, value: float, author: str = "A. Operator") -> Edit:
    return Edit(
        column=column,
        start=NOW + HOUR * first,
        end=NOW + HOUR * last,
        value=value,
        author=author,
        at=NOW,
        reason="test",
    )


def test_a_decision_begins_where_pool_and_unit_stand_and_covers_four_days(world: World, case: ReservoirCase) -> None:
    now = world.truth.filter(pl.col("event_start") == NOW - HOUR).row(0, named=True)
    assert case.state.elevation_ft == now["level"]  # the sample of 00:00 is known when measured, that of 23:00 is last
    assert case.inputs.height == 96
    assert case.inputs["event_start"][0] == NOW


def test_the_same_lake_gives_the_same_plan_to_the_last_bit(world: World, case: ReservoirCase) -> None:
    again = case_of(world)
    assert again.fingerprint == case.fingerprint
    first, second = (published_schedule(one, decide_reservoir(one)) for one in (case, again))
    assert first.equals(second, null_equal=True)


def test_the_bias_is_what_the_balance_missed_and_fades_by_half_in_twelve_hours(case: ReservoirCase) -> None:
    # The world is made by our own balance, so nothing is missed: the record itself is the hand calculation.
    assert case.provenance["bias_cfs"].endswith("measured hours, halves every 12 h")
    path = case.inputs["bias_cfs"].to_numpy()
    assert abs(path[0]) < 3.0  # what hourly samples of a ramping unit leave
    assert path[12] == pytest.approx(path[0] / 2.0)


def test_awards_come_first_then_habit_hour_by_hour_and_the_manifest_counts_them(tmp_path: Path) -> None:
    world = World(tmp_path, NOW)
    world.forecast(NOW)
    world.award(NOW, 24, 77.0)
    found = case_of(world)
    assert found.provenance["mfra_mw"].startswith("award 24 h, blend 23 h, habit hour 49 h")
    where = found.hourly["mfra_mw"].to_list()
    assert where[0].startswith("award")
    assert where[30].startswith("blend 0.71 award")
    # 77 MW awarded; what is measured above it now fades, so the last awarded hours are the award itself
    assert found.inputs["mfra_mw"][23] == pytest.approx(77.0, abs=2.0)


def test_our_own_commitment_enters_the_revenue_where_award_and_price_are_known(tmp_path: Path) -> None:
    world = World(tmp_path, NOW)
    world.forecast(NOW)
    world.award(NOW, 24, 4.0, resource="OXBOW_6_DRUM")
    assert "oxbow_award_mw" not in case_of(world).inputs.columns  # no price of the commitment is known
    prices = world.truth.filter(pl.col("event_start") >= NOW).head(24)
    day_ahead = prices.select(
        series_id=pl.lit("caiso:lmp_da:RALSTON_7_B1:LMP"), event_start="event_start",
        event_end=pl.col("event_start") + HOUR, belief_time=pl.lit(NOW - 10 * HOUR),
        value=pl.col("price_usd_mwh"), unit=pl.lit("USD/MWh"), source=pl.lit("caiso"),
    )  # fmt: skip
    world.lake.append(day_ahead, run_id="test", product="da")
    found = case_of(world)
    assert found.inputs["oxbow_award_mw"].to_list() == [4.0] * 24 + [0.0] * 72
    plan = decide_reservoir(found)
    # (award x day-ahead) + (mean - award) x real time, hour by hour, by hand
    mean, real = plan.schedule["oxbow_mw"].to_numpy(), found.inputs["price_usd_mwh"].to_numpy()
    award, ahead = found.inputs["oxbow_award_mw"].to_numpy(), found.inputs["da_price_usd_mwh"].to_numpy()
    assert plan.report["terms"]["revenue_usd"] == pytest.approx(float((award * ahead + (mean - award) * real).sum()))


def test_every_input_that_is_missing_is_named_with_its_hour_and_remedy(tmp_path: Path) -> None:
    world = World(tmp_path, NOW)
    world.forecast(NOW, hours_ahead=90)
    with pytest.raises(MissingInputError) as caught:
        case_of(world)
    assert set(caught.value.reasons) == {"r4.flow.cfs", "r30.flow.cfs", "oxbow.price.usd_mwh"}
    # 90 hours from 14 July 07:00 reach 18 July 01:00
    assert (
        "90 of 96 hours, the first missing is 2026-07-18T01:00:00Z; materialize" in caught.value.reasons["r4.flow.cfs"]
    )


def test_stale_gauges_and_an_unknown_control_mode_are_refused_by_name(tmp_path: Path) -> None:
    world = World(tmp_path, NOW)
    world.forecast(NOW + 12 * HOUR)
    with pytest.raises(MissingInputError) as caught:
        case_of(world, at=NOW + 12 * HOUR)
    assert "more than 6:00:00 before" in caught.value.reasons["r20.flow.cfs"]
    world.forecast(NOW)
    odd = pl.DataFrame(
        {
            "series_id": "pi:OPS/Additions for PI Vision|CCS Mode:interp1h", "event_start": [NOW], "event_end": [NOW],
            "belief_time": [NOW], "value": 0.5, "unit": "1", "source": "pi",
        }
    )  # fmt: skip
    world.lake.append(odd, run_id="test", product="odd")
    with pytest.raises(MissingInputError, match=r"mode 0.5 is unknown .*; 0 is GEN, 1 is SPILL"):
        case_of(world)


def test_dated_rules_bind_the_plan_rafting_is_delivered_in_its_window(case: ReservoirCase) -> None:
    plan = decide_reservoir(case)
    # Below Normal, main season, a Tuesday: 09:00 to 12:00 local is 16:00Z to 19:00Z
    window = plan.schedule.filter(pl.col("event_start").is_between(NOW + 9 * HOUR, NOW + 11 * HOUR))
    assert window["oxbow_mw"].min() == pytest.approx(window["head_cap_mw"].min(), abs=0.15)
    assert plan.inputs.raft_target_mw[9:12].tolist() == [5.8] * 3
    assert np.nanmax(plan.inputs.minimum_flow_cfs) == 150.0


def test_margins_against_the_futures_keep_the_plan_off_both_ends_of_the_band(case: ReservoirCase) -> None:
    kept = margins_frame(case)
    assert kept["low_margin_af"].max() > 5.0
    hindsight = replace(case, uncertainty=None)
    with_margins, without = (decide_reservoir(one).schedule["elevation_ft"].min() for one in (case, hindsight))
    assert with_margins > without  # ty: ignore[unsupported-operator]


def test_bands_hold_the_planned_level_between_them(case: ReservoirCase) -> None:
    schedule = decide_reservoir(case).schedule
    assert (schedule["elevation_p10_ft"] <= schedule["elevation_p50_ft"]).all()
    assert (schedule["elevation_p50_ft"] <= schedule["elevation_p90_ft"]).all()
    assert (schedule["elevation_p90_ft"] - schedule["elevation_p10_ft"]).tail(48).min() > 0.05  # ty: ignore[unsupported-operator]


def test_a_stochastic_plan_and_the_rule_are_one_setting_away(world: World) -> None:
    for optimizer in ("stochastic", "rule"):
        plan = decide_reservoir(case_of(world, RunSettings(optimizer=optimizer)))
        assert plan.report["optimizer"] == optimizer


def test_an_operators_value_replaces_the_forecast_and_no_future_leaves_it(world: World) -> None:
    said = (edit("mfra_mw", 3, 6, 150.0), edit("bias_cfs", 0, 4, -50.0), edit("setpoint_mw", 20, 22, 2.0))
    found = case_of(world, RunSettings(edits=said))
    assert found.inputs["mfra_mw"].to_list()[3:6] == [150.0] * 3
    assert found.inputs["bias_cfs"].to_list()[:4] == [-50.0] * 4
    assert found.hourly["mfra_mw"][4].startswith("override, A. Operator")
    futures = found.futures(20)
    assert futures is not None
    assert np.ptp(futures["mfra_mw"][:, 4]) == 0.0
    assert np.ptp(futures["mfra_mw"][:, 8]) > 0.0
    plan = decide_reservoir(found)
    assert plan.schedule["setpoint_mw"].to_list()[20:22] == pytest.approx([2.0, 2.0])


def test_what_one_run_chooses_reaches_no_other(world: World, case: ReservoirCase) -> None:
    before = decide_reservoir(case).schedule
    dear = RunSettings(settings={"ramp_usd_per_mw": "400", "pool.minimum_ft": "1169"})
    changed = decide_reservoir(case_of(world, dear)).schedule
    assert not changed.equals(before)
    assert decide_reservoir(case_of(world)).schedule.equals(before)
    assert world.plant.plant.weights.ramp_usd_per_mw == 5.0


def test_settings_come_back_from_a_manifest_as_they_went_in() -> None:
    run = RunSettings(
        optimizer="rule", source="cnrfc", parameter_set="calm@2", settings={"ramp_usd_per_mw": "9"},
        edits=(edit("mfra_mw", 3, 6, 150.0),),
    )  # fmt: skip
    assert RunSettings.from_record(run.record()) == run


def test_contradictory_overrides_and_unknown_choices_are_refused_in_words() -> None:
    with pytest.raises(
        InputError, match=r"mfra_mw contradict .*2026-07-14T11:00:00Z to .*12:00:00Z: 10 .*20 .*withdraw"
    ):
        RunSettings(edits=(edit("mfra_mw", 0, 5, 10.0), edit("mfra_mw", 4, 9, 20.0, author="B. Operator")))
    with pytest.raises(InputError, match="optimizer 'best' is unknown; choose from lp, stochastic, rule"):
        RunSettings(optimizer="best")  # ty: ignore[invalid-argument-type]
    with pytest.raises(InputError, match="source 'moon' is unknown"):
        RunSettings(source="moon")


def test_hindsight_plans_on_what_came_and_is_worth_no_less_than_any_plan_walked_through_it(world: World) -> None:
    world.measure(NOW, NOW + 48 * HOUR)
    known = Cutoffs(at=NOW + 40 * HOUR, mode=Mode.PUBLISHED)
    case = hindsight_case(world.reader, world.plant.plant, NOW, known=known, until=NOW + 24 * HOUR)
    assert case.inputs.height == 24
    assert case.inputs["r30_flow_cfs"].to_list() == [180.0] * 24
    plan = decide_reservoir(case)
    assert plan.report["gap"] < 1e-3
    with pytest.raises(MissingInputError, match="no hour has passed"):
        hindsight_case(world.reader, world.plant.plant, NOW + 40 * HOUR, known=known)


def test_members_of_an_ensemble_lend_their_course_in_time(tmp_path: Path) -> None:
    world = World(tmp_path, NOW)
    world.forecast(NOW)
    start = [NOW + HOUR * hour for hour in range(100)]
    for series_id in ("cnrfc:flow:MFPC1", "cnrfc:flow:RUFC1"):
        # ten members that never cross: the first is the driest in every hour
        parts = [
            pl.DataFrame({"event_start": start, "value": [10.0 + member] * 100}).with_columns(
                series_id=pl.lit(series_id), event_end=pl.col("event_start") + HOUR, belief_time=pl.lit(NOW - 6 * HOUR),
                unit=pl.lit("cfs"), source=pl.lit("cnrfc"), scenario=pl.lit(f"member:{member}"),
                member=pl.lit(member, pl.Int32),
            )
            for member in range(1, 11)
        ]  # fmt: skip
        world.lake.append(pl.concat(parts), run_id="test", product="hefs")
    found = case_of(world)
    assert found.provenance["futures"] == f"10 members issued {(NOW - 6 * HOUR):%Y-%m-%dT%H:%M:%SZ}"
    futures = found.futures(10)
    assert futures is not None
    rank = np.argsort(np.argsort(futures["r30_flow_cfs"], axis=0), axis=0)
    assert (rank == rank[:, :1]).all()  # a path keeps its rank through all hours, as the members do


def test_nothing_measured_for_hours_leaves_the_bias_at_zero_and_says_why(tmp_path: Path) -> None:
    world = World(tmp_path, NOW)
    late = NOW + timedelta(hours=5)
    world.forecast(late)
    rows = world.truth.filter(pl.col("event_start") == late - HOUR)
    samples = [
        ("pi:OPS/Reservoirs/Afterbay|Elevation:interp1h", rows["level"][0], "ft"),
        ("pi:OPS/Generation Units/Oxbow|Power:interp1h", rows["oxbow_now"][0], "MW"),
    ]
    frame = pl.DataFrame(
        [(name, late - HOUR, late - HOUR, late - HOUR, value, unit, "pi") for name, value, unit in samples],
        schema=["series_id", "event_start", "event_end", "belief_time", "value", "unit", "source"], orient="row",
    )  # fmt: skip
    world.lake.append(frame, run_id="test", product="samples")
    found = case_of(world, at=late)
    assert found.provenance["bias_cfs"] == "0 cfs: no complete measured hour in the last 3"
    assert found.inputs["bias_cfs"].to_list() == [0.0] * 96
