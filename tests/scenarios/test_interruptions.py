"""Claims about a job that is cut off, and about where it keeps its state."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.stand_ins import StandIns
from resources.clock import SystemClock
from resources.registry import Registry
from tests.scenarios.whole_job import DAYS, ROOT, environment, lake_of, tailrace


def test_postgresql_holds_dagster_and_the_registry_by_one_variable(fresh_database: str, tmp_path: Path) -> None:
    url = fresh_database.replace("postgresql+psycopg2://", "postgresql://")
    extra = {"TAILRACE_POSTGRES_URL": url}
    done = tailrace("run", "--days", "9", "--devices", "5", home=tmp_path / "home", extra=extra)
    assert done.returncode == 0, done.stdout + done.stderr
    registry = Registry(fresh_database)
    assert len(registry.publications("reservoir")) == 1
    registry.close()
    assert not (tmp_path / "home" / "state.db").exists()
    assert not list((tmp_path / "home" / "dagster").glob("**/*.db"))


@pytest.fixture
def services() -> Iterator[StandIns]:
    with StandIns.started(seed=7) as running:
        yield running


def test_services_that_stop_in_the_middle_of_a_fetch_cost_nothing_that_was_fetched(
    services: StandIns, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    command = [sys.executable, "-m", "pipelines.cli", "run", "--days", str(DAYS), "--devices", "5"]
    run = subprocess.Popen(
        command, cwd=ROOT, env=environment(home, services.environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    _wait_for_files(home / "lake", run)
    services.process.kill()
    _, complaint = run.communicate(timeout=200)
    assert run.returncode == 1
    assert b"pi" in complaint or b"ercot" in complaint or b"caiso" in complaint or b"hydroforecast" in complaint
    kept = _stored_rows(home)
    assert kept > 0
    done = tailrace("run", "--days", str(DAYS), "--devices", "5", home=home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert _stored_rows(home) > kept
    _assert_nothing_doubled(home)


def test_a_run_killed_while_it_writes_leaves_nothing_half_and_the_next_completes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    dice = random.Random(20261121)  # noqa: S311 - a reproducible moment, not a secret
    command = [sys.executable, "-m", "pipelines.cli", "run", "--days", str(DAYS), "--devices", "5"]
    for _ in range(2):
        run = subprocess.Popen(
            command, cwd=ROOT, env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _wait_for_files(home / "lake", run)
        time.sleep(dice.uniform(0.0, 1.5))
        run.send_signal(signal.SIGKILL)
        run.wait()
    done = tailrace("run", "--days", str(DAYS), "--devices", "5", home=home)
    assert done.returncode == 0, done.stdout + done.stderr
    _assert_nothing_doubled(home)


def _wait_for_files(folder: Path, run: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    before = set(folder.rglob("*.parquet")) if folder.is_dir() else set()
    while time.monotonic() < deadline and run.poll() is None:
        if folder.is_dir() and set(folder.rglob("*.parquet")) - before:
            return
        time.sleep(0.02)


def _stored_rows(home: Path) -> int:
    coverage = lake_of(home).coverage()
    return int(coverage["rows"].sum())


def _assert_nothing_doubled(home: Path) -> None:
    lake = lake_of(home)
    assert lake.verify().problems == ()
    name = "pi:OPS/Gauging Stations/R4|Flow:avg1h"
    now = SystemClock().now()
    for hours in (5, 50, 100):
        event = (now - timedelta(hours=hours)).replace(minute=0, second=0, microsecond=0)
        assert lake.history(name, event_start=event).height == 1
