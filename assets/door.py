"""The door of the lake: what every ingestion asset does with what its client read.

A read is judged, what is suspect in it is marked, and it is stored at once, so that what was fetched stays when a
later request fails. Put here: judging and storing, and what was found. Keep out: how Dagster shows it
(assets/families.py), which product is read (assets/ingest*.py) and the rules themselves (domain/quality.py,
resources/expectations.py).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from domain import quality
from domain.beliefs import CANONICAL, first_knowledge, retractions
from domain.quality import Believable
from resources.clock import Clock
from resources.expectations import Limits, Rules, judge
from resources.http import Read
from resources.lake import Lake

GROUP: Final = "ingest"

COMPLETE: Final = "no_missing_intervals"
ONCE: Final = "no_row_comes_twice"
ORDER: Final = "events_move_forward"
RANGE: Final = "values_are_in_range"
SPIKES: Final = "no_spikes"
FLAT: Final = "no_flatlines"
FRESH: Final = "newest_event_is_fresh"
UNITS: Final = "units_stay_the_same"
AGREE: Final = "sources_agree"
GREAT: Final = "batch_meets_expectations"

ALWAYS: Final = (ONCE, UNITS)
SAYS: Final[Mapping[str, str]] = {
    COMPLETE: "Every interval that should be known by now has a value.",
    ONCE: "No answer states one belief twice.",
    ORDER: "Within a series and a statement, events move forward.",
    RANGE: "Values lie within what config/series.toml believes; others are kept as questionable.",
    SPIKES: "No value stands alone, by the series' own spread; those that do are kept as questionable.",
    FLAT: "No series stands still longer than it ever does; its values are kept as questionable.",
    FRESH: "The newest event is as young as its source's rhythm promises, whenever the last read was.",
    UNITS: "Every series has the unit it always had, by its label and by its scale.",
    AGREE: "Two sources say the same about the same event.",
    GREAT: "A back-loaded batch meets the Great Expectations suite made from config/series.toml.",
}

_WORDS: Final = {
    RANGE: quality.OUTSIDE,
    SPIKES: quality.SPIKE,
    FLAT: quality.FLATLINE,
    UNITS: quality.RESCALED,
}
"""Check -> what ``quality_detail`` says of the values that it doubts."""

SHOWN: Final = 20
"""Offending rows in the metadata of a check."""

_CONTEXT: Final = timedelta(hours=24)
"""How far before a read its series are looked at, so that a run that began earlier is seen whole."""

_MEMORY: Final = timedelta(days=30)
"""How far back the last good value of a series is looked for whose last day was doubted whole."""

_RECENT: Final = timedelta(days=2)
"""Rows kept to tell the age of the newest event."""


@dataclass(slots=True)
class Found:
    """Offending rows of one check: how many, and the first of them."""

    count: int = 0
    rows: list[pl.DataFrame] = field(default_factory=list)

    def add(self, rows: pl.DataFrame) -> None:
        """Count rows and keep the first."""
        if rows.height:
            kept = sum(frame.height for frame in self.rows)
            self.count += rows.height
            self.rows.append(rows.head(max(SHOWN - kept, 0)))


@dataclass(slots=True)
class Taken:
    """What came through the door.

    Attributes:
        fetched: Rows that arrived.
        added: Rows that said something new.
        doubted: Rows whose quality the door lowered.
        notes: What the reads mention.
        offending: Check -> its rows; a check that was not made is absent.
    """

    fetched: int = 0
    added: int = 0
    doubted: int = 0
    notes: list[str] = field(default_factory=list)
    offending: dict[str, Found] = field(default_factory=dict)

    def add(self, other: "Taken") -> None:
        """Count what came through the door in another go."""
        self.fetched += other.fetched
        self.added += other.added
        self.doubted += other.doubted
        self.notes += other.notes
        for check, found in other.offending.items():
            mine = self.of(check)
            for rows in found.rows:
                mine.add(rows)
            mine.count += found.count - sum(rows.height for rows in found.rows)

    def of(self, check: str) -> Found:
        """Return what a check found, an empty finding at first."""
        return self.offending.setdefault(check, Found())


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How one product family is judged.

    Attributes:
        lake: Where it is stored.
        clock: Tells the present.
        limits: Vendor series -> what is believable of it.
        complete: Whether its intervals can be counted.
        ordered: Whether its source promises an order; OASIS does not.
        late: Age of the newest event's end from which it is stale; None where events do not come at a pace.
        batch: Whether this is a back-load.
        others: Sources of the lake to compare with, as series id -> series id here; None compares nothing.
        tolerance: Largest difference between two sources that is none [unit of the series].
        share: Likewise, as a share of what the other source says; it comes on top.
    """

    lake: Lake
    clock: Clock
    limits: Mapping[str, Believable]
    complete: bool = False
    ordered: bool = True
    late: timedelta | None = None
    batch: bool = False
    others: Mapping[str, str] | None = None
    tolerance: float = 0.01
    share: float = 0.0

    def take_in(self, reads: Iterator[Read], *, run_id: str) -> Taken:
        """Judge and store each read as it comes.

        Raises:
            TailraceError: What the client raises; everything it yielded before is stored.
        """
        taken = Taken()
        for check in self.checks:
            taken.of(check)
        recent: list[pl.DataFrame] = []
        batch: list[pl.DataFrame] = []
        for read in reads:
            now = self.clock.now()
            rows = self._judged(read, taken)
            if read.whole and rows.height:
                known = self.lake.latest([read.whole], start=read.window[0], end=read.window[1])
                rows = pl.concat([rows, retractions(known, rows, now=now)])
            rows = first_knowledge(rows, read_before=self.lake.reads(read.product), now=now)
            stored = self.lake.append(rows, run_id=run_id, product=read.product, window=read.window)
            taken.fetched += stored.rows_in
            taken.added += stored.rows_added
            taken.notes.extend(f"{read.product}: {note}" for note in read.notes)
            if self.complete:
                end = min(read.window[1], now)
                taken.of(COMPLETE).add(quality.missing_intervals(rows, start=read.window[0], end=end))
            if self.late is not None:
                recent.append(rows.filter(pl.col("event_end") > now - _RECENT))
            if self.batch:
                batch.append(rows.select("series_id", "event_start", "belief_time", "value", "scenario", "quantile"))
        if self.late is not None and recent:
            taken.of(FRESH).add(quality.stale(pl.concat(recent), now=self.clock.now(), late=self.late))
        if self.batch and batch:
            self._expect(pl.concat(batch), taken)
        return taken

    @property
    def checks(self) -> tuple[str, ...]:
        """The checks that are made."""
        narrow = any(one.jump is not None or one.flat is not None for one in self.limits.values())
        made = {
            ORDER: self.ordered,
            COMPLETE: self.complete,
            RANGE: bool(self.limits),
            SPIKES: narrow,
            FLAT: narrow,
            FRESH: self.late is not None,
            AGREE: self.others is not None,
            GREAT: self.batch,
        }
        return (*ALWAYS, *(check for check, is_made in made.items() if is_made))

    def _judged(self, read: Read, taken: Taken) -> pl.DataFrame:
        """Return a read's rows with what is suspect marked, and write down what offends."""
        rows = read.rows
        if rows.is_empty():
            return rows
        taken.of(ONCE).add(quality.repeated(rows))
        if self.ordered:
            taken.of(ORDER).add(quality.out_of_order(rows))
        names = rows["series_id"].unique().to_list()
        taken.of(UNITS).add(quality.unit_changes(rows, self.lake.units(names)))
        limits = {name: self.limits[name] for name in names if name in self.limits}
        if not limits:
            rows = quality.doubted(rows, {})
        else:
            rows = quality.doubted(rows, limits, context=self._before(rows, limits))
            reason = pl.col("quality_detail")
            for check, word in _WORDS.items():
                struck = rows.filter(reason.str.contains(word, literal=True))
                taken.doubted += struck.height
                if check in taken.offending:
                    taken.of(check).add(struck)
        if self.others:
            taken.of(AGREE).add(self._disagreeing(rows))
        return rows

    def _before(self, rows: pl.DataFrame, limits: Mapping[str, Believable]) -> pl.DataFrame | None:
        """Return what the lake holds of the time just before, of the series whose neighbours are looked at."""
        names = [name for name, one in limits.items() if one.jump is not None or one.flat is not None]
        first = rows["event_start"].min()
        if not names or not isinstance(first, datetime):
            return None
        known = self.lake.latest(names, start=first - _CONTEXT, end=first)
        good = known.filter(pl.col("quality") == "good")["series_id"].unique()
        if lost := [name for name in names if name not in good]:  # what they last were, before all was doubted
            before = self.lake.latest(lost, start=first - _MEMORY, end=first - _CONTEXT)
            before = before.filter(pl.col("quality") == "good").unique("series_id", keep="last", maintain_order=True)
            known = pl.concat([before, known])
        return known.with_columns(
            event_end="event_start", belief_basis=pl.lit(None, pl.String), quality_detail=pl.lit(None, pl.String)
        ).select(pl.col(name).cast(dtype) for name, dtype in CANONICAL.items())

    def _disagreeing(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the events about which the lake holds something else from another source."""
        others = self.others or {}
        ours = rows.filter(
            pl.col("series_id").is_in(list(others)) & (pl.col("scenario") == "actual") & pl.col("value").is_not_null()
        )
        if ours.is_empty():
            return ours
        first, last = ours["event_start"].min(), ours["event_start"].max()
        names = {others[name]: name for name in ours["series_id"].unique()}
        if not isinstance(first, datetime) or not isinstance(last, datetime):
            return ours.clear()
        known = self.lake.latest(list(names), start=first, end=last + timedelta(microseconds=1))
        theirs = known.filter(
            ~pl.col("source").is_in(ours["source"].unique().implode())
            & (pl.col("quality") == "good")
            & (pl.col("scenario") == "actual")
        )
        theirs = theirs.with_columns(pl.col("series_id").replace(names))
        return quality.disagreements(ours, theirs, tolerance=self.tolerance, share=self.share)

    def _expect(self, rows: pl.DataFrame, taken: Taken) -> None:
        """Judge a back-load by Great Expectations; one finding a rule that is broken."""
        points = rows.filter(pl.col("quantile").is_null()).drop("quantile")
        if points.is_empty():
            return
        for verdict in judge(points, suite(self.limits)):
            if not verdict.passed:
                examples = pl.DataFrame([{"rule": verdict.name, **row} for row in verdict.examples])
                taken.of(GREAT).add(examples)


def suite(limits: Mapping[str, Believable]) -> Rules:
    """Return the Great Expectations suite of the series of config/series.toml."""
    return Rules(
        never_null=("series_id", "event_start", "belief_time"),
        unique=("series_id", "event_start", "belief_time", "scenario"),
        limits={series: Limits(low=one.low, high=one.high) for series, one in limits.items()},
    )
