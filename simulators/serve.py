"""All stand-ins in one process, each on its own loopback port.

``python -m simulators.serve --seed 7 --announce FILE`` binds every service, then writes FILE: JSON with one base URL a
service and the process id. Put here: starting, announcing, stopping. Keep out: what the services say.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import orjson
import uvicorn

from domain.instants import parse_instant
from simulators.awards import AwardsService
from simulators.caiso import OasisService
from simulators.clock import VirtualClock
from simulators.cnrfc import CnrfcService
from simulators.ercot import ErcotService
from simulators.hydroforecast import HydroForecastService
from simulators.pi import PiService
from simulators.service import Service, Settings
from simulators.world import World
from simulators.yes import YesService

SERVICES: Final[tuple[type[Service], ...]] = (
    PiService,
    ErcotService,
    OasisService,
    HydroForecastService,
    YesService,
    CnrfcService,
    AwardsService,
)
LOOPBACK: Final = "127.0.0.1"
_PARENT_POLL_S: Final = 0.5


class _Server(uvicorn.Server):
    """A server that leaves signals to this module: several share one process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Do nothing."""
        yield


@dataclass(slots=True)
class Bound:
    """One service with the socket it listens on."""

    service: Service
    listener: socket.socket
    server: _Server


class Simulators:
    """Stand-ins over one world; use as a context manager to serve them from a thread.

    >>> with Simulators(seed=7) as stand_ins:  # doctest: +SKIP
    ...     requests.get(stand_ins.addresses["pi"] + "/attributes")
    """

    def __init__(
        self,
        *,
        seed: int = 7,
        clock: VirtualClock | None = None,
        settings: Settings | None = None,
        ports: Mapping[str, int] | None = None,
        services: Sequence[type[Service]] = SERVICES,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self.clock = clock or VirtualClock()
        self.world = World(seed)
        self._certificate = certificate
        self._bound = [self._bind(kind(self.world, self.clock, settings), ports or {}) for kind in services]
        self._thread: threading.Thread | None = None

    def _bind(self, service: Service, ports: Mapping[str, int]) -> Bound:
        # The protocol is named: asyncio turns Nagle's delay off only for sockets that say they are TCP, and with it
        # every small answer took 40 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, ports.get(service.name, 0)))
        config = uvicorn.Config(service.app(), lifespan="off", log_level="warning", access_log=False)
        if self._certificate is not None:
            config.ssl_certfile, config.ssl_keyfile = self._certificate
        return Bound(service, listener, _Server(config))

    @property
    def services(self) -> dict[str, Service]:
        """The services by name."""
        return {bound.service.name: bound.service for bound in self._bound}

    @property
    def addresses(self) -> dict[str, str]:
        """Every base URL, by its key."""
        found: dict[str, str] = {}
        for bound in self._bound:
            host, port = bound.listener.getsockname()
            found |= bound.service.addresses(f"{'https' if self._certificate else 'http'}://{host}:{port}")
        return found

    async def run(self, *, announce: Path | None = None, parent_pid: int | None = None) -> None:
        """Serve until ``stop`` is called or the parent is gone.

        Args:
            announce: Written once all ports answer.
            parent_pid: A process whose end is also ours.
        """
        serving = asyncio.gather(*(bound.server.serve(sockets=[bound.listener]) for bound in self._bound))
        # uvicorn tells that it has started by a flag, not by an event
        while not all(bound.server.started for bound in self._bound) and not serving.done():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.01)
        if announce is not None:
            write_announcement(announce, self.addresses)
        beside = [asyncio.ensure_future(bound.service.background()) for bound in self._bound]
        if parent_pid is not None:
            beside.append(asyncio.ensure_future(self._outlive_no_parent(parent_pid)))
        await serving
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)

    async def _outlive_no_parent(self, parent_pid: int) -> None:
        ours = os.getppid() == parent_pid
        # the end of a process that is not a child can only be asked for
        while _is_alive(parent_pid) and (not ours or os.getppid() == parent_pid):  # noqa: ASYNC110 - see above
            await asyncio.sleep(_PARENT_POLL_S)
        self.stop()

    def stop(self) -> None:
        """Ask every server to finish its answers and end."""
        for bound in self._bound:
            bound.server.should_exit = True

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self.run()), name="stand-ins", daemon=True)
        self._thread.start()
        while self._thread.is_alive() and not all(bound.server.started for bound in self._bound):
            self._thread.join(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._thread is not None:
            self._thread.join()
        for bound in self._bound:
            bound.listener.close()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def write_announcement(path: Path, addresses: Mapping[str, str]) -> None:
    """Write the addresses and our process id, whole or not at all."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_bytes(orjson.dumps({**addresses, "pid": os.getpid()}, option=orjson.OPT_INDENT_2))
    partial.replace(path)


def serve(
    *,
    seed: int = 7,
    clock: VirtualClock | None = None,
    settings: Settings | None = None,
    ports: Mapping[str, int] | None = None,
    announce: Path | None = None,
    parent_pid: int | None = None,
    certificate: tuple[Path, Path] | None = None,
) -> None:
    """Serve every stand-in until SIGTERM or SIGINT, or until the parent is gone. Blocks.

    Args:
        seed: Of the world.
        clock: The virtual present; real time if None.
        settings: Credentials and limits.
        ports: Fixed ports by service name; the others are free ones.
        announce: File to write once all ports answer.
        parent_pid: A process whose end is also ours.
        certificate: Certificate and private key files; then the services speak TLS.
    """
    stand_ins = Simulators(seed=seed, clock=clock, settings=settings, ports=ports, certificate=certificate)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stand_ins.stop)
        await stand_ins.run(announce=announce, parent_pid=parent_pid)

    asyncio.run(main())


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulators.serve", description=__doc__)
    parser.add_argument("--seed", type=int, default=7, help="of the simulated world")
    parser.add_argument("--announce", type=Path, help="file to write the base URLs to, once all ports answer")
    parser.add_argument("--parent-pid", type=int, help="stop when this process ends")
    parser.add_argument("--now", help="virtual present, ISO-8601 with offset (default: real time)")
    parser.add_argument("--speed", type=float, default=1.0, help="virtual seconds a real second (default 1)")
    parser.add_argument("--vendor-limits", action="store_true", help="enforce the vendors' request limits")
    parser.add_argument("--awards-folder", default="", help="folder to drop market awards in")
    parser.add_argument("--certificate", type=Path, help="certificate file; with --private-key, speak TLS")
    parser.add_argument("--private-key", type=Path, help="private key of the certificate")
    parser.add_argument("--port", action="append", default=[], metavar="SERVICE=PORT", help="a fixed port; repeatable")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    chosen = _arguments(sys.argv[1:] if given is None else given)
    now = parse_instant(chosen.now, what="--now") if chosen.now else None
    ports = {name: int(port) for name, _, port in (pair.partition("=") for pair in chosen.port)}
    serve(
        seed=chosen.seed,
        clock=VirtualClock(now, speed=chosen.speed),
        settings=Settings(vendor_limits=chosen.vendor_limits, awards_folder=chosen.awards_folder),
        ports=ports,
        announce=chosen.announce,
        parent_pid=chosen.parent_pid,
        certificate=(chosen.certificate, chosen.private_key) if chosen.certificate and chosen.private_key else None,
    )


if __name__ == "__main__":
    main()
