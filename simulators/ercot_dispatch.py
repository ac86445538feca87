"""Texan products of dispatch runs, and of look-ahead runs: reserves, lambda, adders, constraints, indicative prices.

Put here: one builder a product. Keep out: their entries (ercot_dispatch_products.py), prices that settle
(ercot_prices.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulators.ercot_catalogue import (
    QUARTER_S,
    Window,
    delivery_columns,
    hour_text,
    local_stamps,
    repeated_for,
    span,
)
from simulators.ercot_prices import CO_OPTIMISED_FROM, SCED_LATE_S, dam_posted, sced_runs
from simulators.faults import Table
from simulators.localtime import DAY_S, HOUR_S
from simulators.noise import Floats, Ints, normals, stream
from simulators.world import World, epochs
from simulators.world_texas import ZONES
from simulators.world_texas_prices import DAY_AHEAD_POINTS, POINT_TYPES, RESERVES

RTD_S: Final = 300
_AHEAD: Final = 11
"""Five-minute intervals that a look-ahead run prices."""
_CAPABILITY: Final = ("REGUP", "REGDN", "RRS", "ECRS", "NSPIN", "REGUPRRS", "REGUPRRSECRS", "REGUPRRSECRSNSPIN")
_ADDERS: Final = ("RTRDPA", "RTRDPARUS", "RTRDPARDS", "RTRDPARRS", "RTRDPAECRS", "RTRDPANSS")
_AMOUNTS: Final = (
    *("RTRRUC", "RTRRMR", "RTDNCLR", "RTDERS", "RTDCTIEIMPORT", "RTDCTIEEXPORT", "RTBLTIMPORT", "RTBLTEXPORT"),
    *("RTOLLSL", "RTOLHSL"),
)
ADDER_COLUMNS: Final = (*_ADDERS, *_AMOUNTS)
QUARTER_ADDERS: Final = ("RTRDPA", "RTRDPRU", "RTRDPRD", "RTRDPRRS", "RTRDPECRS", "RTRDPNS")
CAPABILITY_COLUMNS: Final = tuple(f"cap{name}" for name in _CAPABILITY)
Values = Callable[[dict[str, Floats], Ints], dict[str, NDArray[Any]]]
_CONSTRAINTS: Final = (("WESTEX", "BASE CASE", 0.9), ("6144__A", "DSALHUT5", 0.4))
"""Name, contingency and how much of a price difference each explains. Invented."""


def _runs(world: World, window: Window, *, since: int = 0) -> tuple[Ints, Ints, dict[str, Floats]]:
    """Return the dispatch runs of a window, the place of each one's quarter hour, and the truth by quarter hours."""
    start, end = span(window, world)
    start = min(max(start, since), end)
    runs = sced_runs(world, start, end)
    low = start - start % QUARTER_S
    return runs, (runs - low) // QUARTER_S, world.window("texas_rt", low, max(low, end))


def _run_table(runs: Ints, columns: dict[str, NDArray[Any]], measured: tuple[str, ...]) -> Table:
    each = columns[measured[0]].size // max(runs.size, 1)
    stamps, repeated = local_stamps(runs)
    head = repeated_for(each, {"SCEDTimestamp": stamps, "repeatHourFlag": repeated})
    event = np.repeat(runs, each)
    return Table({**head, **columns}, event, event + SCED_LATE_S, measured)


def reserve_prices(world: World, window: Window) -> Table:
    """NP6-332-CD: capacity prices of every dispatch run, since co-optimisation began."""
    runs, quarter, truth = _runs(world, window, since=CO_OPTIMISED_FROM)
    own = {name: 0.2 * normals(stream(world.seed, "mcpc", name), runs) for name in RESERVES}
    grid = [np.round(np.maximum(0.0, truth[f"mcpc/{name}"][quarter] + own[name]), 2) for name in RESERVES]
    columns = {"ASType": np.tile(np.array(RESERVES), runs.size), "MCPC": np.array(grid).T.ravel()}
    return _run_table(runs, columns, ("MCPC",))


