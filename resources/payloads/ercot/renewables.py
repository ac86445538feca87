"""Wind and solar: one file holds 48 h of actuals and 168 h of forecasts; it becomes two kinds of series.

Put here: NP4-732, 742 (wind) and NP4-737, 745 (solar). Keep out: dashboards of the same numbers.
"""

from __future__ import annotations

import re
from typing import Final

import polars as pl

from domain.errors import PayloadError
from resources.payloads.ercot.sheets import TIMES, Sheet, wide

FORECASTS: Final = {"wind": ("STWPF", "WGRPP", "COPHSL"), "solar": ("STPPF", "PVGRPP", "COPHSL")}
"""Short-term forecast, its low (80 % exceedance) companion, and what the plants' own operating plans add up to."""

REGIONS: Final = {
    "systemwide": "system",
    "lzsouthhouston": "lz_south_houston",
    "loadzonesouthhouston": "lz_south_houston",
    "lzwest": "lz_west",
    "loadzonewest": "lz_west",
    "lznorth": "lz_north",
    "loadzonenorth": "lz_north",
    "panhandle": "panhandle",
    "coastal": "coastal",
    "south": "south",
    "west": "west",
    "north": "north",
    "centerwest": "center_west",
    "northwest": "north_west",
    "farwest": "far_west",
    "fareast": "far_east",
    "southeast": "south_east",
    "centereast": "center_east",
}
_ACTUALS: Final = {"gen": "actual", "actual": "actual", "hsl": "hsl"}
_COLUMN: Final = re.compile(r"(gen|actual|hsl|cophsl|stwpf|wgrpp|stppf|pvgrpp)(.+)|(.+?)(gen|hsl)")


def wind(sheet: Sheet) -> pl.DataFrame:
    """NP4-732 and NP4-742: `_split` of wind."""
    return _split(sheet, "wind")


def solar(sheet: Sheet) -> pl.DataFrame:
    """NP4-737 and NP4-745: `_split` of solar."""
    return _split(sheet, "solar")


def _split(sheet: Sheet, kind: str) -> pl.DataFrame:
    """Return actuals (generation and telemetered limit) and forecasts as separate series.

    Actual columns are empty on forecast rows: that is "not yet", no missing value, so those cells give no row.
    """
    actuals: dict[str, str] = {}
    forecasts: dict[str, str] = {}
    for column in sheet.table.columns:
        if not (named := _measure(column)):
            continue
        measure, region = named
        if measure in _ACTUALS:
            actuals[column] = f"ercot:{kind}_{_ACTUALS[measure]}:{region}"
        elif measure.upper() in FORECASTS[kind]:
            forecasts[column] = f"ercot:{kind}_fcst:{measure.upper()}:{region}"
    if not forecasts:
        raise PayloadError(f"{sheet.what} has no column of a {kind} forecast; it has {', '.join(sheet.table.columns)}")
    rows = [wide(sheet, actuals, unit="MW", sparse=True)] if actuals else []
    rows.append(wide(sheet, forecasts, unit="MW", scenario="deterministic"))
    return pl.concat(rows).select(*TIMES, "series_id", "value", "unit", "scenario")


def _measure(column: str) -> tuple[str, str] | None:
    """Return what a column measures and where, from ``genSystemWide`` as from ``SYSTEM_WIDE_GEN``."""
    match = _COLUMN.fullmatch(column)
    if match is None:
        return None
    measure, region = (match[1], match[2]) if match[1] else (match[4], match[3])
    return (measure, REGIONS[region]) if region in REGIONS else None
