"""The best response of devices to prices, eight at a time, by the slope-trick recursion.

For one device let x be the change of stored energy in an interval. Charging costs a x with a = (p + k) / eta_c,
discharging costs b x (x below 0) with b = (p - k) eta_d, p the price, k the wear cost, x between -Xd and Xc. While
b <= a that cost is convex, and so is the cost-to-go

    V_t(s) = min over x of f_t(x) + V_{t+1}(s + x),    s within [soc_min, soc_max].

V is kept as its segments in order of slope. The minimisation inserts two: slope -a and length Xc, slope -b and
length Xd; what lies left of the first moves left by Xc, what lies right of the second moves right by Xd; clipping to
the band drops segments at both ends. Where V_{t+1} has slope -a lies the *charge-up-to* level, where it has slope
-b the *discharge-down-to* level: these two numbers an interval are the optimal policy, and a pass forward from the
start reads the schedule off them. It is exact (no grid), takes about ten segments a device, and needs no solver.

Three things widen it. Where b > a (a price below zero), f is replaced by its chord, slope
(a Xc + b Xd) / (Xc + Xd): charging and discharging share the interval. A reward nu per kWh of deliverable energy
(the price of an energy reserve, held at both ends of the interval) lowers every slope by nu eta_d and keeps b apart
from a: one running offset. And segments live in fixed slots around the middle of a row: the left part moves one slot
down and the right part one slot up at each insertion, so that eight devices step together without a branch.

Segments that were clipped away are marked with slopes of -BIG (left) and BIG (right). Left of the first reachable
level, where ``soc_end_min`` can no longer be met, the slope is -BIG too: charge whatever it costs.

Ties are settled the same way every time: charge early, discharge late.

Put here: kernels on plain arrays. Keep out: frames, and the rare devices whose cost has more than two pieces
(segments.py) or is not convex and may not be made so (strict.py).
"""

# ruff: noqa: ANN001, ANN201, ANN202, PLR0913, PLR0917 - compiled code: numba infers types, and takes arrays, not records

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from solvers.fleet.simd import WIDTH, any_set, least, load, most, splat, store, total, where

BIG: Final = 1e300
"""Slope of what can no longer be reached; only ever compared."""

INV_EC, ED, WEAR, XC, XD, LO, HI, START, END_MIN, PD = range(10)
"""Rows of the device table: 1 / charge efficiency; discharge efficiency; wear [USD/kWh]; largest change of stored
energy by charging and by discharging in an interval [kWh]; band, start, least end [kWh]; max_discharge_kw."""

TABLE_ROWS: Final = 10
SNAP: Final = 1e-13
"""Changes of stored energy below this part of soc_max are rounding, not plans."""


