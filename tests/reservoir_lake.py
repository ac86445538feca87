"""A lake in which an afterbay has run for some days: measured series, forecasts of ours, all of one simulation.

Put here: what tests of decisions, assets and commands read. Keep out: expectations.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from domain.plant import PoolState
from domain.reservoir_inputs import read_inputs
from domain.trajectory import simulate
from forecasting.frames import QUANTILES
from resources.lake import Lake
from resources.pinned import PlantFile
from resources.planning import PlanningReader
from tests.reservoir_cases import MIDDLE, PLANTS, afterbay, hours

CONFIG = PLANTS.parent
HOUR = timedelta(hours=1)
PI = {
    "r4_flow_cfs": ("pi:OPS/Gauging Stations/R4|Flow:avg1h", "cfs"),
    "r30_flow_cfs": ("pi:OPS/Gauging Stations/R30|Flow_EM:avg1h", "cfs"),
    "r20_flow_cfs": ("pi:OPS/Gauging Stations/R20|Flow:avg1h", "cfs"),
    "r5l_flow_cfs": ("pi:OPS/Gauging Stations/R5L|Flow:avg1h", "cfs"),
    "r26_flow_cfs": ("pi:OPS/Gauging Stations/R26|Flow:avg1h", "cfs"),
    "r10_flow_cfs": ("pi:OPS/Gauging Stations/R10|Flow:avg1h", "cfs"),
    "mfra_mw": ("pi:Energy_Marketing/Misc Tags|GEN_MDFK_and_RA:avg1h", "MW"),
    "oxbow_mw": ("pi:OPS/Generation Units/Oxbow|Power:avg1h", "MW"),
}
INSTANTS = {
    "level": ("pi:OPS/Reservoirs/Afterbay|Elevation:interp1h", "ft"),
    "float_ft": ("pi:OPS/Reservoirs/Afterbay|Elevation Setpoint:interp1h", "ft"),
    "ccs": ("pi:OPS/Additions for PI Vision|CCS Mode:interp1h", "1"),
    "oxbow_now": ("pi:OPS/Generation Units/Oxbow|Power:interp1h", "MW"),
}
"""Columns of the world -> the historian's series and unit: hour means, and samples at each hour."""


