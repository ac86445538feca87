"""Texan load, wind, sun and capacity by zone and region: products beside those that cover the whole system.

Put here: builders and entries. Keep out: the whole system's (ercot_system.py), HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.instants import CENTRAL
from simulators.ercot_catalogue import (
    Product,
    Window,
    daily,
    delivery_columns,
    every,
    headed,
    hour_text,
    local_stamps,
    posted_on,
    stacked,
)
from simulators.ercot_system import (
    FORECAST_ZONES,
    LOAD_POSTED_S,
    RENEWABLE_POSTED_S,
    actual_load,
    inside_of,
    load_forecasts,
    posting_hours,
    renewable_table,
    renewables,
)
from simulators.faults import Table
from simulators.localtime import HOUR_S, day_bounds
from simulators.noise import Floats, smooth, stream
from simulators.world import World, epochs
from simulators.world_texas import ZONES
from simulators.world_texas_prices import RESERVES, THERMAL_MW

_WIND: Final = {"Panhandle": 0.18, "Coastal": 0.14, "South": 0.16, "West": 0.36, "North": 0.16}
_SUN: Final = {
    "CenterWest": 0.2,
    "NorthWest": 0.1,
    "FarWest": 0.4,
    "FarEast": 0.05,
    "SouthEast": 0.1,
    "CenterEast": 0.15,
}
"""Shares of the regions. Invented."""
_POSTED: Final = {"postedDatetime": "DATETIME", "deliveryDate": "DATE"}
_PLAN_MW: Final = {"REGUP": 420.0, "REGDN": 480.0, "RRS": 2800.0, "ECRS": 1900.0, "NSPIN": 2600.0}
_PLACES: Final = ("South", "North", "West", "Houston")
_AHEAD_H: Final = 168
_PLAN_HOUR: Final = 5.0
ADEQUACY_COLUMNS: Final = (*(f"capGenRes{place}" for place in _PLACES), "availCapGen", "capREGUP", "capREGDN", "capRRS")
OUTAGE_COLUMNS: Final = tuple(f"total{kind}MWZone{place}" for kind in ("Resource", "IRR") for place in _PLACES)


def by_model(world: World, window: Window) -> Table:
    """NP3-566-CD: the forecasts of every model for the study area in the Valley, a share of the southern zone."""
    table = load_forecasts(world, window)
    names = ("postedDatetime", "deliveryDate", "hourEnding")
    columns = {name: table.columns[name] for name in names}
    columns["valley"] = np.round(0.55 * table.columns["southern"], 2)
    columns |= {name: table.columns[name] for name in ("model", "DSTFlag")}
    return Table(columns, table.event, table.published, ("valley",))


def in_use(world: World, window: Window) -> Table:
    """NP3-561-CD: the forecast in use by weather zone; documents only."""
    table = load_forecasts(world, window)
    table = table.take(table.columns["inUseFlag"])
    names = ("deliveryDate", "hourEnding", *ZONES, "systemTotal", "DSTFlag")
    return Table({name: table.columns[name] for name in names}, table.event, table.published, (*ZONES, "systemTotal"))


def actual_by_forecast_zone(world: World, window: Window) -> Table:
    """NP6-346-CD: what the load was, by forecast zone."""
    table = actual_load(world, window)
    names = {"northCentral": "northC", "southCentral": "southC"}
    columns = {name: table.columns[name] for name in ("operatingDay", "hourEnding")}
    for name, shares in FORECAST_ZONES.items():
        parts = [table.columns[names.get(zone, zone)] * share for zone, share in shares.items()]
        columns[name.lower()] = np.round(np.sum(parts, axis=0), 2)
    columns |= {"total": table.columns["total"], "DSTFlag": table.columns["DSTFlag"]}
    return Table(columns, table.event, table.published, (*(name.lower() for name in FORECAST_ZONES), "total"))


def _regional(world: World, window: Window, kind: str, shares: Mapping[str, float], names: tuple[str, str]) -> Table:
    parts = []
    for posted, at, forecast, truth, past in renewables(world, window, kind):
        values: dict[str, Floats] = {}
        for place, share in {"SystemWide": 1.0, **shares}.items():
            mood = 0.05 * smooth(stream(world.seed, kind, place), at / HOUR_S, 12.0)
            lean = 1.0 + mood * (place != "SystemWide")
            values[f"gen{place}"] = np.where(past, truth * share * lean, np.nan)
            values[f"COPHSL{place}"] = forecast * share * lean * 0.97
            values[f"{names[0]}{place}"] = forecast * share * lean
            values[f"{names[1]}{place}"] = forecast * share * lean * 0.87
        values["HSLSystemWide"] = np.where(past, truth * 1.04, np.nan)
        parts.append(renewable_table(window, at, posted, values))
    return stacked(parts)


def wind_by_region(world: World, window: Window) -> Table:
    """NP4-742-CD: wind by region."""
    return _regional(world, window, "wind", _WIND, ("STWPF", "WGRPP"))


def sun_by_region(world: World, window: Window) -> Table:
    """NP4-745-CD: sun by region."""
    return _regional(world, window, "solar", _SUN, ("STPPF", "PVGRPP"))


def _ahead(world: World, window: Window, names: tuple[str, ...], flag: str, day: str) -> Table:
    """Return hourly postings, on the hour, of capacity seven days ahead; each column a share of what is there."""
    parts = []
    for hour in posting_hours(window, world, 0, _AHEAD_H // 24 + 1, 0):
        at = epochs(hour * HOUR_S, (hour + _AHEAD_H) * HOUR_S, HOUR_S)
        out = world.window("texas", int(at[0]), int(at[-1]) + HOUR_S)["outage"]
        when = delivery_columns(at)
        stamp, _ = local_stamps(np.array([hour * HOUR_S], np.int64))
        columns: dict[str, NDArray[Any]] = {
            "postedDatetime": np.repeat(stamp, at.size),
            day: when["day"],
            "hourEnding": when["hour"],
        }
        base = out if flag == "" else THERMAL_MW - out
        columns |= {name: np.round(base / (place + 2), 1) for place, name in enumerate(names)}
        columns |= {flag: when["repeated"]} if flag else {}
        table = Table(columns, at, np.full(at.size, hour * HOUR_S), names)
        parts.append(table.take(inside_of(at, window)))
    return stacked(parts)


def adequacy(world: World, window: Window) -> Table:
    """NP3-763-CD: capacity expected to be there, by zone, each hour of seven days ahead."""
    return _ahead(world, window, ADEQUACY_COLUMNS, "repeatHourFlag", "deliveryDate")


def outages(world: World, window: Window) -> Table:
    """NP3-233-CD: capacity expected to be out, by zone; its hours carry no flag."""
    return _ahead(world, window, OUTAGE_COLUMNS, "", "operatingDate")


def plan(world: World, window: Window) -> Table:
    """NP4-33-CD: how much of each reserve the next day's market will buy, posted at five in the morning."""
    first, last = window.first.toordinal(), window.last.toordinal()
    parts = []
    for day in range(first, last + 1):
        date_of = date.fromordinal(day)
        at = epochs(*day_bounds(date_of, CENTRAL), HOUR_S)
        eve = np.array([day - 1 - date(1970, 1, 1).toordinal()], np.int64)
        posted = int(posted_on(world, eve, _PLAN_HOUR, 0, "plan")[0])
        if at[0] < world.first_hour * HOUR_S or not window.posted_from <= posted <= window.posted_to:
            continue
        when, count = delivery_columns(at), len(RESERVES)
        stamp, _ = local_stamps(np.array([posted], np.int64))
        swing = 1.0 + 0.1 * smooth(stream(world.seed, "plan"), at / HOUR_S, 12.0)
        columns: dict[str, NDArray[Any]] = {
            "postedDatetime": np.repeat(stamp, at.size * count),
            "deliveryDate": np.repeat(when["day"], count),
            "hourEnding": np.repeat(hour_text(when["hour"]), count),
            "ancillaryType": np.tile(np.array(RESERVES), at.size),
            "quantity": np.round(np.array([_PLAN_MW[name] * swing for name in RESERVES]).T.ravel(), 1),
            "DSTFlag": np.repeat(when["repeated"], count),
        }
        event = np.repeat(at, count)
        parts.append(Table(columns, event, np.full(event.size, posted), ("quantity",)))
    return stacked(parts)


