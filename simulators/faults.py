"""The switches that make a stand-in misbehave the way its original does.

Two kinds: faults of an answer (status, HTML in place of data, a cut body, a broken zip, slowness) strike requests as
they pass; faults of the data (lost, doubled, revised, late, frozen or bad values) strike tables before they are
written out. Every draw comes from the seed and a count or an instant, so two runs agree.
Put here: what a switch means. Keep out: wire formats (each service), transport (service.py).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.errors import InputError
from domain.instants import parse_instant
from simulators.noise import Floats, Ints, normals, stream, uniforms

ANSWER_FAULTS: Final = ("http", "html_200", "truncate_body", "bad_zip", "slow")
DATA_FAULTS: Final = (
    "delay",
    "drop_interval",
    "duplicate_row",
    "revise",
    "flatline",
    "bad_value",
    "null_hole",
    "spike",
    "rescale",
    "schema_drift",
    "freeze_rows",
    "cross_quantiles",
    "pad_text",
    "questionable",
    "substituted",
    "unit",
)
CONTENT_FAULTS: Final = ("web_exception", "partial_errors", "item_errors")
"""Faults that one vendor's own JSON or CSV expresses; its service asks for them by name."""
_KNOWN: Final = (*ANSWER_FAULTS, *DATA_FAULTS, *CONTENT_FAULTS)
_VALUE_FAULTS: Final = ("revise", "flatline", "bad_value", "null_hole", "spike", "rescale")
_TIMED: Final = ("flatline", "bad_value", "rescale", "freeze_rows", "questionable", "substituted")
_ALWAYS: Final = 1.0


@dataclass(slots=True)
class Table:
    """Rows of one product before they are written out; all arrays have one element a row.

    Attributes:
        columns: Name -> values, in the order they are written.
        event: When each row is about [epoch s]; what lost and revised rows are drawn by.
        published: From when each row may be shown [epoch s].
        measured: Names of the columns that hold measured or forecast numbers.
    """

    columns: dict[str, NDArray[Any]]
    event: Ints
    published: Ints
    measured: tuple[str, ...]

    def take(self, rows: NDArray[Any]) -> Table:
        """Return the chosen rows (a mask or positions)."""
        columns = {name: values[rows] for name, values in self.columns.items()}
        return Table(columns, self.event[rows], self.published[rows], self.measured)


@dataclass(slots=True)
class Fault:
    """One switch that is on.

    Attributes:
        name: One of ``ANSWER_FAULTS``, ``DATA_FAULTS`` or ``CONTENT_FAULTS``.
        match: It strikes only products or request targets that hold this text.
        p: Probability that it strikes [1].
        times: How many more requests it may strike; None is no limit.
        options: What else the switch needs, such as ``code`` or ``seconds``.
        drawn: Requests it has been drawn for.
    """

    name: str
    match: str = ""
    p: float = _ALWAYS
    times: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    drawn: int = 0

    def number(self, name: str, default: float) -> float:
        """Return a numeric option.

        Raises:
            InputError: It is not a number.
        """
        value = self.options.get(name, default)
        if not isinstance(value, int | float):
            raise InputError(f"fault {self.name} needs a number as {name}, not {value!r}")
        return float(value)

    def instant(self, name: str) -> int:
        """Return a time option as an epoch [s].

        Raises:
            InputError: It is missing or no time with an offset.
        """
        value = self.options.get(name)
        if not isinstance(value, str):
            raise InputError(f"fault {self.name} needs a time as {name}, such as 2026-11-21T07:00Z, not {value!r}")
        moment: datetime = parse_instant(value, what=f"{self.name}.{name}")
        return int(moment.timestamp())


