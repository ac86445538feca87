"""How the afterbay's plans turned out, from the plans kept and the record measured since.

Put here: which plan is held against which hours, and revenue of a day three ways. Keep out: the arithmetic of an error
(domain/tracking.py), storing and showing what comes out (assets/dispatch_afterbay.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from domain.beliefs import Cutoffs
from domain.bias import TOTAL, Bias
from domain.errors import MissingInputError, TailraceError
from domain.hydraulics import Array, storage_af
from domain.instants import iso, local_day
from domain.plant import Plant
from domain.tracking import LEADS_H, MEASURED, PARTS, level_error
from resources.lake import Lake
from resources.planning import PlanningReader
from resources.publisher import Publisher, Version
from resources.reservoir_bias import read_parts
from resources.reservoir_case import REAL_TIME_PRICE, hindsight_case
from resources.reservoir_ladder import PLAN, SHIFTED
from resources.reservoir_readings import DAY_AHEAD_PRICE, OXBOW_AWARD, RECORD_H, read_record
from solvers.reservoir import plan_reservoir

LOOK_BACK_H: Final = 60
"""The longest lead and room for late values [h]."""
ERRORS: Final = ("error_ft", *PARTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """Errors of past plans at one instant.

    Attributes:
        at: End of the last completely measured hour [UTC].
        errors: ``lead_h``, ``error_ft``, its parts and ``as_of`` of the plan, one row a lead that has a plan.
        untold: Lead -> why it has no row.
        level: ``event_start``, ``value``: the level as observed [ft].
    """

    at: datetime
    errors: pl.DataFrame
    untold: dict[int, str]
    level: pl.DataFrame


def track(publisher: Publisher, reader: PlanningReader, plant: Plant, cutoffs: Cutoffs) -> Tracked:
    """Return how plans of 1 to 48 hours ago foretold the newest level.

    Raises:
        MissingInputError: No hour of the last day was measured completely.
    """
    start = cutoffs.at - timedelta(hours=LOOK_BACK_H)
    record, _ = read_record(reader, start=start, end=cutoffs.at, cutoffs=cutoffs)
    whole = record.filter(pl.all_horizontal(pl.col(MEASURED).is_not_null()))
    if whole.is_empty():
        raise MissingInputError(
            f"tracking as of {iso(cutoffs.at)}", {"record": f"no complete measured hour since {iso(start)}"}
        )
    end = whole["event_start"][-1] + timedelta(hours=1)
    rows, untold = [], {}
    for lead in LEADS_H:
        made = end - timedelta(hours=lead)
        version = publisher.newest(PLAN, made)
        if version is None:
            untold[lead] = f"no plan was made at {iso(made)}"
            continue
        if version.manifest["status"] == SHIFTED:
            untold[lead] = f"the plan of {iso(made)} was an older one carried on"
            continue
        try:
            rows.append({"lead_h": lead, "as_of": made} | _error(plant, version, record, made, end))
        except TailraceError as error:
            untold[lead] = str(error)
    schema = {"lead_h": pl.Int64, "as_of": pl.Datetime("us", "UTC")} | dict.fromkeys(ERRORS, pl.Float64)
    level = record.select("event_start", value="level")
    return Tracked(at=end, errors=pl.DataFrame(rows, schema=schema), untold=untold, level=level)


def _error(plant: Plant, version: Version, record: pl.DataFrame, made: datetime, end: datetime) -> dict[str, float]:
    within = (pl.col("event_start") >= made) & (pl.col("event_start") < end)
    schedule = version.schedule().filter(within).select("event_start", "outflow_cfs", "spill_cfs", "elevation_ft")
    inputs = pl.read_parquet(version.folder / "inputs.parquet").join(schedule, on="event_start", maintain_order="left")
    measured = record.filter(within)
    began = measured["level"].first()
    if began is None:
        raise MissingInputError("tracking", {"afterbay.elevation.ft": f"not measured at {iso(made)}"})
    return level_error(
        plant,
        inputs,
        measured,
        planned_start_ft=version.manifest["state"]["elevation_ft"],
        start_ft=float(began),  # ty: ignore[invalid-argument-type] - a level is a float
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedPart:
    """What one part of the inflow missed lately, and what the newest plan makes of it.

    Attributes:
        part: ``r4``, ``r30``, ``r20``, ``dispatch`` or ``balance``.
        bias: As estimated.
        half_life_h: In which it fades by half [h].
        planned_cfs: What the newest plan adds for it in its first hour; None without a plan, or where the whole bias
            was set by hand [cfs].
        said: Who set it by hand and why; empty where nobody did.
    """

    part: str
    bias: Bias
    half_life_h: float
    planned_cfs: float | None
    said: str


def bias_now(
    lake: Lake, publisher: Publisher, reader: PlanningReader, plant: Plant, cutoffs: Cutoffs
) -> list[MissedPart]:
    """Return what each part of the inflow missed in the day before the belief cutoff, the balance last."""
    start = cutoffs.at - timedelta(hours=RECORD_H)
    record, _ = read_record(reader, start=start, end=cutoffs.at, cutoffs=cutoffs)
    parts = read_parts(lake, plant, record, cutoffs)
    planned, said = {}, {}
    version = publisher.newest(PLAN, cutoffs.at)
    if version is not None:
        planned = pl.read_parquet(version.folder / "inputs.parquet").row(0, named=True)
        said = pl.read_parquet(version.folder / "hourly.parquet").row(0, named=True)
    found = []
    for part, bias in parts.items():
        column = f"bias_{part}_cfs"
        who = said.get(column) or said.get(TOTAL) or ""
        half_life_h = plant.bias.half_life_h(part)
        one = MissedPart(part=part, bias=bias, half_life_h=half_life_h, planned_cfs=planned.get(column), said=who)
        found.append(one)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """What a local day earned, and what it could have.

    Attributes:
        day: The local day.
        usd: ``actual``, ``planned``, ``hindsight`` -> revenue at real-time prices, commitment included, and the change
            of the water stored at the day's mean price [USD].
        untold: Which of them cannot be told, and why.
    """

    day: date
    usd: dict[str, float]
    untold: dict[str, str]


def earned(publisher: Publisher, reader: PlanningReader, plant: Plant, day: date, cutoffs: Cutoffs) -> Earned:
    """Return what the pool earned on a local day: measured, as planned when it began, and in hindsight.

    All three are settled at the same prices and with the same commitment, and the water left at midnight is worth the
    day's mean price in each, so that a pool drained is no gain.
    """
    start, end = local_day(day, ZoneInfo(plant.zone))
    usd: dict[str, float] = {}
    untold: dict[str, str] = {}
    try:
        prices = _prices(reader, start, end, cutoffs)
    except MissingInputError as error:
        return Earned(day=day, usd={}, untold=dict.fromkeys(("actual", "planned", "hindsight"), str(error)))
    try:
        case = hindsight_case(reader, plant, start, known=cutoffs, until=end)
    except MissingInputError as error:
        untold |= dict.fromkeys(("actual", "hindsight"), str(error))
    else:
        record, _ = read_record(reader, start=start, end=end, cutoffs=cutoffs)
        level = (case.state.elevation_ft, record["elevation_ft"][-1])
        usd["actual"] = _worth_usd(plant, record["oxbow_mw"].to_numpy(), level, prices)
        best = plan_reservoir(case.plant, case.inputs, case.state, options=case.options).schedule
        level = (case.state.elevation_ft, best["elevation_ft"][-1])
        usd["hindsight"] = _worth_usd(plant, best["oxbow_mw"].to_numpy(), level, prices)
    version = publisher.newest(PLAN, start)
    if version is None:
        untold["planned"] = f"no plan was made at {iso(start)}"
    else:
        planned = version.schedule().filter(pl.col("event_start") < end)
        level = (version.manifest["state"]["elevation_ft"], planned["elevation_ft"][-1])
        usd["planned"] = _worth_usd(plant, planned["oxbow_mw"].to_numpy(), level, prices)
    return Earned(day=day, usd=usd, untold=untold)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prices:
    """Prices of a day's hours and the commitment: real time [USD/MWh], day ahead [USD/MWh], award [MW]."""

    real_time: Array
    day_ahead: Array
    award_mw: Array


