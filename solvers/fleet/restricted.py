"""The small linear programme of one feeder: which mixture of known plans costs least within its limits.

A feeder knows some plans of its devices in sum (columns: a cost, a net power in each interval). It mixes them,

    min sum_k cost_k w_k + penalty sum_t (over_t + under_t)
    s.t. sum_k net_kt w_k + slack_t - over_t + under_t = import limit,  0 <= slack_t <= import + export limit,
         sum_k w_k = 1,  w, over, under >= 0,

and reads prices for its net power off the rows. A few dozen rows, a few hundred columns, solved some hundred times a
feeder, each time with one more column: a dense primal simplex on bounded variables that keeps its basis and inverse
does a pivot in microseconds, where a general solver spends more on the call alone (ten times the total, measured on
50 feeders). Nothing that is reported relies on its accuracy: bounds come from pricing, costs from the schedule.

Variables are numbered slack_t = t, over_t = T + t, under_t = 2 T + t, w_k = 3 T + k.
Put here: that simplex. Keep out: where columns come from (feeders.py).
"""

# ruff: noqa: ANN001, ANN201, ANN202, PLR0913, PLR0917 - compiled code: numba infers types, and takes arrays, not records

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

RENEW: Final = 60
"""Pivots after which the inverse is computed afresh, before rounding can pile up."""

SHAKE: Final = 1e-7
"""Limits are moved apart by about this part of a hundredth of their room while pivoting, and back at the end: where
many bind at once (a feeder that may draw nothing) a simplex would otherwise turn in circles."""

GOLDEN: Final = 0.6180339887498949
"""Its multiples, less their whole part, never fall together."""

MOST_PIVOTS: Final = 4000
"""A cap against cycling; what is reached by then is still a feasible mixture."""

_FAST: Final = {"reassoc", "contract"}  # sums in any order: lets LLVM use vectors, stays repeatable on a machine


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _column(variable, pool, columns, out):
    intervals = pool.shape[1]
    for t in range(intervals + 1):
        out[t] = 0.0
    if variable < 2 * intervals:
        out[variable % intervals] = 1.0 if variable < intervals else -1.0
    elif variable < 3 * intervals:
        out[variable - 2 * intervals] = 1.0
    else:
        plan = columns[variable - 3 * intervals]
        for t in range(intervals):
            out[t] = pool[plan, t]
        out[intervals] = 1.0


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _times(inverse, vector, out):
    for i in range(len(vector)):
        value = 0.0
        for j in range(len(vector)):
            value += inverse[i, j] * vector[j]
        out[i] = value


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _pivot(inverse, row, direction):
    for j in range(len(direction)):
        inverse[row, j] /= direction[row]
    for i in range(len(direction)):
        factor = direction[i]
        if i != row and factor != 0.0:
            for j in range(len(direction)):
                inverse[i, j] -= factor * inverse[row, j]


