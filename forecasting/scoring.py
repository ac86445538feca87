"""How good a forecast was: plain functions of what happened and what was said.

Put here: scores, with their definitions. Keep out: choosing the pairs (the same hours, the same origins); that is
where backtests go wrong, so it is done in one place by those who read the lake.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from domain.errors import InputError


def mae(actual: ArrayLike, point: ArrayLike) -> float:
    """Return the mean absolute error, in the unit of the values.

    >>> mae([10.0, 20.0], [12.0, 19.0])
    1.5
    """
    truth, said = _pairs(actual, point)
    return float(np.abs(truth - said).mean())


def pinball(actual: ArrayLike, said: ArrayLike, quantile: float) -> float:
    """Return the mean pinball loss of one quantile, in the unit of the values.

    loss = q (y - x) where y >= x, else (1 - q) (x - y) (Koenker and Bassett, Econometrica 46, 1978).

    Args:
        actual: What happened.
        said: The quantile that was forecast.
        quantile: Its non-exceedance probability, between 0 and 1.

    >>> pinball([10.0], [8.0], 0.9), round(pinball([8.0], [10.0], 0.9), 6)
    (1.8, 0.2)
    """
    if not 0 < quantile < 1:
        raise InputError(f"quantile {quantile}: a non-exceedance probability lies between 0 and 1, exclusive")
    truth, forecast = _pairs(actual, said)
    miss = truth - forecast
    return float(np.maximum(quantile * miss, (quantile - 1) * miss).mean())


def coverage(actual: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """Return the share (0 to 1) of what happened that lay in [low, high], bounds included.

    >>> coverage([1.0, 5.0, 9.0, 10.0], [0, 0, 0, 0], [5, 5, 5, 5])
    0.5
    """
    truth, bottom = _pairs(actual, low)
    _, top = _pairs(actual, high)
    return float(((bottom <= truth) & (truth <= top)).mean())


def _pairs(actual: ArrayLike, said: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    truth, forecast = np.asarray(actual, dtype=np.float64), np.asarray(said, dtype=np.float64)
    if truth.shape != forecast.shape or truth.ndim != 1 or truth.size == 0:
        raise InputError(f"a score needs two equally long, non-empty lists; got shapes {truth.shape}, {forecast.shape}")
    if not (np.isfinite(truth).all() and np.isfinite(forecast).all()):
        raise InputError("a score needs finite numbers; leave out the hours that have no value on either side")
    return truth, forecast
