"""A reservoir plan from inputs to published columns and report.

Put here: the order of things: read, choose setpoints, simulate, judge, explain. Keep out: how setpoints are chosen
(linear, stochastic, rule), files and publication.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl

from domain.errors import InfeasibleError, InputError
from domain.hydraulics import Array
from domain.instants import iso
from domain.plant import Plant, PoolState
from domain.plant_checks import with_settings
from domain.reservoir_inputs import ReservoirInputs, read_inputs, read_scenarios
from domain.rule_calendar import with_rules, with_rules_of
from domain.trajectory import Trajectory, require_state, simulate
from solvers.reservoir.commitment import solve_commitment
from solvers.reservoir.commitment_bound import commitment_bound_usd
from solvers.reservoir.diagnosis import why_infeasible
from solvers.reservoir.highs import NoPointError
from solvers.reservoir.linear import LinearPlan, solve
from solvers.reservoir.options import OPTIMIZERS, Optimizer, ReservoirOptions
from solvers.reservoir.report import Choice, conditional_value_at_risk_usd, probabilities, report_of
from solvers.reservoir.rule import rule_setpoints
from solvers.reservoir.schedule import bands, to_frame
from solvers.reservoir.stochastic import solve_two_stage
from solvers.reservoir.value import (
    objective_usd,
    terms_usd,
    water_value_usd_per_af,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservoirPlan:
    """A plan and all that is said about it.

    Attributes:
        schedule: The PLAN columns of the file contract, one row an interval.
        report: The report of the file contract, without the seconds of reading and writing files.
        status: ``optimal``, ``feasible`` (on/off units), ``time_limit``, ``rule``, or what ``judged_plan`` was told.
        inputs: The intervals as planned on, rules applied.
        trajectory: The simulated trajectory behind the schedule.
        plant: The plant with this plan's settings.
    """

    schedule: pl.DataFrame
    report: dict[str, Any]
    status: str
    inputs: ReservoirInputs
    trajectory: Trajectory
    plant: Plant


def plan_reservoir(
    plant: Plant,
    inputs: pl.DataFrame,
    state: PoolState,
    *,
    options: ReservoirOptions | None = None,
    scenarios: pl.DataFrame | None = None,
    optimizer: Optimizer = "lp",
) -> ReservoirPlan:
    """Return the plan for the intervals ahead.

    Args:
        plant: The plant.
        inputs: Columns as in ``domain.reservoir_inputs.read_inputs``.
        state: Level and output when the first interval begins.
        options: Settings of this plan; None = the plant's own.
        scenarios: Columns as in ``read_scenarios``; needed by ``stochastic``, else only for bands.
        optimizer: ``lp`` one forecast, ``stochastic`` scenarios with a shared first day, ``rule`` the heuristic.

    Raises:
        InputError: Inputs, state, options or scenarios break their contract.
        InfeasibleError: Limits contradict each other; the message names interval, constraint and cheapest relaxation.
    """
    options = options or ReservoirOptions()
    if optimizer not in OPTIMIZERS:
        raise InputError(f"optimizer {optimizer!r} is unknown; choose from {', '.join(OPTIMIZERS)}")
    if optimizer == "stochastic" and scenarios is None:
        raise InputError("optimizer 'stochastic' needs scenarios; give them, or use 'lp'")
    if optimizer == "stochastic" and plant.unit.commitment == "on_off":
        raise InputError(f"optimizer 'stochastic' plans units that always run; {plant.unit.name} is on_off, use 'lp'")
    began = perf_counter()
    plant = with_settings(plant, options.settings)
    read = read_inputs(plant, inputs)
    read = with_rules(plant, read) if options.apply_rules else read
    require_state(plant, state)
    many = None
    if scenarios is not None:
        futures, probability = read_scenarios(plant, scenarios, read)
        many = (with_rules_of(read, futures), probability)
    _require_options(plant, read, options)
    built = perf_counter()
    choice = _choose(plant, read, state, options, many, optimizer)
    chosen = perf_counter()
    trajectory = simulate(plant, read, choice.setpoint_mw, state)
    schedule = to_frame(plant, read, trajectory)
    if many is not None:
        walked = simulate(plant, many[0], trajectory.end_mw, state, guarded=False)
        schedule = schedule.hstack(bands(plant, many[0], walked, many[1]))
        odds = probabilities(plant, many, walked)
    simulated = perf_counter()
    report = report_of(plant, read, state, trajectory, choice, options)
    report["seconds"] = {"build": built - began, "solve": chosen - built, "simulate": simulated - chosen}
    report["optimizer"] = optimizer
    if many is not None:
        report["probabilities"] = odds
    return ReservoirPlan(
        schedule=schedule, report=report, status=choice.status, inputs=read, trajectory=trajectory, plant=plant
    )


def judged_plan(
    plant: Plant,
    inputs: pl.DataFrame,
    state: PoolState,
    setpoint_mw: Array,
    *,
    status: str,
    options: ReservoirOptions | None = None,
) -> ReservoirPlan:
    """Return given setpoints as a plan: simulated, valued and reported like any other, without a bound.

    For edits, for the published plan carried on when no new one could be made, and for replays.

    Args:
        plant: The plant.
        inputs: Columns as for ``plan_reservoir``.
        state: Level and output when the first interval begins.
        setpoint_mw: End-of-interval outputs, one an interval [MW].
        status: What the plan is, for its report: ``edited``, ``held``, ``shifted``.
        options: Settings, and whether the dated rules apply; None = the plant's own.

    Raises:
        InputError: Inputs, state or setpoints break their contract.
    """
    options = options or ReservoirOptions()
    plant = with_settings(plant, options.settings)
    read = read_inputs(plant, inputs)
    read = with_rules(plant, read) if options.apply_rules else read
    trajectory = simulate(plant, read, setpoint_mw, state)
    choice = Choice(setpoint_mw=setpoint_mw, status=status, bound_usd=None)
    report = report_of(plant, read, state, trajectory, choice, options)
    return ReservoirPlan(
        schedule=to_frame(plant, read, trajectory),
        report=report,
        status=status,
        inputs=read,
        trajectory=trajectory,
        plant=plant,
    )


def _require_options(plant: Plant, inputs: ReservoirInputs, options: ReservoirOptions) -> None:
    if options.published_mw and len(options.published_mw) != inputs.intervals:
        raise InputError(
            f"the published plan has {len(options.published_mw)} setpoints for {inputs.intervals} intervals;"
            " give one each"
        )
    for interval, value in options.fixed_mw.items():
        if not 0 <= interval < inputs.intervals:
            raise InputError(f"a setpoint is fixed for interval {interval}; the plan has 0 to {inputs.intervals - 1}")
        if not 0.0 <= value <= plant.unit.maximum_mw:
            raise InputError(
                f"setpoint {value:g} MW fixed for interval {interval} is outside 0 to {plant.unit.maximum_mw:g} MW"
            )


def _choose(
    plant: Plant,
    inputs: ReservoirInputs,
    state: PoolState,
    options: ReservoirOptions,
    many: tuple[ReservoirInputs, Array] | None,
    optimizer: Optimizer,
) -> Choice:
    if optimizer == "rule":
        return _by_rule(plant, inputs, state, options)
    try:
        if plant.unit.commitment == "on_off":
            linear = solve_commitment(plant, inputs, state, options)
        else:
            linear = solve(plant, inputs, state, options)
        if optimizer == "stochastic" and many is not None:
            return _over_scenarios(plant, inputs, state, options, many, linear)
    except NoPointError as error:
        reason = why_infeasible(plant, inputs, state, options)
        raise InfeasibleError(f"{plant.name} has no plan from {iso(inputs.start[0])}: {reason} ({error})") from None
    return Choice(setpoint_mw=linear.setpoint_mw, status=linear.status, bound_usd=linear.bound_usd, linear=linear)


def _by_rule(plant: Plant, inputs: ReservoirInputs, state: PoolState, options: ReservoirOptions) -> Choice:
    """Choose by the heuristic; the programme, where it has a point, only says how much better a plan could be."""
    chosen = rule_setpoints(plant, inputs, state)
    for interval, value in options.fixed_mw.items():
        chosen[interval] = value
    try:
        if plant.unit.commitment == "on_off":
            bound = commitment_bound_usd(plant, inputs, state, options)
        else:
            bound = solve(plant, inputs, state, options).bound_usd
    except NoPointError:
        bound = None
    return Choice(setpoint_mw=chosen, status="rule", bound_usd=bound)


def _over_scenarios(
    plant: Plant,
    inputs: ReservoirInputs,
    state: PoolState,
    options: ReservoirOptions,
    many: tuple[ReservoirInputs, Array],
    linear: LinearPlan,
) -> Choice:
    """Choose the first day over all scenarios, and what follows for the inputs' own forecast."""
    futures, probability = many
    stages = solve_two_stage(plant, futures, probability, state, options, linear.storage_af)
    course = simulate(plant, futures, stages.course_mw, state, guarded=False)
    worth = objective_usd(terms_usd(plant, futures, course))
    setpoints, shared = stages.shared_mw, len(stages.shared_mw)
    if shared < inputs.intervals:
        day = simulate(plant, inputs.window(0, shared), stages.shared_mw, state)
        evening = PoolState(elevation_ft=float(day.elevation_ft[-1]), oxbow_mw=float(day.end_mw[-1]))
        later = replace(
            options,
            fixed_mw={t - shared: mw for t, mw in options.fixed_mw.items() if t >= shared},
            published_mw=options.published_mw[shared:],
            margins=None if options.margins is None else options.margins.later(shared),
        )
        value = float(water_value_usd_per_af(plant, inputs))
        rest = with_settings(plant, {"water_value_usd_per_af": value})
        setpoints = np.concatenate(
            [setpoints, solve(rest, inputs.window(shared, inputs.intervals), evening, later).setpoint_mw]
        )
    extra = {
        "scenarios": len(probability),
        "expected_objective_usd": float(probability @ worth),
        "cvar_usd": conditional_value_at_risk_usd(worth, probability, plant.weights.cvar_tail),
        "worst_objective_usd": float(worth.min()),
    }
    return Choice(setpoint_mw=setpoints, status=linear.status, bound_usd=linear.bound_usd, linear=linear, extra=extra)
