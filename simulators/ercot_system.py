"""Texan load, wind and sun: forecasts that change with every posting, and what really happened.

Put here: one builder a product. Keep out: their entries (ercot_system_products.py), prices (ercot_prices.py), error
models (world_forecasts.py), HTTP.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.instants import CENTRAL
from simulators.ercot_catalogue import Window, delivery_columns, hour_text, span, stacked
from simulators.faults import Table
from simulators.localtime import DAY_S, HOUR_S, day_bounds, local_date, to_local
from simulators.noise import Floats, Ints, smooth, stream, uniforms
from simulators.world import World, epochs
from simulators.world_forecasts import LOAD_MODELS, load_forecast, renewable_forecast
from simulators.world_texas import ZONES

FORECAST_DAYS: Final = 8
"""A load forecast covers today and the seven days after it."""
LOAD_POSTED_S: Final = 1830
RENEWABLE_POSTED_S: Final = 3309
"""Seconds after the hour at which load forecasts and wind and sun files are posted."""
_BACK_H: Final = 48
_AHEAD_H: Final = 168
# Forecast zones as sums of weather zones (invented shares: the real map follows county lines).
FORECAST_ZONES: Final = {
    "North": {"northCentral": 1.0, "east": 0.6},
    "South": {"southCentral": 1.0, "southern": 1.0},
    "West": {"farWest": 1.0, "west": 1.0, "north": 1.0},
    "Houston": {"coast": 1.0, "east": 0.4},
}
_WIND_ZONES: Final = {"SouthHouston": 0.24, "West": 0.62, "North": 0.14}


def posting_hours(window: Window, world: World, offset_s: int, ahead_days: int, back_days: int) -> range:
    """Return the epoch hours whose postings, ``offset_s`` after the hour, touch the window."""
    first = max(window.posted_from, day_bounds(window.first, CENTRAL)[0] - ahead_days * DAY_S)
    first = max(first, (world.first_hour + _BACK_H) * HOUR_S + DAY_S)
    last = min(window.posted_to, day_bounds(window.last, CENTRAL)[1] + back_days * DAY_S)
    return range(-(-(first - offset_s) // HOUR_S), (last - offset_s) // HOUR_S + 1)


def inside_of(at: Ints, window: Window) -> NDArray[np.bool_]:
    """Return which instants [epoch s] lie in a window's local days."""
    return (at >= day_bounds(window.first, CENTRAL)[0]) & (at < day_bounds(window.last, CENTRAL)[1])


def load_forecasts(world: World, window: Window) -> Table:
    """NP3-565-CD: every hour at half past, all models, all weather zones, today and seven days ahead."""
    models = [model for model in LOAD_MODELS if window.exact.get("model", model) == model]
    hours = posting_hours(window, world, LOAD_POSTED_S, FORECAST_DAYS - 1, 0)
    return stacked([_load_posting(world, hour, models, window) for hour in hours])


def _load_targets(posted: int) -> Ints:
    today = local_date(posted, CENTRAL)
    last = today + timedelta(days=FORECAST_DAYS - 1)
    return epochs(day_bounds(today, CENTRAL)[0], day_bounds(last, CENTRAL)[1], HOUR_S)


def _load_posting(world: World, hour: int, models: list[str], window: Window) -> Table:
    """Return one posting, made at half past the epoch hour."""
    posted = hour * HOUR_S + LOAD_POSTED_S
    at = _load_targets(posted)
    forecast = load_forecast(world, hour, int(at[0]), int(at[-1]) + HOUR_S)
    inside = inside_of(at, window)
    use = in_use_model(world, posted)
    if window.exact.get("inUseFlag", "").lower() == "true":
        models = [model for model in models if model == use]
    chosen = [LOAD_MODELS.index(model) for model in models]
    at, zonal = at[inside], np.round(forecast[chosen][:, :, inside], 2)
    when, rows, count = delivery_columns(at), at.size, len(models)
    local, _ = to_local(np.array([posted], np.int64), CENTRAL)
    columns: dict[str, NDArray[Any]] = {
        "postedDatetime": np.full(rows * count, local[0]).astype("datetime64[s]"),
        "deliveryDate": np.tile(when["day"], count),
        "hourEnding": np.tile(hour_text(when["hour"]), count),
    }
    columns |= {zone: zonal[:, place, :].ravel() for place, zone in enumerate(ZONES)}
    columns["systemTotal"] = np.round(zonal.sum(axis=1).ravel(), 2)
    columns["model"] = np.repeat(np.array(models, dtype="U8"), rows)
    columns["inUseFlag"] = np.repeat(np.array([model == use for model in models], dtype=bool), rows)
    columns["DSTFlag"] = np.tile(when["repeated"], count)
    event = np.tile(at, count)
    return Table(columns, event, np.full(event.size, posted), (*ZONES, "systemTotal"))


