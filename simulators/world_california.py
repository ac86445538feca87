"""California's power market at three nodes, and the dispatch of the upstream powerhouses that follows it.

Prices have the shape of northern California: a morning shoulder, a midday hollow dug by the sun, an evening peak.
Put here: day-ahead and fifteen-minute LMPs with components, awards and real-time dispatch of Middle Fork and
Ralston. Keep out: Texas, the pool, wire formats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from domain.instants import PACIFIC
from simulators.localtime import DAY_S, HOUR_S, to_local
from simulators.noise import Floats, Ints, normals, smooth, stream, uniforms
from simulators.world_river import SOLAR_OFFSET_H, River, day_of_year, wetness, year_phase

NODES: Final = ("RALSTON_7_B1", "OXBOWF_7_B1", "TH_NP15_GEN-APND")
COMPONENTS: Final = ("LMP", "MCE", "MCC", "MCL", "MGHG")
_SATURDAY: Final = 5
_LOSS: Final = {"RALSTON_7_B1": -0.034, "OXBOWF_7_B1": -0.029, "TH_NP15_GEN-APND": -0.006}
_CONGESTION: Final = {"RALSTON_7_B1": 1.25, "OXBOWF_7_B1": 1.2, "TH_NP15_GEN-APND": 1.0}
"""Invented shares of marginal loss and of north-path congestion at each node."""

AWARD_LEVELS_MW: Final = np.array([0, 25, 40, 60, 80, 100, 125, 150, 175, 200], float)
MF_MAX_MW: Final = 124.0
RALSTON_MAX_MW: Final = 86.0
MFRA_MAX_MW: Final = 210.0
_CALLED_UP: Final = 0.03
_CALLED_DOWN: Final = 0.02
"""Shares of three-hour slots in which real time departs from the award for no visible reason. Invented."""
_DEAR_USD_MWH: Final = 15.0
_CHEAP_USD_MWH: Final = -20.0
"""Real time less day-ahead beyond which dispatch follows the price. Invented."""
_RA_MW_PER_CFS: Final = 0.09
_MF_MW_PER_CFS: Final = 0.1354
"""MW per cfs of side water in the feasible band of the combined output, as the operators compute it."""


def gas_usd_mmbtu(seed: int, at_h: Floats) -> Floats:
    """Return a slowly wandering gas price [USD/MMBtu]."""
    return 3.8 * np.exp(0.22 * smooth(stream(seed, "gas"), at_h, 24.0 * 21))


def sun_share(seed: int, at_h: Floats) -> Floats:
    """Return the sun's share of its installed capacity, 0 at night to about 1 on a clear June noon."""
    solar_hour = (at_h + SOLAR_OFFSET_H) % 24.0
    length = 12.0 + 2.6 * np.sin(2.0 * np.pi * (day_of_year(at_h.astype(np.int64)) - 80.0) / 365.25)
    arc = np.maximum(0.0, np.cos(np.pi * (solar_hour - 12.3) / length))
    arc = np.where(np.abs(solar_hour - 12.3) < length / 2.0, arc, 0.0)
    clear = 1.0 / (1.0 + np.exp(-1.6 - 1.1 * smooth(stream(seed, "california", "cloud"), at_h, 30.0)))
    return arc * clear * (0.8 + 0.2 * (length - 9.4) / 5.2)


