"""Verification: is every file what its entry says, and is the lake without holes, doubles and strays?

Put here: looking. Keep out: mending (restore from a backup) and removing strays (upkeep.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import polars as pl

from domain.order import VOICE, changed, in_order, with_key
from domain.revisions import TOTAL_ORDER, last_of
from resources.lake.files import FILE_COLUMNS, Entry, moment_of
from resources.lake.journal import Journal, State
from resources.lake.reading import CHUNK_ROWS, Reader
from resources.lake.request import Request, Series

_BELIEF_REV = ("key", "event_start", "belief_time", "recorded_at", "rev")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a verification found.

    Attributes:
        sequence: Commit up to which the lake was looked at.
        files: Live files re-hashed and re-read.
        rows: Belief rows in them.
        problems: What is wrong, one sentence each; none in a sound lake.
        orphans: Files nobody refers to, relative to the root: left by a killed process, or replaced by a compaction
            and kept for readers. Harmless; ``gc`` removes them after its grace period.
    """

    sequence: int
    files: int
    rows: int
    problems: tuple[str, ...]
    orphans: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """True where nothing is wrong."""
        return not self.problems


def verify(journal: Journal) -> Verdict:
    """Re-hash and re-read every live file and hold the whole against the journal."""
    state = journal.state()
    problems = [*_in_journal(journal, state)]
    sound = []
    for entry in state.files:
        found = list(_in_file(journal.root, entry))
        problems += found
        if not found and entry.dataset == "beliefs":
            sound.append(entry)
    problems += _doubles(journal.root, sound)
    return Verdict(
        sequence=state.sequence,
        files=len(state.files),
        rows=sum(entry.rows for entry in state.of("beliefs")),
        problems=tuple(problems),
        orphans=tuple(orphans(journal, state)),
    )


def orphans(journal: Journal, state: State) -> list[str]:
    """Return data files that the state does not name, and temporary files, relative to the root."""
    live = {part.path for entry in state.files for part in entry.parts}
    root = journal.root
    present = [
        path
        for folder in ("beliefs", "coverage", "commits", "snapshots")
        for path in (root / folder).rglob("*")
        if path.is_file() and (path.suffix == ".parquet" or path.name.startswith("."))
    ]
    present += root.glob(".*.tmp")
    return sorted(name for path in present if (name := path.relative_to(root).as_posix()) not in live)


def _in_journal(journal: Journal, state: State) -> Iterator[str]:
    commits = journal.commits()
    after = [number for number in commits if number > state.watermark]
    if after != list(range(state.watermark + 1, state.watermark + 1 + len(after))):
        yield f"commits after the manifest ({state.watermark}) have a gap: {after}"
    if after and after[-1] > state.sequence:
        yield f"commit {after[-1]} exists, but the unbroken run ends at {state.sequence}"
    instants = [(entry.sequence, entry.recorded_at) for entry in state.landing if entry.recorded_at is not None]
    instants.sort()
    for (first, early), (second, late) in pairwise(instants):
        if late <= early:
            yield f"commit {second} was recorded at {moment_of(late)}, not after commit {first} at {moment_of(early)}"
    paths = [entry.path for entry in state.files]
    if len(set(paths)) < len(paths):
        yield f"{len(paths) - len(set(paths))} file(s) are named twice"


def _in_file(root: Path, entry: Entry) -> Iterator[str]:
    path = root / entry.path
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        yield f"{entry.path} is gone (commit {entry.sequence})"
        return
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        yield f"{entry.path} has {len(content)} bytes of another content than commit {entry.sequence} wrote"
        return
    rows = pl.read_parquet(content)
    if rows.height != entry.rows:
        yield f"{entry.path} has {rows.height} rows; the journal says {entry.rows}"
    if entry.dataset != "beliefs":
        return
    unknown = set(rows.columns) - set(FILE_COLUMNS)
    if unknown:
        yield f"{entry.path} has columns this version does not know: {', '.join(sorted(unknown))}"
    order = [name for name in TOTAL_ORDER if name in rows.columns]
    if not rows.select(order).equals(in_order(rows.select(order), order)):
        yield f"{entry.path} is not sorted by {', '.join(order)}"
    if not rows["newest"].equals(rows.select(newest=last_of(("key", "event_start")))["newest"]):
        yield f"{entry.path} marks the wrong rows as newest"
    voice = [name for name in VOICE if name in rows.columns]
    if not rows.select(changed(voice)).to_series().equals(rows.select(changed(["key"])).to_series()):
        yield f"{entry.path} numbers its voices wrongly"
    yield from _in_newest(root, entry.newest, rows.filter("newest"))
    events = rows["event_start"].to_physical()
    if (events.min(), events.max()) != (entry.event_min, entry.event_max):
        yield f"{entry.path} holds other events than the journal says"


def _in_newest(root: Path, entry: Entry | None, rows: pl.DataFrame) -> Iterator[str]:
    """Find out whether a file, if there is one, repeats the newest rows of another."""
    if entry is None:
        return
    path = root / entry.path
    if not path.exists():
        yield f"{entry.path} is gone (commit {entry.sequence})"
        return
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != entry.sha256 or not pl.read_parquet(content).equals(rows):
        yield f"{entry.path} does not repeat the newest rows of its month (commit {entry.sequence})"


def _doubles(root: Path, entries: Sequence[Entry]) -> Iterator[str]:
    """Find revisions that are stored twice, looking only where the events of files overlap."""
    for group in _overlapping(entries):
        reader = Reader(root, group)
        first = moment_of(min(entry.event_min for entry in group))
        last = moment_of(max(entry.event_max for entry in group) + 1)
        for start, end in reader.slices(first, last, CHUNK_ROWS):
            rows = with_key(reader.rows(Request(series=Series(("*",)), start=start, end=end), []))
            twice = rows.select(_BELIEF_REV).is_duplicated().sum()
            if twice:
                yield f"{twice} rows of events from {start} to {end} are stored more than once"


def _overlapping(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    group: list[Entry] = []
    for entry in sorted(entries, key=lambda entry: entry.event_min):
        if group and entry.event_min > max(other.event_max for other in group):
            yield group
            group = []
        group.append(entry)
    if group:
        yield group
