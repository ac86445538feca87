"""Limits that devices share: hand arithmetic, then the whole linear programme as the judge of bound and cost.

Small fleets are solved as one programme; the search on prices, meant for large ones, is asked here with small ones too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.fleet import check_coupling, check_schedule, generate_fleet
from solvers.fleet import FleetPlan, coupled, plan, plan_fleet
from solvers.fleet.restricted import solve_feeders
from tests.fleet_oracles import WholeProgramme, device_frame, price_frame, random_devices, random_prices


def limits(**of_feeder: tuple[float, float]) -> pl.DataFrame:
    rows = [(name, *pair) for name, pair in of_feeder.items()]
    return pl.DataFrame(rows, schema=["feeder", "import_limit_kw", "export_limit_kw"], orient="row")


def reserve_of(prices: pl.DataFrame, power_kw: list[float], duration_h: float) -> pl.DataFrame:
    return prices.select(
        "event_start", up_reserve_kw=pl.Series(power_kw, dtype=pl.Float64), duration_h=pl.lit(duration_h)
    )


@contextmanager
def search() -> Iterator[None]:
    """Let even the smallest fleet be searched on prices."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "WHOLE_CELLS", 0)
        yield


WAYS = pytest.mark.parametrize("way", [nullcontext, search], ids=["as one programme", "by search"])


def net_kw(plan: FleetPlan) -> np.ndarray:
    """Return the net power the fleet draws in each interval."""
    return (
        -plan.schedule.group_by("event_start").agg(pl.col("power_kw").sum()).sort("event_start")["power_kw"].to_numpy()
    )


def test_a_feeder_limit_moves_the_rest_of_the_charge_to_the_next_best_hour() -> None:
    twins = device_frame({"feeder": "f", "soc_end_min_kwh": 4.5}, {"feeder": "f", "soc_end_min_kwh": 4.5})
    plan = plan_fleet(twins, price_frame([10, 22, 20]), feeders=limits(f=(6, 100)), gap=1e-9)
    # Both want 5 kW at 10 USD/MWh; 6 fit. The other 4 kWh at the meter go to the hour at 20.
    assert net_kw(plan) == pytest.approx([6, 0, 4])
    assert plan.report["objective_usd"] == pytest.approx(0.06 + 0.08)
    assert plan.report["gap"] < 1e-4


def test_the_reserve_keeps_power_free_and_energy_stored() -> None:
    full = device_frame({"soc_start_kwh": 9.0})
    prices = price_frame([100, 90])
    free = plan_fleet(full, prices)
    # Without a reserve it gives 5 kW for 5.556 kWh, then the rest: 3.444 kWh are 3.1 kWh at the meter.
    assert free.schedule["discharge_kw"].to_list() == pytest.approx([5, 3.1])
    power = plan_fleet(full, prices, reserve=reserve_of(prices, [2, 0], 0.0))
    # max_discharge - discharge >= 2: only 3 kW are left to give in the first hour.
    assert power.schedule["discharge_kw"].to_list() == pytest.approx([3, 5])
    energy = plan_fleet(full, prices, reserve=reserve_of(prices, [0, 2], 2.0))
    # 0.9 min(soc before, soc after) >= 2 kW x 2 h in the second hour: 4.444 kWh stay, and its power leaves 3 kW.
    assert energy.schedule["soc_kwh"].to_list()[-1] == pytest.approx(4 / 0.9)
    assert energy.schedule["discharge_kw"].to_list() == pytest.approx([0.9 * (9 - 4 / 0.9), 0])


def test_a_reserve_counts_energy_at_both_ends_and_only_of_devices_that_are_there() -> None:
    prices = price_frame([100, 100])
    away = device_frame({"soc_start_kwh": 9.0, "availability": [0.5, 0.0]})
    plan = plan_fleet(away, prices, reserve=reserve_of(prices, [2.0, 2.0], 1.0))
    rows = {(row["limit"], row["event_start"][11:16]): row["amount"] for row in plan.report["relaxed"]}
    # First hour, half there: 0.5 x 5 kW of power, and 0.5 x 0.9 x 9 kWh: enough while it gives no more than 1 kW.
    # Second hour: nothing is there, all 2 kW and 2 kWh are missing: 20 USD for each kW over the hour and each kWh.
    assert rows == {("reserve_power_kw", "06:00"): pytest.approx(2), ("reserve_energy_kwh", "06:00"): pytest.approx(2)}
    assert plan.report["relaxation_usd"] == pytest.approx(80)
    assert plan.schedule["discharge_kw"].to_list() == pytest.approx([1, 0])
    assert plan.report["status"] == "relaxed"


