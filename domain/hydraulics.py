"""The hydraulics of the pool: storage and level, water and megawatts, the flows that fill it.

Put here: formulas anybody who plans, checks, simulates or replays must share; all accept numbers or numpy arrays.
Keep out: the walk through time (domain/trajectory.py), plant constants (plant files), decisions (solvers).

Units: level ft above datum, storage acre-feet (af), flow cfs (cubic feet per second, interval means), output MW.
Signs: a flow is positive in its own direction; net inflow positive fills the pool.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.plant import Balance, Reach, StorageCurve, Unit, Upstream
from domain.units import AF_PER_CFS_HOUR

Array = NDArray[np.float64]

LEGACY: Final = "legacy"


def storage_af(curve: StorageCurve, elevation_ft: Array | float) -> Array:
    """Return the storage at a level [af].

    The parabola is taken about its vertex: the three large terms of the written form cancel to ten digits.

    >>> curve = StorageCurve(
    ...     square_af_per_ft2=0.6311303, linear_af_per_ft=-1403.8, constant_af=780566.0,
    ...     valid_from_ft=1120.0, valid_to_ft=1180.0)
    >>> round(float(storage_af(curve, 1170.0)), 3)
    2074.268
    """
    above = np.maximum(np.asarray(elevation_ft, dtype=np.float64) - curve.vertex_ft, 0.0)
    return curve.square_af_per_ft2 * above * above + curve.vertex_af


def elevation_ft(curve: StorageCurve, storage: Array | float) -> Array:
    """Return the level at a storage [ft]; below the vertex's storage, the vertex."""
    above = np.maximum(np.asarray(storage, dtype=np.float64) - curve.vertex_af, 0.0)
    return curve.vertex_ft + np.sqrt(above / curve.square_af_per_ft2)


def storage_slope_af_per_ft(curve: StorageCurve, level_ft: Array | float) -> Array:
    """Return dA/dH, the surface of the pool in acres [af/ft]."""
    return 2.0 * curve.square_af_per_ft2 * (np.asarray(level_ft, dtype=np.float64) - curve.vertex_ft)


def head_cap_mw(unit: Unit, level_ft: Array | float) -> Array:
    """Return the largest output the head allows [MW]; the unit's own maximum is another limit."""
    return unit.head_cap_mw_per_ft * np.asarray(level_ft, dtype=np.float64) + unit.head_cap_offset_mw


def zone_of(unit: Unit, level_ft: Array | float) -> NDArray[np.int64]:
    """Return the index of the head zone a level lies in; levels below the lowest zone count to it."""
    edges = np.array([zone.from_ft for zone in unit.head_zones[1:]])
    return np.searchsorted(edges, np.asarray(level_ft, dtype=np.float64), side="right").astype(np.int64)


def unit_flow_cfs(
    unit: Unit, mean_mw: Array | float, *, running: np.ndarray | bool = True, level_ft: Array | float = 0.0
) -> Array:
    """Return the water the unit passes [cfs]: line of its head zone while running, nothing while off.

    Args:
        unit: The unit.
        mean_mw: Mean output of the interval [MW].
        running: Whether it runs; off means 0 cfs.
        level_ft: Level when the interval begins, which picks the head zone [ft].
    """
    zone = zone_of(unit, level_ft)
    slope = np.array([z.flow_cfs_per_mw for z in unit.head_zones])[zone]
    offset = np.array([z.flow_at_zero_cfs for z in unit.head_zones])[zone]
    return np.where(running, slope * np.asarray(mean_mw, dtype=np.float64) + offset, 0.0)


def unit_mw_for_flow(unit: Unit, flow_cfs: Array | float, *, level_ft: Array | float = 0.0) -> Array:
    """Return the output at which the unit passes a flow [MW]; may lie outside its limits."""
    zone = zone_of(unit, level_ft)
    slope = np.array([z.flow_cfs_per_mw for z in unit.head_zones])[zone]
    offset = np.array([z.flow_at_zero_cfs for z in unit.head_zones])[zone]
    return (np.asarray(flow_cfs, dtype=np.float64) - offset) / slope


def side_water_mw(upstream: Upstream, r4_cfs: Array | float, r5l_cfs: Array | float) -> Array:
    """Return what natural inflow to the diversion pool gives at Ralston [MW]."""
    natural = np.asarray(r4_cfs, dtype=np.float64) - r5l_cfs
    return np.clip(natural * upstream.side_water_mw_per_cfs, 0.0, upstream.ralston_maximum_mw)


