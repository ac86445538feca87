"""The link to the fleet as an installation has it: its broker, its log, its key, and who may hold the line.

Put here: what commands and assets ask for as one thing. Keep out: what goes over the link (fleet_line.py,
fleet_setpoints.py).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from resources.clock import Clock
from resources.database import Database
from resources.execution_log import ExecutionLog
from resources.fleet_line import Counts, FleetLine
from resources.fleet_log import FleetLog
from resources.fleet_setpoints import CurrentMessages, Teller
from resources.mqtt import Broker
from resources.publisher import Publisher


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetLink:
    """The link to the fleet.

    Attributes:
        database: Of operational state.
        publisher: Holds what devices were told.
        clock: The present.
        lake: Folder of the lake.
        lock: File whose lock the holder of the line has: the broker knows one session of that name.
        broker: Where devices are reached; None: this installation has none.
        key: The fleet's key; None leaves messages unsigned.
    """

    database: Database
    publisher: Publisher
    clock: Clock
    lake: Path
    lock: Path
    broker: Broker | None = None
    key: bytes | None = field(default=None, repr=False)

    @property
    def log(self) -> FleetLog:
        """The transactions of the loop."""
        return FleetLog(self.database)

    @property
    def executions(self) -> ExecutionLog:
        """The execution log in the lake."""
        return ExecutionLog(self.lake)

    @property
    def teller(self) -> Teller:
        """Who tells devices."""
        return Teller(self.broker, self.log, self.clock, key=self.key)

    def drain(self, *, quiet_s: float = 0.5, patience_s: float = 10.0) -> Counts | None:
        """Keep what devices have said and the broker holds; None where another process holds the line, or none is.

        Raises:
            ServiceError: The broker does not answer.
        """
        if self.broker is None:
            return None
        with self._alone() as is_ours:
            if not is_ours:
                return None
            line = self._line(self.broker)
            line.drain(quiet_s=quiet_s, patience_s=patience_s)
            return line.counts

    def listen(self, *, until: Callable[[], bool]) -> Counts | None:
        """Hold the line until told to stop; None where another process holds it, or there is no broker."""
        if self.broker is None:
            return None
        with self._alone() as is_ours:
            if not is_ours:
                return None
            line = self._line(self.broker)
            line.run(until=until)
            return line.counts

    def _line(self, broker: Broker) -> FleetLine:
        schedules = CurrentMessages(self.publisher, self.key)
        return FleetLine(broker, self.log, self.clock, schedules=schedules, key=self.key)

    @contextmanager
    def _alone(self) -> Generator[bool]:
        self.lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            # The kernel gives the lock back when its holder dies, however it dies.
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Give the database's connections back."""
        self.database.close()
