"""Claims about hearing and telling devices over a real broker: the embedded one, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import polars as pl
import pytest

from domain.errors import ConfigError, MissingInputError, ServiceError
from domain.fleet import generate_fleet, messages
from resources.broker import Broker
from resources.clock import ManualClock
from resources.database import Database
from resources.fleet_line import MEMORY
from resources.fleet_link import FleetLink
from resources.fleet_setpoints import Told, publish_setpoints
from resources.mqtt import Line, send_all
from resources.publications import make_current
from resources.publisher import Publisher
from resources.registry import Registry

ROOT = Path(__file__).resolve().parents[2]
T = datetime(2026, 11, 22, 6, tzinfo=UTC)
HALF = timedelta(minutes=30)
KEY = b"k" * 32


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    announced = tmp_path / "broker.json"
    command = [
        sys.executable,
        "-m",
        "simulators.broker",
        "--announce",
        str(announced),
        "--parent-pid",
        str(os.getpid()),
    ]
    process = subprocess.Popen(command, cwd=ROOT)
    while not announced.is_file():
        assert process.poll() is None
        time.sleep(0.02)
    user = "demo"
    yield Broker(url=json.loads(announced.read_text())["url"], username=user, password=user)
    process.terminate()
    process.wait()


class World:
    """A platform with three devices and a plan, at a broker."""

    def __init__(self, folder: Path, broker: Broker | None) -> None:
        self.clock = ManualClock(T)
        self.link = FleetLink(
            database=Database(f"sqlite:///{folder / 'state.db'}"), publisher=Publisher(folder / "plans"),
            clock=self.clock, lake=folder / "lake", lock=folder / "lock", broker=broker, key=KEY,
        )  # fmt: skip
        self.registry = Registry(self.link.database)
        fleet = generate_fleet(3, 1)
        self.registry.put_devices(fleet, changed_at=T)
        self.ids = fleet["device_id"].sort().to_list()

    def plan(self, as_of: datetime, powers_kw: dict[str, float], *, name: str = "fleet", hours: int = 2) -> None:
        """Publish a plan with one power for each device."""
        starts = pl.DataFrame({"event_start": [as_of + HALF * n for n in range(2 * hours)]})
        rows = pl.DataFrame({"device_id": list(powers_kw), "power_kw": list(powers_kw.values())}).join(
            starts, how="cross"
        )
        version = self.link.publisher.store(
            name, as_of, rows.with_columns(pl.col("event_start").dt.cast_time_unit("us")), {}
        )
        make_current(self.link.publisher, self.registry, version, at=as_of)

    def publish(self, as_of: datetime = T) -> Told:
        """Tell the devices what is in force."""
        return publish_setpoints(
            self.link.publisher, self.registry, self.link.teller, as_of=as_of, now=self.clock.now(), code_version="1"
        )

    def say(self, device_id: str, kind: str, **body: object) -> tuple[str, bytes]:
        """Return what a device would send."""
        data = orjson.dumps({"schema_version": 1, "device_id": device_id, **body})
        return f"devices/{device_id}/{kind}", messages.signed(data, messages.device_key(KEY, device_id))

    def ack(self, device_id: str, start: datetime, **changes: object) -> tuple[str, bytes]:
        """Return an acknowledgement of the first document."""
        body = {
            "schedule_id": "fleet_setpoints-20261122T0600Z", "version": 1, "interval_start": start.isoformat(),
            "execution_time": start.isoformat(), "status": "success", "actual_rate_kw": 1.0, "soc_kwh": 5.0,
            "error_message": None,
        }  # fmt: skip
        return self.say(device_id, "ack", **(body | changes))

    def send(self, *said: tuple[str, bytes]) -> None:
        """Send as devices do."""
        assert self.link.broker is not None
        for index, one in enumerate(said):  # a connection each: topics repeat
            send_all(self.link.broker, [one], client_id=f"device-{index}", retain=False, taken=lambda _: None)


@pytest.fixture
def world(tmp_path: Path, broker: Broker) -> Iterator[World]:
    made = World(tmp_path, broker)
    made.plan(T, dict.fromkeys(made.ids, 1.0))
    made.link.drain(quiet_s=0.2)  # the session exists from now on
    yield made
    made.link.close()


def hears(broker: Broker, *topics: str, during=lambda: None, count: int = 1) -> dict[str, bytes]:  # noqa: ANN001
    """Return the newest message of each topic heard while something is done, at least ``count`` in all."""
    heard: dict[str, bytes] = {}
    client = broker.client("a-device")
    client.on_message = lambda _client, _data, message: heard.__setitem__(message.topic, message.payload)
    line = Line(broker, client, lambda _: client.subscribe([(topic, 1) for topic in topics]))
    line.open()
    for _ in range(4):
        line.turn()
    during()
    deadline = time.monotonic() + 10
    while len(heard) < count and time.monotonic() < deadline:
        line.turn()
    line.close()
    return heard


def test_each_device_finds_its_own_signed_schedule_retained(world: World, broker: Broker) -> None:
    told = world.publish()
    assert (told.announced, told.taken) == (3, 3)
    heard = hears(broker, "devices/+/schedule/response", count=3)
    assert sorted(topic.split("/")[1] for topic in heard) == world.ids
    body = heard[f"devices/{world.ids[0]}/schedule/response"]
    own = messages.device_key(KEY, world.ids[0])
    assert own is not None
    assert messages.is_genuine(body, own)
    assert [entry["rate_kw"] for entry in orjson.loads(body)["entries"]] == [1.0] * 4
    assert world.link.log.unpublished(told.version.schedule_id, 1) == []


def test_only_those_are_told_again_for_whom_something_changed(world: World) -> None:
    world.publish()
    assert world.publish().taken == 0
    world.plan(T + 2 * HALF, {world.ids[1]: 0.5}, name="fleet_replan", hours=1)
    again = world.publish(T + 2 * HALF)
    assert (again.announced, again.taken) == (1, 1)
    # The others' half hours still come from the day's plan.
    rows = again.version.schedule().filter(pl.col("event_start") == T + 2 * HALF)
    assert rows.sort("device_id")["rate_kw"].to_list() == [1.0, 0.5, 1.0]


def test_what_the_broker_did_not_take_is_sent_by_the_next_call(tmp_path: Path, broker: Broker) -> None:
    unreachable = World(tmp_path, Broker(url="mqtt://127.0.0.1:1"))
    unreachable.plan(T, dict.fromkeys(unreachable.ids, 1.0))
    with pytest.raises(ServiceError, match="cannot be reached"), _short_patience():
        unreachable.publish()
    reachable = World(tmp_path, broker)
    assert reachable.publish().taken == 3


class _short_patience:  # noqa: N801 - reads as a word
    """Ten seconds of patience are right for a broker, and too long for a test."""

    def __enter__(self) -> None:
        self.was = Line.open.__kwdefaults__
        Line.open.__kwdefaults__ = {"patience_s": 0.3}

    def __exit__(self, *_: object) -> None:
        Line.open.__kwdefaults__ = self.was


def test_without_a_broker_the_document_is_published_and_everybody_waits(tmp_path: Path) -> None:
    alone = World(tmp_path, None)
    with pytest.raises(MissingInputError, match="nobody sent a schedule"):
        alone.publish()
    alone.plan(T, dict.fromkeys(alone.ids, 1.0))
    assert alone.publish().taken is None
    assert alone.link.log.unpublished("fleet_setpoints-20261122T0600Z", 1) == alone.ids
    assert alone.link.drain() is None


def test_the_schedule_of_others_wins_by_priority_within_what_it_says(world: World) -> None:
    entry = {"schedule_id": "s", "device_id": world.ids[0], "event_start": T + HALF, "event_end": T + 2 * HALF,
             "mode": 2, "rate_kw": 0.7, "issued_at": T}  # fmt: skip
    world.link.log.put_entries(pl.DataFrame([entry | {"priority": 6}]))
    rows = world.publish().version.schedule().filter(pl.col("device_id") == world.ids[0])
    assert rows["rate_kw"].to_list() == [1.0, 0.7, 1.0, 1.0]
    world.link.log.put_entries(pl.DataFrame([entry | {"priority": 4}]))
    rows = world.publish().version.schedule().filter(pl.col("device_id") == world.ids[0])
    assert rows["rate_kw"].to_list() == [1.0] * 4


def test_every_kind_of_acknowledgement_has_its_fate(world: World, broker: Broker) -> None:
    world.publish()
    first, second, _ = world.ids
    world.clock.set(T + 4 * HALF)
    world.send(
        world.ack(first, T + HALF),  # out of order
        world.ack(first, T),
        world.ack(first, T),  # a duplicate
        world.ack(second, T - MEMORY),  # older than the log's memory
        world.ack(second, T - MEMORY - 4 * HALF),
        world.ack(second, T + 5 * HALF),  # the future
        world.ack(second, T, schedule_id="never-told"),
        world.ack("X-UNKNOWN", T),
        (f"devices/{second}/ack", b"{"),
        (f"devices/{second}/ack", orjson.dumps({"schema_version": 1})),
        world.say(second, "ack", schedule_id="fleet_setpoints-20261122T0600Z", version=1, status="received"),
        world.say(second, "telemetry", reported_at=T.isoformat(), power_kw=1, soc_kwh=2),
    )
    counts = world.link.drain(quiet_s=0.3)
    assert counts is not None
    log = world.link.log
    assert (counts.received, counts.logged, counts.duplicates, counts.letters, counts.reports) == (12, 2, 1, 7, 1)
    assert log.executions(T - MEMORY, T + 9 * HALF).select("device_id", "interval_start").rows() == [
        (first, T), (first, T + HALF)
    ]  # fmt: skip
    reasons = " | ".join(log.dead_letters()["reason"])
    for words in ("14 days old", "has not begun", "never told", "no device X-UNKNOWN", "no JSON", "names device None"):
        assert words in reasons
    delivered = log.deliveries("fleet_setpoints-20261122T0600Z", 1).filter(pl.col("delivered_at").is_not_null())
    assert delivered["device_id"].to_list() == [second]
    assert log.reports().height == 1
    assert log.statuses().filter(pl.col("last_seen_at").is_not_null())["device_id"].to_list() == [first, second]


def test_an_acknowledgement_is_confirmed_once_it_is_kept_and_again_when_it_is_repeated(
    world: World, broker: Broker
) -> None:
    world.publish()
    world.clock.set(T + 2 * HALF)
    topic = f"devices/{world.ids[0]}/ack/confirmed"

    def once() -> None:
        world.send(world.ack(world.ids[0], T))
        world.link.drain(quiet_s=0.2)

    for _ in range(2):
        heard = hears(broker, topic, during=once)
        (kept,) = orjson.loads(heard[topic])["acks"]
        assert kept["interval_start"] == "2026-11-22T06:00:00Z"
    assert world.link.log.executions(T, T + HALF).height == 1


def test_a_device_that_asks_is_answered_where_it_holds_something_else(world: World, broker: Broker) -> None:
    world.publish()
    mine, _, _ = world.ids
    held = {"schedule_id": "fleet_setpoints-20261122T0600Z", "version": 1}
    world.send(world.say(mine, "schedule/request", **held))
    counts = world.link.drain(quiet_s=0.2)
    assert counts is not None
    assert counts.answered == 0
    world.send(world.say(mine, "schedule/request", schedule_id=None, version=None))
    counts = world.link.drain(quiet_s=0.2)
    assert counts is not None
    assert counts.answered == 1


def test_one_process_holds_the_line(world: World) -> None:
    with world.link._alone() as ours:
        assert ours
        assert world.link.drain() is None


@pytest.mark.parametrize("url", ["http://x:1", "mqtt://", "mqtt://user:secret@x:1883"])
def test_a_broker_url_that_is_none_or_holds_a_secret_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"mqtt|credentials"):
        Broker(url=url)
