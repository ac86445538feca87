"""Curves of the plant as straight lines over storage: tangents of the head cap, lines of the rafting target.

Put here: linearisations and which side they err on. Keep out: the programme that uses them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domain.hydraulics import Array, elevation_ft, head_cap_mw, storage_af, storage_slope_af_per_ft
from domain.plant import Plant
from domain.reservoir_inputs import ReservoirInputs


@dataclass(frozen=True, slots=True)
class RaftLine:
    """The rafting target of each interval as a line over storage: target = level_mw + slope a [MW]."""

    at_zero_mw: Array
    slope_mw_per_af: Array


def cap_tangents(plant: Plant, levels_ft: Array) -> tuple[Array, Array]:
    """Return the head cap's tangents at some levels, as lines over storage: (at minimum level [MW], slope [MW/af])."""
    curve = plant.storage
    base = storage_af(curve, plant.pool.minimum_ft)
    slope = plant.unit.head_cap_mw_per_ft / storage_slope_af_per_ft(curve, levels_ft)
    return head_cap_mw(plant.unit, levels_ft) - slope * (storage_af(curve, levels_ft) - base), slope


def raft_tangents(plant: Plant, inputs: ReservoirInputs, storage: Array) -> RaftLine:
    """Return the rafting target's tangents at a trajectory's storage: never below the target, so a safe plan."""
    level = elevation_ft(plant.storage, storage)
    at_zero, slope = cap_tangents(plant, level)
    capped = head_cap_mw(plant.unit, level) < inputs.raft_target_mw
    return RaftLine(np.where(capped, at_zero, inputs.raft_target_mw), np.where(capped, slope, 0.0))


def raft_chords(plant: Plant, inputs: ReservoirInputs, lowest: Array, highest: Array) -> RaftLine:
    """Return the rafting target's chords over the storage that can be reached: never above the target, so a bound."""
    base = float(storage_af(plant.storage, plant.pool.minimum_ft))
    ends = [
        np.minimum(inputs.raft_target_mw, head_cap_mw(plant.unit, elevation_ft(plant.storage, storage)))
        for storage in (lowest, highest)
    ]
    width = highest - lowest
    slope = np.where(width > 1e-6, (ends[1] - ends[0]) / np.maximum(width, 1e-6), 0.0)  # noqa: PLR2004 - one point, no slope
    return RaftLine(ends[0] - slope * (lowest - base), slope)
