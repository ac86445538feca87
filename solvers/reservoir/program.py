"""The reservoir plan as a linear programme: arrays ready for the solver.

Put here: columns, rows and costs of the deterministic plan. Keep out: running a solver (solvers/reservoir/linear.py)
and the same model for a reader (solvers/reservoir/model.py), which the tests hold against this one.

Per interval: storage ``a`` above the minimum level [af], end output ``g`` [MW], spill ``s`` [af], storage missing
``low`` [af], rise ``up`` and fall ``dn`` of the output [MW]; where asked, rafting shortfall ``rf`` [MW], minimum-flow
shortfall ``mf`` [cfs], distance ``off`` from the published plan [MW], a counted move ``z`` [0/1]. Minimised: costs
minus income.

What bends is linear by these tricks. Storage, not level, is the state, so the balance is exact. The head cap is concave
in storage: tangents cut it from outside and more are added where a solution leans on them. Rafting asks for the
smaller of target and head cap, which is concave too, but on the wrong side: its chord gives a valid bound, its
tangent at the present solution a plan (see ``RaftLine``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from domain.hydraulics import Array, storage_af
from domain.plant import Plant, PoolState
from domain.reservoir_inputs import ReservoirInputs
from domain.trajectory import simulate
from domain.units import AF_PER_CFS_HOUR
from solvers.reservoir.assembly import INFINITY, Assembly, Program, shifted
from solvers.reservoir.lines import RaftLine, cap_tangents
from solvers.reservoir.options import Margins
from solvers.reservoir.value import low_af, ramp_weights_usd_per_mw, water_value_usd_per_af

ZONE_MARGIN_AF: Final = 1e-6
"""How far below the next head zone a level is held, so that rounding cannot lift it over the edge."""
LATER_SPILL_USD_PER_AF: Final = 1e-5
"""Water that must be spilled anyway costs the same at any hour; this much less at the end breaks the tie the way the
gates do, late. A discount, not a surcharge: the programme's value stays an upper bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """When the unit runs and how much water a MW takes: given for an ``always_on`` unit, decided for others.

    Attributes:
        on: Whether it runs at each interval's end.
        running: Whether it passes water during the interval.
        zone: Head zone of each interval, by the level it begins at.
        hold_zones: Whether the levels must stay in these zones.
    """

    on: np.ndarray
    running: np.ndarray
    zone: np.ndarray
    hold_zones: bool = False


def build(  # noqa: PLR0913 - one model, its data
    plant: Plant,
    inputs: ReservoirInputs,
    state: PoolState,
    *,
    levels_ft: Array,
    raft: RaftLine | None,
    fixed_mw: Mapping[int, float] | None = None,
    published_mw: tuple[float, ...] = (),
    early_spill: np.ndarray | None = None,
    dry: np.ndarray | None = None,
    steady_share: float = 0.0,
    margins: Margins | None = None,
    course: Course | None = None,
) -> Program:
    """Return the plan as a programme.

    Args:
        plant: The plant.
        inputs: One forecast.
        state: Level and output at the start.
        levels_ft: Levels at which the head cap is cut by a tangent.
        raft: The rafting target as lines; None where no interval has one.
        fixed_mw: Interval -> output fixed by an operator [MW].
        published_mw: Setpoints to stay close to, with ``stay_usd_per_mw``.
        early_spill: Intervals in which spill must be forbidden below the float by a binary.
        dry: Intervals in which the pool cannot reach the float, so that nothing can spill; None = not known.
        steady_share: What share of the shortfall's cost also holds at interval ends ; 0 for a bound.
        margins: What to keep free at both ends of the band; None for a bound.
        course: When an ``on_off`` unit runs; None = whenever it is available.
    """
    model = Model(plant, inputs, state, fixed_mw or {}, course, dry)
    model.hard_limits(levels_ft)
    model.soft_minimum()
    if margins is not None:
        model.margins(margins)
    if raft is not None:
        model.rafting(raft)
        model.steady_rafting(raft, steady_share)
    model.minimum_flow()
    if published_mw and plant.weights.stay_usd_per_mw:
        model.stay(np.array(published_mw))
    if plant.weights.setpoint_change_usd:
        model.count_changes()
    if early_spill is not None and early_spill.size:
        model.no_spill_below_float(early_spill)
    return model.assembly.pack(model.offset)


class Model:
    """The columns every part of the model speaks about, and one method a constraint."""

    def __init__(
        self,
        plant: Plant,
        inputs: ReservoirInputs,
        state: PoolState,
        fixed_mw: Mapping[int, float],
        course: Course | None = None,
        dry: np.ndarray | None = None,
    ) -> None:
        self.plant, self.inputs, self.state = plant, inputs, state
        self.assembly = assembly = Assembly()
        self.all = at = np.arange(inputs.intervals)
        self.course = course or Course(on=inputs.available, running=inputs.available, zone=np.zeros_like(at))
        self.on, self.running = self.course.on, self.course.running
        self.base_af = float(storage_af(plant.storage, plant.pool.minimum_ft))
        self.start_af = float(storage_af(plant.storage, state.elevation_ft)) - self.base_af
        self.float_af = storage_af(plant.storage, inputs.float_ft) - self.base_af
        self.hours_af = AF_PER_CFS_HOUR * inputs.step_h
        self.slope = np.array([zone.flow_cfs_per_mw for zone in plant.unit.head_zones])[self.course.zone]
        self.at_zero = np.array([zone.flow_at_zero_cfs for zone in plant.unit.head_zones])[self.course.zone]
        weights, water_value = plant.weights, float(water_value_usd_per_af(plant, inputs))
        half = np.where(self.running, inputs.price_usd_mwh * inputs.step_h / 2.0, 0.0)
        income = half + np.concatenate([half[1:], [0.0]])
        committed = np.nan_to_num(inputs.award_mw)
        commitment = np.nan_to_num(committed * inputs.da_price_usd_mwh) - committed * inputs.price_usd_mwh
        self.offset = -float(half[0] * state.oxbow_mw + commitment.sum() * inputs.step_h)
        end_value = np.where(at == inputs.intervals - 1, -water_value, 0.0)
        lowest = float(storage_af(plant.storage, plant.storage.valid_from_ft)) - self.base_af
        g_low = np.where(self.on, plant.unit.minimum_mw, 0.0)
        g_high = np.where(self.on, inputs.maximum_mw, 0.0)
        for interval, value in fixed_mw.items():
            g_low[interval] = g_high[interval] = value
        self.a = assembly.column("a", at, end_value, *self._storage_range(lowest))
        self.g = assembly.column("g", at, -income, g_low, g_high)
        later_is_cheaper = LATER_SPILL_USD_PER_AF * (at + 1) / inputs.intervals
        spill_high = np.full(len(at), INFINITY)
        if dry is not None:
            spill_high[dry] = 0.0
        self.s = assembly.column("s", at, weights.spill_usd_per_af - later_is_cheaper, 0.0, spill_high)
        self.low = assembly.column("low", at, weights.below_minimum_usd_per_af_h * inputs.step_h, 0.0, INFINITY)

    def _storage_range(self, lowest: float) -> tuple[Array, Array]:
        """Return the storage between which each interval must end: curve and float, and the next interval's zone."""
        low, high = np.full(len(self.all), lowest), self.float_af.copy()
        if self.course.hold_zones:
            edges = np.array([zone.from_ft for zone in self.plant.unit.head_zones[1:]])
            inner = storage_af(self.plant.storage, edges) - self.base_af
            bottom, top = np.concatenate([[lowest], inner]), np.concatenate([inner - ZONE_MARGIN_AF, [INFINITY]])
            low[:-1] = np.maximum(low[:-1], bottom[self.course.zone[1:]])
            high[:-1] = np.minimum(high[:-1], top[self.course.zone[1:]])
        return low, np.maximum(low, high)

    def hard_limits(self, levels_ft: Array) -> None:
        """Add what no money can buy: the water balance, the ramp and the head cap."""
        self.balance()
        self.ramp()
        self.head_cap(levels_ft)

    def balance(self) -> None:
        """Storage is what was there, plus inflow, less what the unit draws (half of both ends) and spill."""
        draw = np.where(self.running, self.hours_af * self.slope / 2.0, 0.0)
        gained = self.hours_af * (self.inputs.inflow_cfs - np.where(self.running, self.at_zero, 0.0))
        first = np.zeros(len(self.all))
        first[0] = self.start_af - draw[0] * self.state.oxbow_mw
        right = gained + first
        self.assembly.row(
            "balance", self.all, right, right,
            (self.a, 1.0), (shifted(self.a), -1.0), (self.g, draw), (shifted(self.g), draw), (self.s, 1.0),
        )  # fmt: skip

    def ramp(self) -> None:
        """The output moves by rise minus fall, each limited; an outage and the return from one are free."""
        inputs, unit, before = self.inputs, self.plant.unit, self.state.oxbow_mw
        rise = inputs.ramp_up_mw_per_h * inputs.step_h
        fall = inputs.ramp_down_mw_per_h * inputs.step_h
        was_off = np.concatenate([[False], ~self.on[:-1]])
        rise = np.where(was_off, np.maximum(rise, unit.minimum_mw), rise)
        rise[0] = max(rise[0], unit.minimum_mw - before)
        # A start above what the head allows falls faster than the ramp: to where the simulation says, no further.
        lowest = np.array([unit.minimum_mw])
        fall[0] = max(
            fall[0],
            before - float(simulate(self.plant, inputs.window(0, 1), lowest, self.state, guarded=False).end_mw[0]),
        )
        stop = np.where(inputs.available, np.maximum(fall, unit.minimum_mw), unit.maximum_mw + before)
        fall = np.where(self.on, fall, stop)
        cost = ramp_weights_usd_per_mw(self.plant, inputs)
        self.up = self.assembly.column("up", self.all, cost, 0.0, rise)
        self.dn = self.assembly.column("dn", self.all, cost, 0.0, fall)
        first = np.zeros(len(self.all))
        first[0] = before
        self.assembly.row(
            "ramp", self.all, first, first,
            (self.g, 1.0), (shifted(self.g), -1.0), (self.up, -1.0), (self.dn, 1.0),
        )  # fmt: skip

    def soft_minimum(self) -> None:
        """Storage missing below minimum plus buffer is paid for, so a low start can recover."""
        wanted = low_af(self.plant) - self.base_af
        self.assembly.row("soft_minimum", self.all, wanted, INFINITY, (self.a, 1.0), (self.low, 1.0))

    def margins(self, margins: Margins) -> None:
        """Storage nearer to the ends of the band than its margin, or short of the rafting to come, is paid for."""
        lowest = low_af(self.plant) - self.base_af
        self.kept("low_margin", lowest, margins.low_af, margins.low_usd_per_af_h)
        self.kept("window_margin", lowest, margins.window_af, margins.window_usd_per_af_h)
        if margins.high_af:
            cost = margins.high_usd_per_af_h * self.inputs.step_h
            near = self.assembly.column("near_float", self.all, cost, 0.0, INFINITY)
            room = self.float_af - np.array(margins.high_af)
            self.assembly.row("high_margin", self.all, -INFINITY, room, (self.a, 1.0), (near, -1.0))

    def kept(self, name: str, lowest_af: float, above_af: tuple[float, ...], usd_per_af_h: float) -> None:
        """Storage missing below a margin is paid for, where there is one."""
        at = np.flatnonzero(np.array(above_af) > 0.0)
        if at.size:
            missing = self.assembly.column(f"below_{name}", at, usd_per_af_h * self.inputs.step_h, 0.0, INFINITY)
            wanted = lowest_af + np.array(above_af)[at]
            self.assembly.row(name, at, wanted, INFINITY, (self.a[at], 1.0), (missing, 1.0))

    def head_cap(self, levels_ft: Array) -> None:
        """The output stays below the head cap at the end level: one tangent a level."""
        at = np.flatnonzero(self.on)
        for number, (at_zero, slope) in enumerate(zip(*cap_tangents(self.plant, levels_ft), strict=True)):
            self.assembly.row(f"head_cap_{number}", at, -INFINITY, at_zero, (self.g[at], 1.0), (self.a[at], -slope))

    def rafting(self, raft: RaftLine) -> None:
        """Mean output missing below the rafting target is paid for."""
        at = np.flatnonzero(~np.isnan(self.inputs.raft_target_mw))
        cost = self.plant.weights.raft_shortfall_usd_per_mwh * self.inputs.step_h
        short = self.assembly.column("rf", at, cost, 0.0, INFINITY)
        half = np.where(self.running[at], 0.5, 0.0)
        wanted = raft.at_zero_mw[at] - np.where(at == 0, half * self.state.oxbow_mw, 0.0)
        self.assembly.row(
            "rafting", at, wanted, INFINITY,
            (short, 1.0), (self.g[at], half), (shifted(self.g)[at], half), (self.a[at], -raft.slope_mw_per_af[at]),
        )  # fmt: skip

    def steady_rafting(self, raft: RaftLine, share: float) -> None:
        """Output missing below the rafting target at an interval's end costs a little."""
        at = np.flatnonzero(~np.isnan(self.inputs.raft_target_mw) & self.on)
        cost = share * self.plant.weights.raft_shortfall_usd_per_mwh * self.inputs.step_h
        short = self.assembly.column("rf_end", at, cost, 0.0, INFINITY)
        self.assembly.row(
            "steady_rafting", at, raft.at_zero_mw[at], INFINITY,
            (short, 1.0), (self.g[at], 1.0), (self.a[at], -raft.slope_mw_per_af[at]),
        )  # fmt: skip

    def minimum_flow(self) -> None:
        """Flow missing at the compliance gauge (unit, spill, R26, R10) is paid for."""
        at = np.flatnonzero(~np.isnan(self.inputs.minimum_flow_cfs))
        if not at.size:
            return
        cost = self.plant.weights.minimum_flow_usd_per_cfs_h * self.inputs.step_h
        short = self.assembly.column("mf", at, cost, 0.0, INFINITY)
        half = np.where(self.running[at], self.slope[at] / 2.0, 0.0)
        standing = np.where(self.running[at], self.at_zero[at], 0.0) + np.where(
            at == 0, half * self.state.oxbow_mw, 0.0
        )
        wanted = (self.inputs.minimum_flow_cfs - self.inputs.tributary_cfs)[at] - standing
        self.assembly.row(
            "minimum_flow", at, wanted, INFINITY,
            (short, 1.0), (self.g[at], half), (shifted(self.g)[at], half), (self.s[at], 1.0 / self.hours_af),
        )  # fmt: skip

    def stay(self, published_mw: Array) -> None:
        """Distance from the published plan is paid for."""
        cost = self.plant.weights.stay_usd_per_mw
        off = self.assembly.column("off", self.all, cost, 0.0, INFINITY)
        self.assembly.row("stay_above", self.all, -INFINITY, published_mw, (self.g, 1.0), (off, -1.0))
        self.assembly.row("stay_below", self.all, published_mw, INFINITY, (self.g, 1.0), (off, 1.0))

    def count_changes(self) -> None:
        """Each interval whose output moves is paid for: a binary, so the plan becomes a MILP."""
        moved = self.assembly.column("z", self.all, self.plant.weights.setpoint_change_usd, 0.0, 1.0, integral=True)
        largest = np.concatenate(self.assembly.high)[self.up] + np.concatenate(self.assembly.high)[self.dn]
        self.assembly.row("moved", self.all, -INFINITY, 0.0, (self.up, 1.0), (self.dn, 1.0), (moved, -largest))

    def no_spill_below_float(self, at: np.ndarray) -> None:
        """Spill only while the pool stands at the float: a binary for the intervals in which it pays to cheat."""
        at_float = self.assembly.column("at_float", at, 0.0, 0.0, 1.0, integral=True)
        lowest = np.concatenate(self.assembly.low)[self.a[at]]
        most = self.hours_af * np.maximum(self.inputs.inflow_cfs[at], 0.0) + np.maximum(
            0.0, np.concatenate([[self.start_af], self.float_af[:-1]])[at] - self.float_af[at]
        )
        self.assembly.row("spill_at_float", at, -INFINITY, 0.0, (self.s[at], 1.0), (at_float, -most))
        depth = self.float_af[at] - lowest
        self.assembly.row("stands_at_float", at, lowest, INFINITY, (self.a[at], 1.0), (at_float, -depth))
