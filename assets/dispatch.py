"""What the afterbay shall do.

Put here: deciding as of an instant, storing the plan with its manifest. Keep out: what a decision reads and how it is
solved (resources/reservoir_decisions.py, solvers/), the fleet (dispatch_fleet.py), and handing it out (publish.py).
"""

from datetime import timedelta
from typing import Final

import dagster as dg
import polars as pl

from assets.decided import GROUP, decision_facts, pinned_cutoffs, plan_result
from assets.partitions import HOURS
from resources.clock import Clock
from resources.lake import Lake
from resources.pinned import PlantFile
from resources.planning import PlanningReader
from resources.publisher import Publisher, Version
from resources.reservoir_decisions import decide_reservoir, published_schedule, reservoir_case

PHYSICS: Final = "obeys_the_physics"


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
    cutoffs = pinned_cutoffs(context, lake)
    case = reservoir_case(lake, planning, plant.plant, cutoffs)
    plan = decide_reservoir(case)
    report = dict(plan.report)
    facts = decision_facts(case, cutoffs, report, code_version) | {
        "optimizer": "lp",
        "plant_sha256": plant.pin(lake, clock.now()),
        "series_sha256": planning.pin(clock.now()),
        "state": {"elevation_ft": case.state.elevation_ft, "oxbow_mw": case.state.oxbow_mw},
    }
    schedule = published_schedule(case, plan)
    version = publisher.store("reservoir", cutoffs.at, schedule, facts, inputs={"inputs.parquet": case.inputs})
    _append_trajectory(context, lake, version, schedule)
    return plan_result(version, report, PHYSICS)


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
