"""A fleet of simulated devices in one process, each with its own connection to a real broker.

``python -m simulators.devices_serve`` keeps them running. They cache schedules, execute
on time by clocks that are wrong, go on while they are offline, keep every acknowledgement until it is confirmed, send
some twice, lose some, send some late, and reboot. Same seed, same faults. Put here: the loop that wakes devices, the
faults. Keep out: one device's behaviour (devices_battery.py), packets (devices_mqtt.py).
"""

from __future__ import annotations

import asyncio
import heapq
import hmac
import itertools
import random
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import polars as pl

from simulators.clock import VirtualClock
from simulators.devices_battery import HALF_HOUR_S, Battery, Device
from simulators.devices_memory import Memory
from simulators.devices_mqtt import KEEP_ALIVE_S, Connection

_EVENTS_AT_ONCE: Final = 200
_LONGEST_BACKOFF_S: Final = 5.0
_HOUR_S: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How devices reach the broker, and what they sign with.

    Attributes:
        host: Of the broker.
        port: Of the broker.
        login: Username and password; None goes without.
        tls: To speak TLS; None speaks plainly.
        key: The fleet's key; None neither signs nor checks.
    """

    host: str
    port: int
    login: tuple[str, str] | None = None
    tls: ssl.SSLContext | None = None
    key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How devices behave and err; shares are of devices or of messages, 0 to 1.

    Attributes:
        seed: Same seed, same faults.
        clock_error_s: Their clocks are off by up to so much, either way.
        duplicates: Acknowledgements sent twice.
        lost: Acknowledgements that never leave.
        delayed: Acknowledgements that leave one to five minutes late, behind newer ones.
        offline: Devices that lose their network once, for ``offline_h``.
        offline_from_h: Earliest and latest beginning of that, after the start [h].
        offline_h: Shortest and longest such time [h].
        reboots: Devices that restart once.
        failures: Half hours that a device cannot execute.
        derated: Devices that can do only half of a commanded power.
        losses: Most by which true efficiencies fall short of the declared.
        resend_s: Real seconds after which an unconfirmed acknowledgement is sent again.
        report_every_s: Virtual seconds between heartbeats.
        connecting_at_once: Devices that may be on their way from the first packet to granted subscriptions.
    """

    seed: int = 7
    clock_error_s: float = 90.0
    duplicates: float = 0.05
    lost: float = 0.01
    delayed: float = 0.01
    offline: float = 0.02
    offline_from_h: tuple[float, float] = (1.0, 14.0)
    offline_h: tuple[float, float] = (2.0, 6.0)
    reboots: float = 0.05
    failures: float = 0.002
    derated: float = 0.01
    losses: float = 0.04
    resend_s: float = 15.0
    report_every_s: float = HALF_HOUR_S
    connecting_at_once: int = 200


@dataclass(slots=True)
class Tally:
    """What the fleet did so far.

    Attributes:
        executed: Half hours executed, failed ones included.
        sent: Acknowledgements sent, repeats included.
        schedules: Schedules accepted.
        reboots: Restarts.
    """

    executed: int = 0
    sent: int = 0
    schedules: int = 0
    reboots: int = 0


class _Link:
    """A device on the network: its connection, and how long it waits before the next."""

    __slots__ = ("attempt", "connection", "device", "is_connecting", "is_up", "may_connect", "settled", "tries")

    def __init__(self, device: Device) -> None:
        self.device = device
        self.connection: Connection | None = None
        self.is_up = False
        self.may_connect = True
        self.is_connecting = False
        self.attempt: object | None = None
        """The connection that counts, from before it is made until it is gone."""
        self.tries = 0
        self.settled = asyncio.Event()
        """Set when a connection is up, or is gone."""


