"""ERCOT's operations messages: notices, watches and emergencies of the last month, as the web page prints them.

Put here: which messages the state of the grid brings about, and the page. Keep out: dashboards.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np

from domain.instants import CENTRAL
from simulators.faults import Faults, Table
from simulators.localtime import DAY_S, HOUR_S, utc
from simulators.noise import stream, uniforms
from simulators.world import World
from simulators.world_texas import ZONES

WINDOW_DAYS: Final = 31
QUARTER_S: Final = 900
_ROUTINE: Final = (
    ("ERCOT has postponed the deadline for the posting of the DAM solution.", "Advisory"),
    ("A generation trip occurred and frequency recovered within the allowed time.", "Operational Information"),
    ("The telemetry of a market participant is suspect; state estimator values are used.", "Operational Information"),
    ("A transmission outage was taken to maintain equipment.", "Operational Information"),
)
_LEVELS: Final = (
    (3000.0, "ERCOT is issuing a Watch: physical responsive capability is below 3,000 MW.", "Watch"),
    (2500.0, "ERCOT has declared Energy Emergency Alert Level 1: reserves are below 2,500 MW.", "Emergency Notice"),
    (2000.0, "ERCOT has declared Energy Emergency Alert Level 2: reserves are below 2,000 MW.", "Emergency Notice"),
    (1500.0, "ERCOT has declared Energy Emergency Alert Level 3: firm load is being shed.", "Emergency Notice"),
)
_HEADINGS: Final = ("Date and Time", "Notice", "Type", "Status")
_HOT_C: Final = 39.0
_COLD_C: Final = -8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One row of the page.

    Attributes:
        posted: When [epoch s].
        notice: The text.
        kind: As the page's third column says.
        until: When it is over [epoch s]; None for information that has no end.
    """

    posted: int
    notice: str
    kind: str
    until: int | None = None


def messages(world: World, now: float) -> list[Message]:
    """Return the messages of the last month, newest first."""
    start = max(int(now) - WINDOW_DAYS * DAY_S, (world.first_hour + 24) * HOUR_S)
    start -= start % DAY_S
    found = [*_routine(world, start, int(now)), *_scarcity(world, start, int(now)), *_weather(world, start, int(now))]
    shown = [message for message in found if message.posted <= now]
    return sorted(shown, key=lambda message: (message.posted, message.notice), reverse=True)


def _routine(world: World, start: int, now: int) -> list[Message]:
    slots = np.arange(start // (DAY_S // 2), now // (DAY_S // 2) + 1, dtype=np.int64)
    happens = uniforms(stream(world.seed, "message"), slots) < 0.5  # noqa: PLR2004 - one a day
    place = uniforms(stream(world.seed, "message", "text"), slots)
    late = uniforms(stream(world.seed, "message", "time"), slots)
    return [
        Message(posted=int((slot + when) * (DAY_S // 2)) // 60 * 60, notice=text, kind=kind)
        for slot, yes, which, when in zip(slots.tolist(), happens, place, late, strict=True)
        if yes
        for text, kind in [_ROUTINE[int(which * len(_ROUTINE))]]
    ]


def _scarcity(world: World, start: int, now: int) -> list[Message]:
    prc = world.window("texas_rt", start, now - now % QUARTER_S + QUARTER_S)["prc"]
    found = []
    for least, text, kind in _LEVELS:
        low = np.concatenate([[False], prc < least, [False]])
        edges = np.flatnonzero(np.diff(low.astype(np.int8)))
        for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            until = start + end * QUARTER_S
            still = until > now
            found.append(Message(posted=start + begin * QUARTER_S + 60, notice=text, kind=kind, until=until))
            if not still:
                over = f"The notice of {_clock(start + begin * QUARTER_S + 60)} has been cancelled: {text}"
                found.append(Message(posted=until + 60, notice=over, kind=kind, until=until))
    return found


def _weather(world: World, start: int, now: int) -> list[Message]:
    end = now - now % DAY_S + 4 * DAY_S
    temperature = world.window("texas", start, end)
    highest = np.max([temperature[f"temperature/{zone}"] for zone in ZONES], axis=0).reshape(-1, 24).max(axis=1)
    lowest = np.min([temperature[f"temperature/{zone}"] for zone in ZONES], axis=0).reshape(-1, 24).min(axis=1)
    found = []
    for place in range(2, highest.size):
        day = start + place * DAY_S
        for struck, what in ((highest[place] > _HOT_C, "extreme hot"), (lowest[place] < _COLD_C, "extreme cold")):
            if struck:
                text = f"ERCOT is issuing an OCN for predicted {what} weather on {utc(day):%m/%d/%Y}."
                posted = day - 2 * DAY_S + 16 * HOUR_S
                found.append(Message(posted=posted, notice=text, kind="Operating Condition Notice", until=day + DAY_S))
    return found


def _clock(seconds: int) -> str:
    local = utc(seconds).astimezone(CENTRAL)
    hour = local.hour % 12 or 12
    return f"{local:%b} {local.day}, {local.year} {hour}:{local:%M:%S %p}"


def page(world: World, now: float, faults: Faults) -> str:
    """Return the page: date and time (no zone), notice, type, status; rows may be lost or doubled, headings drift."""
    rows = []
    found = messages(world, now)
    posted = np.array([message.posted for message in found], np.int64)
    table = faults.visible(Table({"place": np.arange(posted.size)}, posted, posted, ()), "opsmessages", now)
    names, extra = faults.drifted("opsmessages", list(_HEADINGS))
    for message in (found[int(place)] for place in table.columns["place"].tolist()):
        status = "Active" if message.until is not None and message.until > now else "Cancelled"
        cells = (_clock(message.posted), message.notice, message.kind, status if message.until else "Active")
        cells += ("n/a",) * extra
        rows.append("<tr>" + "".join(f'<td class="tdLeft">{escape(cell)}</td>' for cell in cells) + "</tr>")
    head = "".join(f"<th>{name}</th>" for name in names)
    return (
        "<!DOCTYPE html><html><head><title>Operations Messages</title></head><body>"
        f'<table class="table"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></body></html>'
    )
