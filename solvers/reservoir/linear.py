"""Solving the reservoir programme: HiGHS, cuts where the head cap is leaned on, a bound that holds.

Put here: running the solver and refining the model until it agrees with the physics. Keep out: the model itself
(solvers/reservoir/program.py).

A first programme bounds every plan from above: tangents outside the head cap, chords below the rafting target, spill
free to begin early. Then, only where needed, the rafting target is put through the solution's own level and early
spill is forbidden by binaries, and the plan is taken from that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from domain.hydraulics import Array, storage_af
from domain.plant import Plant, PoolState
from domain.reservoir_inputs import ReservoirInputs
from domain.trajectory import simulate
from solvers.reservoir.highs import Solved, Warm, run_with_cuts
from solvers.reservoir.lines import RaftLine, raft_chords, raft_tangents
from solvers.reservoir.options import ReservoirOptions
from solvers.reservoir.program import Course, build
from solvers.reservoir.value import low_af, objective_usd, terms_usd

EARLY_SPILL_AF: Final = 1e-5
SPILL_ROUNDS: Final = 5
TANGENTS: Final = 3
RAFT_ROUNDS: Final = 3
WORTH_ANOTHER_ROUND_USD: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearPlan:
    """An optimal solution of the programme.

    Attributes:
        setpoint_mw: End-of-interval outputs [MW].
        storage_af: Storage the programme believes in [af].
        bound_usd: No plan is worth more than this [USD]; infinite where no bound was asked for.
        status: ``optimal``, or ``time_limit`` where a search was cut short.
        prices: Block of rows or columns -> USD gained per unit by which its limit is raised, one an interval.
    """

    setpoint_mw: Array
    storage_af: Array
    bound_usd: float
    status: str
    prices: dict[str, Array]


def solve(plant: Plant, inputs: ReservoirInputs, state: PoolState, options: ReservoirOptions) -> LinearPlan:
    """Return the best plan of the linear programme and a bound on every plan.

    Raises:
        NoPointError: Limits contradict each other.
    """
    task = Task(plant, inputs, state, options)
    rafting = not np.isnan(inputs.raft_target_mw).all()
    if not options.certify:
        return task.result(task.without_early_spill(task.middle_raft() if rafting else None, own=True), np.inf)
    if rafting:
        return task.with_rafting()
    solved = task.without_early_spill(None, own=True)
    bound = solved if options.margins is None else task.without_early_spill(None)
    return task.result(solved, -bound.bound)


class Task:
    """One plan to be found: the data every attempt shares."""

    def __init__(
        self,
        plant: Plant,
        inputs: ReservoirInputs,
        state: PoolState,
        options: ReservoirOptions,
        course: Course | None = None,
    ) -> None:
        self.course = course
        self.warm: dict[int, Warm] = {}
        self.plant, self.inputs, self.state, self.options = plant, inputs, state, options
        self.levels = first_levels(plant, inputs, state)
        self.base = float(storage_af(plant.storage, plant.pool.minimum_ft))
        self.lowest, self.highest = self.reach()
        surely = plant.unit.commitment == "always_on"
        floats = storage_af(plant.storage, inputs.float_ft)
        self.dry = np.flatnonzero(surely & (self.highest < floats - EARLY_SPILL_AF))

    def attempt(
        self,
        raft: RaftLine | None,
        early: np.ndarray | None = None,
        *,
        plant: Plant | None = None,
        own: bool = False,
    ) -> Solved:
        """Solve one programme: for the plan's ``own`` setpoints, preferences included, or for a bound."""
        program = build(
            plant or self.plant,
            self.inputs,
            self.state,
            levels_ft=self.levels,
            raft=raft,
            fixed_mw=self.options.fixed_mw,
            published_mw=self.options.published_mw,
            early_spill=early,
            dry=self.dry,
            steady_share=self.options.steady_share if own else 0.0,
            margins=self.options.margins if own else None,
            course=self.course,
        )
        warm = None if program.integral.any() else self.warm.setdefault(len(program.cost), Warm())
        return run_with_cuts(self.plant, program, self.options, warm)

    def without_early_spill(self, raft: RaftLine | None, *, own: bool = False) -> Solved:
        """Solve, forbidding by binaries the early spill that a solution turns out to gain from.

        With margins, water that must be spilled anyway is spilled early to keep them. That is let be, as it is in a
        plan nobody asked a bound of: both steer the next hours of a loop, where the gates decide.
        """
        solved = self.attempt(raft, own=own)
        if own and (self.options.margins is not None or not self.options.certify):
            return solved
        early = np.array([], dtype=np.int64)
        for further in range(SPILL_ROUNDS):
            found = _early_spill(solved)
            if not np.setdiff1d(found, early).size:
                break
            last = further == SPILL_ROUNDS - 1
            early = np.setdiff1d(np.arange(self.inputs.intervals), self.dry) if last else np.union1d(early, found)
            solved = self.attempt(raft, early, own=own)
        return solved

    def with_rafting(self) -> LinearPlan:
        """Solve with the rafting target through the solution's own levels; bound it by chords over few levels.

        A pool below its minimum costs so much that no good plan goes far below. How far, the programme with half
        that cost tells: its value is an upper bound that leaves the other half to argue with.
        """
        weights = self.plant.weights
        per_af = weights.below_minimum_usd_per_af_h * self.inputs.step_h / 2.0
        halved = replace(weights, below_minimum_usd_per_af_h=weights.below_minimum_usd_per_af_h / 2.0)
        lowest, highest = self.lowest, self.highest
        wide = self.attempt(
            raft_chords(self.plant, self.inputs, lowest, highest), plant=replace(self.plant, weights=halved)
        )
        at = self.base + wide.program.take(wide.solution, "a")
        best, best_usd = wide, -np.inf
        for _ in range(RAFT_ROUNDS):
            solved = self.without_early_spill(raft_tangents(self.plant, self.inputs, at), own=True)
            walked = simulate(
                self.plant, self.inputs, solved.program.take(solved.solution, "g"), self.state, guarded=False
            )
            worth = float(objective_usd(terms_usd(self.plant, self.inputs, walked, self.options.published_mw)))
            if worth <= best_usd + WORTH_ANOTHER_ROUND_USD:
                break
            best, best_usd, at = solved, worth, walked.storage_af
        if per_af > 0.0:
            deepest = low_af(self.plant) - max(0.0, -wide.bound - best_usd) / per_af
            lowest = np.maximum(lowest, np.minimum(deepest, highest))
        tight = self.without_early_spill(raft_chords(self.plant, self.inputs, lowest, highest))
        return self.result(best, -tight.bound)

    def middle_raft(self) -> RaftLine:
        """Return the rafting target drawn through the middle of the band: within 0.003 MW of it anywhere there."""
        levels = (self.plant.pool.minimum_ft + self.inputs.float_ft) / 2.0
        return raft_tangents(self.plant, self.inputs, storage_af(self.plant.storage, levels))

    def reach(self) -> tuple[Array, Array]:
        """Return the least and most storage that can be had at each interval's end: full and smallest output [af]."""
        unit = self.plant.unit
        full, least = (
            simulate(self.plant, self.inputs, np.full(self.inputs.intervals, mw), self.state, guarded=False).storage_af
            for mw in (unit.maximum_mw, unit.minimum_mw)
        )
        return full, least

    def result(self, solved: Solved, bound_usd: float) -> LinearPlan:
        """Return a solution in the plan's terms."""
        return LinearPlan(
            setpoint_mw=np.array(solved.program.take(solved.solution, "g")),
            storage_af=self.base + solved.program.take(solved.solution, "a"),
            bound_usd=bound_usd,
            status=solved.status,
            prices=_prices(self.inputs, solved),
        )


