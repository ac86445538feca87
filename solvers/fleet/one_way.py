"""From schedules that share intervals to schedules that do not.

Put here: which devices must be planned again in strict mode, and doing so. Keep out: the recursion (strict.py).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from solvers.fleet.instance import Fleet
from solvers.fleet.kernel import ED, HI, INV_EC
from solvers.fleet.response import Schedule, Signal, spread
from solvers.fleet.strict import respond_strictly
from solvers.fleet.whole import Whole

BOTH_KW: Final = 1e-9
"""Charging and discharging both above this share an interval."""

CHUNK_DEVICES: Final = 64
"""Devices a thread plans again at once."""


def sharing(plan: Schedule) -> np.ndarray:
    """Return the slots whose schedule charges and discharges within one interval."""
    return np.flatnonzero((np.minimum(plan.charge, plan.discharge) > BOTH_KW).any(axis=0))


def strict_response(fleet: Fleet, signal: Signal, slots: np.ndarray, *, threads: int) -> tuple[Schedule, np.ndarray]:
    """Return the best schedules of the devices in ``slots`` that do one thing at a time, and which were found."""
    plan = Schedule.empty(fleet.intervals, len(slots))
    solved = np.zeros(len(slots), dtype=np.bool_)
    row_of = np.full(len(fleet.start), -1)
    row_of[signal.blocks] = np.arange(len(signal.blocks))
    rows = row_of[np.searchsorted(fleet.stop, slots, side="right")]
    price = signal.price[rows]
    room = fleet.share[:, slots] if len(fleet.share) else np.ones((fleet.intervals, len(slots)))
    parts = [slice(first, first + CHUNK_DEVICES) for first in range(0, len(slots), CHUNK_DEVICES)]

    def run(which: slice) -> None:
        for part in parts[which]:
            each, solved[part] = respond_within(
                fleet, slots[part], price[part], signal.end_value, (room[:, part], room[:, part])
            )
            plan.charge[:, part], plan.discharge[:, part], plan.soc[:, part] = each.charge, each.discharge, each.soc

    spread(run, len(parts), threads)
    for k in np.flatnonzero(fleet.deep[slots]):
        whole = Whole(fleet, slots[k : k + 1], price[k : k + 1], end_value=signal.end_value).solve_strictly(0.0)
        put(plan, np.array([k]), whole.plan, np.ones(1, dtype=np.bool_))
        solved[k] = True
    return plan, solved


def put(plan: Schedule, slots: np.ndarray, other: Schedule, which: np.ndarray) -> None:
    """Write those columns of another schedule that ``which`` marks into the slots they belong to."""
    mine = slots[which]
    plan.charge[:, mine], plan.discharge[:, mine] = other.charge[:, which], other.discharge[:, which]
    plan.soc[:, mine] = other.soc[:, which]


def respond_within(
    fleet: Fleet,
    slots: np.ndarray,
    price: np.ndarray,
    end_value: float,
    rooms: tuple[np.ndarray, np.ndarray],
    held: np.ndarray | None = None,
) -> tuple[Schedule, np.ndarray]:
    """Return strict schedules within parts of the power, and which were found.

    Args:
        fleet: The devices.
        slots: Which of them.
        price: Of each [USD/kWh], shape (slots, intervals).
        end_value: Worth of energy stored at the end [USD/kWh].
        rooms: Parts of charging and of discharging power, each of shape (intervals, slots).
        held: Reward for energy kept through an interval [USD/kWh stored], shape (slots, intervals); None for none.
    """
    each = Schedule.empty(fleet.intervals, len(slots))
    found = np.zeros(len(slots), dtype=np.bool_)
    room_in, room_out = (np.ascontiguousarray(room) for room in rooms)
    respond_strictly(
        fleet.table, room_in, room_out, slots, np.ascontiguousarray(price),
        np.zeros_like(price) if held is None else held, end_value, fleet.hours,
        each.charge, each.discharge, each.soc, found,
    )  # fmt: skip
    return each, found


def tidy(fleet: Fleet, plan: Schedule) -> None:
    """Take sharing that serves nothing out of a mixture of schedules.

    Drawing and giving less by the same amount leaves net power as it is, wears less and loses less on the way through
    the store, which then holds more: done as far as there is room for that until the end.
    """
    slots = sharing(plan)
    table = fleet.table[:, slots]
    charge, discharge, soc = plan.charge[:, slots], plan.discharge[:, slots], plan.soc[:, slots]
    room = table[HI] - np.maximum.accumulate(soc[::-1], axis=0)[::-1]
    loss = fleet.hours * (1.0 / table[ED] - 1.0 / table[INV_EC])  # kWh kept for each kW less both ways
    kept = np.zeros(len(slots))
    for t in range(fleet.intervals):
        both = np.minimum(charge[t], discharge[t])
        fits = np.maximum(room[t] - kept, 0.0)
        less = np.minimum(both, np.divide(fits, loss, where=both * loss > fits, out=both.copy()))
        charge[t] -= less
        discharge[t] -= less
        kept += less * loss
        soc[t] += kept
    plan.charge[:, slots], plan.discharge[:, slots], plan.soc[:, slots] = charge, discharge, soc


def undo_sharing(fleet: Fleet, plan: Schedule, slots: np.ndarray) -> None:
    """Let devices reach the same states of charge by one thing at a time, whatever that costs."""
    table = fleet.table[:, slots]
    stored = fleet.hours * (plan.charge[:, slots] / table[INV_EC] - plan.discharge[:, slots] / table[ED])
    plan.charge[:, slots] = np.maximum(stored, 0.0) * table[INV_EC] / fleet.hours
    plan.discharge[:, slots] = np.maximum(-stored, 0.0) * table[ED] / fleet.hours
