"""Claims about sources that fall silent: told once, by the age of the newest event, whatever the runs did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from domain.beliefs import canonical
from pipelines.wiring import ROOT
from resources.clock import ManualClock
from resources.lake import Lake
from resources.registry import Registry
from resources.sources_file import Sources, load_sources
from sensors.stale_sources import alerts_of_silence, stale_sources

NOW = datetime(2026, 11, 20, 22, tzinfo=UTC)
QUARTER, HOUR = timedelta(minutes=15), timedelta(hours=1)
RT, FORECAST, TAG = "ercot:spp_rt:HB_NORTH:HU", "ercot:load_fcst:system_total", "pi:OPS/Res|Setpoint:recorded"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", now=lambda: NOW + timedelta(days=30))


@pytest.fixture(scope="module")
def sources() -> Sources:
    return load_sources(ROOT / "config" / "sources.toml")


def store(
    lake: Lake, series_id: str, starts: list[datetime], *, length: timedelta, said: datetime | None = None
) -> None:
    """Intervals of a series, each stated two minutes after its end, or all of them at ``said``."""
    rows = pl.DataFrame({"event_start": starts}).with_columns(
        event_end=pl.col("event_start") + length, series_id=pl.lit(series_id), value=pl.lit(5.0)
    )
    told = pl.col("event_end") + timedelta(minutes=2) if said is None else pl.lit(said)
    source = "ercot_api" if series_id.startswith("ercot") else "pi"
    rows = rows.with_columns(belief_time=told, unit=pl.lit("MW"), source=pl.lit(source))
    lake.append(canonical(rows, what="rows"), run_id="r", product=series_id)


def quarters(*, until: datetime) -> list[datetime]:
    return [until - QUARTER * count for count in range(200, 0, -1)]


def test_a_source_is_stale_by_the_age_of_its_newest_event_and_told_once(lake: Lake, sources: Sources) -> None:
    store(lake, RT, quarters(until=NOW), length=QUARTER)
    assert alerts_of_silence(lake, sources, now=NOW + timedelta(minutes=35)) == []
    (alert,) = alerts_of_silence(lake, sources, now=NOW + timedelta(minutes=36))
    assert (alert.kind, alert.details["family"]) == ("stale_source", "ercot_rt")
    assert "silent since 2026-11-20 22:00Z, 36 min ago" in alert.message
    (later,) = alerts_of_silence(lake, sources, now=NOW + HOUR)
    assert later.key == alert.key
    store(lake, RT, [NOW + HOUR], length=QUARTER)
    assert alerts_of_silence(lake, sources, now=NOW + HOUR + timedelta(minutes=30)) == []


def test_what_has_been_silent_for_a_week_is_told_every_day(lake: Lake, sources: Sources) -> None:
    store(lake, RT, quarters(until=NOW), length=QUARTER)
    first, second = (alerts_of_silence(lake, sources, now=NOW + timedelta(days=days))[0] for days in (8, 9))
    assert first.details["series"] == [RT]
    assert first.key != second.key


def test_a_forecast_is_late_by_its_newest_statement_not_by_the_hours_it_speaks_of(lake: Lake, sources: Sources) -> None:
    hours = [NOW + HOUR * count for count in range(24)]
    store(lake, FORECAST, hours, length=HOUR, said=NOW)
    assert alerts_of_silence(lake, sources, now=NOW + timedelta(minutes=105)) == []
    (alert,) = alerts_of_silence(lake, sources, now=NOW + timedelta(minutes=106))
    assert alert.details["family"] == "ercot_load_forecast"


def test_a_tag_that_rarely_moves_is_not_late_before_three_times_its_own_gap(lake: Lake, sources: Sources) -> None:
    moves = [NOW - timedelta(days=6) + timedelta(hours=11, minutes=1) * count for count in range(12)]
    store(lake, TAG, moves, length=timedelta(0))
    last = moves[-1]
    assert alerts_of_silence(lake, sources, now=last + timedelta(hours=33, minutes=3)) == []
    (alert,) = alerts_of_silence(lake, sources, now=last + timedelta(hours=34))
    assert alert.details["family"] == "pi"


def test_an_empty_lake_has_no_stale_source(lake: Lake, sources: Sources) -> None:
    assert alerts_of_silence(lake, sources, now=NOW) == []


def test_the_sensor_writes_each_silence_into_the_outbox_once(lake: Lake, sources: Sources, tmp_path: Path) -> None:
    store(lake, RT, quarters(until=NOW), length=QUARTER)
    registry = Registry(f"sqlite:///{tmp_path / 'state.db'}")
    clock = ManualClock(NOW + HOUR)
    for _ in range(2):
        context = dg.build_sensor_context()
        stale_sources(context, clock=clock, lake=lake, registry=registry, sources=sources)
        clock.sleep(300)
    (told,) = registry.alerts()
    registry.close()
    assert told["kind"] == "stale_source"
