"""CNRFC: river forecasts as plain files, deterministic and ensembles, one file an issue and watershed.

Put here: file names, cycles, the politeness a public site asks for. Keep out: what the files mean
(resources/payloads/cnrfc).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Final, Literal

import polars as pl
from pydantic import ConfigDict, Field

from domain.beliefs import CANONICAL
from domain.instants import floor_hour, iso
from resources.clock import Clock
from resources.http import (
    Answer,
    Auth,
    Expect,
    Failures,
    Fetcher,
    HttpSettings,
    Land,
    NoAuth,
    Read,
    Request,
    StatusError,
)
from resources.http.bodies import check_body
from resources.http.closing import Closing
from resources.http.windows import require_window
from resources.payloads import Facts, registry

Product = Literal["deterministic", "hefs_hourly", "hefs_daily"]
_STEMS: Final[Mapping[Product, str]] = {
    "deterministic": "csv_export",
    "hefs_hourly": "hefs_csv_hourly",
    "hefs_daily": "hefs_csv_daily",
}
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CnrfcSettings:
    """What to read from CNRFC, and how.

    Attributes:
        http: How to talk to it; its ``user_agent`` should name a contact.
        groups: Watersheds, such as ``american``; case matters.
        cycles: Nominal hours of issues to ask for [UTC]: 12 always exists, 0, 6 and 18 in events.
        points: Single points, such as ``MFAC1``.
        products: What is read of each issue.
        same_as: Series here -> the series of our own gauge of the same river.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    http: HttpSettings
    groups: tuple[str, ...]
    cycles: tuple[Annotated[int, Field(ge=0, le=18, multiple_of=6)], ...]
    points: tuple[str, ...]
    products: tuple[Product, ...] = ("deterministic", "hefs_hourly")
    same_as: Mapping[str, str] = field(default_factory=dict)


class CnrfcClient(Closing):
    """Reads issues of forecasts.

    Args:
        settings: What to read and how.
        credentials: None for public points; Basic for restricted ones.
        clock: Tells and passes time.
        land: Stores bytes before they are parsed.
        locks: Folder of the limiter's files.
    """

    def __init__(
        self, settings: CnrfcSettings, *, credentials: Auth | None = None, clock: Clock, land: Land, locks: Path
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._fetcher = Fetcher(
            "cnrfc",
            source="cnrfc",
            settings=settings.http,
            clock=clock,
            land=land,
            locks=locks,
            auth=credentials or NoAuth(),
        )

    def close(self) -> None:
        """Close the pooled connections."""
        self._fetcher.close()

    def issues(
        self,
        product: Product,
        nominal_start: datetime,
        nominal_end: datetime,
        *,
        known: Mapping[str, datetime] | None = None,
    ) -> Iterator[Read]:
        """Yield the issues whose *nominal* hour lies in the window, one read a watershed and issue.

        An issue that is not out yet is a read without rows that says so: files appear 3.5 to 5 hours after their
        nominal hour, and other cycles than 12 UTC only in events.

        Args:
            product: ``deterministic``, ``hefs_hourly`` or ``hefs_daily`` (12 UTC only).
            nominal_start: First nominal hour wanted [UTC].
            nominal_end: First nominal hour not wanted [UTC]; cut at the present.
            known: Product of an earlier read -> its ``Last-Modified``: the file is sent again only if it changed.

        Raises:
            ServiceError, PayloadError: After everything else was yielded, naming each file that failed.
        """
        start, end = require_window(nominal_start, nominal_end)
        return self._issues(product, start, min(end, self._clock.now()), known or {})

    def points(self) -> Iterator[Read]:
        """Yield the present forecast of each configured point.

        Raises:
            ServiceError, PayloadError: After everything else was yielded, naming each point that failed.
        """
        failures = Failures("cnrfc")
        for point in self._settings.points:
            with failures.item(f"point {point}"):
                remedy = f"correct point {point!r} under [cnrfc] in config/sources.toml"
                request = Request(
                    path="/graphicalRVF_csv.php", params=[("id", point)], expect=Expect.CSV, remedy=remedy
                )
                yield self._fetcher.fetch(request, lambda answer, point=point: _point(answer, point))
        failures.settle()

    def _issues(
        self, product: Product, start: datetime, end: datetime, known: Mapping[str, datetime]
    ) -> Iterator[Read]:
        failures = Failures("cnrfc")
        cycles = {12} if product == "hefs_daily" else set(self._settings.cycles)
        nominal = floor_hour(start)
        while nominal < end:
            if nominal >= start and nominal.hour in cycles:
                for group in self._settings.groups:
                    with failures.item(f"{product} {group} {iso(nominal)}"):
                        yield self._issue(product, group, nominal, known)
            nominal += _HOUR
        failures.settle()

    def _issue(self, product: Product, group: str, nominal: datetime, known: Mapping[str, datetime]) -> Read:
        name = f"{product}:{group}:{nominal:%Y%m%d%H}"
        window = nominal, nominal + _HOUR
        before = known.get(name)
        since = {} if before is None else {"If-Modified-Since": format_datetime(before.astimezone(UTC), usegmt=True)}
        request = Request(
            path=f"/csv/{nominal:%Y%m%d%H}_{group}_{_STEMS[product]}.zip",
            headers=since,
            expect=Expect.ANY,
            accept=frozenset({HTTPStatus.NOT_MODIFIED}),
        )

        def read(answer: Answer) -> Read:
            if answer.status == HTTPStatus.NOT_MODIFIED:
                return _nothing(name, window, "not changed since it was read")
            if answer.content.lstrip()[:1] == b"<":
                return _nothing(name, window, "not issued yet (a web page in its place)")
            what = f"cnrfc: {answer.url}"
            check_body(answer.content, expect=Expect.ZIP, content_type="", what=what)
            facts = Facts(
                fetched_at=answer.fetched_at, name=request.path, product=product, last_modified=answer.last_modified
            )
            return Read(name, window, registry.parse("cnrfc", answer.content, facts), (answer.sha256,))

        try:
            return self._fetcher.fetch(request, read)
        except StatusError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return _nothing(name, window, "not issued yet (404)")


def _nothing(name: str, window: tuple[datetime, datetime], note: str) -> Read:
    return Read(name, window, pl.DataFrame(schema=CANONICAL), (), (note,))


def _point(answer: Answer, point: str) -> Read:
    facts = Facts(
        fetched_at=answer.fetched_at, name=answer.url, options={"point": point}, last_modified=answer.last_modified
    )
    rows = registry.parse("cnrfc", answer.content, facts)
    window = answer.fetched_at, answer.fetched_at + timedelta(microseconds=1)
    return Read(f"point:{point}", window, rows, (answer.sha256,))
