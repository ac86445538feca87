"""The afterbay's decision, from the lake to a schedule: the one path that assets, replay and backtests share.

A decision reads as of its instant, assembles the solver's inputs, solves and checks; it writes nothing. Everything it
depends on is in its ``ReservoirCase``, and the case's fingerprint is in the manifest.
Put here: which series a plan needs and what replaces one that stops at the present. Keep out: formulas (domain),
optimization (solvers), how a forecast is made (forecasting).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import polars as pl

from domain.beliefs import TIME, Cutoffs
from domain.errors import InfeasibleError, MissingInputError
from domain.instants import iso
from domain.plant import Plant, PoolState
from forecasting.frames import QUANTILES
from forecasting.persistence import newest_value
from resources.decisions import FORECAST, HORIZON_H, fingerprint_of, our_forecast
from resources.lake import Lake
from resources.planning import PlanningReader
from solvers.reservoir import ReservoirPlan, check_plan, plan_reservoir

FORECAST_COLUMNS: Final = {
    "r4_flow_cfs": "r4.flow.cfs",
    "r30_flow_cfs": "r30.flow.cfs",
    "mfra_mw": "mfra.power.mw",
    "price_usd_mwh": "oxbow.price.usd_mwh",
}
"""Solver columns that our own forecasts fill."""

HELD_COLUMNS: Final = {
    "r20_flow_cfs": ("r20.flow.cfs", timedelta(hours=6)),
    "r5l_flow_cfs": ("r5l.flow.cfs", timedelta(hours=6)),
    "r26_flow_cfs": ("r26.flow.cfs", timedelta(hours=6)),
    "r10_flow_cfs": ("r10.flow.cfs", timedelta(hours=6)),
    "float_ft": ("afterbay_float.elevation.ft", timedelta(hours=26)),
    "ccs_mode": ("ccs.mode.1", timedelta(hours=26)),
}
"""Solver columns that hold their newest value, and how old that may be: slow gauges and operators' settings."""

