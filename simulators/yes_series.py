"""What YES Energy knows: data types, objects, time zones and the arithmetic of its aggregation levels.

Put here: series on a five-minute grid and their roll-up. Keep out: HTTP and printing (yes.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from domain.errors import InputError
from domain.instants import CENTRAL, PACIFIC
from simulators.caiso_tables import operating_columns
from simulators.ercot_catalogue import delivery_columns, posted_on
from simulators.ercot_prices import DAM_HOUR, DAM_LATE_S
from simulators.faults import Faults, Table
from simulators.localtime import DAY_S, HOUR_S, to_local
from simulators.noise import Floats, Ints
from simulators.world import World, epochs

STEP_S: Final = 300
LATE_S: Final = 600
"""The vendor shows a price ten minutes after the market operator does."""
_STANDARD: Final = {"E": -5, "C": -6, "M": -7, "P": -8}
_PREVAILING: Final = {
    "E": ZoneInfo("America/New_York"),
    "C": CENTRAL,
    "M": ZoneInfo("America/Denver"),
    "P": PACIFIC,
}
LEVELS: Final = ("5min", "hour", "day", "week", "month", "year", "raw")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One priced place.

    Attributes:
        number: Its object id.
        name: Its name.
        market: ``CAISO`` or ``ERCOT``.
    """

    number: str
    name: str
    market: str


