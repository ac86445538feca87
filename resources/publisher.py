"""Publication: immutable versions of a schedule, and the one pointer consumers follow.

A version is ``plans/<plan>/<as_of>/v<N>/`` with ``schedule.parquet``, ``schedule.json`` and ``manifest.json``; it is
complete the moment it exists, because the folder is renamed into place. ``current.json`` is replaced atomically.
Put here: writing and reading those. Keep out: deciding what is worth publishing (assets, domain).
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import orjson
import polars as pl

from domain.errors import InputError, LakeError
from domain.instants import iso, parse_instant, require_utc

SCHEMA_VERSION: Final = 1
_MANIFEST: Final = "manifest.json"
_POINTER: Final = "current.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One stored version of a schedule.

    Attributes:
        plan: Which plan, such as ``reservoir``.
        as_of: The instant of the decision [UTC].
        number: 1, 2, ...
        folder: Where its files are.
        manifest: What ``manifest.json`` says.
    """

    plan: str
    as_of: datetime
    number: int
    folder: Path
    manifest: Mapping[str, Any]

    @property
    def schedule_id(self) -> str:
        """The id that files, ledger and messages share."""
        return self.manifest["schedule_id"]

    @property
    def manifest_sha256(self) -> str:
        """Hash of the manifest's bytes."""
        return _sha256((self.folder / _MANIFEST).read_bytes())

    def schedule(self) -> pl.DataFrame:
        """Return the schedule.

        Raises:
            LakeError: A file differs from the hash in the manifest.
        """
        for name, expected in self.manifest["files"].items():
            found = _sha256((self.folder / name).read_bytes())
            if found != expected:
                raise LakeError(f"{self.folder / name} has sha256 {found}, its manifest says {expected}: publish anew")
        return pl.read_parquet(self.folder / "schedule.parquet")


