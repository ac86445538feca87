"""Claims about what is kept of the loop with the devices, held on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from domain.fleet import generate_fleet
from domain.fleet.messages import Ack, Receipt, Report
from resources.database import Database
from resources.execution_log import ExecutionLog
from resources.fleet_log import Batch, DeadLetter, FleetLog
from resources.registry import Registry

T = datetime(2026, 11, 22, 6, tzinfo=UTC)
HALF = timedelta(minutes=30)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = (
        f"sqlite:///{tmp_path / 'state.db'}" if request.param == "sqlite" else request.getfixturevalue("fresh_database")
    )
    opened = Database(url)
    yield opened
    opened.close()


@pytest.fixture
def log(database: Database) -> FleetLog:
    return FleetLog(database)


def ack(device: str = "H1", *, start: datetime = T, version: int = 1, status: str = "success") -> Ack:
    return Ack(device, "fleet-1", version, start, start + timedelta(seconds=3), status, -2.5, 7.25, None)


def test_an_acknowledgement_counts_once_however_often_and_in_which_order_it_comes(log: FleetLog) -> None:
    assert log.store(Batch(acks=[ack(start=T + HALF), ack()]), received_at=T + HALF) == 2
    assert log.store(Batch(acks=[ack(), ack(), ack(start=T + 2 * HALF)]), received_at=T + 2 * HALF) == 1
    rows = log.executions(T, T + timedelta(days=1))
    assert rows["interval_start"].to_list() == [T, T + HALF, T + 2 * HALF]
    assert rows["received_at"].to_list() == [T + HALF, T + HALF, T + 2 * HALF]  # the first to come stays
    assert rows.row(0, named=True)["execution_time"] == T + timedelta(seconds=3)


def test_another_version_or_schedule_of_the_same_interval_is_another_row(log: FleetLog) -> None:
    other = ack()._replace(schedule_id="fleet-2")
    assert log.store(Batch(acks=[ack(), ack(version=2), other]), received_at=T) == 3


def test_a_batch_is_kept_whole_or_not_at_all(log: FleetLog) -> None:
    broken = Report("H1", T, float("nan"), None, None, None)  # ty: ignore[invalid-argument-type] - the fault meant
    with pytest.raises(Exception, match=r"(?i)null|constraint"):
        log.store(Batch(acks=[ack()], reports=[broken]), received_at=T)
    assert log.executions(T, T + HALF).is_empty()


def test_a_delivery_notes_the_first_time_the_broker_and_the_device_had_it(log: FleetLog) -> None:
    log.announce("fleet-1", 1, ["H1", "H2"], validity=(T, T + HALF))
    log.mark_published("fleet-1", 1, ["H1"], at=T)
    log.announce("fleet-1", 1, ["H1", "H2"], validity=(T, T + HALF))
    log.mark_published("fleet-1", 1, ["H1"], at=T + HALF)
    log.store(Batch(receipts=[Receipt("H1", "fleet-1", 1)]), received_at=T + HALF)
    log.store(Batch(receipts=[Receipt("H1", "fleet-1", 1)]), received_at=T + 2 * HALF)
    rows = log.deliveries("fleet-1", 1).select("device_id", "published_at", "delivered_at").rows()
    assert rows == [("H1", T, T + HALF), ("H2", None, None)]
    assert log.unpublished("fleet-1", 1) == ["H2"]


def test_the_lake_gets_every_day_that_changed_and_gets_it_again_when_it_changes(log: FleetLog, tmp_path: Path) -> None:
    lake = ExecutionLog(tmp_path / "lake")
    yesterday = T - timedelta(days=1)
    log.store(Batch(acks=[ack(), ack("H2", start=yesterday)]), received_at=T)
    assert lake.write_changed(log, now=T) == {date(2026, 11, 21): 1, date(2026, 11, 22): 1}
    assert lake.write_changed(log, now=T) == {}
    log.store(Batch(acks=[ack(start=yesterday), ack("H2", start=yesterday)]), received_at=T)
    assert lake.write_changed(log, now=T) == {date(2026, 11, 21): 2}
    kept = lake.read(date(2026, 11, 21), date(2026, 11, 23))
    assert sorted(kept.select("device_id", "interval_start").rows()) == [
        ("H1", yesterday),
        ("H1", T),
        ("H2", yesterday),
    ]


def test_the_database_forgets_what_is_old_only_once_the_lake_has_it(log: FleetLog, tmp_path: Path) -> None:
    log.store(
        Batch(acks=[ack()], letters=[DeadLetter(topic="x", payload=b"\xff\x00", reason="no JSON")]), received_at=T
    )
    assert log.forget(T + timedelta(days=20)) == 0
    lake = ExecutionLog(tmp_path / "lake")
    lake.write_changed(log, now=T + timedelta(days=20))
    assert log.executions(T, T + HALF).is_empty()
    assert log.dead_letters().is_empty()
    assert lake.read(T.date(), T.date() + timedelta(days=1)).height == 1


def test_heartbeats_wait_once_for_the_lake_and_tell_when_a_device_was_last_heard(
    database: Database, log: FleetLog
) -> None:
    fleet = generate_fleet(2, 1)
    Registry(database).put_devices(fleet, changed_at=T)
    first, second = fleet["device_id"].sort().to_list()
    report = Report(first, T, 1.0, 5.0, "fleet-1", 1)
    log.store(Batch(reports=[report, report]), received_at=T)
    log.store(Batch(reports=[report]), received_at=T + HALF)
    assert log.reports().select("device_id", "soc_kwh", "received_at").rows() == [(first, 5.0, T)]
    log.drop_reports(T)
    assert log.reports().is_empty()
    log.saw([(first, T, "fleet-1", 1)])
    log.saw([(first, T + HALF, None, None)])
    assert log.statuses().rows() == [(first, T + HALF, "fleet-1", 1), (second, None, None, None)]
    Registry(database).retire_devices([second], changed_at=T)
    assert log.statuses()["device_id"].to_list() == [first]
    assert log.device_ids() == {first, second}  # a retired device may still have something to say


def test_a_schedule_sent_again_replaces_itself_and_only_entries_in_the_window_are_read(log: FleetLog) -> None:
    entry = {
        "schedule_id": "s1", "device_id": "H1", "event_start": T, "event_end": T + HALF, "mode": 1, "rate_kw": 2.0,
        "priority": 7, "issued_at": T,
    }  # fmt: skip
    both = pl.DataFrame([entry, entry | {"event_start": T + HALF, "event_end": T + 2 * HALF}])
    assert log.put_entries(both) == 2
    assert log.put_entries(pl.DataFrame([entry | {"rate_kw": 3.0}])) == 1
    assert log.entries(T, T + HALF)["rate_kw"].to_list() == [3.0]
    assert log.entries(T + HALF, T + 3 * HALF).is_empty()
