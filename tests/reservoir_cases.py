"""Inputs for tests of the afterbay: the shipped plant, plain weeks, hostile weeks.

Put here: builders several test files share. Keep out: expectations.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from domain.plant import Plant, PoolState
from resources.plant_files import load_plant

PLANTS = Path(__file__).parents[1] / "config" / "plants"
START = datetime(2026, 7, 6, 7, tzinfo=UTC)
"""A Monday midnight at the plant."""
MIDDLE = PoolState(elevation_ft=1170.0, oxbow_mw=3.0)


def afterbay() -> Plant:
    """Return the shipped plant."""
    return load_plant(PLANTS / "afterbay.toml")


def hours(count: int = 24, *, step_h: float = 1.0, seed: int = 0, **columns: object) -> pl.DataFrame:
    """Return the inputs of a plain summer stretch; columns replace the plain ones, numbers stand for all rows."""
    rng = np.random.default_rng(seed)
    at = np.arange(count) * step_h
    plain: dict[str, object] = {
        "r4_flow_cfs": 60.0 + 10.0 * np.sin(at / 24.0 * 2.0 * np.pi),
        "r30_flow_cfs": 180.0,
        "r20_flow_cfs": 40.0,
        "r5l_flow_cfs": 27.0,
        "r26_flow_cfs": 5.0,
        "r10_flow_cfs": 30.0,
        "mfra_mw": np.repeat(rng.choice([40.0, 90.0, 120.0], size=count), 6)[:count],
        "float_ft": 1173.0,
        "ccs_mode": "GEN",
        "price_usd_mwh": 40.0 + 25.0 * np.sin((at - 8.0) / 24.0 * 2.0 * np.pi) + rng.normal(0.0, 5.0, count),
        "bias_cfs": 0.0,
    }
    plain["event_start"] = [START + timedelta(hours=float(value)) for value in at]
    return pl.DataFrame({name: _whole(value, count) for name, value in (plain | columns).items()})


def futures(frame: pl.DataFrame, count: int, *, seed: int = 1) -> pl.DataFrame:
    """Return scenarios around some inputs: inflow drifts, dispatch shocks, price levels."""
    rng = np.random.default_rng(seed)
    parts = []
    for scenario in range(count):
        drift = np.exp(0.05 * np.cumsum(rng.normal(0.0, 1.0, frame.height)))
        shock = rng.choice([0.0, -30.0, 30.0], p=[0.8, 0.1, 0.1], size=frame.height)
        parts.append(
            frame.with_columns(
                pl.Series("r30_flow_cfs", frame["r30_flow_cfs"].to_numpy() * drift),
                pl.Series("mfra_mw", np.clip(frame["mfra_mw"].to_numpy() + shock, 0.0, 200.0)),
                pl.col("price_usd_mwh") * float(np.exp(rng.normal(0.0, 0.2))),
                pl.lit(f"s{scenario}").alias("scenario"),
                pl.lit(1.0 / count).alias("probability"),
            )
        )
    return pl.concat(parts)


def _whole(value: object, count: int) -> object:
    return [value] * count if isinstance(value, str | int | float) else value