class Publisher:
    """The folder of published schedules."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def store(
        self,
        plan: str,
        as_of: datetime,
        schedule: pl.DataFrame,
        facts: Mapping[str, Any],
        *,
        inputs: Mapping[str, pl.DataFrame] | None = None,
    ) -> Version:
        """Store a schedule as the next version of its instant; nothing points at it yet.

        The same schedule with the same facts as the newest version is that version: re-running a decision does not
        multiply it.

        Args:
            plan: Which plan.
            as_of: The instant of the decision [UTC].
            schedule: One row an interval (and device), in final order.
            facts: What the manifest adds: mode, cutoffs, input fingerprint, code version, solver, status, objective,
                bound, gap. JSON-ready.
            inputs: File name -> frame the decision was made from, kept beside the schedule.
        """
        as_of = require_utc(as_of, what="as_of")
        files = {"schedule.parquet": _parquet(schedule), "schedule.json": _json(schedule)}
        files |= {name: _parquet(frame) for name, frame in (inputs or {}).items()}
        newest = self.newest(plan, as_of)
        content = {
            "schema_version": SCHEMA_VERSION,
            "plan": plan,
            "schedule_id": f"{plan}-{as_of:%Y%m%dT%H%MZ}",
            "as_of": iso(as_of),
            **facts,
            "files": {name: _sha256(data) for name, data in files.items()},
        }
        if newest is not None and _same_decision(newest.manifest, content):
            return newest
        number = 1 if newest is None else newest.number + 1
        return self._write(plan, as_of, number, files, content)

    def _write(
        self, plan: str, as_of: datetime, number: int, files: Mapping[str, bytes], content: dict[str, Any]
    ) -> Version:
        home = self._root / plan / _folder_name(as_of)
        home.mkdir(parents=True, exist_ok=True)
        manifest = {"version": number, **content}
        temporary = home / f".v{number}-{uuid4().hex}"
        temporary.mkdir()
        try:
            for name, data in files.items() | {(_MANIFEST, _pretty(manifest))}:
                _write_durably(temporary / name, data)
            _sync_folder(temporary)
            # Renaming onto a non-empty folder fails: two writers of one version cannot both win.
            temporary.rename(home / f"v{number}")
        except OSError:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        _sync_folder(home)
        return Version(plan=plan, as_of=as_of, number=number, folder=home / f"v{number}", manifest=manifest)

    def publish(self, version: Version, *, published_at: datetime) -> None:
        """Make ``version`` the one consumers read, unless a newer decision already is.

        Raises:
            LakeError: A file of the version differs from its manifest.
        """
        version.schedule()
        current = self.current(version.plan)
        if current is not None and (current.as_of, current.number) > (version.as_of, version.number):
            return
        pointer = {
            "schema_version": SCHEMA_VERSION,
            "plan": version.plan,
            "schedule_id": version.schedule_id,
            "version": version.number,
            "as_of": iso(version.as_of),
            "folder": str(version.folder.relative_to(self._root / version.plan)),
            "manifest_sha256": version.manifest_sha256,
            "published_at": iso(published_at),
            "status": version.manifest.get("status"),
            "stale_since": version.manifest.get("stale_since"),
        }
        target = self._root / version.plan / _POINTER
        temporary = target.with_name(f".{_POINTER}-{uuid4().hex}")
        _write_durably(temporary, _pretty(pointer))
        temporary.replace(target)
        _sync_folder(target.parent)

    def newest(self, plan: str, as_of: datetime) -> Version | None:
        """Return the newest stored version of an instant, published or not."""
        home = self._root / plan / _folder_name(as_of)
        numbers = sorted(int(folder.name[1:]) for folder in home.glob("v*")) if home.is_dir() else []
        return self._read(plan, as_of, numbers[-1]) if numbers else None

    def current(self, plan: str) -> Version | None:
        """Return the version that consumers read now, or None before the first publication."""
        target = self._root / plan / _POINTER
        if not target.is_file():
            return None
        pointer = orjson.loads(target.read_bytes())
        return self._read(plan, parse_instant(pointer["as_of"], what=str(target)), pointer["version"])

    def get(self, plan: str, as_of: datetime, *, version: int | None = None) -> Version:
        """Return one version, the newest of the instant where ``version`` is None.

        Raises:
            InputError: There is none; the message names those there are.
        """
        newest = self.newest(plan, as_of)
        if newest is None:
            folder = self._root / plan
            known = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
            raise InputError(
                f"no {plan} plan as of {iso(as_of)}; "
                + (f"the newest are {', '.join(known[-5:])}" if known else "none has been made yet: make run")
            )
        return newest if version is None else self._read(plan, as_of, version)

    def _read(self, plan: str, as_of: datetime, number: int) -> Version:
        folder = self._root / plan / _folder_name(as_of) / f"v{number}"
        try:
            manifest = orjson.loads((folder / _MANIFEST).read_bytes())
        except FileNotFoundError:
            raise InputError(f"no version {number} of the {plan} plan as of {iso(as_of)}") from None
        return Version(plan=plan, as_of=as_of, number=number, folder=folder, manifest=manifest)


def _same_decision(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    # Two runs of one decision pin different recorded cutoffs; what they read and what they decided counts.
    names = ("files", "mode", "input_sha256", "code_version", "status", "fallback", "run")
    return all(old.get(name) == new.get(name) for name in names)


def _folder_name(as_of: datetime) -> str:
    return f"{require_utc(as_of, what='as_of'):%Y-%m-%dT%H%MZ}"


def _parquet(schedule: pl.DataFrame) -> bytes:
    return _bytes_of(schedule.write_parquet, compression="zstd")


def _json(schedule: pl.DataFrame) -> bytes:
    times = [name for name, dtype in schedule.schema.items() if isinstance(dtype, pl.Datetime)]
    return _bytes_of(schedule.with_columns(pl.col(times).dt.strftime("%Y-%m-%dT%H:%M:%SZ")).write_json)


def _bytes_of(write: Any, **options: Any) -> bytes:  # noqa: ANN401 - polars' two writers share no type
    buffer = io.BytesIO()
    write(buffer, **options)
    return buffer.getvalue()


def _pretty(content: Mapping[str, Any]) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
