"""Appending: what of a batch is new, written as one file and published as one commit.

A writer compares its batch with the lake as it stands, without a lock, and writes its file. Then, under the lock, it
looks at what was committed meanwhile: only where that touches the same series and events does it compare again, now
holding the lock. Put here: checks, comparison, publication. Keep out: the rule of what is new (domain/revisions.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl

from domain.beliefs import TIME, UNSTAMPED, canonical
from domain.distributions import FOLDED, fold
from domain.errors import FrameError
from domain.instants import require_utc
from domain.order import changed, in_order, with_key
from domain.revisions import CONTENT, STORED, TOTAL_ORDER, novel
from resources.lake.coverage import publications, read_row
from resources.lake.files import Entry, write_beliefs
from resources.lake.journal import Journal, State
from resources.lake.reading import Reader
from resources.lake.request import Request, Series

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far a source's clock may run ahead of ours before a belief counts as one from the future."""

MANY_SERIES: Final = 2_000
"""Above so many series a comparison reads all of a window's: a longer list of names costs more than it skips."""

MANY_TIMES: Final = 5_000
"""Above so many belief times a comparison reads all between the first and the last."""

LANDING: Final = "beliefs/landing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What an append did.

    Attributes:
        rows_in: Rows handed in.
        rows_added: Of these, rows that said something new and are stored.
        rows_unchanged: Of these, rows the lake already held, or that an unstamped source merely repeated.
        quantiles_sorted: Distributions whose quantiles fell with rising probability and were put in order.
        files: Files written; none where nothing was new.
    """

    rows_in: int
    rows_added: int
    rows_unchanged: int
    quantiles_sorted: int
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Checked rows on their way into the lake.

    Attributes:
        beliefs: Folded rows; with ``recorded_at`` and ``rev`` where they are history.
        rows: Rows handed in.
        quantiles_sorted: As in `Appended`.
        note: ``run_id`` and ``product`` of the commit.
        window: Event window asked of the source, or None.
        is_history: Rows carry their own ``recorded_at``.
    """

    beliefs: pl.DataFrame
    rows: int
    quantiles_sorted: int
    note: Mapping[str, str]
    window: tuple[datetime, datetime] | None
    is_history: bool = False


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What a commit would publish: files, coverage rows, and how many numbers are new."""

    files: list[Entry]
    coverage: list[dict[str, Any]]
    numbers: int


def check(
    rows: pl.DataFrame,
    *,
    now: datetime,
    note: Mapping[str, str],
    window: tuple[datetime, datetime] | None,
    what: str,
) -> Batch:
    """Return the batch, or refuse it.

    Raises:
        FrameError: The rows break the contract of a canonical row, or one was stated later than ``now`` allows.
    """
    if window is not None:
        window = (require_utc(window[0], what="window start"), require_utc(window[1], what="window end"))
    # Within a batch rev is an order: revisions of one belief are counted on from those stored.
    beliefs, fixed = _folded(rows, ["rev"] if "rev" in rows.columns else [], what)
    beliefs = beliefs.select(*FOLDED)
    _refuse_the_future(beliefs, pl.lit(now, TIME), what)
    return Batch(beliefs=beliefs, rows=rows.height, quantiles_sorted=fixed, note=note, window=window)


def check_history(rows: pl.DataFrame, *, now: datetime, note: Mapping[str, str], what: str) -> Batch:
    """Return a batch that brings its own ``recorded_at``, or refuse it.

    Raises:
        FrameError: As `check`; or a ``recorded_at`` is missing, naive or later than ``now``.
    """
    if "recorded_at" not in rows.columns:
        raise FrameError(f"{what} lacks recorded_at, which history must bring; append it without --backfill instead")
    dtype = rows.schema["recorded_at"]
    if not isinstance(dtype, pl.Datetime) or dtype.time_zone is None or rows["recorded_at"].null_count():
        raise FrameError(f"{what} has recorded_at of type {dtype}, or nulls in it: it must be an aware UTC timestamp")
    if "rev" in rows.columns and 0 < rows["rev"].null_count() < rows.height:
        raise FrameError(f"{what} has {rows['rev'].null_count()} row(s) without rev; give it to all rows or to none")
    moment = pl.col("recorded_at").dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    beliefs, fixed = _folded(rows.with_columns(moment), ["recorded_at", "rev"], what)
    late = beliefs.filter(pl.col("recorded_at") > now)
    if late.height:
        raise FrameError(
            f"{what} has {late.height} row(s) recorded after the present {now}; first: {late.row(0, named=True)}"
        )
    _refuse_the_future(beliefs, pl.col("recorded_at"), what)
    return Batch(beliefs=beliefs, rows=rows.height, quantiles_sorted=fixed, note=note, window=None, is_history=True)


def publish(journal: Journal, batch: Batch, *, now: datetime) -> Appended:
    """Store what is new in the batch as one commit; where nothing is, and no window was read, store nothing."""
    before = journal.state()
    prepared = _prepared(journal.root, before, batch, now)
    with journal.exclusively() as state:
        if _touches(batch, state.files, before) or not _present(journal.root, prepared.files):
            _discard(journal.root, prepared.files)
            prepared = _prepared(journal.root, state, batch, now)
        if prepared.files or prepared.coverage:
            journal.commit(
                state,
                recorded_at=journal.next_instant(state),
                files=prepared.files,
                coverage=prepared.coverage,
                note=batch.note,
            )
    return Appended(
        rows_in=batch.rows,
        rows_added=prepared.numbers,
        rows_unchanged=batch.rows - prepared.numbers,
        quantiles_sorted=batch.quantiles_sorted,
        files=tuple(journal.root / entry.path for entry in prepared.files),
    )


def _folded(rows: pl.DataFrame, by: Sequence[str], what: str) -> tuple[pl.DataFrame, int]:
    """Return folded rows in the order of columns ``by``, which are kept, and how many distributions were sorted."""
    missing = [pl.lit(None, STORED[name]).alias(name) for name in by if name not in rows.columns]
    try:
        rows = rows.with_columns(missing).with_columns(pl.col(name).cast(STORED[name]) for name in by)
    except pl.exceptions.PolarsError as error:
        raise FrameError(f"{what} has a column of the wrong type: {str(error).splitlines()[0]}") from None
    rows = rows.sort(by, maintain_order=True) if by else rows
    folded = fold(canonical(rows, what=what).with_columns(rows.select(by)), what=what, apart=by)
    return folded.beliefs, folded.quantiles_sorted


def _refuse_the_future(beliefs: pl.DataFrame, recorded: pl.Expr, what: str) -> None:
    future = beliefs.filter(pl.col("belief_time") > recorded + CLOCK_SKEW)
    if future.height:
        first = future.select("series_id", "event_start", "belief_time", "value").row(0, named=True)
        raise FrameError(
            f"{what} has {future.height} row(s) stated more than {CLOCK_SKEW} after they are recorded; first: {first}."
            " A belief_time is when its author published it, never the time it is about"
        )


def _prepared(root: Path, state: State, batch: Batch, now: datetime) -> _Prepared:
    fresh = _new_history(root, state, batch) if batch.is_history else _new(root, state, batch, now)
    coverage = publications(batch.beliefs, fresh, batch.note)
    if batch.window is not None:
        coverage.append(read_row(batch.window, batch.rows, batch.note))
    files = [write_beliefs(root, LANDING, fresh)] if fresh.height else []
    return _Prepared(files, coverage, sum(entry.numbers for entry in files))


def _new(root: Path, state: State, batch: Batch, now: datetime) -> pl.DataFrame:
    reader = Reader(root, state.of("beliefs"))
    unstamped = pl.col("belief_basis").is_in(list(UNSTAMPED))
    same_time, newest = _none(), _none()
    stamped = batch.beliefs.filter(~unstamped)
    if stamped.height and state.files:
        same_time = reader.rows(_about(stamped, with_beliefs=True), list(STORED))
    rest = batch.beliefs.filter(unstamped)
    if rest.height and state.files:
        newest = reader.winners(_about(rest, with_beliefs=False), list(STORED))
    return novel(batch.beliefs, same_time=same_time, newest=newest, now=now)


def _new_history(root: Path, state: State, batch: Batch) -> pl.DataFrame:
    """Return history rows that are not stored yet and say something new at their ``recorded_at``."""
    stored = _none()
    if batch.beliefs.height and state.files:
        stored = Reader(root, state.of("beliefs")).rows(_about(batch.beliefs, with_beliefs=True), list(STORED))
    given = batch.beliefs["rev"].null_count() == 0
    both = pl.concat([stored.with_columns(fresh=pl.lit(0)), batch.beliefs.with_columns(fresh=pl.lit(1))])
    both = with_key(both)
    same = ["key", "event_start", "belief_time", "recorded_at", *(["rev"] if given else []), *CONTENT]
    both = both.unique(subset=same, keep="first", maintain_order=True)
    if not given:
        both = in_order(both, ("key", "event_start", "belief_time", "fresh", "recorded_at"))
        count = pl.int_range(pl.len(), dtype=pl.Int32).over("key", "event_start", "belief_time")
        both = both.with_columns(rev=pl.when(pl.col("fresh") == 1).then(count).otherwise("rev"))
    twice = pl.struct("key", "event_start", "belief_time", "recorded_at", "rev").is_duplicated()
    torn = both.filter(twice & (pl.col("fresh") == 1))
    if torn.height:
        raise FrameError(
            f"{torn.height} row(s) give another content to a revision that is already recorded; first: "
            f"{torn.select('series_id', 'event_start', 'belief_time', 'recorded_at', 'rev').row(0, named=True)}"
        )
    # What repeats the revision before it says nothing, here as in any append.
    news = in_order(both, TOTAL_ORDER).filter(changed(("key", "event_start", "belief_time", *CONTENT)))
    return news.filter(pl.col("fresh") == 1).select("key", *FOLDED, "recorded_at", "rev")


def _none() -> pl.DataFrame:
    return pl.DataFrame(schema=STORED)


def _about(beliefs: pl.DataFrame, *, with_beliefs: bool) -> Request:
    """Return a request for what the lake holds on the series, events and, if wanted, belief times of a batch."""
    event, said = pl.col("event_start"), pl.col("belief_time")
    first, last, oldest, newest = beliefs.select(event.min(), last=event.max(), old=said.min(), new=said.max()).row(0)
    request = Request(series=_series_of(beliefs), start=first, end=last + timedelta(microseconds=1))
    if not with_beliefs:
        return request
    among = beliefs["belief_time"].unique()
    few = among if among.len() <= MANY_TIMES else None
    return replace(request, belief_min=oldest, belief_max=newest, belief_among=few)


def _series_of(beliefs: pl.DataFrame) -> Series:
    names = beliefs["series_id"].unique().sort()
    return Series(("*",)) if names.len() > MANY_SERIES else Series(tuple(names), literal=True)


def _touches(batch: Batch, files: Sequence[Entry], before: State) -> bool:
    """Return whether a file committed after ``before`` may hold beliefs about what the batch is about."""
    later = [entry for entry in files if entry.sequence > before.sequence]
    if not later or batch.beliefs.is_empty():
        return False
    request = _about(batch.beliefs, with_beliefs=False)
    return any(request.needs(entry) for entry in later)


def _discard(root: Path, entries: Sequence[Entry]) -> None:
    for entry in entries:
        (root / entry.path).unlink(missing_ok=True)


def _present(root: Path, entries: Sequence[Entry]) -> bool:
    """Return whether the files are still there: garbage collection may take a writer that slept for a dead one."""
    return all((root / entry.path).exists() for entry in entries)
