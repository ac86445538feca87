"""The judge of a fleet schedule: it computes again, in plain numpy, what a schedule claims.

It shares no code with the optimizer and trusts no column it can derive. Put here: what a schedule must obey.
Keep out: how a good one is found (solvers/fleet).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from domain.beliefs import TIME
from domain.fleet.conditions import PriceGrid, feeder_limits, price_grid, reserve_requirement, with_instants
from domain.fleet.devices import check_devices

SCHEDULE_COLUMNS: Final[dict[str, pl.DataType]] = {
    "device_id": pl.String(),
    "event_start": TIME,
    "charge_kw": pl.Float64(),
    "discharge_kw": pl.Float64(),
    "power_kw": pl.Float64(),
    "soc_kwh": pl.Float64(),
    "mode": pl.Int8(),
    "rate_kw": pl.Float64(),
}
"""Columns of a schedule, in order: means over the interval at the meter, ``power_kw`` positive to the grid,
``soc_kwh`` at its end, ``mode`` 0 idle, 1 discharge, 2 charge, ``rate_kw`` the size of ``power_kw``."""

TOLERANCE: Final = 1e-6
"""How far a schedule may miss a limit [kW, kWh, 1]."""


def check_schedule(
    devices: pl.DataFrame,
    prices: pl.DataFrame,
    schedule: pl.DataFrame,
    *,
    strict: bool = False,
    tolerance: float = TOLERANCE,
) -> list[str]:
    """Return what a schedule breaks, one sentence a rule; empty means it obeys.

    Checked for each device: every interval once, 0 <= charge <= availability x max_charge_kw, discharge likewise,
    time sharing charge/max_charge + discharge/max_discharge <= 1 (``strict``: one of them is 0), the recursion of
    the state of charge from ``soc_start_kwh``, its band (from a start outside, monotonically back), its end, and
    the derived columns.

    Args:
        devices: ``DEVICE_COLUMNS``.
        prices: Give the grid.
        schedule: ``SCHEDULE_COLUMNS`` for some or all of the devices.
        strict: Whether charging and discharging within one interval is forbidden.
        tolerance: How far a limit may be missed [kW, kWh, 1].

    Raises:
        FrameError: Devices or prices break their column contracts.
    """
    missing = [name for name in SCHEDULE_COLUMNS if name not in schedule.columns]
    if missing:
        return [f"the schedule lacks column(s) {', '.join(missing)}"]
    grid = price_grid(prices)
    valid, _ = check_devices(devices, intervals=len(grid.starts))
    planned = schedule["device_id"].unique()
    unknown = sorted(set(planned.to_list()) - set(valid["device_id"].to_list()))
    if unknown:
        return [f"{len(unknown)} scheduled device(s) are not good rows of the devices; first: {unknown[0]}"]
    fleet = valid.filter(pl.col("device_id").is_in(planned.implode())).sort("device_id")
    rows = with_instants(schedule, "schedule rows").sort("device_id", "event_start")
    count = len(grid.starts)
    if (
        rows.height != fleet.height * count
        or not (rows["event_start"].to_numpy().reshape(-1, count) == grid.starts.to_numpy()).all()
    ):
        return [f"a device does not have each of the {count} intervals exactly once"]
    return _Judge(fleet, grid, rows, tolerance).broken(strict=strict)


class _Judge:
    """The schedule as matrices: one row a device, one column an interval."""

    def __init__(self, fleet: pl.DataFrame, grid: PriceGrid, rows: pl.DataFrame, tolerance: float) -> None:
        self.ids = fleet["device_id"].to_list()
        self.grid, self.tolerance = grid, tolerance
        self.fleet = {name: fleet[name].to_numpy()[:, None] for name in fleet.columns if fleet[name].dtype.is_float()}
        shape = (fleet.height, len(grid.starts))
        self.rows = {name: rows[name].to_numpy().reshape(shape) for name in SCHEDULE_COLUMNS if name.endswith("kw")}
        self.soc = rows["soc_kwh"].to_numpy().reshape(shape)
        self.mode = rows["mode"].to_numpy().reshape(shape)
        self.available = availability_matrix(fleet, shape[1])
        self.faults: list[str] = []

    def broken(self, *, strict: bool) -> list[str]:
        charge, discharge = self.rows["charge_kw"], self.rows["discharge_kw"]
        most_in, most_out = self.fleet["max_charge_kw"], self.fleet["max_discharge_kw"]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.nan_to_num(charge / most_in) + np.nan_to_num(discharge / most_out)
        self._at_most("charge_kw below 0", -charge)
        self._at_most("discharge_kw below 0", -discharge)
        self._at_most("charge_kw above availability x max_charge_kw", charge - self.available * most_in)
        self._at_most("discharge_kw above availability x max_discharge_kw", discharge - self.available * most_out)
        self._at_most("charge and discharge share more than the interval", share - 1)
        if strict:
            self._at_most("charge and discharge in one interval", np.minimum(charge, discharge))
        self._judge_soc(charge, discharge)
        power = self.rows["power_kw"]
        self._at_most("power_kw is not discharge_kw - charge_kw", np.abs(power - (discharge - charge)))
        self._at_most("rate_kw is not the size of power_kw", np.abs(self.rows["rate_kw"] - np.abs(power)))
        wrong = self.mode != np.where(power > 0, 1, np.where(power < 0, 2, 0))
        self._at_most("mode is not the sign of power_kw", wrong.astype(float))
        return self.faults

    def _judge_soc(self, charge: np.ndarray, discharge: np.ndarray) -> None:
        gain = charge * self.fleet["charge_efficiency"] - discharge / self.fleet["discharge_efficiency"]
        start = self.fleet["soc_start_kwh"]
        soc = start + np.cumsum(gain * self.grid.hours, axis=1)
        self._at_most("soc_kwh does not follow from charge and discharge", np.abs(self.soc - soc))
        before = np.hstack([start, self.soc[:, :-1]])
        low, high = self.fleet["soc_min_kwh"], self.fleet["soc_max_kwh"]
        # From outside, the way back may take many intervals, but each must lead towards the band.
        self._at_most("soc_kwh below soc_min_kwh", np.minimum(low, before) - self.soc)
        self._at_most("soc_kwh above soc_max_kwh", self.soc - np.maximum(high, before))
        self._at_most("last soc_kwh below soc_end_min_kwh", self.fleet["soc_end_min_kwh"] - self.soc[:, -1:])

    def _at_most(self, what: str, excess: np.ndarray) -> None:
        """Note the worst place where ``excess`` is above the tolerance, or is no number."""
        beyond = ~(excess <= self.tolerance)
        if beyond.any():
            worst = np.where(np.isnan(excess), np.inf, excess)
            device, interval = np.unravel_index(int(np.argmax(worst)), excess.shape)
            when = self.grid.starts[int(interval) if excess.shape[1] > 1 else -1].isoformat()
            self.faults.append(
                f"{what}: {int(beyond.sum())} time(s), worst {worst[device, interval]:.3g} by"
                f" {self.ids[int(device)]} at {when}"
            )


def availability_matrix(fleet: pl.DataFrame, intervals: int) -> np.ndarray:
    """Return the fraction of its power each device has in each interval, shape (devices, intervals)."""
    matrix = np.ones((fleet.height, intervals))
    listed = fleet["availability"].is_not_null().to_numpy()
    if listed.any():
        values = fleet["availability"].drop_nulls().explode(empty_as_null=False).to_numpy()
        matrix[listed] = values.reshape(-1, intervals)
    return matrix


def check_coupling(
    devices: pl.DataFrame,
    prices: pl.DataFrame,
    schedule: pl.DataFrame,
    *,
    feeders: pl.DataFrame | None = None,
    reserve: pl.DataFrame | None = None,
    tolerance: float = TOLERANCE,
) -> pl.DataFrame:
    """Return where a schedule misses a limit that devices share, and by how much.

    Net power of a feeder's devices against its limits; and, over devices with availability above 0, the reserve:
    sum availability (max_discharge - discharge + charge) >= R and
    sum availability discharge_efficiency (min(soc before, soc after) - soc_min) >= R duration. The reserve is an
    aggregate, an upper bound on what can be delivered: one full device that discharges and one empty device that
    idles pass it together.

    Returns:
        ``limit`` (import_limit_kw, export_limit_kw, reserve_power_kw, reserve_energy_kwh), ``feeder`` (null for the
        reserve), ``event_start``, ``amount`` (how much it is missed by, kW or kWh); only above the tolerance.

    Raises:
        FrameError: A frame breaks its column contract.
    """
    grid = price_grid(prices)
    valid, _ = check_devices(devices, intervals=len(grid.starts))
    fleet = valid.filter(pl.col("device_id").is_in(schedule["device_id"].unique().implode())).sort("device_id")
    rows = schedule.sort("device_id", "event_start")
    shape = (fleet.height, len(grid.starts))
    charge, discharge, soc = (rows[name].to_numpy().reshape(shape) for name in ("charge_kw", "discharge_kw", "soc_kwh"))
    missed: list[tuple[str, str | None, np.ndarray]] = []
    if feeders is not None:
        for name, most_in, most_out in feeder_limits(feeders)[0].iter_rows():
            net = (charge - discharge)[(fleet["feeder"] == name).fill_null(value=False).to_numpy()].sum(axis=0)
            missed += [("import_limit_kw", name, net - most_in), ("export_limit_kw", name, -net - most_out)]
    if reserve is not None:
        asked = reserve_requirement(reserve, grid)
        there = availability_matrix(fleet, shape[1])
        column = {name: fleet[name].to_numpy()[:, None] for name in fleet.columns if fleet[name].dtype.is_float()}
        headroom = (there * (column["max_discharge_kw"] - discharge + charge)).sum(axis=0)
        lowest = np.minimum(np.hstack([column["soc_start_kwh"], soc[:, :-1]]), soc)
        energy = (there * column["discharge_efficiency"] * (lowest - column["soc_min_kwh"])).sum(axis=0)
        missed += [
            ("reserve_power_kw", None, asked.power_kw - headroom),
            ("reserve_energy_kwh", None, asked.power_kw * asked.duration_h - energy),
        ]
    return missed_rows(missed, grid, tolerance)


def missed_rows(missed: list[tuple[str, str | None, np.ndarray]], grid: PriceGrid, tolerance: float) -> pl.DataFrame:
    """Return one row for each amount above the tolerance, in the shape that ``check_coupling`` describes."""
    rows = [
        (limit, feeder, grid.starts[int(at)], float(amount[at]))
        for limit, feeder, amount in missed
        for at in np.flatnonzero(amount > tolerance)
    ]
    schema = {"limit": pl.String(), "feeder": pl.String(), "event_start": TIME, "amount": pl.Float64()}
    return pl.DataFrame(rows, schema=schema, orient="row")
