"""The afterbay pool and the Oxbow unit, run hour after hour by a sensible operator.

The water balance counts side water once (the corrected form). Within an hour the inflow is constant, the
unit ramps from the hour's start at its full rate and then holds, and the gates pass whatever would rise above the
float, so the hour has a closed form: the level at any minute agrees exactly with the hour's end.
Put here: the plant's equations and the operator's rule. Keep out: weather, prices, tags.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from simulators.noise import Floats
from simulators.world_river import River

AF_PER_CFS_H: Final = 3600.0 / 43560.0
CFS_PER_MW: Final = 163.73
IDLE_CFS: Final = 83.0
"""Oxbow discharge = 163.73 g + 83, g in MW: the published line through the unit's rating."""
MIN_MW: Final = 0.8
MAX_MW: Final = 5.8
RAMP_MW_H: Final = 2.52
MIN_ELEVATION_FT: Final = 1168.0
_HEAD_SLOPE: Final = 0.0912
_HEAD_OFFSET: Final = 101.42
TUNNEL_CFS: Final = 886.0


def storage_af(elevation_ft: float) -> float:
    """Return storage [af] at an elevation [ft]; the published fit, valid above its vertex at 1112.13 ft."""
    return 0.6311303 * elevation_ft**2 - 1403.8 * elevation_ft + 780566.0


def elevation_ft(storage: float) -> float:
    """Return the elevation [ft] at a storage [af]."""
    return (1403.8 + math.sqrt(1403.8**2 - 4.0 * 0.6311303 * (780566.0 - storage))) / 1.2622606


def elevations_ft(storage: Floats) -> Floats:
    """Return the elevation [ft] at each storage [af]."""
    return (1403.8 + np.sqrt(1403.8**2 - 4.0 * 0.6311303 * (780566.0 - storage))) / 1.2622606


def head_cap_mw(elevation: float) -> float:
    """Return the most the unit can make [MW] at an elevation [ft]."""
    return _HEAD_SLOPE * elevation - _HEAD_OFFSET


def afterbay_inflow_cfs(water: River, mfra_mw: Floats) -> Floats:
    """Return what reaches the pool less the R26 release [cfs], hourly means.

    GEN: R30 + R20 + Q_ra - R26; SPILL: R30 + R20 + (R4 - R5L) + Q_mf - R26; both plus the ungauged inflow.
    """
    side = water.r4_cfs - water.r5l_cfs
    side_mw = np.where(water.spill_mode, 0.0, np.clip(side / 10.0, 0.0, 86.0))
    mf_mw = np.maximum(0.0, 0.59 * (mfra_mw - side_mw))
    mf_cfs = 0.00943 * mf_mw**2 + 5.6653 * mf_mw + 18.54
    regulated = np.maximum(np.minimum(TUNNEL_CFS, mf_cfs + side), np.maximum(0.0, side))
    through = np.where(water.spill_mode, side + mf_cfs, regulated)
    return water.r30_cfs + water.r20_cfs + through - water.r26_cfs + water.ungauged_cfs


class PlantHour(NamedTuple):
    """The plant at the end of an hour.

    Attributes:
        storage_af: Storage at the end [af].
        power_mw: Power at the end [MW].
        mean_mw: Mean power of the hour [MW].
        spill_cfs: Mean gate spill of the hour [cfs].
        setpoint_mw: Setpoint in force during the hour [MW].
    """

    storage_af: float
    power_mw: float
    mean_mw: float
    spill_cfs: float
    setpoint_mw: float


START: Final = PlantHour(storage_af=storage_af(1170.5), power_mw=2.0, mean_mw=2.0, spill_cfs=0.0, setpoint_mw=2.0)
"""The plant when the world begins."""


