"""Plant files: TOML on disk to the plant's records, every problem reported with its line.

Put here: reading, and the walk that checks a file against the records. Keep out: what the numbers mean
(domain/plant.py) and what they must satisfy together (domain/plant_checks.py).
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import MISSING, dataclass, field, fields, replace
from datetime import date, time
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from domain.errors import ConfigError
from domain.plant import Plant, Provenance
from domain.plant_checks import is_record, plant_problems, range_problem

PROVENANCE_KEYS: Final = ("source", "valid_from", "valid_until")
"""Keys any table may carry beside its numbers."""

SOURCED: Final = ("storage", "pool", "unit", "upstream", "balance", "weights", "bias")
"""Tables that must say where their numbers come from."""

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?")
_KEY = re.compile(r"^\s*([A-Za-z0-9_.\-\"']+)\s*=")


def load_plant(path: Path) -> Plant:
    """Return the plant a TOML file describes.

    Raises:
        ConfigError: The file cannot be read, is no TOML, or breaks rules; the message has one line a problem, each
            ``file:line: key: what is wrong``.
    """
    plant, problems = examine_plant(path)
    if plant is None or problems:
        raise ConfigError("\n".join(problems))
    return plant


def examine_plant(path: Path) -> tuple[Plant | None, list[str]]:
    """Return the plant, None where it cannot be built, and every problem of the file with its line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return None, [f"{path}: cannot be read: {error}"]
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return None, [f"{path}: is no TOML: {error}"]
    walk = _Walk(path, _line_numbers(text))
    for table in SOURCED:
        if isinstance(document.get(table), dict) and not document[table].get("source"):
            walk.complain((table,), "has no source; say where its numbers come from")
    plant = walk.build(Plant, document, ())
    if plant is None or walk.problems:
        return None, walk.problems
    for key, problem in plant_problems(plant):
        walk.complain(tuple(int(part) if part.isdigit() else part for part in key.split(".")), problem)
    provenance = tuple(_provenance(name, document[name]) for name in SOURCED if name in document)
    return replace(plant, provenance=provenance), walk.problems


def _provenance(name: str, table: dict[str, Any]) -> Provenance:
    return Provenance(
        table=name,
        source=str(table.get("source", "")),
        valid_from=table.get("valid_from"),
        valid_until=table.get("valid_until"),
    )


def _line_numbers(text: str) -> dict[tuple[str | int, ...], int]:
    """Return the line of every table header and key; tables in an array are told apart by their index."""
    lines: dict[tuple[str | int, ...], int] = {}
    counts: dict[tuple[str | int, ...], int] = {}
    here: tuple[str | int, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            here = tuple(part.strip().strip("\"'") for part in header[2].split("."))
            if header[1] == "[[":
                counts[here] = counts.get(here, -1) + 1
                here = (*here, counts[here])
            lines.setdefault(here, number)
        elif key := _KEY.match(line):
            lines.setdefault((*here, *(part.strip("\"'") for part in key[1].split("."))), number)
    return lines


@dataclass
class _Walk:
    """One pass over a document that collects every problem instead of stopping at the first."""

    path: Path
    lines: dict[tuple[str | int, ...], int]
    problems: list[str] = field(default_factory=list)

    def complain(self, key: tuple[str | int, ...], problem: str) -> None:
        """Note a problem with the line of the key, or of the nearest table around it."""
        near = key
        while near and near not in self.lines:
            near = near[:-1]
        name = ".".join(f"[{part + 1}]" if isinstance(part, int) else part for part in key).replace(".[", "[")
        self.problems.append(f"{self.path}:{self.lines.get(near, 1)}: {name}: {problem}")

    def build(self, kind: Any, table: Any, key: tuple[str | int, ...]) -> Any:  # noqa: ANN401 - any record
        """Return a record built from a table, or None after noting why not."""
        if not isinstance(table, dict):
            return self.complain(key, f"must be a table, is {table!r}")
        before = len(self.problems)
        hints = get_type_hints(kind, include_extras=True)
        names = {item.name: item for item in fields(kind) if item.name != "provenance"}
        for unknown in [name for name in table if name not in names and name not in PROVENANCE_KEYS]:
            self.complain((*key, unknown), f"unknown key; known: {', '.join(names)}")
        values = {}
        for name, item in names.items():
            if name in table:
                values[name] = self.value(hints[name], table[name], (*key, name))
            elif item.default is MISSING and item.default_factory is MISSING:
                self.complain((*key, name), "is missing; give it a value, nothing is assumed")
        if len(self.problems) > before:
            return None
        try:
            return kind(**values)
        except ConfigError as error:
            return self.complain(key, str(error))

    def value(self, hint: Any, raw: Any, key: tuple[str | int, ...]) -> Any:  # noqa: ANN401, PLR0911 - one return a kind of value
        """Return a value converted to its annotation, or None after noting why not."""
        origin, arguments = get_origin(hint), get_args(hint)
        if is_record(hint):
            return self.build(hint, raw, key)
        if origin in (UnionType, Union):
            return self.value(next(a for a in arguments if a is not type(None)), raw, key)
        if origin is tuple:
            if not isinstance(raw, list):
                return self.complain(key, f"must be a list, is {raw!r}")
            return tuple(self.value(arguments[0], item, (*key, i)) for i, item in enumerate(raw))
        if origin is dict:
            if not isinstance(raw, dict):
                return self.complain(key, f"must be a table, is {raw!r}")
            return {name: self.value(arguments[1], item, (*key, name)) for name, item in raw.items()}
        return self.plain(hint, raw, key)

    def plain(self, hint: Any, raw: Any, key: tuple[str | int, ...]) -> Any:  # noqa: ANN401 - any plain value
        """Return a number, text, choice, day or time, or None after noting why not."""
        if get_origin(hint) is Literal:
            if raw not in get_args(hint):
                self.complain(key, f"is {raw!r}; choose from {', '.join(map(repr, get_args(hint)))}")
            return raw
        kind = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        if kind is float:
            if isinstance(raw, bool) or not isinstance(raw, int | float):
                return self.complain(key, f"is {raw!r}; write a number")
            if (problem := range_problem(hint, float(raw))) is not None:
                self.complain(key, f"is {raw:g}; {problem}")
            return float(raw)
        expected = {
            str: "text",
            int: "a whole number",
            date: "a day such as 2026-05-23",
            time: "a time such as 09:00:00",
        }
        if type(raw) is not kind:
            told = expected.get(kind, "a time with an offset, such as 2026-05-23T09:00:00-07:00")
            return self.complain(key, f"is {raw!r}; write {told}")
        return raw
