"""The connection to the operational database: its engine, and the migrations that bring it to today's schema.

Put here: what every store of transactional state shares, the same on SQLite and PostgreSQL. Keep out: what is stored
(registry.py and the other stores).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_HEAD: Final = max(path.name for path in (_MIGRATIONS / "versions").glob("m[0-9]*.py"))[1:5]

_ALONE: Final = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "SELECT pg_advisory_xact_lock(810081)"}
"""What lets one process at a time migrate; the number names this lock in PostgreSQL and means nothing else."""


class Database:
    """The operational database behind one URL, migrated to today's schema when it is opened.

    Attributes:
        engine: Gives connections and transactions (``engine.connect()``, ``engine.begin()``).
    """

    def __init__(self, url: str) -> None:
        self.engine = sa.create_engine(url, pool_pre_ping=True)
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _make_sqlite_durable)
        self._migrate()

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def insert_once(self, table: sa.Table, key: Sequence[str]) -> Any:  # noqa: ANN401 - the dialects' Insert share no name
        """Return an insert that leaves a row alone which is there already.

        Both databases know "on conflict", each through its own dialect: the race of two writers is theirs to settle.

        Args:
            table: Where to.
            key: Columns of the unique key that decides.
        """
        return self.insert(table).on_conflict_do_nothing(index_elements=list(key))

    def insert(self, table: sa.Table) -> Any:  # noqa: ANN401 - as above
        """Return the dialect's own insert, which knows ``on_conflict_do_update`` and ``excluded``."""
        return {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[self.engine.dialect.name](table)

    def _migrate(self) -> None:
        # Reading Alembic's environment takes longer than the rest of opening: ask for the version by hand first.
        with self.engine.begin() as connection:
            if _version(connection) == _HEAD:
                return
            connection.exec_driver_sql(_ALONE[self.engine.dialect.name])
            if _version(connection) == _HEAD:  # another process was here first
                return
            config = Config()
            config.set_main_option("script_location", str(_MIGRATIONS))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _version(connection: sa.Connection) -> str | None:
    table = sa.table("tailrace_schema_version", sa.column("version_num"))
    if not sa.inspect(connection).has_table(table.name):
        return None
    return connection.execute(sa.select(table.c.version_num)).scalar()


def aware(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row whose times carry their zone: SQLite gives them back without it; they were written in UTC."""
    return {
        name: value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
        for name, value in row.items()
    }


def _make_sqlite_durable(connection: Any, _record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's event signature
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()
