"""The best schedule of one device that never charges and discharges in the same interval, whatever the prices.

At a burning price (b > a, see kernel.py) the cost of a step is not convex and its chord may not be used, so the
cost-to-go V is any piecewise linear function. It is kept as its breakpoints. One step back, from s, costs the least of
five: stay, V(s); charge all, V(s + Xc) + a Xc; give all, V(s - Xd) - b Xd; charge to the best breakpoint in reach,
(V + a y at y) - a s; give down to the best one, (V + b y at y) - b s. Between the places where a breakpoint enters or
leaves reach each of these is a straight line in s, so the new V is the lower envelope of five lines, piece by piece.
Exact, no grid. Used for the few devices whose relaxed schedule shares an interval; for all others that is the answer.

Put here: that recursion. Keep out: everything that prices which never burn allow (kernel.py, segments.py).
"""

# ruff: noqa: ANN001, ANN201, ANN202, PLR0913, PLR0917 - compiled code: numba infers types, and takes arrays, not records

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from solvers.fleet.kernel import ED, END_MIN, HI, INV_EC, LO, SNAP, START, WEAR, XC, XD

MOST_BREAKPOINTS: Final = 512
"""Breakpoints of one V; some twenty are usual. A device that needs more is left as it is and said so."""

SAME: Final = 1e-13
"""Values closer than this part of their size are the same: breakpoints between them are dropped."""


@njit(nogil=True, cache=True, error_model="numpy")
def _line(place, value, count, s):
    """Return value and slope of V at ``s``, the slope to its right."""
    k = 0
    while k < count - 2 and place[k + 1] <= s:
        k += 1
    if count == 1 or place[k + 1] <= place[k]:
        return value[k], 0.0
    slope = (value[k + 1] - value[k]) / (place[k + 1] - place[k])
    return value[k] + slope * (s - place[k]), slope


@njit(nogil=True, cache=True, error_model="numpy")
def _events(place, count, xc, xd, low, high, event):
    """Write, ascending, where a breakpoint enters or leaves reach; return how many there are."""
    first, last = max(low, place[0] - xc), min(high, place[count - 1] + xd)
    event[0] = first
    total = 1
    early, here, late = 0, 0, 0  # the next breakpoint to enter from above, to pass, to leave below
    while True:
        enters = place[early] - xc if early < count else np.inf
        passes = place[here] if here < count else np.inf
        leaves = place[late] + xd if late < count else np.inf
        at = min(enters, passes, leaves)
        if at >= last:
            break
        if at > first:
            event[total] = at
            total += 1
        early += enters == at
        here += passes == at
        late += leaves == at
    event[total] = last
    return total + 1


@njit(nogil=True, cache=True, error_model="numpy")
def _envelope(height, slope, lines, start, stop, out_place, out_value, count):
    """Append the lower envelope of lines over [start, stop], without its end, and return the new count."""
    at = start
    best = 0
    for j in range(1, lines):
        if height[j] < height[best] or (height[j] == height[best] and slope[j] < slope[best]):
            best = j
    while count < len(out_place) - 1:
        out_place[count], out_value[count] = at, height[best] + slope[best] * (at - start)
        count += 1
        crossing, chosen = stop, -1
        for j in range(lines):
            if slope[j] < slope[best]:
                meet = start + (height[j] - height[best]) / (slope[best] - slope[j])
                if at < meet < crossing or (chosen >= 0 and meet == crossing and slope[j] < slope[chosen]):
                    crossing, chosen = meet, j
        if chosen < 0:
            break
        at, best = crossing, chosen
    return count


@njit(nogil=True, cache=True, error_model="numpy")
def _simplify(place, value, count):
    """Drop breakpoints on the straight line between their neighbours and return how many are left."""
    kept = 1
    for k in range(1, count):
        if place[k] - place[kept - 1] <= SAME * (1.0 + abs(place[k])) and k < count - 1:
            continue
        if kept > 1:  # a neighbour on each side
            width = place[k] - place[kept - 2]
            straight = value[kept - 2] + (value[k] - value[kept - 2]) * (place[kept - 1] - place[kept - 2]) / width
            if abs(straight - value[kept - 1]) <= SAME * (1.0 + abs(straight)):
                kept -= 1
        place[kept], value[kept] = place[k], value[k]
        kept += 1
    return kept


@njit(nogil=True, cache=True, error_model="numpy")
def _lines(place, value, count, a, b, xc, xd, start, stop, height, slope):
    """Write height at ``start`` and slope of what a step from within [start, stop] may cost; return how many lines."""
    middle = 0.5 * (start + stop)
    lines = 0
    for shift, extra in ((0.0, 0.0), (xc, a * xc), (-xd, -b * xd)):
        if place[0] <= middle + shift <= place[count - 1]:
            at_middle, rise = _line(place, value, count, middle + shift)
            height[lines], slope[lines] = at_middle + rise * (start - middle) + extra, rise
            lines += 1
    best_up, best_down = np.inf, np.inf
    for k in range(count):
        if middle < place[k] <= middle + xc:
            best_up = min(best_up, value[k] + a * place[k])
        elif middle - xd <= place[k] < middle:
            best_down = min(best_down, value[k] + b * place[k])
    for best, unit in ((best_up, a), (best_down, b)):
        if best < np.inf:
            height[lines], slope[lines] = best - unit * start, -unit
            lines += 1
    return lines


