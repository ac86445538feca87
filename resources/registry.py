"""The operational database: devices, alerts to send, the ledger of publications.

Put here: the transactions on resources/tables.py, the same on SQLite and PostgreSQL. Keep out: the rules that
decide what to write (domain/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite

from domain.alerts import Alert
from domain.instants import require_utc
from resources.tables import DEVICES, OUTBOX, PUBLICATIONS

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_HEAD: Final = "0001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """One row of the ledger.

    Attributes:
        plan: Which plan, such as ``reservoir``.
        as_of: The instant of the decision [UTC].
        version: 1, 2, ... among the published schedules of that instant.
        schedule_id: The id that files, ledger and messages share.
        manifest_sha256: Hash of ``manifest.json``, which in turn holds those of the other files.
        status: ``published``, or ``superseded`` once a newer version or instant took its place.
        published_at: When ``current.json`` began to point at it [UTC].
    """

    plan: str
    as_of: datetime
    version: int
    schedule_id: str
    manifest_sha256: str
    status: str
    published_at: datetime


class Registry:
    """The operational database behind one URL."""

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(url, pool_pre_ping=True)
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _make_sqlite_durable)
        self._migrate()

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def _migrate(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        with self._engine.begin() as connection:
            version = sa.table("tailrace_schema_version", sa.column("version_num"))
            if sa.inspect(connection).has_table(version.name) and (
                connection.execute(sa.select(version.c.version_num)).scalar() == _HEAD
            ):
                return
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def put_devices(self, devices: pl.DataFrame, *, changed_at: datetime) -> int:
        """Store devices, replacing those with the same id; return how many were written.

        Args:
            devices: The columns of ``tailrace solve fleet --devices`` and ``site``; checked beforehand.
            changed_at: When [UTC].
        """
        columns = [column.name for column in DEVICES.columns if column.name in devices.columns]
        rows = [
            row | {"changed_at": require_utc(changed_at, what="changed_at")}
            for row in devices.select(columns).to_dicts()
        ]
        with self._engine.begin() as connection:
            ids = [row["device_id"] for row in rows]
            for start in range(0, len(ids), 500):
                connection.execute(sa.delete(DEVICES).where(DEVICES.c.device_id.in_(ids[start : start + 500])))
            if rows:
                connection.execute(sa.insert(DEVICES), rows)
        return len(rows)

    def devices(self) -> pl.DataFrame:
        """Return the active devices, by id, with the columns the fleet solver reads."""
        names = [column.name for column in DEVICES.columns if column.name not in ("status", "changed_at")]
        query = sa.select(*(DEVICES.c[name] for name in names)).where(DEVICES.c.status == "active")
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(DEVICES.c.device_id)).mappings().all()
        kinds = {str: pl.String(), float: pl.Float64()}
        schema = {name: kinds.get(DEVICES.c[name].type.python_type, pl.List(pl.Float64())) for name in names}
        return pl.DataFrame([dict(row) for row in rows], schema=schema)

    def raise_alerts(self, alerts: Sequence[Alert], *, raised_at: datetime) -> int:
        """Put alerts into the outbox, each key once for ever; return how many were new."""
        with self._engine.begin() as connection:
            return sum(
                connection.execute(self._insert_once(OUTBOX, ["key"], _outbox_row(alert, raised_at))).rowcount
                for alert in alerts
            )

    def _insert_once(self, table: sa.Table, key: list[str], row: dict[str, Any]) -> sa.Insert:
        # Both databases know "on conflict", each through its own dialect: the race of two writers is theirs to settle.
        insert = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[self._engine.dialect.name]
        return insert(table).values(row).on_conflict_do_nothing(index_elements=key)

    def alerts(self, *, since: datetime | None = None) -> list[Mapping[str, Any]]:
        """Return the outbox, newest first, from ``since`` on."""
        query = sa.select(OUTBOX).order_by(OUTBOX.c.id.desc())
        if since is not None:
            query = query.where(OUTBOX.c.raised_at >= require_utc(since, what="since"))
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def record_publication(self, publication: Publication) -> None:
        """Write a ledger row, once; older rows of the same plan become ``superseded``.

        A row that is there already stays as it is: publishing again after a crash changes nothing.
        """
        row = {name: getattr(publication, name) for name in Publication.__dataclass_fields__}
        with self._engine.begin() as connection:
            if connection.execute(self._insert_once(PUBLICATIONS, ["plan", "as_of", "version"], row)).rowcount:
                newer = (PUBLICATIONS.c.as_of == publication.as_of) & (PUBLICATIONS.c.version >= publication.version)
                connection.execute(
                    sa.update(PUBLICATIONS)
                    .where((PUBLICATIONS.c.plan == publication.plan) & (PUBLICATIONS.c.as_of <= publication.as_of))
                    .where(~newer)
                    .values(status="superseded")
                )

    def publications(self, plan: str) -> list[Publication]:
        """Return the ledger of a plan, newest decision and version first."""
        query = (
            sa.select(PUBLICATIONS)
            .where(PUBLICATIONS.c.plan == plan)
            .order_by(PUBLICATIONS.c.as_of.desc(), PUBLICATIONS.c.version.desc())
        )
        with self._engine.connect() as connection:
            return [Publication(**_aware(row)) for row in connection.execute(query).mappings()]


def _aware(row: Mapping[Any, Any]) -> dict[str, Any]:
    # SQLite gives times back without their zone; they were written in UTC.
    return {
        name: value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
        for name, value in row.items()
    }


def _outbox_row(alert: Alert, raised_at: datetime) -> dict[str, Any]:
    return {
        "key": alert.key,
        "kind": alert.kind,
        "severity": alert.severity,
        "message": alert.message,
        "details": dict(alert.details),
        "raised_at": require_utc(raised_at, what="raised_at"),
    }


def _make_sqlite_durable(connection: Any, _record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's event signature
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()
