"""The closed table of units, the names vendors use for them, and the conversions between them.

Put here: a unit, an alias, a factor with its source. Keep out: anything that guesses a unit.
"""

from __future__ import annotations

from typing import Final

from domain.errors import UnitError

UNITS: Final = frozenset({"MW", "kW", "kWh", "MWh", "USD", "USD/MWh", "USD/MW", "cfs", "af", "ft", "degC", "1"})
"""Every unit a stored number may have. ``USD/MW`` is a capacity price per MW per hour; ``1`` is dimensionless."""

CFS_PER_M3S: Final = 35.314666721488590
"""Cubic feet in a cubic metre (international foot of 0.3048 m): 1 / 0.3048**3."""

AF_PER_CFS_HOUR: Final = 3600.0 / 43560.0
"""Acre-feet that one cfs delivers in an hour: an acre-foot is 43,560 cubic feet."""

_FACTORS: Final[dict[str, tuple[str, float]]] = {
    # what a vendor writes, lower case -> (our unit, factor)
    "mw": ("MW", 1.0),
    "megawatt": ("MW", 1.0),
    "megawatts": ("MW", 1.0),
    "kw": ("kW", 1.0),
    "kwh": ("kWh", 1.0),
    "mwh": ("MWh", 1.0),
    "usd/mwh": ("USD/MWh", 1.0),
    "$/mwh": ("USD/MWh", 1.0),
    "usd/mw": ("USD/MW", 1.0),
    "$/mw": ("USD/MW", 1.0),
    "cfs": ("cfs", 1.0),
    "ft3/s": ("cfs", 1.0),
    "ft^3/s": ("cfs", 1.0),
    "kcfs": ("cfs", 1000.0),
    "cms": ("cfs", CFS_PER_M3S),
    "m3/s": ("cfs", CFS_PER_M3S),
    "af": ("af", 1.0),
    "acre_ft": ("af", 1.0),
    "acre-ft": ("af", 1.0),
    "acre-feet": ("af", 1.0),
    "taf": ("af", 1000.0),
    "ft": ("ft", 1.0),
    "feet": ("ft", 1.0),
    "degc": ("degC", 1.0),
    "°c": ("degC", 1.0),
    "1": ("1", 1.0),
    "": ("1", 1.0),
}


def to_canonical(unit: str) -> tuple[str, float]:
    """Return our unit and the factor that brings a value in ``unit`` to it.

    Args:
        unit: A vendor's name of a unit, in any case.

    Raises:
        UnitError: The name is not in the table. A unit is never guessed.

    >>> to_canonical("kcfs")
    ('cfs', 1000.0)
    """
    try:
        return _FACTORS[unit.strip().lower()]
    except KeyError:
        known = ", ".join(sorted(_FACTORS)[1:])
        raise UnitError(f"unknown unit {unit!r}; known: {known}. Add it to domain/units.py with its source") from None
