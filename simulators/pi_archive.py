"""What the historian holds: tags, their events, and the arithmetic between events.

Put here: the tag list, the times it understands, interpolation and period averages. Keep out: JSON and HTTP (pi.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.errors import InputError
from domain.instants import PACIFIC
from simulators.faults import Faults, Table
from simulators.localtime import DAY_S, HOUR_S
from simulators.noise import Floats, Ints
from simulators.world import SAMPLE_S, World

SERVER: Final = "PISRV"
TICKS: Final = 10_000_000
"""The archive counts in ticks of 100 ns: its stamps have seven decimals."""
MODES: Final = ("GEN", "SPILL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    r"""One attribute of the asset tree.

    Attributes:
        path: ``database\element\element|attribute``, without the server.
        series: Its series in the world's ``samples``, or ``award_mw``.
        unit: As the historian prints it.
        step: The value holds until the next event; otherwise values between events are interpolated.
        mean: The event at t is the mean of [t, t + 5 min), hence known only at its end.
        decimals: Resolution of the instrument.
        digital: Digital states instead of numbers.
        jitter: Stamps fall somewhere inside their second, with seven decimals.
    """

    path: str
    series: str
    unit: str
    step: bool = True
    mean: bool = True
    decimals: int = 2
    digital: bool = False
    jitter: bool = False


TAGS: Final = (
    Tag(
        path=r"OPS\Reservoirs\Afterbay|Elevation", series="elevation_ft", unit="ft", step=False, mean=False, decimals=4
    ),
    Tag(path=r"OPS\Reservoirs\Afterbay|Elevation Setpoint", series="float_ft", unit="ft", mean=False),
    Tag(path=r"OPS\Generation Units\Oxbow|Power", series="power_mw", unit="MW", decimals=4, jitter=True),
    Tag(path=r"OPS\Generation Units\Oxbow|Gov Setpoint", series="setpoint_mw", unit="MW", mean=False),
    Tag(path=r"Energy_Marketing\Misc Tags|GEN_MDFK_and_RA", series="mfra_mw", unit="MW", decimals=3, jitter=True),
    Tag(path=r"Energy_Marketing\Misc Tags|ADS_MDFK_and_RA", series="award_mw", unit="MW", mean=False),
    Tag(path=r"Energy_Marketing\Misc Tags|ADS_Oxbow", series="setpoint_mw", unit="MW", mean=False),
    Tag(path=r"OPS\Additions for PI Vision|CCS Mode", series="spill_mode", unit="", mean=False, digital=True),
    Tag(path=r"OPS\Gauging Stations\R4|Flow", series="r4_cfs", unit="cfs"),
    Tag(path=r"OPS\Gauging Stations\R10|Flow", series="r10_cfs", unit="cfs"),
    Tag(path=r"OPS\Gauging Stations\R11|Flow", series="r11_cfs", unit="cfs"),
    Tag(path=r"OPS\Gauging Stations\R20|Flow", series="r20_cfs", unit="cfs"),
    Tag(path=r"OPS\Gauging Stations\R26|Flow", series="r26_cfs", unit="cfs"),
    Tag(path=r"OPS\Gauging Stations\R30|Flow_EM", series="r30_cfs", unit="ft3/s"),
    Tag(path=r"OPS\Gauging Stations\R5L|Flow", series="r5l_cfs", unit="cfs"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Events of one tag in time order.

    Attributes:
        at: Stamps [epoch s], evenly spaced unless events were lost.
        value: NaN where the value is bad.
    """

    at: Ints
    value: Floats


