"""A fleet under limits that its devices share: from prices to one schedule, with a certificate.

Prices of feeders and reserve are searched on sums (feeders.py, reserve.py). What is left is to find out who does what:
the plans in the final mixture are asked for once more, at the prices they answered to, and added up device by device in
their parts. Each device's schedules form a convex set, so the mixture is one of them; the sums are kept exactly.

So that the search need not start from nothing, a small sample of the fleet is searched first: under limits in
proportion, its prices are close.

Put here: these steps. Keep out: the search itself and the words of the report.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from domain.fleet import Reserve
from solvers.fleet.feeders import RELAXED_USD_PER_KWH, Feeders, Terms, capability_kw
from solvers.fleet.instance import Fleet
from solvers.fleet.kernel import ED, LO, PD, START
from solvers.fleet.one_way import tidy
from solvers.fleet.reserve import Parts, settle_with_reserve
from solvers.fleet.response import NO_PULL, Schedule, Signal, add_response
from solvers.fleet.simd import WIDTH

SAMPLE_DEVICES: Final = 400
"""Devices of the sample."""

WORTH_A_SAMPLE: Final = 4000
"""Devices from which on a sample saves more time than it takes."""

SAMPLE_SHARE: Final = 1e-3
"""Gap of the sample's search, over its cost."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shared:
    """What devices share.

    Attributes:
        limits_kw: Import and export limit of each block, shape (2, blocks), infinite where there is none.
        reserve: To hold; None for none.
    """

    limits_kw: np.ndarray
    reserve: Reserve | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """A schedule within shared limits.

    Attributes:
        plan: It.
        bound_usd: No schedule costs less, missed limits included.
        rounds: How often devices were asked.
        price: Worth of a kW less net power of each block [USD/kW in an interval], shape (blocks, intervals).
        mu: Worth of headroom [USD/kW in an interval].
        nu: Worth of deliverable energy [USD/kWh in an interval].
    """

    plan: Schedule
    bound_usd: float
    rounds: int
    price: np.ndarray
    mu: np.ndarray
    nu: np.ndarray


def plan_together(terms: Terms, shared: Shared, *, share: float, least_usd: float) -> Found:
    """Return a schedule within shared limits that is proven to cost at most ``share`` more than the best.

    Args:
        terms: The fleet, a block a feeder, and market prices.
        shared: Limits and reserve.
        share: Gap that is good enough, over the cost.
        least_usd: Gap that is good enough whatever the cost.
    """
    price, reserve_price = _prices_of_a_sample(terms, shared)
    feeders = Feeders(terms, shared.limits_kw, price)
    parts = settle_with_reserve(feeders, shared.reserve, share=share, least_usd=least_usd, start=reserve_price)
    plan = _schedule(feeders, parts)
    tidy(terms.fleet, plan)
    bound = parts.bound_usd if terms.pull.usd_per_kwh == 0 else _bound_without_pull(feeders, shared, parts)
    return Found(
        plan=plan, bound_usd=bound, rounds=feeders.rounds, price=feeders.center, mu=parts.mu, nu=parts.nu
    )  # fmt: skip


def _bound_without_pull(feeders: Feeders, shared: Shared, parts: Parts) -> float:
    """Return what no schedule undercuts when nothing pulls towards an old plan."""
    free = Feeders(replace(feeders.terms, pull=NO_PULL), shared.limits_kw)
    lower = free.ask(np.arange(len(free.counts)), feeders.center, parts.mu, parts.nu)
    asked = 0.0
    if shared.reserve is not None:
        power, hours = shared.reserve.power_kw, shared.reserve.duration_h
        asked = float(parts.mu @ power + parts.nu @ (power * hours))
    return float(lower.sum()) + asked


def missed_kw(fleet: Fleet, plan: Schedule, shared: Shared) -> dict[str, np.ndarray]:
    """Return by how much each shared limit is missed [kW, kWh], negative where there is room.

    Returns:
        ``import_limit_kw`` and ``export_limit_kw``, shape (blocks, intervals); with a reserve also
        ``reserve_power_kw`` and ``reserve_energy_kwh``, shape (1, intervals).
    """
    drawn = plan.charge - plan.discharge
    net = np.add.reduceat(drawn, fleet.start, axis=1).T
    missed = {
        "import_limit_kw": net - shared.limits_kw[0][:, None],
        "export_limit_kw": -net - shared.limits_kw[1][:, None],
    }
    if shared.reserve is not None:
        part = fleet.share if len(fleet.share) else np.ones((1, fleet.slots))
        table = fleet.table
        least = np.minimum(np.vstack([table[START], plan.soc[:-1]]), plan.soc)
        power, hours = shared.reserve.power_kw, shared.reserve.duration_h
        missed["reserve_power_kw"] = (power - (part * (table[PD] + drawn)).sum(axis=1))[None, :]
        missed["reserve_energy_kwh"] = (power * hours - (part * table[ED] * (least - table[LO])).sum(axis=1))[None, :]
    return missed


