"""How fast the afterbay is planned, against the formulation it replaces, in one run on one machine.

Put here: what prints a ratio against a peer measured beside it. Keep out: claims without a peer.

Run: ``python benchmarks/reservoir.py``; with ``--baseline-seconds`` the old formulation's time limit.

The peer is the mixed-integer programme once used: level and storage tied by 24 breakpoints with binaries, hourly, 24 h.
It is written here from its description, in PuLP with CBC where that is installed, else in Pyomo with HiGHS, a stronger
solver.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.timing import timed
from domain.beliefs import Cutoffs, Mode
from domain.hydraulics import storage_af
from domain.reservoir_inputs import read_inputs, read_scenarios
from domain.trajectory import simulate
from resources.reservoir_decisions import decide_reservoir, reservoir_case
from solvers.reservoir import ReservoirOptions, plan_reservoir
from solvers.reservoir.model import reservoir_model
from tests.reservoir_cases import MIDDLE, afterbay, futures, hours
from tests.reservoir_lake import World

PLANT = afterbay()
K = 3600.0 / 43560.0


def old_formulation(limit_s: float) -> tuple[str, float, str]:
    """Build and solve 24 hours the old way; return the tools' name, the time taken [s] and how it ended."""
    inputs = read_inputs(PLANT, hours(24, raft_target_mw=[5.8 if 9 <= i < 12 else None for i in range(24)]))
    known = inputs.inflow_cfs - 83.0
    start = float(storage_af(PLANT.storage, MIDDLE.elevation_ft))
    levels = np.linspace(1164.0, 1176.0, 24)
    storages = storage_af(PLANT.storage, levels)
    weight = np.where(inputs.night, 500.0, 100.0)
    window = ~np.isnan(inputs.raft_target_mw)
    try:
        import pulp  # noqa: PLC0415 - not a dependency; used where it is installed
    except ImportError:
        return _old_in_pyomo(known, start, levels, storages, weight, window, limit_s)
    return _old_in_pulp(pulp, known, start, levels, storages, weight, window, limit_s)


def _old_in_pulp(pulp, known, start, levels, storages, weight, window, limit_s):  # noqa: ANN001, ANN202 - a peer's code
    began = perf_counter()
    m = pulp.LpProblem("old", pulp.LpMinimize)
    at, n = range(24), len(levels)
    g = pulp.LpVariable.dicts("g", at, 0.8, 5.8)
    s = pulp.LpVariable.dicts("s", at, 0.8, 5.8)
    level = pulp.LpVariable.dicts("H", at, 0, 2000)
    stored = pulp.LpVariable.dicts("A", at, 0)
    lam = pulp.LpVariable.dicts("lam", (at, range(n)), 0, 1)
    z = pulp.LpVariable.dicts("z", (at, range(n - 1)), cat="Binary")
    names = ("hi", "lo", "up", "dn", "short", "floor")
    hi, lo, up, dn, short, floor = (pulp.LpVariable.dicts(name, at, 0, 12) for name in names)
    m += pulp.lpSum(
        weight[t] * (up[t] + dn[t]) + 1e6 * (hi[t] + lo[t]) + (1000 * short[t] + 1e6 * floor[t] if window[t] else 0)
        for t in at
    )
    for t in at:
        m += pulp.lpSum(lam[t].values()) == 1
        m += pulp.lpSum(z[t].values()) == 1
        for i in range(n):
            m += lam[t][i] <= (z[t][i - 1] if i else 0) + (z[t][i] if i < n - 1 else 0)
        m += level[t] == pulp.lpSum(lam[t][i] * float(levels[i]) for i in range(n))
        m += stored[t] == pulp.lpSum(lam[t][i] * float(storages[i]) for i in range(n))
        m += level[t] <= 1172.5 + hi[t]
        m += level[t] >= 1168.0 - lo[t]
        m += g[t] <= 0.0912 * level[t] - 101.42
        m += stored[t] == (stored[t - 1] if t else start) + K * (float(known[t]) - 163.73 * g[t])
        before, set_before = (g[t - 1], s[t - 1]) if t else (MIDDLE.oxbow_mw, MIDDLE.oxbow_mw)
        m += g[t] - before <= 2.52
        m += before - g[t] <= 2.52
        m += s[t] - set_before == up[t] - dn[t]
        if window[t]:
            m += s[t] >= 5.8
            m += g[t] >= 5.8 - floor[t]
            m += short[t] >= s[t] - g[t]
        else:
            m += s[t] == g[t]
    m.solve(pulp.PULP_CBC_CMD(msg=0, timeLimit=limit_s, threads=1))
    return "PuLP + CBC", perf_counter() - began, pulp.LpStatus[m.status]


