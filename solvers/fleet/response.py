"""Best responses of a laid-out fleet: the kernels, in threads, with the rare devices that need the general form.

Put here: calling the kernels. Keep out: what is done with a response.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from solvers.fleet.instance import Fleet
from solvers.fleet.kernel import ED, LO, PD, START, WEAR, respond, respond_in_sum
from solvers.fleet.records import NO_PULL, Pull, Schedule, Signal
from solvers.fleet.segments import respond_in_pieces
from solvers.fleet.whole import Whole

CHUNK_SLOTS: Final = 1024
"""Devices a kernel call takes at once, so that threads share the work evenly."""

OVERWRITE: Final = np.empty(0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """What blocks do in sum, one row for each asked block.

    Attributes:
        cost_usd: At market prices: energy, wear, less the worth of what is stored at the end; plus the penalty for
            leaving the old plan, where there is one.
        net_kw: Charge - discharge, shape (blocks, intervals).
        headroom_kw: Availability x (max_discharge - discharge + charge).
        energy_kwh: Availability x discharge efficiency x (least soc of the interval - soc_min).
    """

    cost_usd: np.ndarray
    net_kw: np.ndarray
    headroom_kw: np.ndarray
    energy_kwh: np.ndarray


def market_signal(fleet: Fleet, usd_mwh: np.ndarray, end_value: float) -> Signal:
    """Return market prices, the same for every block."""
    blocks = np.arange(len(fleet.start))
    price = np.tile(usd_mwh / 1000.0, (len(blocks), 1))
    nothing = np.zeros_like(price)
    return Signal(blocks=blocks, price=price, mu=nothing, nu=nothing, end_value=end_value)


def spread(run: Callable[[slice], None], parts: int, threads: int) -> None:
    """Call ``run`` with slices of 0 to ``parts``, one slice a thread."""
    if threads <= 1 or parts <= 1:
        run(slice(0, parts))
        return
    edges = np.linspace(0, parts, min(threads, parts) + 1).astype(int)
    with ThreadPoolExecutor(len(edges) - 1) as pool:
        list(pool.map(run, [slice(a, b) for a, b in pairwise(edges)]))


def best_response(fleet: Fleet, signal: Signal, *, threads: int, pull: Pull = NO_PULL) -> Schedule:
    """Return the cheapest schedule of each device on its own; the same for any number of threads."""
    plan = Schedule.empty(fleet.intervals, fleet.slots)
    odd = np.zeros(fleet.slots)
    start, stop, row = _chunks(fleet, signal.blocks)
    if pull.usd_per_kwh > 0:
        odd[:] = 1.0
    else:

        def run(part: slice) -> None:
            respond(
                fleet.plain, fleet.share, start[part], stop[part], signal.price[row[part]], signal.mu[row[part]],
                signal.nu[row[part]], signal.end_value, fleet.hours, OVERWRITE,
                plan.charge, plan.discharge, plan.soc, odd,
            )  # fmt: skip

        spread(run, len(start), threads)
    for slots, each in _in_pieces(fleet, signal, np.flatnonzero(odd + fleet.deep), pull, threads):
        plan.charge[:, slots], plan.discharge[:, slots], plan.soc[:, slots] = each.charge, each.discharge, each.soc
    return plan


def add_response(
    fleet: Fleet, signal: Signal, weight: np.ndarray, plan: Schedule, *, threads: int, pull: Pull = NO_PULL
) -> None:
    """Add ``weight`` of the best response of each asked block to a plan; rows of one block stand together."""
    odd = np.zeros(fleet.slots)
    first_rows = np.flatnonzero(np.diff(signal.blocks, prepend=-1))
    edges = np.append(first_rows, len(signal.blocks))

    def run(part: slice) -> None:
        # Threads hold different blocks, so they never add to the same device.
        for row in range(edges[part.start], edges[part.stop]):
            _add_one(fleet, signal, row, float(weight[row]), plan, odd, pull)

    spread(run, len(first_rows), threads)


def _add_one(
    fleet: Fleet, signal: Signal, row: int, weight: float, plan: Schedule, odd: np.ndarray, pull: Pull
) -> None:
    only = slice(row, row + 1)
    one = Signal(
        blocks=signal.blocks[only], price=signal.price[only], mu=signal.mu[only], nu=signal.nu[only],
        end_value=signal.end_value,
    )  # fmt: skip
    start, stop = fleet.start[one.blocks], fleet.stop[one.blocks]
    if pull.usd_per_kwh > 0:
        marked = np.arange(start[0], stop[0])
    else:
        respond(
            fleet.plain, fleet.share, start, stop, one.price, one.mu, one.nu, one.end_value, fleet.hours,
            np.array([weight]), plan.charge, plan.discharge, plan.soc, odd,
        )  # fmt: skip
        marked = start[0] + np.flatnonzero((odd + fleet.deep)[start[0] : stop[0]])
    for slots, each in _in_pieces(fleet, one, marked, pull, threads=1):
        plan.charge[:, slots] += weight * each.charge
        plan.discharge[:, slots] += weight * each.discharge
        plan.soc[:, slots] += weight * each.soc


def response_in_sum(fleet: Fleet, signal: Signal, usd_mwh: np.ndarray, *, threads: int, pull: Pull = NO_PULL) -> Sums:
    """Return what each asked block does in sum when each of its devices takes its cheapest schedule."""
    shape = signal.price.shape
    net, headroom, energy = (np.zeros(shape) for _ in range(3))
    other = np.zeros((shape[0], 2))
    odd = np.zeros(fleet.slots)
    start, stop = fleet.start[signal.blocks], fleet.stop[signal.blocks]
    if pull.usd_per_kwh > 0:
        for first, last in zip(start, stop, strict=True):
            odd[first:last] = 1.0
    else:

        def run(part: slice) -> None:
            respond_in_sum(
                fleet.plain, fleet.share, start[part], stop[part], signal.price[part], signal.mu[part],
                signal.nu[part], signal.end_value, fleet.hours, net[part], headroom[part], energy[part],
                other[part], odd,
            )  # fmt: skip

        spread(run, shape[0], threads)
    for slots, each in _in_pieces(fleet, signal, np.flatnonzero(odd + fleet.deep), pull, threads):
        row = np.searchsorted(start, slots, side="right") - 1
        _add_devices(fleet, slots, row, each, (net, headroom, energy, other), pull)
    cost = fleet.hours * (net @ usd_mwh) / 1000.0 + other[:, 0] - signal.end_value * other[:, 1]
    return Sums(cost_usd=cost, net_kw=net, headroom_kw=headroom, energy_kwh=energy)


def _add_devices(
    fleet: Fleet, slots: np.ndarray, row: np.ndarray, plan: Schedule, sums: tuple[np.ndarray, ...], pull: Pull
) -> None:
    """Add single devices to the sums of their blocks, the penalty for leaving the old plan to the cost."""
    net, headroom, energy, other = sums
    part = fleet.share[:, slots] if len(fleet.share) else np.ones((fleet.intervals, len(slots)))
    table = fleet.table[:, slots]
    drawn = plan.charge - plan.discharge
    before = np.vstack([table[START], plan.soc[:-1]])
    deliverable = part * table[ED] * (np.minimum(before, plan.soc) - table[LO])
    wear = fleet.hours * table[WEAR] * (plan.charge + plan.discharge).sum(axis=0)
    wear += fleet.depth_wear_usd(slots, plan)
    if pull.usd_per_kwh > 0:
        left = np.abs(plan.soc - before - pull.change[:, slots])
        wear += pull.usd_per_kwh * np.nan_to_num(left).sum(axis=0)
    np.add.at(net, row, drawn.T)
    np.add.at(headroom, row, (part * (table[PD] + drawn)).T)
    np.add.at(energy, row, deliverable.T)
    np.add.at(other, row, np.column_stack([wear, plan.soc[-1]]))


def _chunks(fleet: Fleet, blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the blocks cut into pieces of at most CHUNK_SLOTS, and the row each came from."""
    pieces = [
        (first, min(first + CHUNK_SLOTS, int(fleet.stop[block])), row)
        for row, block in enumerate(blocks)
        for first in range(int(fleet.start[block]), int(fleet.stop[block]), CHUNK_SLOTS)
    ]
    start, stop, row = (np.array(column, dtype=np.int64) for column in zip(*pieces, strict=True))
    return start, stop, row


