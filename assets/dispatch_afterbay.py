"""What is said about the afterbay's plans: where the pool may go, and what was tried.

Put here: judging plans that are still ahead. Keep out: deciding (dispatch.py), how plans turned out
(dispatch_tracking.py), the arithmetic (resources/reservoir_*.py, solvers/).
"""

from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

import dagster as dg
import polars as pl

from assets.decided import GROUP
from assets.partitions import HOURS, decision_instant
from domain.beliefs import Cutoffs, Mode
from domain.errors import TailraceError
from domain.instants import local_day, parse_instant
from resources.lake import Lake
from resources.operators import Operators, told
from resources.pinned import PlantFile
from resources.planning import PlanningReader
from resources.publisher import Publisher, Version
from resources.reservoir_bands import Bands, bands_of
from resources.reservoir_decisions import reservoir_case
from resources.reservoir_ladder import PLAN, SHIFTED, run_of
from resources.reservoir_plots import bands_plot, bands_spark, compare_plot, compare_spark, markdown
from resources.reservoir_what_ifs import OpenPlan, follow, open_version

ORDERED: Final = "bands_are_ordered"
SAME: Final = "is_of_the_plans_inputs"
PHYSICS: Final = "obeys_the_physics"
KEY: Final = dg.AssetKey([GROUP, "reservoir_plan"])
BANDS: Final = dg.AssetKey([GROUP, "reservoir_bands"])
SCENARIOS: Final = dg.AssetKey([GROUP, "reservoir_scenarios"])


def _check(key: dg.AssetKey, name: str, description: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=key, description=description)


@dg.asset(
    key=BANDS, group_name=GROUP, partitions_def=HOURS, owners=["team:dispatch"], kinds={"python", "polars"},
    deps=[KEY],
    check_specs=[
        _check(BANDS, ORDERED, "P10 lies below P50 below P90 in every hour, and odds lie within 0 and 1."),
        _check(BANDS, SAME, "Read again from the lake, the futures start from the very inputs the plan was made on."),
        _check(BANDS, PHYSICS, "The driest, the middle and the wettest future obey the physics when re-computed."),
    ],
)  # fmt: skip
def reservoir_bands(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    publisher: dg.ResourceParam[Publisher],
) -> dg.MaterializeResult:
    """Where the pool may go under the plan: P10, P50, P90 of the level [ft], odds of spill, low water, missed rafting.

    The plan's outputs are walked through 500 futures of rivers, dispatch upstream and price.
    """
    version = publisher.get(PLAN, decision_instant(context))
    if version.manifest["status"] == SHIFTED:
        passed = [dg.AssetCheckResult(check_name=name, passed=True) for name in (ORDERED, SAME, PHYSICS)]
        return dg.MaterializeResult(
            metadata={"no_bands": f"the plan is stale since {version.manifest['stale_since']}"}, check_results=passed
        )
    manifest = version.manifest
    cutoffs = Cutoffs(
        at=version.as_of,
        mode=Mode(manifest["mode"]),
        recorded_before=parse_instant(manifest["recorded_before"], what="recorded_before"),
    )
    reader = PlanningReader.unpin(lake, manifest["series_sha256"])
    plant = PlantFile.unpin(lake, manifest["plant_sha256"]).plant
    case = reservoir_case(lake, reader, plant, cutoffs, run_of(manifest))
    found = bands_of(case, version.schedule())
    lake.append(_band_beliefs(version, found), run_id=context.run.run_id, product="bands:reservoir")
    plot = bands_plot(found.schedule, minimum_ft=plant.pool.minimum_ft, zone=ZoneInfo(plant.zone))
    same = case.fingerprint == manifest["input_sha256"]
    return dg.MaterializeResult(
        metadata={
            "plan": f"{version.schedule_id} v{version.number}",
            "level_at_a_glance": dg.MetadataValue.md(bands_spark(found.schedule, minimum_ft=plant.pool.minimum_ft)),
            "where_the_pool_may_go": dg.MetadataValue.md(markdown(plot, "Where the pool may go")),
            **{f"probability_of_{name}": round(odds, 3) for name, odds in found.odds.items()},
            "rafting_windows": dg.MetadataValue.json(found.windows),
            "futures": found.futures,
            "made_from": case.provenance["futures"],
        },
        check_results=[
            dg.AssetCheckResult(check_name=ORDERED, passed=found.ordered),
            dg.AssetCheckResult(check_name=SAME, passed=same, metadata={"fingerprint": case.fingerprint}),
            dg.AssetCheckResult(
                check_name=PHYSICS, passed=not found.breaches, description="; ".join(found.breaches[:3]) or None
            ),
        ],
    )


