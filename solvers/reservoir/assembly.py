"""A linear programme grown block by block and packed into the solver's form.

Put here: bookkeeping of columns and rows. Keep out: what they mean (solvers/reservoir/program.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from domain.hydraulics import Array

INFINITY: Final = float("inf")


@dataclass(slots=True, kw_only=True)
class Program:
    """A programme in the solver's form: minimise cost x + offset, row_low <= rows x <= row_high, low <= x <= high.

    Attributes:
        columns: Name of a block of columns -> its first index and the intervals it has one for.
        rows: Name of a block of rows -> its first index and the intervals it has one for.
    """

    cost: Array
    offset: float
    low: Array
    high: Array
    row_low: Array
    row_high: Array
    row_start: np.ndarray
    row_column: np.ndarray
    row_value: Array
    integral: np.ndarray
    columns: Mapping[str, tuple[int, np.ndarray]]
    rows: Mapping[str, tuple[int, np.ndarray]]

    def take(self, solution: Array, block: str) -> Array:
        """Return a block of a solution."""
        first, at = self.columns[block]
        return solution[first : first + len(at)]


class Assembly:
    """Grows columns and rows block by block and packs them."""

    def __init__(self) -> None:
        self.columns: dict[str, tuple[int, np.ndarray]] = {}
        self.rows: dict[str, tuple[int, np.ndarray]] = {}
        self.cost: list[Array] = []
        self.low: list[Array] = []
        self.high: list[Array] = []
        self.integral: list[np.ndarray] = []
        self.row_low: list[Array] = []
        self.row_high: list[Array] = []
        self.entries: list[tuple[np.ndarray, np.ndarray, Array]] = []
        self.width = self.height = 0

    def column(self, name: str, at: np.ndarray, cost: Array | float, low: Array | float, high: Array | float, *, integral: bool = False) -> np.ndarray:  # noqa: E501 - the six facts of a column # fmt: skip
        """Add a block of columns, one for each interval in ``at``; return their indices."""
        self.columns[name] = (self.width, at)
        for kept, value in ((self.cost, cost), (self.low, low), (self.high, high)):
            kept.append(np.broadcast_to(np.asarray(value, dtype=np.float64), at.shape))
        self.integral.append(np.full(len(at), int(integral), dtype=np.int32))
        self.width += len(at)
        return np.arange(self.width - len(at), self.width)

    def row(self, name: str, at: np.ndarray, low: Array | float, high: Array | float, *terms: tuple[np.ndarray, Array | float]) -> np.ndarray:  # noqa: E501 # fmt: skip
        """Add a block of rows, one for each interval in ``at``; terms are (column indices, coefficients); -1 = none."""
        self.rows[name] = (self.height, at)
        index = np.arange(self.height, self.height + len(at))
        for kept, value in ((self.row_low, low), (self.row_high, high)):
            kept.append(np.broadcast_to(np.asarray(value, dtype=np.float64), at.shape))
        for column, factor in terms:
            there = column >= 0
            self.entries.append((index[there], column[there], np.broadcast_to(factor, at.shape)[there]))
        self.height += len(at)
        return index

    def relief(self, name: str, row: str, sign: float) -> None:
        """Add a column to each row of a block that lets it give way, one unit at a cost of 1 (see diagnosis)."""
        first, at = self.rows[row]
        column = self.column(name, at, 1.0, 0.0, INFINITY)
        self.entries.append((np.arange(first, first + len(at)), column, np.full(len(at), sign)))

    def pack(self, offset: float) -> Program:
        """Return the programme."""
        row = np.concatenate([entry[0] for entry in self.entries])
        order = np.argsort(row, kind="stable")
        row = row[order]
        return Program(
            cost=np.concatenate(self.cost),
            offset=offset,
            low=np.concatenate(self.low),
            high=np.concatenate(self.high),
            row_low=np.concatenate(self.row_low),
            row_high=np.concatenate(self.row_high),
            row_start=np.searchsorted(row, np.arange(self.height)).astype(np.int32),
            row_column=np.concatenate([entry[1] for entry in self.entries])[order].astype(np.int32),
            row_value=np.concatenate([entry[2] for entry in self.entries])[order],
            integral=np.concatenate(self.integral),
            columns=self.columns,
            rows=self.rows,
        )


def shifted(index: np.ndarray) -> np.ndarray:
    """Return the index of the interval before each; -1 for the first, whose predecessor is the given start."""
    return np.concatenate([[-1], index[:-1]])