def middle_fork_mw(
    upstream: Upstream,
    mfra_mw: Array | float,
    r4_cfs: Array | float,
    r5l_cfs: Array | float,
    *,
    spill_mode: Array | bool,
) -> Array:
    """Return Middle Fork's part of the combined output [MW]: its share of what side water does not already give.

    In SPILL mode side water is not used at Ralston and the share is taken of all of it.
    """
    side = np.where(spill_mode, 0.0, side_water_mw(upstream, r4_cfs, r5l_cfs))
    return np.maximum(0.0, upstream.middle_fork_share * (np.asarray(mfra_mw, dtype=np.float64) - side))


def middle_fork_flow_cfs(upstream: Upstream, power_mw: Array | float) -> Array:
    """Return the flow through Middle Fork [cfs]. The fit leaves its constant standing at 0 MW."""
    p = np.asarray(power_mw, dtype=np.float64)
    square, linear = upstream.middle_fork_square_cfs_per_mw2, upstream.middle_fork_linear_cfs_per_mw
    return (square * p + linear) * p + upstream.middle_fork_constant_cfs


def regulated_flow_cfs(
    upstream: Upstream, middle_fork_cfs: Array | float, r4_cfs: Array | float, r5l_cfs: Array | float
) -> Array:
    """Return the flow that reaches the pool through Ralston in GEN mode [cfs].

    Middle Fork's flow and the natural inflow, up to the tunnel's limit; never less than the natural inflow.
    """
    natural = np.asarray(r4_cfs, dtype=np.float64) - r5l_cfs
    through = np.minimum(upstream.tunnel_maximum_cfs, np.asarray(middle_fork_cfs, dtype=np.float64) + natural)
    return np.maximum(through, np.maximum(0.0, natural))


def inflow_cfs(
    balance: Balance, upstream: Upstream, flows: Mapping[str, Array | float], mfra_mw: Array | float, spill_mode: Array
) -> Array:
    """Return what flows into the pool by the plant's balance [cfs], the bias included.

    Args:
        balance: The form and its signed terms.
        upstream: The powerhouses above.
        flows: ``r4, r30, r20, r5l, r26, r10`` and ``bias`` [cfs].
        mfra_mw: Combined output of the powerhouses above [MW].
        spill_mode: True where the diversion pool is controlled in SPILL mode.
    """
    r4, r5l = flows["r4"], flows["r5l"]
    middle = middle_fork_flow_cfs(upstream, middle_fork_mw(upstream, mfra_mw, r4, r5l, spill_mode=spill_mode))
    values = {**flows, "middle_fork": middle, "regulated": regulated_flow_cfs(upstream, middle, r4, r5l)}
    form = balance.forms[balance.form]
    sums = {
        mode: sum((factor * np.asarray(values[term]) for term, factor in terms.items()), np.zeros(()))
        for mode, terms in form.items()
    }
    return np.where(spill_mode, sums["SPILL"], sums["GEN"])


def dispatch_band_mw(
    upstream: Upstream,
    r4_cfs: Array | float,
    r5l_cfs: Array | float,
    *,
    middle_fork_maximum_mw: float | None = None,
) -> tuple[Array, Array]:
    """Return the smallest and largest combined output the powerhouses above can hold at a natural inflow [MW].

    Side water is ``s = R4 - R5L``; the lower bound is what side water alone forces (``a s``), the upper bound the
    smaller of Middle Fork at its limit plus side water and Ralston at its limit. The term of the lower bound in Hell
    Hole's level only matters for negative ``s`` and is left out.
    """
    a, c = upstream.band_ralston_mw_per_cfs, upstream.band_middle_fork_mw_per_cfs
    s = np.asarray(r4_cfs, dtype=np.float64) - r5l_cfs
    top = upstream.middle_fork_maximum_mw if middle_fork_maximum_mw is None else middle_fork_maximum_mw
    low = np.maximum(a * s, 0.0)
    high = np.minimum((a + c) / c * top + a * s, (a + c) / a * upstream.ralston_maximum_mw - c * s)
    return low, np.minimum(high, upstream.combined_maximum_mw)


def net_inflow_cfs(curve: StorageCurve, level_ft: Array, hours: float) -> Array:
    """Return the mean net inflow each step of a level record implies [cfs]: storage change over time."""
    return np.diff(storage_af(curve, level_ft)) / (AF_PER_CFS_HOUR * hours)


def travel_time_h(reach: Reach, base_flow_cfs: float) -> float:
    """Return how long the water of a release takes to a reach [h], at the flow in the river before it.

    >>> round(travel_time_h(Reach(name="Fords", hours_at_zero=4.1086, hours_per_cfs=-0.0025), 200.0), 2)
    3.61
    """
    return reach.hours_at_zero + reach.hours_per_cfs * base_flow_cfs
