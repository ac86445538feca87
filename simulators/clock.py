"""The moment that the stand-ins believe it is.

Put here: the one place of this package that may ask the machine's clock. Keep out: everything else.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from domain.instants import require_utc


class VirtualClock:
    """Real time by default; can be set, stopped or made faster, so that a year can pass in a test."""

    def __init__(self, now: datetime | None = None, *, speed: float = 1.0) -> None:
        self._base = time.time()
        self._since = time.monotonic()
        self.speed = speed
        if now is not None:
            self.set(now, speed=speed)

    def now(self) -> float:
        """Return the virtual present [epoch seconds, UTC]."""
        return self._base + (time.monotonic() - self._since) * self.speed

    def set(self, now: datetime, *, speed: float) -> None:
        """Make ``now`` the present; virtual seconds pass ``speed`` times as fast as real ones (0 stops them).

        Raises:
            TimeError: ``now`` has no zone.
        """
        self._base = require_utc(now, what="clock").timestamp()
        self._since = time.monotonic()
        self.speed = speed

    def reset(self) -> None:
        """Return to real time."""
        self.set(datetime.fromtimestamp(time.time(), tz=UTC), speed=1.0)

    @staticmethod
    def elapsed() -> float:
        """Return real seconds from an arbitrary beginning: what rate limits and token lives are measured by."""
        return time.monotonic()
