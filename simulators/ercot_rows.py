"""The row route of ERCOT's Public API: filters, sorting, paging and the envelope.

Put here: how a query becomes rows. Keep out: products (ercot_products.py), credentials and limits (ercot.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, timedelta
from http import HTTPStatus
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.instants import CENTRAL
from simulators.ercot_catalogue import Product, Window
from simulators.faults import Faults, Table
from simulators.localtime import DAY_S, local_date, stamps, utc
from simulators.service import Refused, json_response
from simulators.world import World

DEFAULT_SIZE: Final = 1000
STORE_DAYS: Final = 90
"""The row store forgets older rows; the archive keeps them."""
_PAGING: Final = ("page", "size", "sort", "dir")


def refusal(status: HTTPStatus, message: str, now: float) -> Refused:
    """Return a refusal with the API's error body."""
    body = {"timestamp": utc(now).isoformat(), "code": status.value, "status": status.name, "message": message}
    return Refused(json_response({**body, "data": None}, status))


def known_filters(product: Product) -> dict[str, str]:
    """Return the query parameters a product understands: parameter -> field."""
    filters = {}
    for name in product.fields:
        filters[name] = name
        if product.has_range(name):
            filters |= {f"{name}From": name, f"{name}To": name}
    return filters


def answer(product: Product, query: Mapping[str, str], *, world: World, faults: Faults, now: float) -> dict[str, Any]:
    """Return the row route's answer to a query.

    Raises:
        Refused: A parameter cannot be read (400).
    """
    understood = {name: field for name, field in known_filters(product).items() if name in query}
    table = visible_rows(product, {name: query[name] for name in understood}, world=world, faults=faults, now=now)
    for parameter, name in understood.items():
        table = table.take(_mask(product, table, parameter, name, query[parameter], now))
    sorted_by = query.get("sort", product.posted_field or product.day_field)
    direction = query.get("dir", "asc" if "sort" in query else "desc").lower()
    if sorted_by not in product.fields or direction not in {"asc", "desc"}:
        raise refusal(HTTPStatus.BAD_REQUEST, f"cannot sort by {sorted_by} {direction}", now)
    table = _in_order(table, sorted_by, direction)
    page, size = _paging(query, now)
    total = table.event.size
    part = table.take(np.arange(min((page - 1) * size, total), min(page * size, total)))
    names, extra = faults.drifted(product.emil.lower(), list(product.fields))
    echo = {name: query[name] for name in query if name in understood or name in _PAGING}
    return {
        "_meta": {
            "totalRecords": total,
            "pageSize": size,
            "totalPages": -(-total // size),
            "currentPage": page if total else 0,
            "query": {
                "parameterCount": len(echo),
                "parameters": echo,
                "sortedBy": f"{sorted_by}: {direction.upper()}",
            },
        },
        "report": {
            "reportName": product.title,
            "reportDisplayName": product.title,
            "reportId": str(product.report_id),
            "reportProductId": product.emil,
            "reportEMIL": product.emil,
            "downloadLimit": 1000,
        },
        "fields": _fields(product, names),
        **(
            {"data": _data(product, part, extra, padded=faults.is_on("pad_text", product.emil.lower()))}
            if total
            else {}
        ),
        "_links": {},
    }


def visible_rows(product: Product, filters: Mapping[str, str], *, world: World, faults: Faults, now: float) -> Table:
    """Return the published rows that a query's window may need, unsorted, newest last."""
    window = _window(product, filters, now)
    if window.last < window.first:
        return Table({name: np.array([]) for name in product.fields}, np.array([], int), np.array([], int), ())
    table = product.build(world, window)
    if not table.columns:
        table = Table({name: np.array([]) for name in product.fields}, table.event, table.published, ())
    table = table.take(table.published >= now - STORE_DAYS * DAY_S)
    table = table.take(~faults.flagged("freeze_rows", product.emil.lower(), table.published))
    return faults.visible(table, product.emil.lower(), now)


def _window(product: Product, filters: Mapping[str, str], now: float) -> Window:
    today = local_date(int(now), CENTRAL)
    first, last = today - timedelta(days=STORE_DAYS), today + timedelta(days=9)
    posted_from, posted_to = int(now) - STORE_DAYS * DAY_S, int(now)
    field, posted = product.day_field, product.posted_field
    ranged = [name for name in filters if name.startswith((field, posted or field))]
    if not ranged:
        # Without a window the store answers with its newest rows; two days of them are plenty.
        first, posted_from = today - timedelta(days=2), int(now) - 2 * DAY_S
    low, high = filters.get(f"{field}From", filters.get(field)), filters.get(f"{field}To", filters.get(field))
    first = max(first, _day(low, now)) if low else first
    last = min(last, _day(high, now)) if high else last
    if posted:
        low, high = filters.get(f"{posted}From", filters.get(posted)), filters.get(f"{posted}To", filters.get(posted))
        posted_from = max(posted_from, _epoch(low, now)) if low else posted_from
        # A naive stamp in the repeated autumn hour names two instants: look an hour further, the filter is exact.
        posted_to = min(posted_to, _epoch(high, now) + 3600) if high else posted_to
    exact = {name: text for name, text in filters.items() if name in product.fields}
    return Window(first=first, last=last, posted_from=posted_from, posted_to=posted_to, exact=exact)


def _day(text: str, now: float) -> date:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise refusal(HTTPStatus.BAD_REQUEST, f"cannot parse date '{text}'; use yyyy-MM-dd", now) from None


def _epoch(text: str, now: float) -> int:
    try:
        local = np.datetime64(text, "s").astype("datetime64[us]").item()
    except ValueError:
        raise refusal(HTTPStatus.BAD_REQUEST, f"cannot parse '{text}'; use yyyy-MM-ddTHH:mm:ss", now) from None
    return int(local.replace(tzinfo=CENTRAL).timestamp())


def _mask(product: Product, table: Table, parameter: str, name: str, text: str, now: float) -> NDArray[np.bool_]:
    values = table.columns[name]
    if not values.size:
        return np.ones(0, dtype=bool)
    wanted = _literal(product.fields[name], text, parameter, now)
    if parameter == f"{name}From":
        return np.asarray(values >= wanted)
    if parameter == f"{name}To":
        return np.asarray(values <= wanted)
    return np.asarray(values == wanted)


def _literal(kind: str, text: str, parameter: str, now: float) -> Any:  # noqa: ANN401 - of the column's type
    try:
        match kind:
            case "DATE":
                return np.datetime64(text, "D")
            case "DATETIME":
                return np.datetime64(text, "s")
            case "BOOLEAN":
                return {"true": True, "false": False}[text.lower()]
            case "INTEGER":
                return int(text)
            case "DOUBLE":
                return float(text)
    except (ValueError, KeyError):
        raise refusal(
            HTTPStatus.BAD_REQUEST, f"Invalid value '{text}' for parameter {parameter} ({kind})", now
        ) from None
    return text


def _in_order(table: Table, name: str, direction: str) -> Table:
    values = table.columns[name]
    order = np.argsort(values, kind="stable")
    return table.take(order if direction == "asc" else order[::-1])


def _paging(query: Mapping[str, str], now: float) -> tuple[int, int]:
    try:
        page, size = int(query.get("page", "1")), int(query.get("size", str(DEFAULT_SIZE)))
    except ValueError:
        raise refusal(HTTPStatus.BAD_REQUEST, "page and size are whole numbers", now) from None
    if page < 1 or size < 1:
        raise refusal(HTTPStatus.BAD_REQUEST, "page and size start at 1", now)
    return page, size


def _fields(product: Product, names: list[str]) -> list[dict[str, Any]]:
    originals = [*product.fields, *names[len(product.fields) :]]
    return [
        {
            "name": name,
            "label": name,
            "cardinality": place + 1,
            "dataType": product.fields.get(original, "VARCHAR"),
            "searchable": True,
            "sortable": True,
            "hasRange": original in product.fields and product.has_range(original),
        }
        for place, (name, original) in enumerate(zip(names, originals, strict=True))
    ]


def _data(product: Product, table: Table, extra: int, *, padded: bool) -> list[tuple[Any, ...]]:
    columns = [_plain(table.columns[name]) for name in product.fields]
    if padded:
        texts = [place for place, kind in enumerate(product.fields.values()) if kind == "VARCHAR"]
        columns = [
            [f"{cell:<16}" for cell in column] if place in texts else column for place, column in enumerate(columns)
        ]
    columns += [["n/a"] * table.event.size] * extra
    return list(zip(*columns, strict=True))


def _plain(values: NDArray[Any]) -> list[Any]:
    if values.dtype.kind == "M":
        distinct, place = np.unique(values, return_inverse=True)
        unit = "D" if np.datetime_data(values.dtype)[0] == "D" else "s"
        texts = stamps(distinct.astype("datetime64[s]").astype(np.int64), unit)
        return np.array(texts, dtype=object)[place].tolist()
    if values.dtype.kind == "f" and np.isnan(values).any():
        return [None if math.isnan(value) else value for value in values.tolist()]
    return values.tolist()
