"""Wear by depth of discharge: hand arithmetic, and the programme of its paper as the judge."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.optimize import linprog

from domain.fleet import check_devices, check_schedule
from domain.fleet.wear import depth_wear_usd, scheduled_depth_wear_usd
from solvers.fleet import plan_fleet
from tests.fleet_oracles import device_frame, price_frame, random_devices, random_prices

LISTS = pl.List(pl.Float64)


def deep_frame(*rows: dict[str, Any]) -> pl.DataFrame:
    wear = pl.Series([row.get("wear_depth_usd_per_kwh") for row in rows], dtype=LISTS)
    return device_frame(*rows).with_columns(wear_depth_usd_per_kwh=wear)


def test_deep_cycles_stop_where_their_wear_eats_the_spread() -> None:
    # Lossless, 10 kWh in two segments of 5: a kWh earns 0.05 USD, wears 0.01 in the shallow half, 0.06 in the deep one.
    device = {
        "soc_start_kwh": 10.0, "soc_end_min_kwh": 10.0, "charge_efficiency": 1.0, "discharge_efficiency": 1.0,
        "max_charge_kw": 10.0, "max_discharge_kw": 10.0,
    }  # fmt: skip
    shallow = plan_fleet(deep_frame(device | {"wear_depth_usd_per_kwh": [0.01, 0.06]}), price_frame([100, 50]))
    assert shallow.schedule["discharge_kw"].to_list() == pytest.approx([5, 0])
    # 5 kWh sold at 0.100, bought back at 0.050, worn by 5 x 0.01.
    assert shallow.report["objective_usd"] == pytest.approx(-5 * 0.05 + 5 * 0.01)
    deep = plan_fleet(deep_frame(device | {"wear_depth_usd_per_kwh": [0.01, 0.04]}), price_frame([100, 50]))
    assert deep.schedule["discharge_kw"].to_list() == pytest.approx([10, 0])


def test_two_shallow_cycles_wear_less_than_a_deep_one() -> None:
    widths = {"stored_kwh": np.array([10.0]), "band_kwh": np.array([10.0]), "wear": np.array([[0.01, 0.06]])}
    deep = depth_wear_usd(**widths, moved_kwh=(np.array([[0.0, 10.0]]), np.array([[10.0, 0.0]])), out=np.ones(1))
    twice = depth_wear_usd(
        **widths, moved_kwh=(np.array([[0.0, 5.0, 0.0, 5.0]]), np.array([[5.0, 0.0, 5.0, 0.0]])), out=np.ones(1)
    )
    # 5 x 0.01 + 5 x 0.06 against 10 x 0.01.
    assert deep == pytest.approx([0.35])
    assert twice == pytest.approx([0.10])


def test_costs_that_fall_with_depth_are_refused_row_by_row() -> None:
    rows = [{"wear_depth_usd_per_kwh": wear} for wear in ([0.02, 0.01], [0.01, None], [], [0.01, 0.02])]
    good, errors = check_devices(deep_frame(*rows))
    assert good["device_id"].to_list() == ["d3"]
    assert ["falls" in errors[0]["reason"], "no finite" in errors[1]["reason"], "empty" in errors[2]["reason"]] == [
        True
    ] * 3
    outside = {"wear_depth_usd_per_kwh": [0.01], "soc_min_kwh": 2.0, "soc_start_kwh": 1.0}
    assert "must lie within soc_min_kwh" in check_devices(deep_frame(outside))[1][0]["reason"]


def paper_usd(device: dict[str, Any], usd_mwh: np.ndarray, hours: float, end_value: float) -> float:
    """Solve the programme of the paper: charge, discharge and level of each segment in each interval."""
    wear, count = np.array(device["wear_depth_usd_per_kwh"]), len(usd_mwh)
    many, price = len(wear), usd_mwh / 1000
    part = np.ones(count) if device["availability"] is None else np.array(device["availability"])
    width = (device["soc_max_kwh"] - device["soc_min_kwh"]) / many
    first = np.clip(device["soc_start_kwh"] - device["soc_min_kwh"] - width * np.arange(many), 0, width)
    column = np.arange(3 * count * many).reshape(3, count, many)
    cost = np.zeros(column.size)
    each_way = device["wear_usd_per_kwh"]
    cost[column[0]] = hours * (price[:, None] + each_way)
    cost[column[1]] = hours * (each_way - price[:, None] + wear)
    cost[column[2, -1]] = -end_value
    equal, equal_to, below, below_than = [], [], [], []
    for t in range(count):
        for j in range(many):
            row = np.zeros(column.size)
            row[column[:, t, j]] = -hours * device["charge_efficiency"], hours / device["discharge_efficiency"], 1.0
            if t:
                row[column[2, t - 1, j]] = -1.0
            equal.append(row)
            equal_to.append(0.0 if t else first[j])
        share = np.zeros(column.size)
        for which, most in ((0, device["max_charge_kw"]), (1, device["max_discharge_kw"])):
            row = np.zeros(column.size)
            row[column[which, t]] = 1.0
            below.append(row)
            below_than.append(part[t] * most)
            share += row / most if most else 0.0
        below.append(share)
        below_than.append(1.0)
    row = np.zeros(column.size)
    row[column[2, -1]] = -1.0
    below.append(row)
    below_than.append(device["soc_min_kwh"] - device["soc_end_min_kwh"])
    bounds = [(0, None)] * (2 * count * many) + [(0, width)] * (count * many)
    solved = linprog(cost, np.array(below), below_than, np.array(equal), equal_to, bounds)
    return solved.fun - end_value * device["soc_min_kwh"]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("shared", [False, True], ids=["alone", "under shared limits"])
def test_the_programme_of_the_paper_finds_no_cheaper_schedule(seed: int, *, shared: bool) -> None:
    draw = np.random.default_rng(seed)
    count, hours = int(draw.integers(2, 16)), float(draw.choice([0.25, 0.5, 1.0]))
    rows = random_devices(draw, 4, count).to_dicts()
    for row in rows:
        row["soc_start_kwh"] = min(max(row["soc_start_kwh"], row["soc_min_kwh"]), row["soc_max_kwh"])
        row["wear_depth_usd_per_kwh"] = np.sort(draw.uniform(0, 0.06, int(draw.integers(1, 5)))).tolist()
    devices, prices, end_value = deep_frame(*rows), random_prices(draw, count, hours), float(draw.choice([0.0, 0.05]))
    nobody = pl.DataFrame({"feeder": ["nobody's"], "import_limit_kw": [1.0], "export_limit_kw": [1.0]})
    plan = plan_fleet(
        devices, prices, terminal_value_usd_per_kwh=end_value, feeders=nobody if shared else None
    )  # fmt: skip
    assert check_schedule(devices, prices, plan.schedule) == []
    planned = set(plan.schedule["device_id"])
    usd_mwh = prices["price_usd_mwh"].to_numpy()
    expected = sum(
        paper_usd(row, usd_mwh, hours, end_value) for row in devices.to_dicts() if row["device_id"] in planned
    )
    assert plan.report["objective_usd"] == pytest.approx(expected, abs=1e-7)
    assert plan.report["gap"] <= 1e-9
    energy = plan.schedule.join(prices, on="event_start").join(devices, on="device_id")
    moved = (pl.col("charge_kw") + pl.col("discharge_kw")) * pl.col("wear_usd_per_kwh")
    plain = energy.select((moved - pl.col("power_kw") * pl.col("price_usd_mwh") / 1000).sum()).item() * hours
    by_depth = scheduled_depth_wear_usd(devices.filter(pl.col("device_id").is_in(planned)), plan.schedule, hours)
    last = plan.schedule.filter(pl.col("event_start") == prices["event_start"].max())["soc_kwh"].sum()
    assert plain + by_depth - end_value * last == pytest.approx(expected, abs=1e-7)
