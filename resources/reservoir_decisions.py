"""The afterbay's decision: the one path that assets, replay and backtests share.

A decision solves a case and checks what comes out; it writes nothing. Put here: solving, the walk through futures,
the schedule as stored. Keep out: what a case is made of (reservoir_case.py), what is done when it cannot be decided
(reservoir_ladder.py), optimization (solvers).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from domain.errors import InfeasibleError
from domain.futures import futures_frame, stacked_inputs
from domain.hydraulics import Array
from domain.plant import Plant, PoolState
from domain.plant_checks import with_settings
from domain.reservoir_inputs import ReservoirInputs
from domain.trajectory import Trajectory, simulate
from resources.reservoir_case import ReservoirCase, hindsight_case, reservoir_case
from resources.reservoir_run import RunSettings
from solvers.reservoir import ReservoirPlan, check_plan, plan_reservoir
from solvers.reservoir.margins import margins_of, reduced
from solvers.reservoir.options import Margins
from solvers.reservoir.report import probabilities
from solvers.reservoir.schedule import bands

__all__ = [
    "ReservoirCase",
    "RunSettings",
    "Walked",
    "decide_reservoir",
    "hindsight_case",
    "margins_frame",
    "published_schedule",
    "require_physics",
    "reservoir_case",
    "walk_futures",
    "with_bands",
]

FUTURES: Final = 120
"""Futures a plan is walked through for its margins and bands: 5 ms, and a tenth of them is twelve."""
STOCHASTIC_FUTURES: Final = 12
"""Futures a stochastic plan is made over, the few that stand for all of them."""


@dataclass(frozen=True, kw_only=True)
class Walked:
    """A plan's outputs walked through many futures.

    Attributes:
        plant: The plant with the run's settings.
        inputs: The futures, stacked.
        trajectory: What the pool does in each.
        probability: Of each.
    """

    plant: Plant
    inputs: ReservoirInputs
    trajectory: Trajectory
    probability: Array


def decide_reservoir(case: ReservoirCase) -> ReservoirPlan:
    """Solve a case, check the published trajectory independently, and walk it through the futures.

    The plan keeps the distances from both ends of the band, and the water for rafting, that its futures ask for.

    Raises:
        InfeasibleError: The plant cannot meet it, or the trajectory breaks the physics: neither is published.
    """
    plant, read = case.read()
    futures, options, scenarios = case.futures(FUTURES), case.options, None
    if futures is None:
        plan = plan_reservoir(case.plant, case.inputs, case.state, options=options, optimizer=case.run.optimizer)
        require_physics(case, plan)
        return plan
    many, probability = stacked_inputs(plant, read, case.inputs, futures), np.full(FUTURES, 1.0 / FUTURES)
    options = replace(options, margins=margins_of(plant, read, many, probability))
    if case.run.optimizer == "stochastic":
        chosen, weight = reduced(many.inflow_cfs, STOCHASTIC_FUTURES)
        scenarios = futures_frame(case.inputs, futures, chosen, weight)
    plan = plan_reservoir(
        case.plant, case.inputs, case.state, options=options, scenarios=scenarios, optimizer=case.run.optimizer
    )
    require_physics(case, plan)
    return with_bands(plan, case.state, many, probability)


def margins_frame(case: ReservoirCase) -> pl.DataFrame:
    """Return the margins a decision kept [af]: ``low_margin_af``, ``high_margin_af``, ``window_margin_af``."""
    futures, kept = case.futures(FUTURES), Margins(low_af=(), high_af=())
    if futures is not None:
        plant, read = case.read()
        many = stacked_inputs(plant, read, case.inputs, futures)
        kept = margins_of(plant, read, many, np.full(FUTURES, 1.0 / FUTURES))
    nothing = (0.0,) * case.inputs.height
    columns = {"low": kept.low_af, "high": kept.high_af, "window": kept.window_af}
    return pl.DataFrame({f"{name}_margin_af": values or nothing for name, values in columns.items()})


def require_physics(case: ReservoirCase, plan: ReservoirPlan, *, apply_rules: bool = True) -> None:
    """Refuse a plan whose trajectory an independent judge finds breaking the physics, or the dated rules.

    Raises:
        InfeasibleError: It does; the first breaches are named.
    """
    plant = with_settings(case.plant, case.run.settings)
    broken = check_plan(plant, case.inputs, case.state, plan.schedule, apply_rules=apply_rules)
    if broken:
        raise InfeasibleError(f"the plan breaks the physics and is not published: {'; '.join(broken[:5])}")


def walk_futures(case: ReservoirCase, end_mw: Array, count: int) -> Walked | None:
    """Return what becomes of some outputs in each of ``count`` futures; None in hindsight."""
    futures = case.futures(count)
    if futures is None:
        return None
    plant, read = case.read()
    many = stacked_inputs(plant, read, case.inputs, futures)
    trajectory = simulate(plant, many, end_mw, case.state, guarded=False)
    return Walked(plant=plant, inputs=many, trajectory=trajectory, probability=np.full(count, 1.0 / count))


def with_bands(plan: ReservoirPlan, state: PoolState, many: ReservoirInputs, probability: Array) -> ReservoirPlan:
    """Return a plan with the columns and odds of its walk through futures, in place of any it had."""
    walked = simulate(plan.plant, many, plan.trajectory.end_mw, state, guarded=False)
    columns = bands(plan.plant, many, walked, probability)
    schedule = plan.schedule.drop(columns.columns, strict=False).hstack(columns)
    report = plan.report | {"probabilities": probabilities(plan.plant, (many, probability), walked)}
    return replace(plan, schedule=schedule, report=report)


def published_schedule(case: ReservoirCase, plan: ReservoirPlan) -> pl.DataFrame:
    """Return the schedule as it is stored: the plan's columns and the float each level is judged by."""
    return plan.schedule.with_columns(case.inputs["float_ft"])