def _old_in_pyomo(known, start, levels, storages, weight, window, limit_s):  # noqa: ANN001, ANN202 - a peer's code
    import pyomo.environ as pyo  # noqa: PLC0415 - only for this peer

    began = perf_counter()
    m = pyo.ConcreteModel()
    n = len(levels)
    m.t, m.i, m.k, m.c = pyo.RangeSet(0, 23), pyo.RangeSet(0, n - 1), pyo.RangeSet(0, n - 2), pyo.ConstraintList()
    m.g, m.s = pyo.Var(m.t, bounds=(0.8, 5.8)), pyo.Var(m.t, bounds=(0.8, 5.8))
    m.H, m.A = pyo.Var(m.t, bounds=(0, 2000)), pyo.Var(m.t, bounds=(0, None))
    m.lam, m.z = pyo.Var(m.t, m.i, bounds=(0, 1)), pyo.Var(m.t, m.k, within=pyo.Binary)
    for name in ("hi", "lo", "up", "dn", "short", "floor"):
        setattr(m, name, pyo.Var(m.t, bounds=(0, 12)))
    for t in m.t:
        m.c.add(sum(m.lam[t, i] for i in m.i) == 1)
        m.c.add(sum(m.z[t, k] for k in m.k) == 1)
        for i in m.i:
            m.c.add(m.lam[t, i] <= (m.z[t, i - 1] if i else 0) + (m.z[t, i] if i < n - 1 else 0))
        m.c.add(m.H[t] == sum(m.lam[t, i] * float(levels[i]) for i in m.i))
        m.c.add(m.A[t] == sum(m.lam[t, i] * float(storages[i]) for i in m.i))
        m.c.add(m.H[t] <= 1172.5 + m.hi[t])
        m.c.add(m.H[t] >= 1168.0 - m.lo[t])
        m.c.add(m.g[t] <= 0.0912 * m.H[t] - 101.42)
        m.c.add(m.A[t] == (m.A[t - 1] if t else start) + K * (float(known[t]) - 163.73 * m.g[t]))
        before, set_before = (m.g[t - 1], m.s[t - 1]) if t else (MIDDLE.oxbow_mw, MIDDLE.oxbow_mw)
        m.c.add(m.g[t] - before <= 2.52)
        m.c.add(before - m.g[t] <= 2.52)
        m.c.add(m.s[t] - set_before == m.up[t] - m.dn[t])
        if window[t]:
            m.c.add(m.s[t] >= 5.8)
            m.c.add(m.g[t] >= 5.8 - m.floor[t])
            m.c.add(m.short[t] >= m.s[t] - m.g[t])
        else:
            m.c.add(m.s[t] == m.g[t])
    cost = sum(float(weight[t]) * (m.up[t] + m.dn[t]) + 1e6 * (m.hi[t] + m.lo[t]) for t in m.t)
    m.o = pyo.Objective(expr=cost + sum(1000 * m.short[t] + 1e6 * m.floor[t] for t in m.t if window[t]))
    solver = pyo.SolverFactory("appsi_highs")
    solver.config.time_limit, solver.config.load_solution = limit_s, False
    solver.highs_options = {"threads": 1}
    ended = solver.solve(m, load_solutions=False).solver.termination_condition
    return "Pyomo + HiGHS", perf_counter() - began, str(ended)


