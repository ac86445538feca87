"""Ramps inside an interval: how long a move takes, when it must begin, what it averages to.

Put here: the arithmetic between a setpoint's time and the output at an interval's end. Keep out: the walk through time.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import numpy as np

from domain.hydraulics import Array

FULL_RAMP: Final = 1.0 - 1e-6
"""Share of the ramp limit from which an interval counts as ramping throughout."""


def ramp_minutes(from_mw: float, to_mw: float, ramp_mw_per_h: float) -> float:
    """Return how long a move takes [min].

    >>> round(ramp_minutes(0.8, 5.8, 2.52), 2)
    119.05
    """
    return abs(to_mw - from_mw) / ramp_mw_per_h * 60.0


def latest_start(deadline: datetime, from_mw: float, to_mw: float, ramp_mw_per_h: float) -> datetime:
    """Return the latest instant at which a move may begin and still be complete at the deadline.

    >>> latest_start(datetime(2025, 7, 8, 16), 0.8, 5.8, 2.52).isoformat(timespec="minutes")
    '2025-07-08T14:00'
    """
    return deadline - timedelta(minutes=ramp_minutes(from_mw, to_mw, ramp_mw_per_h))


def late_ramp_mean_mw(before_mw: Array | float, end_mw: Array | float, ramp_mw_per_h: float, step_h: float) -> Array:
    """Return the mean output of an interval whose move begins as late as possible [MW].

    The unit stands at ``before`` until tau before the end, then moves in a straight line:
    before + (tau / 2 step) (end - before), quadratic in the move. The plan's own mean is half of both ends; the
    difference inside an hour is at most a quarter of the move, 0.06 ft of level.

    >>> float(late_ramp_mean_mw(2.0, 3.26, 2.52, 1.0))
    2.315
    """
    move = np.asarray(end_mw, dtype=np.float64) - before_mw
    tau_h = np.minimum(np.abs(move) / ramp_mw_per_h, step_h)
    return before_mw + tau_h / (2.0 * step_h) * move


def setpoint_changes(
    start: tuple[datetime, ...],
    step_h: float,
    end_mw: Array,
    start_mw: float,
    ramp_up_mw_per_h: Array,
    ramp_down_mw_per_h: Array,
    *,
    deadband_mw: float,
) -> list[datetime | None]:
    """Return, for each interval, when its setpoint must be entered at the latest, None where nothing changes.

    Up and down alike: the end of the interval less the time the move takes. A move that ramps through several
    intervals is entered once, where it begins. Times are rounded down to the
    second. Moves below the deadband are not announced until they add up to it.

    Args:
        start: Start of each interval.
        step_h: Length of each interval [h].
        end_mw: Output at each interval's end [MW].
        start_mw: Output before the first interval [MW].
        ramp_up_mw_per_h: Fastest rise by interval [MW/h].
        ramp_down_mw_per_h: Fastest fall by interval [MW/h].
        deadband_mw: Smallest change worth entering [MW].
    """
    changes: list[datetime | None] = []
    step = timedelta(hours=step_h)
    before = announced = start_mw
    ramping = 0.0
    for t, (begin, wanted) in enumerate(zip(start, end_mw.tolist(), strict=True)):
        move = wanted - before
        rate = float(ramp_up_mw_per_h[t] if move > 0 else ramp_down_mw_per_h[t])
        whole = abs(move) >= rate * step_h * FULL_RAMP
        continues = whole and ramping * move > 0
        if abs(wanted - announced) > deadband_mw:
            begins = latest_start(begin + step, before, wanted, rate).replace(microsecond=0)
            changes.append(None if continues else max(begin, begins))
            announced = wanted
        else:
            changes.append(None)
        ramping = move if abs(move) > deadband_mw else 0.0
        before = wanted
    return changes
