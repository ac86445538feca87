"""Texan price products: settlement point prices, SCED prices, capacity prices.

Put here: one builder a product. Keep out: their entries (ercot_price_products.py), corrections
(ercot_corrections.py), load, wind and sun (ercot_system.py).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulators.ercot_catalogue import (
    QUARTER_S,
    Schedule,
    Window,
    delivery_columns,
    hour_text,
    local_stamps,
    posted_on,
    repeated_for,
    span,
)
from simulators.faults import Table
from simulators.localtime import HOUR_S, epoch
from simulators.noise import Floats, Ints, normals, stream, uniforms
from simulators.world import World, epochs
from simulators.world_texas_prices import DAY_AHEAD_POINTS, POINT_TYPES, RESERVES

DAM_HOUR: Final = 12.5
DAM_LATE_S: Final = 3600
"""Day-ahead results are posted between 12:30 and 13:30 local time."""
ECRS_FROM: Final = epoch(datetime(2023, 6, 10, 5, tzinfo=UTC))
"""The contingency reserve service began with the operating day 2023-06-10."""
CO_OPTIMISED_FROM: Final = epoch(datetime(2025, 12, 5, 6, tzinfo=UTC))
"""Real-time co-optimisation began with the operating day 2025-12-05: no real-time capacity price exists before."""
SCED_LATE_S: Final = 20


def _chosen(window: Window, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if window.exact.get("settlementPoint", name) == name]


def real_time_prices(world: World, window: Window) -> Table:
    """NP6-905-CD: a row for each settlement point, type and quarter hour, two minutes after the quarter."""
    start, end = span(window, world)
    at = epochs(start, end, QUARTER_S)
    prices = world.window("texas_rt", start, end)
    chosen = [(name, kind) for name, kind in POINT_TYPES if window.exact.get("settlementPoint", name) == name]
    when, rows, points = delivery_columns(at), at.size, len(chosen)
    grid = np.array([prices[f"{name}/{kind}"] for name, kind in chosen]).reshape(points, rows)
    columns: dict[str, NDArray[Any]] = {
        **repeated_for(
            points,
            {"deliveryDate": when["day"], "deliveryHour": when["hour"], "deliveryInterval": when["interval"]},
        ),
        "settlementPoint": np.tile(np.array([name for name, _ in chosen], dtype="U16"), rows),
        "settlementPointType": np.tile(np.array([kind for _, kind in chosen], dtype="U8"), rows),
        "settlementPointPrice": grid.T.ravel(),
        "DSTFlag": np.repeat(when["repeated"], points),
    }
    event = np.repeat(at, points)
    return Table(columns, event, event + QUARTER_S + 120, ("settlementPointPrice",))


def dam_posted(world: World, at: Ints) -> Ints:
    """Return when the day-ahead results of hours are posted [epoch s]: around one o'clock the day before."""
    days, place = np.unique(delivery_columns(at)["day"].astype(np.int64), return_inverse=True)
    return posted_on(world, days - 1, DAM_HOUR, DAM_LATE_S, "day ahead")[place]


def day_ahead_prices(world: World, window: Window) -> Table:
    """NP4-190-CD: a row for each settlement point and hour, posted around one o'clock the day before."""
    start, end = span(window, world)
    at = epochs(start, end, HOUR_S)
    prices, chosen = world.window("texas", start, end), _chosen(window, DAY_AHEAD_POINTS)
    when, points = delivery_columns(at), len(chosen)
    grid = np.array([prices[f"da/{name}"] for name in chosen]).reshape(points, at.size)
    columns: dict[str, NDArray[Any]] = {
        **repeated_for(points, {"deliveryDate": when["day"], "hourEnding": hour_text(when["hour"])}),
        "settlementPoint": np.tile(np.array(chosen, dtype="U16"), at.size),
        "settlementPointPrice": grid.T.ravel(),
        "DSTFlag": np.repeat(when["repeated"], points),
    }
    posted = np.repeat(dam_posted(world, at), points)
    return Table(columns, np.repeat(at, points), posted, ("settlementPointPrice",))


