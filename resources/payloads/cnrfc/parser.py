"""Which of CNRFC's layouts a payload has.

Put here: telling exports from the CSV of a point, unpacking. Keep out: the layouts themselves.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from domain.errors import PayloadError
from resources.payloads import Facts
from resources.payloads.cnrfc.exports import parse_export
from resources.payloads.cnrfc.point import is_point, parse_point
from resources.payloads.envelope import Kind, check, documents, kind_of, refuse_html, short_name
from resources.payloads.tables import key_of, split_header

PRODUCTS: Final = ("hefs_hourly", "hefs_hourly_sstg", "hefs_daily", "deterministic", "csv_export", "point")
"""What a caller may say a file is; a name or its content usually says it."""


def parse(payload: bytes, facts: Facts) -> pl.DataFrame:
    """Return canonical rows of a deterministic export, an ensemble (hourly or daily, zip or CSV) or a point's CSV.

    ``facts.issue`` is the *nominal* hour of the issue here, as in ``--issue 2014-10-13T12:00Z``; what becomes of it is
    told in `issues`. ``facts.options`` may hold ``point`` and ``base_year``.

    Raises:
        PayloadError: The payload is an HTML page (retryable: an issue that is not out yet), a damaged archive
            (retryable), or has a layout that is none of CNRFC's.
    """
    what = short_name(facts.name, "CNRFC file")
    if facts.product is not None and facts.product not in PRODUCTS:
        raise PayloadError(f"{facts.product!r} is no product of CNRFC; known: {', '.join(PRODUCTS)}")
    refuse_html(check(payload, what), what)
    frames = []
    for document in documents(payload, what, what=what):
        if kind_of(document.body) is not Kind.TEXT:
            raise PayloadError(
                f"{what} holds {document.name}, which is {kind_of(document.body)}, not CSV", retryable=True
            )
        columns = [key_of(name) for name in split_header(document.body, document.name).names]
        read = parse_point if is_point(columns) else parse_export
        frames.append(read(document, facts, document.name))
    return pl.concat(frames)
