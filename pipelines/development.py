"""`make dev`: the stand-in services and the Dagster UI until Ctrl-C.

Put here: which processes and with which settings. Keep out: schedules (automation.py), assets.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys

import typer

from pipelines.dagster_home import prepare
from pipelines.fleet_stand_ins import fleet_started, line_held
from pipelines.stand_ins import StandIns
from pipelines.wiring import ROOT, process_environment, settings


def serve(*, seed: int, port: int) -> None:
    """Serve until Ctrl-C; returns when both have stopped."""
    # A supervisor ends us with SIGTERM, a shell may have told its children to ignore SIGINT: both mean Ctrl-C here.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    chosen = settings()
    home = prepare(chosen)
    port = port if port and _free(port) else _any_port()
    with StandIns.started(seed=seed) as services, fleet_started() as fleet:
        environment = process_environment() | services.environment | fleet | {"DAGSTER_HOME": str(home)}
        typer.echo(f"Dagster UI: http://127.0.0.1:{port}  (ready in half a minute; Ctrl-C stops everything)")
        typer.echo(
            f"Stand-ins:  {', '.join(f'{n} {a}' for n, a in services.addresses.items() if a.startswith('http'))}"
        )
        typer.echo(f"Devices at: {environment['TAILRACE_MQTT_URL']}, heard by `tailrace fleet listen`")
        command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
        with line_held(environment):
            _run(command, environment)


def _run(command: list[str], environment: dict[str, str]) -> None:
    """Run until it ends or Ctrl-C."""
    process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)  # noqa: S603 - our own
    try:
        process.wait()
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(timeout=30)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _any_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
