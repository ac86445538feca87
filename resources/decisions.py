"""What every decision reads in the same way: our own forecasts as of its instant, and the fingerprint of a case.

Put here: what the afterbay's and the fleet's decisions share. Keep out: which series one of them needs
(resources/reservoir_decisions.py, resources/fleet_decisions.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import orjson
import polars as pl

from domain.beliefs import Cutoffs
from domain.instants import iso
from resources.lake import Lake

HORIZON_H: Final = 96
"""Four days: the pool forgets within one, prices and rafting windows repeat within four [h]."""

FORECAST: Final = "forecast"
"""Scenario of our own forecasts in the lake."""


def our_forecast(
    lake: Lake,
    series_id: str,
    column: str,
    cutoffs: Cutoffs,
    reasons: dict[str, str],
    window: tuple[datetime, datetime] | None = None,
) -> pl.DataFrame:
    """Return the means of our own forecast, hour by hour; an incomplete one is named in ``reasons``."""
    start, end = window or (cutoffs.at, cutoffs.at + timedelta(hours=HORIZON_H))
    rows = lake.as_of(series_id, start=start, end=end, cutoffs=cutoffs, scenarios=[FORECAST])
    means = rows.filter(pl.col("quantile").is_null() & pl.col("value").is_not_null())
    expected = int((end - start) / timedelta(hours=1))
    if means.height != expected:
        reasons[series_id] = f"our forecast covers {means.height} of {expected} hours from {iso(start)}"
    return means.select("event_start", pl.col("value").alias(column)).sort("event_start")


def fingerprint_of(frames: Sequence[pl.DataFrame], others: Sequence[object]) -> str:
    """Return the sha256 over frames and whatever else a case depends on."""
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(orjson.dumps(frame.to_dict(as_series=False), default=str))
    for other in others:
        digest.update(orjson.dumps(other, default=str))
    return digest.hexdigest()
