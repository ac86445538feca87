"""The code location that runs the plant and the fleet."""

from __future__ import annotations

import dagster as dg

from assets import (
    beliefs,
    dispatch,
    dispatch_fleet,
    forecasting,
    ingest,
    ingest_ercot,
    ingest_live,
    ingest_others,
    marts,
    publish,
)
from pipelines.automation import JOBS, SCHEDULES
from pipelines.wiring import resource_definitions
from sensors.awards_drop import awards_drop
from sensors.pool_band import pool_band

defs = dg.Definitions(
    assets=dg.load_assets_from_modules(
        [
            ingest,
            ingest_ercot,
            ingest_live,
            ingest_others,
            beliefs,
            forecasting,
            dispatch,
            dispatch_fleet,
            publish,
            marts,
        ]
    ),
    jobs=JOBS,
    schedules=SCHEDULES,
    sensors=[awards_drop, pool_band],
    resources=resource_definitions(),
    executor=dg.in_process_executor,
)
