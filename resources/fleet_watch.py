"""How the fleet follows what it was told, as of now: read from the log, judged by the domain's rules.

Put here: which rows the rules need. Keep out: the rules (domain/fleet/lifecycle.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from domain.alerts import Alert
from domain.fleet.lifecycle import fleet_alerts, interval_states
from resources.fleet_log import TOLD, FleetLog
from resources.publisher import Publisher
from resources.registry import Registry

_LOOK_BACK: Final = timedelta(hours=7)
"""The longest window of a rule is six hours."""

_HALF_HOUR: Final = timedelta(minutes=30)


def states_now(publisher: Publisher, log: FleetLog, *, now: datetime) -> tuple[pl.DataFrame, datetime] | None:
    """Return the states of the half hours begun in the last seven hours, and when the current document ends.

    None before the first document. Where a document is younger than the window, what it does not cover is not judged.
    """
    version = publisher.current(TOLD)
    if version is None:
        return None
    setpoints = version.schedule()
    ends = setpoints["event_start"].sort()[-1] + _HALF_HOUR
    begun = setpoints.filter(pl.col("event_start").is_between(now - _LOOK_BACK, now))
    deliveries = log.newest_deliveries(now - _LOOK_BACK)
    return (
        interval_states(
            begun,
            deliveries.select("device_id", "published_at", "delivered_at"),
            log.executions(now - _LOOK_BACK, now + _HALF_HOUR),
            now=now,
        ),
        ends,
    )


def alerts_now(publisher: Publisher, registry: Registry, log: FleetLog, *, now: datetime) -> list[Alert]:
    """Return the fleet's alerts; none before the first document."""
    found = states_now(publisher, log, now=now)
    if found is None:
        return []
    states, ends = found
    return fleet_alerts(log.statuses(), states, registry.devices(), valid_to=ends, now=now)
