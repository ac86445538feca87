"""The code location that runs the plant and the fleet."""

from __future__ import annotations

import dagster as dg

from assets import (
    beliefs,
    dispatch,
    dispatch_afterbay,
    dispatch_fleet,
    dispatch_tracking,
    forecasting,
    ingest,
    ingest_ercot,
    ingest_fleet,
    ingest_live,
    ingest_others,
    marts,
    publish,
)
from pipelines.automation import JOBS, SCHEDULES
from pipelines.wiring import resource_definitions
from sensors.awards_drop import awards_drop
from sensors.fleet_watch import fleet_watch
from sensors.pool_band import pool_band
from sensors.stale_sources import stale_sources

defs = dg.Definitions(
    assets=dg.load_assets_from_modules(
        [
            ingest,
            ingest_ercot,
            ingest_fleet,
            ingest_live,
            ingest_others,
            beliefs,
            forecasting,
            dispatch,
            dispatch_afterbay,
            dispatch_fleet,
            dispatch_tracking,
            publish,
            marts,
        ]
    ),
    jobs=JOBS,
    schedules=SCHEDULES,
    sensors=[awards_drop, fleet_watch, pool_band, stale_sources],
    resources=resource_definitions(),
    executor=dg.in_process_executor,
)
