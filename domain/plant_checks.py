"""What a plant's numbers must satisfy together, and the setting of single numbers for a run.

Put here: checks across records, and ``with_settings`` behind ``--set key=value``. Keep out: checks of one number alone
(its ``Between`` in domain/plant.py) and reading of files (resources/plant_files.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from itertools import pairwise
from math import isfinite
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain.errors import ConfigError
from domain.plant import BALANCE_TERMS, MODES, Between, Plant
from domain.rule_checks import rule_problems, rule_warnings

SETTABLE: Final = ("storage", "pool", "unit", "upstream", "balance", "weights", "bias")
"""Tables whose numbers a run may override."""

SHARE_TOLERANCE: Final = 1e-6
PRICE_AT_WHICH_SPILL_MUST_HURT_USD_MWH: Final = 150.0
"""The lowest price the CAISO market has a floor at, as a positive number [USD/MWh]."""


def plant_problems(plant: Plant) -> list[tuple[str, str]]:
    """Return what is wrong with a plant as a whole: (dotted key, sentence) pairs, none if it can be planned with."""
    own = [*_zone(plant), *_pool(plant), *_unit(plant), *_upstream(plant), *_balance(plant)]
    return [*own, *rule_problems(plant)]


def _zone(plant: Plant) -> Iterator[tuple[str, str]]:
    try:
        ZoneInfo(plant.zone)
    except (ZoneInfoNotFoundError, ValueError):
        yield "zone", f"{plant.zone!r} is no IANA time zone; write one such as America/Los_Angeles"


def _pool(plant: Plant) -> Iterator[tuple[str, str]]:
    curve, pool = plant.storage, plant.pool
    if curve.valid_from_ft <= curve.vertex_ft:
        yield (
            "storage.valid_from_ft",
            f"{curve.valid_from_ft:g} ft is not above the parabola's vertex at {curve.vertex_ft:.2f} ft",
        )
    if not curve.valid_from_ft < curve.valid_to_ft:
        yield "storage.valid_to_ft", f"{curve.valid_to_ft:g} ft is not above valid_from_ft {curve.valid_from_ft:g} ft"
    levels = (curve.valid_from_ft, pool.minimum_ft, pool.usual_float_ft, pool.maximum_ft, curve.valid_to_ft)
    names = (
        "storage.valid_from_ft",
        "pool.minimum_ft",
        "pool.usual_float_ft",
        "pool.maximum_ft",
        "storage.valid_to_ft",
    )
    for (low_name, low), (name, high) in zip(
        zip(names, levels, strict=True), list(zip(names, levels, strict=True))[1:], strict=False
    ):
        if low > high:
            yield (
                name,
                f"{high:g} ft is below {low_name} = {low:g} ft; levels must rise in this order: {', '.join(names)}",
            )
    if pool.minimum_ft + pool.low_buffer_ft >= pool.usual_float_ft - pool.float_buffer_ft:
        yield (
            "pool.low_buffer_ft",
            "minimum plus low buffer reaches the float less its buffer: no band is left to plan in",
        )


def _unit(plant: Plant) -> Iterator[tuple[str, str]]:
    unit = plant.unit
    if unit.minimum_mw >= unit.maximum_mw:
        yield "unit.minimum_mw", f"{unit.minimum_mw:g} MW is not below maximum_mw {unit.maximum_mw:g} MW"
    if not unit.head_zones:
        yield "unit.head_zones", "at least one head zone is needed: it says how much water a MW takes"
    starts = [zone.from_ft for zone in unit.head_zones]
    if any(b <= a for a, b in pairwise(starts)):
        yield "unit.head_zones", f"from_ft must rise from zone to zone, has {starts}"
    if unit.commitment == "always_on" and unit.startup_usd:
        yield "unit.startup_usd", 'an always_on unit is never started by the plan; set 0, or commitment = "on_off"'
    if unit.commitment == "always_on" and len(unit.head_zones) > 1:
        yield "unit.head_zones", 'more than one head zone needs commitment = "on_off" (planned by dynamic programme)'
    cap = unit.head_cap_mw_per_ft * plant.pool.minimum_ft + unit.head_cap_offset_mw
    if cap < unit.minimum_mw:
        yield (
            "unit.head_cap_offset_mw",
            f"the head cap at the minimum level is {cap:.2f} MW, below minimum_mw {unit.minimum_mw:g}",
        )


def _upstream(plant: Plant) -> Iterator[tuple[str, str]]:
    total = plant.upstream.middle_fork_share + plant.upstream.ralston_share
    if abs(total - 1.0) > SHARE_TOLERANCE:
        yield "upstream.ralston_share", f"middle_fork_share + ralston_share is {total:g}, must be 1"


def _balance(plant: Plant) -> Iterator[tuple[str, str]]:
    balance = plant.balance
    if balance.form not in balance.forms:
        yield "balance.form", f"{balance.form!r} is not among the forms given: {', '.join(balance.forms) or 'none'}"
    for form, modes in balance.forms.items():
        for mode in MODES:
            if mode not in modes:
                yield f"balance.forms.{form}", f"has no terms for mode {mode}; give both {' and '.join(MODES)}"
        for mode, terms in modes.items():
            for term in terms:
                if term not in BALANCE_TERMS:
                    yield (
                        f"balance.forms.{form}.{mode}",
                        f"unknown term {term!r}; known: {', '.join(BALANCE_TERMS)}",
                    )


def plant_warnings(plant: Plant) -> Iterator[tuple[str, str]]:
    """Yield what can be planned with but is probably not meant: (dotted key, sentence) pairs."""
    needed = PRICE_AT_WHICH_SPILL_MUST_HURT_USD_MWH * plant.weights.energy_mwh_per_af
    if plant.weights.spill_usd_per_af < needed:
        text = (
            f"{plant.weights.spill_usd_per_af:g} USD/af does not beat a price of"
            f" -{PRICE_AT_WHICH_SPILL_MUST_HURT_USD_MWH:g} USD/MWh ({needed:.1f} USD/af): water would be wasted"
        )
        yield "weights.spill_usd_per_af", text
    yield from rule_warnings(plant)


def settings_of(plant: Plant) -> dict[str, Any]:
    """Return every number a run may override, by dotted key, with its present value."""
    found: dict[str, Any] = {}
    for table in SETTABLE:
        record = getattr(plant, table)
        for item in fields(record):
            value = getattr(record, item.name)
            if value is None or isinstance(value, int | float | str):
                found[f"{table}.{item.name}"] = value
    return found


def full_key(known: Mapping[str, Any], key: str) -> str:
    """Return the dotted key that ``key``, dotted or bare, names.

    Raises:
        ConfigError: None or several have that name; the message lists those there are.
    """
    matches = [name for name in known if name == key or name.split(".", 1)[1] == key]
    if len(matches) != 1:
        raise ConfigError(f"unknown setting {key!r}; known: {', '.join(sorted(known))}")
    return matches[0]


def with_settings(plant: Plant, settings: Mapping[str, str | float]) -> Plant:
    """Return the plant with some numbers replaced; the plant handed in stays as it is.

    Args:
        plant: The plant.
        settings: ``table.key`` or, where only one table has it, ``key`` -> value as text or number.

    Raises:
        ConfigError: A key is unknown (the message lists the known ones), a value is no number, lies outside its
            limits or contradicts the rest of the plant.
    """
    known = settings_of(plant)
    for key, text in settings.items():
        table, name = full_key(known, key).split(".", 1)
        record = getattr(plant, table)
        value = _converted(type(record), name, text)
        plant = replace(plant, **{table: replace(record, **{name: value})})
    if settings and (problems := plant_problems(plant)):
        raise ConfigError("; ".join(f"{key}: {text}" for key, text in problems))
    return plant


def _converted(record: type, name: str, text: str | float) -> str | float:
    hint = get_type_hints(record, include_extras=True)[name]
    choices = get_args(hint) if str(get_origin(hint)) == "typing.Literal" else ()
    if choices or hint is str:
        if choices and text not in choices:
            raise ConfigError(f"{name} is {text!r}; choose from {', '.join(map(str, choices))}")
        return str(text)
    try:
        number = float(text)
    except ValueError:
        raise ConfigError(f"{name} is {text!r}, which is no number") from None
    if (problem := range_problem(hint, number)) is not None:
        raise ConfigError(f"{name} is {number:g}; {problem}")
    return number


def range_problem(hint: Any, number: float) -> str | None:  # noqa: ANN401 - a type annotation has no narrower type
    """Return the rule a number breaks, or None: finite, and within the ``Between`` of its annotation."""
    if not isfinite(number):
        return "it must be a finite number"
    limits = [m for m in get_args(hint) if isinstance(m, Between)] if get_origin(hint) is Annotated else []
    for limit in limits:
        if not limit.low <= number <= limit.high:
            upper = "" if limit.high == float("inf") else f" and at most {limit.high:g}"
            lower = "above 0" if 0 < limit.low < SHARE_TOLERANCE else f"at least {limit.low:g}"
            return f"it must be {lower}{upper}"
    return None


def is_record(kind: object) -> bool:
    """Return whether a type is one of the plant's records."""
    return isinstance(kind, type) and is_dataclass(kind)
