"""How far a half hour of a device has come, from the plan to its execution, and what deserves a person's attention.

planned -> published -> delivered -> acknowledged | executed, or missed: each state follows from times that others
noted, never from a flag somebody sets. Put here: the state of an interval, whether a device is there, the fleet's alert
conditions. Keep out: where the times come from (resources/fleet_log.py) and sending alerts.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from domain.alerts import Alert
from domain.fleet.external import CHARGE, DISCHARGE, GRID_MINUTES
from domain.fleet.messages import FAILED, SUCCESS
from domain.instants import iso

PLANNED, PUBLISHED, DELIVERED = "planned", "published", "delivered"
ACKNOWLEDGED, EXECUTED, MISSED = "acknowledged", "executed", "missed"
"""``acknowledged``: heard of, but the device failed to execute it."""

ACK_DEADLINE: Final = timedelta(minutes=5)
"""After the end of its interval: a minute for the device, two for its clock, two for the way."""

SILENT_AFTER: Final = timedelta(minutes=65)
"""Two heartbeats, which come every half hour, and their way."""

OFFLINE_SHARE: Final = 0.05
"""Share of silent devices above which the fleet has a problem (fleet operators' usual critical limit)."""

MISSED_SHARE: Final = 0.005
"""Share of missed intervals above which execution success is below 99.5 %."""

DEVIATION_SHARE: Final = 0.10
"""Deviation of energy, as a share of what was planned, above which a device or feeder does not follow."""

_LEAST_KWH: Final = 0.5
"""Deviations below this are noise of meters and of rounding, whatever their share [kWh]."""

_STEP: Final = timedelta(minutes=GRID_MINUTES)


def interval_states(
    setpoints: pl.DataFrame, deliveries: pl.DataFrame, executions: pl.DataFrame, *, now: datetime
) -> pl.DataFrame:
    """Return each interval's state at ``now``.

    Args:
        setpoints: ``device_id, event_start, mode, rate_kw``: what the devices were to do.
        deliveries: ``device_id, published_at, delivered_at`` of the document each device was told last.
        executions: ``device_id, interval_start, status, actual_rate_kw, received_at``, of any document: a device that
            follows an older one has heard of the interval all the same.
        now: The present [UTC].

    Returns:
        ``device_id, event_start, planned_kw`` (positive to the grid), ``actual_kw, state, is_late``; late is an
        acknowledgement that came after its deadline.
    """
    sign = pl.when(pl.col("mode") == DISCHARGE).then(1.0).when(pl.col("mode") == CHARGE).then(-1.0).otherwise(0.0)
    heard = (
        executions.sort("received_at")
        .unique(["device_id", "interval_start"], keep="first")
        .select("device_id", "status", "received_at", event_start="interval_start", actual_kw="actual_rate_kw")
    )
    due = pl.col("event_start") + _STEP + ACK_DEADLINE
    state = (
        pl.when(pl.col("status") == SUCCESS)
        .then(pl.lit(EXECUTED))
        .when(pl.col("status") == FAILED)
        .then(pl.lit(ACKNOWLEDGED))
        .when(due < now)
        .then(pl.lit(MISSED))
        .when(pl.col("delivered_at").is_not_null())
        .then(pl.lit(DELIVERED))
        .when(pl.col("published_at").is_not_null())
        .then(pl.lit(PUBLISHED))
        .otherwise(pl.lit(PLANNED))
    )
    return (
        setpoints.join(deliveries, on="device_id", how="left", maintain_order="left")
        .join(heard, on=["device_id", "event_start"], how="left", maintain_order="left")
        .select(
            "device_id",
            "event_start",
            "actual_kw",
            planned_kw=sign * pl.col("rate_kw"),
            state=state,
            is_late=(pl.col("received_at") > due).fill_null(value=False),
        )
        .select("device_id", "event_start", "planned_kw", "actual_kw", "state", "is_late")
    )


def silent_devices(statuses: pl.DataFrame, *, now: datetime) -> list[str]:
    """Return the devices that nothing was heard of for `SILENT_AFTER`; one never heard of is silent.

    Args:
        statuses: ``device_id, last_seen_at`` of the active devices.
        now: The present [UTC].
    """
    silent = (pl.col("last_seen_at") < now - SILENT_AFTER).fill_null(value=True)
    return statuses.filter(silent)["device_id"].sort().to_list()


def fleet_alerts(
    statuses: pl.DataFrame, states: pl.DataFrame, devices: pl.DataFrame, *, valid_to: datetime, now: datetime
) -> list[Alert]:
    """Return the fleet's alerts of the hour that holds ``now``; the same condition is one alert an hour.

    Args:
        statuses: ``device_id, last_seen_at`` of the active devices.
        states: Of `interval_states`.
        devices: ``device_id, feeder``.
        valid_to: When the document that devices follow ends [UTC].
        now: The present [UTC].
    """
    hour = f"{now:%Y-%m-%dT%HZ}"
    found = [
        _offline(statuses, now, hour),
        _missed(states, now, hour),
        _expired(statuses, valid_to, now),
        *_deviations(states, devices, now, hour),
    ]
    return [alert for alert in found if alert is not None]


def _offline(statuses: pl.DataFrame, now: datetime, hour: str) -> Alert | None:
    silent = silent_devices(statuses, now=now)
    if not statuses.height or len(silent) <= OFFLINE_SHARE * statuses.height:
        return None
    share = len(silent) / statuses.height
    return Alert(
        key=f"fleet_offline:{hour}",
        kind="fleet_offline",
        severity="critical",
        message=f"{len(silent)} of {statuses.height} devices ({share:.1%}) have been silent for"
        f" {SILENT_AFTER // timedelta(minutes=1)} minutes at {iso(now)}; the limit is {OFFLINE_SHARE:.0%}."
        " Look at the broker and the network first",
        details={"silent": len(silent), "devices": statuses.height, "first": silent[:10]},
    )


def _missed(states: pl.DataFrame, now: datetime, hour: str) -> Alert | None:
    recent = states.filter(pl.col("event_start").is_between(now - timedelta(hours=2), now - _STEP - ACK_DEADLINE))
    missed = recent.filter(pl.col("state") == MISSED)
    if not missed.height or missed.height <= MISSED_SHARE * recent.height:
        return None
    return Alert(
        key=f"fleet_missed:{hour}",
        kind="fleet_missed_intervals",
        severity="warning",
        message=f"{missed.height} of {recent.height} half hours of the last two hours were missed by"
        f" {missed['device_id'].n_unique()} device(s); the limit is {MISSED_SHARE:.1%}",
        details={"missed": missed.height, "intervals": recent.height},
    )


def _expired(statuses: pl.DataFrame, valid_to: datetime, now: datetime) -> Alert | None:
    if now < valid_to or not statuses.height:
        return None
    return Alert(
        key=f"fleet_plan_expired:{iso(valid_to)}",
        kind="fleet_plan_expired",
        severity="critical",
        message=f"what {statuses.height} devices were told ended at {iso(valid_to)}: they idle, their safe state,"
        " until a new schedule is published",
        details={"valid_to": iso(valid_to), "devices": statuses.height},
    )


def _deviations(states: pl.DataFrame, devices: pl.DataFrame, now: datetime, hour: str) -> list[Alert]:
    found = []
    for level in ("device", "feeder"):
        rows = deviations(states.filter(pl.col("event_start") >= now - timedelta(hours=6)), devices, by=f"{level}")
        if not rows.height:
            continue
        worst = rows.row(0, named=True)
        found.append(
            Alert(
                key=f"fleet_deviation:{level}:{hour}",
                kind=f"{level}_deviation",
                severity="warning",
                message=f"{rows.height} {level}(s) deviate from their setpoints by more than {DEVIATION_SHARE:.0%} of"
                f" the energy of the last six hours; worst {worst['name']} with {worst['deviation_kwh']:.1f} of"
                f" {worst['planned_kwh']:.1f} kWh",
                details={"worst": rows.head(10).to_dicts()},
            )
        )
    return found


def deviations(states: pl.DataFrame, devices: pl.DataFrame, *, by: str) -> pl.DataFrame:
    """Return who does not follow: ``name, planned_kwh, deviation_kwh``, worst first.

    Args:
        states: Of `interval_states`; intervals that nobody answered for are no deviation, they are missed.
        devices: ``device_id, feeder``.
        by: ``device`` or ``feeder``; on a feeder, deviations of either sign cancel within a half hour.
    """
    name = "device_id" if by == "device" else "feeder"
    hours = GRID_MINUTES / 60
    answered = states.filter(pl.col("actual_kw").is_not_null()).join(
        devices.select("device_id", "feeder"), on="device_id", how="left"
    )
    halves = (
        answered.filter(pl.col(name).is_not_null())
        .group_by(name, "event_start")
        .agg(pl.col("planned_kw", "actual_kw").sum())
    )
    return (
        halves.group_by(name=name)
        .agg(
            planned_kwh=pl.col("planned_kw").abs().sum() * hours,
            deviation_kwh=(pl.col("actual_kw") - pl.col("planned_kw")).abs().sum() * hours,
        )
        .filter(pl.col("deviation_kwh") > pl.max_horizontal(DEVIATION_SHARE * pl.col("planned_kwh"), _LEAST_KWH))
        .sort("deviation_kwh", "name", descending=[True, False])
    )
