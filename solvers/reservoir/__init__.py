"""The plan of the afterbay: setpoints that earn the most within the water, the licence and the rafters.

Put here: one formulation, its fast path, its certificate, its judge. Keep out: physics (domain/hydraulics.py,
domain/trajectory.py), files and publication.
"""

from __future__ import annotations

from solvers.reservoir.check import check_plan
from solvers.reservoir.options import OPTIMIZERS, ReservoirOptions
from solvers.reservoir.plan import ReservoirPlan, judged_plan, plan_reservoir

__all__ = ["OPTIMIZERS", "ReservoirOptions", "ReservoirPlan", "check_plan", "judged_plan", "plan_reservoir"]
