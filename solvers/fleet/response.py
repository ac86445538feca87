"""Best responses of a laid-out fleet: the kernels, in threads, with the rare devices that need the general form.

Put here: calling the kernels. Keep out: what is done with a response.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np

from solvers.fleet.instance import Fleet
from solvers.fleet.kernel import ED, LO, PD, START, WEAR, respond, respond_in_sum
from solvers.fleet.segments import respond_in_pieces

CHUNK_SLOTS: Final = 1024
"""Devices a kernel call takes at once, so that threads share the work evenly."""

OVERWRITE: Final = np.empty(0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signal:
    """What devices respond to; a row for each listed block.

    Attributes:
        blocks: The blocks of the fleet that are asked; one may be asked several times.
        price: USD/kWh, shape (len(blocks), intervals).
        mu: Reward for headroom [USD/kWh], same shape.
        nu: Reward for deliverable energy [USD/kWh], same shape.
        end_value: Worth of energy stored at the end [USD/kWh].
    """

    blocks: np.ndarray
    price: np.ndarray
    mu: np.ndarray
    nu: np.ndarray
    end_value: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Schedule:
    """What devices do: kW and kWh, shape (intervals, slots)."""

    charge: np.ndarray
    discharge: np.ndarray
    soc: np.ndarray

    @classmethod
    def empty(cls, intervals: int, slots: int) -> Schedule:
        """Return room for a schedule."""
        charge, discharge, soc = (np.empty((intervals, slots)) for _ in range(3))
        return cls(charge=charge, discharge=discharge, soc=soc)

    @classmethod
    def zero(cls, intervals: int, slots: int) -> Schedule:
        """Return a schedule to add to."""
        charge, discharge, soc = (np.zeros((intervals, slots)) for _ in range(3))
        return cls(charge=charge, discharge=discharge, soc=soc)


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pull:
    """A plan to stay close to.

    Attributes:
        change: Its change of stored energy [kWh], shape (intervals, slots), NaN where it says nothing.
        usd_per_kwh: Penalty per kWh stored differently.
    """

    change: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    usd_per_kwh: float = 0.0


NO_PULL: Final = Pull()


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
                fleet.table, fleet.share, start[part], stop[part], signal.price[row[part]], signal.mu[row[part]],
                signal.nu[row[part]], signal.end_value, fleet.hours, OVERWRITE,
                plan.charge, plan.discharge, plan.soc, odd,
            )  # fmt: skip

        spread(run, len(start), threads)
    for slots, each in _in_pieces(fleet, signal, np.flatnonzero(odd), pull, threads):
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
            fleet.table, fleet.share, start, stop, one.price, one.mu, one.nu, one.end_value, fleet.hours,
            np.array([weight]), plan.charge, plan.discharge, plan.soc, odd,
        )  # fmt: skip
        marked = start[0] + np.flatnonzero(odd[start[0] : stop[0]])
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
                fleet.table, fleet.share, start[part], stop[part], signal.price[part], signal.mu[part],
                signal.nu[part], signal.end_value, fleet.hours, net[part], headroom[part], energy[part],
                other[part], odd,
            )  # fmt: skip

        spread(run, shape[0], threads)
    for slots, each in _in_pieces(fleet, signal, np.flatnonzero(odd), pull, threads):
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
    parts = np.array_split(np.arange(len(marked)), min(max(1, threads), len(marked)))
    done = [(marked[part], Schedule.empty(fleet.intervals, len(part))) for part in parts]

    def run(which: slice) -> None:
        for part, (slots, each) in zip(parts[which], done[which], strict=True):
            row = rows[part]
            respond_in_pieces(
                fleet.table, fleet.share, slots, signal.price[row], signal.mu[row], signal.nu[row],
                signal.end_value, fleet.hours, pull.change, pull.usd_per_kwh, each.charge, each.discharge, each.soc,
            )  # fmt: skip

    spread(run, len(parts), threads)
    return done