def first_levels(plant: Plant, inputs: ReservoirInputs, state: PoolState) -> Array:
    """Return the levels of the first tangents: over the band, and the start where it lies outside."""
    low = min(plant.pool.minimum_ft, state.elevation_ft)
    return np.linspace(low, max(float(inputs.float_ft.max()), low + 1.0), TANGENTS)


def _early_spill(solved: Solved) -> np.ndarray:
    """Return the intervals in which the programme spills although the pool stands below the float."""
    program = solved.program
    first, at = program.columns["a"]
    below = program.high[first : first + len(at)] - program.take(solved.solution, "a") > EARLY_SPILL_AF
    return np.flatnonzero(below & (program.take(solved.solution, "s") > EARLY_SPILL_AF))


def _prices(inputs: ReservoirInputs, solved: Solved) -> dict[str, Array]:
    """Return what one unit more of each limit is worth, one value an interval."""
    prices: dict[str, Array] = {"head_cap": np.zeros(inputs.intervals)}
    for name, (first, at) in solved.program.rows.items():
        worth = -solved.row_dual[first : first + len(at)]
        key = "head_cap" if name.startswith("head_cap") else name
        prices.setdefault(key, np.zeros(inputs.intervals))[at] += worth
    first_cut = len(solved.program.row_low)
    np.add.at(prices["head_cap"], solved.cut_at, -solved.row_dual[first_cut:])
    for name, (first, at) in solved.program.columns.items():
        prices[f"{name}_bound"] = np.zeros(inputs.intervals)
        prices[f"{name}_bound"][at] = -solved.column_dual[first : first + len(at)]
    return prices
