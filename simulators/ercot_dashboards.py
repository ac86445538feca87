"""ERCOT's live dashboards of the present: one mutable JSON file each, as the web site reads them.

Put here: the state of the grid now and today. Keep out: forecasts (ercot_dashboards_ahead.py), operations
messages (ercot_messages.py), anything with a history.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

import numpy as np

from domain.instants import CENTRAL
from simulators.localtime import HOUR_S, day_bounds, local_date, to_local, utc
from simulators.noise import Floats, Ints, normals, smooth, stream
from simulators.world import World, epochs
from simulators.world_texas import SOLAR_MW, WIND_MW, ZONES

FIVE_MIN_S: Final = 300
QUARTER_S: Final = 900
STATES: Final = (
    (3000.0, "normal", 0),
    (2500.0, "watch", 0),
    (2000.0, "eea1", 1),
    (1750.0, "eea2", 2),
    (0.0, "eea3", 3),
)
"""Least responsive capability [MW], state and emergency level, best first."""


def condition(prc_mw: float) -> tuple[str, int]:
    """Return the grid's state and emergency level at a responsive capability [MW]."""
    return next((state, level) for least, state, level in STATES if prc_mw >= least or least == 0.0)


def stamp(seconds: int) -> str:
    """Return an epoch [s] as ``yyyy-MM-dd HH:mm:ss-0500``."""
    return f"{utc(seconds).astimezone(CENTRAL):%Y-%m-%d %H:%M:%S%z}"


def _prc(world: World, now: int) -> float:
    at = now - now % QUARTER_S
    return float(world.window("texas_rt", at, at + QUARTER_S)["prc"][0])


def daily_prc(world: World, now: int) -> dict[str, Any]:
    """Responsive capability now and over the day: the emergency signal."""
    start = day_bounds(local_date(now, CENTRAL), CENTRAL)[0]
    end = max(now - now % QUARTER_S, start)
    values = world.window("texas_rt", start, end)["prc"] if end > start else np.array([])
    prc = _prc(world, now)
    state, level = condition(prc)
    return {
        "lastUpdated": stamp(now),
        "current_condition": {
            "datetime": now,
            "state": state,
            "title": "Normal Conditions" if state == "normal" else state.upper(),
            "prc_value": f"{prc:,.0f}",
            "eea_level": level,
            "condition_note": "There is enough power for current demand." if level == 0 else "Emergency operations.",
        },
        "data": [
            {"timestamp": stamp(at), "epoch": at * 1000, "prc": round(value)}
            for at, value in zip(epochs(start, end, QUARTER_S).tolist(), values.tolist(), strict=True)
        ],
    }


def capacity_monitor(world: World, now: int) -> dict[str, Any]:
    """Ancillary service capacity: groups of a title row and key, value rows."""
    prc = _prc(world, now)
    spare = max(0.0, prc - 1300.0)
    groups: dict[str, tuple[str, dict[str, float]]] = {
        "physicalResponsiveCapability": ("Physical Responsive Capability", {"prc": prc}),
        "regulation": ("Regulation Capability", {"regUpCap": 500 + 0.10 * spare, "regDownCap": 620 + 0.05 * spare}),
        "responsiveReserve": ("Responsive Reserve", {"rrcCapPfrGenEsr": 900 + 0.35 * spare, "rrcCapNcl": 410.0}),
        "contingencyReserve": ("ERCOT Contingency Reserve Service", {"ecrsCapEsr": 300 + 0.20 * spare}),
        "nonSpin": ("Non-Spinning Reserve", {"nsrCapEsr": 150 + 0.15 * spare}),
        "realTimeReserve": (
            "Real-Time Reserves",
            {"rtReserveOnline": 1800 + 0.9 * spare, "rtReserveOnOffline": 3200 + 1.1 * spare, "telemHslEmr": 0.0},
        ),
    }
    data = {
        name: [[title], *([key, f"{value:,.0f}"] for key, value in rows.items())]
        for name, (title, rows) in groups.items()
    }
    return {"lastUpdated": stamp(now), "data": data}


