"""What the afterbay shall do.

Put here: deciding as of an instant, storing the plan with its manifest. Keep out: what a decision reads and how it is
solved (resources/reservoir_*.py, solvers/), what is said about a stored plan (dispatch_afterbay.py), the fleet
(dispatch_fleet.py), and handing it out (publish.py).
"""

from datetime import datetime, timedelta
from typing import Final, Literal

import dagster as dg
import polars as pl

from assets.decided import GROUP, decision_facts, pinned_cutoffs, plan_result
from assets.partitions import HOURS
from domain.alerts import Alert
from domain.beliefs import Cutoffs
from domain.errors import TailraceError
from domain.instants import iso
from resources.clock import Clock
from resources.lake import Lake
from resources.operators import Operators
from resources.pinned import PlantFile
from resources.planning import PlanningReader
from resources.publisher import Publisher, Version
from resources.registry import Registry
from resources.reservoir_decisions import RunSettings, margins_frame, reservoir_case
from resources.reservoir_ladder import PLAN, Decision, decide_on_the_ladder, last_valid

PHYSICS: Final = "obeys_the_physics"
FULL: Final = "is_no_fallback"
KEY: Final = dg.AssetKey([GROUP, "reservoir_plan"])


class ReservoirRun(dg.Config):
    """What one run may choose; the next run begins from the defaults again.

    Attributes:
        optimizer: lp, stochastic or rule.
        source: Whose river forecast leads: hydroforecast or cnrfc.
        parameter_set: Name of a saved set of parameters, or name@version; empty for the plant's own numbers.
        settings: Numbers of the plant or its objective for this run only, key -> value.
    """

    optimizer: Literal["lp", "stochastic", "rule"] = "lp"
    source: Literal["hydroforecast", "cnrfc"] = "hydroforecast"
    parameter_set: str = ""
    settings: dict[str, str] = {}  # noqa: RUF012 - dagster copies a default for every run


@dg.asset(
    key=KEY, group_name=GROUP, partitions_def=HOURS, owners=["team:dispatch"], kinds={"python", "highs"},
    deps=[["forecasting", "inflow"], ["forecasting", "price"], ["ingest", "historian"],
          ["ingest", "awards"]],
    check_specs=[
        dg.AssetCheckSpec(
            PHYSICS, asset=KEY,
            description="Balance, ramp, head cap and spill hold to 1e-6 when an independent function re-computes them.",
        ),
        dg.AssetCheckSpec(
            FULL, asset=KEY, description="The plan is the optimizer's on today's inputs, not the next best thing.",
        ),
    ],
)  # fmt: skip
def reservoir_plan(  # noqa: PLR0913, PLR0917 - one argument a resource
    context: dg.AssetExecutionContext,
    config: ReservoirRun,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    planning: dg.ResourceParam[PlanningReader],
    plant: dg.ResourceParam[PlantFile],
    publisher: dg.ResourceParam[Publisher],
    registry: dg.ResourceParam[Registry],
    operators: dg.ResourceParam[Operators],
    code_version: dg.ResourceParam[str],
) -> dg.MaterializeResult:
    """Oxbow's setpoints for four days: the most valuable use of the afterbay within its limits.

    Both cutoffs, the plant, the series' rules, overrides and settings are pinned in the manifest, so that a replay
    reads exactly what this decision read. What cannot be decided falls back, under its own name, and tells people.
    """
    cutoffs = pinned_cutoffs(context, lake)
    try:
        decision = decide_on_the_ladder(
            lambda: reservoir_case(lake, planning, plant.plant, cutoffs, _run(config, operators, cutoffs.at)),
            at=cutoffs.at, plant=plant.plant, previous=last_valid(publisher, cutoffs.at),
        )  # fmt: skip
    except TailraceError as error:
        registry.raise_alerts([_no_plan(cutoffs.at, error)], raised_at=clock.now())
        raise
    report = dict(decision.plan.report)
    facts = _facts(decision, cutoffs, code_version) | {
        "plant_sha256": plant.pin(lake, clock.now()),
        "series_sha256": planning.pin(clock.now()),
    }
    version = publisher.store(PLAN, cutoffs.at, decision.schedule, facts, inputs=_frames(decision))
    _append_trajectory(context, lake, version, decision.schedule)
    result = plan_result(version, report, PHYSICS)
    return result._replace(check_results=[*(result.check_results or []), _judged(decision, version, registry, clock)])


def _run(config: ReservoirRun, operators: Operators, at: datetime) -> RunSettings:
    """Return what this run chose and the overrides that held at its instant."""
    settings = dict(operators.parameters(config.parameter_set).settings) if config.parameter_set else {}
    return RunSettings(
        optimizer=config.optimizer,
        source=config.source,
        parameter_set=config.parameter_set,
        settings=settings | config.settings,
        edits=tuple(held.edit for held in operators.overrides(holding_at=at)),
    )


def _facts(decision: Decision, cutoffs: Cutoffs, code_version: str) -> dict[str, object]:
    case, report = decision.case, decision.plan.report
    return (
        decision_facts(case, cutoffs, report, code_version)
        | {
            "optimizer": case.run.optimizer,
            "run": case.run.record(),
            "state": {"elevation_ft": case.state.elevation_ft, "oxbow_mw": case.state.oxbow_mw},
            "probabilities": report.get("probabilities"),
            "explain": list(report.get("explain", ())),
            "warnings": list(report.get("warnings", ())),
        }
        | (decision.fallback.facts() if decision.fallback else {"fallback": None, "stale_since": None})
    )


def _frames(decision: Decision) -> dict[str, pl.DataFrame]:
    """Return what is kept beside the schedule: its inputs, and hour by hour their source and the margins kept."""
    hourly = decision.case.hourly.hstack(margins_frame(decision.case))
    return {"inputs.parquet": decision.case.inputs, "hourly.parquet": hourly}


def _judged(decision: Decision, version: Version, registry: Registry, clock: Clock) -> dg.AssetCheckResult:
    """Return the check that a plan is no fallback; one that is goes into the outbox."""
    fallback = decision.fallback
    if fallback is None:
        return dg.AssetCheckResult(check_name=FULL, passed=True)
    alert = fallback.alert(version.schedule_id, version.number)
    registry.raise_alerts([alert], raised_at=clock.now())
    return dg.AssetCheckResult(
        check_name=FULL, passed=False, severity=dg.AssetCheckSeverity.WARN, description=alert.message,
        metadata={"rung": fallback.rung, "stale_since": fallback.stale_since or "not stale"},
    )  # fmt: skip


def _no_plan(at: datetime, error: TailraceError) -> Alert:
    return Alert(
        key=f"reservoir_no_plan:{iso(at)}",
        kind="reservoir_no_plan",
        severity="critical",
        message=f"no reservoir plan as of {iso(at)}, and none to carry on: {error}",
    )


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
    lake.append(pl.concat([level, power]), run_id=context.run.run_id, product="plan:reservoir")
