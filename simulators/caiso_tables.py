"""What the OASIS reports share: the record of a report, its time columns, the CSV writer.

Put here: the vendor's habits of printing. Keep out: single reports (caiso_reports.py, caiso_forecasts.py), HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.instants import PACIFIC
from simulators.faults import Table
from simulators.localtime import DAY_S, HOUR_S, day_bounds, stamps, to_local
from simulators.noise import Ints, stream, uniforms
from simulators.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report of OASIS.

    Attributes:
        query: Its ``queryname``.
        run: Its ``market_run_id``.
        version: The only version served.
        build: Makes the rows between two epochs [s] for the named places (all of them if none is named).
        place: The query parameter that names places.
    """

    query: str
    run: str
    version: int
    build: Callable[[World, int, int, tuple[str, ...]], Table]
    place: str = "node"


def gmt(seconds: Ints) -> NDArray[Any]:
    """Return epochs [s] as OASIS prints them: ``2025-02-04T18:00:00-00:00``."""
    distinct, place = np.unique(seconds, return_inverse=True)
    return np.array([f"{text}-00:00" for text in stamps(distinct)])[place]


def operating_columns(at: Ints) -> dict[str, NDArray[Any]]:
    """Return OPR_DT and OPR_HR of intervals that start at UTC epochs [s]: hours count on, to 25 in autumn."""
    local, _ = to_local(at, PACIFIC)
    days, place = np.unique(local // DAY_S, return_inverse=True)
    midnight = np.array([day_bounds(date(1970, 1, 1) + timedelta(days=int(day)), PACIFIC)[0] for day in days])
    hour = (at - midnight[place]) // HOUR_S + 1
    return {"OPR_DT": np.array(stamps(days * DAY_S, "D"))[place], "OPR_HR": hour, "midnight": midnight[place]}


def csv_text(seed: int, table: Table, names: list[str], extra: int) -> str:
    """Return the rows as CSV in no particular order, the same one each time."""
    order = np.argsort(uniforms(stream(seed, "oasis order"), np.arange(table.event.size)), kind="stable")
    columns = [_texts(values[order]) for values in table.columns.values()]
    columns += [["n/a"] * table.event.size] * extra
    return ",".join(names) + "\n" + "\n".join(map(",".join, zip(*columns, strict=True))) + "\n"


def _texts(values: NDArray[Any]) -> list[str]:
    if values.dtype.kind == "U":
        return values.tolist()
    if values.dtype.kind == "f":
        return ["" if isnan(value) else f"{value:.5f}" for value in values.tolist()]
    return [str(value) for value in values.tolist()]
