"""When things run.

Put here: jobs and schedules. Keep out: what runs (assets/) and reactions to what happened (sensors/).
"""

from datetime import UTC, timedelta
from typing import Final

import dagster as dg

_ON: Final = dg.DefaultScheduleStatus.RUNNING

INGEST: Final = dg.define_asset_job(
    "ingest_today", selection=dg.AssetSelection.groups("ingest") - dg.AssetSelection.assets(["ingest", "awards"]),
    description="Reads today's partition of every source; only what changed is appended.",
)  # fmt: skip
DECIDE_RESERVOIR: Final = dg.define_asset_job(
    "decide_reservoir",
    selection=dg.AssetSelection.groups("forecasting")
    | dg.AssetSelection.assets(["dispatch", "reservoir_plan"], ["publish", "reservoir_schedule"]),
    description="Forecasts, plans and publishes the reservoir as of a full hour.",
)
REVIEW_RESERVOIR: Final = dg.define_asset_job(
    "review_reservoir",
    selection=dg.AssetSelection.assets(
        ["dispatch", "reservoir_bands"], ["dispatch", "reservoir_scenarios"], ["dispatch", "reservoir_tracking"]
    ),
    description="Bands of the newest reservoir plan, the day's what-ifs, and how past plans turned out.",
)
DECIDE_FLEET: Final = dg.define_asset_job(
    "decide_fleet",
    selection=dg.AssetSelection.assets(
        ["dispatch", "fleet_plan"], ["publish", "fleet_schedule"], ["publish", "fleet_schedules"]
    ),
    description="Plans and publishes the fleet's next operating day as of 09:30 Central, and tells the devices.",
)
REPLAN_FLEET: Final = dg.define_asset_job(
    "replan_fleet",
    selection=dg.AssetSelection.assets(["dispatch", "fleet_replan"], ["publish", "fleet_hourly_schedules"]),
    description="Plans again what is new about the fleet since its plan, and tells the devices concerned.",
)  # fmt: skip
MARTS: Final = dg.define_asset_job(
    "build_marts", selection=dg.AssetSelection.groups("marts"),
    description="Builds the warehouse into a fresh file and swaps it in.",
)  # fmt: skip
COMPACT: Final = dg.define_asset_job(
    "compact_lake", selection=dg.AssetSelection.groups("beliefs"), description="Merges the lake's landing files."
)


@dg.schedule(job=INGEST, cron_schedule="*/5 * * * *", default_status=_ON)
def ingest_every_five_minutes(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Poll every source for today."""
    tick = context.scheduled_execution_time.astimezone(UTC)
    return dg.RunRequest(run_key=f"ingest-{tick:%Y-%m-%dT%H:%MZ}", partition_key=f"{tick:%Y-%m-%d}")


def _of_the_full_hour(cause: str, context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    tick = context.scheduled_execution_time.astimezone(UTC).replace(minute=0)
    key = f"{tick:%Y-%m-%dT%H:%MZ}"
    return dg.RunRequest(run_key=f"{cause}-{key}", partition_key=key)


@dg.schedule(job=DECIDE_RESERVOIR, cron_schedule="7 * * * *", default_status=_ON)
def decide_hourly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Plan the reservoir as of the full hour, once the hour's values have been polled."""
    return _of_the_full_hour("reservoir", context)


@dg.schedule(job=REVIEW_RESERVOIR, cron_schedule="13 * * * *", default_status=_ON)
def review_hourly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Judge the plan of the full hour once it is published; nothing waits for it."""
    return _of_the_full_hour("review", context)


@dg.schedule(job=DECIDE_FLEET, cron_schedule="32 9 * * *", execution_timezone="America/Chicago", default_status=_ON)
def decide_daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Plan the fleet as of 09:30 Central."""
    key = f"{context.scheduled_execution_time - timedelta(minutes=2):%Y-%m-%dT%H:%M%z}"
    return dg.RunRequest(run_key=f"fleet-{key}", partition_key=key)


@dg.schedule(job=REPLAN_FLEET, cron_schedule="12 * * * *", default_status=_ON)
def replan_hourly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Plan the fleet's rest of the day as of the full hour, once the reservoir's job has made the hour's forecasts."""
    return _of_the_full_hour("fleet-replan", context)


@dg.schedule(job=MARTS, cron_schedule="17 * * * *", default_status=_ON)
def marts_hourly() -> dg.RunRequest:
    """Rebuild the warehouse."""
    return dg.RunRequest()


@dg.schedule(job=COMPACT, cron_schedule="41 * * * *", default_status=_ON)
def compact_hourly() -> dg.RunRequest:
    """Merge landing files."""
    return dg.RunRequest()


JOBS: Final = [INGEST, DECIDE_RESERVOIR, REVIEW_RESERVOIR, DECIDE_FLEET, REPLAN_FLEET, MARTS, COMPACT]
SCHEDULES: Final = [
    ingest_every_five_minutes,
    decide_hourly,
    review_hourly,
    decide_daily,
    replan_hourly,
    marts_hourly,
    compact_hourly,
]
