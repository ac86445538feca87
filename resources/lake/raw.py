"""Raw bytes as they were fetched, addressed by their SHA-256, with a line for every fetch.

Put here: storing and returning bytes. Keep out: parsing them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl
import pyarrow as pa

from domain.beliefs import TIME
from domain.errors import InputError, LakeError
from domain.instants import iso, require_utc
from resources.lake.files import make_folder, sync_folder, write_atomically

_COMPRESSED: Final = (b"PK\x03\x04", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x89PNG")
"""First bytes of zip, gzip, zstd and PNG: compressing them again gains nothing."""

FETCHES: Final[dict[str, pl.DataType]] = {
    "fetched_at": TIME,
    "source": pl.String(),
    "name": pl.String(),
    "sha256": pl.String(),
    "size": pl.Int64(),
    "meta": pl.String(),
}
"""Columns of the fetch list; ``size`` in bytes, ``meta`` as JSON."""


@dataclass(frozen=True, slots=True)
class RawStore:
    """Bytes under ``raw/`` of a lake."""

    root: Path

    def put(self, content: bytes, *, source: str, name: str, fetched_at: datetime, meta: Mapping[str, str]) -> str:
        """Store ``content`` once, note the fetch, and return the content's SHA-256."""
        if not source or "/" in source:
            raise InputError(f"{source!r} is no source name; write a short word such as ercot_api")
        sha256 = hashlib.sha256(content).hexdigest()
        path = self._path(sha256, packed=not content.startswith(_COMPRESSED))
        if not path.exists():
            make_folder(path.parent)
            write_atomically(path, _packed(content) if path.suffix else content)
        moment = require_utc(fetched_at, what="fetched_at")
        line = {"fetched_at": iso(moment), "source": source, "name": name, "sha256": sha256, "size": len(content)}
        self._note(moment, {**line, "meta": dict(meta)})
        return sha256

    def get(self, sha256: str) -> bytes:
        """Return the bytes of that hash.

        Raises:
            LakeError: They are not here, or are no longer what the hash says.
        """
        for packed in (True, False):
            path = self._path(sha256, packed=packed)
            if path.exists():
                content = _unpacked(path) if packed else path.read_bytes()
                if hashlib.sha256(content).hexdigest() != sha256:
                    raise LakeError(f"{path} no longer holds what its name says; restore it from a backup")
                return content
        raise LakeError(f"no raw bytes {sha256} under {self.root}; retention may have removed them")

    def remove(self, sha256: str) -> bool:
        """Remove the bytes of that hash; return whether they were there."""
        paths = [path for packed in (True, False) if (path := self._path(sha256, packed=packed)).exists()]
        for path in paths:
            path.unlink()
        return bool(paths)

    def fetches(self, source: str | None = None) -> pl.DataFrame:
        """Return the fetches noted, oldest first."""
        lines = [line for path in sorted((self.root / "fetches").glob("*.jsonl")) for line in _lines(path)]
        rows = [
            {
                **{name: line[name] for name in ("source", "name", "sha256", "size")},
                "fetched_at": datetime.fromisoformat(line["fetched_at"]),
                "meta": orjson.dumps(line["meta"]).decode(),
            }
            for line in lines
            if source in (None, line["source"])
        ]
        return pl.DataFrame(rows, schema=FETCHES).sort("fetched_at", maintain_order=True)

    def _path(self, sha256: str, *, packed: bool) -> Path:
        return self.root / sha256[:2] / (f"{sha256}.zst" if packed else sha256)

    def _note(self, moment: datetime, line: Mapping[str, Any]) -> None:
        folder = self.root / "fetches"
        make_folder(folder)
        path = folder / f"{moment:%Y-%m}.jsonl"
        fresh = not path.exists()
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            # One write at the end of the file, so that writers do not mix; the newline in front keeps a line that a
            # power failure cut short from swallowing this one.
            os.write(descriptor, b"\n" + orjson.dumps(line) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if fresh:
            sync_folder(folder)


def _packed(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


def _unpacked(path: Path) -> bytes:
    with pa.OSFile(str(path)) as file, pa.CompressedInputStream(file, "zstd") as stream:
        return stream.read()


def _lines(path: Path) -> list[dict[str, Any]]:
    found = []
    for line in path.read_bytes().split(b"\n"):
        try:
            found.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            continue  # an empty line, or one that a power failure cut short: its fetch was never acknowledged
    return found
