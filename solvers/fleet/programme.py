"""A linear programme put together in bulk, straight from arrays, and HiGHS to solve it.

Put here: columns, rows, solver options. Keep out: what the columns mean (whole.py).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from domain.errors import InfeasibleError

MOST_NODES: Final = 3000
"""Nodes of one search over binaries: a limit that, unlike one in seconds, gives the same plan every time."""

MOST_SECONDS: Final = 20.0
"""A backstop for all searches over binaries of one programme together [s]."""

HUGE: Final = 1e30
"""No limit, as HiGHS reads it."""

Numbers = float | np.ndarray


class Programme:
    """Minimise a linear cost over columns, some of them binary, within rows."""

    def __init__(self) -> None:
        self._cost: list[np.ndarray] = []
        self._low: list[np.ndarray] = []
        self._high: list[np.ndarray] = []
        self._binary: list[np.ndarray] = []
        self._entries: list[tuple[np.ndarray, ...]] = []
        self._row_low: list[np.ndarray] = []
        self._row_high: list[np.ndarray] = []
        self.columns = self.rows = 0
        self.seconds = 0.0

    @property
    def cost(self) -> np.ndarray:
        """Cost of each column [USD]."""
        return np.concatenate(self._cost)

    def add_columns(
        self, cost: Numbers, low: Numbers, high: Numbers, shape: tuple[int, ...], *, binary: bool = False
    ) -> np.ndarray:
        """Add columns of that shape and return their numbers."""
        size = int(np.prod(shape))
        for store, value in ((self._cost, cost), (self._low, low), (self._high, high)):
            store.append(np.broadcast_to(value, shape).astype(float).reshape(-1))
        self._binary.append(np.full(size, binary))
        self.columns += size
        return np.arange(self.columns - size, self.columns).reshape(shape)

    def add_rows(
        self, low: Numbers, high: Numbers, shape: tuple[int, ...], *terms: tuple[np.ndarray, Numbers]
    ) -> np.ndarray:
        """Add rows; a term is columns and values, of the rows' shape or with a leading axis that is summed over."""
        size = int(np.prod(shape))
        rows = np.arange(self.rows, self.rows + size).reshape(shape)
        for column, value in terms:
            self.add_terms(rows, column, value)
        self._row_low.append(np.broadcast_to(low, shape).astype(float).reshape(-1))
        self._row_high.append(np.broadcast_to(high, shape).astype(float).reshape(-1))
        self.rows += size
        return rows

    def add_terms(self, rows: np.ndarray, columns: np.ndarray, value: Numbers) -> None:
        """Add further terms to rows that are there."""
        self._entries.append(tuple(np.ravel(each) for each in np.broadcast_arrays(rows, columns, value)))

    def close(self, columns: np.ndarray) -> None:
        """Hold columns at zero, and let binaries be any part of one."""
        high = np.concatenate(self._high)
        high[columns] = 0.0
        self._high, self._binary = [high], [np.zeros(self.columns, dtype=np.bool_)]

    def run(self, gap_usd: float) -> tuple[np.ndarray, float, float]:
        """Return values of the columns (empty if none were found), their cost and a bound."""
        import highspy  # noqa: PLC0415 - a tenth of a second that plans without shared limits need not wait for

        row, column, value = (np.concatenate([entry[k] for entry in self._entries]) for k in range(3))
        order = np.lexsort((row, column))
        start = np.concatenate([[0], np.cumsum(np.bincount(column, minlength=self.columns))]).astype(np.int32)
        binary = np.concatenate(self._binary)
        model = highspy.Highs()
        options: dict[str, Any] = {
            "output_flag": False, "threads": 1, "random_seed": 0,
            "primal_feasibility_tolerance": 1e-9, "dual_feasibility_tolerance": 1e-9,
        }  # fmt: skip
        if binary.any():
            left = max(MOST_SECONDS - self.seconds, 0.1)
            options |= {
                "mip_rel_gap": 0.0, "mip_abs_gap": gap_usd, "mip_max_nodes": MOST_NODES, "time_limit": left,
            }  # fmt: skip
        for name, setting in options.items():
            model.setOptionValue(name, setting)
        model.passModel(
            self.columns, self.rows, len(row), 1, 1, 0.0, np.concatenate(self._cost), np.concatenate(self._low),
            np.concatenate(self._high), np.concatenate(self._row_low), np.concatenate(self._row_high), start,
            row[order].astype(np.int32), value[order].astype(float), binary.astype(np.int32),
        )  # fmt: skip
        model.run()
        if not binary.any() and model.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            # Tight tolerances can leave a badly scaled programme (penalties of thousands beside cents) undecided.
            model.clearSolver()
            for name in ("primal_feasibility_tolerance", "dual_feasibility_tolerance"):
                model.setOptionValue(name, 1e-7)
            model.run()
            if model.getModelStatus() != highspy.HighsModelStatus.kOptimal:
                raise InfeasibleError(
                    f"the fleet's programme ended with {model.modelStatusToString(model.getModelStatus())};"
                    " look for numbers of very different size among its devices and limits"
                )
        self.seconds += model.getRunTime() if binary.any() else 0.0
        info = model.getInfo()
        if info.primal_solution_status != 2:  # noqa: PLR2004 - HiGHS: a feasible point is held
            return np.empty(0), np.inf, -np.inf
        cost = float(info.objective_function_value)
        return np.array(model.getSolution().col_value), cost, float(info.mip_dual_bound) if binary.any() else cost
