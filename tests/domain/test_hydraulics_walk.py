"""The walk through time: what setpoints do to the pool."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InputError
from domain.hydraulics import head_cap_mw, storage_af
from domain.plant import PoolState
from domain.ramping import late_ramp_mean_mw, latest_start, ramp_minutes, setpoint_changes
from domain.reservoir_inputs import read_inputs, read_scenarios
from domain.trajectory import pick, simulate
from resources.plant_files import load_plant
from tests.reservoir_cases import MIDDLE, PLANTS, START, afterbay, futures, hostile, hours

PLANT = afterbay()
K = 3600.0 / 43560.0


def walk(frame: pl.DataFrame, setpoints: list[float], state: PoolState = MIDDLE):  # noqa: ANN201 - a trajectory
    return simulate(PLANT, read_inputs(PLANT, frame), np.array(setpoints), state)


def test_one_hour_by_hand() -> None:
    # From 3.0 to 4.0 MW: mean 3.5, draw 163.73 * 3.5 + 83 = 656.055 cfs; the rest of the inflow stays.
    frame = hours(1)
    inflow = float(read_inputs(PLANT, frame).inflow_cfs[0])
    done = walk(frame, [4.0])
    assert float(done.mean_mw[0]) == 3.5
    assert float(done.unit_cfs[0]) == pytest.approx(656.055)
    assert float(done.storage_af[0]) == pytest.approx(2074.26767 + K * (inflow - 656.055), abs=1e-5)


def test_the_ramp_holds_between_interval_ends() -> None:
    assert walk(
        hours(3), [5.0, 5.0, 0.8], PoolState(elevation_ft=1172.0, oxbow_mw=0.8)
    ).end_mw.tolist() == pytest.approx(
        [3.32, 5.0, 2.48]  # + 2.52 an hour up to 5.0, - 2.52 an hour down
    )


def test_the_head_cap_is_met_exactly_at_the_level_it_leaves() -> None:
    done = walk(hours(24), [5.8] * 24)
    at_cap = done.end_mw >= 4.9
    assert at_cap.sum() > 10
    assert done.end_mw[at_cap] == pytest.approx(head_cap_mw(PLANT.unit, done.elevation_ft[at_cap]), abs=1e-10)


def test_the_old_clamp_that_mixed_feet_and_acre_feet_is_not_ours() -> None:
    # 4.0 MW asked at 1170 ft with little water: the true cap is above 5, so 4.0 is given (the old rule gave 2.4).
    assert float(walk(hours(1, mfra_mw=0.0), [4.0]).end_mw[0]) == 4.0


def test_surplus_above_the_float_is_spilled_and_the_pool_stands_there() -> None:
    done = walk(hours(24, mfra_mw=200.0), [0.8] * 24)
    spilling = done.spill_cfs > 0
    assert spilling.sum() > 12
    assert done.storage_af[spilling] == pytest.approx(float(storage_af(PLANT.storage, 1173.0)), abs=1e-9)


def test_a_falling_float_forces_spill() -> None:
    done = walk(hours(2, float_ft=np.array([1173.0, 1171.0])), [0.8, 0.8], PoolState(elevation_ft=1172.9, oxbow_mw=0.8))
    assert float(done.elevation_ft[1]) == pytest.approx(1171.0, abs=1e-9)
    # 1.9 ft of about 75 acres is some 143 af, 1,700 cfs for an hour, plus what flowed in
    assert float(done.spill_cfs[1]) > 1700.0


def test_an_outage_stops_water_and_power_at_once_and_the_return_starts_at_the_minimum() -> None:
    available = np.array([1, 0, 0, 1])
    done = walk(hours(4, step_h=0.25, oxbow_available=available), [3.0, 3.0, 3.0, 3.0])
    assert done.end_mw.tolist() == pytest.approx([3.0, 0.0, 0.0, 0.8])
    assert done.unit_cfs[1:3].tolist() == [0.0, 0.0]
    assert done.mean_mw.tolist() == pytest.approx([3.0, 0.0, 0.0, 0.4])


def test_the_pool_refills_in_an_outage_as_fast_as_water_comes() -> None:
    # Oxbow off, 1170 to 1173 ft is 224.8 af: 13.6 h at 200 cfs, 3.9 h at 700 cfs.
    for flow, wanted in ((200.0, 13.6), (700.0, 3.9)):
        dry = {"mfra_mw": 0.0, "r4_flow_cfs": 27.0, "r20_flow_cfs": 0.0, "r26_flow_cfs": 0.0}
        frame = hours(16, **dry, r30_flow_cfs=flow - 18.54, oxbow_available=0, float_ft=1176.0)
        done = walk(frame, [0.0] * 16)
        filled = np.interp(1173.0, np.concatenate([[1170.0], done.elevation_ft]), np.arange(17))
        assert float(filled) == pytest.approx(wanted, abs=0.1)


def test_a_leak_drains_the_band_as_worked_out() -> None:
    # 368.4 af at a net loss of 24 cfs (1.98 af/h) lasts 186 h, at 49 cfs 91 h, at 99 cfs 45 h.
    for r26, wanted in ((25.0, 186.0), (50.0, 91.0), (100.0, 45.0)):
        natural = 213.984 + 1.0 - 18.54
        frame = hours(
            200,
            mfra_mw=0.0,
            r4_flow_cfs=27.0,
            r20_flow_cfs=0.0,
            r26_flow_cfs=r26,
            r30_flow_cfs=natural,
            float_ft=1173.0,
        )
        done = walk(frame, [0.8] * 200, PoolState(elevation_ft=1173.0, oxbow_mw=0.8))
        assert float(np.argmax(done.elevation_ft < 1168.0)) == pytest.approx(wanted, abs=2.0)


def test_an_output_above_the_head_falls_to_it_faster_than_the_ramp() -> None:
    done = walk(hours(1, step_h=1.0, mfra_mw=0.0), [5.8], PoolState(elevation_ft=1140.0, oxbow_mw=5.8))
    assert float(done.end_mw[0]) == pytest.approx(float(done.head_cap_mw[0]), abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(0.0, 7.0), min_size=12, max_size=12),
    st.floats(1160.0, 1176.0),
    st.floats(0.8, 5.8),
    st.sampled_from([0.0, 40.0, 120.0, 210.0]),
)
def test_no_setpoint_makes_water_or_breaks_a_limit(asked: list[float], level: float, power: float, mfra: float) -> None:
    inputs = read_inputs(PLANT, hours(12, mfra_mw=mfra))
    done = simulate(PLANT, inputs, np.array(asked), PoolState(elevation_ft=level, oxbow_mw=power))
    before = np.concatenate([[done.start_storage_af], done.storage_af[:-1]])
    gained = K * (done.inflow_cfs - done.unit_cfs - done.spill_cfs)
    assert done.storage_af == pytest.approx(before + gained, abs=1e-8)
    assert (done.end_mw <= done.head_cap_mw + 1e-9).all()
    assert (done.elevation_ft <= 1173.0 + 1e-9).all()
    assert (done.spill_cfs >= 0.0).all()
    assert (np.diff(done.end_mw) <= 2.52 + 1e-9).all()


def test_walking_many_scenarios_gives_each_the_walk_it_has_alone() -> None:
    frame = hours(24)
    base = read_inputs(PLANT, frame)
    many, probability = read_scenarios(PLANT, futures(frame, 5), base)
    asked = np.linspace(1.0, 5.5, 24)
    together = simulate(PLANT, many, asked, MIDDLE)
    assert probability.tolist() == pytest.approx([0.2] * 5)
    for index in range(5):
        alone = simulate(PLANT, many.scenario(index), asked, MIDDLE)
        assert pick(together, index).storage_af.tolist() == alone.storage_af.tolist()
        assert pick(together, index).end_mw.tolist() == alone.end_mw.tolist()


@pytest.mark.parametrize("file", ["afterbay.toml", "headpond.toml"])
def test_the_walk_in_plain_numbers_is_the_walk_in_arrays_to_the_bit(file: str) -> None:
    plant = load_plant(PLANTS / file)
    middle_ft, usual_ft = plant.pool.minimum_ft + 2.0, plant.pool.usual_float_ft
    for seed in range(20):
        frame, _, _ = hostile(seed)
        inputs = read_inputs(plant, frame.with_columns(float_ft=pl.lit(usual_ft)))
        random = np.random.default_rng(seed)
        asked = random.uniform(-1.0, plant.unit.maximum_mw + 1.0, inputs.intervals)
        state = PoolState(elevation_ft=middle_ft, oxbow_mw=float(random.choice([0.0, plant.unit.maximum_mw])))
        alone = simulate(plant, inputs, asked, state, guarded=False)
        twice = simulate(plant, inputs, np.stack([asked, asked]), state, guarded=False)
        for name in ("mean_mw", "end_mw", "storage_af", "elevation_ft", "spill_cfs", "unit_cfs", "inflow_cfs"):
            assert getattr(alone, name).tolist() == getattr(twice, name)[1].tolist()


def test_minutes_and_hours_agree_when_the_output_stands_still() -> None:
    # With a constant output nothing depends on the step.
    coarse = walk(hours(2, mfra_mw=90.0, r4_flow_cfs=60.0), [3.0, 3.0])
    fine = walk(hours(120, step_h=1.0 / 60.0, mfra_mw=90.0, r4_flow_cfs=60.0), [3.0] * 120)
    assert float(fine.storage_af[-1]) == pytest.approx(float(coarse.storage_af[-1]), abs=1e-8)


def test_setpoints_that_empty_the_pool_are_refused_with_the_hour() -> None:
    with pytest.raises(InputError, match=r"drain the pool below 1121 ft by 2026-07-"):
        walk(hours(200, mfra_mw=0.0, r30_flow_cfs=0.0, r20_flow_cfs=0.0, r4_flow_cfs=27.0), [5.8] * 200)


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (PoolState(elevation_ft=1100.0, oxbow_mw=3.0), "elevation_ft 1100 is no level"),
        (PoolState(elevation_ft=float("nan"), oxbow_mw=3.0), "elevation_ft nan"),
        (PoolState(elevation_ft=1170.0, oxbow_mw=-1.0), "oxbow_mw -1 is no output"),
    ],
)
def test_an_impossible_state_is_refused(state: PoolState, text: str) -> None:
    with pytest.raises(InputError, match=text):
        walk(hours(2), [3.0, 3.0], state)


def test_missing_setpoints_are_refused_with_the_hour() -> None:
    with pytest.raises(InputError, match="2026-07-06T08:00:00Z is no number"):
        walk(hours(2), [3.0, float("nan")])
    with pytest.raises(InputError, match="3 setpoints for 2 intervals"):
        walk(hours(2), [3.0] * 3)


def test_the_rafting_ramp_takes_two_hours() -> None:
    # 5.0 MW / 0.042 MW per minute = 119.05 min
    assert ramp_minutes(0.8, 5.8, 2.52) == pytest.approx(119.05, abs=0.01)
    assert latest_start(START, 0.8, 5.8, 2.52).isoformat() == "2026-07-06T05:00:57.142857+00:00"


def test_a_late_ramp_averages_less_than_half_of_both_ends() -> None:
    # 1.26 MW takes half an hour: 2.0 + (0.5 / 2) * 1.26 = 2.315, against 2.63 for a ramp over the whole hour
    assert float(late_ramp_mean_mw(2.0, 3.26, 2.52, 1.0)) == pytest.approx(2.315)
    assert float(late_ramp_mean_mw(2.0, 4.52, 2.52, 1.0)) == pytest.approx(3.26)


def test_setpoint_changes_are_entered_as_late_as_they_still_deliver() -> None:
    ends = np.array([1.0, 2.26, 4.78, 4.7, 2.18])
    rates = np.full(5, 2.52)
    start = tuple(hours(5)["event_start"])
    changes = setpoint_changes(start, 1.0, ends, 1.0, rates, rates, deadband_mw=0.15)
    # hour 1: +1.26 MW takes 30 min; hour 2 goes on at full ramp; hour 3 moves too little; hour 4: the whole hour, down
    assert [None if c is None else c.isoformat()[11:16] for c in changes] == [None, "08:30", None, None, "11:00"]
