"""Texan products as documents: a zip with one CSV for every posting, with the names the vendor gives them.

Put here: names, ids and the text of documents. Keep out: lists and downloads (ercot_archive.py, ercot_mis.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.instants import CENTRAL
from simulators.archives import zip_bytes
from simulators.ercot_catalogue import Product, local_stamps
from simulators.ercot_products import PRODUCTS
from simulators.faults import Faults, Table
from simulators.localtime import utc
from simulators.noise import stream, uniforms
from simulators.world import World

RETRY_LATE_S: Final = 600
_RETRIED: Final = 0.004
"""Share of documents that are posted again under a name with ``_retry_``. Invented."""
_FIRST: Final = 1_600_000_000
_VARIANTS: Final = 4
_SLOTS: Final = 64
_ORDER: Final = tuple(PRODUCTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One posting of a product.

    Attributes:
        product: What it is of.
        rows_posted: The posting time its rows carry [epoch s].
        kind: ``csv`` or ``xml``.
        retried: Posted a second time, under another name.
    """

    product: Product
    rows_posted: int
    kind: str = "csv"
    retried: bool = False

    @property
    def posted(self) -> int:
        """When it appeared [epoch s]."""
        return self.rows_posted + (RETRY_LATE_S if self.retried else 0)

    @property
    def doc_id(self) -> int:
        """Its number; it tells product, posting and variant, though nobody should rely on that."""
        variant = (self.kind == "xml") + 2 * self.retried
        place = _ORDER.index(self.product.emil.lower())
        return ((self.rows_posted - _FIRST) * _SLOTS + place) * _VARIANTS + variant

    @property
    def stem(self) -> str:
        """Its name without report, stamp and extension; ``xhr`` marks the repeated autumn hour."""
        about, _ = local_stamps(np.array([self.rows_posted - self.product.late_s], np.int64))
        end = about[0].astype("datetime64[s]").item()
        tokens = {"date": f"{end:%Y%m%d}", "time": f"{end:%H%M}", "seconds": f"{end:%H%M%S}"}
        head, *rest = self.product.stem.format(**tokens).split("_")
        stem = "_".join([head, *(["retry"] if self.retried else []), *rest])
        _, repeated = local_stamps(np.array([self.posted], np.int64))
        return stem + ("xhr" if repeated[0] else "")

    def _name(self, stamp: str) -> str:
        return f"cdr.{self.product.report_id:08d}.{'0' * 16}.{utc(self.posted).astimezone(CENTRAL):%Y%m%d}.{stamp}"

    @property
    def friendly_name(self) -> str:
        """The stem with its kind."""
        return f"{self.stem}_{self.kind}"

    @property
    def constructed_name(self) -> str:
        """The zip's file name, with the milliseconds of the posting."""
        clock = f"{utc(self.posted).astimezone(CENTRAL):%H%M%S}{self.doc_id % 997:03d}"
        return f"{self._name(clock)}.{self.friendly_name}.zip"

    @property
    def member_name(self) -> str:
        """The name of the one file in the zip."""
        clock = f"{utc(self.posted).astimezone(CENTRAL):%H%M%S}"
        return f"{self._name(clock)}.{self.stem}.{self.kind}"


def documents(world: World, faults: Faults, product: Product, start: int, end: int, now: float) -> list[Document]:
    """Return the CSV documents of a product posted in [start, end) and by ``now`` [epoch s], newest first."""
    delay = faults.delay_s(product.emil.lower())
    at = product.postings(world, start - RETRY_LATE_S - delay, min(end, int(now) + 1))
    retried = at[uniforms(stream(world.seed, "retry", product.emil), at) < _RETRIED]
    found = [Document(product=product, rows_posted=int(moment)) for moment in at.tolist()]
    found += [Document(product=product, rows_posted=int(moment), retried=True) for moment in retried.tolist()]
    lost = faults.lost(product.emil.lower(), at)
    found = [document for document in found if document.rows_posted not in set(at[lost].tolist())]
    shown = [
        document for document in found if start <= document.posted + delay < end and document.posted + delay <= now
    ]
    return sorted(shown, key=lambda document: (document.posted, document.doc_id), reverse=True)


