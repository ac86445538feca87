"""The warehouse that analysts read: dbt's models as assets, dbt's tests as asset checks.

Put here: running dbt inside Dagster. Keep out: SQL (dbt_project/), the swap of the file (resources/warehouse.py).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject, dbt_assets

from resources.clock import Clock
from resources.lake import Lake
from resources.marts import marts_dbt
from resources.warehouse import fresh, manifest

GROUP: Final = "marts"


def _newest(*keys: str) -> list[dg.AssetDep]:
    return [dg.AssetDep(key.split("/"), partition_mapping=dg.LastPartitionMapping()) for key in keys]


_PUBLISHED: Final = _newest("publish/reservoir_schedule", "publish/fleet_schedule")
_WRITERS: Final = {
    "stg_beliefs": _newest(
        "ingest/historian", "ingest/ercot_rt_prices", "ingest/ercot_da_prices", "ingest/ercot_load_forecast",
        "ingest/caiso_prices", "ingest/river_forecasts", "forecasting/inflow", "forecasting/price",
        "forecasting/upstream_dispatch",
    ),
    "stg_publications": _PUBLISHED,
    "stg_fleet_schedules": _PUBLISHED,
    "stg_setpoints": _newest("publish/fleet_schedules", "publish/fleet_hourly_schedules"),
    "stg_executions": _newest("ingest/fleet_acks"),
}  # fmt: skip
"""Staging view -> who writes the files it reads; dbt knows the files only."""


class _Names(DagsterDbtTranslator):
    """Keys, group and owner of dbt's models."""

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = manifest["nodes"].get(unique_id) or manifest["sources"][unique_id]
        if node["resource_type"] == "source":
            # The lake has no asset of its own: it is what all of ingestion wrote, and compaction looks after it.
            return spec.replace_attributes(key=dg.AssetKey(["beliefs", "compaction"]))
        spec = spec.replace_attributes(
            key=dg.AssetKey([GROUP, node["name"]]), group_name=GROUP, owners=["team:analytics"], kinds={"dbt", "duckdb"}
        )
        return spec.merge_attributes(deps=_WRITERS.get(node["name"], []))


@dbt_assets(manifest=manifest(), dagster_dbt_translator=_Names(), name="warehouse")
def warehouse(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    home: dg.ResourceParam[Path],
    lake: dg.ResourceParam[Lake],
) -> Iterator[Any]:
    """Every mart, built into a fresh DuckDB file that replaces the old one when all tests have passed."""
    whole = not context.is_subset
    with fresh(home, lake.recorded_files(), stamp=clock.now(), whole=whole) as build:
        run = marts_dbt().cli(["build", *build.arguments], context=context, target_path=build.target)
        yield from run.stream()
