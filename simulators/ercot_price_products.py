"""The entries of the price products.

Put here: names of fields, headers and documents. Keep out: the rows (ercot_prices.py).
"""

from __future__ import annotations

from typing import Final

from simulators.ercot_catalogue import QUARTER_S, Product, daily, every, headed
from simulators.ercot_prices import (
    DAM_HOUR,
    DAM_LATE_S,
    SCED_LATE_S,
    day_ahead_capacity,
    day_ahead_prices,
    real_time_capacity,
    real_time_prices,
    sced_postings,
    sced_prices,
    since_co_optimisation,
)

_QUARTER_PRICES: Final = {
    "deliveryDate": "DATE",
    "deliveryHour": "INTEGER",
    "deliveryInterval": "INTEGER",
    "settlementPoint": "VARCHAR",
    "settlementPointType": "VARCHAR",
    "settlementPointPrice": "DOUBLE",
    "DSTFlag": "BOOLEAN",
}
_DAY_AHEAD_PRICES: Final = {
    "deliveryDate": "DATE",
    "hourEnding": "VARCHAR",
    "settlementPoint": "VARCHAR",
    "settlementPointPrice": "DOUBLE",
    "DSTFlag": "BOOLEAN",
}
_RUN_PRICES: Final = {
    "SCEDTimestamp": "DATETIME",
    "repeatHourFlag": "BOOLEAN",
    "settlementPoint": "VARCHAR",
    "LMP": "DOUBLE",
}
_DAY_AHEAD_CAPACITY: Final = {
    "deliveryDate": "DATE",
    "hourEnding": "VARCHAR",
    "ancillaryType": "VARCHAR",
    "MCPC": "DOUBLE",
    "DSTFlag": "BOOLEAN",
}
_QUARTER_CAPACITY: Final = {
    "deliveryDate": "DATE",
    "deliveryHour": "INTEGER",
    "deliveryInt": "INTEGER",
    "repeatHourFlag": "BOOLEAN",
    "ASType": "VARCHAR",
    "MCPC": "DOUBLE",
}

PRICE_PRODUCTS: Final = (
    Product(
        emil="NP6-905-CD",
        report_id=12301,
        artifact="spp_node_zone_hub",
        title="Settlement Point Prices at Resource Nodes, Hubs and Load Zones",
        fields=_QUARTER_PRICES,
        day_field="deliveryDate",
        build=real_time_prices,
        postings=every(QUARTER_S, 120),
        days=(-1, 0),
        csv=headed(_QUARTER_PRICES, settlementPoint="SettlementPointName"),
        stem="SPPHLZNP6905_{date}_{time}",
        late_s=120,
        frequency="Chron - 15 Minutes",
    ),
    Product(
        emil="NP4-190-CD",
        report_id=12331,
        artifact="dam_stlmnt_pnt_prices",
        title="DAM Settlement Point Prices",
        fields=_DAY_AHEAD_PRICES,
        day_field="deliveryDate",
        build=day_ahead_prices,
        postings=daily(DAM_HOUR, DAM_LATE_S, "day ahead"),
        days=(1, 1),
        csv=headed(_DAY_AHEAD_PRICES),
        stem="DAMSPNP4190",
        mis_days=31,
        frequency="Event - Per DAM Run",
    ),
    Product(
        emil="NP6-788-CD",
        report_id=12300,
        artifact="lmp_node_zone_hub",
        title="LMPs by Resource Nodes, Load Zones and Trading Hubs",
        fields=_RUN_PRICES,
        day_field="SCEDTimestamp",
        build=sced_prices,
        postings=sced_postings,
        days=(-1, 0),
        csv=headed(_RUN_PRICES, repeatHourFlag="RepeatedHourFlag"),
        stem="LMPSROSNODENP6788_{date}_{seconds}",
        late_s=SCED_LATE_S,
        mis_days=5,
        frequency="Event - Per SCED Run",
    ),
    Product(
        emil="NP4-188-CD",
        report_id=12329,
        artifact="dam_clear_price_for_cap",
        title="DAM Clearing Prices for Capacity",
        fields=_DAY_AHEAD_CAPACITY,
        day_field="deliveryDate",
        build=day_ahead_capacity,
        postings=daily(DAM_HOUR, DAM_LATE_S, "day ahead"),
        days=(1, 1),
        csv=headed(_DAY_AHEAD_CAPACITY),
        stem="DAMCPCNP4188",
        mis_days=31,
        frequency="Event - Per DAM Run",
    ),
    Product(
        emil="NP6-331-CD",
        report_id=24898,
        artifact="rt_clear_price_cap",
        title="Real-Time Clearing Prices for Capacity by 15-Minute Settlement Interval",
        fields=_QUARTER_CAPACITY,
        day_field="deliveryDate",
        build=real_time_capacity,
        postings=since_co_optimisation(every(QUARTER_S, 120)),
        days=(-1, 0),
        csv=headed(_QUARTER_CAPACITY, deliveryInt="DeliveryInterval", repeatHourFlag="RepeatedHourFlag"),
        stem="RTCPCNP6331_{date}_{time}",
        late_s=120,
        frequency="Chron - 15 Minutes",
    ),
)
