"""Weather over the Middle Fork American: storms, snowmelt and the flows at the gauges.

The shapes are invented; their sizes follow the gauges' published ranges (dry late summer near 20 cfs at R4 and
150 cfs at R30, spring melt of some hundred cfs with a daily wave, winter storms of some thousand cfs).
Put here: what nature and the gate operator do, whatever the powerhouses do. Keep out: prices, dispatch, the pool.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulators.noise import Floats, Ints, normals, smooth, stream, uniforms

HOURS_PER_YEAR: Final = 8766.0
SOLAR_OFFSET_H: Final = -8.0
"""Hours from UTC to the sun's time on the Sierra; nature keeps no daylight-saving time."""
SPILL_SIDE_WATER_CFS: Final = 820.0
"""Side water near the tunnel's 886 cfs: the interbay is then run in SPILL."""
STORM_SLOT_H: Final = 96
"""At most one storm begins in each slot of this many hours."""
STORM_MEMORY: Final = 5
"""Slots after which a storm's recession is forgotten: about twenty days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class River:
    """Hourly means of what nature sends, one array element an hour, all flows in cfs.

    Attributes:
        ungauged_cfs: Local inflow to the afterbay that no gauge sees; the bias a planner has to learn.
        float_ft: Gate float setpoint at the end of the hour [ft].
        spill_mode: Interbay control in SPILL rather than GEN.
    """

    r4_cfs: Floats
    r30_cfs: Floats
    r20_cfs: Floats
    r5l_cfs: Floats
    r26_cfs: Floats
    r10_cfs: Floats
    ungauged_cfs: Floats
    float_ft: Floats
    spill_mode: NDArray[np.bool_]


def year_phase(hours: Ints) -> Floats:
    """Return the season as an angle [rad], 0 at the start of January (to within a day)."""
    return 2.0 * np.pi * (hours / HOURS_PER_YEAR % 1.0)


def day_of_year(hours: Ints) -> Floats:
    """Return days since the start of January (to within a day)."""
    return hours / HOURS_PER_YEAR % 1.0 * 365.25


def wetness(seed: int, hours: Ints) -> Floats:
    """Return the factor by which the water year (October to September) is wetter than an average one."""
    water_year = np.floor(hours / HOURS_PER_YEAR + 0.25).astype(np.int64)
    return np.exp(0.35 * normals(stream(seed, "wetness"), water_year))


def storm_runoff(seed: int, hours: Ints) -> Floats:
    """Return storm runoff at R4 [cfs]: one gamma hydrograph with a slow tail for each storm that has begun."""
    slot = hours // STORM_SLOT_H
    total = np.zeros(hours.size)
    for back in range(STORM_MEMORY):
        which = slot - back
        begins = (which + uniforms(stream(seed, "storm", "start"), which)) * STORM_SLOT_H
        winter = np.maximum(0.0, np.cos(year_phase(begins.astype(np.int64)) - 0.35))
        happens = uniforms(stream(seed, "storm", "happens"), which) < 0.03 + 0.5 * winter
        size = 170.0 * np.exp(0.85 * normals(stream(seed, "storm", "size"), which)) * (0.3 + winter)
        rise_h = 8.0 + 8.0 * uniforms(stream(seed, "storm", "rise"), which)
        since = np.maximum(hours - begins, 0.0)
        quick, slow = since / rise_h, since / (5.0 * rise_h)
        total += np.where(happens, size * (quick * np.exp(1.0 - quick) + 0.25 * slow * np.exp(1.0 - slow)), 0.0)
    return np.minimum(total * wetness(seed, hours), 6000.0)


def snowmelt(seed: int, hours: Ints) -> Floats:
    """Return snowmelt at R4 [cfs]: a spring hump with a daily wave that is highest in the evening."""
    season = np.exp(-0.5 * ((day_of_year(hours) - 128.0) / 30.0) ** 2)
    warm_spell = np.exp(0.3 * smooth(stream(seed, "melt", "spell"), hours.astype(float), 72.0))
    solar_hour = (hours + SOLAR_OFFSET_H) % 24.0
    daily = 1.0 + 0.25 * np.cos(2.0 * np.pi * (solar_hour - 20.0) / 24.0)
    return 190.0 * wetness(seed, hours) * season * warm_spell * daily


def float_setpoint(seed: int, hours: Ints) -> Floats:
    """Return the gate float setpoint [ft]: 1173 in summer, a step lower now and then, lower in winter."""
    slot = hours // (24 * 9)
    step = np.select(
        [uniforms(stream(seed, "float"), slot) < bound for bound in (0.12, 0.24, 0.32)], [-0.5, 0.5, -1.0], default=0.0
    )
    return 1173.0 + step


def river(seed: int, hours: Ints) -> River:
    """Return the hourly river for consecutive epoch hours."""
    at = hours.astype(float)
    storm, melt = storm_runoff(seed, hours), snowmelt(seed, hours)
    winter = 0.5 + 0.5 * np.cos(year_phase(hours) - 0.5)

    def wobble(name: str, size: float, step_h: float) -> Floats:
        return np.exp(size * smooth(stream(seed, "river", name), at, step_h))

    r5l = 27.0 + 0.6 * smooth(stream(seed, "river", "r5l"), at, 120.0)
    r4 = (18.0 + 16.0 * winter) * wobble("r4", 0.12, 60.0) + melt + storm
    return River(
        r4_cfs=r4,
        r30_cfs=(148.0 + 30.0 * winter) * wobble("r30", 0.06, 80.0) + 0.45 * melt + 0.8 * storm,
        r20_cfs=r5l + (14.0 + 8.0 * winter) * wobble("r20", 0.15, 50.0) + 0.1 * melt + 0.2 * storm,
        r5l_cfs=r5l,
        r26_cfs=22.0 + 3.0 * smooth(stream(seed, "river", "r26"), at, 200.0),
        r10_cfs=(30.0 + 40.0 * winter) * wobble("r10", 0.15, 60.0) + 1.5 * melt + 2.2 * storm,
        ungauged_cfs=6.0 + 7.0 * smooth(stream(seed, "river", "ungauged"), at, 90.0) + 0.03 * storm,
        float_ft=float_setpoint(seed, hours),
        spill_mode=_held_high(r4 - r5l > SPILL_SIDE_WATER_CFS, hours),
    )


def _held_high(wanted: NDArray[np.bool_], hours: Ints) -> NDArray[np.bool_]:
    """Return ``wanted`` held on until the end of its six-hour shift: a mode is not switched every hour."""
    shift = hours // 6 - hours[0] // 6
    any_in_shift = np.bincount(shift, weights=wanted, minlength=int(shift[-1]) + 1) > 0
    return any_in_shift[shift]
