"""Hearing the fleet: a persistent session at the broker, drained into the operational database.

The order makes it lossless. A message is acknowledged to the broker after the transaction that holds it has been
committed, and confirmed to its device after that. Whatever dies in between, the message comes again, from the broker
or from the device, and the key of the log makes the second one nothing.

===================  ====================================================================================
an acknowledgement   its fate
===================  ====================================================================================
new                  the execution log; confirmed
known already        nothing; confirmed again
late, out of order   the execution log: ``received_at`` tells
older than 14 days   dead letter (the log no longer knows what it held); confirmed, so that it stops coming
of the future        dead letter: its interval begins more than five minutes from now; confirmed
of an unknown device dead letter; confirmed
of a schedule that   dead letter; confirmed
was never told
malformed            dead letter; there is nothing to confirm
===================  ====================================================================================

Put here: draining, confirming, answering requests. Keep out: bodies (domain/fleet/messages.py), SQL (fleet_log.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from domain.errors import PayloadError
from domain.fleet import messages
from domain.fleet.messages import Ack, Receipt
from domain.instants import iso
from resources.clock import Clock
from resources.fleet_log import Batch, DeadLetter, FleetLog
from resources.mqtt import Broker, Line, message_packet, taken_packet

CLIENT_ID: Final = "tailrace-fleet-line"
MEMORY: Final = timedelta(days=14)
"""How long the operational database remembers executions; an older acknowledgement cannot be deduplicated."""

SKEW: Final = timedelta(minutes=5)
"""How far a device's clock may run ahead of ours."""

_BATCH: Final = 5_000
_CONFIRM_EVERY_S: Final = 2.0
"""Confirmations are gathered so that a device whose backlog drains gets few; it loses nothing by waiting."""

_SEEN_EVERY_S: Final = 2.0


class Arrival(NamedTuple):
    """A message as it came.

    Attributes:
        topic: What it came on.
        payload: Its body.
        mid: Its number on the connection; 0 asks for no acknowledgement.
        generation: Which connection.
    """

    topic: str
    payload: bytes
    mid: int
    generation: int


@dataclass(slots=True)
class Counts:
    """What a line has done since it was opened.

    Attributes:
        received: Messages.
        logged: Acknowledgements that were new.
        duplicates: Acknowledgements that were known already.
        letters: Messages that went nowhere.
        reports: Heartbeats.
        answered: Requests answered with a schedule.
    """

    received: int = 0
    logged: int = 0
    duplicates: int = 0
    letters: int = 0
    reports: int = 0
    answered: int = 0


@dataclass(slots=True)
class _Known:
    """What messages are judged by; read again when something unknown turns up, at most once a batch.

    Whatever a message may refer to was written before the message could be sent, so one look after its arrival tells.
    """

    log: FleetLog
    devices: set[str] = field(default_factory=set)
    publications: set[tuple[str, int]] = field(default_factory=set)
    may_look: bool = True

    def look_again(self) -> bool:
        """Read again; return whether that was still allowed."""
        if not self.may_look:
            return False
        self.devices, self.publications, self.may_look = self.log.device_ids(), self.log.publications(), False
        return True

    def has_device(self, device_id: str) -> bool:
        return device_id in self.devices or (self.look_again() and device_id in self.devices)

    def has_publication(self, schedule_id: str, version: int) -> bool:
        key = (schedule_id, version)
        return key in self.publications or (self.look_again() and key in self.publications)


