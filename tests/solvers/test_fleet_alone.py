"""Devices that share nothing: hand arithmetic, a readable oracle, a linear programme for everything awkward."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pyomo.environ as pyo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.fleet import check_schedule, generate_fleet
from solvers.fleet import FleetPlan, plan_fleet
from tests.fleet_oracles import WholeProgramme, device_frame, price_frame, random_devices, random_prices


def column(plan: FleetPlan, name: str) -> list[float]:
    return plan.schedule[name].to_list()


def test_it_buys_low_and_sells_high() -> None:
    plan = plan_fleet(
        device_frame({"capacity_kwh": 10, "max_charge_kw": 5, "max_discharge_kw": 5}), price_frame([10, 100])
    )
    # 5 kW for an hour stores 4.5 kWh (0.9) and gives back 4.05 (0.9): 5 x 0.010 - 4.05 x 0.100 = -0.355 USD.
    assert column(plan, "charge_kw") == pytest.approx([5, 0])
    assert column(plan, "discharge_kw") == pytest.approx([0, 4.05])
    assert column(plan, "soc_kwh") == pytest.approx([4.5, 0])
    assert column(plan, "mode") == [2, 1]
    assert plan.report["objective_usd"] == pytest.approx(-0.355)
    assert plan.report["status"] == "optimal"


def test_wear_each_way_stops_trades_that_do_not_pay() -> None:
    # A kWh bought at 10 and sold at 30 USD/MWh earns 0.81 x 0.030 - 0.010 = 0.0143 and wears 1.81 x wear.
    trades = plan_fleet(device_frame({"wear_usd_per_kwh": 0.0078}), price_frame([10, 30]))
    rests = plan_fleet(device_frame({"wear_usd_per_kwh": 0.0080}), price_frame([10, 30]))
    assert column(trades, "charge_kw") == pytest.approx([5, 0])
    assert column(rests, "mode") == [0, 0]


def test_stored_energy_is_worth_nothing_at_the_end_unless_asked() -> None:
    battery = device_frame({"soc_start_kwh": 4.5})
    assert column(plan_fleet(battery, price_frame([50, 40])), "soc_kwh")[-1] == 0
    kept = plan_fleet(battery, price_frame([50, 40]), terminal_value_usd_per_kwh=0.1)
    # Buying at 0.050 USD and storing 0.9 kWh of it costs 0.0556 a kWh stored, worth 0.1: it fills up to 10 kWh.
    assert column(kept, "soc_kwh") == pytest.approx([5.5, 10])
    # 5.5 kWh stored cost 1 kWh at 50 (1 / 0.9 kW) and 4.5 kWh at 40 (5 kW); 10 kWh are worth 1 USD.
    assert kept.report["objective_usd"] == pytest.approx(1 / 0.9 * 0.05 + 5 * 0.04 - 1.0)


def test_a_required_end_is_reached_in_the_cheapest_hours() -> None:
    plan = plan_fleet(device_frame({"soc_end_min_kwh": 6.0}), price_frame([30, 10, 20]))
    # 4.5 kWh in the hour at 10, the other 1.5 kWh (1.667 kW) in the hour at 20.
    assert column(plan, "charge_kw") == pytest.approx([0, 5, 1.5 / 0.9])


def test_equal_prices_are_charged_early_and_given_late() -> None:
    plan = plan_fleet(device_frame({"soc_end_min_kwh": 4.5, "soc_start_kwh": 0.0}), price_frame([20, 20, 20]))
    assert column(plan, "charge_kw") == pytest.approx([5, 0, 0])
    plan = plan_fleet(device_frame({"soc_start_kwh": 4.5}), price_frame([20, 20, 20]))
    assert column(plan, "discharge_kw") == pytest.approx([0, 0, 4.05])


def test_a_burning_price_is_shared_between_charging_and_discharging() -> None:
    full = {"soc_start_kwh": 10.0, "soc_end_min_kwh": 10.0}
    shared = plan_fleet(device_frame(full), price_frame([-100, 0]))
    # theta of the hour charges, the rest discharges, and the store stays full: 0.9 x 5 theta = 5 (1 - theta) / 0.9,
    # so theta = 1 / 1.81 and the meter draws 5 (2 theta - 1) = 0.5249 kW, paid 0.0525 USD.
    theta = 1 / 1.81
    assert column(shared, "charge_kw")[0] == pytest.approx(5 * theta)
    assert column(shared, "discharge_kw")[0] == pytest.approx(5 * (1 - theta))
    assert shared.report["objective_usd"] == pytest.approx(-0.1 * 5 * (2 * theta - 1))
    strict = plan_fleet(device_frame(full), price_frame([-100, 0]), strict=True)
    assert strict.report["objective_usd"] == 0
    assert column(strict, "mode") == [0, 0]


def test_strict_mode_empties_before_a_price_far_below_zero() -> None:
    # Giving 4.05 kWh at -1 costs 0.00405, drawing 5 kWh at -100 earns 0.5: forbidding discharge would lose that.
    plan = plan_fleet(device_frame({"soc_start_kwh": 4.5, "soc_max_kwh": 4.5}), price_frame([-1, -100]), strict=True)
    assert column(plan, "discharge_kw") == pytest.approx([4.05, 0])
    assert plan.report["objective_usd"] == pytest.approx(0.00405 - 0.5)


def test_a_start_outside_the_band_comes_back_as_fast_as_it_can_and_is_reported() -> None:
    low = {"soc_min_kwh": 6.0, "soc_start_kwh": 0.0}
    plan = plan_fleet(device_frame(low), price_frame([500, 500, 10]))
    # 4.5 kWh an hour at most: 4.5 is still outside, 6.0 is reached in the second hour with 1.5 kWh.
    assert column(plan, "soc_kwh") == pytest.approx([4.5, 6.0, 6.0])
    assert [row["soc_kwh"] for row in plan.report["outside"]] == pytest.approx([4.5])
    high = {"soc_max_kwh": 4.0, "soc_start_kwh": 10.0}
    # 5 kW at the meter takes 5.556 kWh out of the store.
    assert column(plan_fleet(device_frame(high), price_frame([-500, -500])), "soc_kwh")[0] == pytest.approx(
        10 - 5 / 0.9
    )


def test_the_plan_is_the_same_bit_for_bit_however_it_is_computed() -> None:
    devices, prices = generate_fleet(2000, 5), price_frame(np.sin(np.arange(48) / 5) * 60 + 20, 0.5)
    one = plan_fleet(devices, prices, threads=1)
    again = plan_fleet(devices, prices, threads=2)
    alone = plan_fleet(devices.tail(1), prices)
    assert one.schedule.equals(again.schedule)
    assert one.report == again.report
    assert one.schedule.tail(48).equals(alone.schedule)


def test_staying_close_settles_ties_and_costs_next_to_nothing() -> None:
    battery = device_frame({"soc_end_min_kwh": 4.5})
    flat = price_frame([20, 20, 20, 20.1])
    late = plan_fleet(battery, price_frame([20, 20, 10, 20]))
    close = plan_fleet(battery, flat, previous=late.schedule)
    assert column(close, "charge_kw") == pytest.approx([0, 0, 5, 0])
    assert close.report["gap"] == pytest.approx(0)
    assert "stays close to 4 interval(s)" in close.report["notes"][0]
    # The penalty is 1 USD/MWh stored: a tie is settled, 20 against 10 USD/MWh is not.
    assert column(plan_fleet(battery, price_frame([10, 20, 20, 20]), previous=late.schedule), "charge_kw")[0] == 5


def pyomo_cost(device: dict[str, Any], usd_mwh: list[float], hours: float) -> float:
    """Plan one device with the textbook programme; binaries forbid doing both at once."""
    model = pyo.ConcreteModel()
    model.t = pyo.RangeSet(0, len(usd_mwh) - 1)
    model.charge = pyo.Var(model.t, bounds=(0, device["max_charge_kw"]))
    model.discharge = pyo.Var(model.t, bounds=(0, device["max_discharge_kw"]))
    model.stored = pyo.Var(model.t, bounds=(device["soc_min_kwh"], device["soc_max_kwh"]))
    model.charging = pyo.Var(model.t, domain=pyo.Binary)

    @model.Constraint(model.t)
    def energy_balance(m: pyo.ConcreteModel, t: int) -> object:
        before = device["soc_start_kwh"] if t == 0 else m.stored[t - 1]
        into, out_of = device["charge_efficiency"], device["discharge_efficiency"]
        return m.stored[t] == before + hours * (into * m.charge[t] - m.discharge[t] / out_of)

    @model.Constraint(model.t)
    def charge_only_while_charging(m: pyo.ConcreteModel, t: int) -> object:
        return m.charge[t] <= device["max_charge_kw"] * m.charging[t]

    @model.Constraint(model.t)
    def discharge_only_while_not(m: pyo.ConcreteModel, t: int) -> object:
        return m.discharge[t] <= device["max_discharge_kw"] * (1 - m.charging[t])

    model.end = pyo.Constraint(expr=model.stored[len(usd_mwh) - 1] >= device["soc_end_min_kwh"])
    wear = device["wear_usd_per_kwh"]
    model.cost = pyo.Objective(
        expr=sum(
            hours
            * (
                usd_mwh[t] / 1000 * (model.charge[t] - model.discharge[t])
                + wear * (model.charge[t] + model.discharge[t])
            )
            for t in model.t
        )
    )
    solver = pyo.SolverFactory("appsi_highs")
    solver.highs_options = {"mip_rel_gap": 0.0, "mip_abs_gap": 1e-9}
    solver.solve(model)
    return pyo.value(model.cost)


@pytest.mark.parametrize("seed", range(4))
def test_strict_mode_finds_what_the_textbook_programme_finds(seed: int) -> None:
    draw = np.random.default_rng(seed)
    device = {
        "capacity_kwh": 13.5,
        "soc_min_kwh": 1.35,
        "soc_max_kwh": 13.5,
        "soc_start_kwh": draw.uniform(2, 13),
        "soc_end_min_kwh": 5.0,
        "charge_efficiency": draw.uniform(0.8, 1),
        "discharge_efficiency": draw.uniform(0.8, 1),
        "wear_usd_per_kwh": 0.004,
    }
    usd_mwh = [float(each) for each in draw.normal(0, 80, 12).round(1)]
    plan = plan_fleet(device_frame(device), price_frame(usd_mwh, 0.5), strict=True)
    expected = pyomo_cost(device_frame(device).row(0, named=True), usd_mwh, 0.5)
    assert plan.report["objective_usd"] == pytest.approx(expected, abs=1e-7)


def judge_against_the_whole_programme(seed: int, *, strict: bool) -> None:
    draw = np.random.default_rng(seed)
    intervals, hours = int(draw.integers(2, 16)), float(draw.choice([0.25, 0.5, 1.0]))
    devices, prices = random_devices(draw, int(draw.integers(1, 10)), intervals), random_prices(draw, intervals, hours)
    end_value = float(draw.choice([0.0, 0.05, 0.2]))
    plan = plan_fleet(devices, prices, strict=strict, terminal_value_usd_per_kwh=end_value)
    refused = [row["device_id"] for row in plan.report["infeasible"]]
    planned = devices.filter(~pl.col("device_id").is_in(refused))
    assert plan.report["devices"] == planned.height
    if planned.is_empty():
        return
    assert check_schedule(devices, prices, plan.schedule, strict=strict) == []
    optimum = WholeProgramme(planned, prices, end_value, strict=strict).optimum()
    assert plan.report["objective_usd"] == pytest.approx(optimum, abs=1e-7 * max(1.0, abs(optimum)))
    assert plan.report["lower_bound_usd"] <= optimum + 1e-7 * max(1.0, abs(optimum))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_no_linear_programme_finds_a_cheaper_schedule(seed: int) -> None:
    judge_against_the_whole_programme(seed, strict=False)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_no_integer_programme_finds_a_cheaper_strict_schedule(seed: int) -> None:
    judge_against_the_whole_programme(seed, strict=True)
