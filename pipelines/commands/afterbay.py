"""`tailrace explain`, `compare` and `what-if`: stored plans of the afterbay from an operator's chair.

Put here: options, and what is printed of plans. Keep out: plans (solvers/reservoir, resources/reservoir_*.py), the
books that operators keep (operators.py), new plans (decide.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.errors import InputError
from pipelines.commands.decide import Out, Parameters, Settings, chosen_settings
from pipelines.commands.side_by_side import dollars_told, hours_told, inputs_told

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from resources.operators import WhatIf
    from resources.reservoir_what_ifs import OpenPlan

Named = Annotated[
    str, typer.Argument(help="current, the instant of a decision (2026-11-21T07:00Z, @v2 for a version), or a what-if")
]


def explain(plan: Named = "current") -> None:
    """Say in words why a plan is as it is: what limits each hour, and what one unit more would be worth [USD]."""
    opened = _open(plan)
    manifest = opened.version.manifest
    typer.echo(f"{opened.name}, {opened.plan.status}; hours of {opened.plant.zone}")
    if (fallback := manifest.get("fallback")) is not None:
        stale = f", stale since {manifest['stale_since']}" if manifest.get("stale_since") else ""
        typer.echo(f"a fallback ({fallback['rung']}{stale}): {fallback['reason']}")
    # Shadow prices are known to the solve alone: a stored plan carries its words, a what-if has those of its own.
    for line in manifest.get("explain", []) if _saved(plan) is None else opened.plan.report["explain"]:
        typer.echo(line)
    for line in [*opened.warnings, *opened.plan.report["warnings"]]:
        typer.echo(f"warning: {line}")
    typer.echo("made from:")
    for name, where in manifest["provenance"].items():
        typer.echo(f"  {name}: {where}")


def compare(
    first: Named,
    second: Annotated[str, typer.Argument(help="The other plan, named alike")],
    out: Annotated[str, typer.Option("--out", help="Hours side by side, Parquet or .csv; - for standard output")] = "",
    plot: Annotated[Path | None, typer.Option("--plot", help="Levels [ft] and outputs [MW] as an SVG file")] = None,
) -> None:
    """Put two plans side by side: inputs, setpoints [MW], level [ft], spill [cfs] and dollars."""
    from resources.reservoir_what_ifs import changed_inputs
    from resources.table_files import write_table
    from solvers.reservoir.overrides import compare_plans

    a, b = _open(first), _open(second)
    table, dollars = compare_plans(a.plan, b.plan)
    if table.is_empty():
        raise InputError(f"{a.name} and {b.name} share no hour; compare plans that overlap")
    if plot is not None:
        _write_plot(plot, [a, b])
    if out == "-":
        write_table(table, out)
        return
    if out:
        write_table(table, out)
    typer.echo(f"A {a.name}\nB {b.name}\n{table.height} hours in common")
    for line in inputs_told(changed_inputs(a.inputs, b.inputs).rows(named=True), zone_of(a)):
        typer.echo(line)
    for line in [*hours_told(table.rows(named=True), zone_of(a)), *dollars_told(dollars)]:
        typer.echo(line)
    for line in b.warnings:
        typer.echo(f"warning: B {line}")


def what_if(
    file: Annotated[
        Path | None, typer.Argument(help="Edits: TOML [[override]] or CSV: column, start, end, value")
    ] = None,
    base: Annotated[str, typer.Option("--base", help="The plan to start from, named as in compare")] = "current",
    mode: Annotated[
        str, typer.Option(help="recompute (other setpoints kept) or reoptimize (the rest anew)")
    ] = "recompute",
    parameters: Parameters = "",
    settings: Settings = None,
    author: Annotated[str, typer.Option(help="Who tries it")] = "",
    reason: Annotated[str, typer.Option(help="Why")] = "",
    save: Annotated[str, typer.Option("--save", help="Keep it under this name")] = "",
    out: Out = "",
    plot: Annotated[Path | None, typer.Option("--plot", help="Both plans as an SVG file")] = None,
) -> None:
    """Try edits or other parameters on a plan: what the pool does, what it costs [USD], which windows it breaks.

    Columns: setpoint_mw, mfra_mw [MW], r4_flow_cfs, r30_flow_cfs, r20_flow_cfs, bias_cfs or a part of it such as
    bias_r4_cfs [cfs]. Nothing is published.
    """
    from pipelines import wiring
    from resources.override_files import read_overrides
    from resources.reservoir_what_ifs import follow
    from resources.table_files import write_table
    from solvers.reservoir.overrides import compare_plans

    if mode not in ("recompute", "reoptimize"):
        raise InputError(f"mode {mode!r} is unknown; choose recompute or reoptimize")
    now = wiring.clock().now()
    edits = tuple(read_overrides(file, at=now, author=author, reason=reason)) if file is not None else ()
    chosen = chosen_settings(parameters, settings)
    opened, parent = _open(base), _saved(base)
    start = opened if parent is None else _open(_plan_of(parent))
    if parent is not None:
        edits, chosen = (*parent.edits, *edits), dict(parent.settings) | chosen
        parameters = parameters or parent.parameter_set
    made = follow(start, edits=edits, mode=mode, settings=chosen)
    if save:
        _save(
            name=save, base_as_of=start.version.as_of, base_version=start.version.number, mode=mode, edits=edits,
            parameter_set=parameters, settings=chosen, parent=parent.name if parent else None, author=author,
            at=now, reason=reason,
        )  # fmt: skip
    if plot is not None:
        _write_plot(plot, [opened, made])
    if out:
        write_table(made.plan.schedule, out)
    if out == "-":
        return
    table, dollars = compare_plans(opened.plan, made.plan)
    for line in [*hours_told(table.rows(named=True), zone_of(opened)), *dollars_told(dollars)]:
        typer.echo(line)
    for line in made.warnings:
        typer.echo(f"warning: {line}")
    typer.echo(f"saved as {save}" if save else "not saved; --save NAME keeps it")


def _open(text: str) -> OpenPlan:
    from pipelines import wiring
    from resources.reservoir_what_ifs import open_named

    operators = wiring.open_operators()
    try:
        return open_named(text, lake=wiring.open_lake(), publisher=wiring.publisher(), operators=operators)
    finally:
        operators.close()


def _saved(text: str) -> WhatIf | None:
    """Return the what-if of a name, None where the name is that of a stored plan."""
    from pipelines import wiring

    operators = wiring.open_operators()
    try:
        return {one.name: one for one in operators.what_ifs()}.get(text)
    finally:
        operators.close()


def _plan_of(saved: WhatIf) -> str:
    from domain.instants import iso

    return f"{iso(saved.base_as_of)}@v{saved.base_version}"


def _save(**said: Any) -> None:  # noqa: ANN401 - the fields of a what-if
    from pipelines import wiring
    from resources.operators import WhatIf

    if not said["author"].strip() or not said["reason"].strip():
        raise InputError("a saved what-if needs --author and --reason")
    operators = wiring.open_operators()
    try:
        operators.save_what_if(WhatIf(**said))
    finally:
        operators.close()


def _write_plot(path: Path, plans: list[OpenPlan]) -> None:
    from resources.reservoir_plots import compare_plot, stand_alone

    base = plans[0]
    drawn = compare_plot(
        [one.name for one in plans],
        [one.plan.schedule for one in plans],
        minimum_ft=base.plant.pool.minimum_ft,
        float_ft=float(base.inputs["float_ft"][0]),
        zone=zone_of(base),
    )
    temporary = path.with_name(f".{path.name}.partial")
    try:
        temporary.write_text(stand_alone(drawn), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from None


def zone_of(opened: OpenPlan) -> ZoneInfo:
    """Return the zone of a plan's clock."""
    from zoneinfo import ZoneInfo

    return ZoneInfo(opened.plant.zone)
