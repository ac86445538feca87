"""Feeders that plan within their own limits, at given prices of reserve.

Dantzig-Wolfe, feeder by feeder. Prices for a feeder's net power go out, each of its devices answers with its cheapest
schedule, the sum is one more plan the feeder knows (a column); the best mixture of known plans within the limits
(restricted.py) gives the next prices. The answers to *any* prices bound the cost from below, the mixture from above;
feeders stop asking once the two are close. Only sums are kept: 10,000 devices are a few numbers a feeder and round.

Prices swing wildly while few plans are known, so a query stays near the prices with the best bound so far: ``STAY`` of
those, the rest of the mixture's (Wentges, "Weighted Dantzig-Wolfe decomposition", 1997). When a query teaches a feeder
nothing, its next one stays less, down to the mixture's own prices, which settle the matter.

Put here: that loop and the plans it knows. Keep out: what feeders share (reserve.py) and single devices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from solvers.fleet.instance import Fleet
from solvers.fleet.kernel import INV_EC, PD, XC
from solvers.fleet.response import NO_PULL, Pull, Signal, Sums, response_in_sum, spread
from solvers.fleet.restricted import solve_feeders

RELAXED_USD_PER_KWH: Final = 20.0
"""What missing a shared limit costs: above any price, so that a limit is missed only where nothing else is left."""

STAY: Final = 0.85
"""Part of the best known prices in a query; 0.7 takes a tenth more rounds from a good start (50 feeders x 200)."""

TIE: Final = 1e-12
"""Part of a cost below which a difference is rounding."""

MOST_ROUNDS: Final = 1500
"""Rounds of a fleet in all; what is reached by then is reported with its gap."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Terms:
    """What stays the same while prices are searched.

    Attributes:
        fleet: With a block for each feeder.
        usd_mwh: Market prices.
        end_value: Worth of energy stored at the end [USD/kWh].
        threads: Of the kernels.
        pull: A plan to stay close to.
    """

    fleet: Fleet
    usd_mwh: np.ndarray
    end_value: float = 0.0
    threads: int = 1
    pull: Pull = NO_PULL


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixture:
    """What each block does: known plans and their parts.

    Attributes:
        block: Of each entry, ascending.
        plan: Known plan of each entry.
        part: Its part; the parts of a block sum to 1.
        cost_usd: Cost of each block at market prices, missed limits included.
        bound_usd: No schedule of the fleet costs less.
    """

    block: np.ndarray
    plan: np.ndarray
    part: np.ndarray
    cost_usd: np.ndarray
    bound_usd: float