def sced_runs(world: World, start: int, end: int) -> Ints:
    """Return the instants of dispatch runs [epoch s]: about every five minutes, seconds off, extra runs at times."""
    slots = np.arange(start // 300 - 1, end // 300 + 1, dtype=np.int64)
    regular = slots * 300 + 8 + (24 * uniforms(stream(world.seed, "sced"), slots)).astype(np.int64)
    extra = slots[uniforms(stream(world.seed, "sced", "extra"), slots) < 0.02] * 300 + 150  # noqa: PLR2004 - a few a day
    runs = np.sort(np.concatenate([regular, extra]))
    return runs[(runs >= max(start, world.first_hour * HOUR_S)) & (runs < end)]


def sced_prices(world: World, window: Window) -> Table:
    """NP6-788-CD: a row for each point and dispatch run, twenty seconds after the run."""
    start, end = span(window, world)
    runs = sced_runs(world, start, end)
    prices = world.window("texas_rt", start, end)
    chosen = _chosen(window, DAY_AHEAD_POINTS)
    kinds = dict(reversed(POINT_TYPES))
    quarter = (runs - start) // QUARTER_S
    grid = [
        np.round(prices[f"{name}/{kinds[name]}"][quarter] + 0.9 * normals(stream(world.seed, "sced", name), runs), 2)
        for name in chosen
    ]
    stamps, repeated = local_stamps(runs)
    points = len(chosen)
    columns: dict[str, NDArray[Any]] = {
        **repeated_for(points, {"SCEDTimestamp": stamps, "repeatHourFlag": repeated}),
        "settlementPoint": np.tile(np.array(chosen, dtype="U16"), runs.size),
        "LMP": np.array(grid).reshape(points, runs.size).T.ravel(),
    }
    event = np.repeat(runs, points)
    return Table(columns, event, event + SCED_LATE_S, ("LMP",))


def _reserves_at(at: Ints) -> Floats:
    """Return a mask (reserve types, instants) of the products that existed."""
    return np.array([(at >= ECRS_FROM) if name == "ECRS" else np.ones(at.size, dtype=bool) for name in RESERVES])


def day_ahead_capacity(world: World, window: Window) -> Table:
    """NP4-188-CD: capacity prices of the day-ahead market, a row for each reserve and hour."""
    start, end = span(window, world)
    at = epochs(start, end, HOUR_S)
    prices, when, kinds = world.window("texas", start, end), delivery_columns(at), len(RESERVES)
    columns: dict[str, NDArray[Any]] = {
        **repeated_for(kinds, {"deliveryDate": when["day"], "hourEnding": hour_text(when["hour"])}),
        "ancillaryType": np.tile(np.array(RESERVES), at.size),
        "MCPC": np.array([prices[f"mcpc/{name}"] for name in RESERVES]).T.ravel(),
        "DSTFlag": np.repeat(when["repeated"], kinds),
    }
    table = Table(columns, np.repeat(at, kinds), np.repeat(dam_posted(world, at), kinds), ("MCPC",))
    return table.take(_reserves_at(at).T.ravel())


def real_time_capacity(world: World, window: Window) -> Table:
    """NP6-331-CD: capacity prices of real time, five reserves a quarter hour, since co-optimisation began."""
    start, end = span(window, world)
    at = epochs(max(start, CO_OPTIMISED_FROM), max(end, CO_OPTIMISED_FROM), QUARTER_S)
    prices = world.window("texas_rt", int(at[0]), end) if at.size else {}
    when, kinds = delivery_columns(at), len(RESERVES)
    grid = np.array([prices[f"mcpc/{name}"] for name in RESERVES]) if at.size else np.zeros((kinds, 0))
    columns: dict[str, NDArray[Any]] = {
        **repeated_for(
            kinds,
            {
                "deliveryDate": when["day"],
                "deliveryHour": when["hour"],
                "deliveryInt": when["interval"],
                "repeatHourFlag": when["repeated"],
            },
        ),
        "ASType": np.tile(np.array(RESERVES), at.size),
        "MCPC": grid.T.ravel(),
    }
    event = np.repeat(at, kinds)
    return Table(columns, event, event + QUARTER_S + 120, ("MCPC",))


def since_co_optimisation(schedule: Schedule) -> Schedule:
    """Return a schedule without the postings before real-time co-optimisation began."""

    def postings(world: World, start: int, end: int) -> Ints:
        return schedule(world, max(start, CO_OPTIMISED_FROM + QUARTER_S), end)

    return postings


def sced_postings(world: World, start: int, end: int) -> Ints:
    """Return when the prices of dispatch runs are posted [epoch s]."""
    return sced_runs(world, start - SCED_LATE_S, end - SCED_LATE_S) + SCED_LATE_S
