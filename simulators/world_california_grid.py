"""California's load, sun and wind, by utility area and trading hub.

Put here: hourly truth beside the prices of world_california.py. Keep out: forecasts of it, reports.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from domain.instants import PACIFIC
from simulators.localtime import DAY_S, HOUR_S, to_local
from simulators.noise import Floats, Ints, smooth, stream
from simulators.world_california import sun_share
from simulators.world_river import year_phase

AREAS: Final = {"PGE-TAC": 11600.0, "SCE-TAC": 11400.0, "SDGE-TAC": 2200.0, "VEA-TAC": 90.0}
"""Utility areas and their load at mild weather [MW]. Invented sizes of the right order."""
WHOLE: Final = "CA ISO-TAC"
SUN_MW: Final = {"NP15": 4600.0, "SP15": 12500.0, "ZP26": 3100.0}
WIND_MW: Final = {"NP15": 1600.0, "SP15": 4300.0}
"""Installed capacity by trading hub [MW]. Invented sizes of the right order."""


def grid(seed: int, hours: Ints) -> dict[str, Floats]:
    """Return ``load/{area}``, ``solar/{hub}`` and ``wind/{hub}`` [MW], hourly means for consecutive epoch hours."""
    at_h = hours.astype(float)
    local, _ = to_local(hours * HOUR_S, PACIFIC)
    hour = local % DAY_S / HOUR_S
    summer = np.maximum(0.0, -np.cos(year_phase(hours) - 0.3))
    habit = 1.0 + 0.10 * np.cos(2 * np.pi * (hour - 18.5) / 24.0) + 0.05 * np.cos(4 * np.pi * (hour - 8.0) / 24.0)
    heat = np.maximum(0.0, 0.4 + smooth(stream(seed, "california", "heat"), at_h, 60.0)) * summer
    block: dict[str, Floats] = {}
    for area, size in AREAS.items():
        own = 1.0 + 0.02 * smooth(stream(seed, "california", "load", area), at_h, 8.0)
        warm = 0.22 * heat * np.maximum(0.0, np.cos(2 * np.pi * (hour - 17.0) / 24.0))
        block[f"load/{area}"] = size * (habit + 0.08 * summer + warm) * own
    block[f"load/{WHOLE}"] = np.sum([block[f"load/{area}"] for area in AREAS], axis=0)
    sun = sun_share(seed, at_h)
    for hub, size in SUN_MW.items():
        block[f"solar/{hub}"] = size * np.minimum(1.0, 0.85 * sun)
    for hub, size in WIND_MW.items():
        gust = smooth(stream(seed, "california", "wind", hub), at_h, 20.0) + 0.4 * np.cos(
            2 * np.pi * (hour - 22.0) / 24
        )
        block[f"wind/{hub}"] = size / (1.0 + np.exp(1.0 - 1.2 * gust))
    return block
