"""ERCOT's archive: every document of a product for about seven years back, by posting time.

Put here: its list, single and bulk downloads. Keep out: what documents mean (resources/payloads/ercot), recent rows
(resources/ercot.py), the freshest documents (resources/mis.py).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl

from domain.beliefs import CANONICAL
from domain.errors import PayloadError
from domain.instants import CENTRAL, iso
from resources.clock import Clock
from resources.ercot_api import ErcotApi, ErcotSettings
from resources.ercot_token import ErcotCredentials
from resources.http import Answer, Expect, Failures, Land, Read, Request
from resources.http.closing import Closing
from resources.http.records import kept
from resources.http.windows import Window, chunks, local_labels, require_window
from resources.payloads import Facts, registry
from resources.payloads.ercot import repaired_publish_date

_LISTED: Final = 1000
"""Most documents on one page of a list, and in one bulk download."""


@dataclass(frozen=True, slots=True)
class ArchiveDocument:
    """One posting.

    Attributes:
        doc_id: What a download is asked by.
        name: Its file name.
        posted_at: When ERCOT posted it [UTC].
    """

    doc_id: int
    name: str
    posted_at: datetime


class ErcotArchiveClient(Closing):
    """Reads documents of the archive.

    Args:
        settings: Where the API is; ``archive_documents_per_download`` bounds a bulk download.
        credentials: Account and subscription key.
        clock: Tells and passes time.
        land: Stores bytes before they are parsed.
        locks: Folder of the limiter's files.
    """

    def __init__(
        self, settings: ErcotSettings, *, credentials: ErcotCredentials, clock: Clock, land: Land, locks: Path
    ) -> None:
        self._clock = clock
        self._per_download = min(settings.archive_documents_per_download, _LISTED)
        self._api = ErcotApi(settings, credentials=credentials, clock=clock, land=land, locks=locks)

    def close(self) -> None:
        """Close the pooled connections."""
        self._api.close()

    def read(
        self, emil: str, posted_start: datetime, posted_end: datetime, *, series: Collection[str] = ()
    ) -> Iterator[Read]:
        """Yield the documents *posted* in the window, one read a UTC day of postings or part of it.

        Args:
            emil: Such as ``NP6-905-CD``. Day-ahead products are posted the day before delivery, actuals the day after.
            posted_start: First posting instant wanted [UTC].
            posted_end: First posting instant not wanted [UTC]; cut at the present.
            series: Series ids to keep; none named keeps all. A document holds every point there is.

        Raises:
            ServiceError, PayloadError: After everything else was yielded, naming what failed.
        """
        start, end = require_window(posted_start, posted_end)
        return kept(self._reads(emil, (start, min(end, self._clock.now()))), series)

    def documents(self, emil: str, window: Window) -> list[ArchiveDocument]:
        """Return what was posted in the window, oldest first.

        The list filters on naive Central time and shows a posting of the repeated autumn hour under one label with
        its twin: ``xhr`` in the file's name tells them apart.
        """
        first, last = local_labels(window, CENTRAL)
        found: dict[int, ArchiveDocument] = {}
        page, pages = 1, 1
        while page <= pages:
            params = [
                ("postDatetimeFrom", first),
                ("postDatetimeTo", last),
                ("size", str(_LISTED)),
                ("page", str(page)),
            ]
            request = Request(
                path=f"/archive/{emil.lower()}", params=params, land=False, remedy=f"is {emil} archived? see GET /"
            )
            meta, items = self._api.fetch(request, _list_of)
            pages = int(meta.get("totalPages", 0))
            found |= {item.doc_id: item for item in map(_document, items)}
            page += 1
        inside = [item for item in found.values() if window[0] <= item.posted_at < window[1]]
        return sorted(inside, key=lambda item: (item.posted_at, item.doc_id))

    def _reads(self, emil: str, window: Window) -> Iterator[Read]:
        failures = Failures("ercot")
        for part in chunks(window, timedelta(days=1)):
            with failures.item(f"{emil} archive posted from {iso(part[0])}"):
                documents = self.documents(emil, part)
                if not documents:
                    yield Read(f"{emil}:archive", part, pl.DataFrame(schema=CANONICAL), (), ("nothing was posted",))
                for batch in _batches(documents, self._per_download):
                    yield self._batch(emil, batch)
        failures.settle()

    def _batch(self, emil: str, documents: Sequence[ArchiveDocument]) -> Read:
        covered = documents[0].posted_at, documents[-1].posted_at + timedelta(microseconds=1)
        if len(documents) == 1:
            raw, rows = self._single(emil, documents[0])
            return Read(f"{emil}:archive", covered, rows, raw, ("1 document",))
        raw, rows, missing = self._bulk(emil, documents)
        frames, hashes = [rows], [*raw]
        for document in missing:  # a bulk answer may leave documents out without a word
            more, extra = self._single(emil, document)
            frames.append(extra)
            hashes += more
        notes = (f"{len(documents)} documents",) + ((f"{len(missing)} left out of the bulk answer",) if missing else ())
        return Read(f"{emil}:archive", covered, pl.concat(frames), tuple(hashes), notes)

    def _single(self, emil: str, document: ArchiveDocument) -> tuple[tuple[str, ...], pl.DataFrame]:
        request = Request(
            path=f"/archive/{emil.lower()}",
            params=[("download", str(document.doc_id))],
            expect=Expect.ZIP,
            remedy=f"document {document.doc_id} of {emil} is gone from the archive",
        )
        return self._api.fetch(request, _parsed(emil, name=document.name, issue=document.posted_at))

    def _bulk(
        self, emil: str, documents: Sequence[ArchiveDocument]
    ) -> tuple[tuple[str, ...], pl.DataFrame, list[ArchiveDocument]]:
        request = Request(
            path=f"/archive/{emil.lower()}/download",
            method="POST",
            json={"docIds": [document.doc_id for document in documents]},
            expect=Expect.ZIP,
            remedy=f"one of {len(documents)} documents of {emil} may be gone from the archive",
        )

        def read(answer: Answer) -> tuple[tuple[str, ...], pl.DataFrame, list[ArchiveDocument]]:
            present = _doc_ids(answer.content)
            missing = [document for document in documents if document.doc_id not in present]
            if len(missing) == len(documents):
                raise PayloadError(f"ercot: {answer.url} holds none of the documents asked for", retryable=True)
            return *_parsed(emil, name=answer.name)(answer), missing

        return self._api.fetch(request, read)


def _parsed(
    emil: str, *, name: str, issue: datetime | None = None
) -> Callable[[Answer], tuple[tuple[str, ...], pl.DataFrame]]:
    def parsed(answer: Answer) -> tuple[tuple[str, ...], pl.DataFrame]:
        facts = Facts(fetched_at=answer.fetched_at, name=name, product=emil, issue=issue)
        return (answer.sha256,), registry.parse("ercot", answer.content, facts)

    return parsed


def _list_of(answer: Answer) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    meta, items = answer.json.get("_meta"), answer.json.get("archives", [])
    if not isinstance(meta, dict) or not isinstance(items, list):
        raise PayloadError(f"ercot: {answer.url} has no _meta or no list of archives")
    return meta, items


def _document(item: dict[str, Any]) -> ArchiveDocument:
    try:
        name = str(item["friendlyName"])
        return ArchiveDocument(int(item["docId"]), name, repaired_publish_date(str(item["postDatetime"]), name))
    except (KeyError, ValueError) as error:
        raise PayloadError(f"ercot: the archive lists {item}, which lacks or mistypes {error}") from None


def _batches(documents: Sequence[ArchiveDocument], size: int) -> Iterator[Sequence[ArchiveDocument]]:
    for first in range(0, len(documents), size):
        yield documents[first : first + size]


def _doc_ids(content: bytes) -> set[int]:
    """Return the documents in a bulk download, whose members are named ``{docId}.{name}.zip``."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        heads = [name.split(".", 1)[0] for name in archive.namelist()]
    return {int(head) for head in heads if head.isdigit()}
