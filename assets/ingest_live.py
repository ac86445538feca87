"""What ERCOT's public pages show at this moment: the freshest price documents, dashboards, operations messages.

Pages keep no history, or little: every poll that says something new is kept. Put here: families without a login.
Keep out: the Public API (ingest_ercot.py).
"""

from typing import Final

import dagster as dg

from assets.door import AGREE, GROUP, ORDER, RANGE, door_of, result, specs, window_of
from assets.partitions import DAYS
from resources.clock import Clock
from resources.lake import Lake
from resources.mis import MisClient
from resources.planning import PlanningReader
from resources.sources_file import Sources

_PRICES: Final = "NP6-905-CD"
_RUN_AS_ONE: Final = dg.BackfillPolicy.single_run()


@dg.asset(
    key=[GROUP, "ercot_mis_prices"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="ercot_mis", owners=["team:market-data"], kinds={"python", "parquet"},
    check_specs=specs("ercot_mis_prices", ORDER, RANGE, AGREE),
)  # fmt: skip
def ercot_mis_prices(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    ercot_mis: dg.ResourceParam[MisClient],
    planning: dg.ResourceParam[PlanningReader],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """Real-time prices from the public document list: a second voice, and the one left when the API fails [USD/MWh]."""
    series = [f"ercot:spp_rt:{point.name}:{point.type}" for point in sources.ercot.points]
    door = door_of(context, clock, lake, planning, sources, "ercot_mis", others={name: name for name in series})
    start, end = window_of(context, clock, sources.reread["ercot_mis"].poll)
    reads = ercot_mis.read(_PRICES, start, end, seen=_seen(lake), series=series)
    return result(context, door.take_in(reads, run_id=context.run_id))


@dg.asset(
    key=[GROUP, "ercot_dashboards"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="ercot_mis", owners=["team:market-data"], kinds={"python", "parquet"},
    check_specs=specs("ercot_dashboards", ORDER),
)  # fmt: skip
def ercot_dashboards(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    ercot_mis: dg.ResourceParam[MisClient],
    planning: dg.ResourceParam[PlanningReader],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """Capacity and reserves as the dashboards show them: physical responsive capability, the emergency level, storage.

    A dashboard has no past: only the partition that holds the present reads anything.
    """
    door = door_of(context, clock, lake, planning, sources, "ercot_dashboards")
    reads = ercot_mis.dashboards() if _is_now(context, clock) else iter(())
    return result(context, door.take_in(reads, run_id=context.run_id))


@dg.asset(
    key=[GROUP, "ercot_messages"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="ercot_mis", owners=["team:market-data"], kinds={"python", "parquet"},
    check_specs=specs("ercot_messages", ORDER),
)  # fmt: skip
def ercot_messages(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    ercot_mis: dg.ResourceParam[MisClient],
    planning: dg.ResourceParam[PlanningReader],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """Operations messages of about the last month: emergencies, watches, advisories; 1 active, 0 cancelled."""
    door = door_of(context, clock, lake, planning, sources, "ercot_dashboards")
    reads = iter([ercot_mis.messages()] if _is_now(context, clock) else [])
    return result(context, door.take_in(reads, run_id=context.run_id))


def _is_now(context: dg.AssetExecutionContext, clock: Clock) -> bool:
    window = context.partition_time_window
    return window.start <= clock.now() < window.end


def _seen(lake: Lake) -> set[str]:
    """Return the ids of the documents that were read before: a document never changes."""
    products = lake.coverage()["product"].unique()
    return {name.rsplit(":", 1)[1] for name in products if name.startswith(f"{_PRICES}:") and name[-1].isdigit()}
