"""What a decision about the afterbay reads from the lake, in as few reads as there are windows of time.

Put here: which series stand behind the plan's columns, and frames of them. Keep out: what is made of them
(resources/reservoir_case.py), rules of one series, such as how long its newest value holds (config/series.toml).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from domain.beliefs import TIME, Cutoffs, Quality
from domain.hydraulics import Array
from domain.instants import iso
from forecasting.frames import QUANTILES
from forecasting.persistence import newest_value
from forecasting.vendor import WIDEST_HOLE, vendor_forecast
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
    "r20_flow_cfs": "r20.flow.cfs",
    "r5l_flow_cfs": "r5l.flow.cfs",
    "r26_flow_cfs": "r26.flow.cfs",
    "r10_flow_cfs": "r10.flow.cfs",
    "float_ft": "afterbay_float.elevation.ft",
    "ccs_mode": "ccs.mode.1",
}
"""Solver columns that hold their newest value while the series' rule allows: slow gauges, operators' settings."""

LEVEL: Final = "afterbay_now.elevation.ft"
POWER: Final = "oxbow_now.power.mw"
"""The newest samples: the state from which the plan starts."""

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
        settings hold their last value for as long as their rule there says, never a later one.
    """
    ages = {name: reader.longest_hold(name) for name in (*HELD_COLUMNS.values(), LEVEL, POWER)}
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
    for column, series_id in HELD_COLUMNS.items():
        held = known[series_id].rename({"value": column}).sort("event_start")
        hours = hours.join_asof(held, on="event_start", strategy="backward", tolerance=ages[series_id])
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
    """What is expected over the horizon.

    Attributes:
        means: ``event_start`` and a column a series, null where an hour has none.
        quantiles: Column -> hours x quantiles, NaN where an hour has no distribution.
        words: Column -> where its values come from.
        origins: River column -> whose each hour is.
    """

    means: pl.DataFrame
    quantiles: Mapping[str, Array]
    words: Mapping[str, str]
    origins: Mapping[str, tuple[str, ...]]


ORIGINS: Final = {
    Quality.GOOD: "hydroforecast",
    Quality.SUBSTITUTED: "cnrfc, fallback",
    Quality.ESTIMATED: "last days, fallback",
}
"""Quality of an hour of our inflow forecast -> whose it is (assets/forecasting.py)."""


def read_forecasts(lake: Lake, cutoffs: Cutoffs) -> Forecasts:
    """Return our own forecasts as known at the cutoffs; one read of the lake."""
    start, end = cutoffs.at, cutoffs.at + timedelta(hours=HORIZON_H)
    names = list(FORECAST_COLUMNS.values())
    rows = lake.as_of(names, start=start, end=end, cutoffs=cutoffs, scenarios=[FORECAST])
    parts = {str(name): part for (name,), part in rows.partition_by("series_id", as_dict=True).items()}
    means, quantiles, words, origins = hours_from(start, HORIZON_H), {}, {}, {}
    for column, series_id in FORECAST_COLUMNS.items():
        part = parts.get(series_id, rows.clear())
        point = part.filter(pl.col("quantile").is_null()).select("event_start", "quality", column=pl.col("value"))
        joined = means.select("event_start").join(point, on="event_start", how="left", maintain_order="left")
        means = means.with_columns(joined["column"].alias(column))
        quantiles[column] = _spread(part, means.select("event_start"))
        believed = part["belief_time"].max()
        words[column] = f"{series_id}, our forecast of {iso(believed) if isinstance(believed, datetime) else 'never'}"
        if column in PUBLIC_RIVERS:
            origins[column] = tuple(ORIGINS.get(quality, "none") for quality in joined["quality"].to_list())
            words[column] += f": {_counted(origins[column])}"
    return Forecasts(means=means, quantiles=quantiles, words=words, origins=origins)


def led_by_public_rivers(reader: PlanningReader, ours: Forecasts, cutoffs: Cutoffs) -> Forecasts:
    """Return the forecasts with the public centre's rivers where it has them, ours elsewhere, said so hour by hour.

    The centre gives one value an hour; it is as uncertain as ours of that hour, in proportion.
    """
    end = cutoffs.at + timedelta(hours=HORIZON_H)
    means, quantiles, words, origins = ours.means, dict(ours.quantiles), dict(ours.words), dict(ours.origins)
    for column, series_id in PUBLIC_RIVERS.items():
        said = reader.forecast(series_id, start=cutoffs.at - WIDEST_HOLE, end=end + WIDEST_HOLE, cutoffs=cutoffs)
        rows = vendor_forecast(said, name="cnrfc", origin=cutoffs.at, horizon_h=HORIZON_H)
        point = rows.filter(pl.col("quantile").is_null()).select("event_start", public="value")
        public = means.join(point, on="event_start", how="left", maintain_order="left")["public"]
        own = ours.means[column].to_numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = np.where(public.is_null().to_numpy(), 1.0, public.to_numpy() / own)
        scaled = np.where(np.isfinite(scale)[:, None], ours.quantiles[column] * scale[:, None], np.nan)
        means = means.with_columns(pl.coalesce(public, column).alias(column))
        quantiles[column] = scaled
        origins[column] = tuple(
            "cnrfc" if leads else f"{other.removesuffix(', fallback')}, fallback"
            for leads, other in zip(public.is_not_null().to_list(), ours.origins[column], strict=True)
        )
        issues = rows["basis"].unique(maintain_order=True).to_list()
        theirs = f"{series_id}, {'; '.join(issues[:2])}" if issues else f"{series_id}, nothing issued lately"
        words[column] = f"{theirs}: {_counted(origins[column])} ({ours.words[column]})"
    return Forecasts(means=means, quantiles=quantiles, words=words, origins=origins)


def _counted(labels: tuple[str, ...]) -> str:
    """Return how many hours each label has: "cnrfc 60 h, hydroforecast, fallback 36 h"."""
    return "; ".join(f"{label} {labels.count(label)} h" for label in dict.fromkeys(labels))


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
