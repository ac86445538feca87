"""What one run of the afterbay's decision may choose, and what operators have set for it.

Put here: the choices, their form in a manifest, edits that must agree. Keep out: what the choices do
(reservoir_case.py), storing edits (operators.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from domain.bias import TOTAL
from domain.errors import InputError
from domain.instants import iso, parse_instant
from domain.reservoir_inputs import BIAS_PARTS
from solvers.reservoir.options import OPTIMIZERS, Optimizer
from solvers.reservoir.overrides import Edit

SOURCES: Final = ("hydroforecast", "cnrfc")
"""Whose river forecast leads; where it has an hour missing, ours (the other's, or the last days') stands in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What one run may choose; it goes into the manifest, and nothing of it reaches any other run.

    Attributes:
        optimizer: ``lp``, ``stochastic`` or ``rule``.
        source: Whose river forecast leads, one of ``SOURCES``.
        parameter_set: Name of the parameter set in use; empty = the plant's own numbers.
        settings: Numbers of the plant replaced for this run, the parameter set's and the run's own.
        edits: Operators' edits that hold.
    """

    optimizer: Optimizer = "lp"
    source: str = "hydroforecast"
    parameter_set: str = ""
    settings: Mapping[str, str | float] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is not known."""
        for name, value, known in (("optimizer", self.optimizer, OPTIMIZERS), ("source", self.source, SOURCES)):
            if value not in known:
                raise InputError(f"{name} {value!r} is unknown; choose from {', '.join(known)}")
        require_agreement(self.edits)

    def record(self) -> dict[str, Any]:
        """Return the choices JSON-ready, for a manifest; ``from_record`` reads them back."""
        return {
            "optimizer": self.optimizer,
            "source": self.source,
            "parameter_set": self.parameter_set,
            "settings": dict(self.settings),
            "edits": [edit_record(edit) for edit in self.edits],
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> RunSettings:
        """Return the choices that ``record`` holds; an absent one is the default."""
        edits = tuple(edit_of(one) for one in record.get("edits", ()))
        chosen = {name: record[name] for name in ("optimizer", "source", "parameter_set", "settings") if name in record}
        return cls(**chosen, edits=edits)


def edit_record(edit: Edit) -> dict[str, Any]:
    """Return an edit JSON-ready."""
    times = {name: iso(getattr(edit, name)) for name in ("start", "end", "at")}
    return {"column": edit.column, "value": edit.value, "author": edit.author, "reason": edit.reason, **times}


def edit_of(record: Mapping[str, Any]) -> Edit:
    """Return the edit a record describes.

    Raises:
        InputError: A name is missing, a time has no offset, or the edit makes no sense.
    """
    names = ("column", "start", "end", "value", "author", "at", "reason")
    if missing := [name for name in names if name not in record]:
        raise InputError(f"an override lacks {', '.join(missing)}; it has {', '.join(record) or 'nothing'}")
    times = {name: parse_instant(str(record[name]), what=f"{name} of an override") for name in ("start", "end", "at")}
    try:
        value = float(record["value"])
    except (TypeError, ValueError):
        raise InputError(f"value {record['value']!r} of an override of {record['column']} is no number") from None
    column, author, reason = (str(record[name]) for name in ("column", "author", "reason"))
    return Edit(column=column, value=value, author=author, reason=reason, **times)


def require_agreement(edits: Sequence[Edit]) -> None:
    """Refuse edits that give one column two values at one instant, or the bias one value and a part of it another.

    Raises:
        InputError: Two do; the message names the instant, both values and who said them.
    """
    for number, one in enumerate(edits):
        for other in edits[:number]:
            first, last = max(one.start, other.start), min(one.end, other.end)
            if first >= last or not _contradict(one, other):
                continue
            columns = " and ".join(dict.fromkeys((other.column, one.column)))
            raise InputError(
                f"two overrides of {columns} contradict each other from {iso(first)} to {iso(last)}:"
                f" {other.value:g} ({other.author}) and {one.value:g} ({one.author}); withdraw one"
            )


def _contradict(one: Edit, other: Edit) -> bool:
    """Whether two edits that hold at once cannot both be meant."""
    if one.column == other.column:
        return one.value != other.value
    return TOTAL in (one.column, other.column) and {one.column, other.column} <= {TOTAL, *BIAS_PARTS}
