"""What was told to devices and what they answered, in the operational database.

Put here: the transactions of the loop: deliveries, the execution log, heartbeats, dead letters, schedules of others.
Keep out: the protocol (fleet_line.py) and the rules of a message (domain/fleet/messages.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

import polars as pl
import sqlalchemy as sa

from domain.beliefs import TIME
from domain.fleet.external import ENTRY_COLUMNS
from domain.fleet.messages import Ack, Receipt, Report
from domain.instants import require_utc
from resources.database import Database
from resources.tables import (
    DEAD_LETTERS,
    DELIVERIES,
    DEVICE_REPORTS,
    DEVICE_STATUS,
    DEVICES,
    EXECUTION_DAYS,
    EXECUTIONS,
    EXTERNAL_ENTRIES,
    PUBLICATIONS,
)

TOLD: Final = "fleet_setpoints"
"""The plan, in the ledger and the folder of publications, that holds what devices were told."""

_LETTER_CHARACTERS: Final = 4_000
_ACK: Final = (*Ack._fields, "received_at")
_KEY: Final = [column.name for column in EXECUTIONS.primary_key]
_INSERT_SQLITE: Final = (  # our own names only
    f"INSERT INTO {EXECUTIONS.name} ({', '.join(_ACK)}) VALUES ({', '.join('?' * len(_ACK))}) ON CONFLICT DO NOTHING"  # noqa: S608 - as said
)
_MANY: Final = 500
"""Most names in one statement: SQLite takes 32,766 parameters, PostgreSQL as many, both slowly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that went nowhere.

    Attributes:
        topic: What it came on.
        payload: Its body.
        reason: Why, in words.
    """

    topic: str
    payload: bytes
    reason: str


@dataclass(slots=True)
class Batch:
    """Messages to be kept together, or not at all.

    Attributes:
        acks: What devices did.
        receipts: Schedules that devices hold.
        reports: Heartbeats.
        letters: What goes nowhere.
    """

    acks: list[Ack] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)


class FleetLog:
    """The loop's transactional state.

    Args:
        database: The operational database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._engine = database.engine

    def announce(
        self, schedule_id: str, version: int, devices: Sequence[str], *, validity: tuple[datetime, datetime]
    ) -> None:
        """Note that devices are about to be told; those noted before stay as they are."""
        start, end = (require_utc(moment, what="validity") for moment in validity)
        row = {"schedule_id": schedule_id, "version": version, "valid_from": start, "valid_to": end}
        with self._engine.begin() as connection:
            insert = self._database.insert_once(DELIVERIES, ["schedule_id", "version", "device_id"])
            if devices:
                connection.execute(insert, [row | {"device_id": device} for device in devices])

    def mark_published(self, schedule_id: str, version: int, devices: Sequence[str], *, at: datetime) -> None:
        """Note that the broker took these devices' messages; the first time counts."""
        self._mark("published_at", [Receipt(device, schedule_id, version) for device in devices], at)

    def _mark(self, column: str, receipts: Sequence[Receipt], at: datetime) -> None:
        with self._engine.begin() as connection:
            _mark(connection, column, receipts, at)

    def publications(self) -> set[tuple[str, int]]:
        """Return schedule id and version of everything that devices were told of, by the ledger."""
        ledger = PUBLICATIONS.c
        query = sa.select(ledger.schedule_id, ledger.version).where(ledger.plan == TOLD)
        with self._engine.connect() as connection:
            return {(schedule_id, version) for schedule_id, version in connection.execute(query)}

    def unpublished(self, schedule_id: str, version: int) -> list[str]:
        """Return the devices whose message the broker has not taken yet."""
        query = sa.select(DELIVERIES.c.device_id).where(
            (DELIVERIES.c.schedule_id == schedule_id)
            & (DELIVERIES.c.version == version)
            & DELIVERIES.c.published_at.is_(None)
        )
        with self._engine.connect() as connection:
            return sorted(connection.execute(query).scalars())

    def device_ids(self) -> set[str]:
        """Return the ids of all devices, retired ones too: they may still have something to say."""
        with self._engine.connect() as connection:
            return set(connection.execute(sa.select(DEVICES.c.device_id)).scalars())

    def active_devices(self) -> pl.Series:
        """Return the ids of the active devices, in order; the rest of a device's row takes twenty times as long."""
        query = sa.select(DEVICES.c.device_id).where(DEVICES.c.status == "active").order_by(DEVICES.c.device_id)
        return self._frame(query)["device_id"]

    def store(self, batch: Batch, *, received_at: datetime) -> int:
        """Keep a batch durably, whole or not at all; return how many acknowledgements were new.

        An acknowledgement whose interval of that schedule version is there already changes nothing.
        """
        received_at = require_utc(received_at, what="received_at")
        with self._engine.begin() as connection:
            new = self._store_acks(connection, batch.acks, received_at) if batch.acks else 0
            _mark(connection, "delivered_at", batch.receipts, received_at)
            if batch.reports:
                insert = self._database.insert_once(DEVICE_REPORTS, ["device_id", "reported_at"])
                names = ("device_id", "reported_at", "power_kw", "soc_kwh")
                rows = [
                    dict(zip(names, report[:4], strict=True)) | {"received_at": received_at} for report in batch.reports
                ]
                connection.execute(insert, rows)
            if batch.letters:
                rows = [_letter_row(letter) | {"received_at": received_at} for letter in batch.letters]
                connection.execute(sa.insert(DEAD_LETTERS), rows)
        return new

    def _store_acks(self, connection: sa.Connection, acks: Sequence[Ack], received_at: datetime) -> int:
        if self._engine.dialect.name == "sqlite":
            # SQLAlchemy's way from a row to the driver takes twice as long as the driver and SQLite together.
            received = _text(received_at)
            rows = [
                (
                    ack.device_id, ack.schedule_id, ack.version, _text(ack.interval_start), _text(ack.execution_time),
                    ack.status, ack.actual_rate_kw, ack.soc_kwh, ack.error_message, received,
                )
                for ack in acks
            ]  # fmt: skip
            new = connection.exec_driver_sql(_INSERT_SQLITE, rows).rowcount
        else:
            named = [dict(zip(_ACK, (*ack, received_at), strict=True)) for ack in acks]
            new = connection.execute(self._database.insert_once(EXECUTIONS, _KEY), named).rowcount
        if new:
            insert = self._database.insert(EXECUTION_DAYS)
            upsert = insert.on_conflict_do_update(
                index_elements=["day"], set_={"changed": EXECUTION_DAYS.c.changed + 1}
            )
            days = sorted({ack.interval_start.date() for ack in acks})
            connection.execute(upsert, [{"day": day, "changed": 1, "written": 0} for day in days])
        return new

    def saw(self, seen: Iterable[tuple[str, datetime, str | None, int | None]]) -> None:
        """Note when devices were last heard, and which schedule they said they hold (None: they said nothing)."""
        names = ("device_id", "last_seen_at", "schedule_id", "version")
        rows = [dict(zip(names, row, strict=True)) for row in seen]
        if not rows:
            return
        insert = self._database.insert(DEVICE_STATUS)
        told = insert.excluded.schedule_id.is_not(None)
        changes: dict[str, Any] = {"last_seen_at": insert.excluded.last_seen_at} | {
            name: sa.case((told, insert.excluded[name]), else_=DEVICE_STATUS.c[name])
            for name in ("schedule_id", "version")
        }
        with self._engine.begin() as connection:
            connection.execute(insert.on_conflict_do_update(index_elements=["device_id"], set_=changes), rows)

    def statuses(self) -> pl.DataFrame:
        """Return ``device_id, last_seen_at, schedule_id, version`` of every active device; null: never heard."""
        status = DEVICE_STATUS.c
        query = (
            sa.select(DEVICES.c.device_id, status.last_seen_at, status.schedule_id, status.version)
            .select_from(DEVICES.outerjoin(DEVICE_STATUS, DEVICES.c.device_id == status.device_id))
            .where(DEVICES.c.status == "active")
            .order_by(DEVICES.c.device_id)
        )
        return self._frame(query)

    def deliveries(self, schedule_id: str, version: int) -> pl.DataFrame:
        """Return ``device_id, schedule_id, version, published_at, delivered_at`` of a document."""
        return self._deliveries((DELIVERIES.c.schedule_id == schedule_id) & (DELIVERIES.c.version == version))

    def newest_deliveries(self, valid_after: datetime) -> pl.DataFrame:
        """Return the same of the last document each device was to be told, of those valid after an instant."""
        rows = self._deliveries(DELIVERIES.c.valid_to > valid_after)
        # The id of a document holds its instant, so that ids sort by time.
        return rows.sort("schedule_id", "version").unique("device_id", keep="last").sort("device_id")

    def _deliveries(self, which: sa.ColumnElement[bool]) -> pl.DataFrame:
        names = ("device_id", "schedule_id", "version", "published_at", "delivered_at")
        query = sa.select(*(DELIVERIES.c[name] for name in names)).where(which)
        return self._frame(query.order_by(DELIVERIES.c.device_id))

    def executions(self, start: datetime, end: datetime) -> pl.DataFrame:
        """Return the execution log of the intervals that begin within ``[start, end)`` [UTC]."""
        began = EXECUTIONS.c.interval_start
        return self._frame(
            sa.select(EXECUTIONS).where((began >= start) & (began < end)).order_by(*EXECUTIONS.primary_key)
        )

    def last_executions(self, device_id: str, *, count: int) -> pl.DataFrame:
        """Return a device's newest rows of the log, newest first."""
        query = sa.select(EXECUTIONS).where(EXECUTIONS.c.device_id == device_id)
        return self._frame(query.order_by(EXECUTIONS.c.interval_start.desc()).limit(count))

    def changed_days(self) -> list[tuple[date, int]]:
        """Return the UTC days of intervals that have rows the lake lacks, each with its count of changes."""
        days = EXECUTION_DAYS.c
        query = sa.select(days.day, days.changed).where(days.changed > days.written).order_by(days.day)
        with self._engine.connect() as connection:
            return [(day, changed) for day, changed in connection.execute(query)]

    def mark_written(self, day: date, changed: int) -> None:
        """Note that the lake holds a day as it was after ``changed`` changes."""
        change = sa.update(EXECUTION_DAYS).where(EXECUTION_DAYS.c.day == day).values(written=changed)
        with self._engine.begin() as connection:
            connection.execute(change)

    def forget(self, before: datetime) -> int:
        """Drop what is about the days before the one that holds ``before``, once the lake has it; return how many rows.

        An acknowledgement of an interval this old is refused (fleet_line.py): what is no longer here cannot be told
        from what never was.
        """
        day = require_utc(before, what="before").replace(hour=0, minute=0, second=0, microsecond=0)
        unwritten = [first for first, _ in self.changed_days()]
        if unwritten and unwritten[0] < day.date():
            return 0
        rules = (
            (EXECUTIONS, EXECUTIONS.c.interval_start),
            (DELIVERIES, DELIVERIES.c.valid_to),
            (DEAD_LETTERS, DEAD_LETTERS.c.received_at),
            (EXTERNAL_ENTRIES, EXTERNAL_ENTRIES.c.event_end),
        )
        with self._engine.begin() as connection:
            return sum(connection.execute(sa.delete(table).where(when < day)).rowcount for table, when in rules)

    def reports(self) -> pl.DataFrame:
        """Return the heartbeats that the lake has not been handed yet, as the table has them."""
        return self._frame(sa.select(DEVICE_REPORTS))

    def drop_reports(self, received_until: datetime) -> None:
        """Forget heartbeats received until an instant, once the lake holds them."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(DEVICE_REPORTS).where(DEVICE_REPORTS.c.received_at <= received_until))

    def dead_letters(self, *, newest: int = 100) -> pl.DataFrame:
        """Return the newest dead letters, newest first."""
        return self._frame(sa.select(DEAD_LETTERS).order_by(DEAD_LETTERS.c.id.desc()).limit(newest))

    def put_entries(self, entries: pl.DataFrame) -> int:
        """Keep entries of external schedules, replacing a schedule of the same id for its devices; return how many."""
        rows = entries.select(*ENTRY_COLUMNS).to_dicts()
        with self._engine.begin() as connection:
            for (schedule_id,), group in entries.group_by("schedule_id"):
                devices = group["device_id"].unique().to_list()
                for first in range(0, len(devices), _MANY):
                    old = EXTERNAL_ENTRIES.c.device_id.in_(devices[first : first + _MANY])
                    same = EXTERNAL_ENTRIES.c.schedule_id == schedule_id
                    connection.execute(sa.delete(EXTERNAL_ENTRIES).where(same & old))
            if rows:
                connection.execute(sa.insert(EXTERNAL_ENTRIES), rows)
        return len(rows)

    def entries(self, start: datetime, end: datetime) -> pl.DataFrame:
        """Return external entries that touch ``[start, end)`` [UTC], as ``ENTRY_COLUMNS``."""
        within = (EXTERNAL_ENTRIES.c.event_end > start) & (EXTERNAL_ENTRIES.c.event_start < end)
        frame = self._frame(sa.select(EXTERNAL_ENTRIES).where(within))
        return frame.select(pl.col(name).cast(dtype) for name, dtype in ENTRY_COLUMNS.items())

    def _frame(self, query: sa.Select[Any]) -> pl.DataFrame:
        schema: dict[str, pl.DataType] = {c.name: _POLARS[type(c.type)] for c in query.selected_columns}
        if self._engine.dialect.name == "sqlite":
            # SQLAlchemy would make half a million datetime objects; polars reads their text by columns.
            text = str(query.compile(self._engine, compile_kwargs={"literal_binds": True}))
            with self._engine.connect() as connection:
                rows = connection.exec_driver_sql(text).fetchall()
            raw = {name: pl.String() if dtype == TIME else dtype for name, dtype in schema.items()}
            times = [name for name, dtype in schema.items() if dtype == TIME]
            frame = pl.DataFrame(rows, schema=raw, orient="row")
            return frame.with_columns(
                pl.col(times).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", time_zone="UTC")
            )
        with self._engine.connect() as connection:
            return pl.DataFrame(connection.execute(query).fetchall(), schema=schema, orient="row")


_POLARS: Final[dict[type, pl.DataType]] = {
    sa.String: pl.String(),
    sa.Text: pl.String(),
    sa.Integer: pl.Int64(),
    sa.BigInteger: pl.Int64(),
    sa.Float: pl.Float64(),
    sa.DateTime: TIME,
}


def _mark(connection: sa.Connection, column: str, receipts: Sequence[Receipt], at: datetime) -> None:
    """Set a time of deliveries that have none."""
    groups: dict[tuple[str, int], list[str]] = {}
    for receipt in receipts:
        groups.setdefault((receipt.schedule_id, receipt.version), []).append(receipt.device_id)
    of, when = DELIVERIES.c, require_utc(at, what=column)
    for (schedule_id, version), devices in groups.items():
        for first in range(0, len(devices), _MANY):
            these = of.device_id.in_(devices[first : first + _MANY])
            which = (of.schedule_id == schedule_id) & (of.version == version) & these & of[column].is_(None)
            connection.execute(sa.update(DELIVERIES).where(which).values({column: when}))


def _text(moment: datetime) -> str:
    """Return an aware UTC time as SQLAlchemy writes it into SQLite."""
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


def _letter_row(letter: DeadLetter) -> dict[str, str]:
    text = letter.payload.decode(errors="replace").replace("\x00", "\ufffd")  # PostgreSQL refuses zero bytes
    return {"topic": letter.topic[:300], "payload": text[:_LETTER_CHARACTERS], "reason": letter.reason}
