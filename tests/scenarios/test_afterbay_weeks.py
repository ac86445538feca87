"""Hard weeks of the afterbay in closed loop: hourly plans on forecasts only against a hindsight that knows the week.

Put here: what must hold in each. Keep out: the loop and its ways (tests/reservoir_loop.py, tests/reservoir_ways.py).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from domain.hydraulics import Array, elevation_ft, storage_af
from domain.instants import PACIFIC
from domain.plant import PoolState
from domain.quality import Believable, flatlines
from domain.trajectory import simulate
from domain.units import AF_PER_CFS_HOUR
from solvers.reservoir import plan_reservoir
from tests.reservoir_cases import afterbay
from tests.reservoir_loop import FLOWS, Happens, Now, Outcome, run
from tests.reservoir_ways import foreseen, planned

PLANT = afterbay()
PAST, WEEK, AFTER = 20 * 24, 7 * 24, 6 * 24
BEGINS = datetime(2026, 7, 6, tzinfo=PACIFIC) - timedelta(hours=PAST)
START = PoolState(elevation_ft=1171.0, oxbow_mw=2.5)
HOURS = np.arange(PAST + WEEK + AFTER)
INTO = HOURS - PAST
"""Hours since the week began."""
DAY = HOURS % 24


def week(seed: int = 0, *, shocks: float = 0.05, **columns: object) -> Happens:
    """Return a plain summer week after twenty days like it; columns replace the plain ones."""
    random = np.random.default_rng(seed)
    award = np.where((DAY >= 15) & (DAY < 23), 100.0, 40.0)
    slots = random.random(len(HOURS) // 3 + 1)
    sizes = np.where(random.random(len(slots)) < 0.6, 60.0, -30.0)
    shock = np.repeat(np.where(slots < shocks, sizes, 0.0), 3)[: len(HOURS)]
    plain: dict[str, object] = {
        "event_start": [BEGINS + timedelta(hours=int(hour)) for hour in HOURS],
        "r4_flow_cfs": 45.0 + 8.0 * np.sin(DAY / 24.0 * 2.0 * np.pi),
        "r30_flow_cfs": 170.0 + 10.0 * np.sin(HOURS / 60.0),
        "r20_flow_cfs": 40.0,
        "r5l_flow_cfs": 27.0,
        "r26_flow_cfs": 20.0,
        "r10_flow_cfs": 30.0,
        "mfra_mw": np.clip(award + shock, 0.0, 200.0),
        "award_mw": award,
        "float_ft": 1173.0,
        "ccs_mode": "GEN",
        "price_usd_mwh": 38.0 + 26.0 * np.sin((DAY - 12.0) / 24.0 * 2.0 * np.pi) + random.normal(0.0, 4.0, len(HOURS)),
        "real_time_usd_mwh": 0.0,
        "ungauged_cfs": 6.0 + 6.0 * np.sin(HOURS / 40.0),
    }
    given = plain | columns
    frame = pl.DataFrame(
        {name: [value] * len(HOURS) if isinstance(value, str | float) else value for name, value in given.items()}
    ).with_columns(pl.col("event_start").dt.convert_time_zone("UTC"))

    def river(name: str, issue: int, hours: int) -> tuple[Array, Array]:
        """Forecast within a log spread that grows from 2 % to 15 % in two days; a day's runs err alike."""
        wrong = np.random.default_rng([seed, issue // 24, FLOWS.index(name)]).normal()
        spread = 0.02 + 0.13 * np.minimum(np.arange(hours) / 48.0, 1.0)
        truth = frame[f"{name}_flow_cfs"].to_numpy()[issue : issue + hours]
        return truth * np.exp(spread * wrong), spread

    return Happens.of(PLANT, frame, river, PAST)


def both(happens: Happens) -> tuple[Outcome, Outcome]:
    """Return what the plan and what hindsight make of the week."""
    return run(happens, planned, WEEK, START), run(happens, foreseen, WEEK, START)


def volume_af(happens: Happens) -> float:
    return float(happens.truth.inflow_cfs[PAST : PAST + WEEK].sum()) * AF_PER_CFS_HOUR


def revenue_usd(happens: Happens, outcome: Outcome) -> float:
    price = happens.truth.price_usd_mwh[PAST : PAST + WEEK]
    return float(outcome.energy_mwh @ price) + float(price.mean()) * 0.0739 * outcome.end_af


def holds(happens: Happens, plan: Outcome, best: Outcome, *, spill_share: float = 0.005) -> None:
    """Assert what every week asks: no avoidable minute too low, no needless spill, rafting as good as can be."""
    assert plan.low_minutes <= best.low_minutes
    assert plan.spill_af <= best.spill_af + spill_share * volume_af(happens)
    assert plan.raft_short_mwh <= best.raft_short_mwh + 0.01 * best.raft_mwh + 0.1


def test_a_storm_week_spills_no_more_than_it_must() -> None:
    since = np.maximum(0.0, INTO - 60.0)
    storm = 1400.0 * since / 14.0 * np.exp(1.0 - since / 14.0)
    happens = week(
        1,
        r4_flow_cfs=45.0 + storm,
        r30_flow_cfs=170.0 + 0.6 * storm,
        r10_flow_cfs=30.0 + 0.5 * storm,
        ccs_mode=np.where(storm > 800.0, "SPILL", "GEN"),
    )
    plan, best = both(happens)
    holds(happens, plan, best, spill_share=0.01)
    assert best.spill_af > 0.2 * volume_af(happens)


def test_a_dry_week_with_a_leak_goes_no_lower_than_it_must_and_says_so() -> None:
    # R26 takes 60 cfs of some 190: less comes than the smallest output passes, 214 cfs, until dispatch returns.
    off = (INTO >= 0) & (INTO < 4 * 24)
    award = np.where(off, 0.0, 80.0)
    happens = week(2, r26_flow_cfs=60.0, r4_flow_cfs=27.0, r30_flow_cfs=110.0, mfra_mw=award, award_mw=award)
    plan, best = both(happens)
    assert best.low_minutes > 600
    assert plan.low_minutes <= best.low_minutes + 0.01 * WEEK * 60
    assert plan.raft_short_mwh <= best.raft_short_mwh + 1.0
    frame = happens.columns[PAST : PAST + 72].drop("award_mw", "real_time_usd_mwh", "ungauged_cfs")
    told = plan_reservoir(PLANT, frame.with_columns(bias_cfs=0.0), START).report["violations"]
    assert told["below_minimum_minutes"] > 600.0


def test_a_melt_week_with_its_daily_wave_is_used_not_spilled() -> None:
    wave = 420.0 * (1.0 + 0.35 * np.sin((DAY - 15.0) / 24.0 * 2.0 * np.pi))
    award = np.where((DAY >= 16) & (DAY < 22), 60.0, 20.0)
    happens = week(3, r4_flow_cfs=60.0 + wave, r30_flow_cfs=140.0 + 0.4 * wave, award_mw=award, mfra_mw=award)
    plan, best = both(happens)
    holds(happens, plan, best)
    assert revenue_usd(happens, plan) > 0.98 * revenue_usd(happens, best)


def test_a_week_of_dispatch_shocks_breaks_no_minimum() -> None:
    happens = week(4, shocks=0.3)
    departed = np.abs(happens.values["deviation_mw"][PAST : PAST + WEEK]) > 20.0
    assert departed.mean() > 0.2
    plan, best = both(happens)
    holds(happens, plan, best, spill_share=0.01)


def outage_week(*, announced: bool) -> Happens:
    """Return a week whose unit stands from hour 60 to 84, rafting among it."""
    happens = week(5)
    out = (INTO >= 60) & (INTO < 84)
    return replace(happens, announced=announced, truth=replace(happens.truth, available=happens.truth.available & ~out))


def test_a_planned_outage_finds_the_pool_drawn_down_and_spills_only_what_it_cannot_hold() -> None:
    happens = outage_week(announced=True)
    plan, best = both(happens)
    # the margin kept against shocks is water not drawn in time: a sixth of the pool, 0.9 % of the week's inflow
    holds(happens, plan, best, spill_share=0.015)
    assert best.spill_af > 400.0
    assert plan.energy_mwh[60:84].max() == 0.0
    # the pool was drawn down for it: 1.1 of its 5 feet are left when the outage begins
    assert plan.level_ft[60 * 60 - 1] < 1169.2


def test_an_outage_nobody_foresaw_spills_no_more_than_the_water_it_found_in_the_pool() -> None:
    happens = outage_week(announced=False)
    plan, best = both(happens)
    found, least = (float(storage_af(PLANT.storage, one.level_ft[60 * 60 - 1])) for one in (plan, best))
    assert plan.energy_mwh[60:84].max() == 0.0
    assert plan.low_minutes == 0
    assert plan.raft_short_mwh <= best.raft_short_mwh + 0.1
    assert plan.spill_af <= best.spill_af + found - least + 0.005 * volume_af(happens)


def test_a_week_of_negative_prices_stores_what_it_can_and_opens_no_gate_for_money() -> None:
    price = np.where((DAY >= 9) & (DAY < 16), -60.0, 55.0)
    happens = week(6, price_usd_mwh=price)
    plan, best = both(happens)
    holds(happens, plan, best)
    assert revenue_usd(happens, plan) > 0.97 * revenue_usd(happens, best)
    calm = np.isnan(happens.truth.raft_target_mw[PAST : PAST + WEEK]) & (price[PAST : PAST + WEEK] < 0.0)
    assert np.median(plan.energy_mwh[calm]) < 1.0


STUCK = slice(PAST + 30, PAST + 62)


class Sensor:
    """A level gauge that stands still for a day and more, and what an operator makes of it."""

    def __init__(self, *, watched: bool) -> None:
        self.watched, self.read, self.truth = watched, [], []
        self.noticed: list[int] = []

    def way(self, now: Now) -> float:
        """Read the gauge, notice that it stands still, carry the level on by the balance instead; then plan."""
        true_ft = now.state.elevation_ft
        stuck = STUCK.start <= now.hour < STUCK.stop
        self.read.append(self.read[-1] if stuck and self.read else true_ft)
        seen = self.read[-1]
        if self.watched and self.still(now):
            self.noticed.append(now.hour)
            seen = self.carried(now)
        self.truth.append((seen, now.state.oxbow_mw))
        return planned(replace(now, state=PoolState(elevation_ft=seen, oxbow_mw=now.state.oxbow_mw)))

    def still(self, now: Now) -> bool:
        """Return whether the newest readings are one flat line of more than three hours."""
        starts = now.happens.truth.start[now.hour - len(self.read) + 1 : now.hour + 1]
        rows = pl.DataFrame(
            {
                "series_id": ["level"] * len(starts),
                "event_start": starts,
                "event_end": starts,
                "value": self.read,
                "scenario": ["actual"] * len(starts),
            }
        ).with_columns(quantile=pl.lit(None, pl.Float64), member=pl.lit(None, pl.Int64))
        flat = flatlines(rows, {"level": Believable(low=1160.0, high=1180.0, flat=timedelta(hours=3))})
        return flat.height > 0 and flat["event_start"].max() == starts[-1]

    def carried(self, now: Now) -> float:
        """Return the level a walk from the last level believed gives, on the hour's measured flows and output."""
        believed, before_mw = self.truth[-1]
        hour = now.happens.truth.window(now.hour - 1, now.hour)
        state = PoolState(elevation_ft=believed, oxbow_mw=before_mw)
        walked = simulate(PLANT, hour, np.array([now.state.oxbow_mw]), state, guarded=False)
        return float(elevation_ft(PLANT.storage, walked.storage_af[-1]))


@pytest.fixture(scope="module")
def stuck_week() -> Happens:
    return week(7)


def test_a_stuck_level_is_noticed_and_carried_on_by_the_balance(stuck_week: Happens) -> None:
    sensor = Sensor(watched=True)
    plan = run(stuck_week, sensor.way, WEEK, START)
    assert sensor.noticed
    assert sensor.noticed[0] <= STUCK.start + 4
    assert plan.low_minutes == 0


def test_a_stuck_level_that_nobody_notices_does_harm(stuck_week: Happens) -> None:
    blind = run(stuck_week, Sensor(watched=False).way, 72, START)
    harm = blind.low_minutes + blind.spill_af
    assert harm > 60.0
