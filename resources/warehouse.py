"""The warehouse: a DuckDB file of marts, built by dbt over the lake and swapped in by rename.

A build never touches the file that analysts have open: it writes a new one under another name and renames it onto
``warehouse/warehouse.duckdb`` when dbt and all its tests have passed. A session opened before keeps its file. The
lake's files of a build are hard links in ``warehouse/inputs-<stamp>/``, so that views over them stay readable when
the lake compacts and collects garbage. A build begins with a copy of the newest warehouse and makes the long marts
anew only for the days whose files came or went, unless the models or the series' rules have changed since.
Put here: staging the inputs, running dbt, the swap, the manifest for Dagster. Keep out: SQL (dbt_project/).
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

import duckdb
import orjson
import polars as pl

from domain.errors import InputError, LakeError
from domain.instants import require_utc
from resources.lake.upkeep import EXECUTIONS
from resources.warehouse_inputs import FILES_NAME, LakeFile, stage

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
        anew: Whether every mart is made from all of history.
    """

    path: Path
    inputs: Path
    target: Path
    anew: bool = True

    @property
    def arguments(self) -> list[str]:
        """What every dbt command of this build is given, to follow its name (``build``, ``test``)."""
        variables = orjson.dumps({"warehouse_path": str(self.path), "inputs": str(self.inputs)}).decode()
        return ["--vars", variables, *(["--full-refresh"] if self.anew else [])]


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
def fresh(
    home: Path, beliefs: Iterable[LakeFile], *, stamp: datetime, whole: bool = True, anew: bool = False
) -> Generator[Build]:
    """Yield a warehouse to build; swap it in when the block ends well, forget it when it raises.

    One build runs at a time; another waits for it.

    Args:
        home: Folder of everything a run writes.
        beliefs: The lake's live belief files.
        stamp: When the build starts [UTC]; names its inputs.
        whole: False where only some of the models will be built: the others are then carried over from the newest
            warehouse.
        anew: Make every mart from all of history, also where the newest warehouse could be carried on.
    """
    root = home / "warehouse"
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # The same name for every build: dbt parses all models again (a second or two) when a path it is given changes.
        work = root / ".building"
        _forget([work])  # of a build that was killed: we hold the lock, so it is not running
        built = None if anew else _built(root / NAME)
        one = Build(path=work / NAME, inputs=work / "inputs", target=work / "target", anew=built is None)
        try:
            stage(
                one.inputs,
                beliefs,
                plans=home / "plans",
                executions=home / "lake" / EXECUTIONS,
                outcomes=home / "lake" / "fleet_outcomes" / "days.parquet",
                series=SERIES,
                built=built,
            )
            _copy_if_there(root / PARSED, one.target / PARSED)
            if built is not None or not whole:
                _copy_if_there(root / NAME, one.path)
                _repoint(one.path, one.inputs)
            yield one
            if whole:  # what a part did not build must find the same changes again
                _remember(one)
            inputs = root / f"inputs-{require_utc(stamp, what='stamp'):%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}"
            _swap(one, inputs, root / NAME)
            _copy_if_there(one.target / PARSED, root / PARSED)
        finally:
            _forget([work])
        others = sorted(path for path in root.glob("inputs-*") if path != inputs)
        _forget(others[: max(0, len(others) + 1 - KEPT_INPUTS)])


def build(home: Path, beliefs: Iterable[LakeFile], *, stamp: datetime, anew: bool = False) -> Path:
    """Build the whole warehouse outside Dagster, tests included, and return its path.

    Args:
        home: Folder of everything a run writes.
        beliefs: The lake's live belief files.
        stamp: When the build starts [UTC].
        anew: As in `fresh`.

    Raises:
        LakeError: dbt failed, or a test of the data did; the warehouse stays as it was.
    """
    with fresh(home, beliefs, stamp=stamp, anew=anew) as one:
        _dbt("build", *one.arguments, target=one.target)
    return newest(home)


def document(folder: Path) -> Path:
    """Write what dbt knows of every model, column and unit as one page that needs no server, and return it.

    It is made from an empty warehouse: what a mart is does not depend on what is in it.

    Raises:
        LakeError: dbt failed.
    """
    with tempfile.TemporaryDirectory() as home, fresh(Path(home), [], stamp=datetime(2000, 1, 1, tzinfo=UTC)) as one:
        _dbt("build", *one.arguments, target=one.target)
        return page_of(one, folder)


def page_of(one: Build, folder: Path) -> Path:
    """Write the page about a warehouse that is built; it reads the warehouse's types and comments."""
    _dbt("docs", "generate", "--static", *one.arguments[:2], target=one.target)
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(one.target / "static_index.html", folder / "index.html"))


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


def _dbt(*command: str, target: Path) -> None:
    places = {"--project-dir": PROJECT, "--profiles-dir": PROJECT, "--target-path": target, "--log-path": target}
    options = [part for option, path in places.items() for part in (option, str(path))]
    done = subprocess.run(  # noqa: S603 - our own interpreter's dbt, our own arguments
        [dbt_executable(), *_QUIET, *command, *options],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise LakeError(
            f"dbt {command[0]} of {PROJECT} failed; the warehouse stays as it was: {' | '.join(said[-12:])}"
        )


def _built(path: Path) -> pl.DataFrame | None:
    """Return which files a warehouse was built from; None where its marts cannot be carried on."""
    if not path.exists():
        return None
    with duckdb.connect(str(path), read_only=True) as connection:
        try:
            made_by = connection.sql("select models from build.made_by").fetchall()
            files = connection.sql("select file, utc_day from build.files").pl()
        except duckdb.CatalogException:
            return None
    return files if made_by == [(_rules_hash(),)] else None


def _remember(one: Build) -> None:
    """Write into the warehouse which files it was built from, and by which models."""
    if not one.path.exists():
        return
    with duckdb.connect(str(one.path)) as connection:
        connection.execute("create schema if not exists build")
        files = (one.inputs / FILES_NAME).as_posix().replace("'", "''")
        connection.execute(f"create or replace table build.files as from read_parquet('{files}')")
        connection.execute(f"create or replace table build.made_by as select '{_rules_hash()}' as models")
        for table, what in (("files", "Files of the lake it holds, by UTC day of events"), ("made_by", "Its models")):
            connection.execute(f"comment on table build.{table} is '{what}'")


def _rules_hash() -> str:
    """Return a hash of all that decides what a mart makes of a belief."""
    return hashlib.sha256(_project_hash().encode() + SERIES.read_bytes()).hexdigest()[:16]


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
