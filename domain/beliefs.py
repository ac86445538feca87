"""Bitemporal rules: the columns every number carries, its three clocks, and which statement wins.

``event_start`` is what a number is about, ``belief_time`` when its author said it, ``recorded_at`` when we stored
it. Nothing is overwritten; a read names its cutoffs. Put here: the column contract, the modes, the total order and
other rules that are pure. Keep out: files and manifests (resources/lake).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import polars as pl

from domain.errors import FrameError, InputError
from domain.instants import require_utc
from domain.units import UNITS

TIME: Final = pl.Datetime("us", "UTC")

CANONICAL: Final[dict[str, pl.DataType]] = {
    "series_id": pl.String(),
    "event_start": TIME,
    "event_end": TIME,
    "belief_time": TIME,
    "belief_basis": pl.String(),
    "value": pl.Float64(),
    "unit": pl.String(),
    "quality": pl.String(),
    "quality_detail": pl.String(),
    "source": pl.String(),
    "scenario": pl.String(),
    "member": pl.Int32(),
    "quantile": pl.Float64(),
}
"""Columns of a canonical row, in order: what a parser returns and ``tailrace load --out`` writes."""

ASOF_COLUMNS: Final = (
    "series_id",
    "event_start",
    "belief_time",
    "recorded_at",
    "value",
    "unit",
    "quality",
    "source",
    "scenario",
    "member",
    "quantile",
)
"""Columns of an as-of answer, in order. A retracted value is a row with null ``value``."""

KEY: Final = ("series_id", "event_start", "source", "scenario", "member")
"""What one belief is about and who says it. Quantiles are not part of it: a distribution is replaced whole."""


class Basis(StrEnum):
    """How a ``belief_time`` is known, best first."""

    SOURCE_STAMP = "source_stamp"
    HTTP_LAST_MODIFIED = "http_last_modified"
    FILENAME = "filename"
    SCHEDULE_RULE = "schedule_rule"
    INGEST_TIME = "ingest_time"


UNSTAMPED: Final = frozenset({Basis.SCHEDULE_RULE, Basis.INGEST_TIME})
"""Bases under which the vendor gave no stamp: an unchanged value is then not a new belief."""


class Quality(StrEnum):
    """What is known about a value's worth."""

    GOOD = "good"
    QUESTIONABLE = "questionable"
    SUBSTITUTED = "substituted"
    ESTIMATED = "estimated"
    BAD = "bad"
    MISSING = "missing"
    RETRACTED = "retracted"


class Mode(StrEnum):
    """Which clock a cutoff is held against; a caller must name one, mixing them is the classic leak."""

    SEEN = "seen"
    PUBLISHED = "published"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutoffs:
    """What a read may know.

    Attributes:
        at: Belief cutoff T, inclusive.
        mode: ``seen``: belief_time <= T and recorded_at <= T. ``published``: belief_time + the source's declared
            latency <= T, whenever recorded.
        recorded_before: Recorded cutoff R, inclusive; None leaves it free. In ``seen`` mode it equals T.
    """

    at: datetime
    mode: Mode
    recorded_before: datetime | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", require_utc(self.at, what="belief cutoff"))
        if self.recorded_before is not None:
            object.__setattr__(self, "recorded_before", require_utc(self.recorded_before, what="recorded cutoff"))
        if self.mode is Mode.SEEN:
            if self.recorded_before not in (None, self.at):
                raise InputError("mode seen pins the recorded cutoff to --at; leave --recorded-before out")
            object.__setattr__(self, "recorded_before", self.at)


def canonical(rows: pl.DataFrame, *, what: str) -> pl.DataFrame:
    """Return ``rows`` with exactly the canonical columns, in order and type.

    Missing optional columns are filled: ``event_end`` = ``event_start``, ``quality`` = good (missing where the value
    is null), ``scenario`` = actual, ``belief_basis`` = source_stamp, the rest null.

    Args:
        rows: At least ``series_id, event_start, belief_time, value, unit, source``; times aware.
        what: Names the rows in an error.

    Raises:
        FrameError: A column is missing or of the wrong type, a time has no zone, a unit or quality is unknown, a
            value is not finite, or an interval ends before it starts.
    """
    missing = [
        name
        for name in ("series_id", "event_start", "belief_time", "value", "unit", "source")
        if name not in rows.columns
    ]
    if missing:
        raise FrameError(f"{what} lacks column(s) {', '.join(missing)}; it has {', '.join(rows.columns)}")
    rows = _with_defaults(_with_utc_times(rows, what))
    try:
        rows = rows.select(pl.col(name).cast(dtype) for name, dtype in CANONICAL.items())
    except pl.exceptions.PolarsError as error:
        raise FrameError(f"{what} has a column of the wrong type: {str(error).splitlines()[0]}") from None
    _refuse_bad_rows(rows, what)
    return rows


def _with_utc_times(rows: pl.DataFrame, what: str) -> pl.DataFrame:
    for name in ("event_start", "event_end", "belief_time"):
        if name not in rows.columns:
            continue
        dtype = rows.schema[name]
        if not isinstance(dtype, pl.Datetime) or dtype.time_zone is None:
            raise FrameError(f"{what} has {name} of type {dtype}: times must be aware UTC timestamps")
        rows = rows.with_columns(pl.col(name).dt.convert_time_zone("UTC").dt.cast_time_unit("us"))
    return rows


