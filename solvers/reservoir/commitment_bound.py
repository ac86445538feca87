"""How good a plan of an on/off unit can be at most: the mixed-integer programme, searched for a while.

Put here: the programme with binaries for running and head zone, and its dual bound. Keep out: finding the plan
(solvers/reservoir/commitment.py).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from domain.hydraulics import storage_af
from domain.plant import Plant, PoolState
from domain.reservoir_inputs import ReservoirInputs
from solvers.reservoir.assembly import INFINITY, shifted
from solvers.reservoir.highs import loaded
from solvers.reservoir.linear import Task, first_levels
from solvers.reservoir.lines import raft_chords
from solvers.reservoir.options import ReservoirOptions
from solvers.reservoir.program import Course, Model
from solvers.reservoir.value import ramp_weights_usd_per_mw


def commitment_bound_usd(plant: Plant, inputs: ReservoirInputs, state: PoolState, options: ReservoirOptions) -> float:
    """Return a value no plan exceeds [USD]: the dual bound when the search ends by gap or time."""
    model = CommitmentModel(plant, inputs, state, options)
    program = model.assembly.pack(model.offset)
    solver = loaded(program, options)
    solver.setOptionValue("presolve", "choose")
    solver.setOptionValue("time_limit", options.bound_search_s)
    solver.run()
    return -float(solver.getInfo().mip_dual_bound)


G_BLOCK: Final = 1
"""Which block of columns the outputs are in the plain programme."""


class CommitmentModel(Model):
    """The plain programme, with running and head zone decided by binaries instead of given."""

    def __init__(self, plant: Plant, inputs: ReservoirInputs, state: PoolState, options: ReservoirOptions) -> None:
        everywhere = np.zeros(inputs.intervals, dtype=np.int64)
        course = Course(on=inputs.available, running=inputs.available, zone=everywhere)
        super().__init__(plant, inputs, state, options.fixed_mw, course)
        grown, unit, at = self.assembly, plant.unit, self.all
        may_be_off = np.array([t not in options.fixed_mw for t in at])
        grown.low[G_BLOCK] = np.where(may_be_off, 0.0, grown.low[G_BLOCK])
        free = np.where(inputs.available, 1.0, 0.0)
        self.u = grown.column("on", at, 0.0, 0.0, free, integral=True)
        self.r = grown.column("running", at, 0.0, 0.0, free)
        self.start = grown.column("start", at, unit.startup_usd, 0.0, 1.0)
        zones, most = range(len(unit.head_zones)), max(unit.maximum_mw, state.oxbow_mw)
        self.mean_in = [grown.column(f"mean_in_{z}", at, 0.0, 0.0, most * free) for z in zones]
        self.runs_in = [grown.column(f"runs_in_{z}", at, 0.0, 0.0, free) for z in zones]
        self.y = [grown.column(f"zone_{z}", at, 0.0, 0.0, 1.0, integral=True) for z in zones]
        self.was_on = float(state.oxbow_mw > 0.0)
        self.water()
        self.running_and_starts()
        self.outputs()
        self.zones()
        self.soft_minimum()
        self.head_cap(first_levels(plant, inputs, state))
        self.minimum_flow_of_commitment()
        if not np.isnan(inputs.raft_target_mw).all():
            self.rafting(raft_chords(plant, inputs, *Task(plant, inputs, state, options).reach()))
        if options.published_mw and plant.weights.stay_usd_per_mw:
            self.stay(np.array(options.published_mw))
        if plant.weights.setpoint_change_usd:
            self.count_changes()

    def first(self, value: float) -> np.ndarray:
        """Return zeros but for the first interval: what the given start adds there."""
        right = np.zeros(len(self.all))
        right[0] = value
        return right

    def water(self) -> None:
        """Storage is what was there, plus inflow, less spill and the flow by each zone's line."""
        right = self.hours_af * self.inputs.inflow_cfs + self.first(self.start_af)
        drawn = []
        for zone, mean, runs in zip(self.plant.unit.head_zones, self.mean_in, self.runs_in, strict=True):
            drawn += [(mean, self.hours_af * zone.flow_cfs_per_mw), (runs, self.hours_af * zone.flow_at_zero_cfs)]
        self.assembly.row(
            "balance", self.all, right, right, (self.a, 1.0), (shifted(self.a), -1.0), (self.s, 1.0), *drawn
        )

    def running_and_starts(self) -> None:
        """Water flows while the unit is on at either end; a start is on after off."""
        grown, u, r, was = self.assembly, self.u, self.r, self.was_on
        available = np.where(self.inputs.available, 1.0, 0.0)
        grown.row("runs_after", self.all, 0.0, INFINITY, (r, 1.0), (u, -1.0))
        held = np.where(self.inputs.available, self.first(was), -1.0)
        grown.row("runs_before", self.all, held, INFINITY, (r, 1.0), (shifted(u), -available))
        grown.row("runs_only", self.all, -INFINITY, self.first(was), (r, 1.0), (u, -1.0), (shifted(u), -1.0))
        grown.row("starts", self.all, -self.first(was), INFINITY, (self.start, 1.0), (u, -1.0), (shifted(u), 1.0))

    def outputs(self) -> None:
        """Limits while on; the ramp, with a jump of the smallest output at start and stop."""
        inputs, unit, grown, before = self.inputs, self.plant.unit, self.assembly, self.state.oxbow_mw
        g, u = self.g, self.u
        grown.row("largest", self.all, -INFINITY, 0.0, (g, 1.0), (u, -inputs.maximum_mw))
        grown.row("smallest", self.all, 0.0, INFINITY, (g, 1.0), (u, -unit.minimum_mw))
        rise, fall = inputs.ramp_up_mw_per_h * inputs.step_h, inputs.ramp_down_mw_per_h * inputs.step_h
        start, stop = np.maximum(rise, unit.minimum_mw), np.maximum(fall, unit.minimum_mw)
        cost = ramp_weights_usd_per_mw(self.plant, inputs)
        self.up = grown.column("up", self.all, cost, 0.0, unit.maximum_mw)
        self.dn = grown.column("dn", self.all, cost, 0.0, unit.maximum_mw + before)
        moved = self.first(before)
        grown.row("ramp", self.all, moved, moved, (g, 1.0), (shifted(g), -1.0), (self.up, -1.0), (self.dn, 1.0))
        grown.row(
            "rise", self.all, -INFINITY, start + self.first((rise[0] - start[0]) * self.was_on),
            (self.up, 1.0), (shifted(u), start - rise),
        )  # fmt: skip
        stop = np.where(inputs.available, stop, unit.maximum_mw + before)
        first_fall = max(0.0, before - unit.maximum_mw)
        grown.row("fall", self.all, -INFINITY, stop + self.first(first_fall), (self.dn, 1.0), (u, stop - fall))

    def zones(self) -> None:
        """Mean output, running and the level an interval begins at are split among the zones; only one takes them.

        Splitting (instead of switching lines on and off by a large number) keeps the relaxation close: water per MW can
        only be mixed as far as levels can.
        """
        unit, grown, at = self.plant.unit, self.assembly, self.all
        half = np.where(self.inputs.available, 0.5, 0.0)
        edges = storage_af(self.plant.storage, np.array([z.from_ft for z in unit.head_zones[1:]])) - self.base_af
        lowest, highest = float(grown.low[0].min()), max(float(self.float_af.max()), self.start_af)
        bottoms, tops = [lowest, *edges.tolist()], [*edges.tolist(), highest]
        begins_in = [grown.column(f"begins_in_{z}", at, 0.0, lowest, highest) for z in range(len(bottoms))]
        largest = max(unit.maximum_mw, self.state.oxbow_mw)
        for z, (mean, runs, y, begins) in enumerate(zip(self.mean_in, self.runs_in, self.y, begins_in, strict=True)):
            grown.row(f"mean_in_{z}", at, -INFINITY, 0.0, (mean, 1.0), (runs, -largest))
            grown.row(f"runs_in_{z}", at, -INFINITY, 0.0, (runs, 1.0), (y, -1.0))
            grown.row(f"zone_from_{z}", at, 0.0, INFINITY, (begins, 1.0), (y, -bottoms[z]))
            grown.row(f"zone_to_{z}", at, -INFINITY, 0.0, (begins, 1.0), (y, -tops[z]))
        given = self.first(0.5 * self.state.oxbow_mw * float(self.inputs.available[0]))
        grown.row("one_zone", at, 1.0, 1.0, *[(y, 1.0) for y in self.y])
        grown.row(
            "mean_split", at, given, given, *[(m, 1.0) for m in self.mean_in], (self.g, -half), (shifted(self.g), -half)
        )
        grown.row("runs_split", at, 0.0, 0.0, *[(r, 1.0) for r in self.runs_in], (self.r, -1.0))
        began = self.first(self.start_af)
        grown.row("level_split", at, began, began, *[(b, 1.0) for b in begins_in], (shifted(self.a), -1.0))

    def minimum_flow_of_commitment(self) -> None:
        """Flow missing at the compliance gauge is paid for, whatever the unit's zone."""
        at = np.flatnonzero(~np.isnan(self.inputs.minimum_flow_cfs))
        cost = self.plant.weights.minimum_flow_usd_per_cfs_h * self.inputs.step_h
        short = self.assembly.column("mf", at, cost, 0.0, INFINITY)
        wanted = (self.inputs.minimum_flow_cfs - self.inputs.tributary_cfs)[at]
        drawn = []
        for zone, mean, runs in zip(self.plant.unit.head_zones, self.mean_in, self.runs_in, strict=True):
            drawn += [(mean[at], zone.flow_cfs_per_mw), (runs[at], zone.flow_at_zero_cfs)]
        self.assembly.row("minimum_flow", at, wanted, INFINITY, (short, 1.0), (self.s[at], 1.0 / self.hours_af), *drawn)
