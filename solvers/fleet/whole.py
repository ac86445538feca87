"""A fleet as one linear programme in HiGHS, straight from arrays: every device, interval and shared limit.

For a few thousand device-intervals the whole programme is solved faster than any search on prices, and exactly; in
strict mode binaries forbid sharing where a solution does share, and nowhere else (each round is a relaxation of the
strict problem, so its bound holds). Beyond that size the programme grows out of hand (10,000 devices do not end in
minutes) and coupled.py takes over. Wear by depth of discharge lives here too: a device that has it answers to prices
through its own small programme.

**Depth segments** (Xu et al., "Factoring the cycle aging cost of batteries participating in electricity markets",
IEEE Trans. Power Systems 33(2), 2018). The band is cut into J segments of equal width, each a little store with its own
level; energy taken from segment j wears w_j per kWh at the meter, w ascending. A discharge takes the cheapest segment
first, so a cycle of depth z pays the integral of w up to z: what rainflow counting charges it. Convex.

Put here: the programme, its binaries, its solution. Keep out: searches on prices (coupled.py) and reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from domain.fleet import Reserve
from domain.fleet.wear import segment_start_kwh, segment_widths_kwh
from solvers.fleet.instance import Fleet
from solvers.fleet.kernel import ED, END_MIN, HI, INV_EC, LO, PD, START, WEAR, XC, XD
from solvers.fleet.programme import HUGE, MOST_SECONDS, Numbers, Programme
from solvers.fleet.records import NO_PULL, Pull, Schedule

BOTH_KW: Final = 1e-9
"""Charging and discharging both above this share an interval."""

MOST_ROUNDS: Final = 40
"""Rounds of binaries; each adds those a solution asked for, few are needed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """A solution of the programme.

    Attributes:
        plan: Schedules, shape (intervals, listed devices).
        value: What it costs in the programme's own terms, missed limits and pull included [USD].
        bound: No schedule costs less in these terms [USD].
    """

    plan: Schedule
    value: float
    bound: float


