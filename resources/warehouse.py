"""The warehouse: a DuckDB file of marts, built by dbt over the lake and swapped in by rename.

A build never touches the file that analysts have open: it writes a new one under another name and renames it onto
``warehouse/warehouse.duckdb`` when dbt and all its tests have passed. A session opened before keeps its file. The
lake's files of a build are hard links in ``warehouse/inputs-<stamp>/``, so that views over them stay readable when
the lake compacts and collects garbage.
Put here: staging the inputs, running dbt, the swap, the manifest for Dagster. Keep out: SQL (dbt_project/).
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

import duckdb
import orjson

from domain.errors import InputError, LakeError
from domain.instants import require_utc
from resources.warehouse_inputs import LakeFile, stage

PROJECT: Final = Path(__file__).resolve().parent.parent / "dbt_project"
"""The dbt project, its profile included."""

SERIES: Final = PROJECT.parent / "config" / "series.toml"
"""Which vendor series the marts take a planning series from."""

NAME: Final = "warehouse.duckdb"
KEPT_INPUTS: Final = 3
"""Builds whose inputs stay: the newest and those an open session may still read through a view."""

PARSED: Final = "partial_parse.msgpack"
"""What dbt remembers of the parsed project from one build to the next."""

_INPUTS: Final = re.compile(r"'[^']*/(?:\.building/inputs|inputs-[^/']+)/")
_QUIET: Final = ("--no-use-colors", "--no-send-anonymous-usage-stats", "--no-version-check")


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A warehouse being built.

    Attributes:
        path: The DuckDB file that dbt writes.
        inputs: The folder its sources read.
        target: Folder for dbt's artifacts and logs of this build.
    """

    path: Path
    inputs: Path
    target: Path

    @property
    def arguments(self) -> list[str]:
        """What every dbt command of this build is given, to follow its name (``build``, ``test``)."""
        variables = orjson.dumps({"warehouse_path": str(self.path), "inputs": str(self.inputs)}).decode()
        return ["--vars", variables]


def newest(home: Path) -> Path:
    """Return the newest warehouse.

    Raises:
        InputError: None has been built under ``home``.
    """
    path = home / "warehouse" / NAME
    if not path.exists():
        raise InputError(f"no warehouse at {path}; materialize the marts, or run tailrace run once")
    return path


@contextmanager
def fresh(home: Path, beliefs: Iterable[LakeFile], *, stamp: datetime, whole: bool = True) -> Generator[Build]:
    """Yield a warehouse to build; swap it in when the block ends well, forget it when it raises.

    One build runs at a time; another waits for it.

    Args:
        home: Folder of everything a run writes.
        beliefs: The lake's live belief files.
        stamp: When the build starts [UTC]; names its inputs.
        whole: False where only some of the models will be built: the others are then carried over from the newest
            warehouse.
    """
    root = home / "warehouse"
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # The same name for every build: dbt parses all models again (a second or two) when a path it is given changes.
        work = root / ".building"
        _forget([work])  # of a build that was killed: we hold the lock, so it is not running
        one = Build(path=work / NAME, inputs=work / "inputs", target=work / "target")
        try:
            stage(one.inputs, beliefs, plans=home / "plans", series=SERIES)
            _copy_if_there(root / PARSED, one.target / PARSED)
            if not whole:
                _copy_if_there(root / NAME, one.path)
                _repoint(one.path, one.inputs)
            yield one
            inputs = root / f"inputs-{require_utc(stamp, what='stamp'):%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}"
            _swap(one, inputs, root / NAME)
            _copy_if_there(one.target / PARSED, root / PARSED)
        finally:
            _forget([work])
        others = sorted(path for path in root.glob("inputs-*") if path != inputs)
        _forget(others[: max(0, len(others) + 1 - KEPT_INPUTS)])


def build(home: Path, beliefs: Iterable[LakeFile], *, stamp: datetime) -> Path:
    """Build the whole warehouse outside Dagster, tests included, and return its path.

    Raises:
        LakeError: dbt failed, or a test of the data did; the warehouse stays as it was.
    """
    with fresh(home, beliefs, stamp=stamp) as one:
        _dbt("build", *one.arguments, target=one.target)
    return newest(home)


def manifest(cache: Path = PROJECT / "target") -> Path:
    """Return dbt's manifest of the project as it stands, parsed once for each state of its files.

    Args:
        cache: Where manifests are kept, each under the hash of the project it describes.

    Raises:
        LakeError: The project cannot be parsed.
    """
    found = cache / f"manifest-{_project_hash()}"
    if not (found / "manifest.json").exists():
        cache.mkdir(parents=True, exist_ok=True)
        work = cache / f".parsing-{uuid4().hex}"
        try:
            _dbt("parse", target=work)
            if not (found / "manifest.json").exists():
                found.mkdir(exist_ok=True)
                (work / "manifest.json").replace(found / "manifest.json")
        finally:
            _forget([work])
        _forget(path for path in cache.glob("manifest-*") if path != found)
    return found / "manifest.json"


def dbt_executable() -> Path:
    """Return the dbt that belongs to this Python; PATH may name another, or none."""
    return Path(sys.executable).with_name("dbt")


def _dbt(command: str, *arguments: str, target: Path) -> None:
    places = {"--project-dir": PROJECT, "--profiles-dir": PROJECT, "--target-path": target, "--log-path": target}
    options = [part for option, path in places.items() for part in (option, str(path))]
    done = subprocess.run(  # noqa: S603 - our own interpreter's dbt, our own arguments
        [dbt_executable(), *_QUIET, command, *options, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise LakeError(f"dbt {command} of {PROJECT} failed; the warehouse stays as it was: {' | '.join(said[-12:])}")


def _swap(one: Build, inputs: Path, onto: Path) -> None:
    """Give the inputs their lasting name and the warehouse its place."""
    if not one.path.exists():
        raise LakeError(f"dbt left no file {one.path}: nothing was built")
    one.inputs.rename(inputs)
    _repoint(one.path, inputs)
    one.path.replace(onto)


def _repoint(path: Path, inputs: Path) -> None:
    """Make the staging views of a warehouse read ``inputs``, whichever folder they read before."""
    if not path.exists():
        return
    with duckdb.connect(str(path)) as connection:
        views = connection.sql(
            "select view_name, sql, comment from duckdb_views() where schema_name = 'staging'"
        ).fetchall()
        columns = connection.sql(
            "select table_name, column_name, comment from duckdb_columns() where schema_name = 'staging'"
            " and comment is not null"
        ).fetchall()
        for view, statement, comment in views:
            moved = _INPUTS.sub(f"'{inputs}/", statement)
            connection.execute(moved.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1))
            if comment:  # a replaced view has lost what it was documented with
                connection.execute(f"comment on view staging.{view} is {_quoted(comment)}")
        for view, column, comment in columns:
            connection.execute(f'comment on column staging.{view}."{column}" is {_quoted(comment)}')
        connection.execute("checkpoint")  # everything into the file: a write-ahead log would stay behind


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _copy_if_there(path: Path, to: Path) -> None:
    if path.exists():
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to)


def _project_hash() -> str:
    digest = hashlib.sha256()
    for path in sorted(PROJECT.rglob("*")):
        part = path.relative_to(PROJECT)
        if (
            path.suffix in {".sql", ".yml"}
            and part.parts[0] not in {"target", "logs"}
            and not path.name.startswith(".")
        ):
            digest.update(f"{part.as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _forget(paths: Iterable[Path] | Sequence[Path]) -> None:
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)
