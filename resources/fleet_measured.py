"""What devices measured of themselves, as the lake has it: the one name of these series, and how old is too old.

Put here: reading the newest state of charge, and moving it on by what was told since. Keep out: how heartbeats reach
the lake (assets/ingest_fleet.py) and what follows from them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from domain.beliefs import Cutoffs
from domain.fleet.external import CHARGE, DISCHARGE
from resources.lake import Lake

SERIES: Final = "device:{}:{}"
"""Series of a device's quantity: ``power_kw`` at the meter, ``soc_kwh`` stored."""

HEARD: Final = timedelta(minutes=65)
"""Older telemetry says nothing about now: two heartbeats and their way."""

_HALF_HOUR: Final = timedelta(minutes=30)


def measured(lake: Lake, cutoffs: Cutoffs, *, before: datetime) -> pl.DataFrame:
    """Return ``device_id, heard_at, measured_kwh``: the newest state of charge of each device that was heard.

    Args:
        lake: Holds the telemetry.
        cutoffs: What may be known.
        before: Measurements from ``HEARD`` before this instant to just before it count [UTC].
    """
    prefix, suffix = SERIES.format("*", "soc_kwh").split("*")
    rows = lake.as_of(f"{prefix}*{suffix}", start=before - HEARD, end=before, cutoffs=cutoffs)
    newest = rows.filter(pl.col("value").is_not_null()).sort("event_start").unique("series_id", keep="last")
    name = pl.col("series_id").str.strip_prefix(prefix).str.strip_suffix(suffix)
    return newest.select(device_id=name, heard_at="event_start", measured_kwh="value").sort("device_id")


def stored_at(devices: pl.DataFrame, heard: pl.DataFrame, told: pl.DataFrame | None, at: datetime) -> pl.DataFrame:
    """Return devices from what is stored at an instant, as measured and moved on by what they were told since.

    A device that nobody heard has what the registry says, which may be long ago: ``is_measured`` tells them apart.

    Args:
        devices: ``DEVICE_COLUMNS``.
        heard: Of `measured`.
        told: Half hours (``device_id, event_start, mode, rate_kw``); a device idles where it is told nothing. None:
            nobody was told anything.
        at: The instant, not before a device was heard [UTC].

    Returns:
        ``devices`` with another ``soc_start_kwh``, and ``is_measured``; by id.
    """
    since = devices.join(heard, on="device_id", how="left", maintain_order="left").sort("device_id")
    moved = pl.DataFrame(schema={"device_id": pl.String(), "gain_kwh": pl.Float64()})
    if told is not None:
        begun, ended = pl.col("event_start"), pl.col("event_start") + _HALF_HOUR
        part = pl.min_horizontal(ended, pl.lit(at)) - pl.max_horizontal(begun, "heard_at")
        hours = part.dt.total_microseconds().clip(0) / 3.6e9
        gain = (
            pl.when(pl.col("mode") == CHARGE)
            .then(pl.col("rate_kw") * pl.col("charge_efficiency"))
            .when(pl.col("mode") == DISCHARGE)
            .then(-pl.col("rate_kw") / pl.col("discharge_efficiency"))
            .otherwise(0.0)
        )
        moved = (
            told.join(since.filter(pl.col("heard_at").is_not_null()), on="device_id")
            .group_by("device_id")
            .agg(gain_kwh=(gain * hours).sum())
        )
    stored = pl.col("measured_kwh") + pl.col("gain_kwh").fill_null(0.0)
    return (
        since.join(moved, on="device_id", how="left", maintain_order="left")
        .with_columns(
            soc_start_kwh=pl.coalesce(stored, "soc_start_kwh").clip(0.0, pl.col("capacity_kwh")),
            is_measured=pl.col("measured_kwh").is_not_null(),
        )
        .select(*devices.columns, "is_measured")
    )
