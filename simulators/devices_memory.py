"""What devices keep through a reboot: their schedule, and what they did that nobody has confirmed.

One SQLite file for all devices of a process, where each real one has its own. Put here: that file. Keep out: devices.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS schedules (device_id TEXT PRIMARY KEY, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS accepted (device_id TEXT, schedule_id TEXT, version INTEGER, elapsed_s REAL);
CREATE TABLE IF NOT EXISTS unconfirmed (
    device_id TEXT, schedule_id TEXT, version INTEGER, interval_start TEXT, payload BLOB NOT NULL,
    PRIMARY KEY (device_id, schedule_id, version, interval_start)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS executed (
    device_id TEXT, schedule_id TEXT, version INTEGER, interval_start TEXT, status TEXT, actual_rate_kw REAL,
    soc_kwh REAL);
"""

_SCHEDULE: Final = "INSERT OR REPLACE INTO schedules VALUES (?, ?)"
_ACCEPTED: Final = "INSERT INTO accepted VALUES (?, ?, ?, ?)"
_KEEP: Final = "INSERT OR REPLACE INTO unconfirmed VALUES (?, ?, ?, ?, ?)"
_EXECUTED: Final = "INSERT INTO executed VALUES (?, ?, ?, ?, ?, ?, ?)"
_DROP: Final = "DELETE FROM unconfirmed WHERE device_id = ? AND schedule_id = ? AND version = ? AND interval_start = ?"
_STATEMENTS: Final = (_SCHEDULE, _ACCEPTED, _KEEP, _EXECUTED, _DROP)


class Memory:
    """The devices' disks. Writes are gathered until `flush`.

    Args:
        path: The file; what it holds from before is remembered.
    """

    def __init__(self, path: Path) -> None:
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=OFF")  # a device's flash is its own affair; this is a test's folder
        self._file.executescript(_TABLES)
        self._waiting: dict[str, list[tuple[Any, ...]]] = {statement: [] for statement in _STATEMENTS}

    def keep_schedule(self, device_id: str, payload: bytes, name: tuple[str, int], elapsed_s: float) -> None:
        """Replace a device's schedule; note when it came, on the machine's monotonic clock [s]."""
        self._waiting[_SCHEDULE].append((device_id, payload))
        self._waiting[_ACCEPTED].append((device_id, *name, elapsed_s))

    def keep_ack(self, key: tuple[str, str, int, str], payload: bytes) -> None:
        """Keep an acknowledgement until it is confirmed."""
        self._waiting[_KEEP].append((*key, payload))

    def drop_ack(self, key: tuple[str, str, int, str]) -> None:
        """Forget a confirmed acknowledgement."""
        self._waiting[_DROP].append(key)

    def note_executed(self, key: tuple[str, str, int, str], status: str, rate_kw: float, soc_kwh: float) -> None:
        """Write down what was really done: the truth that a test compares the platform's log with."""
        self._waiting[_EXECUTED].append((*key, status, rate_kw, soc_kwh))

    def flush(self) -> None:
        """Write what is waiting, in one transaction."""
        if not any(self._waiting.values()):
            return
        self._file.execute("BEGIN")
        # What is dropped was kept before, perhaps in this very transaction.
        for statement, rows in self._waiting.items():
            self._file.executemany(statement, rows)
            rows.clear()
        self._file.execute("COMMIT")

    def schedule(self, device_id: str) -> bytes | None:
        """Return a device's schedule as it came."""
        self.flush()
        row = self._file.execute("SELECT payload FROM schedules WHERE device_id = ?", (device_id,)).fetchone()
        return None if row is None else row[0]

    def unconfirmed(self, device_id: str) -> dict[tuple[str, str, int, str], bytes]:
        """Return a device's unconfirmed acknowledgements, oldest first."""
        self.flush()
        query = "SELECT schedule_id, version, interval_start, payload FROM unconfirmed WHERE device_id = ? ORDER BY 3"
        return {(device_id, *row[:3]): row[3] for row in self._file.execute(query, (device_id,))}

    def close(self) -> None:
        """Write what is waiting and close the file."""
        self.flush()
        self._file.close()
