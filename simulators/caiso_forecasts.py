"""The OASIS reports of load, sun and wind: several vintages of one target, and what happened.

Put here: one builder for all runs of a report. Keep out: prices (caiso_reports.py), HTTP and zips (caiso.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulators.caiso_tables import Report, gmt, operating_columns
from simulators.faults import Table
from simulators.localtime import DAY_S, HOUR_S
from simulators.noise import Floats, Ints, smooth, stream
from simulators.world import World, epochs
from simulators.world_california_grid import AREAS, SUN_MW, WHOLE, WIND_MW


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a forecast report.

    Attributes:
        name: Its ``market_run_id``.
        label: As printed.
        item: Its ``XML_DATA_ITEM``.
        spread: Relative standard deviation of its error; 0 for what happened.
        days_before: Days from its publication to the operating day; None: after the hour itself.
        clock_h: Local hour of its publication on that day.
    """

    name: str
    label: str
    item: str
    spread: float
    days_before: int | None
    clock_h: float = 9.0


_LOAD_RUNS: Final = (
    Run(name="7DA", label="Demand Forecast 7-Day Ahead", item="SYS_FCST_7DA_MW", spread=0.05, days_before=7),
    Run(name="2DA", label="Demand Forecast 2-Day Ahead", item="SYS_FCST_2DA_MW", spread=0.03, days_before=2),
    Run(name="DAM", label="Demand Forecast Day Ahead", item="SYS_FCST_DA_MW", spread=0.02, days_before=1),
    Run(
        name="RTM", label="Demand Forecast 5-Minute", item="SYS_FCST_5MIN_MW", spread=0.008, days_before=0, clock_h=0.0
    ),
    Run(name="ACTUAL", label="Total Actual Hourly Integrated Load", item="SYS_FCST_ACT_MW", spread=0, days_before=None),
)
_RENEWABLE_RUNS: Final = (
    Run(name="DAM", label="Renewable Forecast Day Ahead", item="RENEW_FCST_DA_MW", spread=0.12, days_before=1),
    Run(
        name="HASP", label="Renewable Forecast HASP", item="RENEW_FCST_HASP_MW", spread=0.05, days_before=0, clock_h=0.0
    ),
    Run(
        name="RTPD", label="Renewable Forecast RTPD", item="RENEW_FCST_RTPD_MW", spread=0.03, days_before=0, clock_h=0.0
    ),
    Run(name="ACTUAL", label="Renewable Actual", item="RENEW_FCST_ACT_MW", spread=0, days_before=None),
)
_ACTUAL_LATE_S: Final = 4200


def _published(run: Run, at: Ints, midnight: Ints) -> Ints:
    if run.days_before is None:
        return at + HOUR_S + _ACTUAL_LATE_S
    return midnight - run.days_before * DAY_S + int(run.clock_h * HOUR_S)


def _said(world: World, run: Run, name: str, truth: Floats, at: Ints) -> Floats:
    """Return what a run says about a truth: disturbed by an error of its own, smooth in time."""
    error = smooth(stream(world.seed, "oasis", run.name, name), at / HOUR_S, 9.0)
    return np.round(np.maximum(0.0, truth * (1.0 + run.spread * error)), 2)


def _loads(run: Run) -> Callable[[World, int, int, tuple[str, ...]], Table]:
    def build(world: World, start: int, end: int, places: tuple[str, ...]) -> Table:
        at = epochs(start, end, HOUR_S)
        areas = [area for area in (*AREAS, WHOLE) if not places or area in places]
        truth, when, count = world.window("california", start, end), operating_columns(at), len(areas)
        columns: dict[str, NDArray[Any]] = {
            "INTERVALSTARTTIME_GMT": np.tile(gmt(at), count),
            "INTERVALENDTIME_GMT": np.tile(gmt(at + HOUR_S), count),
            "LOAD_TYPE": np.zeros(at.size * count, np.int64),
            "OPR_DT": np.tile(when["OPR_DT"], count),
            "OPR_HR": np.tile(when["OPR_HR"], count),
            "OPR_INTERVAL": np.zeros(at.size * count, np.int64),
            "MARKET_RUN_ID": np.full(at.size * count, run.name),
            "TAC_AREA_NAME": np.repeat(np.array(areas, dtype="U16"), at.size),
            "LABEL": np.full(at.size * count, run.label),
            "XML_DATA_ITEM": np.full(at.size * count, run.item),
            "POS": np.repeat(np.arange(count) + 0.8, at.size),
            "MW": np.concatenate(
                [_said(world, run, area, truth[f"load/{area}"], at) for area in areas] or [np.array([])]
            ),
            "EXECUTION_TYPE": np.full(at.size * count, run.name),
            "GROUP": np.repeat(np.arange(1, count + 1), at.size),
        }
        published = np.tile(_published(run, at, when["midnight"]), count)
        return Table(columns, np.tile(at, count), published, ("MW",))

    return build


def _renewables(run: Run) -> Callable[[World, int, int, tuple[str, ...]], Table]:
    def build(world: World, start: int, end: int, places: tuple[str, ...]) -> Table:
        at = epochs(start, end, HOUR_S)
        kinds = [("Solar", hub) for hub in SUN_MW] + [("Wind", hub) for hub in WIND_MW]
        kinds = [(kind, hub) for kind, hub in kinds if not places or hub in places]
        truth, when, count = world.window("california", start, end), operating_columns(at), len(kinds)
        said = [_said(world, run, f"{kind} {hub}", truth[f"{kind.lower()}/{hub}"], at) for kind, hub in kinds]
        columns: dict[str, NDArray[Any]] = {
            "OPR_DT": np.tile(when["OPR_DT"], count),
            "OPR_HR": np.tile(when["OPR_HR"], count),
            "OPR_INTERVAL": np.zeros(at.size * count, np.int64),
            "INTERVALSTARTTIME_GMT": np.tile(gmt(at), count),
            "INTERVALENDTIME_GMT": np.tile(gmt(at + HOUR_S), count),
            "TRADING_HUB": np.repeat(np.array([hub for _, hub in kinds], dtype="U8"), at.size),
            "RENEWABLE_TYPE": np.repeat(np.array([kind for kind, _ in kinds], dtype="U8"), at.size),
            "LABEL": np.full(at.size * count, run.label),
            "XML_DATA_ITEM": np.full(at.size * count, run.item),
            "MARKET_RUN_ID_POS": np.ones(at.size * count, np.int64),
            "RENEW_POS": np.repeat(np.array([1 + (kind == "Solar") for kind, _ in kinds], np.int64), at.size),
            "MW": np.concatenate(said or [np.array([])]),
            "MARKET_RUN_ID": np.full(at.size * count, run.name),
            "GROUP": np.repeat(np.arange(1, count + 1), at.size),
        }
        published = np.tile(_published(run, at, when["midnight"]), count)
        return Table(columns, np.tile(at, count), published, ("MW",))

    return build


LOAD_REPORTS: Final = tuple(
    Report(query="SLD_FCST", run=run.name, version=1, build=_loads(run), place="tac_zone_name") for run in _LOAD_RUNS
)
RENEWABLE_REPORTS: Final = tuple(
    Report(query="SLD_REN_FCST", run=run.name, version=1, build=_renewables(run), place="trading_hub")
    for run in _RENEWABLE_RUNS
)