def by_id(doc_id: int) -> Document | None:
    """Return the document with a number, if a number can mean one."""
    rest, variant = divmod(doc_id, _VARIANTS)
    seconds, place = divmod(rest, _SLOTS)
    if not 0 <= place < len(_ORDER) or seconds < 0:
        return None
    product = PRODUCTS[_ORDER[place]]
    kind = "xml" if variant & 1 else "csv"
    return Document(product=product, rows_posted=seconds + _FIRST, kind=kind, retried=variant > 1)


def exists(world: World, faults: Faults, document: Document, now: float) -> bool:
    """Tell whether a document has been posted."""
    near = documents(world, faults, document.product, document.posted, document.posted + 1 + 86400, now)
    return any((other.rows_posted, other.retried) == (document.rows_posted, document.retried) for other in near)


def zipped(world: World, faults: Faults, wanted: Sequence[Document], now: float) -> dict[int, bytes]:
    """Return the zip of every document of one product, by its number."""
    if not wanted:
        return {}
    product = wanted[0].product
    posted = [document.rows_posted for document in wanted]
    table = product.build(world, product.document_window(min(posted), max(posted)))
    table = table.take(np.isin(table.published, posted)) if table.columns else table
    # A posting is lost as a whole (`documents`); one that is there has all its rows.
    table = faults.visible(table, product.emil.lower(), now, lose=False) if table.columns else table
    table = table.take(np.argsort(table.published, kind="stable"))
    header, lines = csv_lines(product, table, faults)
    found = {}
    for document in wanted:
        low = int(np.searchsorted(table.published, document.rows_posted, side="left"))
        high = int(np.searchsorted(table.published, document.rows_posted, side="right"))
        text = "\n".join([header, *lines[low:high]]) + "\n"
        if document.kind == "xml":
            text = _as_xml(product, header, lines[low:high])
        found[document.doc_id] = zip_bytes({document.member_name: text.encode()})
    return found


def csv_lines(product: Product, table: Table, faults: Faults) -> tuple[str, list[str]]:
    """Return the header line and one line a row, printed the way this product's documents are."""
    names, extra = faults.drifted(product.emil.lower(), list(product.csv))
    if not table.columns:
        return ",".join(names), []
    columns = [
        _texts(table.columns[field], product.formats.get(header, product.fields[field]))
        for header, field in product.csv.items()
    ]
    columns += [["n/a"] * table.event.size] * extra
    return ",".join(names), [",".join(row) for row in zip(*columns, strict=True)]


def _texts(values: NDArray[Any], form: str) -> list[str]:
    match form:
        case "DATE" | "DATETIME":
            distinct, place = np.unique(values, return_inverse=True)
            pattern = "%m/%d/%Y" if form == "DATE" else "%m/%d/%Y %H:%M:%S"
            texts = [moment.strftime(pattern) for moment in distinct.astype("datetime64[s]").tolist()]
            return np.array(texts, dtype=object)[place].tolist()
        case "BOOLEAN":
            return np.where(values, "Y", "N").tolist()
        case "DOUBLE":
            # An empty cell, not "nan", stands where nothing has happened yet.
            return ["" if isnan(value) else str(value).removesuffix(".0") for value in values.tolist()]
        case "two digits":
            return [f"{value:02d}" for value in values.tolist()]
        case "no leading zero":
            return [text.removeprefix("0") for text in values.tolist()]
    return [str(value) for value in values.tolist()]


def _as_xml(product: Product, header: str, lines: Sequence[str]) -> str:
    names = [name.strip() for name in header.split(",")]
    rows = (
        "".join(f"<{name}>{value}</{name}>" for name, value in zip(names, line.split(","), strict=True))
        for line in lines
    )
    body = "".join(f"<row>{row}</row>" for row in rows)
    return f'<?xml version="1.0" encoding="UTF-8"?><report id="{product.report_id}">{body}</report>\n'
