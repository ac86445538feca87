"""What control was worth, between doing nothing and having known the prices."""

from __future__ import annotations

import polars as pl
import pytest

from solvers.fleet import plan_fleet
from solvers.fleet.savings import savings
from tests.fleet_oracles import device_frame, price_frame


def test_a_vehicle_that_waited_for_the_cheap_hour_saved_what_arrival_would_have_cost() -> None:
    vehicle = device_frame({"soc_end_min_kwh": 4.5, "soc_max_kwh": 4.5, "max_discharge_kw": 0.0})
    actual = price_frame([100, 40, 20])
    at_forty = plan_fleet(vehicle, price_frame([100, 20, 40])).schedule
    worth = savings(vehicle, at_forty, actual, stored_usd_per_kwh=0.0)
    # 5 kWh at the meter: on arrival at 100, as forecast at 40, at best at 20 USD/MWh.
    assert (worth.no_control_usd, worth.executed_usd, worth.perfect_usd) == pytest.approx((0.5, 0.2, 0.1))
    assert worth.share_of_no_control == pytest.approx(0.6)
    assert worth.share_of_perfect == pytest.approx(0.75)


def test_a_battery_that_idles_without_control_has_nothing_to_save_a_share_of() -> None:
    battery = device_frame({})
    plan = plan_fleet(battery, price_frame([10, 100])).schedule
    worth = savings(battery, plan, price_frame([10, 100]), stored_usd_per_kwh=0.0)
    assert worth.no_control_usd == 0
    assert worth.share_of_no_control is None
    assert worth.saved_usd == pytest.approx(0.355)
    assert worth.share_of_perfect == pytest.approx(1)


def test_energy_left_in_the_store_is_not_a_saving() -> None:
    full = device_frame({"soc_start_kwh": 9.0})
    prices = price_frame([50, 50])
    sold = plan_fleet(full, prices).schedule
    worth = savings(full, sold, prices)
    # 9 kWh stored are 8.1 kWh at the meter, 0.405 USD; left in the store they are worth 9 x 0.05 = 0.45 USD.
    assert worth.executed_usd == pytest.approx(-0.405 + 0.45)
    assert worth.perfect_usd == pytest.approx(0.0)
    assert worth.saved_usd < 0


def test_devices_that_cannot_be_planned_do_not_count() -> None:
    both = device_frame({}, {"charge_efficiency": 95.0})
    prices = price_frame([10, 100])
    done = plan_fleet(both, prices).schedule
    ghost = done.with_columns(device_id=pl.lit("d1"))
    assert savings(both, pl.concat([done, ghost]), prices).share_of_perfect == pytest.approx(1)
