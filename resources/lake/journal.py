"""The journal: which files make up the lake at each commit.

A commit is one small file, ``commits/<sequence>.json``, that appears by rename under a lock which nobody holds for
longer than that. ``manifest.json``, replaced whole, says what the first so many commits add up to; the manifest and
the unbroken run of commits after it are the lake. Readers take no lock. Put here: commits, manifests, the lock.
Keep out: what is in the files.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from domain.errors import LakeError
from resources.lake.files import Entry, make_folder, micros, write_atomically

FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The lake after one commit.

    Attributes:
        sequence: That commit; 0 is the empty lake.
        recorded_at: Its instant [microseconds since 1970]. Every later commit is strictly later.
        watermark: Commit up to which the manifest speaks.
        files: Every live file.
        coverage: Coverage rows of the commits after the watermark; older ones are in coverage files.
        manifest: Identity of the manifest file that was read.
    """

    sequence: int = 0
    recorded_at: int = 0
    watermark: int = 0
    files: tuple[Entry, ...] = ()
    coverage: tuple[Mapping[str, Any], ...] = ()
    manifest: tuple[int, int, int] | None = None

    def of(self, dataset: str) -> list[Entry]:
        """Return the files of one dataset."""
        return [entry for entry in self.files if entry.dataset == dataset]

    @property
    def landing(self) -> list[Entry]:
        """Belief files that no compaction has merged yet."""
        return [entry for entry in self.files if entry.dataset == "beliefs" and entry.month is None]

    def after(self, commit: Mapping[str, Any]) -> State:
        """Return the lake after one more commit."""
        return replace(
            self,
            sequence=commit["sequence"],
            recorded_at=commit["recorded_at"],
            files=(*self.files, *(Entry.from_json(plain) for plain in commit["files"])),
            coverage=(*self.coverage, *commit["coverage"]),
        )


@dataclass(slots=True)
class Journal:
    """Reads and extends the run of commits under one root."""

    root: Path
    now: Callable[[], datetime]
    _seen: State = field(default_factory=State)

    def state(self) -> State:
        """Return the newest state. Takes no lock; what it returns stays true of its commit for ever."""
        state = self._seen
        identity = self._identity()
        if identity != state.manifest:
            state = self._from_manifest(self.root / "manifest.json", identity)
        seen = self._followed(state)
        self._seen = seen
        return seen

    def state_holding(self, recorded_before: int) -> State:
        """Return a state that no later commit can add rows to at or before ``recorded_before``.

        A commit in flight may have taken its instant and not have appeared yet: where the cutoff is later than the
        newest commit seen, the lock is taken once, which waits for it.
        """
        state = self.state()
        if recorded_before <= state.recorded_at or not (self.root / "lock").exists():
            return state
        with self._locked(fcntl.LOCK_SH):
            return self.state()

    def at(self, sequence: int) -> State:
        """Return the state after commit ``sequence``, from the manifest kept before it and the commits since.

        Raises:
            LakeError: Garbage collection has removed what it takes.
        """
        kept = [found for found in self.kept() if found[0] <= sequence]
        number, path = kept[-1] if kept else (0, None)
        state = self._from_manifest(path, None) if path else State()
        while state.sequence < sequence:
            commit = self._commit(state.sequence + 1)
            if commit is None:
                raise LakeError(
                    f"snapshot {sequence} cannot be rebuilt: commit {state.sequence + 1} is gone (manifest {number});"
                    f" the newest is {self.state().sequence}, and older ones last as long as the grace period of gc"
                )
            state = state.after(commit)
        return state

    def kept(self) -> list[tuple[int, Path]]:
        """Return the manifests kept and the current one, by sequence."""
        paths = [*(self.root / "snapshots").glob("[0-9]*.json"), self.root / "manifest.json"]
        found = []
        for path in paths:
            try:
                found.append((int(orjson.loads(path.read_bytes())["sequence"]), path))
            except FileNotFoundError:
                continue
        return sorted(found)

    @contextmanager
    def exclusively(self) -> Generator[State]:
        """Hold the commit lock and yield the state, which nobody can move meanwhile."""
        with self._locked(fcntl.LOCK_EX):
            yield self.state()

    def next_instant(self, state: State) -> int:
        """Return the recorded_at of the commit after ``state``: now, and later than every commit before it."""
        return max(micros(self.now()), state.recorded_at + 1)

    def commit(
        self,
        state: State,
        *,
        recorded_at: int,
        files: Sequence[Entry],
        coverage: Sequence[Mapping[str, Any]],
        note: Mapping[str, Any],
    ) -> State:
        """Publish files and coverage as the commit after ``state``. Only while the lock is held."""
        sequence = state.sequence + 1
        commit = {
            "sequence": sequence,
            "recorded_at": recorded_at,
            **note,
            "files": [entry.committed(sequence, recorded_at).as_json() for entry in files],
            "coverage": [{"recorded_at": recorded_at, **row} for row in coverage],
        }
        folder = self.root / "commits"
        make_folder(folder)
        write_atomically(folder / _name(sequence), orjson.dumps(commit))
        self._seen = state.after(commit)
        return self._seen

    def replace_manifest(self, state: State) -> None:
        """Make ``state`` the manifest, and keep the one before it. Only while the lock is held."""
        current = self.root / "manifest.json"
        before = current.read_bytes() if current.exists() else _manifest(State())
        folder = self.root / "snapshots"
        make_folder(folder)
        # Its age is the time of its replacement: garbage collection counts the grace period from there.
        name = f"{orjson.loads(before)['sequence']:012d}-{uuid.uuid4().hex[:8]}.json"
        write_atomically(folder / name, before)
        write_atomically(current, _manifest(state))

    def commits(self) -> list[int]:
        """Return the sequences of the commit files present."""
        return sorted(int(path.stem) for path in (self.root / "commits").glob("[0-9]*.json"))

    def _followed(self, state: State) -> State:
        while (commit := self._commit(state.sequence + 1)) is not None:
            state = state.after(commit)
        return state

    def _commit(self, sequence: int) -> dict[str, Any] | None:
        try:
            return orjson.loads((self.root / "commits" / _name(sequence)).read_bytes())
        except FileNotFoundError:
            return None

    def _identity(self) -> tuple[int, int, int] | None:
        try:
            found = (self.root / "manifest.json").stat()
        except FileNotFoundError:
            return None
        return (found.st_ino, found.st_mtime_ns, found.st_size)

    def _from_manifest(self, path: Path, identity: tuple[int, int, int] | None) -> State:
        plain = orjson.loads(path.read_bytes())
        if plain["format"] > FORMAT:
            raise LakeError(f"{path} has format {plain['format']}; this version reads up to {FORMAT}: upgrade it")
        return State(
            sequence=plain["sequence"],
            recorded_at=plain["recorded_at"],
            watermark=plain["sequence"],
            files=tuple(Entry.from_json(entry) for entry in plain["files"]),
            manifest=identity,
        )

    @contextmanager
    def _locked(self, how: int) -> Generator[None]:
        make_folder(self.root)
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)


def _manifest(state: State) -> bytes:
    plain = {
        "format": FORMAT,
        "sequence": state.sequence,
        "recorded_at": state.recorded_at,
        "files": [entry.as_json() for entry in state.files],
    }
    return orjson.dumps(plain, option=orjson.OPT_INDENT_2)


def _name(sequence: int) -> str:
    return f"{sequence:012d}.json"
