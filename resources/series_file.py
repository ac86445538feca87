"""``config/series.toml``: planning series, and the vendor series, conversion and gap rule behind each.

Put here: its shape and its errors. Keep out: reading the values (assets) and filling gaps (domain).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import ConfigDict

from domain.errors import ConfigError, InputError
from domain.quality import Believable
from domain.series import PlanningSeries, require_id
from resources.config_files import checked, read_toml


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorSeries:
    """One vendor series a planning series is made from.

    Attributes:
        series: Its id, such as ``pi:OPS/Gauging Stations/R4|Flow:avg1h``.
        scenario: Which variant of it.
        source: Which canonical source may say it, such as ``ercot_api``; empty takes any.
        factor: Multiplies the stored value; stored values already have our units, so this is 1 unless the meaning
            differs (a share, a sign).
        offset: Added after the factor, in the planning series' unit.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    series: str
    scenario: str = "actual"
    source: str = ""
    factor: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRule:
    """What may stand in for a missing value.

    Attributes:
        rule: ``hold`` carries the last known value forward, flagged estimated; ``none`` leaves the gap. Nothing is
            ever filled from a later value.
        longest: Longest gap the rule may fill; a longer one stays.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    rule: Literal["hold", "none"]
    longest: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRule:
    """How one planning series is made.

    Attributes:
        kind: ``mean`` over the step, or ``instant`` on its start.
        step: Length of one step.
        gap: What may stand in for a missing value.
        low: Smallest believable value, in the series' unit.
        high: Largest believable value.
        jump: Largest departure from its neighbours' median that is never a spike; None where the series may jump.
        flat: Longest believable run of one and the same value; None where the series may stand still.
        sources: Vendor series in order of preference: the first with a usable value wins.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    kind: Literal["mean", "instant"]
    step: timedelta
    gap: GapRule
    low: float
    high: float
    sources: tuple[VendorSeries, ...]
    jump: float | None = None
    flat: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRule:
    """Which market a price that a plan earns follows.

    Attributes:
        day_ahead: Planning series of the day-ahead price.
        real_time: Planning series of the real-time price: what comes true.
        zone: Zone of the market's day.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    day_ahead: str
    real_time: str
    zone: ZoneInfo


def load_prices(path: Path) -> Mapping[str, PriceRule]:
    """Return the market behind each price that a plan earns, in the order of the file.

    Raises:
        ConfigError: The file is unreadable, a key is not one, a zone does not exist, or a market's series is not in it.
    """
    tables = _tables(path)
    rules: dict[str, PriceRule] = {}
    for name, table in tables.get("price", {}).items():
        where = f'price."{name}"'
        rule = checked(PriceRule, table, path=path, where=where)
        strange = [series for series in (rule.day_ahead, rule.real_time) if series not in tables["series"]]
        if strange:
            raise ConfigError(f"{path}, [{where}]: {strange[0]} is no series of this file")
        try:
            PlanningSeries.parse(name)
        except InputError as error:
            raise ConfigError(f"{path}, [{where}]: {error}") from None
        rules[name] = rule
    return rules


def load_series(path: Path) -> Mapping[str, SeriesRule]:
    """Return each planning series' rule, in the order of the file.

    Raises:
        ConfigError: The file is unreadable, an id or a key is not one, or a range or a duration makes no sense.
    """
    rules: dict[str, SeriesRule] = {}
    for name, table in _tables(path)["series"].items():
        rule = checked(SeriesRule, table, path=path, where=f'series."{name}"')
        try:
            PlanningSeries.parse(name)
            for source in rule.sources:
                require_id(source.series)
        except InputError as error:
            raise ConfigError(f'{path}, [series."{name}"]: {error}') from None
        _refuse_nonsense(rule, f'{path}, [series."{name}"]')
        rules[name] = rule
    return rules


def believable(rules: Mapping[str, SeriesRule]) -> dict[str, Believable]:
    """Return what is believable of each vendor series behind the rules, in the unit in which it is stored.

    Where several rules read one series, the narrowest of their ranges holds.
    """
    found: dict[str, Believable] = {}
    for rule in rules.values():
        for source in rule.sources:
            ends = [(end - source.offset) / source.factor for end in (rule.low, rule.high)]
            jump = None if rule.jump is None else rule.jump / abs(source.factor)
            one = Believable(low=min(ends), high=max(ends), jump=jump, flat=rule.flat)
            other = found.get(source.series, one)
            found[source.series] = Believable(
                low=max(one.low, other.low),
                high=min(one.high, other.high),
                jump=one.jump if one.jump is not None else other.jump,
                flat=one.flat if one.flat is not None else other.flat,
            )
    return found


def _tables(path: Path) -> Mapping[str, Mapping[str, Any]]:
    tables = read_toml(path)
    if not {"series"} <= set(tables) <= {"series", "price"} or not all(isinstance(t, Mapping) for t in tables.values()):
        raise ConfigError(f'{path} has table(s) {", ".join(tables) or "none"}; write [series."r4.flow.cfs"] and so on')
    return tables


def _refuse_nonsense(rule: SeriesRule, where: str) -> None:
    if not rule.sources:
        raise ConfigError(f"{where}: sources is empty; name at least one vendor series")
    if not (math.isfinite(rule.low) and math.isfinite(rule.high) and rule.low < rule.high):
        raise ConfigError(f"{where}: low {rule.low:g} to high {rule.high:g} is no range")
    if rule.step <= timedelta(0):
        raise ConfigError(f"{where}: step {rule.step} must be above zero")
    if (rule.jump is not None and rule.jump <= 0) or (rule.flat is not None and rule.flat <= timedelta(0)):
        raise ConfigError(f"{where}: jump {rule.jump} and flat {rule.flat} must be above zero, or left out")
    if any(source.factor == 0 for source in rule.sources):
        raise ConfigError(f"{where}: a factor of 0 makes nothing of a source; leave the source out")
    if (rule.gap.longest > timedelta(0)) != (rule.gap.rule == "hold"):
        raise ConfigError(f"{where}: gap rule {rule.gap.rule} does not go with longest {rule.gap.longest}")
