"""The fleet's decision, from the lake to schedules: the one path that assets, replay and backtests share.

A decision reads as of its instant, assembles the solver's inputs, solves and checks; it writes nothing. Everything it
depends on is in its ``FleetCase``, and the case's fingerprint is in the manifest.
Put here: which devices and prices a plan needs. Keep out: optimization (solvers), how a forecast is made (forecasting).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from domain.beliefs import Cutoffs
from domain.errors import InfeasibleError, MissingInputError
from domain.fleet import check_devices, check_schedule
from domain.fleet.wear import scheduled_depth_wear_usd
from domain.instants import CENTRAL, iso, local_day
from resources.decisions import fingerprint_of, our_forecast
from resources.lake import Lake

if TYPE_CHECKING:
    from solvers.fleet import FleetPlan

FLEET_PRICE: Final = "fleet.price.usd_mwh"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetCase:
    """All that a fleet plan depends on.

    Attributes:
        devices: The columns of ``tailrace solve fleet --devices``, by id.
        prices: ``event_start`` (UTC, half hours), ``price_usd_mwh``.
        operating_day: The local day planned; 46, 48 or 50 half hours.
        terminal_value_usd_per_kwh: What a stored kWh is worth when the day ends [USD/kWh]. Without it every battery
            would end the day as empty as it may, whatever tomorrow needs.
        provenance: Input -> in words, where its values come from.
    """

    devices: pl.DataFrame
    prices: pl.DataFrame
    operating_day: date
    terminal_value_usd_per_kwh: float
    provenance: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """sha256 over devices, prices and the terminal value."""
        return fingerprint_of([self.devices, self.prices], [self.terminal_value_usd_per_kwh])


def fleet_case(lake: Lake, devices: pl.DataFrame, cutoffs: Cutoffs) -> FleetCase:
    """Read what a day-ahead fleet plan needs, as known at ``cutoffs.at``, for the next local operating day.

    Raises:
        MissingInputError: There is no device, or an hour of the day has no price.
    """
    day = cutoffs.at.astimezone(CENTRAL).date() + timedelta(days=1)
    start, end = local_day(day, CENTRAL)
    reasons: dict[str, str] = {}
    hourly = our_forecast(lake, FLEET_PRICE, "price_usd_mwh", cutoffs, reasons, window=(start, end))
    if devices.is_empty():
        reasons["devices"] = "the registry holds no active device; tailrace fleet import"
    if reasons:
        raise MissingInputError(f"the fleet plan for {day} as of {iso(cutoffs.at)}", reasons)
    halves = pl.concat([hourly, hourly.with_columns(pl.col("event_start") + timedelta(minutes=30))])
    prices = halves.sort("event_start")
    return FleetCase(
        devices=on_the_day(devices.sort("device_id"), prices),
        prices=prices,
        operating_day=day,
        # The mean price is what the energy would fetch on an average hour of a day like this one.
        terminal_value_usd_per_kwh=max(0.0, float(hourly["price_usd_mwh"].sum()) / hourly.height / 1000),
        provenance={"price_usd_mwh": f"{FLEET_PRICE}, newest of our forecasts as of {iso(cutoffs.at)}"},
    )


def on_the_day(devices: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    """Return devices whose availability, kept by the 48 half hours of a local day, is that of this day's intervals.

    On a day whose clocks change, a half hour that comes twice takes the same fraction twice.
    """
    local = prices["event_start"].dt.convert_time_zone(CENTRAL.key)
    halves = (local.dt.hour().cast(pl.Int64) * 2 + local.dt.minute() // 30).to_list()
    return devices.with_columns(pl.col("availability").list.gather(halves))


def decide_fleet(case: FleetCase) -> FleetPlan:
    """Solve a case and check the schedule independently.

    Raises:
        InfeasibleError: No device can be planned, or a schedule breaks a limit: neither is published.
    """
    # Compiled kernels: 0.4 s and 80 MB that the five-minute poll, which loads the same code location, need not pay.
    from solvers.fleet import plan_fleet  # noqa: PLC0415 - as said

    plan = plan_fleet(case.devices, case.prices, terminal_value_usd_per_kwh=case.terminal_value_usd_per_kwh)
    if plan.schedule.is_empty():
        reasons = "; ".join(f"{row['device_id']}: {row['reason']}" for row in plan.report["infeasible"][:3])
        raise InfeasibleError(f"no device of the fleet can be planned: {reasons}")
    planned, _ = check_devices(case.devices)
    broken = check_schedule(planned, case.prices, plan.schedule)
    if broken:
        raise InfeasibleError(f"the fleet schedule breaks a limit and is not published: {'; '.join(broken[:5])}")
    return plan


def fleet_earnings_usd(case: FleetCase, schedule: pl.DataFrame) -> float:
    """Return what a schedule earns at the case's prices, wear paid, the energy still stored not counted [USD]."""
    hours = 0.5
    both = schedule.join(case.prices, on="event_start").join(
        case.devices.select("device_id", "wear_usd_per_kwh"), on="device_id"
    )
    energy = (pl.col("power_kw") * pl.col("price_usd_mwh") / 1000 * hours).sum()
    wear = ((pl.col("charge_kw") + pl.col("discharge_kw")) * pl.col("wear_usd_per_kwh") * hours).sum()
    by_depth = scheduled_depth_wear_usd(case.devices, schedule, hours)
    return float(both.select(energy - wear).item()) - by_depth
