"""How good forecasts are: the yardsticks that a challenger has to beat.

Put here: scoring of stored forecasts against what happened. Keep out: forecasting itself.
"""

from datetime import timedelta
from typing import Final

import dagster as dg
import polars as pl

from domain.beliefs import Cutoffs, Mode
from domain.instants import floor_hour
from forecasting.scoring import mae
from resources.clock import Clock
from resources.decisions import FORECAST
from resources.lake import Lake
from resources.planning import PlanningReader

GROUP: Final = "training"
WINDOW: Final = timedelta(days=28)
LEAD: Final = timedelta(hours=24)
SCORED: Final = ("r4.flow.cfs", "r30.flow.cfs", "mfra.power.mw")


@dg.asset(
    key=[GROUP, "baseline_scores"],
    group_name=GROUP,
    owners=["team:forecasting"],
    kinds={"python", "polars"},
    automation_condition=dg.AutomationCondition.on_cron("23 6 * * *"),
)
def baseline_scores(
    clock: dg.ResourceParam[Clock], lake: dg.ResourceParam[Lake], planning: dg.ResourceParam[PlanningReader]
) -> dg.MaterializeResult:
    """Mean absolute error, a day ahead, of the forecasts that decisions used in the last four weeks."""
    end = floor_hour(clock.now())
    known = Cutoffs(at=end, mode=Mode.PUBLISHED)
    scores = {}
    for series_id in SCORED:
        observed = planning.observed(series_id, start=end - WINDOW, end=end, cutoffs=known)
        said = lake.horizon_slice(series_id, start=end - WINDOW, end=end, horizon=LEAD)
        means = said.filter((pl.col("scenario") == FORECAST) & pl.col("quantile").is_null())
        both = observed.join(means.select("event_start", pl.col("value").alias("said")), on="event_start")
        scores[series_id] = {"hours": both.height} | (
            {"mae": mae(both["value"], both["said"])} if both.height else {"reason": "no forecast a day ahead yet"}
        )
    return dg.MaterializeResult(metadata={"scores": dg.MetadataValue.json(scores)})
