"""The heuristic an operator would follow, and the plan to fall back on when the programme has none.

Put here: the rule. Keep out: prices; the rule knows water, limits and windows only.

Hold the output. Once an hour, look ahead: if holding would spill, fall below the minimum plus buffer, or miss a rafting
window or a flow floor, move to the nearest output that avoids it, or does it least. By day the look is long, by
night it reaches to the morning only, so moves fall into the operators' shift. Before a rafting window ramp up as late
as possible, unless the water for it is not there.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from domain.hydraulics import Array
from domain.plant import Plant, PoolState
from domain.reservoir_inputs import ReservoirInputs
from domain.trajectory import simulate
from solvers.reservoir.value import terms_usd

LOOK_BY_DAY_H: Final = 24.0
LOOK_BY_NIGHT_H: Final = 12.0
STEPS: Final = 26
"""Outputs compared: 0.2 MW apart at the afterbay."""
MOVE_COST_USD_PER_MW: Final = 1.0
"""Enough to hold where nothing is gained by moving, too little to accept a breach."""
BREACHES: Final = ("spill_usd", "raft_usd", "below_minimum_usd", "minimum_flow_usd")


def rule_setpoints(plant: Plant, inputs: ReservoirInputs, state: PoolState, *, intervals: int | None = None) -> Array:
    """Return the setpoints the heuristic chooses [MW] for the first ``intervals``, for all without a number."""
    unit = plant.unit
    lowest = 0.0 if unit.commitment == "on_off" else unit.minimum_mw
    outputs = np.linspace(unit.minimum_mw, unit.maximum_mw, STEPS)
    outputs = np.concatenate([[lowest], outputs]) if lowest < unit.minimum_mw else outputs
    floor = raft_floor_mw(inputs, lowest)
    chosen = np.zeros(inputs.intervals)
    now, per_hour = state, max(1, round(1.0 / inputs.step_h))
    held = state.oxbow_mw
    for t in range(0, inputs.intervals if intervals is None else intervals, per_hour):
        look_h = LOOK_BY_NIGHT_H if inputs.night[t] else LOOK_BY_DAY_H
        ahead = inputs.window(t, min(inputs.intervals, t + round(look_h / inputs.step_h)))
        candidates = np.concatenate([[held], outputs])
        candidates = np.concatenate([candidates, candidates])
        rafts = np.arange(len(candidates)) < len(candidates) // 2
        wanted = np.where(
            rafts[:, None], np.maximum(candidates[:, None], floor[t : t + ahead.intervals]), candidates[:, None]
        )
        terms = terms_usd(plant, ahead, simulate(plant, ahead, wanted, now, guarded=False))
        worth = sum((terms[name] for name in BREACHES), np.zeros(len(candidates)))
        best = int(np.argmax(worth - MOVE_COST_USD_PER_MW * np.abs(candidates - held)))
        held = float(candidates[best])
        last = min(inputs.intervals, t + per_hour)
        chosen[t:last] = wanted[best, : last - t]
        moved = simulate(plant, inputs.window(t, last), chosen[t:last], now, guarded=False)
        now = PoolState(elevation_ft=float(moved.elevation_ft[-1]), oxbow_mw=float(moved.end_mw[-1]))
    return chosen[:intervals]


def raft_floor_mw(inputs: ReservoirInputs, minimum_mw: float) -> Array:
    """Return the least end output that still reaches each rafting target at its window's start by the latest ramp."""
    floor = np.full(inputs.intervals, minimum_mw)
    needed = -np.inf
    for t in range(inputs.intervals - 1, -1, -1):
        floor[t] = max(floor[t], needed, np.nan_to_num(inputs.raft_target_mw[t], nan=-np.inf))
        at_start = np.nan_to_num(inputs.raft_target_mw[t], nan=-np.inf)
        needed = max(at_start, needed - float(inputs.ramp_up_mw_per_h[t]) * inputs.step_h)
    return floor
