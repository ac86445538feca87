"""What devices say: acknowledgements into the execution log, heartbeats into beliefs.

Put here: draining the line and moving what it holds into the lake. Keep out: the line itself (resources/fleet_line.py)
and telling devices (publish.py).
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

import dagster as dg
import polars as pl

from assets.door import GROUP
from assets.partitions import DAYS
from resources.clock import Clock
from resources.fleet_checks import beyond_their_limits, kept_otherwise
from resources.fleet_link import FleetLink
from resources.fleet_measured import SERIES
from resources.lake import Lake
from resources.registry import Registry

_RUN_AS_ONE: Final = dg.BackfillPolicy.single_run()
_PRODUCT: Final = "fleet:telemetry"

ONCE: Final = "kept_once_and_whole"
UNDERSTOOD: Final = "nothing_goes_nowhere"
WITHIN: Final = "within_capacity_and_power"

_ACKS: Final = dg.AssetKey([GROUP, "fleet_acks"])
_TELEMETRY: Final = dg.AssetKey([GROUP, "fleet_telemetry"])
_LETTERS_OF: Final = timedelta(hours=1)
_SHOWN: Final = 5


@dg.asset(
    key=_ACKS, group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="fleet", owners=["team:dispatch"], kinds={"python", "mqtt", "parquet"},
    check_specs=[
        dg.AssetCheckSpec(
            ONCE, asset=_ACKS,
            description="The day files written hold each acknowledgement once, and all that the database has.",
        ),
        dg.AssetCheckSpec(
            UNDERSTOOD, asset=_ACKS, description="No message of the last hour became a dead letter.",
        ),
    ],
)  # fmt: skip
def fleet_acks(
    context: dg.AssetExecutionContext, clock: dg.ResourceParam[Clock], fleet: dg.ResourceParam[FleetLink]
) -> dg.MaterializeResult:
    """What each device did in each half hour, once: one file a UTC day in the lake's execution log.

    Where `tailrace fleet listen` holds the line, this only brings the lake up to date; otherwise it drains the broker
    first. Days that late acknowledgements belong to are written again, whichever partition runs.
    """
    counts = fleet.drain()
    now = clock.now()
    written = fleet.executions.write_changed(fleet.log, now=now)
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
        },
        check_results=[
            _once(fleet, written),
            _understood(fleet.log.dead_letters().filter(pl.col("received_at") > now - _LETTERS_OF)),
        ],
    )


def _once(fleet: FleetLink, written: Mapping[date, int]) -> dg.AssetCheckResult:
    faults = kept_otherwise(fleet.executions, fleet.log, written)
    return dg.AssetCheckResult(check_name=ONCE, passed=not faults, metadata={"days": len(written), "faults": faults})


def _understood(letters: pl.DataFrame) -> dg.AssetCheckResult:
    reasons = letters["reason"].unique(maintain_order=True).head(_SHOWN).to_list()
    return dg.AssetCheckResult(
        check_name=UNDERSTOOD, passed=letters.is_empty(), severity=dg.AssetCheckSeverity.WARN,
        metadata={"dead_letters": letters.height, "reasons": reasons},
    )  # fmt: skip


@dg.asset(
    key=_TELEMETRY, group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="fleet", owners=["team:dispatch"], kinds={"python", "parquet"}, deps=[_ACKS],
    check_specs=[
        dg.AssetCheckSpec(
            WITHIN, asset=_TELEMETRY,
            description="No device reports more power or energy than the registry gives it, but for its meter's error.",
        )
    ],
)  # fmt: skip
def fleet_telemetry(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    registry: dg.ResourceParam[Registry],
    fleet: dg.ResourceParam[FleetLink],
) -> dg.MaterializeResult:
    """Power at the meter [kW] and energy stored [kWh] of every device, as its heartbeats said.

    The belief time is when a heartbeat reached us, not when the device measured: a plan of noon must not know what a
    device that was offline told at two.
    """
    reports = fleet.log.reports()
    if reports.is_empty():
        unheard = dg.AssetCheckResult(check_name=WITHIN, passed=True, metadata={"heartbeats": 0})
        return dg.MaterializeResult(metadata={"heartbeats": 0, "dagster/row_count": 0}, check_results=[unheard])
    strange = beyond_their_limits(reports, registry.devices())
    done = lake.append(_beliefs(reports), run_id=context.run.run_id, product=_PRODUCT, what="heartbeats")
    # The lake has them; killed before this, they are handed in again and add nothing.
    fleet.log.drop_reports(reports["received_at"].sort()[-1])
    return dg.MaterializeResult(
        metadata={
            "heartbeats": reports.height,
            "devices": reports["device_id"].n_unique(),
            "dagster/row_count": done.rows_added,
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=WITHIN, passed=strange.is_empty(), severity=dg.AssetCheckSeverity.WARN,
                metadata={
                    "heartbeats": reports.height, "beyond": strange.height,
                    "examples": [str(row) for row in strange.head(_SHOWN).rows()],
                },
            )
        ],
    )  # fmt: skip


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
            series_id=pl.format(SERIES.format("{}", name), "device_id"),
            value=pl.col(name),
            unit=pl.lit(unit),
            **common,
        )
        for name, unit in (("power_kw", "kW"), ("soc_kwh", "kWh"))
    ]
    return pl.concat(both)
