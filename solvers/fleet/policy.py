"""The plan as a rule: what to do from whatever state of charge a device turns out to have.

Prices alone fix two levels for each device and interval: below the one it pays to charge up to it, above the other to
discharge down to it, in between to rest. They do not depend on where the device is, so a device that reports another
state of charge than planned needs no new plan, only a look at its levels.

Put here: levels without shared limits, and following them. Keep out: limits and reserve, whose prices change with what
everybody does: plan again.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from domain.errors import FrameError
from domain.fleet import check_devices, price_grid
from solvers.fleet.instance import lay_out
from solvers.fleet.kernel import levels


def feedback_levels(
    devices: pl.DataFrame, prices: pl.DataFrame, *, terminal_value_usd_per_kwh: float | None = None
) -> pl.DataFrame:
    """Return the levels of each good device.

    Args:
        devices: ``domain.fleet.DEVICE_COLUMNS``; where they start does not matter.
        prices: ``event_start`` (evenly spaced), ``price_usd_mwh``.
        terminal_value_usd_per_kwh: Worth of a kWh stored when the last interval ends; None gives it none.

    Returns:
        ``device_id, event_start, charge_up_to_kwh, discharge_down_to_kwh``; null for a device that is there in part
        in an interval of a burning price, or that wears by depth: their best schedules have more than two levels.

    Raises:
        FrameError: A frame breaks its column contract.
    """
    grid = price_grid(prices)
    good, _ = check_devices(devices, intervals=len(grid.starts))
    if good.is_empty():
        raise FrameError("no device keeps the rules of its row; check_devices names the reasons")
    fleet = lay_out(good, grid, by_feeder=False)
    up_to, down_to = (np.empty((fleet.intervals, fleet.slots)) for _ in range(2))
    odd = np.zeros(fleet.slots)
    levels(fleet.table, fleet.share, grid.usd_mwh / 1000.0, terminal_value_usd_per_kwh or 0.0, up_to, down_to, odd)
    count = good.height
    frame = pl.DataFrame(
        {
            "device_id": good["device_id"].gather(np.repeat(np.arange(count), fleet.intervals)),
            "event_start": pl.concat([grid.starts] * count),
            "charge_up_to_kwh": up_to[:, fleet.slot].T.reshape(-1),
            "discharge_down_to_kwh": down_to[:, fleet.slot].T.reshape(-1),
            "odd": np.repeat((odd[fleet.slot] > 0) | fleet.deep[fleet.slot], fleet.intervals),
        }
    )
    known = [
        pl.when(~pl.col("odd")).then(pl.col(name)).alias(name) for name in ("charge_up_to_kwh", "discharge_down_to_kwh")
    ]
    return frame.with_columns(known).drop("odd")


def follow_levels(levels_now: pl.DataFrame, devices: pl.DataFrame, *, hours: float) -> pl.DataFrame:
    """Return what devices do in one interval, from the state of charge they report.

    Args:
        levels_now: ``device_id, charge_up_to_kwh, discharge_down_to_kwh`` of one interval, and ``soc_kwh`` as measured.
        devices: ``domain.fleet.DEVICE_COLUMNS``, all there.
        hours: Length of the interval [h].

    Returns:
        ``device_id, charge_kw, discharge_kw, power_kw, soc_kwh`` (at the end), one thing at a time.
    """
    soc = pl.col("soc_kwh")
    into, out_of = pl.col("charge_efficiency"), pl.col("discharge_efficiency")
    up = pl.min_horizontal(pl.col("charge_up_to_kwh") - soc, pl.col("max_charge_kw") * hours * into).clip(0.0)
    down = pl.min_horizontal(soc - pl.col("discharge_down_to_kwh"), pl.col("max_discharge_kw") * hours / out_of).clip(
        0.0
    )
    numbers = devices.select("device_id", into, out_of, "max_charge_kw", "max_discharge_kw")
    done = levels_now.join(numbers, on="device_id", how="inner", maintain_order="left").with_columns(
        charge_kw=up / into / hours, discharge_kw=down * out_of / hours, soc_kwh=soc + up - down
    )
    power = pl.col("discharge_kw") - pl.col("charge_kw")
    return done.select("device_id", "charge_kw", "discharge_kw", power_kw=power, soc_kwh="soc_kwh")
