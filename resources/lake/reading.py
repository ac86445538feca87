"""Reading: the rows a request may see, from no more files and row groups than it takes.

Put here: which files are opened, in which groups, and the winners among their rows. Keep out: what a request names
(request.py), the shape of an answer (answers.py), commits (journal.py).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow.parquet as pq

from domain.beliefs import TIME
from domain.order import VOICE
from domain.revisions import STORED, TOTAL_ORDER, last_of, winners
from resources.lake.files import FILE_COLUMNS, OPTIONAL, Entry, moment_of
from resources.lake.request import Request, Series

CHUNK_ROWS: Final = 2_200_000
"""Rows read at once: bounds the memory of a read over many files at about 300 MB beside its result."""

SPAN_ROWS: Final = 250_000
"""Winners that a read which keeps few of them looks at together."""

SMALL_ROWS: Final = 100_000
"""Landing files below this are scanned together: opening a scan costs more than reading one of them."""

_FILE: Final = "file"


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads rows of one state of the lake."""

    root: Path
    entries: Sequence[Entry]

    def winners(self, request: Request, columns: Sequence[str]) -> pl.DataFrame:
        """Return the winning row of every voice and event the request may see.

        Args:
            request: What may be seen.
            columns: Columns of ``STORED`` wanted besides those of the total order and the voice.

        Returns:
            Those columns, in no promised order.
        """
        wanted = _with_order(columns)
        frames = [
            _resolved(list(self._parts(lane, request, wanted, newest=True)), lane) for lane in self._lanes(request)
        ]
        frames = sorted((frame for frame in frames if frame.height), key=lambda frame: frame.height)
        return _contested(frames[-1], frames[:-1]) if frames else _nothing(wanted)

    def rows(self, request: Request, columns: Sequence[str]) -> pl.DataFrame:
        """Return every row the request may see, in no promised order."""
        wanted = _with_order(columns)
        parts = [part for lane in self._lanes(request) for part in self._parts(lane, request, wanted, newest=False)]
        return pl.concat(parts) if parts else _nothing(wanted)

    def spans(self, request: Request) -> list[tuple[datetime, datetime]]:
        """Return the window of a request in parts, of which each has some ``SPAN_ROWS`` winners by the files' count."""
        needed = [entry for entry in self.entries if request.needs(entry)]
        count = math.ceil(sum(entry.winners for entry in needed) / SPAN_ROWS)
        if count <= 1:  # one part is the window
            return [(request.start, request.end)]
        first = max(request.start, moment_of(min(entry.event_min for entry in needed)))
        last = min(request.end, moment_of(max(entry.event_max for entry in needed)))
        cuts = [first + (last - first) * number / count for number in range(1, count)]
        return list(pairwise([request.start, *cuts, request.end]))

    def reaches(self, request: Request) -> Iterator[str]:
        """Yield further and further series up to which to read for the beginning of an answer.

        They are those at which row groups end, so that a reader skips what lies beyond.
        """
        start = request.series_from or ""
        needed = [entry for entry in self.entries if request.needs(entry) and not _is_small(entry)]
        ends = sorted({end for entry in needed for end in _group_ends(self.root / entry.path) if end >= start})
        reach = 1
        while reach < len(ends):
            yield ends[reach - 1]
            reach *= 2

    def slices(self, start: datetime, end: datetime, size: int) -> Iterator[tuple[datetime, datetime]]:
        """Yield spans from ``start`` to ``end``, cut where UTC days begin: as few as can, about equal."""
        if sum(entry.rows for entry in self.entries) > size:
            event = pl.col("event_start")
            within = (event >= pl.lit(start, TIME)) & (event < pl.lit(end, TIME))
            days = self._counted(event.dt.truncate("1d"), within)
            fair = days.total() / max(1, math.ceil(days.total() / size))
            behind, cuts = 0, 0
            for (day,), rows in sorted(days.items()):
                if behind and behind + rows / 2 > (cuts + 1) * fair:
                    yield start, day
                    start, cuts = day, cuts + 1
                behind += rows
        yield start, end

    def months(self) -> list[str]:
        """Return the months that have events, such as ``2026-11``."""
        ends = {f"{moment_of(end):%Y-%m}" for entry in self.entries for end in (entry.event_min, entry.event_max)}
        if len(ends) == 1:  # nothing to look up in the files
            return list(ends)
        return sorted(month for (month,) in self._counted(pl.col("event_start").dt.strftime("%Y-%m"), pl.lit(True)))

    def _counted(self, by: pl.Expr, within: pl.Expr) -> Counter[tuple[Any, ...]]:
        found: Counter[tuple[Any, ...]] = Counter()
        for entry in self.entries:
            query = pl.scan_parquet(self.root / entry.path, glob=False).select("event_start").filter(within)
            counts = query.group_by("event_start").len().group_by(by.alias("group")).agg(pl.col("len").sum()).collect()
            for group, rows in counts.iter_rows():
                found[group,] += rows
        return found

    def series(self, series: Series) -> list[str]:
        """Return the distinct ids stored that match, sorted."""
        return sorted({row[0] for row in self._distinct(series, "series_id")})

    def units(self, series: Series) -> dict[str, str]:
        """Return the unit of each stored series that matches; of one held in several, the last by name."""
        return dict(sorted((name, unit) for name, unit in self._distinct(series, "series_id", "unit")))

    def _distinct(self, series: Series, *columns: str) -> set[tuple[str, ...]]:
        found: set[tuple[str, ...]] = set()
        for entry in self.entries:
            if not series.may_be_in(entry):
                continue
            query = pl.scan_parquet(self.root / entry.path, glob=False)
            if series.expression is not None:
                query = query.filter(series.expression)
            found.update(query.select(columns).unique().collect().rows())
        return found

    def _lanes(self, request: Request) -> list[list[Entry]]:
        """Return the files needed, grouped into scans.

        One group holds the many small files of the landing zone, whose events overlap. In every other group they do
        not, so that the rows of one voice and event are neighbours in one file.
        """
        needed = [entry for entry in self.entries if request.needs(entry)]
        small = [entry for entry in needed if _is_small(entry)]
        lanes: list[list[Entry]] = []
        for entry in sorted((e for e in needed if not _is_small(e)), key=lambda e: (e.event_min, e.event_max)):
            lane = next((lane for lane in lanes if _follows(lane[-1], entry)), None)
            if lane is None:
                lanes.append([entry])
            else:
                lane.append(entry)
        return [*lanes, small] if small else lanes

    def _parts(
        self, lane: Sequence[Entry], request: Request, wanted: Sequence[str], *, newest: bool
    ) -> Iterator[pl.DataFrame]:
        """Yield the rows of a lane that the request may see; with ``newest``, of each file only its winners."""
        for chunk, cut in _chunks(lane, request, newest=newest):
            tests = request.filters(chunk, cut=cut)
            if newest and not cut:
                tests.append(pl.col("newest"))
            if request.narrow is not None:
                tests.append(request.narrow)
            query = _scan(self.root, [e.newest or e for e in chunk] if newest and not cut else chunk)
            for test in tests:
                query = query.filter(test)
            ranked = newest and cut and not _is_small(chunk[0])
            there = _columns(chunk)
            needed = [*(["key"] if ranked else []), *([_FILE] if len(chunk) > 1 else []), *wanted]
            # Inside the query: a column added to what it returns would have all its chunks copied into one.
            one_instant = [_recorded_at(chunk[0])] if len(chunk) == 1 and _FILE in there else []
            rows = query.select(*(name for name in needed if name in there), *one_instant).collect()
            rows = _with_instants(rows, chunk)
            if ranked:
                rows = rows.filter(last_of(("key", "event_start")))
            yield _complete(rows, wanted)