class FleetLine:
    """The line from the devices.

    Args:
        broker: Where they speak.
        log: Where it is kept.
        clock: The present.
        schedules: The message each device should hold now, as (schedule id, version, body), by device.
        key: The fleet's key; None takes and sends unsigned bodies.
    """

    def __init__(
        self,
        broker: Broker,
        log: FleetLog,
        clock: Clock,
        *,
        schedules: Callable[[], Mapping[str, tuple[str, int, bytes]]],
        key: bytes | None = None,
    ) -> None:
        self.counts = Counts()
        self._log, self._clock, self._schedules, self._key = log, clock, schedules, key
        self._known = _Known(log)
        self._arrived: list[Arrival] = []
        self._holders: set[Receipt] = set()
        self._kept: dict[str, list[Ack | Receipt]] = {}
        self._seen: dict[str, tuple[str, datetime, str | None, int | None]] = {}
        self._confirmed_at = self._seen_at = time.monotonic()
        client = broker.client(CLIENT_ID, persistent=True)
        client.max_inflight_messages_set(0)
        client.max_queued_messages_set(0)
        client.on_message = self._on_message
        self._line = Line(broker, client, self._on_connect)

    def _on_connect(self, session_kept: bool) -> None:  # noqa: FBT001 - one answer
        topics = [messages.ACK, messages.TELEMETRY, messages.REQUEST]
        self._line.client.subscribe([(topic.format("+"), 1) for topic in topics])
        if not session_kept:
            # A broker that has forgotten us has forgotten what it retained for the devices, too.
            for device_id, (_, _, body) in self._schedules().items():
                self._line.client.publish(messages.SCHEDULE.format(device_id), body, qos=1, retain=True)

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:  # noqa: ANN401 - paho's signature
        self.counts.received += 1
        self._arrived.append(Arrival(message.topic, message.payload, message.mid, self._line.generation))

    def run(self, *, until: Callable[[], bool]) -> None:
        """Drain until told to stop; what has arrived by then is kept and confirmed.

        Raises:
            CredentialError: The broker refuses our credentials.
        """
        while not until():
            self.turn()
        self.close()

    def drain(self, *, quiet_s: float, patience_s: float) -> None:
        """Drain until nothing has come for ``quiet_s``, then hang up.

        Raises:
            ServiceError: The line is not up after ``patience_s``.
        """
        self._line.open(patience_s=patience_s)
        since = time.monotonic()
        while time.monotonic() - since < quiet_s:
            before = self.counts.received
            self.turn()
            if self.counts.received > before or not self._line.is_up:
                since = time.monotonic()
        self.close()

    def turn(self) -> None:
        """Take what has come, for some milliseconds."""
        before = len(self._arrived)
        # While something waits to be kept, nobody waits for more: a broker may want an acknowledgement first.
        self._line.turn(0.0 if before else 0.05)
        came = len(self._arrived) - before
        # Where one message came, more are likely: paho reads a packet a call.
        while before < len(self._arrived) < _BATCH:
            before = len(self._arrived)
            self._line.read_on()
        # A batch is full, or the broker has nothing more for us until we acknowledge.
        if len(self._arrived) >= _BATCH or (self._arrived and not came):
            self._keep()
        now = time.monotonic()
        if self._line.is_up and now - self._confirmed_at > _CONFIRM_EVERY_S:
            self._confirm()
            self._confirmed_at = now
        if now - self._seen_at > _SEEN_EVERY_S:
            self._note_seen()
            self._seen_at = now

    def close(self) -> None:
        """Keep and confirm what has come, and hang up; the broker goes on collecting."""
        self._keep()
        self._note_seen()
        if self._line.is_up:
            self._confirm()
            for _ in range(10):
                self._line.turn(0.01)
        self._line.close()

    def _keep(self) -> None:
        if not self._arrived:
            return
        arrived, self._arrived = self._arrived, []
        batch, asked, now = Batch(), {}, self._clock.now()
        self._known.may_look = True
        for arrival in arrived:
            self._sort(arrival, batch, asked, now)
        new = self._log.store(batch, received_at=now)
        # On another connection the same number may be another message.
        current = self._line.generation
        self._line.write([taken_packet(one.mid) for one in arrived if one.mid and one.generation == current])
        counts = self.counts
        counts.logged += new
        counts.duplicates += len(batch.acks) - new
        counts.letters += len(batch.letters)
        counts.reports += len(batch.reports)
        if asked:
            self._answer(asked)

    def _sort(self, arrival: Arrival, batch: Batch, asked: dict[str, messages.Held], now: datetime) -> None:
        """Put a message where it belongs."""
        _, device_id, kind = arrival.topic.split("/", 2)
        try:
            if kind == "ack":
                self._sort_ack(messages.read_ack(arrival.payload, device_id, self._key), arrival, batch, now)
            elif kind == "telemetry":
                self._sort_report(messages.read_report(arrival.payload, device_id, self._key), batch, now)
            else:
                held = messages.read_request(arrival.payload, device_id, self._key)
                self._require_device(device_id)
                asked[device_id] = held
                self._note_holder(held, batch)
                self._seen.setdefault(device_id, (device_id, now, None, None))
        except PayloadError as error:
            batch.letters.append(DeadLetter(topic=arrival.topic, payload=arrival.payload, reason=str(error)))

    def _require_device(self, device_id: str) -> None:
        if not self._known.has_device(device_id):
            raise PayloadError(f"no device {device_id} in the registry; tailrace fleet import")

    def _sort_report(self, report: messages.Report, batch: Batch, now: datetime) -> None:
        self._require_device(report.device_id)
        if report.reported_at > now + SKEW:
            raise PayloadError(f"reported_at {iso(report.reported_at)} lies in the future; set the device's clock")
        batch.reports.append(report)
        self._note_holder(report, batch)
        self._seen[report.device_id] = (report.device_id, now, report.schedule_id, report.version)

    def _note_holder(self, said: messages.Report | messages.Held, batch: Batch) -> None:
        """Take what a device says it holds for a receipt: the receipt itself may have been lost."""
        if said.schedule_id is None or said.version is None:
            return
        receipt = Receipt(said.device_id, said.schedule_id, said.version)
        if receipt not in self._holders:
            self._holders.add(receipt)
            batch.receipts.append(receipt)

    def _sort_ack(self, ack: Ack | Receipt, arrival: Arrival, batch: Batch, now: datetime) -> None:
        refusal = self._refusal(ack, now)
        if refusal is not None:
            batch.letters.append(DeadLetter(topic=arrival.topic, payload=arrival.payload, reason=refusal))
        elif isinstance(ack, Ack):
            batch.acks.append(ack)
        else:
            batch.receipts.append(ack)
        device_id = ack.device_id
        self._kept.setdefault(device_id, []).append(ack)
        if device_id in self._known.devices:
            told = (ack.schedule_id, ack.version) if refusal is None else (None, None)
            self._seen[device_id] = (device_id, now, *told)

    def _refusal(self, ack: Ack | Receipt, now: datetime) -> str | None:
        """Return why a readable acknowledgement goes nowhere; None: it does not."""
        if not self._known.has_device(ack.device_id):
            return f"no device {ack.device_id} in the registry; tailrace fleet import"
        if not self._known.has_publication(ack.schedule_id, ack.version):
            return f"{ack.schedule_id} v{ack.version} was never told to a device"
        if isinstance(ack, Receipt):
            return None
        if ack.interval_start < now - MEMORY:
            return f"the interval of {iso(ack.interval_start)} is more than {MEMORY.days} days old"
        if ack.interval_start > now + SKEW:
            return f"the interval of {iso(ack.interval_start)} has not begun at {iso(now)}; set the device's clock"
        return None

    def _confirm(self) -> None:
        kept, self._kept = self._kept, {}
        # QoS 0: a device that misses it sends its acknowledgements again, and hears it again.
        self._line.write(
            [
                message_packet(messages.CONFIRMED.format(device), messages.confirmation(device, acks, self._key))
                for device, acks in kept.items()
            ]
        )

    def _note_seen(self) -> None:
        seen, self._seen = self._seen, {}
        self._log.saw(seen.values())

    def _answer(self, asked: Mapping[str, messages.Held]) -> None:
        current = self._schedules()
        for device_id, held in asked.items():
            message = current.get(device_id)
            if message is not None and message[:2] != held[1:]:
                self._line.client.publish(messages.SCHEDULE.format(device_id), message[2], qos=1, retain=True)
                self.counts.answered += 1
