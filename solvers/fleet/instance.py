"""A fleet as arrays: what the kernels read, and who cannot be planned at all.

Put here: the way from checked frames to contiguous arrays, eight devices to a vector, feeder by feeder.
Keep out: rules about rows (domain/fleet) and the search for a schedule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from domain.fleet import PriceGrid
from domain.fleet.schedule import availability_matrix
from domain.fleet.wear import depth_wear_usd
from solvers.fleet.kernel import ED, END_MIN, HI, INV_EC, LO, PD, START, TABLE_ROWS, WEAR, XC, XD
from solvers.fleet.records import Schedule
from solvers.fleet.simd import WIDTH

ROUNDING_KWH = 1e-9
"""A required end missed by less than this is reached."""


FREE_BLOCKS = 24
"""Blocks that devices on no feeder are cut into: a reserve is mixed from their answers, block by block."""

FREE_BLOCK_SIZE = 16
"""Devices that make another such block worth while."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fleet:
    """Devices laid out for the kernels.

    Attributes:
        ids: Of the devices, in the order of the input.
        slot: Column of ``table`` of each device; columns that no device has are padding.
        table: Rows as named in kernel.py, shape (TABLE_ROWS, slots).
        share: Availability, shape (intervals, slots), or (0, slots) where it is 1 throughout.
        depth_wear: Wear by depth segment [USD/kWh at the meter], shape (segments, slots), NaN beyond a device's last
            segment, or (0, slots) where no device has any.
        start: First slot of each block.
        stop: End of each block.
        feeders: Name of the feeder of each block, None for none; the feeders come in order of name, each one block,
            after up to FREE_BLOCKS of devices on none.
        hours: Length of an interval [h].
        intervals: How many there are.
    """

    ids: pl.Series
    slot: np.ndarray
    table: np.ndarray
    share: np.ndarray
    depth_wear: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    feeders: list[str | None]
    hours: float
    intervals: int

    @property
    def slots(self) -> int:
        """Columns of ``table``."""
        return self.table.shape[1]

    @property
    def deep(self) -> np.ndarray:
        """Whether the device of each slot wears by depth."""
        return np.asarray(np.isfinite(self.depth_wear).any(axis=0))

    @property
    def plain(self) -> np.ndarray:
        """The table with devices that wear by depth left out: what the kernels, which do not know them, may see."""
        deep = self.deep
        if not deep.any():
            return self.table
        table = self.table.copy()
        table[:, deep] = 0.0
        table[INV_EC, deep] = table[ED, deep] = 1.0
        return table

    def depth_wear_usd(self, slots: np.ndarray, plan: Schedule) -> np.ndarray:
        """Return what the schedules of some slots wear by depth [USD]; the plan's columns are those slots."""
        cost = np.zeros(len(slots))
        deep = np.flatnonzero(self.deep[slots])
        if len(deep):
            table = self.table[:, slots[deep]]
            moved = (
                self.hours * (plan.charge[:, deep] / table[INV_EC]).T,
                self.hours * (plan.discharge[:, deep] / table[ED]).T,
            )
            wear = self.depth_wear[:, slots[deep]].T
            cost[deep] = depth_wear_usd(table[START] - table[LO], table[HI] - table[LO], wear, moved, table[ED])
        return cost