class DeviceFleet:
    """The devices and the loop that wakes them.

    Args:
        devices: ``DEVICE_COLUMNS`` of domain.fleet.
        access: Where the broker is.
        clock: Virtual time; devices execute by it.
        memory: Their disks.
        behaviour: How they err.
    """

    def __init__(
        self,
        devices: pl.DataFrame,
        access: Access,
        *,
        clock: VirtualClock,
        memory: Memory,
        behaviour: Behaviour | None = None,
    ) -> None:
        self.tally = Tally()
        self.clock = clock
        self._access, self._memory = access, memory
        self._behaviour = behaviour or Behaviour()
        self._draw = random.Random(self._behaviour.seed)  # noqa: S311 - faults, not secrets
        # What the network decides comes in no fixed order; it must not shift the draws of the faults.
        self._jitter = random.Random(self._behaviour.seed)  # noqa: S311 - as above
        self.reached = clock.now()
        self._links = [_Link(self._made(row)) for row in devices.iter_rows(named=True)]
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._gate = asyncio.Semaphore(self._behaviour.connecting_at_once)
        self._connecting: set[asyncio.Task[None]] = set()
        self.is_stopping = False

    def _made(self, row: dict[str, Any]) -> Device:
        faults, draw, key = self._behaviour, self._draw, self._access.key
        device_id = row["device_id"]
        battery = Battery(
            soc_kwh=row["soc_start_kwh"],
            low_kwh=row["soc_min_kwh"],
            high_kwh=row["soc_max_kwh"],
            charge_efficiency=row["charge_efficiency"] * (1 - draw.uniform(0, faults.losses)),
            discharge_efficiency=row["discharge_efficiency"] * (1 - draw.uniform(0, faults.losses)),
            derate=0.5 if draw.random() < faults.derated else 1.0,
        )
        error = draw.uniform(-faults.clock_error_s, faults.clock_error_s)
        own = None if key is None else hmac.digest(key, device_id.encode(), "sha256")
        device = Device(row, battery, clock_error_s=error, key=own)
        device.forget_everything(self._memory.schedule(device_id), self._memory.unconfirmed(device_id))
        return device

    @property
    def online(self) -> int:
        """How many devices have a connection with granted subscriptions."""
        return sum(link.is_up for link in self._links)

    @property
    def offline_on_purpose(self) -> int:
        """How many devices a fault keeps offline."""
        return sum(not link.may_connect for link in self._links)

    @property
    def unconfirmed(self) -> int:
        """How many acknowledgements wait for their confirmation."""
        return sum(len(link.device.unconfirmed) for link in self._links)

    async def run(self) -> None:
        """Run until ``is_stopping`` is set.

        A device acts at the virtual instant it is due, also where this process is late: a busy machine makes its
        messages late, never its half hours fewer.
        """
        self._plan_faults()
        for link in self._links:
            self._connect(link)
            self._at_next_half_hour(link)
            self._in(self._draw.uniform(0, self._behaviour.report_every_s), partial(self._report, link))
        swept = self.clock.elapsed()
        while not self.is_stopping:
            now = self.clock.now()
            for _ in range(_EVENTS_AT_ONCE):
                if not self._due or self._due[0][0] > now:
                    self.reached = now
                    break
                self.reached, _, action = heapq.heappop(self._due)
                action()
            if self.clock.elapsed() - swept > min(1.0, self._behaviour.resend_s):
                swept = self.clock.elapsed()
                self._memory.flush()
                self._sweep(swept)
            await asyncio.sleep(0.005 if self.reached == now else 0)
        for link in self._links:
            link.may_connect = False
            if link.connection is not None:
                link.connection.close()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        self._memory.flush()

    def _in(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something after so many virtual seconds."""
        heapq.heappush(self._due, (self.reached + seconds, next(self._count), action))

    def _plan_faults(self) -> None:
        faults, draw = self._behaviour, self._draw
        for link in self._links:
            if draw.random() < faults.offline:
                begin = draw.uniform(*faults.offline_from_h) * _HOUR_S
                self._in(begin, partial(self._go_offline, link))
                self._in(begin + draw.uniform(*faults.offline_h) * _HOUR_S, partial(self._come_back, link))
            if draw.random() < faults.reboots:
                self._in(draw.uniform(1 * _HOUR_S, 22 * _HOUR_S), partial(self._reboot, link))

    def _go_offline(self, link: _Link) -> None:
        link.may_connect = False
        if link.connection is not None:
            link.connection.close()

    def _come_back(self, link: _Link) -> None:
        link.may_connect = True
        self._connect(link)

    def _reboot(self, link: _Link) -> None:
        self.tally.reboots += 1
        device = link.device
        self._finish(link, failed="restarted")
        device.forget_everything(self._memory.schedule(device.device_id), self._memory.unconfirmed(device.device_id))
        if link.connection is not None:
            link.connection.close()

    def _at_next_half_hour(self, link: _Link) -> None:
        device = link.device
        own = self.reached + device.clock_error_s
        # A moment after the half hour, lest rounding wakes the device before it.
        self._in(HALF_HOUR_S - own % HALF_HOUR_S + 0.001, partial(self._half_hour, link))

    def _half_hour(self, link: _Link) -> None:
        failed = "inverter fault" if self._draw.random() < self._behaviour.failures else None
        self._finish(link, failed=failed)
        link.device.begin(self.reached + link.device.clock_error_s)
        self._at_next_half_hour(link)

    def _finish(self, link: _Link, *, failed: str | None) -> None:
        done = link.device.finish(failed=failed)
        if done is None:
            return
        key, payload, status, mean = done
        self.tally.executed += 1
        self._memory.keep_ack(key, payload)
        self._memory.note_executed(key, status, mean, link.device.battery.soc_kwh)
        chance = self._draw.random()
        faults = self._behaviour
        link.device.sent_at[key] = self.clock.elapsed(), faults.resend_s
        if chance < faults.lost:
            return
        if chance < faults.lost + faults.delayed:
            self._in(self._draw.uniform(60, 300), partial(self._send, link, payload))
            return
        self._send(link, payload)
        if self._draw.random() < faults.duplicates:
            self._send(link, payload)

    def _send(self, link: _Link, payload: bytes) -> None:
        if link.is_up and link.connection is not None:
            self.tally.sent += 1
            link.connection.publish(f"devices/{link.device.device_id}/ack", payload)

    def _report(self, link: _Link) -> None:
        if link.is_up and link.connection is not None:
            device = link.device
            body = device.heartbeat(self.reached + device.clock_error_s)
            link.connection.publish(f"devices/{device.device_id}/telemetry", body)
        self._in(self._behaviour.report_every_s, partial(self._report, link))

    def _sweep(self, elapsed: float) -> None:
        """Send again what nobody has confirmed for long, and show the broker that we live."""
        for index, link in enumerate(self._links):
            if not link.is_up or link.connection is None:
                continue
            sent_at = link.device.sent_at
            for key, payload in link.device.unconfirmed.items():
                at, wait = sent_at.get(key, (0.0, self._behaviour.resend_s))
                if elapsed - at > wait:
                    # Twice as patient each time: who is slow to confirm must not be buried for it.
                    sent_at[key] = elapsed, 2 * wait
                    self._send(link, payload)
            if (int(elapsed) + index) % (KEEP_ALIVE_S // 2) == 0:
                link.connection.ping()

    def _connect(self, link: _Link) -> None:
        if link.may_connect and link.connection is None and not link.is_connecting and not self.is_stopping:
            link.is_connecting = True
            task = asyncio.ensure_future(self._connected(link))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connected(self, link: _Link) -> None:
        """Connect once; where that came to nothing, or ended meanwhile, try again."""
        try:
            await self._try_once(link)
        finally:
            link.is_connecting = False
        self._connect(link)

    async def _try_once(self, link: _Link) -> None:
        device_id, attempt = link.device.device_id, object()
        topics = [f"devices/{device_id}/schedule/response", f"devices/{device_id}/ack/confirmed"]
        make = partial(
            Connection,
            device_id,
            topics,
            ready=partial(self._ready, link),
            heard=partial(self._heard, link),
            lost=partial(self._lost, link, attempt),
            login=self._access.login,
        )
        if link.tries:
            longest = min(_LONGEST_BACKOFF_S, 0.1 * 2**link.tries)
            await asyncio.sleep(self._jitter.uniform(longest / 2, longest))
        link.tries += 1
        async with self._gate:
            if not link.may_connect or self.is_stopping:
                return
            link.settled.clear()
            link.attempt = attempt
            try:
                _, connection = await asyncio.get_running_loop().create_connection(
                    make, self._access.host, self._access.port, ssl=self._access.tls
                )
            except OSError:
                return
            if link.attempt is not attempt:  # it was gone before we knew of it
                return
            link.connection = connection
            if not link.may_connect or self.is_stopping:
                connection.close()
            await link.settled.wait()

    def _lost(self, link: _Link, attempt: object) -> None:
        if link.attempt is not attempt:
            return
        link.attempt, link.connection, link.is_up = None, None, False
        link.settled.set()
        self._connect(link)

    def _ready(self, link: _Link) -> None:
        """Subscribed: ask for the schedule and send everything unconfirmed again."""
        device, connection = link.device, link.connection
        if connection is None:
            return
        link.is_up, link.tries = True, 0
        link.settled.set()
        connection.publish(f"devices/{device.device_id}/schedule/request", device.signed(device.held()))
        now = self.clock.elapsed()
        for key, payload in device.unconfirmed.items():
            device.sent_at[key] = now, self._behaviour.resend_s
            self._send(link, payload)

    def _heard(self, link: _Link, topic: str, payload: bytes) -> None:
        device, connection = link.device, link.connection
        if topic.endswith("/ack/confirmed"):
            for key in device.confirm(payload):
                self._memory.drop_ack(key)
            return
        if device.accept(payload) and connection is not None and device.schedule is not None:
            held = (device.schedule.schedule_id, device.schedule.version)
            self.tally.schedules += 1
            self._memory.keep_schedule(device.device_id, payload, held, self.clock.elapsed())
            receipt = {
                "schedule_id": held[0],
                "version": held[1],
                "interval_start": None,
                "execution_time": None,
                "status": "received",
                "actual_rate_kw": None,
                "soc_kwh": round(device.battery.soc_kwh, 4),
                "error_message": None,
            }
            connection.publish(f"devices/{device.device_id}/ack", device.signed(receipt))
