"""ERCOT's market information system: the document list without a login, with its false offsets.

Put here: the list and the download by number. Keep out: documents (ercot_documents.py).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from domain.instants import CENTRAL
from simulators.ercot_documents import Document, by_id, documents, exists, zipped
from simulators.ercot_products import PRODUCTS
from simulators.faults import Faults
from simulators.localtime import DAY_S, utc
from simulators.world import World


def document_list(report_id: str, *, world: World, faults: Faults, now: float) -> dict[str, Any]:
    """Return the list of a report's documents, newest first, every posting twice: CSV and XML."""
    product = next((one for one in PRODUCTS.values() if str(one.report_id) == report_id), None)
    entries = []
    if product is not None:
        start = int(now) - product.mis_days * DAY_S
        for document in documents(world, faults, product, start, int(now) + 1, now):
            entries += [_entry(document, now), _entry(replace(document, kind="xml"), now)]
    return {"ListDocsByRptTypeRes": {"DocumentList": [{"Document": entry} for entry in entries]}}


def _entry(document: Document, now: float) -> dict[str, str]:
    # The offset printed is today's, whatever the stamp's own was: the wall clock is right, the instant is not.
    offset = f"{utc(now).astimezone(CENTRAL):%z}"
    offset = f"{offset[:3]}:{offset[3:]}"
    posted = utc(document.posted).astimezone(CENTRAL)
    expires = utc(document.posted + document.product.mis_days * DAY_S).astimezone(CENTRAL)
    return {
        "ExpiredDate": f"{expires:%Y-%m-%d}T23:59:59{offset}",
        "ILMStatus": "EXT",
        "SecurityStatus": "P",
        "ContentSize": str(9000 + document.doc_id % 4000),
        "Extension": "zip",
        "ReportTypeID": str(document.product.report_id),
        "Prefix": "cdr",
        "FriendlyName": document.friendly_name,
        "ConstructedName": document.constructed_name,
        "DocID": str(document.doc_id),
        "PublishDate": f"{posted:%Y-%m-%dT%H:%M:%S}{offset}",
        "ReportName": document.product.title,
        "DUNS": "0" * 16,
        "DocCount": "0",
    }


def download(number: str, *, world: World, faults: Faults, now: float) -> tuple[str, bytes] | None:
    """Return name and bytes of a document by its number, or None if it does not exist."""
    document = by_id(int(number)) if number.isdigit() else None
    if document is None or not exists(world, faults, document, now):
        return None
    return document.constructed_name, zipped(world, faults, [document], now)[document.doc_id]
