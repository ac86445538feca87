"""Compile the kernels ahead of time.

The first plan after an installation or a change of the kernels waits some seconds for numba; the compiled code is then
kept beside the sources. Put here: a small plan of every kind, for whoever wants to wait at a better moment.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from domain.beliefs import TIME
from domain.fleet import generate_fleet
from solvers.fleet.plan import plan_fleet
from solvers.fleet.policy import feedback_levels

LARGE: Final = 400
"""Devices of a fleet that is searched on prices, not solved as one programme."""


def prepare() -> None:
    """Compile every kernel into numba's cache."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    times = [start + timedelta(hours=hour) for hour in range(24)]
    usd_mwh = [40.0, -300.0, -300.0, 90.0] * 6
    prices = pl.DataFrame({"event_start": times, "price_usd_mwh": usd_mwh}, schema_overrides={"event_start": TIME})
    devices = generate_fleet(24, 1, intervals=24, hours=1.0)
    limits = {"import_limit_kw": 100.0, "export_limit_kw": 100.0}
    feeders = devices.select(pl.col("feeder").unique()).with_columns(
        pl.lit(value).alias(name) for name, value in limits.items()
    )
    plan_fleet(devices, prices, strict=True)
    many = generate_fleet(LARGE, 1, intervals=24, hours=1.0).with_columns(feeder=pl.lit(devices["feeder"][0]))
    plan_fleet(many, prices, feeders=feeders)
    feedback_levels(devices, prices)


if __name__ == "__main__":
    prepare()