@njit(nogil=True, cache=True, error_model="numpy")
def _step_back(place, value, count, a, b, xc, xd, low, high, event, new_place, new_value):
    """Write V one step earlier and return its number of breakpoints, 0 where there is no room for them."""
    height, slope = np.empty(5), np.empty(5)
    events = _events(place, count, xc, xd, low, high, event)
    total, end = 0, value[0]
    for n in range(events - 1):
        start, stop = event[n], event[n + 1]
        if stop <= start:
            continue
        lines = _lines(place, value, count, a, b, xc, xd, start, stop, height, slope)
        total = _envelope(height, slope, lines, start, stop, new_place, new_value, total)
        end = np.inf
        for j in range(lines):
            end = min(end, height[j] + slope[j] * (stop - start))
        if total >= len(new_place) - 8:
            total = _simplify(new_place, new_value, total)
            if total >= len(new_place) - 8:
                return 0
    # A band of a single level has no piece: its value stays.
    new_place[total], new_value[total] = event[events - 1], end
    return _simplify(new_place, new_value, total + 1)


@njit(nogil=True, cache=True, error_model="numpy")
def _choose(place, value, count, s, a, b, xc, xd):
    """Return the best next level from ``s``; of equals the highest."""
    bottom, top = place[0], place[count - 1]
    if s + xc <= bottom:
        return s + xc
    if s - xd >= top:
        return s - xd
    best, chosen = np.inf, s
    for k in range(count + 3):
        y = place[k] if k < count else s if k == count else s + xc if k == count + 1 else s - xd
        if bottom <= y <= top and s - xd <= y <= s + xc:
            at, _ = _line(place, value, count, y)
            cost = at + (a if y > s else b) * (y - s)
            margin = SAME * (1.0 + abs(cost))
            if cost < best - margin or (cost <= best + margin and y > chosen):
                best, chosen = min(best, cost), y
    return chosen


@njit(nogil=True, cache=True, error_model="numpy")
def respond_strictly(table, room_in, room_out, devices, price, held, end_value, hours, charge, discharge, soc, solved):
    """Write the best schedule of each listed device that does one thing at a time.

    Args:
        table: Devices, as in kernel.py.
        room_in: Part of the charging power each listed device may use, shape (intervals, len(devices)).
        room_out: Likewise of the discharging power.
        devices: Columns of the table to plan.
        price: Of each listed device [USD/kWh], shape (len(devices), intervals).
        held: Reward for energy kept through the interval [USD/kWh stored], same shape.
        end_value: Worth of energy stored at the end [USD/kWh].
        hours: Length of an interval [h].
        charge: Filled with mean power drawn [kW], shape (intervals, len(devices)).
        discharge: Filled with mean power given [kW].
        soc: Filled with the state of charge at the end of each interval [kWh].
        solved: Filled with False for a device that needs more than MOST_BREAKPOINTS; nothing is written for it.
    """
    intervals = price.shape[1]
    place, value = np.empty((intervals + 1, MOST_BREAKPOINTS)), np.empty((intervals + 1, MOST_BREAKPOINTS))
    counts = np.empty(intervals + 1, np.int64)
    event = np.empty(3 * MOST_BREAKPOINTS + 2)
    for index in range(len(devices)):
        i = devices[index]
        low, high, inv_ec, ed, wear = table[LO, i], table[HI, i], table[INV_EC, i], table[ED, i], table[WEAR, i]
        place[intervals, 0], place[intervals, 1] = min(max(table[END_MIN, i], low), high), high
        value[intervals, 0], value[intervals, 1] = -end_value * place[intervals, 0], -end_value * high
        counts[intervals] = 2 if place[intervals, 0] < high else 1
        solved[index] = True
        for t in range(intervals - 1, -1, -1):
            a, b = (price[index, t] + wear) * inv_ec, (price[index, t] - wear) * ed - held[index, t]
            xc, xd = table[XC, i] * room_in[t, index], table[XD, i] * room_out[t, index]
            counts[t] = _step_back(
                place[t + 1], value[t + 1], counts[t + 1], a, b, xc, xd, low, high, event, place[t], value[t]
            )
            if counts[t] == 0:
                solved[index] = False
                break
            for k in range(counts[t]):
                value[t, k] -= held[index, t] * place[t, k]
        if not solved[index]:
            continue
        now = table[START, i]
        for t in range(intervals):
            a, b = (price[index, t] + wear) * inv_ec, (price[index, t] - wear) * ed - held[index, t]
            xc, xd = table[XC, i] * room_in[t, index], table[XD, i] * room_out[t, index]
            then = _choose(place[t + 1], value[t + 1], counts[t + 1], now, a, b, xc, xd)
            if abs(then - now) <= SNAP * high:
                then = now
            charge[t, index] = max(then - now, 0.0) * inv_ec / hours
            discharge[t, index] = max(now - then, 0.0) * ed / hours
            soc[t, index] = then
            now = then
