"""Handing plans to those who follow them.

Put here: making a stored version current, and the ledger row. Keep out: making plans (dispatch.py).
"""

from typing import Final

import dagster as dg

from assets.partitions import FLEET_DAYS, HOURS, decision_instant
from resources.clock import Clock
from resources.publisher import Publisher
from resources.registry import Publication, Registry

GROUP: Final = "publish"


@dg.asset(
    key=[GROUP, "reservoir_schedule"], group_name=GROUP, partitions_def=HOURS, owners=["team:dispatch"],
    kinds={"python", "parquet"}, deps=[["dispatch", "reservoir_plan"]],
)  # fmt: skip
def reservoir_schedule(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    publisher: dg.ResourceParam[Publisher],
    registry: dg.ResourceParam[Registry],
) -> dg.MaterializeResult:
    """The reservoir schedule that the control room and downstream systems read."""
    return _publish(context, "reservoir", clock, publisher, registry)


@dg.asset(
    key=[GROUP, "fleet_schedule"], group_name=GROUP, partitions_def=FLEET_DAYS, owners=["team:dispatch"],
    kinds={"python", "parquet"}, deps=[["dispatch", "fleet_plan"]],
)  # fmt: skip
def fleet_schedule(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    publisher: dg.ResourceParam[Publisher],
    registry: dg.ResourceParam[Registry],
) -> dg.MaterializeResult:
    """The fleet schedule that devices will be told."""
    return _publish(context, "fleet", clock, publisher, registry)


def _publish(
    context: dg.AssetExecutionContext, plan: str, clock: Clock, publisher: Publisher, registry: Registry
) -> dg.MaterializeResult:
    version = publisher.get(plan, decision_instant(context))
    # Pointer first, ledger second: a crash in between leaves a schedule in force without its row, and the next run
    # adds the row; the other order would record a publication that nobody could read.
    now = clock.now()
    publisher.publish(version, published_at=now)
    registry.record_publication(
        Publication(
            plan=plan,
            as_of=version.as_of,
            version=version.number,
            schedule_id=version.schedule_id,
            manifest_sha256=version.manifest_sha256,
            status="published",
            published_at=now,
        )
    )
    return dg.MaterializeResult(
        metadata={
            "schedule_id": version.schedule_id,
            "version": version.number,
            "manifest": dg.MetadataValue.json(dict(version.manifest)),
            "folder": dg.MetadataValue.path(version.folder),
        }
    )
