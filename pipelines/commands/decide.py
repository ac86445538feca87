"""`tailrace decide`: a plan from the lake that nobody is to follow, in any run mode.

Put here: options and printing. Keep out: how a case is made and decided (resources/reservoir_*.py).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resources.reservoir_case import ReservoirCase
    from resources.reservoir_run import RunSettings
    from solvers.reservoir.overrides import Edit

Settings = Annotated[
    list[str] | None, typer.Option("--set", help="key=value: a weight [USD] or plant constant for this run only")
]
Parameters = Annotated[str, typer.Option("--parameters", help="Saved set of parameters, name or name@version")]
Out = Annotated[str, typer.Option("--out", help="Plan [MW, ft, af, cfs], Parquet or .csv; - for standard output")]


def decide(
    as_of: Annotated[
        str, typer.Option("--as-of", help="Instant of the decision, a full hour; the last one by default")
    ] = "",
    run_mode: Annotated[
        str, typer.Option(help="forecast, historical (only what was published by then) or hindsight (what came)")
    ] = "forecast",
    optimizer: Annotated[str, typer.Option(help="lp, stochastic or rule")] = "lp",
    source: Annotated[str, typer.Option(help="Whose river forecast leads: hydroforecast or cnrfc")] = "hydroforecast",
    parameters: Parameters = "",
    settings: Settings = None,
    out: Out = "",
    report: Annotated[str, typer.Option("--report", help="Report in JSON; - for standard output")] = "",
) -> None:
    """Plan from the lake without publishing: setpoints [MW], level [ft], value [USD].

    Nothing chosen here reaches any other run.
    """
    from domain.errors import InfeasibleError
    from resources.reservoir_decisions import RunSettings, decide_reservoir
    from resources.table_files import write_record, written_together

    run = RunSettings(
        optimizer=optimizer,  # ty: ignore[invalid-argument-type] - refused where it is none of the three
        source=source,
        parameter_set=parameters,
        settings=chosen_settings(parameters, settings),
        edits=_holding(as_of),
    )
    case = _case(as_of, run_mode, run)
    try:
        plan = decide_reservoir(case)
    except InfeasibleError as error:
        if report:
            write_record({"status": "infeasible", "message": str(error), "run": run.record()}, report)
        raise
    told = plan.report | {"run_mode": run_mode, "run": run.record(), "provenance": dict(case.provenance)}
    with written_together() as outputs:
        if out:
            outputs.table(plan.schedule, out)
        if report:
            outputs.record(told, report)
    if "-" not in (out, report):
        _print_plan(run_mode, case.inputs["event_start"][0], told)


def chosen_settings(parameters: str, settings: list[str] | None) -> dict[str, Any]:
    """Return the numbers of a parameter set and of this run, the run's own last."""
    from pipelines import wiring
    from pipelines.commands.reservoir import settings_of

    chosen: dict[str, Any] = {}
    if parameters:
        operators = wiring.open_operators()
        try:
            chosen |= operators.parameters(parameters).settings
        finally:
            operators.close()
    return chosen | settings_of(settings or [])


def _holding(as_of: str) -> tuple[Edit, ...]:
    from pipelines import wiring

    operators = wiring.open_operators()
    try:
        return tuple(held.edit for held in operators.overrides(holding_at=_instant(as_of)))
    finally:
        operators.close()


def _instant(as_of: str) -> datetime:
    from domain.instants import floor_hour, parse_instant
    from pipelines import wiring

    now = wiring.clock().now()
    at = parse_instant(as_of, what="--as-of") if as_of else floor_hour(now)
    if at != floor_hour(at):
        raise InputError(f"--as-of {as_of} is no full hour; plans are made hourly")
    if at > now:
        raise InputError(f"--as-of {as_of} lies ahead; nothing is known of it yet")
    return at


def _case(as_of: str, run_mode: str, run: RunSettings) -> ReservoirCase:
    from domain.beliefs import Cutoffs, Mode
    from pipelines import wiring
    from resources.reservoir_decisions import hindsight_case, reservoir_case

    at, now, lake = _instant(as_of), wiring.clock().now(), wiring.open_lake()
    plant, reader = wiring.plant().plant, wiring.planning()
    if run_mode == "hindsight":
        return hindsight_case(reader, plant, at, known=Cutoffs(at=now, mode=Mode.PUBLISHED), run=run)
    if run_mode not in ("forecast", "historical"):
        raise InputError(f"run mode {run_mode!r} is unknown; choose forecast, historical or hindsight")
    if run_mode == "historical" and not as_of:
        raise InputError("run mode historical needs --as-of")
    # A forecast rests on what we had; history may be back-loaded, so it rests on what had been published.
    return reservoir_case(lake, reader, plant, Cutoffs(at=at, mode=Mode.PUBLISHED, recorded_before=lake.pin()), run)


def _print_plan(run_mode: str, start: datetime, report: Mapping[str, Any]) -> None:
    from domain.instants import iso

    typer.echo(f"{run_mode} plan from {iso(start)}: {report['status']}, {report['objective_usd']:,.2f} USD")
    for name, odds in report.get("probabilities", {}).items():
        typer.echo(f"  odds of {name.replace('_', ' ')}: {odds:.0%}")
    for line in report["explain"]:
        typer.echo(f"  {line}")
    for line in report["warnings"]:
        typer.echo(f"  warning: {line}")