def capability(world: World, window: Window) -> Table:
    """NP6-328-CD: how much of each reserve a dispatch run could have had, since co-optimisation began."""
    runs, quarter, truth = _runs(world, window, since=CO_OPTIMISED_FROM)
    spare = np.maximum(0.0, truth["prc"][quarter] - 1300.0)
    columns = {
        name: np.round(400.0 * (place + 1) + 0.1 * (place + 1) * spare, 1)
        for place, name in enumerate(CAPABILITY_COLUMNS)
    }
    return _run_table(runs, columns, CAPABILITY_COLUMNS)


def system_lambda(world: World, window: Window) -> Table:
    """NP6-322-CD: the price of energy without congestion, each dispatch run."""
    runs, quarter, truth = _runs(world, window)
    return _run_table(runs, {"systemLambda": truth["HB_HUBAVG/AH"][quarter]}, ("systemLambda",))


def adders(world: World, window: Window) -> Table:
    """NP6-323-CD: price adders of each dispatch run, in the columns that they have since co-optimisation began."""
    runs, quarter, truth = _runs(world, window, since=CO_OPTIMISED_FROM)
    scarce = np.round(np.maximum(0.0, 3000.0 - truth["prc"][quarter]) * 0.02, 2)
    columns: dict[str, NDArray[Any]] = {"systemLambda": truth["HB_HUBAVG/AH"][quarter]}
    columns |= {name: np.round(scarce / (place + 1), 2) for place, name in enumerate(_ADDERS)}
    columns |= {name: np.round(100.0 * (place + 1) + 0.0 * scarce, 1) for place, name in enumerate(_AMOUNTS)}
    return _run_table(runs, columns, ("systemLambda", *_ADDERS, *_AMOUNTS))


def constraints(world: World, window: Window) -> Table:
    """NP6-86-CD: what binds in each dispatch run, and its shadow price."""
    runs, quarter, truth = _runs(world, window)
    # Something always binds a little.
    spread = 0.5 + np.abs(truth["HB_WEST/HU"][quarter] - truth["HB_NORTH/HU"][quarter])
    shadow = np.array([np.round(spread * share, 2) for _, _, share in _CONSTRAINTS]).T.ravel()
    count = runs.size
    columns: dict[str, NDArray[Any]] = {
        "constraintID": np.tile(np.arange(1, len(_CONSTRAINTS) + 1), count),
        "constraintName": np.tile(np.array([name for name, _, _ in _CONSTRAINTS]), count),
        "contingencyName": np.tile(np.array([name for _, name, _ in _CONSTRAINTS]), count),
        "shadowPrice": shadow,
        "maxShadowPrice": np.full(shadow.size, 3500.0),
    }
    table = _run_table(runs, columns, ("shadowPrice",))
    table.columns["repeatedHourFlag"] = table.columns.pop("repeatHourFlag")
    return table


