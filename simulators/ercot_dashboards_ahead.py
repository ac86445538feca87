"""ERCOT's live dashboards of the days ahead, and the register of all dashboards.

Put here: dashboards that hold forecasts. Keep out: the state of the present (ercot_dashboards.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Final

import numpy as np

from domain.instants import CENTRAL
from simulators.ercot_dashboards import (
    capacity_monitor,
    daily_prc,
    energy_storage,
    five_minutes,
    fuel_mix,
    generation_outages,
    stamp,
)
from simulators.ercot_system import FORECAST_DAYS, in_use_model
from simulators.localtime import HOUR_S, day_bounds, local_date, to_local, utc
from simulators.world import World, epochs
from simulators.world_forecasts import LOAD_MODELS, load_forecast, renewable_forecast
from simulators.world_texas import ZONES
from simulators.world_texas_prices import THERMAL_MW


def supply_demand(world: World, now: int) -> dict[str, Any]:
    """Capacity and demand today, forecast for the days after."""
    today = local_date(now, CENTRAL)
    at, values = five_minutes(world, today, now)
    _, repeated = to_local(at, CENTRAL)
    capacity = THERMAL_MW + values["wind"] + values["solar"] - 9000.0
    ahead = _load_ahead(world, now - now % HOUR_S, today + timedelta(days=1), FORECAST_DAYS - 2)
    return {
        "lastUpdated": stamp(now),
        "data": [
            {
                "capacity": round(able),
                "available": round(able - 1300),
                "demand": round(load),
                "forecast": 0,
                "dstFlag": int(twice),
                "interval": place % 12 * 5,
                "hourEnding": place // 12,
                "timestamp": stamp(moment),
                "epoch": moment * 1000,
            }
            for place, (moment, twice, able, load) in enumerate(
                zip(at.tolist(), repeated.tolist(), capacity.tolist(), values["load"].tolist(), strict=True)
            )
        ],
        "forecast": [
            {
                "deliveryDate": f"{local_date(moment, CENTRAL)}",
                "dstFlag": "N",
                "hourEnding": utc(moment).astimezone(CENTRAL).hour + 1,
                "availCapGen": round(load * 1.25 + 9000),
                "forecastedDemand": round(load),
                "timestamp": stamp(moment + HOUR_S),
                "epoch": (moment + HOUR_S) * 1000,
            }
            for moment, load in ahead
        ],
    }


def _load_ahead(world: World, posted: int, first: date, days: int) -> list[tuple[int, float]]:
    start, end = day_bounds(first, CENTRAL)[0], day_bounds(first + timedelta(days=days - 1), CENTRAL)[1]
    forecast = load_forecast(world, posted // HOUR_S, start, end)
    total = forecast[LOAD_MODELS.index(in_use_model(world, posted))].sum(axis=0)
    return list(zip(epochs(start, end, HOUR_S).tolist(), total.tolist(), strict=True))


def load_forecast_vs_actual(world: World, now: int) -> dict[str, Any]:
    """Two vintages of the load forecast side by side with the load, yesterday to tomorrow."""
    today = local_date(now, CENTRAL)
    days: dict[str, Any] = {}
    for name, shift in (("previousDay", -1), ("currentDay", 0), ("nextDay", 1)):
        day = today + timedelta(days=shift)
        start, end = day_bounds(day, CENTRAL)
        eve = start - 14 * HOUR_S
        current = _load_ahead(world, min(now, start) - min(now, start) % HOUR_S, day, 1)
        before = dict(_load_ahead(world, min(eve, now - now % HOUR_S), day, 1))
        truth = world.window("texas", start, end)
        actual = dict(zip(before, np.sum([truth[f"load/{zone}"] for zone in ZONES], axis=0).tolist(), strict=True))
        _, repeated = to_local(np.array(list(before), np.int64), CENTRAL)
        days[name] = {
            "dayDate": stamp(start),
            "data": [
                {
                    "hourEnding": utc(moment).astimezone(CENTRAL).hour + 1,
                    "dstFlag": "Y" if twice else "N",
                    "currentLoadForecast": round(load, 4),
                    "dayAheadForecast": round(before[moment], 4),
                    "currentDayHsl": round(load * 1.42, 1),
                    "dayAheadHsl": round(before[moment] * 1.44, 1),
                    **({"systemLoad": round(actual[moment], 2)} if moment + HOUR_S <= now else {}),
                    "timestamp": stamp(moment + HOUR_S),
                    "epoch": (moment + HOUR_S) * 1000,
                }
                for (moment, load), twice in zip(current, repeated.tolist(), strict=True)
            ],
        }
    return {"lastUpdated": stamp(now), **days}


def combine_wind_solar(world: World, now: int) -> dict[str, Any]:
    """Wind and sun by hour: actual, and two vintages of the forecast; keyed by the epoch of the hour's end."""
    today = local_date(now, CENTRAL)
    hour = now // HOUR_S
    days = {}
    for name, shift in (("previousDay", -1), ("currentDay", 0), ("nextDay", 1)):
        start, end = day_bounds(today + timedelta(days=shift), CENTRAL)
        truth = world.window("texas", start, end)
        made = {
            (kind, label): renewable_forecast(world, kind, posted, start, end)
            for kind in ("wind", "solar")
            for label, posted in (("", hour), ("DayAhead", min(hour, start // HOUR_S - 14)))
        }
        entries = {}
        for place, moment in enumerate(range(start, end, HOUR_S)):
            past = moment + HOUR_S <= now
            entry: dict[str, Any] = {
                "hourEnding": utc(moment).astimezone(CENTRAL).hour + 1,
                "dstFlag": "Y" if utc(moment).astimezone(CENTRAL).fold else "N",
                "timestamp": stamp(moment + HOUR_S),
                "epoch": (moment + HOUR_S) * 1000,
            }
            for kind, forecast in (("wind", "stwpf"), ("solar", "stppf")):
                entry[f"actual{kind.title()}"] = round(float(truth[kind][place])) if past else None
                for label in ("", "DayAhead"):
                    value = float(made[kind, label][place])
                    entry[f"copHsl{kind.title()}{label}"] = round(value * 0.97)
                    entry[f"{forecast}{label}"] = round(value)
            entries[str(entry["epoch"])] = entry
        days[name] = {"data": entries}
    return {"lastUpdated": stamp(now), **days}


DASHBOARDS: Final[dict[str, Callable[[World, int], dict[str, Any]]]] = {
    "daily-prc.json": daily_prc,
    "ancillary-service-capacity-monitor.json": capacity_monitor,
    "energy-storage-resources.json": energy_storage,
    "fuel-mix.json": fuel_mix,
    "supply-demand.json": supply_demand,
    "loadForecastVsActual.json": load_forecast_vs_actual,
    "combine-wind-solar.json": combine_wind_solar,
    "generation-outages.json": generation_outages,
}
