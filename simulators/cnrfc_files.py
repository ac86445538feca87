"""The files of the California Nevada River Forecast Center: names, issue times and text.

Put here: which file exists from when, and what is in it. Keep out: HTTP, listing pages (cnrfc.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Final

import numpy as np

from simulators.faults import Faults, Table
from simulators.localtime import DAY_S, HOUR_S, stamps, utc
from simulators.noise import Floats, Ints, stream, uniforms
from simulators.world import World
from simulators.world_forecasts import river_ensemble, river_forecast

POINTS: Final = {"MFPC1": "r4_cfs", "RUFC1": "r30_cfs", "MFAC1L": "r20_cfs", "NMFC1": "r10_cfs", "MFAC1": "inflow_cfs"}
"""Forecast points and the flow of the world behind each: R4, R30, R20 local, R10, and what reaches the afterbay."""
GROUPS: Final[dict[str, tuple[str, ...]]] = {"american": tuple(POINTS)}
KCFS: Final = 1000.0
PAST_H: Final = 120
AHEAD_H: Final = 120
_WET_CFS: Final = 450.0
_MISSING: Final = "-9999"
_EXPORT: Final = re.compile(r"(\d{10})_(\w+?)_csv_export\.zip")
_HEFS: Final = re.compile(r"(\d{10})_(\w+?)_hefs_csv_(hourly|daily)\.(?:csv\.)?zip")
_LATEST: Final = re.compile(r"(\w+?)_hefs_csv_(hourly|daily)\.csv")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of one issue.

    Attributes:
        name: As it is asked for.
        kind: ``export`` (deterministic), ``hourly`` or ``daily`` (ensemble).
        cycle: The issue's nominal time [epoch s].
        points: Whose columns it has.
        modified: When it last changed [epoch s].
        rewritten: Issued a second time within its cycle, with other numbers.
    """

    name: str
    kind: str
    cycle: int
    points: tuple[str, ...]
    modified: int
    rewritten: bool = False

    @property
    def member_name(self) -> str:
        """The name of the CSV in the zip."""
        return self.name.removesuffix(".zip").removesuffix(".csv") + ".csv"


def is_wet(world: World, cycle: int) -> bool:
    """Tell whether a storm passes within a day of a cycle: then there are more issues, and updates of them."""
    start = max(cycle - DAY_S, world.first_hour * HOUR_S)
    return bool(world.window("sierra", start, cycle + DAY_S)["r4_cfs"].max() > _WET_CFS)


def exists_cycle(world: World, cycle: int, kind: str) -> bool:
    """Tell whether there is an issue at a nominal time: 12 UTC always, the other sixths of the day in storms."""
    if cycle < (world.first_hour + PAST_H) * HOUR_S or cycle % (6 * HOUR_S):
        return False
    midday = cycle % DAY_S == DAY_S // 2
    return midday or (kind != "daily" and is_wet(world, cycle))