def _in_pieces(
    fleet: Fleet, signal: Signal, marked: np.ndarray, pull: Pull, threads: int
) -> list[tuple[np.ndarray, Schedule]]:
    """Return the schedules of the devices in the marked slots, in chunks of slots."""
    if not len(marked):
        return []
    row_of = np.full(len(fleet.start), -1)
    row_of[signal.blocks] = np.arange(len(signal.blocks))
    rows = row_of[np.searchsorted(fleet.stop, marked, side="right")]
    deep = fleet.deep[marked]
    parts = [
        part
        for kind in (np.flatnonzero(~deep), np.flatnonzero(deep))
        for part in np.array_split(kind, min(max(1, threads), max(1, len(kind))))
        if len(part)
    ]
    done = [(marked[part], Schedule.empty(fleet.intervals, len(part))) for part in parts]

    def run(which: slice) -> None:
        for part, (slots, each) in zip(parts[which], done[which], strict=True):
            row = rows[part]
            if deep[part[0]]:
                _by_depth(fleet, signal, (slots, row), pull, each)
                continue
            respond_in_pieces(
                fleet.table, fleet.share, slots, signal.price[row], signal.mu[row], signal.nu[row],
                signal.end_value, fleet.hours, pull.change, pull.usd_per_kwh, each.charge, each.discharge, each.soc,
            )  # fmt: skip

    spread(run, len(parts), threads)
    return done


def _by_depth(fleet: Fleet, signal: Signal, which: tuple[np.ndarray, np.ndarray], pull: Pull, plan: Schedule) -> None:
    """Fill the schedules of devices that wear by depth, in pairs of slot and row of the signal.

    What such a device wears depends on the level of each segment, not on its state of charge alone, so the kernels do
    not know it: some milliseconds of HiGHS each.
    """
    for k, (slot, row) in enumerate(zip(*which, strict=True)):
        part = fleet.share[:, slot] if len(fleet.share) else np.ones(fleet.intervals)
        price, held = signal.price[row] - signal.mu[row] * part, signal.nu[row] * part * fleet.table[ED, slot]
        one = Whole(
            fleet, np.array([slot]), price[None, :],
            end_value=signal.end_value, held=held[None, :] if held.any() else None, pull=pull,
        ).solve().plan  # fmt: skip
        plan.charge[:, k], plan.discharge[:, k], plan.soc[:, k] = one.charge[:, 0], one.discharge[:, 0], one.soc[:, 0]
