"""The loop with the devices: deciding for 10,000 of them, telling them, and draining what they said meanwhile.

The rates of telling and draining stand beside a bare paho loop on the same broker in the same run. Needs mosquitto,
which it starts with deploy/mosquitto.conf. Run: ``python -m benchmarks.fleet_mqtt``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import paho.mqtt.client as paho
import polars as pl
from paho.mqtt.enums import CallbackAPIVersion

from domain.beliefs import Cutoffs, Mode
from domain.fleet import generate_fleet, messages
from domain.fleet.messages import device_key, signed
from resources.clock import ManualClock
from resources.database import Database
from resources.fleet_decisions import FLEET_PRICE, decide_fleet, fleet_case
from resources.fleet_line import CLIENT_ID
from resources.fleet_link import FleetLink
from resources.fleet_log import FleetLog
from resources.fleet_setpoints import Teller, publish_setpoints
from resources.lake import Lake
from resources.mqtt import Broker, send_all
from resources.publications import make_current
from resources.publisher import Publisher
from resources.registry import Registry
from simulators.devices_mqtt import PUBLISH, _packet, _text
from tests.scenarios.fleet_day import Mosquitto, mosquitto

T = datetime(2026, 11, 22, 6, tzinfo=UTC)
HALF = timedelta(minutes=30)
KEY = b"k" * 32
SCHEDULE = "fleet_setpoints-20261122T0600Z"


def platform(folder: Path, broker: Broker, devices: int) -> tuple[FleetLink, Registry]:
    """Return a platform with a fleet and a published plan of 48 half hours."""
    link = FleetLink(
        database=Database(f"sqlite:///{folder / 'state.db'}"), publisher=Publisher(folder / "plans"),
        clock=ManualClock(T + timedelta(days=1)), lake=folder / "lake", lock=folder / "lock", broker=broker, key=KEY,
    )  # fmt: skip
    registry = Registry(link.database)
    fleet = generate_fleet(devices, 11)
    registry.put_devices(fleet, changed_at=T)
    starts = pl.DataFrame({"event_start": [T + HALF * n for n in range(48)]})
    plan = (
        fleet.select("device_id")
        .join(starts, how="cross")
        .with_columns(pl.col("event_start").dt.cast_time_unit("us"), power_kw=(pl.int_range(pl.len()) % 97 - 48) / 10)
    )
    make_current(link.publisher, registry, link.publisher.store("fleet", T, plan, {}), at=T)
    return link, registry


def end_to_end(folder: Path, broker: Broker, devices: int) -> None:
    """Print how long a day-ahead decision takes from registry and lake until the broker has everybody's message."""
    decided = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)  # 09:30 Central
    clock = ManualClock(decided)
    lake = Lake(folder / "lake", now=clock.now)
    hours = pl.DataFrame({"event_start": [decided + HALF * (2 * hour - 1) for hour in range(48)]})
    lake.append(
        hours.with_columns(
            value=40 + 30 * (pl.int_range(pl.len()) * 0.26).sin(), event_end=pl.col("event_start") + 2 * HALF,
            series_id=pl.lit(FLEET_PRICE), belief_time=pl.lit(decided), unit=pl.lit("USD/MWh"),
            source=pl.lit("tailrace"), scenario=pl.lit("forecast"),
        ),
        run_id="benchmark", product="forecast:price",
    )  # fmt: skip
    database = Database(f"sqlite:///{folder / 'state.db'}")
    registry, log, publisher = Registry(database), FleetLog(database), Publisher(folder / "plans")
    registry.put_devices(generate_fleet(devices, 11), changed_at=decided)
    clock.set(decided + timedelta(minutes=2))
    marks = [("begin", time.perf_counter())]
    case = fleet_case(lake, registry.devices(), Cutoffs(at=decided, mode=Mode.PUBLISHED, recorded_before=lake.pin()))
    marks.append(("read registry and prices", time.perf_counter()))
    plan = decide_fleet(case)
    marks.append(("solve and judge", time.perf_counter()))
    version = publisher.store("fleet", decided, plan.schedule, {"status": "optimal", "input_sha256": case.fingerprint})
    make_current(publisher, registry, version, at=clock.now())
    marks.append(("write the schedule and make it current", time.perf_counter()))
    teller = Teller(broker, log, clock, key=KEY)
    told = publish_setpoints(publisher, registry, teller, as_of=decided, now=clock.now(), code_version="benchmark")
    marks.append(("merge, store, sign and send; the broker has taken all", time.perf_counter()))
    assert told.taken == devices
    database.close()
    print(f"| {devices:,} devices end to end | s |\n|---|---|")
    for (_, began), (name, ended) in pairwise(marks):
        print(f"| {name} | {ended - began:.2f} |")
    print(f"| together | {marks[-1][1] - marks[0][1]:.2f} |")


