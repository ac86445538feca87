"""Staying close to an earlier schedule where that costs next to nothing.

Many schedules are almost equally good; one that jumps from re-plan to re-plan wears relays and trust. A small penalty
on stored energy that differs from the earlier schedule settles such ties in its favour. It is declared in the report
and is no part of the objective. Put here: that penalty. Keep out: what to do where plans must not change at all.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from domain.errors import FrameError
from domain.fleet import PriceGrid
from domain.fleet.conditions import with_instants
from solvers.fleet.instance import Fleet
from solvers.fleet.kernel import ED, INV_EC
from solvers.fleet.response import Pull

STAY_CLOSE_USD_PER_KWH: Final = 0.001
"""Penalty per kWh stored differently: 1 USD/MWh, a tenth of the cheapest wear, below what any price forecast knows."""


def pull_to(previous: pl.DataFrame, fleet: Fleet, grid: PriceGrid) -> Pull:
    """Return the pull towards an earlier schedule; intervals and devices it does not have are free.

    Args:
        previous: ``device_id, event_start, power_kw`` on intervals of the same length; ``charge_kw`` and
            ``discharge_kw`` count where they are given.
        fleet: The devices.
        grid: Of the prices.

    Raises:
        FrameError: A column is missing, a time has no zone, or a row stands twice.
    """
    missing = [name for name in ("device_id", "event_start", "power_kw") if name not in previous.columns]
    if missing:
        raise FrameError(f"the previous schedule lacks column(s) {', '.join(missing)}")
    for name in ("power_kw", "charge_kw", "discharge_kw"):
        if not previous.schema.get(name, pl.Float64()).is_numeric():
            raise FrameError(f"the previous schedule has {name} of type {previous.schema[name]}; write it as numbers")
    power = pl.col("power_kw").cast(pl.Float64)
    each = {"charge_kw": (-power).clip(0.0), "discharge_kw": power.clip(0.0)}
    rows = with_instants(previous, "previous rows").select(
        pl.col("device_id").cast(pl.String),
        "event_start",
        *(pl.col(name).cast(pl.Float64) if name in previous.columns else of.alias(name) for name, of in each.items()),
    )
    if rows.select("device_id", "event_start").is_duplicated().any():
        raise FrameError("the previous schedule has a device twice in an interval")
    devices = pl.DataFrame({"device_id": fleet.ids, "slot": fleet.slot})
    times = pl.DataFrame({"event_start": grid.starts, "interval": np.arange(len(grid.starts))})
    rows = rows.join(devices, on="device_id").join(times, on="event_start")
    slot, interval = rows["slot"].to_numpy(), rows["interval"].to_numpy()
    change = np.full((fleet.intervals, fleet.slots), np.nan)
    charge, discharge = rows["charge_kw"].to_numpy(), rows["discharge_kw"].to_numpy()
    change[interval, slot] = fleet.hours * (charge / fleet.table[INV_EC, slot] - discharge / fleet.table[ED, slot])
    return Pull(change=change, usd_per_kwh=STAY_CLOSE_USD_PER_KWH)
