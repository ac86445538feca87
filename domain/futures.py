"""Futures of the afterbay: rivers, dispatch upstream and price, each as uncertain as it is known to be.

Put here: what uncertainty is made of and how many futures are drawn from it. Keep out: reading it from the lake
(resources/reservoir_decisions.py), plans over futures (solvers), the mathematics of paths (domain/scenario_paths.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from domain.dispatch_forecast import shock_paths
from domain.hydraulics import Array, dispatch_band_mw, inflow_cfs
from domain.plant import Plant
from domain.reservoir_inputs import FLOWS, ReservoirInputs
from domain.scenario_paths import ensemble_ranks, steady_ranks, through_quantiles

RIVERS: Final = ("r4_flow_cfs", "r30_flow_cfs")
RIVER_HALF_LIFE_H: Final = 36.0
"""In which time a river's place in its forecast is half forgotten, where no ensemble tells [h]. Weather systems pass in
a day or two; HEFS paths of Sierra points keep a rank correlation of one half for one to two days."""
RIVERS_ALIKE: Final = 0.8
"""Correlation of the two rivers' places in their forecasts: one weather, two catchments side by side [1]."""
PRICE_HALF_LIFE_H: Final = 6.0
"""The same for the price: a tight evening does not last till morning [h]."""


@dataclass(frozen=True, kw_only=True)
class Uncertainty:
    """What may differ from the inputs of a plan, T hours.

    Attributes:
        probabilities: Non-exceedance probabilities of all quantiles, rising, Q of them.
        quantiles: Column -> T x Q; NaN in an hour without a distribution, which then has no other value than its mean.
        members: River -> members x T, paths of an ensemble whose course in time is followed; empty without one.
        tiers_mw: Dispatch upstream before measured deviations are added, T [MW].
        deviations: ``event_start``, ``deviation_mw``: how dispatch left its forecast in the past.
        now_mw: The newest deviation; None where it is no longer news [MW].
        held: Column -> T, where an operator has said what will be: no path leaves it.
    """

    probabilities: Array
    quantiles: Mapping[str, Array]
    members: Mapping[str, Array]
    tiers_mw: Array
    deviations: pl.DataFrame
    now_mw: float | None
    held: Mapping[str, np.ndarray]


def draw_futures(
    plant: Plant, inputs: pl.DataFrame, uncertainty: Uncertainty, count: int, *, seed: int
) -> dict[str, Array]:
    """Return futures of the inputs' uncertain columns, each count x T, all equally likely; equal seeds, equal futures.

    Dispatch upstream is held to what the powerhouses can do at that future's river.

    Args:
        plant: The plant.
        inputs: The inputs of the plan, whose columns stand where nothing is uncertain.
        uncertainty: What is.
        count: How many futures.
        seed: Chooses them.
    """
    random = np.random.default_rng(seed)
    hours = inputs.height
    if uncertainty.members:
        drawn = int(random.integers(2**32))
        ranks = {
            river: ensemble_ranks(uncertainty.members[river], count, random=np.random.default_rng(drawn))
            for river in RIVERS
        }
    else:
        ranks = _river_ranks(count, hours, random)
    ranks["price_usd_mwh"] = steady_ranks(count, hours, half_life_h=PRICE_HALF_LIFE_H, random=random)
    futures = {}
    for column, places in ranks.items():
        known = ~np.isnan(uncertainty.quantiles[column]).any(axis=1)
        paths = np.repeat(inputs[column].to_numpy()[None, :], count, axis=0)
        lowest = 0.0 if column in RIVERS else -np.inf
        paths[:, known] = through_quantiles(
            uncertainty.probabilities, uncertainty.quantiles[column][known], places[:, known], lowest=lowest
        )
        futures[column] = paths
    shocks = np.zeros((count, hours))
    if uncertainty.deviations.height:
        shocks = shock_paths(
            uncertainty.deviations, hours, count, seed=int(random.integers(2**32)), now_mw=uncertainty.now_mw
        )
    low, high = dispatch_band_mw(plant.upstream, futures["r4_flow_cfs"], inputs["r5l_flow_cfs"].to_numpy())
    futures["mfra_mw"] = np.clip(uncertainty.tiers_mw + shocks, low, np.maximum(low, high))
    for column, held in uncertainty.held.items():
        futures[column][:, held] = inputs[column].to_numpy()[held]
    return futures


def _river_ranks(count: int, hours: int, random: np.random.Generator) -> dict[str, Array]:
    """Return ranks of both rivers, alike as ``RIVERS_ALIKE`` says: paths that share most of their weather."""
    shared = steady_ranks(count, hours, half_life_h=RIVER_HALF_LIFE_H, random=random)
    own = steady_ranks(count, hours, half_life_h=RIVER_HALF_LIFE_H, random=random)
    mixed = RIVERS_ALIKE * (shared - 0.5) + np.sqrt(1.0 - RIVERS_ALIKE**2) * (own - 0.5)
    again = np.argsort(np.argsort(mixed, axis=0, kind="stable"), axis=0, kind="stable")
    return {"r4_flow_cfs": shared, "r30_flow_cfs": (again + 0.5) / count}


def stacked_inputs(
    plant: Plant, read: ReservoirInputs, inputs: pl.DataFrame, futures: Mapping[str, Array]
) -> ReservoirInputs:
    """Return the intervals of a plan with the inflow and price of each future, stacked; rules stay as they are.

    Args:
        plant: The plant.
        read: The plan's intervals, its rules applied.
        inputs: The frame they were read from.
        futures: As ``draw_futures`` gives them.
    """
    flows: dict[str, Array | float] = {name: inputs[f"{name}_flow_cfs"].to_numpy() for name in FLOWS}
    flows |= {"r4": futures["r4_flow_cfs"], "r30": futures["r30_flow_cfs"], "bias": inputs["bias_cfs"].to_numpy()}
    spill_mode = (inputs["ccs_mode"] == "SPILL").to_numpy()
    return replace(
        read,
        inflow_cfs=inflow_cfs(plant.balance, plant.upstream, flows, futures["mfra_mw"], spill_mode),
        price_usd_mwh=futures["price_usd_mwh"],
    )


def futures_frame(
    inputs: pl.DataFrame, futures: Mapping[str, Array], chosen: np.ndarray, probability: Array
) -> pl.DataFrame:
    """Return chosen futures as the scenario columns of the file contract: the inputs' and ``scenario, probability``."""
    parts = [
        inputs.with_columns(
            *(pl.Series(column, paths[index]) for column, paths in futures.items()),
            scenario=pl.lit(f"future {index}"),
            probability=pl.lit(float(chance)),
        )
        for index, chance in zip(chosen.tolist(), probability, strict=True)
    ]
    return pl.concat(parts)
