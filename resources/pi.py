"""The plant historian (AVEVA PI Web API): hourly means, hourly instants and archived events of configured tags.

Put here: which windows are read of which tags, and what happens when one fails. Keep out: the calls
(resources/pi_streams.py, resources/pi_sets.py) and what their bodies mean (resources/payloads/pi.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from domain.instants import floor_hour, iso
from resources.clock import Clock
from resources.http import Auth, Failures, Fetcher, Land, Read
from resources.http.closing import Closing
from resources.http.windows import Window, chunks, require_window, within
from resources.pi_sets import PiSets
from resources.pi_settings import KINDS, Kind, PiSettings, PiTag
from resources.pi_streams import PiStreams


class PiClient(Closing):
    """Reads the configured tags.

    Args:
        settings: What to read and how.
        credentials: Basic, Bearer (also for Negotiate) or NoAuth of resources.http.
        clock: Tells and passes time.
        land: Stores bytes before they are parsed.
        locks: Folder of the limiter's files.
    """

    def __init__(self, settings: PiSettings, *, credentials: Auth, clock: Clock, land: Land, locks: Path) -> None:
        self._settings = settings
        self._clock = clock
        self._fetcher = Fetcher(
            "pi", source="pi", settings=settings.http, clock=clock, land=land, locks=locks, auth=credentials
        )
        self._streams = PiStreams(self._fetcher, settings, clock)
        self._sets = PiSets(self._fetcher, settings, self._streams)

    def close(self) -> None:
        """Close the pooled connections."""
        self._fetcher.close()

    def read(self, start: datetime, end: datetime) -> Iterator[Read]:
        """Yield each tag's readings as they arrive, window by window.

        A window that reaches past the present is cut there: PI extrapolates a stale tag flat into the future, and
        the mean of an unfinished hour is not that hour's mean.

        Args:
            start: First instant wanted [UTC].
            end: First instant not wanted [UTC].

        Raises:
            ServiceError, PayloadError: After everything else was yielded, naming each tag that failed.
        """
        return self._reads(require_window(start, end))

    def _reads(self, window: Window) -> Iterator[Read]:
        # A server may fail at one kind of call only, so each kind gives up for itself.
        kinds = Failures("pi", stop_after=len(KINDS))
        for kind in KINDS:
            with kinds.item(kind):
                yield from self._of_kind(kind, window)
        kinds.settle()

    def _of_kind(self, kind: Kind, window: Window) -> Iterator[Read]:
        failures = Failures("pi")
        tags = [tag for tag in self._settings.tags if kind in tag.reads]
        for part in chunks(self._known(window, kind), timedelta(days=self._settings.chunk_days)):
            for first in range(0, len(tags), self._settings.tags_per_call):
                group = tags[first : first + self._settings.tags_per_call]
                yield from self._group(group, kind, part, failures)
        failures.settle()

    def _group(self, tags: Sequence[PiTag], kind: Kind, window: Window, failures: Failures) -> Iterator[Read]:
        found = self._sets.read(tags, kind, window)
        for tag in tags:
            with failures.item(f"{tag.path}:{kind} {iso(window[0])}"):
                parts = [found[tag.path]] if tag.path in found else self._streams.read(tag, kind, window)
                rows = within(pl.concat(part.rows for part in parts), window)
                notes = () if rows.height else ("no events in the window",)
                hashes = tuple(part.sha256 for part in parts)
                whole = f"pi:{tag.path}:{kind}" if kind == "recorded" else ""
                yield Read(f"{tag.path}:{kind}", window, rows, hashes, notes, whole)

    def _known(self, window: Window, kind: Kind) -> Window:
        now = self._clock.now()
        return window[0], min(window[1], floor_hour(now) if kind == "avg1h" else now)
