"""The judgements about gauges, tried on a year of storms: what is real passes, what is not is found."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from domain.beliefs import TIME, canonical
from domain.quality import Believable, doubted
from simulators.world import World

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
HOURS = 365 * 24
GAUGES = {
    f"{name}_cfs": Believable(low=-5, high=60000, jump=100, flat=timedelta(hours=8)) for name in ("r4", "r30", "r10")
}


@pytest.fixture(scope="module", params=[3, 7])
def year(request: pytest.FixtureRequest) -> pl.DataFrame:
    """A year of hourly flows with storms up to 3,500 cfs, whose steps reach 600 cfs an hour."""
    block = World(request.param).window("sierra", int(BEGIN.timestamp()), int(BEGIN.timestamp()) + HOURS * 3600)
    starts = [BEGIN + timedelta(hours=hour) for hour in range(HOURS)]
    flows = pl.DataFrame({"event_start": starts, **{name: np.asarray(block[name]) for name in GAUGES}})
    rows = flows.unpivot(index="event_start", variable_name="series_id", value_name="value")
    rows = rows.with_columns(
        pl.col("event_start").cast(TIME),
        event_end=pl.col("event_start") + timedelta(hours=1),
        belief_time=pl.col("event_start") + timedelta(hours=2),
        unit=pl.lit("cfs"),
        source=pl.lit("pi"),
    )
    return canonical(rows.with_columns(pl.col("event_end", "belief_time").cast(TIME)), what="a year")


def poll(year: pl.DataFrame, end: datetime) -> pl.DataFrame:
    """What a poll reads, two days, and the day before them."""
    return year.filter(pl.col("event_start").is_between(end - timedelta(days=3), end, closed="left"))


def test_no_hour_of_any_storm_is_doubted_by_any_poll(year: pl.DataFrame) -> None:
    for day in range(3, 364, 2):
        judged = doubted(poll(year, BEGIN + timedelta(days=day, hours=day * 7 % 24)), GAUGES)
        assert judged.filter(pl.col("quality") != "good").select("series_id", "event_start", "value").rows() == []


def test_wrong_samples_are_found_in_calm_and_in_storm(year: pl.DataFrame) -> None:
    chance = random.Random(5)  # noqa: S311 - places of errors, not secrets
    found = made = 0
    for _ in range(100):
        end = BEGIN + timedelta(days=chance.randrange(3, 365))
        rows = poll(year, end)
        place, length = chance.randrange(2, 65), chance.choice([1, 2])
        at = [end - timedelta(days=3) + timedelta(hours=place + more) for more in range(length)]
        wrong = (pl.col("series_id") == "r4_cfs") & pl.col("event_start").is_in(at)
        size = chance.choice([-3000.0, -800.0, 800.0, 3000.0])
        judged = doubted(
            rows.with_columns(value=pl.when(wrong).then(pl.col("value") + size).otherwise("value")), GAUGES
        )
        found += judged.filter(wrong & (pl.col("quality") == "questionable")).height
        made += length
    assert found >= 0.97 * made
