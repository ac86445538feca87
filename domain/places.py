"""Places: the levels at which series lie, as dimensions of their ids.

A grid has regions, a region has nodes; a site has devices. The levels are parts of a series' id, so a filter by level
is a list of globs, and every read that takes a pattern takes it. Put here: which part of which id is which level. Keep
out: reading (resources/lake).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

from domain.errors import InputError

LEVELS: Final = ("grid", "region", "node", "site", "device")

SHAPES: Final = (
    "{grid:grid*}:{region:*}:{node:*}",
    "{grid:ercot}:spp_rt:{node:*}:*",
    "{grid:ercot}:spp_da:{node:*}",
    "{grid:caiso}:lmp_*:{node:*}:*",
    "{site:site*}:{device:*}",
    "{site:*}.*.*",
    "device:{device:*}:*",
)
"""Shapes of ids: ``{level:what may stand there}`` and fixed parts, both with wildcards."""

_LEVEL: Final = re.compile(r"\{(\w+):([^}]*)\}")


def globs(where: Mapping[str, str]) -> list[str]:
    """Return the patterns of all series at a place.

    Args:
        where: Level -> name; what is not named may be anything.

    Raises:
        InputError: No id has such levels.

    >>> globs({"region": "region2", "grid": "grid1"})
    ['grid1:region2:*']
    >>> globs({"node": "HB_NORTH", "grid": "ercot"})
    ['ercot:spp_rt:HB_NORTH:*', 'ercot:spp_da:HB_NORTH']
    """
    found = [glob for shape in SHAPES if (glob := _filled(shape, where)) is not None]
    if not where or not found:
        asked = ", ".join(f"{level}={name}" for level, name in where.items()) or "nothing"
        raise InputError(f"no series lies at {asked}; levels: {', '.join(LEVELS)}, such as region=region2")
    return found


def _filled(shape: str, where: Mapping[str, str]) -> str | None:
    """Return a shape as a glob; None where it lacks a level or its level has other names."""
    may_be = dict(_LEVEL.findall(shape))
    if any(level not in may_be or not fnmatchcase(name, may_be[level]) for level, name in where.items()):
        return None
    return _LEVEL.sub(lambda part: where.get(part[1], part[2]), shape)