def bare_publication(broker: Broker, bodies: list[tuple[str, bytes]]) -> float:
    """Return seconds for a plain paho loop: its own thread, QoS 1, retained, until all are acknowledged."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bare")
    client.max_inflight_messages_set(0)  # its fastest: with a limit it looks through the window at each answer
    client.connect(*broker.address)
    client.loop_start()
    began = time.perf_counter()
    sent = [client.publish(topic, body, qos=1, retain=True) for topic, body in bodies]
    for info in sent:
        info.wait_for_publish()
    seconds = time.perf_counter() - began
    client.disconnect()
    client.loop_stop()
    return seconds


def publication(broker: Broker, link: FleetLink, registry: Registry, devices: int) -> None:
    """Print the rates of telling everybody, beside the bare loop."""
    began = time.perf_counter()
    told = publish_setpoints(link.publisher, registry, link.teller, as_of=T, now=T, code_version="benchmark")
    whole = time.perf_counter() - began
    key = device_key(KEY, "x")
    assert key is not None
    setpoints = told.version.schedule()
    bodies = [
        (messages.SCHEDULE.format(device), body)
        for device, body in messages.schedule_messages(setpoints, schedule_id=SCHEDULE, version=1, issued_at=T, key=KEY)
    ]
    rates: dict[str, list[float]] = {"bare paho loop": [], "ours": []}
    for _ in range(5):
        rates["bare paho loop"].append(devices / bare_publication(broker, bodies))
        began = time.perf_counter()
        send_all(broker, bodies, client_id="ours", retain=True, taken=lambda _: None)
        rates["ours"].append(devices / (time.perf_counter() - began))
    best = {name: max(found) for name, found in rates.items()}
    print(f"| publication of {devices:,} messages, {len(bodies[0][1]):,} bytes | messages/s |\n|---|---|")
    for name, rate in best.items():
        print(f"| {name} | {rate:,.0f} |")
    print(f"| ratio | {best['ours'] / best['bare paho loop']:.2f} |")
    print(f"| merge, store, sign, send and note all of it | {devices / whole:,.0f} ({whole:.1f} s) |")


def acks(devices: list[str], halves: int) -> Iterator[tuple[str, bytes]]:
    """Yield what the devices would have said, half hour by half hour."""
    keys = [(device, device_key(KEY, device)) for device in devices]
    for half in range(halves):
        start = (T + HALF * half).strftime("%Y-%m-%dT%H:%M:%SZ")
        for device, key in keys:
            body = (
                f'{{"schema_version":1,"device_id":"{device}","schedule_id":"{SCHEDULE}","version":1,'
                f'"interval_start":"{start}","execution_time":"{start}","status":"success","actual_rate_kw":3.25,'
                f'"soc_kwh":7.25,"error_message":null}}'
            )
            yield f"devices/{device}/ack", signed(body.encode(), key)


def fill(broker: Broker, said: Iterator[tuple[str, bytes]]) -> int:
    """Put messages into the broker, as fast as it takes them; return how many."""
    import socket  # noqa: PLC0415
    import struct  # noqa: PLC0415
    import threading  # noqa: PLC0415

    feed = socket.create_connection(broker.address)
    head = _text("MQTT") + bytes([4, 2]) + b"\x00\x00" + _text("feed")
    feed.sendall(_packet(1, 0, head))
    answered = 0

    def count_answers() -> None:
        nonlocal answered
        while data := feed.recv(1 << 16):
            answered += len(data)

    threading.Thread(target=count_answers, daemon=True).start()
    count, waiting = 0, []
    for topic, body in said:
        count += 1
        waiting.append(_packet(PUBLISH, 2, _text(topic), struct.pack(">H", count % 65_535 + 1), body))
        if len(waiting) == 500:
            feed.sendall(b"".join(waiting))
            waiting.clear()
    feed.sendall(b"".join(waiting))
    while answered < 4 + 4 * count:  # CONNACK and a PUBACK each
        time.sleep(0.05)
    feed.close()
    return count


def bare_drain(broker: Broker, count: int) -> float:
    """Return seconds for a plain paho client that only counts, acknowledging each message at once."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=CLIENT_ID, clean_session=False)
    heard = 0

    def hear(*_: object) -> None:
        nonlocal heard
        heard += 1

    client.on_message = hear
    client.connect(*broker.address)
    began = time.perf_counter()
    while heard < count:
        client.loop(0.05)
    seconds = time.perf_counter() - began
    client.disconnect()
    return seconds


def drain(broker: Broker, link: FleetLink, halves: int) -> None:
    """Print the rate of draining a backlog into the log, beside the bare loop."""
    ids = link.log.device_ids()
    link.drain(quiet_s=0.2)
    count = fill(broker, acks(sorted(ids), halves))
    began = time.perf_counter()
    cpu = time.process_time()
    counts = link.drain(quiet_s=1.0)
    seconds, cpu = time.perf_counter() - began - 1.0, time.process_time() - cpu
    assert counts is not None
    assert counts.logged == count, counts
    kept = link.log.executions(T, T + timedelta(days=2)).height
    assert kept == count
    bare = count / bare_drain_of(broker, sorted(ids), halves)
    print(f"| draining {count:,} acknowledgements | messages/s |\n|---|---|")
    print(f"| a paho loop that counts them | {bare:,.0f} |")
    print(f"| ours: signature judged, durable, acknowledged, confirmed | {count / seconds:,.0f} |")
    print(f"| ours, processor time of a message [us] | {cpu / count * 1e6:.0f} |")


def bare_drain_of(broker: Broker, ids: list[str], halves: int) -> float:
    """Fill the broker again and return the seconds of the bare drain."""
    return bare_drain(broker, fill(broker, acks(ids, halves)))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--halves", type=int, default=48, help="of the backlog; 0 leaves draining out")
    chosen = parser.parse_args()
    if mosquitto() is None:
        sys.exit("needs mosquitto")
    with tempfile.TemporaryDirectory() as folder:
        server = Mosquitto(Path(folder))
        broker = Broker(url=server.url)
        try:
            home = Path(folder) / "end-to-end"
            home.mkdir()
            end_to_end(home, broker, chosen.devices)
            link, registry = platform(Path(folder), broker, chosen.devices)
            publication(broker, link, registry, chosen.devices)
            if chosen.halves:
                drain(broker, link, chosen.halves)
            link.close()
        finally:
            server.kill()


if __name__ == "__main__":
    main()
