"""From a service's name to its parser.

Put here: the closed list of services. Keep out: what any of them sends.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from importlib import import_module
from typing import Final

import polars as pl

from domain.beliefs import CANONICAL
from domain.errors import FrameError, InputError, PayloadError
from resources.payloads import Facts
from resources.payloads.envelope import short_name

SERVICES: Final = ("pi", "ercot", "yes", "caiso", "cnrfc", "hydroforecast", "awards")
"""Services whose payloads become rows; each has a module of its name here with ``parse(payload, facts)``."""


_STRANGE_SHAPES: Final = (
    *(ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError),
    *(csv.Error, pl.exceptions.PolarsError),
)
"""What a parser stumbles over when a payload is whole but nowhere near its contract, such as a text for a list."""


def parse(service: str, payload: bytes, facts: Facts) -> pl.DataFrame:
    """Return the canonical rows of one payload.

    Args:
        service: One of `SERVICES`.
        payload: The vendor's bytes, as fetched.
        facts: What is known besides them.

    Raises:
        InputError: The service is none of ours, or the payload breaks its contract (PayloadError, TimeError,
            UnitError, FrameError, all of which are InputErrors).
    """
    if service not in SERVICES:
        raise InputError(f"no service {service!r}; known: {', '.join(SERVICES)}")
    parser: Callable[[bytes, Facts], pl.DataFrame] = import_module(f"resources.payloads.{service}").parse
    try:
        rows = parser(payload, facts)
    except _STRANGE_SHAPES as error:
        what = short_name(facts.name, f"{service} payload")
        told = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise PayloadError(f"{what} has not the shape that {service} promises ({told})") from error
    if rows.columns != list(CANONICAL):
        raise FrameError(f"the parser of {service} returned the columns {', '.join(rows.columns)}")
    return rows
