"""How assets are cut in time.

Put here: partitions definitions and the instant a decision key names. Keep out: schedules (pipelines/automation.py).
"""

from datetime import UTC, datetime
from typing import Final

import dagster as dg

DAYS: Final = dg.DailyPartitionsDefinition(start_date="2024-01-01", end_offset=1)
"""UTC days of ingestion: of the event for measurements and market results, of the issue for forecasts. The end
offset makes today exist."""

HOURS: Final = dg.HourlyPartitionsDefinition(start_date="2026-01-01T00:00Z", fmt="%Y-%m-%dT%H:%MZ", end_offset=1)
"""Instants of hourly decisions: the key names the as-of instant."""

FLEET_DAYS: Final = dg.TimeWindowPartitionsDefinition(
    cron_schedule="30 9 * * *",
    timezone="America/Chicago",
    fmt="%Y-%m-%dT%H:%M%z",
    start="2026-01-01T09:30-0600",
    end_offset=1,
)
"""Instants of day-ahead fleet decisions, 09:30 Central: before the day-ahead market's gate closes at 10:00."""


def decision_instant(context: dg.AssetExecutionContext) -> datetime:
    """Return the instant whose knowledge this partition's decision may use [UTC]."""
    return context.partition_time_window.start.astimezone(UTC)
