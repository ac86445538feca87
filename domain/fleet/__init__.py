"""The battery fleet: its devices, the conditions it runs under, and what a schedule must obey.

Put here: records, column contracts, row-by-row checks, the generator of a realistic fleet, the judge of a schedule.
Keep out: choosing a schedule (solvers/fleet) and telling devices about it.
"""

from domain.fleet.conditions import (
    PriceGrid,
    Reserve,
    feeder_limits,
    price_grid,
    reserve_requirement,
)
from domain.fleet.devices import DEVICE_COLUMNS, Device, check_devices
from domain.fleet.external import check_energy, check_entries, merge_entries
from domain.fleet.generator import generate_fleet
from domain.fleet.schedule import SCHEDULE_COLUMNS, check_coupling, check_schedule

__all__ = [
    "DEVICE_COLUMNS",
    "SCHEDULE_COLUMNS",
    "Device",
    "PriceGrid",
    "Reserve",
    "check_coupling",
    "check_devices",
    "check_energy",
    "check_entries",
    "check_schedule",
    "feeder_limits",
    "generate_fleet",
    "merge_entries",
    "price_grid",
    "reserve_requirement",
]
