"""Slow, obvious statements of what the fleet optimizer must find: whole linear and integer programmes in HiGHS.

Not a test itself. The matrices are written row by row from the contract's formulas, with none of the optimizer's code.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import highspy
import numpy as np
import polars as pl

from domain.fleet import feeder_limits, price_grid, reserve_requirement
from domain.fleet.schedule import availability_matrix

START = datetime(2026, 7, 1, 5, tzinfo=UTC)
RELAXED_USD_PER_KWH = 20.0


def price_frame(usd_mwh: Sequence[float] | np.ndarray, hours: float = 1.0) -> pl.DataFrame:
    """Return prices from 05:00 UTC on."""
    times = [START + timedelta(hours=hours * i) for i in range(len(usd_mwh))]
    return pl.DataFrame(
        {"event_start": times, "price_usd_mwh": [float(each) for each in usd_mwh]},
        schema={"event_start": pl.Datetime("us", "UTC"), "price_usd_mwh": pl.Float64},
    )


def device_frame(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return devices that differ from a plain 10 kWh, 5 kW battery in what each row names."""
    plain = {
        "device_id": "",
        "capacity_kwh": 10.0,
        "max_charge_kw": 5.0,
        "max_discharge_kw": 5.0,
        "charge_efficiency": 0.9,
        "discharge_efficiency": 0.9,
        "soc_min_kwh": 0.0,
        "soc_max_kwh": 10.0,
        "soc_start_kwh": 0.0,
        "soc_end_min_kwh": 0.0,
        "wear_usd_per_kwh": 0.0,
        "feeder": None,
        "availability": None,
    }
    filled = [plain | {"device_id": f"d{i}"} | row for i, row in enumerate(rows)]
    schema = {"feeder": pl.String, "availability": pl.List(pl.Float64)}
    return pl.DataFrame(filled, schema_overrides=schema, infer_schema_length=None)


class WholeProgramme:
    """Every device, interval and shared limit in one model; columns c, d, s, e (least soc) a device and interval."""

    def __init__(
        self, devices: pl.DataFrame, prices: pl.DataFrame, end_value: float = 0.0, *, strict: bool = False
    ) -> None:
        self.devices, self.grid = devices, price_grid(prices)
        self.count, self.intervals = devices.height, len(self.grid.starts)
        self.part = availability_matrix(devices, self.intervals)
        self.model = highspy.Highs()
        self.model.setOptionValue("output_flag", False)
        self.model.setOptionValue("mip_rel_gap", 0.0)
        self.model.setOptionValue("mip_abs_gap", 1e-10)
        self.model.setOptionValue("primal_feasibility_tolerance", 1e-9)
        self.model.setOptionValue("dual_feasibility_tolerance", 1e-9)
        self.charge: list[list[Any]] = []
        self.discharge: list[list[Any]] = []
        self.soc: list[list[Any]] = []
        for i, row in enumerate(devices.iter_rows(named=True)):
            self._device(i, row, end_value, strict=strict)

    def _device(self, i: int, row: dict[str, Any], end_value: float, *, strict: bool) -> None:
        model, h, last = self.model, self.grid.hours, self.intervals - 1
        price, wear = self.grid.usd_mwh / 1000.0, row["wear_usd_per_kwh"]
        c = [
            model.addVariable(0, self.part[i, t] * row["max_charge_kw"], h * (price[t] + wear)) for t in range(last + 1)
        ]
        d = [
            model.addVariable(0, self.part[i, t] * row["max_discharge_kw"], h * (wear - price[t]))
            for t in range(last + 1)
        ]
        s = []
        low, high = row["soc_start_kwh"], row["soc_start_kwh"]
        for t in range(last + 1):
            # From outside the band the way back is as fast as the device can go.
            low = min(row["soc_min_kwh"], low + h * row["charge_efficiency"] * self.part[i, t] * row["max_charge_kw"])
            high = max(
                row["soc_max_kwh"], high - h / row["discharge_efficiency"] * self.part[i, t] * row["max_discharge_kw"]
            )
            least = max(low, row["soc_end_min_kwh"]) if t == last else low
            s.append(model.addVariable(least, high, -end_value if t == last else 0.0))
            change = s[t] - h * row["charge_efficiency"] * c[t] + h / row["discharge_efficiency"] * d[t]
            model.addConstr(change == row["soc_start_kwh"] if t == 0 else change - s[t - 1] == 0)
            if row["max_charge_kw"] > 0 and row["max_discharge_kw"] > 0:
                model.addConstr(c[t] * (1 / row["max_charge_kw"]) + d[t] * (1 / row["max_discharge_kw"]) <= 1)
            if strict:
                charging = model.addBinary()
                model.addConstr(c[t] <= row["max_charge_kw"] * charging)
                model.addConstr(d[t] + row["max_discharge_kw"] * charging <= row["max_discharge_kw"])
        self.charge.append(c)
        self.discharge.append(d)
        self.soc.append(s)

    def limit_feeders(self, feeders: pl.DataFrame) -> WholeProgramme:
        """Add net limits of each feeder, relaxed at 20 USD/kWh."""
        h = self.grid.hours
        for name, most_in, most_out in feeder_limits(feeders)[0].iter_rows():
            members = [i for i, feeder in enumerate(self.devices["feeder"]) if feeder == name]
            for t in range(self.intervals if members else 0):
                net = sum(self.charge[i][t] - self.discharge[i][t] for i in members)
                over, under = (self.model.addVariable(0, highspy.kHighsInf, RELAXED_USD_PER_KWH * h) for _ in range(2))
                self.model.addConstr(net - over <= most_in)
                self.model.addConstr(net + under >= -most_out)
        return self

    def hold_reserve(self, reserve: pl.DataFrame) -> WholeProgramme:
        """Add the aggregate reserve, power and energy, relaxed at 20 USD/kWh."""
        asked, h = reserve_requirement(reserve, self.grid), self.grid.hours
        rows = list(self.devices.iter_rows(named=True))
        for t in range(self.intervals):
            power, energy, fixed_power, fixed_energy = [], [], 0.0, 0.0
            for i, row in enumerate(rows):
                part = self.part[i, t]
                if part == 0:
                    continue
                power.append(part * self.charge[i][t] - part * self.discharge[i][t])
                fixed_power += part * row["max_discharge_kw"]
                least = self.model.addVariable(-highspy.kHighsInf, highspy.kHighsInf, 0.0)
                self.model.addConstr(least <= self.soc[i][t])
                if t:
                    self.model.addConstr(least <= self.soc[i][t - 1])
                else:
                    self.model.addConstr(least <= row["soc_start_kwh"])
                energy.append(part * row["discharge_efficiency"] * least)
                fixed_energy -= part * row["discharge_efficiency"] * row["soc_min_kwh"]
            short = self.model.addVariable(0, highspy.kHighsInf, RELAXED_USD_PER_KWH * h)
            lacking = self.model.addVariable(0, highspy.kHighsInf, RELAXED_USD_PER_KWH)
            self.model.addConstr(sum(power) + short >= asked.power_kw[t] - fixed_power)
            self.model.addConstr(sum(energy) + lacking >= asked.power_kw[t] * asked.duration_h[t] - fixed_energy)
        return self

    def optimum(self) -> float:
        """Return the least cost, relaxation included [USD]."""
        self.model.run()
        status = self.model.getModelStatus()
        assert status == highspy.HighsModelStatus.kOptimal, status
        return float(self.model.getInfo().objective_function_value)