def in_use_model(world: World, posted: int) -> str:
    """Return the model that the operators had chosen on the day of a posting."""
    draw = float(uniforms(stream(world.seed, "model in use"), np.array([posted // DAY_S]))[0])
    return LOAD_MODELS[1] if draw < 0.7 else LOAD_MODELS[0]  # noqa: PLR2004 - mostly the second model


def zonal_forecasts(world: World, window: Window) -> Table:
    """NP3-560-CD: the forecast in use by forecast zone, every hour at half past; documents only."""
    parts = []
    for hour in posting_hours(window, world, LOAD_POSTED_S, FORECAST_DAYS - 1, 0):
        posted = hour * HOUR_S + LOAD_POSTED_S
        at = _load_targets(posted)
        forecast = load_forecast(world, hour, int(at[0]), int(at[-1]) + HOUR_S)
        load = forecast[LOAD_MODELS.index(in_use_model(world, posted))]
        when = delivery_columns(at)
        columns: dict[str, NDArray[Any]] = {"deliveryDate": when["day"], "hourEnding": hour_text(when["hour"])}
        for name, shares in FORECAST_ZONES.items():
            total = sum((load[ZONES.index(zone)] * share for zone, share in shares.items()), np.zeros(at.size))
            columns[name] = np.round(total, 6)
        columns["SystemTotal"] = np.round(load.sum(axis=0), 6)
        columns["DSTFlag"] = when["repeated"]
        table = Table(columns, at, np.full(at.size, posted), (*FORECAST_ZONES, "SystemTotal"))
        parts.append(table.take(inside_of(at, window)))
    return stacked(parts)


def actual_load(world: World, window: Window) -> Table:
    """NP6-345-CD: what the load was, by weather zone, posted at ten to six on the day after."""
    start, end = span(window, world)
    at = epochs(start, end, HOUR_S)
    truth, when = world.window("texas", start, end), delivery_columns(at)
    names = {"northCentral": "northC", "southCentral": "southC"}
    load = {names.get(zone, zone): np.round(truth[f"load/{zone}"], 2) for zone in ZONES}
    columns: dict[str, NDArray[Any]] = {"operatingDay": when["day"], "hourEnding": hour_text(when["hour"])}
    order = ("coast", "east", "farWest", "north", "northC", "southern", "southC", "west")
    columns |= {name: load[name] for name in order}
    columns["total"] = np.round(np.sum([load[name] for name in order], axis=0), 2)
    columns["DSTFlag"] = when["repeated"]
    days, place = np.unique(when["day"], return_inverse=True)
    midnight = np.array([day_bounds(day, CENTRAL)[1] for day in days.tolist()], np.int64)
    # 05:50 on the next day; on change days an hour earlier or later in elapsed time, the same on the clock.
    shift = np.array([_clock_after(int(moment), 5 * HOUR_S + 3000) for moment in midnight], np.int64)
    return Table(columns, at, shift[place], (*order, "total"))


def _clock_after(midnight: int, clock_s: int) -> int:
    """Return when a local clock that stands at midnight shows ``clock_s`` seconds of the day [epoch s]."""
    local, _ = to_local(np.array([midnight, midnight + clock_s], np.int64), CENTRAL)
    return midnight + clock_s - int(local[1] - local[0] - clock_s)


def renewables(world: World, window: Window, name: str) -> list[tuple[int, Ints, Floats, Floats, NDArray[np.bool_]]]:
    """Return (posting, targets, forecast, truth, what of it has happened) of every posting that touches the window."""
    found = []
    for hour in posting_hours(window, world, RENEWABLE_POSTED_S, _AHEAD_H // 24 + 1, _BACK_H // 24 + 1):
        at = epochs((hour - _BACK_H) * HOUR_S, (hour + _AHEAD_H) * HOUR_S, HOUR_S)
        forecast = renewable_forecast(world, name, hour, int(at[0]), int(at[-1]) + HOUR_S)
        truth = world.window("texas", int(at[0]), int(at[-1]) + HOUR_S)[name]
        found.append((hour * HOUR_S + RENEWABLE_POSTED_S, at, forecast, truth, at < hour * HOUR_S))
    return found


def renewable_table(window: Window, at: Ints, posted: int, values: dict[str, Floats]) -> Table:
    """Return one posting of wind or sun: its stamp, its hours, the columns given."""
    when = delivery_columns(at)
    local, _ = to_local(np.array([posted], np.int64), CENTRAL)
    columns: dict[str, NDArray[Any]] = {
        "postedDatetime": np.full(at.size, local[0]).astype("datetime64[s]"),
        "deliveryDate": when["day"],
        "hourEnding": when["hour"],
        **{name: np.round(column, 2) for name, column in values.items()},
        "DSTFlag": when["repeated"],
    }
    table = Table(columns, at, np.full(at.size, posted), tuple(values))
    return table.take(inside_of(at, window))


def wind(world: World, window: Window) -> Table:
    """NP4-732-CD: actual wind of two days back beside the forecast of seven days ahead, five to every hour."""
    parts = []
    for posted, at, forecast, truth, past in renewables(world, window, "wind"):
        at_h = at / HOUR_S
        values: dict[str, Floats] = {}
        for zone, share in {"SystemWide": 1.0, **_WIND_ZONES}.items():
            lean = 1.0 if share == 1.0 else 1.0 + 0.05 * smooth(stream(world.seed, "wind zone", zone), at_h, 12.0)
            zone_name = zone if share == 1.0 else f"LoadZone{zone}"
            values[f"gen{zone_name}"] = np.where(past, truth * share * lean, np.nan)
            values[f"COPHSL{zone_name}"] = forecast * share * lean * 0.97
            values[f"STWPF{zone_name}"] = forecast * share * lean
            values[f"WGRPP{zone_name}"] = forecast * share * lean * 0.86
        values["HSLSystemWide"] = np.where(past, truth * 1.04, np.nan)
        parts.append(renewable_table(window, at, posted, values))
    return stacked(parts)


def sun(world: World, window: Window) -> Table:
    """NP4-737-CD: actual sun of two days back beside the forecast of seven days ahead, five to every hour."""
    parts = []
    for posted, at, forecast, truth, past in renewables(world, window, "solar"):
        values = {
            "genSystemWide": np.where(past, truth, np.nan),
            "COPHSLSystemWide": forecast * 0.98,
            "STPPFSystemWide": forecast,
            "PVGRPPSystemWide": forecast * 0.92,
            "HSLSystemWide": np.where(past, truth * 1.05, np.nan),
        }
        parts.append(renewable_table(window, at, posted, values))
    return stacked(parts)
