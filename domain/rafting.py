"""Rafting from an operator's chair: when the water must flow, when the unit must begin to rise, when it gets there.

Put here: windows turned into instructions. Keep out: the calendar itself (domain/rule_calendar.py), plans.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from domain.errors import InputError
from domain.hydraulics import head_cap_mw, travel_time_h, unit_flow_cfs
from domain.plant import Plant
from domain.ramping import latest_start, ramp_minutes
from domain.rule_calendar import Window, flow_limit_cfs, rafting_windows, stage_ramp_cfs_per_h


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One day's rafting release.

    Attributes:
        window: When the flow must be full; half-open.
        target_mw: Output asked for, the level's head cap and the day's flow cap applied [MW].
        flow_cfs: What that output passes [cfs].
        start_by: Latest instant at which a unit at the output given must begin to rise [UTC].
        ramp_min: How long that takes [min].
        arrivals: Reach -> when the full flow arrives there, at the base flow before the release [UTC].
    """

    window: Window
    target_mw: float
    flow_cfs: float
    start_by: datetime
    ramp_min: float
    arrivals: dict[str, datetime]


def releases(
    plant: Plant, days: list[date], *, from_mw: float, level_ft: float | None = None, tributary_cfs: float = 0.0
) -> list[Release]:
    """Return the releases of some local days.

    Args:
        plant: The plant; its calendar, ramp and reaches count.
        days: Local days.
        from_mw: Output from which the unit must rise [MW].
        level_ft: Level that caps the output; None leaves the head out [ft].
        tributary_cfs: Flow below the dam that is not the unit's, for the stage ramp and the travel times [cfs].

    Raises:
        ConfigError: A day needs a water-year type that is not given.
    """
    wanted = plant.rules.rafting_target_mw
    if wanted is None:
        return []
    cap = np.inf if level_ft is None else float(head_cap_mw(plant.unit, level_ft))
    found = []
    for window in rafting_windows(plant.rules, ZoneInfo(plant.zone), days):
        limit = flow_limit_cfs(plant.rules, window.day, "maximum")
        zone = plant.unit.head_zones[0]
        by_licence = np.inf if limit is None else (limit - zone.flow_at_zero_cfs) / zone.flow_cfs_per_mw
        target = float(min(wanted, cap, by_licence, plant.unit.maximum_mw))
        rate = ramp_rate_mw_per_h(plant, window.day, tributary_cfs, rising=True)
        base = float(unit_flow_cfs(plant.unit, from_mw, running=from_mw > 0.0)) + tributary_cfs
        found.append(
            Release(
                window=window,
                target_mw=target,
                flow_cfs=float(unit_flow_cfs(plant.unit, target)),
                start_by=latest_start(window.start, from_mw, max(target, from_mw), rate),
                ramp_min=ramp_minutes(from_mw, max(target, from_mw), rate),
                arrivals={
                    reach.name: window.start + timedelta(hours=travel_time_h(reach, base)) for reach in plant.reaches
                },
            )
        )
    return found


def ramp_rate_mw_per_h(plant: Plant, day: date, tributary_cfs: float, *, rising: bool) -> float:
    """Return how fast the output may change: the unit's ramp, or the stage ramp at the gauge where that is slower.

    Args:
        plant: The plant.
        day: Local day, for the rules that hold.
        tributary_cfs: Flow at the gauge that is not the unit's [cfs].
        rising: Up or down.
    """
    unit, rate = plant.unit, plant.unit.ramp_mw_per_h
    low = float(unit_flow_cfs(unit, unit.minimum_mw)) + tributary_cfs
    high = float(unit_flow_cfs(unit, unit.maximum_mw)) + tributary_cfs
    for ramp in plant.rules.stage_ramps:
        if ramp.holds(day):
            limits = stage_ramp_cfs_per_h(ramp, low, high)
            rate = min(rate, (limits[0] if rising else limits[1]) / unit.head_zones[0].flow_cfs_per_mw)
    return rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """A move of the unit.

    Attributes:
        minutes: How long it takes [min].
        start: When it begins [UTC].
        done: When it is complete [UTC].
        rate_mw_per_h: How fast [MW/h].
        water_af: Water the unit passes during it [af].
        flow_from_cfs: Flow before [cfs].
        flow_to_cfs: Flow after [cfs].
    """

    minutes: float
    start: datetime
    done: datetime
    rate_mw_per_h: float
    water_af: float
    flow_from_cfs: float
    flow_to_cfs: float


def ramp(
    plant: Plant,
    from_mw: float,
    to_mw: float,
    *,
    start: datetime | None = None,
    done: datetime | None = None,
    tributary_cfs: float = 0.0,
) -> Ramp:
    """Return a move that begins at ``start``, or is complete at ``done``.

    Raises:
        InputError: An output is none of the unit's, or not exactly one of the two instants is given.
    """
    unit = plant.unit
    for name, value in (("from", from_mw), ("to", to_mw)):
        if not 0.0 <= value <= unit.maximum_mw:
            raise InputError(
                f"{name} {value:g} MW is no output of {unit.name}, which gives 0 to {unit.maximum_mw:g} MW"
            )
    moment = start if start is not None else done
    if moment is None or (start is not None and done is not None):
        raise InputError("give either when the ramp begins or when it must be complete")
    rate = ramp_rate_mw_per_h(
        plant, moment.astimezone(ZoneInfo(plant.zone)).date(), tributary_cfs, rising=to_mw > from_mw
    )
    minutes = ramp_minutes(from_mw, to_mw, rate)
    begins = moment if start is not None else moment - timedelta(minutes=minutes)
    flows = [float(unit_flow_cfs(unit, mw, running=mw > 0.0)) for mw in (from_mw, to_mw)]
    return Ramp(
        minutes=minutes,
        start=begins,
        done=begins + timedelta(minutes=minutes),
        rate_mw_per_h=rate,
        water_af=sum(flows) / 2.0 * minutes / 60.0 * 3600.0 / 43560.0,
        flow_from_cfs=flows[0],
        flow_to_cfs=flows[1],
    )
