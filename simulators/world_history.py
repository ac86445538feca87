"""The plant's history, integrated forward from the beginning of the world and remembered.

Put here: the loop over hours and the reading between hours. Keep out: the equations (world_plant.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simulators.noise import Floats, Ints
from simulators.world_plant import (
    AF_PER_CFS_H,
    CFS_PER_MW,
    IDLE_CFS,
    RAMP_MW_H,
    START,
    Ceiling,
    Operator,
    PlantHour,
    step_hour,
    storage_af,
)

SAMPLES_PER_HOUR = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantDrivers:
    """What the plant is given, one element an hour.

    Attributes:
        inflow_cfs: Mean inflow less R26 [cfs].
        outlook_cfs: What the operator expects over the coming half day [cfs].
        float_ft: Float at the hour's end [ft].
        pacific_hour: Local hour of the day, 0 to 23.
    """

    inflow_cfs: Floats
    outlook_cfs: Floats
    float_ft: Floats
    pacific_hour: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantSpan:
    """The plant over consecutive hours; ``start`` is the plant when the first one begins.

    Attributes:
        storage_af: At each hour's end [af].
        power_mw: At each hour's end [MW].
        mean_mw: Hourly mean [MW].
        spill_cfs: Hourly mean [cfs].
        setpoint_mw: In force during the hour [MW].
    """

    start: PlantHour
    storage_af: Floats
    power_mw: Floats
    mean_mw: Floats
    spill_cfs: Floats
    setpoint_mw: Floats


class PlantHistory:
    """Hours of plant operation since the world began, grown on demand, always forward."""

    def __init__(self, first_hour: int, first_float_ft: float) -> None:
        self._first = first_hour
        self._full_af = [storage_af(first_float_ft)]
        self._hours: list[PlantHour] = [START]
        self._operator = Operator()

    @property
    def next_hour(self) -> int:
        """The first epoch hour that is not computed yet."""
        return self._first + len(self._hours) - 1

    def extend(self, drivers: PlantDrivers) -> None:
        """Integrate on from ``next_hour`` over all hours of ``drivers``."""
        rows = zip(
            range(self.next_hour, self.next_hour + drivers.inflow_cfs.size),
            drivers.inflow_cfs.tolist(),
            drivers.outlook_cfs.tolist(),
            drivers.float_ft.tolist(),
            drivers.pacific_hour.tolist(),
            strict=True,
        )
        plant, full_before = self._hours[-1], self._full_af[-1]
        for hour, inflow, outlook, float_ft, pacific_hour in rows:
            full = storage_af(float_ft)
            setpoint = self._operator.setpoint_mw(hour, plant, outlook, pacific_hour, full)
            plant = step_hour(plant, inflow, Ceiling(full_before, full), setpoint)
            self._hours.append(plant)
            self._full_af.append(full)
            full_before = full

    def obey(self, setpoints_mw: Mapping[int, float]) -> None:
        """Run the plant by a published plan from its first hour on; later hours are forgotten and recomputed."""
        self._operator.published = {**self._operator.published, **setpoints_mw}
        keep = max(1, min(setpoints_mw) - self._first + 1)
        del self._hours[keep:], self._full_af[keep:]

    def span(self, first_hour: int, hours: int) -> PlantSpan:
        """Return ``hours`` computed hours from ``first_hour`` on."""
        place = first_hour - self._first + 1
        table = np.array(self._hours[place : place + hours], float)
        return PlantSpan(
            start=self._hours[place - 1],
            storage_af=table[:, 0],
            power_mw=table[:, 1],
            mean_mw=table[:, 2],
            spill_cfs=table[:, 3],
            setpoint_mw=table[:, 4],
        )


def within_hours(span: PlantSpan, inflow_cfs: Floats, full_af: Floats) -> tuple[Floats, Floats]:
    """Return the plant every five minutes.

    Args:
        span: Hours of operation.
        inflow_cfs: Their mean inflow [cfs].
        full_af: Storage at the float when the span begins and at each hour's end [af]; one longer than the span.

    Returns:
        Storage [af] at 5, 10 ... 60 minutes, and mean power [MW] of the five minutes that *begin* at 0, 5 ... 55;
        both flat, 12 an hour.
    """
    place = np.arange(SAMPLES_PER_HOUR + 1) / SAMPLES_PER_HOUR
    power_start = np.concatenate([[span.start.power_mw], span.power_mw[:-1]])[:, None]
    storage_start = np.concatenate([[span.start.storage_af], span.storage_af[:-1]])[:, None]
    change = span.power_mw[:, None] - power_start
    ramp_h = np.abs(change) / RAMP_MW_H
    rate = np.sign(change) * RAMP_MW_H
    energy = _energy(place, power_start, rate, ramp_h)
    net = inflow_cfs[:, None] - IDLE_CFS
    ceiling = full_af[:-1, None] + (full_af[1:] - full_af[:-1])[:, None] * place
    excess = storage_start + AF_PER_CFS_H * (net * place - CFS_PER_MW * energy) - ceiling
    slope = (full_af[1:] - full_af[:-1])[:, None] / AF_PER_CFS_H
    with np.errstate(divide="ignore", invalid="ignore"):
        still = (net - CFS_PER_MW * power_start - slope) / (CFS_PER_MW * rate)
    still = np.where((still > 0.0) & (still < ramp_h), still, 0.0)
    peak = storage_start + AF_PER_CFS_H * (net * still - CFS_PER_MW * _energy(still, power_start, rate, ramp_h))
    peak = peak - (full_af[:-1, None] + slope * AF_PER_CFS_H * still)
    ramp_end = storage_start + AF_PER_CFS_H * (net * ramp_h - CFS_PER_MW * _energy(ramp_h, power_start, rate, ramp_h))
    ramp_end = ramp_end - (full_af[:-1, None] + slope * AF_PER_CFS_H * ramp_h)
    passed = np.maximum.accumulate(excess, axis=1)
    passed = np.where(place >= still, np.maximum(passed, peak), passed)
    passed = np.where(place >= ramp_h, np.maximum(passed, ramp_end), passed)
    storage = excess - np.maximum(passed, 0.0) + ceiling
    mean_power = np.diff(energy, axis=1) * SAMPLES_PER_HOUR
    return storage[:, 1:].ravel(), mean_power.ravel()


def _energy(place: Floats, power_start: Floats, rate: Floats, ramp_h: Floats) -> Floats:
    """Return MWh since the hour began at a fraction of the hour: a ramp, then flat."""
    ramping = np.minimum(place, ramp_h)
    return power_start * place + rate * ramping * (place - 0.5 * ramping)
