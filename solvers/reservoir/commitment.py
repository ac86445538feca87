"""Plans for a unit that may be shut down, or that takes more or less water per MW by the level.

Put here: choosing when the unit runs. Keep out: the bound (solvers/reservoir/commitment_bound.py) and plants whose unit
always runs (solvers/reservoir/linear.py).

State: storage and the output of the interval before, on a grid of 241 storages and 0 MW plus 25 outputs. Backward, the
value of a state is the best over next outputs of what the interval earns plus the value of where it leads, storage
interpolated. Forward, from the true start with continuous storage. Then the decisions that are not continuous, running
or not and the head zone, are read off and fixed, and the programme of the plain plan finds the best outputs for them.

The grid makes the dynamic programme a heuristic: it proves nothing. A plan is judged by the bound beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from domain.hydraulics import Array, elevation_ft, head_cap_mw, storage_af, zone_of
from domain.plant import Plant, PoolState
from domain.reservoir_inputs import ReservoirInputs
from domain.trajectory import Trajectory, simulate
from domain.units import AF_PER_CFS_HOUR
from solvers.reservoir.commitment_bound import commitment_bound_usd
from solvers.reservoir.highs import NoPointError
from solvers.reservoir.linear import LinearPlan, Task
from solvers.reservoir.lines import raft_tangents
from solvers.reservoir.options import ReservoirOptions
from solvers.reservoir.program import Course
from solvers.reservoir.value import (
    low_af,
    objective_usd,
    ramp_weights_usd_per_mw,
    terms_usd,
    water_value_usd_per_af,
)

STORAGES: Final = 241
OUTPUTS: Final = 25
BELOW_BAND_FT: Final = 1.5
"""How far below the minimum the grid reaches; deeper storage is valued by its edge less the penalty."""
FORBIDDEN: Final = -1e15


def solve_commitment(plant: Plant, inputs: ReservoirInputs, state: PoolState, options: ReservoirOptions) -> LinearPlan:
    """Return a good plan for an ``on_off`` unit, and HiGHS's bound on every plan.

    Raises:
        NoPointError: No commitment found can be kept, not even to within the simulation.
    """
    rough = _Grid(plant, inputs, state, options).forward()
    walked = simulate(plant, inputs, rough, state, guarded=False)
    best = _plain(plant, inputs, walked, options)
    polished = _polished(plant, inputs, state, options, walked, hold_zones=True)
    if polished is None:
        polished = _polished(plant, inputs, state, options, walked, hold_zones=False)
    if polished is not None:
        again = simulate(plant, inputs, polished.setpoint_mw, state, guarded=False)
        worth = float(objective_usd(terms_usd(plant, inputs, again, options.published_mw)))
        if worth > best.bound_usd:
            best = replace(polished, bound_usd=worth)
    bound = commitment_bound_usd(plant, inputs, state, options)
    return replace(best, bound_usd=max(bound, best.bound_usd), status="feasible")


def _plain(plant: Plant, inputs: ReservoirInputs, walked: Trajectory, options: ReservoirOptions) -> LinearPlan:
    """Return the dynamic programme's own plan; until a bound is known, its worth stands in the bound's place."""
    worth = float(objective_usd(terms_usd(plant, inputs, walked, options.published_mw)))
    return LinearPlan(
        setpoint_mw=walked.end_mw, storage_af=walked.storage_af, bound_usd=worth, status="feasible", prices={}
    )


def _polished(
    plant: Plant,
    inputs: ReservoirInputs,
    state: PoolState,
    options: ReservoirOptions,
    walked: Trajectory,
    *,
    hold_zones: bool,
) -> LinearPlan | None:
    """Return the best outputs for the running times and head zones of a trajectory, None where they cannot be kept."""
    on = inputs.available & (walked.end_mw > 0.0)
    before = np.concatenate([[state.oxbow_mw > 0.0], on[:-1]])
    began = np.concatenate([[walked.start_storage_af], walked.storage_af[:-1]])
    course = Course(
        on=on,
        running=inputs.available & (on | before),
        zone=zone_of(plant.unit, elevation_ft(plant.storage, began)),
        hold_zones=hold_zones,
    )
    task = Task(plant, inputs, state, options, course)
    rafting = not np.isnan(inputs.raft_target_mw).all()
    raft = raft_tangents(plant, inputs, walked.storage_af) if rafting else None
    try:
        solved = task.without_early_spill(raft, own=True)
    except NoPointError:
        return None
    return task.result(solved, -solved.bound)


@dataclass(slots=True)
class _Step:
    """What one interval offers from a set of states to every next output."""

    worth: Array
    storage: Array


class _Grid:
    """The dynamic programme of one plan."""

    def __init__(self, plant: Plant, inputs: ReservoirInputs, state: PoolState, options: ReservoirOptions) -> None:
        self.plant, self.inputs, self.state, self.options = plant, inputs, state, options
        unit, curve = plant.unit, plant.storage
        self.start_af = float(storage_af(curve, state.elevation_ft))
        bottom = min(float(storage_af(curve, plant.pool.minimum_ft - BELOW_BAND_FT)), self.start_af)
        self.storages = np.linspace(bottom, float(storage_af(curve, inputs.float_ft.max())), STORAGES)
        self.outputs = np.concatenate([[0.0], np.linspace(unit.minimum_mw, unit.maximum_mw, OUTPUTS)])
        self.float_af = storage_af(curve, inputs.float_ft)
        # An output is within the head cap from a certain storage on; comparing storages spares a root per state.
        if unit.head_cap_mw_per_ft > 0.0:
            needed = storage_af(curve, (self.outputs - unit.head_cap_offset_mw) / unit.head_cap_mw_per_ft)
        else:
            needed = np.where(self.outputs <= unit.head_cap_offset_mw, -np.inf, np.inf)
        self.needed_af = np.where(self.outputs > 0.0, needed, -np.inf)
        self.move_usd = ramp_weights_usd_per_mw(plant, inputs)

    def step(self, t: int, storage: Array, before: Array) -> _Step:
        """Return worth and storage after interval ``t``; ``storage`` and ``before`` broadcast against next outputs."""
        unit, inputs, w, h = self.plant.unit, self.inputs, self.plant.weights, self.inputs.step_h
        k = AF_PER_CFS_HOUR * h
        after = self.outputs
        zone = zone_of(unit, elevation_ft(self.plant.storage, storage))
        slope = np.array([z.flow_cfs_per_mw for z in unit.head_zones])[zone]
        at_zero = np.array([z.flow_at_zero_cfs for z in unit.head_zones])[zone]
        runs = ((before > 0.0) | (after > 0.0)) & bool(inputs.available[t])
        mean = np.where(runs, (before + after) / 2.0, 0.0)
        flow = np.where(runs, slope * mean + at_zero, 0.0)
        free = storage + k * (inputs.inflow_cfs[t] - flow)
        left = np.minimum(free, self.float_af[t])
        worth = (
            mean * inputs.price_usd_mwh[t] * h
            - w.spill_usd_per_af * (free - left)
            - self.move_usd[t] * np.abs(after - before)
            - np.where(after != before, w.setpoint_change_usd, 0.0)
            - np.where((before <= 0.0) & (after > 0.0), unit.startup_usd, 0.0)
            - w.below_minimum_usd_per_af_h * h * np.maximum(0.0, low_af(self.plant) - left)
        )
        if not np.isnan(inputs.raft_target_mw[t]):
            cap = head_cap_mw(unit, elevation_ft(self.plant.storage, left))
            target = np.minimum(inputs.raft_target_mw[t], cap)
            worth = worth - w.raft_shortfall_usd_per_mwh * h * np.maximum(0.0, target - mean)
        if not np.isnan(inputs.minimum_flow_cfs[t]):
            gauge = flow + (free - left) / k + inputs.tributary_cfs[t]
            worth = worth - w.minimum_flow_usd_per_cfs_h * h * np.maximum(0.0, inputs.minimum_flow_cfs[t] - gauge)
        if self.options.published_mw:
            worth = worth - w.stay_usd_per_mw * np.abs(after - self.options.published_mw[t])
        return _Step(np.where(self._allowed(t, before, after) & (left >= self.needed_af), worth, FORBIDDEN), left)

    def _allowed(self, t: int, before: Array, after: Array) -> np.ndarray:
        """Return which moves the ramp, the limits and an outage allow; a start or stop may jump the minimum."""
        unit, inputs = self.plant.unit, self.inputs
        if not inputs.available[t]:
            return (after <= 0.0) & (before >= 0.0)
        up = float(inputs.ramp_up_mw_per_h[t]) * inputs.step_h
        down = float(inputs.ramp_down_mw_per_h[t]) * inputs.step_h
        start, stop = max(up, unit.minimum_mw), max(down, unit.minimum_mw)
        rising = after - before <= np.where(before > 0.0, up, start) + 1e-9
        falling = before - after <= np.where(after > 0.0, down, stop) + 1e-9
        fixed = self.options.fixed_mw.get(t)
        wanted = np.ones_like(after, dtype=bool)
        if fixed is not None:
            wanted = np.arange(len(after)) == int(np.argmin(np.abs(after - fixed)))
        return rising & falling & wanted & (after <= float(inputs.maximum_mw[t]) + 1e-9)

    def values(self) -> list[Array]:
        """Return, for the start of every interval and the end of the last, the value of each grid state."""
        minimum = float(storage_af(self.plant.storage, self.plant.pool.minimum_ft))
        end = float(water_value_usd_per_af(self.plant, self.inputs)) * (self.storages - minimum)
        value = np.repeat(end[:, None], len(self.outputs), axis=1)
        found = [value]
        for t in range(self.inputs.intervals - 1, 0, -1):
            offered = self.step(t, self.storages[:, None, None], self.outputs[None, :, None])
            value = (offered.worth + self._at(value, offered.storage)).max(axis=2)
            found.append(value)
        return [value, *found[::-1]]

    def _at(self, value: Array, storage: Array) -> Array:
        """Return the value of states between the grid's storages; the last axis runs over outputs."""
        width = self.storages[1] - self.storages[0]
        place = np.clip((storage - self.storages[0]) / width, 0.0, STORAGES - 1.000001)
        low = place.astype(np.int64)
        share = place - low
        output = np.arange(len(self.outputs))
        return (1.0 - share) * value[low, output] + share * value[low + 1, output]

    def forward(self) -> Array:
        """Return the outputs chosen from the true start, storage kept continuous [MW]."""
        values = self.values()
        storage, before = np.array(self.start_af), np.array(self.state.oxbow_mw)
        chosen = np.zeros(self.inputs.intervals)
        for t in range(self.inputs.intervals):
            offered = self.step(t, storage, before)
            best = int(np.argmax(offered.worth + self._at(values[t + 1], offered.storage)))
            chosen[t] = self.outputs[best]
            storage, before = np.array(offered.storage[best]), np.array(chosen[t])
        return chosen