def _with_order(columns: Sequence[str]) -> list[str]:
    needed = {*VOICE, *TOTAL_ORDER, *columns}
    return [name for name in STORED if name in needed]


def _is_small(entry: Entry) -> bool:
    return entry.recorded_at is not None and entry.rows < SMALL_ROWS


def _follows(before: Entry, entry: Entry) -> bool:
    """Return whether two files may be scanned as one: no shared event, and neither needs a constant of its own."""
    return before.event_max < entry.event_min and before.recorded_at is None and entry.recorded_at is None


def _chunks(lane: Sequence[Entry], request: Request, *, newest: bool) -> Iterator[tuple[list[Entry], bool]]:
    """Yield the files of a lane, as many at once as are expected to yield ``CHUNK_ROWS`` rows, and if cutoffs apply.

    Files in which a cutoff may exclude rows are read apart from those in which the rows marked newest are the winners.
    """
    for cut in (False, True):
        chunk: list[Entry] = []
        room = float(CHUNK_ROWS)
        for entry in (entry for entry in lane if request.cuts(entry) is cut):
            expected = (entry.winners if newest and not cut else entry.rows) * request.series.share_of(entry)
            if chunk and expected > room:
                yield chunk, cut
                chunk, room = [], float(CHUNK_ROWS)
            chunk.append(entry)
            room -= expected
        if chunk:
            yield chunk, cut