class Faults:
    """All switches of one service that are on."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._active: list[Fault] = []
        self.mended_at = 0.0

    def clear(self, *, mended_at: float = 0.0) -> None:
        """Turn every switch off; ``mended_at`` [epoch s]: then what had been published wrong was published anew."""
        self._active.clear()
        self.mended_at = mended_at

    @contextmanager
    def paused(self) -> Generator[None]:
        """Turn every switch off for a while; afterwards each goes on where it was."""
        active, self._active = self._active, []
        try:
            yield
        finally:
            self._active = active

    def add(self, spec: dict[str, Any]) -> None:
        """Turn a switch on.

        Args:
            spec: ``fault`` (its name), optionally ``match``, ``p``, ``times``, and the options of that switch.

        Raises:
            InputError: The switch is unknown or a value has the wrong type.
        """
        rest = dict(spec)
        name = rest.pop("fault", None)
        if name not in _KNOWN:
            raise InputError(f"unknown fault {name!r}; known: {', '.join(_KNOWN)}")
        fault = Fault(name, options=rest)
        fault.match = str(rest.pop("match", ""))
        fault.p = fault.number("p", _ALWAYS)
        rest.pop("p", None)
        fault.times = int(fault.number("times", 0)) if "times" in rest else None
        rest.pop("times", None)
        for time_option in ("from", "to"):
            if name in _TIMED:
                fault.instant(time_option)
        self._active.append(fault)

    def describe(self) -> list[dict[str, Any]]:
        """Return the switches that are on, in the form ``add`` takes."""
        return [
            {"fault": fault.name, "match": fault.match, "p": fault.p, "times": fault.times, **fault.options}
            for fault in self._active
        ]

    def strikes(self, target: str) -> list[Fault]:
        """Return the answer faults that strike this request, and count it."""
        return self._struck(target, ANSWER_FAULTS)

    def content(self, name: str, target: str) -> bool:
        """Tell whether a content fault strikes this answer, and count it."""
        return bool(self._struck(target, (name,)))

    def _struck(self, target: str, names: Sequence[str]) -> list[Fault]:
        struck = []
        for place, fault in enumerate(self._active):
            if fault.name not in names or fault.match not in target or fault.times == 0:
                continue
            key = stream(self._seed, "fault", fault.name, place)
            draw = float(uniforms(key, np.array([fault.drawn], np.int64))[0])
            fault.drawn += 1
            if draw < fault.p:
                fault.times = None if fault.times is None else fault.times - 1
                struck.append(fault)
        return struck

    def delay_s(self, product: str) -> int:
        """Return how much later than usual a product appears [s]."""
        return int(sum(fault.number("seconds", 0.0) for fault in self._on("delay", product)))

    def visible(self, table: Table, product: str, now: float, *, lose: bool = True) -> Table:
        """Return the rows that may be shown at ``now`` [epoch s], with the data faults applied.

        Args:
            table: All rows.
            product: Whose; a fault strikes it if its ``match`` is part of this.
            now: The virtual present.
            lose: Whether single rows may be lost; documents are lost as a whole (`lost`).
        """
        table = table.take(table.published + self.delay_s(product) <= now)
        for fault in self._active:
            if fault.match in product and (lose or fault.name != "drop_interval"):
                table = self._spoil(table, fault, product, now)
        return table

    def doubled(self, product: str, event: Ints) -> Ints:
        """Return the places of rows, by what they are about [epoch s], with those that come twice twice."""
        copies = np.ones(event.size, np.int64)
        for fault in self._on("duplicate_row", product):
            copies += self._draw(fault, product, event)
        return np.repeat(np.arange(event.size), copies)

    def lost(self, product: str, at: Ints) -> NDArray[np.bool_]:
        """Return which documents, by when they are posted [epoch s], are lost."""
        gone = np.zeros(at.size, dtype=bool)
        for fault in self._on("drop_interval", product):
            gone |= self._draw(fault, product, at)
        return gone

    def drifted(self, product: str, names: list[str]) -> tuple[list[str], int]:
        """Return column names after a schema drift, and how many unknown columns follow them."""
        extra = 0
        for fault in self._on("schema_drift", product):
            renames = fault.options.get("rename", {})
            names = [renames.get(name, name) for name in names]
            if fault.options.get("case") in {"upper", "lower"}:
                names = [getattr(name, str(fault.options["case"]))() for name in names]
            if "add" in fault.options:
                names, extra = [*names, str(fault.options["add"])], extra + 1
        return names, extra

    def drifted_json(self, product: str, node: Any) -> Any:  # noqa: ANN401 - any JSON
        """Return JSON whose objects have drifted: keys renamed or in another case, a key nobody knows beside values."""
        if not self._on("schema_drift", product):
            return node
        if isinstance(node, list):
            return [self.drifted_json(product, one) for one in node]
        if not isinstance(node, dict):
            return node
        named = all(isinstance(value, dict | list) for value in node.values())
        names, extra = self.drifted(product, list(node))
        inside = [self.drifted_json(product, value) for value in node.values()]
        found = dict(zip(names, inside, strict=False))
        return found if named else {**found, **dict.fromkeys(names[len(names) - extra :], "n/a")}

    def is_on(self, name: str, product: str) -> bool:
        """Tell whether a switch is on for a product."""
        return bool(self._on(name, product))

    def flagged(self, name: str, product: str, at: Ints) -> NDArray[np.bool_]:
        """Return which instants [epoch s] a timed switch marks."""
        marked = np.zeros(at.size, dtype=bool)
        for fault in self._on(name, product):
            marked |= _between(at, fault)
        return marked

    def unit(self, product: str, unit: str) -> str:
        """Return the unit a product is printed with: its own, or another one where a switch says so."""
        return str(next((fault.options.get("unit", unit) for fault in self._on("unit", product)), unit))

    def _on(self, name: str, product: str) -> list[Fault]:
        return [fault for fault in self._active if fault.name == name and fault.match in product]

    def _draw(self, fault: Fault, product: str, event: Ints) -> NDArray[np.bool_]:
        return uniforms(stream(self._seed, "fault", fault.name, product), event) < fault.p

    def _spoil(self, table: Table, fault: Fault, product: str, now: float) -> Table:
        if fault.name == "drop_interval":
            return table.take(~self._draw(fault, product, table.event))
        if fault.name == "duplicate_row":
            return table.take(self.doubled(product, table.event))
        if fault.name not in _VALUE_FAULTS or not table.event.size:
            return table
        timed = fault.name in _TIMED
        struck = _between(table.event, fault) if timed else self._draw(fault, product, table.event)
        if fault.name == "revise":
            struck &= now - table.published >= fault.number("after", 0.0)
        noise = normals(stream(self._seed, "revise", product), table.event)
        columns = dict(table.columns)
        for name in table.measured:
            values: Floats = np.asarray(columns[name], float)
            columns[name] = np.where(struck, _changed(values, fault, struck, noise), values)
        return Table(columns, table.event, table.published, table.measured)


def _changed(values: Floats, fault: Fault, struck: NDArray[np.bool_], noise: Floats) -> Floats:
    """Return what values become where a fault strikes them."""
    match fault.name:
        case "revise":
            return np.round(values + fault.number("sigma", 1.0) * noise, 2)
        case "flatline":
            return np.full(values.size, values[int(np.argmax(struck))])
        case "spike":
            return values * fault.number("factor", 20.0)
        case "rescale":
            return values * fault.number("factor", 10.0)
    return np.full(values.size, np.nan)


def _between(event: Ints, fault: Fault) -> NDArray[np.bool_]:
    return (event >= fault.instant("from")) & (event < fault.instant("to"))
