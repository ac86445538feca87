"""Ingestion assets, materialized in this process against the stand-ins: what is stored, and what the UI shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import polars as pl
import pytest

from assets import ingest, ingest_ercot, ingest_live, ingest_others
from assets.door import FLAT, ORDER, SPIKES
from pipelines.wiring import ROOT
from resources.cnrfc import CnrfcClient
from resources.ercot import ErcotClient
from resources.ercot_archive import ErcotArchiveClient
from resources.http import Basic
from resources.mis import MisClient
from resources.pi import PiClient
from resources.planning import PlanningReader
from sensors.stale_sources import alerts_of_silence
from tests.scenarios.doors import ERCOT, Bench, Case

NOW = datetime(2026, 11, 10, 21, 31, tzinfo=UTC)
TODAY = "2026-11-10"


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench.running(NOW) as running:
        yield running


@pytest.fixture
def case(bench: Bench) -> Iterator[Case]:
    bench.set(NOW)
    with bench.case() as opened:
        yield opened
    bench.clear()


def materialized(
    case: Case, asset: dg.AssetsDefinition, *, day: str | None = None, tags: Mapping[str, str] | None = None
) -> Any:  # noqa: ANN401 - Dagster's result
    """Run one asset as the platform does."""
    sources = case.bench.sources
    resources = {
        "clock": case.clock,
        "lake": case.lake,
        "planning": PlanningReader(case.lake, ROOT / "config" / "series.toml"),
        "sources": sources,
        "pi": case.client(PiClient, sources.pi, Basic("demo", "demo")),
        "ercot": case.client(ErcotClient, sources.ercot, ERCOT),
        "ercot_archive": case.client(ErcotArchiveClient, sources.ercot, ERCOT),
        "ercot_mis": case.client(MisClient, sources.ercot_mis),
        "cnrfc": case.client(CnrfcClient, sources.cnrfc),
    }
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize([asset], partition_key=day, tags=tags, resources=resources, instance=instance)


def numbers(done: Any) -> dict[str, int]:  # noqa: ANN401 - Dagster's result
    (event,) = done.get_asset_materialization_events()
    metadata = event.materialization.metadata
    return {name: metadata[f"rows_{name}"].value for name in ("fetched", "added", "doubted")}


def failed(done: Any) -> dict[str, Mapping[str, Any]]:  # noqa: ANN401 - Dagster's result
    return {one.check_name: one.metadata for one in done.get_asset_check_evaluations() if not one.passed}


def test_a_poll_stores_today_and_the_next_one_only_what_is_new(case: Case) -> None:
    first = numbers(materialized(case, ingest.ercot_rt_prices, day=TODAY))
    assert first["added"] == first["fetched"] > 0
    assert numbers(materialized(case, ingest.ercot_rt_prices, day=TODAY))["added"] == 0
    later = NOW + timedelta(minutes=15)
    case.bench.set(later)
    case.clock.set(later)
    # Four points, one quarter hour more.
    assert numbers(materialized(case, ingest.ercot_rt_prices, day=TODAY))["added"] == 4
    reads = case.lake.coverage(product="NP6-905-CD:HB_NORTH:HU").filter(pl.col("kind") == "read")
    assert reads.height == 3


@pytest.mark.parametrize(
    "asset",
    [
        ingest.historian,
        ingest.ercot_da_prices,
        ingest_ercot.ercot_sced_prices,
        ingest_live.ercot_dashboards,
        ingest_others.public_river_forecasts,
    ],
    ids=lambda asset: asset.key.path[-1],
)
def test_every_check_is_told_and_passes_where_nothing_is_wrong(case: Case, asset: dg.AssetsDefinition) -> None:
    done = materialized(case, asset, day=TODAY)
    assert numbers(done)["added"] > 0
    assert {one.check_name for one in done.get_asset_check_evaluations()} == {key.name for key in asset.check_keys}
    assert failed(done) == {}


def test_what_was_just_polled_is_not_stale_and_goes_stale_when_nothing_comes(case: Case) -> None:
    materialized(case, ingest.historian, day=TODAY)
    materialized(case, ingest.ercot_rt_prices, day=TODAY)
    assert alerts_of_silence(case.lake, case.bench.sources, now=NOW) == []
    late = alerts_of_silence(case.lake, case.bench.sources, now=NOW + timedelta(hours=4))
    assert [alert.details["family"] for alert in late] == ["pi", "ercot_rt"]


def test_an_old_day_is_read_alone_through_the_archive(case: Case) -> None:
    done = materialized(case, ingest.ercot_da_prices, day="2026-03-08")  # 23 hours in Texas, 24 in UTC
    start = datetime(2026, 3, 8, tzinfo=UTC)
    rows = case.lake.latest("ercot:spp_da:HB_NORTH", start=start, end=start + timedelta(days=1))
    assert rows["event_start"].to_list() == [start + timedelta(hours=hour) for hour in range(24)]
    assert rows["source"].unique().to_list() == ["ercot_mis"]
    assert failed(done) == {}


def test_a_range_of_days_is_one_run(case: Case) -> None:
    tags = {"dagster/asset_partition_range_start": "2026-10-31", "dagster/asset_partition_range_end": "2026-11-02"}
    materialized(case, ingest.ercot_rt_prices, tags=tags)
    start = datetime(2026, 10, 31, tzinfo=UTC)
    rows = case.lake.latest("ercot:spp_rt:*", start=start, end=start + timedelta(days=3))
    # Three UTC days, the autumn change among them: nothing is missing and nothing is twice.
    assert rows.group_by("series_id").len()["len"].to_list() == [3 * 96] * 4


def test_offending_rows_are_shown_with_the_check_and_kept_as_questionable(case: Case) -> None:
    flow = "OPS/Gauging Stations/R4|Flow"
    case.bench.trouble("pi", {"fault": "spike", "match": "R4", "p": 0.05})
    done = materialized(case, ingest.historian, day=TODAY)
    told = failed(done)
    assert SPIKES in told
    table = told[SPIKES]["examples"].value
    assert table.startswith("| series_id |")
    assert flow.replace("|", "\\|") in table
    start = NOW - timedelta(days=3)
    doubted = case.lake.latest(f"pi:{flow}:avg1h", start=start, end=NOW).filter(pl.col("quality") == "questionable")
    assert told[SPIKES]["offending_rows"].value == doubted.height == numbers(done)["doubted"]
    assert {ORDER, FLAT}.isdisjoint(told)
