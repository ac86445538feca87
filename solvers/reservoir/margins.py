"""What forecasts may miss, as distances kept from the band's ends, and few futures in place of many.

Put here: the risk of inflow turned into acre-feet for a plan on one forecast, and the choice of scenarios for a plan
on several. Keep out: where the futures come from (domain/dispatch_forecast.py, assets), the programmes.

A plan made every hour need only survive until the next ones can act: an error is seen when its hour ends, and the unit
needs its ramp to answer. So the risk of an interval is what inflow may accumulate over the last ``REACTION_H`` hours.

Rafting is another matter. Its water is gathered over a day or more, mostly while the unit already runs at its least:
who sold too much last evening has no answer left. So each future is asked, from its last hour back, how full the pool
must be to carry every window on that future's own inflow, and the plan keeps what nearly all of them ask for.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np

from domain.hydraulics import Array, elevation_ft, head_cap_mw, storage_af, unit_flow_cfs
from domain.plant import Plant
from domain.reservoir_inputs import ReservoirInputs
from domain.units import AF_PER_CFS_HOUR
from solvers.reservoir.options import Margins
from solvers.reservoir.rule import raft_floor_mw
from solvers.reservoir.value import low_af

REACTION_H: Final = 3.0
TAIL: Final = 0.03
REACH_H: Final = 24.0
"""Later intervals need no margin: a day of plans comes before them. A longer reach would also make room at the float
worth more than spill costs, and the plan would spill early."""
WINDOW_TAIL: Final = 0.01
"""Smaller than ``TAIL``: an acre-foot missing in a window costs 148 USD, one too many in the pool a dollar or two."""
LARGEST_SHARE: Final = 0.35
"""No margin takes more than this share of the band: a pool that is all margin earns nothing."""


def margins_of(
    plant: Plant,
    inputs: ReservoirInputs,
    many: ReservoirInputs,
    probability: Array,
    *,
    tail: float = TAIL,
    reaction_h: float = REACTION_H,
) -> Margins:
    """Return the margins that futures ask of a plan made on one forecast.

    Args:
        plant: The plant.
        inputs: The forecast planned on.
        many: The futures, stacked; their inflow counts.
        probability: Of each future.
        tail: Probability left beyond each margin [1].
        reaction_h: How long an error goes unanswered [h].
    """
    steps = max(1, round(reaction_h / inputs.step_h))
    missed = np.cumsum((many.inflow_cfs - inputs.inflow_cfs) * AF_PER_CFS_HOUR * inputs.step_h, axis=1)
    missed = np.concatenate([np.zeros((len(missed), 1)), missed], axis=1)
    since = np.maximum(0, np.arange(inputs.intervals) + 1 - steps)
    low, high = weighted_quantiles(missed[:, 1:] - missed[:, since], probability, (tail, 1.0 - tail))
    band = storage_af(plant.storage, inputs.float_ft) - low_af(plant)
    most = np.maximum(0.0, LARGEST_SHARE * band)
    most[round(REACH_H / inputs.step_h) :] = 0.0
    low, high = np.clip(-low, 0.0, most), np.clip(high, 0.0, most)
    window: Array = np.array([])
    if not np.isnan(inputs.raft_target_mw).all():
        asked = ready_af(plant, inputs, many.inflow_cfs) - low_af(plant)
        (enough,) = weighted_quantiles(asked, probability, (1.0 - WINDOW_TAIL,))
        window = np.minimum(enough, np.maximum(0.0, band - high))
    return Margins(low_af=tuple(low.tolist()), high_af=tuple(high.tolist()), window_af=tuple(window.tolist()))


def ready_af(plant: Plant, inputs: ReservoirInputs, inflow_cfs: Array) -> Array:
    """Return the least storage at each interval's end from which every later rafting window can be carried.

    Outside windows the unit gives its least, but for the latest ramp into each and the way down from it; the pool ends
    at its minimum plus buffer. What no pool can hold (above the float) is not asked for.

    Args:
        plant: The plant.
        inputs: Targets, ramps, floats.
        inflow_cfs: Futures x T [cfs].

    Returns:
        Futures x T [af].
    """
    unit, lowest = plant.unit, low_af(plant)
    least_mw = 0.0 if unit.commitment == "on_off" else unit.minimum_mw
    ends = raft_floor_mw(inputs, least_mw)
    for t in range(1, inputs.intervals):
        ends[t] = max(ends[t], ends[t - 1] - float(inputs.ramp_down_mw_per_h[t]) * inputs.step_h)
    ends = np.where(inputs.available, ends, 0.0)
    means = (np.concatenate([ends[:1], ends[:-1]]) + ends) / 2.0
    fullest, gained = storage_af(plant.storage, inputs.float_ft), inflow_cfs * (AF_PER_CFS_HOUR * inputs.step_h)
    ready, needed = np.empty(inflow_cfs.shape), np.full(len(inflow_cfs), lowest)
    for t in range(inputs.intervals - 1, -1, -1):
        ready[:, t] = needed
        level = elevation_ft(plant.storage, needed)
        given = np.minimum(means[t], head_cap_mw(unit, level)) if means[t] > least_mw else np.full(len(level), means[t])
        drawn = unit_flow_cfs(unit, given, running=given > 0.0, level_ft=level) * (AF_PER_CFS_HOUR * inputs.step_h)
        needed = np.clip(needed + drawn - gained[:, t], lowest, fullest[t])
    return ready


def weighted_quantiles(values: Array, probability: Array, shares: tuple[float, ...]) -> list[Array]:
    """Return, per column, the smallest value that at least a share of the probability does not exceed."""
    order = np.argsort(values, axis=0, kind="stable")
    ranked = np.take_along_axis(values, order, axis=0)
    reached = np.cumsum(probability[order], axis=0)
    firsts = [np.argmax(reached >= share - 1e-9, axis=0) for share in shares]
    return [np.take_along_axis(ranked, first[None, :], axis=0)[0] for first in firsts]


def reduced(members: Array, count: int, *, look: int = 6) -> tuple[np.ndarray, Array]:
    """Return the few of many equally likely inflow paths that stand for all, and their probabilities.

    Paths are ranked by the water of their first ``look`` intervals and cut into bins that are narrow at both ends; each
    bin is stood for by the path nearest to its mean course.
    """
    water = np.cumsum(members, axis=1)
    ranked = np.argsort(water[:, min(look, members.shape[1]) - 1], kind="stable")
    edges = (1.0 - np.cos(np.linspace(0.0, np.pi, count + 1))) / 2.0
    cuts = np.unique(np.round(edges * len(members)).astype(int))
    chosen, probability = [], []
    for first, last in pairwise(cuts.tolist()):
        bin_ = ranked[first:last]
        course = water[bin_][:, : 2 * look]
        chosen.append(int(bin_[np.argmin(((course - course.mean(axis=0)) ** 2).sum(axis=1))]))
        probability.append((last - first) / len(members))
    return np.array(chosen), np.array(probability)
