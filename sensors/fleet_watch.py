"""Tells people when the fleet does not do what it was told: silent devices, missed half hours, expired plans, strays.

A sensor, because what it watches changes with every minute that passes, not by materialisation of an asset.
"""

import dagster as dg

from resources.clock import Clock
from resources.fleet_link import FleetLink
from resources.fleet_watch import alerts_now
from resources.publisher import Publisher
from resources.registry import Registry


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Writes an alert to the outbox when devices are silent, miss half hours, deviate or have no plan left.",
)
def fleet_watch(
    clock: dg.ResourceParam[Clock],
    publisher: dg.ResourceParam[Publisher],
    registry: dg.ResourceParam[Registry],
    fleet: dg.ResourceParam[FleetLink],
) -> dg.SkipReason:
    """Judge the fleet as of now; a condition that lasts is one alert an hour, the outbox key absorbs the repeats."""
    if fleet.broker is None:
        return dg.SkipReason("no broker is set: there is nobody to watch")
    now = clock.now()
    alerts = alerts_now(publisher, registry, fleet.log, now=now)
    new = registry.raise_alerts(alerts, raised_at=now)
    return dg.SkipReason(f"{len(alerts)} condition(s), {new} new alert(s)")
