"""One seeded world behind all stand-in services.

Every number is a function of (seed, absolute time): the same seed gives the same bytes whatever window is asked, in
any order, in any process. Truth is computed a UTC year at a time when first asked, and remembered.
Put here: the way from a window to arrays of truth. Keep out: formulas (world_*.py), forecasts, wire formats, clocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.errors import InputError
from domain.instants import PACIFIC
from simulators import world_california as california
from simulators import world_california_grid as california_grid
from simulators import world_texas as texas
from simulators import world_texas_prices as texas_prices
from simulators.localtime import HOUR_S, epoch, to_local, utc
from simulators.noise import Floats, Ints, normals, stream
from simulators.world_history import SAMPLES_PER_HOUR, PlantDrivers, PlantHistory, within_hours
from simulators.world_plant import afterbay_inflow_cfs, elevations_ft, storage_af
from simulators.world_river import river

BEGINNING: Final = datetime(2022, 1, 1, tzinfo=UTC)
"""The world has no history before this."""
SAMPLE_S: Final = HOUR_S // SAMPLES_PER_HOUR
_PAD_H: Final = 48
Block = dict[str, Floats]


class World:
    """Weather, river, plant, load and prices of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.first_hour = epoch(BEGINNING) // HOUR_S
        self._blocks: dict[tuple[str, int], Block] = {}
        self._plant = PlantHistory(self.first_hour, 1173.0)
        self._makers: dict[str, tuple[int, Callable[[int], Block]]] = {
            # family -> (elements an hour, maker of one year)
            "sierra": (1, self._sierra),
            "california_rt": (4, self._california_rt),
            "california": (1, self._california),
            "california_5min": (SAMPLES_PER_HOUR, self._california_5min),
            "texas": (1, self._texas),
            "texas_rt": (4, self._texas_rt),
            "plant": (1, self._plant_year),
            "samples": (SAMPLES_PER_HOUR, self._samples),
        }

    def window(self, family: str, start: int, end: int) -> Block:
        """Return every series of a family between two epochs, half-open.

        Args:
            family: ``sierra`` (river, dispatch, day-ahead LMPs, hourly), ``california_rt`` (LMPs, quarter-hourly),
                ``texas`` (grid and day-ahead prices, hourly), ``texas_rt`` (quarter-hourly), ``plant`` (hourly) or
                ``samples`` (every five minutes); ``california`` (load, sun, wind, hourly), ``california_5min`` (LMPs).
            start: First epoch [s]; a multiple of the family's step.
            end: Epoch [s] after the last element.

        Raises:
            InputError: The window begins before the world does.
        """
        per_hour, _ = self._makers[family]
        step = HOUR_S // per_hour
        if start < self.first_hour * HOUR_S:
            raise InputError(f"{utc(start).isoformat()} is before {BEGINNING.isoformat()}, when this world begins")
        years = range(utc(start).year, utc(max(start, end - step)).year + 1)
        parts = []
        for year in years:
            first, last = _year_hours(year)
            low = max(start, first * HOUR_S) // step - first * per_hour
            high = min(end, last * HOUR_S) // step - first * per_hour
            parts.append({name: values[low:high] for name, values in self._block(family, year).items()})
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def obey(self, setpoints_mw: Mapping[int, float]) -> None:
        """Run Oxbow by a published plan: epoch hour -> setpoint [MW]. Its future changes, its past does not."""
        self._plant.obey(setpoints_mw)
        changed = utc(min(setpoints_mw) * HOUR_S).year
        for family, year in list(self._blocks):
            if family in {"plant", "samples"} and year >= changed:
                del self._blocks[family, year]

    def _block(self, family: str, year: int) -> Block:
        key = (family, year)
        if key not in self._blocks:
            self._blocks[key] = self._makers[family][1](year)
        return self._blocks[key]

    def _sierra(self, year: int) -> Block:
        first, last = _year_hours(year)
        # A day of padding on both sides, cut off again: dispatch ranks the hours of whole local days.
        hours = np.arange(first - _PAD_H, last + _PAD_H, dtype=np.int64)
        at_h = hours.astype(float)
        water = river(self.seed, hours)
        day_ahead = california.components(self.seed, at_h, california.energy_usd_mwh(self.seed, at_h), "DAM")
        real_time = self._real_time_lmps(np.arange(hours[0] * 4, hours[-1] * 4 + 4, dtype=np.int64))
        hourly_rt = real_time["RALSTON_7_B1", "LMP"].reshape(-1, 4).mean(axis=1)
        made = california.dispatch(self.seed, hours, day_ahead["RALSTON_7_B1", "LMP"], hourly_rt, water)
        inflow = afterbay_inflow_cfs(water, made.actual_mw)
        block = {field.name: np.asarray(getattr(water, field.name), float) for field in fields(water)}
        block |= {"award_mw": made.award_mw, "mfra_mw": made.actual_mw, "inflow_cfs": inflow}
        block["outlook_cfs"] = np.convolve(np.pad(inflow, (3, 8), mode="edge"), np.ones(12) / 12.0, mode="valid")
        block |= {f"{node}/{part}": values for (node, part), values in day_ahead.items()}
        return {name: values[_PAD_H:-_PAD_H] for name, values in block.items()}

    def _real_time_lmps(self, quarters: Ints) -> dict[tuple[str, str], Floats]:
        at_h = quarters / 4.0
        energy = california.energy_usd_mwh(self.seed, at_h) + california.real_time_shock(self.seed, quarters)
        return california.components(self.seed, at_h, np.clip(energy, -150.0, 1000.0), "RTPD")

    def _california_rt(self, year: int) -> Block:
        first, last = _year_hours(year)
        prices = self._real_time_lmps(np.arange(first * 4, last * 4, dtype=np.int64))
        return {f"{node}/{part}": values for (node, part), values in prices.items()}

    def _california(self, year: int) -> Block:
        return california_grid.grid(self.seed, np.arange(*_year_hours(year), dtype=np.int64))

    def _california_5min(self, year: int) -> Block:
        first, last = _year_hours(year)
        slots = np.arange(first * SAMPLES_PER_HOUR, last * SAMPLES_PER_HOUR, dtype=np.int64)
        energy = np.repeat(self._block("california_rt", year)[f"{california.NODES[0]}/MCE"], 3)
        energy = energy + 2.0 * normals(stream(self.seed, "california", "5min"), slots)
        prices = california.components(self.seed, slots / SAMPLES_PER_HOUR, energy, "RTM")
        return {f"{node}/{part}": values for (node, part), values in prices.items()}

    def _texas(self, year: int) -> Block:
        hours = np.arange(*_year_hours(year), dtype=np.int64)
        truth = texas.grid(self.seed, hours)
        energy = texas_prices.day_ahead_energy_usd_mwh(self.seed, hours, truth)
        prices = texas_prices.point_prices(self.seed, hours.astype(float), energy, truth.wind_mw, "DA")
        block: Block = {f"load/{zone}": truth.load_mw[place] for place, zone in enumerate(texas.ZONES)}
        block |= {f"temperature/{zone}": truth.temperature_c[place] for place, zone in enumerate(texas.ZONES)}
        block |= {"wind": truth.wind_mw, "solar": truth.solar_mw, "outage": truth.outage_mw}
        reserves = texas_prices.reserve_prices(self.seed, hours.astype(float), energy, "DA")
        block |= {f"mcpc/{name}": values for name, values in reserves.items()}
        return block | {f"da/{name}": values for (name, kind), values in prices.items() if kind != "LZEW"}

    def _texas_rt(self, year: int) -> Block:
        hours = np.arange(*_year_hours(year), dtype=np.int64)
        quarters = np.arange(hours[0] * 4, hours[-1] * 4 + 4, dtype=np.int64)
        truth = texas.grid(self.seed, hours)
        net_load, outage = texas_prices.real_time_balance(self.seed, quarters, truth, hours)
        energy = texas_prices.real_time_energy_usd_mwh(self.seed, quarters, net_load, outage)
        prices = texas_prices.point_prices(self.seed, quarters / 4.0, energy, np.repeat(truth.wind_mw, 4), "RT")
        reserves = texas_prices.reserve_prices(self.seed, quarters / 4.0, energy, "RT")
        block = {f"mcpc/{name}": values for name, values in reserves.items()}
        block["prc"] = texas_prices.responsive_capability_mw(self.seed, quarters, net_load, outage)
        return block | {f"{name}/{kind}": values for (name, kind), values in prices.items()}

    def _plant_year(self, year: int) -> Block:
        first, last = _year_hours(year)
        while self._plant.next_hour < last:
            start = self._plant.next_hour
            end = _year_hours(utc(start * HOUR_S).year)[1]
            drivers = self.window("sierra", start * HOUR_S, end * HOUR_S)
            local, _ = to_local(np.arange(start, end, dtype=np.int64) * HOUR_S, PACIFIC)
            self._plant.extend(
                PlantDrivers(
                    inflow_cfs=drivers["inflow_cfs"],
                    outlook_cfs=drivers["outlook_cfs"],
                    float_ft=drivers["float_ft"],
                    pacific_hour=local // HOUR_S % 24,
                )
            )
        span = self._plant.span(first, last - first)
        block = {field.name: getattr(span, field.name) for field in fields(span) if field.name != "start"}
        return block | {"elevation_ft": elevations_ft(span.storage_af)}

    def _samples(self, year: int) -> Block:
        first, last = _year_hours(year)
        self._block("plant", year)
        sierra = self._block("sierra", year)
        float_before = (
            sierra["float_ft"][0] if first == self.first_hour else self._block("sierra", year - 1)["float_ft"][-1]
        )
        full_af = np.array([storage_af(level) for level in (float_before, *sierra["float_ft"])])
        span = self._plant.span(first, last - first)
        storage, power = within_hours(span, sierra["inflow_cfs"], full_af)
        block = {"elevation_ft": elevations_ft(storage), "power_mw": power}
        block["setpoint_mw"] = np.repeat(span.setpoint_mw, SAMPLES_PER_HOUR)
        block |= {name: np.repeat(sierra[name], SAMPLES_PER_HOUR) for name in ("float_ft", "spill_mode")}
        flows = ("r4_cfs", "r30_cfs", "r20_cfs", "r5l_cfs", "r26_cfs", "r10_cfs")
        block |= {name: self._between_hours(name, sierra[name], first) for name in flows}
        block["mfra_mw"] = np.repeat(sierra["mfra_mw"], SAMPLES_PER_HOUR)
        downstream = power * 163.73 + 83.0 + np.repeat(span.spill_cfs, SAMPLES_PER_HOUR)
        return block | {"r11_cfs": downstream + block["r26_cfs"] + block["r10_cfs"]}

    def _between_hours(self, name: str, hourly: Floats, first_hour: int) -> Floats:
        """Return five-minute means whose mean over each hour is exactly the hourly value."""
        places = (np.arange(hourly.size * SAMPLES_PER_HOUR) + 0.5) / SAMPLES_PER_HOUR
        smooth = np.interp(places, np.arange(hourly.size) + 0.5, hourly)
        index = np.arange(first_hour * SAMPLES_PER_HOUR, first_hour * SAMPLES_PER_HOUR + smooth.size, dtype=np.int64)
        ripple = smooth * (1.0 + 0.004 * normals(stream(self.seed, "ripple", name), index))
        table = ripple.reshape(-1, SAMPLES_PER_HOUR)
        return (table + (hourly - table.mean(axis=1))[:, None]).ravel()


def _year_hours(year: int) -> tuple[int, int]:
    return epoch(datetime(year, 1, 1, tzinfo=UTC)) // HOUR_S, epoch(datetime(year + 1, 1, 1, tzinfo=UTC)) // HOUR_S


def epochs(start: int, end: int, step: int) -> NDArray[np.int64]:
    """Return the epochs [s] from ``start`` to before ``end``, one a step."""
    return np.arange(start, end, step, dtype=np.int64)
