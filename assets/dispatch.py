"""What the plant and the fleet shall do.

Put here: pinning the cutoffs of a decision, deciding, storing the plan with its manifest. Keep out: what a decision
reads and how it is solved (resources/decisions.py, solvers/), and handing it out (publish.py).
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import dagster as dg
import polars as pl

from assets.partitions import FLEET_DAYS, HOURS, decision_instant
from domain.beliefs import Cutoffs, Mode
from domain.instants import iso
from resources.clock import Clock
from resources.decisions import (
    FleetCase,
    ReservoirCase,
    decide_fleet,
    decide_reservoir,
    fleet_case,
    fleet_earnings_usd,
    published_schedule,
    reservoir_case,
)
from resources.lake import Lake
from resources.pinned import PlantFile, pin_frame
from resources.planning import PlanningReader
from resources.publisher import Publisher, Version
from resources.registry import Registry

GROUP: Final = "dispatch"
PHYSICS: Final = "obeys_the_physics"
LIMITS: Final = "obeys_every_limit"

_NEWEST_PRICE: Final = dg.AssetDep(["forecasting", "price"], partition_mapping=dg.LastPartitionMapping())
"""UTC hours do not map onto Central days; the fleet reads the newest price forecast known at its instant."""


@dg.asset(
    key=[GROUP, "reservoir_plan"], group_name=GROUP, partitions_def=HOURS, owners=["team:dispatch"],
    kinds={"python", "highs"},
    deps=[["forecasting", "inflow"], ["forecasting", "upstream_dispatch"], ["forecasting", "price"],
          ["ingest", "historian"]],
    check_specs=[dg.AssetCheckSpec(
        PHYSICS, asset=dg.AssetKey([GROUP, "reservoir_plan"]),
        description="Balance, ramp, head cap and spill hold to 1e-6 when an independent function re-computes them.",
    )],
)  # fmt: skip
def reservoir_plan(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    planning: dg.ResourceParam[PlanningReader],
    plant: dg.ResourceParam[PlantFile],
    publisher: dg.ResourceParam[Publisher],
    code_version: dg.ResourceParam[str],
) -> dg.MaterializeResult:
    """Oxbow's setpoints for four days: the most valuable use of the afterbay within its limits.

    Both cutoffs are pinned in the manifest, so that a replay reads exactly what this decision read.
    """
    cutoffs = _pinned(context, lake)
    case = reservoir_case(lake, planning, plant.plant, cutoffs)
    plan = decide_reservoir(case)
    report = dict(plan.report)
    facts = _facts(case, cutoffs, report, code_version) | {
        "optimizer": "lp",
        "plant_sha256": plant.pin(lake, clock.now()),
        "series_sha256": planning.pin(clock.now()),
        "state": {"elevation_ft": case.state.elevation_ft, "oxbow_mw": case.state.oxbow_mw},
    }
    schedule = published_schedule(case, plan)
    version = publisher.store("reservoir", cutoffs.at, schedule, facts, inputs={"inputs.parquet": case.inputs})
    _append_trajectory(context, lake, version, schedule)
    return _result(version, report, PHYSICS)


@dg.asset(
    key=[GROUP, "fleet_plan"], group_name=GROUP, partitions_def=FLEET_DAYS, owners=["team:dispatch"],
    kinds={"python", "numba"}, deps=[_NEWEST_PRICE],
    check_specs=[dg.AssetCheckSpec(
        LIMITS, asset=dg.AssetKey([GROUP, "fleet_plan"]),
        description="Charge, power and time sharing hold to 1e-6 when an independent function re-computes them.",
    )],
)  # fmt: skip
def fleet_plan(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    registry: dg.ResourceParam[Registry],
    publisher: dg.ResourceParam[Publisher],
    code_version: dg.ResourceParam[str],
) -> dg.MaterializeResult:
    """Charge and discharge of every battery for the next local operating day, in half hours."""
    cutoffs = _pinned(context, lake)
    case = fleet_case(lake, registry.devices(), cutoffs)
    plan = decide_fleet(case)
    report = dict(plan.report)
    facts = _facts(case, cutoffs, report, code_version) | {
        "devices_sha256": pin_frame(lake, case.devices, name="devices", now=clock.now()),
        "operating_day": case.operating_day.isoformat(),
        "terminal_value_usd_per_kwh": case.terminal_value_usd_per_kwh,
        "earnings_usd": fleet_earnings_usd(case, plan.schedule),
        "devices": report["devices"],
        "not_planned": len(report["infeasible"]),
    }
    version = publisher.store("fleet", cutoffs.at, plan.schedule, facts, inputs={"prices.parquet": case.prices})
    return _result(version, report, LIMITS)


def _pinned(context: dg.AssetExecutionContext, lake: Lake) -> Cutoffs:
    return Cutoffs(at=decision_instant(context), mode=Mode.PUBLISHED, recorded_before=lake.pin())


def _facts(
    case: ReservoirCase | FleetCase, cutoffs: Cutoffs, report: Mapping[str, Any], code_version: str
) -> dict[str, Any]:
    assert cutoffs.recorded_before is not None  # noqa: S101 - _pinned always pins it
    return {
        "mode": cutoffs.mode.value,
        "recorded_before": iso(cutoffs.recorded_before),
        "input_sha256": case.fingerprint,
        "provenance": dict(case.provenance),
        "code_version": code_version,
        "solver": report.get("solver", "highs"),
        "status": report["status"],
        "objective_usd": report["objective_usd"],
        "bound_usd": report.get("bound_usd", report.get("lower_bound_usd")),
        "gap": report["gap"],
    }


def _append_trajectory(context: dg.AssetExecutionContext, lake: Lake, version: Version, schedule: pl.DataFrame) -> None:
    """Keep the planned level and power as beliefs, beside what will be measured."""
    at = pl.lit(version.as_of).dt.cast_time_unit("us")
    common = {"belief_time": at, "source": pl.lit("tailrace"), "scenario": pl.lit("plan")}
    step = timedelta(hours=1)
    level = schedule.select(
        series_id=pl.lit("afterbay.elevation.ft"), event_start=pl.col("event_start") + step,
        event_end=pl.col("event_start") + step, value=pl.col("elevation_ft"), unit=pl.lit("ft"), **common,
    )  # fmt: skip
    power = schedule.select(
        series_id=pl.lit("oxbow.power.mw"), event_start=pl.col("event_start"),
        event_end=pl.col("event_start") + step, value=pl.col("oxbow_mw"), unit=pl.lit("MW"), **common,
    )  # fmt: skip
    lake.append(pl.concat([level, power]), run_id=context.run_id, product="plan:reservoir")


def _result(version: Version, report: Mapping[str, Any], check: str) -> dg.MaterializeResult:
    return dg.MaterializeResult(
        metadata={
            "schedule_id": version.schedule_id,
            "version": version.number,
            "objective_usd": report["objective_usd"],
            "gap": report["gap"],
            "status": report["status"],
            "folder": dg.MetadataValue.path(version.folder),
            "report": dg.MetadataValue.json({k: v for k, v in report.items() if k != "explain"}),
        },
        # A plan that failed its check never got here: the decision refuses it (resources/decisions.py).
        check_results=[dg.AssetCheckResult(check_name=check, passed=True, metadata={"tolerance": 1e-6})],
    )
