"""Claims about the devices in operation, through the command line's functions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from domain.errors import ConfigError, InputError
from domain.fleet import generate_fleet
from domain.fleet.messages import Ack
from pipelines import wiring
from pipelines.commands import fleet_loop
from pipelines.commands.fleet import import_devices
from resources.fleet_log import TOLD, Batch

T = datetime(2030, 1, 1, 6, tzinfo=UTC)
HALF = timedelta(minutes=30)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TAILRACE_HOME", str(tmp_path))
    monkeypatch.delenv("TAILRACE_MQTT_URL", raising=False)
    fleet = generate_fleet(3, 1).with_columns(
        device_id=pl.Series(["a", "b", "c"]), max_discharge_kw=5.0, soc_start_kwh=5.0, soc_min_kwh=0.0,
        soc_max_kwh=10.0, soc_end_min_kwh=0.0, capacity_kwh=10.0,
    )  # fmt: skip
    fleet.drop("availability").write_parquet(tmp_path / "fleet.parquet")
    import_devices(tmp_path / "fleet.parquet")
    return tmp_path


def entries(home: Path, *changes: dict[str, object]) -> Path:
    entry = {"schedule_id": "s1", "device_id": "a", "event_start": T, "event_end": T + HALF, "mode": 1, "rate_kw": 2.0,
             "priority": 6, "issued_at": T}  # fmt: skip
    path = home / "entries.parquet"
    pl.DataFrame([entry | change for change in changes]).write_parquet(path)
    return path


def test_good_entries_are_kept_and_each_bad_one_is_named_with_its_rule(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faulty = entries(
        home, {}, {"device_id": "b", "rate_kw": 9.0}, {"device_id": "x"},
        {"device_id": "c", "event_end": T + 6 * HALF, "rate_kw": 5.0},
    )  # fmt: skip
    with pytest.raises(InputError) as refused:
        fleet_loop.schedule(faulty)
    for words in ("3 fault(s)", "the device can do 5.0", "no known device", "soc_min_kwh"):
        assert words in str(refused.value)
    said = capsys.readouterr().out
    assert "1 entries of 1 device(s) accepted" in said
    assert "state of charge: 0 device(s) measured, 2 by the registry" in said
    kept = wiring.open_fleet().log.entries(T, T + HALF)
    assert kept.select("device_id", "rate_kw").rows() == [("a", 2.0)]


def test_told_now_the_document_is_published_even_where_no_broker_is_set(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soon = wiring.clock().now().replace(minute=0, second=0, microsecond=0) + 2 * HALF
    fleet_loop.schedule(entries(home, {"event_start": soon, "event_end": soon + HALF}), now=True)
    assert "no broker is set" in capsys.readouterr().out
    current = wiring.publisher().current(TOLD)
    assert current is not None
    assert current.schedule().filter(pl.col("mode") == 1).select("event_start", "source").rows() == [(soon, "s1")]


def test_a_device_is_shown_with_what_it_did_and_a_retired_one_is_planned_no_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    wiring.open_fleet().log.store(Batch(acks=[Ack("a", "s", 1, T, T, "failed", 0.0, 4.5, "hot")]), received_at=T)
    fleet_loop.show("a")
    assert "failed, 0.0 kW, 4.5 kWh at the end" in capsys.readouterr().out
    fleet_loop.retire(["a", "b"])
    assert wiring.open_registry().devices()["device_id"].to_list() == ["c"]
    with pytest.raises(InputError, match="not in the registry: x"):
        fleet_loop.retire(["c", "x"])
    with pytest.raises(InputError, match="no device 'x'"):
        fleet_loop.show("x")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MQTT_URL", "", "TAILRACE_MQTT_URL is not set"),
        ("FLEET_KEY", "xyz", "hexadecimal"),
        ("FLEET_KEY", "aa", "32 are"),
    ],
)
def test_a_line_without_a_broker_or_with_a_bad_key_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(f"TAILRACE_{name}", value)
    with pytest.raises(ConfigError, match=words):
        wiring.open_fleet() if name == "FLEET_KEY" else fleet_loop.listen()