NODES: Final = (
    Node(number="20000002064", name="TH_NP15_GEN-APND", market="CAISO"),
    Node(number="20000004141", name="RALSTON_7_B1", market="CAISO"),
    Node(number="20000004142", name="OXBOWF_7_B1", market="CAISO"),
    Node(number="10000697077", name="HB_HOUSTON", market="ERCOT"),
    Node(number="10000697078", name="HB_NORTH", market="ERCOT"),
    Node(number="10000697079", name="HB_SOUTH", market="ERCOT"),
    Node(number="10000697080", name="HB_WEST", market="ERCOT"),
)
"""Object ids are examples of the right form."""
_PARTS: Final = {"": "LMP", "_ENERGY": "MCE", "_CONG": "MCC", "_LOSS": "MCL"}
_CALIFORNIA: Final = {
    "DALMP": ("sierra", HOUR_S),
    "LMP_15MIN": ("california_rt", 900),
    "RTLMP": ("california_5min", STEP_S),
}
_TEXAS: Final = {"DALMP": ("texas", HOUR_S), "RTLMP": ("texas_rt", 900)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One column: a data type at a node; ``node`` is None where no such object is licensed."""

    data_type: str
    asked: str
    node: Node | None

    @property
    def header(self) -> str:
        """The column's name."""
        return f"{self.node.name if self.node else self.asked} ({self.data_type})"


def parse_items(text: str) -> list[Item]:
    """Return the columns of ``DATATYPE:OBJECT[:ISO],...``.

    Raises:
        InputError: An item is malformed or its data type unknown.
    """
    items = []
    for part in filter(None, text.split(",")):
        data_type, _, asked = part.partition(":")
        name, _, market = asked.partition(":")
        base = next((kind for kind in ("LMP_15MIN", "DALMP", "RTLMP") if data_type.startswith(kind)), "")
        if not asked or data_type.removeprefix(base) not in _PARTS or not base:
            raise InputError(f"Unknown item {part}")
        node = next((one for one in NODES if name in {one.number, one.name} and market in {"", one.market}), None)
        items.append(Item(data_type=data_type, asked=name, node=node))
    if not items:
        raise InputError("items is required")
    return items


def parse_day(text: str, today: date) -> date:
    """Return a date written MM/DD/YYYY, yyyy-MM-dd, YYYYMMDD, ``today`` or ``today-7``.

    Raises:
        InputError: It is written in another way.
    """
    if text.startswith("today"):
        shift = text.removeprefix("today") or "0"
        if shift.lstrip("+-").isdigit():
            return today + timedelta(days=int(shift))
    for pattern in ("%m/%d/%Y", "%Y-%m-%d", "%Y%m%d"):
        try:
            return datetime.strptime(text, pattern).date()  # noqa: DTZ007 - a calendar day has no zone
        except ValueError:
            continue
    raise InputError(f"Unable to parse date {text}")


def parse_zone(text: str | None, items: list[Item]) -> ZoneInfo | int:
    """Return a zone, or a fixed offset [h]; without one named, the prevailing zone of the first item's market.

    Raises:
        InputError: It is unknown.
    """
    if text is None:
        texan = any(item.node and item.node.market == "ERCOT" for item in items[:1])
        return CENTRAL if texan else PACIFIC
    name = text.upper()
    if name in {"GMT", "UTC"}:
        return 0
    if len(name) == 3 and name[0] in _STANDARD and name[2] == "T" and name[1] in "SP":  # noqa: PLR2004 - as in PPT
        return _STANDARD[name[0]] if name[1] == "S" else _PREVAILING[name[0]]
    raise InputError(f"Unknown timezone {text}")


def local_reading(seconds: Ints, zone: ZoneInfo | int) -> Ints:
    """Return the naive reading of UTC epochs [s] in a zone."""
    return seconds + zone * HOUR_S if isinstance(zone, int) else to_local(seconds, zone)[0]


def day_starts(day: date, zone: ZoneInfo | int) -> int:
    """Return when a calendar day begins in a zone [epoch s]."""
    midnight = (day - date(1970, 1, 1)).days * DAY_S
    if isinstance(zone, int):
        return midnight - zone * HOUR_S
    naive = datetime(day.year, day.month, day.day, tzinfo=zone)
    return int(naive.timestamp())


def five_minutes(world: World, faults: Faults, item: Item, start: int, end: int, now: float) -> Floats:
    """Return an item every five minutes from ``start`` on; NaN where nothing is known at ``now``."""
    empty = np.full((end - start) // STEP_S, np.nan)
    if item.node is None:
        return empty
    base = next(kind for kind in ("LMP_15MIN", "DALMP", "RTLMP") if item.data_type.startswith(kind))
    part = _PARTS[item.data_type.removeprefix(base)]
    texan = item.node.market == "ERCOT"
    known = (_TEXAS if texan else _CALIFORNIA).get(base)
    if known is None or (texan and part != "LMP"):
        return empty
    family, step = known
    low, high = max(start - start % step, world.first_hour * HOUR_S), end + -end % step
    at = epochs(low, high, step)
    name = _texan_name(item.node.name, base) if texan else f"{item.node.name}/{part}"
    value = world.window(family, low, high)[name]
    table = Table({"value": value}, at, _published(world, at, step, base, texan=texan), ("value",))
    table = faults.visible(table, f"yes:{item.data_type}:{item.node.number}", now)
    place = (table.event[:, None] - start + np.arange(0, step, STEP_S)) // STEP_S
    inside = (place >= 0) & (place < empty.size)
    empty[place[inside]] = np.broadcast_to(table.columns["value"][:, None], place.shape)[inside]
    return empty


def _texan_name(name: str, base: str) -> str:
    return f"da/{name}" if base == "DALMP" else f"{name}/HU"


def _published(world: World, at: Ints, step: int, base: str, *, texan: bool) -> Ints:
    if base != "DALMP":
        return at + step + LATE_S + (120 if texan else 300)
    if texan:
        days, place = np.unique(delivery_columns(at)["day"].astype(np.int64), return_inverse=True)
        return posted_on(world, days - 1, DAM_HOUR, DAM_LATE_S, "day ahead")[place] + LATE_S
    midnight: Ints = operating_columns(at)["midnight"]
    return midnight - 11 * HOUR_S + 300 + LATE_S


def buckets(at: Ints, zone: ZoneInfo | int, level: str) -> tuple[Ints, Ints]:
    """Return the bucket of each five minutes that begin at ``at``, and when each bucket ends [epoch s].

    Hours are elapsed hours, so an autumn day has a label twice; longer levels follow the zone's calendar.
    """
    if level in {"5min", "raw"}:
        return np.arange(at.size, dtype=np.int64), at + STEP_S
    if level == "hour":
        _, place = np.unique(at // HOUR_S, return_inverse=True)
        return place, (np.unique(at // HOUR_S) + 1) * HOUR_S
    days = local_reading(at, zone) // DAY_S
    if level == "week":
        days = days - (days + 3) % 7
    elif level != "day":
        unit = "M8[M]" if level == "month" else "M8[Y]"
        days = days.astype("M8[D]").astype(unit).astype("M8[D]").astype(np.int64)
    found, place = np.unique(days, return_inverse=True)
    last = np.array([int(at[place == number][-1]) + STEP_S for number in range(found.size)], np.int64)
    return place, last


def rolled_up(values: Floats, place: Ints, stat: str) -> Floats:
    """Return mean, least or most of each bucket; NaN while part of it is unknown."""
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    if stat == "min":
        return np.minimum.reduceat(values, starts)
    if stat == "max":
        return np.maximum.reduceat(values, starts)
    return np.add.reduceat(values, starts) / np.diff(np.append(starts, values.size))
