"""Tells people when a source has stopped saying anything new.

A sensor, because a source that fails stops the very run that would judge it: the age of the newest event must be
looked at whether or not anything was fetched.
"""

from datetime import datetime, timedelta
from typing import Final

import dagster as dg
import polars as pl

from domain import quality
from domain.alerts import Alert, stale_source
from domain.beliefs import TIME, Cutoffs, Mode
from resources.clock import Clock
from resources.lake import Lake
from resources.registry import Registry
from resources.sources_file import Reread, Sources

_LOOK_BACK: Final = timedelta(days=7)
"""In it the newest event is looked for, and the rhythm of quiet tags."""

_AHEAD: Final = timedelta(days=2)
"""Day-ahead markets and forecasts speak of tomorrow."""

_EVEN: Final = 0.8
"""A series whose steps are equal at least so often, and an hour at most, is one of intervals as long as its step."""


def alerts_of_silence(lake: Lake, sources: Sources, *, now: datetime) -> list[Alert]:
    """Return an alert for each product family of config/sources.toml that is later than it may be.

    A family that has never said anything is not configured, and not late.
    """
    alerts = []
    for family, rule in sources.reread.items():
        limit = rule.late if rule.late is not None else rule.silent
        if limit is None or not rule.series:
            continue
        by = "event" if rule.late is not None else "statement"
        rows = _newest_rows(lake, rule, limit, now)
        late = _late(rows, rule, limit, now) if rows.height else _long_gone(lake, rule, now)
        alerts += stale_source(family, late, now=now, said=f"its newest {by} is late after {limit}")
    return alerts


def _newest_rows(lake: Lake, rule: Reread, limit: timedelta, now: datetime) -> pl.DataFrame:
    start = now - max(_LOOK_BACK, 2 * limit)
    sources = [rule.source] if rule.source else None
    # What we hold counts from its arrival: the declared latency is for decisions, which must not profit from it.
    cutoffs = Cutoffs(at=now + max(lake.latency.values(), default=timedelta(0)), mode=Mode.PUBLISHED)
    rows = lake.as_of(list(rule.series), start=start, end=now + _AHEAD, cutoffs=cutoffs, sources=sources)
    return rows.filter(pl.col("value").is_not_null())


def _late(rows: pl.DataFrame, rule: Reread, limit: timedelta, now: datetime) -> pl.DataFrame:
    """Return ``series_id`` and ``newest`` of what is late among rows as the lake answers."""
    if rule.late is None:  # the family is late, not each of its sites and members
        newest = rows.select(series_id=pl.col("series_id").min(), newest=pl.col("belief_time").max())
        return newest.filter(pl.col("newest") < now - limit)
    events = rows.unique(["series_id", "event_start"]).sort("series_id", "event_start")
    step = pl.col("event_start").diff().over("series_id")
    usual = step.mode().min().over("series_id")
    even = (step == usual).mean().over("series_id") >= _EVEN
    length = pl.when(even & (usual <= timedelta(hours=1))).then(usual)
    ended = events.with_columns(event_end=pl.col("event_start") + length.fill_null(timedelta(0)))
    return quality.stale(ended, now=now, late=limit).select("series_id", "newest")


def _long_gone(lake: Lake, rule: Reread, now: datetime) -> pl.DataFrame:
    """Return what the lake knows and nobody has spoken of for so long: told again every day."""
    spoke = not rule.source or lake.coverage(source=rule.source).height
    gone = lake.series(list(rule.series)) if spoke else []
    day = (now - _LOOK_BACK).replace(hour=0, minute=0, second=0, microsecond=0)
    return pl.DataFrame({"series_id": gone}, schema={"series_id": pl.String}).with_columns(newest=pl.lit(day, TIME))


@dg.sensor(
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Writes an alert to the outbox when the newest event or statement of a source is older than it may be.",
)
def stale_sources(
    context: dg.SensorEvaluationContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    registry: dg.ResourceParam[Registry],
    sources: dg.ResourceParam[Sources],
) -> dg.SkipReason:
    """Judge every family; the outbox key absorbs what was told before."""
    now = clock.now()
    alerts = alerts_of_silence(lake, sources, now=now)
    new = registry.raise_alerts(alerts, raised_at=now)
    context.log.info("%d stale, %d of them new", len(alerts), new)
    names = ", ".join(str(alert.details["family"]) for alert in alerts) or "none"
    return dg.SkipReason(f"stale: {names}; {new} new in the outbox")
