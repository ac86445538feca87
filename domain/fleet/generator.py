"""A made-up fleet that looks like a real one, for demonstrations, tests and benchmarks.

Three kinds of device in declared shares, each drawn around a published product or survey; same seed, same fleet.
Nothing here ever stands in for a missing real device. Put here: the kinds and how they vary. Keep out: prices, plans.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from domain.errors import InputError
from domain.fleet.devices import DEVICE_COLUMNS

DEVICES_PER_FEEDER: Final = 200
"""How many devices share a feeder; a distribution feeder serves some hundreds to a few thousand meters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of device; pairs are the ends of a uniform range.

    Attributes:
        share: Its part of the fleet.
        capacity_kwh: Energy between empty and full.
        hours: Capacity over power at the meter [h].
        one_way: Part of them that cannot discharge.
        efficiency: Each way.
        band: Lower and upper end of the band, as fractions of the capacity.
        start: State of charge at the start, as fractions of the capacity.
        end_min: Least state of charge at the end, as fraction of the capacity.
        wear_usd_per_kwh: Cost of ageing per kWh at the meter.
        away: Mean local hours of leaving and coming back; None is always there.
    """

    share: float
    capacity_kwh: tuple[float, float]
    hours: tuple[float, float]
    one_way: float
    efficiency: tuple[float, float]
    band: tuple[float, float]
    start: tuple[float, float]
    end_min: float
    wear_usd_per_kwh: tuple[float, float]
    away: tuple[float, float] | None


KINDS: Final = {
    # Shares of the reference fleet of the benchmarks: 55 % homes, 30 % vehicles, 15 % commercial.
    "home": Kind(
        share=0.55,
        capacity_kwh=(5.0, 27.0),  # one small module to two of 13.5 kWh (Tesla Powerwall 2, usable)
        hours=(2.0, 3.0),  # Powerwall 2: 13.5 kWh at 5 kW is 2.7 h
        one_way=0.0,
        efficiency=(0.92, 0.975),  # Powerwall 2: 90 % there and back, 0.949 each way
        band=(0.10, 1.0),
        start=(0.15, 0.95),
        end_min=0.2,
        wear_usd_per_kwh=(0.008, 0.02),  # a pack of 100 to 200 USD/kWh over 5,000 full cycles, half each way
        away=None,
    ),
    "vehicle": Kind(
        share=0.30,
        capacity_kwh=(40.0, 82.0),  # Nissan Leaf 40 kWh to VW ID.4 82 kWh
        hours=(5.5, 8.0),  # 7.4 to 11 kW wall boxes
        one_way=0.4,  # most wall boxes of today only charge
        efficiency=(0.90, 0.95),
        band=(0.15, 0.90),
        start=(0.30, 0.70),
        end_min=0.45,
        wear_usd_per_kwh=(0.015, 0.04),  # drivers ask for more than the cells lose
        away=(8.0, 17.5),  # a commuter's working day
    ),
    "commercial": Kind(
        share=0.15,
        capacity_kwh=(60.0, 1000.0),
        hours=(2.0, 4.0),  # NREL ATB, commercial battery storage: durations of 1 to 8 h
        one_way=0.0,
        efficiency=(0.91, 0.96),  # NREL ATB: 85 % there and back is representative, 0.922 each way
        band=(0.05, 0.95),
        start=(0.20, 0.80),
        end_min=0.3,
        wear_usd_per_kwh=(0.006, 0.015),
        away=None,
    ),
}
"""The kinds of the generated fleet; ranges are ours, anchored where a comment says."""

FIRMWARE: Final = ("2.3.9", "2.4.1", "2.5.0")
STATES: Final = {"TX": "America/Chicago", "CA": "America/Los_Angeles"}


def generate_fleet(
    count: int, seed: int, *, intervals: int = 48, hours: float = 0.5, first_hour: float = 0.0
) -> pl.DataFrame:
    """Return ``count`` devices drawn from the kinds.

    Args:
        count: Number of devices, at least 1.
        seed: Same seed, same fleet.
        intervals: Length of the availability lists: the intervals of the horizon they are made for.
        hours: Length of an interval [h].
        first_hour: Local hour of day at which the horizon begins.

    Returns:
        ``DEVICE_COLUMNS`` without wear by depth, and ``kind, site, timezone, firmware, status``.

    Raises:
        InputError: ``count`` or ``intervals`` is below 1, ``hours`` not above 0, or ``seed`` below 0.
    """
    if count < 1 or intervals < 1:
        raise InputError(
            f"a fleet of {count} device(s) over {intervals} interval(s) cannot be made; both must be 1 or more"
        )
    if not 0.0 < hours < math.inf or seed < 0:
        raise InputError(f"intervals of {hours} h from seed {seed}: the hours must be above 0, the seed 0 or more")
    draw = np.random.Generator(np.random.PCG64(seed))
    kinds = np.array(list(KINDS))
    kind = kinds[draw.choice(len(kinds), count, p=[KINDS[name].share for name in kinds])]
    columns = _numbers(draw, kind)
    feeder = draw.integers(0, max(1, round(count / DEVICES_PER_FEEDER)), count)
    state = np.array(list(STATES))[draw.integers(0, len(STATES), count)]
    made = {name: dtype for name, dtype in DEVICE_COLUMNS.items() if name != "wear_depth_usd_per_kwh"}
    frame = pl.DataFrame(
        {
            "device_id": [f"{name[0].upper()}{index:07d}" for index, name in enumerate(kind)],
            **columns,
            "feeder": [f"FDR-{number:04d}" for number in feeder],
            "availability": _availability(draw, kind, intervals, hours, first_hour),
            "kind": kind,
            "site": [
                f"{where}-{number:05d}" for where, number in zip(state, draw.integers(0, 99_999, count), strict=True)
            ],
            "timezone": [STATES[where] for where in state],
            "firmware": np.array(FIRMWARE)[draw.integers(0, len(FIRMWARE), count)],
            "status": "active",
        },
        schema_overrides=made,
    )
    return frame.select(*made, "kind", "site", "timezone", "firmware", "status")


def _numbers(draw: np.random.Generator, kind: np.ndarray) -> dict[str, np.ndarray]:
    def between(name: str) -> np.ndarray:
        ends = np.array([getattr(KINDS[each], name) for each in kind])
        return draw.uniform(ends[:, 0], ends[:, 1])

    capacity = between("capacity_kwh").round(1)
    power = (capacity / between("hours")).round(2)
    band = np.array([KINDS[each].band for each in kind])
    end_min = np.array([KINDS[each].end_min for each in kind])
    one_way = draw.random(len(kind)) < np.array([KINDS[each].one_way for each in kind])
    return {
        "capacity_kwh": capacity,
        "max_charge_kw": power,
        "max_discharge_kw": np.where(one_way, 0.0, power),
        "charge_efficiency": between("efficiency").round(4),
        "discharge_efficiency": between("efficiency").round(4),
        "soc_min_kwh": (capacity * band[:, 0]).round(3),
        "soc_max_kwh": (capacity * band[:, 1]).round(3),
        "soc_start_kwh": (capacity * between("start")).round(3),
        "soc_end_min_kwh": (capacity * end_min).round(3),
        "wear_usd_per_kwh": between("wear_usd_per_kwh").round(5),
    }


def _availability(
    draw: np.random.Generator, kind: np.ndarray, intervals: int, hours: float, first_hour: float
) -> list[list[float] | None]:
    """Return 0 while a vehicle is away, a part where it leaves or comes back within the interval."""
    starts = first_hour + hours * np.arange(intervals)
    shift = draw.normal(0.0, 1.0, (len(kind), 2))  # an hour of spread around the mean departure and return
    lists: list[list[float] | None] = []
    for name, (early, late) in zip(kind, shift, strict=True):
        away = KINDS[name].away
        if away is None:
            lists.append(None)
            continue
        leave, back = away[0] + early, away[1] + late
        gone = np.zeros(intervals)
        for day in range(-1, int(starts[-1] // 24) + 2):
            first, last = leave + 24.0 * day, back + 24.0 * day
            gone += np.clip(np.minimum(starts + hours, last) - np.maximum(starts, first), 0.0, hours) / hours
        lists.append((1.0 - np.minimum(gone, 1.0)).round(3).tolist())
    return lists