LEVEL: Final = ("afterbay_now.elevation.ft", timedelta(hours=2))
POWER: Final = ("oxbow_now.power.mw", timedelta(hours=2))
"""The newest samples, and how old they may be: the state from which the plan starts."""
_CCS_MODES: Final = {0: "GEN", 1: "SPILL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservoirCase:
    """All that a reservoir plan depends on.

    Attributes:
        plant: The pool and its unit.
        inputs: The columns of ``tailrace solve reservoir``, one row an hour from the instant of the decision.
        state: Where pool and unit stand then.
        provenance: Input -> in words, where its values come from.
        scenarios: The same columns with ``scenario, probability``: both rivers at one quantile of their forecasts
            throughout. That ties all hours together, so the bands they give are wide rather than narrow. None where
            an hour has no distribution.
    """

    plant: Plant
    inputs: pl.DataFrame
    state: PoolState
    provenance: Mapping[str, str]
    scenarios: pl.DataFrame | None

    @property
    def fingerprint(self) -> str:
        """sha256 over inputs, state and plant: equal fingerprints mean the same problem."""
        state = {"elevation_ft": self.state.elevation_ft, "oxbow_mw": self.state.oxbow_mw}
        frames = [self.inputs] if self.scenarios is None else [self.inputs, self.scenarios]
        return fingerprint_of(frames, [state, repr(self.plant)])


def reservoir_case(lake: Lake, reader: PlanningReader, plant: Plant, cutoffs: Cutoffs) -> ReservoirCase:
    """Read what a reservoir plan needs, as known at ``cutoffs.at``.

    Raises:
        MissingInputError: A series has no usable value; all reasons at once.
    """
    origin = cutoffs.at
    hours = pl.DataFrame({"event_start": [origin + timedelta(hours=h) for h in range(HORIZON_H)]}).cast(TIME)
    reasons: dict[str, str] = {}
    provenance: dict[str, str] = {}
    inputs = hours
    for column, series_id in FORECAST_COLUMNS.items():
        inputs = inputs.join(our_forecast(lake, series_id, column, cutoffs, reasons), on="event_start", how="left")
        provenance[column] = f"{series_id}, our forecast as of {iso(origin)}"
    for column, (series_id, oldest) in HELD_COLUMNS.items():
        value, why = _newest(reader, series_id, cutoffs, oldest)
        inputs = inputs.with_columns(pl.lit(value, pl.Float64).alias(column))
        (reasons if value is None else provenance)[series_id if value is None else column] = f"{series_id}, {why}"
    level, why_level = _newest(reader, *LEVEL[:1], cutoffs, LEVEL[1])
    power, why_power = _newest(reader, *POWER[:1], cutoffs, POWER[1])
    if level is None:
        reasons[LEVEL[0]] = why_level
    if power is None:
        reasons[POWER[0]] = why_power
    if reasons or level is None or power is None:
        raise MissingInputError(f"the reservoir plan as of {iso(origin)}", reasons)
    provenance |= {"elevation_ft": f"{LEVEL[0]}, {why_level}", "oxbow_mw": f"{POWER[0]}, {why_power}"}
    inputs = inputs.with_columns(
        pl.col("ccs_mode").cast(pl.Int64).replace_strict(_CCS_MODES, return_dtype=pl.String),
        bias_cfs=pl.lit(0.0),
    )
    state = PoolState(elevation_ft=level, oxbow_mw=power)
    return ReservoirCase(
        plant=plant,
        inputs=inputs,
        state=state,
        provenance=provenance,
        scenarios=_river_scenarios(lake, inputs, cutoffs),
    )


def decide_reservoir(case: ReservoirCase) -> ReservoirPlan:
    """Solve a case and check the published trajectory independently.

    Raises:
        InfeasibleError: The plant cannot meet it, or the trajectory breaks the physics: neither is published.
    """
    plan = plan_reservoir(case.plant, case.inputs, case.state, scenarios=case.scenarios)
    broken = check_plan(case.plant, case.inputs, case.state, plan.schedule)
    if broken:
        raise InfeasibleError(f"the plan breaks the physics and is not published: {'; '.join(broken[:5])}")
    return plan


def published_schedule(case: ReservoirCase, plan: ReservoirPlan) -> pl.DataFrame:
    """Return the schedule as it is stored: the plan's columns and the float each level is judged by."""
    return plan.schedule.with_columns(case.inputs["float_ft"])


def _river_scenarios(lake: Lake, inputs: pl.DataFrame, cutoffs: Cutoffs) -> pl.DataFrame | None:
    """Return the inputs once a quantile of the rivers' forecasts, each with the probability around that quantile."""
    rivers = {"r4_flow_cfs": "r4.flow.cfs", "r30_flow_cfs": "r30.flow.cfs"}
    start, end = cutoffs.at, cutoffs.at + timedelta(hours=HORIZON_H)
    flows = [
        lake.as_of(series_id, start=start, end=end, cutoffs=cutoffs, scenarios=[FORECAST])
        .filter(pl.col("quantile").is_not_null())
        .select("event_start", "quantile", pl.col("value").alias(column))
        for column, series_id in rivers.items()
    ]
    both = flows[0].join(flows[1], on=["event_start", "quantile"])
    if both.height != inputs.height * len(QUANTILES):
        return None
    between = [0.0, *((low + high) / 2 for low, high in itertools.pairwise(QUANTILES)), 1.0]
    weights = {q: high - low for q, (low, high) in zip(QUANTILES, itertools.pairwise(between), strict=True)}
    return (
        inputs.drop(*rivers)
        .join(both, on="event_start")
        .with_columns(
            scenario=pl.format("rivers at {}", "quantile"),
            probability=pl.col("quantile").replace_strict(weights, return_dtype=pl.Float64),
        )
        .sort("quantile", "event_start")
        .drop("quantile")
        .select(*inputs.columns, "scenario", "probability")
    )


def _newest(reader: PlanningReader, series_id: str, cutoffs: Cutoffs, oldest: timedelta) -> tuple[float | None, str]:
    observed = reader.newest(series_id, oldest=oldest, cutoffs=cutoffs)
    return newest_value(observed, origin=cutoffs.at, oldest=oldest, series_id=series_id)
