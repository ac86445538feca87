"""Paths of a quantity into the future: as uncertain as its forecast in each hour, as steady as the past in time.

Put here: how time correlation is given to distributions that were stated hour by hour. Keep out: which quantities a
plan depends on, reading forecasts, simulating plans.

Two parts, kept apart (Sklar). *Where* in its distribution a path stands in each hour is a rank, from a stationary
process or from the paths of an ensemble (Schaake shuffle: Clark et al., J. Hydrometeorology 5, 2004, 243). *What*
stands there is the forecast's own quantile. The ranks of an hour are spread evenly over the paths, so a handful of
paths already has the forecast's spread.
"""

from __future__ import annotations

import numpy as np

from domain.hydraulics import Array


def steady_ranks(count: int, hours: int, *, half_life_h: float, random: np.random.Generator) -> Array:
    """Return ranks of paths whose correlation halves every ``half_life_h`` hours, shape count x hours, within 0 to 1.

    An autoregressive process of first order, ranked among the paths of each hour.
    """
    kept = 0.5 ** (1.0 / half_life_h)
    noise = random.standard_normal((count, hours))
    process = np.empty_like(noise)
    process[:, 0] = noise[:, 0]
    for hour in range(1, hours):
        process[:, hour] = kept * process[:, hour - 1] + np.sqrt(1.0 - kept * kept) * noise[:, hour]
    return ranked(process)


def ranked(values: Array) -> Array:
    """Return each value's rank among the paths of its hour, in the middle of its share: (rank + 1/2) / paths.

    >>> ranked(np.array([[3.0, 10.0], [1.0, 30.0]])).tolist()
    [[0.75, 0.25], [0.25, 0.75]]
    """
    order = np.argsort(np.argsort(values, axis=0, kind="stable"), axis=0, kind="stable")
    return (order + 0.5) / values.shape[0]


def ensemble_ranks(members: Array, count: int, *, random: np.random.Generator) -> Array:
    """Return ranks of ``count`` paths that move in time as the members of an ensemble do, count x hours.

    Args:
        members: One path a member, members x hours, any unit.
        count: Paths wanted; where there are more than members, members are drawn again in another order.
        random: Chooses the members.
    """
    of_members = ranked(members)
    rounds = -(-count // len(members))
    chosen = np.concatenate([random.permutation(len(members)) for _ in range(rounds)])[:count]
    # A member drawn twice would give two equal paths: which half of its share a path takes is drawn as well.
    shifted = of_members[chosen] + (random.random((count, 1)) - 0.5) / len(members)
    return np.clip(shifted, 0.0, 1.0)


def through_quantiles(probabilities: Array, quantiles: Array, ranks: Array, *, lowest: float = -np.inf) -> Array:
    """Return the values at ranks of distributions stated by quantiles.

    Between two stated quantiles a straight line; beyond the outermost, the line of the outermost pair goes on, so the
    tails are as wide as the distribution says and no wider than uniform.

    Args:
        probabilities: Non-exceedance probabilities, rising, Q of them [1].
        quantiles: Values at those, rising, hours x Q.
        ranks: Within 0 to 1, paths x hours.
        lowest: Physical lower bound of the values.

    >>> q = np.array([[10.0, 20.0, 40.0]])
    >>> through_quantiles(np.array([0.1, 0.5, 0.9]), q, np.array([[0.0], [0.5], [0.7], [1.0]])).ravel().tolist()
    [7.5, 20.0, 30.0, 45.0]
    """
    upper = np.clip(np.searchsorted(probabilities, ranks), 1, len(probabilities) - 1)
    hour = np.arange(quantiles.shape[0])
    low, high = quantiles[hour, upper - 1], quantiles[hour, upper]
    p_low, p_high = probabilities[upper - 1], probabilities[upper]
    return np.maximum(lowest, low + (ranks - p_low) / (p_high - p_low) * (high - low))
