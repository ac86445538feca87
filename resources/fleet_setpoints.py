"""What devices are told: the plans in force and the schedules of others, merged into one document of setpoints.

A document is published like a plan (folder, manifest, ledger); its id and version are those in the messages. It says
all there is from its instant on, for every device, so a newer message replaces an older one whole. Put here: making
documents and messages, telling devices. Keep out: who wins (domain/fleet/external.py), bodies
(domain/fleet/messages.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from domain.errors import MissingInputError
from domain.fleet import messages
from domain.fleet.external import ENTRY_COLUMNS, half_hours_of, merge_entries
from domain.instants import iso, require_utc
from resources.clock import Clock
from resources.fleet_log import TOLD, FleetLog
from resources.mqtt import Broker, send_all
from resources.publications import make_current
from resources.publisher import Publisher, Version
from resources.registry import Registry

PLANS: Final = ("fleet", "fleet_replan")
"""Published plans whose half hours devices follow; where two cover a half hour, the later decision wins."""

PLAN_PRIORITY: Final = 5
"""The priority of our plans among schedules of others: the middle of 1 to 10."""

_REACH: Final = timedelta(days=2)
"""A day-ahead plan is decided at most 14.5 h before its day, which has at most 25 h."""

_HALF_HOUR: Final = timedelta(minutes=30)


def store_setpoints(
    publisher: Publisher, registry: Registry, log: FleetLog, *, as_of: datetime, code_version: str
) -> Version:
    """Store what the devices shall do from ``as_of`` on, by everything published until then; nobody is told yet.

    Args:
        publisher: Holds the plans.
        registry: Holds the ledger and the devices.
        log: Holds the schedules of others.
        as_of: An instant of decision [UTC].
        code_version: For the manifest.

    Raises:
        MissingInputError: No published plan and no schedule of others reaches beyond ``as_of``.
    """
    as_of = require_utc(as_of, what="as_of")
    start = as_of - timedelta(minutes=as_of.minute % 30, seconds=as_of.second, microseconds=as_of.microsecond)
    plans = _plans_in_force(publisher, registry, as_of)
    layers = [_as_entries(version) for version in plans]
    others = log.entries(start, as_of + timedelta(days=30))
    entries = (
        pl.concat([*layers, others])
        .filter(pl.col("event_end") > start)
        .with_columns(event_start=pl.max_horizontal("event_start", pl.lit(start)))
    )
    entries = entries.filter(pl.col("device_id").is_in(log.active_devices().implode()))
    if entries.is_empty():
        reason = f"none of {', '.join(PLANS)} is published for it, and nobody sent a schedule"
        raise MissingInputError(f"what devices are told as of {iso(as_of)}", {"setpoints": reason})
    starts = half_hours_of(entries)
    setpoints = merge_entries(entries, starts).select("device_id", "event_start", "mode", "rate_kw", "schedule_id")
    facts = {
        "code_version": code_version,
        "status": "merged",
        "plans": [{"schedule_id": version.schedule_id, "version": version.number} for version in plans],
        "schedules_of_others": others["schedule_id"].n_unique(),
        "devices": setpoints["device_id"].n_unique(),
    }
    return publisher.store(TOLD, as_of, setpoints.rename({"schedule_id": "source"}), facts)


def _plans_in_force(publisher: Publisher, registry: Registry, as_of: datetime) -> list[Version]:
    found = []
    for plan in PLANS:
        newest: dict[datetime, int] = {}
        for row in registry.publications(plan):
            if as_of - _REACH < row.as_of <= as_of:
                newest[row.as_of] = max(row.version, newest.get(row.as_of, 0))
        found += [publisher.get(plan, instant, version=number) for instant, number in newest.items()]
    return sorted(found, key=lambda version: (version.as_of, version.schedule_id))


def _as_entries(version: Version) -> pl.DataFrame:
    return (
        messages.half_hours(version.schedule())
        .with_columns(
            schedule_id=pl.lit(version.schedule_id),
            event_end=pl.col("event_start") + _HALF_HOUR,
            priority=pl.lit(PLAN_PRIORITY),
            issued_at=pl.lit(version.as_of),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in ENTRY_COLUMNS.items())
    )


def messages_of(
    version: Version, key: bytes | None, devices: Sequence[str] | None = None
) -> Iterator[tuple[str, bytes]]:
    """Yield each device's id and message of a document; ``devices`` None: of all of them."""
    setpoints = version.schedule()
    if devices is not None:
        setpoints = setpoints.filter(pl.col("device_id").is_in(pl.Series(devices, dtype=pl.String).implode()))
    return messages.schedule_messages(
        setpoints, schedule_id=version.schedule_id, version=version.number, issued_at=version.as_of, key=key
    )


