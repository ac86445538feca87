"""A trajectory as the frame that is published: columns, the limits that bind, the times of setpoint changes.

Put here: the PLAN columns of the file contract. Keep out: choosing setpoints, dollars.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from domain.hydraulics import Array, storage_af
from domain.plant import Plant
from domain.ramping import setpoint_changes
from domain.reservoir_inputs import ReservoirInputs
from domain.trajectory import Trajectory, reachable_mw

NEAR_MW: Final = 1e-6
NEAR_AF: Final = 1e-4
UTC_MICROSECONDS: Final = pl.Datetime("us", "UTC")


def binding(plant: Plant, inputs: ReservoirInputs, trajectory: Trajectory) -> list[list[str]]:
    """Return the limits each interval of one trajectory leans on, in words; an empty list where it is free."""
    unit, end = plant.unit, trajectory.end_mw
    before = np.concatenate([[trajectory.start_mw], end[:-1]])
    everywhere, unlimited = np.arange(inputs.intervals), np.array(np.inf)
    rise = reachable_mw(unit, inputs, slice(None), before, unlimited)
    fall = reachable_mw(unit, inputs, slice(None), before, -unlimited)
    float_af = storage_af(plant.storage, inputs.float_ft)
    low = float(storage_af(plant.storage, plant.pool.minimum_ft + plant.pool.low_buffer_ft))
    target = np.minimum(inputs.raft_target_mw, trajectory.head_cap_mw)
    gauge = trajectory.unit_cfs + trajectory.spill_cfs + inputs.tributary_cfs
    on = inputs.available
    tests = {
        "outage": ~on,
        "head": on & (end >= trajectory.head_cap_mw - NEAR_MW),
        "maximum output": on & (end >= inputs.maximum_mw - NEAR_MW),
        "off": on & (end <= 0.0),
        "minimum output": on & (end > 0.0) & (end <= unit.minimum_mw + NEAR_MW),
        "ramp up": on & (end >= rise - NEAR_MW) & (rise < inputs.maximum_mw - NEAR_MW),
        "ramp down": on & (end <= fall + NEAR_MW) & (fall > unit.minimum_mw + NEAR_MW),
        "float": trajectory.storage_af >= float_af - NEAR_AF,
        "minimum level": trajectory.storage_af <= low + NEAR_AF,
        "rafting": trajectory.mean_mw <= np.where(np.isnan(target), -np.inf, target + NEAR_MW),
        "minimum flow": gauge
        <= np.where(np.isnan(inputs.minimum_flow_cfs), -np.inf, inputs.minimum_flow_cfs + NEAR_AF),
    }
    return [[name for name, holds in tests.items() if holds[t]] for t in everywhere]


def to_frame(
    plant: Plant, inputs: ReservoirInputs, trajectory: Trajectory, setpoint_mw: Array | None = None
) -> pl.DataFrame:
    """Return one trajectory as the published columns.

    Args:
        plant: The plant.
        inputs: The intervals.
        trajectory: One scenario.
        setpoint_mw: The setpoints asked for; None = the outputs reached, which ask for the same trajectory [MW].
    """
    changes = setpoint_changes(
        inputs.start,
        inputs.step_h,
        trajectory.end_mw,
        trajectory.start_mw,
        inputs.ramp_up_mw_per_h,
        inputs.ramp_down_mw_per_h,
        deadband_mw=plant.unit.setpoint_deadband_mw,
    )
    return pl.DataFrame(
        {
            "event_start": pl.Series(inputs.start, dtype=UTC_MICROSECONDS),
            "oxbow_mw": trajectory.mean_mw,
            "oxbow_end_mw": trajectory.end_mw,
            "setpoint_mw": trajectory.end_mw if setpoint_mw is None else np.asarray(setpoint_mw, dtype=np.float64),
            "setpoint_change_at": pl.Series(changes, dtype=UTC_MICROSECONDS),
            "elevation_ft": trajectory.elevation_ft,
            "storage_af": trajectory.storage_af,
            "spill_cfs": trajectory.spill_cfs,
            "outflow_cfs": trajectory.unit_cfs,
            "inflow_cfs": trajectory.inflow_cfs,
            "head_cap_mw": trajectory.head_cap_mw,
            "binding": [", ".join(names) for names in binding(plant, inputs, trajectory)],
        }
    )


def bands(plant: Plant, inputs: ReservoirInputs, many: Trajectory, probability: Array) -> pl.DataFrame:
    """Return the columns scenarios add: level quantiles, and how likely spill and a level below the minimum are.

    A quantile is the smallest level that at least that share of the probability does not exceed.
    """
    order = np.argsort(many.elevation_ft, axis=0, kind="stable")
    levels = np.take_along_axis(many.elevation_ft, order, axis=0)
    reached = np.cumsum(probability[order], axis=0)
    columns: dict[str, Array] = {}
    for share in (0.1, 0.5, 0.9):
        first = np.argmax(reached >= share - NEAR_MW, axis=0)
        columns[f"elevation_p{round(share * 100)}_ft"] = np.take_along_axis(levels, first[None, :], axis=0)[0]
    minimum = float(storage_af(plant.storage, plant.pool.minimum_ft))
    spills = many.spill_cfs * inputs.step_h > NEAR_AF
    columns["spill_probability"] = np.clip(probability @ spills, 0.0, 1.0)
    columns["below_minimum_probability"] = np.clip(probability @ (many.storage_af < minimum - NEAR_AF), 0.0, 1.0)
    return pl.DataFrame(columns)
