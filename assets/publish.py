"""Handing plans to those who follow them.

Put here: making a stored version current, and the ledger row. Keep out: making plans (dispatch.py).
"""

from typing import Final

import dagster as dg

from assets.partitions import FLEET_DAYS, HOURS, decision_instant
from resources.clock import Clock
from resources.fleet_link import FleetLink
from resources.fleet_setpoints import publish_setpoints
from resources.publications import make_current
from resources.publisher import Publisher
from resources.registry import Registry

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
    """The day-ahead fleet schedule, as analysts and downstream systems read it."""
    return _publish(context, "fleet", clock, publisher, registry)


@dg.asset(
    key=[GROUP, "fleet_schedules"], group_name=GROUP, partitions_def=FLEET_DAYS, owners=["team:dispatch"],
    kinds={"python", "mqtt"}, deps=[[GROUP, "fleet_schedule"]],
)  # fmt: skip
def fleet_schedules(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    publisher: dg.ResourceParam[Publisher],
    registry: dg.ResourceParam[Registry],
    fleet: dg.ResourceParam[FleetLink],
    code_version: dg.ResourceParam[str],
) -> dg.MaterializeResult:
    """Every device's half hours as it is told them over MQTT: plans in force, and the schedules of others.

    Only devices for which something changed are told. Running it again tells those the broker has not taken yet.
    """
    return _tell(context, clock, publisher, registry, fleet, code_version)


@dg.asset(
    key=[GROUP, "fleet_hourly_schedules"], group_name=GROUP, partitions_def=HOURS, owners=["team:dispatch"],
    kinds={"python", "mqtt"}, deps=[["dispatch", "fleet_replan"]],
)  # fmt: skip
def fleet_hourly_schedules(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    publisher: dg.ResourceParam[Publisher],
    registry: dg.ResourceParam[Registry],
    fleet: dg.ResourceParam[FleetLink],
    code_version: dg.ResourceParam[str],
) -> dg.MaterializeResult:
    """The same within the day: what was planned again, and what others have sent since."""
    return _tell(context, clock, publisher, registry, fleet, code_version)


def _tell(
    context: dg.AssetExecutionContext,
    clock: Clock,
    publisher: Publisher,
    registry: Registry,
    fleet: FleetLink,
    code_version: str,
) -> dg.MaterializeResult:
    told = publish_setpoints(
        publisher, registry, fleet.teller, as_of=decision_instant(context), now=clock.now(), code_version=code_version
    )
    if told.taken is None:
        context.log.warning("TAILRACE_MQTT_URL is not set: the document is published, no device was told")
    version = told.version
    return dg.MaterializeResult(
        metadata={
            "schedule_id": version.schedule_id,
            "version": version.number,
            "devices": version.manifest["devices"],
            "devices_announced": told.announced,
            **({} if told.taken is None else {"messages_taken": told.taken}),
            "broker": "none" if fleet.broker is None else fleet.broker.url,
            "plans": dg.MetadataValue.json(version.manifest["plans"]),
            "folder": dg.MetadataValue.path(version.folder),
        }
    )


def _publish(
    context: dg.AssetExecutionContext, plan: str, clock: Clock, publisher: Publisher, registry: Registry
) -> dg.MaterializeResult:
    version = publisher.get(plan, decision_instant(context))
    make_current(publisher, registry, version, at=clock.now())
    return dg.MaterializeResult(
        metadata={
            "schedule_id": version.schedule_id,
            "version": version.number,
            "manifest": dg.MetadataValue.json(dict(version.manifest)),
            "folder": dg.MetadataValue.path(version.folder),
        }
    )
