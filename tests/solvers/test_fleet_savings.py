"""What control was worth, between doing nothing and having known the prices."""

from __future__ import annotations

import polars as pl
import pytest

from domain.fleet.outcome import uncontrolled
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
    assert worth.charging.bill_usd == worth.bill_usd == pytest.approx(0.5)
    # The same 5 kWh at 40 instead of 100.
    assert worth.charging.share_of_bill == worth.share_of_fleet_bill == pytest.approx(0.6)
    assert worth.share_of_perfect == pytest.approx(0.75)
    # 0.3 USD of a wall box of 5 kW.
    assert worth.saved_usd_per_kw == pytest.approx(0.06)


def test_a_battery_that_idles_without_control_has_nothing_to_save_a_share_of() -> None:
    battery = device_frame({})
    plan = plan_fleet(battery, price_frame([10, 100])).schedule
    worth = savings(battery, plan, price_frame([10, 100]), stored_usd_per_kwh=0.0)
    assert worth.no_control_usd == 0
    assert (worth.bill_usd, worth.charging.devices) == (0, 0)
    assert (worth.charging.share_of_bill, worth.share_of_fleet_bill) == (None, None)
    assert worth.saved_usd == pytest.approx(0.355)
    assert worth.share_of_perfect == pytest.approx(1)


def test_a_bill_is_compared_at_the_mean_price_paid_whatever_was_bought() -> None:
    vehicle = device_frame({"soc_end_min_kwh": 4.5, "max_discharge_kw": 0.0})
    prices = price_frame([100, 40, 20])
    done = uncontrolled(vehicle, prices).with_columns(power_kw=pl.Series([0.0, -2.5, -5.0]))
    charging = savings(vehicle, done, prices, stored_usd_per_kwh=1.0).charging
    # Without control 5 kWh at 100 USD/MWh; bought 2.5 at 40 and 5 at 20: 0.2 USD for 7.5 kWh, 26.67 USD/MWh on average.
    # What is stored beyond the need is worth 1 USD/kWh here, and saves nothing on the bill.
    assert (charging.uncontrolled_kwh, charging.bought_kwh) == pytest.approx((5.0, 7.5))
    assert (charging.bill_usd, charging.paid_usd) == pytest.approx((0.5, 0.2))
    assert charging.share_of_bill == pytest.approx(1 - 26.6667 / 100, abs=1e-6)


def test_what_batteries_earn_is_no_share_of_the_vehicles_bill() -> None:
    both = device_frame({"soc_end_min_kwh": 4.5, "max_discharge_kw": 0.0}, {"max_discharge_kw": 8.0})
    prices = price_frame([170, 20, 200])
    worth = savings(both, plan_fleet(both, prices).schedule, prices, stored_usd_per_kwh=0.0)
    # 5 kW that only charge beside a battery of 8 kW: the fleet is not measured by the bill, the vehicle is.
    assert worth.power_kw == 13
    assert worth.share_of_fleet_bill is None
    # The vehicle's 5 kWh at 20 instead of 170; the battery's earnings are in the dollars alone.
    assert worth.charging.share_of_bill == pytest.approx(1 - 20 / 170)
    # 0.75 USD of the vehicle; the battery buys 5 kWh for 0.1 and sells 4.05 for 0.81 USD.
    assert worth.saved_usd == pytest.approx(0.75 + 0.81 - 0.1)


def test_where_charging_earns_there_is_no_bill_to_save_on() -> None:
    vehicle = device_frame({"soc_end_min_kwh": 4.5, "max_discharge_kw": 0.0})
    prices = price_frame([-10, 40])
    charging = savings(vehicle, uncontrolled(vehicle, prices), prices).charging
    assert charging.bill_usd == pytest.approx(-0.05)
    assert charging.share_of_bill is None


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