def decisions_s(count: int) -> float:
    """Return the time that hourly decisions of some past days take, lake reads included [s].

    The lake holds a hundred days of measurements and a forecast of ours every six hours; filling it is not counted.
    """
    with tempfile.TemporaryDirectory() as home:
        first = datetime(2026, 7, 14, 7, tzinfo=UTC)
        world = World(Path(home), first + timedelta(hours=count), days=60 + count // 24 + 1)
        for hour in range(0, count, 6):
            world.forecast(first + timedelta(hours=hour), hours_ahead=102)
        began = perf_counter()
        for hour in range(count):
            at = first + timedelta(hours=hour)
            cutoffs = Cutoffs(at=at, mode=Mode.PUBLISHED, recorded_before=world.lake.pin())
            decide_reservoir(reservoir_case(world.lake, world.reader, world.plant.plant, cutoffs))
        return perf_counter() - began


def readable_model_s() -> float:
    """Return the time Pyomo takes to build and solve 96 h of the model this project ships [s]."""
    import pyomo.environ as pyo  # noqa: PLC0415 - only for this peer

    inputs = read_inputs(PLANT, hours(96))

    def work() -> None:
        model = reservoir_model(PLANT, inputs, MIDDLE, levels_ft=np.linspace(1166.0, 1174.0, 9))
        pyo.SolverFactory("appsi_highs").solve(model)

    return timed(work, 3)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--baseline-seconds", type=float, default=60.0)
    parser.add_argument("--decisions", type=int, default=720, help="hourly decisions to take, 0 = none")
    asked = parser.parse_args()
    limit_s = asked.baseline_seconds
    day, days, quarters = hours(24), hours(96), hours(384, step_h=0.25)
    raft = hours(96, raft_target_mw=[5.8 if 9 <= i % 24 < 12 else None for i in range(96)])
    sixty = futures(days, 60)
    base = read_inputs(PLANT, days)
    thousand, _ = read_scenarios(PLANT, futures(days, 1000), base)
    setpoints = np.full(96, 3.0)
    edited = ReservoirOptions(fixed_mw={30: 2.0, 31: 2.0})
    rows = [
        ("96 h, inputs to plan", 0.060, timed(lambda: plan_reservoir(PLANT, days, MIDDLE))),
        ("96 h with rafting windows", 0.060, timed(lambda: plan_reservoir(PLANT, raft, MIDDLE))),
        ("24 h, inputs to plan", None, timed(lambda: plan_reservoir(PLANT, day, MIDDLE))),
        ("384 quarter-hours", 0.250, timed(lambda: plan_reservoir(PLANT, quarters, MIDDLE))),
        ("60 scenarios x 96 h, two-stage", 1.5,
         timed(lambda: plan_reservoir(PLANT, days, MIDDLE, scenarios=sixty, optimizer="stochastic"), 3)),
        ("1,000 scenarios x 96 h walked", 0.020,
         timed(lambda: simulate(PLANT, thousand, setpoints, MIDDLE, guarded=False))),
        ("what-if: two setpoints fixed, 96 h", 0.050,
         timed(lambda: plan_reservoir(PLANT, days, MIDDLE, options=edited))),
        ("what-if: walked only, 96 h", 0.050, timed(lambda: simulate(PLANT, base, setpoints, MIDDLE))),
    ]  # fmt: skip
    tools, old_s, ended = old_formulation(limit_s)
    readable = readable_model_s()
    print(f"{'work':<38}{'seconds':>10}{'goal':>8}")
    for name, goal, seconds in rows:
        print(f"{name:<38}{seconds:>10.4f}{goal if goal is not None else '':>8}")
    if asked.decisions:
        goal = 180.0 * asked.decisions / 720.0
        print(f"{f'{asked.decisions} decisions, lake read':<38}{decisions_s(asked.decisions):>10.1f}{goal:>8.1f}")
    print(f"{f'old formulation, 24 h, {tools} ({ended})':<38}{old_s:>10.2f}")
    print(f"{'readable model, 96 h, Pyomo + HiGHS':<38}{readable:>10.3f}")
    print(f"old 24 h / ours 96 h: {old_s / rows[0][2]:.0f} x; old 24 h / ours 24 h: {old_s / rows[2][2]:.0f} x")
    print(f"readable model / ours, 96 h: {readable / rows[0][2]:.0f} x")


if __name__ == "__main__":
    main()
