"""Read a TOML file into frozen records, or say exactly what is wrong with it.

Put here: reading, merging and checking any configuration file. Keep out: what one file means
(resources/sources_file.py, resources/series_file.py).
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from domain.errors import ConfigError

T = TypeVar("T")
Table = dict[str, Any]


def read_toml(path: Path) -> Table:
    """Return the file's tables.

    Raises:
        ConfigError: The file cannot be opened, is not UTF-8 or is no TOML; names the line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror or error}; the file must exist and be readable"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}; correct that place") from None


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> Table:
    """Return ``base`` with the values of ``over``; tables merge key by key, lists are replaced whole.

    >>> merged({"pi": {"a": 1, "b": 2}}, {"pi": {"b": 3}})
    {'pi': {'a': 1, 'b': 3}}
    """
    result = dict(base)
    for key, value in over.items():
        known = result.get(key)
        both = isinstance(known, Mapping) and isinstance(value, Mapping)
        result[key] = merged(known, value) if both else value
    return result


def checked(record: type[T], table: Mapping[str, Any], *, path: Path, where: str) -> T:
    """Return ``table`` as a frozen record.

    Args:
        record: A dataclass.
        table: What the file says.
        path: The file, for the message.
        where: The table's name in the file, for the message.

    Raises:
        ConfigError: A key is unknown or missing, or a value breaks its limit; lists every such place.
    """
    try:
        return _adapter(record).validate_python(table)
    except ValidationError as error:
        problems = [_problem(record, dict(problem)) for problem in error.errors(include_url=False)]
        raise ConfigError(f"{path}, [{where}]: {'; '.join(problems)}") from None


@cache
def _adapter(record: type[T]) -> TypeAdapter[T]:
    """Return pydantic's reading of a record; making one takes a millisecond, and every client reads the same file."""
    return TypeAdapter(record)


def _problem(record: type, problem: Mapping[str, Any]) -> str:
    *parents, last = problem["loc"] or ("(table)",)
    place = ".".join(str(part) for part in (*parents, last))
    if problem["type"] == "unexpected_keyword_argument":
        known = _keys(record, parents)
        close = difflib.get_close_matches(str(last), known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
        return f"unknown key {place}; {hint}"
    if problem["type"] == "missing":
        return f"missing key {place}; add it"
    return f"{place} = {problem['input']!r}: {problem['msg'].lower()}"


def _keys(record: type, parents: list[Any]) -> list[str]:
    """Return the keys of the nested record at ``parents``; a list's index does not change the type."""
    for name in parents:
        if isinstance(name, int):
            continue
        hint = get_type_hints(record)[name]
        record = next((arg for arg in get_args(hint) if is_dataclass(arg)), hint)
    return [field.name for field in fields(record)] if is_dataclass(record) else []
