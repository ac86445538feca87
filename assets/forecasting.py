"""What we expect, with how sure we are: forecasts of the series that decisions need.

Every forecast is a belief of ours: source ``tailrace``, belief_time the instant of the decision.
Put here: reading as of an instant, calling a forecaster, appending. Keep out: how a forecast is made (forecasting/).
"""

from datetime import datetime, timedelta
from typing import Final

import dagster as dg
import polars as pl

from assets.partitions import HOURS, decision_instant
from domain.beliefs import Cutoffs, Mode, Quality
from domain.instants import PACIFIC
from domain.series import PlanningSeries
from forecasting.ladder import forecast_inflow, forecast_price
from resources.decisions import FORECAST, HORIZON_H
from resources.lake import Lake
from resources.planning import PlanningReader
from resources.reservoir_case import upstream_forecast
from resources.reservoir_readings import MFRA, hours_from, read_dispatch

GROUP: Final = "forecasting"
SOURCE: Final = "tailrace"

HISTORY: Final = timedelta(days=35)
"""Four weekly seasons and a week of errors."""

MARKET_HORIZON_H: Final = 120
"""Prices reach a day beyond the plans: the fleet's operating day ends up to 40 h after its decision, and a decision
may use a forecast that is some hours old [h]."""

RIVERS: Final = {
    "r4.flow.cfs": {"hydroforecast": "r4.flow_forecast.cfs", "cnrfc": "r4.flow_public.cfs"},
    "r30.flow.cfs": {"hydroforecast": "r30.flow_forecast.cfs", "cnrfc": "r30.flow_public.cfs"},
}
"""Gauge -> the vendors' forecasts of it, best first."""

BY_VENDOR: Final = "a_vendor_covers_every_hour"

_MARKET: Final = [dg.AssetDep(["ingest", name]) for name in ("ercot_rt_prices", "ercot_da_prices", "caiso_prices")]


@dg.asset(
    key=[GROUP, "inflow"], group_name=GROUP, partitions_def=HOURS, owners=["team:hydrology"],
    kinds={"python", "polars"},
    deps=[["ingest", "historian"], ["ingest", "river_forecasts"], ["ingest", "public_river_forecasts"]],
    check_specs=[dg.AssetCheckSpec(
        BY_VENDOR, asset=[GROUP, "inflow"],
        description="Every hour of every river rests on a vendor's forecast, none on the last days' own pattern.",
    )],
)  # fmt: skip
def inflow(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], planning: dg.ResourceParam[PlanningReader]
) -> dg.MaterializeResult:
    """Flows into the pool, hourly for four days: HydroForecast, else CNRFC, else the last days' own pattern [cfs].

    An hour of the first has quality good, of the second substituted, of the last estimated.
    """
    cutoffs = _cutoffs(context)
    parts = {}
    for series_id, vendors in RIVERS.items():
        said = {
            vendor: planning.forecast(
                name, start=cutoffs.at, end=cutoffs.at + timedelta(hours=HORIZON_H), cutoffs=cutoffs
            )
            for vendor, name in vendors.items()
        }
        observed = planning.observed(series_id, start=cutoffs.at - HISTORY, end=cutoffs.at, cutoffs=cutoffs)
        part = forecast_inflow(
            observed, said, origin=cutoffs.at, horizon_h=HORIZON_H, series_id=series_id, zone=PACIFIC
        )
        best, *others = (f"vendor:{name}" for name in vendors)
        substituted = pl.when(pl.col("model").is_in(others)).then(pl.lit(Quality.SUBSTITUTED.value))
        rest = substituted.otherwise(pl.lit(Quality.ESTIMATED.value))
        quality = pl.when(pl.col("model") == best).then(pl.lit(Quality.GOOD.value)).otherwise(rest)
        parts[series_id] = part.with_columns(quality=quality)
    left = {
        series_id: hours
        for series_id, part in parts.items()
        if (hours := part.filter(pl.col("quantile").is_null() & (pl.col("quality") == "estimated")).height)
    }
    told = ", ".join(f"{series_id} {hours} of {HORIZON_H} h" for series_id, hours in left.items())
    check = dg.AssetCheckResult(
        check_name=BY_VENDOR, passed=not left, severity=dg.AssetCheckSeverity.WARN,
        description=f"without any vendor's forecast: {told}" if left else None,
    )  # fmt: skip
    return _store(context, lake, cutoffs.at, parts)._replace(check_results=[check])


