"""What hourly plans are worth: a year of the afterbay in closed loop, a minute-step plant obeying, forecasts only.

Put here: the year and its table. Keep out: the loop (tests/reservoir_loop.py), the ways (tests/reservoir_ways.py),
timings (benchmarks/reservoir.py).

Run: ``python benchmarks/reservoir_year.py --days 28 --seed 1``; a year takes a minute or two a row, some five for the
stochastic plan and the heuristic. Water, prices, dispatch and the river forecaster are the stand-in world's, which has
formulas of its own. The sixty days before the first are history; the plant's dated rules hold. Dollars count energy at
the day-ahead or at the real-time price, the water left at the end valued alike; each has a hindsight that knows its
prices. Rafting that a way leaves undelivered beyond hindsight's was sold at other hours; it is charged what those pay
more: the mean price less the windows' mean.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))

from domain.units import AF_PER_CFS_HOUR
from simulators.localtime import HOUR_S, epoch
from simulators.world import World
from simulators.world_forecasts import river_forecast
from tests import reservoir_ways as ways
from tests.reservoir_cases import afterbay
from tests.reservoir_loop import FLOWS, HABIT_H, Happens, Outcome, run

AFTER_H = 8 * 24
WAYS = {
    "hindsight": ways.foreseen,
    "hindsight, real time": ways.foreseen_real_time,
    "run-of-river": ways.run_of_river,
    "the plan": ways.planned,
    "the plan, unguarded": ways.planned_bare,
    "stochastic plan": ways.stochastic,
    "rule fallback": ways.rule,
    "old objective": ways.old_objective,
}


def happening(seed: int, begin: datetime, days: int) -> Happens:
    """Return some days of the stand-in world, with their history."""
    world, first = World(seed), epoch(begin) // HOUR_S - HABIT_H - 48
    last = epoch(begin) // HOUR_S + days * 24 + AFTER_H
    sierra = world.window("sierra", first * HOUR_S, last * HOUR_S)
    real_time = world.window("california_rt", first * HOUR_S, last * HOUR_S)["OXBOWF_7_B1/LMP"]
    columns = pl.DataFrame(
        {
            "event_start": [datetime.fromtimestamp(hour * HOUR_S, UTC) for hour in range(first, last)],
            **{f"{name}_flow_cfs": sierra[f"{name}_cfs"] for name in FLOWS},
            **{name: sierra[name] for name in ("mfra_mw", "award_mw", "float_ft", "ungauged_cfs")},
            "ccs_mode": np.where(sierra["spill_mode"] > 0.5, "SPILL", "GEN"),
            "price_usd_mwh": sierra["OXBOWF_7_B1/LMP"],
            "real_time_usd_mwh": real_time.reshape(-1, 4).mean(axis=1),
        }
    )

    def river(name: str, issue: int, hours: int) -> tuple[np.ndarray, np.ndarray]:
        forecast = river_forecast(world, f"{name}_cfs", first + issue, hours=hours)
        return forecast.median_cfs, forecast.spread

    made = Happens.of(afterbay(), columns, river, HABIT_H + 48)
    assert np.allclose(made.truth.inflow_cfs, sierra["inflow_cfs"])
    return made


def worth(made: Happens, outcome: Outcome, best: Outcome, prices: str) -> float:
    """Return what a way earned [USD], the water it left valued and rafting beyond hindsight's shortfall charged."""
    span = slice(made.first, made.first + len(outcome.energy_mwh))
    price, rafting = made.values[prices][span], ~np.isnan(made.truth.raft_target_mw[span])
    elsewhere = max(0.0, float(price.mean() - price[rafting].mean())) if rafting.any() else 0.0
    left = float(made.values["price_usd_mwh"][span].mean()) * 0.0739 * outcome.end_af
    missing = max(0.0, outcome.raft_short_mwh - best.raft_short_mwh)
    return float(outcome.energy_mwh @ price) + left - missing * elsewhere


def line(made: Happens, found: dict[str, Outcome], name: str) -> str:
    """Return a way's row of the table."""
    outcome, cells = found[name], []
    for prices, yardstick in (("price_usd_mwh", "hindsight"), ("real_time_usd_mwh", "hindsight, real time")):
        best, base = found.get(yardstick), found.get("run-of-river")
        mine = worth(made, outcome, best or outcome, prices)
        top = worth(made, best, best, prices) if best else np.nan
        bottom = worth(made, base, best or base, prices) if base else np.nan
        gain = (mine - bottom) / (top - bottom) if best and base and best is not base else np.nan
        cells.append(f"{mine:>10.0f}{mine / top:>8.2%}{gain:>8.1%}")
    span = slice(made.first, made.first + len(outcome.energy_mwh))
    inflow_af = float(made.truth.inflow_cfs[span].sum()) * AF_PER_CFS_HOUR
    return (
        f"{name:<22}{''.join(cells)}{outcome.low_minutes:>7}{outcome.spill_af / inflow_af:>8.2%}"
        f"{outcome.raft_short_mwh:>8.2f}{outcome.raft_mwh:>8.0f}{outcome.flow_short_cfs_h:>7.0f}{outcome.moves:>7}"
    )


def main() -> None:
    """Print the table, a row as soon as it is known."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--begin", default="2025-01-01", help="first day, UTC")
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(WAYS), choices=list(WAYS))
    asked = parser.parse_args()
    began = datetime.fromisoformat(asked.begin).replace(tzinfo=UTC)
    made = happening(asked.seed, began, asked.days)
    print(f"seed {asked.seed}, {began:%Y-%m-%d} to {began + timedelta(days=asked.days):%Y-%m-%d}")
    print(
        f"{'way':<22}{'DA USD':>10}{'of best':>8}{'of gain':>8}{'RT USD':>10}{'of best':>8}{'of gain':>8}"
        f"{'low min':>7}{'spill':>8}{'short':>8}{'raft':>8}{'flow':>7}{'moves':>7}{'s':>6}"
    )
    found: dict[str, Outcome] = {}
    for name in asked.only:
        started = perf_counter()
        found[name] = run(made, WAYS[name], asked.days * 24, ways.START)
        print(f"{line(made, found, name)}{perf_counter() - started:>6.0f}", flush=True)


if __name__ == "__main__":
    main()
