"""What the fleet shall do.

Put here: deciding as of an instant, storing the plan with its manifest. Keep out: what a decision reads and how it is
solved (resources/fleet_decisions.py, solvers/), and handing it out (publish.py).
"""

from typing import Final

import dagster as dg

from assets.decided import GROUP, decision_facts, pinned_cutoffs, plan_result
from assets.partitions import FLEET_DAYS
from resources.clock import Clock
from resources.fleet_decisions import decide_fleet, fleet_case, fleet_earnings_usd
from resources.lake import Lake
from resources.pinned import pin_frame
from resources.publisher import Publisher
from resources.registry import Registry

LIMITS: Final = "obeys_every_limit"

_NEWEST_PRICE: Final = dg.AssetDep(["forecasting", "price"], partition_mapping=dg.LastPartitionMapping())
"""UTC hours do not map onto Central days; the fleet reads the newest price forecast known at its instant."""


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
    cutoffs = pinned_cutoffs(context, lake)
    case = fleet_case(lake, registry.devices(), cutoffs)
    plan = decide_fleet(case)
    report = dict(plan.report)
    facts = decision_facts(case, cutoffs, report, code_version) | {
        "devices_sha256": pin_frame(lake, case.devices, name="devices", now=clock.now()),
        "operating_day": case.operating_day.isoformat(),
        "terminal_value_usd_per_kwh": case.terminal_value_usd_per_kwh,
        "earnings_usd": fleet_earnings_usd(case, plan.schedule),
        "devices": report["devices"],
        "not_planned": len(report["infeasible"]),
    }
    version = publisher.store("fleet", cutoffs.at, plan.schedule, facts, inputs={"prices.parquet": case.prices})
    return plan_result(version, report, LIMITS)
