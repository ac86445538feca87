"""Upkeep: garbage collection, backup, restore, export, and how the lake stands.

Put here: what an operator does to the files. Keep out: what a reader or writer does.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import orjson

from domain.beliefs import CANONICAL
from domain.distributions import unfold
from domain.errors import LakeError
from domain.order import in_order, with_key
from domain.revisions import STORED, TOTAL_ORDER
from resources.lake import coverage
from resources.lake.checking import orphans
from resources.lake.files import Entry, make_folder, moment_of, sync_folder, write_coverage
from resources.lake.journal import Journal, State
from resources.lake.reading import Reader
from resources.lake.request import Request, Series

STRAY_AGE: Final = timedelta(minutes=15)
"""Age from which a file that nobody ever named was left by a killed writer: one at work commits within seconds."""

EXECUTIONS: Final = "execution_log"
"""Folder of the execution log, whose day files are replaced whole (resources/execution_log.py)."""

EXPORT_COLUMNS: Final = (*CANONICAL, "recorded_at", "rev")
"""Columns of an export: `tailrace append --backfill` reads them back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How the lake stands; instants are None where it is empty.

    Attributes:
        sequence: Newest commit.
        recorded_at: Its instant [UTC].
        series: Distinct series.
        beliefs: Belief rows, a distribution counted once.
        numbers: Single numbers they state.
        files: Belief files.
        landing: Of these, files no compaction has merged yet.
        size_bytes: Bytes of belief files.
        event_first: First event [UTC].
        event_last: Last event [UTC].
        belief_newest: Newest belief_time [UTC].
        tail: Commits since the manifest.
        kept_manifests: Older manifests, from which earlier states can be read.
    """

    sequence: int
    recorded_at: datetime | None
    series: int
    beliefs: int
    numbers: int
    files: int
    landing: int
    size_bytes: int
    event_first: datetime | None
    event_last: datetime | None
    belief_newest: datetime | None
    tail: int
    kept_manifests: int


def status(journal: Journal) -> Status:
    """Return how the lake stands."""
    state = journal.state()
    beliefs = state.of("beliefs")
    first = min((entry.event_min for entry in beliefs), default=None)
    last = max((entry.event_max for entry in beliefs), default=None)
    newest = max((entry.belief_max for entry in beliefs), default=None)
    return Status(
        sequence=state.sequence,
        recorded_at=moment_of(state.recorded_at) if state.sequence else None,
        series=len(Reader(journal.root, beliefs).series(Series(("*",)))),
        beliefs=sum(entry.rows for entry in beliefs),
        numbers=sum(entry.numbers for entry in beliefs),
        files=len(beliefs),
        landing=len(state.landing),
        size_bytes=sum(part.size for entry in beliefs for part in entry.parts),
        event_first=None if first is None else moment_of(first),
        event_last=None if last is None else moment_of(last),
        belief_newest=None if newest is None else moment_of(newest),
        tail=state.sequence - state.watermark,
        kept_manifests=len(list((journal.root / "snapshots").glob("[0-9]*.json"))),
    )


def collect_garbage(journal: Journal, *, grace: timedelta) -> list[str]:
    """Remove what nobody has referred to for ``grace``, and return it, relative to the root.

    First the manifests that were replaced so long ago, then the commits that none of those left needs, then the files
    that only these named. Files that were never named are a writer's at work or a killed one's: they go when they
    are older than `STRAY_AGE` too. Ages are the file system's own: a clock that is moved removes nothing.

    Raises:
        LakeError: The grace period is negative.
    """
    if grace < timedelta(0):
        raise LakeError(f"a grace period of {grace} lies in the future; 0 removes all that can be removed")
    root = journal.root
    if not root.exists():
        return []
    now = _file_system_now(root)
    before = _named(journal)
    manifests = [path for path in (root / "snapshots").glob("[0-9]*.json") if now - _changed(path) >= grace]
    _remove(manifests)
    oldest = min((number for number, _ in journal.kept()), default=0)
    commits = [root / "commits" / f"{number:012d}.json" for number in journal.commits() if number <= oldest]
    _remove(commits)
    needed = _named(journal)
    nobodys = [root / name for name in orphans(journal, journal.state()) if name not in needed]
    strays = max(grace, STRAY_AGE)
    files = [path for path in nobodys if path.relative_to(root).as_posix() in before or now - _changed(path) >= strays]
    _remove(files)
    return sorted(path.relative_to(root).as_posix() for path in [*manifests, *commits, *files])


def copy(journal: Journal, target: Path) -> int:
    """Make ``target`` a lake with this one's newest state, raw bytes and execution log; return the files copied.

    What is there already is not copied again. Writers need not stop.

    Raises:
        LakeError: A file here is not what the journal says.
    """
    state = journal.state()
    parts = [part for entry in state.files for part in entry.parts]
    count = sum(_copy_checked(journal.root / part.path, target / part.path, part) for part in parts)
    count += _copy_tree(journal.root / "raw", target / "raw")
    count += _copy_tree(journal.root / EXECUTIONS, target / EXECUTIONS)
    files = state.files
    if state.coverage:
        make_folder(target)
        files += (write_coverage(target, coverage.frame(state.coverage), sequence=state.sequence),)
    theirs = Journal(target, journal.now)
    with theirs.exclusively() as present:
        if (target / "commits").exists() and theirs.commits():
            raise LakeError(
                f"{target} is a lake that is written to (commit {present.sequence}); copy into another folder"
            )
        theirs.replace_manifest(
            State(sequence=state.sequence, recorded_at=state.recorded_at, files=files, watermark=state.sequence)
        )
    return count


def export(journal: Journal, target: Path, *, series: Series, start: datetime, end: datetime) -> list[Path]:
    """Write every belief about events in the window as plain rows, one Parquet file a month, and return the files."""
    reader = Reader(journal.root, journal.state().of("beliefs"))
    months = sorted(
        {moment_of(edge).replace(day=1, hour=0, minute=0, second=0, microsecond=0) for edge in _edges(reader)}
    )
    make_folder(target)
    written = []
    moment = months[0] if months else end
    while months and moment <= months[-1]:
        following = (moment + timedelta(days=31)).replace(day=1)
        first = max(moment, start)
        request = Request(series=series, start=first, end=max(min(following, end), first))
        rows = reader.rows(request, list(STORED))
        if rows.height:
            path = target / f"beliefs-{moment:%Y-%m}.parquet"
            temporary = path.with_name(f".{path.name}.tmp")
            unfold(in_order(with_key(rows), TOTAL_ORDER)).select(EXPORT_COLUMNS).write_parquet(temporary)
            temporary.rename(path)
            written.append(path)
        moment = following
    return written


def _edges(reader: Reader) -> Iterable[int]:
    for entry in reader.entries:
        yield entry.event_min
        yield entry.event_max


def _named(journal: Journal) -> set[str]:
    """Return every file that the manifests kept or the commits left name."""
    names: set[str] = set()
    for _, path in journal.kept():
        names.update(_paths(path.read_bytes()))
    for number in journal.commits():
        names.update(_paths((journal.root / "commits" / f"{number:012d}.json").read_bytes()))
    return names


def _paths(content: bytes) -> Iterable[str]:
    """Return the files that a manifest or a commit names."""
    for plain in orjson.loads(content)["files"]:
        yield from (part.path for part in Entry.from_json(plain).parts)


def _copy_checked(source: Path, target: Path, entry: Entry) -> bool:
    if target.exists() and target.stat().st_size == entry.size:
        return False
    content = source.read_bytes()
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise LakeError(f"{source} is not what commit {entry.sequence} wrote; nothing was made current in the copy")
    _copy(source, target)
    return True


def _copy_tree(source: Path, target: Path) -> int:
    """Copy the files that the target lacks or has as they were before."""
    count = 0
    for path in sorted(source.rglob("*")):
        there = target / path.relative_to(source)
        if not path.is_file() or path.name.startswith("."):
            continue
        same_size = there.exists() and there.stat().st_size == path.stat().st_size
        if same_size and _changed(there) >= _changed(path):
            continue
        _copy(path, there)
        count += 1
    return count


def _copy(source: Path, target: Path) -> None:
    make_folder(target.parent)
    temporary = target.with_name(f".{target.name}.tmp")
    shutil.copyfile(source, temporary)
    descriptor = os.open(temporary, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    temporary.rename(target)
    sync_folder(target.parent)


def _file_system_now(root: Path) -> datetime:
    probe = root / f".now.{uuid.uuid4().hex[:8]}.tmp"
    probe.touch()
    moment = _changed(probe)
    probe.unlink()
    return moment


def _changed(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:  # its writer has just renamed or removed it
        return datetime.max.replace(tzinfo=UTC)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
