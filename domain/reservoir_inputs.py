"""What a reservoir plan is computed from: the hours ahead as arrays, read and checked once.

Put here: the column contract of the inputs and scenarios, the switch from frames to arrays. Keep out: files
(pipelines/commands/reservoir.py), rules that add columns (domain/rule_calendar.py), the walk through time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from math import isclose
from typing import Final

import numpy as np
import polars as pl

from domain.errors import FrameError
from domain.hydraulics import Array, dispatch_band_mw, inflow_cfs
from domain.instants import iso
from domain.interval_frames import in_order, interval_starts, numbers, optional_numbers, require_columns, step_hours
from domain.plant import MODES, Plant

FLOWS: Final = ("r4", "r30", "r20", "r5l", "r26", "r10")
NUMBERS: Final = (*(f"{name}_flow_cfs" for name in FLOWS), "mfra_mw", "float_ft", "price_usd_mwh", "bias_cfs")
"""Columns that every interval needs a number in."""
OPTIONAL: Final = ("oxbow_award_mw", "da_price_usd_mwh", "oxbow_available", "raft_target_mw", "minimum_flow_cfs")
BIAS_PARTS: Final = ("bias_r4_cfs", "bias_r30_cfs", "bias_r20_cfs", "bias_dispatch_cfs", "bias_balance_cfs")
"""What ``bias_cfs`` is the sum of (domain/bias.py), kept beside it; a plan uses the sum."""
"""Columns that may be left out."""


@dataclass(frozen=True, kw_only=True)
class ReservoirInputs:
    """The intervals ahead: arrays over T intervals, or scenarios x T where a scenario changes them.

    Attributes:
        start: Start of each interval [UTC].
        step_h: Length of every interval [h].
        inflow_cfs: Mean flow into the pool by the plant's balance, the bias included [cfs].
        float_ft: Level at which spill begins, the plant's buffer already taken off [ft].
        price_usd_mwh: What a MWh earns [USD/MWh].
        available: Whether the unit can run.
        raft_target_mw: Output wanted for rafting, NaN = none [MW].
        minimum_flow_cfs: Flow wanted at the compliance gauge, NaN = none [cfs].
        tributary_cfs: Flow that reaches the gauge past the unit: R26 + R10 [cfs].
        award_mw: Day-ahead commitment, NaN where there is none [MW].
        da_price_usd_mwh: Price of the commitment, NaN where there is none [USD/MWh].
        maximum_mw: Largest output the licence allows, usually the unit's own [MW].
        ramp_up_mw_per_h: Fastest rise of the output [MW/h].
        ramp_down_mw_per_h: Fastest fall of the output [MW/h].
        night: Whether the interval begins outside 08:00 to 20:00 local.
        warnings: What in the inputs is doubtful, in words.
    """

    start: tuple[datetime, ...]
    step_h: float
    inflow_cfs: Array
    float_ft: Array
    price_usd_mwh: Array
    available: np.ndarray
    raft_target_mw: Array
    minimum_flow_cfs: Array
    tributary_cfs: Array
    award_mw: Array
    da_price_usd_mwh: Array
    maximum_mw: Array
    ramp_up_mw_per_h: Array
    ramp_down_mw_per_h: Array
    night: np.ndarray
    warnings: tuple[str, ...] = field(default=())

    @property
    def intervals(self) -> int:
        """How many intervals there are."""
        return len(self.start)

    @property
    def scenarios(self) -> int:
        """How many scenarios the arrays hold; 1 for a single forecast."""
        return self.inflow_cfs.shape[0] if self.inflow_cfs.ndim > 1 else 1

    def scenario(self, index: int) -> ReservoirInputs:
        """Return the inputs of one scenario."""
        arrays = {
            name: value[index] for name, value in vars(self).items() if isinstance(value, np.ndarray) and value.ndim > 1
        }
        return replace(self, **arrays)

    def window(self, first: int, last: int) -> ReservoirInputs:
        """Return the intervals from ``first`` up to, not including, ``last``."""
        arrays = {n: v[..., first:last] for n, v in vars(self).items() if isinstance(v, np.ndarray)}
        return replace(self, start=self.start[first:last], **arrays)


def read_inputs(plant: Plant, frame: pl.DataFrame) -> ReservoirInputs:
    """Return the intervals a frame describes.

    Args:
        plant: The plant; its balance computes the inflow.
        frame: One row an interval: ``event_start`` (aware, evenly spaced, an hour or an even part of one), ``NUMBERS``,
            ``ccs_mode`` (GEN or SPILL), and any of ``OPTIONAL``.

    Raises:
        FrameError: A column or an hour is missing, a value is null, no number or out of range; the message names
            the hour and the column.
        TimeError: A time carries no zone.
    """
    require_columns(frame, ("event_start", *NUMBERS, "ccs_mode"))
    start = interval_starts(frame)
    step_h = step_hours(start, end=_only_end(frame))
    columns = {name: numbers(frame, name, start) for name in NUMBERS}
    spill_mode = _modes(frame, start)
    flows = {name: columns[f"{name}_flow_cfs"] for name in FLOWS} | {"bias": columns["bias_cfs"]}
    count, unit = len(start), plant.unit
    _require_levels(plant, columns["float_ft"], start)
    award, da_price = _award(frame, start)
    return ReservoirInputs(
        start=start,
        step_h=step_h,
        inflow_cfs=inflow_cfs(plant.balance, plant.upstream, flows, columns["mfra_mw"], spill_mode),
        float_ft=columns["float_ft"] - plant.pool.float_buffer_ft,
        price_usd_mwh=columns["price_usd_mwh"],
        available=_available(frame, start),
        raft_target_mw=optional_numbers(frame, "raft_target_mw", start),
        minimum_flow_cfs=optional_numbers(frame, "minimum_flow_cfs", start),
        tributary_cfs=flows["r26"] + flows["r10"],
        award_mw=award,
        da_price_usd_mwh=da_price,
        maximum_mw=np.full(count, unit.maximum_mw),
        ramp_up_mw_per_h=np.full(count, unit.ramp_mw_per_h),
        ramp_down_mw_per_h=np.full(count, unit.ramp_mw_per_h),
        night=_night(plant, start),
        warnings=(*_unused(frame), *_dispatch_warnings(plant, flows, columns["mfra_mw"], start)),
    )


def read_scenarios(plant: Plant, frame: pl.DataFrame, base: ReservoirInputs) -> tuple[ReservoirInputs, Array]:
    """Return the scenarios a frame describes, stacked, and their probabilities.

    Args:
        plant: The plant.
        frame: The inputs' columns plus ``scenario`` and ``probability``; every scenario covers the intervals of
            ``base``, and its probability stands in each of its rows.
        base: The inputs the plan is made for.

    Raises:
        FrameError: A scenario lacks intervals, has other outages than the inputs, changes its probability, or the
            probabilities do not add up to 1.
    """
    require_columns(frame, ("scenario", "probability"))
    if not frame.schema["probability"].is_numeric():
        raise FrameError(f"probability is {frame.schema['probability']}; write it as numbers from 0 to 1")
    parts = frame.partition_by("scenario", maintain_order=True)
    inputs, probability = [], []
    for part in parts:
        name = part["scenario"][0]
        read = read_inputs(plant, in_order(part.drop("scenario", "probability")))
        if read.start != base.start:
            raise FrameError(
                f"scenario {name!r} covers {iso(read.start[0])} to {iso(read.start[-1])} in {read.intervals} steps;"
                f" it must cover the inputs' {iso(base.start[0])} to {iso(base.start[-1])} in {base.intervals}"
            )
        if (base.available & ~read.available).any():
            raise FrameError(f"scenario {name!r} has an outage the inputs do not; outages are common to all scenarios")
        chances = part["probability"].unique().to_list()
        if len(chances) != 1 or chances[0] is None or not 0.0 <= float(chances[0]) <= 1.0:
            raise FrameError(
                f"scenario {name!r} has probability {chances}; write one number from 0 to 1 in all its rows"
            )
        inputs.append(read)
        probability.append(float(chances[0]))
    total = sum(probability)
    if not isclose(total, 1.0, rel_tol=0.0, abs_tol=1e-6):  # what text files round away
        raise FrameError(f"the probabilities of {len(parts)} scenarios add up to {total:g}; they must add up to 1")
    stacked = {
        name: np.stack([getattr(one, name) for one in inputs])
        for name, value in vars(base).items()
        if isinstance(value, np.ndarray)
        and name not in ("available", "night", "ramp_up_mw_per_h", "ramp_down_mw_per_h")
    }
    return replace(base, **stacked), np.array(probability) / total


def _only_end(frame: pl.DataFrame) -> datetime | None:
    """Return when the first interval ends, where the frame says so."""
    if "event_end" not in frame.columns:
        return None
    return interval_starts(frame.head(1).select(event_start="event_end"))[0]


def _modes(frame: pl.DataFrame, start: tuple[datetime, ...]) -> np.ndarray:
    modes = frame["ccs_mode"].to_list()
    for moment, mode in zip(start, modes, strict=True):
        if mode not in MODES:
            raise FrameError(f"ccs_mode at {iso(moment)} is {mode!r}; write {' or '.join(MODES)}")
    return np.array([mode == "SPILL" for mode in modes])


def _available(frame: pl.DataFrame, start: tuple[datetime, ...]) -> np.ndarray:
    if "oxbow_available" not in frame.columns:
        return np.ones(len(start), dtype=bool)
    column = frame["oxbow_available"]
    values = numbers(
        frame.with_columns(column.cast(pl.Int64)) if column.dtype == pl.Boolean else frame, column.name, start
    )
    for moment, value in zip(start, values, strict=True):
        if value not in (0.0, 1.0):
            raise FrameError(f"oxbow_available at {iso(moment)} is {value:g}; write 1 (it can run) or 0 (it cannot)")
    return values == 1.0


def _award(frame: pl.DataFrame, start: tuple[datetime, ...]) -> tuple[Array, Array]:
    none = np.full(len(start), np.nan)
    if "oxbow_award_mw" not in frame.columns:
        return none, none
    if "da_price_usd_mwh" not in frame.columns:
        raise FrameError("oxbow_award_mw is given without da_price_usd_mwh; a commitment needs its price")
    return numbers(frame, "oxbow_award_mw", start), numbers(frame, "da_price_usd_mwh", start)


def _require_levels(plant: Plant, float_ft: Array, start: tuple[datetime, ...]) -> None:
    curve = plant.storage
    outside = (float_ft < curve.valid_from_ft) | (float_ft > curve.valid_to_ft)
    if outside.any():
        row = int(np.argmax(outside))
        raise FrameError(
            f"float_ft at {iso(start[row])} is {float_ft[row]:g} ft; the storage curve of {plant.name} holds from"
            f" {curve.valid_from_ft:g} to {curve.valid_to_ft:g} ft"
        )


def _night(plant: Plant, start: tuple[datetime, ...]) -> np.ndarray:
    hours = pl.Series(start).dt.convert_time_zone(plant.zone).dt.hour().to_numpy()
    return (hours < 8) | (hours >= 20)  # noqa: PLR2004 - day is 08:00 to 20:00, the operators' shift


def _unused(frame: pl.DataFrame) -> list[str]:
    known = {"event_start", "event_end", "ccs_mode", *NUMBERS, *OPTIONAL, *BIAS_PARTS}
    unused = [name for name in frame.columns if name not in known]
    return [f"column(s) not used: {', '.join(unused)}"] if unused else []


def _dispatch_warnings(plant: Plant, flows: dict[str, Array], mfra_mw: Array, start: tuple[datetime, ...]) -> list[str]:
    """Name the hours whose upstream dispatch the powerhouses could not hold; they are planned for as given."""
    low, high = dispatch_band_mw(plant.upstream, flows["r4"], flows["r5l"])
    slack = plant.upstream.band_tolerance
    outside = (mfra_mw < low * (1.0 - slack) - 1.0) | (mfra_mw > high * (1.0 + slack))
    if not outside.any():
        return []
    row = int(np.argmax(outside))
    text = (
        f"mfra_mw at {iso(start[row])} is {mfra_mw[row]:g} MW, outside what the powerhouses can hold at that inflow"
        f" ({low[row]:.1f} to {high[row]:.1f} MW); {int(outside.sum())} interval(s) in all, used as given"
    )
    return [text]
