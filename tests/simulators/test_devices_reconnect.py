"""A broker that dies while devices connect: each of them finds its way back."""

from __future__ import annotations

import asyncio
import itertools
import socket
import socketserver
import struct
import threading
import time
from pathlib import Path

from domain.fleet import generate_fleet
from simulators.clock import VirtualClock
from simulators.devices import Access, Behaviour, DeviceFleet
from simulators.devices_memory import Memory

DEVICES, RESETS = 60, 240


class Dying(socketserver.BaseRequestHandler):
    """Resets the first connections the moment they are made, or after the introduction; then grants what is asked."""

    made = itertools.count()

    def handle(self) -> None:
        """Take one connection."""
        number = next(Dying.made)
        if number < RESETS:
            if number % 3 == 0:
                self.request.recv(1024)
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        self.request.recv(1024)
        self.request.sendall(b"\x20\x02\x00\x00")  # CONNACK
        asked = self.request.recv(1024)
        self.request.sendall(b"\x90\x04" + asked[2:4] + b"\x01\x01")  # SUBACK, the packet's number follows its length
        while self.request.recv(4096):
            pass


class Server(socketserver.ThreadingTCPServer):
    """A thread a connection."""

    daemon_threads, request_queue_size = True, 256


async def come_online(port: int, folder: Path) -> int:
    """Return how many devices are online once all are, or after twenty seconds."""
    fleet = DeviceFleet(
        generate_fleet(DEVICES, 3), Access(host="127.0.0.1", port=port), clock=VirtualClock(speed=1.0),
        memory=Memory(folder / "devices.db"), behaviour=Behaviour(offline=0.0, reboots=0.0, connecting_at_once=DEVICES),
    )  # fmt: skip
    running = asyncio.ensure_future(fleet.run())
    until = time.monotonic() + 20
    while fleet.online < DEVICES and time.monotonic() < until:  # noqa: ASYNC110 - the broker decides
        await asyncio.sleep(0.05)
    online, fleet.is_stopping = fleet.online, True
    await running
    return online


def test_devices_whose_connection_ends_as_it_is_made_try_again_until_they_are_online(tmp_path: Path) -> None:
    Dying.made = itertools.count()
    with Server(("127.0.0.1", 0), Dying) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            assert asyncio.run(come_online(server.server_address[1], tmp_path)) == DEVICES
        finally:
            server.shutdown()