class World:
    """A lake of some days up to ``now``, which goes on for some days more.

    Attributes:
        lake: The lake.
        reader: Planning series over it.
        plant: The shipped plant.
        now: Up to where measurements are stored [UTC].
        truth: What happens, hour by hour, past ``now`` as well.
    """

    def __init__(
        self,
        home: Path,
        now: datetime,
        *,
        days: int = 9,
        ahead: int = 6,
        spill_mode: bool = False,
        latency: Mapping[str, timedelta] | None = None,
    ) -> None:
        self.now = now
        self.lake = Lake(home / "lake", now=lambda: self.clock, latency=latency)
        self.clock = now + timedelta(days=ahead + 1)
        self.reader = PlanningReader(self.lake, CONFIG / "series.toml")
        self.plant = PlantFile.read(PLANTS / "afterbay.toml")
        self.truth = _run(now - timedelta(days=days), 24 * (days + ahead), spill_mode=spill_mode)
        self.measure(self.truth["event_start"][0], now)

    def measure(self, start: datetime, end: datetime) -> None:
        """Store what is measured between two instants, each value known when its hour is over."""
        rows = self.truth.filter((pl.col("event_start") >= start) & (pl.col("event_start") < end))
        parts = [_rows(rows, *PI[name], name, span=HOUR) for name in PI]
        parts += [_rows(rows, *INSTANTS[name], name, span=timedelta(0)) for name in INSTANTS]
        prices = pl.concat([rows.with_columns(pl.col("event_start") + timedelta(minutes=15 * n)) for n in range(4)])
        parts.append(_rows(prices, "caiso:lmp_rtpd:RALSTON_7_B1:LMP", "USD/MWh", "price_usd_mwh", span=HOUR / 4))
        self.lake.append(pl.concat(parts), run_id="test", product="historian")

    def forecast(self, at: datetime, *, hours_ahead: int = 96, off: float = 0.05) -> None:
        """Store forecasts of ours as of an instant: the truth, ``off`` too high, with quantiles around it."""
        rows = self.truth.filter(pl.col("event_start") >= at).head(hours_ahead)
        for column, series_id, unit in (
            ("r4_flow_cfs", "r4.flow.cfs", "cfs"),
            ("r30_flow_cfs", "r30.flow.cfs", "cfs"),
            ("price_usd_mwh", "oxbow.price.usd_mwh", "USD/MWh"),
        ):
            point = rows.select(
                "event_start",
                event_end=pl.col("event_start") + HOUR,
                belief_time=pl.lit(at).dt.cast_time_unit("us"),
                value=pl.col(column) * (1.0 + off),
                series_id=pl.lit(series_id),
                unit=pl.lit(unit),
                source=pl.lit("tailrace"),
                scenario=pl.lit("forecast"),
                quantile=pl.lit(None, pl.Float64),
            )
            spread = [
                point.with_columns(value=pl.col("value") * (0.8 + 0.4 * q), quantile=pl.lit(q)) for q in QUANTILES
            ]
            self.lake.append(pl.concat([point, *spread]), run_id="test", product=f"forecast:{series_id}")

    def award(self, first: datetime, count: int, mw: float, *, resource: str = "MDFKRL_2_PROJCT") -> None:
        """Store day-ahead awards of some hours, published half a day before the first."""
        start = [first + HOUR * hour for hour in range(count)]
        frame = pl.DataFrame({"event_start": start, "value": [mw] * count})
        rows = frame.with_columns(
            event_end=pl.col("event_start") + HOUR, belief_time=pl.lit(first - 12 * HOUR), unit=pl.lit("MW"),
            series_id=pl.lit(f"awards:{resource}:EN:CLEARED"), source=pl.lit("awards"), scenario=pl.lit("day_ahead"),
        )  # fmt: skip
        self.lake.append(rows, run_id="test", product="awards")


def _run(start: datetime, count: int, *, spill_mode: bool) -> pl.DataFrame:
    """Return what happens: a plain stretch, the unit moved once in six hours, the pool as it follows."""
    frame = hours(count, seed=3, ccs_mode="SPILL" if spill_mode else "GEN")
    frame = frame.with_columns(event_start=pl.Series([start + HOUR * hour for hour in range(count)]))
    plant = afterbay()
    inputs, state = read_inputs(plant, frame), MIDDLE
    wanted = np.repeat(np.clip((inputs.inflow_cfs.reshape(-1, 6).mean(axis=1) - 83.0) / 163.73, 0.8, 5.0), 6)
    level, power, mean = np.empty(count), np.empty(count), np.empty(count)
    for hour in range(count):
        level[hour], power[hour] = state.elevation_ft, state.oxbow_mw
        lean = wanted[hour] + (state.elevation_ft - 1170.5) * 0.6
        moved = simulate(plant, inputs.window(hour, hour + 1), np.array([np.clip(lean, 0.8, 5.0)]), state)
        mean[hour] = moved.mean_mw[0]
        state = PoolState(elevation_ft=float(moved.elevation_ft[0]), oxbow_mw=float(moved.end_mw[0]))
    return frame.with_columns(level=level, oxbow_now=power, oxbow_mw=mean, ccs=pl.lit(1.0 if spill_mode else 0.0))


def _rows(frame: pl.DataFrame, series_id: str, unit: str, column: str, *, span: timedelta) -> pl.DataFrame:
    return frame.select(
        series_id=pl.lit(series_id), event_start=pl.col("event_start").dt.cast_time_unit("us"),
        event_end=(pl.col("event_start") + span).dt.cast_time_unit("us"),
        belief_time=(pl.col("event_start") + span).dt.cast_time_unit("us"),
        value=pl.col(column).cast(pl.Float64), unit=pl.lit(unit), source=pl.lit("pi"),
    )  # fmt: skip
