"""Schedules without an optimizer: within every limit, whatever is wanted."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from domain.fleet import check_devices, check_schedule, generate_fleet, price_grid
from solvers.fleet import rule
from solvers.fleet.instance import out_of_reach
from tests.fleet_oracles import device_frame, price_frame, random_devices, random_prices


def test_it_charges_in_the_cheap_quarter_and_discharges_in_the_dear_one() -> None:
    schedule = rule.by_quantiles(device_frame({}), price_frame([50, 10, 40, 30, 60, 90, 20, 70]))
    # The cheapest two of eight hours are at 10 and 20, the dearest two at 70 and 90; 4.5 kWh a charging hour.
    assert schedule["charge_kw"].to_list() == pytest.approx([0, 5, 0, 0, 0, 0, 5, 0])
    assert schedule["discharge_kw"].to_list() == pytest.approx([0, 0, 0, 0, 0, 4.05, 0, 4.05])


def test_flat_prices_move_nothing() -> None:
    assert rule.by_quantiles(device_frame({"soc_start_kwh": 5.0}), price_frame([30] * 6))["rate_kw"].sum() == 0


def test_whoever_must_leave_with_energy_is_charged_in_time() -> None:
    schedule = rule.by_quantiles(device_frame({"soc_end_min_kwh": 9.0}), price_frame([10, 30, 40, 50]))
    # 4.5 kWh in the cheap hour; the other 4.5 kWh in the last hour that is left for them, however dear.
    assert schedule["charge_kw"].to_list() == pytest.approx([5, 0, 0, 5])


@pytest.mark.parametrize("seed", range(20))
def test_every_rule_keeps_every_limit(seed: int) -> None:
    draw = np.random.default_rng(seed)
    count = int(draw.integers(2, 20))
    prices = random_prices(draw, count, 0.5)
    good, _ = check_devices(random_devices(draw, 12, count), intervals=count)
    stuck = [row["device_id"] for row in out_of_reach(good, price_grid(prices))]
    good = good.filter(~pl.col("device_id").is_in(stuck))
    powers = good.select("device_id").join(prices.select("event_start"), how="cross")
    powers = powers.with_columns(power_kw=pl.Series(draw.normal(0, 8, powers.height)))
    outside = (pl.col("soc_start_kwh") < pl.col("soc_min_kwh")) | (pl.col("soc_start_kwh") > pl.col("soc_max_kwh"))
    for schedule in (rule.by_quantiles(good, prices), rule.carried_on(good, prices, powers)):
        inside = good.filter(~outside)
        mine = schedule.filter(pl.col("device_id").is_in(inside["device_id"].implode()))
        assert check_schedule(inside, prices, mine, strict=True) == []


def test_an_idle_fleet_does_nothing_even_without_prices() -> None:
    unknown = price_frame([1.0] * 48, 0.5).with_columns(price_usd_mwh=pl.lit(None, pl.Float64))
    assert rule.idle(generate_fleet(10, 1), unknown)["rate_kw"].sum() == 0