def test_a_limit_that_cannot_be_met_is_relaxed_and_named_and_its_price_is_not_in_the_objective() -> None:
    needy = device_frame({"feeder": "f", "soc_end_min_kwh": 4.5}, {"feeder": "g", "soc_end_min_kwh": 4.5})
    plan = plan_fleet(needy, price_frame([10, 10]), feeders=limits(f=(1, 1), g=(9, 9)))
    # 4.5 kWh need 5 kWh at the meter; 1 kW lets 2 in: 3 kWh over the limit, 60 USD.
    assert plan.report["relaxation_usd"] == pytest.approx(60)
    assert plan.report["objective_usd"] == pytest.approx(0.1)
    assert {(row["limit"], row["feeder"]) for row in plan.report["relaxed"]} == {("import_limit_kw", "f")}
    assert sum(row["amount"] for row in plan.report["relaxed"]) == pytest.approx(3)
    assert plan.report["lower_bound_usd"] <= plan.report["objective_usd"]


def random_case(seed: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame | None, pl.DataFrame | None]:
    draw = np.random.default_rng(seed)
    intervals, hours, feeders = (
        int(draw.integers(2, 14)),
        float(draw.choice([0.25, 0.5, 1.0])),
        int(draw.integers(1, 4)),
    )
    devices = random_devices(draw, int(draw.integers(1, 20)), intervals, feeders=feeders)
    prices = random_prices(draw, intervals, hours)
    kind = draw.integers(3)
    most = {f"f{i}": tuple(draw.choice([0.0, 3.0, 10.0, 30.0, np.inf], 2)) for i in range(feeders)}
    power = draw.choice([0.0, 1.0, 3.0]) * devices.height * draw.random(intervals)
    asked = reserve_of(prices, power.tolist(), float(draw.choice([0.0, 0.25, 1.0])))
    return devices, prices, limits(**most) if kind != 1 else None, asked if kind else None


@WAYS
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_bound_and_cost_enclose_the_optimum_of_the_whole_programme(
    way: Callable[[], AbstractContextManager[None]], seed: int
) -> None:
    devices, prices, feeders, reserve = random_case(seed)
    with way():
        plan = plan_fleet(devices, prices, feeders=feeders, reserve=reserve)
    refused = [row["device_id"] for row in plan.report["infeasible"]]
    planned = devices.filter(~pl.col("device_id").is_in(refused))
    if planned.is_empty():
        return
    whole = WholeProgramme(planned, prices)
    whole = whole if feeders is None else whole.limit_feeders(feeders)
    optimum = (whole if reserve is None else whole.hold_reserve(reserve)).optimum()
    report, slack = plan.report, 1e-6 * max(1.0, abs(optimum))
    assert check_schedule(devices, prices, plan.schedule) == []
    assert report["lower_bound_usd"] + report["relaxation_usd"] <= optimum + slack
    assert report["objective_usd"] + report["relaxation_usd"] >= optimum - slack
    assert report["gap"] <= 1.0001e-4
    missed = check_coupling(planned, prices, plan.schedule, feeders=feeders, reserve=reserve)
    assert sorted(missed["amount"]) == pytest.approx(sorted(row["amount"] for row in report["relaxed"]), abs=1e-9)


def test_a_fleet_of_hundreds_is_certified_and_within_its_limits() -> None:
    hours = np.arange(48) / 2
    prices = price_frame(40 + 60 * np.exp(-(((hours - 18) / 2) ** 2)) - 70 * np.exp(-(((hours - 12) / 2) ** 2)), 0.5)
    devices = generate_fleet(600, 3).with_columns(feeder=pl.Series([f"f{i % 3}" for i in range(600)]))
    feeders = limits(f0=(2500, 2500), f1=(3000, 1500), f2=(1500, 3000))
    reserve = reserve_of(prices, [4000.0 if 15 <= hour < 20 else 1000.0 for hour in hours], 1.0)
    plan = plan_fleet(devices, prices, feeders=feeders, reserve=reserve)
    assert plan.report["status"] == "feasible"
    assert 0 <= plan.report["gap"] <= 1e-4
    assert check_schedule(devices, prices, plan.schedule) == []
    assert check_coupling(devices, prices, plan.schedule, feeders=feeders, reserve=reserve).is_empty()
    # The limits bind: without them the fleet would earn more than the bound says it can.
    assert plan_fleet(devices, prices).report["objective_usd"] < plan.report["lower_bound_usd"] - 1
    again = plan_fleet(devices, prices, feeders=feeders, reserve=reserve, threads=1)
    assert again.schedule.equals(plan.schedule)


@pytest.mark.parametrize("seed", [1, 13, 19, 27, 50])
def test_a_strict_fleet_under_limits_is_repaired_close_to_the_integer_optimum(seed: int) -> None:
    judge_strictly(seed, search, 0.005)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6))
def test_a_small_strict_fleet_under_limits_reaches_the_integer_optimum(seed: int) -> None:
    judge_strictly(seed, nullcontext, 1e-4)


