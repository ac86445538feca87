"""Compaction: landing files merged into sorted files by month of the event, and the journal's tail into a manifest.

Readers see the files before or the files after, through the manifest. Put here: what is merged, when, how much at
once. Keep out: removing what was replaced (upkeep.py, after a grace period).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

from domain.errors import LakeError
from domain.order import VOICE, in_order, with_key
from domain.revisions import STORED, TOTAL_ORDER
from resources.lake import coverage
from resources.lake.files import OPTIONAL, Entry, micros, write_beliefs, write_coverage
from resources.lake.journal import Journal, State
from resources.lake.reading import Reader
from resources.lake.request import Request, Series

FILE_ROWS: Final = 1_100_000
"""Rows of a compacted file, at most or a little more. Smaller ones let a short window read less that it does not need,
large ones let a long read of one series open fewer: with a week of 240 hourly series in 24 vintages both stay fast."""

SMALL_SHARE: Final = 4
"""A month file is merged with what arrives where it is at most so many times as large; else the new rows wait beside
it. So files that overlap differ in size by this factor, there are few of them, and a row is rewritten seldom."""

MAX_LANDING: Final = 64
"""Landing files at which an append compacts: a read opens each of those it cannot rule out."""

MAX_TAIL: Final = 64
"""Commits after the manifest at which an append writes a new one: a fresh reader opens each of them."""

MAX_COVERAGE: Final = 16
"""Coverage files at which a compaction makes them one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """What a compaction did.

    Attributes:
        files_before: Files merged.
        files_after: Files they became.
        rows: Rows in these.
        busy: True where another process was compacting, so that this one did nothing.
    """

    files_before: int = 0
    files_after: int = 0
    rows: int = 0
    busy: bool = False


def compact(journal: Journal, *, fully: bool = False) -> Compacted:
    """Merge the landing zone into month files; with ``fully``, also month files that overlap or are small."""
    with _alone(journal.root) as first:
        if not first:
            return Compacted(busy=True)
        state = journal.state()
        used: list[Entry] = []
        made: list[Entry] = []
        for month, old, new in _plan(journal.root, state, fully=fully):
            used += old
            made += _merged(journal.root, month, [*old, *new])
        used += state.landing
        covered = state.of("coverage")
        merge_coverage = len(covered) >= MAX_COVERAGE or (fully and len(covered) > 1)
        if merge_coverage:
            table = coverage.everything(journal.root, replace(state, coverage=()))
            made.append(write_coverage(journal.root, table, sequence=state.watermark))
            used += covered
        if used or state.sequence > state.watermark:
            _publish(journal, used, made)
        beliefs = [entry for entry in made if entry.dataset == "beliefs"]
        return Compacted(files_before=len(used), files_after=len(made), rows=sum(entry.rows for entry in beliefs))


def checkpoint(journal: Journal) -> State:
    """Write the commits since the manifest into a new one, and return the state that it describes."""
    with journal.exclusively() as state:
        if state.sequence == state.watermark:
            return state
        return _fold(journal, state, used=(), made=())


def tidy(journal: Journal) -> None:
    """Keep the landing zone and the journal's tail short; what an append does when it is done."""
    state = journal.state()
    if len(state.landing) >= MAX_LANDING:
        compact(journal)
    elif state.sequence - state.watermark >= MAX_TAIL:
        checkpoint(journal)


def _publish(journal: Journal, used: Sequence[Entry], made: Sequence[Entry]) -> None:
    with journal.exclusively() as state:
        written = [part.path for entry in made for part in entry.parts]
        if gone := [path for path in written if not (journal.root / path).exists()]:
            raise LakeError(f"{gone[0]} was removed before it was published; nothing changed: compact again")
        _fold(journal, state, used=used, made=made)


