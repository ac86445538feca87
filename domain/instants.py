"""Instants, intervals and local market days.

Put here: parsing and checking of times, market calendars with their daylight-saving rules.
Keep out: the present moment (resources/clock.py owns it).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from domain.errors import TimeError

CENTRAL: Final = ZoneInfo("America/Chicago")
"""The zone of ERCOT's market day."""
PACIFIC: Final = ZoneInfo("America/Los_Angeles")
"""The zone of the plant and of CAISO's market day."""


def require_utc(moment: datetime, *, what: str) -> datetime:
    """Return ``moment`` in UTC.

    Raises:
        TimeError: It carries no zone. An offset is never assumed.

    >>> require_utc(datetime.fromisoformat("2026-11-01T01:30:00-05:00"), what="start").isoformat()
    '2026-11-01T06:30:00+00:00'
    """
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise TimeError(f"{what} {moment.isoformat()} has no zone; write it with an offset, such as 2026-11-21T07:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise TimeError(f"{what} {moment.isoformat()} lies outside the years 1 to 9999 of UTC") from None


def parse_instant(text: str, *, what: str) -> datetime:
    """Return the instant an ISO-8601 text with an offset names, in UTC.

    Raises:
        TimeError: The text is no ISO-8601 time, or it has no offset.

    >>> parse_instant("2026-11-21T07:00Z", what="--at")
    datetime.datetime(2026, 11, 21, 7, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise TimeError(f"{what} {text!r} is not an ISO-8601 time; write it like 2026-11-21T07:00Z") from None
    return require_utc(moment, what=what)


def iso(moment: datetime) -> str:
    """Return ``moment`` as ISO-8601 in UTC with a Z, seconds always present.

    >>> iso(datetime(2026, 11, 21, 7, tzinfo=UTC))
    '2026-11-21T07:00:00Z'
    """
    return require_utc(moment, what="time").isoformat().replace("+00:00", "Z")


def floor_hour(moment: datetime) -> datetime:
    """Return the start of the UTC hour that holds ``moment``."""
    return require_utc(moment, what="time").replace(minute=0, second=0, microsecond=0)


def local_day(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the UTC instants between which a local calendar day lies, half-open.

    A spring day has 23 hours, an autumn day 25:

    >>> start, end = local_day(date(2026, 11, 1), CENTRAL)
    >>> (end - start) / timedelta(hours=1)
    25.0
    """
    start = datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=1), time(), tzinfo=zone).astimezone(UTC)
    return start, end


def hour_ending(day: date, hour: int, zone: ZoneInfo, *, repeated: bool = False) -> datetime:
    """Return the UTC start of the local hour that *ends* at ``hour`` (1 to 24).

    The hour's beginning is localised, never its ending: 02:00 does not exist in spring and 24:00 is no clock
    time. ``repeated`` names the second pass of the autumn hour (ERCOT's DSTFlag ``Y``).

    Raises:
        TimeError: The hour is outside 1 to 24, does not exist on that day, or is called repeated and is not.

    >>> hour_ending(date(2026, 11, 1), 2, CENTRAL).isoformat()
    '2026-11-01T06:00:00+00:00'
    >>> hour_ending(date(2026, 11, 1), 2, CENTRAL, repeated=True).isoformat()
    '2026-11-01T07:00:00+00:00'
    """
    if not 1 <= hour <= 24:  # noqa: PLR2004 - the hours of a day
        raise TimeError(f"hour ending {hour} on {day} is outside 1 to 24")
    local = datetime.combine(day, time(hour - 1), tzinfo=zone).replace(fold=int(repeated))
    start = local.astimezone(UTC)
    if start.astimezone(zone).replace(fold=0) != local.replace(fold=0):
        raise TimeError(f"hour ending {hour} on {day} does not exist in {zone.key}: clocks went forward")
    if repeated and local.replace(fold=0).astimezone(UTC) == start:
        raise TimeError(f"hour ending {hour} on {day} is flagged as repeated, but {zone.key} repeats no hour there")
    return start
