"""What a Texan product is: fields, postings, and the two faces of its rows (row store and CSV document).

Put here: the record every product fills in and the calendar arithmetic all of them share.
Keep out: the products (ercot_prices.py, ercot_system.py), HTTP (ercot_rows.py, ercot_archive.py, ercot_mis.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.instants import CENTRAL
from simulators.faults import Table
from simulators.localtime import DAY_S, HOUR_S, day_bounds, local_date, to_local
from simulators.noise import Ints, stream, uniforms
from simulators.world import World, epochs

QUARTER_S: Final = 900
Schedule = Callable[[World, int, int], Ints]
"""Gives the posting times [epoch s] in [start, end), ascending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which rows a builder has to make; it may make more, a filter follows.

    Attributes:
        first: First local day that rows may be about.
        last: Last local day, inclusive.
        posted_from: Postings before this need not be made [epoch s].
        posted_to: Postings after this need not be made [epoch s].
        exact: Exact filters by field name, for builders that can spare work.
    """

    first: date
    last: date
    posted_from: int
    posted_to: int
    exact: dict[str, str] = field(default_factory=dict)


def headed(fields: Mapping[str, str], **headers: str) -> dict[str, str]:
    """Return a document's header -> field: the names with a capital, the posting stamp left out.

    Args:
        fields: Of the rows.
        headers: Field -> its header, where that is another.
    """
    return {headers.get(name, name[:1].upper() + name[1:]): name for name in fields if name != "postedDatetime"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One product, or one artifact of a product that has several.

    Attributes:
        emil: Its id, such as ``NP6-905-CD``.
        report_id: Its report type on the market information system.
        artifact: The last part of its row endpoint; None where only documents exist.
        title: Its display name.
        fields: Name -> data type, in the order of the rows.
        day_field: The field a window is asked by.
        build: Makes the rows of a window, published or not.
        postings: Posting times [epoch s] in [start, end), ascending.
        days: First and last local day a posting is about, counted from the day of the posting.
        csv: Header -> field, in the order of the document's columns.
        formats: Header -> format where the document prints a field in its own way.
        stem: The document's name; ``{date}``, ``{time}`` and ``{seconds}`` stand for the end of what it is about.
        late_s: Seconds from the end of what a document is about to its posting, where the stem names that end.
        mis_days: How long the market information system lists a document.
        posted_field: The field that holds the posting time, where the product has one.
        frequency: How the catalogue names its rhythm.
    """

    emil: str
    report_id: int
    artifact: str | None
    title: str
    fields: dict[str, str]
    day_field: str
    build: Callable[[World, Window], Table]
    postings: Schedule
    days: tuple[int, int]
    csv: dict[str, str]
    stem: str
    formats: dict[str, str] = field(default_factory=dict)
    late_s: int = 0
    mis_days: int = 7
    posted_field: str | None = None
    frequency: str = "Chron - Hourly"

    def has_range(self, name: str) -> bool:
        """Tell whether a field takes ``...From`` and ``...To``."""
        return name == "hourEnding" or self.fields[name] in {"DATE", "DATETIME", "INTEGER", "LONG", "DOUBLE"}

    def document_window(self, posted_from: int, posted_to: int) -> Window:
        """Return the window that holds every row of the documents posted in [posted_from, posted_to]."""
        first = local_date(posted_from, CENTRAL) + timedelta(days=self.days[0])
        last = local_date(posted_to, CENTRAL) + timedelta(days=self.days[1])
        return Window(first=first, last=last, posted_from=posted_from, posted_to=posted_to)


def delivery_columns(start: Ints) -> dict[str, NDArray[Any]]:
    """Return date, hour (1 to 24), quarter (1 to 4) and repeat flag of intervals that start at UTC epochs [s]."""
    local, repeated = to_local(start, CENTRAL)
    return {
        "day": (local // DAY_S).astype("datetime64[D]"),
        "hour": local % DAY_S // HOUR_S + 1,
        "interval": local % HOUR_S // QUARTER_S + 1,
        "repeated": repeated,
    }


def local_stamps(at: Ints) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return naive Central readings of UTC epochs [s] and whether each is the second pass of the autumn hour."""
    local, repeated = to_local(at, CENTRAL)
    return local.astype("datetime64[s]"), repeated


def hour_text(hour: Ints) -> NDArray[np.str_]:
    """Return hours 1 to 24 as ``01:00`` to ``24:00``."""
    names = np.array([f"{number:02d}:00" for number in range(25)])
    return names[hour]


def span(window: Window, world: World) -> tuple[int, int]:
    """Return the UTC epochs [s] of the window's local days, cut at the world's beginning."""
    start = max(day_bounds(window.first, CENTRAL)[0], world.first_hour * HOUR_S)
    return start, max(start, day_bounds(window.last, CENTRAL)[1])


def repeated_for(points: int, columns: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return columns of intervals with each row repeated for every point."""
    return {name: np.repeat(values, points) for name, values in columns.items()}


def every(step: int, offset: int) -> Schedule:
    """Return a posting schedule: ``offset`` seconds after every ``step`` seconds."""

    def postings(world: World, start: int, end: int) -> Ints:
        first = max(start, world.first_hour * HOUR_S + DAY_S)
        return epochs(first + (offset - first) % step, end, step)

    return postings


def daily(hour: float, late_s: int, name: str) -> Schedule:
    """Return a posting schedule: each local day at ``hour``, up to ``late_s`` seconds late."""

    def postings(world: World, start: int, end: int) -> Ints:
        first, last = local_date(start, CENTRAL), local_date(end, CENTRAL)
        days = np.arange(first.toordinal(), last.toordinal() + 1, dtype=np.int64)
        at = posted_on(world, days - date(1970, 1, 1).toordinal(), hour, late_s, name)
        return at[(at >= max(start, world.first_hour * HOUR_S)) & (at < end)]

    return postings


def posted_on(world: World, days: Ints, hour: float, late_s: int, name: str) -> Ints:
    """Return when something is posted on local days (since 1970) [epoch s]: at ``hour``, up to ``late_s`` s late."""
    # Counted back from the following midnight: clocks change at two in the morning, before any posting.
    midnight = np.array([day_bounds(date(1970, 1, 1) + timedelta(days=int(day)), CENTRAL)[1] for day in days], np.int64)
    late = late_s * uniforms(stream(world.seed, "posted", name), days)
    return midnight - int((24.0 - hour) * HOUR_S) + late.astype(np.int64)


def stacked(parts: list[Table]) -> Table:
    """Return tables of the same columns as one."""
    if not parts:
        return Table({}, np.array([], np.int64), np.array([], np.int64), ())
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
    event = np.concatenate([part.event for part in parts])
    return Table(columns, event, np.concatenate([part.published for part in parts]), parts[0].measured)