def _fold(journal: Journal, state: State, *, used: Sequence[Entry], made: Sequence[Entry]) -> State:
    """Make a manifest of ``state`` with some files replaced and its coverage rows in a file."""
    gone = {entry.path for entry in used}
    files = [entry for entry in state.files if entry.path not in gone]
    files += made
    if state.coverage:
        files.append(write_coverage(journal.root, coverage.frame(state.coverage), sequence=state.sequence))
    folded = replace(state, files=tuple(files), coverage=(), watermark=state.sequence)
    journal.replace_manifest(folded)
    return folded


def _plan(root: Path, state: State, *, fully: bool) -> Iterator[tuple[str, list[Entry], list[Entry]]]:
    """Yield for each month the month files to merge and the landing files that hold events of it."""
    landing: dict[str, list[Entry]] = {}
    for entry in state.landing:
        for month in Reader(root, [entry]).months():
            landing.setdefault(month, []).append(entry)
    filed: dict[str, list[Entry]] = {}
    for entry in state.of("beliefs"):
        if entry.month is not None:
            filed.setdefault(entry.month, []).append(entry)
    for month in sorted({*landing, *(filed if fully else ())}):
        new, there = landing.get(month, []), filed.get(month, [])
        old = _untidy(there, new) if fully else _worth_merging(there, new, month)
        if new or old:
            yield month, old, new


def _worth_merging(filed: Sequence[Entry], new: Sequence[Entry], month: str) -> list[Entry]:
    """Return the month files that overlap the new rows and are not too large to be rewritten for them."""
    start, end = (micros(moment) for moment in _month_ends(month))
    first = max(min(entry.event_min for entry in new), start)
    last = min(max(entry.event_max for entry in new), end - 1)
    gathered = sum(entry.rows for entry in new)
    chosen = []
    for entry in sorted(filed, key=lambda entry: entry.rows):
        if entry.event_min <= last and entry.event_max >= first and entry.rows <= SMALL_SHARE * gathered:
            chosen.append(entry)
            gathered += entry.rows
    return chosen


def _untidy(filed: list[Entry], new: Sequence[Entry]) -> list[Entry]:
    """Return all files of a month if something arrived, some overlap, or several are small; else none."""
    in_order = sorted(filed, key=lambda entry: entry.event_min)
    overlap = any(later.event_min <= earlier.event_max for earlier, later in pairwise(in_order))
    several_small = sum(entry.rows < FILE_ROWS // 2 for entry in filed) > 1
    return filed if new or overlap or several_small else []


def _merged(root: Path, month: str, entries: Sequence[Entry]) -> list[Entry]:
    """Write the rows of a month as sorted files whose events do not overlap, a few slices in memory at a time."""
    reader = Reader(root, entries)
    sequence = max(entry.sequence for entry in entries)

    def write(span: tuple[datetime, datetime]) -> Entry | None:
        rows = reader.rows(Request(series=Series(("*",)), start=span[0], end=span[1]), list(STORED))
        if rows.is_empty():
            return None
        # Columns that are null throughout are not carried through the sort, and a sort of one chunk is the faster.
        empty = [name for name in OPTIONAL if name not in VOICE and rows[name].null_count() == rows.height]
        rows = in_order(with_key(rows.drop(empty).rechunk()), TOTAL_ORDER)
        return write_beliefs(root, f"beliefs/{month}", rows, sequence=sequence, month=month)

    # Reading, sorting and encoding a slice leave a core idle in turns: two slices at once keep two busy.
    with ThreadPoolExecutor(max_workers=2) as pool:
        written = pool.map(write, reader.slices(*_month_ends(month), FILE_ROWS))
        return [entry for entry in written if entry is not None]


def _month_ends(month: str) -> tuple[datetime, datetime]:
    start = datetime.fromisoformat(f"{month}-01T00:00:00+00:00")
    return start, (start + timedelta(days=31)).replace(day=1)


@contextmanager
def _alone(root: Path) -> Generator[bool]:
    """Yield True to one compaction at a time; a killed one lets go by dying."""
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root / "compaction.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
