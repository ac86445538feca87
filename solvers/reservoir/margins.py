"""What forecasts may miss, as distances kept from the band's ends, and few futures in place of many.

Put here: the risk of inflow turned into acre-feet for a plan on one forecast, and the choice of scenarios for a plan
on several. Keep out: where the futures come from (domain/dispatch_forecast.py, assets), the programmes.

A plan made every hour need only survive until the next ones can act: an error is seen when its hour ends, and the unit
needs its ramp to answer. So the risk of an interval is what inflow may accumulate over the last ``REACTION_H`` hours,
in a rafting window since the window's ramp began, because there the unit is bound.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np

from domain.hydraulics import Array, storage_af
from domain.plant import Plant
from domain.reservoir_inputs import ReservoirInputs
from domain.units import AF_PER_CFS_HOUR
from solvers.reservoir.options import Margins
from solvers.reservoir.value import low_af

REACTION_H: Final = 3.0
TAIL: Final = 0.03
REACH_H: Final = 24.0
"""Later intervals need no margin: a day of plans comes before them. A longer reach would also make room at the float
worth more than spill costs, and the plan would spill early."""
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
    rafting = ~np.isnan(inputs.raft_target_mw)
    for t in np.flatnonzero(rafting):
        since[t] = min(since[t], since[t - 1]) if t and rafting[t - 1] else since[t]
    risk = missed[:, 1:] - missed[:, since]
    low, high = weighted_quantiles(risk, probability, (tail, 1.0 - tail))
    band = storage_af(plant.storage, inputs.float_ft) - low_af(plant)
    most = np.maximum(0.0, LARGEST_SHARE * band)
    most[round(REACH_H / inputs.step_h) :] = 0.0
    return Margins(low_af=tuple(np.clip(-low, 0.0, most).tolist()), high_af=tuple(np.clip(high, 0.0, most).tolist()))


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
