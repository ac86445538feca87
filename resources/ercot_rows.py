"""The row products of ERCOT's Public API: where each is, what filters its rows, when a row can be there.

Put here: one line a product. Keep out: requests (resources/ercot.py), the meaning of rows (payloads/ercot).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from functools import partial
from typing import Final

from domain.errors import InputError
from domain.instants import CENTRAL
from resources.http.windows import market_days_until

_TICK: Final = timedelta(microseconds=1)
KnownUntil = Callable[[datetime], datetime]


class By(StrEnum):
    """What a window of a product is about, and how its filter is written."""

    DAY = "local days of the event"
    RUN = "the event's own stamp"
    POSTED = "when it was posted or corrected"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProduct:
    """One product of the row API.

    Attributes:
        emil: ERCOT's name of it.
        path: Below the API's base.
        by: What a window is about.
        field: The field whose ``From`` and ``To`` filter the window.
        known_until: The end of what can have been posted at a moment; events from there on are not asked for.
        point: The field that filters one settlement point, empty where the product has none.
        point_type: The field that filters its type, empty where the product has none.
    """

    emil: str
    path: str
    by: By
    field: str
    known_until: KnownUntil
    point: str = ""
    point_type: str = ""


def _after(delay: timedelta, now: datetime) -> datetime:
    """Events are out ``delay`` after they began."""
    return now - delay + _TICK


def _on_day(days_ahead: int, at: time, now: datetime) -> datetime:
    return market_days_until(now, CENTRAL, at=at, days_ahead=days_ahead)


def _now(now: datetime) -> datetime:
    return now


_SETTLEMENT = partial(_after, timedelta(minutes=15 + 2))  # two minutes after the quarter hour has ended
_DISPATCH = partial(_after, timedelta(seconds=30))  # 15 to 20 s after the run, half a minute at most
_DAY_AHEAD = partial(_on_day, 1, time(13, 30))  # 12:30 to 13:30 on the day before
_NEXT_MORNING = partial(_on_day, -1, time(5, 50))  # the morning after

_POINT: Final = {"point": "settlementPoint"}
_by_day = partial(RowProduct, by=By.DAY, field="deliveryDate")
_by_run = partial(RowProduct, by=By.RUN, field="SCEDTimestamp", known_until=_DISPATCH)
_by_posting = partial(RowProduct, by=By.POSTED, field="postedDatetime", known_until=_now)
_by_correction = partial(RowProduct, by=By.POSTED, field="priceCorrectionTime", known_until=_now)

_ALL: Final = (
    _by_day(
        emil="NP6-905-CD",
        path="/np6-905-cd/spp_node_zone_hub",
        known_until=_SETTLEMENT,
        point="settlementPoint",
        point_type="settlementPointType",
    ),
    _by_day(emil="NP4-190-CD", path="/np4-190-cd/dam_stlmnt_pnt_prices", known_until=_DAY_AHEAD, **_POINT),
    _by_run(emil="NP6-788-CD", path="/np6-788-cd/lmp_node_zone_hub", **_POINT),
    _by_posting(emil="NP3-565-CD", path="/np3-565-cd/lf_by_model_weather_zone"),
    _by_posting(emil="NP4-732-CD", path="/np4-732-cd/wpp_hrly_avrg_actl_fcast"),
    _by_posting(emil="NP4-737-CD", path="/np4-737-cd/spp_hrly_avrg_actl_fcast"),
    RowProduct(
        emil="NP6-345-CD",
        path="/np6-345-cd/act_sys_load_by_wzn",
        by=By.DAY,
        field="operatingDay",
        known_until=_NEXT_MORNING,
    ),
    RowProduct(
        emil="NP6-346-CD",
        path="/np6-346-cd/act_sys_load_by_fzn",
        by=By.DAY,
        field="operatingDay",
        known_until=_NEXT_MORNING,
    ),
    _by_day(emil="NP4-188-CD", path="/np4-188-cd/dam_clear_price_for_cap", known_until=_DAY_AHEAD),
    _by_day(emil="NP6-331-CD", path="/np6-331-cd/rt_clear_price_cap", known_until=_SETTLEMENT),
    _by_run(emil="NP6-332-CD", path="/np6-332-cd/rt_clear_price_cap_sced"),
    _by_correction(emil="NP4-196-M", path="/np4-196-m/dam_price_corrections_spp", **_POINT),
    _by_correction(
        emil="NP4-197-M",
        path="/np4-197-m/rtm_price_corrections_spp",
        point="settlementPointName",
        point_type="settlementPointType",
    ),
)

ROW_PRODUCTS: Final = {product.emil: product for product in _ALL}
"""EMIL -> where and how it is read."""


def row_product(emil: str) -> RowProduct:
    """Return a product by ERCOT's name of it.

    Raises:
        InputError: It is none of those read from the row API; lists them.

    >>> row_product("NP6-905-CD").field
    'deliveryDate'
    """
    try:
        return ROW_PRODUCTS[emil]
    except KeyError:
        known = ", ".join(ROW_PRODUCTS)
        raise InputError(f"{emil!r} is no row product of ERCOT that we read; known: {known}") from None
