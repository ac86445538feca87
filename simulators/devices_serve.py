"""The simulated fleet as a process.

``python -m simulators.devices_serve --broker mqtt://127.0.0.1:1883 --memory FILE`` makes a fleet up, or takes one from
``--devices FILE``, and runs until SIGTERM or until its parent is gone. Put here: options, limits of the process, the
status file. Keep out: what devices do (devices.py).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import signal
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import orjson
import polars as pl

from domain.errors import InputError
from domain.fleet import generate_fleet
from domain.instants import parse_instant
from simulators.clock import VirtualClock
from simulators.devices import Access, Behaviour, DeviceFleet
from simulators.devices_memory import Memory

_STATUS_EVERY_S: Final = 0.25
_SPARE_FILES: Final = 100


def write_status(fleet: DeviceFleet, path: Path) -> None:
    """Write what the fleet is doing, whole or not at all."""
    tally = fleet.tally
    content = {
        "pid": os.getpid(),
        "now": fleet.reached,
        "online": fleet.online,
        "offline_on_purpose": fleet.offline_on_purpose,
        "unconfirmed": fleet.unconfirmed,
        "executed": tally.executed,
        "sent": tally.sent,
        "schedules": tally.schedules,
        "reboots": tally.reboots,
    }
    beside = path.with_name(f"{path.name}.partial")
    beside.write_bytes(orjson.dumps(content))
    beside.replace(path)


def allow_connections(count: int) -> None:
    """Raise this process's limit of open files so that it can hold so many connections.

    Raises:
        InputError: The machine does not allow it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + _SPARE_FILES
    if soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise InputError(f"{count} devices need {wanted} open files, the machine allows {hard}; raise ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def access_of(url: str, *, key: bytes | None) -> Access:
    """Return how devices reach a broker by its URL; user and password may stand in it, they guard nothing.

    Raises:
        InputError: It is no ``mqtt://`` or ``mqtts://`` URL with host and port.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or not parts.port:
        raise InputError(f"--broker is {url!r}; write mqtt://host:port")
    login = (parts.username, parts.password or "") if parts.username else None
    tls = ssl.create_default_context() if parts.scheme == "mqtts" else None
    return Access(host=parts.hostname, port=parts.port, login=login, tls=tls, key=key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A clock that stands still until a file says when it began to run.

    Attributes:
        file: It will hold the instant, on the machine's monotonic clock [s].
        now: The virtual instant at which the clock stands, and from which it runs.
        speed: Virtual seconds a real second, once it runs.
    """

    file: Path
    now: datetime
    speed: float

    def release(self, clock: VirtualClock) -> bool:
        """Let the clock run if the file is there; return whether it is."""
        if not self.file.is_file():
            return False
        since = VirtualClock.elapsed() - float(self.file.read_text())
        clock.set(self.now + timedelta(seconds=since * self.speed), speed=self.speed)
        return True


async def run(
    fleet: DeviceFleet, *, status: Path | None = None, parent_pid: int | None = None, hold: Hold | None = None
) -> None:
    """Run a fleet until SIGTERM or SIGINT, or until the parent is gone."""

    def stop() -> None:
        fleet.is_stopping = True

    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop)
    running = asyncio.ensure_future(fleet.run())
    while not running.done():
        if status is not None:
            write_status(fleet, status)
        if parent_pid is not None and os.getppid() != parent_pid:
            stop()
        if hold is not None and hold.release(fleet.clock):
            hold = None
        await asyncio.wait([running], timeout=_STATUS_EVERY_S if hold is None else 0.01)
    await running
    if status is not None:
        write_status(fleet, status)


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulators.devices_serve", description=__doc__)
    parser.add_argument("--broker", required=True, help="mqtt://[user:password@]host:port, or mqtts://")
    parser.add_argument("--memory", type=Path, required=True, help="SQLite file: the devices' disks")
    parser.add_argument("--devices", type=Path, help="Parquet file of the fleet (default: made up)")
    parser.add_argument("--count", type=int, default=500, help="devices to make up")
    parser.add_argument("--fleet-seed", type=int, default=11, help="seed of the made-up fleet")
    parser.add_argument("--behaviour", type=orjson.loads, default={}, help="JSON: fields of Behaviour, seed included")
    parser.add_argument("--key", type=bytes.fromhex, help="the fleet's key in hexadecimal (default: unsigned)")
    parser.add_argument("--status", type=Path, help="file to write what the fleet is doing to, four times a second")
    parser.add_argument("--parent-pid", type=int, help="stop when this process ends")
    parser.add_argument("--now", help="virtual present, ISO-8601 with offset (default: real time)")
    parser.add_argument("--speed", type=float, default=1.0, help="virtual seconds a real second (default 1)")
    parser.add_argument("--hold", type=Path, help="file for whose appearance the clock waits, standing at --now")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    chosen = _arguments(sys.argv[1:] if given is None else given)
    devices = (
        generate_fleet(chosen.count, chosen.fleet_seed) if chosen.devices is None else pl.read_parquet(chosen.devices)
    )
    allow_connections(devices.height)
    now = parse_instant(chosen.now, what="--now") if chosen.now else None
    hold = Hold(file=chosen.hold, now=now, speed=chosen.speed) if chosen.hold and now else None
    memory = Memory(chosen.memory)
    fleet = DeviceFleet(
        devices,
        access_of(chosen.broker, key=chosen.key),
        clock=VirtualClock(now, speed=0.0 if hold else chosen.speed),
        memory=memory,
        behaviour=Behaviour(**chosen.behaviour),
    )
    try:
        asyncio.run(run(fleet, status=chosen.status, parent_pid=chosen.parent_pid, hold=hold))
    finally:
        memory.close()


if __name__ == "__main__":
    main()
