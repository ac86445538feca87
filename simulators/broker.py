"""An MQTT broker for demonstrations: amqtt, in a process of its own, forgetting everything when it ends.

``python -m simulators.broker --announce FILE`` binds a free loopback port and writes its URL to FILE. It carries some
hundred devices; a real fleet has a real broker (deploy/mosquitto.conf). Put here: starting and stopping it.
Keep out: what is said over it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class _Filters(dict[str, list[Any]]):
    """Subscriptions by filter, walked as they stand when the walk begins.

    amqtt awaits while it walks them, and the next device to come or go would break the walk: of a device that connects,
    or of a message on its way to everybody. It also writes them all out for every subscription.
    """

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(super().keys()))

    def items(self) -> Any:  # noqa: ANN401 - a tuple where a dict has a view
        return tuple(super().items())

    def __repr__(self) -> str:
        return f"{len(self)} filters"


def _broker_class() -> Any:  # noqa: ANN401 - amqtt brings no types
    """Return amqtt's broker, fit for some hundred devices that connect at once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies warn of their own old age at import
        from amqtt.broker import Broker  # noqa: PLC0415 - inside the filter

    class _Broker(Broker):
        def __init__(self, config: dict[str, Any]) -> None:
            super().__init__(config)
            self._subscriptions = _Filters()

        async def _publish_retained_messages_for_subscription(self, subscription: Any, session: Any) -> None:  # noqa: ANN401
            """Hand a client what is retained on its own filters; amqtt goes through everybody's when one connects."""
            if any(one.client_id == session.client_id for one, _ in self._subscriptions.get(subscription[0], ())):
                await super()._publish_retained_messages_for_subscription(subscription, session)

    return _Broker


async def serve(port: int, *, announce: Path | None = None, parent_pid: int | None = None) -> None:
    """Serve until SIGTERM or SIGINT, or until the parent is gone.

    Args:
        port: To listen on, on the loopback.
        announce: Written once the broker answers: JSON with ``url`` and ``pid``.
        parent_pid: A process whose end is also ours.
    """
    broker = _broker_class()(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}", "max_connections": 20_000}},
            # Any name will do, but a name there must be: amqtt keeps no session of one who has none.
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": False}},
        }
    )
    await broker.start()
    stopping = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopping.set)
    if announce is not None:
        beside = announce.with_name(f"{announce.name}.partial")
        beside.write_bytes(orjson.dumps({"url": f"mqtt://127.0.0.1:{port}", "pid": os.getpid()}))
        beside.replace(announce)
    while not stopping.is_set() and (parent_pid is None or os.getppid() == parent_pid):
        try:
            await asyncio.wait_for(stopping.wait(), 0.5)
        except TimeoutError:
            continue
    await broker.shutdown()


def main(given: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m simulators.broker", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="on the loopback; 0 picks a free one")
    parser.add_argument("--announce", type=Path, help="file to write the URL to, once it answers")
    parser.add_argument("--parent-pid", type=int, help="stop when this process ends")
    chosen = parser.parse_args(sys.argv[1:] if given is None else given)
    logging.disable(logging.WARNING)  # it writes a line for every message and every device that goes
    asyncio.run(serve(chosen.port or free_port(), announce=chosen.announce, parent_pid=chosen.parent_pid))


if __name__ == "__main__":
    main()
