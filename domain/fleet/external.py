"""Schedules that others send: judged entry by entry, then merged so that each device has one.

A sender names intervals of the half-hour grid with a mode and a rate. Two active schedules for the same time are no
fault: the higher priority wins, then the newer. A gap is no fault either: the device idles. Put here: those rules.
Keep out: how schedules arrive, and telling devices.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl

from domain.beliefs import TIME
from domain.errors import FrameError
from domain.fleet.conditions import with_instants
from domain.fleet.devices import check_devices

GRID_MINUTES: Final = 30
"""Commands start and end on the half hour."""

IDLE, DISCHARGE, CHARGE = 0, 1, 2
"""The modes of a schedule."""

PRIORITIES: Final = (1, 10)
"""Lowest and highest priority."""

ENTRY_COLUMNS: Final[dict[str, pl.DataType]] = {
    "schedule_id": pl.String(),
    "device_id": pl.String(),
    "event_start": TIME,
    "event_end": TIME,
    "mode": pl.Int64(),
    "rate_kw": pl.Float64(),
    "priority": pl.Int64(),
    "issued_at": TIME,
}
"""Columns of entries, in order: ``mode`` 0 idle, 1 discharge, 2 charge, ``rate_kw`` its size at the meter."""

_SOC_KWH: Final = 1e-6


def check_entries(entries: pl.DataFrame, devices: pl.DataFrame) -> tuple[pl.DataFrame, list[dict[str, str]]]:
    """Divide entries of external schedules into those that keep the rules and reasons why the others do not.

    The rules: a known device, a mode of 0, 1 or 2, a finite rate of 0 or more within the device's limit for that
    mode, start before end, both on the half hour, no overlap with another entry of the same schedule and device, a
    priority from 1 to 10. Entries are judged one by one: a bad one spoils none but those that overlap it.

    Args:
        entries: ``ENTRY_COLUMNS``, of any number of schedules.
        devices: ``DEVICE_COLUMNS``.

    Returns:
        The good entries, typed, in order; and ``{schedule_id, device_id, reason}`` for each bad one.

    Raises:
        FrameError: A column is missing or holds no such values, or a time has no zone.
    """
    typed = _typed(entries).join(
        check_devices(devices)[0].select("device_id", "max_charge_kw", "max_discharge_kw"),
        on="device_id",
        how="left",
        maintain_order="left",
    )
    rules = _rules()
    judged = typed.with_columns(
        row=pl.int_range(1, pl.len() + 1),
        reason=pl.concat_str(
            [pl.when(broken).then(reason + pl.lit("; ")).otherwise(pl.lit("")) for broken, reason in rules]
        ).str.strip_suffix("; "),
    )
    errors = [
        {"schedule_id": schedule, "device_id": device, "reason": f"row {row}: {reason}"}
        for row, schedule, device, reason in judged.filter(pl.col("reason") != "")
        .select("row", pl.col("schedule_id", "device_id").fill_null(""), "reason")
        .iter_rows()
    ]
    return judged.filter(pl.col("reason") == "").select(*ENTRY_COLUMNS), errors


def merge_entries(entries: pl.DataFrame, starts: pl.Series) -> pl.DataFrame:
    """Return what each device shall do in each half hour: the entry of highest priority, of those the newest.

    Args:
        entries: Good ones, of ``check_entries``.
        starts: Half hours to fill, aware UTC.

    Returns:
        ``device_id, event_start, mode, rate_kw, power_kw, schedule_id`` for every device that has an entry and every
        half hour; idle, with a null ``schedule_id``, where nobody says anything.
    """
    order = ["priority", "issued_at", "schedule_id"]
    whole = pl.col("event_end") - pl.col("event_start") == timedelta(minutes=GRID_MINUTES)
    longer = entries.filter(~whole).with_columns(
        event_start=pl.datetime_ranges("event_start", "event_end", f"{GRID_MINUTES}m", closed="left")
    )
    halves = pl.concat([entries.filter(whole), longer.explode("event_start", empty_as_null=False)])
    # Entries of one schedule do not overlap: where there is no other, there is nothing to choose.
    alone = entries["schedule_id"].n_unique() == 1
    winners = (
        halves if alone else halves.sort(order, descending=True).unique(["device_id", "event_start"], keep="first")
    )
    grid = (
        entries.select("device_id").unique().sort("device_id").join(pl.DataFrame({"event_start": starts}), how="cross")
    )
    wanted = winners.select("device_id", "event_start", "mode", "rate_kw", "schedule_id")
    merged = grid.join(wanted, on=["device_id", "event_start"], how="left", maintain_order="left").with_columns(
        pl.col("mode").fill_null(IDLE), pl.col("rate_kw").fill_null(0.0)
    )
    columns = ("device_id", "event_start", "mode", "rate_kw", "power_kw", "schedule_id")
    return merged.with_columns(power_kw=signed_kw()).select(columns)


def signed_kw() -> pl.Expr:
    """Return the power of ``mode`` and ``rate_kw``, positive to the grid [kW]."""
    sign = pl.when(pl.col("mode") == DISCHARGE).then(1.0).when(pl.col("mode") == CHARGE).then(-1.0).otherwise(0.0)
    return sign * pl.col("rate_kw")


def half_hours_of(entries: pl.DataFrame) -> pl.Series:
    """Return the half hours from the first start to the last end of entries, of which there must be one."""
    start, end = entries["event_start"].sort()[0], entries["event_end"].sort()[-1]
    return pl.datetime_range(
        start, end, f"{GRID_MINUTES}m", closed="left", time_unit="us", time_zone="UTC", eager=True
    ).alias("event_start")


def check_energy(merged: pl.DataFrame, devices: pl.DataFrame, *, slack_share: float = 0.0) -> list[dict[str, str]]:
    """Return the devices that cannot follow a merged schedule because their store runs full or empty.

    Args:
        merged: Of ``merge_entries``: the same half hours for every device, in order.
        devices: ``DEVICE_COLUMNS``; ``soc_start_kwh`` is the state of charge when the first half hour begins.
        slack_share: By how much of its capacity a store may pass its band [1]: what its meter may be wrong by.

    Returns:
        ``{device_id, reason}``, the reason naming the first half hour that cannot be followed.
    """
    fleet = check_devices(devices)[0].filter(pl.col("device_id").is_in(merged["device_id"].implode())).sort("device_id")
    rows = merged.filter(pl.col("device_id").is_in(fleet["device_id"].implode())).sort("device_id", "event_start")
    if fleet.is_empty():
        return []
    power = rows["power_kw"].to_numpy().reshape(fleet.height, -1)
    number = {name: fleet[name].to_numpy()[:, None] for name in fleet.columns if fleet[name].dtype.is_float()}
    into, out_of = number["charge_efficiency"], number["discharge_efficiency"]
    gain = np.where(power < 0, -power * into, -power / out_of) * GRID_MINUTES / 60
    soc = number["soc_start_kwh"] + np.cumsum(gain, axis=1)
    before = np.hstack([number["soc_start_kwh"], soc[:, :-1]])
    slack = _SOC_KWH + slack_share * number["capacity_kwh"]
    over = (soc > number["soc_max_kwh"] + slack) & (soc > before + _SOC_KWH)
    under = (soc < number["soc_min_kwh"] - slack) & (soc < before - _SOC_KWH)
    times = rows["event_start"].head(power.shape[1])
    errors = []
    for i in np.flatnonzero((over | under).any(axis=1)):
        t = int(np.argmax(over[i] | under[i]))
        limit = "soc_max_kwh" if over[i, t] else "soc_min_kwh"
        errors.append(
            {
                "device_id": fleet["device_id"][int(i)],
                "reason": f"the half hour from {times[t].isoformat()} would bring it from {before[i, t]:.6g} to"
                f" {soc[i, t]:.6g} kWh, beyond {limit} of {number[limit][i, 0]:g}; lower the rate or idle",
            }
        )
    return errors


def _typed(entries: pl.DataFrame) -> pl.DataFrame:
    missing = [name for name in ENTRY_COLUMNS if name not in entries.columns]
    if missing:
        raise FrameError(f"entries lack column(s) {', '.join(missing)}; they have {', '.join(entries.columns)}")
    for name in ("event_end", "issued_at", "event_start"):
        renamed = entries.select(event_start=pl.col(name))
        entries = entries.with_columns(with_instants(renamed, f"entries' {name}")["event_start"].alias(name))
    try:
        return entries.select(pl.col(name).cast(dtype) for name, dtype in ENTRY_COLUMNS.items())
    except pl.exceptions.PolarsError as error:
        raise FrameError(f"entries have a column of the wrong type: {error}") from None


def _rules() -> list[tuple[pl.Expr, pl.Expr]]:
    """Return what breaks a rule, beside the reason in words."""
    mode, rate, priority = pl.col("mode"), pl.col("rate_kw"), pl.col("priority")
    start, end = pl.col("event_start"), pl.col("event_end")
    limit = (
        pl.when(mode == DISCHARGE).then(pl.col("max_discharge_kw")).when(mode == CHARGE).then(pl.col("max_charge_kw"))
    )
    off = (start.dt.truncate(f"{GRID_MINUTES}m") != start) | (end.dt.truncate(f"{GRID_MINUTES}m") != end)
    rules = [
        (pl.col("schedule_id").is_null(), pl.lit("schedule_id is null")),
        (pl.col("max_charge_kw").is_null(), pl.lit("device_id is no known device")),
        (~mode.is_in([IDLE, DISCHARGE, CHARGE]), _said("mode") + pl.lit("; write 0 idle, 1 discharge or 2 charge")),
        (~(rate.is_finite() & (rate >= 0)), _said("rate_kw") + pl.lit("; write a finite number of 0 or more")),
        (
            (rate.is_finite() & (rate > limit)).fill_null(value=False),
            _said("rate_kw") + pl.lit("; the device can do ") + limit.cast(pl.String) + pl.lit(" in this mode"),
        ),
        (start >= end, pl.lit("event_start is not before event_end")),
        (off, pl.lit(f"event_start or event_end is not on the grid of {GRID_MINUTES} minutes")),
        (_overlaps(), pl.lit("the entry overlaps an earlier one of the same schedule and device")),
        (
            ~priority.is_between(*PRIORITIES),
            _said("priority") + pl.lit(f"; write {PRIORITIES[0]} to {PRIORITIES[1]}"),
        ),
    ]
    return [(broken.fill_null(value=True), reason.fill_null("a value is null")) for broken, reason in rules]


def _overlaps() -> pl.Expr:
    """Return whether an entry begins before an earlier one of its schedule and device has ended."""
    by = ("schedule_id", "device_id")
    ended = pl.col("event_end").cum_max().shift(1).over(*by, order_by="event_start")
    return (pl.col("event_start") < ended).fill_null(value=False)


def _said(name: str) -> pl.Expr:
    return pl.lit(f"{name} is ") + pl.col(name).cast(pl.String).fill_null("null")
