"""Windows: what a read may cover, and how a long one is cut.

Put here: arithmetic on half-open UTC windows and on the rows inside them. Keep out: requests.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from domain.errors import InputError
from domain.instants import iso, local_day, require_utc

Window = tuple[datetime, datetime]


def require_window(start: datetime, end: datetime) -> Window:
    """Return the window in UTC.

    Raises:
        TimeError: An end has no zone.
        InputError: It ends before it starts.
    """
    start, end = require_utc(start, what="start"), require_utc(end, what="end")
    if end < start:
        raise InputError(f"the window ends at {iso(end)}, before it starts at {iso(start)}; swap them")
    return start, end


def chunks(window: Window, longest: timedelta) -> Iterator[Window]:
    """Cut ``window`` into parts of at most ``longest``, oldest first; nothing of an empty window.

    >>> from datetime import UTC
    >>> parts = chunks((datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC)), timedelta(days=2))
    >>> [(a.day, b.day) for a, b in parts]
    [(1, 3), (3, 4)]
    """
    start, end = window
    while start < end:
        stop = min(end, start + longest)
        yield start, stop
        start = stop


def local_chunks(window: Window, zone: ZoneInfo, longest_days: int) -> Iterator[tuple[date, date, Window]]:
    """Cut ``window`` at local midnights: the first and last local day of each part, and the part itself.

    A market's days are local, so a UTC window touches one more of them than it has days; a spring day has 23 hours
    and an autumn day 25, which is why days are counted on the calendar.

    >>> from datetime import UTC
    >>> from domain.instants import CENTRAL
    >>> window = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
    >>> [(str(first), str(last), part[1].hour) for first, last, part in local_chunks(window, CENTRAL, 1)]
    [('2026-10-31', '2026-10-31', 5), ('2026-11-01', '2026-11-01', 0)]
    """
    start, end = window
    while start < end:
        first = start.astimezone(zone).date()
        last = first + timedelta(days=longest_days - 1)
        stop = min(end, local_day(last, zone)[1])
        yield first, min(last, (stop - timedelta(microseconds=1)).astimezone(zone).date()), (start, stop)
        start = stop


def local_labels(window: Window, zone: ZoneInfo) -> tuple[str, str]:
    """Return naive local texts that enclose the window, whatever its clock did in between.

    In the repeated autumn hour a later instant has an earlier label, so the span is widened by that hour; what lies
    outside the window is to be dropped by its instant.

    >>> from datetime import UTC
    >>> from domain.instants import CENTRAL
    >>> night = datetime(2026, 11, 1, 6, 30, tzinfo=UTC), datetime(2026, 11, 1, 7, 10, tzinfo=UTC)
    >>> local_labels(night, CENTRAL)  # 01:30 daylight to 01:10 standard time
    ('2026-11-01T00:10:00', '2026-11-01T02:30:01')
    """
    start, end = (moment.astimezone(zone) for moment in window)
    changed = start.utcoffset() != end.utcoffset()
    first, last = sorted((start.replace(tzinfo=None), end.replace(tzinfo=None)))
    if changed:
        first, last = first - timedelta(hours=1), last + timedelta(hours=1)
    return first.isoformat(timespec="seconds"), (last + timedelta(seconds=1)).isoformat(timespec="seconds")


def market_days_until(now: datetime, zone: ZoneInfo, *, at: time, days_ahead: int) -> datetime:
    """Return the end [UTC] of the newest local day whose results can be out.

    Args:
        now: The present [UTC].
        zone: The market's.
        at: Wall-clock time of day by which they are out.
        days_ahead: How many days before the day they are about: 1 for a day-ahead market, -1 for the morning after.

    >>> from datetime import UTC
    >>> from domain.instants import CENTRAL
    >>> noon = datetime(2026, 11, 21, 18, tzinfo=UTC)
    >>> market_days_until(noon, CENTRAL, at=time(13, 30), days_ahead=1).isoformat()
    '2026-11-22T06:00:00+00:00'
    """
    local = now.astimezone(zone)
    newest = local.date() + timedelta(days=days_ahead if local.time() >= at else days_ahead - 1)
    return local_day(newest, zone)[1]


def within(rows: pl.DataFrame, window: Window, *, column: str = "event_start") -> pl.DataFrame:
    """Return the rows whose ``column`` lies in the half-open window: services treat both ends as inclusive."""
    start, end = window
    return rows.filter((pl.col(column) >= start) & (pl.col(column) < end))
