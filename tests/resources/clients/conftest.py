"""What the clients' tests ask for by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from resources.clock import ManualClock
from tests.resources.clients.tiny import NOW, Landed, Script, Served


@pytest.fixture
def serve() -> Iterator[Callable[[Script], Served]]:
    running: list[Served] = []

    def start(script: Script) -> Served:
        running.append(Served(script))
        return running[-1]

    yield start
    for served in running:
        served.stop()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def landed() -> Landed:
    return Landed()


@pytest.fixture
def locks(tmp_path: Path) -> Path:
    return tmp_path / "locks"
