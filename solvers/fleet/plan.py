"""Plan the fleet: check, lay out, solve, certify, report.

Put here: the order of these steps and the words of the report. Keep out: each step's mathematics (its own module).
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import polars as pl

from domain.errors import InfeasibleError, InputError
from domain.fleet import PriceGrid, check_devices, feeder_limits, price_grid, reserve_requirement
from solvers.fleet.coupled import Shared, missed_kw, penalty_usd, plan_together
from solvers.fleet.feeders import RELAXED_USD_PER_KWH, Terms
from solvers.fleet.frames import cost_usd, empty_schedule, missed_rows, outside_rows, schedule_frame
from solvers.fleet.instance import lay_out, out_of_reach
from solvers.fleet.one_way import put, sharing, strict_response, tidy, undo_sharing
from solvers.fleet.one_way_together import settle_strictly
from solvers.fleet.previous import STAY_CLOSE_USD_PER_KWH, pull_to
from solvers.fleet.records import NO_PULL, Schedule
from solvers.fleet.response import best_response, market_signal
from solvers.fleet.whole import Answer, Whole

SMALL_USD: Final = 0.05
"""Gaps are relative to the objective or to this much, whichever is larger: a fleet may well earn nothing."""

WHOLE_CELLS: Final = 8_000
"""Device-intervals up to which a fleet under shared limits is solved as one programme: as fast as a search, exact."""

PROVEN: Final = 1e-6
"""A gap up to this is an optimum."""

MISSED: Final = 1e-6
"""A shared limit missed by less [kW, kWh] is met."""

Errors = list[dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FleetPlan:
    """A schedule and what is known about its worth.

    Attributes:
        schedule: One row a device and interval, columns ``domain.fleet.SCHEDULE_COLUMNS``.
        report: ``status`` (optimal: proven to 1e-6; feasible: proven to ``gap``; relaxed: a shared limit is missed by
            what ``relaxed`` lists; infeasible: no device could be planned), ``objective_usd``, ``lower_bound_usd``
            (no schedule that relaxes no more costs less), ``gap``, ``relaxation_usd``, ``devices`` (planned),
            ``infeasible`` (device_id, reason), ``iterations``, ``relaxed`` (limit, feeder, event_start, amount),
            ``outside`` (device_id, event_start, soc_kwh of rows outside the band) and ``notes``.
    """

    schedule: pl.DataFrame
    report: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solved:
    """What a solver hands back: a schedule and a bound under its objective and relaxation [USD]."""

    plan: Schedule
    bound_usd: float
    shared: Shared | None = None
    iterations: int = 0


def plan_fleet(  # noqa: PLR0913 - the frames and options of the contract
    devices: pl.DataFrame,
    prices: pl.DataFrame,
    *,
    feeders: pl.DataFrame | None = None,
    reserve: pl.DataFrame | None = None,
    strict: bool = False,
    terminal_value_usd_per_kwh: float | None = None,
    previous: pl.DataFrame | None = None,
    gap: float = 1e-4,
    threads: int = 2,
) -> FleetPlan:
    """Return the schedule that costs the fleet least.

    A device that breaks a rule, hangs on a feeder without limits or cannot reach its end is named in
    ``report["infeasible"]``; the rest is planned. Without shared limits the plan is exact.

    Args:
        devices: ``domain.fleet.DEVICE_COLUMNS``.
        prices: ``event_start`` (evenly spaced), ``price_usd_mwh``.
        feeders: ``feeder, import_limit_kw, export_limit_kw`` of the net power of each feeder's devices; None asks for
            no limits and ignores the devices' feeders.
        reserve: ``event_start, up_reserve_kw, duration_h``, held by the fleet in aggregate.
        strict: Forbid charging and discharging within one interval; else they may share it.
        terminal_value_usd_per_kwh: Worth of a kWh stored when the last interval ends; None gives it none.
        previous: A schedule to stay close to, where that costs next to nothing (``STAY_CLOSE_USD_PER_KWH``).
        gap: Under shared limits, stop once proven to cost at most this share more than the best.
        threads: Threads of the kernels; the plan does not depend on it.

    Raises:
        FrameError: Prices, feeders, reserve or previous break their column contract, or devices lack a column.
        InputError: The terminal value is no finite number, or the gap not above 0.
    """
    end_value = terminal_value_usd_per_kwh or 0.0
    if not math.isfinite(end_value) or not gap > 0:
        raise InputError(f"a terminal value of {end_value} USD/kWh or a gap of {gap} cannot be planned with")
    grid = price_grid(prices)
    asked = None if reserve is None else reserve_requirement(reserve, grid)
    good, limits, errors = _plannable(devices, grid, feeders)
    if good.is_empty():
        return FleetPlan(schedule=empty_schedule(), report=_report(status="infeasible", infeasible=errors))
    together = feeders is not None or asked is not None
    fleet = lay_out(good, grid, by_feeder=together)
    pull = NO_PULL if previous is None else pull_to(previous, fleet, grid)
    terms = Terms(fleet=fleet, usd_mwh=grid.usd_mwh, end_value=end_value, threads=threads, pull=pull)
    if together:
        each = [limits.get(name, (math.inf, math.inf)) for name in fleet.feeders]
        shared = Shared(limits_kw=np.array(each, dtype=float).T.copy(), reserve=asked)
        solved = _together(terms, shared, gap, strict=strict)
    else:
        solved = _alone(terms, strict=strict)
    return _finish(terms, grid, solved, errors, strict=strict)


def _plannable(
    devices: pl.DataFrame, grid: PriceGrid, feeders: pl.DataFrame | None
) -> tuple[pl.DataFrame, dict[str | None, tuple[float, float]], Errors]:
    """Return the devices that can be planned, the limits by feeder, and why the other devices cannot."""
    good, errors = check_devices(devices, intervals=len(grid.starts))
    limits: dict[str | None, tuple[float, float]] = {}
    if feeders is None:
        good = good.with_columns(feeder=pl.lit(None, pl.String))
    else:
        usable, bad = feeder_limits(feeders)
        limits = {name: (most_in, most_out) for name, most_in, most_out in usable.iter_rows()}
        known = pl.col("feeder").is_null() | pl.col("feeder").is_in(usable["feeder"].implode())
        for device_id, feeder in good.filter(~known).select("device_id", "feeder").iter_rows():
            why = bad.get(feeder, "it is not among the feeders; add its limits, or leave the device's feeder null")
            errors.append({"device_id": device_id, "reason": f"feeder {feeder}: {why}"})
        good = good.filter(known)
    stuck = out_of_reach(good, grid)
    good = good.filter(~pl.col("device_id").is_in([row["device_id"] for row in stuck]))
    return good, limits, errors + stuck


def _alone(terms: Terms, *, strict: bool) -> Solved:
    """Plan each device for itself; exact."""
    plan, bound = _each(terms, strict=strict)
    if terms.pull.usd_per_kwh > 0:
        _, bound = _each(replace(terms, pull=NO_PULL), strict=strict)
    return Solved(plan=plan, bound_usd=bound)


def _each(terms: Terms, *, strict: bool) -> tuple[Schedule, float]:
    """Return the best schedules and what none undercuts; devices planned again in strict mode feel no pull."""
    signal = market_signal(terms.fleet, terms.usd_mwh, terms.end_value)
    plan = best_response(terms.fleet, signal, threads=terms.threads, pull=terms.pull)
    relaxed = cost_usd(terms.fleet, plan, terms.usd_mwh, terms.end_value)
    slots = sharing(plan) if strict else np.empty(0, dtype=np.int64)
    if not len(slots):
        return plan, relaxed
    again, found = strict_response(terms.fleet, signal, slots, threads=terms.threads)
    undo_sharing(terms.fleet, plan, slots[~found])
    put(plan, slots, again, found)
    return plan, cost_usd(terms.fleet, plan, terms.usd_mwh, terms.end_value) if found.all() else relaxed


def _together(terms: Terms, shared: Shared, gap: float, *, strict: bool) -> Solved:
    """Plan under shared limits: small fleets as one programme, exactly; others to a proven gap."""
    if len(terms.fleet.ids) * terms.fleet.intervals <= WHOLE_CELLS:
        with suppress(InfeasibleError):  # undecided by HiGHS for its numbers: the search may still get there
            return _whole(terms, shared, gap, strict=strict)
    least = gap * SMALL_USD
    found = plan_together(terms, shared, share=gap, least_usd=least)
    if strict:
        found = settle_strictly(terms, found, shared, share=gap, least_usd=least)
    return Solved(plan=found.plan, bound_usd=found.bound_usd, shared=shared, iterations=found.rounds)


def _whole(terms: Terms, shared: Shared, gap: float, *, strict: bool) -> Solved:
    """Plan a small fleet as one programme."""
    answer = _as_one(terms, shared, gap, strict=strict)
    free = answer
    if terms.pull.usd_per_kwh > 0:
        free = _as_one(replace(terms, pull=NO_PULL), shared, gap, strict=strict)
    fleet = terms.fleet
    plan = Schedule.zero(fleet.intervals, fleet.slots)
    put(plan, fleet.slot, answer.plan, np.ones(len(fleet.slot), dtype=np.bool_))
    if not strict:
        tidy(fleet, plan)
    return Solved(plan=plan, bound_usd=free.bound, shared=shared)


def _as_one(terms: Terms, shared: Shared, gap: float, *, strict: bool) -> Answer:
    fleet = terms.fleet
    price = np.broadcast_to(terms.usd_mwh / 1000.0, (len(fleet.slot), fleet.intervals))
    whole = Whole(fleet, fleet.slot, price, end_value=terms.end_value, pull=terms.pull)
    whole.limit(np.searchsorted(fleet.stop, fleet.slot, side="right"), shared.limits_kw, RELAXED_USD_PER_KWH)
    if shared.reserve is not None:
        whole.hold(shared.reserve, RELAXED_USD_PER_KWH)
    return whole.solve_strictly(gap) if strict else whole.solve()


def _finish(terms: Terms, grid: PriceGrid, solved: Solved, errors: Errors, *, strict: bool) -> FleetPlan:
    """Cost the schedule as it stands, and report."""
    fleet, plan = terms.fleet, solved.plan
    objective = cost_usd(fleet, plan, grid.usd_mwh, terms.end_value)
    relaxation, relaxed = 0.0, []
    if solved.shared is not None:
        missed = {
            name: np.where(amount > MISSED, amount, 0.0)
            for name, amount in missed_kw(fleet, plan, solved.shared).items()
        }
        relaxation, relaxed = penalty_usd(missed, grid.hours), missed_rows(fleet, missed, grid)
    # Under objective + relaxation, so under the objective of whoever relaxes no more than this.
    bound = min(solved.bound_usd - relaxation, objective)
    gap = (objective - bound) / max(abs(objective), SMALL_USD)
    report = _report(
        status="relaxed" if relaxed else "optimal" if gap <= PROVEN else "feasible",
        objective_usd=objective,
        lower_bound_usd=bound,
        gap=gap,
        relaxation_usd=relaxation,
        devices=len(fleet.ids),
        infeasible=errors,
        iterations=solved.iterations,
        relaxed=relaxed,
        outside=outside_rows(fleet, plan, grid),
        notes=_notes(terms, solved.shared, strict=strict),
    )
    return FleetPlan(schedule=schedule_frame(fleet, plan, grid), report=report)


def _notes(terms: Terms, shared: Shared | None, *, strict: bool) -> list[str]:
    notes = []
    if shared is not None and shared.reserve is not None:
        notes.append("reserve is aggregate: an upper bound on what the fleet can deliver, not a promise of each device")
    if shared is not None and strict:
        notes.append(
            "strict under shared limits: searched for a limited time; the gap says how good it is proven to be"
        )
    if terms.pull.usd_per_kwh > 0:
        rows = int(np.isfinite(terms.pull.change).sum())
        notes.append(
            f"stays close to {rows} interval(s) of the previous schedule at {STAY_CLOSE_USD_PER_KWH} USD per kWh stored"
            " differently; that is no part of the objective"
        )
    return notes


def _report(**known: Any) -> dict[str, Any]:  # noqa: ANN401 - the report's own values
    blank = {
        "status": "",
        "objective_usd": None,
        "lower_bound_usd": None,
        "gap": None,
        "relaxation_usd": 0.0,
        "devices": 0,
        "infeasible": [],
        "iterations": 0,
        "relaxed": [],
        "outside": [],
        "notes": [],
    }
    return blank | known
