"""Stand-ins on loopback for the tests of this folder: one world, a stopped clock, clean switches for each test."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime

import pytest
import requests

from simulators.clock import VirtualClock
from simulators.serve import Simulators
from simulators.service import Settings
from simulators.world import World
from tests.simulators.stand_ins import StandIns

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
SEED = 7


@pytest.fixture(scope="session")
def _running() -> Generator[StandIns]:
    with Simulators(seed=SEED, clock=VirtualClock(NOW, speed=0.0)) as simulators, requests.Session() as http:
        yield StandIns(simulators, http)


@pytest.fixture
def stand_ins(_running: StandIns) -> Generator[StandIns]:
    """Yield the stand-ins at 2026-11-21 08:00 UTC with every switch off."""
    yield _running
    _running.set_clock(NOW)
    for service in _running.simulators.services.values():
        service.faults.clear()
        service.settings = Settings()


@pytest.fixture(scope="session")
def world() -> World:
    """Return a world of its own, with the stand-ins' seed."""
    return World(SEED)