def penalty_usd(missed: dict[str, np.ndarray], hours: float) -> float:
    """Return what missed limits cost at RELAXED_USD_PER_KWH."""
    return sum(
        RELAXED_USD_PER_KWH * (1.0 if name.endswith("_kwh") else hours) * float(np.maximum(amount, 0.0).sum())
        for name, amount in missed.items()
    )


def _schedule(feeders: Feeders, parts: Parts) -> Schedule:
    """Ask again for the plans of the mixture and add up who does what."""
    terms, plans = feeders.terms, feeders.plans
    total = np.bincount(parts.block, parts.part)
    asked = plans.epoch[parts.plan]
    reserve_price = np.array(plans.reserve_prices)
    signal = Signal(
        blocks=parts.block,
        price=terms.usd_mwh / 1000.0 + plans.price[parts.plan] / terms.fleet.hours,
        mu=reserve_price[asked, 0] / terms.fleet.hours,
        nu=reserve_price[asked, 1],
        end_value=terms.end_value,
    )
    plan = Schedule.zero(terms.fleet.intervals, terms.fleet.slots)
    add_response(terms.fleet, signal, parts.part / total[parts.block], plan, threads=terms.threads, pull=terms.pull)
    return plan


def _prices_of_a_sample(terms: Terms, shared: Shared) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return prices of net power and of reserve that suit a sample, or None where a sample is not worth it."""
    fleet = terms.fleet
    reach = capability_kw(fleet)
    limited = (shared.limits_kw < reach).any(axis=0)
    if len(fleet.ids) < WORTH_A_SAMPLE or not limited.any() or terms.pull.usd_per_kwh > 0:
        return None, None
    owner = np.repeat(limited, fleet.stop - fleet.start)
    every = -(-len(fleet.ids) // SAMPLE_DEVICES)
    groups = [np.flatnonzero(owner == which)[::every] for which in (True, False)]
    mini = _sample(fleet, [group for group in groups if len(group)])
    portion = capability_kw(mini)[:, :1].sum() / reach[:, limited].sum()
    limits = np.full((2, len(mini.start)), np.inf)
    limits[:, 0] = np.minimum(shared.limits_kw, reach)[:, limited].sum(axis=1) * portion
    reserve = shared.reserve
    if reserve is not None:
        whole = capability_kw(mini)[1].sum() / reach[1].sum()
        reserve = Reserve(power_kw=reserve.power_kw * whole, duration_h=reserve.duration_h)
    feeders = Feeders(replace(terms, fleet=mini, threads=1), limits)
    parts = settle_with_reserve(feeders, reserve, share=SAMPLE_SHARE, least_usd=0.0)
    return feeders.center[0], np.array([parts.mu, parts.nu])


def _sample(fleet: Fleet, groups: list[np.ndarray]) -> Fleet:
    """Return the devices in some slots as a fleet, a block a group."""
    sizes = np.array([len(group) for group in groups])
    padded = -(-sizes // WIDTH) * WIDTH
    stop = np.cumsum(padded)
    start = stop - padded
    table = np.zeros((fleet.table.shape[0], int(stop[-1])))
    table[:2] = 1.0
    share = np.zeros((len(fleet.share), int(stop[-1])))
    depth = np.full((len(fleet.depth_wear), int(stop[-1])), np.nan)
    for group, first in zip(groups, start, strict=True):
        mine = slice(int(first), int(first) + len(group))
        table[:, mine] = fleet.table[:, group]
        share[:, mine] = fleet.share[:, group]
        depth[:, mine] = fleet.depth_wear[:, group]
    return replace(
        fleet, ids=fleet.ids[:0], slot=np.empty(0, dtype=np.int64), table=table, share=share, depth_wear=depth,
        start=start, stop=stop,
        feeders=[None] * len(groups),
    )  # fmt: skip
