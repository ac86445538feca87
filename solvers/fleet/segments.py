"""The same recursion, one device at a time, for costs of more than two pieces.

The vector kernel knows steps with one slope for charging and one for discharging. Three things break that into more:
a burning price (b > a) while only a part of the device is there (charging and discharging may then fill the interval
together up to availability each, so charging alone, sharing, and giving way follow one another); a pull towards the
plan of yesterday (a kink at the old change of stored energy); both with an energy reserve (a kink at zero). The pieces
of every step are listed in order of slope, each is inserted on its own, and each leaves its own level:

    from s - Xd upward, piece i of slope phi_i and length L_i is taken as far as the level where V has slope -phi_i.

Put here: that general form; it is also the readable statement of what kernel.py does. Keep out: non-convex steps.
"""

# ruff: noqa: ANN001, ANN201, ANN202, PLR0913, PLR0917 - compiled code: numba infers types, and takes arrays, not records

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from solvers.fleet.kernel import ED, END_MIN, HI, INV_EC, LO, SNAP, START, WEAR, XC, XD

PIECES: Final = 6
"""Pieces a step may have: three of the cost, cut at zero and at the old plan, and one to spare."""


@njit(nogil=True, cache=True, error_model="numpy")
def _burns(a, b, xc, xd):
    return b > a and xc > 0.0 and xd > 0.0


@njit(nogil=True, cache=True, error_model="numpy")
def _pieces(a, b, full_xc, full_xd, part, held, old, pull, slopes, lengths):
    """Write slopes and lengths of one step's cost, ascending, and return how many there are.

    ``old`` is the change of stored energy in the plan to stay close to, NaN for none; ``pull`` its penalty.
    """
    xc, xd = full_xc * part, full_xd * part
    pulled = pull > 0.0 and not np.isnan(old)
    if _burns(a, b, xc, xd):
        alone = min(part, 1.0 - part)
        shared = max(0.0, 2.0 * part - 1.0) * (full_xc + full_xd)
        raw_slope = (a, (a * full_xc + b * full_xd) / (full_xc + full_xd), b)
        raw_length = (alone * full_xc, shared, alone * full_xd)
    else:
        raw_slope, raw_length = (b, a, a), (xd, xc, 0.0)
    count, left = 0, -xd
    for piece in range(3):
        end = left + raw_length[piece]
        while left < end:
            stop = end
            if left < 0.0 < stop:
                stop = 0.0
            if pulled and left < old < stop:
                stop = old
            slope = raw_slope[piece]
            if stop <= 0.0:
                slope -= held
            if pulled:
                slope += pull if left >= old else -pull
            slopes[count], lengths[count] = slope, stop - left
            count += 1
            left = stop
        left = end
    return count


@njit(nogil=True, cache=True, error_model="numpy")
def _insert(slope, place, count, cost, length):
    """Insert one piece into V; the domain grows upward, the caller moves it down once all pieces are in."""
    at = 0
    while at < count and slope[at] <= -cost:
        at += 1
    level = place[at]
    for j in range(count, at - 1, -1):
        slope[j + 1], place[j + 1] = slope[j], place[j] + length
    slope[at], place[at] = -cost, level


@njit(nogil=True, cache=True, error_model="numpy")
def _clip(slope, place, count, low, high):
    """Cut V to the band; ``place[count]`` is the end of the domain."""
    for j in range(count + 1):
        place[j] = min(max(place[j], low), high)
    first = 0
    while first < count - 1 and place[first + 1] <= low:
        first += 1
    while count > first + 1 and place[count - 1] >= high:
        count -= 1
    for j in range(first, count + 1):
        slope[j - first], place[j - first] = slope[j], place[j]
    return count - first


@njit(nogil=True, cache=True, error_model="numpy")
def _stored(change, a, b, full_xc, full_xd, part):
    """Return what is charged into the store in a step that changes it by ``change``."""
    xc, xd = full_xc * part, full_xd * part
    if not _burns(a, b, xc, xd):
        return max(change, 0.0)
    alone, step = min(part, 1.0 - part) * full_xc, change + xd
    along = min(max(step - alone, 0.0), max(0.0, 2.0 * part - 1.0) * (full_xc + full_xd))
    return min(step, alone) + along * full_xc / (full_xc + full_xd)


