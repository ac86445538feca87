"""Energy prices: settlement points, nodal prices, system lambda, binding constraints.

Put here: products whose value is USD/MWh of energy. Keep out: prices of capacity (reserves.py), corrections.
"""

from __future__ import annotations

import polars as pl

from resources.payloads.ercot.sheets import Sheet, long, wide


def settlement_rt(sheet: Sheet) -> pl.DataFrame:
    """NP6-905: the type is part of the series, since one zone's name occurs twice, as LZ and as LZEW."""
    return long(sheet, "ercot:spp_rt:{}:{}", ["point", "point_type"], "price", unit="USD/MWh")


def settlement_da(sheet: Sheet) -> pl.DataFrame:
    """NP4-190: day-ahead settlement point prices."""
    return long(sheet, "ercot:spp_da:{}", ["point"], "price", unit="USD/MWh")


def nodal_sced(sheet: Sheet) -> pl.DataFrame:
    """NP6-788: one price a point a dispatch run."""
    return long(sheet, "ercot:lmp_sced:{}", ["point"], "lmp", unit="USD/MWh")


def nodal_rtd(sheet: Sheet) -> pl.DataFrame:
    """NP6-970: indicative prices of the coming hour, anew each five minutes."""
    return long(sheet, "ercot:lmp_rtd:{}", ["point"], "lmp", unit="USD/MWh", scenario="deterministic")


def lambda_sced(sheet: Sheet) -> pl.DataFrame:
    """NP6-322: system lambda of each dispatch run."""
    return wide(sheet, {"systemlambda": "ercot:lambda:sced"}, unit="USD/MWh")


def lambda_da(sheet: Sheet) -> pl.DataFrame:
    """NP4-523: day-ahead system lambda."""
    return wide(sheet, {"systemlambda": "ercot:lambda:da"}, unit="USD/MWh")


def shadow_prices(sheet: Sheet) -> pl.DataFrame:
    """NP6-86: shadow price of each binding constraint under its contingency."""
    return long(sheet, "ercot:shadow_price:{}:{}", ["constraintname", "contingencyname"], "shadowprice", unit="USD/MWh")
