"""What hourly plans are worth: a simulated stretch in closed loop, a minute-step plant obeying, forecasts only.

Put here: the comparison of ways to run the pool over the same water and prices. Keep out: timings (reservoir.py).

Run: ``python benchmarks/reservoir_year.py --days 28``; a year takes some three minutes a row, fifteen if stochastic.
The world is made from one seed: melt, storms, block dispatch upstream with real-time shocks, prices with evening peaks
and negative noons. The planner sees forecasts whose error grows with lead, never the truth; the minute-step plant ramps
at the time the plan says. In a rafting window that the head limits, the target itself is entered, as operators do: the
head then gives what the level allows. Dollars count energy at the day-ahead and at the real-time price, the water left
valued alike.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))

from domain.hydraulics import head_cap_mw, storage_af
from domain.instants import PACIFIC
from domain.plant import PoolState
from domain.plant_checks import with_settings
from domain.ramping import setpoint_changes
from domain.reservoir_inputs import ReservoirInputs, read_inputs
from domain.rule_calendar import with_rules
from domain.trajectory import Trajectory, simulate
from solvers.reservoir.linear import solve
from solvers.reservoir.options import ReservoirOptions
from solvers.reservoir.rule import rule_setpoints
from solvers.reservoir.stochastic import solve_two_stage
from solvers.reservoir.value import raft_shortfall_mw
from tests.reservoir_cases import afterbay

PLANT = afterbay()
HORIZON = 96
HEAD_LIMITED_MW = 0.15
START = PoolState(elevation_ft=1170.5, oxbow_mw=2.5)
FIRST = datetime(2026, 5, 20, tzinfo=PACIFIC)
NO_RULES = ReservoirOptions()


@dataclass
class World:
    """What happens, hour by hour, and what was forecast of it."""

    truth: ReservoirInputs
    frame: pl.DataFrame
    real_time: np.ndarray
    random: np.random.Generator

    def forecast(self, hour: int) -> ReservoirInputs:
        """Return what is believed at the start of an hour about the next ones: errors that grow with lead."""
        last = min(hour + HORIZON, self.truth.intervals)
        seen = self.truth.window(hour, last)
        lead = np.arange(last - hour)
        natural = np.exp(0.02 * np.sqrt(lead) * self.random.normal())
        dispatch = np.where(lead < 30, 0.0, self.random.normal(0.0, 60.0, len(lead)).cumsum() / np.sqrt(lead + 1.0))
        inflow = np.maximum(20.0, seen.inflow_cfs * natural + dispatch - self.shock[hour:last])
        return replace(seen, inflow_cfs=inflow)

    shock: np.ndarray | None = None


def world(days: int, seed: int) -> World:
    """Return a world of some days."""
    random = np.random.default_rng(seed)
    n = days * 24 + HORIZON
    at = np.arange(n)
    start = [FIRST + timedelta(hours=int(i)) for i in at]
    melt = 1.0 + 0.35 * np.sin((at - 18.0) / 24.0 * 2.0 * np.pi)
    season = np.interp(at, [0, n / 3, n], [220.0, 120.0, 45.0])
    storm = sum(
        random.uniform(100.0, 500.0) * np.exp(-np.maximum(0.0, at - s) / 18.0) * (at >= s)
        for s in random.integers(0, n, max(1, days // 14))
    )
    usual = np.where((at % 24 >= 15) & (at % 24 < 23), 110.0, 40.0)
    award = np.clip(np.repeat(usual.reshape(-1, 4).mean(axis=1) + random.normal(0.0, 15.0, n // 4), 4), 0.0, 190.0)
    shock = np.repeat(random.choice([0.0, 0.0, 0.0, 0.0, -35.0, 45.0], size=n // 2 + 1), 2)[:n]
    price = 38.0 + 28.0 * np.sin((at - 12.0) / 24.0 * 2.0 * np.pi) + random.normal(0.0, 6.0, n)
    price = np.where((at % 24 >= 11) & (at % 24 < 14) & (random.random(n) < 0.2), -25.0, price)
    frame = pl.DataFrame(
        {
            "event_start": pl.Series(start).dt.convert_time_zone("UTC"),
            "r4_flow_cfs": 25.0 + 0.4 * (season * melt + storm),
            "r30_flow_cfs": 60.0 + season * melt + storm,
            "r20_flow_cfs": 35.0 + 0.1 * storm,
            "r5l_flow_cfs": np.full(n, 27.0),
            "r26_flow_cfs": np.full(n, 5.0),
            "r10_flow_cfs": np.full(n, 30.0),
            "mfra_mw": np.clip(award + shock, 0.0, 200.0),
            "float_ft": np.full(n, 1173.0),
            "ccs_mode": ["GEN"] * n,
            "price_usd_mwh": price,
            "bias_cfs": np.zeros(n),
        }
    )
    truth = with_rules(PLANT, read_inputs(PLANT, frame))
    awarded = with_rules(PLANT, read_inputs(PLANT, frame.with_columns(mfra_mw=pl.Series(award))))
    return World(truth, frame, price + random.normal(0.0, 18.0, n), random, truth.inflow_cfs - awarded.inflow_cfs)


def run_hour(made: World, hour: int, target_mw: float, state: PoolState) -> tuple[PoolState, Trajectory]:
    """Let the minute-step plant run an hour towards a setpoint, entered when it must be; return where it ends."""
    truth = made.truth.window(hour, hour + 1)
    raft = float(truth.raft_target_mw[0])
    if raft > target_mw >= float(head_cap_mw(PLANT.unit, state.elevation_ft)) - HEAD_LIMITED_MW:
        target_mw = raft
    rates = (truth.ramp_up_mw_per_h, truth.ramp_down_mw_per_h)
    changes = setpoint_changes(truth.start, 1.0, np.array([target_mw]), state.oxbow_mw, *rates, deadband_mw=0.0)
    begins = changes[0] or truth.start[0]
    minutes = tuple(truth.start[0] + timedelta(minutes=i) for i in range(60))
    repeated = {name: np.repeat(value, 60) for name, value in vars(truth).items() if isinstance(value, np.ndarray)}
    fine = replace(truth, start=minutes, step_h=1.0 / 60.0, **repeated)
    asked = np.where(np.array([m + timedelta(minutes=1) > begins for m in minutes]), target_mw, state.oxbow_mw)
    done = simulate(PLANT, fine, np.maximum(asked, PLANT.unit.minimum_mw), state, guarded=False)
    return PoolState(elevation_ft=float(done.elevation_ft[-1]), oxbow_mw=float(done.end_mw[-1])), done


def planned(made: World, hour: int, state: PoolState) -> float:
    """Return the first setpoint of the plan on forecasts."""
    return float(solve(PLANT, made.forecast(hour), state, NO_RULES).setpoint_mw[0])


def stochastic(made: World, hour: int, state: PoolState) -> float:
    """Return the first setpoint of the two-stage plan over eight forecasts."""
    drawn = [made.forecast(hour) for _ in range(8)]
    many = replace(drawn[0], inflow_cfs=np.stack([one.inflow_cfs for one in drawn]))
    middle = np.full(drawn[0].intervals, float(storage_af(PLANT.storage, 1170.5)))
    options = ReservoirOptions(shared_hours=12.0)
    return float(solve_two_stage(PLANT, many, np.full(8, 0.125), state, options, middle).shared_mw[0])


def rule(made: World, hour: int, state: PoolState) -> float:
    """Return the first setpoint of the heuristic on forecasts."""
    return float(rule_setpoints(PLANT, made.forecast(hour).window(0, 24), state)[0])


def run_of_river(made: World, hour: int, state: PoolState) -> float:
    """Return the output that passes what flows in, corrected back to the middle, and what rafting asks."""
    seen = made.forecast(hour).window(0, 4)
    level = (state.elevation_ft - 1170.5) * 40.0
    output = (float(seen.inflow_cfs[0]) + level - 83.0) / 163.73
    ahead = np.nan_to_num(seen.raft_target_mw, nan=0.0) - 2.52 * np.maximum(0, np.arange(len(seen.start)) - 1)
    return float(np.clip(max(output, ahead.max()), 0.8, 5.8))


def old_objective(made: World, hour: int, state: PoolState) -> float:
    """Return the first setpoint of the former objective in linear form: smoothing and limits, no price."""
    flat = {
        "ramp_usd_per_mw": 100.0,
        "ramp_night_usd_per_mw": 500.0,
        "water_value_usd_per_af": 0.0,
        "low_buffer_ft": 0.0,
    }
    seen = made.forecast(hour)
    free = replace(seen, price_usd_mwh=np.zeros(seen.intervals))
    return float(solve(with_settings(PLANT, flat), free, state, NO_RULES).setpoint_mw[0])


def foreseen(made: World, hour: int, state: PoolState) -> float:
    """Return the first setpoint of the plan that knows what comes: the yardstick."""
    seen = made.truth.window(hour, min(hour + HORIZON, made.truth.intervals))
    return float(solve(PLANT, seen, state, NO_RULES).setpoint_mw[0])


WAYS: dict[str, Callable[[World, int, PoolState], float]] = {
    "hindsight": foreseen,
    "the plan": planned,
    "stochastic plan": stochastic,
    "rule fallback": rule,
    "run-of-river": run_of_river,
    "old objective": old_objective,
}


def run(name: str, days: int, seed: int) -> dict[str, float]:
    """Run one way through the world; return its figures."""
    made, state = world(days, seed), START
    minimum = float(storage_af(PLANT.storage, 1168.0))
    energy, low_minutes, spilled, short = np.zeros(days * 24), 0.0, 0.0, 0.0
    began = perf_counter()
    for hour in range(days * 24):
        state, done = run_hour(made, hour, WAYS[name](made, hour, state), state)
        energy[hour] = done.mean_mw.mean()
        low_minutes += float((done.storage_af < minimum).sum())
        spilled += float(done.spill_cfs.sum()) / 60.0 * 3600.0 / 43560.0
        fine = replace(made.truth.window(hour, hour + 1), raft_target_mw=np.repeat(made.truth.raft_target_mw[hour], 60))
        short += float(raft_shortfall_mw(fine, done).sum()) / 60.0
    price = made.truth.price_usd_mwh[: days * 24]
    left = float(price.mean()) * 0.0739 * (float(storage_af(PLANT.storage, state.elevation_ft)) - minimum)
    return {
        "day_ahead_usd": float(energy @ price) + left,
        "real_time_usd": float(energy @ made.real_time[: days * 24]) + left,
        "low_minutes": low_minutes,
        "spill_share": spilled / (float(made.truth.inflow_cfs[: days * 24].sum()) * 3600.0 / 43560.0),
        "raft_short_mwh": short,
        "seconds": perf_counter() - began,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(WAYS), choices=list(WAYS))
    asked = parser.parse_args()
    found = {name: run(name, asked.days, asked.seed) for name in asked.only}
    best, base = found.get("hindsight"), found.get("run-of-river")
    head = f"{'way':<17}{'DA USD':>10}{'of best':>9}{'of gain':>9}{'RT USD':>10}{'of best':>9}{'of gain':>9}"
    print(f"{head}{'low min':>9}{'spill':>8}{'raft MWh':>10}{'s':>7}")
    for name, row in found.items():
        cells = []
        for key in ("day_ahead_usd", "real_time_usd"):
            share = row[key] / best[key] if best else float("nan")
            gain = (row[key] - base[key]) / (best[key] - base[key]) if best and base else float("nan")
            cells.append(f"{row[key]:>10.0f}{share:>9.1%}{gain:>9.1%}")
        print(
            f"{name:<17}{''.join(cells)}{row['low_minutes']:>9.0f}{row['spill_share']:>8.2%}"
            f"{row['raft_short_mwh']:>10.2f}{row['seconds']:>7.0f}"
        )


if __name__ == "__main__":
    main()
