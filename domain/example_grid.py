"""An example to try the lake with: grids of regions of nodes, whose hourly load is stated again every hour.

Put here: the made-up numbers of ``tailrace seed``. Keep out: the simulated plant, market and weather (simulators/).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from domain.instants import floor_hour

VINTAGES: Final = 24
"""Hours ahead that are stated at every hour, so how often an event is stated."""

_HOUR_US: Final = 3_600_000_000


def node_ids(grids: int = 3, regions: int = 3, nodes: int = 3) -> list[str]:
    """Return the series: ``grid1:region2:node3``. A glob reads any level: ``grid1:*``, ``grid1:region2:*``.

    >>> node_ids(1, 1, 2)
    ['grid1:region1:node1', 'grid1:region1:node2']
    """
    return [
        f"grid{grid}:region{region}:node{node}"
        for grid in range(1, grids + 1)
        for region in range(1, regions + 1)
        for node in range(1, nodes + 1)
    ]


def evolving_loads(start: datetime, end: datetime, *, seed: int) -> pl.DataFrame:
    """Return what was stated at every full hour in [start, end) about the 24 hours after it.

    Args:
        start: First hour of statements [UTC].
        end: End of the statements, exclusive [UTC].
        seed: Same seed and span, same numbers.

    Returns:
        Rows for the lake: load in kW, an hour's mean; the error of a statement grows with how far ahead it looks.
    """
    first = floor_hour(start)
    hours = max(0, -((first - end) // timedelta(hours=1)))
    issue = (np.datetime64(first.replace(tzinfo=None), "us").astype(np.int64)) + np.arange(hours) * _HOUR_US
    lead = np.arange(1, VINTAGES + 1)
    event = (issue[:, None] + lead[None, :] * _HOUR_US).ravel()
    draw = np.random.default_rng(seed)
    frames = []
    for number, name in enumerate(node_ids()):
        daily = 100 + 5 * number + 25 * np.sin((event / _HOUR_US % 24 - 9) / 24 * 2 * np.pi)
        error = draw.normal(0, 0.5, event.size) * np.tile(lead, hours)
        value = np.round(daily + error, 1)
        frames.append(pl.DataFrame({"series_id": [name] * event.size, "event_start": event, "value": value}))
    moments = pl.col("event_start", "event_end", "belief_time").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    stated = pl.Series("belief_time", np.repeat(issue, VINTAGES))
    return (
        pl.concat([frame.with_columns(stated) for frame in frames])
        .with_columns(event_end=pl.col("event_start") + _HOUR_US, unit=pl.lit("kW"), source=pl.lit("seed"))
        .with_columns(moments)
    )