def _prices(reader: PlanningReader, start: datetime, end: datetime, cutoffs: Cutoffs) -> _Prices:
    hours = round((end - start) / timedelta(hours=1))
    real_time = reader.hourly(REAL_TIME_PRICE, start=start, end=end, cutoffs=cutoffs)
    if real_time.height != hours:
        raise MissingInputError(
            f"revenue of {iso(start)}", {REAL_TIME_PRICE: f"{real_time.height} of {hours} hours have a price"}
        )
    committed = reader.observed_all([OXBOW_AWARD, DAY_AHEAD_PRICE], start=start, end=end, cutoffs=cutoffs)
    joined = real_time.select("event_start")
    for name, series_id in (("award", OXBOW_AWARD), ("da", DAY_AHEAD_PRICE)):
        joined = joined.join(committed[series_id].rename({"value": name}), on="event_start", how="left")
    # Without an award there is no commitment: everything is sold in real time.
    joined = joined.with_columns(
        award=pl.when(pl.col("da").is_null()).then(0.0).otherwise(pl.col("award").fill_null(0.0))
    )
    return _Prices(
        real_time=real_time["value"].to_numpy(),
        day_ahead=joined["da"].fill_null(0.0).to_numpy(),
        award_mw=joined["award"].to_numpy(),
    )


def _worth_usd(plant: Plant, mean_mw: Array, level_ft: tuple[float, float], prices: _Prices) -> float:
    """Return what output and the change of storage are worth [USD]; hours are whole."""
    sold = prices.award_mw * prices.day_ahead + (mean_mw - prices.award_mw) * prices.real_time
    per_af = float(prices.real_time.mean()) * plant.weights.energy_mwh_per_af
    stored = storage_af(plant.storage, np.array(level_ft))
    return float(sold.sum() + per_af * (stored[1] - stored[0]))
