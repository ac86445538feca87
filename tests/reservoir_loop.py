"""The afterbay in closed loop: hourly plans on what was known, a plant that obeys minute by minute.

Put here: what happens against what is known of it, the plant's minutes, the judge of a stretch; the scenario weeks and
the simulated year share them. Keep out: ways to run the pool (tests/reservoir_ways.py), expectations, tables.

Known when an hour begins: level and output; gauges and dispatch so far; the newest river forecast; awards and day-ahead
prices as published (from 14:00 local for the next day); the bias the level's own record shows; an outage once it has
begun, or long before where it is planned. Not known: this hour's departure from the award, a float about to change,
real-time prices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from statistics import NormalDist
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from domain.bias import HALF_LIFE_H, LEAST_HOURS, SPILL_MARGIN_FT, WINDOW_H
from domain.dispatch_forecast import HABIT_DAYS, forecast_dispatch
from domain.hydraulics import Array, dispatch_band_mw, head_cap_mw, inflow_cfs, storage_af
from domain.plant import Plant, PoolState
from domain.ramping import setpoint_changes
from domain.reservoir_inputs import FLOWS, ReservoirInputs, read_inputs
from domain.rule_calendar import with_rules
from domain.trajectory import Trajectory, simulate
from domain.units import AF_PER_CFS_HOUR
from solvers.reservoir.value import minimum_flow_shortfall_cfs, raft_shortfall_mw

PUBLISHED_LOCAL_HOUR = 14
ISSUE_LATENCY_H, ISSUE_EVERY_H = 2, 6
MEMBERS = 120
HEAD_LIMITED_MW = 0.15
TOLERANCE_FT = 0.06
DAY_H = 24
HABIT_H = HABIT_DAYS * DAY_H

River = Callable[[str, int, int], tuple[Array, Array]]
"""(gauge, hour of issue, hours) -> median of the forecast and the standard deviation of its logarithm, by lead."""


@dataclass(frozen=True, kw_only=True)
class Happens:
    """What happens, hour by hour, and the forecaster of its rivers.

    Attributes:
        plant: The plant, its dated rules included.
        columns: The inputs' columns as they come true, one row an hour, and ``award_mw``, ``real_time_usd_mwh``,
            ``ungauged_cfs``.
        river: The forecaster.
        first: The hour at which planning begins; the rows before are its history.
        truth: The same as the planner's arrays, rules applied.
        announced: Whether outages are planned ones, known as long before as anybody looks.
    """

    plant: Plant
    columns: pl.DataFrame
    river: River
    first: int
    truth: ReservoirInputs
    announced: bool = False
    dispatch: dict[int, Array] = field(default_factory=dict)
    values: dict[str, Array] = field(default_factory=dict)

    @classmethod
    def of(cls, plant: Plant, columns: pl.DataFrame, river: River, first: int) -> Happens:
        """Return what happens, with the dated rules applied to it."""
        extra = ("award_mw", "real_time_usd_mwh", "ungauged_cfs")
        frame = columns.with_columns(bias_cfs=pl.col("ungauged_cfs")).drop(extra)
        # The example rating curve ends at 2,300 cfs: the stage rule is read at the tributaries' ordinary flow.
        calm = with_rules(plant, read_inputs(plant, frame.with_columns(r10_flow_cfs=pl.lit(60.0))))
        truth = replace(calm, tributary_cfs=(columns["r26_flow_cfs"] + columns["r10_flow_cfs"]).to_numpy())
        numeric = {name: columns[name].to_numpy() for name, kind in columns.schema.items() if kind.is_numeric()}
        numeric["spill_mode"] = (columns["ccs_mode"] == "SPILL").to_numpy()
        return cls(plant=plant, columns=columns, river=river, first=first, truth=truth, values=numeric)

    def __post_init__(self) -> None:
        """Compute once what the level's record would show of the balance's error."""
        v = self.values
        flows = {name: v[f"{name}_flow_cfs"] for name in FLOWS} | {"bias": 0.0}
        computed = inflow_cfs(self.plant.balance, self.plant.upstream, flows, v["mfra_mw"], v["spill_mode"])
        v["residual_cfs"] = self.truth.inflow_cfs - computed
        v["deviation_mw"] = v["mfra_mw"] - v["award_mw"]

    def known_until(self, hour: int) -> int:
        """Return the first hour whose award and day-ahead price are not yet published."""
        local = self.truth.start[hour].astimezone(ZoneInfo(self.plant.zone))
        midnight = datetime.combine(local.date() + timedelta(days=1), datetime.min.time(), tzinfo=local.tzinfo)
        if local.hour >= PUBLISHED_LOCAL_HOUR:
            midnight += timedelta(days=1)
        return hour + round((midnight - self.truth.start[hour]) / timedelta(hours=1))

    def expected_dispatch(self, hour: int, hours: int) -> Array:
        """Return awards, and where they end the habit of the last sixty days, made once when awards appear [MW]."""
        until = self.known_until(hour)
        if until not in self.dispatch:
            self.dispatch.clear()
            start, v = self.truth.start, self.values
            past = slice(max(0, hour - HABIT_H), hour)
            history = pl.DataFrame({"event_start": start[past], "mfra_mw": v["mfra_mw"][past]})
            awards = {start[t]: float(v["award_mw"][t]) for t in range(hour - DAY_H, until)}
            ahead = start[hour : hour + 6 * DAY_H]
            forecast = forecast_dispatch(ahead, awards, history, ZoneInfo(self.plant.zone)).mfra_mw
            self.dispatch[until] = np.concatenate([np.full(hour, np.nan), forecast])
        return self.dispatch[until][hour : hour + hours]

    def expected_price(self, hour: int, hours: int) -> Array:
        """Return day-ahead prices, and where they end the last week's mean at the same hour of the day [USD/MWh]."""
        price, until = self.truth.price_usd_mwh, self.known_until(hour)
        week = price[hour - 7 * DAY_H : hour].reshape(7, DAY_H).mean(axis=0)
        at = np.arange(hour, hour + hours)
        return np.where(at < until, price[hour : hour + hours], week[(at - hour) % DAY_H])

    def bias(self, hour: int, spilling: np.ndarray) -> float:
        """Return the mean error of the balance over the last day's hours clear of the float [cfs]."""
        past = slice(hour - WINDOW_H, hour)
        clear = ~spilling[past]
        return float(self.values["residual_cfs"][past][clear].mean()) if clear.sum() >= LEAST_HOURS else 0.0

    def members(self, hour: int, hours: int, spilling: np.ndarray) -> Array:
        """Return inflows that could follow [cfs], members x hours: rivers by their spread, dispatch by past shocks."""
        v = self.values
        shocks = self.shocks(hour, hours)
        count = len(shocks)
        levels = np.array([NormalDist().inv_cdf((i * 7 % count + 0.5) / count) for i in range(count)])[:, None]
        run = (hour - ISSUE_LATENCY_H) // ISSUE_EVERY_H * ISSUE_EVERY_H
        flows: dict[str, Array | float] = {name: v[f"{name}_flow_cfs"][hour - 1] for name in FLOWS}
        for name in ("r4", "r30"):
            median, spread = self.river(name, run, hour - run + hours)
            flows[name] = median[hour - run :] * np.exp(levels * spread[hour - run :])
        flows["bias"] = self.bias(hour, spilling) * 2.0 ** (-np.arange(hours) / HALF_LIFE_H)
        low, high = dispatch_band_mw(self.plant.upstream, flows["r4"], flows["r5l"])
        mfra = np.clip(self.expected_dispatch(hour, hours) + shocks, np.minimum(low, high), high)
        mode = np.full(hours, v["spill_mode"][hour - 1])
        return inflow_cfs(self.plant.balance, self.plant.upstream, flows, mfra, mode)

    def shocks(self, hour: int, hours: int) -> Array:
        """Return past runs of the departure from the award that began as the present one does [MW]."""
        past = self.values["deviation_mw"][max(0, hour - HABIT_H) : hour]
        now, starts = past[-1], np.arange(1, len(past) - hours)
        away = np.abs(past[starts - 1] - now)
        alike = starts[away <= max(10.0, 0.25 * abs(now))]
        if len(alike) < MEMBERS // 4:
            alike = starts[np.argsort(away, kind="stable")[: MEMBERS // 4]]
        alike = alike[np.linspace(0, len(alike) - 1, min(MEMBERS, len(alike))).round().astype(int)]
        return past[alike[:, None] + np.arange(hours)]

    def seen(self, hour: int, hours: int, inflow: Array) -> ReservoirInputs:
        """Return the hours ahead as the planner sees them, with an inflow it expects."""
        window, v = self.truth.window(hour, hour + hours), self.values
        out = ~self.truth.available[hour : hour + hours]
        begun = out & (self.announced | (np.cumsum(~out) == 0))
        float_ft = np.full(hours, self.truth.float_ft[hour - 1])
        return replace(
            window,
            inflow_cfs=inflow,
            price_usd_mwh=self.expected_price(hour, hours),
            float_ft=float_ft,
            tributary_cfs=np.full(hours, v["r26_flow_cfs"][hour - 1] + v["r10_flow_cfs"][hour - 1]),
            available=~begun,
        )


@dataclass(frozen=True, kw_only=True)
class Now:
    """What a way to run the pool is given when an hour begins."""

    happens: Happens
    hour: int
    state: PoolState
    spilling: np.ndarray


Way = Callable[[Now], float]
"""Returns the output wanted at the hour's end [MW]."""


def run_hour(happens: Happens, hour: int, target_mw: float, state: PoolState) -> tuple[PoolState, Trajectory]:
    """Let the minute-step plant run an hour towards a setpoint, entered as late as the ramp allows.

    In a rafting window that the head limits the target itself is entered, as operators do: the head then gives what the
    level allows.
    """
    plant, truth = happens.plant, happens.truth.window(hour, hour + 1)
    raft = float(truth.raft_target_mw[0])
    if raft > target_mw >= float(head_cap_mw(plant.unit, state.elevation_ft)) - HEAD_LIMITED_MW:
        target_mw = raft
    rates = (truth.ramp_up_mw_per_h, truth.ramp_down_mw_per_h)
    changes = setpoint_changes(truth.start, 1.0, np.array([target_mw]), state.oxbow_mw, *rates, deadband_mw=0.0)
    begins = changes[0] or truth.start[0]
    minutes = tuple(truth.start[0] + timedelta(minutes=i) for i in range(60))
    repeated = {name: np.repeat(value, 60) for name, value in vars(truth).items() if isinstance(value, np.ndarray)}
    fine = replace(truth, start=minutes, step_h=1.0 / 60.0, **repeated)
    asked = np.where(np.array([m + timedelta(minutes=1) > begins for m in minutes]), target_mw, state.oxbow_mw)
    done = simulate(plant, fine, np.maximum(asked, plant.unit.minimum_mw), state, guarded=False)
    return PoolState(elevation_ft=float(done.elevation_ft[-1]), oxbow_mw=float(done.end_mw[-1])), done


@dataclass(kw_only=True)
class Outcome:
    """What one way made of a stretch.

    Attributes:
        energy_mwh: By hour.
        level_ft: At each minute's end.
        low_minutes: Minutes more than ``TOLERANCE_FT`` below the minimum.
        spill_af: Water over the gates.
        raft_short_mwh: Energy missing in rafting windows; what the head denies is not missing.
        raft_mwh: Energy delivered in them.
        flow_short_cfs_h: Flow missing at the compliance gauge.
        moves: Hours whose output changed by more than 0.15 MW.
        end_af: Storage above the minimum when the stretch ends.
    """

    energy_mwh: Array
    level_ft: Array
    low_minutes: int = 0
    spill_af: float = 0.0
    raft_short_mwh: float = 0.0
    raft_mwh: float = 0.0
    flow_short_cfs_h: float = 0.0
    moves: int = 0
    end_af: float = 0.0


def run(happens: Happens, way: Way, hours: int, state: PoolState) -> Outcome:
    """Return what a way makes of the hours from ``happens.first`` on."""
    plant, first = happens.plant, happens.first
    outcome = Outcome(energy_mwh=np.zeros(hours), level_ft=np.zeros(hours * 60))
    spilling = np.zeros(len(happens.truth.start), dtype=bool)
    low_ft = plant.pool.minimum_ft - TOLERANCE_FT
    for i in range(hours):
        hour, before = first + i, state.oxbow_mw
        target = way(Now(happens=happens, hour=hour, state=state, spilling=spilling))
        state, done = run_hour(happens, hour, target, state)
        spilling[hour] = done.elevation_ft.max() > happens.truth.float_ft[hour] - SPILL_MARGIN_FT
        outcome.energy_mwh[i] = done.mean_mw.mean()
        outcome.level_ft[i * 60 : i * 60 + 60] = done.elevation_ft
        outcome.low_minutes += int((done.elevation_ft < low_ft).sum())
        outcome.spill_af += float(done.spill_cfs.mean()) * AF_PER_CFS_HOUR
        outcome.moves += abs(state.oxbow_mw - before) > plant.unit.setpoint_deadband_mw
        judged = happens.truth.window(hour, hour + 1)
        outcome.raft_short_mwh += float(raft_shortfall_mw(judged, done).mean())
        outcome.raft_mwh += 0.0 if np.isnan(judged.raft_target_mw[0]) else float(done.mean_mw.mean())
        outcome.flow_short_cfs_h += float(minimum_flow_shortfall_cfs(judged, done).mean())
    minimum = float(storage_af(plant.storage, plant.pool.minimum_ft))
    outcome.end_af = float(storage_af(plant.storage, state.elevation_ft)) - minimum
    return outcome
