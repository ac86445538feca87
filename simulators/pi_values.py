"""The historian's value objects.

Put here: how a number, a digital state or a bad value is printed. Keep out: where values come from.
"""

from __future__ import annotations

from math import isnan
from typing import Any

from simulators.noise import Floats
from simulators.pi_archive import MODES, Tag


def values(tag: Tag, texts: list[str], found: Floats) -> list[dict[str, Any]]:
    """Return value objects; a NaN becomes a system digital state."""
    flags = {
        "UnitsAbbreviation": tag.unit,
        "Good": True,
        "Questionable": False,
        "Substituted": False,
        "Annotated": False,
    }
    if tag.digital:
        return [
            {"Timestamp": text, **flags, "Value": {"Name": MODES[int(value)], "Value": int(value), "IsSystem": False}}
            if not isnan(value)
            else bad_value(tag, text, "I/O Timeout")
            for text, value in zip(texts, found.tolist(), strict=True)
        ]
    return [
        {"Timestamp": text, **flags, "Value": value} if not isnan(value) else bad_value(tag, text, "No Data")
        for text, value in zip(texts, found.tolist(), strict=True)
    ]


def bad_value(tag: Tag, text: str, name: str) -> dict[str, Any]:
    """Return a value object that holds a system digital state instead of a value."""
    state = {"Name": name, "Value": 248, "IsSystem": True}
    flags = {"Good": False, "Questionable": False, "Substituted": False, "Annotated": False}
    return {"Timestamp": text, "UnitsAbbreviation": tag.unit, **flags, "Value": state}


def unitless(tag: Tag) -> Tag:
    """Return a tag for counts and percentages of another."""
    return Tag(path=tag.path, series=tag.series, unit="")


def selected(answer: dict[str, Any], wanted: str) -> dict[str, Any]:
    """Return the answer cut down to the fields wanted, such as ``Items.Timestamp;Items.Value.Good``; none: all."""
    fields = [field.split(".") for field in wanted.split(";") if field]
    return _cut(answer, fields) if fields else answer


def _cut(node: Any, fields: list[list[str]]) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(node, list):
        return [_cut(item, fields) for item in node]
    if not isinstance(node, dict) or any(not field for field in fields):
        return node
    wanted: dict[str, list[list[str]]] = {}
    for head, *rest in fields:
        wanted.setdefault(head, []).append(rest)
    return {name: _cut(value, wanted[name]) for name, value in node.items() if name in wanted}
