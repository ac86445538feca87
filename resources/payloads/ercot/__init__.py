"""Parsers of ERCOT's three doors: rows of the Public API, documents of MIS and the archive, dashboards.

Put here: ERCOT's layouts, clocks and products, one module a family. Keep out: requests and tokens (resources/ercot.py).
"""

from __future__ import annotations

from resources.payloads.ercot.listings import archive_list, document_list, product_list
from resources.payloads.ercot.markettime import repaired_publish_date, stamp_in
from resources.payloads.ercot.messages import operations_messages
from resources.payloads.ercot.reports import parse, parse_documents, parse_rows

__all__ = [
    "archive_list",
    "document_list",
    "operations_messages",
    "parse",
    "parse_documents",
    "parse_rows",
    "product_list",
    "repaired_publish_date",
    "stamp_in",
]
