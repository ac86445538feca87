"""What must be so of the fleet's documents, acknowledgements and heartbeats, and may not be.

Put here: what the assets' checks find, as frames and counts. Keep out: Dagster (assets/) and the rules of entries
(domain/fleet/).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import polars as pl

from domain.beliefs import Cutoffs, Mode
from domain.fleet.external import check_energy, half_hours_of, merge_entries, signed_kw
from resources.execution_log import ExecutionLog
from resources.fleet_log import TOLD, FleetLog
from resources.fleet_measured import measured, stored_at
from resources.fleet_replan import DEVIATION_SHARE
from resources.lake import Lake
from resources.publisher import Publisher, Version

METER_SHARE: Final = 0.02
"""Meters of devices read to 1 to 2 % of what they can hold or do."""

_KEY: Final = ["device_id", "schedule_id", "version", "interval_start"]
_HALF_HOUR: Final = timedelta(minutes=30)


def kept_otherwise(executions: ExecutionLog, log: FleetLog, days: Iterable[date]) -> list[str]:
    """Return what is wrong with day files of the log: a row more than once, or one that the database has and they lack.

    Args:
        executions: The files.
        log: The database.
        days: UTC days whose files were just written.
    """
    faults = []
    for day in days:
        rows = executions.read(day, day + timedelta(days=1))
        twice = rows.height - rows.n_unique(_KEY) if rows.height else 0
        start = datetime.combine(day, time(), tzinfo=UTC)
        held = log.executions(start, start + timedelta(days=1)).select(_KEY)
        lacking = held.join(rows, on=_KEY, how="anti").height if rows.height else held.height
        # What came between the writing and this look is written the next time.
        late = sum(changed for changed_day, changed in log.changed_days() if changed_day == day)
        if twice or (lacking and not late):
            faults.append(f"{day}: {twice} acknowledgement(s) more than once, {lacking} of the database missing")
    return faults


def beyond_their_limits(reports: pl.DataFrame, devices: pl.DataFrame) -> pl.DataFrame:
    """Return heartbeats of more than a device can hold or do, ``device_id, reported_at, power_kw, soc_kwh``."""
    room = 1 + METER_SHARE
    return (
        reports.join(devices.select("device_id", "capacity_kwh", "max_charge_kw", "max_discharge_kw"), on="device_id")
        .filter(
            ~pl.col("soc_kwh").is_between(-METER_SHARE * pl.col("capacity_kwh"), room * pl.col("capacity_kwh"))
            | (pl.col("power_kw") > room * pl.col("max_discharge_kw"))
            | (-pl.col("power_kw") > room * pl.col("max_charge_kw"))
        )
        .select("device_id", "reported_at", "power_kw", "soc_kwh")
        .sort("device_id", "reported_at")
    )


def cannot_be_followed(
    lake: Lake, devices: pl.DataFrame, before: Version | None, version: Version, cutoffs: Cutoffs
) -> tuple[list[dict[str, str]], int]:
    """Return the devices that would run full or empty by a document, and how many could be judged.

    Judged are devices that were heard: from what they had then, by the document before and this one. A store may pass
    its band by what it may be off its plan before it is planned again.

    Args:
        lake: Holds what devices measured.
        devices: ``DEVICE_COLUMNS``.
        before: The document they followed until now; None: there was none.
        version: The document.
        cutoffs: What may be known.
    """
    setpoints = version.schedule()
    told = setpoints.select("device_id", "event_start", "mode", "rate_kw")
    first = told["event_start"].sort()[0]
    if before is not None:
        told = pl.concat([before.schedule().select(told.columns).filter(pl.col("event_start") < first), told])
    at = first if cutoffs.at <= first else first + _HALF_HOUR
    heard = measured(lake, cutoffs, before=cutoffs.at)
    stored = stored_at(devices, heard, told, at)
    judged = stored.filter("is_measured").drop("is_measured")
    rest = setpoints.filter(pl.col("event_start") >= at).with_columns(power_kw=signed_kw())
    judged = judged.filter(pl.col("device_id").is_in(rest["device_id"].unique().implode()))
    return check_energy(rest, judged, slack_share=DEVIATION_SHARE), judged.height


def entries_that_cannot_be_followed(
    lake: Lake, publisher: Publisher, devices: pl.DataFrame, entries: pl.DataFrame, *, now: datetime
) -> tuple[list[dict[str, str]], pl.DataFrame]:
    """Return the devices that entries of others would bring beyond their bands, and from what each was judged.

    Half hours that have begun are not judged: what was stored then is not known. A device has what it measured in the
    last `HEARD`, moved on by what it is told until the first half hour; one that was not heard has what the registry
    says.

    Args:
        lake: Holds what devices measured.
        publisher: Holds what they are told.
        devices: ``DEVICE_COLUMNS``.
        entries: Good ones, of ``check_entries``, at least one.
        now: The present [UTC].

    Returns:
        ``{device_id, reason}`` a device, and ``device_id, soc_start_kwh, is_measured`` of every device judged.
    """
    starts = half_hours_of(entries)
    ahead = starts.filter(starts >= now)
    current = publisher.current(TOLD)
    heard = measured(lake, Cutoffs(at=now, mode=Mode.PUBLISHED), before=now)
    mine = devices.filter(pl.col("device_id").is_in(entries["device_id"].unique().implode()))
    if ahead.is_empty():
        return [], pl.DataFrame(schema={"device_id": pl.String, "soc_start_kwh": pl.Float64, "is_measured": pl.Boolean})
    stored = stored_at(mine, heard, None if current is None else current.schedule(), ahead[0])
    basis = {device: "measured" if known else "by the registry" for device, known in
             stored.select("device_id", "is_measured").iter_rows()}  # fmt: skip
    faults = [
        row | {"reason": f"{row['reason']} (state of charge {basis[row['device_id']]})"}
        for row in check_energy(merge_entries(entries, ahead), stored.drop("is_measured"))
    ]
    return faults, stored.select("device_id", "soc_start_kwh", "is_measured")
