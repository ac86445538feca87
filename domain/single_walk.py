"""The walk of one pool through time in plain numbers: the same rules as the walk of many, a tenth of its time.

Put here: the scalar twin of ``domain/trajectory.py``, for the one plan or the minute-step plant whose arrays would hold
a single element. Keep out: anything the other does not do; the tests hold the two together.
"""

from __future__ import annotations

from math import sqrt
from typing import Final

import numpy as np

from domain.hydraulics import Array, storage_af
from domain.plant import Plant, PoolState
from domain.reservoir_inputs import ReservoirInputs
from domain.units import AF_PER_CFS_HOUR

CAP_TOLERANCE_MW: Final = 1e-12
CAP_ROUNDS: Final = 30


def walk_one(plant: Plant, inputs: ReservoirInputs, setpoint_mw: Array, state: PoolState) -> dict[str, Array]:
    """Return means, ends, storage, spill and unit flow of one pool: arrays over the intervals.

    Args:
        plant: The plant.
        inputs: One forecast.
        setpoint_mw: End-of-interval outputs wanted [MW].
        state: Level and output when the first interval begins.
    """
    pool = _Pool(plant, inputs.step_h, state)
    rows = zip(
        np.asarray(setpoint_mw, dtype=np.float64).tolist(),
        inputs.available.astype(int).tolist(),
        inputs.inflow_cfs.tolist(),
        storage_af(plant.storage, inputs.float_ft).tolist(),
        inputs.maximum_mw.tolist(),
        (inputs.ramp_up_mw_per_h * inputs.step_h).tolist(),
        (inputs.ramp_down_mw_per_h * inputs.step_h).tolist(),
        strict=True,
    )
    done = np.array([pool.step(*row) for row in rows])
    names = ("mean_mw", "end_mw", "storage_af", "spill_cfs", "unit_cfs")
    return {name: np.ascontiguousarray(done[:, column]) for column, name in enumerate(names)}


class _Pool:
    """One pool between steps."""

    def __init__(self, plant: Plant, step_h: float, state: PoolState) -> None:
        unit, curve = plant.unit, plant.storage
        self.unit, self.hours_af = unit, AF_PER_CFS_HOUR * step_h
        self.square, self.vertex_ft, self.vertex_af = curve.square_af_per_ft2, curve.vertex_ft, curve.vertex_af
        self.zones = [(z.from_ft, z.flow_cfs_per_mw, z.flow_at_zero_cfs) for z in unit.head_zones]
        self.storage = float(storage_af(curve, state.elevation_ft))
        self.power = state.oxbow_mw

    def level(self, storage: float) -> float:
        """Return the level at a storage [ft]."""
        return self.vertex_ft + sqrt(max(storage - self.vertex_af, 0.0) / self.square)

    def step(
        self, wanted: float, available: int, inflow: float, float_af: float, high: float, rise: float, fall: float
    ) -> tuple[float, float, float, float, float]:
        """Advance one interval; return mean and end output, storage, spill and flow through the unit."""
        slope, offset = self.water()
        end, running = 0.0, False
        if available:
            end = self.reachable(wanted, high, rise, fall)
            running = end > 0.0 or self.power > 0.0
            draw = self.hours_af * slope / 2.0
            dry = self.storage + self.hours_af * (inflow - (offset if running else 0.0)) - draw * self.power
            end = self.under_cap(dry, draw, float_af, end)
        mean = (self.power + end) / 2.0 if running else 0.0
        flow = slope * mean + offset if running else 0.0
        free = self.storage + self.hours_af * (inflow - flow)
        self.storage, self.power = min(free, float_af), end
        return mean, end, self.storage, (free - self.storage) / self.hours_af, flow

    def water(self) -> tuple[float, float]:
        """Return the flow line of the head zone the level lies in: slope [cfs/MW] and flow at zero [cfs]."""
        zones = self.zones
        if len(zones) > 1:
            level = self.level(self.storage)
            zones = [zone for i, zone in enumerate(zones) if i == 0 or zone[0] <= level]
        return zones[-1][1], zones[-1][2]

    def reachable(self, wanted: float, high: float, rise: float, fall: float) -> float:
        """Return the output nearest to the one wanted that limits and ramp allow [MW]."""
        low, before = self.unit.minimum_mw, self.power
        up, down = max(before + rise, low), min(before - fall, high)
        if self.unit.commitment == "on_off" and wanted < low / 2.0 and before <= max(low, fall):
            return 0.0
        return min(max(min(max(wanted, low), high), down), up)

    def under_cap(self, dry: float, draw: float, float_af: float, end: float) -> float:
        """Return the output lowered to the one whose own draw leaves the level that allows it, by Newton's method."""
        unit = self.unit
        per_ft, at_datum = unit.head_cap_mw_per_ft, unit.head_cap_offset_mw
        if end <= per_ft * self.level(min(dry - draw * end, float_af)) + at_datum or end <= 0.0:
            return end
        g = end
        for _ in range(CAP_ROUNDS):
            free = dry - draw * g
            level = self.level(min(free, float_af))
            surface = 2.0 * self.square * max(level - self.vertex_ft, CAP_TOLERANCE_MW)
            move = (per_ft * level + at_datum - g) / (1.0 + (per_ft * draw / surface if free < float_af else 0.0))
            g += move
            if abs(move) < CAP_TOLERANCE_MW:
                break
        return max(g, 0.0)
