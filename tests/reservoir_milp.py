"""The reservoir's plan as a mixed-integer programme written from the file contract alone: an oracle, slow and exact.

Put here: the contract's physics and objective in scipy's terms, sharing no formula code with the planner. What bends is
cut finely: the head cap by 61 tangents (an error of 1e-6 MW), the rafting target by eight pieces with binaries, spill
only at the float by a binary an interval. Its bound is therefore a bound on every plan. Keep out: expectations.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
import polars as pl
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

K = 3600.0 / 43560.0
SQUARE, LINEAR, CONSTANT = 0.6311303, -1403.8, 780566.0
WEIGHTS: dict[str, float] = {
    "spill_usd_per_af": 36.0,
    "ramp_usd_per_mw": 5.0,
    "raft_shortfall_usd_per_mwh": 2000.0,
    "below_minimum_usd_per_af_h": 2000.0,
    "minimum_flow_usd_per_cfs_h": 50.0,
}
PIECES = 8


def stored(level: float) -> float:
    """Return A(H) [af]."""
    return SQUARE * level * level + LINEAR * level + CONSTANT


def level_of(storage: float) -> float:
    """Return H(A) [ft]."""
    return (-LINEAR + sqrt(LINEAR * LINEAR - 4.0 * SQUARE * (CONSTANT - storage))) / (2.0 * SQUARE)


def cap_of(storage: float) -> float:
    """Return the head cap at a storage [MW]."""
    return 0.0912 * level_of(storage) - 101.42


def inflows(row: dict[str, float]) -> float:
    """Return an interval's inflow by the contract's mass balance [cfs]."""
    side = row["r4_flow_cfs"] - row["r5l_flow_cfs"]
    spill = row["ccs_mode"] == "SPILL"
    side_mw = 0.0 if spill else min(86.0, max(0.0, side / 10.0))
    p = max(0.0, 0.59 * (row["mfra_mw"] - side_mw))
    q = 0.00943 * p * p + 5.6653 * p + 18.54
    come = side + q if spill else max(min(886.0, q + side), side, 0.0)
    return row["r30_flow_cfs"] + row["r20_flow_cfs"] + come - row["r26_flow_cfs"] + row["bias_cfs"]


class _Grown:
    """Columns and rows as they are written down."""

    def __init__(self) -> None:
        self.cost: list[float] = []
        self.low: list[float] = []
        self.high: list[float] = []
        self.whole: list[int] = []
        self.entries: list[tuple[int, int, float]] = []
        self.row_low: list[float] = []
        self.row_high: list[float] = []

    def column(self, cost: float = 0.0, low: float = 0.0, high: float = np.inf, *, whole: bool = False) -> int:
        self.cost.append(cost)
        self.low.append(low)
        self.high.append(high)
        self.whole.append(int(whole))
        return len(self.cost) - 1

    def row(self, low: float, high: float, *terms: tuple[int, float]) -> None:
        self.entries += [(len(self.row_low), column, factor) for column, factor in terms]
        self.row_low.append(low)
        self.row_high.append(high)

    def solve(self, gap: float, seconds: float) -> tuple[float, float, np.ndarray]:
        rows, columns, factors = zip(*self.entries, strict=True)
        matrix = coo_array((factors, (rows, columns)), shape=(len(self.row_low), len(self.cost))).tocsr()
        for presolve in (False, True):  # each of both loses a point now and then; not both the same
            found = milp(
                np.array(self.cost),
                constraints=LinearConstraint(matrix, self.row_low, self.row_high),
                bounds=Bounds(self.low, self.high),
                integrality=self.whole,
                options={"mip_rel_gap": gap, "time_limit": seconds, "presolve": presolve},
            )
            if found.x is not None:
                break
        else:
            raise AssertionError(found.message)
        return float(found.fun), float(found.mip_dual_bound if any(self.whole) else found.fun), found.x


def best_plan(
    frame: pl.DataFrame,
    elevation_ft: float,
    oxbow_mw: float,
    settings: dict[str, float],
    *,
    gap: float = 1e-9,
    seconds: float = 20.0,
) -> tuple[float, float, np.ndarray]:
    """Return (worth of the best plan, bound on all plans) [USD] and the best plan's end outputs [MW]."""
    rows = frame.to_dicts()
    n, h = len(rows), (frame["event_start"][1] - frame["event_start"][0]).total_seconds() / 3600.0
    m, w = _Grown(), WEIGHTS | settings
    price = frame["price_usd_mwh"].to_numpy()
    water = w.get("water_value_usd_per_af", float(price.mean()) * 0.0739)
    base, wanted = stored(1168.0), stored(1168.25) - stored(1168.0)
    on = [bool(row.get("oxbow_available", 1)) for row in rows]
    offset = 0.0
    floats = [stored(row["float_ft"]) - base for row in rows]
    drained = stored(1121.0) - base
    a = [m.column(-water if t == n - 1 else 0.0, drained, max(floats[t], drained)) for t in range(n)]
    g = [m.column(0.0, 0.8 if on[t] else 0.0, 5.8 if on[t] else 0.0) for t in range(n)]
    s = [m.column(w["spill_usd_per_af"]) for _ in range(n)]
    for t, row in enumerate(rows):
        # mean output (g before + g) / 2 while the unit can run, else nothing
        mean = [(g[t], 0.5), *([(g[t - 1], 0.5)] if t else [])] if on[t] else []
        mean_known = oxbow_mw / 2.0 if on[t] and t == 0 else 0.0
        for column, share in mean:
            m.cost[column] -= price[t] * h * share
        offset -= price[t] * h * mean_known
        if row.get("oxbow_award_mw") is not None:
            offset -= row["oxbow_award_mw"] * (row["da_price_usd_mwh"] - price[t]) * h
        gained = K * h * (inflows(row) - (83.0 if on[t] else 0.0) - 163.73 * mean_known)
        before = stored(elevation_ft) - base if t == 0 else 0.0
        m.row(
            before + gained, before + gained, (a[t], 1.0), (s[t], 1.0),
            *([(a[t - 1], -1.0)] if t else []), *[(c, K * h * 163.73 * share) for c, share in mean],
        )  # fmt: skip
        at_float = m.column(0.0, 0.0, 1.0, whole=True)
        most = max(0.0, K * h * inflows(row)) + max(
            0.0, (stored(elevation_ft) - base if t == 0 else floats[t - 1]) - floats[t]
        )
        m.row(-np.inf, 0.0, (s[t], 1.0), (at_float, -most - 1.0))
        m.row(drained, np.inf, (a[t], 1.0), (at_float, drained - floats[t]))
        low = m.column(w["below_minimum_usd_per_af_h"] * h)
        m.row(wanted, np.inf, (a[t], 1.0), (low, 1.0))
        rise = 2.52 * h if t == 0 or on[t - 1] else max(0.8, 2.52 * h)
        fall = 2.52 * h if on[t] else np.inf
        if t == 0:
            rise = max(rise, 0.8 - oxbow_mw)
            fall = max(fall, oxbow_mw - min(5.8, cap_after(row, elevation_ft, oxbow_mw, h))) if on[0] else fall
        up, dn = m.column(w["ramp_usd_per_mw"], 0.0, rise), m.column(w["ramp_usd_per_mw"], 0.0, fall)
        start = oxbow_mw if t == 0 else 0.0
        m.row(start, start, (g[t], 1.0), *([(g[t - 1], -1.0)] if t else []), (up, -1.0), (dn, 1.0))
        if on[t]:
            _capped(m, g[t], a[t], base, min(1160.0, elevation_ft), max(row["float_ft"], 1161.0))
        if row.get("raft_target_mw") is not None:
            short = m.column(w["raft_shortfall_usd_per_mwh"] * h)
            _rafting(m, short, row["raft_target_mw"], a[t], (base, floats[t]), mean, mean_known)
        if row.get("minimum_flow_cfs") is not None:
            short = m.column(w["minimum_flow_usd_per_cfs_h"] * h)
            passes = row["r26_flow_cfs"] + row["r10_flow_cfs"] + (83.0 if on[t] else 0.0) + 163.73 * mean_known
            terms = [(c, 163.73 * share) for c, share in mean]
            m.row(row["minimum_flow_cfs"] - passes, np.inf, (short, 1.0), (s[t], 1.0 / (K * h)), *terms)
    found, bound, x = m.solve(gap, seconds)
    return -(found + offset), -(bound + offset), x[g]


