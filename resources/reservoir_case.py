"""What a reservoir decision depends on, put together from the lake.

Put here: the case and how its columns are made from readings. Keep out: reads (reservoir_readings.py), deciding
(reservoir_decisions.py), formulas (domain), how a forecast is made (forecasting).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from domain.beliefs import Cutoffs
from domain.bias import bias_paths_cfs, with_bias
from domain.dispatch_forecast import (
    DispatchForecast,
    forecast_dispatch,
    newest_deviation,
    past_deviations,
    with_deviations,
)
from domain.errors import MissingInputError
from domain.futures import Uncertainty, draw_futures
from domain.hydraulics import Array
from domain.instants import iso
from domain.plant import Plant, PoolState
from domain.plant_checks import with_settings
from domain.reservoir_inputs import ReservoirInputs, read_inputs
from domain.rule_calendar import with_rules
from forecasting.frames import QUANTILES
from resources.decisions import HORIZON_H, fingerprint_of
from resources.lake import Lake
from resources.planning import PlanningReader
from resources.reservoir_bias import parts_told, read_parts
from resources.reservoir_readings import (
    FORECAST_COLUMNS,
    HELD_COLUMNS,
    LEVEL,
    MFRA,
    MODES,
    POWER,
    RECORD_H,
    Dispatch,
    Newest,
    hours_from,
    led_by_public_rivers,
    read_dispatch,
    read_forecasts,
    read_members,
    read_record,
)
from resources.reservoir_run import RunSettings
from solvers.reservoir import ReservoirOptions
from solvers.reservoir.overrides import SETPOINT, Edit

UNCERTAIN: Final = ("r4_flow_cfs", "r30_flow_cfs", "mfra_mw", "price_usd_mwh")
"""Columns that futures differ in."""
STEADY_SHARE: Final = 0.02
"""Of the shortfall's cost, for output missing at an hour's end: rafters ride a flow, not the mean of an hour [1]."""
REAL_TIME_PRICE: Final = "ralston.price_rt.usd_mwh"


@dataclass(frozen=True, kw_only=True)
class ReservoirCase:
    """All that a reservoir plan depends on.

    Attributes:
        plant: The pool and its unit.
        inputs: The columns of ``tailrace solve reservoir``, one row an hour from the instant of the decision.
        state: Where pool and unit stand then.
        provenance: Input -> in words, where its values come from.
        hourly: ``event_start`` and, a column each, where that hour's value comes from where that differs by hour.
        uncertainty: What may come instead; None in hindsight.
        run: What the run chose.
    """

    plant: Plant
    inputs: pl.DataFrame
    state: PoolState
    provenance: Mapping[str, str]
    hourly: pl.DataFrame
    uncertainty: Uncertainty | None
    run: RunSettings = field(default_factory=RunSettings)

    @property
    def fingerprint(self) -> str:
        """sha256 over all of it but the words: equal fingerprints mean the same problem."""
        state = {"elevation_ft": self.state.elevation_ft, "oxbow_mw": self.state.oxbow_mw}
        others: list[object] = [state, repr(self.plant), repr(self.run)]
        frames = [self.inputs]
        if (known := self.uncertainty) is not None:
            frames.append(known.deviations)
            arrays = [*known.quantiles.items(), *known.members.items(), ("tiers", known.tiers_mw)]
            others += [(name, array.tobytes().hex()) for name, array in arrays] + [known.now_mw]
        return fingerprint_of(frames, others)

    @property
    def seed(self) -> int:
        """What futures are drawn by: the instant of the decision."""
        return int(self.inputs["event_start"][0].timestamp()) // 3600

    @property
    def options(self) -> ReservoirOptions:
        """The solver's options: dated rules on, the run's settings, an operator's setpoints fixed."""
        fixed = {
            hour: edit.value
            for edit in self.run.edits
            if edit.column == SETPOINT
            for hour, start in enumerate(self.inputs["event_start"])
            if edit.start <= start < edit.end
        }
        return ReservoirOptions(settings=self.run.settings, apply_rules=True, fixed_mw=fixed, steady_share=STEADY_SHARE)

    def read(self) -> tuple[Plant, ReservoirInputs]:
        """Return the plant with the run's settings, and the intervals with the plant's rules applied."""
        plant = with_settings(self.plant, self.run.settings)
        return plant, with_rules(plant, read_inputs(plant, self.inputs))

    def futures(self, count: int) -> dict[str, Array] | None:
        """Return equally likely futures of the uncertain columns, count x hours; None in hindsight."""
        if self.uncertainty is None:
            return None
        return draw_futures(self.plant, self.inputs, self.uncertainty, count, seed=self.seed)