@njit(nogil=True, cache=True, error_model="numpy")
def _begin(slope, place, low, high, least_end, end_value):
    """Write V after the last interval and return its first and last slot."""
    middle = (slope.shape[0] // WIDTH // 2) * WIDTH
    for slot in (-2, -1):
        store(slope, middle + slot * WIDTH, splat(-BIG))
        store(place, middle + slot * WIDTH, low)
    store(slope, middle, splat(-end_value))
    store(place, middle, least(most(least_end, low), high))
    store(slope, middle + WIDTH, splat(BIG))
    store(place, middle + WIDTH, high)
    return middle - WIDTH, middle


@njit(nogil=True, cache=True, error_model="numpy")
def _inserted(paid, wear, inv_ec, ed, xc, xd, held, offset):
    """Return the slopes to insert for charging and for discharging, and where the two share the interval."""
    zero = splat(0.0)
    up, down = (paid + wear) * inv_ec, (paid - wear) * ed
    can_charge, can_discharge = xc > zero, xd > zero
    burns = (down > up) & can_charge & can_discharge
    slant = (up * xc + down * xd) / (xc + xd)
    # -BIG is above -inf: an insertion at -inf (closed) moves nothing.
    a = where(can_charge, zero - where(burns, slant, up) - offset, splat(-np.inf))
    b = where(can_discharge, held - where(burns, slant, down) - offset, splat(np.inf))
    return a, b, burns


@njit(nogil=True, cache=True, error_model="numpy")
def _insert(slope, place, first, last, a, b, xc, xd, low, high):
    """Insert both segments, clip V to the band, and return the levels at slopes ``a`` and ``b`` before that."""
    big, minus_big = splat(BIG), splat(-BIG)
    charge_to, discharge_to = high, high
    # Registers walk down the slots: (slope, place) at the slot above, at this one and at the one below.
    slope_above, place_above, left_above = big, high, high < low
    at = last + WIDTH
    store(slope, at + WIDTH, big)
    store(place, at + WIDTH, high)
    slope_here, place_here = load(slope, at), load(place, at)
    left_here, kept_here = slope_here <= a, slope_here <= b
    next_place = high
    while at >= first - WIDTH:
        slope_below, place_below = load(slope, at - WIDTH), load(place, at - WIDTH)
        left_below, kept_below = slope_below <= a, slope_below <= b
        new_slope = where(
            left_here,
            where(left_above, slope_above, a),
            where(kept_here, slope_here, where(kept_below, b, slope_below)),
        )
        new_place = where(
            left_here,
            place_above - xc,
            where(kept_here, place_here, where(kept_below, place_here, place_below + xd)),
        )
        new_place = least(most(new_place, low), high)
        charge_to = where(left_here, charge_to, place_here)
        discharge_to = where(kept_here, discharge_to, place_here)
        new_slope = where(next_place <= low, minus_big, new_slope)
        new_slope = where(new_place >= high, big, new_slope)
        store(slope, at, new_slope)
        store(place, at, new_place)
        next_place = new_place
        slope_above, place_above, left_above = slope_here, place_here, left_here
        slope_here, place_here, left_here, kept_here = slope_below, place_below, left_below, kept_below
        at -= WIDTH
    store(slope, first - 2 * WIDTH, minus_big)
    store(place, first - 2 * WIDTH, low)
    return charge_to, discharge_to


@njit(nogil=True, cache=True, error_model="numpy")
def _levels(table, share, shared, g, price, mu, nu, end_value, slope, place, up_to, down_to, chord):
    """Fill the levels of the eight devices from ``g`` on and return where a device needs more than two pieces."""
    row = table.shape[1]
    flat = table.reshape(-1)
    low, high = load(flat, LO * row + g), load(flat, HI * row + g)
    inv_ec, ed, wear = load(flat, INV_EC * row + g), load(flat, ED * row + g), load(flat, WEAR * row + g)
    full_xc, full_xd = load(flat, XC * row + g), load(flat, XD * row + g)
    zero, one = splat(0.0), splat(1.0)
    first, last = _begin(slope, place, low, high, load(flat, END_MIN * row + g), end_value)
    offset, odd = zero, high < low
    xc, xd, there = full_xc, full_xd, one
    for t in range(price.shape[0] - 1, -1, -1):
        if shared:
            there = load(share, t * row + g)
            xc, xd = full_xc * there, full_xd * there
        held = splat(nu[t]) * ed * there
        paid = splat(price[t]) - splat(mu[t]) * there
        a, b, burns = _inserted(paid, wear, inv_ec, ed, xc, xd, held, offset)
        odd = odd | (burns & (there < one))
        charge_to, discharge_to = _insert(slope, place, first, last, a, b, xc, xd, low, high)
        store(up_to, t * WIDTH, charge_to)
        store(down_to, t * WIDTH, discharge_to)
        store(chord, t * WIDTH, where(burns, one, zero))
        offset = offset - held
        first -= WIDTH
        last += WIDTH
        while first < last and not any_set(load(place, first + WIDTH) > low):
            first += WIDTH
        while last > first and not any_set(load(place, last) < high):
            last -= WIDTH
    return odd


@njit(nogil=True, cache=True, error_model="numpy")
def levels(table, share, price, end_value, up_to, down_to, odd):
    """Write the charge-up-to and discharge-down-to levels of all devices at one price row.

    Args:
        table: As in ``respond``.
        share: As in ``respond``.
        price: USD/kWh, shape (intervals,).
        end_value: As in ``respond``.
        up_to: Filled with the level up to which charging pays [kWh], shape (intervals, devices).
        down_to: Filled with the level down to which discharging pays [kWh].
        odd: As in ``respond``: the levels of these devices say nothing.
    """
    intervals, row = len(price), table.shape[1]
    slots = (2 * intervals + 12) * WIDTH
    slope, place, chord = np.empty(slots), np.empty(slots), np.empty(intervals * WIDTH)
    up, down = np.empty(intervals * WIDTH), np.empty(intervals * WIDTH)
    flat_share, flat_up, flat_down = share.reshape(-1), up_to.reshape(-1), down_to.reshape(-1)
    nothing = np.zeros(intervals)
    for g in range(0, row, WIDTH):
        strange = _levels(
            table, flat_share, share.shape[0] > 0, g, price, nothing, nothing, end_value, slope, place, up, down, chord
        )
        store(odd, g, where(strange, splat(1.0), splat(0.0)))
        for t in range(intervals):
            store(flat_up, t * row + g, load(up, t * WIDTH))
            store(flat_down, t * row + g, load(down, t * WIDTH))


@njit(nogil=True, cache=True, error_model="numpy")
def respond(table, share, start, stop, price, mu, nu, end_value, hours, weight, charge, discharge, soc, odd):
    """Write the best schedule of each device, or add a part of it to what is there.

    Args:
        table: Devices, shape (TABLE_ROWS, devices), devices a multiple of 8.
        share: Availability, shape (intervals, devices), or (0, devices) where it is 1 throughout.
        start: First device of each block, a multiple of 8.
        stop: End of each block.
        price: What each block pays and earns [USD/kWh], shape (blocks, intervals).
        mu: Reward for headroom [USD/kWh], multiplied by availability.
        nu: Reward for deliverable energy at both ends of an interval [USD/kWh], multiplied by availability.
            ``mu`` and ``nu`` have shape (blocks, intervals).
        end_value: Worth of stored energy at the end [USD/kWh].
        hours: Length of an interval [h].
        weight: The part of each block to add; an empty array overwrites instead.
        charge: Filled with mean power drawn [kW], shape (intervals, devices).
        discharge: Filled with mean power given [kW].
        soc: Filled with the state of charge at the end of each interval [kWh].
        odd: Filled with 1 for devices that need segments.py: a burning price where only a part of them is there.
            They are not added.
    """
    intervals = price.shape[1]
    slots = (2 * intervals + 12) * WIDTH
    slope, place = np.empty(slots), np.empty(slots)
    up_to, down_to, chord = np.empty(intervals * WIDTH), np.empty(intervals * WIDTH), np.empty(intervals * WIDTH)
    row = table.shape[1]
    flat, flat_share = table.reshape(-1), share.reshape(-1)
    flat_charge, flat_discharge, flat_soc = charge.reshape(-1), discharge.reshape(-1), soc.reshape(-1)
    shared = share.shape[0] > 0
    zero, one = splat(0.0), splat(1.0)
    per_hour = splat(1.0 / hours)
    adding = weight.shape[0] > 0
    counted = one
    for block in range(start.shape[0]):
        for g in range(start[block], stop[block], WIDTH):
            strange = _levels(
                table,
                flat_share,
                shared,
                g,
                price[block],
                mu[block],
                nu[block],
                end_value,
                slope,
                place,
                up_to,
                down_to,
                chord,
            )
            store(odd, g, where(strange, one, zero))
            if adding:
                counted = where(strange, zero, splat(weight[block]))
            to_draw, to_give = load(flat, INV_EC * row + g) * per_hour, load(flat, ED * row + g) * per_hour
            full_xc, full_xd = load(flat, XC * row + g), load(flat, XD * row + g)
            xc, xd = full_xc, full_xd
            now = load(flat, START * row + g)
            rounding = load(flat, HI * row + g) * splat(SNAP)
            for t in range(intervals):
                if shared:
                    there = load(flat_share, t * row + g)
                    xc, xd = full_xc * there, full_xd * there
                then = most(
                    least(now, most(load(down_to, t * WIDTH), now - xd)), least(load(up_to, t * WIDTH), now + xc)
                )
                change = then - now
                still = most(change, zero - change) <= rounding
                change, then = where(still, zero, change), where(still, now, then)
                stored = where(load(chord, t * WIDTH) > zero, (change + xd) * xc / (xc + xd), most(change, zero))
                at = t * row + g
                drawn, given = stored * to_draw, most(stored - change, zero) * to_give
                now = then
                if adding:
                    drawn = load(flat_charge, at) + drawn * counted
                    given = load(flat_discharge, at) + given * counted
                    then = load(flat_soc, at) + then * counted
                store(flat_charge, at, drawn)
                store(flat_discharge, at, given)
                store(flat_soc, at, then)


@njit(nogil=True, cache=True, error_model="numpy")
def respond_in_sum(table, share, start, stop, price, mu, nu, end_value, hours, net, headroom, energy, other, odd):
    """Write what each block of devices does in sum; devices marked in ``odd`` are left out.

    Args are those of ``respond``, but for:
        net: Filled with charge - discharge [kW], shape (blocks, intervals).
        headroom: Filled with availability x (max_discharge - discharge + charge) [kW].
        energy: Filled with availability x eta_d x (least soc of the interval - soc_min) [kWh].
        other: Filled with wear cost [USD] and stored energy at the end [kWh], shape (blocks, 2).
    """
    intervals = price.shape[1]
    slots = (2 * intervals + 12) * WIDTH
    slope, place = np.empty(slots), np.empty(slots)
    up_to, down_to, chord = np.empty(intervals * WIDTH), np.empty(intervals * WIDTH), np.empty(intervals * WIDTH)
    sum_net, sum_head, sum_energy = (
        np.empty(intervals * WIDTH),
        np.empty(intervals * WIDTH),
        np.empty(intervals * WIDTH),
    )
    row = table.shape[1]
    flat, flat_share = table.reshape(-1), share.reshape(-1)
    shared = share.shape[0] > 0
    zero, one = splat(0.0), splat(1.0)
    for block in range(start.shape[0]):
        for at in range(0, intervals * WIDTH, WIDTH):
            store(sum_net, at, zero)
            store(sum_head, at, zero)
            store(sum_energy, at, zero)
        sum_wear, sum_end = zero, zero
        for g in range(start[block], stop[block], WIDTH):
            strange = _levels(
                table,
                flat_share,
                shared,
                g,
                price[block],
                mu[block],
                nu[block],
                end_value,
                slope,
                place,
                up_to,
                down_to,
                chord,
            )
            store(odd, g, where(strange, one, zero))
            counted = where(strange, zero, one)
            inv_ec, ed = load(flat, INV_EC * row + g), load(flat, ED * row + g)
            wear, low = load(flat, WEAR * row + g), load(flat, LO * row + g)
            can_give = load(flat, PD * row + g) * splat(hours)
            full_xc, full_xd = load(flat, XC * row + g), load(flat, XD * row + g)
            xc, xd, there = full_xc, full_xd, counted
            now = load(flat, START * row + g)
            for t in range(intervals):
                if shared:
                    part = load(flat_share, t * row + g)
                    xc, xd, there = full_xc * part, full_xd * part, part * counted
                at = t * WIDTH
                then = most(least(now, most(load(down_to, at), now - xd)), least(load(up_to, at), now + xc))
                change = then - now
                stored = where(load(chord, at) > zero, (change + xd) * xc / (xc + xd), most(change, zero))
                drawn, given = stored * inv_ec, most(stored - change, zero) * ed
                store(sum_net, at, load(sum_net, at) + (drawn - given) * counted)
                store(sum_head, at, load(sum_head, at) + there * (can_give + drawn - given))
                store(sum_energy, at, load(sum_energy, at) + there * ed * (least(now, then) - low))
                sum_wear = sum_wear + wear * (drawn + given) * counted
                now = then
            sum_end = sum_end + now * counted
        for t in range(intervals):
            net[block, t] = total(load(sum_net, t * WIDTH)) / hours
            headroom[block, t] = total(load(sum_head, t * WIDTH)) / hours
            energy[block, t] = total(load(sum_energy, t * WIDTH))
        other[block, 0], other[block, 1] = total(sum_wear), total(sum_end)
