"""Lists of what ERCOT has posted: MIS document lists, archive pages, the catalogue of the Public API.

Put here: documents about documents, with their posting stamps repaired. Keep out: the documents themselves (reports.py)
and fetching them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import polars as pl

from domain.beliefs import TIME
from domain.errors import PayloadError
from domain.instants import CENTRAL
from resources.payloads.envelope import check, json_of, refuse_html
from resources.payloads.ercot.markettime import repaired_publish_date
from resources.payloads.times import local_stamps

POSTINGS: Final[dict[str, pl.DataType]] = {
    "doc_id": pl.String(),
    "name": pl.String(),
    "posted_at": TIME,
    "is_csv": pl.Boolean(),
    "is_retry": pl.Boolean(),
    "size_bytes": pl.Int64(),
}
"""Columns of a list of postings: ``is_csv`` tells a document from its XML twin, ``is_retry`` a re-posted one."""


def document_list(payload: bytes, what: str = "MIS document list") -> pl.DataFrame:
    """Return a MIS document list, newest first as listed; columns `POSTINGS`.

    One document comes as an object and not as a list; no document as nothing at all.

    Raises:
        PayloadError: It is no document list, or an HTML page (retryable).
    """
    refuse_html(check(payload, what), what)
    answer = json_of(payload, what)
    listed = answer.get("ListDocsByRptTypeRes") if isinstance(answer, Mapping) else None
    if not isinstance(listed, Mapping):
        raise PayloadError(f"{what} is no document list: it lacks ListDocsByRptTypeRes")
    found = listed.get("DocumentList") or []
    documents = [_document(entry, what) for entry in (found if isinstance(found, list) else [found])]
    return pl.DataFrame(
        [
            (
                entry["DocID"],
                entry["ConstructedName"],
                repaired_publish_date(entry["PublishDate"], entry["ConstructedName"]),
                entry["FriendlyName"].endswith("_csv"),
                "_retry" in entry["ConstructedName"],
                int(entry.get("ContentSize") or 0),
            )
            for entry in documents
        ],
        schema=POSTINGS,
        orient="row",
    )


def archive_list(payload: bytes, what: str = "archive list") -> pl.DataFrame:
    """Return one page of the Public API's archive; columns `POSTINGS`, sizes null.

    ``postDatetime`` is naive Central; in the repeated hour the first pass is assumed, as nothing tells.

    Raises:
        PayloadError: It is no archive page, or an HTML page (retryable).
    """
    refuse_html(check(payload, what), what)
    answer = json_of(payload, what)
    entries = answer.get("archives") if isinstance(answer, Mapping) else None
    if entries is None and isinstance(answer, Mapping) and "_meta" in answer:
        entries = []
    if not isinstance(entries, list):
        raise PayloadError(f"{what} is no archive page: it lacks archives")
    names = _column(entries, "friendlyName", what)
    stamps = local_stamps(_column(entries, "postDatetime", what), CENTRAL, what)
    return pl.DataFrame(
        {
            "doc_id": _column(entries, "docId", what),
            "name": names,
            "posted_at": stamps.cast(TIME),
            "is_csv": ~names.str.to_lowercase().str.contains("_xml"),
            "is_retry": names.str.contains("_retry"),
            "size_bytes": pl.Series([None] * len(entries), dtype=pl.Int64),
        }
    ).select(list(POSTINGS))


def product_list(payload: bytes, what: str = "product catalogue") -> pl.DataFrame:
    """Return the Public API's products: ``emil, report_id`` (int), ``endpoints`` (list of paths).

    Raises:
        PayloadError: It is no catalogue, or an HTML page (retryable).
    """
    refuse_html(check(payload, what), what)
    answer = json_of(payload, what)
    products = (answer.get("_embedded") or {}).get("products") if isinstance(answer, Mapping) else None
    if not isinstance(products, list):
        raise PayloadError(f"{what} is no catalogue: it lacks _embedded.products")
    rows = [(entry["emilId"], int(entry["reportTypeId"]), _endpoints(entry)) for entry in products]
    return pl.DataFrame(
        rows, schema={"emil": pl.String, "report_id": pl.Int64, "endpoints": pl.List(pl.String)}, orient="row"
    )


def _document(entry: object, what: str) -> Mapping[str, str]:
    document = entry.get("Document") if isinstance(entry, Mapping) else None
    needed = ("DocID", "ConstructedName", "PublishDate", "FriendlyName")
    if not isinstance(document, Mapping) or any(not document.get(name) for name in needed):
        raise PayloadError(f"{what} has an entry without {', '.join(needed)}: {str(entry)[:200]}")
    return {str(name): str(value) for name, value in document.items()}


def _column(entries: Iterable[Any], name: str, what: str) -> pl.Series:
    cells = [entry.get(name) if isinstance(entry, Mapping) else None for entry in entries]
    if any(cell is None for cell in cells):
        raise PayloadError(f"{what} has an entry without {name}")
    return pl.Series([str(cell) for cell in cells], dtype=pl.String)


def _endpoints(entry: Mapping[str, Any]) -> list[str]:
    links = [artifact.get("_links", {}).get("endpoint", {}).get("href", "") for artifact in entry.get("artifacts", [])]
    return [link for link in links if link]
