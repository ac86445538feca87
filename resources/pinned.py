"""Configuration that a decision depends on, kept with the decision.

A plan is replayed with the plant as it was described then, not as the file reads today: the file's bytes go into the
lake's raw store, their hash into the manifest. Put here: pinning and unpinning. Keep out: what the files mean.
"""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import polars as pl

from domain.plant import Plant
from resources.lake import Lake
from resources.plant_files import load_plant


@dataclass(frozen=True, slots=True)
class PlantFile:
    """A plant and the bytes that describe it."""

    plant: Plant
    content: bytes = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> PlantFile:
        """Read a plant file.

        Raises:
            ConfigError: It cannot be read or breaks a rule.
        """
        return cls(load_plant(path), path.read_bytes())

    @classmethod
    def unpin(cls, lake: Lake, sha256: str) -> PlantFile:
        """Return the plant whose bytes have this hash."""
        content = lake.get_raw(sha256)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{sha256[:12]}.toml"
            path.write_bytes(content)
            return cls.read(path)

    def pin(self, lake: Lake, now: datetime) -> str:
        """Keep the bytes and return their hash."""
        return lake.put_raw(self.content, source="config", name="plant", fetched_at=now)


def pin_frame(lake: Lake, frame: pl.DataFrame, *, name: str, now: datetime) -> str:
    """Keep a frame as Parquet and return the hash of its bytes."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return lake.put_raw(buffer.getvalue(), source="config", name=name, fetched_at=now)


def unpin_frame(lake: Lake, sha256: str) -> pl.DataFrame:
    """Return the frame whose Parquet bytes have this hash."""
    return pl.read_parquet(io.BytesIO(lake.get_raw(sha256)))