def reservoir_case(
    lake: Lake, reader: PlanningReader, plant: Plant, cutoffs: Cutoffs, run: RunSettings | None = None
) -> ReservoirCase:
    """Read what a reservoir plan needs, as known at ``cutoffs.at``.

    Raises:
        MissingInputError: A series has no usable value; all reasons at once.
    """
    run, origin = run or RunSettings(), cutoffs.at
    record, newest = read_record(reader, start=origin - timedelta(hours=RECORD_H), end=origin, cutoffs=cutoffs)
    forecasts, dispatch = read_forecasts(lake, cutoffs), read_dispatch(reader, cutoffs)
    if run.source == "cnrfc":
        forecasts = led_by_public_rivers(reader, forecasts, cutoffs)
    reasons = _missing(newest) | _holes(forecasts.means)
    upstream = None
    try:
        upstream = upstream_forecast(dispatch, tuple(forecasts.means["event_start"].to_list()), ZoneInfo(plant.zone))
    except MissingInputError as error:
        reasons |= error.reasons
    if reasons or upstream is None:
        raise MissingInputError(f"the reservoir plan as of {iso(origin)}", reasons)
    forecast = upstream.forecast
    provenance = dict(forecasts.words) | {column: _told(newest, name) for column, name in HELD_COLUMNS.items()}
    provenance |= {"elevation_ft": _told(newest, LEVEL), "oxbow_mw": _told(newest, POWER)}
    provenance["mfra_mw"] = f"{_counted(forecast.provenance)}; deviations from {upstream.from_what}"
    inputs = forecasts.means.with_columns(
        *(pl.lit(newest.values[name]).alias(column) for column, name in HELD_COLUMNS.items() if column != "ccs_mode"),
        ccs_mode=pl.lit(MODES[newest.values["ccs.mode.1"]]),
        mfra_mw=forecast.mfra_mw,
    )
    chosen = with_settings(plant, run.settings)
    parts = read_parts(lake, chosen, record, cutoffs)
    provenance |= parts_told(chosen, parts)
    inputs = inputs.with_columns(
        **bias_paths_cfs(chosen, parts, np.arange(HORIZON_H, dtype=np.float64)), bias_cfs=pl.lit(0.0)
    )
    inputs = _with_commitment(with_bias(inputs, {}), dispatch, provenance)
    origins = {column: pl.Series(hours) for column, hours in forecasts.origins.items()}
    hourly = inputs.select("event_start", mfra_mw=pl.Series(forecast.provenance), **origins)
    inputs, hourly, held = _edited(inputs, hourly, run.edits, provenance)
    members = read_members(reader, cutoffs)
    provenance["futures"] = members[1] if members else "quantiles of our forecasts, steady in time by a fixed half-life"
    uncertainty = Uncertainty(
        probabilities=np.array(QUANTILES),
        quantiles=forecasts.quantiles,
        members=members[0] if members else {},
        tiers_mw=upstream.tiers.mfra_mw,
        deviations=upstream.deviations,
        now_mw=upstream.now_mw,
        held=held,
    )
    return ReservoirCase(
        plant=plant,
        inputs=inputs,
        state=PoolState(elevation_ft=newest.values[LEVEL], oxbow_mw=max(0.0, newest.values[POWER])),
        provenance=provenance,
        hourly=hourly,
        uncertainty=uncertainty,
        run=run,
    )


