"""What a device really stores and gives back, read off its own responses.

Put here: the estimate. Keep out: where responses come from, and whether a registry believes it.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from domain.fleet.external import GRID_MINUTES

LEAST_INTERVALS: Final = 4
"""Half hours of one direction that an estimate needs; meters of 1 % then leave half a per cent."""

LEAST_SHARE: Final = 0.2
"""And the energy they must have moved, over the capacity: below it rounding of the state of charge dominates."""


def estimated_efficiencies(devices: pl.DataFrame, executions: pl.DataFrame) -> pl.DataFrame:
    """Return the efficiency of each device and direction that its responses show.

    Over half hours that charged only, energy stored over energy drawn; over those that discharged only, energy given
    over energy taken. Sums, not means of ratios: a half hour of little power says little.

    Args:
        devices: ``device_id, capacity_kwh, charge_efficiency, discharge_efficiency``.
        executions: ``device_id, interval_start, status, actual_rate_kw`` (mean, positive to the grid), ``soc_kwh`` (at
            the end). Only a success that directly follows one counts: both ends of its half hour were measured.

    Returns:
        ``device_id, charge_efficiency, discharge_efficiency`` as declared, ``estimated_charge_efficiency,
        estimated_discharge_efficiency`` (null: too little was moved), ``charge_intervals, discharge_intervals``.
    """
    step = pl.duration(minutes=GRID_MINUTES)
    good = executions.filter(
        (pl.col("status") == "success") & pl.col("actual_rate_kw").is_not_null() & pl.col("soc_kwh").is_not_null()
    ).unique(["device_id", "interval_start"], keep="last", maintain_order=True)
    rows = good.sort("device_id", "interval_start").with_columns(
        gained=pl.col("soc_kwh") - pl.col("soc_kwh").shift(1).over("device_id"),
        follows=pl.col("interval_start") - pl.col("interval_start").shift(1).over("device_id") == step,
        metered=-pl.col("actual_rate_kw") * GRID_MINUTES / 60,
    ).filter("follows")  # fmt: skip
    charging, giving = (
        (pl.col("metered") > 0) & (pl.col("gained") > 0),
        (pl.col("metered") < 0) & (pl.col("gained") < 0),
    )
    sums = rows.group_by("device_id").agg(
        drawn=pl.col("metered").filter(charging).sum(), stored=pl.col("gained").filter(charging).sum(),
        given=-pl.col("metered").filter(giving).sum(), taken=-pl.col("gained").filter(giving).sum(),
        charge_intervals=charging.sum(), discharge_intervals=giving.sum(),
    )  # fmt: skip
    enough = pl.col("capacity_kwh") * LEAST_SHARE
    fleet = devices.select("device_id", "capacity_kwh", "charge_efficiency", "discharge_efficiency")
    known = {
        "estimated_charge_efficiency": (pl.col("stored") / pl.col("drawn"), "charge_intervals", pl.col("stored")),
        "estimated_discharge_efficiency": (pl.col("given") / pl.col("taken"), "discharge_intervals", pl.col("taken")),
    }
    estimates = [
        pl.when((pl.col(count) >= LEAST_INTERVALS) & (moved >= enough)).then(ratio).alias(name)
        for name, (ratio, count, moved) in known.items()
    ]
    counts = pl.col("charge_intervals", "discharge_intervals").fill_null(0)
    return (
        fleet.join(sums, on="device_id", how="left", maintain_order="left")
        .with_columns(estimates)
        .select("device_id", "charge_efficiency", "discharge_efficiency", *known, counts)
    )