def judge_strictly(seed: int, way: Callable[[], AbstractContextManager[None]], share: float) -> None:
    devices, prices, feeders, reserve = random_case(seed)
    with way():
        plan = plan_fleet(devices, prices, feeders=feeders, reserve=reserve, strict=True)
    assert check_schedule(devices, prices, plan.schedule, strict=True) == []
    refused = [row["device_id"] for row in plan.report["infeasible"]]
    planned = devices.filter(~pl.col("device_id").is_in(refused))
    if planned.is_empty():
        return
    whole = WholeProgramme(planned, prices, strict=True)
    whole = whole if feeders is None else whole.limit_feeders(feeders)
    optimum = (whole if reserve is None else whole.hold_reserve(reserve)).optimum()
    total = plan.report["objective_usd"] + plan.report["relaxation_usd"]
    assert plan.report["lower_bound_usd"] + plan.report["relaxation_usd"] <= optimum + 1e-6
    assert optimum - 1e-6 <= total <= optimum + share * abs(optimum) + 1e-6


def test_prices_of_a_sample_change_the_search_but_not_what_it_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    prices = price_frame(40 + 30 * np.sin(np.arange(24) / 3.5), 1.0)
    devices = generate_fleet(240, 4, intervals=24, hours=1.0)
    devices = devices.with_columns(feeder=pl.Series([f"f{i % 4}" if i % 6 else None for i in range(240)]))
    feeders = limits(**{f"f{i}": (800.0, 700.0) for i in range(4)})
    reserve = reserve_of(prices, [3000.0] * 24, 0.5)
    monkeypatch.setattr(plan, "WHOLE_CELLS", 0)
    plain = plan_fleet(devices, prices, feeders=feeders, reserve=reserve).report
    monkeypatch.setattr(coupled, "WORTH_A_SAMPLE", 100)
    monkeypatch.setattr(coupled, "SAMPLE_DEVICES", 60)
    sampled = plan_fleet(devices, prices, feeders=feeders, reserve=reserve).report
    assert sampled["iterations"] != plain["iterations"]
    assert sampled["gap"] <= 1e-4
    assert sampled["objective_usd"] == pytest.approx(plain["objective_usd"], rel=2e-4)


def test_staying_close_under_limits_keeps_the_bound_valid() -> None:
    twins = device_frame({"feeder": "f", "soc_end_min_kwh": 4.5}, {"feeder": "f", "soc_end_min_kwh": 4.5})
    prices = price_frame([20, 20, 20])
    first = plan_fleet(twins, price_frame([30, 20, 10]), feeders=limits(f=(6, 6)))
    close = plan_fleet(twins, prices, feeders=limits(f=(6, 6)), previous=first.schedule)
    assert net_kw(close) == pytest.approx(net_kw(first), abs=1e-6)
    # 10 kWh at 20 USD/MWh, whenever.
    assert close.report["objective_usd"] == pytest.approx(0.2)
    assert close.report["lower_bound_usd"] == pytest.approx(0.2, rel=2e-4)


def test_the_small_simplex_mixes_two_plans_so_that_the_limit_is_just_met() -> None:
    # Plan 0 draws 10 kW for -5 USD, plan 1 draws nothing for 0. Under 4 kW: 0.4 of plan 0, and a kW is worth 0.5 USD.
    net, cost = np.array([[10.0], [0.0]]), np.array([-5.0, 0.0])
    price, weight, value = np.zeros((1, 1)), np.zeros((1, 2)), np.zeros(1)
    solve_feeders(
        np.array([0]), net, cost, np.array([[0, 1]]), np.array([2]), np.array([4.0]), np.array([0.0]), 20.0,
        np.zeros((1, 2), np.int64), np.zeros((1, 1), np.bool_), np.zeros((1, 2, 2)), np.ones(1, np.bool_),
        price, weight, value,
    )  # fmt: skip
    assert value[0] == pytest.approx(-2)
    assert weight[0] == pytest.approx([0.4, 0.6])
    assert price[0] == pytest.approx([0.5])


def test_a_feeder_that_may_neither_draw_nor_give_does_not_keep_the_search_from_ending() -> None:
    draw = np.random.default_rng(3)
    devices = random_devices(draw, 24, 20, feeders=3)
    prices = random_prices(draw, 20, 0.5)
    feeders, reserve = limits(f0=(0, 0), f1=(5, 0), f2=(0, 9)), reserve_of(prices, [60.0] * 20, 4.0)
    with search():
        found = plan_fleet(devices, prices, feeders=feeders, reserve=reserve).report
    exact = plan_fleet(devices, prices, feeders=feeders, reserve=reserve).report
    assert found["gap"] <= 1e-4
    assert found["iterations"] < 800
    assert found["relaxation_usd"] == pytest.approx(exact["relaxation_usd"], abs=0.01)
    assert found["objective_usd"] == pytest.approx(exact["objective_usd"], rel=2e-4, abs=1e-3)
