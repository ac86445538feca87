"""The plan: what it chooses, what it reports, and that its published trajectory obeys the physics."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import ConfigError, InfeasibleError, InputError
from domain.hydraulics import storage_af
from domain.plant import PoolState
from domain.reservoir_inputs import read_inputs
from domain.trajectory import simulate
from solvers.reservoir import ReservoirOptions, check_plan, plan_reservoir
from solvers.reservoir.value import TERMS, objective_usd, terms_usd
from tests.reservoir_cases import MIDDLE, afterbay, hours

PLANT = afterbay()
K = 3600.0 / 43560.0


def plan(frame: pl.DataFrame, state: PoolState = MIDDLE, **options: object):  # noqa: ANN201 - a plan
    """Plan, and hold the result against the independent judge before anybody looks at it."""
    made = plan_reservoir(PLANT, frame, state, options=ReservoirOptions(**options))  # ty: ignore[invalid-argument-type]
    rules = bool(options.get("apply_rules", False))
    assert check_plan(PLANT, frame, state, made.schedule, apply_rules=rules) == []
    assert made.report["objective_usd"] == pytest.approx(sum(made.report["terms"][name] for name in TERMS))
    assert made.report["bound_usd"] >= made.report["objective_usd"]
    return made


def contract_objective(frame: pl.DataFrame, schedule: pl.DataFrame, start_mw: float) -> float:
    """Return the objective of the file contract at default weights, from the published columns alone."""
    price, mean, end = (np.array(c) for c in (frame["price_usd_mwh"], schedule["oxbow_mw"], schedule["oxbow_end_mw"]))
    storage, spill = schedule["storage_af"].to_numpy(), schedule["spill_cfs"].to_numpy()
    h = (frame["event_start"][1] - frame["event_start"][0]).total_seconds() / 3600.0
    minimum, low = (float(storage_af(PLANT.storage, level)) for level in (1168.0, 1168.25))
    value = float((price * mean).sum() * h) + float(price.mean()) * 0.0739 * (storage[-1] - minimum)
    value -= 36.0 * float(spill.sum()) * h * K
    value -= 5.0 * float(np.abs(np.diff(end, prepend=start_mw)).sum())
    value -= 2000.0 * float(np.maximum(0.0, low - storage).sum()) * h
    if "raft_target_mw" in frame.columns:
        target = np.minimum(frame["raft_target_mw"].cast(pl.Float64).to_numpy(), schedule["head_cap_mw"].to_numpy())
        value -= 2000.0 * float(np.nansum(np.maximum(0.0, target - mean))) * h
    return value


def test_a_plan_earns_more_when_prices_are_high() -> None:
    made = plan(hours(48, price_usd_mwh=np.tile(np.repeat([10.0, 90.0], 12), 2)))
    mean = made.schedule["oxbow_mw"].to_numpy().reshape(4, 12).mean(axis=1)
    assert min(mean[1], mean[3]) > 1.5 * max(mean[0], mean[2])


def test_the_objective_is_the_contracts_to_the_cent() -> None:
    frame = hours(96)
    made = plan(frame)
    assert made.report["objective_usd"] == pytest.approx(contract_objective(frame, made.schedule, 3.0), abs=1e-6)
    assert made.report["gap"] < 1e-8
    assert made.report["weights"]["water_value_usd_per_af"] == pytest.approx(
        float(frame["price_usd_mwh"].mean()) * 0.0739
    )


def test_rafting_is_delivered_and_costed_as_the_contract_says() -> None:
    target = [5.8 if 9 <= hour % 24 < 12 else None for hour in range(72)]
    frame = hours(72, raft_target_mw=target)
    made = plan(frame, steady_share=0.02)
    assert made.report["objective_usd"] == pytest.approx(contract_objective(frame, made.schedule, 3.0), abs=1e-6)
    # what the head denies is not missing; what the hour's rising pool leaves is next to nothing
    assert made.report["violations"]["raft_shortfall_mwh"] < 0.05
    window = made.schedule[33:36]
    assert (window["head_cap_mw"] - window["oxbow_end_mw"]).max() < 0.02
    assert made.report["gap"] < 0.005


def test_a_target_below_the_head_is_delivered_exactly() -> None:
    frame = hours(48, raft_target_mw=[4.5 if 33 <= hour < 36 else None for hour in range(48)])
    made = plan(frame)
    assert made.report["violations"]["raft_shortfall_mwh"] == pytest.approx(0.0, abs=1e-7)
    assert made.schedule["oxbow_mw"][33] >= 4.5 - 1e-6
    assert made.report["gap"] < 1e-6


def test_a_commitment_earns_its_price_and_the_deviation_the_other() -> None:
    awards = {"oxbow_award_mw": 4.0, "da_price_usd_mwh": 55.0}
    plain, committed = plan(hours(24)), plan(hours(24, **awards))
    # 24 h of 4 MW at 55 less the same at the hour's price; the best output is the same
    price = hours(24)["price_usd_mwh"].to_numpy()
    shift = float((4.0 * (55.0 - price)).sum())
    assert committed.report["objective_usd"] - plain.report["objective_usd"] == pytest.approx(shift, abs=1e-6)
    assert committed.schedule["oxbow_end_mw"].to_list() == pytest.approx(plain.schedule["oxbow_end_mw"].to_list())


def test_a_negative_price_never_spills_below_the_float() -> None:
    frame = hours(48, price_usd_mwh=np.tile(np.repeat([-120.0, 60.0], 12), 2), mfra_mw=60.0)
    made = plan(frame)
    spilled = made.schedule.filter(pl.col("spill_cfs") > 1e-3)
    assert (spilled["elevation_ft"] > 1173.0 - 1e-6).all()
    assert made.schedule["oxbow_mw"][2:11].max() < 1.0


def test_a_start_below_the_band_recovers_and_the_minutes_are_counted() -> None:
    made = plan(hours(24), PoolState(elevation_ft=1167.0, oxbow_mw=2.0))
    level = made.schedule["elevation_ft"].to_numpy()
    assert level[-1] >= 1168.25 - 1e-6
    below = made.report["violations"]["below_minimum_minutes"]
    assert (level < 1168.0).sum() * 60.0 <= below <= ((level < 1168.0).sum() + 1) * 60.0
    assert below > 0.0


def test_a_start_above_the_float_spills_in_the_first_interval() -> None:
    made = plan(hours(6), PoolState(elevation_ft=1174.0, oxbow_mw=3.0))
    assert made.schedule["spill_cfs"][0] > 0.0
    assert made.schedule["elevation_ft"][0] == pytest.approx(1173.0, abs=1e-9)


def test_an_outage_spills_late_not_early() -> None:
    available = np.ones(48, dtype=int)
    available[10:22] = 0
    made = plan(hours(48, oxbow_available=available))
    spilled = made.schedule.filter(pl.col("spill_cfs") > 1e-3)
    assert spilled.height > 0
    assert (spilled["elevation_ft"] > 1173.0 - 1e-6).all()
    assert made.schedule["oxbow_mw"][10:22].to_list() == [0.0] * 12
    assert made.report["gap"] < 1e-4


def test_a_flow_floor_in_an_outage_cannot_be_met_by_spilling_below_the_float() -> None:
    available = np.ones(36, dtype=int)
    available[6:12] = 0
    made = plan(hours(36, oxbow_available=available, minimum_flow_cfs=300.0, mfra_mw=40.0))
    assert made.report["violations"]["minimum_flow_cfs_h"] > 0.0
    assert made.report["gap"] < 1e-3


def test_quarter_hours_plan_like_hours_and_ramp_a_quarter() -> None:
    made = plan(hours(96, step_h=0.25))
    assert np.abs(np.diff(made.schedule["oxbow_end_mw"].to_numpy(), prepend=3.0)).max() <= 0.63 + 1e-6


def test_a_dear_ramp_moves_less() -> None:
    moved = [
        float(np.abs(np.diff(plan(hours(48), settings={"ramp_usd_per_mw": cost}).schedule["oxbow_end_mw"])).sum())
        for cost in (0.0, 5.0, 100.0)
    ]
    assert moved[0] > moved[1] > moved[2]


def test_night_moves_can_cost_more_than_day_moves() -> None:
    made = plan(hours(48), settings={"ramp_night_usd_per_mw": 500.0})
    night = read_inputs(PLANT, hours(48)).night
    moves = np.abs(np.diff(made.schedule["oxbow_end_mw"].to_numpy(), prepend=3.0))
    assert moves[night].sum() < 0.5 * moves[~night].sum()


def test_counted_changes_make_fewer_of_them() -> None:
    free, counted = plan(hours(18)), plan(hours(18), settings={"setpoint_change_usd": 60.0})
    changes = [
        int((np.abs(np.diff(m.schedule["oxbow_end_mw"].to_numpy(), prepend=3.0)) > 1e-6).sum()) for m in (free, counted)
    ]
    assert changes[1] < changes[0]
    assert counted.report["terms"]["setpoint_change_usd"] == pytest.approx(-60.0 * changes[1])


def test_a_plan_can_stay_close_to_the_published_one() -> None:
    published = tuple(float(v) for v in np.full(24, 2.0))
    made = plan(hours(24), published_mw=published, settings={"stay_usd_per_mw": 1000.0})
    assert made.schedule["oxbow_end_mw"].to_list() == pytest.approx([2.0] * 24, abs=1e-6)


def test_fixed_setpoints_are_kept_and_the_rest_is_planned_around_them() -> None:
    made = plan(hours(24), fixed_mw={5: 1.25, 6: 1.25})
    assert made.schedule["setpoint_mw"][5:7].to_list() == pytest.approx([1.25, 1.25])


def test_the_dated_rules_apply_only_when_asked() -> None:
    frame = hours(48)
    without, with_them = plan(frame), plan(frame, apply_rules=True, steady_share=0.02)
    assert "rafting" not in " ".join(without.schedule["binding"])
    # Tuesday 7 July, 9 to 12 local: intervals 33 to 35
    assert all("rafting" in text or "head" in text for text in with_them.schedule["binding"][33:36])


def test_equal_inputs_give_equal_plans() -> None:
    first, second = plan(hours(48)), plan(hours(48))
    assert first.schedule.equals(second.schedule)


def test_setpoint_changes_come_late_enough_and_early_enough() -> None:
    made = plan(hours(48))
    rows = made.schedule.with_columns(before=pl.col("oxbow_end_mw").shift(1, fill_value=3.0))
    told = rows.filter(pl.col("setpoint_change_at").is_not_null())
    assert told.height > 0
    for row in told.iter_rows(named=True):
        left_h = (row["event_start"] - row["setpoint_change_at"]).total_seconds() / 3600.0 + 1.0
        needed_h = abs(row["oxbow_end_mw"] - row["before"]) / 2.52
        assert needed_h <= left_h + 1e-6
        assert left_h <= needed_h + 1.0 / 3600.0 + 1e-6 or row["setpoint_change_at"] == row["event_start"]


def test_the_plan_explains_itself_with_what_easing_a_limit_is_worth() -> None:
    target = [5.8 if 9 <= hour % 24 < 12 else None for hour in range(48)]
    told = plan(hours(48, raft_target_mw=target)).report["explain"]
    assert told[0].startswith("one more acre-foot in the pool at Mon 00:00 is worth $")
    assert any("limited by head; one more foot is worth $" in line for line in told)


def test_a_shadow_price_is_what_the_limit_is_really_worth() -> None:
    frame = hours(48, mfra_mw=120.0)
    made = plan(frame, explain=True)
    opening = float(made.report["explain"][0].split("$")[1].split(" ")[0].replace(",", ""))
    # half an acre-foot more at the start is half a hundredth of a foot
    richer = PoolState(elevation_ft=1170.0 + 0.05 / 73.045, oxbow_mw=3.0)
    gained = (plan(frame, richer).report["objective_usd"] - made.report["objective_usd"]) / 0.05
    assert gained == pytest.approx(opening, abs=0.02)


def test_contradicting_setpoints_are_named_with_the_hour_and_the_way_out() -> None:
    with pytest.raises(InfeasibleError, match=r"2026-07-06T11:00:00Z the setpoint fixed at 5 MW is 1.68 MW more than"):
        plan_reservoir(PLANT, hours(24), MIDDLE, options=ReservoirOptions(fixed_mw={3: 0.8, 4: 5.0, 5: 0.8}))


def test_a_pool_that_must_run_dry_is_named() -> None:
    dry = hours(240, mfra_mw=0.0, r30_flow_cfs=0.0, r20_flow_cfs=0.0, r26_flow_cfs=300.0, r4_flow_cfs=27.0)
    with pytest.raises(InfeasibleError, match="below the end of its storage curve: take the unit out"):
        plan_reservoir(PLANT, dry, MIDDLE)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"settings": {"ramp": 1}}, ConfigError, "unknown setting"),
        ({"fixed_mw": {99: 1.0}}, InputError, "fixed for interval 99; the plan has 0 to 5"),
        ({"fixed_mw": {1: 7.0}}, InputError, "outside 0 to 5.8 MW"),
        ({"published_mw": (1.0,)}, InputError, "1 setpoints for 6 intervals"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        plan_reservoir(PLANT, hours(6), MIDDLE, options=ReservoirOptions(**options))  # ty: ignore[invalid-argument-type]


def test_an_unknown_optimizer_is_refused() -> None:
    with pytest.raises(InputError, match="choose from lp, stochastic, rule"):
        plan_reservoir(PLANT, hours(6), MIDDLE, optimizer="magic")  # ty: ignore[invalid-argument-type]


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_whatever_comes_the_published_trajectory_obeys_the_physics(data: st.DataObject) -> None:
    count = data.draw(st.sampled_from([6, 12, 30]), label="intervals")
    step = data.draw(st.sampled_from([1.0, 0.25]), label="step")

    def series(low: float, high: float) -> list[float]:
        return data.draw(st.lists(st.floats(low, high), min_size=count, max_size=count))

    frame = hours(
        count,
        step_h=step,
        price_usd_mwh=series(-150.0, 900.0),
        mfra_mw=series(0.0, 210.0),
        r4_flow_cfs=series(20.0, 900.0),
        float_ft=series(1171.0, 1174.5),
        ccs_mode=data.draw(st.lists(st.sampled_from(["GEN", "SPILL"]), min_size=count, max_size=count)),
        oxbow_available=data.draw(st.lists(st.sampled_from([1, 1, 1, 0]), min_size=count, max_size=count)),
        raft_target_mw=data.draw(st.lists(st.sampled_from([None, 4.0, 5.8]), min_size=count, max_size=count)),
        minimum_flow_cfs=data.draw(st.lists(st.sampled_from([None, 300.0]), min_size=count, max_size=count)),
    ).with_columns(pl.col("raft_target_mw", "minimum_flow_cfs").cast(pl.Float64))
    state = PoolState(elevation_ft=data.draw(st.floats(1166.0, 1175.0)), oxbow_mw=data.draw(st.floats(0.0, 5.8)))
    made = plan(frame, state)
    again = simulate(PLANT, made.inputs, made.schedule["setpoint_mw"].to_numpy(), state)
    assert again.storage_af == pytest.approx(made.schedule["storage_af"].to_numpy(), abs=1e-6)
    assert float(objective_usd(terms_usd(PLANT, made.inputs, again))) == pytest.approx(
        made.report["objective_usd"], abs=1e-3, rel=1e-9
    )
