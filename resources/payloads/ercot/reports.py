"""ERCOT's reports: API rows, single documents and bulk archives, as canonical rows.

Put here: from bytes to the product's table, and the stamps that say when it was posted. Keep out: products.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time
from itertools import groupby
from typing import Final

import polars as pl

from domain.beliefs import TIME, Basis, canonical
from domain.errors import PayloadError
from domain.instants import CENTRAL
from resources.payloads import Facts
from resources.payloads.envelope import Document, Kind, check, documents, kind_of, refuse_html, short_name
from resources.payloads.ercot import dashboards, messages, reserves
from resources.payloads.ercot.catalogue import emil_in, recognise
from resources.payloads.ercot.corrections import is_dated
from resources.payloads.ercot.markettime import stamp_in
from resources.payloads.ercot.products import COOPTIMISATION, Product
from resources.payloads.ercot.rowjson import table_of
from resources.payloads.ercot.sheets import PRICES, Sheet, our_names, posting_time, renamed
from resources.payloads.tables import MAX_HEADER_BYTES, keys_of, read_documents, unrepeated
from resources.payloads.times import known_by, published_stamps

API: Final = "ercot_api"
DOCUMENT: Final = "ercot_mis"


def parse(payload: bytes, facts: Facts) -> pl.DataFrame:
    """Return canonical rows of anything ERCOT publishes: API rows, a document or bulk archive, a dashboard, messages.

    Raises:
        PayloadError: The bytes are none of these, or break their product's contract.
    """
    what = short_name(facts.name, "ercot payload")
    kind = check(payload, what)
    if kind is Kind.HTML:
        return messages.parse(payload, facts)
    if kind is not Kind.JSON:
        return parse_documents(payload, facts)
    if b'"fields"' in payload and b'"_meta"' in payload:
        return parse_rows(payload, facts)
    return dashboards.parse(payload, facts)


def parse_rows(payload: bytes, facts: Facts) -> pl.DataFrame:
    """Return canonical rows of one page of the Public API's row endpoint; no match is an empty frame, not an error.

    Columns are bound by name from the page's own ``fields``.

    Raises:
        PayloadError: The page has no ``fields``, or they are of no product.
    """
    what = short_name(facts.name, "ercot rows")
    refuse_html(check(payload, what), what)
    page = table_of(payload, what)
    product = recognise([facts.product or "", page.product, facts.name], renamed(page.table).columns, what)
    table = renamed(page.table).with_columns(posted_at=pl.lit(facts.issue, TIME))
    return _rows(table, product, facts, what=what, basis=Basis.SOURCE_STAMP, source=API)


def parse_documents(payload: bytes, facts: Facts) -> pl.DataFrame:
    """Return canonical rows of a CSV document, its zip, or a bulk download of many (a zip of zips, in any order).

    When it was posted: ``facts.issue`` (the repaired PublishDate) for a single document, else the stamp in its
    name, else ``Last-Modified``, else the product's rule.

    Raises:
        PayloadError: The archive is damaged, holds no CSV, or a table is of no product.
    """
    what = short_name(facts.name, "ercot document")
    refuse_html(check(payload, what), what)
    found = documents(payload, what, what=what)
    csvs = [document for document in found if kind_of(document.body) is Kind.TEXT]
    if not csvs:
        kinds = ", ".join(sorted({f"{document.name} ({kind_of(document.body)})" for document in found})[:5])
        raise PayloadError(f"{what} holds no CSV: {kinds}; ask for the csv form of the report")
    if facts.product and emil_in([facts.product]) is None:
        raise PayloadError(f"{facts.product!r} is no product of ERCOT; write its EMIL or number, such as NP6-905")
    basis, stamps = _posted(csvs, facts)
    frames = []
    for _, group in groupby(zip(csvs, stamps, strict=True), key=lambda pair: _first_line(pair[0].body)):
        members, moments = zip(*group, strict=True)
        names = [facts.product or "", *members[0].names, facts.name]
        columns = list(our_names(keys_of(members[0].body, members[0].name)))
        product = recognise(names, columns, what if len(csvs) == 1 else f"{what}/{members[0].name}")
        table, counts = read_documents(members, what, numeric=PRICES)
        table = posting_time(renamed(table), moments, counts)
        frames.append(_rows(table, product, facts, what=what, basis=basis, source=DOCUMENT))
    return pl.concat(frames)


def _rows(table: pl.DataFrame, product: Product, facts: Facts, *, what: str, basis: Basis, source: str) -> pl.DataFrame:
    if "posted" in table.columns:
        # The row API prints one stamp for both passes of the repeated hour, and has no flag for it.
        said = published_stamps(table["posted"].str.strip_chars(), CENTRAL, what, fetched_at=facts.fetched_at)
        table = table.with_columns(posted_at=pl.coalesce(said, "posted_at"))
        basis = Basis.SOURCE_STAMP
    basis = Basis.SOURCE_STAMP if is_dated(table) else basis
    table = product.clock(table, what)
    ruled = product.rule(table) if product.rule else pl.lit(None, TIME)
    table = _since(table.with_columns(public_at=ruled), product, what)
    rows = product.read(Sheet(table, what)).with_columns(source=pl.lit(source))
    rows = known_by(rows, fetched_at=facts.fetched_at, stamp=pl.col("posted_at"), basis=basis, rule=pl.col("public_at"))
    rows = canonical(rows, what=f"{product.emil} in {what}")
    return unrepeated(rows, ["series_id", "event_start", "scenario", "belief_time"])


def _first_line(body: bytes) -> bytes:
    return body[: body.find(b"\n", 0, MAX_HEADER_BYTES)].strip()


def _posted(csvs: Sequence[Document], facts: Facts) -> tuple[Basis, list[datetime | None]]:
    """Return when each document was posted, and how that is known."""
    if facts.issue is not None and len(csvs) == 1:
        return Basis.SOURCE_STAMP, [facts.issue]
    stamps = [stamp_in(document.names) for document in csvs]
    if any(stamps):
        return Basis.FILENAME, stamps
    if facts.issue is not None:
        return Basis.SOURCE_STAMP, [facts.issue] * len(csvs)
    if facts.last_modified is not None:
        return Basis.HTTP_LAST_MODIFIED, [facts.last_modified] * len(csvs)
    return Basis.SCHEDULE_RULE, [None] * len(csvs)


def _since(table: pl.DataFrame, product: Product, what: str) -> pl.DataFrame:
    """Refuse rows from before the product, or a column of it, existed: such a table is mislabelled."""
    new = [column for column in reserves.SINCE_COOPTIMISATION if column in table.columns]
    if product.since is None and not new:
        return table
    change = datetime.combine(COOPTIMISATION, time(), tzinfo=CENTRAL).astimezone(UTC)
    early = table.filter(pl.col("event_start") < change)
    if product.since is not None and early.height:
        raise PayloadError(
            f"{what} has a row of {product.emil} for {early['event_start'][0].isoformat()}; it exists since the"
            f" operating day {product.since} (real-time co-optimisation)"
        )
    told = [column for column in new if early[column].str.strip_chars().str.len_chars().sum()]
    if told:
        raise PayloadError(
            f"{what} has {told[0].upper()} before the operating day {COOPTIMISATION}, which began that column"
        )
    return table
