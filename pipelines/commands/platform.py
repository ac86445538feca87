"""`tailrace run`, `dev` and `simulate`: the whole platform, once or for as long as somebody watches.

Put here: options of these commands. Keep out: what a run does (pipelines/one_run.py).
"""

from __future__ import annotations

from typing import Annotated

import typer

SEED = 7
"""Seed of the simulated world; the same seed gives the same history to everybody."""


def run(
    days: Annotated[int, typer.Option(help="Days of history to load", min=2, max=400)] = 35,
    seed: Annotated[int, typer.Option(help="Seed of the simulated world")] = SEED,
    devices: Annotated[int, typer.Option(help="Batteries to enrol where the registry is empty", min=1)] = 1000,
) -> None:
    """Do the whole job once: fetch, forecast, optimize, check, publish, report.

    Where TAILRACE_SOURCES names an overlay, the services it names are read; otherwise the stand-in services are
    started on free loopback ports, over one simulated world, and stopped at the end.
    """
    from pipelines.one_run import run_once

    run_once(days=days, seed=seed, devices=devices)


def dev(
    seed: Annotated[int, typer.Option(help="Seed of the simulated world")] = SEED,
    port: Annotated[int, typer.Option(help="Port of the Dagster UI; 0 picks a free one", min=0)] = 3000,
) -> None:
    """Start the stand-in services and the Dagster UI with all schedules on; Ctrl-C stops both."""
    from pipelines.development import serve

    serve(seed=seed, port=port)


def simulate(
    context: typer.Context, seed: Annotated[int, typer.Option(help="Seed of the simulated world")] = SEED
) -> None:
    """Serve the stand-in services until Ctrl-C, and print the settings that point Tailrace at them."""
    if context.invoked_subcommand is not None:
        return
    from pipelines.stand_ins import StandIns

    with StandIns.started(seed=seed) as services:
        for line in services.environment_lines():
            typer.echo(line)
        services.wait()