def _region_fields(regions: Mapping[str, float], names: tuple[str, str]) -> dict[str, str]:
    kinds = ("gen", "COPHSL", *names)
    places = [f"{kind}{place}" for place in ("SystemWide", *regions) for kind in kinds]
    numbers = dict.fromkeys((*places, "HSLSystemWide"), "DOUBLE")
    return {**_POSTED, "hourEnding": "INTEGER", **numbers, "DSTFlag": "BOOLEAN"}


_WIND_FIELDS: Final = _region_fields(_WIND, ("STWPF", "WGRPP"))
_SUN_FIELDS: Final = _region_fields(_SUN, ("STPPF", "PVGRPP"))
_BY_MODEL: Final = {**_POSTED, "hourEnding": "VARCHAR", "valley": "DOUBLE", "model": "VARCHAR", "DSTFlag": "BOOLEAN"}
_IN_USE: Final = {
    "deliveryDate": "DATE",
    "hourEnding": "VARCHAR",
    **dict.fromkeys((*ZONES, "systemTotal"), "DOUBLE"),
    "DSTFlag": "BOOLEAN",
}
_BY_FORECAST_ZONE: Final = {
    "operatingDay": "DATE",
    "hourEnding": "VARCHAR",
    **dict.fromkeys((*(name.lower() for name in FORECAST_ZONES), "total"), "DOUBLE"),
    "DSTFlag": "BOOLEAN",
}
_ADEQUACY: Final = {
    **_POSTED,
    "hourEnding": "INTEGER",
    **dict.fromkeys(ADEQUACY_COLUMNS, "DOUBLE"),
    "repeatHourFlag": "BOOLEAN",
}
_OUTAGES: Final = {
    "postedDatetime": "DATETIME",
    "operatingDate": "DATE",
    "hourEnding": "INTEGER",
    **dict.fromkeys(OUTAGE_COLUMNS, "DOUBLE"),
}
_PLAN: Final = {
    **_POSTED,
    "hourEnding": "VARCHAR",
    "ancillaryType": "VARCHAR",
    "quantity": "DOUBLE",
    "DSTFlag": "BOOLEAN",
}

