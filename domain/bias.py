"""What the balance gets wrong: learned from the level's own record, faded over the hours ahead.

Put here: residuals between the inflow a balance computes and the one the level shows, and what to expect of them.
Keep out: reading measurements, publishing.

While the gates spill the pool stands still and its level says nothing about inflow: such hours are masked, and so are
those in which a gauge must be wrong. A bias of
``mass_balance`` is weather and fades with a half-life; that of ``legacy`` is built in (it counts side water twice) and
stays. The back-test compares pairs of form and rule, never one without the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl

from domain.hydraulics import LEGACY, Array, elevation_ft, net_inflow_cfs, storage_af, unit_flow_cfs
from domain.plant import Plant
from domain.reservoir_inputs import read_inputs
from domain.units import AF_PER_CFS_HOUR

WINDOW_H: Final = 24
LARGEST_CFS: Final = 2000.0
"""Residuals beyond this are a gauge's, not the river's; such hours are left out [cfs]. The former system clipped them
to this value, so a gauge stuck high for a day became a bias of 2,000 cfs that emptied the planned pool."""
SPILL_MARGIN_FT: Final = 0.05
"""A level this close below the float may be spilling [ft]."""
LEAST_HOURS: Final = 6
HALF_LIFE_H: Final = 12.0


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


def bias_path_cfs(
    plant: Plant,
    bias: Bias,
    hours_ahead: Array,
    *,
    half_life_h: float = HALF_LIFE_H,
    components_cfs: Mapping[str, float] | None = None,
    operator_cfs: float | None = None,
) -> Array:
    """Return the bias to plan with [cfs], one value an interval.

    Args:
        plant: The plant; a ``legacy`` balance keeps its bias, any other fades.
        bias: As estimated.
        hours_ahead: From now to the start of each interval [h].
        half_life_h: Time in which the bias fades by half [h].
        components_cfs: Known errors of single inputs, such as a river forecast that runs low; they fade alike,
            and are added.
        operator_cfs: The operator's own value; it replaces everything and does not fade.
    """
    ahead = np.asarray(hours_ahead, dtype=np.float64)
    if operator_cfs is not None:
        return np.full(ahead.shape, operator_cfs)
    total = bias.bias_cfs + sum((components_cfs or {}).values())
    fading = np.ones(ahead.shape) if plant.balance.form == LEGACY else 2.0 ** (-ahead / half_life_h)
    return total * fading


def balance_backtest(
    plant: Plant, measured: pl.DataFrame, start_elevation_ft: float, *, lead_h: int = 24
) -> pl.DataFrame:
    """Return how well each balance form and bias rule foretells the level, on measured inputs.

    Every six hours the bias of the day before is estimated, the pool is walked ``lead_h`` ahead with the measured
    output, and the level's error at the end is noted; starts whose way touches the float are left out, gates would hide
    the error.

    Returns:
        ``form``, ``bias_rule`` (``none``, ``constant``, ``fading``), ``rmse_ft`` and ``starts``, best first.
    """
    per_h = round(1.0 / read_inputs(plant, measured.drop("elevation_ft", "oxbow_mw")).step_h)
    lead, window = lead_h * per_h, WINDOW_H * per_h
    level = np.concatenate([[start_elevation_ft], measured["elevation_ft"].to_numpy()])
    storage = storage_af(plant.storage, level)
    rows = []
    for form in plant.balance.forms:
        judged = replace(plant, balance=replace(plant.balance, form=form))
        difference, clear = residuals_cfs(judged, measured, start_elevation_ft)
        origins = [
            at
            for at in range(window, len(difference) - lead + 1, 6 * per_h)
            if clear[at : at + lead].all() and clear[at - window : at].sum() >= LEAST_HOURS * per_h
        ]
        fade = 2.0 ** (-np.arange(lead) / per_h / HALF_LIFE_H)
        for rule, shape in (("none", 0.0 * fade), ("constant", 1.0 + 0.0 * fade), ("fading", fade)):
            errors = []
            for at in origins:
                past = slice(at - window, at)
                bias = float(difference[past][clear[past]].mean())
                missed = AF_PER_CFS_HOUR / per_h * float((difference[at : at + lead] - bias * shape).sum())
                foretold = elevation_ft(plant.storage, storage[at + lead] - missed)
                errors.append(float(level[at + lead] - foretold))
            if errors:
                rows.append((form, rule, float(np.sqrt(np.mean(np.square(errors)))), len(errors)))
    return pl.DataFrame(rows, schema=["form", "bias_rule", "rmse_ft", "starts"], orient="row").sort("rmse_ft")
