"""Retention: how long each dataset is kept, from ``config/lake.toml``.

Put here: the rules, what they remove of the raw bytes, and what a decision holds. Keep out: files that a compaction
replaced (upkeep.py).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl

from domain.errors import ConfigError
from resources.lake.raw import RawStore

_FOR_EVER: Final = ("beliefs", "coverage", "plans", "execution_log")
_SPANS: Final = {"raw_days": timedelta(days=1), "replaced_h": timedelta(hours=1)}
_SHA256: Final = re.compile(r"\b[0-9a-f]{64}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what is kept.

    Attributes:
        raw: Bytes as fetched, from their last fetch.
        replaced: Files that a compaction replaced, from then on.
    """

    raw: timedelta
    replaced: timedelta

    @classmethod
    def read(cls, path: Path) -> Retention:
        """Read ``[retention]`` of a configuration file.

        Raises:
            ConfigError: The file or a rule cannot be read, or would thin what must be kept.
        """
        try:
            rules = tomllib.loads(path.read_text())["retention"]
        except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
            raise ConfigError(f"{path} has no readable [retention]: {error}") from None
        unknown = set(rules) - {*_FOR_EVER, *_SPANS}
        if unknown:
            raise ConfigError(f"{path} has unknown rule(s) {', '.join(sorted(unknown))}; known: {_known()}")
        for name in _FOR_EVER:
            if rules.get(name) != "forever":
                raise ConfigError(f'{path}: {name} = {rules.get(name)!r}; it must be "forever": decisions refer to it')
        return cls(raw=_span(path, rules, "raw_days"), replaced=_span(path, rules, "replaced_h"))


def retire_raw(store: RawStore, *, keep: timedelta, pinned: Collection[str], now: datetime) -> int:
    """Remove bytes whose last fetch is longer ago than ``keep``, and return how many.

    Fetches stay listed. What is in ``pinned`` stays, however old.
    """
    last = store.fetches().group_by("sha256").agg(pl.col("fetched_at").max())
    old = last.filter(pl.col("fetched_at") < now - keep)["sha256"]
    return sum(store.remove(sha256) for sha256 in old if sha256 not in pinned)


def pinned_by(plans: Path) -> set[str]:
    """Return every hash that the manifest of a stored plan names: bytes without which it cannot be replayed.

    A manifest names other hashes too, such as those of its own files; holding more than it takes does no harm.

    Args:
        plans: The folder of published plans; it may be absent.
    """
    texts = (path.read_text(encoding="utf-8") for path in plans.glob("*/*/v*/manifest.json"))
    return {sha256 for text in texts for sha256 in _SHA256.findall(text)}


def _span(path: Path, rules: dict[str, Any], name: str) -> timedelta:
    number = rules.get(name)
    if not isinstance(number, int | float) or isinstance(number, bool) or number < 0:
        raise ConfigError(f"{path}: {name} = {number!r}; it must be a number, 0 or more")
    return number * _SPANS[name]


def _known() -> str:
    return ", ".join([*_FOR_EVER, *_SPANS])
