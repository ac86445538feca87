"""The demo's fleet: the embedded broker and simulated devices, each a child process, and the line that hears them.

Put here: starting, waiting for, stopping. Keep out: what devices do (simulators/), what is heard (resources/).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pipelines.stand_ins import announcement, stop
from pipelines.wiring import ROOT, clock, open_registry, process_environment, settings

_USER: Final = "demo"
FLEET_SEED: Final = 11
"""Seed of the demo's batteries."""

KEY: Final = hashlib.sha256(b"the demo's devices guard nothing").hexdigest()
"""Always the same: what a device signed yesterday and nobody has heard is heard today."""

_MOST: Final = 1_000
"""Devices that the embedded broker was seen to carry; those beyond stay silent, as if offline."""


@contextmanager
def fleet_started() -> Generator[dict[str, str]]:
    """Start a broker and the registry's first devices at it; yield the variables that point a process there.

    Where TAILRACE_MQTT_URL names a broker already, nothing is started and nothing changes.
    """
    if process_environment().get("TAILRACE_MQTT_URL"):
        yield {}
        return
    with TemporaryDirectory(prefix="tailrace-fleet-") as temporary, ExitStack() as stack:
        folder = Path(temporary)
        announced = folder / "broker.json"
        broker = stack.enter_context(
            _running("simulators.broker", "--announce", str(announced), "--parent-pid", str(os.getpid()))
        )
        address = announcement(broker, announced)["url"].removeprefix("mqtt://")
        # In a child: polars takes SIGINT for itself in every process that imports it, and Ctrl-C must end this one.
        subprocess.run([sys.executable, "-m", __name__, str(folder / "devices.parquet")], cwd=ROOT, check=True)  # noqa: S603 - this module
        # Their disks outlive the demo: what they did while nobody listened is told next time.
        memory = settings().home / "stand-ins" / "devices.db"
        memory.parent.mkdir(parents=True, exist_ok=True)
        stack.enter_context(
            _running(
                "simulators.devices_serve", "--broker", f"mqtt://{_USER}:{_USER}@{address}", "--memory", str(memory),
                "--devices", str(folder / "devices.parquet"), "--key", KEY, "--parent-pid", str(os.getpid()),
                "--behaviour", '{"connecting_at_once": 5}',
            )
        )  # fmt: skip
        yield {
            "TAILRACE_MQTT_URL": f"mqtt://{address}",
            "TAILRACE_MQTT_USERNAME": _USER,
            "TAILRACE_MQTT_PASSWORD": _USER,
            "TAILRACE_FLEET_KEY": KEY,
        }


@contextmanager
def line_held(environment: Mapping[str, str]) -> Generator[None]:
    """Hold the line to the devices in a process of its own."""
    with _running("pipelines.cli", "fleet", "listen", environment=environment):
        yield


def write_devices(path: Path) -> None:
    """Write the registry's first devices; where it has none, made-up ones are enrolled."""
    from domain.fleet import generate_fleet  # noqa: PLC0415 - polars is not needed to print help

    with closing(open_registry()) as registry:
        if registry.devices().is_empty():
            registry.put_devices(generate_fleet(_MOST, FLEET_SEED), changed_at=clock().now())
        registry.devices().head(_MOST).write_parquet(path)


@contextmanager
def _running(
    module: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> Generator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(  # noqa: S603 - our own modules
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C reaches us alone, and we stop them when we are done with them
    )
    try:
        yield process
    finally:
        stop(process)


if __name__ == "__main__":
    write_devices(Path(sys.argv[1]))