def _group_ends(path: Path) -> Iterator[str]:
    """Yield the last series of each row group."""
    footer = pq.read_metadata(path)
    column = footer.schema.to_arrow_schema().get_field_index("series_id")
    for number in range(footer.num_row_groups):
        bounds = footer.row_group(number).column(column).statistics
        if bounds is not None and bounds.has_min_max:
            yield bounds.max


def _columns(entries: Sequence[Entry]) -> list[str]:
    """Return the columns a scan of these files has; a column that none of them holds is not asked for."""
    absent = set(OPTIONAL) - {name for entry in entries for name in entry.columns}
    return [*([_FILE] if entries[0].recorded_at is not None else []), *(n for n in FILE_COLUMNS if n not in absent)]


def _scan(root: Path, entries: Sequence[Entry]) -> pl.LazyFrame:
    columns = _columns(entries)
    return pl.scan_parquet(
        [root / entry.path for entry in entries],
        schema={name: FILE_COLUMNS[name] for name in columns if name != _FILE},
        missing_columns="insert",
        extra_columns="ignore",
        glob=False,
        include_file_paths=_FILE if _FILE in columns else None,
    )


def _recorded_at(entry: Entry) -> pl.Expr:
    return pl.lit(moment_of(entry.recorded_at or 0), TIME).alias("recorded_at")


def _with_instants(rows: pl.DataFrame, entries: Sequence[Entry]) -> pl.DataFrame:
    """Return rows of several files that have one recorded_at each with that column."""
    if _FILE not in rows.columns or "recorded_at" in rows.columns:
        return rows
    instants = {entry.path: moment_of(entry.recorded_at or 0) for entry in entries}
    if rows.is_empty():
        return rows.with_columns(_recorded_at(entries[0]))
    names = rows[_FILE].unique()
    known = pl.Series([instants[name[-len(entries[0].path) :]] for name in names], dtype=TIME)
    return rows.with_columns(recorded_at=pl.col(_FILE).replace_strict(names, known, return_dtype=TIME))


def _complete(rows: pl.DataFrame, wanted: Sequence[str]) -> pl.DataFrame:
    return rows.select(
        pl.col(name) if name in rows.columns else pl.lit(None, STORED[name]).alias(name) for name in wanted
    )


def _nothing(wanted: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(schema={name: STORED[name] for name in wanted})


def _resolved(parts: list[pl.DataFrame], lane: Sequence[Entry]) -> pl.DataFrame:
    rows = pl.concat(parts)
    return winners(rows).drop("key") if _is_small(lane[0]) else rows


def _contested(largest: pl.DataFrame, others: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the winners among the winners of several lanes, comparing only where their events overlap."""
    if not others:
        return largest
    rest = pl.concat(others)
    event = pl.col("event_start")
    overlap = event.is_between(rest["event_start"].min(), rest["event_start"].max())
    decided = winners(pl.concat([largest.filter(overlap), rest])).drop("key")
    return pl.concat([largest.filter(~overlap), decided])
