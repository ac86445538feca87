"""What is done when the fleet cannot be planned as it should: the next best thing, under its own name.

* the last valid plan goes on (``shifted``): its hours that are left, or the same hours of its day, a day later
* no such plan, but prices: charge in the cheapest quarter, discharge in the dearest (``rule``)
* neither: every device rests (``idle``), its safe state

Every rung keeps each device within its limits. Put here: the rungs, their order, what each says of itself.
Keep out: raising the alarm (assets), cases and plans (fleet_decisions.py, fleet_replan.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import polars as pl

from domain.alerts import Alert
from domain.beliefs import TIME
from domain.errors import InfeasibleError, InputError, MissingInputError
from domain.fleet import check_devices
from domain.instants import CENTRAL, iso, local_day, parse_instant
from resources.fleet_decisions import FleetCase, decide_fleet, on_the_day
from resources.publisher import Publisher, Version
from resources.registry import Registry

PLAN: Final = "fleet"
SHIFTED, RULE, IDLE = "shifted", "rule", "idle"

LAST_VALID: Final = timedelta(days=8)
"""A plan of the same weekday is still worth following; an older one is expired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """Why a plan is not the one it should be.

    Attributes:
        rung: ``shifted``, ``rule`` or ``idle``.
        reason: What went wrong.
        previous: The version carried on, for ``shifted``.
    """

    rung: str
    reason: str
    previous: Version | None = None

    def facts(self) -> dict[str, Any]:
        """Return what the manifest says."""
        told: dict[str, Any] = {"rung": self.rung, "reason": self.reason}
        stale = None
        if self.previous is not None:
            told["previous"] = named(self.previous)
            stale = self.previous.manifest.get("stale_since") or iso(self.previous.as_of)
        return {"fallback": told, "stale_since": stale}

    def alert(self, schedule_id: str, version: int) -> Alert:
        """Return what a person is told."""
        return Alert(
            key=f"fleet_fallback:{schedule_id}:v{version}",
            kind="fleet_fallback",
            severity="critical" if self.rung == IDLE else "warning",
            message=f"{schedule_id} v{version} is a fallback ({_WORDS[self.rung]}): {self.reason}",
            details={"rung": self.rung},
        )


_WORDS: Final = {
    SHIFTED: "the last valid plan carried on",
    RULE: "the rule of cheap and dear hours in place of an optimal plan",
    IDLE: "every device rests",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A decision about the fleet, whichever way it was reached.

    Attributes:
        case: What it depends on.
        schedule: ``SCHEDULE_COLUMNS``.
        report: As of ``solve fleet``; of a fallback, its name as status and no bound.
        fallback: Why it is not the plan it should be; None where it is.
    """

    case: FleetCase
    schedule: pl.DataFrame
    report: Mapping[str, Any]
    fallback: Fallback | None = None


def named(version: Version) -> dict[str, Any]:
    """Return how a manifest names another plan."""
    return {"plan": version.plan, "as_of": iso(version.as_of), "version": version.number}


def pinned_version(publisher: Publisher, told: Mapping[str, Any] | None) -> Version | None:
    """Return the version that a manifest names."""
    if told is None:
        return None
    return publisher.get(told["plan"], parse_instant(told["as_of"], what="previous"), version=told["version"])


def last_valid(publisher: Publisher, registry: Registry, at: datetime) -> Version | None:
    """Return the newest published day-ahead plan of an instant before ``at``, None where the last one is expired."""
    rows = [row for row in registry.publications(PLAN) if at - LAST_VALID < row.as_of < at]
    if not rows:
        return None
    newest = max(rows, key=lambda row: (row.as_of, row.version))
    return publisher.get(PLAN, newest.as_of, version=newest.version)


def decide_on_the_ladder(
    read: Callable[[], FleetCase], *, at: datetime, devices: pl.DataFrame, previous: Version | None
) -> Decision:
    """Return the best day-ahead decision that can be reached.

    Args:
        read: Puts the case together; may fail.
        at: The instant of the decision [UTC].
        devices: Of the registry, for the lower rungs.
        previous: The last valid plan before this instant; None where there is none.

    Raises:
        MissingInputError: There is no device at all: nothing can rest.
    """
    case = None
    try:
        case = read()
        plan = decide_fleet(case)
    except (InputError, InfeasibleError, MissingInputError) as error:
        if devices.is_empty():
            raise
        return _fall_back(case, error, at, devices, previous)
    return Decision(case=case, schedule=plan.schedule, report=plan.report)


def _fall_back(
    case: FleetCase | None, error: Exception, at: datetime, devices: pl.DataFrame, previous: Version | None
) -> Decision:
    case = case or _blind_case(at, devices, str(error))
    rungs: list[tuple[str, Version | None]] = [] if previous is None else [(SHIFTED, previous)]
    rungs += [(RULE, None)] if case.prices["price_usd_mwh"].is_finite().all() else []
    rung, carried = (rungs or [(IDLE, None)])[0]
    powers = None if carried is None else _a_day_later(carried.schedule(), case.operating_day)
    return fallen_back(case, Fallback(rung=rung, reason=str(error), previous=carried), powers)


def fallen_back(case: FleetCase, fallback: Fallback, powers: pl.DataFrame | None) -> Decision:
    """Return the decision of one rung; ``powers`` are those to carry on."""
    from solvers.fleet import rule  # noqa: PLC0415 - compiled kernels, see fleet_decisions.py

    good, errors = check_devices(case.devices, intervals=case.prices.height)
    if fallback.rung == SHIFTED and powers is not None:
        schedule = rule.carried_on(good, case.prices, powers)
    elif fallback.rung == RULE:
        schedule = rule.by_quantiles(good, case.prices)
    else:
        schedule = rule.idle(good, case.prices)
    report = {
        "status": fallback.rung, "solver": fallback.rung, "objective_usd": None, "lower_bound_usd": None, "gap": None,
        "devices": good.height, "infeasible": errors,
    }  # fmt: skip
    return Decision(case=case, schedule=schedule, report=report, fallback=fallback)


def _blind_case(at: datetime, devices: pl.DataFrame, reason: str) -> FleetCase:
    """Return the case of a day whose prices are not known: they are null, never made up."""
    day = at.astimezone(CENTRAL).date() + timedelta(days=1)
    starts = half_hours(*local_day(day, CENTRAL))
    prices = pl.DataFrame({"event_start": starts, "price_usd_mwh": None}).cast({"price_usd_mwh": pl.Float64})
    return FleetCase(
        devices=on_the_day(devices.sort("device_id"), prices),
        prices=prices,
        operating_day=day,
        terminal_value_usd_per_kwh=0.0,
        provenance={"price_usd_mwh": f"none: {reason}"},
    )


def half_hours(start: datetime, end: datetime) -> pl.Series:
    """Return the half hours from ``start`` to ``end`` [UTC]."""
    return pl.datetime_range(start, end, "30m", closed="left", time_unit="us", time_zone="UTC", eager=True).cast(TIME)


def _a_day_later(schedule: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return an older day's powers on the same local half hours of ``day``."""
    local = pl.col("event_start").dt.convert_time_zone(CENTRAL.key)
    half = local.dt.hour().cast(pl.Int64) * 2 + local.dt.minute() // 30
    once = schedule.select("device_id", "power_kw", half=half).unique(
        ["device_id", "half"], keep="first", maintain_order=True
    )
    grid = pl.DataFrame({"event_start": half_hours(*local_day(day, CENTRAL))}).with_columns(half=half)
    return once.join(grid, on="half").select("device_id", "event_start", "power_kw")
