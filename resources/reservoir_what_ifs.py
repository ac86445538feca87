"""Stored plans opened again: what if, what changed, and which limit is worth what.

Put here: a version made a plan again from its own files, edits and settings applied to it, plans by name. Keep out:
what follows from an edit (solvers/reservoir/overrides.py), printing, the books of operators (operators.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from domain.errors import InputError
from domain.instants import iso, parse_instant
from domain.plant import Plant, PoolState
from domain.plant_checks import with_settings
from resources.lake import Lake
from resources.operators import Operators, WhatIf
from resources.pinned import PlantFile
from resources.publisher import Publisher, Version
from resources.reservoir_case import STEADY_SHARE
from resources.reservoir_ladder import PLAN, run_of
from solvers.reservoir import ReservoirOptions, ReservoirPlan, check_plan, judged_plan, plan_reservoir
from solvers.reservoir.options import Margins
from solvers.reservoir.overrides import EditedPlan, Mode, apply_edits

CURRENT = "current"


@dataclass(frozen=True, kw_only=True)
class OpenPlan:
    """A plan and what it was made from.

    Attributes:
        name: How a person calls it.
        plant: The plant as it was described then.
        inputs: Its inputs.
        state: Where it begins.
        plan: The plan, simulated again from its setpoints.
        options: What it was made with: settings, rules, margins.
        version: The stored version it is, or was edited from.
        warnings: What its edits break, in words.
    """

    name: str
    plant: Plant
    inputs: pl.DataFrame
    state: PoolState
    plan: ReservoirPlan
    options: ReservoirOptions
    version: Version
    warnings: tuple[str, ...] = ()

    def breaches(self) -> list[str]:
        """Return what an independent judge finds wrong with its physics; none = nothing."""
        plant = with_settings(self.plant, self.options.settings)
        return check_plan(plant, self.inputs, self.state, self.plan.schedule, apply_rules=True)


def open_version(lake: Lake, version: Version) -> OpenPlan:
    """Return a stored version as a plan.

    Raises:
        LakeError: A file of the version differs from its manifest.
    """
    manifest, schedule = version.manifest, version.schedule()
    plant = PlantFile.unpin(lake, manifest["plant_sha256"]).plant
    inputs = pl.read_parquet(version.folder / "inputs.parquet")
    options = ReservoirOptions(
        settings=run_of(manifest).settings, apply_rules=True, margins=_margins(version), steady_share=STEADY_SHARE
    )
    state = PoolState(**manifest["state"])
    setpoints = schedule["setpoint_mw"].to_numpy()
    plan = judged_plan(plant, inputs, state, setpoints, status=manifest["status"], options=options)
    name = f"{version.schedule_id} v{version.number}"
    return OpenPlan(name=name, plant=plant, inputs=inputs, state=state, plan=plan, options=options, version=version)


def _margins(version: Version) -> Margins | None:
    path = version.folder / "hourly.parquet"
    if not path.is_file():
        return None
    kept = pl.read_parquet(path)
    low, high, window = (tuple(kept[f"{name}_margin_af"].to_list()) for name in ("low", "high", "window"))
    return Margins(low_af=low, high_af=high, window_af=window)


def follow(
    base: OpenPlan, what_if: WhatIf | None = None, *, edits: tuple = (), mode: Mode = "recompute",
    settings: Mapping[str, str | float] | None = None,
) -> OpenPlan:  # fmt: skip
    """Return what follows from a what-if, or from edits and settings as they are tried.

    Raises:
        InputError: There is neither an edit nor a setting, or an edit makes no sense for this plan.
        InfeasibleError: What is fixed cannot be met; the message names the hour.
    """
    if what_if is not None:
        edits, mode, settings = what_if.edits, what_if.mode, what_if.settings
    options = replace(base.options, settings=dict(base.options.settings) | dict(settings or {}))
    name = what_if.name if what_if is not None else f"{base.name}, edited"
    if edits:
        edited: EditedPlan = apply_edits(
            base.plant, base.inputs, base.state, base.plan, edits, mode=mode, options=options
        )
        return replace(
            base, name=name, inputs=edited.inputs, plan=edited.plan, options=options, warnings=edited.warnings
        )
    if not settings:
        raise InputError("nothing is changed: give an edit, a setting or a parameter set")
    plan = plan_reservoir(base.plant, base.inputs, base.state, options=options)
    return replace(base, name=name, plan=plan, options=options)


def open_named(text: str, *, lake: Lake, publisher: Publisher, operators: Operators) -> OpenPlan:
    """Return the plan a person names: ``current``, an instant, ``<instant>@v2``, or a what-if.

    Raises:
        InputError: There is no such plan; the message names those there are.
    """
    if text == CURRENT:
        current = publisher.current(PLAN)
        if current is None:
            raise InputError("no reservoir plan has been published yet: make run")
        return open_version(lake, current)
    instant, _, number = text.partition("@")
    if _is_instant(instant):
        as_of = parse_instant(instant, what="the instant of a plan")
        if number and not number.removeprefix("v").isdigit():
            raise InputError(f"{text!r} names no version; write {iso(as_of)}@v2")
        version = int(number.removeprefix("v")) if number else None
        return open_version(lake, publisher.get(PLAN, as_of, version=version))
    known = {one.name: one for one in operators.what_ifs()}
    if text not in known:
        raise InputError(
            f"{text!r} is no plan; write current, the instant of a decision such as 2026-11-21T07:00Z, or a what-if:"
            f" {', '.join(known) or 'none is saved'}"
        )
    what_if = known[text]
    base = open_version(lake, publisher.get(PLAN, what_if.base_as_of, version=what_if.base_version))
    return follow(base, what_if)


def _is_instant(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return "T" in text


def changed_inputs(first: pl.DataFrame, second: pl.DataFrame) -> pl.DataFrame:
    """Return how the inputs of two plans differ over the hours both cover.

    Returns:
        One row a column that differs: ``column``, ``hours`` that differ, ``first_hour``, ``mean_a``, ``mean_b`` over
        those hours (null for words), in the order of the columns.
    """
    both = first.join(second, on="event_start", suffix="_b", maintain_order="left")
    rows = []
    for name in [name for name in first.columns if name != "event_start" and f"{name}_b" in both.columns]:
        differ = both.filter(pl.col(name).ne_missing(pl.col(f"{name}_b")))
        if differ.height:
            numeric = differ.schema[name].is_numeric()
            means = [differ[name].mean(), differ[f"{name}_b"].mean()] if numeric else [None, None]
            rows.append((name, differ.height, differ["event_start"][0], *means))
    schema = {"column": pl.String, "hours": pl.Int64, "first_hour": first.schema["event_start"]}
    return pl.DataFrame(rows, schema=schema | {"mean_a": pl.Float64, "mean_b": pl.Float64}, orient="row")
