"""`tailrace fleet show|retire|schedule|listen`: the devices in operation.

Put here: options, printing, exit codes. Keep out: the rules of entries (domain/fleet/external.py), the line and the
messages (resources/fleet_*.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from domain.errors import ConfigError, InputError


def show(device: Annotated[str, typer.Argument(help="Id of a device")]) -> None:
    """Show one device: its limits [kW, kWh], when it was last heard, and the schedule it holds."""
    from contextlib import closing

    import polars as pl

    from pipelines.wiring import clock, open_fleet, open_registry

    with closing(open_registry()) as registry, closing(open_fleet()) as fleet:
        facts = registry.device(device)
        heard = fleet.log.statuses().filter(pl.col("device_id") == device).to_dicts()
        done = fleet.log.last_executions(device, count=4)
    for name, value in {**facts, **(heard[0] if heard else {})}.items():
        typer.echo(f"{name:24} {'' if value is None else value}")
    typer.echo(f"{'now':24} {clock().now()}")
    for row in done.to_dicts():
        typer.echo(
            f"{row['interval_start']:%Y-%m-%d %H:%M} UTC        {row['status']}, {row['actual_rate_kw']} kW,"
            f" {row['soc_kwh']} kWh at the end"
        )


def retire(devices: Annotated[list[str], typer.Argument(help="Ids of devices")]) -> None:
    """Take devices out of every later plan; what they did stays in the log."""
    from contextlib import closing

    from pipelines.wiring import clock, open_registry

    with closing(open_registry()) as registry:
        retired = registry.retire_devices(devices, changed_at=clock().now())
    typer.echo(f"{retired} device(s) retired")


def schedule(
    entries: Annotated[
        Path,
        typer.Argument(
            help="Parquet or CSV: schedule_id, device_id, event_start, event_end (half hours), mode (0 idle,"
            " 1 discharge, 2 charge), rate_kw, priority (1 to 10; our plans have 5), issued_at"
        ),
    ],
    now: Annotated[bool, typer.Option("--now", help="Tell the devices at once, not with the next publication")] = False,  # noqa: FBT002 - an option
) -> None:
    """Accept schedules of others, entry by entry; those that break a rule are listed and left out (exit code 2)."""
    from contextlib import closing

    import polars as pl

    from domain.fleet.external import check_entries
    from pipelines.wiring import clock, open_fleet, open_lake, open_registry
    from resources.fleet_checks import entries_that_cannot_be_followed
    from resources.table_files import read_table

    with closing(open_registry()) as registry, closing(open_fleet()) as fleet:
        devices = registry.devices()
        good, errors = check_entries(read_table(entries, what="entries"), devices)
        if good.height:
            beyond, judged = entries_that_cannot_be_followed(
                open_lake(), fleet.publisher, devices, good, now=clock().now()
            )
            refused = [row["device_id"] for row in beyond]
            good = good.filter(~pl.col("device_id").is_in(refused))
            errors += [{"schedule_id": "", **row} for row in beyond]
            heard = judged["is_measured"].sum()
            typer.echo(f"state of charge: {heard} device(s) measured, {judged.height - heard} by the registry")
        stored = fleet.log.put_entries(good)
        typer.echo(f"{stored} entries of {good['device_id'].n_unique()} device(s) accepted")
        if now and stored:
            _tell_now(registry, fleet)
    if errors:
        lines = "\n".join(f"  {row['schedule_id']} {row['device_id']}: {row['reason']}" for row in errors)
        raise InputError(f"{len(errors)} fault(s) in {entries}; what they are about was left out:\n{lines}")


def _tell_now(registry: object, fleet: object) -> None:
    from pipelines.wiring import clock, code_version
    from resources.fleet_link import FleetLink
    from resources.fleet_setpoints import publish_setpoints
    from resources.registry import Registry

    assert isinstance(registry, Registry)  # noqa: S101 - named late, for the time the import takes
    assert isinstance(fleet, FleetLink)  # noqa: S101 - as above
    told = publish_setpoints(
        fleet.publisher, registry, fleet.teller, as_of=clock().now(), now=clock().now(), code_version=code_version()
    )
    sent = "no broker is set: TAILRACE_MQTT_URL" if told.taken is None else f"{told.taken} device(s) told"
    typer.echo(f"{told.version.schedule_id} v{told.version.number} published; {sent}")


def listen() -> None:
    """Hold the line to the devices: keep and confirm what they say, answer requests. Until SIGTERM or Ctrl-C."""
    import signal
    import threading
    from contextlib import closing

    from pipelines.wiring import open_fleet

    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    with closing(open_fleet()) as fleet:
        if fleet.broker is None:
            raise ConfigError("TAILRACE_MQTT_URL is not set: say where the devices' broker is, mqtt://host:port")
        counts = fleet.listen(until=stopping.is_set)
        if counts is None:
            raise ConfigError(f"another process holds the line (lock {fleet.lock}); stop it first")
    typer.echo(
        f"{counts.received} message(s): {counts.logged} acknowledgements new, {counts.duplicates} known,"
        f" {counts.letters} dead letters, {counts.reports} heartbeats"
    )