def _capped(m: _Grown, g: int, a: int, base: float, lowest_ft: float, highest_ft: float) -> None:
    """Output below the head cap: tangents over the levels."""
    for level in np.linspace(lowest_ft, highest_ft, 61):
        slope = 0.0912 / (2.0 * SQUARE * level + LINEAR)
        m.row(-np.inf, 0.0912 * level - 101.42 - slope * (stored(level) - base), (g, 1.0), (a, -slope))


def cap_after(row: dict[str, float], elevation_ft: float, before_mw: float, h: float) -> float:
    """Return the largest output the first interval's end allows, by bisection: a start may stand above it [MW]."""
    lowest, highest = 0.0, before_mw
    for _ in range(80):
        g = (lowest + highest) / 2.0
        free = stored(elevation_ft) + K * h * (inflows(row) - 163.73 * (before_mw + g) / 2.0 - 83.0)
        if cap_of(min(free, stored(row["float_ft"]))) >= g:
            lowest = g
        else:
            highest = g
    return lowest


def _rafting(
    m: _Grown,
    short: int,
    target: float,
    a: int,
    storage: tuple[float, float],
    mean: list[tuple[int, float]],
    known: float,
) -> None:
    """Shortfall below min(target, head cap): chords of the smaller of both between breakpoints, chosen by binaries."""
    base, float_af = storage
    lowest = stored(1121.0) - base
    edges = [lowest, *np.linspace(-220.0, float_af, PIECES).tolist()]
    if target < cap_of(base + float_af):  # the target's own corner is a breakpoint
        corner = stored((target + 101.42) / 0.0912) - base
        edges = sorted({*edges, corner})
    caps = [min(target, cap_of(base + edge)) for edge in edges]
    weight = [m.column(0.0, 0.0, 1.0) for _ in edges]
    piece = [m.column(0.0, 0.0, 1.0, whole=True) for _ in edges[1:]]
    m.row(1.0, 1.0, *[(c, 1.0) for c in weight])
    m.row(1.0, 1.0, *[(c, 1.0) for c in piece])
    for i, column in enumerate(weight):
        near = [piece[j] for j in (i - 1, i) if 0 <= j < len(piece)]
        m.row(-np.inf, 0.0, (column, 1.0), *[(c, -1.0) for c in near])
    m.row(0.0, 0.0, (a, -1.0), *[(c, e) for c, e in zip(weight, edges, strict=True)])
    m.row(known * -1.0, np.inf, (short, 1.0), *mean, *[(c, -cap) for c, cap in zip(weight, caps, strict=True)])
