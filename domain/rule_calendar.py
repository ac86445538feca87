"""Dated rules turned into days and hours: seasons, rafting windows, flow floors, and what they mean for a plan.

Put here: computing with rules, for any year. Keep out: the rules' own numbers (plant files carry them).

All days are local to the plant. A rafting window is half-open: the flow is full when it begins and may fall when it
ends; an hour named by its ending is inside from the window's start to its end, both included.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from domain.errors import ConfigError, InfeasibleError
from domain.hydraulics import Array, unit_flow_cfs, unit_mw_for_flow
from domain.instants import iso
from domain.plant import Plant
from domain.reservoir_inputs import ReservoirInputs
from domain.rules import WEEKDAYS, EarlyRelease, FlowLimit, Rules, StageRamp, Validity

MONDAY: Final = 0
SEASON_END: Final = (9, 30)
"""Last day of the rafting season: 30 September."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """The rafting season of one year.

    Attributes:
        first: Saturday before Memorial Day.
        memorial_day: Last Monday of May.
        labor_day: First Monday of September; the last day of the main season.
        last: 30 September.
    """

    first: date
    memorial_day: date
    labor_day: date
    last: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One rafting window, as instants [UTC]; half-open."""

    day: date
    start: datetime
    end: datetime
    early: bool


def season(year: int) -> Season:
    """Return the rafting season of a year.

    >>> season(2025).first.isoformat(), season(2025).labor_day.isoformat()
    ('2025-05-24', '2025-09-01')
    """
    last_of_may = date(year, 5, 31)
    memorial = last_of_may - timedelta(days=last_of_may.weekday())
    first_of_september = date(year, 9, 1)
    labor = first_of_september + timedelta(days=(MONDAY - first_of_september.weekday()) % 7)
    return Season(
        first=memorial - timedelta(days=2), memorial_day=memorial, labor_day=labor, last=date(year, *SEASON_END)
    )


def season_part(day: date) -> str | None:
    """Return ``main``, ``late`` or, out of season, None.

    >>> season_part(date(2025, 9, 1)), season_part(date(2025, 9, 2)), season_part(date(2025, 10, 1))
    ('main', 'late', None)
    """
    year = season(day.year)
    if not year.first <= day <= year.last:
        return None
    return "main" if day <= year.labor_day else "late"


def water_year_type(rules: Rules, day: date) -> str:
    """Return the water-year type that holds on a day.

    Raises:
        ConfigError: No entry covers the day, or several do.
    """
    holding = [year.type for year in rules.water_years if year.holds(day)]
    if len(holding) != 1:
        raise ConfigError(
            f"{len(holding) or 'no'} entries of rules.water_years cover {day}; exactly one must, add or bound one"
        )
    return holding[0]


def rafting_hours(rules: Rules, day: date) -> tuple[time, time, bool] | None:
    """Return start, end and whether it is an early release, of the rafting window on a local day; None without one.

    An agreed early release takes the place of the day's ordinary window, and may lie out of season.

    Raises:
        ConfigError: A window depends on the water-year type, and none is given for the day.
    """
    early: EarlyRelease | None = next((e for e in rules.early_releases if e.day == day), None)
    if early is not None:
        return early.start, early.end, True
    part = season_part(day)
    if part is None or not rules.rafting:
        return None
    kind, weekday = water_year_type(rules, day), WEEKDAYS[day.weekday()]
    for window in rules.rafting:
        if window.type == kind and window.season == part and weekday in window.days and window.holds(day):
            return window.start, window.end, False
    return None


def rafting_windows(rules: Rules, zone: ZoneInfo, days: Iterable[date]) -> list[Window]:
    """Return the rafting windows of some local days."""
    found = []
    for day in days:
        hours = rafting_hours(rules, day)
        if hours is not None:
            start, end = (datetime.combine(day, clock, tzinfo=zone).astimezone(UTC) for clock in hours[:2])
            found.append(Window(day=day, start=start, end=end, early=hours[2]))
    return found


