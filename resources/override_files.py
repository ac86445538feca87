"""Overrides as operators write them: a TOML or CSV file, checked line by line.

Put here: reading such a file into edits. Keep out: what an edit may say (solvers/reservoir/overrides.py), storing them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from domain.errors import InputError
from domain.instants import iso
from resources.reservoir_run import edit_of
from solvers.reservoir.overrides import Edit

SHARED: Final = ("author", "reason")
KNOWN: Final = ("column", "start", "end", "value", *SHARED)


def read_overrides(path: Path, *, at: datetime, author: str = "", reason: str = "") -> list[Edit]:
    """Return the edits of a file.

    TOML: ``[[override]]`` tables with ``column, start, end, value``; ``author`` and ``reason`` in each or once at the
    top. CSV: the same as columns. Times are ISO-8601 with an offset.

    Args:
        path: The file; ``.csv`` is CSV, everything else TOML.
        at: When they are said [UTC].
        author: Who says so, where the file does not.
        reason: Why, where the file does not.

    Raises:
        InputError: The file cannot be read, or an edit in it makes no sense; the message numbers the edit.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    rows, shared = _csv(content, path) if path.suffix == ".csv" else _toml(content, path)
    if not rows:
        raise InputError(f"{path} holds no override; write [[override]] tables, or rows below {', '.join(KNOWN)}")
    defaults = {"author": author, "reason": reason} | shared
    edits = []
    for number, row in enumerate(rows, start=1):
        if unknown := [name for name in row if name not in KNOWN]:
            raise InputError(f"{path}, override {number}: unknown {', '.join(unknown)}; known: {', '.join(KNOWN)}")
        said = {name: row.get(name) or defaults[name] for name in SHARED}
        try:
            edits.append(edit_of(_as_text(row) | said | {"at": iso(at)}))
        except InputError as error:
            raise InputError(f"{path}, override {number}: {error}") from None
    return edits


def _toml(content: bytes, path: Path) -> tuple[Sequence[Mapping[str, Any]], dict[str, str]]:
    try:
        document = tomllib.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} is no TOML: {error}") from None
    rows = document.pop("override", [])
    if unknown := [name for name in document if name not in SHARED]:
        raise InputError(f"{path}: unknown {', '.join(unknown)}; write author, reason and [[override]] tables")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path}: override must be tables, written [[override]]")
    return rows, {name: str(document[name]) for name in SHARED if name in document}


def _csv(content: bytes, path: Path) -> tuple[Sequence[Mapping[str, Any]], dict[str, str]]:
    try:
        frame = pl.read_csv(content, infer_schema=False)
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no CSV table: {str(error).splitlines()[0]}") from None
    return frame.to_dicts(), {}


def _as_text(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row whose times are text; a TOML time without an offset keeps lacking it, and is refused later."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in row.items()
        if value is not None
    }
