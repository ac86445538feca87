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


def hostile(seed: int, *, counts: tuple[int, ...] = (12, 24)) -> tuple[pl.DataFrame, PoolState, dict[str, float]]:
    """Return inputs, a start and weights drawn from storms, droughts, outages, spikes, both modes and odd floats."""
    rng = np.random.default_rng(seed)
    count, step_h = int(rng.choice(counts)), float(rng.choice([1.0, 1.0, 0.5, 0.25]))
    block, wave = max(1, round(6 / step_h)), np.sin(np.arange(count) * step_h / 24.0 * 2.0 * np.pi)
    r4 = float(rng.choice([28.0, 60.0, 200.0, rng.uniform(300.0, 1500.0)]))
    price = 40.0 + 25.0 * wave + rng.normal(0.0, rng.choice([5.0, 30.0, 100.0]), count) - rng.choice([0.0, 0.0, 60.0])
    price[rng.integers(0, count)] += rng.choice([0.0, -150.0, -1000.0, 5000.0])
    columns: dict[str, object] = {
        "r4_flow_cfs": r4 * (1.0 + 0.3 * wave),
        "r30_flow_cfs": float(rng.choice([110.0, 180.0, 900.0])) * rng.uniform(0.7, 1.3),
        "r26_flow_cfs": float(rng.choice([5.0, 5.0, 50.0, 200.0])),
        "mfra_mw": np.repeat(rng.choice([0.0, 40.0, 90.0, 120.0, 180.0], size=count), block)[:count],
        "price_usd_mwh": price,
    }
    if rng.random() < 0.3:
        columns["ccs_mode"] = [
            "SPILL" if spill else "GEN" for spill in np.repeat(rng.random(count) < 0.5, block)[:count]
        ]
    if rng.random() < 0.4:
        begins = rng.integers(0, count)
        columns["oxbow_available"] = [int(not begins <= t < begins + rng.integers(1, 12)) for t in range(count)]
    if rng.random() < 0.5:
        target = [float(rng.choice([5.8, 5.8, 4.0, 7.0])) for _ in range(count)]
        columns["raft_target_mw"] = [mw if 9 <= (t * step_h) % 24 < 12 else None for t, mw in enumerate(target)]
    if rng.random() < 0.3:
        columns["minimum_flow_cfs"] = float(rng.choice([150.0, 300.0, 450.0]))
    if rng.random() < 0.3:
        columns |= {
            "oxbow_award_mw": rng.uniform(0.0, 5.0, count),
            "da_price_usd_mwh": price + rng.normal(0.0, 8.0, count),
        }
    if rng.random() < 0.3:
        columns["float_ft"] = np.where(np.arange(count) < count // 2, 1173.0, rng.choice([1171.0, 1172.0, 1173.5]))
    frame = hours(count, step_h=step_h, seed=seed, **columns)
    if "raft_target_mw" in columns:
        frame = frame.with_columns(pl.col("raft_target_mw").cast(pl.Float64))
    state = PoolState(
        elevation_ft=float(rng.choice([1170.0, rng.uniform(1168.0, 1173.0), 1166.0, 1167.3, 1173.8, 1175.0])),
        oxbow_mw=float(rng.choice([3.0, rng.uniform(0.8, 5.8), 0.0, 5.8])),
    )
    weights = {
        "ramp_usd_per_mw": [5.0, 0.0, 50.0, 200.0],
        "water_value_usd_per_af": [5.0, 0.0, 20.0, -3.0],
        "spill_usd_per_af": [36.0, 1.0, 200.0],
        "raft_shortfall_usd_per_mwh": [2000.0, 0.0, 50.0, 20000.0],
        "below_minimum_usd_per_af_h": [2000.0, 0.5, 1e5],
        "minimum_flow_usd_per_cfs_h": [50.0, 0.0, 5000.0],
    }
    return frame, state, {name: float(rng.choice(some)) for name, some in weights.items() if rng.random() < 0.3}


def _whole(value: object, count: int) -> object:
    return [value] * count if isinstance(value, str | int | float) else value