@dg.asset(
    key=[GROUP, "upstream_dispatch"], group_name=GROUP, partitions_def=HOURS, owners=["team:dispatch"],
    kinds={"python", "polars"}, deps=[["ingest", "historian"], ["ingest", "awards"]],
)  # fmt: skip
def upstream_dispatch(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], planning: dg.ResourceParam[PlanningReader]
) -> dg.MaterializeResult:
    """Output of the powerhouses above the pool for four days, as decisions expect it: awards, then habit [MW]."""
    cutoffs = _cutoffs(context)
    hours = hours_from(cutoffs.at, HORIZON_H)
    dispatch = read_dispatch(planning, cutoffs)
    forecast = upstream_forecast(dispatch, tuple(hours["event_start"].to_list()), PACIFIC).forecast
    basis = pl.Series("basis", forecast.provenance)
    tier = basis.str.split(",").list.first().str.replace(r"blend .*", "blend")
    part = hours.with_columns(quantile=pl.lit(None, pl.Float64), value=forecast.mfra_mw, model=tier, basis=basis)
    return _store(context, lake, cutoffs.at, {MFRA: part})


@dg.asset(
    key=[GROUP, "price"], group_name=GROUP, partitions_def=HOURS, owners=["team:market-data"],
    kinds={"python", "polars"}, deps=_MARKET,
)  # fmt: skip
def price(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], planning: dg.ResourceParam[PlanningReader]
) -> dg.MaterializeResult:
    """Prices the plant and the fleet will earn, hourly for five days: published day-ahead, then comparable days."""
    cutoffs = _cutoffs(context)
    end = cutoffs.at + timedelta(hours=MARKET_HORIZON_H)
    parts = {}
    for series_id, market in planning.prices.items():
        parts[series_id] = forecast_price(
            planning.observed(market.day_ahead, start=cutoffs.at - HISTORY, end=end, cutoffs=cutoffs),
            planning.hourly(market.real_time, start=cutoffs.at - HISTORY, end=cutoffs.at, cutoffs=cutoffs),
            origin=cutoffs.at,
            horizon_h=MARKET_HORIZON_H,
            zone=market.zone,
            series_id=series_id,
        )
    return _store(context, lake, cutoffs.at, parts)


def _cutoffs(context: dg.AssetExecutionContext) -> Cutoffs:
    # The recorded cutoff is free: a forecast made later for an old instant may use what was back-loaded since,
    # as long as it was published by then. The decision pins it (assets/dispatch.py).
    return Cutoffs(at=decision_instant(context), mode=Mode.PUBLISHED)


def _store(
    context: dg.AssetExecutionContext, lake: Lake, at: datetime, parts: dict[str, pl.DataFrame]
) -> dg.MaterializeResult:
    models = {}
    rows = 0
    for series_id, part in parts.items():
        beliefs = part.select(
            pl.lit(series_id).alias("series_id"),
            "event_start",
            (pl.col("event_start") + timedelta(hours=1)).alias("event_end"),
            pl.lit(at).dt.cast_time_unit("us").alias("belief_time"),
            "value",
            pl.lit(PlanningSeries.parse(series_id).unit).alias("unit"),
            pl.col("quality") if "quality" in part.columns else pl.lit(Quality.GOOD.value).alias("quality"),
            (pl.col("model") + ": " + pl.col("basis")).alias("quality_detail"),
            pl.lit(SOURCE).alias("source"),
            pl.lit(FORECAST).alias("scenario"),
            "quantile",
        )
        rows += lake.append(beliefs, run_id=context.run.run_id, product=f"forecast:{series_id}").rows_added
        means = part.filter(pl.col("quantile").is_null())
        models[series_id] = dict(means.group_by("model").len().sort("model").iter_rows())
    return dg.MaterializeResult(metadata={"rows_added": rows, "hours_by_model": models})
