"""Capacity: ancillary-service prices, plans, capability, price adders, adequacy and outages.

Put here: products whose value is a price or an amount of capacity. Keep out: energy prices (prices.py).
Real-time co-optimisation began on the operating day 2025-12-05: real-time capacity prices exist since then only,
and the columns of the adders changed on that day.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from resources.payloads.ercot.sheets import TIMES, Sheet, long, wide

SERVICES: Final = ("REGUP", "REGDN", "RRS", "ECRS", "NSPIN")
"""Ancillary services, as ERCOT writes them."""

_ENERGY_ADDERS: Final = ("systemlambda", "rtrdpa", "rtorpa", "rtoffpa", "rtordpa")
_CAPACITY_ADDERS: Final = (
    *("rtrdparus", "rtrdpards", "rtrdparrs", "rtrdpaecrs", "rtrdpanss"),  # a dispatch run
    *("rtrdpru", "rtrdprd", "rtrdprrs", "rtrdpecrs", "rtrdpns"),  # a quarter hour
)
_AMOUNTS: Final = (
    *("rtrruc", "rtrrmr", "rtdnclr", "rtders", "rtdctieimport", "rtdctieexport", "rtbltimport", "rtbltexport"),
    *("rtollsl", "rtolhsl", "rtolcap", "rtoffcap", "rtbp", "rtclrcap", "rtclrreg", "rtclrbp", "rtclrlsl", "rtclrns"),
    *("rtnclrrrs", "rtolnsrs", "rtcst30hsl", "rtoffnshsl"),
)
SINCE_COOPTIMISATION: Final = frozenset(_CAPACITY_ADDERS)
"""Adder columns that a row before the change cannot have."""

_ADEQUACY: Final = (
    *("capgenres", "caploadres", "offavailmw", "offlineavailablemw", "availcap", "capreg", "caprrs", "capecrs"),
    "capnspin",
)


def prices_da(sheet: Sheet) -> pl.DataFrame:
    """NP4-188: day-ahead clearing prices for capacity."""
    return long(sheet, "ercot:mcpc_da:{}", ["as_type"], "mcpc", unit="USD/MW")


def prices_rt15(sheet: Sheet) -> pl.DataFrame:
    """NP6-331: real-time clearing prices by settlement interval."""
    return long(sheet, "ercot:mcpc_rt15:{}", ["as_type"], "mcpc", unit="USD/MW")


def prices_sced(sheet: Sheet) -> pl.DataFrame:
    """NP6-332: real-time clearing prices by dispatch run."""
    return long(sheet, "ercot:mcpc_sced:{}", ["as_type"], "mcpc", unit="USD/MW")


def prices_rtd(sheet: Sheet) -> pl.DataFrame:
    """NP6-329: indicative clearing prices of the coming hour."""
    series: dict[str, str] = {name.lower(): f"ercot:mcpc_rtd:{name}" for name in SERVICES}
    return wide(sheet, series, unit="USD/MW", scenario="deterministic")


def plan(sheet: Sheet) -> pl.DataFrame:
    """NP4-33: how much of each service the day-ahead market will buy."""
    return long(sheet, "ercot:as_plan:{}", ["as_type"], "quantity", unit="MW", scenario="deterministic")


def capability(sheet: Sheet) -> pl.DataFrame:
    """NP6-328: how much of each service could be provided at a dispatch run."""
    series = {
        column: f"ercot:as_capability:{column.removeprefix('cap').upper()}"
        for column in sheet.table.columns
        if column.startswith("cap")
    }
    return wide(sheet, series, unit="MW")


def adders_sced(sheet: Sheet) -> pl.DataFrame:
    """NP6-323: price adders by dispatch run, and the amounts they follow from."""
    return _adders(sheet, "adder_sced")


def adders_rt15(sheet: Sheet) -> pl.DataFrame:
    """NP6-324: price adders by settlement interval."""
    return _adders(sheet, "adder_rt15")


def adequacy(sheet: Sheet) -> pl.DataFrame:
    """NP3-763: capacity expected to be available, hour by hour."""
    series = {column: f"ercot:adequacy:{column}" for column in sheet.table.columns if column.startswith(_ADEQUACY)}
    return wide(sheet, series, unit="MW", scenario="deterministic")


def outages(sheet: Sheet) -> pl.DataFrame:
    """NP3-233: capacity on outage, hour by hour, by zone."""
    series = {column: f"ercot:outage_capacity:{column}" for column in sheet.table.columns if column.startswith("total")}
    return wide(sheet, series, unit="MW", scenario="deterministic")


def _adders(sheet: Sheet, family: str) -> pl.DataFrame:
    ids = {column: f"ercot:{family}:{column.upper()}" for column in (*_ENERGY_ADDERS, *_CAPACITY_ADDERS, *_AMOUNTS)}
    ids["systemlambda"] = "ercot:lambda:sced"
    parts = [
        wide(sheet, {column: ids[column] for column in columns}, unit=unit, sparse=True)
        for columns, unit in ((_ENERGY_ADDERS, "USD/MWh"), (_CAPACITY_ADDERS, "USD/MW"), (_AMOUNTS, "MW"))
        if any(column in sheet.table.columns for column in columns)
    ]
    return pl.concat(parts).select(*TIMES, "series_id", "value", "unit", "scenario")
