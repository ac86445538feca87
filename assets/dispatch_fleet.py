"""What the fleet shall do.

Put here: deciding as of an instant, storing the plan with its manifest. Keep out: what a decision reads and how it is
solved (resources/fleet_*.py, solvers/), and handing it out (publish.py).
"""

from typing import Final

import dagster as dg
import polars as pl

from assets.decided import GROUP, decision_facts, pinned_cutoffs, plan_result
from assets.partitions import FLEET_DAYS, HOURS
from resources.clock import Clock
from resources.fleet_decisions import fleet_case, fleet_earnings_usd
from resources.fleet_ladder import Fallback, decide_on_the_ladder, last_valid, named
from resources.fleet_replan import PLAN as PLAN_AGAIN
from resources.fleet_replan import ReplanCase, decide_again_on_the_ladder, plan_in_force
from resources.lake import Lake
from resources.pinned import pin_frame
from resources.publications import make_current
from resources.publisher import Publisher, Version
from resources.registry import Registry

LIMITS: Final = "obeys_every_limit"
FULL: Final = "is_no_fallback"
KEY: Final = dg.AssetKey([GROUP, "fleet_plan"])
AGAIN: Final = dg.AssetKey([GROUP, PLAN_AGAIN])

_NEWEST_PRICE: Final = dg.AssetDep(["forecasting", "price"], partition_mapping=dg.LastPartitionMapping())
"""UTC hours do not map onto Central days; the fleet reads the newest price forecast known at its instant."""

_NEWEST_PLAN: Final = dg.AssetDep(KEY, partition_mapping=dg.LastPartitionMapping())


def _checks(key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            LIMITS, asset=key,
            description="Charge, power and time sharing hold to 1e-6 when an independent function re-computes them.",
        ),
        dg.AssetCheckSpec(
            FULL, asset=key, description="The plan is the optimizer's on today's inputs, not the next best thing.",
        ),
    ]  # fmt: skip


@dg.asset(
    key=KEY, group_name=GROUP, partitions_def=FLEET_DAYS, owners=["team:dispatch"], kinds={"python", "numba"},
    deps=[_NEWEST_PRICE], check_specs=_checks(KEY),
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
    cutoffs = pinned_cutoffs(context, lake)
    devices = registry.devices()
    decision = decide_on_the_ladder(
        lambda: fleet_case(lake, devices, cutoffs), at=cutoffs.at, devices=devices,
        previous=last_valid(publisher, registry, cutoffs.at),
    )  # fmt: skip
    case, report = decision.case, dict(decision.report)
    facts = decision_facts(case, cutoffs, report, code_version) | {
        "devices_sha256": pin_frame(lake, devices, name="devices", now=clock.now()),
        "operating_day": case.operating_day.isoformat(),
        "terminal_value_usd_per_kwh": case.terminal_value_usd_per_kwh,
        "earnings_usd": fleet_earnings_usd(case, decision.schedule),
        "devices": report["devices"],
        "not_planned": len(report["infeasible"]),
    }
    facts |= decision.fallback.facts() if decision.fallback else {"fallback": None, "stale_since": None}
    version = publisher.store("fleet", cutoffs.at, decision.schedule, facts, inputs={"prices.parquet": case.prices})
    return _result(version, report, decision.fallback, registry, clock)


@dg.asset(
    key=AGAIN, group_name=GROUP, partitions_def=HOURS, owners=["team:dispatch"], kinds={"python", "numba"},
    deps=[_NEWEST_PLAN, ["forecasting", "price"]], check_specs=_checks(AGAIN),
)  # fmt: skip
def fleet_replan(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    registry: dg.ResourceParam[Registry],
    publisher: dg.ResourceParam[Publisher],
    code_version: dg.ResourceParam[str],
) -> dg.MaterializeResult:
    """The rest of the operating day, planned again for the devices of which something is new.

    Where nothing is, no version is stored and the plan in force goes on.
    """
    cutoffs = pinned_cutoffs(context, lake)
    devices = registry.devices()
    previous = plan_in_force(publisher, registry, cutoffs.at)
    decision = decide_again_on_the_ladder(lake, devices, previous, cutoffs)
    case, report = decision.case, dict(decision.report)
    if decision.schedule is None:
        unchanged = [dg.AssetCheckResult(check_name=name, passed=True) for name in (LIMITS, FULL)]
        return dg.MaterializeResult(metadata={"status": "unchanged"}, check_results=unchanged)
    again = case.reasons if isinstance(case, ReplanCase) else None
    facts = decision_facts(case, cutoffs, report, code_version) | {
        "devices_sha256": pin_frame(lake, devices, name="devices", now=clock.now()),
        "operating_day": case.operating_day.isoformat(),
        "terminal_value_usd_per_kwh": case.terminal_value_usd_per_kwh,
        "previous": None if previous is None else named(previous),
        "devices": decision.schedule["device_id"].n_unique(),
        "planned_again": 0 if again is None else again.height,
        "reasons": {} if again is None else _counted(again),
    }
    facts |= decision.fallback.facts() if decision.fallback else {"fallback": None, "stale_since": None}
    prices = case.reference if isinstance(case, ReplanCase) else case.prices
    version = publisher.store(PLAN_AGAIN, cutoffs.at, decision.schedule, facts, inputs={"prices.parquet": prices})
    make_current(publisher, registry, version, at=clock.now())  # nobody waits for a person within the day
    return _result(version, report, decision.fallback, registry, clock)


def _counted(reasons: pl.DataFrame) -> dict[str, int]:
    """Return how many devices were planned again for each kind of reason."""
    kind = pl.col("reason").str.replace(r"^[-0-9.]+ ", "")
    counts = reasons.group_by(kind).len().sort("reason")
    return dict(counts.iter_rows())


def _result(
    version: Version, report: dict[str, object], fallback: Fallback | None, registry: Registry, clock: Clock
) -> dg.MaterializeResult:
    """Return the stored version's metadata and checks; a fallback goes into the outbox."""
    if fallback is not None:
        registry.raise_alerts([fallback.alert(version.schedule_id, version.number)], raised_at=clock.now())
    told = {} if fallback is None else {"rung": fallback.rung, "reason": fallback.reason}
    full = dg.AssetCheckResult(
        check_name=FULL, passed=fallback is None, severity=dg.AssetCheckSeverity.WARN, metadata=told
    )
    result = plan_result(version, report, LIMITS)
    return result._replace(check_results=[*(result.check_results or []), full])
