"""What following schedules was worth, between doing nothing about prices and having known them.

Put here: the two ends of that scale and where an executed day lies on it. Keep out: costs of powers and what devices do
by themselves (domain/fleet/outcome.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from domain.fleet.conditions import price_grid
from domain.fleet.outcome import cost_usd, uncontrolled
from solvers.fleet.plan import plan_fleet


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """Costs of one span of time, energy left in the stores priced alike [USD].

    Attributes:
        no_control_usd: Vehicles charge on arrival to what they need, batteries idle.
        executed_usd: What was executed.
        perfect_usd: The best schedule at the prices that came true: nobody can cost less.
    """

    no_control_usd: float
    executed_usd: float
    perfect_usd: float

    @property
    def saved_usd(self) -> float:
        """What control saved [USD]."""
        return self.no_control_usd - self.executed_usd

    @property
    def share_of_no_control(self) -> float | None:
        """Savings over the size of the cost without control; None where that is nothing."""
        return self.saved_usd / abs(self.no_control_usd) if self.no_control_usd else None

    @property
    def share_of_perfect(self) -> float | None:
        """Savings over the most that could have been saved; None where that is nothing."""
        most = self.no_control_usd - self.perfect_usd
        return self.saved_usd / most if most > 0 else None


def savings(
    devices: pl.DataFrame, executed: pl.DataFrame, prices: pl.DataFrame, *, stored_usd_per_kwh: float | None = None
) -> Savings:
    """Return where an executed span of time lies between no control and perfect foresight.

    Args:
        devices: ``domain.fleet.DEVICE_COLUMNS``, from what was stored when the span began.
        executed: ``device_id, event_start, power_kw`` (mean, positive to the grid), ``soc_kwh`` (at the end).
        prices: ``event_start, price_usd_mwh``: those that came true, on the executed intervals.
        stored_usd_per_kwh: Worth of a kWh left in a store; None takes the mean price.
    """
    worth = stored_usd_per_kwh
    if worth is None:
        worth = max(0.0, float(price_grid(prices).usd_mwh.mean()) / 1000)
    perfect = plan_fleet(devices, prices, terminal_value_usd_per_kwh=worth).schedule
    planned = pl.col("device_id").is_in(perfect["device_id"].implode())
    fleet, done = devices.filter(planned), executed.filter(planned)
    costs = [
        cost_usd(fleet, powers, prices, worth) for powers in (uncontrolled(fleet, prices), done, perfect)
    ]  # fmt: skip
    return Savings(no_control_usd=costs[0], executed_usd=costs[1], perfect_usd=costs[2])
