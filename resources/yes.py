"""YES Energy's DataSignals: time series of prices and loads, licensed market by market.

Put here: items, dates and batches of its query. Keep out: what the answers mean (resources/payloads/yes.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Final, Literal

import polars as pl
from pydantic import ConfigDict

from domain.instants import CENTRAL, PACIFIC, iso
from resources.clock import Clock
from resources.http import Answer, Basic, Expect, Failures, Fetcher, HttpSettings, Land, Read, Request
from resources.http.closing import Closing
from resources.http.settings import Count
from resources.http.windows import Window, chunks, market_days_until, require_window, within
from resources.payloads import Facts, registry

_MARKET_CLOSE: Final = {"CAISO": (PACIFIC, time(13)), "ERCOT": (CENTRAL, time(13, 30))}
"""By when, on the day before, a market's day-ahead results are out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class YesGroup:
    """Items that are asked for together.

    Attributes:
        iso: Their market; the answer does not say.
        agglevel: Their period; a longer one than the native averages them.
        day_ahead: Whether they are known a day ahead; others end at the present.
        items: ``DATATYPE:OBJECT``, such as ``DALMP:20000002064``.
        unit: Needed for data types whose name does not tell it; empty for prices.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    iso: Literal["CAISO", "ERCOT"]
    agglevel: Literal["5min", "hour", "day"]
    day_ahead: bool
    items: tuple[str, ...]
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class YesSettings:
    """What to read from YES, and how.

    Attributes:
        http: How to talk to it; field practice is one call in six seconds and timeouts of minutes.
        format: ``csv`` or ``json``.
        days_per_query: Longest window of one query [days].
        items_per_query: Items of one query; the URL should stay under 2,000 characters.
        groups: What to read.
        same_as: Series of ours -> the series of another source that says the same, to hold them against each other.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    http: HttpSettings
    format: Literal["csv", "json"]
    days_per_query: Count
    items_per_query: Count
    groups: tuple[YesGroup, ...]
    same_as: Mapping[str, str] = field(default_factory=dict)


class YesClient(Closing):
    """Reads time series.

    Args:
        settings: What to read and how.
        credentials: User and password.
        clock: Tells and passes time.
        land: Stores bytes before they are parsed.
        locks: Folder of the limiter's files.
    """

    def __init__(self, settings: YesSettings, *, credentials: Basic, clock: Clock, land: Land, locks: Path) -> None:
        self._settings = settings
        self._clock = clock
        self._fetcher = Fetcher(
            "yes", source="yes", settings=settings.http, clock=clock, land=land, locks=locks, auth=credentials
        )

    def close(self) -> None:
        """Close the pooled connections."""
        self._fetcher.close()

    def read(self, start: datetime, end: datetime) -> Iterator[Read]:
        """Yield the configured items of periods that begin in the window.

        Args:
            start: First instant wanted [UTC].
            end: First instant not wanted [UTC]; cut where nothing can be out yet.

        Raises:
            ServiceError, PayloadError: After everything else was yielded, naming each query that failed.
        """
        return self._reads(require_window(start, end))

    def _reads(self, window: Window) -> Iterator[Read]:
        failures = Failures("yes")
        size = self._settings.items_per_query
        for group in self._settings.groups:
            for part in chunks(self._known(group, window), timedelta(days=self._settings.days_per_query)):
                for first in range(0, len(group.items), size):
                    items = group.items[first : first + size]
                    with failures.item(f"{group.iso} {','.join(items)} from {iso(part[0])}"):
                        yield self._read(group, items, part)
        failures.settle()

    def _known(self, group: YesGroup, window: Window) -> Window:
        now = self._clock.now()
        if group.day_ahead:
            zone, at = _MARKET_CLOSE[group.iso]
            now = market_days_until(now, zone, at=at, days_ahead=1)
        return window[0], min(window[1], now)

    def _read(self, group: YesGroup, items: tuple[str, ...], window: Window) -> Read:
        last = window[1] - timedelta(microseconds=1)
        request = Request(
            path=f"/timeseries/multiple.{self._settings.format}",
            params=[
                ("items", ",".join(items)),
                ("startdate", f"{window[0]:%Y-%m-%d}"),
                ("enddate", f"{last:%Y-%m-%d}"),
                ("agglevel", group.agglevel),
                # In a prevailing zone the repeated autumn hour has one label for two hours.
                ("timezone", "GMT"),
            ],
            expect=Expect.CSV if self._settings.format == "csv" else Expect.JSON,
            remedy=f"is {', '.join(items)} licensed? correct it under [[yes.groups]] in config/sources.toml",
        )
        answer, rows = self._fetcher.fetch(request, self._parsed(group))
        rows = within(rows, window)
        present = {series.split(":", 2)[2] for series in rows["series_id"].unique()}
        silent = [item for item in items if item.upper() not in present and item not in present]
        # A wrong item blanks its column and fails nothing.
        notes = (f"no values for {', '.join(silent)}",) if silent else ()
        return Read(f"{group.iso}:{group.agglevel}:{','.join(items)}", window, rows, (answer.sha256,), notes)

    def _parsed(self, group: YesGroup) -> Callable[[Answer], tuple[Answer, pl.DataFrame]]:
        options = {"timezone": "GMT", "iso": group.iso, "agglevel": group.agglevel}
        if group.unit:
            options["unit"] = group.unit

        def parsed(answer: Answer) -> tuple[Answer, pl.DataFrame]:
            facts = Facts(fetched_at=answer.fetched_at, name=answer.name, options=options)
            return answer, registry.parse("yes", answer.content, facts)

        return parsed
