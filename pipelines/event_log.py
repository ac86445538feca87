"""Dagster's event log in SQLite, with engines that are kept.

Dagster makes a new SQLAlchemy engine for every statement, which compiles every statement anew, and opens and closes the
index file up to seven times an event; a closing writer also checkpoints, and every commit waits for the disk. A
five-minute poll writes 380 events, and half of its time went there. Put here: that one repair. Keep out: what is
logged.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Self

from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.event import listen
from sqlalchemy.pool import NullPool, QueuePool

if TYPE_CHECKING:
    from dagster._serdes import ConfigurableClassData

_RUNS: Final = 8
"""Runs whose engines are kept at once; an engine without a connection holds no file."""


def _without_waiting(connection: sqlite3.Connection, _: object) -> None:
    """Let commits not wait for the disk: a cut of power may cost the last events of a log, and never damages it."""
    connection.execute("PRAGMA synchronous = NORMAL")


class KeptEngines(SqliteEventLogStorage):
    """The event log of dagster.yaml where there is no PostgreSQL; files and tables are Dagster's own.

    Only the index keeps its connection: whoever follows a run in the UI is told by a change of the run's own file,
    which in WAL mode happens when its last connection closes.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._run_engine = lru_cache(maxsize=_RUNS)(self._made)
        self._index_engine: Engine | None = None
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:  # noqa: ANN401 - Dagster's signature
        """Return the storage that dagster.yaml describes."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Generator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _engine(self, shard: str) -> Engine:
        if shard != INDEX_SHARD_NAME:
            return self._run_engine(shard)
        if self._index_engine is None:
            self._index_engine = self._made(shard)
        return self._index_engine

    def _made(self, shard: str) -> Engine:
        pool = {"poolclass": QueuePool, "pool_size": 1} if shard == INDEX_SHARD_NAME else {"poolclass": NullPool}
        engine = create_engine(
            self.conn_string_for_shard(shard), connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}, **pool
        )
        listen(engine, "connect", _without_waiting)
        return engine

    def dispose(self) -> None:
        """Close the index."""
        super().dispose()
        if self._index_engine is not None:
            self._index_engine.dispose()
            self._index_engine = None
