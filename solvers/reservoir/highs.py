"""Running HiGHS on a reservoir programme: options, warm starts, cuts where the head cap is leaned on.

Put here: everything that speaks to the solver. Keep out: the model (solvers/reservoir/program.py) and what is done with
its solutions (solvers/reservoir/linear.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import highspy
import numpy as np

from domain.errors import InfeasibleError
from domain.hydraulics import Array, elevation_ft, head_cap_mw, storage_af
from domain.plant import Plant
from solvers.reservoir.assembly import Program
from solvers.reservoir.lines import cap_tangents
from solvers.reservoir.options import ReservoirOptions

CUT_TOLERANCE_MW: Final = 1e-8
CUT_ROUNDS: Final = 12
SPILL_GAP: Final = 1e-8
"""Relative gap at which the search for where spill may begin stops: it is short, so it need not stop early."""

_OPTIMAL: Final = highspy.HighsModelStatus.kOptimal
_INFEASIBLE: Final = (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible)
_OUT_OF_TIME: Final = highspy.HighsModelStatus.kTimeLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """What the solver said about a programme, cuts included."""

    program: Program
    solution: Array
    row_dual: Array
    column_dual: Array
    bound: float
    status: str
    cut_at: np.ndarray


class NoPointError(InfeasibleError):
    """The solver found no point; caught where the reason can be put into words."""


@dataclass(slots=True)
class Warm:
    """Cuts already found and the basis they ended with, for the next programme of the same shape.

    Attributes:
        at: Interval of each cut.
        rows: Each cut: output column, storage column, right side, slope.
        basis: Basis of the last solution, cuts included; None before the first.
    """

    at: list[int] = field(default_factory=list)
    rows: list[tuple[int, int, float, float]] = field(default_factory=list)
    basis: highspy.HighsBasis | None = None

    def give(self, solver: highspy.Highs) -> None:
        """Put the known cuts and the basis into a fresh solver."""
        if self.rows:
            g, a, at_zero, slope = (np.array(column) for column in zip(*self.rows, strict=True))
            _add_rows(solver, g, a, at_zero, slope)
        if self.basis is not None:
            solver.setBasis(self.basis)

    def add(
        self, solver: highspy.Highs, at: np.ndarray, g: np.ndarray, a: np.ndarray, at_zero: Array, slope: Array
    ) -> None:
        """Add cuts to a solver and remember them."""
        _add_rows(solver, g, a, at_zero, slope)
        self.at += at.tolist()
        self.rows += list(zip(g.tolist(), a.tolist(), at_zero.tolist(), slope.tolist(), strict=True))


def _add_rows(solver: highspy.Highs, g: np.ndarray, a: np.ndarray, at_zero: Array, slope: Array) -> None:
    """Add g - slope a <= at_zero for each cut."""
    pairs = np.stack([g, a], axis=1).ravel().astype(np.int32)
    values = np.stack([np.ones(len(g)), -slope], axis=1).ravel()
    starts = np.arange(len(g), dtype=np.int32) * 2
    solver.addRows(len(g), np.full(len(g), -np.inf), at_zero, pairs.size, starts, pairs, values)


def run_with_cuts(plant: Plant, program: Program, options: ReservoirOptions, warm: Warm | None = None) -> Solved:
    """Solve, and while a solution stands above the true head cap, cut it off by the tangent there and go on.

    Args:
        plant: The plant, whose head cap is meant.
        program: The programme.
        options: Limits of a search.
        warm: Cuts and basis of a programme of the same shape; a start from there takes a tenth of the steps. It is
            brought up to date. None = from nothing.
    """
    solver = loaded(program, options)
    if warm is not None:
        warm.give(solver)
    base = float(storage_af(plant.storage, plant.pool.minimum_ft))
    at = program.rows["head_cap_0"][1]
    a, g = (program.columns[name][0] + at for name in ("a", "g"))
    cuts = warm if warm is not None else Warm()
    for _ in range(CUT_ROUNDS):
        status = finish(solver)
        solution = np.array(solver.getSolution().col_value)
        level = elevation_ft(plant.storage, base + solution[a])
        over = np.flatnonzero(solution[g] - head_cap_mw(plant.unit, level) > CUT_TOLERANCE_MW)
        if not over.size or status != "optimal":
            break
        at_zero, slope = cap_tangents(plant, level[over])
        cuts.add(solver, at[over], g[over], a[over], at_zero, slope)
    cuts.basis = solver.getBasis()
    found, info = solver.getSolution(), solver.getInfo()
    bound = float(info.mip_dual_bound) if program.integral.any() else float(info.objective_function_value)
    return Solved(
        program=program,
        solution=np.array(found.col_value),
        row_dual=np.array(found.row_dual) if found.dual_valid else np.zeros(solver.getNumRow()),
        column_dual=np.array(found.col_dual) if found.dual_valid else np.zeros(len(program.cost)),
        bound=bound,
        status=status,
        cut_at=np.array(cuts.at, dtype=np.int64),
    )


def loaded(program: Program, options: ReservoirOptions) -> highspy.Highs:
    """Return a solver that holds the programme; one thread and fixed options, so equal inputs give equal plans.

    Presolve only where changes are counted: elsewhere it takes longer than it saves, and in scipy's HiGHS it once lost
    the optimum of a search for early spill.
    """
    solver = highspy.Highs()
    for name, value in (
        ("output_flag", False),
        ("threads", 1),
        ("presolve", "off"),
        ("primal_feasibility_tolerance", 1e-9),
        ("dual_feasibility_tolerance", 1e-9),
        ("mip_rel_gap", options.mip_gap if "z" in program.columns else SPILL_GAP),
        ("time_limit", options.time_limit_s),
    ):
        solver.setOptionValue(name, value)
    if "z" in program.columns:
        solver.setOptionValue("presolve", "choose")
    solver.passModel(
        len(program.cost), len(program.row_low), len(program.row_value), 2, 1, program.offset,
        program.cost, program.low, program.high, program.row_low, program.row_high,
        program.row_start, program.row_column, program.row_value, program.integral,
    )  # fmt: skip
    return solver


def finish(solver: highspy.Highs) -> str:
    """Run the solver; return ``optimal`` or ``time_limit``.

    Raises:
        NoPointError: No point meets the limits, or the search found none in its time.
    """
    solver.run()
    status = solver.getModelStatus()
    if status not in (_OPTIMAL, _OUT_OF_TIME):
        # Tight tolerances can leave a badly scaled programme (penalties of thousands beside cents) undecided, or call
        # it infeasible where it is not: nobody is told so before a second look agrees.
        solver.clearSolver()
        for name in ("primal_feasibility_tolerance", "dual_feasibility_tolerance"):
            solver.setOptionValue(name, 1e-7)
        solver.run()
        status = solver.getModelStatus()
    if status == _OPTIMAL:
        return "optimal"
    has_point = solver.getInfo().primal_solution_status == 2  # noqa: PLR2004 - HiGHS: a feasible point is held
    if status in _INFEASIBLE or not has_point:
        raise NoPointError(f"the solver ended with {solver.modelStatusToString(status)}")
    return "time_limit"
