"""What a trajectory is worth, in dollars: the objective of every reservoir plan, term by term.

Put here: the objective as written in the file contract, evaluated on a simulated trajectory. Keep out: its linear
form for the solver (solvers/reservoir/program.py), which the tests hold against this one.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from domain.hydraulics import Array, storage_af
from domain.plant import Plant
from domain.reservoir_inputs import ReservoirInputs
from domain.trajectory import Trajectory
from domain.units import AF_PER_CFS_HOUR

TERMS: Final = (
    "revenue_usd",
    "end_storage_usd",
    "spill_usd",
    "ramp_usd",
    "raft_usd",
    "below_minimum_usd",
    "minimum_flow_usd",
    "stay_usd",
    "setpoint_change_usd",
    "startup_usd",
)
"""The terms that add up to the objective; costs are negative."""

MOVED_MW: Final = 1e-6
"""An output change above this counts as a setpoint change [MW]."""


def water_value_usd_per_af(plant: Plant, inputs: ReservoirInputs) -> Array | float:
    """Return what an acre-foot in the pool is worth at the end [USD/af]: as set, else mean price x energy in it."""
    if plant.weights.water_value_usd_per_af is not None:
        return plant.weights.water_value_usd_per_af
    return inputs.price_usd_mwh.mean(axis=-1) * plant.weights.energy_mwh_per_af


def ramp_weights_usd_per_mw(plant: Plant, inputs: ReservoirInputs) -> Array:
    """Return the cost of moving the output in each interval, by day and night [USD/MW]."""
    by_day = plant.weights.ramp_usd_per_mw
    by_night = plant.weights.ramp_night_usd_per_mw
    return np.where(inputs.night, by_day if by_night is None else by_night, by_day)


def low_af(plant: Plant) -> float:
    """Return the storage at minimum plus planning buffer, below which an acre-foot costs [af]."""
    return float(storage_af(plant.storage, plant.pool.minimum_ft + plant.pool.low_buffer_ft))


def moves_mw(trajectory: Trajectory) -> Array:
    """Return by how much the output moves in each interval [MW]."""
    first = np.full((*trajectory.end_mw.shape[:-1], 1), trajectory.start_mw)
    return np.diff(trajectory.end_mw, axis=-1, prepend=first)


def raft_shortfall_mw(inputs: ReservoirInputs, trajectory: Trajectory) -> Array:
    """Return the mean output missing for rafting [MW]; what the head at the end level denies is not missing."""
    target = np.minimum(inputs.raft_target_mw, trajectory.head_cap_mw)
    return np.nan_to_num(np.maximum(0.0, target - trajectory.mean_mw))


def minimum_flow_shortfall_cfs(inputs: ReservoirInputs, trajectory: Trajectory) -> Array:
    """Return the flow missing at the compliance gauge [cfs], which sees unit, spill, R26 and R10."""
    gauge = trajectory.unit_cfs + trajectory.spill_cfs + inputs.tributary_cfs
    return np.nan_to_num(np.maximum(0.0, inputs.minimum_flow_cfs - gauge))


def below_minimum_minutes(plant: Plant, inputs: ReservoirInputs, trajectory: Trajectory) -> Array:
    """Return how long the level is below the minimum, without the buffer [min].

    Storage is taken as a straight line between interval ends.
    """
    minimum = float(storage_af(plant.storage, plant.pool.minimum_ft))
    end = trajectory.storage_af
    before = np.concatenate([np.full((*end.shape[:-1], 1), trajectory.start_storage_af), end[..., :-1]], axis=-1)
    low, high = np.minimum(before, end), np.maximum(before, end)
    share = np.where(high > low, (minimum - low) / np.where(high > low, high - low, 1.0), low < minimum)
    return np.clip(share, 0.0, 1.0).sum(axis=-1) * inputs.step_h * 60.0


def revenue_usd(inputs: ReservoirInputs, trajectory: Trajectory) -> Array:
    """Return what each interval earns [USD]: energy at price, or the commitment plus the deviation from it."""
    committed = np.nan_to_num(inputs.award_mw)
    at_commitment = np.nan_to_num(committed * inputs.da_price_usd_mwh)
    return (at_commitment + (trajectory.mean_mw - committed) * inputs.price_usd_mwh) * inputs.step_h


def terms_usd(
    plant: Plant, inputs: ReservoirInputs, trajectory: Trajectory, published_mw: tuple[float, ...] = ()
) -> dict[str, Array]:
    """Return the objective's terms [USD], each summed over the intervals; with scenarios, one value a scenario."""
    w, h = plant.weights, inputs.step_h
    moves = np.abs(moves_mw(trajectory))
    minimum = float(storage_af(plant.storage, plant.pool.minimum_ft))
    before = np.concatenate(
        [np.full((*moves.shape[:-1], 1), trajectory.start_mw), trajectory.end_mw[..., :-1]], axis=-1
    )
    starts = ((trajectory.end_mw > 0.0) & (before <= 0.0)).sum(axis=-1)
    away = np.abs(trajectory.end_mw - np.array(published_mw)) if published_mw else np.zeros_like(moves)
    return {
        "revenue_usd": revenue_usd(inputs, trajectory).sum(axis=-1),
        "end_storage_usd": water_value_usd_per_af(plant, inputs) * (trajectory.storage_af[..., -1] - minimum),
        "spill_usd": -w.spill_usd_per_af * (trajectory.spill_cfs * h * AF_PER_CFS_HOUR).sum(axis=-1),
        "ramp_usd": -(ramp_weights_usd_per_mw(plant, inputs) * moves).sum(axis=-1),
        "raft_usd": -w.raft_shortfall_usd_per_mwh * raft_shortfall_mw(inputs, trajectory).sum(axis=-1) * h,
        "below_minimum_usd": -w.below_minimum_usd_per_af_h
        * np.maximum(0.0, low_af(plant) - trajectory.storage_af).sum(axis=-1)
        * h,
        "minimum_flow_usd": -w.minimum_flow_usd_per_cfs_h
        * minimum_flow_shortfall_cfs(inputs, trajectory).sum(axis=-1)
        * h,
        "stay_usd": -w.stay_usd_per_mw * away.sum(axis=-1),
        "setpoint_change_usd": -w.setpoint_change_usd * (moves > MOVED_MW).sum(axis=-1),
        "startup_usd": -plant.unit.startup_usd * starts,
    }


def objective_usd(terms: dict[str, Array]) -> Array:
    """Return the sum of the terms [USD]."""
    return sum((terms[name] for name in TERMS), np.zeros(()))
