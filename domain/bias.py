"""What the balance gets wrong: learned from the level's own record, faded over the hours ahead.

Put here: residuals between the inflow a balance computes and the one the level shows, and what to expect of them.
Keep out: reading measurements, publishing.

While the gates spill the pool stands still and its level says nothing about inflow: such hours are masked, and so are
those in which a gauge must be wrong. A bias of
``mass_balance`` is weather and fades with a half-life; that of ``legacy`` is built in (it counts side water twice) and
stays. The back-test compares pairs of form and rule, never one without the other.

What a plan gets wrong an hour ahead has parts besides the balance: the rivers and the dispatch it expected. They are
told apart by putting what was measured in the place of what was expected, one after the other, so they add up and
nothing is counted twice. A plan adds each by its share (the plant's ``bias``): all of the balance's, none of the
others, which are shown, and added where somebody says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl

from domain.errors import InputError
from domain.hydraulics import LEGACY, Array, elevation_ft, inflow_cfs, net_inflow_cfs, storage_af, unit_flow_cfs
from domain.instants import iso
from domain.plant import BiasRules, Plant
from domain.reservoir_inputs import BIAS_PARTS, FLOWS, read_inputs
from domain.units import AF_PER_CFS_HOUR

WINDOW_H: Final = 24
LARGEST_CFS: Final = 2000.0
"""Residuals beyond this are a gauge's, not the river's; such hours are left out [cfs]. The former system clipped them
to this value, so a gauge stuck high for a day became a bias of 2,000 cfs that emptied the planned pool."""
SPILL_MARGIN_FT: Final = 0.05
"""A level this close below the float may be spilling [ft]."""
LEAST_HOURS: Final = 6
HALF_LIFE_H: Final = BiasRules().balance_half_life_h
"""In which a bias fades by half where a plant says nothing else [h]."""
EXPECTED: Final = {"r4": "r4_flow_cfs", "r30": "r30_flow_cfs", "r20": "r20_flow_cfs", "dispatch": "mfra_mw"}
"""Part of the bias -> the column whose expectation it judges; what is left is ``balance``."""
TOTAL: Final = "bias_cfs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bias:
    """What the balance missed lately.

    Attributes:
        bias_cfs: Mean residual of the hours used; positive = more water came than computed [cfs].
        hours_used: Hours that counted.
        hours_masked: Hours left out because the pool stood at the float or a gauge was plainly wrong.
        reason: Why the bias is 0 although residuals exist; empty otherwise.
    """

    bias_cfs: float
    hours_used: float
    hours_masked: float
    reason: str = ""


def residuals_cfs(plant: Plant, measured: pl.DataFrame, start_elevation_ft: float) -> tuple[Array, np.ndarray]:
    """Return actual less expected net inflow of past intervals [cfs], and which of them tell something.

    Those do that stand clear of the float and differ by no more than ``LARGEST_CFS``.

    Args:
        plant: The plant; its balance is the one judged.
        measured: The inputs' columns as measured (``bias_cfs`` is ignored) plus ``elevation_ft`` at each interval's end
            and ``oxbow_mw``, the mean output.
        start_elevation_ft: Level when the first interval begins [ft].
    """
    inputs = read_inputs(plant, measured.with_columns(bias_cfs=pl.lit(0.0)).drop("elevation_ft", "oxbow_mw"))
    level = np.concatenate([[start_elevation_ft], measured["elevation_ft"].to_numpy()])
    mean_mw = measured["oxbow_mw"].to_numpy()
    running = np.asarray(mean_mw > 0.0, dtype=np.float64)
    drawn = unit_flow_cfs(plant.unit, mean_mw, running=running, level_ft=level[:-1])
    difference = net_inflow_cfs(plant.storage, level, inputs.step_h) - (inputs.inflow_cfs - drawn)
    clear = np.maximum(level[1:], level[:-1]) < inputs.float_ft - SPILL_MARGIN_FT
    return difference, clear & (np.abs(difference) <= LARGEST_CFS)


def estimate_bias(plant: Plant, measured: pl.DataFrame, start_elevation_ft: float) -> Bias:
    """Return the mean residual of the last day's hours in which the gates did not spill; see ``residuals_cfs``."""
    difference, clear = residuals_cfs(plant, measured, start_elevation_ft)
    step_h = 1.0
    if measured.height > 1:
        step_h = (measured["event_start"][1] - measured["event_start"][0]) / timedelta(hours=1)
    window = round(WINDOW_H / step_h)
    difference, clear = difference[-window:], clear[-window:]
    used, masked = float(clear.sum()) * step_h, float((~clear).sum()) * step_h
    if used < LEAST_HOURS:
        reason = (
            f"only {used:g} of {clear.size * step_h:g} hours stand clear of the float with plausible gauges, "
            f"{LEAST_HOURS} are needed"
        )
        return Bias(bias_cfs=0.0, hours_used=used, hours_masked=masked, reason=reason)
    return Bias(bias_cfs=float(difference[clear].mean()), hours_used=used, hours_masked=masked)