class Whole(Programme):
    """The programme of some devices of a fleet."""

    def __init__(
        self,
        fleet: Fleet,
        slots: np.ndarray,
        price: np.ndarray,
        *,
        end_value: float,
        held: np.ndarray | None = None,
        pull: Pull = NO_PULL,
    ) -> None:
        """State what each device may do and what that costs.

        Args:
            fleet: The devices.
            slots: Which of them.
            price: Of each [USD/kWh], shape (slots, intervals).
            end_value: Worth of energy stored at the end [USD/kWh].
            held: Reward for energy kept through an interval [USD/kWh stored], same shape; None for none.
            pull: A plan to stay close to.
        """
        self.fleet, self.slots = fleet, slots
        self.table = fleet.table[:, slots]
        self.count, self.intervals = len(slots), fleet.intervals
        part = fleet.share[:, slots] if len(fleet.share) else np.ones((fleet.intervals, len(slots)))
        self.part = part.T
        super().__init__()
        self._devices(price, end_value)
        self.least = None if held is None else self._least(-held)
        if pull.usd_per_kwh > 0:
            self._stay_close(pull)
        self._wear_by_depth()

    def _devices(self, price: np.ndarray, end_value: float) -> None:
        table, hours = self.table, self.fleet.hours
        shape = (self.count, self.intervals)
        into, out_of = 1.0 / table[INV_EC][:, None], table[ED][:, None]
        self.wear = wear = table[WEAR][:, None]
        self.most_in = table[XC][:, None] / (hours * into)
        self.most_out = table[PD][:, None]
        self.c = self.add_columns(hours * (price + wear), 0.0, self.part * self.most_in, shape)
        self.d = self.add_columns(hours * (wear - price), 0.0, self.part * self.most_out, shape)
        low, high = self._band()
        worth = np.zeros(shape)
        worth[:, -1] = -end_value
        self.s = self.add_columns(worth, low, high, shape)
        start = np.zeros(shape)
        start[:, 0] = table[START]
        self.balance = self.add_rows(
            start, start, shape, (self.s, 1.0), (self.c, -hours * into), (self.d, hours / out_of)
        )
        self.add_terms(self.balance[:, 1:], self.s[:, :-1], -1.0)
        both = np.flatnonzero((self.most_in[:, 0] > 0) & (self.most_out[:, 0] > 0))
        shares = (self.c[both], 1.0 / self.most_in[both]), (self.d[both], 1.0 / self.most_out[both])
        self.add_rows(-HUGE, 1.0, (len(both), self.intervals), *shares)

    def _band(self) -> tuple[np.ndarray, np.ndarray]:
        """Return bounds of the state of charge; from a start outside, the way back is as fast as the device can go."""
        table = self.table
        low, high = np.empty((self.count, self.intervals)), np.empty((self.count, self.intervals))
        below, above = table[START], table[START]
        for t in range(self.intervals):
            below = np.minimum(table[LO], below + table[XC] * self.part[:, t])
            above = np.maximum(table[HI], above - table[XD] * self.part[:, t])
            low[:, t], high[:, t] = below, above
        # A required end that is missed by rounding only was let through: it is then the most that can be stored.
        low[:, -1] = np.minimum(np.maximum(low[:, -1], table[END_MIN]), high[:, -1])
        return low, high

    def _least(self, cost: Numbers) -> np.ndarray:
        """Add the least state of charge of each interval."""
        shape = (self.count, self.intervals)
        least = self.add_columns(cost, -HUGE, HUGE, shape)
        self.add_rows(-HUGE, 0.0, shape, (least, 1.0), (self.s, -1.0))
        before = np.zeros(shape)
        before[:, 0] = self.table[START]
        rows = self.add_rows(-HUGE, before, shape, (least, 1.0))
        self.add_terms(rows[:, 1:], self.s[:, :-1], -1.0)
        return least

    def _stay_close(self, pull: Pull) -> None:
        old = pull.change[:, self.slots].T
        device, interval = np.nonzero(np.isfinite(old))
        shape = (len(device),)
        more, less = (self.add_columns(pull.usd_per_kwh, 0.0, HUGE, shape) for _ in range(2))
        change = old[device, interval] + np.where(interval == 0, self.table[START, device], 0.0)
        rows = self.add_rows(change, change, shape, (self.s[device, interval], 1.0), (more, -1.0), (less, 1.0))
        later = interval > 0
        before = self.s[device[later], interval[later] - 1]
        self.add_terms(rows[later], before, -1.0)

    def _wear_by_depth(self) -> None:
        """Cut the stores of devices that have depth segments, cheapest first full."""
        wear = self.fleet.depth_wear[:, self.slots].T if len(self.fleet.depth_wear) else np.empty((self.count, 0))
        deep = np.flatnonzero(np.isfinite(wear).any(axis=1))
        if not len(deep):
            return
        wear = wear[deep]
        there = np.isfinite(wear)[:, :, None]
        table, hours, segments = self.table[:, deep], self.fleet.hours, wear.shape[1]
        width = segment_widths_kwh(table[HI] - table[LO], wear)
        begin = segment_start_kwh(table[START] - table[LO], width)[:, :, None]
        shape = (len(deep), segments, self.intervals)
        most = np.where(there, HUGE, 0.0)
        into = self.add_columns(0.0, 0.0, most, shape)
        cost = np.where(there, np.nan_to_num(wear)[:, :, None] * table[ED][:, None, None], 0.0)
        out_of = self.add_columns(cost, 0.0, most, shape)
        level = self.add_columns(0.0, 0.0, width[:, :, None], shape)
        first = np.zeros(shape)
        first[:, :, :1] = begin
        rows = self.add_rows(first, first, shape, (level, 1.0), (into, -1.0), (out_of, 1.0))
        self.add_terms(rows[:, :, 1:], level[:, :, :-1], -1.0)
        flat = (len(deep), self.intervals)
        for meter, inner, factor in (
            (self.c, into, -hours / table[INV_EC]),
            (self.d, out_of, -hours / table[ED]),
        ):
            self.add_rows(0.0, 0.0, flat, (meter[deep], factor[:, None]), (inner.transpose(1, 0, 2), 1.0))

    # What devices share.

    def limit(self, block: np.ndarray, limits_kw: np.ndarray, penalty: float) -> None:
        """Keep the net power of each block within its limits, or pay for what is missed.

        Args:
            block: Of each listed device.
            limits_kw: Import and export limit of each block, shape (2, blocks), infinite where there is none.
            penalty: USD per kWh missed.
        """
        usd = penalty * self.fleet.hours
        for sign, limits in zip((1.0, -1.0), limits_kw, strict=True):
            finite = np.flatnonzero(np.isfinite(limits) & np.isin(np.arange(len(limits)), block))
            over = self.add_columns(usd, 0.0, HUGE, (len(finite), self.intervals))
            high = limits[finite][:, None]
            rows = self.add_rows(-HUGE, high, (len(finite), self.intervals), (over, -1.0))
            mine = np.flatnonzero(np.isin(block, finite))
            for columns, factor in ((self.c, sign), (self.d, -sign)):
                self.add_terms(rows[np.searchsorted(finite, block[mine])], columns[mine], factor)

    def hold(self, reserve: Reserve, penalty: float) -> None:
        """Hold a reserve of the listed devices together, power and energy, or pay for what is missing."""
        table, part = self.table, self.part
        least = self._least(0.0) if self.least is None else self.least
        shape = (self.intervals,)
        short = self.add_columns(penalty * self.fleet.hours, 0.0, HUGE, shape)
        asked = reserve.power_kw - (part * self.most_out).sum(axis=0)
        self.add_rows(asked, HUGE, shape, (short, 1.0), (self.c, part), (self.d, -part))
        lacking = self.add_columns(penalty, 0.0, HUGE, shape)
        worth = part * table[ED][:, None]
        needed = reserve.power_kw * reserve.duration_h + (worth * table[LO][:, None]).sum(axis=0)
        self.add_rows(needed, HUGE, shape, (lacking, 1.0), (least, worth))

    # Solving.

    def solve(self) -> Answer:
        """Return the best schedules; an interval may be shared.

        Raises:
            InfeasibleError: HiGHS cannot decide the programme; limits that cannot be met are no reason, they are paid.
        """
        return self.solve_all()[0]

    def solve_all(self) -> tuple[Answer, np.ndarray]:
        """Return the best schedules and the value of every column."""
        x, value, _ = self.run(0.0)
        return Answer(plan=self._schedule(x), value=value, bound=value), x

    def solve_strictly(self, gap: float) -> Answer:
        """Return schedules that do one thing at a time, the best where the searches get there.

        Args:
            gap: Share of what energy and wear cost at which a search may stop.
        """
        x, _, bound = self.run(0.0)
        powers = np.concatenate([self.c.ravel(), self.d.ravel()])
        gap_usd = gap * abs(float(x[powers] @ self.cost[powers]))
        decided = np.zeros((self.count, self.intervals), dtype=np.bool_)
        for _ in range(MOST_ROUNDS):
            shared = (np.minimum(x[self.c], x[self.d]) > BOTH_KW) & ~decided
            if not shared.any() or self.seconds >= MOST_SECONDS:
                break
            self._forbid_sharing(shared)
            decided |= shared
            found, _, best = self.run(gap_usd)
            bound = max(bound, best)
            if not len(found):
                break
            x = found
        return self._at(x, bound)

    def _forbid_sharing(self, where: np.ndarray) -> None:
        device, interval = np.nonzero(where)
        shape = (len(device),)
        charging = self.add_columns(0.0, 0.0, 1.0, shape, binary=True)
        most_in, most_out = self.most_in[device, 0], self.most_out[device, 0]
        self.add_rows(-HUGE, 0.0, shape, (self.c[device, interval], 1.0), (charging, -most_in))
        self.add_rows(-HUGE, most_out, shape, (self.d[device, interval], 1.0), (charging, most_out))

    def _at(self, x: np.ndarray, bound: float) -> Answer:
        """Solve as a linear programme with the smaller power of every interval held at zero."""
        less_in = x[self.c] < x[self.d]
        self.close(np.concatenate([self.c[less_in], self.d[~less_in]]))
        again, value, _ = self.run(0.0)
        plan = self._schedule(again)
        plan.charge[less_in.T] = 0.0
        plan.discharge[~less_in.T] = 0.0
        return Answer(plan=plan, value=value, bound=min(bound, value))

    def _schedule(self, x: np.ndarray) -> Schedule:
        """Return what the columns say, within the limits to the last bit."""
        charge = np.clip(x[self.c], 0.0, self.part * self.most_in).T
        discharge = np.clip(x[self.d], 0.0, self.part * self.most_out).T
        gain = self.fleet.hours * (charge / self.table[INV_EC] - discharge / self.table[ED])
        return Schedule(
            charge=np.ascontiguousarray(charge),
            discharge=np.ascontiguousarray(discharge),
            soc=self.table[START] + np.cumsum(gain, axis=0),
        )
