"""How a plan turned out: the level it missed, and which of its assumptions missed it.

Put here: the error of a plan at a lead and its parts, on frames. Keep out: reading plans and measurements, plots.

The parts come from putting what was measured into the plan's own water balance, one assumption after the other: the
rivers, the dispatch upstream, the control mode; then what the unit really drew. What is left is what the balance itself
does not explain: the bias less the one that was planned with, and gates that spilled unplanned. Storage is exact
between two levels at the slope in their middle (the curve is a parabola), so the parts add up to the error.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from domain.errors import FrameError
from domain.hydraulics import inflow_cfs, storage_af, storage_slope_af_per_ft, unit_flow_cfs
from domain.instants import iso
from domain.plant import Plant
from domain.reservoir_inputs import FLOWS
from domain.units import AF_PER_CFS_HOUR

LEADS_H: Final = (1, 6, 12, 24, 48)
PARTS: Final = ("start_ft", "rivers_ft", "dispatch_ft", "mode_ft", "operation_ft", "bias_ft")
"""In the order in which assumptions are replaced; they add up to ``error_ft``."""
_GAUGES: Final = tuple(f"{name}_flow_cfs" for name in FLOWS)
MEASURED: Final = (*_GAUGES, "mfra_mw", "ccs_mode", "oxbow_mw", "elevation_ft")


def level_error(
    plant: Plant, planned: pl.DataFrame, measured: pl.DataFrame, *, planned_start_ft: float, start_ft: float
) -> dict[str, float]:
    """Return by how much the level missed the plan when the last hour given ends, and why [ft].

    Args:
        plant: The plant.
        planned: The plan's inputs with its ``outflow_cfs, spill_cfs, elevation_ft``, from its first hour on.
        measured: The columns ``MEASURED`` of the same hours, hour by hour, none null.
        planned_start_ft: Level from which the plan began [ft].
        start_ft: Level measured then [ft].

    Returns:
        ``error_ft`` = measured less planned, and its ``PARTS``: ``start`` (the plan began from another level),
        ``rivers``, ``dispatch``, ``mode``, ``operation`` (the unit drew something else), ``bias``.

    Raises:
        FrameError: The hours are not the same, or a value is missing; the first hour is named.
    """
    _require_same_hours(planned, measured)
    hours = AF_PER_CFS_HOUR
    believed = planned.select(*_GAUGES, "mfra_mw", "ccs_mode", "bias_cfs")
    inflow = [float(_inflow(plant, believed).sum()) * hours]
    for columns in (_GAUGES, ("mfra_mw",), ("ccs_mode",)):
        believed = believed.with_columns(measured[name] for name in columns)
        inflow.append(float(_inflow(plant, believed).sum()) * hours)
    gained = np.diff(inflow)
    power = measured["oxbow_mw"].to_numpy()
    running = np.asarray(power > 0.0, dtype=np.float64)
    drawn = unit_flow_cfs(plant.unit, power, running=running, level_ft=measured["elevation_ft"].to_numpy())
    operation = hours * float((planned["outflow_cfs"].to_numpy() - drawn).sum())
    end, planned_end = float(measured["elevation_ft"][-1]), float(planned["elevation_ft"][-1])
    total = float(storage_af(plant.storage, end) - storage_af(plant.storage, planned_end))
    start = float(storage_af(plant.storage, start_ft) - storage_af(plant.storage, planned_start_ft))
    per_ft = float(storage_slope_af_per_ft(plant.storage, (end + planned_end) / 2.0))
    parts = [start, *gained.tolist(), operation]
    parts.append(total - sum(parts))
    return {"error_ft": end - planned_end} | {name: part / per_ft for name, part in zip(PARTS, parts, strict=True)}


def _inflow(plant: Plant, frame: pl.DataFrame) -> np.ndarray:
    flows = {name: frame[f"{name}_flow_cfs"].to_numpy() for name in FLOWS} | {"bias": frame["bias_cfs"].to_numpy()}
    spill_mode = (frame["ccs_mode"] == "SPILL").to_numpy()
    return inflow_cfs(plant.balance, plant.upstream, flows, frame["mfra_mw"].to_numpy(), spill_mode)


def _require_same_hours(planned: pl.DataFrame, measured: pl.DataFrame) -> None:
    if planned["event_start"].to_list() != measured["event_start"].to_list():
        raise FrameError(
            f"the plan has {planned.height} hours and the record {measured.height} others; give the same hours of both"
        )
    for name in MEASURED:
        empty = measured.filter(pl.col(name).is_null())
        if empty.height:
            raise FrameError(f"{name} was not measured in {empty.height} h, first {iso(empty['event_start'][0])}")