class Plans:
    """Sums of the schedules that blocks have answered with, and the prices they answered to."""

    def __init__(self, intervals: int) -> None:
        self.count = 0
        self._cost, self.epoch = np.empty(64), np.empty(64, dtype=np.int64)
        self.net, self.headroom, self.energy, self.price = (np.empty((64, intervals)) for _ in range(4))
        self.reserve_prices: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, sums: Sums, price: np.ndarray, reserve_price: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Store one plan a row, the answer to ``price`` of net power and to prices of reserve; return their numbers."""
        new = np.arange(self.count, self.count + len(price))
        while new[-1] >= len(self._cost):
            for name in ("_cost", "epoch", "net", "headroom", "energy", "price"):
                old = getattr(self, name)
                setattr(self, name, np.concatenate([old, np.empty_like(old)]))
        self._cost[new], self.net[new], self.price[new] = sums.cost_usd, sums.net_kw, price
        self.headroom[new], self.energy[new] = sums.headroom_kw, sums.energy_kwh
        self.epoch[new] = len(self.reserve_prices)
        self.reserve_prices.append(reserve_price)
        self.count += len(new)
        return new

    @property
    def cost(self) -> np.ndarray:
        """Cost of each plan at market prices [USD]."""
        return self._cost[: self.count]

    def worth(self, mu: np.ndarray, nu: np.ndarray, which: np.ndarray | None = None) -> np.ndarray:
        """Return cost less rewards for reserve [USD] of all plans, or of some."""
        some = slice(0, self.count) if which is None else which
        return self._cost[some] - self.headroom[some] @ mu - self.energy[some] @ nu


class Feeders:
    """The blocks of a fleet, their limits and the plans they know."""

    def __init__(self, terms: Terms, limits_kw: np.ndarray, start_price: np.ndarray | None = None) -> None:
        """Take import and export limits, shape (2, blocks), and prices to begin with [USD/kW], shape (intervals,)."""
        count, intervals = len(terms.fleet.start), terms.fleet.intervals
        reach = capability_kw(terms.fleet)
        self.terms = terms
        self.limited: np.ndarray = np.any(limits_kw < reach, axis=0)
        # A limit beyond reach never binds; a finite stand-in keeps the arithmetic finite.
        self.limits_kw = np.minimum(limits_kw, reach + 1.0)
        self.penalty = RELAXED_USD_PER_KWH * terms.fleet.hours
        self.rounds = 0
        self.plans = Plans(intervals)
        self.columns = np.zeros((count, 16), dtype=np.int64)
        self.counts = np.zeros(count, dtype=np.int64)
        self.center = np.zeros((count, intervals))
        if start_price is not None:
            self.center[self.limited] = start_price
        size = intervals + 1 if self.limited.any() else 0
        self.basis = np.zeros((count, size), dtype=np.int64)
        self.at_top = np.zeros((count, intervals), dtype=np.bool_)
        self.inverse = np.zeros((count, size, size))
        self.fresh = np.ones(count, dtype=np.bool_)
        self.price = np.zeros((count, intervals))
        self.weight = np.zeros((count, 16))

    def settle(self, *, share: float, least_usd: float) -> Mixture:
        """Return mixtures proven best to ``share`` of the cost of all (or to ``least_usd``), no reserve being asked."""
        count = len(self.counts)
        value, bound = np.full(count, np.inf), np.full(count, -np.inf)
        stay = np.full((count, 1), STAY)
        nothing = np.zeros(self.terms.fleet.intervals)
        query, active = self.center.copy(), np.arange(count)
        while True:
            lower = self.ask(active, query[active], nothing, nothing)
            better = lower > bound[active]
            bound[active[better]] = lower[better]
            self.center[active[better]] = query[active[better]]
            learnt = np.ones(count, dtype=np.bool_)
            known = value - np.where(np.isfinite(value), TIE * np.abs(value), 0.0)
            learnt[active] = self.newest_at(active, self.plans.cost) < known[active]
            self.mix(active, self.plans.cost, value)
            gap = value - bound
            target = max(share * abs(self.mixed_cost_usd()), least_usd)
            if gap.sum() <= target or self.rounds >= MOST_ROUNDS:
                return self.mixture(self.plans.cost, value, bound)
            stay = np.where(learnt[:, None], STAY, 0.5 * stay)
            active = np.flatnonzero(gap > 0.5 * target / count)
            query[active] = stay[active] * self.center[active] + (1.0 - stay[active]) * self.price[active]

    def ask(self, blocks: np.ndarray, price: np.ndarray, mu: np.ndarray, nu: np.ndarray) -> np.ndarray:
        """Let devices answer to prices, note the answers as plans, and return what no schedule of each block undercuts.

        Args:
            blocks: Ascending.
            price: Of net power [USD/kW in an interval], shape (len(blocks), intervals).
            mu: Worth of headroom [USD/kW in an interval], shape (intervals,).
            nu: Worth of deliverable energy [USD/kWh in an interval].
        """
        terms, count = self.terms, len(blocks)
        signal = Signal(
            blocks=blocks,
            price=terms.usd_mwh / 1000.0 + price / terms.fleet.hours,
            mu=np.tile(mu / terms.fleet.hours, (count, 1)),
            nu=np.tile(nu, (count, 1)),
            end_value=terms.end_value,
        )
        sums = response_in_sum(terms.fleet, signal, terms.usd_mwh, threads=terms.threads, pull=terms.pull)
        new = self.plans.add(sums, price, (mu, nu))
        if self.counts.max() == self.columns.shape[1]:
            self.columns = np.hstack([self.columns, np.zeros_like(self.columns)])
            self.weight = np.hstack([self.weight, np.zeros_like(self.weight)])
        self.columns[blocks, self.counts[blocks]] = new
        self.counts[blocks] += 1
        self.rounds += 1
        return self.plans.worth(mu, nu, new) + (price * sums.net_kw).sum(axis=1) - self._paid_limits(blocks, price)

    def newest_at(self, blocks: np.ndarray, worth: np.ndarray) -> np.ndarray:
        """Return what the newest plan of each block costs at the prices of the last mixture, limits paid for [USD].

        Below the worth of that mixture it teaches something, even where the next mixture costs no less: it rules the
        prices out.
        """
        new = self.columns[blocks, self.counts[blocks] - 1]
        price = self.price[blocks]
        return worth[new] + (price * self.plans.net[new]).sum(axis=1) - self._paid_limits(blocks, price)

    def _paid_limits(self, blocks: np.ndarray, price: np.ndarray) -> np.ndarray:
        most_in, most_out = self.limits_kw[:, blocks, None]
        return (np.maximum(price, 0.0) * most_in + np.maximum(-price, 0.0) * most_out).sum(axis=1)

    def mix(self, blocks: np.ndarray, worth: np.ndarray, value: np.ndarray) -> None:
        """Find the cheapest mixture of known plans of each block, and the prices of its net power.

        Args:
            blocks: Which.
            worth: Of every known plan [USD].
            value: Filled with the worth of each mixture, missed limits included [USD].
        """
        limited = blocks[self.limited[blocks]]

        def run(part: slice) -> None:
            solve_feeders(
                limited[part], self.plans.net, worth, self.columns, self.counts, *self.limits_kw, self.penalty,
                self.basis, self.at_top, self.inverse, self.fresh, self.price, self.weight, value,
            )  # fmt: skip

        spread(run, len(limited), self.terms.threads)
        for block in blocks[~self.limited[blocks]]:
            known = worth[self.columns[block, : self.counts[block]]]
            self.weight[block] = 0.0
            self.weight[block, int(np.argmin(known))] = 1.0
            value[block] = known.min()

    def mixed_cost_usd(self) -> float:
        """Return what the last mixtures cost, missed limits left out: what a gap is measured against."""
        width = int(self.counts.max())
        return float((self.weight[:, :width] * self.plans.cost[self.columns[:, :width]]).sum())

    def mixture(self, worth: np.ndarray, value: np.ndarray, bound: np.ndarray) -> Mixture:
        """Return the last mixtures."""
        block, place = np.nonzero(self.weight > 0.0)
        plan, part = self.columns[block, place], self.weight[block, place]
        count = len(self.counts)
        missed = np.where(self.limited, value - np.bincount(block, part * worth[plan], count), 0.0)
        cost = np.bincount(block, part * self.plans.cost[plan], count) + missed
        return Mixture(block=block, plan=plan, part=part, cost_usd=cost, bound_usd=float(bound.sum()))


def capability_kw(fleet: Fleet) -> np.ndarray:
    """Return the most each block can draw and give [kW], shape (2, blocks)."""
    draw = fleet.table[XC] * fleet.table[INV_EC] / fleet.hours
    sums = np.concatenate([np.zeros((2, 1)), np.cumsum([draw, fleet.table[PD]], axis=1)], axis=1)
    return sums[:, fleet.stop] - sums[:, fleet.start]
