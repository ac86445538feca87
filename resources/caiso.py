"""CAISO OASIS: day-ahead, fifteen- and five-minute locational marginal prices, and load forecasts.

Put here: queries and windows of OASIS. Keep out: what its zips mean (resources/payloads/caiso.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Final

import polars as pl
from pydantic import ConfigDict, Field

from domain.instants import PACIFIC, iso
from resources.clock import Clock
from resources.http import Answer, Expect, Failures, Fetcher, HttpSettings, Land, NoAuth, Read, Request
from resources.http.closing import Closing
from resources.http.settings import Count
from resources.http.windows import Window, chunks, market_days_until, require_window, within
from resources.payloads import Facts, registry

_LONGEST_DAYS: Final = 31
"""OASIS refuses a longer window for a list of nodes."""
_DA_POSTED_AT: Final = time(13, 0)
"""Pacific time of day D-1 by which day D's prices are expected."""
_RT_POSTED_AFTER: Final = timedelta(minutes=15 + 5)
"""A fifteen-minute price appears about five minutes after its interval has ended."""
_RTD_POSTED_AFTER: Final = timedelta(minutes=5 + 5)
"""A five-minute price, likewise."""
_ONE_TICK: Final = timedelta(microseconds=1)
_TO_NEXT_MINUTE: Final = timedelta(minutes=1) - _ONE_TICK


@dataclass(frozen=True, slots=True, kw_only=True)
class _Query:
    """One kind of OASIS query; versions change at releases of OASIS."""

    name: str
    version: str
    run: str
    place: str = "node"


_DA_LMP: Final = _Query(name="PRC_LMP", version="12", run="DAM")
_RT_LMP: Final = _Query(name="PRC_RTPD_LMP", version="3", run="RTPD")
_RTD_LMP: Final = _Query(name="PRC_INTVL_LMP", version="3", run="RTM")
_LOAD_FORECASTS: Final = tuple(
    (_Query(name="SLD_FCST", version="1", run=run, place="tac_zone_name"), days)
    for run, days in (("DAM", 1), ("2DA", 2))
)
"""Forecasts of the load, each with how many days ahead of the delivery day it is out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaisoSettings:
    """What to read from OASIS, and how.

    Attributes:
        http: How to talk to it; it refuses calls that come faster than one in about 5 s.
        days_per_query: Longest window of one query [days].
        nodes_per_query: Nodes asked for together.
        nodes: Pricing nodes to read.
        tac_zones: Areas whose load forecasts are read.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    http: HttpSettings
    days_per_query: Annotated[int, Field(ge=1, le=_LONGEST_DAYS)]
    nodes_per_query: Count
    nodes: tuple[str, ...]
    tac_zones: tuple[str, ...] = ()


class CaisoClient(Closing):
    """Reads prices from OASIS, which asks for no login.

    Args:
        settings: What to read and how.
        credentials: None; OASIS is public.
        clock: Tells and passes time.
        land: Stores bytes before they are parsed.
        locks: Folder of the limiter's files.
    """

    def __init__(
        self, settings: CaisoSettings, *, credentials: None = None, clock: Clock, land: Land, locks: Path
    ) -> None:
        del credentials
        self._settings = settings
        self._clock = clock
        self._fetcher = Fetcher(
            "caiso",
            source="caiso_oasis",
            settings=settings.http,
            clock=clock,
            land=land,
            locks=locks,
            auth=NoAuth(),
        )

    def close(self) -> None:
        """Close the pooled connections."""
        self._fetcher.close()

    def da_lmp(self, start: datetime, end: datetime) -> Iterator[Read]:
        """Yield the hourly day-ahead prices (PRC_LMP) of hours that begin in the window.

        Args:
            start: First instant wanted [UTC].
            end: First instant not wanted [UTC]; cut at the end of the newest market day that can be out.

        Raises:
            ServiceError, PayloadError: After everything else was yielded, naming each query that failed.
        """
        start, end = require_window(start, end)
        until = market_days_until(self._clock.now(), PACIFIC, at=_DA_POSTED_AT, days_ahead=1)
        return self._prices(_DA_LMP, (start, min(end, until)))

    def rt_lmp(self, start: datetime, end: datetime) -> Iterator[Read]:
        """Yield the fifteen-minute prices (PRC_RTPD_LMP) of intervals that begin in the window.

        Arguments and errors as ``da_lmp``.
        """
        start, end = require_window(start, end)
        return self._prices(_RT_LMP, (start, min(end, self._clock.now() - _RT_POSTED_AFTER + _ONE_TICK)))

    def rtd_lmp(self, start: datetime, end: datetime) -> Iterator[Read]:
        """Yield the five-minute prices (PRC_INTVL_LMP) of intervals that begin in the window.

        Arguments and errors as ``da_lmp``.
        """
        start, end = require_window(start, end)
        return self._prices(_RTD_LMP, (start, min(end, self._clock.now() - _RTD_POSTED_AFTER + _ONE_TICK)))

    def load_forecasts(self, start: datetime, end: datetime) -> Iterator[Read]:
        """Yield the hourly load forecasts (SLD_FCST) of hours that begin in the window, day-ahead then two days ahead.

        Arguments and errors as ``da_lmp``.
        """
        start, end = require_window(start, end)
        for query, days in _LOAD_FORECASTS:
            until = market_days_until(self._clock.now(), PACIFIC, at=_DA_POSTED_AT, days_ahead=days)
            yield from self._prices(query, (start, min(end, until)))

    def _prices(self, query: _Query, window: Window) -> Iterator[Read]:
        failures = Failures("caiso")
        size = self._settings.nodes_per_query
        places = self._settings.nodes if query.place == "node" else self._settings.tac_zones
        groups = [places[i : i + size] for i in range(0, len(places), size)]
        for part in chunks(window, timedelta(days=self._settings.days_per_query)):
            for nodes in groups:
                run = "" if query.place == "node" else f":{query.run}"
                name = f"{query.name}{run}:{','.join(nodes)}"
                with failures.item(f"{name} {iso(part[0])}"):
                    yield self._read(query, nodes, part, name)
        failures.settle()

    def _read(self, query: _Query, nodes: tuple[str, ...], window: Window, name: str) -> Read:
        request = Request(
            path="/SingleZip",
            params=[
                ("queryname", query.name),
                ("version", query.version),
                ("market_run_id", query.run),
                ("startdatetime", _gmt(window[0])),
                ("enddatetime", _gmt(window[1] + _TO_NEXT_MINUTE)),
                (query.place, ",".join(nodes)),
                ("resultformat", "6"),  # CSV; without it the zip holds XML
            ],
            expect=Expect.ZIP,
            remedy="check the places under [caiso] in config/sources.toml: nodes change at network-model releases",
        )
        answer, rows = self._fetcher.fetch(request, self._parsed(query))
        rows = within(rows, window)
        return Read(name, window, rows, (answer.sha256,), () if rows.height else ("no rows in the window",))

    def _parsed(self, query: _Query) -> Callable[[Answer], tuple[Answer, pl.DataFrame]]:
        def parsed(answer: Answer) -> tuple[Answer, pl.DataFrame]:
            facts = Facts(fetched_at=answer.fetched_at, name=answer.name, product=query.name)
            return answer, registry.parse("caiso", answer.content, facts)

        return parsed


def _gmt(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H:%M-0000")
