"""What following a schedule was worth: costs of what was executed, and what the fleet would have done by itself.

Put here: accounting over frames. Keep out: plans (solvers/fleet) and prices' origin.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from domain.fleet.conditions import PriceGrid, price_grid
from domain.fleet.schedule import availability_matrix
from domain.fleet.wear import scheduled_depth_wear_usd


def cost_usd(devices: pl.DataFrame, powers: pl.DataFrame, prices: pl.DataFrame, stored_usd_per_kwh: float) -> float:
    """Return what powers cost [USD]: energy and wear, less the worth of what is stored in the end.

    A device that did nothing costs nothing, and keeps what it had.

    Args:
        devices: ``DEVICE_COLUMNS``.
        powers: ``device_id, event_start, power_kw`` (mean at the meter, positive to the grid), ``soc_kwh`` (at the
            end of the interval); of any subset of devices and intervals. Null counts as 0.
        prices: ``event_start, price_usd_mwh``.
        stored_usd_per_kwh: Worth of a kWh stored after the last interval.
    """
    grid = price_grid(prices)
    rows = (
        powers.join(prices, on="event_start")
        .join(devices.select("device_id", "wear_usd_per_kwh"), on="device_id")
        .with_columns(pl.col("power_kw").fill_null(0.0))
    )
    energy = -(pl.col("power_kw") * pl.col("price_usd_mwh")).sum() / 1000
    wear = (pl.col("power_kw").abs() * pl.col("wear_usd_per_kwh")).sum()
    last = powers.sort("event_start").group_by("device_id").agg(pl.col("soc_kwh").drop_nulls().last())
    gained = devices.join(last, on="device_id").select((pl.col("soc_kwh") - pl.col("soc_start_kwh")).sum()).item()
    by_depth = scheduled_depth_wear_usd(devices, powers, grid.hours)
    return float(rows.select(energy + wear).item()) * grid.hours + by_depth - stored_usd_per_kwh * float(gained)


def bought(powers: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    """Return what the energy that devices drew cost, gross: nothing is set off against it.

    Args:
        powers: ``device_id, event_start, power_kw`` (mean at the meter, positive to the grid).
        prices: ``event_start, price_usd_mwh``; where they are below zero, drawing earns.

    Returns:
        ``device_id, bought_kwh, bill_usd`` of every device that drew anything, by device.
    """
    hours = price_grid(prices).hours
    drawn = powers.filter(pl.col("power_kw") < 0).join(prices, on="event_start")
    energy = -pl.col("power_kw") * hours
    return (
        drawn.group_by("device_id")
        .agg(bought_kwh=energy.sum(), bill_usd=(energy * pl.col("price_usd_mwh")).sum() / 1000)
        .sort("device_id")
    )


def uncontrolled(devices: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    """Return what devices would do by themselves: charge at full power, as soon as they can, to what they need.

    What a device needs is ``soc_end_min_kwh``; above it, it idles.

    Args:
        devices: ``DEVICE_COLUMNS``.
        prices: Give the grid.

    Returns:
        ``device_id, event_start, power_kw, soc_kwh``, by device and time.
    """
    grid: PriceGrid = price_grid(prices)
    fleet = devices.sort("device_id")
    column = {name: fleet[name].to_numpy() for name in fleet.columns if fleet[name].dtype.is_float()}
    available = availability_matrix(fleet, len(grid.starts))
    needed = np.minimum(column["soc_end_min_kwh"], column["soc_max_kwh"])
    soc, power, stored = column["soc_start_kwh"].copy(), np.empty_like(available), np.empty_like(available)
    for step in range(len(grid.starts)):
        most = available[:, step] * column["max_charge_kw"]
        drawn = np.minimum(most, np.maximum(0.0, needed - soc) / column["charge_efficiency"] / grid.hours)
        soc = soc + drawn * column["charge_efficiency"] * grid.hours
        power[:, step], stored[:, step] = -drawn, soc
    every = fleet.select("device_id").join(pl.DataFrame({"event_start": grid.starts}), how="cross")
    return every.with_columns(power_kw=power.ravel(), soc_kwh=stored.ravel())
