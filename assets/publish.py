"""Handing plans to those who follow them.

Put here: making a stored version current, and the ledger row. Keep out: making plans (dispatch.py).
"""

from typing import Final

import dagster as dg

from assets.partitions import FLEET_DAYS, HOURS, decision_instant
from domain.beliefs import Cutoffs, Mode
from resources.clock import Clock
from resources.fleet_checks import cannot_be_followed
from resources.fleet_link import FleetLink
from resources.fleet_log import TOLD
from resources.fleet_setpoints import Told, publish_setpoints
from resources.lake import Lake
from resources.publications import make_current
from resources.publisher import Publisher, Version
from resources.registry import Registry

GROUP: Final = "publish"
EVERYBODY: Final = "covers_every_active_device"
FEASIBLE: Final = "feasible_from_what_is_stored"

_DAILY: Final = dg.AssetKey([GROUP, "fleet_schedules"])
_HOURLY: Final = dg.AssetKey([GROUP, "fleet_hourly_schedules"])
_SHOWN: Final = 5


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


def _checks_of_telling(key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            EVERYBODY, asset=key,
            description="Every active device has half hours in the document, and the broker, where there is one, has"
            " taken the message of everybody it says something new to.",
        ),
        dg.AssetCheckSpec(
            FEASIBLE, asset=key,
            description="No device that was heard would run full or empty, from what it had then.",
        ),
    ]  # fmt: skip


@dg.asset(
    key=_DAILY, group_name=GROUP, partitions_def=FLEET_DAYS, owners=["team:dispatch"],
    kinds={"python", "mqtt"}, deps=[[GROUP, "fleet_schedule"]], check_specs=_checks_of_telling(_DAILY),
)  # fmt: skip
def fleet_schedules(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    publisher: dg.ResourceParam[Publisher],
    registry: dg.ResourceParam[Registry],
    fleet: dg.ResourceParam[FleetLink],
    code_version: dg.ResourceParam[str],
) -> dg.MaterializeResult:
    """Every device's half hours as it is told them over MQTT: plans in force, and the schedules of others.

    Only devices for which something changed are told. Running it again tells those the broker has not taken yet.
    """
    return _tell(context, clock, lake, publisher, registry, fleet, code_version)


@dg.asset(
    key=_HOURLY, group_name=GROUP, partitions_def=HOURS, owners=["team:dispatch"],
    kinds={"python", "mqtt"}, deps=[["dispatch", "fleet_replan"]], check_specs=_checks_of_telling(_HOURLY),
)  # fmt: skip
def fleet_hourly_schedules(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    publisher: dg.ResourceParam[Publisher],
    registry: dg.ResourceParam[Registry],
    fleet: dg.ResourceParam[FleetLink],
    code_version: dg.ResourceParam[str],
) -> dg.MaterializeResult:
    """The same within the day: what was planned again, and what others have sent since."""
    return _tell(context, clock, lake, publisher, registry, fleet, code_version)


def _tell(
    context: dg.AssetExecutionContext,
    clock: Clock,
    lake: Lake,
    publisher: Publisher,
    registry: Registry,
    fleet: FleetLink,
    code_version: str,
) -> dg.MaterializeResult:
    before = publisher.current(TOLD)
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
        },
        check_results=[_everybody(fleet, told), _feasible(lake, registry, before, told)],
    )


def _everybody(fleet: FleetLink, told: Told) -> dg.AssetCheckResult:
    version = told.version
    active = fleet.log.active_devices()
    silent = active.filter(~active.is_in(version.schedule()["device_id"].unique().implode()))
    waiting = [] if told.taken is None else fleet.log.unpublished(version.schedule_id, version.number)
    return dg.AssetCheckResult(
        check_name=EVERYBODY, passed=silent.is_empty() and not waiting, severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "active_devices": active.len(), "not_in_the_document": silent.len(),
            "examples": silent.head(_SHOWN).to_list(), "not_taken_by_the_broker": len(waiting),
        },
    )  # fmt: skip


def _feasible(lake: Lake, registry: Registry, before: Version | None, told: Told) -> dg.AssetCheckResult:
    version = told.version
    cutoffs = Cutoffs(at=version.as_of, mode=Mode.PUBLISHED)
    faults, judged = cannot_be_followed(lake, registry.devices(), before, version, cutoffs)
    return dg.AssetCheckResult(
        check_name=FEASIBLE, passed=not faults, severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "devices_heard": judged, "cannot_follow": len(faults),
            "examples": [f"{row['device_id']}: {row['reason']}" for row in faults[:_SHOWN]],
        },
    )  # fmt: skip


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