def _band_beliefs(version: Version, found: Bands) -> pl.DataFrame:
    """Return the bands as beliefs: quantiles of the level beside the planned one, odds as series of their own."""
    at, hour = pl.lit(version.as_of).dt.cast_time_unit("us"), timedelta(hours=1)
    common = {"belief_time": at, "source": pl.lit("tailrace"), "scenario": pl.lit("plan_futures")}
    parts = [
        found.schedule.select(
            series_id=pl.lit("afterbay.elevation.ft"), event_start=pl.col("event_start") + hour,
            event_end=pl.col("event_start") + hour, value=pl.col(f"elevation_p{share}_ft"), unit=pl.lit("ft"),
            quantile=pl.lit(share / 100.0), **common,
        )
        for share in (10, 50, 90)
    ]  # fmt: skip
    parts += [
        found.schedule.select(
            series_id=pl.lit(series_id), event_start="event_start", event_end=pl.col("event_start") + hour,
            value=pl.col(column), unit=pl.lit("1"), quantile=pl.lit(None, pl.Float64), **common,
        )
        for series_id, column in (
            ("afterbay_spill.probability.1", "spill_probability"),
            ("afterbay_low.probability.1", "below_minimum_probability"),
        )
    ]  # fmt: skip
    return pl.concat(parts)


@dg.asset(
    key=SCENARIOS, group_name=GROUP, partitions_def=HOURS, owners=["team:dispatch"], kinds={"python", "highs"},
    deps=[KEY],
    check_specs=[_check(SCENARIOS, PHYSICS, "Every saved what-if obeys the physics when re-computed.")],
)  # fmt: skip
def reservoir_scenarios(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    publisher: dg.ResourceParam[Publisher],
    operators: dg.ResourceParam[Operators],
    plant: dg.ResourceParam[PlantFile],
) -> dg.MaterializeResult:
    """The day's saved what-ifs beside the plans they start from: level, spill, rafting and dollars."""
    at, zone = decision_instant(context), ZoneInfo(plant.plant.zone)
    midnight, _ = local_day(at.astimezone(zone).date(), zone)
    plans: list[OpenPlan] = []
    lines: list[str] = []
    reasons: list[str] = []
    failed: dict[str, str] = {}
    base = open_version(lake, publisher.get(PLAN, at))
    for one in operators.what_ifs(since=midnight, until=at):
        try:
            start = open_version(lake, publisher.get(PLAN, one.base_as_of, version=one.base_version))
            made = follow(start, one)
        except TailraceError as error:
            failed[one.name] = str(error)
            continue
        plans.append(made)
        lines.append(_what_if_line(start, made))
        reasons.append("; ".join([f"- **{one.name}**, from {start.name}, {one.author}: {one.reason}",
                                  *(told(edit) for edit in one.edits), *made.warnings[:2]]))  # fmt: skip
    head = "| what-if | USD | spill af | lowest ft | highest ft | raft MWh |"
    table = "\n".join([head, "|" + " --- |" * 6, *lines]) if lines else "no what-if was saved today"
    breaches = [f"{one.name}: {text}" for one in plans for text in one.breaches()[:1]]
    shown = [base, *plans[-4:]]
    plot = compare_plot(
        [one.name for one in shown], [one.plan.schedule for one in shown], zone=zone,
        minimum_ft=plant.plant.pool.minimum_ft, float_ft=float(base.inputs["float_ft"][0]),
    )  # fmt: skip
    return dg.MaterializeResult(
        metadata={
            "what_ifs": len(plans),
            "levels_at_a_glance": dg.MetadataValue.md(
                compare_spark([one.plan.schedule for one in shown], minimum_ft=plant.plant.pool.minimum_ft)
            ),
            "beside_their_plans": dg.MetadataValue.md(table),
            "why": dg.MetadataValue.md("\n".join(reasons) or "nothing was tried"),
            "levels_and_outputs": dg.MetadataValue.md(markdown(plot, "What-ifs beside the plan")),
            "cannot_be_computed": dg.MetadataValue.json(failed),
        },
        check_results=[
            dg.AssetCheckResult(check_name=PHYSICS, passed=not breaches, description="; ".join(breaches) or None)
        ],
    )


def _what_if_line(base: OpenPlan, made: OpenPlan) -> str:
    """Return a what-if's row: change of value against its plan, spill, levels, rafting missed."""
    report, schedule = made.plan.report, made.plan.schedule
    gain = report["objective_usd"] - base.plan.report["objective_usd"]
    spill = float(schedule["spill_cfs"].sum()) * 3600.0 / 43560.0
    cells = [
        made.name, f"{gain:+,.0f}", f"{spill:.1f}", f"{schedule['elevation_ft'].min():.2f}",
        f"{schedule['elevation_ft'].max():.2f}", f"{report['violations']['raft_shortfall_mwh']:.2f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"
