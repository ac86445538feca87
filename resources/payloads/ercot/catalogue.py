"""The list of ERCOT's products that become series, and how a payload is recognised as one of them.

Put here: one line a product. Keep out: how its values are laid out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from domain.errors import PayloadError
from resources.payloads.ercot import load, prices, renewables, reserves
from resources.payloads.ercot.corrections import correction
from resources.payloads.ercot.products import (
    AHEAD,
    COOPTIMISATION,
    HOURS,
    QUARTERS,
    RUNS,
    Product,
    by_certain_hour,
    by_hour,
    by_label,
    by_quarter,
    by_run,
    day_ahead,
    interval_end,
    looking_ahead,
    next_morning,
    run,
)

_POINT: Final = frozenset({"point"})
_TYPED_POINT: Final = frozenset({"point", "point_type"})
_SERVICE: Final = frozenset({"as_type"})
_FOUR_ZONES: Final = frozenset(load.FORECAST_ZONES)
_EIGHT_ZONES: Final = frozenset(load.WEATHER_ZONES)
_INTERVAL: Final = frozenset({"interval"})
_MODEL: Final = frozenset({"model"})
_METER: Final = ("resourcetype", "resourcename", "metername")
_CONSTRAINT: Final = ("constraintname", "contingencyname")
_DAM_REPORT, _RTM_REPORT = 13044, 13045


def _corrected(stem: str, *names: str) -> frozenset[str]:
    return frozenset({"corrected_at", f"{stem}original", f"{stem}corrected", *names})


_dam_correction = partial(Product, "NP4-196", _DAM_REPORT, by_hour)
_rtm_correction = partial(Product, "NP4-197", _RTM_REPORT)

PRODUCTS: Final[tuple[Product, ...]] = (
    # energy prices
    Product("NP6-905", 12301, by_quarter, QUARTERS | _TYPED_POINT | {"price"}, prices.settlement_rt, interval_end),
    Product("NP4-190", 12331, by_hour, HOURS | _POINT | {"price"}, prices.settlement_da, day_ahead, _INTERVAL),
    Product("NP6-788", 12300, by_run, RUNS | _POINT | {"lmp"}, prices.nodal_sced, run),
    Product("NP6-970", 13073, looking_ahead, AHEAD | _POINT | {"lmp"}, prices.nodal_rtd, run),
    Product(
        "NP6-322", 13114, by_run, RUNS | {"systemlambda"}, prices.lambda_sced, run, frozenset({"rtrdpa", "rtorpa"})
    ),
    Product("NP4-523", 13113, by_hour, HOURS | {"systemlambda"}, prices.lambda_da, day_ahead, _INTERVAL),
    Product("NP6-86", 12302, by_run, RUNS | {*_CONSTRAINT, "shadowprice"}, prices.shadow_prices, run),
    # load
    Product("NP3-565", 14837, by_hour, HOURS | _EIGHT_ZONES | _MODEL | {"systemtotal"}, load.forecast_by_model),
    Product("NP3-566", 15953, by_hour, HOURS | _MODEL | {"valley"}, load.forecast_by_study_area),
    Product("NP3-560", 12311, by_hour, HOURS | _FOUR_ZONES | {"systemtotal"}, load.forecast_by_forecast_zone),
    Product(
        "NP3-561", 12312, by_hour, HOURS | _EIGHT_ZONES | {"systemtotal"}, load.forecast_by_weather_zone, None, _MODEL
    ),
    Product("NP6-345", 13101, by_hour, HOURS | _EIGHT_ZONES | {"total"}, load.actual_by_weather_zone, next_morning),
    Product("NP6-346", 14836, by_hour, HOURS | _FOUR_ZONES | {"total"}, load.actual_by_forecast_zone, next_morning),
    Product("NP6-235", 12340, by_label, frozenset({"date", "time_ending", "demand", "repeated"}), load.demand),
    # wind and solar, the regional twins with the same columns and more
    Product(
        "NP4-732", 13028, by_hour, HOURS | {"stwpfsystemwide"}, renewables.wind, None, frozenset({"stwpfpanhandle"})
    ),
    Product("NP4-742", 14787, by_hour, HOURS | {"stwpfsystemwide", "stwpfpanhandle"}, renewables.wind),
    Product(
        "NP4-737", 13483, by_hour, HOURS | {"stppfsystemwide"}, renewables.solar, None, frozenset({"stppffarwest"})
    ),
    Product("NP4-745", 21809, by_hour, HOURS | {"stppfsystemwide", "stppffarwest"}, renewables.solar),
    # capacity
    Product("NP4-188", 12329, by_hour, HOURS | _SERVICE | {"mcpc"}, reserves.prices_da, day_ahead, _INTERVAL),
    Product(
        "NP6-331",
        24898,
        by_quarter,
        QUARTERS | _SERVICE | {"mcpc"},
        reserves.prices_rt15,
        interval_end,
        since=COOPTIMISATION,
    ),
    Product("NP6-332", 24891, by_run, RUNS | _SERVICE | {"mcpc"}, reserves.prices_sced, run, since=COOPTIMISATION),
    Product(
        "NP6-329", 24889, looking_ahead, AHEAD | {"regup", "regdn"}, reserves.prices_rtd, run, since=COOPTIMISATION
    ),
    Product("NP6-328", 24887, by_run, RUNS | {"capregup", "capregdn"}, reserves.capability, run, since=COOPTIMISATION),
    Product("NP6-323", 13221, by_run, RUNS | {"systemlambda", "rtrdpa"}, reserves.adders_sced, run),
    Product("NP6-323", 13221, by_run, RUNS | {"systemlambda", "rtorpa"}, reserves.adders_sced, run),
    Product("NP6-324", 13220, by_quarter, QUARTERS | {"rtrdpa"}, reserves.adders_rt15, interval_end),
    Product("NP6-324", 13220, by_quarter, QUARTERS | {"rtorpa"}, reserves.adders_rt15, interval_end),
    Product("NP4-33", 12316, by_hour, HOURS | _SERVICE | {"quantity"}, reserves.plan),
    Product("NP3-763", 12315, by_hour, HOURS | {"capgenres"}, reserves.adequacy),
    Product("NP3-763", 12315, by_hour, HOURS | {"capgenressouth"}, reserves.adequacy),
    Product("NP3-233", 13103, by_certain_hour, HOURS | {"totalresourcemwzonesouth"}, reserves.outages),
    Product("NP3-233", 13103, by_certain_hour, HOURS | {"totalresourcemw"}, reserves.outages),
    # corrections, day-ahead and real-time
    _dam_correction(
        HOURS | _corrected("spp", "point"), correction("ercot:spp_da:{}", ("point",), "spp"), None, _INTERVAL
    ),
    _dam_correction(
        HOURS | _corrected("mcpc", "as_type"),
        correction("ercot:mcpc_da:{}", ("as_type",), "mcpc", unit="USD/MW"),
        None,
        _INTERVAL,
    ),
    _dam_correction(
        HOURS | _corrected("lmp", "electricalbus"), correction("ercot:lmp_bus_da:{}", ("electricalbus",), "lmp")
    ),
    _rtm_correction(
        by_quarter,
        QUARTERS | _corrected("spp", "point", "point_type"),
        correction("ercot:spp_rt:{}:{}", ("point", "point_type"), "spp"),
    ),
    _rtm_correction(
        by_quarter,
        QUARTERS | _corrected("mcpc", "as_type"),
        correction("ercot:mcpc_rt15:{}", ("as_type",), "mcpc", unit="USD/MW"),
    ),
    _rtm_correction(
        by_quarter,
        QUARTERS | _corrected("price", *_METER),
        correction("ercot:price_meter_rt:{}:{}:{}", _METER, "price"),
    ),
    _rtm_correction(by_run, RUNS | _corrected("lmp", "point"), correction("ercot:lmp_sced:{}", ("point",), "lmp")),
    _rtm_correction(
        by_run,
        RUNS | _corrected("mcpc", "as_type"),
        correction("ercot:mcpc_sced:{}", ("as_type",), "mcpc", unit="USD/MW"),
    ),
    _rtm_correction(
        by_run,
        RUNS | _corrected("lmp", "electricalbus"),
        correction("ercot:lmp_bus_sced:{}", ("electricalbus",), "lmp"),
    ),
    _rtm_correction(
        by_run,
        RUNS | _corrected("finallmp", *_METER),
        correction("ercot:lmp_meter_sced:{}:{}:{}", _METER, "finallmp"),
    ),
    _rtm_correction(
        by_run,
        RUNS | _corrected("shadowprice", *_CONSTRAINT),
        correction("ercot:shadow_price:{}:{}", _CONSTRAINT, "shadowprice"),
    ),
)
"""Every product that becomes series. One number of the list may have several lines: its columns changed or differ."""

NO_SERIES: Final = {
    "NP4-160": "a list of settlement points",
    "NP4-159": "a list of distribution factors",
}
"""Documents that are met beside these products and hold no series."""

_REPORT_ID: Final = re.compile(r"(?:cdr\.0*|reporttypeid=|^)(\d{5})(?:\b|$)", re.IGNORECASE)
_EMIL: Final = re.compile(r"NP(\d)-?(\d{2,3})(?!\d)", re.IGNORECASE)


def emil_in(names: Iterable[str]) -> str | None:
    """Return the product that the first telling name tells: by its EMIL, a stem that holds it, or a report number.

    >>> emil_in(["cdr.00012301.0000000000000000.20260814.013001.SPPHLZNP6905_20260814_0130.csv"])
    'NP6-905'
    >>> emil_in(["https://host/api/public-reports/np3-565-cd/lf_by_model_weather_zone?size=9"]), emil_in(["12331"])
    ('NP3-565', 'NP4-190')
    """
    by_report = {str(product.report_id): product.emil for product in PRODUCTS}
    for name in names:
        if match := _EMIL.search(name):
            return f"NP{match[1]}-{match[2]}"
        for number in _REPORT_ID.findall(name):
            if number in by_report:
                return by_report[number]
    return None


def recognise(names: Sequence[str], columns: Sequence[str], what: str) -> Product:
    """Return the product of a table, from what names say of it, checked against its columns, or from those alone.

    Raises:
        PayloadError: The columns are not those of the product named, or of none at all.
    """
    has = ", ".join(columns[:20])
    emil = emil_in(names)
    if emil in NO_SERIES:
        raise PayloadError(f"{what} is {NO_SERIES[emil]} ({emil}), no series; there is nothing to load")
    of_name = [product for product in PRODUCTS if product.emil == emil]
    fitting = sorted(
        (product for product in of_name or PRODUCTS if product.fits(columns)), key=lambda product: -len(product.needs)
    )
    if fitting:
        return fitting[0]
    if of_name:
        lacking = sorted(min((product.needs - set(columns) for product in of_name), key=len))
        raise PayloadError(f"{what} is named {emil} but lacks column(s) {', '.join(lacking)}; it has {has}")
    known = ", ".join(sorted({product.emil for product in PRODUCTS}))
    told = f"{emil} is no product we read" if emil else "no product has these columns"
    raise PayloadError(f"{what}: {told} ({has}); known: {known}; --product names one")
