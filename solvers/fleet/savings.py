"""What following schedules was worth, between doing nothing about prices and having known them.

A battery that nobody controls idles and costs nothing, so the fleet's cost without control is next to nothing and a
share of it says nothing. Savings are stated in dollars, per kW, and as a share of what perfect foresight would have
saved. What a person pays without control is the bill of devices that only charge; for these, how much cheaper control
made the same energy is a percentage anybody can check.
Put here: the two ends of that scale and where an executed day lies on it. Keep out: costs of powers and what devices do
by themselves (domain/fleet/outcome.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from domain.fleet.conditions import price_grid
from domain.fleet.outcome import bought, cost_usd, uncontrolled
from solvers.fleet.plan import plan_fleet

MOST_OF_THE_FLEET: Final = 0.5
"""Part of the fleet's power that devices which only charge must have for the whole fleet to be measured by its bill
[1]: below it, most of what is saved is earned by batteries, which never had one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charging:
    """Devices that only charge: without control they buy energy, and they can never give any back.

    Attributes:
        devices: How many.
        power_kw: Charge power of all of them.
        uncontrolled_kwh: Energy they would have bought without control.
        bill_usd: What that would have cost, gross: no wear, no worth of what is stored in the end.
        bought_kwh: Energy they did buy.
        paid_usd: What that cost, gross.
    """

    devices: int
    power_kw: float
    uncontrolled_kwh: float
    bill_usd: float
    bought_kwh: float
    paid_usd: float

    @property
    def share_of_bill(self) -> float | None:
        """How much less of the bill the same energy cost at the mean price that was paid.

        Energy bought beyond what no control buys is thus no loss, and energy not delivered is no saving. None where
        nothing was bought, or prices below zero make the bill an income.
        """
        if self.bill_usd <= 0 or self.bought_kwh <= 0:
            return None
        return 1 - self.paid_usd / self.bought_kwh * self.uncontrolled_kwh / self.bill_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """Costs of one span of time, energy left in the stores priced alike [USD].

    Attributes:
        devices: How many could be judged.
        power_kw: The larger of charge and discharge power of each, together.
        no_control_usd: Vehicles charge on arrival to what they need, batteries idle.
        executed_usd: What was executed.
        perfect_usd: The best schedule at the prices that came true: nobody can cost less.
        bill_usd: Gross cost of the energy that all of them would have bought without control.
        charging: Those that only charge.
    """

    devices: int
    power_kw: float
    no_control_usd: float
    executed_usd: float
    perfect_usd: float
    bill_usd: float
    charging: Charging

    @property
    def saved_usd(self) -> float:
        """What control saved [USD]."""
        return self.no_control_usd - self.executed_usd

    @property
    def saved_usd_per_kw(self) -> float | None:
        """Savings per kW of the fleet; None where it has no power [USD/kW]."""
        return self.saved_usd / self.power_kw if self.power_kw else None

    @property
    def share_of_perfect(self) -> float | None:
        """Savings over the most that could have been saved; None where that is nothing."""
        most = self.no_control_usd - self.perfect_usd
        return self.saved_usd / most if most > 0 else None

    @property
    def share_of_fleet_bill(self) -> float | None:
        """Savings of the whole fleet over its bill; None where devices that only charge are not most of it."""
        if self.bill_usd <= 0 or self.charging.power_kw < MOST_OF_THE_FLEET * self.power_kw:
            return None
        return self.saved_usd / self.bill_usd


def savings(
    devices: pl.DataFrame, executed: pl.DataFrame, prices: pl.DataFrame, *, stored_usd_per_kwh: float | None = None
) -> Savings:
    """Return where an executed span of time lies between no control and perfect foresight.

    Args:
        devices: ``domain.fleet.DEVICE_COLUMNS``, from what was stored when the span began. Those that cannot be planned
            do not count.
        executed: ``device_id, event_start, power_kw`` (mean, positive to the grid), ``soc_kwh`` (at the end).
        prices: ``event_start, price_usd_mwh``: those that came true, on the executed intervals.
        stored_usd_per_kwh: Worth of a kWh left in a store; None takes the mean price.
    """
    worth = stored_worth_usd_per_kwh(prices) if stored_usd_per_kwh is None else stored_usd_per_kwh
    perfect = plan_fleet(devices, prices, terminal_value_usd_per_kwh=worth).schedule
    fleet = devices.filter(_of(perfect))
    alone = uncontrolled(fleet, prices)
    done = executed.filter(_of(fleet))
    bills = bought(alone, prices)
    charging = fleet.filter(_of(bills) & (pl.col("max_discharge_kw") == 0))
    theirs, paid = (rows.filter(_of(charging)).sum() for rows in (bills, bought(done, prices)))
    return Savings(
        devices=fleet.height,
        power_kw=float(fleet.select(pl.max_horizontal("max_charge_kw", "max_discharge_kw").sum()).item()),
        no_control_usd=cost_usd(fleet, alone, prices, worth),
        executed_usd=cost_usd(fleet, done, prices, worth),
        perfect_usd=cost_usd(fleet, perfect, prices, worth),
        bill_usd=float(bills["bill_usd"].sum()),
        charging=Charging(
            devices=charging.height,
            power_kw=float(charging["max_charge_kw"].sum()),
            uncontrolled_kwh=theirs["bought_kwh"].item(),
            bill_usd=theirs["bill_usd"].item(),
            bought_kwh=paid["bought_kwh"].item(),
            paid_usd=paid["bill_usd"].item(),
        ),
    )


def stored_worth_usd_per_kwh(prices: pl.DataFrame) -> float:
    """Return what a kWh left in a store is taken to be worth: the mean price, and never less than nothing."""
    return max(0.0, float(price_grid(prices).usd_mwh.mean()) / 1000)


def _of(frame: pl.DataFrame) -> pl.Expr:
    return pl.col("device_id").is_in(frame["device_id"].unique().implode())
