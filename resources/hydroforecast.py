"""HydroForecast: streamflow forecasts by issue, with quantiles.

Put here: queries by issue time. Keep out: what the answers mean (resources/payloads/hydroforecast.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote

import polars as pl
from pydantic import ConfigDict

from domain.errors import PayloadError
from domain.instants import iso
from resources.clock import Clock
from resources.http import Answer, ApiKey, Failures, Fetcher, HttpSettings, Land, Read, Request
from resources.http.closing import Closing
from resources.http.settings import Positive
from resources.http.windows import Window, chunks, require_window, within
from resources.payloads import Facts, registry

_V1_PAGE: Final = 25
"""Most forecasts on one page of the older route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HydroForecastQuery:
    """One site and one of its forecast sources.

    Attributes:
        site: The vendor's id of the site.
        source: Such as ``hydroforecast-short-term``.
        columns: Such as ``discharge_mean``, ``discharge_q0.5`` (non-exceedance).
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    site: str
    source: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HydroForecastSettings:
    """What to read from HydroForecast, and how.

    Attributes:
        http: How to talk to it.
        days_per_query: Days of issues a query covers.
        queries: Sites and sources to read.
        older_route: Whether version 1 is polled as well: it tells when a forecast was run again.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    http: HttpSettings
    days_per_query: Positive
    queries: tuple[HydroForecastQuery, ...]
    older_route: bool = False


class HydroForecastClient(Closing):
    """Reads forecasts as they were issued.

    Args:
        settings: What to read and how.
        credentials: The organisation's key, bare in the ``Authorization`` header.
        clock: Tells and passes time.
        land: Stores bytes before they are parsed.
        locks: Folder of the limiter's files.
    """

    def __init__(
        self, settings: HydroForecastSettings, *, credentials: ApiKey, clock: Clock, land: Land, locks: Path
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._fetcher = Fetcher(
            "hydroforecast",
            source="hydroforecast",
            settings=settings.http,
            clock=clock,
            land=land,
            locks=locks,
            auth=credentials,
        )

    def close(self) -> None:
        """Close the pooled connections."""
        self._fetcher.close()

    def forecasts(self, issued_start: datetime, issued_end: datetime) -> Iterator[Read]:
        """Yield the forecasts *issued* in the window, one read a site, source and part of the window.

        Args:
            issued_start: First issue instant wanted [UTC].
            issued_end: First issue instant not wanted [UTC]; cut at the present.

        Raises:
            ServiceError, PayloadError: After everything else was yielded, naming each site that failed.
        """
        start, end = require_window(issued_start, issued_end)
        return self._forecasts((start, min(end, self._clock.now())))

    def forecasts_v1(self, updated_start: datetime, updated_end: datetime) -> Iterator[Read]:
        """Yield, by the older route, the forecasts *updated* in the window: a forecast that is run again is a revision.

        Arguments and errors as ``forecasts``.
        """
        start, end = require_window(updated_start, updated_end)
        return self._forecasts_v1((start, min(end, self._clock.now())))

    def _forecasts_v1(self, window: Window) -> Iterator[Read]:
        failures = Failures("hydroforecast")
        for query in self._settings.queries if window[0] < window[1] else ():
            name = f"{query.source}:{query.site}"
            with failures.item(f"{name} updated from {iso(window[0])}"):
                pages = list(self._pages_v1(query, window[0]))
                rows = within(pl.concat(rows for _, rows in pages), window, column="belief_time")
                notes = () if rows.height else ("no issue in the window",)
                yield Read(name, window, rows, tuple(answer.sha256 for answer, _ in pages), notes)
        failures.settle()

    def _pages_v1(self, query: HydroForecastQuery, since: datetime) -> Iterator[tuple[Answer, pl.DataFrame]]:
        page, more = 1, True
        while more:
            request = Request(
                path=f"/v1/forecasts/{quote(query.site, safe='')}",
                params=[
                    ("type", query.source.removeprefix("hydroforecast-")),
                    ("updatedSince", iso(since)),
                    ("sort", "asc"),
                    ("format", "json"),
                    ("page", str(page)),
                    ("perPage", str(_V1_PAGE)),
                ],
                remedy=f"check site {query.site!r} under [[hydroforecast.queries]] in config/sources.toml",
            )
            answer, rows = self._fetcher.fetch(request, _parsed_v1)
            yield answer, rows
            more, page = bool(answer.json.get("hasNextPage")), page + 1

    def _forecasts(self, window: Window) -> Iterator[Read]:
        failures = Failures("hydroforecast")
        for part in chunks(window, timedelta(days=self._settings.days_per_query)):
            for query in self._settings.queries:
                name = f"{query.source}:{query.site}"
                with failures.item(f"{name} issued from {iso(part[0])}"):
                    yield self._read(query, part, name)
        failures.settle()

    def _read(self, query: HydroForecastQuery, window: Window, name: str) -> Read:
        body = {
            "source": query.source,
            "siteId": query.site,
            "columns": list(query.columns),
            "unitSystem": "US",
            "rateVolumeMode": "rate",
            # The native step: a quantile of hourly values says nothing about the quantile of their mean.
            "timeAggregation": "1H",
            "aggregationMethod": "mean",
            "issueTimeStartDate": iso(window[0]),
            "issueTimeEndDate": iso(window[1]),
        }
        request = Request(
            path="/v2/timeseries/forecasts",
            method="POST",
            json={"queries": [body]},
            remedy=f"check site {query.site!r} and source {query.source!r} under [[hydroforecast.queries]]"
            " in config/sources.toml",
        )
        answer, rows = self._fetcher.fetch(request, self._parsed(query))
        rows = within(rows, window, column="belief_time")
        return Read(name, window, rows, (answer.sha256,), () if rows.height else ("no issue in the window",))

    def _parsed(self, query: HydroForecastQuery) -> Callable[[Answer], tuple[Answer, pl.DataFrame]]:
        def parsed(answer: Answer) -> tuple[Answer, pl.DataFrame]:
            _check_echo(answer, query)
            facts = Facts(fetched_at=answer.fetched_at, name=answer.name, product=query.source)
            return answer, registry.parse("hydroforecast", answer.content, facts)

        return parsed


def _parsed_v1(answer: Answer) -> tuple[Answer, pl.DataFrame]:
    facts = Facts(fetched_at=answer.fetched_at, name=answer.name)
    return answer, registry.parse("hydroforecast", answer.content, facts)


def _check_echo(answer: Answer, query: HydroForecastQuery) -> None:
    """Refuse an answer about another site or source: entries are matched by position only."""
    data = answer.json.get("data")
    echoes = [entry.get("query", {}) for entry in data] if isinstance(data, list) else None
    wanted = {"siteId": query.site, "source": query.source}
    if echoes is None or len(echoes) != 1 or any(echoes[0].get(name, value) != value for name, value in wanted.items()):
        raise PayloadError(
            f"hydroforecast: asked for {wanted}, answered for {echoes}; expected one entry that repeats it"
        )