def random_devices(draw: np.random.Generator, count: int, intervals: int, *, feeders: int = 0) -> pl.DataFrame:
    """Return devices of every awkward sort: one-way, lossless, partly away, starting outside their band."""
    rows = []
    for _ in range(count):
        capacity = draw.choice([2.0, 13.5, 60.0]) * draw.uniform(0.5, 1.5)
        low, high = np.sort(draw.uniform(0, 1, 2)) if draw.random() < 0.5 else (0.1, 0.95)
        rows.append(
            {
                "capacity_kwh": capacity,
                "max_charge_kw": draw.choice([0.0, 1.0, 5.0, 11.0], p=[0.05, 0.25, 0.4, 0.3]) * draw.uniform(0.8, 1.2),
                "max_discharge_kw": draw.choice([0.0, 1.0, 5.0, 11.0], p=[0.15, 0.25, 0.4, 0.2]),
                "charge_efficiency": draw.choice([1.0, 0.95, draw.uniform(0.3, 1)]),
                "discharge_efficiency": draw.choice([1.0, 0.95, draw.uniform(0.3, 1)]),
                "soc_min_kwh": low * capacity,
                "soc_max_kwh": high * capacity,
                "soc_start_kwh": capacity * (draw.uniform(low, high) if draw.random() < 0.8 else draw.random()),
                "soc_end_min_kwh": capacity * draw.choice([0.0, draw.uniform(0, high)]),
                "wear_usd_per_kwh": draw.choice([0.0, 0.005, 0.03]),
                "feeder": f"f{draw.integers(feeders)}" if feeders and draw.random() < 0.9 else None,
                "availability": draw.choice([0.0, 0.0, 0.3, 0.5, 0.8, 1.0, 1.0, 1.0], intervals).tolist()
                if draw.random() < 0.5
                else None,
            }
        )
    return device_frame(*rows)


def random_prices(draw: np.random.Generator, intervals: int, hours: float) -> pl.DataFrame:
    """Return prices with spikes, ties and, most of the time, values below zero."""
    usd_mwh = draw.normal(40, 40, intervals).round(draw.integers(0, 3))
    if draw.random() < 0.7:
        usd_mwh[draw.random(intervals) < 0.3] = -draw.choice([1.0, 30.0, 240.0])
    if draw.random() < 0.3:
        usd_mwh[draw.integers(intervals)] = 5000.0
    return price_frame(usd_mwh, hours)
