"""Releases as instructions, and the ramp calculator."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from domain.errors import InputError
from domain.plant import Plant
from domain.rafting import ramp, releases
from domain.rules import FlowLimit, StageRamp, WaterYear
from tests.reservoir_cases import afterbay

PLANT = replace(afterbay(), rules=replace(afterbay().rules, stage_ramps=()))
TUESDAY = date(2026, 7, 14)


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 7, 14, hour, minute, tzinfo=UTC)


def test_the_unit_must_begin_to_rise_two_hours_before_a_summer_window() -> None:
    (found,) = releases(PLANT, [TUESDAY], from_mw=0.8)
    assert (found.window.start, found.window.end) == (at(16), at(19))  # 09:00 to 12:00 local
    assert found.target_mw == 5.8
    # (5.8 - 0.8) / 2.52 MW/h = 119.05 min before 16:00Z
    assert found.ramp_min == pytest.approx(119.05, abs=0.01)
    assert found.start_by == at(16) - timedelta(minutes=found.ramp_min)


def test_the_head_at_the_level_lowers_target_and_ramp() -> None:
    (found,) = releases(PLANT, [TUESDAY], from_mw=0.8, level_ft=1170.0)
    assert found.target_mw == pytest.approx(0.0912 * 1170.0 - 101.42)  # 5.284 MW
    assert found.flow_cfs == pytest.approx(163.73 * 5.284 + 83.0)


def test_the_summer_cap_of_the_driest_types_lowers_the_target_to_4_99_mw() -> None:
    rules = replace(PLANT.rules, water_years=(WaterYear(type="Dry"),))
    (found,) = releases(replace(PLANT, rules=rules), [TUESDAY], from_mw=0.8)
    assert found.target_mw == pytest.approx((900.0 - 83.0) / 163.73)


def test_a_unit_already_at_the_target_has_nothing_to_do() -> None:
    (found,) = releases(PLANT, [TUESDAY], from_mw=5.8)
    assert found.start_by == found.window.start


def test_days_out_of_season_and_plants_without_rafting_have_no_release() -> None:
    assert releases(PLANT, [date(2026, 11, 21)], from_mw=2.0) == []
    assert releases(PLANT, [date(2026, 7, 13)], from_mw=2.0) == []  # a Monday, Below Normal
    assert releases(replace(PLANT, rules=replace(PLANT.rules, rafting_target_mw=None)), [TUESDAY], from_mw=2.0) == []


def test_the_flow_reaches_the_rapids_in_the_order_of_the_river() -> None:
    (found,) = releases(PLANT, [TUESDAY], from_mw=0.8)
    arrivals = list(found.arrivals.values())
    assert arrivals == sorted(arrivals)
    assert list(found.arrivals)[1] == "Fords"
    # 4.1086 h - 0.0025 x 214 cfs = 3.57 h after 16:00Z
    assert found.arrivals["Fords"] == pytest.approx(at(19, 34), abs=timedelta(minutes=1))


def staged() -> Plant:
    """Return the plant with a licence of 1 ft/h and a curve of 150 cfs a foot: 150 cfs/h are 0.916 MW/h."""
    curve = StageRamp(up_ft_per_h=1.0, down_ft_per_h=0.5, stage_ft=(0.0, 10.0), flow_cfs=(0.0, 1500.0))
    return replace(PLANT, rules=replace(PLANT.rules, stage_ramps=(curve,)))


def test_the_slower_of_unit_and_stage_ramp_counts_each_way() -> None:
    up = ramp(staged(), 1.0, 3.0, start=at(12))
    assert up.rate_mw_per_h == pytest.approx(150.0 / 163.73)
    down = ramp(staged(), 3.0, 1.0, done=at(12))
    assert down.rate_mw_per_h == pytest.approx(75.0 / 163.73)
    assert down.done == at(12)
    assert down.minutes == pytest.approx(2.0 * up.minutes)


def test_a_ramp_passes_the_water_of_its_mean_flow() -> None:
    found = ramp(PLANT, 0.8, 5.8, start=at(14))
    assert found.minutes == pytest.approx(119.05, abs=0.01)
    # (214.0 + 1032.6) / 2 cfs for 1.984 h: 1236.8 cfs h x 0.0826446 = 102.2 af
    assert found.water_af == pytest.approx(102.2, abs=0.1)
    assert found.done == at(14) + timedelta(minutes=found.minutes)


def test_a_ramp_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match=r"to 7 MW is no output of Oxbow, which gives 0 to 5\.8 MW"):
        ramp(PLANT, 1.0, 7.0, start=at(12))
    with pytest.raises(InputError, match="either when the ramp begins or when it must be complete"):
        ramp(PLANT, 1.0, 2.0)


def test_a_flow_cap_of_another_kind_does_not_touch_rafting() -> None:
    floor = FlowLimit(kind="minimum", types=("Below Normal",), months=(7,), flow_cfs=900.0)
    rules = replace(PLANT.rules, flow_limits=(floor,))
    assert releases(replace(PLANT, rules=rules), [TUESDAY], from_mw=0.8)[0].target_mw == 5.8
