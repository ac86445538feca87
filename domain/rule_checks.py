"""What dated rules must satisfy together: one type for every day, no window twice, nothing the unit cannot do.

Put here: checks across the rules of a plant. Keep out: checks of one rule alone (its record in domain/rules.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from domain.hydraulics import unit_flow_cfs
from domain.plant import Plant
from domain.rules import Rules, Validity


def rule_problems(plant: Plant) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a plant's rules: (dotted key, sentence) pairs; a number in a key counts from 0."""
    rules = plant.rules
    for table in ("water_years", "rafting", "flow_limits", "stage_ramps"):
        yield from _spans(table, getattr(rules, table))
    yield from _water_years(rules)
    yield from _releases(rules)
    yield from _windows(rules)
    yield from _abilities(plant)


def rule_warnings(plant: Plant) -> Iterator[tuple[str, str]]:
    """Yield what can be planned with but is probably not meant: (dotted key, sentence) pairs."""
    largest = float(unit_flow_cfs(plant.unit, plant.unit.maximum_mw))
    for number, limit in enumerate(plant.rules.flow_limits):
        if limit.kind == "minimum" and limit.flow_cfs > largest:
            yield (
                f"rules.flow_limits.{number}",
                (
                    f"a floor of {limit.flow_cfs:g} cfs is above the {largest:.0f} cfs the unit passes at its largest"
                    " output: only tributaries or spill could meet it"
                ),
            )


def _spans(table: str, rules: tuple[Validity, ...]) -> Iterator[tuple[str, str]]:
    for number, rule in enumerate(rules):
        if rule.valid_from >= rule.valid_until:
            yield (
                f"rules.{table}.{number}.valid_until",
                f"{rule.valid_until} is not after valid_from {rule.valid_from}: the rule would never hold",
            )


def _water_years(rules: Rules) -> Iterator[tuple[str, str]]:
    """Name days that two types claim or none: any of the rules would fail on them."""
    years = sorted(enumerate(rules.water_years), key=lambda pair: (pair[1].valid_from, pair[1].valid_until))
    for (_, before), (number, after) in pairwise(years):
        if after.valid_from < before.valid_until:
            text = f"overlaps the one before: both hold from {after.valid_from} to {before.valid_until}; bound one"
            yield f"rules.water_years.{number}", text
        elif after.valid_from > before.valid_until:
            text = f"no type holds from {before.valid_until} to {after.valid_from}; let one begin where the other ends"
            yield f"rules.water_years.{number}", text


def _releases(rules: Rules) -> Iterator[tuple[str, str]]:
    seen: dict[object, int] = {}
    for number, release in enumerate(rules.early_releases):
        key = f"rules.early_releases.{number}"
        if release.start >= release.end:
            yield key, f"a release from {release.start} to {release.end} is empty; start must be before end"
        if release.day in seen:
            yield key, f"{release.day} has a release already, number {seen[release.day] + 1}; keep one"
        seen.setdefault(release.day, number)


def _windows(rules: Rules) -> Iterator[tuple[str, str]]:
    """Name windows of which only the first would ever count."""
    for number, window in enumerate(rules.rafting):
        for earlier, other in enumerate(rules.rafting[:number]):
            days = [day for day in window.days if day in other.days]
            alike = window.type == other.type and window.season == other.season
            if alike and days and window.valid_from < other.valid_until and other.valid_from < window.valid_until:
                yield (
                    f"rules.rafting.{number}",
                    (
                        f"{', '.join(days)} of {window.type}, {window.season}, have a window already, number"
                        f" {earlier + 1}; keep one, or bound their validity"
                    ),
                )
                break


def _abilities(plant: Plant) -> Iterator[tuple[str, str]]:
    """Name what is asked of the unit that it cannot do."""
    unit, rules = plant.unit, plant.rules
    target = rules.rafting_target_mw
    if target is not None and not unit.minimum_mw <= target <= unit.maximum_mw:
        yield (
            "rules.rafting_target_mw",
            f"{target:g} MW is no output of {unit.name}, which gives {unit.minimum_mw:g} to {unit.maximum_mw:g} MW",
        )
    least = float(unit_flow_cfs(unit, unit.minimum_mw)) if unit.head_zones else 0.0
    for number, limit in enumerate(rules.flow_limits):
        if limit.kind == "maximum" and limit.flow_cfs < least and unit.commitment == "always_on":
            yield (
                f"rules.flow_limits.{number}.flow_cfs",
                (
                    f"a cap of {limit.flow_cfs:g} cfs is below the {least:.0f} cfs of the smallest output"
                    f' {unit.minimum_mw:g} MW of a unit that always runs; raise it, or allow commitment = "on_off"'
                ),
            )
