"""Dashboards: small JSON files, undocumented, each overwritten in place, that tell what is going on now.

Put here: the dashboards whose shape is known. Keep out: HTML pages (messages.py) and reports.
``epoch`` is the truth where a row has one: labels and DST flags of these files contradict each other on change days.
``belief_time`` is ``lastUpdated``. A cell that is absent or null gives no row: it has not happened yet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

import polars as pl

from domain.beliefs import TIME, Basis, canonical
from domain.errors import PayloadError
from resources.payloads import Facts
from resources.payloads.envelope import json_of, short_name
from resources.payloads.tables import unrepeated
from resources.payloads.times import epochs_ms, instant, instants, known_by

_HOUR: Final = timedelta(hours=1)
_NOW: Final = timedelta(0)
_COMMAS: Final = re.compile(r"(?<=\d),(?=\d{3})")

Field = tuple[str, str]
"""A series id and a scenario."""

STORAGE: Final[dict[str, Field]] = {
    "totalCharging": ("ercot:storage:charging", "actual"),
    "totalDischarging": ("ercot:storage:discharging", "actual"),
    "netOutput": ("ercot:storage:net", "actual"),
}
LOAD: Final[dict[str, Field]] = {
    "systemLoad": ("ercot:load_actual:system_total", "actual"),
    "currentLoadForecast": ("ercot:load_fcst:system_total", "deterministic"),
    "dayAheadForecast": ("ercot:load_fcst:system_total", "day_ahead"),
    "currentDayHsl": ("ercot:hsl:system", "actual"),
    "dayAheadHsl": ("ercot:hsl:system", "day_ahead"),
}
WIND_SOLAR: Final[dict[str, Field]] = {
    "actualWind": ("ercot:wind_actual:system", "actual"),
    "copHslWind": ("ercot:wind_fcst:COPHSL:system", "deterministic"),
    "stwpf": ("ercot:wind_fcst:STWPF:system", "deterministic"),
    "copHslWindDayAhead": ("ercot:wind_fcst:COPHSL:system", "day_ahead"),
    "stwpfDayAhead": ("ercot:wind_fcst:STWPF:system", "day_ahead"),
    "actualSolar": ("ercot:solar_actual:system", "actual"),
    "copHslSolar": ("ercot:solar_fcst:COPHSL:system", "deterministic"),
    "stppf": ("ercot:solar_fcst:STPPF:system", "deterministic"),
    "copHslSolarDayAhead": ("ercot:solar_fcst:COPHSL:system", "day_ahead"),
    "stppfDayAhead": ("ercot:solar_fcst:STPPF:system", "day_ahead"),
}
SUPPLY: Final = {
    "capacity": "ercot:supply:capacity",
    "available": "ercot:supply:available",
    "demand": "ercot:supply:demand",
}
SUPPLY_AHEAD: Final[dict[str, Field]] = {
    "availCapGen": ("ercot:supply_fcst:available", "deterministic"),
    "forecastedDemand": ("ercot:supply_fcst:demand", "deterministic"),
}
_CONDITION: Final = {"prc_value": ("ercot:prc", "MW"), "eea_level": ("ercot:eea_level", "1")}
_OUTAGES: Final = ("unplanned", "planned", "total")


class Point(NamedTuple):
    """One number of a dashboard.

    Attributes:
        series_id: What it is about.
        scenario: Measured or which forecast.
        at: Epoch in milliseconds, or a text with an offset.
        length: The interval that ends at ``at``; zero for an instant.
        value: As printed.
        unit: Its unit.
        detail: What else is said of it.
    """

    series_id: str
    scenario: str
    at: int | str
    length: timedelta
    value: float
    unit: str = "MW"
    detail: str | None = None


def parse(payload: bytes, facts: Facts) -> pl.DataFrame:
    """Return canonical rows of a dashboard.

    Raises:
        PayloadError: The JSON is none of the known dashboards, or a number in it is none.
    """
    what = short_name(facts.name, "dashboard")
    value = json_of(payload, what)
    if not isinstance(value, dict):
        raise PayloadError(f"{what} is a JSON {type(value).__name__}, no dashboard")
    _refuse_documents(value, what)
    reader = next((reader for tells, reader in _READERS if tells(value)), None)
    if reader is None:
        raise PayloadError(f"{what} is no dashboard whose shape we know; its keys are {', '.join(list(value)[:8])}")
    points = list(reader(value, what))
    updated = value.get("lastUpdated")
    stamp = instant(updated, f"{what}, lastUpdated") if isinstance(updated, str) else facts.last_modified
    basis = Basis.SOURCE_STAMP if isinstance(updated, str) else Basis.HTTP_LAST_MODIFIED
    rows = known_by(_framed(points, what), fetched_at=facts.fetched_at, stamp=stamp, basis=basis)
    return unrepeated(canonical(rows, what=what), ["series_id", "event_start", "scenario"])


def _framed(points: list[Point], what: str) -> pl.DataFrame:
    rows = pl.DataFrame(
        {
            "series_id": pl.Series([point.series_id for point in points], dtype=pl.String),
            "scenario": pl.Series([point.scenario for point in points], dtype=pl.String),
            "length": pl.Series([point.length for point in points], dtype=pl.Duration("us")),
            "value": pl.Series([point.value for point in points], dtype=pl.Float64),
            "unit": pl.Series([point.unit for point in points], dtype=pl.String),
            "quality_detail": pl.Series([point.detail for point in points], dtype=pl.String),
        }
    )
    at = [point.at for point in points]
    if all(isinstance(moment, int) for moment in at):
        ends = epochs_ms(pl.Series(at, dtype=pl.Int64))
    else:
        ends = instants(pl.Series([str(moment) for moment in at], dtype=pl.String), what)
    return rows.with_columns(event_end=ends.cast(TIME), source=pl.lit("ercot_dash")).with_columns(
        event_start=pl.col("event_end") - pl.col("length")
    )


def _number(value: object, what: str) -> float | None:
    """Return a cell as a number; some print thousands with commas."""
    if value is None or value == "":
        return None
    try:
        return float(_COMMAS.sub("", value.strip()) if isinstance(value, str) else value)  # ty: ignore[invalid-argument-type]
    except (TypeError, ValueError):
        raise PayloadError(f"{what} has {value!r} where a number belongs") from None


def _cells(
    rows: Iterable[object], fields: Mapping[str, Field], what: str, *, length: timedelta = _NOW
) -> Iterator[Point]:
    for row in rows:
        if not isinstance(row, dict):
            raise PayloadError(f"{what} has {str(row)[:80]} where a row belongs")
        at = row.get("epoch", row.get("timestamp"))
        if not isinstance(at, int | str):
            raise PayloadError(f"{what} has a row without epoch and timestamp: {str(row)[:200]}")
        for name, (series, scenario) in fields.items():
            number = _number(row.get(name), what)
            if number is not None:
                yield Point(series, scenario, at, length, number)


def _day_rows(value: Mapping[str, Any]) -> Iterator[object]:
    """Yield the rows of the day blocks, which are lists, or maps keyed by epoch."""
    for day in ("previousDay", "currentDay", "nextDay"):
        data = (value.get(day) or {}).get("data") or []
        yield from data.values() if isinstance(data, dict) else data


def _has(value: Mapping[str, Any], fields: Iterable[str]) -> bool:
    names = set(fields)
    return any(isinstance(row, dict) and not names.isdisjoint(row) for row in _day_rows(value))


def _storage(value: Mapping[str, Any], what: str) -> Iterator[Point]:
    return _cells(_day_rows(value), STORAGE, what)


def _load(value: Mapping[str, Any], what: str) -> Iterator[Point]:
    """Hours are stamped at their end."""
    return _cells(_day_rows(value), LOAD, what, length=_HOUR)


def _wind_solar(value: Mapping[str, Any], what: str) -> Iterator[Point]:
    """Hours are stamped at their end."""
    return _cells(_day_rows(value), WIND_SOLAR, what, length=_HOUR)


def _supply(value: Mapping[str, Any], what: str) -> Iterator[Point]:
    for row in value["data"]:
        scenario = "deterministic" if isinstance(row, dict) and row.get("forecast") else "actual"
        yield from _cells([row], {name: (series, scenario) for name, series in SUPPLY.items()}, what)
    yield from _cells(value.get("forecast") or [], SUPPLY_AHEAD, what, length=_HOUR)


def _fuel_mix(value: Mapping[str, Any], what: str) -> Iterator[Point]:
    """Stamps are seconds off the five-minute grid; they are kept."""
    for day in value["data"].values():
        for stamp, fuels in day.items():
            for fuel, cells in fuels.items():
                name = fuel.strip().lower().replace(" ", "_")
                for cell, family in (("gen", "gen"), ("hsl", "gen_hsl")):
                    number = _number(cells.get(cell), what)
                    if number is not None:
                        yield Point(f"ercot:{family}:{name}", "actual", stamp, _NOW, number)


def _outages(value: Mapping[str, Any], what: str) -> Iterator[Point]:
    for block in ("previous", "current"):
        for epoch, categories in (value.get(block) or {}).items():
            for category, cells in categories.items():
                if not isinstance(cells, dict):
                    continue
                for kind in _OUTAGES:
                    number = _number(cells.get(kind), what)
                    if number is not None:
                        yield Point(f"ercot:outages:{category.lower()}:{kind}", "actual", int(epoch), _NOW, number)


def _condition(value: Mapping[str, Any], what: str) -> Iterator[Point]:
    """The emergency signal: physical responsive capability and the energy-emergency level."""
    condition = value["current_condition"]
    seconds = _number(condition.get("datetime"), what)
    if seconds is None:
        raise PayloadError(f"{what} has a current_condition without datetime")
    detail = "; ".join(str(condition[key]) for key in ("state", "condition_note") if condition.get(key)) or None
    for name, (series, unit) in _CONDITION.items():
        number = _number(condition.get(name), what)
        if number is not None:
            yield Point(series, "actual", int(seconds * 1000), _NOW, number, unit, detail)


def _monitor(value: Mapping[str, Any], what: str) -> Iterator[Point]:
    """Capacity and reserves monitor: groups of key and value under a title row."""
    at = value.get("lastUpdated")
    if not isinstance(at, str):
        raise PayloadError(f"{what} has no lastUpdated, so its values are of no known time")
    for group in value["data"].values():
        for row in group:
            if len(row) == 2:  # noqa: PLR2004 - a key and its value; a title stands alone
                number = _number(row[1], f"{what}, {row[0]}")
                series = "ercot:prc" if row[0] == "prc" else f"ercot:as_monitor:{row[0]}"
                if number is not None:
                    yield Point(series, "actual", at, _NOW, number)


def _is_monitor(value: Mapping[str, Any]) -> bool:
    data = value.get("data")
    return isinstance(data, dict) and bool(data) and all(isinstance(group, list) for group in data.values())


def _is_fuel_mix(value: Mapping[str, Any]) -> bool:
    data = value.get("data")
    return isinstance(data, dict) and bool(data) and all(isinstance(day, dict) for day in data.values())


_READERS: Final[
    tuple[tuple[Callable[[dict[str, Any]], bool], Callable[[dict[str, Any], str], Iterator[Point]]], ...]
] = (
    (lambda value: isinstance(value.get("current_condition"), dict), _condition),
    (lambda value: _has(value, STORAGE), _storage),
    (lambda value: _has(value, LOAD), _load),
    (lambda value: _has(value, WIND_SOLAR), _wind_solar),
    (lambda value: isinstance(value.get("data"), list) and "forecast" in value, _supply),
    (lambda value: isinstance(value.get("current"), dict), _outages),
    (_is_monitor, _monitor),
    (_is_fuel_mix, _fuel_mix),
)


def _refuse_documents(value: Mapping[str, Any], what: str) -> None:
    """Refuse JSON of ours that holds no series: lists and catalogues say which documents there are."""
    if "ListDocsByRptTypeRes" in value:
        raise PayloadError(f"{what} is a list of documents, no series; load the documents that it names")
    if "_embedded" in value or "archives" in value:
        raise PayloadError(f"{what} is a catalogue, no series; load the reports that it names")
    if "statusCode" in value or "error" in value:
        told = value.get("message") or value.get("error")
        raise PayloadError(f"{what} is an error answer ({value.get('statusCode')}): {told}", retryable=True)
