"""What goes into the fetch loop and what comes out of it.

Put here: frozen records shared by every client. Keep out: behaviour.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import orjson
import polars as pl

from domain.errors import PayloadError
from domain.instants import require_utc
from resources.http.bodies import Expect

_FILE_NAME: Final = re.compile(r'filename="?([^";/\\]+)"?')


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMeta:
    """Where landed bytes came from; holds no secret.

    Attributes:
        source: The canonical ``source`` of the rows they will give, such as ``ercot_api``.
        name: Method and URL, secrets removed.
        fetched_at: When the last byte arrived [UTC].
        meta: Status and the response headers that say something about the content.
    """

    source: str
    name: str
    fetched_at: datetime
    meta: Mapping[str, str] = field(default_factory=dict)


Land = Callable[[bytes, RawMeta], str]
"""Stores bytes before anybody parses them and returns their sha256."""


@dataclass(frozen=True, slots=True)
class Read:
    """One completed read: what was asked, what it gave, where the bytes are.

    Attributes:
        product: What was read, such as ``OPS/Gauging Stations/R4|Flow:avg1h``.
        window: The half-open UTC window this read *covers*: of event starts for measurements and market results,
            of issue times for forecasts. It ends where the source could not yet have published, however far the
            caller asked.
        rows: Canonical rows, possibly none: an empty answer is an outcome, a failed one raises.
        raw: The sha256 of each landed body, in the order they came.
        notes: What a run record should mention.
        whole: The series of which the rows are all the events that there are: one that is known and not among them
            was deleted at the source. Empty where a missing row says nothing.
    """

    product: str
    window: tuple[datetime, datetime]
    rows: pl.DataFrame
    raw: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    whole: str = ""


def kept(reads: Iterator[Read], series: Collection[str]) -> Iterator[Read]:
    """Return the reads with the rows of these series only; none named keeps all."""
    for read in reads:
        yield replace(read, rows=read.rows.filter(pl.col("series_id").is_in(list(series)))) if series else read


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call.

    Attributes:
        path: Appended to the service's base URL, or an absolute URL.
        params: Query parameters in order; a name may repeat.
        json: A JSON body.
        form: A form body; its values are treated as secrets.
        headers: Extra request headers.
        expect: What a good body is.
        land: False for bodies that are credentials.
        remedy: What to do when the service refuses the request; ends the error message.
        accept: Statuses taken as an answer, besides 200 and 207.
    """

    path: str
    params: Sequence[tuple[str, str]] = ()
    method: str = "GET"
    json: Any = None
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    expect: Expect = Expect.JSON
    land: bool = True
    remedy: str = ""
    accept: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A body that is what the request expected.

    Attributes:
        url: Without secrets.
        headers: All response headers, names in lower case.
        sha256: The key of the landed bytes; empty where nothing was landed.
    """

    content: bytes
    status: int
    headers: Mapping[str, str]
    url: str
    fetched_at: datetime
    sha256: str

    @property
    def name(self) -> str:
        """The file's name where the service gave one, else the URL; some vendors put facts into names."""
        found = _FILE_NAME.search(self.headers.get("content-disposition", ""))
        return found.group(1) if found else self.url

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON is what it is
        """The decoded JSON body.

        Raises:
            PayloadError: It is no JSON; retryable, since a cut body is the usual reason.
        """
        try:
            return orjson.loads(self.content)
        except orjson.JSONDecodeError as error:
            raise PayloadError(f"{self.url}: the body is not JSON ({error})", retryable=True) from None

    @property
    def last_modified(self) -> datetime | None:
        """The ``Last-Modified`` stamp [UTC], where there is a readable one with a zone."""
        try:
            return require_utc(parsedate_to_datetime(self.headers["last-modified"]), what="Last-Modified")
        except (KeyError, ValueError):
            return None
