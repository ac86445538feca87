"""The stand-in services as one child process, and the settings that point Tailrace at them.

Put here: starting, waiting for, stopping. Keep out: what the services answer (simulators/).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from domain.errors import ServiceError
from pipelines.wiring import ROOT

_START_TIMEOUT_S: Final = 60.0

CREDENTIALS: Final = {
    "TAILRACE_PI_USERNAME": "demo",
    "TAILRACE_PI_PASSWORD": "demo",
    "TAILRACE_ERCOT_USERNAME": "demo",
    "TAILRACE_ERCOT_PASSWORD": "demo",
    "TAILRACE_ERCOT_SUBSCRIPTION_KEY": "demo-key",
    "TAILRACE_HYDROFORECAST_KEY": "demo-key",
    "TAILRACE_YES_USERNAME": "demo",
    "TAILRACE_YES_PASSWORD": "demo",
}
"""What the stand-ins accept; they guard nothing."""

_OVERLAY: Final = """\
# Points Tailrace at the stand-in services of one simulated world. Written when they started.
[http]
attempts = 3
backoff_s = 0.2
[pi]
af_server = "PISRV"
[pi.http]
base_url = "{pi}"
spacing_s = 0.001
[ercot]
token_url = "{ercot_token}"
client_id = "demo-client"
[ercot.http]
base_url = "{ercot}"
spacing_s = 0.01
[caiso.http]
base_url = "{caiso}"
spacing_s = 0.01
burst = 20
[hydroforecast.http]
base_url = "{hydroforecast}"
spacing_s = 0.01
[ercot_mis.http]
base_url = "{ercot_www}"
spacing_s = 0.001
burst = 50
[yes]
same_as = {{ "yes:ERCOT:DALMP:HB_NORTH" = "ercot:spp_da:HB_NORTH" }}
groups = [
  {{ iso = "CAISO", agglevel = "hour", day_ahead = true, items = ["DALMP:20000002064"] }},
  {{ iso = "ERCOT", agglevel = "hour", day_ahead = true, items = ["DALMP:HB_NORTH"] }},
]
[yes.http]
base_url = "{yes}"
spacing_s = 0.01
burst = 20
[cnrfc.http]
base_url = "{cnrfc}"
spacing_s = 0.01
burst = 20
[awards]
folder = "{drop}"
"""


@dataclass(frozen=True, slots=True)
class StandIns:
    """The running services.

    Attributes:
        process: The child; it ends by itself when this process does.
        overlay: The file for TAILRACE_SOURCES.
        addresses: Service -> base URL.
    """

    process: subprocess.Popen[bytes]
    overlay: Path
    addresses: dict[str, str]

    @classmethod
    @contextmanager
    def started(cls, *, seed: int) -> Generator[StandIns]:
        """Start the services on free loopback ports; stop them at the end, whatever happens in between."""
        with TemporaryDirectory(prefix="tailrace-stand-ins-") as folder:
            announced = Path(folder) / "services.json"
            drop = Path(folder) / "awards"
            drop.mkdir()
            process = _start(seed, announced, drop)
            try:
                addresses = announcement(process, announced)
                overlay = Path(folder) / "sources.toml"
                overlay.write_text(_OVERLAY.format_map(addresses | {"drop": str(drop)}))
                yield cls(process, overlay, addresses)
            finally:
                stop(process)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point a Tailrace process here."""
        return {"TAILRACE_SOURCES": str(self.overlay), **CREDENTIALS}

    def environment_lines(self) -> list[str]:
        """The same as shell lines."""
        return [f"export {name}={value}" for name, value in self.environment.items()]

    def wait(self) -> None:
        """Return when the services end or the user presses Ctrl-C."""
        try:
            self.process.wait()
        except KeyboardInterrupt:
            return


def _start(seed: int, announced: Path, drop: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "simulators.serve", "--seed", str(seed), "--announce", str(announced)]
    return subprocess.Popen(  # noqa: S603 - our own module
        [*command, "--parent-pid", str(os.getpid()), "--awards-folder", str(drop)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        # A group of its own: Ctrl-C reaches us alone, and we stop the services when we are done with them.
        start_new_session=True,
    )


def announcement(process: subprocess.Popen[bytes], announced: Path) -> dict[str, str]:
    """Return what a process that was started writes into a file once it can be asked.

    Raises:
        ServiceError: It ended, or wrote nothing for a minute.
    """
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        if announced.is_file():
            return {name: str(value) for name, value in json.loads(announced.read_text()).items()}
        if process.poll() is not None:
            raise ServiceError("stand-ins", f"ended with status {process.returncode} at the start", retryable=False)
        time.sleep(0.02)
    raise ServiceError("stand-ins", f"did not answer within {_START_TIMEOUT_S:g} s", retryable=True)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process, at the latest after ten seconds."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
