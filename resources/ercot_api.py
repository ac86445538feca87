"""ERCOT's Public API as such: its settings, its login and its two headers.

Put here: what every product of the Public API shares. Keep out: the row products (resources/ercot.py) and the archive
(resources/ercot_archive.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import ConfigDict

from resources.clock import Clock
from resources.ercot_token import ErcotCredentials, TokenSource, ercot_auth
from resources.http import Answer, Fetcher, HttpSettings, Land, NoAuth, Request
from resources.http.credentials import digest
from resources.http.settings import Count, Positive

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErcotPoint:
    """One settlement point.

    Attributes:
        name: Such as ``HB_NORTH``.
        type: ``HU``, ``LZ``, ``LZEW``, ``RN`` ...; a load zone has two types under one name with different prices.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErcotSettings:
    """What to read from ERCOT, and how.

    Attributes:
        http: How to talk to the Public API.
        token_url: The login's address.
        client_id: The public application id of the login.
        renew_token_after_s: Age at which a token is replaced [s].
        page_size: Rows a page.
        price_days_per_query: Local delivery days a price query covers.
        posted_days_per_query: Days of postings a forecast query covers.
        load_models: ``in_use`` (the model ERCOT used when it posted) or ``all`` of them, several times the rows.
        load_series: Series of the load forecast to keep; none named keeps all nine.
        archive_documents_per_download: Documents of one bulk download of the archive; the API takes 1,000.
        points: Settlement points to read.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    http: HttpSettings
    token_url: str
    client_id: str
    renew_token_after_s: Positive
    page_size: Count
    price_days_per_query: Count
    posted_days_per_query: Positive
    load_models: Literal["in_use", "all"]
    load_series: tuple[str, ...]
    archive_documents_per_download: Count
    points: tuple[ErcotPoint, ...]


class ErcotApi:
    """Asks the Public API with a token that is renewed as needed.

    Args:
        settings: Where it is and how to talk to it.
        credentials: Account and subscription key.
        clock: Tells and passes time.
        land: Stores bytes before they are parsed.
        locks: Folder of the limiter's files.
    """

    def __init__(
        self, settings: ErcotSettings, *, credentials: ErcotCredentials, clock: Clock, land: Land, locks: Path
    ) -> None:
        login = NoAuth(
            f"login-{digest(credentials.username)}", hidden=(credentials.password, credentials.subscription_key)
        )
        self._login = Fetcher(
            "ercot",
            source="ercot_api",
            settings=replace(settings.http, base_url=settings.token_url),
            clock=clock,
            land=land,
            locks=locks,
            auth=login,
        )
        source = TokenSource(
            self._login,
            credentials,
            client_id=settings.client_id,
            renew_after=timedelta(seconds=settings.renew_token_after_s),
            clock=clock,
        )
        self._fetcher = Fetcher(
            "ercot",
            source="ercot_api",
            settings=settings.http,
            clock=clock,
            land=land,
            locks=locks,
            auth=ercot_auth(source, credentials),
        )

    def close(self) -> None:
        """Close the pooled connections."""
        self._fetcher.close()
        self._login.close()

    def fetch(self, request: Request, read: Callable[[Answer], T]) -> T:
        """Return ``read`` of the answer; errors as ``Fetcher.fetch``."""
        return self._fetcher.fetch(request, read)
