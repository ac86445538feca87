"""What the tests of this folder talk to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import requests

from simulators.serve import Simulators
from simulators.world import World


@dataclass(frozen=True)
class StandIns:
    """Running stand-ins, with a session that carries no credentials."""

    simulators: Simulators
    http: requests.Session

    @property
    def world(self) -> World:
        """The truth behind them."""
        return self.simulators.world

    def url(self, service: str, path: str) -> str:
        """Return the address of a path below a service's base URL."""
        return self.simulators.addresses[service] + path

    def control(self, service: str, orders: object) -> requests.Response:
        """Send control orders to a service."""
        host, port = self.simulators.addresses[service].split("/")[2].split(":")
        return self.http.post(f"http://{host}:{port}/_control", json=orders, timeout=10)

    def set_clock(self, now: datetime) -> None:
        """Stop the virtual clock at a moment."""
        self.simulators.clock.set(now, speed=0.0)