class Archive:
    """Reads tags out of the world, through the data faults."""

    def __init__(self, world: World, faults: Faults) -> None:
        self._world = world
        self._faults = faults

    def events(self, tag: Tag, start: int, end: int, now: float) -> Events:
        """Return events with start <= stamp < end [epoch s] that are known at ``now``."""
        low = max(start - start % SAMPLE_S, self._world.first_hour * HOUR_S + SAMPLE_S)
        # Nothing after the present can be known yet: no need to look further than the sample that is under way.
        high = min(end, int(now) + SAMPLE_S)
        high += -high % SAMPLE_S
        if high <= low:
            return Events(at=np.array([], np.int64), value=np.array([]))
        at = np.arange(low, high, SAMPLE_S, dtype=np.int64)
        value = np.round(self._samples(tag, low, high), tag.decimals)
        published = at + (SAMPLE_S if tag.mean else 2)
        table = Table({"value": value}, at, published, ("value",))
        table = self._faults.visible(table, f"pi:{tag.path}", now)
        value = table.columns["value"]
        if tag.digital:  # whatever a switch makes of a state's number, it is the number of a state
            value = np.abs(np.round(value)) % len(MODES)
        inside = (table.event >= start) & (table.event < end)
        return Events(at=table.event[inside], value=value[inside])

    def _samples(self, tag: Tag, low: int, high: int) -> Floats:
        if tag.series == "award_mw":
            hours = self._world.window("sierra", low - low % HOUR_S, high + (-high) % HOUR_S)["award_mw"]
            skipped = low % HOUR_S // SAMPLE_S
            return np.repeat(hours, HOUR_S // SAMPLE_S)[skipped : skipped + (high - low) // SAMPLE_S]
        # Levels are known at the end of each five minutes: the element before holds the level at this stamp.
        shift = 0 if tag.step else SAMPLE_S
        return self._world.window("samples", low - shift, high - shift)[tag.series]

    def recorded(self, tag: Tag, start: int, end: int, now: float) -> tuple[Ints, Floats]:
        """Return archived events: stamps in ticks and values, unchanged values compressed away but for one an hour."""
        events = self.events(tag, start - SAMPLE_S, end, now)
        previous = np.concatenate([[np.inf], events.value[:-1]])
        same = (events.value == previous) | (np.isnan(events.value) & np.isnan(previous))
        keep = (~same | (events.at % HOUR_S == 0)) & (events.at >= start)
        at = events.at[keep] * TICKS
        if tag.jitter:
            at = at + at // TICKS * 7919 % 9_999_991
        return at, events.value[keep]

    def at_times(self, tag: Tag, times: Ints, now: float) -> Floats:
        """Return the value at each time [epoch s]: flat from the newest event to the present, NaN after it."""
        events = self.events(tag, int(times.min()) - DAY_S, int(times.max()) + SAMPLE_S, now)
        if not events.at.size:
            return np.full(times.size, np.nan)
        return np.where(times <= now, self._fill(tag, events, times), np.nan)

    def periods(self, tag: Tag, bounds: Ints, now: float) -> dict[str, Floats]:
        """Return time-weighted statistics of the periods between consecutive ``bounds`` [epoch s].

        Returns:
            Average, Minimum, Maximum, Range, StdDev, Total (unit x days, scaled up where values are bad), Count
            (events) and PercentGood, one element a period; NaN where a period holds nothing good.
        """
        events = self.events(tag, int(bounds[0]) - DAY_S, int(bounds[-1]) + SAMPLE_S, now)
        known_until = min(int(now), int(events.at[-1]) + SAMPLE_S) if events.at.size else int(bounds[0])
        places = np.union1d(np.append(events.at, known_until), bounds)
        places = places[(places >= bounds[0]) & (places <= bounds[-1])]
        values = self._fill(tag, events, places)
        width = np.diff(places).astype(float)
        mean = values[:-1] if tag.step else (values[:-1] + values[1:]) / 2.0
        good = np.isfinite(mean) & (places[:-1] < known_until)
        width_good, mean = np.where(good, width, 0.0), np.where(good, mean, 0.0)
        first = np.searchsorted(places, bounds[:-1])
        seconds = np.add.reduceat(width_good, first)[: bounds.size - 1]
        area = np.add.reduceat(width_good * mean, first)
        square = np.add.reduceat(width_good * mean**2, first)
        full = np.diff(bounds).astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            average = area / seconds
            deviation = np.sqrt(np.maximum(square / seconds - average**2, 0.0))
        low = np.minimum.reduceat(np.where(good, mean, np.inf), first)
        high = np.maximum.reduceat(np.where(good, mean, -np.inf), first)
        low, high = np.where(seconds > 0, low, np.nan), np.where(seconds > 0, high, np.nan)
        count = np.diff(np.searchsorted(events.at, bounds)).astype(float)
        return {
            "Total": average * full / DAY_S,
            "Average": average,
            "Minimum": low,
            "Maximum": high,
            "Range": high - low,
            "StdDev": deviation,
            "Count": count,
            "PercentGood": 100.0 * seconds / full,
        }

    @staticmethod
    def _fill(tag: Tag, events: Events, places: Ints) -> Floats:
        if not events.at.size:
            return np.full(places.size, np.nan)
        if tag.step:
            index = np.searchsorted(events.at, places, side="right") - 1
            return np.where(index >= 0, events.value[np.maximum(index, 0)], np.nan)
        return np.interp(places, events.at, events.value, left=np.nan)


def stamp(ticks: int) -> str:
    """Return ticks as ``2026-01-05T10:00:00.1230001Z``, without the fraction where it is zero."""
    seconds, fraction = divmod(ticks, TICKS)
    text = datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{fraction:07d}Z".replace(".0000000Z", "Z") if fraction else f"{text}Z"


def stamps(seconds: Ints) -> list[str]:
    """Return whole seconds as ``2026-01-05T10:00:00Z``."""
    texts: NDArray[np.str_] = np.datetime_as_string(seconds.astype("datetime64[s]"), unit="s")
    return [f"{text}Z" for text in texts.tolist()]


_UNITS: Final = {"s": 1, "m": 60, "h": HOUR_S, "d": DAY_S, "w": 7 * DAY_S}
_NAMES: Final = {
    "second": "s",
    "seconds": "s",
    "sec": "s",
    "min": "m",
    "minute": "m",
    "minutes": "m",
    "hour": "h",
    "hours": "h",
    "hr": "h",
    "day": "d",
    "days": "d",
    "week": "w",
    "weeks": "w",
}
_RELATIVE: Final = re.compile(r"^(\*|t|y|today|yesterday)?\s*((?:[+-]\s*\d+(?:\.\d+)?\s*[a-z]+\s*)*)$", re.IGNORECASE)
_PART: Final = re.compile(r"([+-])\s*(\d+(?:\.\d+)?)\s*([a-z]+)", re.IGNORECASE)
_FRACTION: Final = re.compile(r"\.(\d+)")


def duration_s(text: str) -> int:
    """Return the seconds of an interval such as ``5m`` or ``1h``.

    Raises:
        InputError: It is no positive interval.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*", text)
    name = _NAMES.get(match[2].lower(), match[2].lower()) if match else ""
    if match is None or name not in _UNITS or float(match[1]) <= 0:
        raise InputError(f"Unknown or invalid time interval '{text}'.")
    return int(float(match[1]) * _UNITS[name])


def moment_ticks(text: str, now: float) -> int:
    """Return a time expression in ticks: ISO-8601 (without a zone: the server's, Pacific), or ``*``, ``t``, ``*-1d``.

    Raises:
        InputError: The expression is not understood.
    """
    relative = _RELATIVE.match(text.strip())
    if relative and text.strip():
        base = datetime.fromtimestamp(int(now), tz=UTC)
        word = (relative[1] or "*").lower()
        if word != "*":
            midnight = base.astimezone(PACIFIC).replace(hour=0, minute=0, second=0, microsecond=0)
            base = midnight - timedelta(days=1 if word.startswith("y") else 0)
        shift = sum(
            (1 if sign == "+" else -1) * duration_s(f"{number}{unit}")
            for sign, number, unit in _PART.findall(relative[2])
        )
        return (int(base.timestamp()) + shift) * TICKS
    fraction = _FRACTION.search(text)
    try:
        moment = datetime.fromisoformat(_FRACTION.sub("", text.strip()))
    except ValueError:
        raise InputError(f"The time '{text}' could not be parsed.") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=PACIFIC)
    return int(moment.timestamp()) * TICKS + (int(fraction[1].ljust(7, "0")[:7]) if fraction else 0)
