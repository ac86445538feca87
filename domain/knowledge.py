"""Knowledge rules: when an event can first be known, from which a forecast's horizon is counted.

The horizon of a price forecast runs to gate closure or publication, not to delivery. Put here: such rules, as
functions of the event's start. Keep out: when a value really became known (a belief's own ``belief_time``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from domain.beliefs import TIME


@dataclass(frozen=True, slots=True, kw_only=True)
class GateClosure:
    """Known at one local time, a number of local days before the day the event is in.

    Attributes:
        zone: Zone of the market day.
        days_before: Local days before the event's own local day; 1 is the day ahead.
        at: Local time of closure or publication.

    >>> from domain.instants import CENTRAL
    >>> rule = GateClosure(zone=CENTRAL, days_before=1, at=time(13, 30))
    >>> autumn = pl.Series([datetime(2026, 11, 1, 4), datetime(2026, 11, 1, 6)]).dt.replace_time_zone("UTC")
    >>> [moment.isoformat() for moment in rule(autumn)]
    ['2026-10-30T18:30:00+00:00', '2026-10-31T18:30:00+00:00']
    """

    zone: ZoneInfo
    days_before: int
    at: time

    def __call__(self, event_start: pl.Series) -> pl.Series:
        """Return the instant of closure of each event [UTC]."""
        days = event_start.dt.convert_time_zone(self.zone.key).dt.date()
        closure = {
            day: datetime.combine(day - timedelta(days=self.days_before), self.at, tzinfo=self.zone)
            for day in days.unique()
        }
        return pl.Series([closure[day] for day in days], dtype=TIME)