def lay_out(devices: pl.DataFrame, grid: PriceGrid, *, by_feeder: bool) -> Fleet:
    """Return checked devices as arrays.

    Args:
        devices: Good rows of ``check_devices``.
        grid: Of the prices.
        by_feeder: Whether each feeder gets a block of its own; otherwise all devices are one.
    """
    count, intervals, hours = devices.height, len(grid.starts), grid.hours
    feeders, block = _blocks(devices) if by_feeder else ([None], np.zeros(count, dtype=np.int64))
    sizes = np.bincount(block, minlength=len(feeders))
    padded = -(-sizes // WIDTH) * WIDTH
    stop = np.cumsum(padded)
    start = stop - padded
    order = np.argsort(block, kind="stable")
    slot = np.empty(count, dtype=np.int64)
    slot[order] = np.arange(count) + (start - np.cumsum(sizes) + sizes)[block[order]]
    return Fleet(
        ids=devices["device_id"],
        slot=slot,
        table=_table(devices, slot, int(stop[-1]), hours),
        share=_share(devices, slot, int(stop[-1]), intervals),
        depth_wear=_depth_wear(devices, slot, int(stop[-1])),
        start=start,
        stop=stop,
        feeders=feeders,
        hours=hours,
        intervals=intervals,
    )


def _blocks(devices: pl.DataFrame) -> tuple[list[str | None], np.ndarray]:
    """Return the feeder of each block and the block of each device."""
    names = devices["feeder"]
    feeders = names.drop_nulls().unique().sort()
    free = names.is_null().to_numpy()
    parts = int(min(FREE_BLOCKS, -(-free.sum() // FREE_BLOCK_SIZE)))
    block = np.empty(devices.height, dtype=np.int64)
    block[free] = np.arange(free.sum()) * parts // max(1, free.sum())
    rank = pl.DataFrame({"feeder": feeders, "rank": np.arange(parts, parts + len(feeders))})
    block[~free] = (
        devices.select("feeder").drop_nulls().join(rank, on="feeder", maintain_order="left")["rank"].to_numpy()
    )
    return [None] * parts + feeders.to_list(), block


def _table(devices: pl.DataFrame, slot: np.ndarray, slots: int, hours: float) -> np.ndarray:
    column = {name: devices[name].to_numpy() for name in devices.columns if devices[name].dtype.is_float()}
    into, out_of = column["charge_efficiency"], column["discharge_efficiency"]
    table = np.zeros((TABLE_ROWS, slots))
    table[[INV_EC, ED]] = 1.0  # a padding device has no power and no room, but divides by its efficiency
    rows = {
        INV_EC: 1.0 / into,
        ED: out_of,
        WEAR: column["wear_usd_per_kwh"],
        XC: column["max_charge_kw"] * hours * into,
        XD: column["max_discharge_kw"] * hours / out_of,
        LO: column["soc_min_kwh"],
        HI: column["soc_max_kwh"],
        START: column["soc_start_kwh"],
        END_MIN: column["soc_end_min_kwh"],
        PD: column["max_discharge_kw"],
    }
    for row, values in rows.items():
        table[row, slot] = values
    return table


def _share(devices: pl.DataFrame, slot: np.ndarray, slots: int, intervals: int) -> np.ndarray:
    if devices["availability"].null_count() == devices.height:
        return np.empty((0, slots))
    share = np.zeros((intervals, slots))
    share[:, slot] = availability_matrix(devices, intervals).T
    return share


def _depth_wear(devices: pl.DataFrame, slot: np.ndarray, slots: int) -> np.ndarray:
    if "wear_depth_usd_per_kwh" not in devices.columns:
        return np.empty((0, slots))
    listed = devices["wear_depth_usd_per_kwh"]
    most = listed.list.len().max()
    if not isinstance(most, int):
        return np.empty((0, slots))
    wear = np.full((most, slots), np.nan)
    for i in np.flatnonzero(listed.is_not_null().to_numpy()):
        each = listed[int(i)].to_numpy()
        wear[: len(each), slot[i]] = each
    return wear


def out_of_reach(devices: pl.DataFrame, grid: PriceGrid) -> list[dict[str, str]]:
    """Return the devices whose required end no schedule reaches, with the reason in words."""
    devices = devices.filter(pl.col("soc_end_min_kwh") > pl.min_horizontal("soc_start_kwh", "soc_max_kwh"))
    column = {name: devices[name].to_numpy() for name in devices.columns if devices[name].dtype.is_float()}
    top, needed, start = column["soc_max_kwh"], column["soc_end_min_kwh"], column["soc_start_kwh"]
    step = column["max_charge_kw"] * grid.hours * column["charge_efficiency"]
    best = start.copy()
    part = availability_matrix(devices, len(grid.starts)).T
    for here in part:
        best = np.where(best < top, np.minimum(best + step * here, top), best)
    errors = []
    for i in np.flatnonzero((needed > best + ROUNDING_KWH) | (needed > top + ROUNDING_KWH)):
        name = devices["device_id"][int(i)]
        if needed[i] > top[i]:
            why = f"it is above soc_max_kwh of {top[i]:g}"
        else:
            why = (
                f"from soc_start_kwh of {start[i]:g} at most {best[i]:.6g} kWh can be stored by the end"
                f" (max_charge_kw {column['max_charge_kw'][i]:g}, charge_efficiency {column['charge_efficiency'][i]:g},"
                " its availability); lower soc_end_min_kwh or give it more time"
            )
        errors.append({"device_id": name, "reason": f"soc_end_min_kwh of {needed[i]:g} cannot be reached: {why}"})
    return errors
