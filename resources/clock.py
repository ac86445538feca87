"""The clock: the only place that may ask what time it is.

Put here: ways to know the present and to wait. Keep out: what a time means (domain/instants.py).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from domain.instants import require_utc


class Clock(Protocol):
    """What every part that needs the present is handed."""

    def now(self) -> datetime:
        """Return the present instant [UTC]."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for ``seconds`` [s]."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present instant [UTC]."""
        return datetime.now(UTC)  # noqa: TID251 - this is the one place

    def sleep(self, seconds: float) -> None:
        """Wait for ``seconds`` [s]."""
        time.sleep(seconds)


class ManualClock:
    """A clock that stands still until it is moved: for tests and for replaying a moment.

    >>> clock = ManualClock(datetime(2026, 11, 21, 7, tzinfo=UTC))
    >>> clock.sleep(90)
    >>> clock.now().isoformat()
    '2026-11-21T07:01:30+00:00'
    """

    def __init__(self, moment: datetime) -> None:
        self._moment = require_utc(moment, what="clock")

    def now(self) -> datetime:
        """Return the instant it was set to [UTC]."""
        return self._moment

    def sleep(self, seconds: float) -> None:
        """Move the clock forward by ``seconds`` [s] instead of waiting."""
        self._moment += timedelta(seconds=seconds)

    def set(self, moment: datetime) -> None:
        """Move the clock to ``moment``."""
        self._moment = require_utc(moment, what="clock")
