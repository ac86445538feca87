"""Claims about a whole day of the fleet, in which everything goes wrong that may."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.scenarios.fleet_day import Embedded, Mosquitto, Outcome, mosquitto, run_day


@pytest.fixture(scope="module", params=[(Mosquitto, 2_000, 2400.0), (Embedded, 50, 7200.0)], ids=["fleet", "few"])
def day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    kind, devices, speed = request.param
    if kind is Mosquitto and mosquitto() is None:
        pytest.skip("no mosquitto on this machine; the embedded broker cannot carry a fleet at this pace")
    folder: Path = tmp_path_factory.mktemp("fleet-day")
    return run_day(folder, devices, speed=speed, kind=kind)


def test_every_executed_half_hour_is_in_the_log_exactly_once(day: Outcome) -> None:
    assert len(day.executed) == day.devices * 48
    assert sorted(day.logged) == sorted(day.executed)
    assert day.unconfirmed == 0
    assert day.letters == 0


def test_acknowledgements_were_repeated_and_counted_once(day: Outcome) -> None:
    assert day.sent > 1.05 * len(day.executed)


def test_every_alert_condition_was_seen(day: Outcome) -> None:
    expected = {"fleet_offline", "fleet_missed_intervals", "fleet_plan_expired"}
    if day.devices > 1_000:  # one device in a hundred cannot do what it is told
        expected |= {"device_deviation"}
    assert set(day.alerts) >= expected


def test_the_schedule_reached_all_devices_online_within_seconds(day: Outcome) -> None:
    assert day.reached >= 0.999
    assert np.quantile(day.delivery_s, 0.95) < 5


def test_the_day_saved_more_than_a_tenth_of_the_bill_without_control(day: Outcome) -> None:
    assert day.money["saved of that bill, energy for energy [%]"] > 10
    assert day.money["saved against no control [USD]"] > 0
    assert 50 < day.money["share of perfect foresight [%]"] <= 100
    assert day.success > 0.99
