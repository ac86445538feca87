# ruff: noqa: S608 - every part of these texts is a column of ours or the path of a file of ours
"""SQL: the lake as views, for DuckDB and dbt.

The text names the files of one manifest, so a query sees that state and no other. It runs on DuckDB 1.5 and 2.0. Put
here: that text. Keep out: connections (the caller has one) and marts (dbt_project/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from domain.beliefs import CANONICAL, KEY
from domain.errors import InputError
from resources.lake.coverage import COVERAGE
from resources.lake.files import FILE_COLUMNS, OPTIONAL, Entry
from resources.lake.journal import State

_TYPES: Final = {
    "String": "VARCHAR",
    "Datetime": "TIMESTAMPTZ",
    "Float64": "DOUBLE",
    "Int32": "INTEGER",
    "Int64": "BIGINT",
    "List": "DOUBLE[]",
}

COLUMNS: Final[dict[str, dict[str, str]]] = {
    "beliefs": {name: _TYPES[str(dtype.base_type())] for name, dtype in CANONICAL.items()}
    | {"recorded_at": "TIMESTAMPTZ", "rev": "INTEGER"},
    "coverage": {name: _TYPES[str(dtype.base_type())] for name, dtype in COVERAGE.items()},
}
COLUMNS["latest"] = COLUMNS["beliefs"]
"""Columns and DuckDB types of each view: ``beliefs`` (every belief, one row a stated number), ``latest`` (the newest
belief of every series, event, source, scenario and member, with its quantiles) and ``coverage``."""


def select(root: Path, state: State, view: str) -> str:
    """Return the SELECT behind one view.

    Args:
        root: The lake's root.
        state: A state without a tail: a manifest's own.
        view: ``beliefs``, ``latest`` or ``coverage``.
    """
    if view not in COLUMNS:
        raise InputError(f"no view {view!r} of the lake; known: {', '.join(COLUMNS)}")
    if view == "coverage":
        return _coverage(root, state.of("coverage"))
    beliefs = state.of("beliefs")
    if not beliefs:
        return _nothing(COLUMNS[view])
    folded = " UNION ALL BY NAME ".join(_folded(root, beliefs))
    if view == "latest":
        by = ", ".join(KEY)
        order = "belief_time DESC, recorded_at DESC, rev DESC"
        folded = f"SELECT * FROM ({folded}) QUALIFY row_number() OVER (PARTITION BY {by} ORDER BY {order}) = 1"
    return _unfolded(folded, has_grids=any("grid" in entry.columns for entry in beliefs))


def _folded(root: Path, entries: Sequence[Entry]) -> list[str]:
    """Return SELECTs of folded rows: of files with their own recorded_at, and of those that have one instant each."""
    own = [entry for entry in entries if entry.recorded_at is None]
    constant = [entry for entry in entries if entry.recorded_at is not None]
    parts = []
    if own:
        parts.append(f"SELECT {_columns(own)}, recorded_at FROM {_read(root, own)}")
    if constant:
        instants = ", ".join(f"('{_path(root, e)}', make_timestamptz({e.recorded_at}))" for e in constant)
        source = f"{_read(root, constant, ', filename = true')} AS part"
        known = f"(VALUES {instants}) AS instant(filename, recorded_at)"
        names = f"{_columns(constant)}, instant.recorded_at"
        parts.append(f"SELECT {names} FROM {source} JOIN {known} ON part.filename = instant.filename")
    return parts


def _columns(entries: Sequence[Entry]) -> str:
    present = {name for entry in entries for name in entry.columns}
    words = []
    for name, dtype in FILE_COLUMNS.items():
        if name in ("key", "newest", "recorded_at"):
            continue
        absent = name in OPTIONAL and name not in present
        words.append(f"CAST(NULL AS {_TYPES[str(dtype.base_type())]}) AS {name}" if absent else name)
    return ", ".join(words)


def _unfolded(folded: str, *, has_grids: bool) -> str:
    names = [name for name in COLUMNS["beliefs"] if name not in ("value", "quantile")]
    shared = ", ".join(names)
    order = ", ".join(COLUMNS["beliefs"])
    plain = f"SELECT {shared}, value, CAST(NULL AS DOUBLE) AS quantile FROM folded WHERE grid IS NULL"
    if not has_grids:
        return f"WITH folded AS ({folded}) SELECT {order} FROM ({plain})"
    stated = "CASE WHEN starts_with(grid, 'point') THEN list_prepend(value, quantiles) ELSE quantiles END"
    spread = (
        f"SELECT {shared}, unnest({stated}) AS value,"
        " TRY_CAST(unnest(string_split(grid, ' ')) AS DOUBLE) AS quantile FROM folded WHERE grid IS NOT NULL"
    )
    return f"WITH folded AS ({folded}) SELECT {order} FROM ({plain} UNION ALL BY NAME {spread})"


def _coverage(root: Path, entries: Sequence[Entry]) -> str:
    if not entries:
        return _nothing(COLUMNS["coverage"])
    return f"SELECT {', '.join(COLUMNS['coverage'])} FROM {_read(root, entries)}"


def _read(root: Path, entries: Sequence[Entry], options: str = "") -> str:
    paths = ", ".join(f"'{_path(root, entry)}'" for entry in entries)
    return f"read_parquet([{paths}], union_by_name = true{options})"


def _path(root: Path, entry: Entry) -> str:
    return (root / entry.path).as_posix().replace("'", "''")


def _nothing(columns: Mapping[str, str]) -> str:
    return "SELECT " + ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in columns.items()) + " WHERE false"