def _missing(newest: Newest) -> dict[str, str]:
    """Return why held series and the state have no usable value."""
    names = [LEVEL, POWER, *HELD_COLUMNS.values()]
    reasons = {name: newest.words[name] for name in names if name not in newest.values}
    mode = newest.values.get("ccs.mode.1")
    if mode is not None and mode not in MODES:
        reasons["ccs.mode.1"] = f"mode {mode:g} is unknown ({newest.words['ccs.mode.1']}); 0 is GEN, 1 is SPILL"
    return reasons


def _holes(means: pl.DataFrame) -> dict[str, str]:
    """Return which of our forecasts lack hours, and the first of those."""
    reasons = {}
    for column, series_id in FORECAST_COLUMNS.items():
        empty = means.filter(pl.col(column).is_null())
        if empty.height:
            reasons[series_id] = (
                f"our forecast covers {means.height - empty.height} of {means.height} hours, the first missing is"
                f" {iso(empty['event_start'][0])}; materialize forecasting for this instant"
            )
    return reasons


def _told(newest: Newest, series_id: str) -> str:
    return f"{series_id}, {newest.words[series_id]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """What is expected of the powerhouses upstream.

    Attributes:
        forecast: Hour by hour, what measured output adds to the tiers included.
        tiers: The same without it.
        deviations: How dispatch left its expectation in the past.
        now_mw: How it leaves it now; None where nothing new was measured [MW].
        from_what: What the past expectation was, in words.
    """

    forecast: DispatchForecast
    tiers: DispatchForecast
    deviations: pl.DataFrame
    now_mw: float | None
    from_what: str


def upstream_forecast(dispatch: Dispatch, start: tuple[datetime, ...], zone: ZoneInfo) -> Upstream:
    """Return what is expected of the powerhouses upstream from the first of some hours on.

    Raises:
        MissingInputError: Nothing was measured in sixty days, or an hour has neither an award nor a habit.
    """
    if dispatch.history.is_empty():
        raise MissingInputError("the dispatch forecast", {MFRA: "nothing was measured in sixty days"})
    tiers = forecast_dispatch(start, dispatch.awards, dispatch.history, zone)
    deviations, from_what = past_deviations(dispatch.history, dispatch.awards, zone)
    now_mw = newest_deviation(dispatch.history, dispatch.awards, deviations, start[0])
    forecast = with_deviations(tiers, deviations, now_mw)
    return Upstream(forecast=forecast, tiers=tiers, deviations=deviations, now_mw=now_mw, from_what=from_what)


def _counted(provenance: Sequence[str]) -> str:
    """Return how many hours come from each tier: "award 14 h, blend 24 h, habit weekday-hour 58 h"."""
    tiers = [where.split(",")[0] for where in provenance]
    names = ["blend" if tier.startswith("blend") else tier for tier in tiers]
    return ", ".join(f"{name} {names.count(name)} h" for name in dict.fromkeys(names))


def _with_commitment(inputs: pl.DataFrame, dispatch: Dispatch, provenance: dict[str, str]) -> pl.DataFrame:
    """Return the inputs with our unit's day-ahead commitment and its price, where both are known; 0 MW elsewhere."""
    both = dispatch.oxbow_awards.join(dispatch.day_ahead, on="event_start", suffix="_da")
    both = both.select("event_start", oxbow_award_mw="value", da_price_usd_mwh="value_da")
    joined = inputs.join(both, on="event_start", how="left")
    known = joined.height - joined["oxbow_award_mw"].null_count()
    if not known:
        return inputs
    provenance["oxbow_award_mw"] = f"day-ahead award and price of {known} h; no commitment in the other hours"
    return joined.with_columns(pl.col("oxbow_award_mw", "da_price_usd_mwh").fill_null(0.0))


