"""Schedules that need no optimizer: what is left when there is no price, or no solution.

Wanted powers are held within what each device can do, step by step from where it starts: available power, band, and in
time towards the energy it must end with (a vehicle that must leave is charged, whatever the rule says).

Put here: such rules. Keep out: when one is used (resources/fleet_ladder.py).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from domain.fleet import PriceGrid, price_grid
from solvers.fleet.frames import schedule_frame
from solvers.fleet.instance import lay_out
from solvers.fleet.kernel import ED, END_MIN, HI, INV_EC, LO, PD, START, XC
from solvers.fleet.records import Schedule

CHEAP_SHARE: Final = 0.25
"""Share of the intervals that count as cheap, and as dear: six hours of a day, in which most batteries fill."""


def by_quantiles(devices: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    """Return a schedule that charges in the cheapest quarter of the intervals and discharges in the dearest.

    Args:
        devices: Good rows of ``check_devices``.
        prices: ``event_start, price_usd_mwh``.
    """
    grid = price_grid(prices)
    low, high = np.quantile(grid.usd_mwh, [CHEAP_SHARE, 1.0 - CHEAP_SHARE])
    wanted = np.where(grid.usd_mwh <= low, -np.inf, np.where(grid.usd_mwh >= high, np.inf, 0.0))
    if low >= high:
        wanted[:] = 0.0
    return _within_limits(devices, grid, np.tile(wanted[:, None], (1, devices.height)), must_end=True)


def carried_on(devices: pl.DataFrame, prices: pl.DataFrame, powers: pl.DataFrame) -> pl.DataFrame:
    """Return the schedule that follows given powers as far as the devices can; without a power they rest.

    Args:
        devices: Good rows of ``check_devices``.
        prices: Give the grid; the prices themselves do not matter and may be null.
        powers: ``device_id, event_start, power_kw`` (mean, positive to the grid).
    """
    grid = price_grid(prices.with_columns(pl.col("price_usd_mwh").fill_null(0.0)))
    every = devices.select("device_id").join(pl.DataFrame({"event_start": grid.starts}), how="cross")
    wanted = every.join(
        powers.select("device_id", "event_start", "power_kw"), on=["device_id", "event_start"], how="left",
        maintain_order="left",
    )["power_kw"].fill_null(0.0)  # fmt: skip
    return _within_limits(devices, grid, wanted.to_numpy().reshape(devices.height, -1).T, must_end=True)


def idle(devices: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    """Return the schedule of devices that do nothing.

    Args:
        devices: Good rows of ``check_devices``.
        prices: Give the grid; the prices themselves do not matter and may be null.
    """
    grid = price_grid(prices.with_columns(pl.col("price_usd_mwh").fill_null(0.0)))
    return _within_limits(devices, grid, np.zeros((len(grid.starts), devices.height)), must_end=False)


def _within_limits(devices: pl.DataFrame, grid: PriceGrid, wanted_kw: np.ndarray, *, must_end: bool) -> pl.DataFrame:
    """Follow wanted powers, shape (intervals, devices), positive to the grid, as far as limits allow."""
    fleet = lay_out(devices, grid, by_feeder=False)
    table = fleet.table[:, fleet.slot]
    part = fleet.share[:, fleet.slot] if len(fleet.share) else np.ones(wanted_kw.shape)
    needed = _needed_kwh(table, part) if must_end else np.full_like(wanted_kw, -np.inf)
    every = Schedule.zero(fleet.intervals, fleet.slots)
    soc = table[START]
    for t in range(fleet.intervals):
        full_in = part[t] * table[XC] * table[INV_EC] / fleet.hours
        room = np.maximum(table[HI] - soc, 0.0) * table[INV_EC] / fleet.hours
        must = np.clip((needed[t] - soc) * table[INV_EC] / fleet.hours, 0.0, np.minimum(full_in, room))
        charge = np.maximum(np.clip(-wanted_kw[t], 0.0, np.minimum(full_in, room)), must)
        stored = np.maximum(soc - np.maximum(table[LO], needed[t]), 0.0) * table[ED] / fleet.hours
        discharge = np.clip(wanted_kw[t], 0.0, np.minimum(part[t] * table[PD], stored))
        discharge = np.where(charge > 0.0, 0.0, discharge)
        soc = soc + fleet.hours * (charge / table[INV_EC] - discharge / table[ED])
        every.charge[t, fleet.slot], every.discharge[t, fleet.slot], every.soc[t, fleet.slot] = charge, discharge, soc
    return schedule_frame(fleet, every, grid)


def _needed_kwh(table: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Return what must be stored at the end of each interval for the required end to stay in reach [kWh]."""
    needed = np.empty(part.shape)
    needed[-1] = table[END_MIN]
    for t in range(len(part) - 1, 0, -1):
        needed[t - 1] = needed[t] - table[XC] * part[t]
    return needed
