"""`tailrace solve fleet` and `tailrace fleet`: the batteries from files into files, and their registry.

Put here: options, reading and writing, exit codes. Keep out: schedules (solvers/fleet), the rules of a device
(domain/fleet), the transactions (resources/registry.py).
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Final

import typer

from domain.errors import InfeasibleError, InputError

if TYPE_CHECKING:
    import polars as pl

fleet_app: Final = typer.Typer(no_args_is_help=True, help="The registry of batteries, and made-up ones for trials.")

_FEEDER_HELP = "feeder, import_limit_kw, export_limit_kw: limits of the net power of each feeder's devices"
_SERVICE_PRICES_HELP = (
    "event_start, price_usd_mwh; regup_usd_mw, regdn_usd_mw, rrs_usd_mw, ecrs_usd_mw, nspin_usd_mw (per MW and hour) of"
    " the services to offer; optional regup_deployed ... (0 to 1): the part of an award expected to be called"
)
_LEVELS_HELP = (
    "Write what each device and interval would charge up to and discharge down to [kWh], from whatever state of charge"
    " is measured then; Parquet or .csv. Without shared limits only"
)
_PREVIOUS_HELP = "A schedule to stay close to: device_id, event_start, power_kw"


def solve_fleet(
    *,
    devices: Annotated[
        Path, typer.Option("--devices", help="Batteries, Parquet or CSV; limits in kW and kWh at the meter")
    ],
    prices: Annotated[Path, typer.Option("--prices", help="event_start (evenly spaced), price_usd_mwh")],
    out: Annotated[str, typer.Option("--out", help="Schedule, Parquet or .csv; - for CSV on standard output")],
    report: Annotated[str, typer.Option("--report", help="Report in JSON; - for standard output")],
    feeders: Annotated[Path | None, typer.Option("--feeders", help=_FEEDER_HELP)] = None,
    reserve: Annotated[Path | None, typer.Option("--reserve", help="event_start, up_reserve_kw, duration_h")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Never charge and discharge within one interval")] = False,
    terminal_value: Annotated[
        float | None, typer.Option("--terminal-value", help="USD per kWh stored when the last interval ends")
    ] = None,
    previous: Annotated[Path | None, typer.Option("--previous", help=_PREVIOUS_HELP)] = None,
    gap: Annotated[
        float, typer.Option("--gap", help="Under shared limits: stop when proven within this share of the best cost")
    ] = 1e-4,
    levels: Annotated[str | None, typer.Option("--levels", help=_LEVELS_HELP)] = None,
) -> None:
    """Plan every battery at the least cost in USD; shared limits that cannot be met are relaxed and named."""
    from resources.table_files import read_table, written_together
    from solvers.fleet import feedback_levels, plan_fleet

    if levels is not None and (feeders or reserve or strict or previous):
        raise InputError("--levels follow from prices alone; leave out --feeders, --reserve, --strict and --previous")

    def optional(path: Path | None, name: str) -> pl.DataFrame | None:
        return None if path is None else read_table(path, what=name)

    began = perf_counter()
    fleet, market = read_table(devices, what="--devices"), read_table(prices, what="--prices")
    limits, held = optional(feeders, "--feeders"), optional(reserve, "--reserve")
    before = optional(previous, "--previous")
    if fleet.is_empty():
        raise InputError(f"--devices {devices} has no row; a plan needs at least one device")
    read = perf_counter()
    plan = plan_fleet(
        fleet,
        market,
        feeders=limits,
        reserve=held,
        strict=strict,
        terminal_value_usd_per_kwh=terminal_value,
        previous=before,
        gap=gap,
    )
    solved = perf_counter()
    refused = plan.report["status"] == "infeasible"
    with written_together() as outputs:
        if not refused:
            outputs.table(plan.schedule, out)
            if levels is not None:
                outputs.table(feedback_levels(fleet, market, terminal_value_usd_per_kwh=terminal_value), levels)
        seconds = {"read": read - began, "solve": solved - read, "write": perf_counter() - solved}
        outputs.record({**plan.report, "seconds": seconds, "version": version("tailrace")}, report)
    if refused:
        reasons = plan.report["infeasible"][:3]
        first = "; ".join(f"{row['device_id']}: {row['reason']}" for row in reasons)
        raise InfeasibleError(f"no device could be planned: {first}. All reasons are in {report}")


def solve_ancillary(
    devices: Annotated[Path, typer.Option("--devices", help="The pooled site's batteries, as for `solve fleet`")],
    prices: Annotated[Path, typer.Option("--prices", help=_SERVICE_PRICES_HELP)],
    out: Annotated[str, typer.Option("--out", help="Schedule and awards [kW], Parquet or .csv; - for CSV")],
    report: Annotated[str, typer.Option("--report", help="Report in JSON; - for standard output")],
    rules: Annotated[
        Path | None, typer.Option("--rules", help="Dated rules of the services; default config/ancillary.toml")
    ] = None,
    terminal_value: Annotated[
        float | None, typer.Option("--terminal-value", help="USD per kWh stored when the last interval ends")
    ] = None,
) -> None:
    """Plan energy and ancillary-service offers of a pooled site together, each award backed by stored energy."""
    from pipelines.wiring import ROOT
    from resources.ancillary_file import load_service_rules
    from resources.table_files import read_table, written_together
    from solvers.fleet.ancillary import plan_ancillary

    began = perf_counter()
    site, market = read_table(devices, what="--devices"), read_table(prices, what="--prices")
    dated = load_service_rules(rules or ROOT / "config" / "ancillary.toml")
    read = perf_counter()
    plan = plan_ancillary(site, market, dated, terminal_value_usd_per_kwh=terminal_value)
    solved = perf_counter()
    with written_together() as outputs:
        outputs.table(plan.schedule, out)
        seconds = {"read": read - began, "solve": solved - read, "write": perf_counter() - solved}
        outputs.record({**plan.report, "seconds": seconds, "version": version("tailrace")}, report)


@fleet_app.command("generate")
def generate(
    out: Annotated[str, typer.Option("--out", help="Devices, Parquet or .csv")],
    devices: Annotated[int, typer.Option("--devices", help="How many", min=1)] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes the same fleet")] = 11,
    intervals: Annotated[int, typer.Option("--intervals", help="Intervals of the prices it is for", min=1)] = 48,
    hours: Annotated[float, typer.Option("--hours", help="Length of an interval [h]")] = 0.5,
) -> None:
    """Make up a realistic fleet for trials from local midnight on: homes, vehicles with away windows, commercial."""
    from domain.fleet import generate_fleet
    from resources.table_files import write_table

    write_table(generate_fleet(devices, seed, intervals=intervals, hours=hours), out)


@fleet_app.command("import")
def import_devices(
    devices: Annotated[Path, typer.Argument(help="Batteries, Parquet or CSV: the columns of `tailrace solve fleet`")],
) -> None:
    """Put batteries into the registry; rows that break a rule are listed and left out (exit code 2)."""
    from domain.fleet.registration import check_registration
    from pipelines.wiring import clock, open_registry
    from resources.table_files import read_table

    good, errors = check_registration(read_table(devices, what="devices"))
    registry = open_registry()
    try:
        stored = registry.put_devices(good, changed_at=clock().now())
    finally:
        registry.close()
    typer.echo(f"{stored} device(s) in the registry")
    if errors:
        lines = "\n".join(f"  {row['device_id']}: {row['reason']}" for row in errors)
        raise InputError(f"{len(errors)} row(s) of {devices} were left out:\n{lines}")


@fleet_app.command("list")
def list_devices(
    output: Annotated[str, typer.Option("--out", help="Parquet or .csv; - for CSV on standard output")] = "-",
) -> None:
    """Show the active batteries of the registry."""
    from pipelines.wiring import open_registry
    from resources.table_files import write_table

    registry = open_registry()
    try:
        devices = registry.devices()
    finally:
        registry.close()
    write_table(devices, output)


@fleet_app.command("efficiency")
def efficiency(
    days: Annotated[int, typer.Option("--days", help="How many days of responses to read", min=1)] = 14,
    output: Annotated[str, typer.Option("--out", help="Parquet or .csv; - for CSV on standard output")] = "-",
) -> None:
    """Show the efficiency each way that the devices' responses show, beside what the registry declares."""
    from contextlib import closing
    from datetime import timedelta

    from domain.fleet.efficiency import estimated_efficiencies
    from pipelines.wiring import clock, open_fleet, open_registry
    from resources.table_files import write_table

    with closing(open_registry()) as registry, closing(open_fleet()) as fleet:
        now = clock().now()
        done = fleet.log.executions(now - timedelta(days=days), now)
        write_table(estimated_efficiencies(registry.devices(), done), output)
