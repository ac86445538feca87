"""The warehouse that analysts read: dbt's models as assets, dbt's tests as asset checks.

Put here: running dbt inside Dagster, and what a mart needs that SQL cannot compute. Keep out: SQL (dbt_project/), the
swap of the file (resources/warehouse.py), how a day is settled (resources/fleet_outcomes.py).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import dagster as dg
import polars as pl
from dagster_dbt import DagsterDbtTranslator, DbtProject, dbt_assets

from resources.clock import Clock
from resources.fleet_link import FleetLink
from resources.fleet_outcomes import FleetOutcomes, Sources
from resources.lake import Lake
from resources.marts import marts_dbt
from resources.planning import PlanningReader
from resources.publisher import Publisher
from resources.registry import Registry
from resources.sparks import BLUE, GREY, Line, spark
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
    "stg_fleet_outcomes": [dg.AssetDep([GROUP, "fleet_outcomes"])],
}  # fmt: skip
"""Staging view -> who writes the files it reads; dbt knows the files only."""


BOUND: Final = "costs_no_less_than_perfect_foresight"
_SHOWN_DAYS: Final = 14


@dg.asset(
    key=[GROUP, "fleet_outcomes"], group_name=GROUP, owners=["team:analytics"], kinds={"python", "parquet"},
    deps=_newest("publish/fleet_schedule", "ingest/fleet_acks", "ingest/fleet_telemetry", "ingest/ercot_rt_prices"),
    check_specs=[
        dg.AssetCheckSpec(
            BOUND, asset=[GROUP, "fleet_outcomes"],
            description="No executed day cost less than the best schedule at the prices that came true: a device that"
            " beats it has better efficiencies than the registry says, or measures wrongly.",
        )
    ],
)  # fmt: skip
def fleet_outcomes(
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    planning: dg.ResourceParam[PlanningReader],
    publisher: dg.ResourceParam[Publisher],
    registry: dg.ResourceParam[Registry],
    fleet: dg.ResourceParam[FleetLink],
) -> dg.MaterializeResult:
    """What each executed day of the fleet cost, would have cost without control, and at least must cost.

    Days are settled again while late acknowledgements or prices may change them.
    """
    sources = Sources(lake=lake, planning=planning, publisher=publisher, registry=registry, executions=fleet.executions)
    table = FleetOutcomes(fleet.lake)
    settled = table.bring_up_to_date(sources, now=clock.now())
    days = table.read()
    beaten = days.filter(pl.col("share_of_perfect") > 1 + 1e-6)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": days.height,
            "days_settled": [f"{day}" for day in settled],
            "days_without_a_number": days["reason"].count(),
            "newest_days": dg.MetadataValue.md(_days_table(days.tail(_SHOWN_DAYS))),
            **_days_plot(days.filter(pl.col("saved_usd").is_not_null()).tail(_SHOWN_DAYS)),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=BOUND, passed=beaten.is_empty(), severity=dg.AssetCheckSeverity.WARN,
                metadata={"days": [f"{day}" for day in beaten["operating_day"]]},
            )
        ],
    )  # fmt: skip


def _days_table(days: pl.DataFrame) -> str:
    head = "| day | devices | saved [USD] | [USD/kW] | of perfect [%] | of the bill of charging [%] | missing |"
    rows = [
        f"| {row['operating_day']} | {row['devices'] or 0} of {row['devices_planned']} | {_shown(row['saved_usd'])}"
        f" | {_shown(row['saved_usd_per_kw'])} | {_shown(row['share_of_perfect'], 100)}"
        f" | {_shown(row['share_of_charging_bill'], 100)} | {row['reason'] or ''} |"
        for row in days.reverse().iter_rows(named=True)
    ]
    return "\n".join([head, "|---|---|---|---|---|---|---|", *rows])


def _shown(number: float | None, scale: float = 1) -> str:
    return "" if number is None else f"{number * scale:,.2f}"


def _days_plot(days: pl.DataFrame) -> dict[str, dg.MetadataValue]:
    """Return what was saved, bold, below what could have been."""
    if days.height <= 1:  # a line has two ends
        return {}
    most = days.select(pl.col("no_control_usd") - pl.col("perfect_usd")).to_series()
    lines = [
        Line(points=[(n / (days.height - 1), value) for n, value in enumerate(values)], colour=colour, wide=wide)
        for values, colour, wide in ((most, GREY, False), (days["saved_usd"], BLUE, True))
    ]
    return {"saved_and_most_possible": dg.MetadataValue.md(spark(lines, title="saved a day", unit="USD"))}


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
