"""Ancillary services that a pool of batteries may offer: dated rules, prices, and the pool itself.

Put here: records and checks of what an offer is made from. Keep out: choosing the offer (solvers/fleet/ancillary.py)
and the rules' numbers (config/ancillary.toml).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

import numpy as np
import polars as pl

from domain.errors import FrameError
from domain.fleet.conditions import PriceGrid, price_grid
from domain.fleet.devices import DEVICE_COLUMNS, check_devices
from domain.instants import CENTRAL

SERVICES: Final = ("REGUP", "REGDN", "RRS", "ECRS", "NSPIN")
"""The services, as ERCOT writes them."""

POOL: Final = "pool"
"""Id of the one battery a pool is planned as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRule:
    """What a service asks for, from a day on.

    Attributes:
        name: One of ``SERVICES``.
        direction: ``up`` gives power (or draws less), ``down`` the other way.
        sustained_h: How long an award must be deliverable from the energy stored, or into the room left [h].
        valid_from: First market day.
        valid_until: First market day on which the rule no longer holds.
        source: Where it comes from.
    """

    name: Literal["REGUP", "REGDN", "RRS", "ECRS", "NSPIN"]
    direction: Literal["up", "down"]
    sustained_h: float
    valid_from: date
    valid_until: date = date.max
    source: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Offering:
    """One service over the horizon.

    Attributes:
        name: One of ``SERVICES``.
        up: Whether it gives power.
        usd_mwh: What a MW held for an hour earns, shape (intervals,).
        sustained_h: The rule of each interval's market day [h].
        deployed: Part of an award expected to be called, 0 to 1.
        sources: Where the rules that apply come from.
    """

    name: str
    up: bool
    usd_mwh: np.ndarray
    sustained_h: np.ndarray
    deployed: np.ndarray
    sources: tuple[str, ...]


def offerings(prices: pl.DataFrame, rules: Sequence[ServiceRule]) -> tuple[PriceGrid, list[Offering]]:
    """Return energy prices and the services that have a price.

    Args:
        prices: ``event_start``, ``price_usd_mwh``; for each service to offer ``<name>_usd_mw`` (per MW and hour), and
            maybe ``<name>_deployed`` (0 to 1; without it none is expected to be called), names in lower case.
        rules: Dated rules; the market day is the local day in Texas.

    Raises:
        FrameError: A column breaks its contract, no service has a price, or a service has no rule for a day.
    """
    grid = price_grid(prices)
    ordered = prices.sort("event_start")
    known = [name for name in SERVICES if f"{name.lower()}_usd_mw" in prices.columns]
    if not known:
        columns = ", ".join(f"{name.lower()}_usd_mw" for name in SERVICES)
        raise FrameError(f"prices have no service to offer; add one or more of {columns}")
    days = grid.starts.dt.convert_time_zone(CENTRAL.key).dt.date().to_list()
    found = []
    for name in known:
        in_force = [_rule(name, day, rules) for day in days]
        deployed = f"{name.lower()}_deployed"
        part = _numbers(ordered, deployed, most=1.0) if deployed in prices.columns else np.zeros(len(days))
        found.append(
            Offering(
                name=name,
                up=in_force[0].direction == "up",
                usd_mwh=_numbers(ordered, f"{name.lower()}_usd_mw"),
                sustained_h=np.array([rule.sustained_h for rule in in_force]),
                deployed=part,
                sources=tuple(dict.fromkeys(f"{rule.sustained_h:g} h: {rule.source}" for rule in in_force)),
            )
        )
    return grid, found


def _rule(name: str, day: date, rules: Sequence[ServiceRule]) -> ServiceRule:
    for rule in rules:
        if rule.name == name and rule.valid_from <= day < rule.valid_until:
            return rule
    spans = ", ".join(f"{rule.valid_from} to {rule.valid_until}" for rule in rules if rule.name == name) or "none"
    raise FrameError(f"no rule says how long {name} must last on {day} (rules hold {spans}); add its dated row")


def _numbers(frame: pl.DataFrame, name: str, *, most: float = np.inf) -> np.ndarray:
    if not (frame.schema[name].is_numeric() or frame.schema[name] == pl.Null):
        raise FrameError(f"prices have {name} of type {frame.schema[name]}; write it as numbers")
    values = frame[name].cast(pl.Float64)
    bad = frame.filter(~(values.is_finite() & (values >= 0) & (values <= most)).fill_null(value=False))
    if bad.height:
        raise FrameError(
            f"prices have {bad.height} row(s) with {name} outside 0 to {most:g}; first: {bad[name][0]}."
            " Supply it; none is ever filled in"
        )
    return values.to_numpy()


def pool_devices(devices: pl.DataFrame) -> tuple[pl.DataFrame, list[dict[str, str]]]:
    """Return a pooled site as one battery, and why some devices cannot be part of it.

    Power, capacity and energy add up; efficiencies are the worst and wear the dearest of the pool. The pool can do no
    less than that only while its devices are alike: it is an upper bound on what a mixed one delivers.

    Args:
        devices: ``DEVICE_COLUMNS``; devices that are away at times, wear by depth or start outside their band are left
            out.

    Raises:
        FrameError: A column is missing, or no device is left.
    """
    good, errors = check_devices(devices)
    start, low, high = (pl.col(f"soc_{name}_kwh") for name in ("start", "min", "max"))
    reasons = {
        "availability is listed; a pool offers what is always there": pl.col("availability").is_not_null(),
        "wears by depth; a pool has no depth of its own": pl.col("wear_depth_usd_per_kwh").is_not_null(),
        "soc_start_kwh is outside its band": (start < low) | (start > high),
    }
    for reason, broken in reasons.items():
        errors += [{"device_id": name, "reason": reason} for name in good.filter(broken)["device_id"]]
        good = good.filter(~broken)
    if good.is_empty():
        raise FrameError(f"no device can be pooled; the first reason: {errors[0] if errors else 'no rows'}")
    added = ("capacity_kwh", "max_charge_kw", "max_discharge_kw")
    energy = ("soc_min_kwh", "soc_max_kwh", "soc_start_kwh", "soc_end_min_kwh")
    pool = good.select(
        device_id=pl.lit(POOL),
        **{name: pl.col(name).sum() for name in (*added, *energy)},
        **{name: pl.col(name).min() for name in ("charge_efficiency", "discharge_efficiency")},
        wear_usd_per_kwh=pl.col("wear_usd_per_kwh").max(),
    )
    empty = [pl.lit(None, dtype).alias(name) for name, dtype in DEVICE_COLUMNS.items() if name not in pool.columns]
    return pool.with_columns(empty).select(*DEVICE_COLUMNS), errors
