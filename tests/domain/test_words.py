"""Claims about units, instants and series ids."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InputError, MissingInputError, TimeError, UnitError
from domain.instants import CENTRAL, PACIFIC, floor_hour, hour_ending, iso, local_day, parse_instant, require_utc
from domain.series import PlanningSeries, require_id
from domain.units import CFS_PER_M3S, to_canonical


def test_thousands_of_cfs_and_cubic_metres_become_cfs() -> None:
    assert to_canonical(" KCFS ") == ("cfs", 1000.0)
    # 1 m = 1/0.3048 ft, cubed: 35.3147 ft3.
    assert to_canonical("m3/s")[1] == pytest.approx(35.3147, abs=1e-4)
    assert pytest.approx(1 / 0.3048**3) == CFS_PER_M3S


def test_an_unknown_unit_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(UnitError, match=r"unknown unit 'furlong'; known: .*kcfs"):
        to_canonical("furlong")


def test_a_time_without_a_zone_is_refused_not_assumed() -> None:
    with pytest.raises(TimeError, match="has no zone; write it with an offset"):
        require_utc(datetime(2026, 11, 21, 7), what="start")  # noqa: DTZ001 - the case at hand
    with pytest.raises(TimeError, match="--at '21 Nov' is not an ISO-8601 time"):
        parse_instant("21 Nov", what="--at")
    with pytest.raises(TimeError, match="has no zone"):
        parse_instant("2026-11-21T07:00", what="--at")


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_an_instant_survives_being_written_and_read(moment: datetime) -> None:
    assert parse_instant(iso(moment), what="moment") == moment
    assert timedelta() <= moment - floor_hour(moment) < timedelta(hours=1)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 7, 4), 24)])
@pytest.mark.parametrize("zone", [CENTRAL, PACIFIC])
def test_a_local_day_has_the_hours_its_clocks_give_it(day: date, hours: int, zone: ZoneInfo) -> None:
    start, end = local_day(day, zone)
    assert (end - start) / timedelta(hours=1) == hours


def test_every_hour_ending_of_an_autumn_day_is_an_hour_of_its_own() -> None:
    day = date(2026, 11, 1)
    starts = [hour_ending(day, 1, CENTRAL), hour_ending(day, 2, CENTRAL), hour_ending(day, 2, CENTRAL, repeated=True)]
    starts += [hour_ending(day, hour, CENTRAL) for hour in range(3, 25)]
    first, end = local_day(day, CENTRAL)
    assert starts == [first + timedelta(hours=h) for h in range(25)]
    assert starts[-1] + timedelta(hours=1) == end


def test_hours_that_clocks_skip_or_do_not_repeat_are_errors() -> None:
    with pytest.raises(TimeError, match="hour ending 3 on 2026-03-08 does not exist"):
        hour_ending(date(2026, 3, 8), 3, CENTRAL)
    with pytest.raises(TimeError, match="repeats no hour there"):
        hour_ending(date(2026, 11, 1), 5, CENTRAL, repeated=True)
    with pytest.raises(TimeError, match="outside 1 to 24"):
        hour_ending(date(2026, 11, 1), 25, CENTRAL)


@pytest.mark.parametrize("text", ["abay", "r4.flow", "R4.flow.cfs", "r4.flow.furlong", ":x", "ercot:", "a:\n"])
def test_what_is_no_series_id_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match=r"write (place|source)"):
        require_id(text)


def test_a_planning_series_carries_its_unit() -> None:
    assert PlanningSeries.parse("oxbow.price.usd_mwh").unit == "USD/MWh"
    assert require_id("pi:OPS/Gauging Stations/R4|Flow:avg1h").startswith("pi:")


def test_missing_inputs_are_named_all_at_once() -> None:
    error = MissingInputError("the plan", {"r4.flow.cfs": "stale", "ccs.mode.1": "never seen"})
    assert str(error) == "the plan lacks 2 input(s): ccs.mode.1: never seen; r4.flow.cfs: stale"
