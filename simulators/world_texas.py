"""Texas: temperature, load by weather zone, wind and sun, as they really happen.

Put here: the physical truth. Keep out: prices (world_texas_prices.py), forecasts, products, wire formats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from domain.instants import CENTRAL
from simulators.localtime import DAY_S, HOUR_S, to_local
from simulators.noise import Floats, Ints, smooth, stream
from simulators.world_river import day_of_year

ZONES: Final = ("coast", "east", "farWest", "north", "northCentral", "southCentral", "southern", "west")
"""Weather zones, as the load products name them."""
_BASE_MW: Final = np.array([13900, 1750, 6600, 1300, 14200, 8100, 3900, 1500], float)
_COOLING: Final = np.array([0.030, 0.031, 0.006, 0.025, 0.036, 0.034, 0.032, 0.026])
_HEATING: Final = np.array([0.011, 0.017, 0.004, 0.017, 0.021, 0.019, 0.012, 0.017])
_WARMTH_C: Final = np.array([21.5, 19.0, 18.0, 17.0, 19.0, 20.5, 23.0, 18.0])
"""Mean load at mild weather, its relative growth per degree above 19 and below 14 degC, mean temperature. Invented."""
WIND_MW: Final = 40000.0
"""Installed wind."""
SOLAR_MW: Final = 26000.0
"""Installed sun at the start of 2024."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Hourly means of the grid; loads have shape (zones, hours), the rest (hours,), all in MW but the temperatures.

    Attributes:
        temperature_c: Mean temperature of each weather zone [degC].
        outage_mw: Thermal capacity that is out.
    """

    temperature_c: Floats
    load_mw: Floats
    wind_mw: Floats
    solar_mw: Floats
    outage_mw: Floats


def _calendar(hours: Ints) -> tuple[Floats, Floats]:
    local, _ = to_local(hours * HOUR_S, CENTRAL)
    return local % DAY_S / HOUR_S, ((local // DAY_S + 3) % 7 >= 5).astype(float)  # noqa: PLR2004 - Saturday and Sunday


def temperature_c(seed: int, hours: Ints) -> Floats:
    """Return zone temperatures [degC], shape (zones, hours): season, sun, fronts."""
    at = hours.astype(float)
    season = -10.5 * np.cos(2.0 * np.pi * (day_of_year(hours) - 20.0) / 365.25)
    daily = 5.5 * np.cos(2.0 * np.pi * ((hours - 6) % 24.0 - 15.5) / 24.0)
    winter = 0.5 + 0.5 * np.cos(2.0 * np.pi * (day_of_year(hours) - 15.0) / 365.25)
    front = smooth(stream(seed, "texas", "front"), at, 50.0)
    front = (2.2 + 2.6 * winter) * (front - 0.45 * winter * np.maximum(0.0, -front - 1.0) ** 2 * 2.0)
    local = [1.3 * smooth(stream(seed, "texas", "front", zone), at, 30.0) for zone in ZONES]
    return _WARMTH_C[:, None] + season + daily + front + np.array(local)


def grid(seed: int, hours: Ints) -> Grid:
    """Return the grid for consecutive epoch hours."""
    at = hours.astype(float)
    hour, weekend = _calendar(hours)
    warm = temperature_c(seed, hours)
    habit = 1.0 + 0.07 * np.cos(2 * np.pi * (hour - 17.0) / 24.0) + 0.03 * np.cos(4 * np.pi * (hour - 8.0) / 24.0)
    demand = habit - 0.04 * weekend
    demand = demand + _COOLING[:, None] * np.maximum(0.0, warm - 19.0)
    demand = demand + _HEATING[:, None] * np.maximum(0.0, 14.0 - warm)
    growth = 1.0 + 0.022 * (hours / 8766.0 - 54.0)
    wobble = np.array([1.0 + 0.008 * smooth(stream(seed, "texas", "load", zone), at, 5.0) for zone in ZONES])
    return Grid(
        temperature_c=warm,
        load_mw=_BASE_MW[:, None] * demand * growth * wobble,
        wind_mw=_wind_mw(seed, hours, hour),
        solar_mw=_solar_mw(seed, hours),
        outage_mw=_outage_mw(seed, hours),
    )


def _wind_mw(seed: int, hours: Ints, hour: Floats) -> Floats:
    at = hours.astype(float)
    gust = 0.75 * smooth(stream(seed, "texas", "wind"), at, 26.0)
    gust = gust + 0.55 * smooth(stream(seed, "texas", "wind", "quick"), at, 7.0)
    night = 0.4 * np.cos(2.0 * np.pi * (hour - 1.0) / 24.0)
    spring = 0.35 * np.cos(2.0 * np.pi * (day_of_year(hours) - 100.0) / 365.25)
    return WIND_MW / (1.0 + np.exp(0.45 - 1.25 * (gust + night + spring)))


def _solar_mw(seed: int, hours: Ints) -> Floats:
    at = hours.astype(float)
    length = 12.0 + 1.9 * np.sin(2.0 * np.pi * (day_of_year(hours) - 80.0) / 365.25)
    noon_gap = (hours - 6.6) % 24.0 - 12.0
    arc = np.where(np.abs(noon_gap) < length / 2.0, np.cos(np.pi * noon_gap / length), 0.0)
    clear = 1.0 / (1.0 + np.exp(-1.5 - 1.2 * smooth(stream(seed, "texas", "cloud"), at, 20.0)))
    installed = SOLAR_MW * (1.0 + 0.12 * (hours / 8766.0 - 54.0))
    return installed * np.maximum(arc, 0.0) ** 0.75 * clear * (0.75 + 0.25 * (length - 10.1) / 3.8)


def _outage_mw(seed: int, hours: Ints) -> Floats:
    at = hours.astype(float)
    shoulder = np.maximum(0.0, -np.cos(4.0 * np.pi * (day_of_year(hours) - 15.0) / 365.25))
    return 7000.0 + 9500.0 * shoulder + 1600.0 * smooth(stream(seed, "texas", "outage"), at, 70.0)
