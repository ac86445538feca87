"""The entries of the load, wind and sun products.

Put here: names of fields, headers and documents. Keep out: the rows (ercot_system.py).
"""

from __future__ import annotations

from typing import Final

from simulators.ercot_catalogue import Product, daily, every
from simulators.ercot_system import (
    LOAD_POSTED_S,
    RENEWABLE_POSTED_S,
    actual_load,
    load_forecasts,
    sun,
    wind,
    zonal_forecasts,
)
from simulators.localtime import HOUR_S
from simulators.world_texas import ZONES

_WIND_PLACES: Final = {
    "SystemWide": "SYSTEM_WIDE",
    "LoadZoneSouthHouston": "LZ_SOUTH_HOUSTON",
    "LoadZoneWest": "LZ_WEST",
    "LoadZoneNorth": "LZ_NORTH",
}
_POSTED: Final = {"postedDatetime": "DATETIME", "deliveryDate": "DATE"}
_TWO_DIGITS: Final = {"HOUR_ENDING": "two digits"}


def _wind_csv() -> dict[str, str]:
    headers = {"DELIVERY_DATE": "deliveryDate", "HOUR_ENDING": "hourEnding"}
    for place, header in _WIND_PLACES.items():
        # The system's own actual is printed the other way round than those of the zones.
        headers["SYSTEM_WIDE_GEN" if place == "SystemWide" else f"GEN_{header}"] = f"gen{place}"
        headers |= {f"{kind}_{header}": f"{kind.replace('_', '')}{place}" for kind in ("COP_HSL", "STWPF", "WGRPP")}
    return {**headers, "SYSTEM_WIDE_HSL": "HSLSystemWide", "DSTFlag": "DSTFlag"}


_WIND_CSV: Final = _wind_csv()
_WIND_FIELDS: Final = {
    **_POSTED,
    "hourEnding": "INTEGER",
    **{field: "DOUBLE" for header, field in _WIND_CSV.items() if field[:3] in {"gen", "COP", "STW", "WGR", "HSL"}},
    "DSTFlag": "BOOLEAN",
}
_SUN_CSV: Final = {
    "DELIVERY_DATE": "deliveryDate",
    "HOUR_ENDING": "hourEnding",
    "SYSTEM_WIDE_GEN": "genSystemWide",
    "COP_HSL_SYSTEM_WIDE": "COPHSLSystemWide",
    "STPPF_SYSTEM_WIDE": "STPPFSystemWide",
    "PVGRPP_SYSTEM_WIDE": "PVGRPPSystemWide",
    "SYSTEM_WIDE_HSL": "HSLSystemWide",
    "DSTFlag": "DSTFlag",
}
_LOAD_ZONES: Final = {zone[:1].upper() + zone[1:]: zone for zone in ZONES}
_ACTUAL_ZONES: Final = ("coast", "east", "farWest", "north", "northC", "southern", "southC", "west", "total")
_SHOUTED: Final = {"farWest": "FAR_WEST", "northC": "NORTH_C", "southC": "SOUTH_C"}

SYSTEM_PRODUCTS: Final = (
    Product(
        emil="NP3-565-CD",
        report_id=14837,
        artifact="lf_by_model_weather_zone",
        title="Seven-Day Load Forecast by Model and Weather Zone",
        fields={
            **_POSTED,
            "hourEnding": "VARCHAR",
            **dict.fromkeys((*ZONES, "systemTotal"), "DOUBLE"),
            "model": "VARCHAR",
            "inUseFlag": "BOOLEAN",
            "DSTFlag": "BOOLEAN",
        },
        day_field="deliveryDate",
        posted_field="postedDatetime",
        build=load_forecasts,
        postings=every(HOUR_S, LOAD_POSTED_S),
        days=(0, 7),
        csv={
            "DeliveryDate": "deliveryDate",
            "HourEnding": "hourEnding",
            **_LOAD_ZONES,
            "SystemTotal": "systemTotal",
            "Model": "model",
            "InUseFlag": "inUseFlag",
            "DSTFlag": "DSTFlag",
        },
        stem="LFCMODWEATHERNP3565",
    ),
    Product(
        emil="NP3-560-CD",
        report_id=12311,
        artifact=None,
        title="Seven-Day Load Forecast by Forecast Zone",
        fields={
            "deliveryDate": "DATE",
            "hourEnding": "VARCHAR",
            **dict.fromkeys(("North", "South", "West", "Houston", "SystemTotal"), "DOUBLE"),
            "DSTFlag": "BOOLEAN",
        },
        day_field="deliveryDate",
        build=zonal_forecasts,
        postings=every(HOUR_S, LOAD_POSTED_S),
        days=(0, 7),
        # The last header carries four trailing blanks, as recorded.
        csv={
            "DeliveryDate": "deliveryDate",
            "HourEnding": "hourEnding",
            **{name: name for name in ("North", "South", "West", "Houston", "SystemTotal")},
            "DSTFlag    ": "DSTFlag",
        },
        formats={"HourEnding": "no leading zero"},
        stem="LFCCONGESTNP3560",
    ),
    Product(
        emil="NP4-732-CD",
        report_id=13028,
        artifact="wpp_hrly_avrg_actl_fcast",
        title="Wind Power Production - Hourly Averaged Actual and Forecasted Values",
        fields=_WIND_FIELDS,
        day_field="deliveryDate",
        posted_field="postedDatetime",
        build=wind,
        postings=every(HOUR_S, RENEWABLE_POSTED_S),
        days=(-3, 8),
        csv=_WIND_CSV,
        formats=_TWO_DIGITS,
        stem="WPPHRLYAVGACTNP4732",
    ),
    Product(
        emil="NP4-737-CD",
        report_id=13483,
        artifact="spp_hrly_avrg_actl_fcast",
        title="Solar Power Production - Hourly Averaged Actual and Forecasted Values",
        fields={
            **_POSTED,
            "hourEnding": "INTEGER",
            **{field: "DOUBLE" for field in _SUN_CSV.values() if field.endswith("SystemWide")},
            "DSTFlag": "BOOLEAN",
        },
        day_field="deliveryDate",
        posted_field="postedDatetime",
        build=sun,
        postings=every(HOUR_S, RENEWABLE_POSTED_S),
        days=(-3, 8),
        csv=_SUN_CSV,
        formats=_TWO_DIGITS,
        stem="PVGRHRLYAVGACTNP4737",
    ),
    Product(
        emil="NP6-345-CD",
        report_id=13101,
        artifact="act_sys_load_by_wzn",
        title="Actual System Load by Weather Zone",
        fields={
            "operatingDay": "DATE",
            "hourEnding": "VARCHAR",
            **dict.fromkeys(_ACTUAL_ZONES, "DOUBLE"),
            "DSTFlag": "BOOLEAN",
        },
        day_field="operatingDay",
        build=actual_load,
        postings=daily(5.0 + 50.0 / 60.0, 0, "actual load"),
        days=(-1, -1),
        csv={
            "OperDay": "operatingDay",
            "HourEnding": "hourEnding",
            **{_SHOUTED.get(zone, zone.upper()): zone for zone in _ACTUAL_ZONES},
            "DSTFlag": "DSTFlag",
        },
        stem="ACTUALSYSLOADWZNP6345",
        mis_days=31,
        frequency="Chron - Daily",
    ),
)