def highest_overflow_af(net_start: float, ramp_h: float, change_mw: float, start_af: float, ceiling: Ceiling) -> float:
    """Return how far storage would pass the float within the hour if the gates stayed shut [af], 0 or more.

    Free storage is X(s) = start + k (net s - c sign r s^2 / 2) while ramping and linear afterwards; against a
    ceiling that moves linearly, its excess is largest at the start, the end of the ramp, the end of the hour or
    where its slope is zero.
    """
    rate = math.copysign(RAMP_MW_H, change_mw) * CFS_PER_MW if ramp_h > 0.0 else 0.0
    places = [0.0, ramp_h, 1.0]
    if rate:
        still = (net_start - (ceiling.end_af - ceiling.start_af) / AF_PER_CFS_H) / rate
        if 0.0 < still < ramp_h:
            places.append(still)
    worst = 0.0
    for place in places:
        ramping = min(place, ramp_h)
        volume = net_start * place - rate * ramping * (place - 0.5 * ramping)
        excess = start_af + AF_PER_CFS_H * volume - ceiling.start_af - (ceiling.end_af - ceiling.start_af) * place
        worst = max(worst, excess)
    return worst


class Ceiling(NamedTuple):
    """Storage at the float when the hour begins and ends [af]; the gates follow the setpoint over the hour."""

    start_af: float
    end_af: float


def step_hour(before: PlantHour, inflow_cfs: float, ceiling: Ceiling, setpoint_mw: float) -> PlantHour:
    """Return the plant one hour later.

    Args:
        before: The plant when the hour begins.
        inflow_cfs: Mean inflow less R26 [cfs].
        ceiling: Storage at the float.
        setpoint_mw: What the operator asks for [MW].
    """
    low, high = before.power_mw - RAMP_MW_H, before.power_mw + RAMP_MW_H
    wanted = min(max(setpoint_mw, MIN_MW, low), MAX_MW, high)
    power = min(wanted, head_cap_mw(elevation_ft(before.storage_af)))
    net = inflow_cfs - IDLE_CFS - CFS_PER_MW * before.power_mw
    for _ in range(4):
        change = power - before.power_mw
        ramp_h = abs(change) / RAMP_MW_H
        mean = power - change * ramp_h / 2.0
        free = before.storage_af + AF_PER_CFS_H * (inflow_cfs - IDLE_CFS - CFS_PER_MW * mean)
        over = highest_overflow_af(net, ramp_h, change, before.storage_af, ceiling)
        cap = head_cap_mw(elevation_ft(free - over))
        if power <= cap:
            break
        power = cap - 1e-9
    return PlantHour(free - over, power, mean, over / AF_PER_CFS_H, setpoint_mw)


@dataclass(slots=True)
class Operator:
    """The rule that runs Oxbow where nobody has published a plan.

    It aims at a level a little above the middle, leans towards daytime, and moves the setpoint only when it must.

    Attributes:
        published: Epoch hour -> setpoint [MW] from a plan; it wins over the rule.
    """

    published: Mapping[int, float] = field(default_factory=dict)

    def setpoint_mw(self, hour: int, plant: PlantHour, outlook_cfs: float, pacific_hour: int, full_af: float) -> float:
        """Return the setpoint for the hour that begins.

        Args:
            hour: Epoch hour.
            plant: The plant now.
            outlook_cfs: Mean inflow that the operator expects over the coming half day [cfs].
            pacific_hour: Local hour of the day, 0 to 23.
            full_af: Storage at the float [af].
        """
        if hour in self.published:
            return self.published[hour]
        low_af = storage_af(MIN_ELEVATION_FT)
        target_af = low_af + 0.6 * (full_af - low_af)
        lean = 0.35 if 8 <= pacific_hour < 20 else -0.35  # noqa: PLR2004 - daytime, from the operators' habit
        wanted = (outlook_cfs - IDLE_CFS + (plant.storage_af - target_af) / AF_PER_CFS_H / 9.0) / CFS_PER_MW + lean
        wanted = round(min(max(wanted, MIN_MW), MAX_MW), 1)
        room = (plant.storage_af - low_af) / (full_af - low_af)
        urgent = room < 0.12 or room > 0.93  # noqa: PLR2004 - a tenth of the band from either limit
        moves = abs(wanted - plant.setpoint_mw) > (0.15 if urgent else 0.45)
        return wanted if moves else plant.setpoint_mw
