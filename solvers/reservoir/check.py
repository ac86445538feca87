"""An independent judge of a published schedule: plain arithmetic, row by row, from the file contract alone.

Put here: re-computation that shares no formula code with the planner, so that a mistake there cannot agree with
itself. Keep out: numpy walks, the solver, dollars.
"""

from __future__ import annotations

from math import isnan, sqrt
from typing import Final

import polars as pl

from domain.instants import iso
from domain.plant import Plant, PoolState
from domain.reservoir_inputs import ReservoirInputs, read_inputs
from domain.rule_calendar import with_rules

TOLERANCE: Final = 1e-6
ACRE_FEET_PER_CFS_HOUR: Final = 3600.0 / 43560.0


def check_plan(
    plant: Plant, inputs: pl.DataFrame, state: PoolState, schedule: pl.DataFrame, *, apply_rules: bool = False
) -> list[str]:
    """Return every breach of the physics and limits in a schedule, in words; none = it obeys them to 1e-6.

    Judged: the water balance, storage against level, spill only at the float and the float never passed, means against
    end values, ramp, smallest and largest output, head cap, outages.

    Args:
        plant: The plant.
        inputs: The inputs the schedule was planned on.
        state: Level and output when the first interval begins.
        schedule: The published columns.
        apply_rules: Whether the plant's dated rules held for the plan.

    Raises:
        InputError: The inputs break their contract.
    """
    read = read_inputs(plant, inputs)
    read = with_rules(plant, read) if apply_rules else read
    if schedule["event_start"].to_list() != list(read.start):
        return [f"the schedule has {schedule.height} rows that do not cover the inputs' {read.intervals} intervals"]
    columns = ("oxbow_mw", "oxbow_end_mw", "elevation_ft", "storage_af", "spill_cfs", "outflow_cfs", "inflow_cfs")
    if unusable := [name for name in columns if schedule[name].null_count() or schedule[name].is_nan().any()]:
        return [f"column {name} holds values that are no numbers" for name in unusable]
    judge = _Judge(plant, read, state)
    for t, row in enumerate(schedule.select(columns).iter_rows(named=True)):
        judge.row(t, row)
    return judge.breaches


class _Judge:
    """Goes down the rows with the storage and output of the row before."""

    def __init__(self, plant: Plant, inputs: ReservoirInputs, state: PoolState) -> None:
        self.plant, self.inputs = plant, inputs
        self.breaches: list[str] = []
        self.storage = self.storage_at(state.elevation_ft)
        self.power = state.oxbow_mw

    def storage_at(self, level: float) -> float:
        """Return A(H) as the plant file writes it [af]."""
        curve = self.plant.storage
        return curve.square_af_per_ft2 * level * level + curve.linear_af_per_ft * level + curve.constant_af

    def level_at(self, storage: float) -> float:
        """Return H(A) by the formula for a quadratic equation [ft]."""
        a, b = self.plant.storage.square_af_per_ft2, -self.plant.storage.linear_af_per_ft
        return (b + sqrt(b * b - 4.0 * a * (self.plant.storage.constant_af - storage))) / (2.0 * a)

    def row(self, t: int, row: dict[str, float]) -> None:
        """Judge one interval and go on to the next."""
        self.balance(t, row)
        self.output(t, row)
        self.storage, self.power = row["storage_af"], row["oxbow_end_mw"]

    def expect(self, t: int, name: str, found: float, wanted: float, tolerance: float = TOLERANCE) -> None:
        """Note a value that differs from what it must be."""
        if isnan(found) or abs(found - wanted) > tolerance * max(1.0, abs(wanted) / 1000.0):
            self.breaches.append(f"{iso(self.inputs.start[t])} {name}: is {found:.9g}, must be {wanted:.9g}")

    def limit(self, t: int, name: str, found: float, at_most: float) -> None:
        """Note a value above its limit."""
        if not found <= at_most + TOLERANCE:
            self.breaches.append(f"{iso(self.inputs.start[t])} {name}: is {found:.9g}, at most {at_most:.9g}")

    def balance(self, t: int, row: dict[str, float]) -> None:
        """Water in, water out, and what is left."""
        inputs = self.inputs
        began = self.level_at(self.storage)
        zone = [z for i, z in enumerate(self.plant.unit.head_zones) if i == 0 or z.from_ft <= began][-1]
        on = bool(inputs.available[t]) and (self.power > 0.0 or row["oxbow_end_mw"] > 0.0)
        mean = (self.power + row["oxbow_end_mw"]) / 2.0 if on else 0.0
        through = zone.flow_cfs_per_mw * mean + zone.flow_at_zero_cfs if on else 0.0
        hours_af = ACRE_FEET_PER_CFS_HOUR * inputs.step_h
        left = self.storage + hours_af * (row["inflow_cfs"] - through - row["spill_cfs"])
        at_float = self.storage_at(float(inputs.float_ft[t]))
        self.expect(t, "mean output", row["oxbow_mw"], mean)
        self.expect(t, "inflow", row["inflow_cfs"], float(inputs.inflow_cfs[t]))
        self.expect(t, "flow through the unit", row["outflow_cfs"], through)
        self.expect(t, "water balance", row["storage_af"], left)
        self.expect(t, "level of that storage", row["elevation_ft"], self.level_at(row["storage_af"]))
        self.limit(t, "storage above the float", row["storage_af"], at_float)
        self.limit(t, "negative spill", -row["spill_cfs"], 0.0)
        if row["spill_cfs"] * hours_af > TOLERANCE * 10.0:
            self.expect(t, "storage while spilling", row["storage_af"], at_float, TOLERANCE * 10.0)

    def output(self, t: int, row: dict[str, float]) -> None:
        """Limits of the unit on the value at the interval's end."""
        unit, inputs, end = self.plant.unit, self.inputs, row["oxbow_end_mw"]
        if not inputs.available[t]:
            self.expect(t, "output in an outage", end, 0.0)
            return
        rate_down = float(inputs.ramp_down_mw_per_h[t]) * inputs.step_h
        if unit.commitment == "on_off" and end == 0.0:
            self.limit(t, "output before a stop", self.power, max(unit.minimum_mw, rate_down))
            return
        cap = unit.head_cap_mw_per_ft * row["elevation_ft"] + unit.head_cap_offset_mw
        self.limit(t, "head cap", end, cap)
        self.limit(t, "largest output", end, float(inputs.maximum_mw[t]))
        rise = max(self.power + float(inputs.ramp_up_mw_per_h[t]) * inputs.step_h, unit.minimum_mw)
        fall = min(self.power - rate_down, float(inputs.maximum_mw[t]), cap)
        self.limit(t, "ramp up", end, rise)
        self.limit(t, "ramp down, as a fall", -end, -fall)
        self.limit(t, "smallest output, as a lack", -end, -min(unit.minimum_mw, cap))
