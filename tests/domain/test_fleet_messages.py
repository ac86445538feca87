"""Claims about what platform and devices say to each other, held against the published contracts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from domain.errors import FrameError, PayloadError
from domain.fleet import messages
from domain.fleet.messages import Ack, Held, Receipt, Report
from simulators.devices_battery import Battery, Device

T = datetime(2026, 11, 22, 6, tzinfo=UTC)
CONTRACTS = Path(__file__).resolve().parents[2] / "docs" / "contracts"
ACK = {
    "schema_version": 1, "device_id": "H1", "schedule_id": "fleet-1", "version": 2,
    "interval_start": "2026-11-22T06:00:00Z", "execution_time": "2026-11-22T06:00:02Z", "status": "success",
    "actual_rate_kw": -3, "soc_kwh": 7.5, "error_message": None,
}  # fmt: skip
REPORT = {
    "schema_version": 1, "device_id": "H1", "reported_at": "2026-11-22T06:10:00Z", "power_kw": 1.5, "soc_kwh": 7,
    "schedule_id": "fleet-1", "version": 2,
}  # fmt: skip


def keeps(contract: str, payload: bytes) -> bool:
    """Return whether a body keeps a published contract."""
    schema = json.loads((CONTRACTS / f"{contract}.json").read_text())
    return Draft202012Validator(schema).is_valid(orjson.loads(payload))


def plan(*powers_kw: float, step: timedelta = timedelta(minutes=30)) -> pl.DataFrame:
    starts = [T + step * index for index in range(len(powers_kw))]
    return pl.DataFrame({"device_id": "H1", "event_start": starts, "power_kw": powers_kw}).with_columns(
        pl.col("event_start").dt.cast_time_unit("us")
    )


def message(*powers_kw: float, key: bytes | None = None) -> bytes:
    """Return the one message of a plan for one device."""
    setpoints = messages.half_hours(plan(*powers_kw))
    ((_, body),) = messages.schedule_messages(setpoints, schedule_id="fleet-1", version=2, issued_at=T, key=key)
    return body


@pytest.mark.parametrize("contract", sorted(path.stem for path in CONTRACTS.glob("*.json")))
def test_every_contract_is_itself_a_valid_schema(contract: str) -> None:
    Draft202012Validator.check_schema(json.loads((CONTRACTS / f"{contract}.json").read_text()))


@pytest.mark.parametrize("key", [None, b"k" * 32])
def test_what_we_send_keeps_the_published_contracts(key: bytes | None) -> None:
    assert keeps("schedule", message(2.0, -3.5, 0.0, key=key))
    acks = [Ack("H1", "fleet-1", 2, T, T, "success", 1.0, 2.0, None), Receipt("H1", "fleet-1", 2)]
    assert keeps("ack-confirmed", messages.confirmation("H1", acks, key))


@pytest.mark.parametrize("key", [None, b"k" * 32])
def test_what_the_stand_in_device_says_keeps_the_published_contracts_and_is_understood(key: bytes | None) -> None:
    battery = Battery(soc_kwh=5, low_kwh=1, high_kwh=9, charge_efficiency=0.9, discharge_efficiency=0.9)
    device = Device({"device_id": "H1"}, battery, clock_error_s=0, key=messages.device_key(key, "H1"))
    assert device.accept(message(2.0, -3.5, key=key))
    device.begin(T.timestamp())
    done = device.finish()
    assert done is not None
    assert keeps("ack", done[1])
    ack = messages.read_ack(done[1], "H1", key)
    assert isinstance(ack, Ack)
    # 2 kW for half an hour, of the 5 - 1 = 4 kWh above its floor: 1 kWh at the meter takes 1 / 0.9 out of the store
    assert (ack.interval_start, ack.actual_rate_kw, ack.soc_kwh) == (T, 2.0, pytest.approx(5 - 1 / 0.9, abs=1e-4))
    heartbeat, request = device.heartbeat(T.timestamp()), device.signed(device.held())
    assert keeps("telemetry", heartbeat)
    assert keeps("schedule-request", request)
    assert messages.read_report(heartbeat, "H1", key).schedule_id == "fleet-1"
    assert messages.read_request(request, "H1", key) == Held("H1", "fleet-1", 2)


def test_a_body_changed_on_the_way_is_refused_by_both_sides() -> None:
    key = b"k" * 32
    own = messages.device_key(key, "H1")
    battery = Battery(soc_kwh=5, low_kwh=1, high_kwh=9, charge_efficiency=0.9, discharge_efficiency=0.9)
    device = Device({"device_id": "H1"}, battery, clock_error_s=0, key=own)
    assert not device.accept(message(2.0, key=key).replace(b'"rate_kw":2.0', b'"rate_kw":9.0'))
    assert not device.accept(message(2.0))  # unsigned
    body = messages.signed(orjson.dumps(ACK), own)
    assert isinstance(messages.read_ack(body, "H1", key), Ack)
    with pytest.raises(PayloadError, match="hmac_sha256"):
        messages.read_ack(body.replace(b"success", b"faileds"), "H1", key)
    with pytest.raises(PayloadError, match="hmac_sha256"):
        messages.read_ack(orjson.dumps(ACK), "H1", key)


def test_half_hours_keep_the_energy_of_a_plan_in_other_steps() -> None:
    # An hour at 3 kW is two half hours at 3 kW; quarters at 2 and 4 kW are a half hour at 3 kW.
    hourly = messages.half_hours(plan(3.0, -1.0, step=timedelta(hours=1)))
    assert hourly["rate_kw"].to_list() == [3.0, 3.0, 1.0, 1.0]
    assert hourly["mode"].to_list() == [1, 1, 2, 2]
    quarters = messages.half_hours(plan(2.0, 4.0, -1.0, 1.0, step=timedelta(minutes=15)))
    assert quarters.select("mode", "rate_kw").rows() == [(1, 3.0), (0, 0.0)]


def test_a_plan_whose_steps_share_no_half_hour_is_refused() -> None:
    with pytest.raises(FrameError, match="0:20:00"):
        messages.half_hours(plan(1.0, 2.0, step=timedelta(minutes=20)))


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=8))
def test_a_setpoint_never_passes_its_plan_and_misses_it_by_less_than_a_tenth_of_a_watt(powers: list[float]) -> None:
    rows = messages.half_hours(plan(*powers))
    for power, mode, rate in zip(powers, rows["mode"], rows["rate_kw"], strict=True):
        assert abs(power) - 1.0001e-4 <= rate <= abs(power) + 1e-6
        assert mode == (0 if rate == 0 else 1 if power > 0 else 2)


MALFORMED: dict[str, dict[str, Any]] = {
    "no such status": {"status": "done"},
    "off the half hour": {"interval_start": "2026-11-22T06:10:00Z"},
    "no zone": {"interval_start": "2026-11-22T06:00:00"},
    "no time": {"execution_time": 12},
    "a rate in words": {"actual_rate_kw": "3"},
    "a rate beyond all": {"actual_rate_kw": 2**62},
    "another device": {"device_id": "H2"},
    "another version of the contract": {"schema_version": 2},
    "a version in words": {"version": "2"},
    "no schedule": {"schedule_id": ""},
    "an error that is no text": {"error_message": 5},
}


@pytest.mark.parametrize("changes", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_acknowledgement_is_refused_in_words(changes: dict[str, Any]) -> None:
    with pytest.raises(PayloadError, match=r"\w+"):
        messages.read_ack(orjson.dumps(ACK | changes), "H1")


@given(st.binary(max_size=60) | st.recursive(st.none() | st.text() | st.integers(0, 9), st.lists).map(orjson.dumps))
def test_no_bytes_crash_a_reader(payload: bytes) -> None:
    for read in (messages.read_ack, messages.read_report, messages.read_request):
        with pytest.raises(PayloadError):
            read(payload, "H1")


def test_a_heartbeat_and_a_receipt_are_read() -> None:
    assert messages.read_report(orjson.dumps(REPORT), "H1") == Report(
        "H1", T + timedelta(minutes=10), 1.5, 7.0, "fleet-1", 2
    )
    receipt = ACK | {"status": "received", "interval_start": None}
    assert messages.read_ack(orjson.dumps(receipt), "H1") == Receipt("H1", "fleet-1", 2)
    with pytest.raises(PayloadError, match="soc_kwh"):
        messages.read_report(orjson.dumps(REPORT | {"soc_kwh": None}), "H1")
    with pytest.raises(PayloadError, match="both or neither"):
        messages.read_report(orjson.dumps(REPORT | {"version": None}), "H1")
