"""Claims about the whole job, held over real HTTP, real files, SQLite and PostgreSQL."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import polars as pl
import pytest

from domain.beliefs import Cutoffs, Mode
from resources.clock import SystemClock
from resources.pinned import PlantFile
from resources.publisher import Publisher
from resources.registry import Registry
from tests.scenarios.whole_job import DAYS, ROOT, lake_of, tailrace


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home in which one run has succeeded, and what it printed."""
    home = tmp_path_factory.mktemp("home")
    done = tailrace("run", "--days", str(DAYS), "--devices", "50", home=home)
    assert done.returncode == 0, done.stdout + done.stderr
    return home, done.stdout


def test_a_run_prints_both_published_schedules_with_their_ids(finished: tuple[Path, str]) -> None:
    home, printed = finished
    for plan in ("reservoir", "fleet"):
        current = Publisher(home / "plans").current(plan)
        assert current is not None
        assert f"{current.schedule_id} v{current.number}" in printed


def test_a_run_leaves_one_page_that_fetches_nothing(finished: tuple[Path, str]) -> None:
    page = (finished[0] / "report.html").read_text()
    assert "<svg" in page
    assert 'src="http' not in page
    assert 'href="http' not in page


def test_a_run_leaves_no_process_behind(finished: tuple[Path, str]) -> None:
    home, _ = finished
    left = subprocess.run(["pgrep", "-af", str(home)], capture_output=True, text=True, check=False).stdout
    assert left == ""


def test_the_ledger_the_pointer_and_the_manifest_agree(finished: tuple[Path, str]) -> None:
    home, _ = finished
    registry = Registry(f"sqlite:///{home / 'state.db'}")
    for plan in ("reservoir", "fleet"):
        row = registry.publications(plan)[0]
        pointer = orjson.loads((home / "plans" / plan / "current.json").read_bytes())
        assert (row.schedule_id, row.version) == (pointer["schedule_id"], pointer["version"])
        assert row.manifest_sha256 == pointer["manifest_sha256"]
    registry.close()


def test_both_cutoffs_are_pinned_and_nothing_the_plan_read_is_later(finished: tuple[Path, str]) -> None:
    version = Publisher(finished[0] / "plans").current("reservoir")
    assert version is not None
    assert version.manifest["mode"] == "published"
    assert datetime.fromisoformat(version.manifest["recorded_before"]) <= SystemClock().now()
    assert version.as_of <= datetime.fromisoformat(version.manifest["recorded_before"])


def test_the_published_trajectory_obeys_the_physics_by_formulas_written_here(finished: tuple[Path, str]) -> None:
    version = Publisher(finished[0] / "plans").current("reservoir")
    assert version is not None
    rows = version.schedule()
    state = version.manifest["state"]

    def storage(level: float) -> float:
        return 0.6311303 * level**2 - 1403.8 * level + 780566

    stored, before_mw = storage(state["elevation_ft"]), state["oxbow_mw"]
    for row in rows.iter_rows(named=True):
        mean_mw = (before_mw + row["oxbow_end_mw"]) / 2
        outflow = 163.73 * mean_mw + 83.0
        stored += 3600 / 43560 * (row["inflow_cfs"] - outflow - row["spill_cfs"])
        assert storage(row["elevation_ft"]) == pytest.approx(stored, abs=1e-6)
        assert row["oxbow_mw"] == pytest.approx(mean_mw, abs=1e-6)
        assert abs(row["oxbow_end_mw"] - before_mw) <= 0.042 * 60 + 1e-6
        assert row["oxbow_end_mw"] <= 0.0912 * row["elevation_ft"] - 101.42 + 1e-6
        assert row["elevation_ft"] <= row["float_ft"] + 1e-6 or row["spill_cfs"] > 0
        before_mw = row["oxbow_end_mw"]


def test_every_battery_stays_within_its_own_limits_by_formulas_written_here(finished: tuple[Path, str]) -> None:
    home, _ = finished
    version = Publisher(home / "plans").current("fleet")
    assert version is not None
    registry = Registry(f"sqlite:///{home / 'state.db'}")
    devices = {row["device_id"]: row for row in registry.devices().to_dicts()}
    registry.close()
    schedule = version.schedule()
    assert schedule["device_id"].n_unique() == 50
    for (device_id,), rows in schedule.group_by("device_id", maintain_order=True):
        device = devices[device_id]
        soc = device["soc_start_kwh"]
        for row in rows.iter_rows(named=True):
            gained = row["charge_kw"] * device["charge_efficiency"]
            soc += 0.5 * (gained - row["discharge_kw"] / device["discharge_efficiency"])
            assert row["soc_kwh"] == pytest.approx(soc, abs=1e-6)
            assert device["soc_min_kwh"] - 1e-6 <= soc <= device["soc_max_kwh"] + 1e-6
            assert row["charge_kw"] <= device["max_charge_kw"] + 1e-6
            assert row["discharge_kw"] <= device["max_discharge_kw"] + 1e-6
        assert soc >= device["soc_end_min_kwh"] - 1e-6


