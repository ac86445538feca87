"""Energy and ancillary services of a pooled site, planned together.

One battery stands for the pool. In each interval, c and d the mean power drawn and given, r_k the award of service k:

    d - c + sum of upward r <= max_discharge          c - d + sum of downward r <= max_charge
    eta_d (s - soc_min) >= sum of upward r_k x sustained_k          at both ends of the interval
    soc_max - s >= eta_c x sum of downward r_k x sustained_k        likewise
    s_t = s_{t-1} + h (eta_c (c + sum of downward u_k r_k) - (d + sum of upward u_k r_k) / eta_d)

u_k is the part of an award expected to be called: that energy is bought or sold at the energy price, wears, and drifts
the state of charge. A linear programme; at prices far below zero charging and discharging may share an interval.

Put here: this programme and its report. Keep out: rules and pooling (domain/fleet/ancillary.py), ramp sharing between
services and sub-types of RRS, which no rule here describes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from domain.errors import InfeasibleError, InputError
from domain.fleet.ancillary import SERVICES, Offering, ServiceRule, offerings, pool_devices
from solvers.fleet.frames import schedule_frame
from solvers.fleet.instance import lay_out, out_of_reach
from solvers.fleet.kernel import ED, HI, INV_EC, LO, START
from solvers.fleet.plan import FleetPlan
from solvers.fleet.programme import HUGE
from solvers.fleet.records import Schedule
from solvers.fleet.whole import Whole


def plan_ancillary(
    devices: pl.DataFrame,
    prices: pl.DataFrame,
    rules: Sequence[ServiceRule],
    *,
    terminal_value_usd_per_kwh: float | None = None,
) -> FleetPlan:
    """Return the energy schedule and the offers of capacity that earn a pooled site most.

    Args:
        devices: ``domain.fleet.DEVICE_COLUMNS``, pooled into one battery.
        prices: As ``domain.fleet.ancillary.offerings`` describes.
        rules: Dated rules of the services.
        terminal_value_usd_per_kwh: Worth of a kWh stored when the last interval ends; None gives it none.

    Returns:
        ``schedule``: ``event_start, charge_kw, discharge_kw, power_kw, soc_kwh`` (at the end, expected deployment
        included), ``mode, rate_kw`` and ``regup_kw, regdn_kw, rrs_kw, ecrs_kw, nspin_kw``. ``report``: ``status,
        objective_usd`` (cost, offers' earnings taken off), ``lower_bound_usd, gap, energy_usd, services`` (each with
        ``earnings_usd, mean_kw, rules``), ``devices, infeasible, notes``.

    Raises:
        FrameError: A frame breaks its contract, or a rule is missing.
        InputError: The terminal value is no finite number.
        InfeasibleError: The pool cannot reach its required end.
    """
    end_value = terminal_value_usd_per_kwh or 0.0
    if not math.isfinite(end_value):
        raise InputError(f"a terminal value of {end_value} USD/kWh cannot be planned with")
    grid, offers = offerings(prices, rules)
    pool, errors = pool_devices(devices)
    stuck = out_of_reach(pool, grid)
    if stuck:
        raise InfeasibleError(f"the pool cannot be planned: {stuck[0]['reason']}")
    fleet = lay_out(pool, grid, by_feeder=False)
    price = grid.usd_mwh[None, :] / 1000.0
    programme = Whole(fleet, fleet.slot, price, end_value=end_value, held=np.zeros_like(price))
    columns = _offer(programme, offers, price)
    answer, x = programme.solve_all()
    awards = {offer.name: np.maximum(x[columns[offer.name]][0], 0.0) for offer in offers}
    plan = _with_deployment(programme, answer.plan, offers, awards)
    award_columns = [f"{name.lower()}_kw" for name in SERVICES]
    frame = schedule_frame(fleet, _in_slots(programme, plan), grid).drop("device_id")
    names = [name for name in SERVICES if name in awards]
    missing = [pl.lit(None, pl.Float64).alias(f"{name.lower()}_kw") for name in SERVICES if name not in awards]
    frame = frame.with_columns(*(pl.Series(f"{name.lower()}_kw", awards[name]) for name in names), *missing)
    services = {offer.name: _earned(offer, awards[offer.name], grid.hours) for offer in offers}
    report: dict[str, Any] = {
        "status": "optimal",
        "objective_usd": answer.value,
        "lower_bound_usd": answer.bound,
        "gap": 0.0,
        "energy_usd": answer.value + sum(each["earnings_usd"] for each in services.values()),
        "services": services,
        "devices": devices.height - len(errors),
        "infeasible": errors,
        "notes": ["a pool of unlike devices can deliver less than this: the pool's sums are an upper bound"],
    }
    return FleetPlan(schedule=frame.select(*frame.columns[:7], *award_columns), report=report)


def _offer(programme: Whole, offers: list[Offering], price: np.ndarray) -> dict[str, np.ndarray]:
    """Add the awards to the programme and return their columns."""
    table, hours, shape = programme.table, programme.fleet.hours, price.shape
    into, out_of, wear = 1.0 / table[INV_EC][:, None], table[ED][:, None], programme.wear
    columns = {}
    for offer in offers:
        called = hours * offer.deployed * (wear - price if offer.up else wear + price)
        columns[offer.name] = programme.add_columns(called - hours * offer.usd_mwh / 1000.0, 0.0, HUGE, shape)
        drift = offer.deployed / out_of if offer.up else -offer.deployed * into
        programme.add_terms(programme.balance, columns[offer.name], hours * drift)
    ups = [offer for offer in offers if offer.up]
    downs = [offer for offer in offers if not offer.up]
    up = [(columns[offer.name], 1.0) for offer in ups]
    down = [(columns[offer.name], 1.0) for offer in downs]
    programme.add_rows(-HUGE, programme.most_out, shape, (programme.d, 1.0), (programme.c, -1.0), *up)
    programme.add_rows(-HUGE, programme.most_in, shape, (programme.c, 1.0), (programme.d, -1.0), *down)
    if programme.least is None:
        raise ValueError("the programme was stated without the least state of charge")
    backing = [(columns[offer.name], -offer.sustained_h / out_of) for offer in ups]
    programme.add_rows(table[LO][:, None], HUGE, shape, (programme.least, 1.0), *backing)
    room = [(columns[offer.name], offer.sustained_h * into) for offer in downs]
    high = np.broadcast_to(table[HI][:, None], shape)
    programme.add_rows(-HUGE, high, shape, (programme.s, 1.0), *room)
    before = high.copy()
    before[:, 0] -= table[START]
    rows = programme.add_rows(-HUGE, before, shape, *room)
    programme.add_terms(rows[:, 1:], programme.s[:, :-1], 1.0)
    return columns


def _with_deployment(
    programme: Whole, plan: Schedule, offers: list[Offering], awards: dict[str, np.ndarray]
) -> Schedule:
    """Return the plan with the state of charge that expected deployment leads to."""
    table, hours = programme.table, programme.fleet.hours
    drift = np.zeros(programme.intervals)
    for offer in offers:
        stored = -1.0 / table[ED] if offer.up else 1.0 / table[INV_EC]
        drift += stored * offer.deployed * awards[offer.name]
    soc = plan.soc + hours * np.cumsum(drift)[:, None]
    return Schedule(charge=plan.charge, discharge=plan.discharge, soc=soc)


def _in_slots(programme: Whole, plan: Schedule) -> Schedule:
    every = Schedule.zero(programme.intervals, programme.fleet.slots)
    for name in ("charge", "discharge", "soc"):
        getattr(every, name)[:, programme.slots] = getattr(plan, name)
    return every


def _earned(offer: Offering, award: np.ndarray, hours: float) -> dict[str, Any]:
    return {
        "earnings_usd": float(hours * offer.usd_mwh @ award) / 1000.0,
        "mean_kw": float(award.mean()),
        "rules": list(offer.sources),
    }