@njit(nogil=True, cache=True, error_model="numpy")
def start_basis(net, most_in, most_out, basis, at_top):
    """Write the basis that takes the first column as it is."""
    intervals = len(net)
    for t in range(intervals):
        at_top[t] = net[t] < -most_out
        basis[t] = 2 * intervals + t if at_top[t] else intervals + t if net[t] > most_in else t
    basis[intervals] = 3 * intervals


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _renew(pool, columns, basis, inverse):
    """Compute the inverse of the basis afresh and put each basic variable where its row is; False if singular."""
    size = len(basis)
    intervals = size - 1
    taken = np.zeros(size, np.bool_)
    plans = np.empty(size, np.int64)
    units = np.empty(size, np.int64)
    many, few = 0, 0
    column, direction = np.empty(size), np.empty(size)
    for i in range(size):
        for j in range(size):
            inverse[i, j] = 1.0 if i == j else 0.0
        if basis[i] >= 3 * intervals:
            plans[many] = basis[i]
            many += 1
        else:
            units[few] = basis[i]
            few += 1
    for n in range(few):
        t = units[n] % intervals
        taken[t] = True
        basis[t] = units[n]
        inverse[t, t] = -1.0 if intervals <= units[n] < 2 * intervals else 1.0
    for n in range(many):
        _column(plans[n], pool, columns, column)
        _times(inverse, column, direction)
        row = -1
        for i in range(size):
            if not taken[i] and (row < 0 or abs(direction[i]) > abs(direction[row])):
                row = i
        if abs(direction[row]) < 1e-10:  # noqa: PLR2004 - kW; plans are told apart by far more
            return False
        _pivot(inverse, row, direction)
        taken[row] = True
        basis[row] = plans[n]
    return True


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _enter(pool, cost, columns, count, penalty, worth_kw, room, multiplier, at_top):
    """Return the variable that improves most per unit, one kW counted as ``worth_kw`` of a plan, or -1."""
    intervals = pool.shape[1]
    best, entering = -1e-10 * penalty, -1
    for k in range(count):
        reduced = cost[columns[k]] - multiplier[intervals]
        for t in range(intervals):
            reduced -= multiplier[t] * pool[columns[k], t]
        if reduced < best:
            best, entering = reduced, 3 * intervals + k
    for t in range(intervals):
        price = multiplier[t]
        for kind in range(0 if room > 0.0 else 1, 3):  # without room a slack is fixed; to flip it would go on for ever
            reduced = penalty + price if kind == 1 else penalty - price
            if kind == 0:
                reduced = price if at_top[t] else -price
            if reduced * worth_kw < best:
                best, entering = reduced * worth_kw, kind * intervals + t
    return entering


@njit(nogil=True, cache=True, error_model="numpy")
def _leave(values, direction, sign, basis, room, limit):
    """Return how far the entering variable goes, the row that stops it (-1: its own limit), whether at the top."""
    intervals = len(values) - 1
    row, top, size = -1, False, 0.0
    for i in range(len(values)):
        slope = direction[i] * sign
        if slope > 1e-9:  # noqa: PLR2004 - a smaller pivot is rounding
            step = max(values[i], 0.0) / slope
            to_top = False
        elif slope < -1e-9 and basis[i] < intervals:  # noqa: PLR2004
            step = max(room - values[i], 0.0) / -slope
            to_top = True
        else:
            continue
        if step < limit - 1e-12 or (row >= 0 and step <= limit + 1e-12 and abs(slope) > size):
            limit, row, top, size = min(limit, step), i, to_top, abs(slope)
    return limit, row, top


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _basic_values(most_in, room, at_top, inverse, shake, values):
    size = len(values)
    rhs = np.empty(size)
    for t in range(size - 1):
        rhs[t] = most_in - (room if at_top[t] else 0.0) + shake * (1.0 + (t * GOLDEN) % 1.0)
    rhs[size - 1] = 1.0
    _times(inverse, rhs, values)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _multipliers(cost, columns, penalty, basis, inverse, multiplier):
    size = len(basis)
    for j in range(size):
        multiplier[j] = 0.0
    for i in range(size):
        variable = basis[i]
        if variable >= size - 1:
            plan = variable - 3 * (size - 1)
            unit = penalty if plan < 0 else cost[columns[plan]]
            for j in range(size):
                multiplier[j] += unit * inverse[i, j]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _exchange(entering, column, inverse, basis, at_top, values, room, direction):
    """Bring a variable into the basis, or to its other end; False where nothing stops it."""
    intervals = len(basis) - 1
    _times(inverse, column, direction)
    own = entering < intervals
    sign = -1.0 if own and at_top[entering] else 1.0
    step, row, top = _leave(values, direction, sign, basis, room, room if own else np.inf)
    if not np.isfinite(step):
        return False
    for i in range(len(values)):
        values[i] -= sign * step * direction[i]
    if row < 0:
        at_top[entering] = not at_top[entering]
        return True
    if basis[row] < intervals:
        at_top[basis[row]] = top
    values[row] = step if sign > 0 else room - step
    if own:
        at_top[entering] = False
    _pivot(inverse, row, direction)
    basis[row] = entering
    return True


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _read_off(cost, columns, penalty, basis, values, weight):
    """Write the parts of plans and return what the mixture costs."""
    intervals = len(basis) - 1
    total = 0.0
    for k in range(len(weight)):
        weight[k] = 0.0
    for i in range(len(basis)):
        plan = basis[i] - 3 * intervals
        if plan >= 0:
            weight[plan] = max(values[i], 0.0)
            total += cost[columns[plan]] * values[i]
        elif basis[i] >= intervals:
            total += penalty * values[i]
    return total


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _solve(pool, cost, columns, count, most_in, most_out, penalty, basis, at_top, inverse, price, weight):
    """Solve one feeder from its last basis and return its value; NaN where the basis turned singular."""
    size = len(basis)
    intervals = size - 1
    room = most_in + most_out
    worth_kw = 0.02 * min(max(room, 1.0), 1e4)
    values, multiplier = np.empty(size), np.empty(size)
    column, direction = np.empty(size), np.empty(size)
    for pivots in range(MOST_PIVOTS):
        if pivots % RENEW == 0:
            if pivots and not _renew(pool, columns, basis, inverse):
                return np.nan
            _basic_values(most_in, room, at_top, inverse, SHAKE * worth_kw, values)
        _multipliers(cost, columns, penalty, basis, inverse, multiplier)
        entering = _enter(pool, cost, columns, count, penalty, worth_kw, room, multiplier, at_top)
        if entering < 0:
            break
        _column(entering, pool, columns, column)
        if not _exchange(entering, column, inverse, basis, at_top, values, room, direction):
            return np.nan
    _basic_values(most_in, room, at_top, inverse, 0.0, values)
    for t in range(intervals):
        price[t] = min(max(-multiplier[t], -penalty), penalty)
    return _read_off(cost, columns, penalty, basis, values, weight)