def test_a_replay_is_identical_also_after_new_data_and_corrections(finished: tuple[Path, str], tmp_path: Path) -> None:
    home, _ = finished
    version = Publisher(home / "plans").current("reservoir")
    assert version is not None
    as_of = version.as_of.isoformat()
    first = tailrace("replay", "dispatch/reservoir_plan", "--as-of", as_of, home=home)
    assert first.stdout.startswith("identical"), first.stdout + first.stderr

    corrections = tmp_path / "rows.parquet"
    hours = [version.as_of - timedelta(hours=h) for h in range(2, 31)]
    pl.DataFrame(
        {
            "series_id": "pi:OPS/Gauging Stations/R4|Flow:avg1h",
            "event_start": hours,
            "event_end": [hour + timedelta(hours=1) for hour in hours],
            "belief_time": [hour + timedelta(minutes=90) for hour in hours],
            "value": 4000.0,
            "unit": "cfs",
            "source": "pi",
        }
    ).write_parquet(corrections)
    appended = tailrace("append", str(corrections), home=home)
    assert appended.returncode == 0, appended.stderr
    again = tailrace("replay", "dispatch/reservoir_plan", "--as-of", as_of, home=home)
    assert again.stdout.startswith("identical"), again.stdout + again.stderr
    fleet = Publisher(home / "plans").current("fleet")
    assert fleet is not None
    other = tailrace("replay", "dispatch/fleet_plan", "--as-of", fleet.as_of.isoformat(), home=home)
    assert other.stdout.startswith("identical"), other.stdout + other.stderr


def test_the_corrections_would_have_changed_the_plan_had_they_been_known(finished: tuple[Path, str]) -> None:
    """The replay above is a real test only if what was appended matters to a reader without the pinned cutoff."""
    home, _ = finished
    version = Publisher(home / "plans").current("reservoir")
    assert version is not None
    window = {"start": version.as_of - timedelta(hours=30), "end": version.as_of - timedelta(hours=2)}
    pinned = datetime.fromisoformat(version.manifest["recorded_before"])
    name = "pi:OPS/Gauging Stations/R4|Flow:avg1h"
    free = lake_of(home).as_of(name, **window, cutoffs=Cutoffs(at=version.as_of, mode=Mode.PUBLISHED))
    held = lake_of(home).as_of(
        name, **window, cutoffs=Cutoffs(at=version.as_of, mode=Mode.PUBLISHED, recorded_before=pinned)
    )
    assert set(free["value"]) == {4000.0}
    assert 4000.0 not in set(held["value"])


def test_a_second_run_adds_only_what_changed_and_no_second_version(finished: tuple[Path, str]) -> None:
    home, _ = finished
    name = "pi:OPS/Gauging Stations/R30|Flow_EM:avg1h"
    everything = {"start": datetime(2024, 1, 1, tzinfo=UTC), "end": datetime(2100, 1, 1, tzinfo=UTC)}
    before = lake_of(home).latest(name, **everything)
    again = tailrace("run", "--days", str(DAYS), "--devices", "50", home=home)
    assert again.returncode == 0, again.stdout + again.stderr
    after = lake_of(home).latest(name, **everything)
    assert before.equals(after.filter(pl.col("event_start").is_in(before["event_start"].implode())))
    fleet = Publisher(home / "plans").current("fleet")
    assert fleet is not None
    assert fleet.number == 1


def test_an_analyst_asks_the_warehouse_by_a_marts_name(finished: tuple[Path, str]) -> None:
    home, _ = finished
    query = "select market, count(*) as hours from settlement_prices_hourly group by market"
    answer = tailrace("sql", query, "--format", "csv", home=home)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[0] == "market,hours"
    refused = tailrace("sql", "drop table settlement_prices_hourly", home=home)
    assert refused.returncode == 2
    assert "read-only" in refused.stderr


def test_the_plant_of_the_checkout_is_the_one_the_plan_pinned(finished: tuple[Path, str]) -> None:
    home, _ = finished
    version = Publisher(home / "plans").current("reservoir")
    assert version is not None
    pinned = PlantFile.unpin(lake_of(home), version.manifest["plant_sha256"])
    assert pinned == PlantFile.read(ROOT / "config" / "plants" / "afterbay.toml")
