"""The newest known value, held.

Put here: carrying a value forward in time, with a limit on its age. Keep out: filling gaps in measurements
(domain/quality.py): what is held here is a forecast and labelled as one.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from domain.instants import iso, require_utc


def newest_value(
    observed: pl.DataFrame, *, origin: datetime, oldest: timedelta, series_id: str
) -> tuple[float | None, str]:
    """Return the newest value at or before ``origin``, or None with the reason in words.

    Args:
        observed: ``event_start`` (UTC) and ``value``, as known at ``origin``.
        origin: The instant of the decision.
        oldest: How old the newest value may be.
        series_id: Names the series in the reason.

    Returns:
        The value in the unit of the series, or None; and when it was observed, or why there is none.

    >>> from datetime import UTC
    >>> rows = pl.DataFrame({"event_start": [datetime(2026, 11, 21, 6, tzinfo=UTC)], "value": [25.0]})
    >>> newest_value(rows, origin=datetime(2026, 11, 21, 7, tzinfo=UTC), oldest=timedelta(hours=6), series_id="r26")
    (25.0, 'held since 2026-11-21T06:00:00Z')
    >>> newest_value(rows, origin=datetime(2026, 11, 22, 7, tzinfo=UTC), oldest=timedelta(hours=6), series_id="r26")
    (None, 'newest good value of r26 is of 2026-11-21T06:00:00Z, more than 6:00:00 before 2026-11-22T07:00:00Z')
    """
    origin = require_utc(origin, what="origin")
    known = observed.drop_nulls("value").filter(pl.col("event_start") <= origin).sort("event_start")
    if known.is_empty():
        return None, f"no good value of {series_id} is known"
    at, value = known["event_start"][-1], known["value"][-1]
    if origin - at > oldest:
        return None, f"newest good value of {series_id} is of {iso(at)}, more than {oldest} before {iso(origin)}"
    return float(value), f"held since {iso(at)}"
