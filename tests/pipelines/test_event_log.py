"""Claims about Dagster's event log with engines that are kept: it is Dagster's own log, only faster."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from pipelines import event_log
from pipelines.dagster_home import prepare
from pipelines.event_log import KeptEngines
from pipelines.wiring import Settings


@dg.asset(check_specs=[dg.AssetCheckSpec("holds", asset="thing")])
def thing() -> dg.MaterializeResult:
    return dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="holds", passed=True)])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return prepare(Settings(home=tmp_path, postgres_url=None, sources_overlay=None))


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(home)) as opened:
        yield opened


def test_the_home_uses_it_and_dagsters_own_log_reads_what_it_wrote(instance: dg.DagsterInstance, home: Path) -> None:
    assert isinstance(instance.event_log_storage, KeptEngines)
    done = dg.materialize([thing], instance=instance)
    theirs = SqliteEventLogStorage(str(home / "history" / "runs"))
    theirs.register_instance(instance)
    kinds = [one.dagster_event.event_type_value for one in theirs.get_logs_for_run(done.run_id) if one.dagster_event]
    assert kinds[0] == "ASSET_MATERIALIZATION_PLANNED"
    assert kinds[-1] == "PIPELINE_SUCCESS"
    assert "ASSET_CHECK_EVALUATION" in kinds
    assert instance.get_latest_materialization_event(thing.key) is not None


def test_every_event_changes_the_runs_own_file_which_whoever_follows_it_watches(
    instance: dg.DagsterInstance, home: Path
) -> None:
    done = dg.materialize([thing], instance=instance)
    file = home / "history" / "runs" / f"{done.run_id}.db"
    before = file.stat().st_mtime_ns
    instance.report_engine_event("one more", done.dagster_run)
    assert file.stat().st_mtime_ns > before


def test_more_runs_than_engines_are_kept_and_several_threads_do_not_disturb_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "_RUNS", 2)
    counts: dict[str, int] = {}
    with dg.DagsterInstance.from_config(str(home)) as instance:
        ids = [dg.materialize([thing], instance=instance).run_id for _ in range(3)]

        def read(run_id: str) -> None:
            counts[run_id] = len(instance.all_logs(run_id))

        threads = [threading.Thread(target=read, args=[run_id]) for run_id in ids]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert set(counts) == set(ids)
    assert len(set(counts.values())) == 1
