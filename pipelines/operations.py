"""The code location that runs the plant and the fleet."""

from __future__ import annotations

import dagster as dg

from assets import beliefs, dispatch, forecasting, ingest, marts, publish
from pipelines.automation import JOBS, SCHEDULES
from pipelines.wiring import resource_definitions
from sensors.pool_band import pool_band

defs = dg.Definitions(
    assets=dg.load_assets_from_modules([ingest, beliefs, forecasting, dispatch, publish, marts]),
    jobs=JOBS,
    schedules=SCHEDULES,
    sensors=[pool_band],
    resources=resource_definitions(),
    executor=dg.in_process_executor,
)
