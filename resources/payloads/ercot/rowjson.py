"""Pages of the Public API's row endpoints: ``fields`` name the columns, ``data`` holds arrays of cells.

Put here: from such a page to a table of text columns. Keep out: what the columns mean.
A page may hold 100,000 rows and more. JSON arrays of plain cells are CSV lines but for their brackets, so they are
read as such, several times faster than through Python objects; whatever does not fit that goes the slow way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson
import polars as pl

from domain.errors import PayloadError
from resources.payloads.envelope import json_of
from resources.payloads.tables import MAX_COLUMNS, named, refuse_cells

_OPEN: Final = b'"data":[['
_CLOSE: Final = b"]]"


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        table: Text columns named by `tables.key_of`; zero rows where nothing matched.
        product: What the page's own ``report`` calls itself, or an empty text.
    """

    table: pl.DataFrame
    product: str


def table_of(payload: bytes, what: str) -> Page:
    """Return the page's table.

    Raises:
        PayloadError: It is no whole JSON, has no ``fields``, is an error body, or a row has another width.
    """
    fast = _split(payload)
    page, lines = fast or (json_of(payload, what), None)
    if not isinstance(page, dict):
        raise PayloadError(f"{what} is a JSON {type(page).__name__}, no page of rows")
    names = _names(page, what)
    table = _from_lines(lines, len(names), what) if lines is not None else None
    if table is None:
        page = json_of(payload, what) if lines is not None else page
        table = _from_cells(page.get("data") or [], len(names), what)
    report = page.get("report") or {}
    product = report.get("reportEMIL") or report.get("reportProductId") or ""
    return Page(named(table, names, what), str(product))


def _split(payload: bytes) -> tuple[Any, bytes] | None:
    """Return the page with its data cut out, and the data; None where it is not laid out so."""
    start = payload.find(_OPEN)
    end = payload.rfind(_CLOSE)
    if start < 0 or end < start:
        return None
    lines = payload[start + len(_OPEN) : end]
    if b"\\" in lines or b"{" in lines:
        return None
    try:
        return json_of(payload[:start] + b'"data":[]' + payload[end + len(_CLOSE) :], "the page around its rows"), lines
    except PayloadError:
        return None


def _names(page: dict[str, Any], what: str) -> list[str]:
    fields = page.get("fields")
    if not isinstance(fields, list) or not all(isinstance(field, dict) and "name" in field for field in fields):
        told = page.get("message") or page.get("error") or f"its keys are {', '.join(list(page)[:8])}"
        raise PayloadError(f"{what} has no fields, so its rows cannot be read: {told}")
    if len(fields) >= MAX_COLUMNS:
        raise PayloadError(f"{what} has {len(fields):,} fields; no report has {MAX_COLUMNS:,}")
    return [str(field["name"]) for field in fields]


def _from_lines(lines: bytes, width: int, what: str) -> pl.DataFrame | None:
    text = lines.replace(b"],[", b"\n")
    if b"[" in text or b"]" in text:
        return None
    refuse_cells(text.count(b"\n") + 1, width, what)
    try:
        table = pl.read_csv(
            text,
            has_header=False,
            schema={str(index): pl.String for index in range(width)},
            null_values="null",
        )
    except pl.exceptions.PolarsError:
        return None
    # A row of another width would have been padded in silence, and a text that looks like the seam between two rows
    # would have been broken; commas inside texts only make this too careful.
    whole = text.count(b",") == (width - 1) * table.height and text.count(b"\n") + 1 == table.height
    return table if whole else None


def _from_cells(data: list[Any], width: int, what: str) -> pl.DataFrame:
    for number, row in enumerate(data):
        if not isinstance(row, list) or len(row) != width:
            raise PayloadError(f"{what} row {number + 1} has not the {width} cells of its fields: {str(row)[:200]}")
    cells = zip(*data, strict=True) if data else [()] * width
    return pl.DataFrame(
        {
            str(index): pl.Series([None if cell is None else _text(cell) for cell in column], dtype=pl.String)
            for index, column in enumerate(cells)
        }
    )


def _text(cell: object) -> str:
    return cell if isinstance(cell, str) else orjson.dumps(cell).decode()
