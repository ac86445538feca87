"""ERCOT's market time: hour endings with flags, labels of interval ends, publication stamps.

Put here: from ERCOT's columns and file names to UTC instants. Keep out: prices, loads, products.
A market hour's *beginning* is localised, never its ending: 02:00 does not exist in spring, 24:00 is no clock time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final

import polars as pl

from domain.beliefs import TIME
from domain.errors import PayloadError, TimeError
from domain.instants import CENTRAL, hour_ending, local_day
from resources.payloads.times import day_of, exists, is_repeated, local_stamps, localised

HOUR: Final = timedelta(hours=1)
QUARTER: Final = timedelta(minutes=15)
LONG_DAY_HOURS: Final = 25
"""Hours of the autumn day on which the clocks go back."""
LAST_MINUTE: Final = 24 * 60
"""The label 24:00, which ends a day."""

_LABELS: Final = ("date", "hour", "repeated")
_FLAGS: Final = {"n": False, "false": False, "0": False, "": False, "y": True, "true": True, "1": True}
_HOUR: Final = re.compile(r"(\d{1,2})(?::00(?::00)?|\.0+)?")
_QUARTER_NUMBER: Final = re.compile(r"([1-4])(?:\.0+)?")
_QUARTER_LABEL: Final = re.compile(r"(\d{1,2}):(00|15|30|45)(?::00)?")
_NAME_STAMP: Final = re.compile(r"\.(\d{8})\.(\d{6})(?:\d{3})?\.")


def hour_starts(table: pl.DataFrame, what: str) -> pl.Series:
    """Return the UTC start of each row's market hour.

    Args:
        table: ``date`` and ``hour`` as text, ``repeated`` (the DST flag) as text where the product has one.
        what: Names the table in an error.

    Without a flag the 25 rows of the autumn day count hours from midnight (the disclosure products do so).

    Raises:
        TimeError: An hour does not exist on its day, is flagged as repeated and is not, or could be either of two.
        PayloadError: A text is no day, hour or flag.
    """
    return per_label(table, _LABELS, lambda distinct: _hour_starts(distinct, what))


def certain_hour_starts(table: pl.DataFrame, what: str) -> pl.Series:
    """Return the UTC start of each row's market hour, null where ``date`` and ``hour`` alone do not tell one.

    Raises:
        PayloadError, TimeError: A text is no day or hour.
    """

    def starts(distinct: pl.DataFrame) -> list[datetime | None]:
        days = [day_of(_given(day, "day", what), what) for day in distinct["date"]]
        hours = [_hour(hour, what) for hour in distinct["hour"]]
        walls = [_midnight(day) + (hour - 1) * HOUR for day, hour in zip(days, hours, strict=True)]
        return [
            localised(wall, CENTRAL, what) if exists(wall, CENTRAL) and not is_repeated(wall, CENTRAL) else None
            for wall in walls
        ]

    return per_label(table, ("date", "hour"), starts)


def per_label(
    table: pl.DataFrame, columns: Sequence[str], starts: Callable[[pl.DataFrame], Sequence[datetime | None]]
) -> pl.Series:
    """Return what ``starts`` says of each row's label, asking it once for each distinct label.

    Documents hold a thousand rows of one interval one after the other, so runs of equal labels are looked up, not rows.

    Args:
        table: Any number of rows.
        columns: The columns that make up a label; those that the table lacks are left out.
        starts: From the distinct labels, in order of appearance, to one instant each.
    """
    keys = [column for column in columns if column in table.columns]
    labels = table.select(keys)
    changed = labels.select(pl.any_horizontal(pl.col(key).ne_missing(pl.col(key).shift()) for key in keys)).to_series()
    changed = changed.scatter(0, True) if len(changed) else changed
    runs = labels.filter(changed)
    distinct = runs.unique(maintain_order=True)
    answers = distinct.with_columns(start=pl.Series(starts(distinct), dtype=TIME))
    of_runs = runs.join(answers, on=keys, how="left", maintain_order="left", nulls_equal=True)["start"]
    return of_runs.gather(changed.cast(pl.UInt32).cum_sum() - 1)


def quarter_starts(table: pl.DataFrame, what: str) -> pl.Series:
    """Return the UTC start of each row's quarter hour: `hour_starts` plus the ``interval`` (1 to 4) within the hour.

    Raises:
        PayloadError: An interval is outside 1 to 4.
    """
    return per_label(table, (*_LABELS, "interval"), lambda distinct: _quarter_starts(distinct, what))


def label_starts(table: pl.DataFrame, what: str) -> pl.Series:
    """Return the UTC start of each quarter hour that is labelled by its ending and told apart by row order.

    In spring the label after 01:45 is 03:00. In autumn ``01:00 N`` occurs twice: first for 00:45 to 01:00, then,
    after ``01:45 N``, for the last quarter hour of daylight time. Dropping it as a duplicate would lose a quarter.

    Args:
        table: ``date``, ``time_ending`` (``00:15`` to ``24:00``) and ``repeated``, oldest first or newest first.
        what: Names the table in an error.

    Raises:
        TimeError, PayloadError: As `hour_starts`.
    """
    rows = list(table.select("date", "time_ending", "repeated").iter_rows())
    days = [day_of(_given(day, "day", what), what) for day, _, _ in rows]
    labels = [(day, _minutes(label, what)) for day, (_, label, _) in zip(days, rows, strict=True)]
    falling = sum(later < earlier for earlier, later in pairwise(labels))
    order = range(len(rows)) if 2 * falling <= len(rows) - 1 else range(len(rows) - 1, -1, -1)
    starts: list[datetime | None] = [None] * len(rows)
    before: tuple[date, int] | None = None
    for index in order:
        second = flag(rows[index][2], what)
        starts[index] = _quarter_before(*labels[index], before, second=second, what=what)
        before = labels[index]
    return pl.Series(starts, dtype=TIME)


def run_stamps(table: pl.DataFrame, column: str, what: str, *, repeated: str = "repeated") -> pl.Series:
    """Return the naive Central stamps of runs as UTC; ``repeated`` names the column of their flag, if there is one."""
    flags = None
    if repeated in table.columns:
        distinct = table[repeated].unique()
        lookup = {text: flag(text, what) for text in distinct}
        flags = table[repeated].replace_strict(lookup, return_dtype=pl.Boolean)
    return local_stamps(table[column].str.strip_chars(), CENTRAL, what, repeated=flags)


def flag(text: str | None, what: str) -> bool:
    """Return whether a DST or repeated-hour flag says "second pass"; ``N``, ``false`` and blank say no.

    Raises:
        PayloadError: The flag is none of the known texts.
    """
    try:
        return _FLAGS[(text or "").strip().lower()]
    except KeyError:
        raise PayloadError(f"{what} has the flag {text!r}; flags are N or Y, false or true") from None


def stamp_in(names: Iterable[str]) -> datetime | None:
    """Return when a document was posted [UTC], from the first of its names that says it.

    ``cdr.00012301.0000000000000000.20261101.013000xhr...``: ``xhr`` marks the second pass of the autumn hour.

    >>> stamp_in(["cdr.00012311.0000000000000000.20250313.123000.LFCCONGESTNP3560.csv"]).isoformat()
    '2025-03-13T17:30:00+00:00'
    """
    for name in names:
        if match := _NAME_STAMP.search(name):
            wall = datetime.strptime(match[1] + match[2], "%Y%m%d%H%M%S")  # noqa: DTZ007 - localised below
            return _posted(wall, name)
    return None


def repaired_publish_date(publish_date: str, constructed_name: str) -> datetime:
    """Return when MIS posted a document [UTC].

    The offset that the list prints is the offset of the day on which the list was asked for, not of the stamp: a
    list of 2025-03-13 shows -05:00 on postings of 2025-03-06, when the clocks showed -06:00. So the offset is
    dropped and the wall clock is localised; ``xhr`` in the document's name chooses the second pass of the autumn
    hour.

    >>> repaired_publish_date("2025-03-06T12:30:00-05:00", "cdr.x.csv.zip").isoformat()
    '2025-03-06T18:30:00+00:00'
    """
    try:
        wall = datetime.fromisoformat(publish_date.strip()).replace(tzinfo=None)
    except ValueError:
        raise TimeError(f"{constructed_name} has PublishDate {publish_date!r}, which is no ISO-8601 time") from None
    return _posted(wall, constructed_name)


def _posted(wall: datetime, name: str) -> datetime:
    second = "xhr" in name.lower() and is_repeated(wall, CENTRAL)
    return localised(wall, CENTRAL, name, repeated=second)


def _given(text: str | None, kind: str, what: str) -> str:
    if text is None or not text.strip():
        raise PayloadError(f"{what} has a row without {kind}")
    return text


def _hour(text: str | None, what: str) -> int:
    match = _HOUR.fullmatch(_given(text, "hour", what).strip())
    if match is None:
        raise PayloadError(f"{what} has the hour {text!r}; hours are 1 to 24, 01:00 to 24:00")
    return int(match[1])


def _minutes(text: str | None, what: str) -> int:
    match = _QUARTER_LABEL.fullmatch(_given(text, "TimeEnding", what).strip())
    if match is None:
        raise PayloadError(f"{what} has TimeEnding {text!r}; labels are 00:15 to 24:00 in quarter hours")
    return int(match[1]) * 60 + int(match[2])


def _hour_starts(distinct: pl.DataFrame, what: str) -> list[datetime]:
    if "repeated" not in distinct.columns:
        return _unflagged(distinct, what)
    return [
        hour_ending(day_of(_given(day, "day", what), what), _hour(hour, what), CENTRAL, repeated=flag(dst, what))
        for day, hour, dst in distinct.iter_rows()
    ]


def _quarter_starts(distinct: pl.DataFrame, what: str) -> list[datetime]:
    hours = _hour_starts(distinct.drop("interval"), what)
    return [
        start + (_quarter(text, what) - 1) * QUARTER for start, text in zip(hours, distinct["interval"], strict=True)
    ]


def _quarter(text: str | None, what: str) -> int:
    match = _QUARTER_NUMBER.fullmatch(_given(text, "interval", what).strip())
    if match is None:
        raise PayloadError(f"{what} has the interval {text!r}; an hour has 1 to 4")
    return int(match[1])


def _unflagged(distinct: pl.DataFrame, what: str) -> list[datetime]:
    days = {text: day_of(_given(text, "day", what), what) for text in distinct["date"].unique()}
    hours = [(days[text], _hour(hour, what)) for text, hour in distinct.iter_rows()]
    long_days = {day for day, hour in hours if hour == LONG_DAY_HOURS}
    return [_from_midnight(day, hour, what) if day in long_days else _certain(day, hour, what) for day, hour in hours]


def _from_midnight(day: date, hour: int, what: str) -> datetime:
    start, end = local_day(day, CENTRAL)
    if start + hour * HOUR > end:
        raise TimeError(f"{what} has hour {hour} on {day}, which has {(end - start) // HOUR} hours")
    return start + (hour - 1) * HOUR


def _certain(day: date, hour: int, what: str) -> datetime:
    start = hour_ending(day, hour, CENTRAL)
    if is_repeated(start.astimezone(CENTRAL).replace(tzinfo=None, fold=0), CENTRAL):
        raise TimeError(f"{what} has hour ending {hour} on {day} without a flag; that hour occurs twice")
    return start


def _quarter_before(day: date, minutes: int, before: tuple[date, int] | None, *, second: bool, what: str) -> datetime:
    if not 0 < minutes <= LAST_MINUTE:
        raise PayloadError(f"{what} has a TimeEnding of {minutes} minutes on {day}; labels are 00:15 to 24:00")
    ending = _midnight(day) + timedelta(minutes=minutes)
    wall = ending - QUARTER
    turns_back = is_repeated(ending, CENTRAL) and not is_repeated(wall, CENTRAL)
    if turns_back and not second and before is not None and before[0] == day and minutes < before[1]:
        # A label that goes back names the last quarter of daylight time, an hour later than it reads.
        return localised(wall, CENTRAL, what) + HOUR
    if not second and not exists(wall, CENTRAL):
        return localised(wall - HOUR, CENTRAL, what)
    return localised(wall, CENTRAL, what, repeated=second)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a wall clock; the caller localises it