def expected_parts_cfs(plant: Plant, measured: pl.DataFrame) -> dict[str, Array]:
    """Return what each wrong expectation did to the inflow of past intervals [cfs], NaN where none is known.

    Args:
        plant: The plant.
        measured: The inputs' columns as measured, and what was expected of ``EXPECTED``'s columns a short time ahead as
            ``<column>_expected``, null where nothing was.

    Returns:
        Part -> its share of actual less expected inflow; positive = more water came than expected.
    """
    mode = (measured["ccs_mode"] == "SPILL").to_numpy()
    columns = [*(f"{name}_flow_cfs" for name in FLOWS), "mfra_mw"]
    believed = {name: measured[name].to_numpy() for name in columns}
    for name in EXPECTED.values():
        believed[name] = measured.select(pl.coalesce(f"{name}_expected", name)).to_series().to_numpy()

    def inflow() -> Array:
        flows = {name: believed[f"{name}_flow_cfs"] for name in FLOWS} | {"bias": 0.0}
        return inflow_cfs(plant.balance, plant.upstream, flows, believed["mfra_mw"], mode)

    parts, before = {}, inflow()
    for part, name in EXPECTED.items():
        believed[name] = measured[name].to_numpy()
        after = inflow()
        parts[part] = np.where(measured[f"{name}_expected"].is_null().to_numpy(), np.nan, after - before)
        before = after
    return parts


def estimate_parts(plant: Plant, measured: pl.DataFrame, start_elevation_ft: float) -> dict[str, Bias]:
    """Return what each part of the inflow missed in the last day's hours, the balance last.

    Args:
        plant: The plant.
        measured: As in ``residuals_cfs``, hourly, with the columns of ``expected_parts_cfs``.
        start_elevation_ft: Level when the first hour begins [ft].
    """
    found = {}
    for part, residual in expected_parts_cfs(plant, measured).items():
        known = residual[-WINDOW_H:]
        known = known[~np.isnan(known)]
        if known.size < LEAST_HOURS:
            reason = f"{known.size} h with an expectation an hour or so ahead, {LEAST_HOURS} are needed"
            found[part] = Bias(bias_cfs=0.0, hours_used=known.size, hours_masked=0.0, reason=reason)
        else:
            found[part] = Bias(bias_cfs=float(known.mean()), hours_used=known.size, hours_masked=0.0)
    plain = measured.drop(f"{name}_expected" for name in EXPECTED.values())
    return found | {"balance": estimate_bias(plant, plain, start_elevation_ft)}


def bias_paths_cfs(plant: Plant, parts: Mapping[str, Bias], hours_ahead: Array) -> dict[str, Array]:
    """Return what a plan adds for each part [cfs], column of the inputs -> one value an interval.

    Each fades by its own half-life, but for the balance's where the form is ``legacy``: that one is built in.

    Args:
        plant: The plant; its ``bias`` says how much of each part is added and how fast it fades.
        parts: As estimated; a part that is not there adds nothing.
        hours_ahead: From now to the start of each interval [h].
    """
    ahead = np.asarray(hours_ahead, dtype=np.float64)
    paths = {}
    for column in BIAS_PARTS:
        part = column.removeprefix("bias_").removesuffix("_cfs")
        stays = part == "balance" and plant.balance.form == LEGACY
        fading = np.ones(ahead.shape) if stays else 2.0 ** (-ahead / plant.bias.half_life_h(part))
        share = plant.bias.share(part) if part in parts else 0.0
        paths[column] = share * parts[part].bias_cfs * fading if share else np.zeros(ahead.shape)
    return paths


