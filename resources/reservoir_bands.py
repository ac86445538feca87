"""Where the pool may go under a plan: its outputs walked through many futures, and a judge who walks some again.

Put here: bands, odds and their independent check. Keep out: where futures come from (domain/futures.py), storing them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from domain.errors import InfeasibleError
from domain.futures import futures_frame
from domain.trajectory import pick
from resources.reservoir_case import ReservoirCase
from resources.reservoir_decisions import Walked, walk_futures
from solvers.reservoir import check_plan
from solvers.reservoir.report import RAFT_MISSED_MW, probabilities
from solvers.reservoir.schedule import bands, to_frame
from solvers.reservoir.value import raft_shortfall_mw

FUTURES: Final = 500
_ORDER: Final = ("elevation_p10_ft", "elevation_p50_ft", "elevation_p90_ft")


@dataclass(frozen=True, kw_only=True)
class Bands:
    """What may become of a plan.

    Attributes:
        schedule: The plan with its bands and odds by hour.
        odds: ``spill``, ``below_minimum``, ``raft_missed`` -> odds that it ever happens within the plan [1].
        windows: Rafting window, as "2026-07-07T16:00Z to 19:00Z" -> odds that it is missed [1].
        futures: How many were walked.
        ordered: Whether quantiles rise and odds lie within 0 and 1 everywhere.
        breaches: What an independent judge found wrong in the driest, the middle and the wettest future.
    """

    schedule: pl.DataFrame
    odds: dict[str, float]
    windows: dict[str, float]
    futures: int
    ordered: bool
    breaches: list[str]


def bands_of(case: ReservoirCase, schedule: pl.DataFrame, *, count: int = FUTURES) -> Bands:
    """Return what may become of a plan in ``count`` futures of its case.

    Raises:
        InfeasibleError: The case has no futures (hindsight).
    """
    walked = walk_futures(case, schedule["oxbow_end_mw"].to_numpy(), count)
    if walked is None:
        raise InfeasibleError("a case in hindsight has no futures to be banded by")
    columns = bands(walked.plant, walked.inputs, walked.trajectory, walked.probability)
    wide = schedule.drop(columns.columns, strict=False).hstack(columns)
    return Bands(
        schedule=wide,
        odds=probabilities(walked.plant, (walked.inputs, walked.probability), walked.trajectory),
        windows=_windows(walked),
        futures=count,
        ordered=_ordered(wide),
        breaches=_breaches(case, walked),
    )


def _ordered(wide: pl.DataFrame) -> bool:
    low, middle, high = (pl.col(name) for name in _ORDER)
    odds = [pl.col(name).is_between(0.0, 1.0) for name in ("spill_probability", "below_minimum_probability")]
    return bool(wide.select(pl.all_horizontal(low <= middle, middle <= high, *odds).all()).item())


def _windows(walked: Walked) -> dict[str, float]:
    """Return the odds that each rafting window of the plan is missed in some hour."""
    wanted = ~np.isnan(np.atleast_2d(walked.inputs.raft_target_mw)[0])
    missed = raft_shortfall_mw(walked.inputs, walked.trajectory) > RAFT_MISSED_MW
    found, start = {}, walked.inputs.start
    first: int | None = None
    for hour, here in enumerate([*wanted.tolist(), False]):
        if here and first is None:
            first = hour
        elif not here and first is not None:
            name = f"{start[first]:%Y-%m-%dT%H:%MZ} for {hour - first} h"
            found[name] = float(walked.probability @ missed[:, first:hour].any(axis=1))
            first = None
    return found


def _breaches(case: ReservoirCase, walked: Walked) -> list[str]:
    """Return what the independent judge says of three futures, from frames alone."""
    futures = case.futures(len(walked.probability))
    if futures is None:
        return []
    order = np.argsort(walked.trajectory.storage_af[:, -1], kind="stable")
    chosen = order[[0, len(order) // 2, -1]]
    frames = futures_frame(case.inputs, futures, chosen, np.ones(3)).partition_by("scenario", maintain_order=True)
    breaches = []
    for index, frame in zip(chosen.tolist(), frames, strict=True):
        inputs = walked.inputs.scenario(index)
        one = to_frame(walked.plant, inputs, pick(walked.trajectory, index))
        inputs_of_one = frame.drop("scenario", "probability")
        told = check_plan(walked.plant, inputs_of_one, case.state, one, apply_rules=True)
        breaches += [f"future {index}: {text}" for text in told[:2]]
    return breaches
