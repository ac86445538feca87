"""What a product is: its columns, its clock, when it is public though nobody stamped it.

Put here: the record of a product, the clocks and dated rules that products share. Keep out: the list of products
(catalogue.py) and how their values are laid out (prices.py, load.py, renewables.py, reserves.py, corrections.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Final

import polars as pl

from domain.instants import CENTRAL
from resources.payloads.ercot.markettime import (
    HOUR,
    QUARTER,
    certain_hour_starts,
    hour_starts,
    label_starts,
    quarter_starts,
    run_stamps,
)
from resources.payloads.ercot.sheets import Sheet
from resources.payloads.times import day_at

Clock = Callable[[pl.DataFrame, str], pl.DataFrame]
Rule = Callable[[pl.DataFrame], pl.Series]

COOPTIMISATION: Final = date(2025, 12, 5)
"""First operating day of real-time co-optimisation with batteries."""
RTD_STEP: Final = timedelta(minutes=5)
"""Length of the intervals that look-ahead dispatch prices."""

HOURS: Final = frozenset({"date", "hour"})
QUARTERS: Final = frozenset({"date", "hour", "interval"})
RUNS: Final = frozenset({"sced_at"})
AHEAD: Final = frozenset({"rtd_at", "interval_ending"})


@dataclass(frozen=True, slots=True)
class Product:
    """One report.

    Attributes:
        emil: ERCOT's name of it, such as ``NP6-905``.
        report_id: The number under which MIS lists it.
        clock: Adds ``event_start`` and ``event_end`` to a table.
        needs: Columns (our names) that it has.
        read: Turns a sheet into series.
        rule: When a row is public though nobody stamped it; None where only the fetch is known.
        lacks: Columns that tell it from a product with more of them.
        since: The first operating day on which it exists.
    """

    emil: str
    report_id: int
    clock: Clock
    needs: frozenset[str]
    read: Callable[[Sheet], pl.DataFrame]
    rule: Rule | None = None
    lacks: frozenset[str] = frozenset()
    since: date | None = None

    def fits(self, columns: Collection[str]) -> bool:
        """Whether a table with these columns can be this product."""
        return self.needs <= set(columns) and self.lacks.isdisjoint(columns)


def by_hour(table: pl.DataFrame, what: str) -> pl.DataFrame:
    """Hours named by their ending and a flag."""
    starts = hour_starts(table, what)
    return table.with_columns(event_start=starts, event_end=starts + HOUR)


def by_certain_hour(table: pl.DataFrame, what: str) -> pl.DataFrame:
    """Hours named by their ending without a flag, in a product that lists 24 of them every day.

    Its rows of an hour that does not exist (spring) or may be either of two (autumn) are left out: an hour that is
    missing can be seen to be missing, an hour in the wrong place cannot.
    """
    starts = certain_hour_starts(table, what)
    return table.with_columns(event_start=starts, event_end=starts + HOUR).drop_nulls("event_start")


def by_quarter(table: pl.DataFrame, what: str) -> pl.DataFrame:
    """Quarter hours named by their hour's ending, their number in it and a flag."""
    starts = quarter_starts(table, what)
    return table.with_columns(event_start=starts, event_end=starts + QUARTER)


def by_label(table: pl.DataFrame, what: str) -> pl.DataFrame:
    """Quarter hours named by the clock at their ending."""
    starts = label_starts(table, what)
    return table.with_columns(event_start=starts, event_end=starts + QUARTER)


def by_run(table: pl.DataFrame, what: str) -> pl.DataFrame:
    """Dispatch runs: irregular to the second, so the exact stamp is kept, as an instant."""
    stamps = run_stamps(table, "sced_at", what)
    return table.with_columns(event_start=stamps, event_end=stamps)


def looking_ahead(table: pl.DataFrame, what: str) -> pl.DataFrame:
    """Five-minute intervals of the coming hour, seen from a look-ahead run."""
    ends = run_stamps(table, "interval_ending", what, repeated="interval_repeated")
    runs = run_stamps(table, "rtd_at", what)
    return table.with_columns(event_start=ends - RTD_STEP, event_end=ends, run_at=runs)


def interval_end(rows: pl.DataFrame) -> pl.Series:
    """Settlement prices appear about two minutes after their interval (:02:00, :17:01 as seen)."""
    return rows["event_end"] + timedelta(minutes=2)


def run(rows: pl.DataFrame) -> pl.Series:
    """Dispatch results appear 15 to 20 seconds after their run; half a minute is the bound that alarms use."""
    return rows["run_at" if "run_at" in rows.columns else "event_start"] + timedelta(seconds=30)


def day_ahead(rows: pl.DataFrame) -> pl.Series:
    """Day-ahead results appear between 12:30 and 13:30 Central on the day before."""
    return day_at(rows["event_start"], CENTRAL, time(13, 30), days=-1)


def next_morning(rows: pl.DataFrame) -> pl.Series:
    """Actual load appears at 05:50 Central on the day after."""
    return day_at(rows["event_start"], CENTRAL, time(5, 50), days=1)
