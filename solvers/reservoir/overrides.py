"""An operator's edits of a plan: what if, and this is how it will be.

Put here: edits, what follows from them, and plans side by side. Keep out: storing edits, files, plots.

An edit holds one column over a span of time. Two ways to go on: ``recompute`` keeps every other setpoint of the plan
and walks the pool through it again; ``reoptimize`` keeps the edits and plans the rest anew, the
hours before them too: a setpoint far from the plan's needs a ramp that begins earlier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

import numpy as np
import polars as pl

from domain.bias import with_bias
from domain.errors import InputError
from domain.instants import iso, require_utc
from domain.interval_frames import interval_starts
from domain.plant import Plant, PoolState
from domain.reservoir_inputs import BIAS_PARTS
from solvers.reservoir.options import ReservoirOptions
from solvers.reservoir.plan import ReservoirPlan, judged_plan, plan_reservoir
from solvers.reservoir.report import RAFT_MISSED_MW
from solvers.reservoir.value import raft_shortfall_mw

SETPOINT: Final = "setpoint_mw"
BIASES: Final = ("bias_cfs", *BIAS_PARTS)
EDITABLE: Final = (SETPOINT, "mfra_mw", "r4_flow_cfs", "r30_flow_cfs", "r20_flow_cfs", *BIASES)
REACHED_MW: Final = 1e-6

Mode = Literal["recompute", "reoptimize"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One column held at a value over a half-open span of time.

    Attributes:
        column: One of ``EDITABLE``.
        start: First instant [UTC].
        end: First instant after it [UTC].
        value: What the column shall be, in its unit.
        author: Who says so.
        at: When it was said [UTC].
        reason: Why.
    """

    column: str
    start: datetime
    end: datetime
    value: float
    author: str
    at: datetime
    reason: str

    def __post_init__(self) -> None:
        """Refuse columns nobody may edit, empty spans, values that are no numbers and edits nobody answers for."""
        if self.column not in EDITABLE:
            raise InputError(f"{self.column!r} cannot be edited; choose from {', '.join(EDITABLE)}")
        if require_utc(self.start, what="start of an edit") >= require_utc(self.end, what="end of an edit"):
            raise InputError(f"an edit of {self.column} from {iso(self.start)} to {iso(self.end)} is empty")
        if not np.isfinite(self.value) or (self.value < 0.0 and self.column not in BIASES):
            raise InputError(f"an edit of {self.column} to {self.value:g} makes no sense; it must be 0 or more")
        if not self.author.strip() or not self.reason.strip():
            raise InputError(f"an edit of {self.column} at {iso(self.start)} needs an author and a reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedPlan:
    """What follows from edits.

    Attributes:
        plan: The plan with the edits.
        inputs: The inputs with the edits.
        first_edit: First interval touched.
        warnings: Setpoints that cannot be reached and rafting windows that the edits break, in words.
    """

    plan: ReservoirPlan
    inputs: pl.DataFrame
    first_edit: datetime
    warnings: tuple[str, ...]


def apply_edits(
    plant: Plant,
    inputs: pl.DataFrame,
    state: PoolState,
    base: ReservoirPlan,
    edits: Sequence[Edit],
    *,
    mode: Mode,
    options: ReservoirOptions | None = None,
) -> EditedPlan:
    """Return a plan with edits.

    Args:
        plant: The plant.
        inputs: The inputs the plan was made on.
        state: Level and output when the first interval begins.
        base: The plan that is edited.
        edits: The edits.
        mode: ``recompute`` or ``reoptimize``, see the module.
        options: Options the plan was made with.

    Raises:
        InputError: There is no edit, one lies outside the plan, or two contradict each other.
        InfeasibleError: Fixed setpoints contradict the ramp or the head; only when planning anew.
    """
    options = options or ReservoirOptions()
    start = interval_starts(inputs)
    values = _values(start, edits)
    touched = sorted({t for column in values.values() for t in column})
    edited = _edited(inputs, values)
    fixed = values.get(SETPOINT, {})
    kept = base.schedule[SETPOINT].to_numpy().copy()
    if mode == "reoptimize":
        plan = plan_reservoir(plant, edited, state, options=replace(options, fixed_mw=dict(options.fixed_mw) | fixed))
    else:
        kept[list(fixed)] = list(fixed.values())
        plan = judged_plan(plant, edited, state, kept, status="edited", options=options)
    warnings = (*_not_reached(plan, fixed), *_broken_windows(plan, base))
    return EditedPlan(plan=plan, inputs=edited, first_edit=start[touched[0]], warnings=warnings)


def _edited(inputs: pl.DataFrame, values: dict[str, dict[int, float]]) -> pl.DataFrame:
    """Return the inputs with the values in place, and the bias in agreement with them."""
    if any(column in BIAS_PARTS for column in values):
        inputs = with_bias(inputs, {})
    inputs = inputs.with_columns(
        pl.Series(column, [at.get(t, old) for t, old in enumerate(inputs[column].to_list())], dtype=pl.Float64)
        for column, at in values.items()
        if column != SETPOINT
    )
    touched = {column: np.isin(np.arange(inputs.height), list(at)) for column, at in values.items()}
    return with_bias(inputs, touched) if BIAS_PARTS[0] in inputs.columns else inputs


def _values(start: tuple[datetime, ...], edits: Sequence[Edit]) -> dict[str, dict[int, float]]:
    """Return column -> interval -> value, refusing contradictions."""
    if not edits:
        raise InputError("there is no edit to apply")
    values: dict[str, dict[int, float]] = {}
    for edit in edits:
        touched = [t for t, moment in enumerate(start) if edit.start <= moment < edit.end]
        if not touched:
            raise InputError(
                f"the edit of {edit.column} from {iso(edit.start)} to {iso(edit.end)} touches no interval of the plan,"
                f" which begins at {iso(start[0])} and whose last one begins at {iso(start[-1])}"
            )
        column = values.setdefault(edit.column, {})
        for t in touched:
            if column.get(t, edit.value) != edit.value:
                raise InputError(
                    f"two edits of {edit.column} contradict each other at {iso(start[t])}: {column[t]:g} and"
                    f" {edit.value:g}; withdraw one"
                )
            column[t] = edit.value
    return values


def _not_reached(plan: ReservoirPlan, fixed: dict[int, float]) -> list[str]:
    ends, limits = plan.schedule["oxbow_end_mw"].to_list(), plan.schedule["binding"].to_list()
    return [
        f"{iso(plan.inputs.start[t])} {wanted:g} MW was asked, {ends[t]:.2f} MW can be had ({limits[t] or 'limits'})"
        for t, wanted in sorted(fixed.items())
        if abs(ends[t] - wanted) > REACHED_MW
    ]


def _broken_windows(plan: ReservoirPlan, base: ReservoirPlan) -> list[str]:
    short = raft_shortfall_mw(plan.inputs, plan.trajectory)
    before = raft_shortfall_mw(base.inputs, base.trajectory)
    worse = np.flatnonzero(short > np.maximum(before, RAFT_MISSED_MW) + REACHED_MW)
    return [f"{iso(plan.inputs.start[t])} misses {short[t]:.2f} MW of the rafting target" for t in worse]


def compare_plans(first: ReservoirPlan, second: ReservoirPlan) -> tuple[pl.DataFrame, dict[str, tuple[float, float]]]:
    """Return two plans side by side, and their dollars.

    Returns:
        The intervals both cover: ``event_start`` and, for inflow, setpoint, level and spill, both values and the second
        less the first (``_a``, ``_b``, ``_change``); and each term of the objective as (first, second) [USD].
    """
    columns = ("inflow_cfs", SETPOINT, "oxbow_mw", "elevation_ft", "spill_cfs")
    joined = first.schedule.select("event_start", *columns).join(
        second.schedule.select("event_start", *columns), on="event_start", suffix="_b", maintain_order="left"
    )
    side_by_side = joined.select(
        "event_start",
        *(
            expression
            for name in columns
            for expression in (
                pl.col(name).alias(f"{name}_a"),
                pl.col(f"{name}_b"),
                (pl.col(f"{name}_b") - pl.col(name)).alias(f"{name}_change"),
            )
        ),
    )
    terms = {name: (value, second.report["terms"][name]) for name, value in first.report["terms"].items()}
    terms["objective_usd"] = (first.report["objective_usd"], second.report["objective_usd"])
    return side_by_side, terms
