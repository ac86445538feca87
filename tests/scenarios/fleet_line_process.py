"""The fleet line as a process of its own, so that it can be killed: the real one, with a clock that runs faster."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from resources.database import Database
from resources.fleet_line import FleetLine
from resources.fleet_log import FleetLog
from resources.fleet_setpoints import CurrentMessages
from resources.mqtt import Broker
from resources.publisher import Publisher


class FastClock:
    """Virtual time that several processes share: it stands until a file says since when it runs."""

    def __init__(self, start: datetime, speed: float, go: Path) -> None:
        self.start, self.speed, self.go = start, speed, go
        self._since: float | None = None

    def now(self) -> datetime:
        """Return the virtual present [UTC]."""
        if self._since is None:
            if not self.go.is_file():
                return self.start
            self._since = float(self.go.read_text())
        return self.start + timedelta(seconds=(time.monotonic() - self._since) * self.speed)

    def sleep(self, seconds: float) -> None:
        """Wait for virtual seconds."""
        time.sleep(seconds / self.speed)

    def run(self) -> None:
        """Let it run, in every process."""
        beside = self.go.with_suffix(".new")
        beside.write_text(repr(time.monotonic()))
        beside.replace(self.go)


def main(home: Path, url: str, clock: FastClock, key: bytes) -> None:
    database = Database(f"sqlite:///{home / 'state.db'}")
    schedules = CurrentMessages(Publisher(home / "plans"), key)
    user = "demo"  # the embedded broker keeps no session of a client without a name
    line = FleetLine(
        Broker(url=url, username=user, password=user), FleetLog(database), clock, schedules=schedules, key=key
    )
    stop = home / "stop-line"
    line.run(until=stop.exists)


if __name__ == "__main__":
    folder, broker, begins, pace, secret = sys.argv[1:]
    fast = FastClock(datetime.fromisoformat(begins).astimezone(UTC), float(pace), Path(folder) / "go")
    main(Path(folder), broker, fast, bytes.fromhex(secret))