def changed_devices(before: pl.DataFrame | None, now: pl.DataFrame) -> list[str]:
    """Return the devices to which setpoints say something that those before did not, from their first half hour on."""
    what = ["device_id", "event_start", "mode", "rate_kw"]
    new = now.select(what)
    if before is not None:
        new = new.join(before.select(what), on=what, how="anti")
    return new["device_id"].unique().sort().to_list()


class Teller:
    """Tells devices.

    Args:
        broker: Where they listen; None: nobody can be told, and everybody waits.
        log: Where it is noted.
        clock: The present.
        key: The fleet's key; None leaves the messages unsigned.
    """

    def __init__(self, broker: Broker | None, log: FleetLog, clock: Clock, *, key: bytes | None = None) -> None:
        self.log = log
        self._broker, self._clock, self._key = broker, clock, key

    def announce(self, before: Version | None, version: Version) -> list[str]:
        """Note who has to be told of a document: whom it says something new, and who still waits for the one before.

        Args:
            before: The document that is current now.
            version: The one to come; the same as ``before`` notes nothing new.
        """
        setpoints = version.schedule()
        starts = setpoints["event_start"].unique().sort()
        devices = set(changed_devices(None if before is None else before.schedule(), setpoints))
        if before is not None:
            devices.update(self.log.unpublished(before.schedule_id, before.number))
        validity = (starts[0], starts[-1] + _HALF_HOUR)
        self.log.announce(version.schedule_id, version.number, sorted(devices), validity=validity)
        return sorted(devices)

    def tell(self, version: Version) -> int | None:
        """Send everybody announced the message of a document, whose message the broker has not taken yet.

        Returns:
            How many it took; None where there is no broker.

        Raises:
            ServiceError: It did not take all of them; calling again sends the rest.
        """
        if self._broker is None:
            return None
        told = (version.schedule_id, version.number)
        waiting = self.log.unpublished(*told)
        if not waiting:
            return 0
        bodies = messages_of(version, self._key, waiting)
        return send_all(
            self._broker,
            ((messages.SCHEDULE.format(device_id), body) for device_id, body in bodies),
            client_id=f"tailrace-teller-{version.schedule_id}-{version.number}",
            retain=True,
            taken=lambda topics: self.log.mark_published(
                *told, [topic.split("/", 2)[1] for topic in topics], at=self._clock.now()
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A document that was published.

    Attributes:
        version: The document.
        announced: Devices it says something new to.
        taken: Messages the broker took; None: there is no broker.
    """

    version: Version
    announced: int
    taken: int | None


def publish_setpoints(
    publisher: Publisher, registry: Registry, teller: Teller, *, as_of: datetime, now: datetime, code_version: str
) -> Told:
    """Merge what is in force as of an instant, make it current, and tell the devices it says something new to.

    Running it again tells those whom the broker has not taken yet. Where a later document is current already, this
    one is kept for the record and told to nobody.

    Raises:
        MissingInputError: Nothing is in force.
        ServiceError: The broker did not take everything; what is published stays.
    """
    version = store_setpoints(publisher, registry, teller.log, as_of=as_of, code_version=code_version)
    before = publisher.current(TOLD)
    if before is not None and before.as_of > version.as_of:
        return Told(version=version, announced=0, taken=0)
    # Announced before it is current: a crash in between repeats the comparison with the same predecessor.
    announced = teller.announce(before, version)
    make_current(publisher, registry, version, at=now)
    return Told(version=version, announced=len(announced), taken=teller.tell(version))


class CurrentMessages:
    """The message of every device by the current document, made once a document.

    Args:
        publisher: Holds the documents.
        key: The fleet's key; None leaves the messages unsigned.
    """

    def __init__(self, publisher: Publisher, key: bytes | None = None) -> None:
        self._publisher, self._key = publisher, key
        self._made: tuple[tuple[str, int] | None, Mapping[str, tuple[str, int, bytes]]] = (None, {})

    def __call__(self) -> Mapping[str, tuple[str, int, bytes]]:
        """Return (schedule id, version, body) by device; empty before the first document."""
        version = self._publisher.current(TOLD)
        if version is not None and self._made[0] != (told := (version.schedule_id, version.number)):
            self._made = (told, {device: (*told, body) for device, body in messages_of(version, self._key)})
        return self._made[1]