def _with_defaults(rows: pl.DataFrame) -> pl.DataFrame:
    defaults = {
        "event_end": pl.col("event_start"),
        "belief_basis": pl.lit(Basis.SOURCE_STAMP.value),
        "quality": pl.when(pl.col("value").is_null()).then(pl.lit("missing")).otherwise(pl.lit("good")),
        "quality_detail": pl.lit(None, pl.String),
        "scenario": pl.lit("actual"),
        "member": pl.lit(None, pl.Int32),
        "quantile": pl.lit(None, pl.Float64),
    }
    return rows.with_columns(
        expression.alias(name) if name not in rows.columns else pl.col(name).fill_null(expression)
        for name, expression in defaults.items()
    )


def _refuse_bad_rows(rows: pl.DataFrame, what: str) -> None:
    checks = {
        "a null in series_id, event_start, belief_time, unit or source": pl.any_horizontal(
            pl.col("series_id", "event_start", "belief_time", "unit", "source").is_null()
        ),
        f"a unit outside {', '.join(sorted(UNITS))}": ~pl.col("unit").is_in(list(UNITS)),
        f"a quality outside {', '.join(Quality)}": ~pl.col("quality").is_in(list(Quality)),
        f"a belief_basis outside {', '.join(Basis)}": ~pl.col("belief_basis").is_in(list(Basis)),
        "a value that is not finite": ~pl.col("value").is_finite(),
        "a null value whose quality does not say why": pl.col("value").is_null()
        & ~pl.col("quality").is_in(["bad", "missing", "retracted"]),
        "an event that ends before it starts": pl.col("event_end") < pl.col("event_start"),
        "a quantile outside 0 to 1": ~pl.col("quantile").is_between(0, 1),
    }
    counts = rows.select(check.fill_null(value=False).sum().alias(name) for name, check in checks.items()).row(0)
    broken = [(name, count) for name, count in zip(checks, counts, strict=True) if count]
    if broken:
        name, count = broken[0]
        first = rows.filter(checks[name].fill_null(value=False)).row(0, named=True)
        raise FrameError(f"{what} has {count} row(s) with {name}; first: {first}")


def first_knowledge(
    rows: pl.DataFrame, *, read_before: Sequence[tuple[datetime, datetime]], now: datetime
) -> pl.DataFrame:
    """Return unstamped rows with an honest ``belief_time``.

    A source without stamps leaves two cases. A window that nobody had read before is a back-load: the dated rule
    that the parser applied stands. An event that an *earlier successful read* already covered without delivering it
    became known only now, whatever the rule says.

    Args:
        rows: Canonical rows of one product.
        read_before: Windows [start, end) of earlier successful reads of that product.
        now: When these rows were fetched [UTC].

    Returns:
        The same rows; ``belief_time`` of an unstamped row is never after ``now``.
    """
    now = require_utc(now, what="now")
    unstamped = pl.col("belief_basis").is_in(list(UNSTAMPED))
    covered = [
        (pl.col("event_start") >= start) & (pl.col("event_start") < end) for start, end in merge_spans(read_before)
    ]
    late = unstamped & pl.any_horizontal(*covered, pl.col("belief_time") > now)
    return rows.with_columns(
        belief_time=pl.when(late).then(pl.lit(now, TIME)).otherwise("belief_time"),
        belief_basis=pl.when(late).then(pl.lit(Basis.INGEST_TIME.value)).otherwise("belief_basis"),
    )


def retractions(known: pl.DataFrame, said: pl.DataFrame, *, now: datetime) -> pl.DataFrame:
    """Return the rows that take back what a source once listed and lists no more: null values, quality retracted.

    Only events before the last that the source lists now are taken back: an answer that is empty or ends early says
    nothing about what lies beyond it.

    Args:
        known: What is believed of a series of events, as ``Lake.latest`` gives it.
        said: Canonical rows of the same series: every event that the source lists now.
        now: When it listed them [UTC].
    """
    gone = known.filter(pl.col("value").is_not_null() & (pl.col("event_start") < said["event_start"].max()))
    gone = gone.join(said.select("event_start"), on="event_start", how="anti")
    return gone.with_columns(
        event_end="event_start",
        belief_time=pl.lit(require_utc(now, what="now"), TIME),
        belief_basis=pl.lit(Basis.INGEST_TIME.value),
        value=pl.lit(None, pl.Float64),
        quality=pl.lit(Quality.RETRACTED.value),
        quality_detail=pl.lit("the source lists this event no more"),
    ).select(pl.col(name).cast(dtype) for name, dtype in CANONICAL.items())


def merge_spans(spans: Sequence[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Return half-open spans in order, those that touch or overlap made one.

    >>> from datetime import UTC
    >>> def at(hour): return datetime(2026, 11, 21, hour, tzinfo=UTC)
    >>> [(a.hour, b.hour) for a, b in merge_spans([(at(5), at(7)), (at(1), at(2)), (at(2), at(3)), (at(6), at(8))])]
    [(1, 3), (5, 8)]
    """
    merged: list[tuple[datetime, datetime]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def cutoff_by_source(cutoffs: Cutoffs, latency: Mapping[str, timedelta]) -> dict[str, datetime]:
    """Return, for each source with a declared latency, the newest ``belief_time`` a read may use.

    Sources that declare none have latency zero: their cutoff is ``cutoffs.at``.
    """
    if cutoffs.mode is Mode.SEEN:
        return {}
    since_ever = cutoffs.at - datetime.min.replace(tzinfo=UTC)
    return {source: cutoffs.at - min(delay, since_ever) for source, delay in latency.items()}
