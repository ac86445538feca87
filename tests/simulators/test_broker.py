"""The demonstration's broker: many devices come at once and each hears what is its own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from simulators.devices_mqtt import Connection

ROOT = Path(__file__).resolve().parents[2]
DEVICES = 150


class Client:
    """One device at the broker: what it was told, and how often it was dropped."""

    def __init__(self, name: str, topics: list[str]) -> None:
        self.name, self.topics, self.lost = name, topics, 0
        self.heard: list[tuple[str, bytes]] = []
        self.ready = asyncio.Event()

    async def connect(self, port: int) -> None:
        """Return when the subscriptions are granted, or the connection is gone."""
        loop = asyncio.get_running_loop()
        _, self.connection = await loop.create_connection(self._protocol, "127.0.0.1", port)
        await asyncio.wait_for(self.ready.wait(), 30)

    def _protocol(self) -> Connection:
        return Connection(
            self.name, self.topics, ready=self.ready.set, login=("demo", ""), lost=self._dropped,
            heard=lambda topic, body: self.heard.append((topic, body)),
        )  # fmt: skip

    def _dropped(self) -> None:
        self.lost += 1
        self.ready.set()


async def everybody(port: int) -> list[Client]:
    """Retain a message for each device, let them connect twenty at a time, then tell each another one."""
    platform = Client("platform", ["platform/nothing"])
    await platform.connect(port)
    names = [f"d{number:03d}" for number in range(DEVICES)]
    for name in names:
        platform.connection._write(retained(f"devices/{name}/schedule/response", name.encode()))
    clients = [Client(name, [f"devices/{name}/schedule/response"]) for name in names]
    await asyncio.sleep(1.0)
    gate = asyncio.Semaphore(20)

    async def come(client: Client) -> None:
        async with gate:
            await client.connect(port)

    await asyncio.gather(*map(come, clients))
    for name in names:
        platform.connection.publish(f"devices/{name}/schedule/response", b"now")
    until = time.monotonic() + 30
    while time.monotonic() < until and any(len(client.heard) < 2 for client in clients):  # noqa: ASYNC110 - by others
        await asyncio.sleep(0.05)
    lost = [client.lost for client in clients]
    for client in (*clients, platform):
        client.connection.close()
    await asyncio.sleep(0.1)
    for client, before in zip(clients, lost, strict=True):
        client.lost = before
    return clients


def retained(topic: str, body: bytes) -> bytes:
    rest = len(topic).to_bytes(2) + topic.encode() + b"\x00\x01" + body
    return bytes([0x33, len(rest)]) + rest


def test_devices_that_come_all_at_once_are_kept_and_hear_their_own_messages_only(tmp_path: Path) -> None:
    announced, told = tmp_path / "broker.json", tmp_path / "stderr"
    command = [sys.executable, "-m", "simulators.broker", "--announce", str(announced)]
    with told.open("wb") as errors, subprocess.Popen(
        [*command, "--parent-pid", str(os.getpid())], cwd=ROOT, stderr=errors
    ) as process:  # fmt: skip
        try:
            while not announced.is_file():
                assert process.poll() is None
                time.sleep(0.02)
            port = int(json.loads(announced.read_bytes())["url"].rsplit(":", 1)[1])
            clients = asyncio.run(everybody(port))
        finally:
            process.terminate()
    assert sum(client.lost for client in clients) == 0
    for client in clients:
        topic = f"devices/{client.name}/schedule/response"
        assert client.heard == [(topic, client.name.encode()), (topic, b"now")]
    assert b"Traceback" not in told.read_bytes()
