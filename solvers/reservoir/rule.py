"""The heuristic an operator would follow, and the plan to fall back on when the programme has none.

Put here: the rule. Keep out: prices; the rule knows water, limits and windows only.

Hold the output. Once an hour, look ahead: if holding would spill, fall below the minimum plus buffer, or miss a rafting
window or a flow floor, move to the nearest output that avoids it, or does it least. By day the look is long, by
night it reaches to the morning only, so moves fall into the operators' shift; a window that begins within it is seen to
its end. Before a rafting window ramp up as late as possible. Where the water for a whole window is not there, the
output before it is what fills the pool; the window is served in full from its start while the water lasts, then with
what flows in.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from domain.hydraulics import Array, unit_mw_for_flow
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
PART_H: Final = 0.5
"""A window that cannot be served whole is served for a multiple of this [h]."""
BREACHES: Final = ("spill_usd", "raft_usd", "below_minimum_usd", "minimum_flow_usd")


def rule_setpoints(plant: Plant, inputs: ReservoirInputs, state: PoolState, *, intervals: int | None = None) -> Array:
    """Return the setpoints the heuristic chooses [MW] for the first ``intervals``, for all without a number."""
    unit = plant.unit
    lowest = 0.0 if unit.commitment == "on_off" else unit.minimum_mw
    outputs = np.linspace(unit.minimum_mw, unit.maximum_mw, STEPS)
    outputs = np.concatenate([[lowest], outputs]) if lowest < unit.minimum_mw else outputs
    floors = _raft_floors_mw(plant, inputs, lowest)
    chosen = np.zeros(inputs.intervals)
    now, per_hour = state, max(1, round(1.0 / inputs.step_h))
    held = state.oxbow_mw
    for t in range(0, inputs.intervals if intervals is None else intervals, per_hour):
        ahead = inputs.window(t, _look_until(inputs, t))
        served = floors[:, t : t + ahead.intervals]
        served = served[np.sort(np.unique(served, axis=0, return_index=True)[1])]
        holds = np.tile(np.concatenate([[held], outputs]), len(served))
        wanted = np.maximum(holds[:, None], np.repeat(served, len(outputs) + 1, axis=0))
        terms = terms_usd(plant, ahead, simulate(plant, ahead, wanted, now, guarded=False))
        worth = sum((terms[name] for name in BREACHES), np.zeros(len(wanted)))
        best = int(np.argmax(worth - MOVE_COST_USD_PER_MW * np.abs(holds - held)))
        held = float(holds[best])
        last = min(inputs.intervals, t + per_hour)
        chosen[t:last] = wanted[best, : last - t]
        moved = simulate(plant, inputs.window(t, last), chosen[t:last], now, guarded=False)
        now = PoolState(elevation_ft=float(moved.elevation_ft[-1]), oxbow_mw=float(moved.end_mw[-1]))
    return chosen[:intervals]


def _look_until(inputs: ReservoirInputs, t: int) -> int:
    """Return the interval up to which the rule looks from interval ``t``; no window is cut in two."""
    look_h = LOOK_BY_NIGHT_H if inputs.night[t] else LOOK_BY_DAY_H
    last = min(inputs.intervals, t + round(look_h / inputs.step_h))
    rafts = ~np.isnan(inputs.raft_target_mw)
    while last < inputs.intervals and rafts[last - 1] and rafts[last]:
        last += 1
    return last


def _raft_floors_mw(plant: Plant, inputs: ReservoirInputs, minimum_mw: float) -> Array:
    """Return floors under the output that serve each window whole, for half an hour less, ... , not at all.

    Of the last hour served in part, the output at its end is that part of the way from the minimum to the target; what
    then flows in is passed on.
    """
    target, into_h = inputs.raft_target_mw, np.zeros(inputs.intervals)
    for t in np.flatnonzero(~np.isnan(target)):
        into_h[t] = inputs.step_h + (into_h[t - 1] if t else 0.0)
    passed = np.clip(unit_mw_for_flow(plant.unit, inputs.inflow_cfs), minimum_mw, np.fmax(target, minimum_mw))
    floors = [raft_floor_mw(inputs, minimum_mw)]
    for served_h in np.arange(into_h.max() - PART_H, -PART_H, -PART_H):
        share = np.clip((served_h - into_h) / inputs.step_h + 1.0, 0.0, 1.0)
        served = raft_floor_mw(
            replace(inputs, raft_target_mw=np.where(share > 0.0, minimum_mw + share * (target - minimum_mw), np.nan)),
            minimum_mw,
        )
        floors.append(np.where(into_h > 0.0, np.maximum(served, passed), served))
    return np.stack([*floors, np.full(inputs.intervals, minimum_mw)])


def raft_floor_mw(inputs: ReservoirInputs, minimum_mw: float) -> Array:
    """Return the least end output that still reaches each rafting target at its window's start by the latest ramp."""
    floor = np.full(inputs.intervals, minimum_mw)
    needed = -np.inf
    for t in range(inputs.intervals - 1, -1, -1):
        floor[t] = max(floor[t], needed, np.nan_to_num(inputs.raft_target_mw[t], nan=-np.inf))
        at_start = np.nan_to_num(inputs.raft_target_mw[t], nan=-np.inf)
        needed = max(at_start, needed - float(inputs.ramp_up_mw_per_h[t]) * inputs.step_h)
    return floor