def energy_usd_mwh(seed: int, at_h: Floats) -> Floats:
    """Return the expected system energy price [USD/MWh] at the given epoch hours (fractions allowed)."""
    local, _ = to_local((at_h * HOUR_S).astype(np.int64), PACIFIC)
    hour = local % DAY_S / HOUR_S
    weekend = ((local // DAY_S + 3) % 7 >= _SATURDAY).astype(float)
    evening = np.exp(-0.5 * ((hour - 19.3) / 1.9) ** 2)
    morning = np.exp(-0.5 * ((hour - 7.2) / 1.6) ** 2)
    summer = np.maximum(0.0, -np.cos(year_phase(at_h.astype(np.int64)) - 0.3))
    spring = np.exp(-0.5 * ((day_of_year(at_h.astype(np.int64)) - 110.0) / 35.0) ** 2)
    heat = np.maximum(0.0, smooth(stream(seed, "california", "heat"), at_h, 60.0)) * summer
    rate = 9.0 + 3.5 * morning + (6.5 + 5.0 * summer) * evening - (8.0 + 5.5 * spring) * sun_share(seed, at_h)
    rate += 9.0 * heat * evening - 1.2 * weekend + 0.8 * smooth(stream(seed, "california", "daily"), at_h, 18.0)
    return gas_usd_mmbtu(seed, at_h) * rate


def _congestion_usd_mwh(seed: int, at_h: Floats, run: str) -> Floats:
    """Return congestion at the hub [USD/MWh]: zero most of the time, a few dollars on some days."""
    strength = smooth(stream(seed, "california", "congestion"), at_h, 30.0)
    strength = strength + 0.3 * smooth(stream(seed, "california", "congestion", run), at_h, 4.0)
    return 5.0 * (np.maximum(0.0, strength - 0.9) - np.maximum(0.0, -strength - 1.2))


def components(seed: int, at_h: Floats, energy: Floats, run: str) -> dict[tuple[str, str], Floats]:
    """Return (node, component) -> USD/MWh, rounded as published, with LMP = MCE + MCC + MCL + MGHG exactly."""
    hub = _congestion_usd_mwh(seed, at_h, run)
    mce = np.round(energy, 5)
    prices: dict[tuple[str, str], Floats] = {}
    for node in NODES:
        mcl = np.round(energy * (_LOSS[node] + 0.004 * smooth(stream(seed, "loss", node), at_h, 40.0)), 5)
        mcc = np.round(hub * _CONGESTION[node], 5)
        prices |= {(node, "MCE"): mce, (node, "MCC"): mcc, (node, "MCL"): mcl, (node, "MGHG"): np.zeros(at_h.size)}
        prices[node, "LMP"] = np.round(mce + mcc + mcl, 5)
    return prices


def real_time_shock(seed: int, quarters: Ints) -> Floats:
    """Return what real time adds to the expected energy price [USD/MWh] in each epoch quarter hour."""
    at_h = quarters / 4.0
    drift = 5.0 * smooth(stream(seed, "california", "rt"), at_h, 3.0)
    jitter = 2.5 * normals(stream(seed, "california", "rt", "jitter"), quarters)
    slot = quarters // 3
    draw = uniforms(stream(seed, "california", "rt", "event"), slot)
    size = np.exp(1.1 * normals(stream(seed, "california", "rt", "size"), slot))
    local, _ = to_local(quarters * 900, PACIFIC)
    hour = local % DAY_S / HOUR_S
    tight = np.exp(-0.5 * ((hour - 19.0) / 2.5) ** 2)
    spike = np.where(draw < 0.003 + 0.012 * tight, 90.0 * size, 0.0)
    dip = np.where(draw > 0.988 - 0.03 * sun_share(seed, at_h), -14.0 * size, 0.0)
    return drift + jitter + np.minimum(spike, 950.0) + np.maximum(dip, -150.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """Combined output of Middle Fork and Ralston, hourly means [MW]: the day-ahead award and what real time made."""

    award_mw: Floats
    actual_mw: Floats


def feasible_band_mw(side_water_cfs: Floats) -> tuple[Floats, Floats]:
    """Return the least and the most combined output [MW] that the side water R4 - R5L [cfs] allows."""
    side = np.maximum(0.0, side_water_cfs)
    ratio = (_RA_MW_PER_CFS + _MF_MW_PER_CFS) / _MF_MW_PER_CFS
    by_mf = ratio * MF_MAX_MW + _RA_MW_PER_CFS * side
    by_ralston = (_RA_MW_PER_CFS + _MF_MW_PER_CFS) / _RA_MW_PER_CFS * RALSTON_MAX_MW - _MF_MW_PER_CFS * side
    most = np.clip(np.minimum(by_mf, by_ralston), 0.0, MFRA_MAX_MW)
    return np.minimum(_RA_MW_PER_CFS * side, most), most


def dispatch(seed: int, hours: Ints, day_ahead: Floats, real_time: Floats, water: River) -> Dispatch:
    """Return awards that put the day's water into its dearest hours, and the real-time dispatch around them.

    Args:
        seed: The world's seed.
        hours: Consecutive epoch hours; the first and last local day may be cut, so pad by a day.
        day_ahead: Day-ahead LMP at Ralston [USD/MWh].
        real_time: Hourly mean of the fifteen-minute LMP at Ralston [USD/MWh].
        water: The river in the same hours.
    """
    local, _ = to_local(hours * HOUR_S, PACIFIC)
    day = local // DAY_S
    place = day - day[0]
    count = np.maximum(np.bincount(place), 1)
    mean = np.bincount(place, day_ahead) / count
    spread = np.sqrt(np.maximum(np.bincount(place, day_ahead**2) / count - mean**2, 1.0))
    smoothed = np.convolve(np.pad(day_ahead, 1, mode="edge"), np.ones(3) / 3.0, mode="valid")
    rank = (smoothed - mean[place]) / spread[place]
    summer = np.maximum(0.0, -np.cos(year_phase(hours) - 0.4))
    budget = (34.0 + 34.0 * summer) * wetness(seed, hours) ** 0.5
    budget = budget * np.exp(0.25 * normals(stream(seed, "mfra", "budget"), day))
    wanted = budget * (1.0 + 0.95 * rank)
    award = AWARD_LEVELS_MW[np.abs(wanted[:, None] - AWARD_LEVELS_MW[None, :]).argmin(axis=1)]
    least, most = feasible_band_mw(water.r4_cfs - water.r5l_cfs)
    gap = real_time - day_ahead
    slot = hours // 3
    draw = uniforms(stream(seed, "mfra", "event"), slot)
    called = np.where(draw < _CALLED_UP, 30.0 + 80.0 * uniforms(stream(seed, "mfra", "size"), slot), 0.0)
    called = np.where(draw > 1.0 - _CALLED_DOWN, -0.5 * award, called)
    called += np.where(gap > _DEAR_USD_MWH, np.minimum(110.0, 2.0 * gap), 0.0)
    called -= np.where(gap < _CHEAP_USD_MWH, 0.6 * award, 0.0)
    return Dispatch(award_mw=np.clip(award, 0.0, most), actual_mw=np.clip(award + called, least, most))