def five_minutes(world: World, day: date, now: int) -> tuple[Ints, dict[str, Floats]]:
    """Return the five-minute marks of a local day up to now, with load, wind, sun and price there."""
    start, end = day_bounds(day, CENTRAL)
    at = epochs(start, min(end, now - now % FIVE_MIN_S + FIVE_MIN_S), FIVE_MIN_S)
    low, high = start - HOUR_S, end + HOUR_S
    hourly = world.window("texas", low, high)
    middle = np.arange(low, high, HOUR_S) + HOUR_S / 2
    load = np.sum([hourly[f"load/{zone}"] for zone in ZONES], axis=0)
    values = {name: np.interp(at, middle, row) for name, row in (("load", load), ("wind", hourly["wind"]))}
    values["solar"] = np.interp(at, middle, hourly["solar"])
    price = world.window("texas_rt", start, end)["HB_HUBAVG/AH"]
    values["price"] = price[(at - start) // QUARTER_S]
    return at, values


def _storage(world: World, at: Ints, price: Floats) -> tuple[Floats, Floats]:
    """Return what all batteries charge (0 or less) and discharge [MW]: they follow the price."""
    noise = normals(stream(world.seed, "storage"), at)
    lean = np.tanh((price - 28.0) / 18.0) + 0.2 * smooth(stream(world.seed, "storage", "mood"), at / HOUR_S, 3.0)
    charging = -np.maximum(0.0, 250.0 - 2600.0 * lean + 60.0 * noise)
    return charging, np.maximum(0.0, 120.0 + 3400.0 * lean + 60.0 * noise)


def energy_storage(world: World, now: int) -> dict[str, Any]:
    """What batteries did, every five minutes of today and yesterday."""
    today = local_date(now, CENTRAL)
    days = {}
    for name, day in (("previousDay", today - timedelta(days=1)), ("currentDay", today)):
        at, values = five_minutes(world, day, now)
        charging, discharging = _storage(world, at, values["price"])
        local, repeated = to_local(at, CENTRAL)
        days[name] = {
            "dayDate": stamp(day_bounds(day, CENTRAL)[0]),
            "data": [
                {
                    "tagCLastTime": f"{utc(reading):%Y-%m-%d %H:%M:%S}",
                    "dstFlag": "Y" if twice else "N",
                    "totalCharging": round(down, 3),
                    "totalDischarging": round(up, 3),
                    "netOutput": round(up + down, 3),
                    "timestamp": stamp(moment),
                    "epoch": moment * 1000,
                }
                for moment, reading, twice, down, up in zip(
                    at.tolist(), local.tolist(), repeated.tolist(), charging.tolist(), discharging.tolist(), strict=True
                )
            ],
        }
    return {"lastUpdated": stamp(now), **days}


def fuel_mix(world: World, now: int) -> dict[str, Any]:
    """Generation by fuel; stamps fall a few seconds off the five-minute grid."""
    today = local_date(now, CENTRAL)
    data: dict[str, dict[str, Any]] = {}
    for day in (today - timedelta(days=1), today):
        at, values = five_minutes(world, day, now)
        charging, discharging = _storage(world, at, values["price"])
        rest = values["load"] - values["wind"] - values["solar"] - charging - discharging - 4900.0
        data[f"{day}"] = {
            stamp(moment + (3 if moment // FIVE_MIN_S % 7 == 0 else 0)): {
                "Natural Gas": {"gen": round(max(0.0, 0.8 * gas), 3)},
                "Coal and Lignite": {"gen": round(max(0.0, 0.2 * gas), 3)},
                "Nuclear": {"gen": 4900.0},
                "Power Storage": {"gen": round(net, 3)},
                "Solar": {"gen": round(sun, 3)},
                "Wind": {"gen": round(wind, 3)},
            }
            for moment, gas, net, sun, wind in zip(
                at.tolist(),
                rest.tolist(),
                (charging + discharging).tolist(),
                values["solar"].tolist(),
                values["wind"].tolist(),
                strict=True,
            )
        }
    capacity = {"Natural Gas": 66895.8, "Power Storage": 10659.8, "Solar": SOLAR_MW, "Wind": WIND_MW}
    return {"lastUpdated": stamp(now), "monthlyCapacity": capacity, "data": data}


def generation_outages(world: World, now: int) -> dict[str, Any]:
    """Capacity that is out, by hour of today and yesterday, keyed by epoch in milliseconds."""
    today = local_date(now, CENTRAL)
    parts = {}
    for name, day in (("previous", today - timedelta(days=1)), ("current", today)):
        start, end = day_bounds(day, CENTRAL)
        out = world.window("texas", start, end)["outage"]
        parts[name] = {
            str((moment + 60) * 1000): {
                "deliveryTime": stamp(moment + 60),
                "dstFlag": "Y" if utc(moment).astimezone(CENTRAL).fold else "N",
                "Combined": _outage(1.5 * total),
                "Dispatchable": _outage(total),
                "Renewable": _outage(0.5 * total),
            }
            for moment, total in zip(range(start, end, HOUR_S), out.tolist(), strict=True)
            if moment <= now
        }
    newest = round(1.5 * float(world.window("texas", now - now % HOUR_S, now - now % HOUR_S + HOUR_S)["outage"][0]))
    return {"lastUpdated": stamp(now), "types": ["Dispatchable", "Renewable"], "currentOutages": newest, **parts}


def _outage(total: float) -> dict[str, int]:
    return {"unplanned": round(0.7 * total), "planned": round(0.3 * total), "total": round(total)}
