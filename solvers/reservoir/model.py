"""The reservoir plan as a model to be read: one constraint a paragraph, the same optimum as the fast path.

Put here: the statement in Pyomo. Keep out: speed; ``solvers/reservoir/program.py`` hands the same model to the solver
as arrays, a hundred times faster, and the tests hold both to the same value.

One set: intervals t of length h. All water in acre-feet, k = acre-feet per cfs-hour.
"""
# ruff: noqa: ANN401 - Pyomo's components appear on the model at run time; no annotation can name them

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.environ as pyo

from domain.hydraulics import Array, storage_af
from domain.plant import Plant, PoolState
from domain.reservoir_inputs import ReservoirInputs
from domain.units import AF_PER_CFS_HOUR
from solvers.reservoir.lines import RaftLine, cap_tangents
from solvers.reservoir.program import LATER_SPILL_USD_PER_AF
from solvers.reservoir.value import low_af, ramp_weights_usd_per_mw, water_value_usd_per_af


def reservoir_model(  # noqa: C901 - one nested function a constraint, in the order a reader meets them
    plant: Plant, inputs: ReservoirInputs, state: PoolState, *, levels_ft: Array, raft: RaftLine | None = None
) -> Any:
    """Return the deterministic plan of an ``always_on`` plant as a Pyomo model; maximises ``m.worth``.

    Args:
        plant: The plant.
        inputs: One forecast.
        state: Level and output at the start; within what ramp and head allow.
        levels_ft: Levels at which the head cap is cut by a tangent [ft].
        raft: The rafting target as lines over storage; None where no interval has one.
    """
    unit, weights, h = plant.unit, plant.weights, inputs.step_h
    zone = unit.head_zones[0]
    last, kh = inputs.intervals - 1, AF_PER_CFS_HOUR * h
    empty = float(storage_af(plant.storage, plant.pool.minimum_ft))
    start = float(storage_af(plant.storage, state.elevation_ft)) - empty
    at_float = storage_af(plant.storage, inputs.float_ft) - empty
    on = [bool(value) for value in inputs.available]
    water_value, ramp_usd = float(water_value_usd_per_af(plant, inputs)), ramp_weights_usd_per_mw(plant, inputs)

    m = _named(plant.name)
    m.t = pyo.RangeSet(0, last)
    m.storage = pyo.Var(m.t, bounds=lambda _, t: (None, float(at_float[t])), doc="storage above the minimum level [af]")
    m.output = pyo.Var(m.t, doc="output at the interval's end [MW]")
    m.spill = pyo.Var(m.t, within=pyo.NonNegativeReals, doc="spill [af]")
    m.below = pyo.Var(m.t, within=pyo.NonNegativeReals, doc="storage missing below minimum plus buffer [af]")
    m.rise = pyo.Var(m.t, within=pyo.NonNegativeReals, doc="rise of the output [MW]")
    m.fall = pyo.Var(m.t, within=pyo.NonNegativeReals, doc="fall of the output [MW]")
    m.unrafted = pyo.Var(m.t, within=pyo.NonNegativeReals, doc="mean output missing for rafting [MW]")
    m.dry = pyo.Var(m.t, within=pyo.NonNegativeReals, doc="flow missing at the gauge [cfs]")

    def before(m: Any, t: int) -> Any:
        return state.oxbow_mw if t == 0 else m.output[t - 1]

    def mean(m: Any, t: int) -> Any:
        return (before(m, t) + m.output[t]) / 2.0 if on[t] else 0.0

    def through_unit(m: Any, t: int) -> Any:
        return zone.flow_cfs_per_mw * mean(m, t) + zone.flow_at_zero_cfs if on[t] else 0.0

    @m.Constraint(m.t, doc="storage is what was there, plus inflow, less unit and spill")
    def water_balance(m: Any, t: int) -> Any:
        stored = start if t == 0 else m.storage[t - 1]
        return m.storage[t] == stored + kh * (float(inputs.inflow_cfs[t]) - through_unit(m, t)) - m.spill[t]

    @m.Constraint(m.t, doc="limits of the unit; 0 MW in an outage")
    def unit_limits(m: Any, t: int) -> Any:
        if not on[t]:
            return m.output[t] == 0.0
        return pyo.inequality(unit.minimum_mw, m.output[t], float(inputs.maximum_mw[t]))

    @m.Constraint(m.t, doc="the output moves by rise less fall")
    def movement(m: Any, t: int) -> Any:
        return m.output[t] - before(m, t) == m.rise[t] - m.fall[t]

    @m.Constraint(m.t, doc="ramp up; a unit at rest may start at its smallest output")
    def ramp_up(m: Any, t: int) -> Any:
        limit = float(inputs.ramp_up_mw_per_h[t]) * h
        if t > 0 and not on[t - 1]:
            limit = max(limit, unit.minimum_mw)
        if t == 0:
            limit = max(limit, unit.minimum_mw - state.oxbow_mw)
        return m.rise[t] <= limit

    @m.Constraint(m.t, doc="ramp down; an outage stops the unit at once")
    def ramp_down(m: Any, t: int) -> Any:
        if not on[t]:
            return pyo.Constraint.Skip
        return m.fall[t] <= float(inputs.ramp_down_mw_per_h[t]) * h

    @m.Constraint(m.t, range(len(levels_ft)), doc="tangents of the head cap at the end level")
    def head_cap(m: Any, t: int, j: int) -> Any:
        if not on[t]:
            return pyo.Constraint.Skip
        at_zero, slope = cap_tangents(plant, levels_ft)
        return m.output[t] <= float(at_zero[j]) + float(slope[j]) * m.storage[t]

    @m.Constraint(m.t, doc="storage missing below minimum plus planning buffer")
    def soft_minimum(m: Any, t: int) -> Any:
        return m.storage[t] + m.below[t] >= low_af(plant) - empty

    @m.Constraint(m.t, doc="mean output missing below the rafting target")
    def rafting(m: Any, t: int) -> Any:
        if raft is None or np.isnan(inputs.raft_target_mw[t]):
            return pyo.Constraint.Skip
        target = float(raft.at_zero_mw[t]) + float(raft.slope_mw_per_af[t]) * m.storage[t]
        return mean(m, t) + m.unrafted[t] >= target

    @m.Constraint(m.t, doc="flow missing at the gauge below, which sees unit, spill, R26 and R10")
    def minimum_flow(m: Any, t: int) -> Any:
        if np.isnan(inputs.minimum_flow_cfs[t]):
            return pyo.Constraint.Skip
        seen = through_unit(m, t) + m.spill[t] / kh + float(inputs.tributary_cfs[t])
        return seen + m.dry[t] >= float(inputs.minimum_flow_cfs[t])

    def earned(m: Any, t: int) -> Any:
        award = float(np.nan_to_num(inputs.award_mw[t]))
        committed = award * float(np.nan_to_num(inputs.da_price_usd_mwh[t]))
        return (committed + (mean(m, t) - award) * float(inputs.price_usd_mwh[t])) * h

    def paid(m: Any, t: int) -> Any:
        return (
            (weights.spill_usd_per_af - LATER_SPILL_USD_PER_AF * (t + 1) / inputs.intervals) * m.spill[t]
            + float(ramp_usd[t]) * (m.rise[t] + m.fall[t])
            + weights.raft_shortfall_usd_per_mwh * h * m.unrafted[t]
            + weights.below_minimum_usd_per_af_h * h * m.below[t]
            + weights.minimum_flow_usd_per_cfs_h * h * m.dry[t]
        )

    @m.Objective(sense=pyo.maximize, doc="dollars earned, less what is paid for, plus the water left")
    def worth(m: Any) -> Any:
        return sum(earned(m, t) - paid(m, t) for t in m.t) + water_value * m.storage[last]

    return m


def _named(name: str) -> Any:
    return pyo.ConcreteModel(name=name)
