"""Claims about alerts and about judging a batch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from domain.alerts import pool_outside_band
from domain.quality import missing_intervals

T = datetime(2026, 11, 21, 7, tzinfo=UTC)
ZONE = ZoneInfo("America/Los_Angeles")


def schedule(levels_ft: list[float], spill_cfs: list[float]) -> pl.DataFrame:
    hours = [T + timedelta(hours=h) for h in range(len(levels_ft))]
    return pl.DataFrame({"event_start": hours, "elevation_ft": levels_ft, "spill_cfs": spill_cfs, "float_ft": 1173.0})


def judge(frame: pl.DataFrame) -> list[tuple[str, str]]:
    alerts = pool_outside_band(frame, schedule_id="reservoir-x", version=2, minimum_ft=1168.0, zone=ZONE)
    return [(alert.kind, alert.message) for alert in alerts]


def test_a_pool_inside_its_band_raises_nothing_at_either_edge() -> None:
    assert judge(schedule([1168.0, 1173.0], [0.0, 5e-12])) == []


def test_the_lowest_hour_is_named_in_local_time() -> None:
    # The second hour starts 08:00 UTC = midnight Pacific.
    assert judge(schedule([1167.5, 1167.25, 1169.0], [0.0] * 3)) == [
        (
            "pool_below_minimum",
            (
                "reservoir-x v2: the pool falls to 1167.25 ft at Sat 21 Nov 00:00 PST, below its minimum of 1168 ft, "
                "in 2 interval(s)"
            ),
        )
    ]


def test_spill_at_the_float_is_said_with_its_size() -> None:
    kind, message = judge(schedule([1172.0, 1173.0], [0.0, 140.0]))[0]
    assert kind == "pool_above_float"
    assert "spills up to 140 cfs in 1 interval(s), first at Sat 21 Nov 00:00 PST" in message


def rows(hours: list[int], *, length: timedelta = timedelta(hours=1)) -> pl.DataFrame:
    starts = pl.Series([T + timedelta(hours=h) for h in hours]).dt.cast_time_unit("us")
    return pl.DataFrame({"series_id": "a", "event_start": starts, "event_end": starts + length, "value": 1.0})


def test_a_missing_hour_is_counted_and_the_first_one_named() -> None:
    lacking = missing_intervals(rows([0, 2, 3]), start=T, end=T + timedelta(hours=5))
    assert lacking.rows() == [("a", 5, 3, 2, T + timedelta(hours=1))]


def test_a_complete_series_and_a_series_of_instants_lack_nothing() -> None:
    assert missing_intervals(rows([0, 1]), start=T, end=T + timedelta(hours=2)).is_empty()
    assert missing_intervals(rows([0], length=timedelta()), start=T, end=T + timedelta(hours=9)).is_empty()
