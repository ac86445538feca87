"""What devices say: acknowledgements into the execution log, heartbeats into beliefs.

Put here: draining the line and moving what it holds into the lake. Keep out: the line itself (resources/fleet_line.py)
and telling devices (publish.py).
"""

from typing import Final

import dagster as dg
import polars as pl

from assets.door import GROUP
from assets.partitions import DAYS
from resources.clock import Clock
from resources.fleet_link import FleetLink
from resources.lake import Lake

_RUN_AS_ONE: Final = dg.BackfillPolicy.single_run()
_PRODUCT: Final = "fleet:telemetry"


@dg.asset(
    key=[GROUP, "fleet_acks"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="fleet", owners=["team:dispatch"], kinds={"python", "mqtt", "parquet"},
)  # fmt: skip
def fleet_acks(
    context: dg.AssetExecutionContext, clock: dg.ResourceParam[Clock], fleet: dg.ResourceParam[FleetLink]
) -> dg.MaterializeResult:
    """What each device did in each half hour, once: one file a UTC day in the lake's execution log.

    Where `tailrace fleet listen` holds the line, this only brings the lake up to date; otherwise it drains the broker
    first. Days that late acknowledgements belong to are written again, whichever partition runs.
    """
    counts = fleet.drain()
    written = fleet.executions.write_changed(fleet.log, now=clock.now())
    if fleet.broker is None:
        context.log.info("TAILRACE_MQTT_URL is not set: no device can be heard")
    return dg.MaterializeResult(
        metadata={
            "drained_here": counts is not None,
            "messages": counts.received if counts else 0,
            "new": counts.logged if counts else 0,
            "duplicates": counts.duplicates if counts else 0,
            "dead_letters": counts.letters if counts else 0,
            "dagster/row_count": sum(written.values()),
            "days": dg.MetadataValue.json({f"{day}": rows for day, rows in written.items()}),
            "folder": dg.MetadataValue.path(fleet.executions.folder),
        }
    )


@dg.asset(
    key=[GROUP, "fleet_telemetry"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="fleet", owners=["team:dispatch"], kinds={"python", "parquet"}, deps=[[GROUP, "fleet_acks"]],
)  # fmt: skip
def fleet_telemetry(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], fleet: dg.ResourceParam[FleetLink]
) -> dg.MaterializeResult:
    """Power at the meter [kW] and energy stored [kWh] of every device, as its heartbeats said.

    The belief time is when a heartbeat reached us, not when the device measured: a plan of noon must not know what a
    device that was offline told at two.
    """
    reports = fleet.log.reports()
    if reports.is_empty():
        return dg.MaterializeResult(metadata={"heartbeats": 0, "dagster/row_count": 0})
    done = lake.append(_beliefs(reports), run_id=context.run.run_id, product=_PRODUCT, what="heartbeats")
    # The lake has them; killed before this, they are handed in again and add nothing.
    fleet.log.drop_reports(reports["received_at"].sort()[-1])
    return dg.MaterializeResult(
        metadata={
            "heartbeats": reports.height,
            "devices": reports["device_id"].n_unique(),
            "dagster/row_count": done.rows_added,
        }
    )


def _beliefs(reports: pl.DataFrame) -> pl.DataFrame:
    """Return canonical rows: two series a device, named by the device's own coordinates."""
    common = {
        "event_start": pl.col("reported_at"),
        "belief_time": pl.col("received_at"),
        "belief_basis": pl.lit("ingest_time"),
        "source": pl.lit("fleet"),
    }
    both = [
        reports.select(
            series_id=pl.lit("device:") + pl.col("device_id") + pl.lit(f":{name}"),
            value=pl.col(name),
            unit=pl.lit(unit),
            **common,
        )
        for name, unit in (("power_kw", "kW"), ("soc_kwh", "kWh"))
    ]
    return pl.concat(both)