@njit(nogil=True, cache=True, error_model="numpy")
def solve_feeders(
    feeders,
    pool,
    cost,
    columns,
    counts,
    most_in,
    most_out,
    penalty,
    basis,
    at_top,
    inverse,
    fresh,
    price,
    weight,
    value,
):
    """Solve the programmes of the listed feeders.

    Args:
        feeders: Which; every other array but ``pool`` and ``cost`` is indexed by feeder.
        pool: Net power of all known plans [kW], shape (plans, intervals).
        cost: Of all known plans [USD].
        columns: Plans of each feeder, the first ``counts`` of each row.
        counts: How many plans each feeder knows.
        most_in: Import limit [kW].
        most_out: Export limit [kW].
        penalty: For a limit missed by a kW in one interval [USD/kW].
        basis: Basic variables, kept between calls.
        at_top: Nonbasic slacks at their upper end, kept between calls.
        inverse: Of the basis, kept between calls.
        fresh: True where no basis is kept yet; cleared.
        price: Filled with the worth of a kW less net power in each interval [USD/kW].
        weight: Filled with the part of each plan.
        value: Filled with the least cost [USD].
    """
    for n in range(len(feeders)):
        feeder = feeders[n]
        for _ in range(2):
            if fresh[feeder]:
                start_basis(pool[columns[feeder, 0]], most_in[feeder], most_out[feeder], basis[feeder], at_top[feeder])
                _renew(pool, columns[feeder], basis[feeder], inverse[feeder])
                fresh[feeder] = False
            value[feeder] = _solve(
                pool, cost, columns[feeder], counts[feeder], most_in[feeder], most_out[feeder], penalty,
                basis[feeder], at_top[feeder], inverse[feeder], price[feeder], weight[feeder],
            )  # fmt: skip
            if not np.isnan(value[feeder]):
                break
            fresh[feeder] = True  # once more from the first column
