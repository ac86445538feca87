"""What the data switches do to a dashboard: its rows are lost, doubled, emptied or changed as those of a table are.

Put here: the way from nested JSON to a table of numbers and back. Keep out: what switches mean (faults.py), dashboards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

import numpy as np

from simulators.faults import Faults, Table

_NO_MEASURE: Final = frozenset(
    {"epoch", "datetime", "timestamp", "hourEnding", "interval", "forecast", "dstFlag", "eea_level", "deliveryDate"}
)
"""Keys of a row that tell when and which, not how much."""
Path = tuple[str | int, ...]


def spoiled(faults: Faults, product: str, content: dict[str, Any], now: float) -> dict[str, Any]:
    """Return a dashboard's content with the data switches applied."""
    return _walked(faults, product, content, now) if faults.describe() else content


def _walked(faults: Faults, product: str, node: Any, now: float) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(node, Mapping) and isinstance(node.get("current_condition"), Mapping):
        (row,) = _rows(faults, product, [node["current_condition"]], [int(now)], now, lose=False)[1]
        return {**node, "current_condition": row}
    if isinstance(node, Mapping) and _keyed_by_time(node):
        keys = list(node)
        kept, rows = _rows(faults, product, list(node.values()), list(range(len(keys))), now)
        return {keys[place]: row for place, row in zip(kept, rows, strict=True)}
    if isinstance(node, Mapping):
        return {key: _walked(faults, product, value, now) for key, value in node.items()}
    if isinstance(node, list) and node and all(isinstance(one, Mapping) and "epoch" in one for one in node):
        return _rows(faults, product, node, [int(one["epoch"]) // 1000 for one in node], now)[1]
    if isinstance(node, list) and node and all(isinstance(one, list) for one in node):  # key and value pairs
        pairs = [{"key": one[0], "value": one[1]} if len(one) > 1 else {"key": one[0]} for one in node]
        kept, rows = _rows(faults, product, pairs, [sum(str(one[0]).encode()) for one in node], now)
        return [[row["key"], row["value"]] if "value" in row else [row["key"]] for row in rows if kept]
    return node


def _keyed_by_time(node: Mapping[str, Any]) -> bool:
    """Tell whether rows hang under stamps or epochs; days alone hold rows of their own."""
    rows = bool(node) and all(isinstance(one, Mapping) for one in node.values())
    return rows and all(key[:4].isdigit() and len(key) > len("2026-11-20") for key in node)


def _rows(
    faults: Faults, product: str, rows: Sequence[Mapping[str, Any]], at: Sequence[int], now: float, *, lose: bool = True
) -> tuple[list[int], list[dict[str, Any]]]:
    """Return the places of the rows that are left, and these rows."""
    leaves = [dict(_leaves(row)) for row in rows]
    paths = list(dict.fromkeys(path for row in leaves for path in row))
    columns = {repr(path): np.array([row.get(path, np.nan) for row in leaves], float) for path in paths}
    event = np.array(at, np.int64)
    table = Table({"place": np.arange(event.size), **columns}, event, np.zeros(event.size, np.int64), tuple(columns))
    table = faults.visible(table, product, now)
    if not lose and not table.event.size:
        return [0], [dict(rows[0])]
    kept, found = [int(place) for place in table.columns["place"].tolist()], []
    for index, place in enumerate(kept):
        row = deepcopy(dict(rows[place]))
        for path in paths:
            value, before = float(table.columns[repr(path)][index]), leaves[place].get(path, np.nan)
            if path in leaves[place] and value != before and not (np.isnan(value) and np.isnan(before)):
                _set(row, path, value)
        found.append(row)
    return (kept, found) if lose else (kept[:1], found[:1])


def _leaves(node: Any, path: Path = ()) -> Iterator[tuple[Path, float]]:  # noqa: ANN401 - any JSON
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key not in _NO_MEASURE:
                yield from _leaves(value, (*path, key))
    elif node is None:
        yield path, np.nan
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield path, float(node)
    elif isinstance(node, str) and node.replace(",", "").replace(".", "").isdigit():
        yield path, float(node.replace(",", ""))


def _set(row: dict[str, Any], path: Path, value: float) -> None:
    *parents, last = path
    node: Any = row
    for key in parents:
        node = node[key]
    text = isinstance(node[last], str)
    node[last] = None if np.isnan(value) else f"{value:,.0f}" if text else round(value, 3)
