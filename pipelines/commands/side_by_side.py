"""Plans side by side as lines of text.

Put here: what is printed of a comparison. Keep out: options (afterbay.py), the comparison (solvers, resources).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

_COLUMNS: Final = (("inflow_cfs", 7, 0), ("setpoint_mw", 7, 2), ("elevation_ft", 8, 2), ("spill_cfs", 7, 0))


def inputs_told(rows: list[dict[str, Any]], zone: ZoneInfo) -> list[str]:
    """Return which inputs differ, in how many hours, and their means there."""
    lines = []
    for row in rows:
        means = "" if row["mean_a"] is None else f", mean {row['mean_a']:.1f} -> {row['mean_b']:.1f}"
        first = row["first_hour"].astimezone(zone)
        lines.append(f"  {row['column']} differs in {row['hours']} h from {first:%a %d %b %H:%M}{means}")
    return ["inputs:", *lines] if lines else ["inputs: the same"]


def hours_told(rows: list[dict[str, Any]], zone: ZoneInfo) -> list[str]:
    """Return the hours in which the plans differ, one line each."""
    head = "hour             inflow cfs        setpoint MW       level ft            spill cfs"
    lines = []
    for row in rows:
        moved = any(abs(row[f"{name}_change"]) > 5e-3 for name in ("setpoint_mw", "elevation_ft", "spill_cfs"))  # noqa: PLR2004 - what the columns show
        if not moved:
            continue
        local = row["event_start"].astimezone(zone)
        cells = [
            f"{row[f'{name}_a']:{width}.{digits}f} {row[f'{name}_b']:{width}.{digits}f}"
            for name, width, digits in _COLUMNS
        ]
        lines.append(f"{local:%a %d %b %H:%M}  {'   '.join(cells)}")
    return [head, *lines] if lines else ["the plans do not differ in any hour"]


def dollars_told(dollars: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return the terms of both objectives and their change [USD]; terms that are nil in both are left out."""
    shown = {name: pair for name, pair in dollars.items() if any(abs(value) > 5e-3 for value in pair)}  # noqa: PLR2004 - half a cent
    return ["USD                          A          B     change"] + [
        f"{name.removesuffix('_usd'):20} {a:10,.2f} {b:10,.2f} {b - a:+10,.2f}" for name, (a, b) in shown.items()
    ]