def with_bias(inputs: pl.DataFrame, touched: Mapping[str, np.ndarray]) -> pl.DataFrame:
    """Return inputs whose bias agrees with what was set by hand.

    ``bias_cfs`` is the sum of its parts. A part is 0 where the very value it corrects was set by hand, unless it was
    set itself; where ``bias_cfs`` was, it stands alone and has no parts.

    Args:
        inputs: A plan's inputs with ``BIAS_PARTS`` as set; without them, all of ``bias_cfs`` is the balance's.
        touched: Column -> whether it was set by hand, interval by interval.

    Raises:
        InputError: A part was set where the whole bias was.
    """
    nothing = np.zeros(inputs.height, dtype=bool)
    if BIAS_PARTS[0] not in inputs.columns:
        new = {name: pl.col(TOTAL) if name == BIAS_PARTS[-1] else pl.lit(0.0) for name in BIAS_PARTS}
        inputs = inputs.with_columns(**{name: value for name, value in new.items() if name not in inputs.columns})
    whole = touched.get(TOTAL, nothing)
    alone = whole | inputs[BIAS_PARTS[0]].is_null().to_numpy()
    both = alone & np.any([touched.get(name, nothing) for name in BIAS_PARTS], axis=0)
    if both.any():
        raise InputError(
            f"at {iso(inputs['event_start'][int(np.argmax(both))])} the whole of {TOTAL} is set by hand; a part of it"
            " cannot be set beside it: withdraw one"
        )
    for part, column in EXPECTED.items():
        name = f"bias_{part}_cfs"
        said = pl.Series(touched.get(column, nothing) & ~touched.get(name, nothing))
        inputs = inputs.with_columns(pl.when(said).then(0.0).otherwise(name).alias(name))
    parts = sum((pl.col(name) for name in BIAS_PARTS), pl.lit(0.0))
    inputs = inputs.with_columns(pl.when(pl.Series(alone)).then(TOTAL).otherwise(parts).alias(TOTAL))
    return inputs.with_columns(pl.when(pl.Series(alone)).then(None).otherwise(name).alias(name) for name in BIAS_PARTS)


def balance_backtest(
    plant: Plant, stretches: Sequence[tuple[pl.DataFrame, float]], *, lead_h: int = 24
) -> pl.DataFrame:
    """Return how well each balance form and bias rule foretells the level, on measured inputs.

    Every six hours the bias of the day before is estimated, the pool is walked ``lead_h`` ahead with the measured
    output, and the level's error at the end is noted; starts whose way touches the float are left out, gates would hide
    the error.

    Args:
        plant: The plant; every form of its balance is judged.
        stretches: Unbroken records as in ``residuals_cfs``, each with the level when it begins [ft].
        lead_h: How far ahead [h].

    Returns:
        ``form``, ``bias_rule`` (``none``, ``constant``, ``fading``), ``rmse_ft`` and ``starts``, best first; no rows
        where no stretch is long enough.
    """
    errors: dict[tuple[str, str], list[float]] = {}
    for form in plant.balance.forms:
        judged = replace(plant, balance=replace(plant.balance, form=form))
        for measured, start_ft in stretches:
            for rule, missed in _missed_ft(judged, measured, start_ft, lead_h):
                errors.setdefault((form, rule), []).append(missed)
    rows = [(*pair, float(np.sqrt(np.mean(np.square(found)))), len(found)) for pair, found in errors.items()]
    schema = {"form": pl.String, "bias_rule": pl.String, "rmse_ft": pl.Float64, "starts": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("rmse_ft")


def _missed_ft(plant: Plant, measured: pl.DataFrame, start_ft: float, lead_h: int) -> Iterator[tuple[str, float]]:
    """Yield rule -> by how much the level was missed, a start every six hours [ft]."""
    per_h = round(1.0 / read_inputs(plant, measured.drop("elevation_ft", "oxbow_mw")).step_h)
    lead, window = lead_h * per_h, WINDOW_H * per_h
    level = np.concatenate([[start_ft], measured["elevation_ft"].to_numpy()])
    storage = storage_af(plant.storage, level)
    difference, clear = residuals_cfs(plant, measured, start_ft)
    fade = 2.0 ** (-np.arange(lead) / per_h / plant.bias.balance_half_life_h)
    for at in range(window, len(difference) - lead + 1, 6 * per_h):
        past = slice(at - window, at)
        if not clear[at : at + lead].all() or clear[past].sum() < LEAST_HOURS * per_h:
            continue
        bias = float(difference[past][clear[past]].mean())
        for rule, shape in (("none", 0.0 * fade), ("constant", 1.0 + 0.0 * fade), ("fading", fade)):
            missed = AF_PER_CFS_HOUR / per_h * float((difference[at : at + lead] - bias * shape).sum())
            yield rule, float(level[at + lead] - elevation_ft(plant.storage, storage[at + lead] - missed))