def flow_limit_cfs(rules: Rules, day: date, kind: str) -> float | None:
    """Return the flow floor (``minimum``, the highest that holds) or cap (``maximum``, the lowest) of a day [cfs]."""
    limits = [
        limit for limit in rules.flow_limits if limit.kind == kind and limit.holds(day) and _in_season(limit, day)
    ]
    if not limits:
        return None
    name = water_year_type(rules, day)
    flows = [limit.flow_cfs for limit in limits if name in limit.types]
    if not flows:
        return None
    return max(flows) if kind == "minimum" else min(flows)


def _in_season(limit: FlowLimit, day: date) -> bool:
    if limit.season:
        year = season(day.year)
        return year.first <= day <= year.labor_day
    return day.month in limit.months


def stage_ramp_cfs_per_h(ramp: StageRamp, low_cfs: float, high_cfs: float) -> tuple[float, float]:
    """Return the fastest rise and fall of the flow that keep the stage's limits anywhere between two flows [cfs/h].

    The rating curve is steepest in flow per foot where the river is high; the flattest piece between the flows decides.
    Beyond its ends the piece at that end goes on: above the last point that is stricter than any river that widens, so
    a flood never loosens the rule, and never stops a plan either (see ``beyond_curve``).
    """
    pieces = list(zip(pairwise(ramp.stage_ft), pairwise(ramp.flow_cfs), strict=True))
    touched = [piece for piece in pieces if piece[1][1] >= low_cfs and piece[1][0] <= high_cfs]
    touched = touched or [pieces[-1] if low_cfs > ramp.flow_cfs[-1] else pieces[0]]
    slopes = [(b - a) / (top - bottom) for (bottom, top), (a, b) in touched]
    return min(slopes) * ramp.up_ft_per_h, min(slopes) * ramp.down_ft_per_h


def beyond_curve(ramp: StageRamp, low_cfs: float, high_cfs: float) -> str:
    """Return a warning where flows leave the rating curve, empty where they do not."""
    if ramp.flow_cfs[0] <= low_cfs and high_cfs <= ramp.flow_cfs[-1]:
        return ""
    return (
        f"the rating curve covers {ramp.flow_cfs[0]:g} to {ramp.flow_cfs[-1]:g} cfs, flows of {low_cfs:.0f} to"
        f" {high_cfs:.0f} cfs may come; its end pieces were extended"
    )


def with_rules(plant: Plant, inputs: ReservoirInputs) -> ReservoirInputs:
    """Return the intervals with the plant's rafting, flow, ramp and outage rules applied.

    A rafting target or flow floor given in the inputs stays; the higher floor counts. An interval a window touches is
    wanted in full. A flow cap lowers the rafting target with the largest output.

    Raises:
        ConfigError: A rule needs a water-year type for a day that has none.
        InfeasibleError: A flow cap lies below the smallest output of a unit that always runs.
    """
    rules, zone = plant.rules, ZoneInfo(plant.zone)
    step = timedelta(hours=inputs.step_h)
    local_days = [moment.astimezone(zone).date() for moment in inputs.start]
    days = sorted({*local_days, (inputs.start[-1] + step).astimezone(zone).date()})
    maximum = np.minimum(inputs.maximum_mw, _by_day(rules, days, local_days, "maximum", plant))
    _require_room(plant, inputs, maximum)
    raft = np.where(np.isnan(inputs.raft_target_mw), _raft_targets(plant, inputs, days, step), inputs.raft_target_mw)
    up, down, doubts = _ramps(plant, inputs, days)
    used: list[Validity] = [*rules.flow_limits, *rules.stage_ramps, *rules.water_years]
    examples = [f"{type(rule).__name__} from {rule.source!r}" for rule in used if rule.is_example]
    warnings = (f"{len(examples)} rules in use are marked as examples: {examples[0]}",) if examples else ()
    return replace(
        inputs,
        maximum_mw=maximum,
        raft_target_mw=np.minimum(raft, maximum),
        minimum_flow_cfs=np.fmax(inputs.minimum_flow_cfs, _by_day(rules, days, local_days, "minimum", plant)),
        ramp_up_mw_per_h=np.minimum(inputs.ramp_up_mw_per_h, up),
        ramp_down_mw_per_h=np.minimum(inputs.ramp_down_mw_per_h, down),
        available=inputs.available & ~_out(rules, inputs, step),
        warnings=(*inputs.warnings, *warnings, *doubts),
    )


