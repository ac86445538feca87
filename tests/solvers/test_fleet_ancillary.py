"""Ancillary services: hand arithmetic, dated rules, and Pyomo as the judge."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pyomo.environ as pyo
import pytest

from domain.errors import ConfigError, FrameError, InputError
from domain.fleet.ancillary import ServiceRule, offerings, pool_devices
from resources.ancillary_file import load_service_rules
from solvers.fleet.ancillary import plan_ancillary
from tests.fleet_oracles import device_frame, price_frame

CONFIG = Path(__file__).parents[2] / "config" / "ancillary.toml"
UP = ("REGUP", "RRS", "ECRS", "NSPIN")


def rule(name: str, sustained_h: float) -> ServiceRule:
    direction = "up" if name in UP else "down"
    return ServiceRule(
        name=name, direction=direction, sustained_h=sustained_h, valid_from=date(2020, 1, 1), source="test"
    )  # ty: ignore[invalid-argument-type]


def test_an_award_is_backed_by_energy_for_as_long_as_it_must_last() -> None:
    site = device_frame({"soc_start_kwh": 9.0, "soc_end_min_kwh": 9.0})
    prices = price_frame([50, 50]).with_columns(nspin_usd_mw=pl.lit(20.0))
    plan = plan_ancillary(site, prices, [rule("NSPIN", 4.0)])
    # 9 kWh stored give 0.9 x 9 = 8.1 kWh at the meter: 2.025 kW for four hours, though the inverter gives 5 kW.
    assert plan.schedule["nspin_kw"].to_list() == pytest.approx([2.025, 2.025])
    assert plan.report["services"]["NSPIN"]["earnings_usd"] == pytest.approx(2 * 2.025 * 0.020)
    assert plan.report["objective_usd"] == pytest.approx(-0.081)
    short = plan_ancillary(site, prices, [rule("NSPIN", 0.5)])
    # Half an hour would allow 16.2 kW: now power is what binds.
    assert short.schedule["nspin_kw"].to_list() == pytest.approx([5, 5])


def test_charging_makes_headroom_and_expected_calls_drift_the_state_of_charge() -> None:
    full = {"soc_start_kwh": 10.0, "charge_efficiency": 1.0, "discharge_efficiency": 1.0}
    prices = price_frame([0, 0]).with_columns(
        regup_usd_mw=pl.lit(30.0), regup_deployed=pl.lit(0.2), regdn_usd_mw=pl.lit(1.0), regdn_deployed=pl.lit(0.0)
    )
    plan = plan_ancillary(device_frame(full), prices, [rule("REGUP", 0.5), rule("REGDN", 0.5)])
    # 5 kW of RegUp, a fifth of it called: 1 kWh leaves the full store. Then it charges c = 2.5 kW, which it could stop:
    # 5 + c kW of RegUp, of which 1.5 kW are called; 9 + 2.5 - 1.5 = 10 kWh, full again.
    assert plan.schedule["regup_kw"].to_list() == pytest.approx([5, 7.5])
    assert plan.schedule["soc_kwh"].to_list()[0] <= 9.0 + 1e-9
    assert plan.schedule["regdn_kw"][0] == pytest.approx(0)


def test_the_shipped_rules_change_with_real_time_co_optimization() -> None:
    rules = load_service_rules(CONFIG)
    starts = [datetime(2025, 12, 5, 5, tzinfo=UTC) + timedelta(hours=hour) for hour in range(2)]
    # Midnight in Texas is 06:00 UTC: the first hour still belongs to 4 December.
    prices = pl.DataFrame({"event_start": starts, "price_usd_mwh": [30.0, 30.0], "ecrs_usd_mw": [5.0, 5.0]}).cast(
        {"event_start": pl.Datetime("us", "UTC")}
    )
    _, offers = offerings(prices, rules)
    assert offers[0].sustained_h.tolist() == [2.0, 1.0]
    with pytest.raises(FrameError, match="no rule says how long REGUP must last on 2025-12-04"):
        offerings(prices.rename({"ecrs_usd_mw": "regup_usd_mw"}), rules)


def test_two_rules_for_one_day_are_refused(tmp_path: Path) -> None:
    text = CONFIG.read_text().replace("valid_until = 2025-12-05\n", "")
    (tmp_path / "rules.toml").write_text(text)
    with pytest.raises(ConfigError, match="two rules of ECRS hold on 2025-12-05"):
        load_service_rules(tmp_path / "rules.toml")


def test_a_pool_adds_up_what_is_always_there() -> None:
    site = device_frame(
        {"charge_efficiency": 0.95},
        {"max_charge_kw": 7.0},
        {"availability": [1.0, 0.5]},
        {"soc_max_kwh": 8.0, "soc_start_kwh": 9.0},
    )
    pool, errors = pool_devices(site)
    row = pool.row(0, named=True)
    assert (row["max_charge_kw"], row["capacity_kwh"], row["charge_efficiency"]) == (12.0, 20.0, 0.9)
    assert [error["device_id"] for error in errors] == ["d2", "d3"]


def test_a_service_without_a_price_column_is_not_offered_and_none_at_all_is_refused() -> None:
    with pytest.raises(FrameError, match="no service to offer"):
        plan_ancillary(device_frame({}), price_frame([1, 2]), [])


def pyomo_usd(site: dict, prices: pl.DataFrame, hours: float, rules: list[ServiceRule]) -> float:
    m = pyo.ConcreteModel()
    rows, count = prices.to_dicts(), prices.height
    up = [each for each in rules if each.direction == "up"]
    down = [each for each in rules if each.direction == "down"]
    m.t, m.k = pyo.RangeSet(0, count - 1), pyo.Set(initialize=[each.name for each in rules])
    m.c = pyo.Var(m.t, bounds=(0, site["max_charge_kw"]))
    m.d = pyo.Var(m.t, bounds=(0, site["max_discharge_kw"]))
    m.s = pyo.Var(m.t, bounds=(site["soc_min_kwh"], site["soc_max_kwh"]))
    m.r = pyo.Var(m.k, m.t, domain=pyo.NonNegativeReals)
    into, out_of = site["charge_efficiency"], site["discharge_efficiency"]

    def called(t: int, which: list[ServiceRule]) -> object:
        return sum(rows[t][f"{each.name.lower()}_deployed"] * m.r[each.name, t] for each in which)

    m.rules = pyo.ConstraintList()
    for t in range(count):
        before = m.s[t - 1] if t else site["soc_start_kwh"]
        gain = into * (m.c[t] + called(t, down)) - (m.d[t] + called(t, up)) / out_of
        m.rules.add(m.s[t] == before + hours * gain)
        m.rules.add(m.c[t] / site["max_charge_kw"] + m.d[t] / site["max_discharge_kw"] <= 1)
        m.rules.add(m.d[t] - m.c[t] + sum(m.r[each.name, t] for each in up) <= site["max_discharge_kw"])
        m.rules.add(m.c[t] - m.d[t] + sum(m.r[each.name, t] for each in down) <= site["max_charge_kw"])
        for level in (before, m.s[t]):
            m.rules.add(
                out_of * (level - site["soc_min_kwh"]) >= sum(each.sustained_h * m.r[each.name, t] for each in up)
            )
            needed = into * sum(each.sustained_h * m.r[each.name, t] for each in down)
            m.rules.add(site["soc_max_kwh"] - level >= needed)
    m.rules.add(m.s[count - 1] >= site["soc_end_min_kwh"])
    wear = site["wear_usd_per_kwh"]
    cost = 0
    for t in range(count):
        price = rows[t]["price_usd_mwh"] / 1000
        drawn, given = m.c[t] + called(t, down), m.d[t] + called(t, up)
        cost += hours * (price * (drawn - given) + wear * (drawn + given))
        cost -= hours * sum(rows[t][f"{each.name.lower()}_usd_mw"] / 1000 * m.r[each.name, t] for each in rules)
    m.cost = pyo.Objective(expr=cost)
    pyo.SolverFactory("appsi_highs").solve(m)
    return pyo.value(m.cost)


@pytest.mark.parametrize("seed", range(8))
def test_pyomo_finds_no_better_offer(seed: int) -> None:
    draw = np.random.default_rng(seed)
    hours, count = float(draw.choice([0.25, 1.0])), int(draw.integers(3, 14))
    site = {
        "max_charge_kw": draw.uniform(2, 8), "max_discharge_kw": draw.uniform(2, 8), "soc_min_kwh": 1.0,
        "soc_start_kwh": draw.uniform(1, 10), "soc_end_min_kwh": draw.choice([0.0, 2.0]), "wear_usd_per_kwh": 0.004,
        "charge_efficiency": draw.uniform(0.8, 1), "discharge_efficiency": draw.uniform(0.8, 1),
    }  # fmt: skip
    rules = [rule(name, sustained) for name, sustained in zip((*UP, "REGDN"), (0.5, 0.5, 1.0, 4.0, 0.5), strict=True)]
    prices = price_frame(draw.normal(30, 40, count), hours).with_columns(
        *(pl.Series(f"{each.name.lower()}_usd_mw", draw.uniform(0, 25, count)) for each in rules),
        *(pl.Series(f"{each.name.lower()}_deployed", draw.uniform(0, 0.3, count)) for each in rules),
    )
    frame = device_frame(site)
    plan = plan_ancillary(frame, prices, rules)
    assert plan.report["objective_usd"] == pytest.approx(
        pyomo_usd(frame.row(0, named=True), prices, hours, rules), abs=1e-6
    )
    # The state of charge that is published is the one its own flows lead to, inside the band.
    assert plan.schedule["soc_kwh"].min() >= 1.0 - 1e-6
    assert plan.schedule["soc_kwh"].max() <= 10.0 + 1e-6


def test_prices_that_are_no_numbers_and_a_worth_that_is_none_are_refused() -> None:
    site, rules = device_frame({}), [rule("REGUP", 0.5)]
    for value in (pl.lit("free"), pl.lit(value=True), pl.lit([1.0], pl.List(pl.Float64))):
        with pytest.raises(FrameError, match=r"regup_usd_mw of type (String|Boolean|List).*; write it as numbers"):
            plan_ancillary(site, price_frame([1, 2]).with_columns(regup_usd_mw=value), rules)
    prices = price_frame([1, 2]).with_columns(regup_usd_mw=pl.lit(1.0))
    with pytest.raises(InputError, match="terminal value of nan"):
        plan_ancillary(site, prices, rules, terminal_value_usd_per_kwh=float("nan"))
