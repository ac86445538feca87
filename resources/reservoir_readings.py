"""What a decision about the afterbay reads from the lake, in as few reads as there are windows of time.

Put here: which series stand behind the plan's columns, how old each may be, and frames of them. Keep out: what is
made of them (resources/reservoir_decisions.py), rules of one series (config/series.toml).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from domain.beliefs import TIME, Cutoffs
from domain.hydraulics import Array
from domain.instants import iso
from forecasting.frames import QUANTILES
from forecasting.persistence import newest_value
from resources.decisions import FORECAST, HORIZON_H
from resources.lake import Lake
from resources.planning import PlanningReader

FORECAST_COLUMNS: Final = {
    "r4_flow_cfs": "r4.flow.cfs",
    "r30_flow_cfs": "r30.flow.cfs",
    "price_usd_mwh": "oxbow.price.usd_mwh",
}
"""Solver columns that our own forecasts fill."""

HELD_COLUMNS: Final = {
    "r20_flow_cfs": ("r20.flow.cfs", timedelta(hours=6)),
    "r5l_flow_cfs": ("r5l.flow.cfs", timedelta(hours=6)),
    "r26_flow_cfs": ("r26.flow.cfs", timedelta(hours=6)),
    "r10_flow_cfs": ("r10.flow.cfs", timedelta(hours=6)),
    "float_ft": ("afterbay_float.elevation.ft", timedelta(hours=26)),
    "ccs_mode": ("ccs.mode.1", timedelta(hours=26)),
}
"""Solver columns that hold their newest value, and how old that may be: slow gauges and operators' settings."""

LEVEL: Final = ("afterbay_now.elevation.ft", timedelta(hours=2))
POWER: Final = ("oxbow_now.power.mw", timedelta(hours=2))
"""The newest samples, and how old they may be: the state from which the plan starts."""

RECORD: Final = {
    "r4_flow_cfs": "r4.flow.cfs",
    "r30_flow_cfs": "r30.flow.cfs",
    "mfra_mw": "mfra.power.mw",
    "oxbow_mw": "oxbow.power.mw",
    "level": "afterbay.elevation.ft",
}
"""Columns of the measured record that are not held ones; ``level`` is the level when the hour begins."""

FILLED: Final = ("r4_flow_cfs", "r30_flow_cfs", "mfra_mw")
"""Columns of the record whose gaps are filled by the rule of config/series.toml. The pool's own level and power are
not: an estimate of what the water balance is checked against would be taken for a bias."""

MFRA: Final = "mfra.power.mw"
MFRA_AWARD: Final = "mfra_award.power.mw"
OXBOW_AWARD: Final = "oxbow_award.power.mw"
DAY_AHEAD_PRICE: Final = "ralston.price_da.usd_mwh"
PUBLIC_RIVERS: Final = {"r4_flow_cfs": "r4.flow_public.cfs", "r30_flow_cfs": "r30.flow_public.cfs"}

