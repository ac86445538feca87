"""Claims about the assets that tell devices and hear them, on a platform without a broker."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.ingest_fleet import fleet_acks, fleet_telemetry
from assets.marts import fleet_outcomes
from assets.publish import fleet_schedules
from domain.beliefs import Cutoffs, Mode
from domain.fleet import generate_fleet
from domain.fleet.messages import Ack, Report
from pipelines.wiring import ROOT
from resources.clock import ManualClock
from resources.database import Database
from resources.fleet_link import FleetLink
from resources.fleet_log import TOLD, Batch, DeadLetter
from resources.fleet_measured import measured
from resources.lake import Lake
from resources.pinned import pin_frame
from resources.planning import PlanningReader
from resources.publications import make_current
from resources.publisher import Publisher
from resources.registry import Registry

AT = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
DAY = datetime(2026, 11, 21, 6, tzinfo=UTC)


@pytest.fixture
def resources(tmp_path: Path) -> Iterator[dict[str, object]]:
    clock = ManualClock(AT + timedelta(minutes=3))
    database = Database(f"sqlite:///{tmp_path / 'state.db'}")
    publisher = Publisher(tmp_path / "plans")
    fleet = FleetLink(
        database=database, publisher=publisher, clock=clock, lake=tmp_path / "lake", lock=tmp_path / "lock"
    )
    yield {
        "clock": clock, "publisher": publisher, "registry": Registry(database), "fleet": fleet, "code_version": "1",
        "lake": Lake(tmp_path / "lake", now=clock.now),
    }  # fmt: skip
    database.close()


def run(asset: dg.AssetsDefinition, resources: dict[str, object], partition: str | None) -> dict[str, object]:
    """Materialize an asset and return its metadata, and whether each of its checks passed."""
    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize(
            [asset],
            resources={name: dg.ResourceDefinition.hardcoded_resource(value) for name, value in resources.items()},
            partition_key=partition,
            instance=instance,
        )
    (made,) = done.get_asset_materialization_events()
    checks = {check.check_name: check.passed for check in done.get_asset_check_evaluations()}
    return {name: value.value for name, value in made.materialization.metadata.items()} | checks


def test_without_a_broker_the_document_is_published_and_the_run_says_that_nobody_was_told(
    resources: dict[str, object],
) -> None:
    publisher, registry = resources["publisher"], resources["registry"]
    assert isinstance(publisher, Publisher)
    assert isinstance(registry, Registry)
    fleet = generate_fleet(2, 1)
    registry.put_devices(fleet, changed_at=AT)
    starts = pl.DataFrame({"event_start": [DAY, DAY + timedelta(minutes=30)]})
    plan = fleet.select("device_id").join(starts, how="cross").with_columns(power_kw=pl.lit(1.5))
    make_current(publisher, registry, publisher.store("fleet", AT, plan, {}), at=AT)
    said = run(fleet_schedules, resources, "2026-11-20T09:30-0600")
    assert (said["devices"], said["devices_announced"], said["broker"]) == (2, 2, "none")
    assert "messages_taken" not in said
    assert said["covers_every_active_device"] is said["feasible_from_what_is_stored"] is True
    current = publisher.current(TOLD)
    assert current is not None
    # Nothing is said about the rest of today: idle, up to the first half hour of the plan.
    assert current.schedule().filter(pl.col("mode") == 1)["event_start"].unique().sort().to_list() == [
        DAY, DAY + timedelta(minutes=30)
    ]  # fmt: skip
    assert [row.schedule_id for row in registry.publications(TOLD)] == ["fleet_setpoints-20261120T1530Z"]


def test_what_was_heard_reaches_the_lake_once_and_a_heartbeat_is_believed_when_it_came(
    resources: dict[str, object],
) -> None:
    fleet, lake = resources["fleet"], resources["lake"]
    assert isinstance(fleet, FleetLink)
    assert isinstance(lake, Lake)
    ack = Ack("H1", "s", 1, AT, AT, "success", 1.0, 2.0, None)
    measured_at = AT - timedelta(hours=2)  # told after two hours without a network
    fleet.log.store(Batch(acks=[ack], reports=[Report("H1", measured_at, 1.0, 7.5, None, None)]), received_at=AT)
    first = run(fleet_acks, resources, "2026-11-20")
    assert (first["dagster/row_count"], first["kept_once_and_whole"], first["nothing_goes_nowhere"]) == (1, True, True)
    assert run(fleet_acks, resources, "2026-11-20")["dagster/row_count"] == 0
    assert fleet.executions.read(AT.date(), AT.date() + timedelta(days=1)).height == 1
    assert run(fleet_telemetry, resources, "2026-11-20")["dagster/row_count"] == 2
    assert run(fleet_telemetry, resources, "2026-11-20")["heartbeats"] == 0
    window = {"start": AT - timedelta(days=1), "end": AT + timedelta(days=1)}
    known = lake.as_of("device:H1:soc_kwh", **window, cutoffs=Cutoffs(at=AT, mode=Mode.PUBLISHED))
    assert known["value"].to_list() == [7.5]
    # What is written here is what decisions read.
    heard = measured(lake, Cutoffs(at=AT, mode=Mode.PUBLISHED), before=measured_at + timedelta(minutes=1))
    assert heard.rows() == [("H1", measured_at, 7.5)]
    before = Cutoffs(at=AT - timedelta(minutes=1), mode=Mode.PUBLISHED)
    assert lake.as_of("device:H1:soc_kwh", **window, cutoffs=before).is_empty()


def test_checks_of_what_was_heard_and_told_fail_where_they_must(resources: dict[str, object]) -> None:
    fleet, registry, publisher = resources["fleet"], resources["registry"], resources["publisher"]
    assert isinstance(fleet, FleetLink)
    assert isinstance(registry, Registry)
    assert isinstance(publisher, Publisher)
    devices = generate_fleet(2, 1)
    registry.put_devices(devices, changed_at=AT)
    one, other = devices["device_id"]
    low, power = devices.select("soc_min_kwh", "max_discharge_kw").row(0)
    empty = Report(one, AT - timedelta(minutes=9), 0.0, low, None, None)
    beyond = Report(one, AT - timedelta(minutes=10), 9 * power, low, None, None)
    letter = DeadLetter(topic="devices/x/ack", payload=b"", reason="no device x in the registry")
    fleet.log.store(Batch(reports=[empty, beyond], letters=[letter]), received_at=AT)
    assert run(fleet_acks, resources, "2026-11-20")["nothing_goes_nowhere"] is False
    assert run(fleet_telemetry, resources, "2026-11-20")["within_capacity_and_power"] is False
    # A document for one of two devices, that asks an empty store for a whole hour of full power.
    starts = pl.DataFrame({"event_start": [DAY, DAY + timedelta(minutes=30)]})
    plan = pl.DataFrame({"device_id": [one]}).join(starts, how="cross").with_columns(power_kw=pl.lit(power))
    make_current(publisher, registry, publisher.store("fleet", AT, plan, {}), at=AT)
    said = run(fleet_schedules, resources, "2026-11-20T09:30-0600")
    assert said["covers_every_active_device"] is False
    assert said["feasible_from_what_is_stored"] is False
    assert other not in set(publisher.get(TOLD, AT).schedule()["device_id"])


def test_days_without_prices_are_shown_with_their_reason(resources: dict[str, object]) -> None:
    lake, clock, registry, publisher = (resources[name] for name in ("lake", "clock", "registry", "publisher"))
    assert isinstance(lake, Lake)
    assert isinstance(clock, ManualClock)
    assert isinstance(registry, Registry)
    assert isinstance(publisher, Publisher)
    resources["planning"] = PlanningReader(lake, ROOT / "config" / "series.toml")
    sha = pin_frame(lake, generate_fleet(2, 1), name="devices", now=clock.now())
    schedule = pl.DataFrame({"device_id": ["a"], "event_start": [DAY], "power_kw": [0.0]})
    facts = {"operating_day": "2026-11-21", "devices_sha256": sha}
    make_current(publisher, registry, publisher.store("fleet", AT, schedule, facts), at=AT)
    assert run(fleet_outcomes, resources, None)["days_settled"] == []
    clock.set(DAY + timedelta(days=2))
    said = run(fleet_outcomes, resources, None)
    assert (said["days_settled"], said["days_without_a_number"]) == (["2026-11-21"], 1)
    assert said["costs_no_less_than_perfect_foresight"] is True
    assert "| 2026-11-21 | 0 of 2 |" in str(said["newest_days"])
    assert "0 of 48 half hours have a price" in str(said["newest_days"])
