"""Tells people when the published plan takes the pool out of its band.

A sensor, because what it watches (the current plan) changes by publication, not by materialisation of one asset.
"""

from zoneinfo import ZoneInfo

import dagster as dg

from domain.alerts import Alert, pool_outside_band
from resources.clock import Clock
from resources.pinned import PlantFile
from resources.publisher import Publisher
from resources.registry import Registry


def alerts_of_current_plan(publisher: Publisher, plant: PlantFile) -> tuple[str, list[Alert]]:
    """Return ``<schedule id>:v<N>`` of the current reservoir schedule (empty before the first), and its alerts."""
    version = publisher.current("reservoir")
    if version is None:
        return "", []
    alerts = pool_outside_band(
        version.schedule(),
        schedule_id=version.schedule_id,
        version=version.number,
        minimum_ft=plant.plant.pool.minimum_ft,
        zone=ZoneInfo(plant.plant.zone),
    )
    return f"{version.schedule_id}:v{version.number}", alerts


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Writes an alert to the outbox when the published plan leaves the band between minimum and float.",
)
def pool_band(
    context: dg.SensorEvaluationContext,
    clock: dg.ResourceParam[Clock],
    plant: dg.ResourceParam[PlantFile],
    publisher: dg.ResourceParam[Publisher],
    registry: dg.ResourceParam[Registry],
) -> dg.SkipReason:
    """Judge the current schedule once; the cursor is its id and version, the outbox key absorbs a repeat."""
    judged, alerts = alerts_of_current_plan(publisher, plant)
    if not judged or judged == context.cursor:
        return dg.SkipReason(f"nothing new since {context.cursor or 'the start'}")
    new = registry.raise_alerts(alerts, raised_at=clock.now())
    context.update_cursor(judged)
    return dg.SkipReason(f"{judged}: {len(alerts)} alert(s), {new} new in the outbox")
