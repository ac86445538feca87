"""Ways to run the afterbay, each from what it is given when an hour begins to an output at the hour's end.

Put here: the plan, its fallback, what it is compared with. Keep out: the loop (tests/reservoir_loop.py).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from domain.hydraulics import storage_af, unit_mw_for_flow
from domain.plant import PoolState
from domain.plant_checks import with_settings
from domain.trajectory import simulate
from domain.units import AF_PER_CFS_HOUR
from solvers.reservoir.linear import solve
from solvers.reservoir.margins import margins_of, reduced
from solvers.reservoir.options import ReservoirOptions
from solvers.reservoir.rule import raft_floor_mw, rule_setpoints
from solvers.reservoir.stochastic import solve_two_stage
from tests.reservoir_loop import Now

HORIZON = 48
PLAIN = ReservoirOptions(certify=False, explain=False, steady_share=0.02)


def foreseen(now: Now) -> float:
    """Know what comes: the yardstick."""
    truth = now.happens.truth.window(now.hour, now.hour + HORIZON)
    return float(solve(now.happens.plant, truth, now.state, PLAIN).setpoint_mw[0])


def foreseen_real_time(now: Now) -> float:
    """Know what comes, real-time prices too, and earn those."""
    truth = now.happens.truth.window(now.hour, now.hour + HORIZON)
    paid = now.happens.values["real_time_usd_mwh"][now.hour : now.hour + HORIZON]
    return float(solve(now.happens.plant, replace(truth, price_usd_mwh=paid), now.state, PLAIN).setpoint_mw[0])


def planned_bare(now: Now) -> float:
    """Plan on the mean of what could follow, without margins."""
    members = now.happens.members(now.hour, HORIZON, now.spilling)
    seen = now.happens.seen(now.hour, HORIZON, members.mean(axis=0))
    return float(solve(now.happens.plant, seen, now.state, PLAIN).setpoint_mw[0])


def planned(now: Now) -> float:
    """Plan on the mean of what could follow, with margins against what could follow instead."""
    members = now.happens.members(now.hour, HORIZON, now.spilling)
    seen = now.happens.seen(now.hour, HORIZON, members.mean(axis=0))
    many = replace(seen, inflow_cfs=members)
    margins = margins_of(now.happens.plant, seen, many, np.full(len(members), 1.0 / len(members)))
    return float(solve(now.happens.plant, seen, now.state, replace(PLAIN, margins=margins)).setpoint_mw[0])


SHARED_H = 2.0
SCENARIOS = 9


def stochastic(now: Now) -> float:
    """Plan for several futures at once that share their first hours."""
    members = now.happens.members(now.hour, HORIZON, now.spilling)
    chosen, probability = reduced(members, SCENARIOS)
    seen = now.happens.seen(now.hour, HORIZON, members.mean(axis=0))
    plant = now.happens.plant
    middle = storage_af(plant.storage, (plant.pool.minimum_ft + seen.float_ft) / 2.0)
    margins = margins_of(plant, seen, replace(seen, inflow_cfs=members), np.full(len(members), 1.0 / len(members)))
    options = replace(PLAIN, shared_hours=SHARED_H, margins=margins)
    many = replace(seen, inflow_cfs=members[chosen])
    return float(solve_two_stage(plant, many, probability, now.state, options, middle).shared_mw[0])


def rule(now: Now) -> float:
    """Follow the heuristic on the mean of what could follow."""
    members = now.happens.members(now.hour, 24, now.spilling)
    seen = now.happens.seen(now.hour, 24, members.mean(axis=0))
    return float(rule_setpoints(now.happens.plant, seen, now.state, intervals=1)[0])


def run_of_river(now: Now) -> float:
    """Pass what flows in, within the unit's limits, and bring the level gently back to where it began.

    Rafting is served too: the pool is filled for a window that comes within a day.
    """
    plant = now.happens.plant
    seen = now.happens.seen(now.hour, FILL_H, now.happens.members(now.hour, FILL_H, now.spilling).mean(axis=0))
    held_ft = HELD_FT if np.isnan(seen.raft_target_mw).all() else float(seen.float_ft[0]) - FILLED_FT
    kept, stored = (float(storage_af(plant.storage, level)) for level in (held_ft, now.state.elevation_ft))
    passed = float(seen.inflow_cfs[0]) + (stored - kept) / AF_PER_CFS_HOUR / RETURN_H
    ramped = float(raft_floor_mw(seen, plant.unit.minimum_mw)[0])
    wanted = max(float(unit_mw_for_flow(plant.unit, passed)), ramped)
    outputs = np.linspace(plant.unit.minimum_mw, plant.unit.maximum_mw, 51)
    walked = simulate(plant, seen.window(0, 2), np.stack([outputs, 0.0 * outputs], axis=1), now.state, guarded=False)
    lowest_ft = plant.pool.minimum_ft + plant.pool.low_buffer_ft
    allowed = outputs[walked.elevation_ft.min(axis=1) >= lowest_ft]
    return float(min(wanted, allowed.max())) if allowed.size else plant.unit.minimum_mw


RETURN_H = 8.0
FILL_H, FILLED_FT = 24, 0.3
HELD_FT = 1171.5


def old_objective(now: Now) -> float:
    """Plan by the former objective in linear form: smoothing and limits, no price, no buffer."""
    flat = {
        "ramp_usd_per_mw": 100.0,
        "ramp_night_usd_per_mw": 500.0,
        "water_value_usd_per_af": 0.0,
        "low_buffer_ft": 0.0,
    }
    seen = now.happens.seen(now.hour, HORIZON, now.happens.members(now.hour, HORIZON, now.spilling).mean(axis=0))
    free = replace(seen, price_usd_mwh=np.zeros(seen.intervals))
    return float(solve(with_settings(now.happens.plant, flat), free, now.state, PLAIN).setpoint_mw[0])


START = PoolState(elevation_ft=HELD_FT, oxbow_mw=2.5)
