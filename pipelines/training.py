"""The code location for experiments: a broken one cannot stop dispatch.

Learned models are trained and judged here; until there are any, it measures the baselines they will have to beat.
"""

from __future__ import annotations

import dagster as dg

from assets import training
from pipelines.wiring import resource_definitions

defs = dg.Definitions(
    assets=dg.load_assets_from_modules([training]),
    resources=resource_definitions(),
    executor=dg.in_process_executor,
)