ZONAL_PRODUCTS: Final = (
    Product(
        emil="NP3-566-CD", report_id=15953, artifact="lf_by_model_study_area", title="Load Forecast by Study Area",
        fields=_BY_MODEL, day_field="deliveryDate", posted_field="postedDatetime", build=by_model,
        postings=every(HOUR_S, LOAD_POSTED_S), days=(0, 7), csv=headed(_BY_MODEL), stem="LFCMODSTUDYNP3566",
    ),
    Product(
        emil="NP3-561-CD", report_id=12312, artifact=None, title="Seven-Day Load Forecast by Weather Zone",
        fields=_IN_USE, day_field="deliveryDate", build=in_use, postings=every(HOUR_S, LOAD_POSTED_S), days=(0, 7),
        csv=headed(_IN_USE), stem="LFCWEATHERNP3561",
    ),
    Product(
        emil="NP6-346-CD", report_id=14836, artifact="act_sys_load_by_fzn", title="Actual System Load by Forecast Zone",
        fields=_BY_FORECAST_ZONE, day_field="operatingDay", build=actual_by_forecast_zone,
        postings=daily(5.0 + 50.0 / 60.0, 0, "actual load"), days=(-1, -1), csv=headed(_BY_FORECAST_ZONE),
        stem="ACTUALSYSLOADFZNP6346", mis_days=31, frequency="Chron - Daily",
    ),
    Product(
        emil="NP4-742-CD", report_id=14787, artifact="wpp_hrly_actual_fcast_geo", title="Wind Power by Region",
        fields=_WIND_FIELDS, day_field="deliveryDate", posted_field="postedDatetime", build=wind_by_region,
        postings=every(HOUR_S, RENEWABLE_POSTED_S), days=(-3, 8), csv=headed(_WIND_FIELDS), stem="WPPHRLYGEONP4742",
    ),
    Product(
        emil="NP4-745-CD", report_id=21809, artifact="spp_hrly_actual_fcast_geo", title="Solar Power by Region",
        fields=_SUN_FIELDS, day_field="deliveryDate", posted_field="postedDatetime", build=sun_by_region,
        postings=every(HOUR_S, RENEWABLE_POSTED_S), days=(-3, 8), csv=headed(_SUN_FIELDS), stem="PVGRHRLYGEONP4745",
    ),
    Product(
        emil="NP4-33-CD", report_id=12316, artifact="dam_as_plan", title="DAM Ancillary Service Plan",
        fields=_PLAN, day_field="deliveryDate", posted_field="postedDatetime", build=plan,
        postings=daily(_PLAN_HOUR, 0, "plan"), days=(1, 1), csv=headed(_PLAN), stem="DAMASPLANNP433", mis_days=31,
        frequency="Chron - Daily",
    ),
    Product(
        emil="NP3-763-CD", report_id=12315, artifact="st_sys_adequacy", title="Short-Term System Adequacy",
        fields=_ADEQUACY, day_field="deliveryDate", posted_field="postedDatetime", build=adequacy,
        postings=every(HOUR_S, 0), days=(0, 8), csv=headed(_ADEQUACY), stem="STADEQUACYNP3763", mis_days=31,
    ),
    Product(
        emil="NP3-233-CD", report_id=13103, artifact="hourly_res_outage_cap", title="Hourly Resource Outage Capacity",
        fields=_OUTAGES, day_field="operatingDate", posted_field="postedDatetime", build=outages,
        postings=every(HOUR_S, 0), days=(0, 8), csv=headed(_OUTAGES), stem="HRLYOUTAGENP3233", mis_days=31,
    ),
)  # fmt: skip
