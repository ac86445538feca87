"""The walk of the pool through time: setpoints in, level, output and spill out.

Put here: the one simulator that plans, checks, overrides, replay and the simulated plant share. Keep out: choosing
setpoints (solvers), money (solvers/reservoir/value.py), formulas of a single instant (domain/hydraulics.py).

Conventions. A setpoint is the output wanted at the *end* of its interval; the mean is half of both ends. The ramp limit
holds between ends, the head cap at the end level: an output above it is lowered to the exact output whose own draw
leaves the level that allows it. Spill takes what would stand above the float when the interval ends.

Where rules collide, physics wins, in this order: an unavailable unit gives 0 MW and 0 cfs at once; the head cap may
force a fall faster than the ramp; a start may jump to the smallest output.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domain.errors import InputError
from domain.hydraulics import Array, elevation_ft, head_cap_mw, storage_af, zone_of
from domain.instants import iso
from domain.plant import Plant, PoolState, Unit
from domain.reservoir_inputs import ReservoirInputs
from domain.single_walk import CAP_ROUNDS, CAP_TOLERANCE_MW, walk_one
from domain.units import AF_PER_CFS_HOUR


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """What the pool does: arrays over T intervals, or scenarios x T.

    Attributes:
        mean_mw: Mean output [MW].
        end_mw: Output at the interval's end [MW].
        elevation_ft: Level at the end [ft].
        storage_af: Storage at the end [af].
        spill_cfs: Mean spill [cfs].
        unit_cfs: Mean flow through the unit [cfs].
        inflow_cfs: Mean inflow [cfs].
        head_cap_mw: Largest output at the end level [MW].
        start_storage_af: Storage when the first interval begins [af].
        start_mw: Output when the first interval begins [MW].
    """

    mean_mw: Array
    end_mw: Array
    elevation_ft: Array
    storage_af: Array
    spill_cfs: Array
    unit_cfs: Array
    inflow_cfs: Array
    head_cap_mw: Array
    start_storage_af: float
    start_mw: float


def simulate(
    plant: Plant, inputs: ReservoirInputs, setpoint_mw: Array, state: PoolState, *, guarded: bool = True
) -> Trajectory:
    """Return what the pool does when the unit is given these setpoints.

    Args:
        plant: The plant.
        inputs: The intervals, for one forecast or S scenarios.
        setpoint_mw: End-of-interval outputs wanted, shape T or S x T [MW].
        state: Level and output when the first interval begins.
        guarded: Refuse levels below the storage curve. Where many futures are walked at once, one may drain: there
            False lets it, the head cap then brings the unit to a standstill.

    Raises:
        InputError: A setpoint is missing, there are not as many as intervals, or the level leaves the storage curve.
    """
    require_state(plant, state)
    wanted = np.asarray(setpoint_mw, dtype=np.float64)
    if wanted.shape[-1] != inputs.intervals:
        raise InputError(f"{wanted.shape[-1]} setpoints for {inputs.intervals} intervals; give one each")
    if not np.isfinite(wanted).all():
        where = int(np.argmax(~np.isfinite(np.atleast_2d(wanted)).all(axis=0)))
        raise InputError(f"setpoint_mw at {iso(inputs.start[where])} is no number; every interval needs one")
    flat = wanted.ndim == 1 and inputs.inflow_cfs.ndim == 1
    walk = _Walk(plant, inputs, state, max(inputs.scenarios, np.atleast_2d(wanted).shape[0]))
    if flat and not (inputs.float_ft.ndim > 1 or inputs.maximum_mw.ndim > 1):
        walk.out = {name: values[None, :] for name, values in walk_one(plant, inputs, wanted, state).items()}
        return squeeze(walk.trajectory(guarded=guarded))
    for t in range(inputs.intervals):
        walk.step(t, wanted[..., t])
    result = walk.trajectory(guarded=guarded)
    return squeeze(result) if flat else result


def squeeze(trajectory: Trajectory) -> Trajectory:
    """Return the only scenario of a trajectory, without the scenario axis."""
    return pick(trajectory, 0)


def pick(trajectory: Trajectory, scenario: int) -> Trajectory:
    """Return one scenario of a trajectory."""
    return Trajectory(**{k: v[scenario] if isinstance(v, np.ndarray) else v for k, v in vars(trajectory).items()})


def require_state(plant: Plant, state: PoolState) -> None:
    """Refuse a state the pool cannot be in.

    Raises:
        InputError: The level is outside the storage curve, or the output is negative or above twice the maximum.
    """
    curve = plant.storage
    if not curve.valid_from_ft <= state.elevation_ft <= curve.valid_to_ft:
        raise InputError(
            f"elevation_ft {state.elevation_ft:g} is no level of {plant.name}: its storage curve holds from"
            f" {curve.valid_from_ft:g} to {curve.valid_to_ft:g} ft; correct the state"
        )
    if not 0.0 <= state.oxbow_mw <= 2.0 * plant.unit.maximum_mw:
        raise InputError(
            f"oxbow_mw {state.oxbow_mw:g} is no output of {plant.unit.name}, which gives 0 to"
            f" {plant.unit.maximum_mw:g} MW; correct the state"
        )


class _Walk:
    """The state of S pools between steps, and room for what they did."""

    def __init__(self, plant: Plant, inputs: ReservoirInputs, state: PoolState, scenarios: int) -> None:
        self.plant, self.inputs = plant, inputs
        self.hours_af = AF_PER_CFS_HOUR * inputs.step_h
        self.storage = np.full(scenarios, float(storage_af(plant.storage, state.elevation_ft)))
        self.power = np.full(scenarios, state.oxbow_mw)
        self.start = float(self.storage[0]), state.oxbow_mw
        self.float_af = storage_af(plant.storage, inputs.float_ft)
        shape = (scenarios, inputs.intervals)
        self.inflow = np.broadcast_to(inputs.inflow_cfs, shape)
        names = ("mean_mw", "end_mw", "storage_af", "spill_cfs", "unit_cfs")
        self.out: dict[str, Array] = {name: np.empty(shape) for name in names}

    def step(self, t: int, wanted: Array) -> None:
        """Advance every scenario by one interval."""
        unit, inputs = self.plant.unit, self.inputs
        slope, offset = _water_per_mw(self.plant, self.storage)
        end = np.zeros_like(self.power)
        running = np.zeros(self.power.shape, dtype=bool)
        draw = self.hours_af * slope / 2.0
        float_af = self.float_af[..., t]
        if inputs.available[t]:
            end = reachable_mw(unit, inputs, t, self.power, wanted)
            running = (end > 0.0) | (self.power > 0.0)
            dry = self.storage + self.hours_af * (self.inflow[:, t] - running * offset) - draw * self.power
            end = self._under_cap(dry, draw, float_af, end)
        mean = np.where(running, (self.power + end) / 2.0, 0.0)
        flow = np.where(running, slope * mean + offset, 0.0)
        free = self.storage + self.hours_af * (self.inflow[:, t] - flow)
        self.storage = np.minimum(free, float_af)
        self.power = end
        for name, value in (
            ("mean_mw", mean),
            ("end_mw", end),
            ("storage_af", self.storage),
            ("spill_cfs", (free - self.storage) / self.hours_af),
            ("unit_cfs", flow),
        ):
            self.out[name][:, t] = value

    def _under_cap(self, dry: Array, draw: Array | float, float_af: Array, end: Array) -> Array:
        """Return the output lowered, where needed, to the one whose own draw leaves the level that allows it.

        Newton's method on cap(level left by g) - g, which falls steadily in g: quadratic, three or four rounds.
        """
        unit, curve = self.plant.unit, self.plant.storage
        excess = end - head_cap_mw(unit, elevation_ft(curve, np.minimum(dry - draw * end, float_af)))
        over = (excess > 0.0) & (end > 0.0)
        if not over.any():
            return end
        g = end.copy()
        for _ in range(CAP_ROUNDS):
            free = dry - draw * g
            level = elevation_ft(curve, np.minimum(free, float_af))
            surface = 2.0 * curve.square_af_per_ft2 * np.maximum(level - curve.vertex_ft, CAP_TOLERANCE_MW)
            fall = 1.0 + np.where(free < float_af, unit.head_cap_mw_per_ft * draw / surface, 0.0)
            move = (head_cap_mw(unit, level) - g) / fall
            g = np.where(over, g + move, g)
            if np.abs(move[over]).max() < CAP_TOLERANCE_MW:
                break
        return np.maximum(g, 0.0)

    def trajectory(self, *, guarded: bool) -> Trajectory:
        """Return what happened, refusing levels at which the storage curve means nothing."""
        level = elevation_ft(self.plant.storage, self.out["storage_af"])
        floor = self.plant.storage.valid_from_ft
        if guarded and (level < floor).any():
            where = int(np.argmax((level < floor).any(axis=0)))
            raise InputError(
                f"these setpoints drain the pool below {floor:g} ft by {iso(self.inputs.start[where])}, where the"
                f" storage curve of {self.plant.name} ends; lower the setpoints or shorten the horizon"
            )
        return Trajectory(
            **self.out,
            elevation_ft=level,
            inflow_cfs=np.array(self.inflow),
            head_cap_mw=head_cap_mw(self.plant.unit, level),
            start_storage_af=self.start[0],
            start_mw=self.start[1],
        )


def reachable_mw(unit: Unit, inputs: ReservoirInputs, t: int | slice, before_mw: Array, wanted_mw: Array) -> Array:
    """Return the output nearest to the one wanted that limits and ramp allow at an interval's end [MW].

    A unit that stands still may start at its smallest output however short the interval; one that is ``on_off`` may
    stop from where a start could bring it. A unit found above its maximum comes down to it at once.
    """
    low, high = unit.minimum_mw, inputs.maximum_mw[..., t]
    up = np.maximum(before_mw + inputs.ramp_up_mw_per_h[..., t] * inputs.step_h, low)
    down = np.minimum(before_mw - inputs.ramp_down_mw_per_h[..., t] * inputs.step_h, high)
    end = np.minimum(np.maximum(np.minimum(np.maximum(wanted_mw, low), high), down), up)
    if unit.commitment == "on_off":
        may_stop = before_mw <= np.maximum(low, inputs.ramp_down_mw_per_h[..., t] * inputs.step_h)
        end = np.where((np.asarray(wanted_mw) < low / 2.0) & may_stop, 0.0, end)
    return end


def _water_per_mw(plant: Plant, storage: Array) -> tuple[Array | float, Array | float]:
    zones = plant.unit.head_zones
    if len(zones) == 1:
        return zones[0].flow_cfs_per_mw, zones[0].flow_at_zero_cfs
    zone = zone_of(plant.unit, elevation_ft(plant.storage, storage))
    slope = np.array([z.flow_cfs_per_mw for z in zones])[zone]
    offset = np.array([z.flow_at_zero_cfs for z in zones])[zone]
    return slope, offset
