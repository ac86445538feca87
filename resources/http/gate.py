"""One pace for one credential, over all processes of this machine.

Dagster runs of one schedule overlap, and a vendor counts calls by credential, not by process: without a shared pace
two polite runs make one rude client. Put here: the limiter. Keep out: retries (fetcher.py).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from domain.errors import ServiceError
from domain.instants import iso
from resources.clock import Clock

_STALE_S: Final = 7_200.0
"""A reservation further ahead than this [s] comes from another clock (a replay, a reset machine): it is ignored.
Twice the longest pause a vendor imposes, one hour."""


class Gate:
    """Lets calls through at a mean spacing, with a small burst after a quiet time.

    The generic cell rate algorithm: one number, the time at which the next call would be due in a perfectly even
    stream, kept in a file under an exclusive lock. A call reserves its slot and sleeps outside the lock.

    Args:
        file: The shared state; created when missing, its folder too.
        service: Named in errors.
        spacing_s: Mean time between calls [s].
        burst: Calls that may come at once.
        longest_wait_s: A wait longer than this [s] is refused, so that no run hangs for an hour unasked.
        clock: Tells and passes time.
    """

    def __init__(
        self, file: Path, *, service: str, spacing_s: float, burst: int, longest_wait_s: float, clock: Clock
    ) -> None:
        self._file = file
        self._service = service
        self._spacing_s = spacing_s
        self._slack_s = spacing_s * (burst - 1)
        self._longest_wait_s = longest_wait_s
        self._clock = clock
        file.parent.mkdir(parents=True, exist_ok=True)

    def wait(self) -> None:
        """Wait for the next slot.

        Raises:
            ServiceError: Retryable: the slot is further away than ``longest_wait_s``.
        """
        with self._state() as state:
            now = self._clock.now()
            due = state.due(now.timestamp())
            wait_s = due - self._slack_s - now.timestamp()
            if wait_s > self._longest_wait_s:
                until = now + timedelta(seconds=wait_s)
                raise ServiceError(
                    self._service,
                    f"the next call with this credential is due at {iso(until)} (a pause the service asked for, or"
                    f" other runs before us), longer than longest_wait_s = {self._longest_wait_s:g} allows;"
                    " what was already fetched is kept, a later run goes on",
                    retryable=True,
                )
            state.write(due + self._spacing_s)
        if wait_s > 0:
            self._clock.sleep(wait_s)

    def hold(self, seconds: float) -> None:
        """Let nobody through for ``seconds`` [s], two hours at most: the service said so."""
        with self._state() as state:
            now = self._clock.now().timestamp()
            state.write(max(state.due(now), now + min(seconds, _STALE_S - self._slack_s) + self._slack_s))

    @contextmanager
    def _state(self) -> Generator[_State]:
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield _State(descriptor)
        finally:
            os.close(descriptor)


class _State:
    """The number in the locked file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def due(self, now: float) -> float:
        """Return when the next call is due [s since the epoch]; never before ``now``."""
        try:
            stored = float(os.pread(self._descriptor, 64, 0) or b"0")
        except ValueError:  # written by nobody we know: start afresh
            stored = 0.0
        return now if stored - now > _STALE_S else max(stored, now)

    def write(self, due: float) -> None:
        """Store when the next call is due."""
        os.ftruncate(self._descriptor, os.pwrite(self._descriptor, f"{due:.6f}".encode(), 0))
