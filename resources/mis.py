"""ERCOT's public pages, which ask for no login: document lists of MIS, dashboards, operations messages.

MIS has the freshest file of a product first, so live polling belongs here and a back-load through the API cannot
starve it. Put here: lists, downloads and polls. Keep out: what the files mean (resources/payloads/ercot).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
from pydantic import ConfigDict

from domain.errors import InputError, PayloadError
from domain.instants import iso
from resources.clock import Clock
from resources.http import Answer, Expect, Failures, Fetcher, HttpSettings, Land, NoAuth, Read, Request
from resources.http.closing import Closing
from resources.http.records import kept
from resources.http.windows import require_window
from resources.payloads import Facts, registry
from resources.payloads.ercot import repaired_publish_date
from resources.payloads.ercot.catalogue import PRODUCTS

_LIST: Final = "/misapp/servlets/IceDocListJsonWS"
_DOWNLOAD: Final = "/misdownload/servlets/mirDownload"
_DASHBOARD: Final = "/api/1/services/read/dashboards"
_MESSAGES: Final = "/services/comm/mkt_notices/opsmessages"
_REPORT_IDS: Final = {product.emil: product.report_id for product in PRODUCTS}
_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class MisSettings:
    """What to read from ERCOT's public pages, and how.

    Attributes:
        http: How to talk to them; a product may be polled at most three times as often as it appears.
        dashboards: Names of the dashboards to poll, such as ``daily-prc``.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    http: HttpSettings
    dashboards: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MisDocument:
    """One posting of a report.

    Attributes:
        doc_id: What a download is asked by.
        name: Its constructed name, which carries the report, the stamp and ``xhr`` or ``_retry``.
        posted_at: When MIS posted it [UTC], the false offset of the list repaired.
    """

    doc_id: str
    name: str
    posted_at: datetime


class MisClient(Closing):
    """Reads documents, dashboards and messages.

    Args:
        settings: What to read and how.
        credentials: None; the pages are public.
        clock: Tells and passes time.
        land: Stores bytes before they are parsed.
        locks: Folder of the limiter's files.
    """

    def __init__(
        self, settings: MisSettings, *, credentials: None = None, clock: Clock, land: Land, locks: Path
    ) -> None:
        del credentials
        self._settings = settings
        self._clock = clock
        shared = {"settings": settings.http, "clock": clock, "land": land, "locks": locks}
        self._documents = Fetcher("ercot_mis", source="ercot_mis", auth=NoAuth(), **shared)
        self._dashboards = Fetcher("ercot_mis", source="ercot_dash", auth=NoAuth(), **shared)

    def close(self) -> None:
        """Close the pooled connections."""
        self._documents.close()
        self._dashboards.close()

    def documents(self, emil: str) -> list[MisDocument]:
        """Return the postings of a report that MIS still shows, oldest first, one a posting: its CSV.

        Raises:
            InputError: The report is not one we read.
            ServiceError, PayloadError: The list did not come.
        """
        report_id = _REPORT_IDS.get(emil.removesuffix("-CD").removesuffix("-M"))
        if report_id is None:
            raise InputError(f"{emil!r} is no report of ERCOT that we read; known: {', '.join(sorted(_REPORT_IDS))}")
        # Without a changing parameter a cache on the way answers with an old list.
        stamp = str(int(self._clock.now().timestamp() * 1000))
        request = Request(path=_LIST, params=[("reportTypeId", str(report_id)), ("_", stamp)], land=False)
        return sorted(self._documents.fetch(request, _listed), key=lambda item: (item.posted_at, item.doc_id))

    def read(
        self,
        emil: str,
        posted_start: datetime,
        posted_end: datetime,
        *,
        seen: Collection[str] = (),
        series: Collection[str] = (),
    ) -> Iterator[Read]:
        """Yield the documents of a report posted in the window, one read a document, oldest first.

        Args:
            emil: Such as ``NP6-905-CD``.
            posted_start: First posting instant wanted [UTC].
            posted_end: First posting instant not wanted [UTC].
            seen: Document ids to pass over.
            series: Series ids to keep; none named keeps all. A document holds every point there is.

        Raises:
            ServiceError, PayloadError: After everything else was yielded, naming each document that failed.
        """
        start, end = require_window(posted_start, posted_end)
        return kept(self._reads(emil, start, end, seen), series)

    def _reads(self, emil: str, start: datetime, end: datetime, seen: Collection[str]) -> Iterator[Read]:
        failures = Failures("ercot_mis")
        for document in self.documents(emil):
            if not start <= document.posted_at < end or document.doc_id in seen:
                continue
            with failures.item(f"{emil} document {document.doc_id} posted {iso(document.posted_at)}"):
                request = Request(
                    path=_DOWNLOAD,
                    params=[("doclookupId", document.doc_id)],
                    expect=Expect.ZIP,
                    remedy="MIS keeps it 5 to 31 days; read it from the archive",
                )
                answer, rows = self._documents.fetch(
                    request, _parsed(product=emil, name=document.name, issue=document.posted_at)
                )
                covered = document.posted_at, document.posted_at + _TICK
                yield Read(f"{emil}:{document.doc_id}", covered, rows, (answer.sha256,))
        failures.settle()

    def dashboards(self) -> Iterator[Read]:
        """Yield the present state of each configured dashboard; they keep no history, so every poll is landed.

        Raises:
            ServiceError, PayloadError: After everything else was yielded, naming each dashboard that failed.
        """
        failures = Failures("ercot_mis")
        for name in self._settings.dashboards:
            with failures.item(f"dashboard {name}"):
                request = Request(
                    path=f"{_DASHBOARD}/{name}.json", remedy="dashboards are undocumented and may be renamed"
                )
                yield self._poll(request, f"dashboard:{name}")
        failures.settle()

    def messages(self) -> Read:
        """Return the operations messages of about the last month: emergencies, watches, notices."""
        return self._poll(Request(path=_MESSAGES, expect=Expect.HTML), "opsmessages")

    def _poll(self, request: Request, product: str) -> Read:
        answer, rows = self._dashboards.fetch(request, _parsed(product=None, name=request.path.rsplit("/", 1)[-1]))
        return Read(product, (answer.fetched_at, answer.fetched_at + _TICK), rows, (answer.sha256,))


def _parsed(
    *, product: str | None, name: str, issue: datetime | None = None
) -> Callable[[Answer], tuple[Answer, pl.DataFrame]]:
    def parsed(answer: Answer) -> tuple[Answer, pl.DataFrame]:
        facts = Facts(
            fetched_at=answer.fetched_at, name=name, product=product, issue=issue, last_modified=answer.last_modified
        )
        return answer, registry.parse("ercot", answer.content, facts)

    return parsed


def _listed(answer: Answer) -> list[MisDocument]:
    """Return the CSV postings of a list; MIS shows each posting twice, and one posting may come without a list."""
    found = (answer.json.get("ListDocsByRptTypeRes") or {}).get("DocumentList") or []
    items = found if isinstance(found, list) else [found]
    documents = [item.get("Document", item) for item in items if isinstance(item, dict)]
    return [_document(item) for item in documents if str(item.get("FriendlyName", "")).lower().endswith("_csv")]


def _document(item: dict[str, Any]) -> MisDocument:
    try:
        name = str(item["ConstructedName"])
        return MisDocument(str(item["DocID"]), name, repaired_publish_date(str(item["PublishDate"]), name))
    except KeyError as error:
        raise PayloadError(f"ercot_mis: the list shows {item}, which lacks {error}") from None