@njit(nogil=True, cache=True, error_model="numpy")
def _next_level(now, xd, lengths, levels, pieces):
    """Take the pieces in order of cost, each as far as its level."""
    if pieces == 0:
        return now
    then = now - xd
    for n in range(pieces):
        then += min(max(levels[n] - then, 0.0), lengths[n])
    return then


@njit(nogil=True, cache=True, error_model="numpy")
def respond_in_pieces(table, share, devices, price, mu, nu, end_value, hours, old, pull, charge, discharge, soc):
    """Write the best schedule of each listed device.

    Args:
        table: Devices, as in kernel.py.
        share: Availability, as in kernel.py.
        devices: Columns of the table to plan.
        price: Price of each listed device [USD/kWh], shape (len(devices), intervals).
        mu: As in kernel.py, same shape.
        nu: As in kernel.py, same shape.
        end_value: As in kernel.py.
        hours: Length of an interval [h].
        old: Change of stored energy in the plan to stay close to [kWh], shape (intervals, devices of the table),
            NaN for none; shape (0, 0) without one.
        pull: Penalty for leaving it [USD/kWh stored].
        charge: Filled, as in kernel.py, shape (intervals, len(devices)).
        discharge: Likewise.
        soc: Likewise.
    """
    intervals = price.shape[1]
    room = PIECES * intervals + 4
    slope, place = np.empty(room), np.empty(room)
    slopes, lengths = np.empty(PIECES), np.empty(PIECES)
    levels = np.empty((intervals, PIECES))
    for index in range(len(devices)):
        i = devices[index]
        low, high = table[LO, i], table[HI, i]
        inv_ec, ed, wear, full_xc, full_xd = table[INV_EC, i], table[ED, i], table[WEAR, i], table[XC, i], table[XD, i]
        # The first segment stands for what cannot be reached: soc_end_min would be missed.
        slope[0], place[0] = -np.inf, low
        slope[1], place[1] = -end_value, min(max(table[END_MIN, i], low), high)
        place[2], slope[2] = high, np.inf
        count = 2
        offset = 0.0
        for t in range(intervals - 1, -1, -1):
            part = share[t, i] if share.shape[0] else 1.0
            paid = price[index, t] - mu[index, t] * part
            held = nu[index, t] * ed * part
            before = old[t, i] if old.shape[0] else np.nan
            pieces = _pieces(
                (paid + wear) * inv_ec, (paid - wear) * ed, full_xc, full_xd, part, held, before, pull, slopes, lengths
            )
            # Descending cost is ascending slope of V, but each level is that of V before any insertion.
            for n in range(pieces):
                at = 0
                while at < count and slope[at] <= -slopes[n] - offset:
                    at += 1
                levels[t, n] = place[at]
            for n in range(pieces):
                _insert(slope, place, count, slopes[n] + offset, lengths[n])
                count += 1
            if pieces:
                for j in range(count + 1):
                    place[j] -= full_xc * part
                count = _clip(slope, place, count, low, high)
            offset -= held
        now = table[START, i]
        for t in range(intervals):
            part = share[t, i] if share.shape[0] else 1.0
            paid = price[index, t] - mu[index, t] * part
            a, b = (paid + wear) * inv_ec, (paid - wear) * ed
            before = old[t, i] if old.shape[0] else np.nan
            held = nu[index, t] * ed * part
            pieces = _pieces(a, b, full_xc, full_xd, part, held, before, pull, slopes, lengths)
            then = _next_level(now, full_xd * part, lengths, levels[t], pieces)
            if abs(then - now) <= SNAP * high:
                then = now
            stored = _stored(then - now, a, b, full_xc, full_xd, part)
            charge[t, index] = stored * inv_ec / hours
            discharge[t, index] = max(stored - (then - now), 0.0) * ed / hours
            soc[t, index] = then
            now = then
