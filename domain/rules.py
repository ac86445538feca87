"""Dated rules of the licence, the rafters and the maintenance crew, as records.

Put here: what a rule may say, with its validity. Keep out: dates computed from rules (domain/rule_calendar.py) and
numbers (a plant file carries them; the licence's own tables differ by year and are data, never code).

Days are local calendar days of the plant; ``until`` is the first day on which a rule no longer holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import pairwise
from typing import Final, Literal

from domain.errors import ConfigError

WATER_YEAR_TYPES: Final = ("Wet", "Above Normal", "Below Normal", "Dry", "Critical", "Extreme Critical")
"""Wettest first, as the licence names them (DWR Bulletin 120, unimpaired inflow to Folsom)."""

WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

EXAMPLE: Final = "EXAMPLE"
"""How the source of a rule begins that an operator must replace before relying on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """The days on which a rule holds: from the first, before the last; and where the rule comes from.

    >>> Validity(valid_from=date(2025, 5, 1), valid_until=date(2026, 5, 1)).holds(date(2026, 5, 1))
    False
    """

    valid_from: date = date.min
    valid_until: date = date.max
    source: str = ""

    @property
    def is_example(self) -> bool:
        """Whether the rule is marked as an example to be replaced."""
        return self.source.startswith(EXAMPLE)

    def holds(self, day: date) -> bool:
        """Return whether the rule holds on ``day``."""
        return self.valid_from <= day < self.valid_until


@dataclass(frozen=True, slots=True, kw_only=True)
class WaterYear(Validity):
    """The water-year type that holds over a span of days."""

    type: str

    def __post_init__(self) -> None:
        """Refuse a type the licence does not know."""
        _known_type(self.type)


@dataclass(frozen=True, slots=True, kw_only=True)
class RaftingWindow(Validity):
    """Hours of rafting release on some weekdays of one part of the season, for one water-year type.

    Attributes:
        type: Water-year type.
        season: ``main`` from the season's start to Labor Day, ``late`` from the day after it.
        days: Weekdays.
        start: Local clock time at which the flow is full.
        end: Local clock time at which it may fall again.
    """

    type: str
    season: Literal["main", "late"]
    days: tuple[str, ...]
    start: time
    end: time

    def __post_init__(self) -> None:
        """Refuse unknown types and weekdays, and windows that end before they start."""
        _known_type(self.type)
        for day in self.days:
            if day not in WEEKDAYS:
                raise ConfigError(f"{day!r} is no weekday; write {', '.join(WEEKDAYS)}")
        if self.start >= self.end:
            raise ConfigError(f"a rafting window from {self.start} to {self.end} is empty; start must be before end")


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyRelease:
    """A release agreed for one day, in place of that day's ordinary window."""

    day: date
    start: time
    end: time
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowLimit(Validity):
    """A flow floor or cap at the compliance gauge, by month and water-year type.

    Attributes:
        kind: ``minimum`` is measured downstream (unit + spill + R26 + R10); ``maximum`` caps the unit's own release.
        types: Water-year types it holds in.
        months: Months it holds in, 1 to 12; ignored where ``season`` is given.
        season: ``summer`` = Memorial Day weekend to Labor Day, computed for any year; empty = by months.
        flow_cfs: The limit [cfs].
    """

    kind: Literal["minimum", "maximum"]
    types: tuple[str, ...]
    months: tuple[int, ...] = ()
    season: Literal["", "summer"] = ""
    flow_cfs: float

    def __post_init__(self) -> None:
        """Refuse unknown types, months outside the calendar and a limit that never holds."""
        for name in self.types:
            _known_type(name)
        if any(not 1 <= month <= 12 for month in self.months):  # noqa: PLR2004 - the months of a year
            raise ConfigError(f"months {list(self.months)} are not all within 1 to 12")
        if not self.months and not self.season:
            raise ConfigError("a flow limit needs months or a season; without either it would never hold")
        if self.flow_cfs < 0:
            raise ConfigError(f"a flow limit of {self.flow_cfs:g} cfs is below zero")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRamp(Validity):
    """How fast the river may rise and fall at the gauge below, and the rating curve that turns stage into flow.

    Attributes:
        up_ft_per_h: Fastest rise [ft/h].
        down_ft_per_h: Fastest fall [ft/h].
        stage_ft: Points of the rating curve, rising [ft].
        flow_cfs: Flow at those points, rising [cfs].
    """

    up_ft_per_h: float
    down_ft_per_h: float
    stage_ft: tuple[float, ...]
    flow_cfs: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse a rating curve that does not rise, and rates that are not above zero."""
        for name, points in (("stage_ft", self.stage_ft), ("flow_cfs", self.flow_cfs)):
            if len(points) <= 1 or any(b <= a for a, b in pairwise(points)):  # a line has two ends
                raise ConfigError(f"{name} of a rating curve needs two or more rising points, has {list(points)}")
        if len(self.stage_ft) != len(self.flow_cfs):
            raise ConfigError(f"a rating curve has {len(self.stage_ft)} stages and {len(self.flow_cfs)} flows")
        if min(self.up_ft_per_h, self.down_ft_per_h) <= 0:
            raise ConfigError("up_ft_per_h and down_ft_per_h must be above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A span in which the unit cannot run: aware instants, half-open."""

    start: datetime
    end: datetime
    reason: str = ""

    def __post_init__(self) -> None:
        """Refuse naive instants and an outage that ends before it starts."""
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ConfigError(f"outage {self.start} to {self.end}: write both times with an offset")
        if self.start >= self.end:
            raise ConfigError(f"outage {self.start} to {self.end} is empty; start must be before end")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All dated rules of a plant.

    Attributes:
        rafting_target_mw: Output wanted in a rafting window [MW]; the head cap may keep it lower.
        water_years: Which water-year type holds when.
        rafting: Windows by type and season.
        early_releases: Agreed single days.
        flow_limits: Floors and caps by month and type.
        stage_ramps: Limits on the river's rise and fall.
        outages: Spans without the unit.
    """

    rafting_target_mw: float | None = None
    water_years: tuple[WaterYear, ...] = ()
    rafting: tuple[RaftingWindow, ...] = ()
    early_releases: tuple[EarlyRelease, ...] = ()
    flow_limits: tuple[FlowLimit, ...] = ()
    stage_ramps: tuple[StageRamp, ...] = ()
    outages: tuple[Outage, ...] = ()


def _known_type(name: str) -> None:
    if name not in WATER_YEAR_TYPES:
        raise ConfigError(f"{name!r} is no water-year type; known: {', '.join(WATER_YEAR_TYPES)}")
