"""Feeders that hold a reserve together.

An outer Dantzig-Wolfe around that of feeders.py. Each round asks devices once, at prices of net power, headroom and
deliverable energy, which bounds the cost. Then known plans are mixed: each feeder mixes its own within its limits, at
the prices of reserve; what a group of feeders then costs and holds in reserve is a column of a small linear programme
that mixes columns so that the reserve is held. The duals of both give the next query. (To mix everything in one
programme takes four times as long; to let feeders settle anew for each price of reserve takes four times the rounds.)

Rows are added only once a mixture misses them: most intervals never need one.

Put here: that programme and its loop. Keep out: limits of single feeders.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from domain.fleet import Reserve
from solvers.fleet.feeders import MOST_ROUNDS, RELAXED_USD_PER_KWH, STAY, TIE, Feeders, Mixture, Plans

MOST_GROUPS: Final = 24
"""Groups of feeders that are mixed apart; 64 save few rounds and make each dearer, one takes half as many again."""

FIRST_SHARE: Final = 3e-3
"""Gap at which it shows whether a reserve binds: if not, feeders settle apart, each until it is done."""

ROUNDING: Final = 1e-9
"""Part of a requirement that a mixture may lack through rounding."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """The final mixture: parts of known plans, and its certificate.

    Attributes:
        block: Of each entry, ascending.
        plan: Known plan of each entry.
        part: Its part; the parts of a block sum to 1.
        bound_usd: No schedule costs less, missed limits included.
        mu: Best known worth of headroom [USD/kW in an interval].
        nu: Best known worth of deliverable energy [USD/kWh in an interval].
    """

    block: np.ndarray
    plan: np.ndarray
    part: np.ndarray
    bound_usd: float
    mu: np.ndarray
    nu: np.ndarray


def settle_with_reserve(
    feeders: Feeders, reserve: Reserve | None, *, share: float, least_usd: float, start: np.ndarray | None = None
) -> Parts:
    """Return the mixture of plans that costs least, within limits and reserve.

    Args:
        feeders: With the plans they know so far.
        reserve: To hold; None for none.
        share: Gap that is good enough, over the cost.
        least_usd: Gap that is good enough whatever the cost.
        start: Prices of headroom and energy to begin with, shape (2, intervals).
    """
    nothing = np.zeros(feeders.terms.fleet.intervals)
    if reserve is None or start is None or not start.any():
        for enough in (max(share, FIRST_SHARE), share):
            mixture = feeders.settle(share=enough, least_usd=least_usd)
            if reserve is not None and _missed(feeders.plans, mixture, reserve):
                break
        else:
            return Parts(
                block=mixture.block, plan=mixture.plan, part=mixture.part, bound_usd=mixture.bound_usd,
                mu=nothing, nu=nothing,
            )  # fmt: skip
    return _Outer(feeders, reserve, share=share, least_usd=least_usd).run(start)


def _missed(plans: Plans, mixture: Mixture, reserve: Reserve) -> bool:
    """Return whether a mixture holds too little reserve."""
    power = mixture.part @ plans.headroom[mixture.plan]
    energy = mixture.part @ plans.energy[mixture.plan]
    room = ROUNDING * np.maximum(1.0, reserve.power_kw)
    return bool(
        (power < reserve.power_kw - room).any() or (energy < reserve.power_kw * reserve.duration_h - room).any()
    )


class _Outer:
    """The loop over prices of reserve."""

    def __init__(self, feeders: Feeders, reserve: Reserve, *, share: float, least_usd: float) -> None:
        self.feeders, self.share, self.least_usd = feeders, share, least_usd
        self.asked = np.concatenate([reserve.power_kw, reserve.power_kw * reserve.duration_h])
        self.blocks = np.arange(len(feeders.counts))
        groups = min(len(self.blocks), MOST_GROUPS)
        self.group = self.blocks * groups // len(self.blocks)
        hours = feeders.terms.fleet.hours
        penalty = np.repeat([RELAXED_USD_PER_KWH * hours, RELAXED_USD_PER_KWH], len(reserve.power_kw))
        self.master = _Master(groups, self.asked, penalty)
        self.mixtures: list[Mixture] = []
        self.energy_usd: list[np.ndarray] = []
        self.value = np.zeros(len(self.blocks))

    def run(self, start: np.ndarray | None) -> Parts:
        """Ask and mix until the gap is small enough."""
        feeders = self.feeders
        duals = np.zeros(len(self.asked)) if start is None else start.reshape(-1)
        price, bound, cost, stay = feeders.center, -np.inf, np.inf, STAY
        best, best_price = duals, price
        query, query_price = duals, price
        while True:
            lower = float(feeders.ask(self.blocks, query_price, *np.split(query, 2)).sum() + query @ self.asked)
            if lower > bound:
                bound, best, best_price = lower, query, query_price
            worth = feeders.plans.worth(*np.split(duals, 2))
            newest = float(feeders.newest_at(self.blocks, worth).sum() + duals @ self.asked)
            learnt = not np.isfinite(cost) or newest < cost - TIE * abs(cost)
            cost, duals, parts = self._mix(duals)
            good = max(self.share * abs(self._energy_usd(parts)), self.least_usd)
            if cost - bound <= good or feeders.rounds >= MOST_ROUNDS:
                feeders.center = best_price
                return self._parts(parts, bound, best)
            stay = STAY if learnt else 0.5 * stay
            query = stay * best + (1.0 - stay) * duals
            query_price = stay * best_price + (1.0 - stay) * feeders.price

    def _mix(self, duals: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Mix known plans, feeders first, then reserve; return cost, prices of reserve and parts of mixtures."""
        worth = self.feeders.plans.worth(*np.split(duals, 2))
        self.feeders.mix(self.blocks, worth, self.value)
        self._add(self.feeders.mixture(worth, self.value, self.value))
        return self.master.solve()

    def _energy_usd(self, parts: np.ndarray) -> float:
        """Return what a mixture of mixtures costs, missed limits left out: what a gap is measured against."""
        return float((parts * np.array(self.energy_usd)).sum())

    def _add(self, mixture: Mixture) -> None:
        self.mixtures.append(mixture)
        plans, groups = self.feeders.plans, self.master.groups
        energy = np.bincount(mixture.block, mixture.part * plans.cost[mixture.plan], len(self.blocks))
        self.energy_usd.append(np.bincount(self.group, energy, groups))
        held = np.zeros((groups, len(self.asked)))
        of_plan = np.hstack([plans.headroom[mixture.plan], plans.energy[mixture.plan]])
        np.add.at(held, self.group[mixture.block], mixture.part[:, None] * of_plan)
        self.master.add(np.bincount(self.group, mixture.cost_usd, groups), held)

    def _parts(self, parts: np.ndarray, bound: float, best: np.ndarray) -> Parts:
        """Multiply the parts of mixtures by the parts of plans in them."""
        block, plan, part = [], [], []
        for mixture, of_group in zip(self.mixtures, parts, strict=True):
            weight = of_group[self.group[mixture.block]] * mixture.part
            used = weight > 0.0
            block.append(mixture.block[used])
            plan.append(mixture.plan[used])
            part.append(weight[used])
        both = np.concatenate(block) * self.feeders.plans.count + np.concatenate(plan)
        key, where = np.unique(both, return_inverse=True)
        weight = np.bincount(where, np.concatenate(part))
        mu, nu = np.split(best, 2)
        return Parts(
            block=key // self.feeders.plans.count, plan=key % self.feeders.plans.count, part=weight,
            bound_usd=bound, mu=mu, nu=nu,
        )  # fmt: skip


