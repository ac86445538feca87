"""Whose river forecast leads a decision, and whose stands in where it has nothing: never unsaid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.forecasting import inflow
from domain.beliefs import Cutoffs, Mode
from resources.payloads import Facts
from resources.payloads.cnrfc import parse
from resources.reservoir_decisions import ReservoirCase, RunSettings, reservoir_case
from tests.reservoir_lake import HOUR, World

NOW = datetime(2026, 7, 14, 7, tzinfo=UTC)
ISSUE = datetime(2026, 7, 14, 0, tzinfo=UTC)
MODIFIED = ISSUE + 4 * HOUR
SITES = {
    "r4": "pcwa-r4-middle-fork-american-abv-power-house-total",
    "r30": "pcwa-r30-rubicon-river-abv-ralston-power-house",
}


def public(world: World, *, r4_kcfs: float, r30_kcfs: float, last_h: int, issue: datetime = ISSUE,
           modified: datetime = MODIFIED) -> None:  # fmt: skip
    """Load a watershed export of the public centre, up to ``last_h`` hours after the decision."""
    hours = range(1, round((NOW - issue) / HOUR) + last_h + 1)  # instants: the last hour needs one at its end
    lines = ["GMT,MFPC1,RUFC1", ",QINE,QINE"]
    lines += [f"{issue + k * HOUR:%Y-%m-%d %H:%M:%S},{r4_kcfs},{r30_kcfs}" for k in hours]
    name = f"{issue:%Y%m%d%H}_american_csv_export.csv"
    facts = Facts(fetched_at=modified + HOUR, name=name, last_modified=modified)
    world.lake.append(parse(("\n".join(lines) + "\n").encode(), facts), run_id="test", product="cnrfc")


def private(world: World, cfs: float, last_h: int) -> None:
    """Store the vendor's forecast, mean and quantiles, issued an hour before the decision."""
    start = [NOW + k * HOUR for k in range(last_h)]
    for site in SITES.values():
        point = pl.DataFrame({"event_start": start, "value": [cfs] * last_h}).with_columns(
            series_id=pl.lit(f"hydroforecast:discharge:{site}"), event_end=pl.col("event_start") + HOUR,
            belief_time=pl.lit(NOW - HOUR), unit=pl.lit("cfs"), source=pl.lit("hydroforecast"),
            scenario=pl.lit("mean"), quantile=pl.lit(None, pl.Float64),
        )  # fmt: skip
        spread = [
            point.with_columns(value=pl.lit(cfs * (0.7 + 0.6 * q)), quantile=pl.lit(q), scenario=pl.lit("quantile"))
            for q in (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
        ]
        world.lake.append(pl.concat([point, *spread]), run_id="test", product="hydroforecast")


def case_of(world: World, source: str) -> ReservoirCase:
    cutoffs = Cutoffs(at=NOW, mode=Mode.PUBLISHED, recorded_before=world.lake.pin())
    return reservoir_case(world.lake, world.reader, world.plant.plant, cutoffs, RunSettings(source=source))


def foretell(world: World) -> dg.ExecuteInProcessResult:
    """Materialize our inflow forecast of the decision's hour over the lake as it is."""
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [inflow], partition_key=f"{NOW:%Y-%m-%dT%H:%MZ}", instance=instance,
            resources={"lake": world.lake, "planning": world.reader},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World(tmp_path, NOW, latency={"cnrfc": timedelta(minutes=15)})
    found.forecast(NOW, off=0.0)  # ours: R30 180 cfs in every hour
    return found


def test_the_public_centres_values_lead_in_cfs_where_it_has_them_and_ours_fill_the_rest(world: World) -> None:
    public(world, r4_kcfs=0.25, r30_kcfs=0.9, last_h=60)
    ours, found = case_of(world, "hydroforecast"), case_of(world, "cnrfc")
    # 0.9 thousand cubic feet a second are 900 cfs; R30 of the world is 180 cfs
    assert found.inputs["r30_flow_cfs"].to_list() == pytest.approx([900.0] * 60 + [180.0] * 36)
    assert found.inputs["r4_flow_cfs"].to_list()[:60] == pytest.approx([250.0] * 60)
    assert found.inputs["r4_flow_cfs"].to_list()[60:] == ours.inputs["r4_flow_cfs"].to_list()[60:]
    assert found.hourly["r30_flow_cfs"].to_list() == ["cnrfc"] * 60 + ["hydroforecast, fallback"] * 36
    assert "issued 2026-07-14T04:00:00Z: cnrfc 60 h; hydroforecast, fallback 36 h" in found.provenance["r30_flow_cfs"]
    assert ours.hourly["r30_flow_cfs"].to_list() == ["hydroforecast"] * 96


def test_the_centres_values_are_instants_and_an_hours_mean_lies_between_its_ends(world: World) -> None:
    lines = ["GMT,MFPC1,RUFC1", ",QINE,QINE"]
    lines += [f"{NOW + k * HOUR:%Y-%m-%d %H:%M:%S},0.1,{0.2 + 0.1 * k:.1f}" for k in range(4)]
    facts = Facts(fetched_at=MODIFIED, name="2026071400_american_csv_export.csv", last_modified=MODIFIED)
    world.lake.append(parse(("\n".join(lines) + "\n").encode(), facts), run_id="test", product="cnrfc")
    # 200, 300, 400, 500 cfs at four full hours are three hours of 250, 350, 450 cfs
    assert case_of(world, "cnrfc").inputs["r30_flow_cfs"].to_list()[:4] == pytest.approx([250.0, 350.0, 450.0, 180.0])


def test_futures_lie_around_the_values_that_lead(world: World) -> None:
    public(world, r4_kcfs=0.25, r30_kcfs=0.9, last_h=96)
    futures = case_of(world, "cnrfc").futures(200)
    assert futures is not None
    middle = pl.DataFrame(futures["r30_flow_cfs"]).median().row(0)
    assert min(middle) > 700.0
    assert max(middle) < 1100.0


def test_nothing_the_centre_published_after_the_decision_is_known_to_it(world: World) -> None:
    public(world, r4_kcfs=0.25, r30_kcfs=0.9, last_h=96)
    # the newer issue is modified ten minutes before the decision, and its readers have it a quarter of an hour later
    late = {"issue": ISSUE + 6 * HOUR, "modified": NOW - timedelta(minutes=10)}
    public(world, r4_kcfs=0.3, r30_kcfs=2.0, last_h=96, **late)  # ty: ignore[invalid-argument-type]
    assert case_of(world, "cnrfc").inputs["r30_flow_cfs"].to_list() == pytest.approx([900.0] * 96)


def test_an_issue_of_days_ago_does_not_lead(world: World) -> None:
    old = ISSUE - timedelta(days=3)
    public(world, r4_kcfs=0.25, r30_kcfs=0.9, last_h=96, issue=old, modified=old + 4 * HOUR)
    found = case_of(world, "cnrfc")
    assert found.inputs["r30_flow_cfs"].to_list() == pytest.approx([180.0] * 96)
    assert (
        "r30.flow_public.cfs, nothing issued lately: hydroforecast, fallback 96 h" in found.provenance["r30_flow_cfs"]
    )


def test_without_the_vendor_our_forecast_rests_on_the_public_centre_with_the_last_days_spread(tmp_path: Path) -> None:
    world = World(tmp_path, NOW)
    world.forecast(NOW, off=0.0)
    public(world, r4_kcfs=0.25, r30_kcfs=0.9, last_h=60)
    result = foretell(world)
    found = case_of(world, "hydroforecast")
    assert found.hourly["r30_flow_cfs"].to_list() == ["cnrfc, fallback"] * 60 + ["last days, fallback"] * 36
    assert found.inputs["r30_flow_cfs"].to_list()[:60] == pytest.approx([900.0] * 60)
    assert "cnrfc, fallback 60 h; last days, fallback 36 h" in found.provenance["r30_flow_cfs"]
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed
    assert check.description == "without any vendor's forecast: r4.flow.cfs 36 of 96 h, r30.flow.cfs 36 of 96 h"


def test_the_vendor_leads_where_both_speak_and_the_centre_stands_in_where_it_ends(tmp_path: Path) -> None:
    world = World(tmp_path, NOW)
    world.forecast(NOW)
    public(world, r4_kcfs=0.25, r30_kcfs=0.9, last_h=96)
    private(world, 300.0, 72)
    result = foretell(world)
    found = case_of(world, "hydroforecast")
    assert found.inputs["r30_flow_cfs"].to_list() == pytest.approx([300.0] * 72 + [900.0] * 24)
    assert found.hourly["r30_flow_cfs"].to_list() == ["hydroforecast"] * 72 + ["cnrfc, fallback"] * 24
    assert all(check.passed for check in result.get_asset_check_evaluations())
    other = case_of(world, "cnrfc")
    assert set(other.hourly["r30_flow_cfs"]) == {"cnrfc"}


def test_with_neither_the_last_days_stand_in_and_say_so(tmp_path: Path) -> None:
    world = World(tmp_path, NOW)
    world.forecast(NOW)
    result = foretell(world)
    for source in ("hydroforecast", "cnrfc"):
        assert set(case_of(world, source).hourly["r30_flow_cfs"]) == {"last days, fallback"}
    assert not any(check.passed for check in result.get_asset_check_evaluations())
