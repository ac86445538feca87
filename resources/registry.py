"""The operational database: devices, alerts to send, the ledger of publications.

Put here: the transactions on resources/tables.py, the same on SQLite and PostgreSQL. Keep out: the rules that
decide what to write (domain/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from domain.alerts import Alert
from domain.errors import InputError
from domain.instants import require_utc
from resources.database import Database, aware
from resources.tables import DEVICES, OUTBOX, PUBLICATIONS


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
    """Devices, alerts and publications.

    Args:
        database: The operational database, or its URL.
    """

    def __init__(self, database: Database | str) -> None:
        self._database = Database(database) if isinstance(database, str) else database
        self._engine = self._database.engine

    def close(self) -> None:
        """Give the connections back."""
        self._database.close()

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

    def device(self, device_id: str) -> dict[str, Any]:
        """Return everything about one device, retired or not.

        Raises:
            InputError: There is none of this id.
        """
        query = sa.select(DEVICES).where(DEVICES.c.device_id == device_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise InputError(f"no device {device_id!r} in the registry; tailrace fleet list shows those there are")
        return aware(row)

    def retire_devices(self, device_ids: Sequence[str], *, changed_at: datetime) -> int:
        """Take devices out of every later plan; return how many were active. What they did stays in the log.

        Raises:
            InputError: One of them is not in the registry; none is retired.
        """
        with self._engine.begin() as connection:
            of = DEVICES.c
            known = set(connection.execute(sa.select(of.device_id).where(of.device_id.in_(device_ids))).scalars())
            unknown = sorted(set(device_ids) - known)
            if unknown:
                raise InputError(f"not in the registry: {', '.join(unknown[:10])}; nobody was retired")
            change = sa.update(DEVICES).where(of.device_id.in_(device_ids) & (of.status == "active"))
            return connection.execute(
                change.values(status="retired", changed_at=require_utc(changed_at, what="changed_at"))
            ).rowcount

    def raise_alerts(self, alerts: Sequence[Alert], *, raised_at: datetime) -> int:
        """Put alerts into the outbox, each key once for ever; return how many were new."""
        with self._engine.begin() as connection:
            return sum(
                connection.execute(
                    self._database.insert_once(OUTBOX, ["key"]).values(_outbox_row(alert, raised_at))
                ).rowcount
                for alert in alerts
            )

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
            insert = self._database.insert_once(PUBLICATIONS, ["plan", "as_of", "version"]).values(row)
            if connection.execute(insert).rowcount:
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
            return [Publication(**aware(row)) for row in connection.execute(query).mappings()]


def _outbox_row(alert: Alert, raised_at: datetime) -> dict[str, Any]:
    return {
        "key": alert.key,
        "kind": alert.kind,
        "severity": alert.severity,
        "message": alert.message,
        "details": dict(alert.details),
        "raised_at": require_utc(raised_at, what="raised_at"),
    }
