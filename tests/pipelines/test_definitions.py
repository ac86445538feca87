"""Claims about what the Dagster UI shows."""

from __future__ import annotations

import dagster as dg
import pytest

from pipelines import operations, training

LOCATIONS = {"operations": operations.defs, "training": training.defs}
SPECS = sorted(
    (spec for defs in LOCATIONS.values() for spec in defs.resolve_all_asset_specs()), key=lambda spec: spec.key
)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.key.to_user_string())
def test_every_asset_says_what_it_is_whose_it_is_and_what_it_is_made_of(spec: dg.AssetSpec) -> None:
    assert spec.description
    assert spec.owners
    assert spec.kinds
    assert spec.group_name == spec.key.path[0]


@pytest.mark.parametrize("name", LOCATIONS)
def test_a_code_location_loads_and_its_jobs_resolve(name: str) -> None:
    dg.Definitions.validate_loadable(LOCATIONS[name])


def test_what_runs_when() -> None:
    schedules = {s.name: (s.cron_schedule, s.job.name) for s in operations.defs.schedules or ()}
    assert schedules == {
        "ingest_every_five_minutes": ("*/5 * * * *", "ingest_today"),
        "decide_hourly": ("7 * * * *", "decide_reservoir"),
        "review_hourly": ("13 * * * *", "review_reservoir"),
        "decide_daily": ("32 9 * * *", "decide_fleet"),
        "replan_hourly": ("12 * * * *", "replan_fleet"),
        "marts_hourly": ("17 * * * *", "build_marts"),
        "compact_hourly": ("41 * * * *", "compact_lake"),
    }


def test_the_asset_keys_are_these() -> None:
    keys = {spec.key.to_user_string() for spec in SPECS if spec.key.path[0] != "marts"}
    assert keys == {
        "ingest/historian", "ingest/ercot_rt_prices", "ingest/ercot_da_prices", "ingest/ercot_load_forecast",
        "ingest/caiso_prices", "ingest/river_forecasts", "ingest/ercot_sced_prices", "ingest/ercot_wind_solar",
        "ingest/ercot_actual_load", "ingest/ercot_da_ancillary", "ingest/ercot_rt_ancillary",
        "ingest/ercot_price_corrections", "ingest/ercot_mis_prices", "ingest/ercot_dashboards",
        "ingest/ercot_messages", "ingest/caiso_five_minute_prices", "ingest/caiso_load_forecast",
        "ingest/yes_prices", "ingest/public_river_forecasts", "ingest/river_forecast_revisions", "ingest/awards",
        "ingest/fleet_acks", "ingest/fleet_telemetry", "publish/fleet_schedules",
        "publish/fleet_hourly_schedules",
        "beliefs/compaction", "forecasting/inflow",
        "forecasting/upstream_dispatch", "forecasting/price", "dispatch/reservoir_plan", "dispatch/fleet_plan",
        "dispatch/fleet_replan",
        "dispatch/reservoir_bands", "dispatch/reservoir_scenarios", "dispatch/reservoir_tracking",
        "publish/reservoir_schedule", "publish/fleet_schedule", "training/baseline_scores",
    }  # fmt: skip
