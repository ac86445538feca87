"""Claims about one stand-in device, its disk, and the process that carries thousands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from domain.errors import InputError
from simulators.devices_battery import Battery, Device
from simulators.devices_memory import Memory
from simulators.devices_mqtt import Connection
from simulators.devices_serve import access_of, allow_connections

T = datetime(2026, 11, 22, 6, tzinfo=UTC)
HALF = timedelta(minutes=30)


def battery(soc_kwh: float = 5.0, **changes: float) -> Battery:
    given = {"low_kwh": 1.0, "high_kwh": 9.0, "charge_efficiency": 0.5, "discharge_efficiency": 0.8}
    return Battery(soc_kwh=soc_kwh, **(given | changes))


def schedule(*powers_kw: float, version: int = 1, issued: datetime = T) -> bytes:
    entries = [
        {
            "interval_start": (T + HALF * n).isoformat(),
            "mode": 0 if power == 0 else 1 if power > 0 else 2,
            "rate_kw": abs(power),
        }
        for n, power in enumerate(powers_kw)
    ]
    end = (T + HALF * len(powers_kw)).isoformat()
    body = {
        "schedule_id": "s",
        "version": version,
        "issued_at": issued.isoformat(),
        "valid_to": end,
        "entries": entries,
    }
    return orjson.dumps(body)


def device(**changes: float) -> Device:
    made = Device({"device_id": "H1"}, battery(**changes), clock_error_s=0.0, key=None)
    assert made.accept(schedule(4.0, -4.0, 0.0))
    return made


def test_a_battery_gives_until_it_is_empty_and_takes_until_it_is_full() -> None:
    store = battery(2.0)
    # 1 kWh above its floor gives 0.8 kWh at the meter: 1.6 kW on average over half an hour, not 4.
    assert store.run(4.0, 0.5) == pytest.approx(1.6)
    assert store.soc_kwh == pytest.approx(1.0)
    # 8 kWh of room take 16 kWh at the meter: 10 kW for half an hour draws 5 and stores 2.5.
    assert store.run(-10.0, 0.5) == pytest.approx(-10.0)
    assert store.soc_kwh == pytest.approx(3.5)
    assert battery(5.0, derate=0.5).run(1.0, 0.5) == pytest.approx(0.5)


def test_a_device_executes_each_half_hour_once_and_idles_outside_its_schedule() -> None:
    one = device()
    for step in range(5):
        one.begin((T + HALF * step).timestamp() + 1)
        one.finish()
    assert [orjson.loads(body)["actual_rate_kw"] for body in one.unconfirmed.values()] == pytest.approx(
        [4.0 * 1799 / 1800, -4.0 * 1799 / 1800, 0.0], abs=1e-4
    )
    one.begin((T + HALF).timestamp() + 60)  # its clock was set back by an hour
    assert one.finish() is None
    assert one.heartbeat(T.timestamp())


def test_an_older_or_equal_schedule_never_replaces_a_newer_one_and_rubbish_none() -> None:
    one = device()
    assert not one.accept(schedule(1.0, version=1))
    assert not one.accept(schedule(1.0, version=9, issued=T - HALF))
    assert not one.accept(b"not a schedule")
    assert not one.accept(b"{}")
    assert one.accept(schedule(1.0, version=2))
    assert one.held() == {"schedule_id": "s", "version": 2}


def test_an_acknowledgement_is_kept_through_a_reboot_until_it_is_confirmed(tmp_path: Path) -> None:
    disk = Memory(tmp_path / "devices.db")
    one = device()
    disk.keep_schedule("H1", schedule(4.0), ("s", 1), 0.0)
    one.begin(T.timestamp())
    done = one.finish(failed="inverter fault")
    assert done is not None
    disk.keep_ack(done[0], done[1])
    disk.close()
    disk = Memory(tmp_path / "devices.db")
    one.forget_everything(disk.schedule("H1"), disk.unconfirmed("H1"))
    assert one.held() == {"schedule_id": "s", "version": 1}
    assert [orjson.loads(body)["status"] for body in one.unconfirmed.values()] == ["failed"]
    acks = [{"schedule_id": "s", "version": 1, "interval_start": "2026-11-22T06:00:00Z"}]
    for key in one.confirm(orjson.dumps({"acks": acks})):
        disk.drop_ack(key)
    assert one.unconfirmed == {}
    assert disk.unconfirmed("H1") == {}
    disk.close()


def test_packets_are_read_however_the_network_cuts_them() -> None:
    heard: list[tuple[str, bytes]] = []
    body = b"x" * 300  # two digits of length
    packet = b"\x30" + bytes([(2 + 1 + 300) & 127 | 128, (2 + 1 + 300) >> 7]) + b"\x00\x01t" + body
    connection = Connection("c", [], ready=lambda: None, heard=lambda *said: heard.append(said), lost=lambda: None)
    stream = packet * 3
    for start in range(0, len(stream), 7):
        connection.data_received(stream[start : start + 7])
    assert heard == [("t", body)] * 3


def test_a_broker_that_is_no_url_and_more_devices_than_the_machine_has_files_for_are_refused() -> None:
    with pytest.raises(InputError, match="mqtt://host:port"):
        access_of("127.0.0.1:1883", key=None)
    assert access_of("mqtt://demo:pw@127.0.0.1:1883", key=None).login == ("demo", "pw")
    with pytest.raises(InputError, match="open files"):
        allow_connections(10**9)