class _Master:
    """min cost of a mixture, one part a group and settlement, with the reserve held or paid for."""

    def __init__(self, groups: int, asked: np.ndarray, penalty: np.ndarray) -> None:
        import highspy  # noqa: PLC0415 - a tenth of a second that plans without a reserve need not wait for

        self.groups, self.asked, self.penalty = groups, asked, penalty
        self.row = np.full(len(asked), -1)  # row of each requirement, -1 while no mixture missed it
        self.parts: list[np.ndarray] = []  # column numbers of each settlement
        self.held: list[np.ndarray] = []
        self.columns = 0
        self.rows = groups
        self.cut = False
        self.infinity = highspy.kHighsInf
        self.model = highspy.Highs()
        for option, value in {
            "output_flag": False,
            "threads": 1,
            "presolve": "off",
            "primal_feasibility_tolerance": 1e-9,
            "dual_feasibility_tolerance": 1e-9,
        }.items():
            self.model.setOptionValue(option, value)
        one = np.ones(groups)
        self.model.addRows(groups, one, one, 0, np.zeros(groups, np.int32), np.zeros(0, np.int32), np.zeros(0))

    def add(self, cost: np.ndarray, held: np.ndarray) -> None:
        """Add one column a group: its cost and what it holds."""
        active = np.flatnonzero(self.row >= 0)
        index = np.hstack([np.arange(self.groups)[:, None], np.tile(self.row[active], (self.groups, 1))])
        value = np.hstack([np.ones((self.groups, 1)), held[:, active]])
        width = 1 + len(active)
        self.model.addCols(
            self.groups, cost, np.zeros(self.groups), np.full(self.groups, self.infinity), self.groups * width,
            (np.arange(self.groups) * width).astype(np.int32), index.reshape(-1).astype(np.int32), value.reshape(-1),
        )  # fmt: skip
        self.parts.append(np.arange(self.columns, self.columns + self.groups))
        self.held.append(held)
        self.columns += self.groups

    def solve(self) -> tuple[float, np.ndarray, np.ndarray]:
        """Return the least cost, the worth of each requirement, and the parts, shape (settlements, groups)."""
        while True:
            # Columns keep the last basis primal feasible, rows keep it dual feasible.
            self.model.setOptionValue("simplex_strategy", 1 if self.cut else 4)
            self.cut = False
            self.model.run()
            solution = self.model.getSolution()
            value, dual = np.array(solution.col_value), np.array(solution.row_dual)
            parts = np.maximum(np.array([value[columns] for columns in self.parts]), 0.0)
            parts /= parts.sum(axis=0)
            held = np.einsum("sg,sgr->r", parts, np.array(self.held))
            missed = np.flatnonzero((self.row < 0) & (held < self.asked - ROUNDING * np.maximum(1.0, self.asked)))
            if not len(missed):
                break
            self._add_rows(missed)
        duals = np.where(self.row >= 0, dual[self.row], 0.0)
        cost = float(self.model.getInfo().objective_function_value)
        return cost, np.clip(duals, 0.0, self.penalty), parts

    def _add_rows(self, missed: np.ndarray) -> None:
        columns = np.concatenate(self.parts).astype(np.int32)
        held = np.concatenate(self.held)[:, missed]
        count, width = len(missed), len(columns)
        self.cut = True
        self.row[missed] = self.rows + np.arange(count)
        self.rows += count
        self.model.addRows(
            count, self.asked[missed], np.full(count, self.infinity), count * width,
            (np.arange(count) * width).astype(np.int32), np.tile(columns, count), held.T.reshape(-1),
        )  # fmt: skip
        # What is still missing is bought at the penalty.
        self.model.addCols(
            count, self.penalty[missed], np.zeros(count), np.full(count, self.infinity), count,
            np.arange(count, dtype=np.int32), self.row[missed].astype(np.int32), np.ones(count),
        )  # fmt: skip
        self.columns += count