def _edited(
    inputs: pl.DataFrame, hourly: pl.DataFrame, edits: Sequence[Edit], provenance: dict[str, str]
) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, np.ndarray]]:
    """Return inputs and hourly provenance with operators' values in place, and where no future may leave them."""
    touched: dict[str, np.ndarray] = {}
    for edit in edits:
        here = (pl.col("event_start") >= edit.start) & (pl.col("event_start") < edit.end)
        told = f"{edit.author}, {iso(edit.at)}: {edit.reason}"
        provenance[f"override of {edit.column} from {iso(edit.start)}"] = (
            f"{edit.value:g} until {iso(edit.end)}, {told}"
        )
        if edit.column not in inputs.columns:
            continue
        now = inputs.select(here).to_series().to_numpy()
        touched[edit.column] = touched.get(edit.column, np.zeros(inputs.height, dtype=bool)) | now
        inputs = inputs.with_columns(pl.when(here).then(edit.value).otherwise(edit.column).alias(edit.column))
        before = pl.col(edit.column) if edit.column in hourly.columns else pl.lit("")
        hourly = hourly.with_columns(
            pl.when(here).then(pl.lit(f"override, {told}")).otherwise(before).alias(edit.column)
        )
    inputs = with_bias(inputs, touched) if touched else inputs
    return inputs, hourly, {column: hours for column, hours in touched.items() if column in UNCERTAIN}


def hindsight_case(
    reader: PlanningReader,
    plant: Plant,
    at: datetime,
    *,
    known: Cutoffs,
    until: datetime | None = None,
    run: RunSettings | None = None,
) -> ReservoirCase:
    """Return the case of an instant with everything known that came after it: the yardstick of plans, never a plan.

    Args:
        reader: Planning series.
        plant: The plant.
        at: The instant the plan would have been made at [UTC].
        known: Cutoffs of the knowledge used.
        until: End of the hours planned; None = as many as are known, at most the horizon [UTC].
        run: What the run chose.

    Raises:
        MissingInputError: An hour in between was not measured completely; the first is named.
    """
    hours = min(HORIZON_H, int(((until or known.at) - at) / timedelta(hours=1)))
    if hours < 1:
        raise MissingInputError(f"hindsight on {iso(at)}", {"time": f"no hour has passed by {iso(known.at)}"})
    end = at + timedelta(hours=hours)
    record, _ = read_record(reader, start=at - timedelta(hours=RECORD_H), end=end, cutoffs=known)
    price = reader.hourly(REAL_TIME_PRICE, start=at, end=end, cutoffs=known)
    before, after = record.filter(pl.col("event_start") < at), record.filter(pl.col("event_start") >= at)
    after = after.join(price.rename({"value": "price_usd_mwh"}), on="event_start", how="left")
    empty = {name: after.filter(pl.col(name).is_null())["event_start"] for name in after.columns}
    reasons = {name: f"{gaps.len()} h missing, first {iso(gaps[0])}" for name, gaps in empty.items() if gaps.len()}
    power = before["oxbow_mw"].drop_nulls()
    if power.is_empty():
        reasons["oxbow_mw"] = f"nothing measured in the {RECORD_H} h before {iso(at)}"
    if reasons:
        raise MissingInputError(f"hindsight on {iso(at)}", reasons)
    inputs = after.drop("oxbow_mw", "level", "elevation_ft").with_columns(bias_cfs=pl.lit(0.0))
    return ReservoirCase(
        plant=plant,
        inputs=inputs,
        state=PoolState(elevation_ft=float(after["level"][0]), oxbow_mw=max(0.0, float(power[-1]))),
        provenance={"everything": f"as measured until {iso(end)}"},
        hourly=hours_from(at, hours),
        uncertainty=None,
        run=run or RunSettings(),
    )
