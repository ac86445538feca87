"""The execution log in the lake: one Parquet file a UTC day of intervals, written from the operational database.

The database takes acknowledgements as they come and knows each interval once; the lake keeps them for ever and is what
analysts read. A day's file is replaced whole, by rename, while the day may still change. Put here: those files.
Keep out: transactions (fleet_log.py).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from uuid import uuid4

import polars as pl

from resources.fleet_line import MEMORY
from resources.fleet_log import FleetLog


class ExecutionLog:
    """The day files.

    Args:
        root: The lake's folder; the files are in ``execution_log`` in it.
    """

    def __init__(self, root: Path) -> None:
        self.folder = root / "execution_log"

    def write_changed(self, log: FleetLog, *, now: datetime) -> Mapping[date, int]:
        """Bring the lake up to date and let the database forget what is old; return the rows of each day written.

        Killed in between, it writes a day again, with the same rows.
        """
        written = {}
        for day, changed in log.changed_days():
            start = datetime.combine(day, time(), tzinfo=UTC)
            rows = log.executions(start, start + timedelta(days=1))
            self._replace(day, rows)
            log.mark_written(day, changed)
            written[day] = rows.height
        log.forget(now - MEMORY - timedelta(days=1))
        return written

    def _replace(self, day: date, rows: pl.DataFrame) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = self.folder / f".{day}-{uuid4().hex}"
        rows.write_parquet(beside, compression="zstd")
        descriptor = os.open(beside, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        beside.replace(self.folder / f"{day}.parquet")

    def files(self, start: date, end: date) -> list[Path]:
        """Return the files of the UTC days from ``start`` to before ``end`` that are there."""
        days = [start + timedelta(days=n) for n in range((end - start).days)]
        return [path for day in days if (path := self.folder / f"{day}.parquet").is_file()]

    def read(self, start: date, end: date) -> pl.DataFrame:
        """Return the log of the UTC days from ``start`` to before ``end``."""
        files = self.files(start, end)
        return pl.concat([pl.read_parquet(path) for path in files]) if files else pl.DataFrame()
