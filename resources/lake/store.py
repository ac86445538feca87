"""The lake: every vintage of every number, read as of any instant.

Put here: the one class that the rest of the platform calls. Keep out: how it does it (the other modules here).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from domain.beliefs import Cutoffs, Mode
from domain.errors import LakeError
from domain.instants import require_utc
from resources.lake import answers, appending, compaction, coverage, retention
from resources.lake.appending import Appended
from resources.lake.files import micros, moment_of
from resources.lake.journal import Journal, State
from resources.lake.keeping import Kept
from resources.lake.paging import Page, Place
from resources.lake.raw import RawStore
from resources.lake.reading import Reader
from resources.lake.request import Request, Series


class Lake(Kept):
    """Beliefs, coverage and raw bytes under one folder; any number of processes may read and write at once.

    Args:
        root: The folder; it is made by the first append.
        now: The present instant [UTC].
        latency: How long after its belief_time a source's statement can reach us, by source; others count as zero.
    """

    def __init__(
        self, root: Path, *, now: Callable[[], datetime], latency: Mapping[str, timedelta] | None = None
    ) -> None:
        super().__init__(Journal(root.absolute(), self.now))
        self.latency = dict(latency or {})
        self.raw = RawStore(self.root / "raw")
        self._now = now
        self._pinned: int | None = None

    def now(self) -> datetime:
        """Return the present instant [UTC]."""
        return require_utc(self._now(), what="now")

    def append(
        self,
        rows: pl.DataFrame,
        *,
        run_id: str,
        product: str,
        window: tuple[datetime, datetime] | None = None,
        what: str = "rows",
    ) -> Appended:
        """Store what is new in canonical rows, all of it or nothing, and durably.

        Args:
            rows: Canonical rows (domain.beliefs.CANONICAL), one row a number; quantiles and members one row each.
            run_id: The run that brings them; kept in coverage.
            product: The product they are; kept in coverage.
            window: Event window that was asked of the source with success, also where it delivered nothing.
            what: Names the rows in an error.

        Raises:
            FrameError: The rows break their contract; nothing is stored.
        """
        now = self.now()
        note = {"run_id": run_id, "product": product}
        batch = appending.check(rows, now=now, note=note, window=window, what=what)
        return self._publish(batch, now)

    def append_history(self, rows: pl.DataFrame, *, run_id: str, product: str, what: str = "rows") -> Appended:
        """Store rows that bring their own ``recorded_at`` (and ``rev``, if they have it), from another store.

        They change what a read with an earlier recorded cutoff answers: that is their purpose.

        Raises:
            FrameError: As `append`; or ``recorded_at`` is missing or later than now.
        """
        now = self.now()
        note = {"run_id": run_id, "product": product}
        batch = appending.check_history(rows, now=now, note=note, what=what)
        return self._publish(batch, now)

    def as_of(
        self,
        pattern: str | Sequence[str],
        *,
        start: datetime,
        end: datetime,
        cutoffs: Cutoffs,
        scenarios: Sequence[str] | None = None,
        sources: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Return what was believed: the winner of every series, event, source, scenario and member.

        Args:
            pattern: A series id, a glob with ``*`` and ``?``, or several of them.
            start: First event_start [UTC].
            end: End of the window, exclusive [UTC].
            cutoffs: What may be known.
            scenarios: Only these; None means all.
            sources: Only these; None means all.

        Returns:
            Columns of domain.beliefs.ASOF_COLUMNS, one row a stated number, sorted by series, event, source,
            scenario, member and quantile. A retracted value is a row with null value.
        """
        request = self._request(pattern, start, end, scenarios, sources).within(cutoffs, self.latency)
        state = self._state(cutoffs.recorded_before)
        return answers.as_of_frame(self._reader(state).winners(request, answers.ASOF_NEEDS))

    def page(
        self,
        pattern: str | Sequence[str],
        *,
        start: datetime,
        end: datetime,
        cutoffs: Cutoffs,
        limit: int,
        after: str | None = None,
    ) -> Page:
        """Return the next ``limit`` rows of `as_of`, and the mark from which the page after them goes on.

        The first page pins the recorded cutoff and its mark carries it: whatever is appended meanwhile, the pages
        together are one answer.

        Args:
            pattern: As in `as_of`; the same for every page, like the window and the cutoffs.
            start: First event_start [UTC].
            end: End of the window, exclusive [UTC].
            cutoffs: What may be known.
            limit: Rows a page has at most.
            after: The mark of the page before; None begins.

        Raises:
            InputError: The mark is not one of ours, or ``limit`` is not positive.
        """
        place = Place.begin(cutoffs, self.pin()) if after is None else Place.read(after)
        request = self._request(pattern, start, end, None, None).within(place.held(cutoffs), self.latency)
        request, reader = place.onward(request), self._reader(self._state(place.recorded_before))

        def cut(until: str | None) -> Page:
            rows = reader.winners(replace(request, series_until=until), answers.ASOF_NEEDS)
            return place.cut(answers.as_of_frame(rows), limit)

        # A page of a long answer needs its first series only; one that is not filled by them needs more.
        pages = (cut(until) for until in reader.reaches(request))
        return next((page for page in pages if page.after), None) or cut(None)

    def latest(
        self,
        pattern: str | Sequence[str],
        *,
        start: datetime,
        end: datetime,
        scenarios: Sequence[str] | None = None,
        sources: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Return what is believed now: `as_of` the present in mode published, everything recorded so far."""
        cutoffs = Cutoffs(at=self.now(), mode=Mode.PUBLISHED)
        return self.as_of(pattern, start=start, end=end, cutoffs=cutoffs, scenarios=scenarios, sources=sources)

    def history(self, series_id: str, *, event_start: datetime) -> pl.DataFrame:
        """Return every belief about one event, oldest first within source, scenario and member.

        Returns:
            Columns of an as-of answer, and event_end, belief_basis, quality_detail and rev.
        """
        start, end = answers.window_of(require_utc(event_start, what="event_start"))
        request = Request(series=Series((series_id,), literal=True), start=start, end=end)
        rows = self._reader(self._state()).rows(request, [*answers.ASOF_NEEDS, *answers.HISTORY_COLUMNS[-4:]])
        return answers.history_frame(rows)

    def diff(
        self, pattern: str | Sequence[str], *, start: datetime, end: datetime, before: Cutoffs, after: Cutoffs
    ) -> pl.DataFrame:
        """Return what changed between two cutoffs, and by how much; see `answers.difference` for the columns."""
        request = self._request(pattern, start, end, None, None)
        sides = [(cutoffs, self._reader(self._state(cutoffs.recorded_before))) for cutoffs in (before, after)]
        parts = []
        # Span by span: only what differs is kept, and both answers to a long question would not fit beside each other.
        for first, last in max((reader.spans(request) for _, reader in sides), key=len):
            part = replace(request, start=first, end=last)
            told = [
                answers.as_of_frame(reader.winners(part.within(cutoffs, self.latency), answers.ASOF_NEEDS))
                for cutoffs, reader in sides
            ]
            parts.append(answers.difference(*told))
        return answers.in_answers_order(pl.concat(parts))

    def horizon_slice(
        self,
        pattern: str | Sequence[str],
        *,
        start: datetime,
        end: datetime,
        horizon: timedelta,
        knowledge: answers.Knowable | None = None,
        recorded_before: datetime | None = None,
    ) -> pl.DataFrame:
        """Return the newest belief stated at least ``horizon`` before each event could be known.

        Args:
            pattern: As in `as_of`.
            start: First event_start [UTC].
            end: End of the window, exclusive [UTC].
            horizon: How long before.
            knowledge: From distinct event starts to when each event can be known, such as
                domain.knowledge.GateClosure; None means when the event ends.
            recorded_before: Recorded cutoff, inclusive; None leaves it free.
        """
        request = Request(
            series=Series.of(pattern),
            start=start,
            end=end,
            recorded_max=recorded_before,
            narrow=answers.known_early_enough(horizon, knowledge),
        )
        rows = self._reader(self._state(recorded_before)).winners(request, answers.ASOF_NEEDS)
        return answers.as_of_frame(rows)

    def coverage(
        self, *, source: str | None = None, product: str | None = None, at: Cutoffs | None = None
    ) -> pl.DataFrame:
        """Return publications and reads, oldest first; columns as in `coverage.COVERAGE`.

        Args:
            source: Only publications of this source; reads belong to a product, not to a source.
            product: Only this product.
            at: What may be known; None means everything.
        """
        table = coverage.everything(self.root, self._state(at.recorded_before if at else None))
        if at is not None:
            table = coverage.seen(table, at, self.latency)
        for name, wanted in (("source", source), ("product", product)):
            if wanted is not None:
                table = table.filter(pl.col(name) == wanted)
        return table

    def reads(self, product: str) -> list[tuple[datetime, datetime]]:
        """Return the event windows of a product that were read with success, merged [UTC]."""
        return coverage.windows(coverage.everything(self.root, self._state()), product)

    def series(self, pattern: str | Sequence[str] = "*") -> list[str]:
        """Return the ids of the series stored that match."""
        return self._reader(self._state()).series(Series.of(pattern))

    def units(self, series: Sequence[str]) -> dict[str, str]:
        """Return the unit in which the lake holds each of these series; those it does not hold are left out."""
        return self._reader(self._state()).units(Series(tuple(series), literal=True))

    def pin(self) -> datetime:
        """Return the recorded cutoff that freezes the lake as it is: every later commit is strictly later."""
        return moment_of(self._journal.state().recorded_at)

    def put_raw(
        self, content: bytes, *, source: str, name: str, fetched_at: datetime, meta: Mapping[str, str] | None = None
    ) -> str:
        """Keep bytes as fetched; return their SHA-256, by which `get_raw` finds them.

        Args:
            content: The bytes; stored once however often they come.
            source: Who sent them.
            name: The file's name, or the URL without secrets.
            fetched_at: When they reached us [UTC].
            meta: Facts worth keeping, such as status and headers; nothing secret.
        """
        return self.raw.put(content, source=source, name=name, fetched_at=fetched_at, meta=meta or {})

    def get_raw(self, sha256: str) -> bytes:
        """Return bytes that were kept.

        Raises:
            LakeError: They are not here, or no longer what the hash says.
        """
        return self.raw.get(sha256)

    def retire_raw(self, *, keep: timedelta, pinned: Collection[str] = ()) -> int:
        """Remove raw bytes whose last fetch is longer ago than ``keep``; return how many. Fetches stay listed.

        Args:
            keep: From the last fetch on.
            pinned: Hashes that stay, however old: what decisions rest on (`retention.pinned_by`).
        """
        return retention.retire_raw(self.raw, keep=keep, pinned=pinned, now=self.now())

    def snapshot(self, sequence: int) -> Lake:
        """Return the lake as it was after one commit, for reading.

        Raises:
            LakeError: Garbage collection has removed what it takes.
        """
        past = Lake(self.root, now=self.now, latency=self.latency)
        self._journal.at(sequence)
        past._pinned = sequence
        return past

    def _publish(self, batch: appending.Batch, now: datetime) -> Appended:
        if self._pinned is not None:
            raise LakeError(f"this is the lake as it was after commit {self._pinned}; append to the lake itself")
        done = appending.publish(self._journal, batch, now=now)
        # What is stored is stored: a full disk while tidying must not make the caller believe it is not.
        with suppress(OSError, LakeError):
            compaction.tidy(self._journal)
        return done

    def _state(self, recorded_before: datetime | None = None) -> State:
        if self._pinned is not None:
            return self._journal.at(self._pinned)
        if recorded_before is None:
            return self._journal.state()
        return self._journal.state_holding(micros(recorded_before))

    def _reader(self, state: State) -> Reader:
        return Reader(self.root, state.of("beliefs"))

    def _request(
        self,
        pattern: str | Sequence[str],
        start: datetime,
        end: datetime,
        scenarios: Sequence[str] | None,
        sources: Sequence[str] | None,
    ) -> Request:
        return Request(
            series=Series.of(pattern),
            start=start,
            end=end,
            scenarios=None if scenarios is None else tuple(scenarios),
            sources=None if sources is None else tuple(sources),
        )
