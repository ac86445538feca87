"""Claims about the operational database, held on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from domain.alerts import Alert
from resources.registry import Publication, Registry

T = datetime(2026, 11, 21, 7, tzinfo=UTC)
ALERT = Alert(key="pool:x:v1", kind="pool", severity="warning", message="too high", details={"ft": 1173.2})
PUBLISHED = Publication(
    plan="reservoir",
    as_of=T,
    version=1,
    schedule_id="reservoir-20261121T0700Z",
    manifest_sha256="0" * 64,
    status="published",
    published_at=T,
)


@pytest.fixture(params=["sqlite", "postgresql"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    url = (
        f"sqlite:///{tmp_path / 'state.db'}" if request.param == "sqlite" else request.getfixturevalue("fresh_database")
    )
    opened = Registry(url)
    yield opened
    opened.close()


def device(device_id: str, **changes: object) -> dict[str, object]:
    numbers = {
        "capacity_kwh": 13.5, "max_charge_kw": 5.0, "max_discharge_kw": 5.0, "charge_efficiency": 0.95,
        "discharge_efficiency": 0.95, "soc_min_kwh": 1.0, "soc_max_kwh": 13.0, "soc_start_kwh": 6.0,
        "soc_end_min_kwh": 1.0, "wear_usd_per_kwh": 0.01,
    }  # fmt: skip
    return {"device_id": device_id, "site": "s1", "feeder": None, "availability": None} | numbers | changes


def test_an_alert_is_raised_once_however_often_its_cause_is_seen(registry: Registry) -> None:
    assert registry.raise_alerts([ALERT], raised_at=T) == 1
    assert registry.raise_alerts([ALERT], raised_at=T + timedelta(hours=1)) == 0
    assert [row["message"] for row in registry.alerts()] == ["too high"]


def test_a_new_version_supersedes_the_older_ones_in_the_ledger(registry: Registry) -> None:
    registry.record_publication(PUBLISHED)
    registry.record_publication(PUBLISHED)
    registry.record_publication(replace(PUBLISHED, version=2))
    assert [(p.version, p.status) for p in registry.publications("reservoir")] == [(2, "published"), (1, "superseded")]
    assert registry.publications("reservoir")[0].as_of == T


def test_devices_come_back_as_they_were_stored_and_an_import_replaces_them(registry: Registry) -> None:
    both = pl.DataFrame([device("a", availability=[0.0, 1.0]), device("b")])
    registry.put_devices(both, changed_at=T)
    registry.put_devices(pl.DataFrame([device("b", capacity_kwh=27.0)]), changed_at=T)
    stored = registry.devices()
    assert stored["device_id"].to_list() == ["a", "b"]
    assert stored["capacity_kwh"].to_list() == [13.5, 27.0]
    assert stored["availability"].to_list() == [[0.0, 1.0], None]


def test_opening_an_existing_database_again_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    first = Registry(url)
    first.raise_alerts([ALERT], raised_at=T)
    first.close()
    second = Registry(url)
    assert len(second.alerts()) == 1
    second.close()
