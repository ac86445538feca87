"""Files: how a sorted frame of beliefs becomes one immutable Parquet file, and what is remembered of it.

Put here: atomic writing, the stored columns, the statistics by which a reader skips a file. Keep out: which files
make up the lake (journal.py).
"""

from __future__ import annotations

import hashlib
import io
import os
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl

from domain.distributions import stated_numbers
from domain.order import changed
from domain.revisions import STORED, last_of

COMPRESSION: Final = "lz4"
"""LZ4 makes reads twice as fast as zstd does, for 3.3 instead of 1.5 bytes a row (measured in benchmarks/lake.py's
data; values of full precision take 8 bytes under either)."""

ROW_GROUP: Final = 131_072
"""Rows a row group. Large ones keep footers short; within one, a reader decodes only the pages that hold its rows."""

PAGE_BYTES: Final = 131_072
"""Bytes a page before encoding: 16,384 times, which is a month of one hourly series in 24 vintages."""

WORTH_REPEATING: Final = 3
"""Statements an event of a compacted file has on average from which its newest are worth a file of their own."""

FILE_COLUMNS: Final[dict[str, pl.DataType]] = {"key": pl.UInt32(), **STORED, "newest": pl.Boolean()}
"""Every column a belief file may have. ``key`` ranks the voice within the file, so that neighbours are compared as
integers; ``newest`` is True on the row that wins where no cutoff excludes any row of the file."""

OPTIONAL: Final = ("member", "grid", "quantiles", "quality_detail", "recorded_at")
"""Left out where all null (``recorded_at``: where one instant holds for the whole file). A column that is added
later belongs here: files written before it are read as null and never rewritten."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of the lake, and what a reader must know to leave it closed. Times in microseconds since 1970.

    Attributes:
        path: Relative to the lake's root, with slashes.
        dataset: ``beliefs`` or ``coverage``.
        sequence: Commit that brought it.
        rows: Rows in it; ``numbers`` counts the single numbers they state.
        size: Bytes.
        sha256: Hash of the bytes.
        recorded_at: The instant of all its rows, where its rows carry none of their own.
        month: ``2026-11`` of a compacted file, None in the landing zone.
        columns: Optional columns present.
        voices: Distinct voices in it.
        winners: Rows marked newest.
        newest: Where the file is a compacted one, another that repeats its rows marked newest: what a read takes when
            no cutoff excludes any row.
    """

    path: str
    dataset: str
    sequence: int
    rows: int
    numbers: int
    size: int
    sha256: str
    recorded_at: int | None
    month: str | None
    columns: tuple[str, ...]
    voices: int
    winners: int
    event_min: int
    event_max: int
    belief_min: int
    belief_max: int
    recorded_min: int
    recorded_max: int
    series_min: str
    series_max: str
    newest: Entry | None = None

    @property
    def parts(self) -> list[Entry]:
        """The file, and the one that repeats its newest rows."""
        return [self] if self.newest is None else [self, self.newest]

    def as_json(self) -> dict[str, Any]:
        """Return the entry as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Entry:
        """Read an entry; names it does not know were written by a newer version and are ignored."""
        known: dict[str, Any] = {field.name: plain[field.name] for field in fields(cls) if field.name != "newest"}
        known["columns"] = tuple(known["columns"])
        known["newest"] = cls.from_json(plain["newest"]) if plain.get("newest") else None
        return cls(**known)

    def committed(self, sequence: int, recorded_at: int) -> Entry:
        """Return the entry as a commit publishes it."""
        if self.recorded_min:
            return replace(self, sequence=sequence)
        return replace(
            self, sequence=sequence, recorded_at=recorded_at, recorded_min=recorded_at, recorded_max=recorded_at
        )


def micros(moment: datetime) -> int:
    """Return microseconds since 1970, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_of(micros_since_1970: int) -> datetime:
    """Return the UTC instant of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=micros_since_1970)


def write_atomically(path: Path, content: bytes) -> None:
    """Make ``path`` hold ``content``, durably, or leave it as it was: temporary name, fsync, rename, fsync.

    Temporary names begin with a dot: nobody reads them, whoever crashed.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, durably."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_beliefs(root: Path, folder: str, rows: pl.DataFrame, *, sequence: int = 0, month: str | None = None) -> Entry:
    """Write sorted beliefs as a new file under a name nobody else uses, and return its entry.

    Args:
        root: The lake's root.
        folder: Relative folder.
        rows: ``key`` and the columns of ``STORED``, in total order; ``recorded_at`` may be absent.
        sequence: Commit that brings the file; 0 where the commit will tell.
        month: Month of the events, for a compacted file.
    """
    rows = rows.with_columns(newest=last_of(("key", "event_start")))
    absent = [name for name in OPTIONAL if name in rows.columns and rows[name].null_count() == rows.height]
    rows = rows.select(name for name in FILE_COLUMNS if name in rows.columns and name not in absent)
    entry = _written(root, folder, rows, dataset="beliefs", sequence=sequence, month=month)
    if month is None or entry.winners * WORTH_REPEATING > entry.rows:
        return entry
    newest = _written(root, folder, rows.filter("newest"), dataset="beliefs", sequence=sequence, month=month)
    return replace(entry, newest=newest)


def write_coverage(root: Path, rows: pl.DataFrame, *, sequence: int) -> Entry:
    """Write coverage rows as a new file and return its entry."""
    return _written(root, "coverage", rows, dataset="coverage", sequence=sequence, month=None)


def _written(root: Path, folder: str, rows: pl.DataFrame, *, dataset: str, sequence: int, month: str | None) -> Entry:
    buffer = io.BytesIO()
    rows.write_parquet(buffer, compression=COMPRESSION, row_group_size=ROW_GROUP, data_page_size=PAGE_BYTES)
    content = buffer.getvalue()
    path = root / folder / f"{uuid.uuid4().hex}.parquet"
    make_folder(path.parent)
    write_atomically(path, content)
    ends = _ends(rows)
    return Entry(
        path=path.relative_to(root).as_posix(),
        dataset=dataset,
        sequence=sequence,
        rows=rows.height,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        recorded_at=None,
        month=month,
        columns=tuple(name for name in OPTIONAL if name in rows.columns),
        **ends,
    )


def _ends(rows: pl.DataFrame) -> dict[str, Any]:
    """Return the smallest and largest of the columns by which a file can be skipped."""
    times = {"event": "event_start", "belief": "belief_time", "recorded": "recorded_at"}
    ends: dict[str, Any] = {}
    for name, column in times.items():
        physical = rows[column].to_physical() if column in rows.columns else pl.Series([], dtype=pl.Int64)
        ends[f"{name}_min"], ends[f"{name}_max"] = physical.min() or 0, physical.max() or 0
    series = rows["series_id"] if "series_id" in rows.columns else pl.Series([""])
    numbers = rows.height
    if "grid" in rows.columns:
        numbers = int(rows.select(stated_numbers(pl.col("grid")).sum()).item())
    ends |= {"series_min": series.min(), "series_max": series.max(), "numbers": numbers}
    voices = int(rows.select(changed(["key"]).sum()).item()) if "key" in rows.columns else 0
    return {**ends, "voices": voices, "winners": int(rows["newest"].sum()) if "newest" in rows.columns else 0}
