"""One stream of the PI Web API: its WebId, its hourly values, its archived events page by page.

Put here: paths, parameters and paging of single streams. Keep out: several at once (resources/pi_sets.py), windows
and failures (resources/pi.py), what bodies mean (resources/payloads/pi.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote

import polars as pl

from domain.errors import PayloadError
from domain.instants import floor_hour, iso
from resources.clock import Clock
from resources.http import Answer, Fetcher, Request, StatusError
from resources.http.windows import Window
from resources.payloads import Facts, registry
from resources.payloads.pi import next_link
from resources.pi_settings import Kind, PiSettings, PiTag

T = TypeVar("T")
Params = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows and where their bytes are."""

    rows: pl.DataFrame
    sha256: str


def call_of(kind: Kind, window: Window, *, count: int, start: str | None = None) -> tuple[str, Params]:
    """Return the stream call of a reading and its parameters.

    Args:
        kind: Which reading.
        window: What to read, half-open; PI includes both ends.
        count: Most archived events of one page.
        start: The exact stamp at which a next page begins.
    """
    if kind == "recorded":
        bounds = [("startTime", start or iso(window[0])), ("endTime", iso(window[1]))]
        return "recorded", [*bounds, ("boundaryType", "Inside"), ("maxCount", str(count))]
    bounds = [("startTime", iso(floor_hour(window[0]))), ("endTime", iso(window[1]))]
    if kind == "interp1h":
        return "interpolated", [*bounds, ("interval", "1h")]
    return "summary", [
        *bounds,
        ("summaryType", "Average"),
        ("summaryType", "PercentGood"),  # a mean over bad data looks like any other without it
        ("summaryDuration", "1h"),
        ("calculationBasis", "TimeWeighted"),
        ("timeType", "EarliestTime"),  # the default stamp differs between server versions
    ]


class PiStreams:
    """Reads single streams.

    Args:
        fetcher: Talks to the server.
        settings: What to read and how.
        clock: Tells the age of WebIds.
    """

    def __init__(self, fetcher: Fetcher, settings: PiSettings, clock: Clock) -> None:
        self._fetcher = fetcher
        self._settings = settings
        self._clock = clock
        self._web_ids: dict[str, tuple[str, datetime]] = {}

    def read(self, tag: PiTag, kind: Kind, window: Window) -> list[Part]:
        """Return a reading, page by page.

        Raises:
            StatusError: The tag does not exist, or the server failed.
            PayloadError: The answer is not what the contract says.
        """
        return self._recorded(tag, window) if kind == "recorded" else self._hourly(tag, kind, window)

    def _hourly(self, tag: PiTag, kind: Kind, window: Window) -> list[Part]:
        call, params = call_of(kind, window, count=self._settings.page_size)
        answer, rows = self._stream(tag, call, params, parsed(tag, kind))
        parts = [Part(rows, answer.sha256)]
        while link := next_link(answer.content):
            if not link.startswith(self._settings.http.base_url):
                raise PayloadError(f"pi: {answer.url} continues at {link}, which is another server; not followed")
            answer, rows = self._fetcher.fetch(Request(path=link), parsed(tag, kind))
            parts.append(Part(rows, answer.sha256))
        return parts

    def _recorded(self, tag: PiTag, window: Window) -> list[Part]:
        """Return all pages of archived events; a full page says nothing about the events after it.

        The next page begins at the last instant seen and brings all events of that instant again, so this page's
        share of them is dropped.
        """
        parts: list[Part] = []
        start, size = iso(window[0]), self._settings.page_size
        while True:
            call, params = call_of("recorded", window, count=size, start=start)
            answer, rows = self._stream(tag, call, params, parsed(tag, "recorded"))
            items = answer.json["Items"]
            if len(items) < size:
                return [*parts, Part(rows, answer.sha256)]
            parts.append(Part(rows.filter(pl.col("event_start") < rows["event_start"].max()), answer.sha256))
            last = items[-1]["Timestamp"]
            if last == start:  # the whole page is one instant
                if size >= self._settings.largest_page:
                    raise PayloadError(f"pi: {tag.path} has more than {size} events at {last}; no page can pass it")
                size = min(2 * size, self._settings.largest_page)
            start = last

    def _stream(self, tag: PiTag, call: str, params: Params, read: Callable[[Answer], T]) -> T:
        """Call one stream; an id that the server no longer knows is looked up once more by path."""
        remembered = self.known_web_id(tag) is not None
        try:
            return self._fetcher.fetch(Request(path=self._path(tag, call), params=params), read)
        except StatusError as error:
            if error.status != HTTPStatus.NOT_FOUND or not remembered:
                raise
        del self._web_ids[tag.path]
        return self._fetcher.fetch(Request(path=self._path(tag, call), params=params), read)

    def _path(self, tag: PiTag, call: str) -> str:
        return f"/streams/{quote(self.web_id(tag), safe='')}/{call}"

    def known_web_id(self, tag: PiTag) -> str | None:
        """Return the tag's id if it was looked up and is young enough."""
        web_id, until = self._web_ids.get(tag.path, (None, self._clock.now()))
        return web_id if self._clock.now() < until else None

    def remember(self, tag: PiTag, web_id: object) -> str:
        """Keep what a look-up gave.

        Raises:
            PayloadError: It is no id.
        """
        if not isinstance(web_id, str) or not web_id:
            raise PayloadError(
                f"pi: the look-up of {tag.path} gave no WebId; it is no attribute or point of the server"
            )
        self._web_ids[tag.path] = web_id, self._clock.now() + timedelta(hours=self._settings.webid_ttl_h)
        return web_id

    def lookup(self, tag: PiTag) -> tuple[str, Params]:
        """Return the call that looks a tag up by its path, and its parameters."""
        path = rf"\\{self._settings.af_server}" + "\\" + tag.path.replace("/", "\\")
        kind = "/attributes" if "|" in tag.path else "/points"
        return kind, [("path", path), ("selectedFields", "WebId;Name;Path")]

    def web_id(self, tag: PiTag) -> str:
        """Return the tag's id, asking the server where it is not remembered.

        Raises:
            StatusError: There is no such tag.
        """
        known = self.known_web_id(tag)
        if known is not None:
            return known
        path, params = self.lookup(tag)
        remedy = f"no such tag: correct {tag.path!r} under [[pi.tags]] in config/sources.toml"
        request = Request(path=path, params=params, land=False, remedy=remedy)
        return self.remember(tag, self._fetcher.fetch(request, lambda answer: answer.json.get("WebId")))


def facts_of(tag: PiTag, kind: Kind, answer: Answer) -> Facts:
    """Return what is known about a tag's answer besides its bytes."""
    return Facts(
        fetched_at=answer.fetched_at,
        name=answer.name,
        product=f"{tag.path}:{kind}",
        options={"unit": tag.unit},
    )


def parsed(tag: PiTag, kind: Kind) -> Callable[[Answer], tuple[Answer, pl.DataFrame]]:
    """Return a reader of a single stream's answer."""
    return lambda answer: (answer, registry.parse("pi", answer.content, facts_of(tag, kind, answer)))
