"""The entries of the products of dispatch and look-ahead runs.

Put here: names of fields, headers and documents. Keep out: the rows (ercot_dispatch.py).
"""

from __future__ import annotations

from typing import Final

from simulators import ercot_dispatch as rows
from simulators.ercot_catalogue import QUARTER_S, Product, Schedule, daily, every, headed
from simulators.ercot_prices import DAM_HOUR, DAM_LATE_S, SCED_LATE_S, sced_postings, since_co_optimisation
from simulators.world_texas_prices import RESERVES

_RUN: Final = {"SCEDTimestamp": "DATETIME", "repeatHourFlag": "BOOLEAN"}
_AHEAD: Final = {
    "RTDTimestamp": "DATETIME",
    "repeatHourFlag": "BOOLEAN",
    "intervalId": "INTEGER",
    "intervalEnding": "DATETIME",
    "intervalRepeatHourFlag": "BOOLEAN",
}
_QUARTER: Final = {"deliveryDate": "DATE", "deliveryHour": "INTEGER", "deliveryInterval": "INTEGER"}
_HEADERS: Final = {"repeatHourFlag": "RepeatedHourFlag"}


def _numbers(names: tuple[str, ...]) -> dict[str, str]:
    return dict.fromkeys(names, "DOUBLE")


def _of_runs(
    emil: str, report_id: int, artifact: str, title: str, fields: dict[str, str], build: object, stem: str, *, new: bool
) -> Product:
    ahead = "RTDTimestamp" in fields
    postings: Schedule = every(rows.RTD_S, 15 + SCED_LATE_S) if ahead else sced_postings
    return Product(
        emil=emil, report_id=report_id, artifact=artifact, title=title, fields=fields,
        day_field="RTDTimestamp" if ahead else "SCEDTimestamp", build=build,  # ty: ignore[invalid-argument-type]
        postings=since_co_optimisation(postings) if new else postings, days=(-1, 1 if ahead else 0),
        csv=headed(fields, **_HEADERS), stem=stem, late_s=SCED_LATE_S, mis_days=5,
        frequency="Event - Per RTD Run" if ahead else "Event - Per SCED Run",
    )  # fmt: skip


DISPATCH_PRODUCTS: Final = (
    _of_runs(
        "NP6-332-CD", 24891, "rt_clear_price_cap_sced", "Real-Time Clearing Prices for Capacity by SCED Interval",
        {**_RUN, "ASType": "VARCHAR", "MCPC": "DOUBLE"}, rows.reserve_prices, "RTCPCNP6332_{date}_{seconds}", new=True,
    ),
    _of_runs(
        "NP6-328-CD", 24887, "tot_as_res_cap", "Total Capability of Resources Available to Provide Ancillary Service",
        {**_RUN, **_numbers(rows.CAPABILITY_COLUMNS)}, rows.capability, "ASCAPNP6328_{date}_{seconds}", new=True,
    ),
    _of_runs(
        "NP6-322-CD", 13114, "sced_system_lambda", "SCED System Lambda",
        {**_RUN, "systemLambda": "DOUBLE"}, rows.system_lambda, "SCEDSYSLAMBDANP6322_{date}_{seconds}", new=False,
    ),
    _of_runs(
        "NP6-323-CD", 13221, "rt_price_adder_sced", "Real-Time Price Adders by SCED Interval",
        {**_RUN, **_numbers(("systemLambda", *rows.ADDER_COLUMNS))}, rows.adders, "RTRDPANP6323_{date}_{seconds}",
        new=True,
    ),
    _of_runs(
        "NP6-86-CD", 12302, "shdw_prices_bnd_trns_const", "SCED Shadow Prices and Binding Transmission Constraints",
        {
            "SCEDTimestamp": "DATETIME", "repeatedHourFlag": "BOOLEAN", "constraintID": "INTEGER",
            "constraintName": "VARCHAR", "contingencyName": "VARCHAR", "shadowPrice": "DOUBLE",
            "maxShadowPrice": "DOUBLE",
        },
        rows.constraints, "SCEDBTCNP686_{date}_{seconds}", new=False,
    ),
    _of_runs(
        "NP6-970-CD", 13073, "rtd_lmp_node_zone_hub", "RTD Indicative LMPs by Resource Nodes, Load Zones and Hubs",
        {**_AHEAD, "settlementPoint": "VARCHAR", "settlementPointType": "VARCHAR", "LMP": "DOUBLE"},
        rows.indicative_prices, "RTDLMPRNLZHUBNP6970_{date}_{seconds}", new=False,
    ),
    _of_runs(
        "NP6-329-CD", 24889, "rtd_ind_mcpc", "RTD Indicative MCPCs",
        {**_AHEAD, **_numbers(RESERVES)}, rows.indicative_reserves, "RTDMCPCNP6329_{date}_{seconds}", new=True,
    ),
    Product(
        emil="NP6-324-CD", report_id=13220, artifact="rt_15min_price_adders", title="Real-Time Price Adders",
        fields={**_QUARTER, **_numbers(rows.QUARTER_ADDERS), "repeatHourFlag": "BOOLEAN"}, day_field="deliveryDate",
        build=rows.quarter_adders, postings=since_co_optimisation(every(QUARTER_S, 120)), days=(-1, 0),
        csv=headed({**_QUARTER, **_numbers(rows.QUARTER_ADDERS), "repeatHourFlag": "BOOLEAN"}, **_HEADERS),
        stem="RTRDPA15NP6324_{date}_{time}", late_s=120, mis_days=31, frequency="Chron - 15 Minutes",
    ),
    Product(
        emil="NP6-235-CD", report_id=12340, artifact=None, title="System-Wide Demand",
        fields={"deliveryDate": "DATE", "timeEnding": "VARCHAR", "demand": "DOUBLE", "DSTFlag": "BOOLEAN"},
        day_field="deliveryDate", build=rows.demand, postings=every(QUARTER_S, 60), days=(-1, 0),
        csv={"DeliveryDate": "deliveryDate", "TimeEnding": "timeEnding", "Demand": "demand", "DSTFlag": "DSTFlag"},
        stem="SWDEMANDNP6235_{date}_{time}", late_s=60, frequency="Chron - 15 Minutes",
    ),
    Product(
        emil="NP4-523-CD", report_id=13113, artifact="dam_system_lambda", title="DAM System Lambda",
        fields={"deliveryDate": "DATE", "hourEnding": "VARCHAR", "systemLambda": "DOUBLE", "DSTFlag": "BOOLEAN"},
        day_field="deliveryDate", build=rows.day_ahead_lambda, postings=daily(DAM_HOUR, DAM_LATE_S, "day ahead"),
        days=(1, 1), stem="DAMSYSLAMBDANP4523", mis_days=31, frequency="Event - Per DAM Run",
        csv=headed({"deliveryDate": "DATE", "hourEnding": "VARCHAR", "systemLambda": "DOUBLE", "DSTFlag": "BOOLEAN"}),
    ),
)  # fmt: skip