def _ahead(world: World, window: Window, since: int, values: Values) -> Table:
    """Return the intervals of every look-ahead run; ``values`` gives columns from the truth and each one's quarter."""
    start, end = span(window, world)
    start = min(max(start, since), end)
    at = epochs(start - start % RTD_S, end, RTD_S) + 15
    at = at[at >= start]
    low = start - start % QUARTER_S
    truth = world.window("texas_rt", low, end + DAY_S)
    first = np.repeat(at - at % RTD_S + RTD_S, _AHEAD) + np.tile(np.arange(_AHEAD) * RTD_S, at.size)
    columns = values(truth, (first - low) // QUARTER_S)
    each = next(iter(columns.values())).size // max(first.size, 1)
    stamps, repeated = local_stamps(np.repeat(at, _AHEAD))
    ends, again = local_stamps(first + RTD_S)
    head = {
        "RTDTimestamp": stamps,
        "repeatHourFlag": repeated,
        "intervalId": np.tile(np.arange(1, _AHEAD + 1), at.size),
        "intervalEnding": ends,
        "intervalRepeatHourFlag": again,
    }
    event = np.repeat(first, each)
    published = np.repeat(at + SCED_LATE_S, _AHEAD * each)
    measured = tuple(name for name, column in columns.items() if column.dtype.kind == "f")
    return Table({**repeated_for(each, head), **columns}, event, published, measured)


def indicative_prices(world: World, window: Window) -> Table:
    """NP6-970-CD: what the coming hour may cost at each point, anew each five minutes."""
    kinds = dict(reversed(POINT_TYPES))
    chosen = [name for name in DAY_AHEAD_POINTS if window.exact.get("settlementPoint", name) == name]

    def values(truth: dict[str, Floats], quarter: Ints) -> dict[str, NDArray[Any]]:
        prices = np.array([truth[f"{name}/{kinds[name]}"][quarter] for name in chosen])
        return {
            "settlementPoint": np.tile(np.array(chosen, dtype="U16"), quarter.size),
            "settlementPointType": np.tile(np.array([kinds[name] for name in chosen], dtype="U8"), quarter.size),
            "LMP": np.round(prices.reshape(len(chosen), quarter.size).T.ravel(), 2),
        }

    return _ahead(world, window, 0, values)


def indicative_reserves(world: World, window: Window) -> Table:
    """NP6-329-CD: what reserves of the coming hour may cost, since co-optimisation began."""
    return _ahead(
        world, window, CO_OPTIMISED_FROM,
        lambda truth, quarter: {name: truth[f"mcpc/{name}"][quarter] for name in RESERVES},
    )  # fmt: skip


def quarter_adders(world: World, window: Window) -> Table:
    """NP6-324-CD: price adders by settlement interval, in their columns since co-optimisation began."""
    start, end = span(window, world)
    start = min(max(start, CO_OPTIMISED_FROM), end)
    at = epochs(start, end, QUARTER_S)
    scarce = np.round(np.maximum(0.0, 3000.0 - world.window("texas_rt", start, end)["prc"]) * 0.02, 2)
    when = delivery_columns(at)
    columns: dict[str, NDArray[Any]] = {
        "deliveryDate": when["day"],
        "deliveryHour": when["hour"],
        "deliveryInterval": when["interval"],
        **{name: np.round(scarce / (place + 1), 2) for place, name in enumerate(QUARTER_ADDERS)},
        "repeatHourFlag": when["repeated"],
    }
    return Table(columns, at, at + QUARTER_S + 120, QUARTER_ADDERS)


def demand(world: World, window: Window) -> Table:
    """NP6-235-CD: system-wide demand by quarter hour, labelled by the clock at its ending; documents only."""
    start, end = span(window, world)
    at = epochs(start, end, QUARTER_S)
    hourly = world.window("texas", start - start % HOUR_S, end + -end % HOUR_S)
    load = np.sum([hourly[f"load/{zone}"] for zone in ZONES], axis=0)
    ending, _ = local_clock(at + QUARTER_S)
    when = delivery_columns(at)
    columns: dict[str, NDArray[Any]] = {
        "deliveryDate": when["day"],
        "timeEnding": ending,
        "demand": np.round(load[(at - (start - start % HOUR_S)) // HOUR_S], 4),
        "DSTFlag": when["repeated"],
    }
    return Table(columns, at, at + QUARTER_S + 60, ("demand",))


def local_clock(at: Ints) -> tuple[NDArray[np.str_], NDArray[np.bool_]]:
    """Return Central wall clocks as ``HH:MM``, midnight as 24:00, and whether each is the second pass."""
    stamps, repeated = local_stamps(at)
    minutes = stamps.astype(np.int64) % DAY_S // 60
    minutes = np.where(minutes == 0, 24 * 60, minutes)
    return np.array([f"{minute // 60:02d}:{minute % 60:02d}" for minute in minutes.tolist()]), repeated


def day_ahead_lambda(world: World, window: Window) -> Table:
    """NP4-523-CD: the day-ahead price of energy without congestion."""
    start, end = span(window, world)
    at = epochs(start, end, HOUR_S)
    when = delivery_columns(at)
    columns: dict[str, NDArray[Any]] = {
        "deliveryDate": when["day"],
        "hourEnding": hour_text(when["hour"]),
        "systemLambda": world.window("texas", start, end)["da/HB_HUBAVG"],
        "DSTFlag": when["repeated"],
    }
    return Table(columns, at, dam_posted(world, at), ("systemLambda",))
