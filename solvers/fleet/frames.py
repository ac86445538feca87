"""A schedule as the frame of the contract, and its money.

Put here: the way from arrays to frames, costs, rows of the report. Keep out: choosing a schedule.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from domain.fleet import SCHEDULE_COLUMNS, PriceGrid
from solvers.fleet.instance import Fleet
from solvers.fleet.kernel import HI, LO, START, WEAR
from solvers.fleet.response import Schedule

OUTSIDE_KWH = 1e-9
"""A state of charge outside its band by less than this is rounding."""


def schedule_frame(fleet: Fleet, plan: Schedule, grid: PriceGrid) -> pl.DataFrame:
    """Return the schedule, device by device in the order of the input, in the columns of the contract."""
    count, intervals = len(fleet.ids), fleet.intervals
    charge, discharge, soc = (_by_device(array, fleet.slot) for array in (plan.charge, plan.discharge, plan.soc))
    power = discharge - charge
    columns = {
        "device_id": fleet.ids.gather(np.repeat(np.arange(count, dtype=np.uint32), intervals)),
        "event_start": pl.Series(np.tile(grid.starts.to_physical().to_numpy(), count)).cast(grid.starts.dtype),
        "charge_kw": charge,
        "discharge_kw": discharge,
        "power_kw": power,
        "soc_kwh": soc,
        "mode": (power > 0).astype(np.int8) + 2 * (power < 0).astype(np.int8),
        "rate_kw": np.abs(power),
    }
    return pl.DataFrame(columns, schema=SCHEDULE_COLUMNS)


def empty_schedule() -> pl.DataFrame:
    """Return a schedule of no device."""
    return pl.DataFrame(schema=SCHEDULE_COLUMNS)


def _by_device(array: np.ndarray, slot: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array[:, slot].T).reshape(-1)


def cost_usd(fleet: Fleet, plan: Schedule, usd_mwh: np.ndarray, end_value: float) -> float:
    """Return price (c - d) h + wear (c + d) h over the fleet, less the worth of what is stored at the end [USD]."""
    wear = fleet.table[WEAR]
    net = plan.charge.sum(axis=1) - plan.discharge.sum(axis=1)
    moved = float((plan.charge @ wear).sum() + (plan.discharge @ wear).sum())
    by_depth = float(fleet.depth_wear_usd(np.arange(fleet.slots), plan).sum())
    return fleet.hours * (float(usd_mwh @ net) / 1000.0 + moved) + by_depth - end_value * float(plan.soc[-1].sum())


def outside_rows(fleet: Fleet, plan: Schedule, grid: PriceGrid) -> list[dict[str, object]]:
    """Return the devices that start outside their band, and how long the way back takes."""
    start, low, high = (fleet.table[row, fleet.slot] for row in (START, LO, HI))
    rows: list[dict[str, object]] = []
    for i in np.flatnonzero((start < low - OUTSIDE_KWH) | (start > high + OUTSIDE_KWH)):
        soc = plan.soc[:, fleet.slot[i]]
        out = np.flatnonzero((soc < low[i] - OUTSIDE_KWH) | (soc > high[i] + OUTSIDE_KWH))
        rows += [
            {"device_id": fleet.ids[int(i)], "event_start": grid.starts[int(t)].isoformat(), "soc_kwh": float(soc[t])}
            for t in out
        ]
    return rows


def missed_rows(fleet: Fleet, missed: dict[str, np.ndarray], grid: PriceGrid) -> list[dict[str, object]]:
    """Return one row for each shared limit that is missed, feeder by feeder, the reserve last."""
    return [
        {
            "limit": limit,
            "feeder": None if limit.startswith("reserve") else fleet.feeders[int(block)],
            "event_start": grid.starts[int(t)].isoformat(),
            "amount": float(amount[block, t]),
        }
        for limit, amount in missed.items()
        for block, t in np.argwhere(amount > 0.0)
    ]
