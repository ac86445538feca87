"""Prices in Texas: what the merit order asks for the net load, and what congestion makes of it at each point.

Day-ahead is the expectation over what real time may bring, real time is one outcome. Invented, sized after the 2024
hub average (median 20, quartiles 13 and 26, mean 27 USD/MWh, a few hours in the thousands, some below zero).
Put here: day-ahead and real-time settlement point prices. Keep out: load and weather, wire formats.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from simulators.noise import Floats, Ints, normals, smooth, stream, uniforms
from simulators.world_texas import WIND_MW, Grid

HUBS: Final = ("HB_HOUSTON", "HB_NORTH", "HB_PAN", "HB_SOUTH", "HB_WEST")
LOAD_ZONES: Final = ("LZ_AEN", "LZ_CPS", "LZ_HOUSTON", "LZ_LCRA", "LZ_NORTH", "LZ_RAYBN", "LZ_SOUTH", "LZ_WEST")
_MIXED: Final = {"HB_BUSAVG": (0.3, 0.3, 0.02, 0.26, 0.12), "HB_HUBAVG": (0.25, 0.25, 0.0, 0.25, 0.25)}
# Sensitivity of each point to four congestion patterns: export from the west, import to Houston, the south
# pocket, load in the far west. Invented.
_SHIFT: Final = {
    "HB_HOUSTON": (0.10, 1.0, 0.1, 0.0),
    "HB_NORTH": (0.16, 0.0, 0.0, 0.0),
    "HB_PAN": (-1.5, 0.0, 0.0, 0.1),
    "HB_SOUTH": (0.05, 0.1, -0.9, 0.0),
    "HB_WEST": (-0.9, 0.0, 0.0, 0.5),
    "LZ_AEN": (0.12, 0.1, 0.3, 0.0),
    "LZ_CPS": (0.10, 0.1, 0.7, 0.0),
    "LZ_HOUSTON": (0.10, 1.15, 0.1, 0.0),
    "LZ_LCRA": (0.10, 0.1, 0.4, 0.0),
    "LZ_NORTH": (0.18, 0.0, 0.0, 0.0),
    "LZ_RAYBN": (0.20, 0.0, 0.0, 0.0),
    "LZ_SOUTH": (0.08, 0.2, 0.9, 0.0),
    "LZ_WEST": (-0.35, 0.0, 0.0, 1.3),
}
POINT_TYPES: Final = (
    *((name, "HU") for name in HUBS),
    ("HB_BUSAVG", "SH"),
    ("HB_HUBAVG", "AH"),
    *((name, "LZ") for name in LOAD_ZONES),
    *((name, "LZEW") for name in LOAD_ZONES),
)
"""Settlement points of the real-time product with their types; a zone appears twice, with different prices."""
DAY_AHEAD_POINTS: Final = (*HUBS, "HB_BUSAVG", "HB_HUBAVG", *LOAD_ZONES)
RESERVES: Final = ("REGUP", "REGDN", "RRS", "ECRS", "NSPIN")
# Typical price [USD/MW] of each reserve and the share of energy scarcity it carries. Invented.
_RESERVE_SHAPE: Final = {
    "REGUP": (4.0, 0.9),
    "REGDN": (3.0, 0.0),
    "RRS": (2.5, 0.85),
    "ECRS": (2.0, 0.8),
    "NSPIN": (1.5, 0.6),
}
PRICE_CAP_USD_MWH: Final = 5000.0
PRICE_FLOOR_USD_MWH: Final = -251.0
_HERMITE_AT: Final = np.array([-2.857, -1.356, 0.0, 1.356, 2.857])
_HERMITE_WEIGHT: Final = np.array([0.01126, 0.22208, 0.53333, 0.22208, 0.01126])
"""Five-point Gauss-Hermite rule for a standard normal expectation (Abramowitz and Stegun, table 25.10)."""

THERMAL_MW: Final = 90000.0
"""Dispatchable capacity, storage included (invented: gives a reserve margin like that of the real system)."""


def merit_order_usd_mwh(seed: int, at_h: Floats, net_load_mw: Floats, outage_mw: Floats) -> Floats:
    """Return the system price [USD/MWh] at which the offers cover the net load."""
    gas = 2.6 * np.exp(0.25 * smooth(stream(seed, "texas", "gas"), at_h, 24.0 * 20))
    use = net_load_mw / (THERMAL_MW - outage_mw)
    rate = 0.4 + 13.0 * np.clip(use, 0.0, 1.2) ** 0.9
    steep = 14.0 * np.exp(np.minimum((use - 0.80) / 0.032, 4.6))
    scarce = 4300.0 / (1.0 + np.exp(-(use - 0.985) / 0.011))
    dump = -20.0 / (1.0 + np.exp((use - 0.06) / 0.025))
    return np.clip(gas * rate + steep + scarce + dump, PRICE_FLOOR_USD_MWH, PRICE_CAP_USD_MWH)


def day_ahead_energy_usd_mwh(seed: int, hours: Ints, truth: Grid) -> Floats:
    """Return the system price that the day-ahead market expects for each epoch hour [USD/MWh]."""
    at = hours.astype(float)
    load = truth.load_mw.sum(axis=0)
    surprise = 0.02 * load * smooth(stream(seed, "texas", "da", "load"), at, 10.0)
    surprise = surprise - 0.05 * WIND_MW * smooth(stream(seed, "texas", "da", "wind"), at, 10.0)
    expected = load - truth.wind_mw - truth.solar_mw - surprise
    spread = np.hypot(0.02 * load, 0.06 * WIND_MW)
    return np.sum(
        [
            weight * merit_order_usd_mwh(seed, at, expected + spread * place, truth.outage_mw)
            for place, weight in zip(_HERMITE_AT, _HERMITE_WEIGHT, strict=True)
        ],
        axis=0,
    )


def real_time_balance(seed: int, quarters: Ints, truth: Grid, hours: Ints) -> tuple[Floats, Floats]:
    """Return net load and thermal outages as they came about in each epoch quarter hour [MW].

    Args:
        seed: The world's seed.
        quarters: Epoch quarter hours, within ``hours``.
        truth: The grid in ``hours``.
        hours: Consecutive epoch hours.
    """
    at_h = quarters / 4.0
    net = truth.load_mw.sum(axis=0) - truth.wind_mw - truth.solar_mw
    net_quarter = np.interp(at_h + 0.125, hours + 0.5, net)
    net_quarter = net_quarter + 450.0 * smooth(stream(seed, "texas", "rt", "net"), at_h, 1.5)
    slot = quarters // 10
    trips = uniforms(stream(seed, "texas", "rt", "trip"), slot) < 0.02  # noqa: PLR2004 - about four a week
    lost = np.where(trips, 1800.0 * np.exp(0.9 * normals(stream(seed, "texas", "rt", "lost"), slot)), 0.0)
    outage = np.interp(at_h + 0.125, hours + 0.5, truth.outage_mw) + np.minimum(lost, 9000.0)
    return net_quarter, outage


def real_time_energy_usd_mwh(seed: int, quarters: Ints, net_load_mw: Floats, outage_mw: Floats) -> Floats:
    """Return the system price that came about in each epoch quarter hour [USD/MWh]."""
    price = merit_order_usd_mwh(seed, quarters / 4.0, net_load_mw, outage_mw)
    price = price + 1.4 * normals(stream(seed, "texas", "rt", "jitter"), quarters)
    return np.clip(price, PRICE_FLOOR_USD_MWH, PRICE_CAP_USD_MWH)


def responsive_capability_mw(seed: int, quarters: Ints, net_load_mw: Floats, outage_mw: Floats) -> Floats:
    """Return the physical responsive capability [MW]: what could still answer a loss within minutes.

    Below 2,500 MW the operator declares an emergency (energy emergency alert, levels 1 to 3).
    """
    spare = np.maximum(0.0, THERMAL_MW - outage_mw - net_load_mw)
    wobble = 180.0 * smooth(stream(seed, "texas", "prc"), quarters / 4.0, 1.0)
    return np.maximum(900.0, 1300.0 + 9500.0 * (1.0 - np.exp(-spare / 18000.0)) + wobble)


def point_prices(seed: int, at_h: Floats, energy: Floats, wind_mw: Floats, run: str) -> dict[tuple[str, str], Floats]:
    """Return (settlement point, type) -> price [USD/MWh], rounded to the cent as published.

    Args:
        seed: The world's seed.
        at_h: Epoch hours, fractions allowed.
        energy: System price there [USD/MWh].
        wind_mw: Wind output there [MW].
        run: ``DA`` or ``RT``: each has its own small deviations.
    """

    def pattern(name: str, step_h: float) -> Floats:
        shared = smooth(stream(seed, "texas", "congestion", name), at_h, step_h)
        own = smooth(stream(seed, "texas", "congestion", name, run), at_h, 1.5 if run == "RT" else 8.0)
        return shared + 0.35 * own

    share = wind_mw / WIND_MW
    patterns = np.array(
        [
            55.0 * np.maximum(0.0, share - 0.52 + 0.1 * pattern("west", 18.0)),
            14.0 * np.maximum(0.0, pattern("houston", 20.0) - 1.3),
            18.0 * np.maximum(0.0, pattern("south", 26.0) - 1.3),
            24.0 * np.maximum(0.0, pattern("far west", 40.0) - 0.9) * (1.0 - share),
        ]
    )
    plain = {name: energy + np.array(shift) @ patterns for name, shift in _SHIFT.items()}
    for name, weights in _MIXED.items():
        plain[name] = np.sum([weight * plain[hub] for hub, weight in zip(HUBS, weights, strict=True)], axis=0)
    prices = {(name, kind): plain[name] for name, kind in POINT_TYPES if kind != "LZEW"}
    for name in LOAD_ZONES:
        extra = 0.3 * np.maximum(0.0, smooth(stream(seed, "texas", "LZEW", name, run), at_h, 6.0))
        prices[name, "LZEW"] = plain[name] + extra
    return {point: np.round(np.clip(price, -251.0, 5000.0), 2) for point, price in prices.items()}


def reserve_prices(seed: int, at_h: Floats, energy: Floats, run: str) -> dict[str, Floats]:
    """Return reserve -> capacity price [USD/MW per hour], rounded to the cent: scarce when energy is dear."""
    scarcity = np.maximum(0.0, energy - 55.0)
    surplus = np.maximum(0.0, 8.0 - energy)
    prices = {}
    for name, (typical, share) in _RESERVE_SHAPE.items():
        mood = smooth(stream(seed, "texas", "reserve", name), at_h, 20.0)
        mood = mood + 0.4 * smooth(stream(seed, "texas", "reserve", name, run), at_h, 2.0)
        price = typical * np.exp(0.5 * mood) + share * scarcity + (0.8 * surplus if name == "REGDN" else 0.0)
        prices[name] = np.round(np.minimum(price, PRICE_CAP_USD_MWH), 2)
    return prices