RECORD_H: Final = 30
"""Measured hours a decision looks back at: a day for the bias and room for late values [h]."""
HABIT: Final = timedelta(days=60)
MODES: Final = {0.0: "GEN", 1.0: "SPILL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The newest values at an instant.

    Attributes:
        values: Series -> value; a series without a usable one is absent.
        words: Series -> where the value comes from, or why there is none.
    """

    values: Mapping[str, float]
    words: Mapping[str, str]


def read_record(
    reader: PlanningReader, *, start: datetime, end: datetime, cutoffs: Cutoffs
) -> tuple[pl.DataFrame, Newest]:
    """Return what was measured, hour by hour, and the newest values at the belief cutoff; one read of the lake.

    Returns:
        One row an hour from ``start`` to ``end``: ``event_start``, the plan's measured columns, ``oxbow_mw`` (mean)
        and ``elevation_ft`` (when the hour ends); null where nothing usable was measured, but for gaps that the rule of
        config/series.toml may fill (``FILLED``; ``words`` tells how many). Slow gauges and operators'
        settings hold their last value within the hour limits of ``HELD_COLUMNS``, never a later one.
    """
    ages = dict(HELD_COLUMNS.values()) | dict((LEVEL, POWER))
    wanted = [*RECORD.values(), *ages]
    known = reader.observed_all(wanted, start=start, end=end + timedelta(microseconds=1), cutoffs=cutoffs)
    values: dict[str, float] = {}
    words: dict[str, str] = {}
    for series_id, oldest in ages.items():
        value, why = newest_value(known[series_id], origin=cutoffs.at, oldest=oldest, series_id=series_id)
        words[series_id] = why
        if value is not None:
            values[series_id] = value
    hours = hours_from(start, round((end - start) / timedelta(hours=1)))
    for column, series_id in RECORD.items():
        rows = known[series_id].select("event_start", "value")
        if column in FILLED:
            rows = reader.fill(series_id, rows, start=start, end=end, cutoffs=cutoffs)
            estimated = rows.filter(pl.col("quality") == "estimated").height
            words[series_id] = (
                f"{estimated} of {hours.height} hours estimated: the last value held" if estimated else ""
            )
        hours = hours.join(rows.select("event_start", pl.col("value").alias(column)), on="event_start", how="left")
    for column, (series_id, oldest) in HELD_COLUMNS.items():
        held = known[series_id].rename({"value": column}).sort("event_start")
        hours = hours.join_asof(held, on="event_start", strategy="backward", tolerance=oldest)
    last = known[RECORD["level"]].filter(pl.col("event_start") == end)["value"].first()
    return hours.with_columns(
        elevation_ft=pl.col("level").shift(-1, fill_value=last),
        ccs_mode=pl.col("ccs_mode").replace_strict(MODES, default=None, return_dtype=pl.String),
    ), Newest(values=values, words=words)


def hours_from(start: datetime, count: int) -> pl.DataFrame:
    """Return ``count`` hours from an instant on, as ``event_start``."""
    return pl.DataFrame({"event_start": [start + timedelta(hours=hour) for hour in range(count)]}).cast(TIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecasts:
    """Our own forecasts over the horizon.

    Attributes:
        means: ``event_start`` and a column a series, null where an hour has none.
        quantiles: Column -> hours x quantiles, NaN where an hour has no distribution.
        words: Column -> where its values come from.
    """

    means: pl.DataFrame
    quantiles: Mapping[str, Array]
    words: Mapping[str, str]


def read_forecasts(lake: Lake, cutoffs: Cutoffs) -> Forecasts:
    """Return our own forecasts as known at the cutoffs; one read of the lake."""
    start, end = cutoffs.at, cutoffs.at + timedelta(hours=HORIZON_H)
    names = list(FORECAST_COLUMNS.values())
    rows = lake.as_of(names, start=start, end=end, cutoffs=cutoffs, scenarios=[FORECAST])
    parts = {str(name): part for (name,), part in rows.partition_by("series_id", as_dict=True).items()}
    means, quantiles, words = hours_from(start, HORIZON_H), {}, {}
    for column, series_id in FORECAST_COLUMNS.items():
        part = parts.get(series_id, rows.clear())
        point = part.filter(pl.col("quantile").is_null()).select("event_start", pl.col("value").alias(column))
        means = means.join(point, on="event_start", how="left")
        quantiles[column] = _spread(part, means.select("event_start"))
        believed = part["belief_time"].max()
        words[column] = f"{series_id}, our forecast of {iso(believed) if isinstance(believed, datetime) else 'never'}"
    return Forecasts(means=means, quantiles=quantiles, words=words)


def _spread(rows: pl.DataFrame, hours: pl.DataFrame) -> Array:
    """Return the quantiles of one series, hours x ``QUANTILES``; an hour whose grid is not whole is NaN throughout."""
    table = hours.join(
        rows.filter(pl.col("quantile").is_not_null()).pivot("quantile", index="event_start", values="value"),
        on="event_start",
        how="left",
    )
    found = [
        table[str(q)].cast(pl.Float64).to_numpy() if str(q) in table.columns else np.full(hours.height, np.nan)
        for q in QUANTILES
    ]
    grid = np.stack(found, axis=1)
    grid[np.isnan(grid).any(axis=1)] = np.nan
    return grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """What is known of the powerhouses upstream and of our own commitment.

    Attributes:
        history: ``event_start``, ``mfra_mw`` of the last sixty days.
        awards: Hour -> award of both together [MW].
        oxbow_awards: ``event_start``, ``value``: our unit's commitment [MW].
        day_ahead: ``event_start``, ``value``: the price of that commitment [USD/MWh].
    """

    history: pl.DataFrame
    awards: dict[datetime, float]
    oxbow_awards: pl.DataFrame
    day_ahead: pl.DataFrame


def read_dispatch(reader: PlanningReader, cutoffs: Cutoffs) -> Dispatch:
    """Return measurements and awards upstream as known at the cutoffs; one read of the lake."""
    known = reader.observed_all(
        [MFRA, MFRA_AWARD, OXBOW_AWARD, DAY_AHEAD_PRICE],
        start=cutoffs.at - HABIT,
        end=cutoffs.at + timedelta(hours=HORIZON_H),
        cutoffs=cutoffs,
    )
    # The hour under way is not over: its mean is not yet one, whatever a client has delivered.
    over = pl.col("event_start") <= pl.lit(cutoffs.at - timedelta(hours=1), TIME)
    awards = {start: value for start, value in known[MFRA_AWARD].iter_rows() if value is not None}
    return Dispatch(
        history=known[MFRA].filter(over).rename({"value": "mfra_mw"}),
        awards=awards,
        oxbow_awards=known[OXBOW_AWARD],
        day_ahead=known[DAY_AHEAD_PRICE],
    )


def read_members(reader: PlanningReader, cutoffs: Cutoffs) -> tuple[dict[str, Array], str] | None:
    """Return both rivers' ensemble paths over the horizon, members x hours [cfs], and which issue they are of.

    None where no issue, or not the same members of both rivers, covers the horizon.
    """
    paths, issues = {}, set()
    start, end = cutoffs.at, cutoffs.at + timedelta(hours=HORIZON_H)
    for column, series_id in PUBLIC_RIVERS.items():
        rows, issued = reader.ensemble(series_id, start=start, end=end, cutoffs=cutoffs)
        if issued is None:
            return None
        table = (
            rows.pivot("event_start", index="member", values="value", sort_columns=True).sort("member").drop("member")
        )
        if table.width != HORIZON_H or any(table.null_count().row(0)):
            return None
        paths[column] = table.to_numpy()
        issues.add(issued)
    if len(issues) != 1 or len({path.shape for path in paths.values()}) != 1:
        return None
    return paths, f"{len(paths['r4_flow_cfs'])} members issued {iso(issues.pop())}"
