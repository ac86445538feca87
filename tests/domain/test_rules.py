"""Seasons, windows, floors and ramps, for any year."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import ConfigError
from domain.reservoir_inputs import read_inputs
from domain.rule_calendar import (
    beyond_curve,
    flow_limit_cfs,
    rafting_hours,
    rafting_windows,
    season,
    season_part,
    stage_ramp_cfs_per_h,
    water_year_type,
    with_rules,
)
from domain.rules import EarlyRelease, FlowLimit, Outage, RaftingWindow, Rules, StageRamp, WaterYear
from tests.reservoir_cases import START, afterbay, hours

PLANT = afterbay()
RULES = PLANT.rules


def rafting_at(rules: Rules, moment: str) -> bool:
    """Return whether a window holds a local clock time; the flow is full at both ends."""
    local = datetime.fromisoformat(moment)
    window = rafting_hours(rules, local.date())
    return window is not None and window[0] <= local.time() <= window[1]


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2025-07-08 09:00", True),  # a Tuesday of a Below Normal year, 9 to 12
        ("2025-07-08 12:00", True),
        ("2025-07-08 08:00", False),
        ("2025-07-05 05:00", True),  # an early-release Saturday, 4 to 12
        ("2025-05-26 10:00", False),  # Memorial Day, a Monday
        ("2025-09-01 10:00", False),  # Labor Day, a Monday
        ("2026-07-04 05:00", False),  # no early release agreed for 2026
        ("2026-07-04 08:00", True),  # but it is a Saturday, 8 to 12
        ("2025-10-04 09:00", False),  # a Saturday after the season
    ],
)
def test_rafting_hours_of_the_shipped_calendar(moment: str, inside: bool) -> None:
    assert rafting_at(RULES, moment) is inside


@given(st.integers(1990, 2100))
def test_the_season_is_computed_for_any_year(year: int) -> None:
    found = season(year)
    assert found.memorial_day.weekday() == 0
    assert (found.memorial_day.month, (found.memorial_day.day + 7) > 31) == (5, True)
    assert found.first.weekday() == 5
    assert (found.memorial_day - found.first).days == 2
    assert (found.labor_day.weekday(), found.labor_day.month) == (0, 9)
    assert found.labor_day.day <= 7
    assert season_part(found.first) == "main"
    assert season_part(found.last) == "late"


def test_the_season_of_two_years_by_the_printed_calendar() -> None:
    assert season(2025).first == date(2025, 5, 24)
    assert season(2025).labor_day == date(2025, 9, 1)
    assert season(2026).first == date(2026, 5, 23)
    assert season(2026).labor_day == date(2026, 9, 7)


def test_windows_are_local_and_become_instants() -> None:
    windows = rafting_windows(RULES, ZoneInfo(PLANT.zone), [date(2025, 7, 7), date(2025, 7, 8), date(2025, 7, 12)])
    assert [(w.start.isoformat(), w.end.isoformat(), w.early) for w in windows] == [
        ("2025-07-08T16:00:00+00:00", "2025-07-08T19:00:00+00:00", False),
        ("2025-07-12T11:00:00+00:00", "2025-07-12T19:00:00+00:00", True),
    ]


def test_an_early_release_replaces_the_days_window_and_may_lie_out_of_season() -> None:
    rules = Rules(early_releases=(EarlyRelease(day=date(2026, 4, 1), start=time(4), end=time(12)),))
    assert rafting_at(rules, "2026-04-01T04:00")
    assert not rafting_at(rules, "2026-04-02T04:00")


def test_the_calendar_says_when_no_water_year_type_is_known() -> None:
    with pytest.raises(ConfigError, match=r"no entries of rules.water_years cover 2030-07-09"):
        rafting_hours(RULES, date(2030, 7, 9))
    twice = replace(RULES, water_years=(*RULES.water_years, WaterYear(type="Dry")))
    with pytest.raises(ConfigError, match="2 entries"):
        water_year_type(twice, date(2026, 7, 9))


def test_dry_years_cap_the_summer_release_and_the_cap_lowers_the_rafting_target() -> None:
    dry = replace(PLANT, rules=replace(RULES, water_years=(WaterYear(type="Dry"),)))
    assert flow_limit_cfs(dry.rules, date(2026, 7, 8), "maximum") == 900.0
    assert flow_limit_cfs(dry.rules, date(2026, 9, 8), "maximum") is None
    # Wednesday 8 July: 8 to 11 local is 15 to 18 UTC, intervals 8 to 10 of a day that begins at 07 UTC
    inputs = with_rules(dry, read_inputs(dry, hours(72)))
    wanted = inputs.raft_target_mw[48:]
    assert np.flatnonzero(~np.isnan(wanted)).tolist() == [8, 9, 10]
    assert wanted[8] == pytest.approx(4.99, abs=0.005)  # (900 - 83) / 163.73
    assert inputs.maximum_mw[0] == pytest.approx(4.99, abs=0.005)


def test_rules_add_windows_floors_and_outages_to_the_inputs() -> None:
    outage = Outage(start=datetime(2026, 7, 6, 10, 30, tzinfo=UTC), end=datetime(2026, 7, 6, 12, tzinfo=UTC))
    plant = replace(PLANT, rules=replace(RULES, outages=(outage,)))
    inputs = with_rules(plant, read_inputs(plant, hours(48)))
    assert np.flatnonzero(~inputs.available).tolist() == [3, 4]  # 10:00 is touched, 11:00 covered, 12:00 free
    assert set(inputs.minimum_flow_cfs.tolist()) == {150.0}
    # Tuesday 7 July, Below Normal: 9 to 12 local = 16 to 19 UTC = intervals 33 to 35
    assert np.flatnonzero(~np.isnan(inputs.raft_target_mw)).tolist() == [33, 34, 35]
    assert any("EXAMPLE" in warning for warning in inputs.warnings)


def test_what_the_inputs_ask_for_stays_and_the_higher_floor_counts() -> None:
    inputs = with_rules(
        PLANT, read_inputs(PLANT, hours(4, raft_target_mw=4.0, minimum_flow_cfs=[400.0, 100.0, None, 150.0]))
    )
    assert inputs.raft_target_mw.tolist() == [4.0] * 4
    assert inputs.minimum_flow_cfs.tolist() == [400.0, 150.0, 150.0, 150.0]


def test_a_stage_limit_becomes_a_ramp_by_the_flattest_piece_of_the_rating() -> None:
    ramp = StageRamp(up_ft_per_h=1.0, down_ft_per_h=0.5, stage_ft=(1.0, 2.0, 3.0), flow_cfs=(100.0, 200.0, 500.0))
    assert stage_ramp_cfs_per_h(ramp, 120.0, 450.0) == (100.0, 50.0)
    assert stage_ramp_cfs_per_h(ramp, 250.0, 450.0) == (300.0, 150.0)
    slow = replace(PLANT, rules=Rules(stage_ramps=(replace(ramp, flow_cfs=(100.0, 400.0, 1500.0)),)))
    inputs = with_rules(slow, read_inputs(slow, hours(2)))
    # flows 249 to 1068 cfs touch both pieces; 300 cfs/ft * 1 ft/h / 163.73 = 1.832 MW/h up, half of it down
    assert inputs.ramp_up_mw_per_h[0] == pytest.approx(1.832, abs=0.001)
    assert inputs.ramp_down_mw_per_h[0] == pytest.approx(0.916, abs=0.001)


def test_beyond_the_rating_curve_its_end_piece_goes_on_and_that_is_said() -> None:
    """A flood above the curve must neither loosen the rule nor stop the plan."""
    short = StageRamp(up_ft_per_h=1.0, down_ft_per_h=2.0, stage_ft=(1.0, 2.0, 3.0), flow_cfs=(10.0, 20.0, 50.0))
    # the last piece has 30 cfs a foot, the first 10
    assert stage_ramp_cfs_per_h(short, 200.0, 900.0) == (30.0, 60.0)
    assert stage_ramp_cfs_per_h(short, 1.0, 5.0) == (10.0, 20.0)
    assert beyond_curve(short, 200.0, 900.0).startswith("the rating curve covers 10 to 50 cfs, flows of 200 to 900 cfs")
    assert beyond_curve(short, 12.0, 40.0) == ""


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: WaterYear(type="Moist"), "'Moist' is no water-year type"),
        (lambda: RaftingWindow(type="Dry", season="main", days=("Dom",), start=time(8), end=time(9)), "no weekday"),
        (lambda: RaftingWindow(type="Dry", season="main", days=("Sat",), start=time(9), end=time(9)), "is empty"),
        (lambda: FlowLimit(kind="minimum", types=("Dry",), flow_cfs=10.0), "would never hold"),
        (lambda: FlowLimit(kind="minimum", types=("Dry",), months=(13,), flow_cfs=10.0), "within 1 to 12"),
        (lambda: FlowLimit(kind="minimum", types=("Dry",), months=(1,), flow_cfs=-1.0), "below zero"),
        (lambda: StageRamp(up_ft_per_h=1, down_ft_per_h=1, stage_ft=(1, 1), flow_cfs=(1, 2)), "rising points"),
        (
            lambda: StageRamp(up_ft_per_h=1, down_ft_per_h=1, stage_ft=(1, 2, 3), flow_cfs=(1, 2)),
            "3 stages and 2 flows",
        ),
        (lambda: StageRamp(up_ft_per_h=0, down_ft_per_h=1, stage_ft=(1, 2), flow_cfs=(1, 2)), "above 0"),
        (lambda: Outage(start=START, end=START), "is empty"),
        (lambda: Outage(start=datetime(2026, 7, 6), end=datetime(2026, 7, 7)), "with an offset"),  # noqa: DTZ001 - the mistake
    ],
)
def test_a_rule_that_cannot_hold_is_refused(make: object, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        make()  # ty: ignore[not-callable]
