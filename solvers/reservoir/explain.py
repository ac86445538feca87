"""Why a plan is as it is, in words: the limits it leans on and what easing each would be worth.

Put here: sentences from bindings and shadow prices. Keep out: computing either.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from domain.hydraulics import Array, storage_slope_af_per_ft
from domain.plant import Plant, PoolState
from domain.reservoir_inputs import ReservoirInputs
from domain.trajectory import Trajectory
from solvers.reservoir.linear import LinearPlan
from solvers.reservoir.schedule import binding
from solvers.reservoir.value import minimum_flow_shortfall_cfs, raft_shortfall_mw

WORTH_SAYING_USD: Final = 0.5
"""Prices below this are not put into words [USD]."""


def explain(
    plant: Plant, inputs: ReservoirInputs, state: PoolState, trajectory: Trajectory, linear: LinearPlan | None
) -> list[str]:
    """Return sentences about a plan, in the order of time; prices only where a programme gave them.

    A price is what one unit more of that limit, in all the intervals named together, would add to the objective.
    """
    linear = linear if linear is not None and linear.prices else None
    worth = _worth_usd(plant, inputs, trajectory, linear)
    names = binding(plant, inputs, trajectory)
    zone = ZoneInfo(plant.zone)
    step = timedelta(hours=inputs.step_h)
    said: list[tuple[int, str]] = []
    for kind, ease in _EASE.items():
        for first, last in _runs([kind in row for row in names]):
            when = _when(inputs.start[first], inputs.start[last - 1] + step, zone)
            gain = float(worth[kind][first:last].sum()) if kind in worth else 0.0
            tail = f"; {ease} is worth ${gain:,.0f}" if gain >= WORTH_SAYING_USD else ""
            if tail or linear is None or kind in ("outage", "rafting", "float", "minimum level"):
                said.append((first, f"{when} limited by {_WORDS.get(kind, kind)}{tail}"))
    said.extend(_shortfalls(inputs, trajectory, zone))
    if linear is not None:
        value = float(linear.prices["balance"][0])
        opening = f"one more acre-foot in the pool at {_clock(inputs.start[0], zone)} is worth ${value:,.2f}"
        said.append((-1, f"{opening} (level {state.elevation_ft:.2f} ft, output {state.oxbow_mw:.2f} MW)"))
    return [text for _, text in sorted(said, key=lambda pair: pair[0])]


_EASE: Final = {
    "head": "one more foot",
    "maximum output": "one more MW",
    "minimum output": "one MW less",
    "ramp up": "a ramp of 0.1 MW/h more",
    "ramp down": "a ramp of 0.1 MW/h more",
    "float": "a float one foot higher",
    "minimum level": "a minimum one foot lower",
    "rafting": "a target 0.1 MW lower",
    "minimum flow": "a floor 10 cfs lower",
    "outage": "having the unit",
}
_WORDS: Final = {"outage": "an outage", "rafting": "the rafting target", "float": "the float"}


def _worth_usd(
    plant: Plant, inputs: ReservoirInputs, trajectory: Trajectory, linear: LinearPlan | None
) -> dict[str, Array]:
    """Return, by kind of limit, what easing it by one step in each interval is worth [USD]."""
    if linear is None:
        return {}
    prices, surface = linear.prices, storage_slope_af_per_ft(plant.storage, trajectory.elevation_ft)
    low = storage_slope_af_per_ft(plant.storage, plant.pool.minimum_ft)
    zero = np.zeros(inputs.intervals)
    return {
        "head": prices["head_cap"] * plant.unit.head_cap_mw_per_ft,
        "maximum output": np.maximum(prices["g_bound"], 0.0),
        "minimum output": np.maximum(-prices["g_bound"], 0.0),
        "ramp up": np.maximum(prices["up_bound"], 0.0) * inputs.step_h * 0.1,
        "ramp down": np.maximum(prices["dn_bound"], 0.0) * inputs.step_h * 0.1,
        "float": np.maximum(prices["a_bound"], 0.0) * surface,
        "minimum level": -prices["soft_minimum"] * low,
        "rafting": -prices.get("rafting", zero) * 0.1,
        "minimum flow": -prices.get("minimum_flow", zero) * 10.0,
    }


def _runs(holds: list[bool]) -> Iterator[tuple[int, int]]:
    """Yield the spans in which a limit binds without a break, half-open."""
    first: int | None = None
    for t, here in enumerate([*holds, False]):
        if here and first is None:
            first = t
        elif not here and first is not None:
            yield first, t
            first = None


def _shortfalls(inputs: ReservoirInputs, trajectory: Trajectory, zone: ZoneInfo) -> Iterator[tuple[int, str]]:
    step = timedelta(hours=inputs.step_h)
    raft = raft_shortfall_mw(inputs, trajectory)
    flow = minimum_flow_shortfall_cfs(inputs, trajectory)
    for short, unit, what in ((raft, "MWh", "of the rafting release"), (flow, "cfs h", "of the minimum flow")):
        for first, last in _runs((short > 1e-3).tolist()):  # noqa: PLR2004 - less is rounding
            missing = float(short[first:last].sum()) * inputs.step_h
            when = _when(inputs.start[first], inputs.start[last - 1] + step, zone)
            yield first, f"{when} misses {missing:.2f} {unit} {what}"


def _clock(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).strftime("%a %H:%M")


def _when(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    return f"{_clock(start, zone)} to {_clock(end, zone)}"
