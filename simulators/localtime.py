"""Local clock readings of many instants at once, with the repeated autumn hour marked.

Put here: conversions between UTC epochs and the vendors' naive local stamps. Keep out: what the stamps are for.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from domain.instants import local_day
from simulators.noise import Ints

HOUR_S: Final = 3600
DAY_S: Final = 86400
_FIRST_YEAR: Final = 2015
_LAST_YEAR: Final = 2040


def epoch(moment: datetime) -> int:
    """Return whole seconds since 1970-01-01 UTC of an aware time."""
    return int(moment.timestamp())


def utc(seconds: float) -> datetime:
    """Return the aware UTC time of an epoch [s]."""
    return datetime.fromtimestamp(seconds, tz=UTC)


@lru_cache(maxsize=8)
def _transitions(zone: ZoneInfo) -> tuple[Ints, Ints]:
    """Return the instants at which the zone's offset changes and the offset [s] that holds from each on."""
    moment = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC)
    starts, offsets = [epoch(moment)], [_offset(moment, zone)]
    while moment.year <= _LAST_YEAR:
        after = moment + timedelta(days=1)
        if _offset(after, zone) != offsets[-1]:
            while _offset(moment, zone) == offsets[-1]:
                moment += timedelta(minutes=15)
            starts.append(epoch(moment))
            offsets.append(_offset(moment, zone))
        moment = after
    return np.array(starts, np.int64), np.array(offsets, np.int64)


def _offset(moment: datetime, zone: ZoneInfo) -> int:
    offset = moment.astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def to_local(seconds: Ints, zone: ZoneInfo) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the naive local reading of UTC epochs [s], and whether each is the second pass of a repeated hour."""
    starts, offsets = _transitions(zone)
    place = np.searchsorted(starts, seconds, side="right") - 1
    gone_back = np.maximum(offsets[np.maximum(place - 1, 0)] - offsets[place], 0)
    repeated = (place > 0) & (seconds - starts[place] < gone_back)
    return seconds + offsets[place], repeated


def day_bounds(day: date, zone: ZoneInfo) -> tuple[int, int]:
    """Return the UTC epochs [s] between which a local day lies, half-open: 23, 24 or 25 hours."""
    start, end = local_day(day, zone)
    return epoch(start), epoch(end)


def local_date(seconds: int, zone: ZoneInfo) -> date:
    """Return the local calendar day that holds a UTC epoch [s]."""
    return utc(seconds).astimezone(zone).date()


def stamps(local: Ints, unit: Literal["s", "D"] = "s") -> list[str]:
    """Return ``yyyy-MM-ddTHH:mm:ss`` (or the date alone with unit ``D``) of naive local epochs [s]."""
    return np.datetime_as_string(local.astype("datetime64[s]"), unit=unit).tolist()
