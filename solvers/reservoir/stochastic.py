"""A plan for many futures at once: one first day shared by all scenarios, a later course for each.

Put here: the two-stage programme, its fusing from single-scenario programmes, the risk measure. Keep out: making
scenarios, and the single-scenario model (solvers/reservoir/program.py).

Minimised: (1 - w) expected cost + w CVaR, the mean cost of the worst ``cvar_tail`` share of the probability. The shared
outputs are the same columns in every scenario, not copies held equal. A single scenario's optimal basis, repeated,
starts the simplex: 0.3 s where a cold start takes 1.5 s for 60 scenarios of 96 h.

What it leaves out: spill that would pay before the float is reached is not forbidden here (the single-scenario plan
forbids it by binaries), and the rafting target is a line through the middle scenario's levels. The published plan is
simulated, so neither reaches it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import highspy
import numpy as np

from domain.hydraulics import Array, elevation_ft, head_cap_mw, storage_af
from domain.plant import Plant, PoolState
from domain.reservoir_inputs import ReservoirInputs
from solvers.reservoir.assembly import Program
from solvers.reservoir.highs import finish, loaded
from solvers.reservoir.linear import first_levels
from solvers.reservoir.lines import cap_tangents, raft_tangents
from solvers.reservoir.options import ReservoirOptions
from solvers.reservoir.program import build

SHARED_BLOCKS: Final = ("g", "up", "dn")
CUT_TOLERANCE_MW: Final = 1e-6
CUT_ROUNDS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoStage:
    """The optimum over all scenarios.

    Attributes:
        shared_mw: End outputs of the shared first day [MW].
        course_mw: End outputs of each scenario, scenarios x T [MW].
        value_usd: What the programme maximises, expectation and risk together [USD].
    """

    shared_mw: Array
    course_mw: Array
    value_usd: float


def solve_two_stage(
    plant: Plant,
    many: ReservoirInputs,
    probability: Array,
    state: PoolState,
    options: ReservoirOptions,
    middle_af: Array,
) -> TwoStage:
    """Return the outputs that are best over all scenarios.

    Args:
        plant: The plant; its weights carry the risk knob.
        many: The scenarios, stacked.
        probability: Their probabilities.
        state: Level and output at the start.
        options: Shared hours, search limits, and the margin kept for windows: a few scenarios lack the driest.
        middle_af: Storage of the single-forecast plan, through which the rafting target is drawn [af].

    Raises:
        NoPointError: Limits contradict each other in some scenario.
    """
    shared = min(many.intervals, max(1, round(options.shared_hours / many.step_h)))
    levels = first_levels(plant, many, state)
    ready = None if options.margins is None else options.margins.for_windows()
    programs = []
    for index in range(many.scenarios):
        one = many.scenario(index)
        raft = None if np.isnan(one.raft_target_mw).all() else raft_tangents(plant, one, middle_af)
        programs.append(
            build(plant, one, state, levels_ft=levels, raft=raft, steady_share=options.steady_share, margins=ready)
        )
    fused = _Fused(programs, probability, shared)
    program = fused.program(plant.weights.cvar_weight, plant.weights.cvar_tail, probability)
    solver = loaded(program, options)
    solver.setBasis(fused.basis_from(programs[0], program, options))
    _cut_until_true(plant, solver, fused)
    solution = np.array(solver.getSolution().col_value)
    first, at = programs[0].columns["g"]
    course = np.stack([solution[maps[first : first + len(at)]] for maps in fused.maps])
    return TwoStage(
        shared_mw=course[0, :shared], course_mw=course, value_usd=-float(solver.getInfo().objective_function_value)
    )


class _Fused:
    """Where the columns and rows of each scenario went in the common programme."""

    def __init__(self, programs: list[Program], probability: Array, shared: int) -> None:
        first = programs[0]
        self.programs, self.probability = programs, probability
        common = [first.columns[name][0] + np.flatnonzero(first.columns[name][1] < shared) for name in SHARED_BLOCKS]
        self.common: np.ndarray = np.sort(np.concatenate(common))
        self.own: np.ndarray = np.setdiff1d(np.arange(len(first.cost)), self.common)
        ramp, at = first.rows["ramp"]
        self.own_rows = np.setdiff1d(np.arange(len(first.row_low)), ramp + np.flatnonzero(at < shared))
        self.maps = [self._map(scenario) for scenario in range(len(programs))]

    def _map(self, scenario: int) -> np.ndarray:
        """Return the common programme's index of every column of a scenario."""
        column = np.empty(len(self.common) + len(self.own), dtype=np.int64)
        column[self.common] = np.arange(len(self.common))
        column[self.own] = len(self.common) + scenario * len(self.own) + np.arange(len(self.own))
        return column

    def program(self, risk: float, tail: float, probability: Array) -> Program:
        """Return the common programme; with a risk weight, its CVaR columns and rows come last."""
        first, scenarios = self.programs[0], len(self.programs)
        width = len(self.common) + scenarios * len(self.own)
        cost, low, high = np.zeros(width), np.zeros(width), np.zeros(width)
        rows: list[tuple[np.ndarray, np.ndarray, Array]] = []
        row_low, row_high, height = [], [], 0
        for index, program in enumerate(self.programs):
            columns = self.maps[index]
            cost[columns] += (1.0 - risk) * probability[index] * program.cost
            low[columns], high[columns] = program.low, program.high
            kept = np.arange(len(program.row_low)) if index == 0 else self.own_rows
            place = np.full(len(program.row_low), -1)
            place[kept] = height + np.arange(len(kept))
            height += len(kept)
            row = place[np.repeat(np.arange(len(place)), np.diff(np.append(program.row_start, len(program.row_value))))]
            there = row >= 0
            rows.append((row[there], columns[program.row_column[there]], program.row_value[there]))
            row_low.append(program.row_low[kept])
            row_high.append(program.row_high[kept])
        if risk > 0.0:
            worst, excess = width, width + 1 + np.arange(scenarios)
            cost = np.concatenate([cost, [risk], risk * probability / tail])
            low = np.concatenate([low, [-np.inf], np.zeros(scenarios)])
            high = np.concatenate([high, np.full(scenarios + 1, np.inf)])
            for index, program in enumerate(self.programs):
                paid = np.flatnonzero(program.cost)
                columns = np.concatenate([self.maps[index][paid], [worst, excess[index]]])
                rows.append(
                    (np.full(len(columns), height), columns, np.concatenate([program.cost[paid], [-1.0, -1.0]]))
                )
                row_low.append(np.array([-np.inf]))
                row_high.append(np.array([-program.offset]))
                height += 1
        offset = (1.0 - risk) * sum(p * program.offset for p, program in zip(probability, self.programs, strict=True))
        return Program(
            cost=cost,
            offset=float(offset),
            low=low,
            high=high,
            row_low=np.concatenate(row_low),
            row_high=np.concatenate(row_high),
            row_start=np.searchsorted(np.concatenate([r[0] for r in rows]), np.arange(height)).astype(np.int32),
            row_column=np.concatenate([r[1] for r in rows]).astype(np.int32),
            row_value=np.concatenate([r[2] for r in rows]),
            integral=np.zeros(len(cost), dtype=np.int32),
            columns=first.columns,
            rows=first.rows,
        )

    def basis_from(self, one: Program, program: Program, options: ReservoirOptions) -> highspy.HighsBasis:
        """Return one scenario's optimal basis, repeated for all; HiGHS repairs what does not fit."""
        solver = loaded(one, replace(options))
        finish(solver)
        basis = solver.getBasis()
        column, row = np.array(basis.col_status), np.array(basis.row_status)
        columns = np.concatenate([column[self.common], *([column[self.own]] * len(self.programs))]).tolist()
        rows = np.concatenate([row, *([row[self.own_rows]] * (len(self.programs) - 1))]).tolist()
        repeated = highspy.HighsBasis()
        lower, basic, free = (getattr(highspy.HighsBasisStatus, name) for name in ("kLower", "kBasic", "kZero"))
        risk_columns = len(program.cost) - len(columns)
        repeated.col_status = columns + ([free] + [lower] * (risk_columns - 1) if risk_columns else [])
        repeated.row_status = rows + [basic] * (len(program.row_low) - len(rows))
        repeated.valid, repeated.alien = True, True
        return repeated


def _cut_until_true(plant: Plant, solver: highspy.Highs, fused: _Fused) -> None:
    """Solve; add the head cap's tangent wherever a scenario stands above the true cap; again until none does."""
    first = fused.programs[0]
    at = first.rows["head_cap_0"][1]
    g = np.concatenate([m[first.columns["g"][0] + at] for m in fused.maps])
    a = np.concatenate([m[first.columns["a"][0] + at] for m in fused.maps])
    base = float(storage_af(plant.storage, plant.pool.minimum_ft))
    for _ in range(CUT_ROUNDS):
        finish(solver)
        solution = np.array(solver.getSolution().col_value)
        level = elevation_ft(plant.storage, base + solution[a])
        over = np.flatnonzero(solution[g] - head_cap_mw(plant.unit, level) > CUT_TOLERANCE_MW)
        if not over.size:
            return
        at_zero, slope = cap_tangents(plant, level[over])
        pairs = np.stack([g[over], a[over]], axis=1).ravel().astype(np.int32)
        values = np.stack([np.ones(over.size), -slope], axis=1).ravel()
        starts = np.arange(over.size, dtype=np.int32) * 2
        solver.addRows(over.size, np.full(over.size, -np.inf), at_zero, pairs.size, starts, pairs, values)
