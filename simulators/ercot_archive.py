"""The archive routes of ERCOT's Public API: lists of documents, single and bulk downloads.

Put here: what the archive answers. Keep out: credentials (ercot.py), documents (ercot_documents.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from itertools import groupby
from typing import Any, Final

import numpy as np

from domain.instants import CENTRAL
from simulators.archives import zip_bytes
from simulators.ercot_catalogue import Product
from simulators.ercot_documents import Document, by_id, documents, exists, zipped
from simulators.ercot_rows import refusal
from simulators.faults import Faults
from simulators.localtime import HOUR_S, utc
from simulators.noise import stream, uniforms
from simulators.world import World

LONGEST_PAGE: Final = 1000
MOST_DOCUMENTS: Final = 1000


def listing(
    product: Product, query: Mapping[str, str], *, world: World, faults: Faults, now: float, base: str
) -> dict[str, Any]:
    """Return one page of the documents of a product, newest first.

    Args:
        product: Whose documents.
        query: ``postDatetimeFrom``, ``postDatetimeTo`` (naive Central), ``page``, ``size``.
        world: The truth.
        faults: The switches that are on.
        now: The virtual present [epoch s].
        base: URL of the product's archive.

    Raises:
        Refused: A parameter cannot be read (400).
    """
    start = _instant(query.get("postDatetimeFrom"), world.first_hour * HOUR_S, now, last=False)
    end = _instant(query.get("postDatetimeTo"), int(now), now, last=True) + 1
    try:
        page, size = int(query.get("page", "1")), min(int(query.get("size", "1000")), LONGEST_PAGE)
    except ValueError:
        raise refusal(HTTPStatus.BAD_REQUEST, "page and size are whole numbers", now) from None
    if page < 1 or size < 1:
        raise refusal(HTTPStatus.BAD_REQUEST, "page and size start at 1", now)
    found = documents(world, faults, product, start, end, now)
    total = len(found)
    shown = found[(page - 1) * size : page * size]
    return {
        "_meta": {
            "totalRecords": total,
            "pageSize": size,
            "totalPages": -(-total // size),
            "currentPage": page if total else 0,
            "query": {"parameterCount": len(query), "parameters": dict(query)},
        },
        "product": {"emilId": product.emil, "name": product.title, "reportTypeId": product.report_id},
        "archives": [_entry(document, base) for document in shown],
        "_links": {"self": {"href": base}},
    }


def _entry(document: Document, base: str) -> dict[str, Any]:
    return {
        "docId": document.doc_id,
        "friendlyName": document.friendly_name,
        "postDatetime": f"{utc(document.posted).astimezone(CENTRAL):%Y-%m-%dT%H:%M:%S}",
        "_links": {"endpoint": {"href": f"{base}?download={document.doc_id}"}},
    }


def _instant(text: str | None, default: int, now: float, *, last: bool) -> int:
    """Return a naive Central time as an epoch [s]; of a repeated hour the first pass, or the last one."""
    if text is None:
        return default
    try:
        naive = datetime.fromisoformat(text)
    except ValueError:
        raise refusal(HTTPStatus.BAD_REQUEST, f"cannot parse '{text}'; use yyyy-MM-ddTHH:mm:ss", now) from None
    return int(naive.replace(tzinfo=CENTRAL, fold=int(last)).timestamp())


def single(product: Product, number: str, *, world: World, faults: Faults, now: float) -> tuple[str, bytes]:
    """Return name and bytes of one document.

    Raises:
        Refused: No such document (404).
    """
    found = _found([number], product, world=world, faults=faults, now=now)
    if not found:
        raise refusal(HTTPStatus.NOT_FOUND, f"No document {number} of {product.emil}", now)
    content = zipped(world, faults, found, now)
    return found[0].constructed_name, content[found[0].doc_id]


def bulk(product: Product, numbers: Sequence[Any], *, world: World, faults: Faults, now: float) -> bytes:
    """Return a zip of the documents' zips, in no particular order.

    Raises:
        Refused: Too many numbers (400) or none that exists (404).
    """
    if len(numbers) > MOST_DOCUMENTS:
        raise refusal(HTTPStatus.BAD_REQUEST, f"at most {MOST_DOCUMENTS} documents a request", now)
    found = _found(numbers, product, world=world, faults=faults, now=now)
    if not found:
        raise refusal(HTTPStatus.NOT_FOUND, f"No such documents of {product.emil}", now)
    content: dict[int, bytes] = {}
    # A month at a time: a builder makes everything between the first and the last posting it is asked for.
    for _, part in groupby(
        sorted(found, key=lambda one: one.rows_posted), key=lambda one: one.rows_posted // 2_592_000
    ):
        content |= zipped(world, faults, list(part), now)
    names = {document.doc_id: f"{document.doc_id}.{document.constructed_name}" for document in found}
    order = np.argsort(uniforms(stream(world.seed, "bulk"), np.array(list(names), np.int64)))
    numbered = list(names)
    return zip_bytes({names[numbered[place]]: content[numbered[place]] for place in order.tolist()})


def _found(numbers: Sequence[Any], product: Product, *, world: World, faults: Faults, now: float) -> list[Document]:
    found = []
    for number in numbers:
        document = by_id(int(number)) if str(number).isdigit() else None
        if document is not None and document.product is product:
            found.append(document)
    if len(found) <= 3:  # noqa: PLR2004 - a few are looked up one by one, many through one list
        return [document for document in found if exists(world, faults, document, now)]
    low, high = min(one.rows_posted for one in found), max(one.posted for one in found)
    known = {one.doc_id for one in documents(world, faults, product, low, high + 86400, now)}
    return [document for document in found if document.doc_id in known]