def issued(world: World, cycle: int, kind: str, now: float) -> tuple[int, bool] | None:
    """Return when an issue last changed and whether that was an update, or None before it appears.

    The deterministic issue appears 3.5 to 5 hours after its nominal time, ensembles 5 to 6.5 hours after.
    """
    draw = float(uniforms(stream(world.seed, "cnrfc", kind), np.array([cycle // HOUR_S]))[0])
    first = cycle + int((213 + 83 * draw if kind == "export" else 300 + 90 * draw) * 60)
    if now < first:
        return None
    update = cycle + 9 * HOUR_S + int(1800 * draw)
    if kind == "export" and now >= update and is_wet(world, cycle):
        return update, True
    return first, False


def find(world: World, name: str, now: float) -> File | None:
    """Return the file of a name if it has been issued."""
    export, ensemble, latest = _EXPORT.fullmatch(name), _HEFS.fullmatch(name), _LATEST.fullmatch(name)
    if latest and latest[1] in POINTS:
        kind = latest[2]
        for back in range(12):
            cycle = (int(now) // (6 * HOUR_S) - back) * 6 * HOUR_S
            found = _file(world, name, kind, cycle, (latest[1],), now)
            if found:
                return found
        return None
    match = export or ensemble
    if match is None:
        return None
    points = GROUPS.get(match[2], (match[2],) if match[2] in POINTS and not export else ())
    stamp = match[1]
    try:
        moment = np.datetime64(f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}T{stamp[8:]}", "s").astype(np.int64)
    except ValueError:
        return None
    kind = "export" if export else match[3]
    return _file(world, name, kind, int(moment), points, now) if points else None


def _file(world: World, name: str, kind: str, cycle: int, points: tuple[str, ...], now: float) -> File | None:
    if not exists_cycle(world, cycle, kind):
        return None
    state = issued(world, cycle, kind, now)
    if state is None:
        return None
    return File(name=name, kind=kind, cycle=cycle, points=points, modified=state[0], rewritten=state[1])


def recent(world: World, kind: str, now: float) -> list[File]:
    """Return the group files of the newest issue of a kind: what a listing page shows."""
    for back in range(12):
        cycle = (int(now) // (6 * HOUR_S) - back) * 6 * HOUR_S
        label = f"{utc(cycle):%Y%m%d%H}"
        names = {
            group: f"{label}_{group}_csv_export.zip" if kind == "export" else f"{label}_{group}_hefs_csv_{kind}.zip"
            for group in GROUPS
        }
        found = [_file(world, name, kind, cycle, GROUPS[group], now) for group, name in names.items()]
        shown = [one for one in found if one is not None]
        if shown:
            return shown
    return []


def text(world: World, faults: Faults, file: File, *, members: int, hours: int, now: float) -> str:
    """Return the file's CSV: a row of ids, a row of parameters, then kcfs at GMT instants."""
    if file.kind == "export":
        at, columns = _deterministic(world, file)
        ids, parameter = list(file.points), "QINE"
    else:
        at, columns = _ensemble(world, file, members, hours)
        ids, parameter = [point for point in file.points for _ in range(members)], "QINE"
        if file.kind == "daily":
            at, columns, parameter = _daily(at, columns)
    table = Table(
        {str(place): column for place, column in enumerate(columns)},
        at,
        np.full(at.size, file.modified),
        tuple(str(place) for place in range(len(columns))),
    )
    table = faults.visible(table, f"cnrfc:{file.kind}", now)
    names, extra = faults.drifted(f"cnrfc:{file.kind}", ["GMT", *ids])
    return _csv(names, [parameter] * len(ids) + ["REMARK"] * extra, table, extra)


def _instants(before: float, means: Floats) -> Floats:
    """Return flow at the beginning of each hour from hourly means: the mean of the hours on both sides."""
    padded = np.concatenate([[before], means])
    return (padded[:-1] + padded[1:]) / 2.0


def _deterministic(world: World, file: File) -> tuple[Ints, list[Floats]]:
    start, end = file.cycle - PAST_H * HOUR_S, file.cycle + AHEAD_H * HOUR_S
    truth = world.window("sierra", start - HOUR_S, end + HOUR_S)
    columns = []
    for point in file.points:
        flow = truth[POINTS[point]]
        source = "cnrfc update" if file.rewritten else "cnrfc"
        ahead = river_forecast(world, POINTS[point], file.cycle // HOUR_S, source, AHEAD_H + 1).median_cfs
        past = _instants(flow[0], flow[1 : PAST_H + 1])
        columns.append(np.concatenate([past, _instants(flow[PAST_H], ahead)]))
    return np.arange(start, end + 1, HOUR_S, dtype=np.int64), columns


def _ensemble(world: World, file: File, members: int, hours: int) -> tuple[Ints, list[Floats]]:
    columns: list[Floats] = []
    for point in file.points:
        before = world.window("sierra", file.cycle - HOUR_S, file.cycle)[POINTS[point]][0]
        paths = river_ensemble(world, POINTS[point], file.cycle // HOUR_S, members, hours)
        columns += [_instants(float(before), path) for path in paths]
    return file.cycle + np.arange(hours, dtype=np.int64) * HOUR_S, columns


def _daily(at: Ints, columns: Sequence[Floats]) -> tuple[Ints, list[Floats], str]:
    """Return daily means stamped at the end of each day, as the daily product prints them."""
    days = (at.size - 1) // 24
    means = [column[: days * 24].reshape(days, 24).mean(axis=1) for column in columns]
    return at[24 : days * 24 + 1 : 24], means, "SQME"


def _csv(names: Sequence[str], parameters: Sequence[str], table: Table, extra: int) -> str:
    times = [text.replace("T", " ") for text in stamps(table.event)]
    cells = [
        [_MISSING if isnan(value) else f"{value / KCFS:.5f}" for value in column.tolist()]
        for column in table.columns.values()
    ]
    cells += [["n/a"] * table.event.size] * extra
    lines = [",".join(row) for row in zip(times, *cells, strict=True)]
    # The real files end with blank lines.
    return "\n".join([",".join(names), ",".join(["", *parameters]), *lines, "", ""])