def _require_room(plant: Plant, inputs: ReservoirInputs, maximum_mw: Array) -> None:
    """Refuse a flow cap that a unit which always runs cannot keep."""
    unit = plant.unit
    below = maximum_mw < unit.minimum_mw
    if unit.commitment == "always_on" and below.any():
        hour = int(np.argmax(below))
        cap, least = (float(unit_flow_cfs(unit, mw)) for mw in (maximum_mw[hour], unit.minimum_mw))
        raise InfeasibleError(
            f"{plant.name} cannot keep its licence at {iso(inputs.start[hour])}: a flow cap of {cap:g} cfs is below the"
            f" {least:.0f} cfs of {unit.name}'s smallest output of {unit.minimum_mw:g} MW; raise the cap by"
            f" {least - cap:.0f} cfs, or enter an outage"
        )


def with_rules_of(ruled: ReservoirInputs, many: ReservoirInputs) -> ReservoirInputs:
    """Return scenarios with the rules another reading of the same intervals already carries; see ``with_rules``."""
    maximum = np.minimum(many.maximum_mw, ruled.maximum_mw)
    raft = np.where(np.isnan(many.raft_target_mw), ruled.raft_target_mw, many.raft_target_mw)
    return replace(
        many,
        maximum_mw=maximum,
        raft_target_mw=np.minimum(raft, maximum),
        minimum_flow_cfs=np.fmax(many.minimum_flow_cfs, ruled.minimum_flow_cfs),
    )


def _by_day(rules: Rules, days: list[date], local_days: list[date], kind: str, plant: Plant) -> Array:
    """Return the day's limit for each interval: a floor in cfs (NaN = none), a cap in MW (infinite = none)."""
    none = np.nan if kind == "minimum" else np.inf
    values: dict[date, float] = {}
    for day in days:
        flow = flow_limit_cfs(rules, day, kind)
        if flow is None:
            values[day] = none
        else:
            values[day] = flow if kind == "minimum" else float(unit_mw_for_flow(plant.unit, flow))
    return np.array([values[day] for day in local_days])


def _raft_targets(plant: Plant, inputs: ReservoirInputs, days: list[date], step: timedelta) -> Array:
    targets = np.full(inputs.intervals, np.nan)
    if plant.rules.rafting_target_mw is None:
        return targets
    for window in rafting_windows(plant.rules, ZoneInfo(plant.zone), days):
        for t, begin in enumerate(inputs.start):
            if begin < window.end and begin + step > window.start:
                targets[t] = plant.rules.rafting_target_mw
    return targets


def _ramps(plant: Plant, inputs: ReservoirInputs, days: list[date]) -> tuple[float, float, list[str]]:
    """Return the stage limits as changes of output [MW/h], over all flows the gauge may see, and what is doubtful.

    Infinite without a rule.
    """
    unit, up, down = plant.unit, np.inf, np.inf
    low = float(unit_flow_cfs(unit, unit.minimum_mw) + inputs.tributary_cfs.min())
    high = float(unit_flow_cfs(unit, unit.maximum_mw) + inputs.tributary_cfs.max())
    doubts: list[str] = []
    for ramp in plant.rules.stage_ramps:
        if any(ramp.holds(day) for day in days):
            rise, fall = stage_ramp_cfs_per_h(ramp, low, high)
            up = min(up, rise / unit.head_zones[0].flow_cfs_per_mw)
            down = min(down, fall / unit.head_zones[0].flow_cfs_per_mw)
            doubts += [text for text in (beyond_curve(ramp, low, high),) if text]
    return up, down, doubts


def _out(rules: Rules, inputs: ReservoirInputs, step: timedelta) -> np.ndarray:
    return np.array(
        [any(begin < out.end and begin + step > out.start for out in rules.outages) for begin in inputs.start]
    )
