"""Corrections of Texan prices: published days later in a product of their own, never by posting the original again.

Put here: which prices were corrected, when, and the two products that say so. Keep out: the originals
(ercot_prices.py), HTTP.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import numpy as np

from domain.instants import CENTRAL
from simulators.ercot_catalogue import QUARTER_S, Product, Schedule, Window, headed, local_stamps, posted_on, stacked
from simulators.ercot_prices import day_ahead_prices, real_time_prices
from simulators.faults import Table
from simulators.localtime import HOUR_S, day_bounds, local_date
from simulators.noise import Ints, normals, stream, uniforms
from simulators.world import World

_CORRECTED_DAYS: Final = 0.02
_CORRECTED_HOURS: Final = 0.25
"""Shares of operating days that are corrected, and of the hours in such a day. Invented."""


_RT_FIELDS: Final = {
    "deliveryDate": "DATE",
    "deliveryHour": "INTEGER",
    "deliveryInterval": "INTEGER",
    "settlementPointName": "VARCHAR",
    "settlementPointType": "VARCHAR",
    "SPPOriginal": "DOUBLE",
    "SPPCorrected": "DOUBLE",
    "priceCorrectionTime": "DATETIME",
    "DSTFlag": "BOOLEAN",
}
_DA_FIELDS: Final = {
    "deliveryDate": "DATE",
    "deliveryHour": "INTEGER",
    "settlementPoint": "VARCHAR",
    "SPPOriginal": "DOUBLE",
    "SPPCorrected": "DOUBLE",
    "priceCorrectionTime": "DATETIME",
    "DSTFlag": "BOOLEAN",
}


def correction_times(world: World, name: str, first: date, last: date) -> dict[date, int]:
    """Return the operating days of a market whose prices were corrected, and when [epoch s]: 3 to 25 days later."""
    days = np.arange(first.toordinal(), last.toordinal() + 1, dtype=np.int64)
    key = stream(world.seed, "corrections", name)
    struck = days[uniforms(key, days) < _CORRECTED_DAYS]
    after = 3 + (23 * uniforms(stream(world.seed, "corrections", name, "after"), struck)).astype(np.int64)
    posted = posted_on(world, struck + after - date(1970, 1, 1).toordinal(), 16.0, 7200, "corrections")
    return {date.fromordinal(int(day)): int(at) for day, at in zip(struck, posted, strict=True)}


def _corrections(world: World, window: Window, name: str, step: int) -> Table:
    parts = []
    for day, posted in correction_times(world, name, window.first, window.last).items():
        start, end = day_bounds(day, CENTRAL)
        if start < world.first_hour * HOUR_S:
            continue
        hours = Window(first=day, last=day, posted_from=start, posted_to=end, exact=window.exact)
        original = real_time_prices(world, hours) if step == QUARTER_S else day_ahead_prices(world, hours)
        draw = uniforms(stream(world.seed, "corrections", name, "hour"), original.event // HOUR_S)
        original = original.take(draw < _CORRECTED_HOURS)
        shift = 12.0 * normals(stream(world.seed, "corrections", name, "size"), original.event // HOUR_S)
        columns = dict(original.columns)
        before = columns.pop("settlementPointPrice")
        flag = columns.pop("DSTFlag")
        columns["SPPOriginal"], columns["SPPCorrected"] = before, np.round(before + shift, 2)
        stamp, _ = local_stamps(np.array([posted], np.int64))
        columns["priceCorrectionTime"] = np.repeat(stamp, before.size)
        columns["DSTFlag"] = flag
        published = np.full(before.size, posted)
        parts.append(Table(columns, original.event, published, ("SPPCorrected",)))
    return stacked(parts)


def real_time_corrections(world: World, window: Window) -> Table:
    """NP4-197-M: corrected real-time settlement point prices; the original product is not posted again."""
    table = _corrections(world, window, "RT", QUARTER_S)
    if table.columns:
        table.columns["settlementPointName"] = table.columns.pop("settlementPoint")
        table.columns = {name: table.columns[name] for name in _RT_FIELDS}
    return table


def day_ahead_corrections(world: World, window: Window) -> Table:
    """NP4-196-M: corrected day-ahead settlement point prices."""
    table = _corrections(world, window, "DA", HOUR_S)
    if table.columns:
        table.columns["deliveryHour"] = np.array([int(text[:2]) for text in table.columns.pop("hourEnding")], np.int64)
        table.columns = {name: table.columns[name] for name in _DA_FIELDS}
    return table


def _postings(name: str) -> Schedule:
    def postings(world: World, start: int, end: int) -> Ints:
        first, last = local_date(start, CENTRAL) - timedelta(days=27), local_date(end, CENTRAL)
        found = sorted(set(correction_times(world, name, first, last).values()))
        return np.array([at for at in found if start <= at < end], np.int64)

    return postings


CORRECTION_PRODUCTS: Final = (
    Product(
        emil="NP4-196-M",
        report_id=13044,
        artifact="dam_price_corrections_spp",
        title="DAM Price Corrections",
        fields=_DA_FIELDS,
        day_field="deliveryDate",
        build=day_ahead_corrections,
        postings=_postings("DA"),
        days=(-27, 0),
        csv=headed(_DA_FIELDS),
        stem="DAMPCSPPNP4196",
        mis_days=180,
        posted_field="priceCorrectionTime",
        frequency="Event - As Needed",
    ),
    Product(
        emil="NP4-197-M",
        report_id=13045,
        artifact="rtm_price_corrections_spp",
        title="RTM Price Corrections",
        fields=_RT_FIELDS,
        day_field="deliveryDate",
        build=real_time_corrections,
        postings=_postings("RT"),
        days=(-27, 0),
        csv=headed(_RT_FIELDS),
        stem="RTMPCSPPNP4197",
        mis_days=180,
        posted_field="priceCorrectionTime",
        frequency="Event - As Needed",
    ),
)
