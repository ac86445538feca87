"""Load: forecasts by model and zone, actual hourly load, system demand.

Put here: products whose value is a load in MW. Keep out: wind and solar (renewables.py).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import polars as pl

from resources.payloads.ercot.markettime import flag
from resources.payloads.ercot.sheets import Sheet, wide
from resources.payloads.tables import texts

WEATHER_ZONES: Final = {
    "coast": "coast",
    "east": "east",
    "farwest": "far_west",
    "north": "north",
    "northcentral": "north_central",
    "southcentral": "south_central",
    "southern": "southern",
    "west": "west",
}
FORECAST_ZONES: Final = {"north": "north", "south": "south", "west": "west", "houston": "houston"}
_TOTAL: Final = {"systemtotal": "ercot:load_fcst:system_total"}


def forecast_by_model(sheet: Sheet) -> pl.DataFrame:
    """NP3-565: each model is a scenario; the one in use is stored a second time as ``deterministic``."""
    zones = {column: f"ercot:load_fcst:wz:{zone}" for column, zone in WEATHER_ZONES.items()}
    return _by_model(sheet, {**zones, **_TOTAL})


def forecast_by_study_area(sheet: Sheet) -> pl.DataFrame:
    """NP3-566: the same by model for the Valley study area."""
    return _by_model(sheet, {"valley": "ercot:load_fcst:sa:valley"})


def forecast_by_forecast_zone(sheet: Sheet) -> pl.DataFrame:
    """NP3-560: the forecast in use, by forecast zone and in total."""
    zones = {column: f"ercot:load_fcst:fz:{zone}" for column, zone in FORECAST_ZONES.items()}
    return wide(sheet, {**zones, **_TOTAL}, unit="MW", scenario="deterministic")


def forecast_by_weather_zone(sheet: Sheet) -> pl.DataFrame:
    """NP3-561: the forecast in use, by weather zone and in total."""
    zones = {column: f"ercot:load_fcst:wz:{zone}" for column, zone in WEATHER_ZONES.items()}
    return wide(sheet, {**zones, **_TOTAL}, unit="MW", scenario="deterministic")


def actual_by_weather_zone(sheet: Sheet) -> pl.DataFrame:
    """NP6-345: actual hourly load by weather zone; later restated by settlement."""
    zones = {column: f"ercot:load_actual:wz:{zone}" for column, zone in WEATHER_ZONES.items()}
    return wide(sheet, {**zones, "total": "ercot:load_actual:wz:total"}, unit="MW")


def actual_by_forecast_zone(sheet: Sheet) -> pl.DataFrame:
    """NP6-346: actual hourly load by forecast zone; later restated by settlement."""
    zones = {column: f"ercot:load_actual:fz:{zone}" for column, zone in FORECAST_ZONES.items()}
    return wide(sheet, {**zones, "total": "ercot:load_actual:fz:total"}, unit="MW")


def demand(sheet: Sheet) -> pl.DataFrame:
    """NP6-235: system-wide demand by quarter hour."""
    return wide(sheet, {"demand": "ercot:demand:system"}, unit="MW")


def _by_model(sheet: Sheet, series: dict[str, str]) -> pl.DataFrame:
    table = texts(sheet.table, ["model"]).with_columns(scenario=pl.format("model:{}", "model"))
    tables = [table]
    if "inuseflag" in table.columns:
        flags = {text: flag(text, sheet.what) for text in table["inuseflag"].unique()}
        used = pl.col("inuseflag").replace_strict(flags, return_dtype=pl.Boolean)
        tables.append(table.filter(used).with_columns(scenario=pl.lit("deterministic")))
    return wide(replace(sheet, table=pl.concat(tables)), series, unit="MW", scenario=None)
