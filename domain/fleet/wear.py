"""What a schedule wears by the depth of its discharges.

The band of a device is cut into equal segments, each with a level of its own. Charging fills the cheapest first, giving
empties the cheapest first, so a cycle of depth z takes from the segments down to z and pays what they cost: the way
rainflow counting weighs half cycles, for a cost that rises with depth (Xu et al., "Factoring the cycle aging cost of
batteries participating in electricity markets", IEEE Trans. Power Systems 33(2), 2018). At the start the energy stored
lies in the cheapest segments: nothing is known of the cycle before.

Put here: that cost of a given schedule. Keep out: choosing one (solvers/fleet).
"""

from __future__ import annotations

import numpy as np
import polars as pl


def segment_widths_kwh(band_kwh: np.ndarray, wear: np.ndarray) -> np.ndarray:
    """Return the energy each segment holds [kWh], shape (devices, segments).

    Args:
        band_kwh: soc_max - soc_min of each device.
        wear: Cost of each segment [USD/kWh at the meter], shape (devices, segments), NaN beyond a device's last.
    """
    there = np.isfinite(wear)
    return np.where(there, (band_kwh / np.maximum(there.sum(axis=1), 1))[:, None], 0.0)


def segment_start_kwh(stored_kwh: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Return what each segment holds at the start, cheapest first, from the energy stored above soc_min [kWh]."""
    return np.clip(stored_kwh[:, None] - np.cumsum(widths, axis=1) + widths, 0.0, widths)


def depth_wear_usd(
    stored_kwh: np.ndarray,
    band_kwh: np.ndarray,
    wear: np.ndarray,
    moved_kwh: tuple[np.ndarray, np.ndarray],
    out: np.ndarray,
) -> np.ndarray:
    """Return the wear by depth of each device [USD].

    Args:
        stored_kwh: Energy above soc_min at the start, shape (devices,).
        band_kwh: soc_max - soc_min.
        wear: As in ``segment_widths_kwh``.
        moved_kwh: Energy charged into and taken out of the store, each of shape (devices, intervals).
        out: Energy given at the meter per energy taken from the store, the discharge efficiency.
    """
    widths = segment_widths_kwh(band_kwh, wear)
    level = segment_start_kwh(stored_kwh, widths)
    unit = np.nan_to_num(wear) * out[:, None]
    cost = np.zeros(len(widths))
    for into, taken in zip(moved_kwh[0].T, moved_kwh[1].T, strict=True):
        # What is charged and given within one interval passes through the cheapest segment.
        cost += unit[:, 0] * np.minimum(into, taken)
        more, less = np.maximum(into - taken, 0.0), np.maximum(taken - into, 0.0)
        for j in range(widths.shape[1]):
            filled, emptied = np.minimum(more, widths[:, j] - level[:, j]), np.minimum(less, level[:, j])
            level[:, j] += filled - emptied
            more, less = more - filled, less - emptied
            cost += unit[:, j] * emptied
    return cost


def scheduled_depth_wear_usd(devices: pl.DataFrame, powers: pl.DataFrame, hours: float) -> float:
    """Return what powers wear by depth over a fleet [USD]; devices without depth segments wear nothing so.

    Args:
        devices: ``DEVICE_COLUMNS``; a frame without ``wear_depth_usd_per_kwh`` has no depth.
        powers: ``device_id, event_start, power_kw`` (mean, positive to the grid); where ``charge_kw`` and
            ``discharge_kw`` are given, they count. Null counts as 0.
        hours: Length of an interval [h].
    """
    if "wear_depth_usd_per_kwh" not in devices.columns:
        return 0.0
    ways = {"charge_kw": (-pl.col("power_kw")).clip(0.0), "discharge_kw": pl.col("power_kw").clip(0.0)}
    total = 0.0
    for device in devices.filter(pl.col("wear_depth_usd_per_kwh").is_not_null()).iter_rows(named=True):
        mine = powers.filter(pl.col("device_id") == device["device_id"]).sort("event_start")
        charge, discharge = (
            mine.select((pl.col(name) if name in mine.columns else of).fill_null(0.0)).to_series().to_numpy()
            for name, of in ways.items()
        )
        into, out_of = device["charge_efficiency"], device["discharge_efficiency"]
        cost = depth_wear_usd(
            np.array([device["soc_start_kwh"] - device["soc_min_kwh"]]),
            np.array([device["soc_max_kwh"] - device["soc_min_kwh"]]),
            np.array([device["wear_depth_usd_per_kwh"]]),
            (hours * charge[None, :] * into, hours * discharge[None, :] / out_of),
            np.array([out_of]),
        )
        total += float(cost[0])
    return total
