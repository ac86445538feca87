"""What is said about a plan: terms, bound, violations, odds, words.

Put here: the report of the file contract. Keep out: choosing setpoints, files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from domain.hydraulics import Array, storage_af
from domain.plant import Plant, PoolState
from domain.reservoir_inputs import ReservoirInputs
from domain.trajectory import Trajectory
from solvers.reservoir.explain import explain
from solvers.reservoir.linear import LinearPlan
from solvers.reservoir.options import ReservoirOptions
from solvers.reservoir.schedule import NEAR_AF
from solvers.reservoir.value import (
    below_minimum_minutes,
    minimum_flow_shortfall_cfs,
    objective_usd,
    raft_shortfall_mw,
    terms_usd,
    water_value_usd_per_af,
)

SMALLEST_DENOMINATOR_USD: Final = 1.0
RAFT_MISSED_MW: Final = 0.1
"""Mean output missing in a rafting interval from which it counts as missed: 16 cfs of 1000 [MW]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Setpoints an optimizer chose, and what it can say about them."""

    setpoint_mw: Array
    status: str
    bound_usd: float | None
    linear: LinearPlan | None = None
    extra: dict[str, Any] | None = None


def report_of(
    plant: Plant,
    inputs: ReservoirInputs,
    state: PoolState,
    trajectory: Trajectory,
    choice: Choice,
    options: ReservoirOptions,
) -> dict[str, Any]:
    """Return a plan's report, but for the seconds."""
    terms = terms_usd(plant, inputs, trajectory, options.published_mw)
    objective = float(objective_usd(terms))
    has_bound = choice.bound_usd is not None and np.isfinite(choice.bound_usd)
    bound = max(choice.bound_usd, objective) if has_bound else None
    weights = {name: getattr(plant.weights, name) for name in plant.weights.__slots__}
    weights["water_value_usd_per_af"] = float(water_value_usd_per_af(plant, inputs))
    return {
        "status": choice.status,
        "objective_usd": objective,
        "bound_usd": bound,
        "gap": None if bound is None else (bound - objective) / max(abs(objective), SMALLEST_DENOMINATOR_USD),
        "terms": {name: float(value) + 0.0 for name, value in terms.items()},
        "weights": weights,
        "violations": {
            "below_minimum_minutes": float(below_minimum_minutes(plant, inputs, trajectory)),
            "raft_shortfall_mwh": float(raft_shortfall_mw(inputs, trajectory).sum() * inputs.step_h),
            "minimum_flow_cfs_h": float(minimum_flow_shortfall_cfs(inputs, trajectory).sum() * inputs.step_h),
        },
        "explain": explain(plant, inputs, state, trajectory, choice.linear) if options.explain else [],
        "warnings": list(inputs.warnings),
        **(choice.extra or {}),
    }


def probabilities(plant: Plant, many: tuple[ReservoirInputs, Array], walked: Trajectory) -> dict[str, float]:
    """Return how likely the plan, walked through every scenario, ever spills, breaks the minimum, misses rafting."""
    inputs, probability = many
    minimum = float(storage_af(plant.storage, plant.pool.minimum_ft))
    events = {
        "spill": (walked.spill_cfs * inputs.step_h > NEAR_AF).any(axis=1),
        "below_minimum": (walked.storage_af < minimum - NEAR_AF).any(axis=1),
        "raft_missed": (raft_shortfall_mw(inputs, walked) > RAFT_MISSED_MW).any(axis=1),
    }
    return {name: float(np.clip(probability @ happens, 0.0, 1.0)) for name, happens in events.items()}


def conditional_value_at_risk_usd(worth_usd: Array, probability: Array, tail: float) -> float:
    """Return the mean worth of the worst ``tail`` share of the probability [USD].

    >>> conditional_value_at_risk_usd(np.array([10.0, -50.0, 30.0, 0.0]), np.full(4, 0.25), 0.5)
    -25.0
    """
    order = np.argsort(worth_usd, kind="stable")
    left = np.clip(tail - np.concatenate([[0.0], np.cumsum(probability[order])[:-1]]), 0.0, probability[order])
    return float(left @ worth_usd[order] / tail)
