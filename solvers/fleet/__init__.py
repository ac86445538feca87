"""Plan a fleet of batteries against prices, alone or under limits they share.

Put here: the formulation, its kernels and its certificate. Keep out: files, devices' messages, price forecasts.
"""

from solvers.fleet.plan import FleetPlan, plan_fleet
from solvers.fleet.policy import feedback_levels, follow_levels

__all__ = ["FleetPlan", "feedback_levels", "follow_levels", "plan_fleet"]
