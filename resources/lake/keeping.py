"""Keeping: the upkeep of a lake, for operators, and its files, for SQL.

Put here: the half of the lake's class that a decision never calls. Keep out: how it is done (compaction.py,
checking.py, upkeep.py, sql.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from domain.errors import LakeError
from resources.lake import checking, compaction, sql, upkeep
from resources.lake.checking import Verdict
from resources.lake.compaction import Compacted
from resources.lake.files import moment_of
from resources.lake.journal import Journal
from resources.lake.request import Series
from resources.lake.upkeep import Status


class DuckDB(Protocol):
    """What the lake needs of a DuckDB connection."""

    def execute(self, query: str) -> object:
        """Run one statement."""
        ...


class Kept:
    """A lake's files and commits.

    Args:
        journal: The commits; they know the root.
    """

    def __init__(self, journal: Journal) -> None:
        self.root = journal.root
        self._journal = journal

    def compact(self, *, fully: bool = False) -> Compacted:
        """Merge landing files into month files; with ``fully``, also month files that overlap or are small.

        Appends do this by themselves whenever the landing zone has grown.
        """
        return compaction.compact(self._journal, fully=fully)

    def verify(self) -> Verdict:
        """Re-hash and re-read every live file; say what is wrong, and which files nobody refers to."""
        return checking.verify(self._journal)

    def gc(self, *, grace: timedelta) -> list[str]:
        """Remove files that nobody has referred to for ``grace``, and return their names relative to the root.

        A read or write that takes longer than ``grace`` may lose its files: an hour is generous.
        """
        return upkeep.collect_garbage(self._journal, grace=grace)

    def status(self) -> Status:
        """Return how the lake stands."""
        return upkeep.status(self._journal)

    def backup(self, target: Path) -> int:
        """Make ``target`` a copy of the newest state and the raw bytes, while others write; return files copied.

        Again into the same folder copies only what is new.
        """
        return upkeep.copy(self._journal, target)

    def restore(self, source: Path) -> int:
        """Fill this empty lake from a backup; return how many files were copied.

        Raises:
            LakeError: This lake is not empty, or a file of the backup is damaged.
        """
        state = self._journal.state()
        if state.sequence:
            raise LakeError(f"{self.root} holds {state.sequence} commits; restore into an empty folder")
        backup = Journal(source, self._journal.now)
        if not backup.state().sequence:
            raise LakeError(f"{source} holds no lake; name the folder that a backup was made into")
        return upkeep.copy(backup, self.root)

    def export(self, target: Path, *, pattern: str | Sequence[str] = "*", start: datetime, end: datetime) -> list[Path]:
        """Write every belief about events in the window as plain rows, one Parquet file a month, into a folder.

        ``append_history`` reads them back.
        """
        return upkeep.export(self._journal, target, series=Series.of(pattern), start=start, end=end)

    def scan_sql(self, view: str = "beliefs") -> str:
        """Return a SELECT over the files of this moment, for DuckDB: ``beliefs``, ``latest`` or ``coverage``.

        Columns and types are in `sql.COLUMNS`. The files stay as long as the grace period of `gc`.
        """
        return sql.select(self.root, compaction.checkpoint(self._journal), view)

    def create_views(self, connection: DuckDB, *, schema: str = "lake") -> None:
        """Create the views ``beliefs``, ``latest`` and ``coverage`` of one state in a DuckDB connection."""
        state = compaction.checkpoint(self._journal)
        connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        for view in sql.COLUMNS:
            connection.execute(f'CREATE OR REPLACE VIEW "{schema}"."{view}" AS {sql.select(self.root, state, view)}')

    def files(self, dataset: str = "beliefs") -> list[Path]:
        """Return the Parquet files of a dataset (``beliefs``, ``coverage``) of this moment.

        Rows of the landing zone carry no ``recorded_at``, and distributions are folded: `scan_sql` sees to both.
        """
        return [self.root / entry.path for entry in compaction.checkpoint(self._journal).of(dataset)]

    def recorded_files(self, dataset: str = "beliefs") -> list[tuple[Path, datetime | None]]:
        """Return ``files``, each with the instant all its rows were recorded at; None where rows carry their own."""
        entries = compaction.checkpoint(self._journal).of(dataset)
        return [
            (self.root / entry.path, None if entry.recorded_at is None else moment_of(entry.recorded_at))
            for entry in entries
        ]
