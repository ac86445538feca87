"""Strict schedules under shared limits: a good one, not a proven best one.

A mixture of strict schedules need not be strict, so the search on sums cannot finish the work here. Each device that
shares an interval keeps its states of charge and gives up the sharing; then it is planned again, exactly, within the
room that all others leave it, and the new schedule is kept if it costs less, missed limits included. The certificate
is that of the schedule that shares, which may only be cheaper.

Put here: that repair. Keep out: strict schedules of devices that share nothing (one_way.py), where all is exact.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from domain.fleet import Reserve
from solvers.fleet.coupled import Found, Shared, missed_kw, penalty_usd, plan_together
from solvers.fleet.feeders import RELAXED_USD_PER_KWH, Terms
from solvers.fleet.frames import cost_usd
from solvers.fleet.kernel import ED, END_MIN, HI, INV_EC, LO, PD, START, WEAR, XC
from solvers.fleet.one_way import respond_within, sharing, undo_sharing

MOST_SEARCHES: Final = 3
"""Searches under ever tighter limits."""

SHORTEST_H: Final = 0.25
"""Duration by which missing energy becomes missing power, where none is asked."""

MOST_PASSES: Final = 5
"""Passes over the devices; each finds the room that the last one freed."""

WORTH_A_PASS: Final = 1e-6
"""A pass that saves less than this part of the cost is the last."""

MOST_HELPERS: Final = 1000
"""Devices that are asked to help with a reserve that is short."""

MISSED_KW: Final = 1e-7
"""A limit missed by more is worth a second look at the devices that could help."""


def settle_strictly(terms: Terms, found: Found, shared: Shared, *, share: float, least_usd: float) -> Found:
    """Return a plan that does one thing at a time in each device and interval, within shared limits as far as they go.

    Giving up sharing moves net power a little, maybe over a limit: then the search is run again under limits tighter
    by as much, and the better of the repaired plans is returned, with the first plan's certificate.

    Args:
        terms: Of the search.
        found: Its plan, which shares intervals; changed.
        shared: The limits.
        share: Gap of a new search, over its cost.
        least_usd: Gap of a new search that is good enough whatever the cost.
    """
    best, best_usd = found, np.inf
    searched, tighter = found, shared
    for _ in range(MOST_SEARCHES):
        slots = sharing(searched.plan)
        undo_sharing(terms.fleet, searched.plan, slots)
        missed = missed_kw(terms.fleet, searched.plan, shared)
        usd = _repair(terms, searched, shared, slots)
        if usd < best_usd:
            best, best_usd = searched, usd
        if max(float(amount.max()) for amount in missed.values()) <= MISSED_KW:
            break
        tighter = _tighten(tighter, missed)
        searched = plan_together(terms, tighter, share=share, least_usd=least_usd)
    return replace(best, bound_usd=found.bound_usd)


def _tighten(shared: Shared, missed: dict[str, np.ndarray]) -> Shared:
    """Return limits tighter by the worst miss of each feeder, and a reserve higher by what was missing."""
    limits = shared.limits_kw.copy()
    for row, name in enumerate(("import_limit_kw", "export_limit_kw")):
        limits[row] = np.maximum(limits[row] - np.maximum(missed[name], 0.0).max(axis=1), 0.0)
    reserve = shared.reserve
    if reserve is not None:
        lacking = np.maximum(missed["reserve_power_kw"][0], 0.0)
        hours = np.maximum(reserve.duration_h, SHORTEST_H)
        lacking = np.maximum(lacking, np.maximum(missed["reserve_energy_kwh"][0], 0.0) / hours)
        reserve = Reserve(power_kw=reserve.power_kw + lacking, duration_h=reserve.duration_h)
    return Shared(limits_kw=limits, reserve=reserve)


def _repair(terms: Terms, found: Found, shared: Shared, slots: np.ndarray) -> float:
    """Plan devices again, pass after pass, and return what the plan then costs, missed limits included."""
    ledger = _Ledger(terms, found, shared)
    for _ in range(MOST_PASSES):
        again = np.union1d(slots, ledger.helpers())
        if not len(again) or ledger.improve(again) <= WORTH_A_PASS * abs(ledger.cost_usd()):
            break
    return ledger.cost_usd() + penalty_usd(missed_kw(terms.fleet, found.plan, shared), terms.fleet.hours)


class _Ledger:
    """A schedule with the sums its shared limits are about, kept up as single devices change."""

    def __init__(self, terms: Terms, found: Found, shared: Shared) -> None:
        fleet, plan = terms.fleet, found.plan
        self.fleet, self.plan, self.shared, self.found = fleet, plan, shared, found
        self.usd_mwh, self.end_value = terms.usd_mwh, terms.end_value
        self.net = np.add.reduceat(plan.charge - plan.discharge, fleet.start, axis=1).T
        self.most_draw = fleet.table[XC] * fleet.table[INV_EC] / fleet.hours
        part = fleet.share if len(fleet.share) else np.ones((1, fleet.slots))
        table = fleet.table
        least = np.minimum(np.vstack([table[START], plan.soc[:-1]]), plan.soc)
        self.power = (part * (table[PD] + plan.charge - plan.discharge)).sum(axis=1)
        self.energy = (part * table[ED] * (least - table[LO])).sum(axis=1)
        nothing = np.zeros(fleet.intervals)
        reserve = shared.reserve
        self.asked = (
            (nothing, nothing) if reserve is None else (reserve.power_kw, reserve.power_kw * reserve.duration_h)
        )

    def cost_usd(self) -> float:
        """Return what the schedule costs, missed limits left out."""
        return cost_usd(self.fleet, self.plan, self.usd_mwh, self.end_value)

    def improve(self, slots: np.ndarray) -> float:
        """Plan devices again one after the other and return what that saves [USD]."""
        start = self.fleet.table[START, slots]
        inside = (start >= self.fleet.table[LO, slots]) & (start <= self.fleet.table[HI, slots])
        # A device that starts outside its band comes back as fast as it can, room or not; strict.py knows no depth.
        return sum(self._improve(int(slot)) for slot in slots[inside & ~self.fleet.deep[slots]])

    def _improve(self, slot: int) -> float:
        """Plan a device again within the room the others leave it; keep what costs less."""
        fleet, plan = self.fleet, self.plan
        block = int(np.searchsorted(fleet.stop, slot, side="right"))
        part = fleet.share[:, slot] if len(fleet.share) else np.ones(fleet.intervals)
        old = tuple(array[:, slot].copy() for array in (plan.charge, plan.discharge, plan.soc))
        others = self.net[block] - old[0] + old[1]
        rooms = (
            _part(self.shared.limits_kw[0, block] - others, self.most_draw[slot], part),
            _part(self.shared.limits_kw[1, block] + others, fleet.table[PD, slot], part),
        )
        saved = 0.0
        for price, held in self._offers(slot, block, part):
            each, found = respond_within(fleet, np.array([slot]), price, self.end_value, rooms, held)
            new = (each.charge[:, 0], each.discharge[:, 0], each.soc[:, 0])
            if not found[0] or new[2][-1] < min(fleet.table[END_MIN, slot], old[2][-1]):
                continue
            before = self._cost(slot, old) + self._penalty(block)
            self._move(slot, block, part, old, new)
            gain = before - self._cost(slot, new) - self._penalty(block)
            if gain > 0:
                plan.charge[:, slot], plan.discharge[:, slot], plan.soc[:, slot] = old = new
                saved += gain
            else:
                self._move(slot, block, part, new, old)
        return saved

    def _offers(self, slot: int, block: int, part: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return prices to plan a device at: of the market, of shared limits, and of a reserve that is short."""
        fleet, found = self.fleet, self.found
        power_short, energy_short = self.asked[0] > self.power + MISSED_KW, self.asked[1] > self.energy + MISSED_KW
        nothing = np.zeros(fleet.intervals)
        prices = [(nothing, nothing, nothing), (found.price[block] / fleet.hours, found.mu / fleet.hours, found.nu)]
        if power_short.any() or energy_short.any():
            prices.append((nothing, RELAXED_USD_PER_KWH * power_short, RELAXED_USD_PER_KWH * energy_short))
        return [
            ((self.usd_mwh / 1000.0 + extra - mu * part)[None, :], (nu * part * fleet.table[ED, slot])[None, :])
            for extra, mu, nu in prices
        ]

    def helpers(self) -> np.ndarray:
        """Return the slots that could help with a limit that is still missed."""
        if (self.asked[0] > self.power + MISSED_KW).any() or (self.asked[1] > self.energy + MISSED_KW).any():
            return self.fleet.slot[:MOST_HELPERS]
        over = np.maximum(self.net - self.shared.limits_kw[0][:, None], -self.net - self.shared.limits_kw[1][:, None])
        missed = np.flatnonzero((over > MISSED_KW).any(axis=1))
        slots = [np.arange(self.fleet.start[block], self.fleet.stop[block]) for block in missed]
        return np.concatenate(slots) if slots else np.empty(0, dtype=np.int64)

    def _move(self, slot: int, block: int, part: np.ndarray, old: tuple, new: tuple) -> None:
        table = self.fleet.table[:, slot]
        for sign, (charge, discharge, soc) in ((-1.0, old), (1.0, new)):
            drawn = charge - discharge
            least = np.minimum(np.concatenate([table[START : START + 1], soc[:-1]]), soc)
            self.net[block] += sign * drawn
            self.power += sign * part * (table[PD] + drawn)
            self.energy += sign * part * table[ED] * (least - table[LO])

    def _penalty(self, block: int) -> float:
        net, hours = self.net[block], self.fleet.hours
        over = np.maximum(net - self.shared.limits_kw[0, block], 0.0) + np.maximum(
            -net - self.shared.limits_kw[1, block], 0.0
        )
        power = np.maximum(self.asked[0] - self.power, 0.0)
        energy = np.maximum(self.asked[1] - self.energy, 0.0)
        return RELAXED_USD_PER_KWH * float(hours * (over + power).sum() + energy.sum())

    def _cost(self, slot: int, schedule: tuple) -> float:
        charge, discharge, soc = schedule
        wear = self.fleet.table[WEAR, slot] * float((charge + discharge).sum())
        energy = float(self.usd_mwh @ (charge - discharge)) / 1000.0
        return self.fleet.hours * (energy + wear) - self.end_value * float(soc[-1])


def _part(room_kw: np.ndarray, most_kw: float, available: np.ndarray) -> np.ndarray:
    """Return the part of a device's power that fits into the room, as a column."""
    if most_kw <= 0:
        return np.zeros((len(room_kw), 1))
    return np.clip(room_kw / most_kw, 0.0, available)[:, None]
