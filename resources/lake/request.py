"""Requests: what a read may see, as tests on files and on rows.

Put here: which series, events, beliefs and cutoffs a read names. Keep out: opening files (reading.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

import polars as pl

from domain.beliefs import TIME, Cutoffs, cutoff_by_source
from domain.errors import InputError
from domain.instants import require_utc
from resources.lake.files import Entry, micros, moment_of

_WILD: Final = re.compile(r"[*?]")


@dataclass(frozen=True)
class Series:
    """Which series: ids, or globs in which ``*`` stands for any text and ``?`` for one character.

    Attributes:
        patterns: Ids and globs; any of them may match.
        literal: True where all are ids, whatever characters they hold.
    """

    patterns: tuple[str, ...]
    literal: bool = False

    @classmethod
    def of(cls, pattern: str | Sequence[str]) -> Series:
        """Read one pattern or several."""
        patterns = (pattern,) if isinstance(pattern, str) else tuple(dict.fromkeys(pattern))
        if not all(patterns):
            raise InputError("a series pattern is empty; name a series, or write * for all")
        return cls(patterns)

    @cached_property
    def ids(self) -> list[str]:
        """The patterns without wildcards."""
        return [text for text in self.patterns if not self._is_glob(text)]

    @cached_property
    def expression(self) -> pl.Expr | None:
        """Return what rows must satisfy; None where every series is asked for."""
        if "*" in self.patterns:
            return None
        globs = [text for text in self.patterns if self._is_glob(text)]
        tests = [_glob(text) for text in globs]
        if len(self.ids) == 1:
            tests.append(pl.col("series_id") == self.ids[0])
        elif self.ids:
            tests.append(pl.col("series_id").is_in(self.ids))
        return tests[0] if len(tests) == 1 else pl.any_horizontal(*tests) if tests else pl.lit(False)

    def may_be_in(self, entry: Entry) -> bool:
        """Return False where no matching series lies between the file's first and last."""
        return any(
            _prefix(text) <= entry.series_max and entry.series_min <= _prefix(text) + "\U0010ffff"
            if self._is_glob(text)
            else entry.series_min <= text <= entry.series_max
            for text in self.patterns
        )

    def share_of(self, entry: Entry) -> float:
        """Return what part of a file's rows is expected to match, at most."""
        if len(self.ids) < len(self.patterns) or not entry.voices:
            return 1.0
        return min(1.0, len(self.ids) / entry.voices)

    def _is_glob(self, text: str) -> bool:
        return not self.literal and _WILD.search(text) is not None


def _prefix(pattern: str) -> str:
    return _WILD.split(pattern, maxsplit=1)[0]


def _glob(pattern: str) -> pl.Expr:
    series, head = pl.col("series_id"), _prefix(pattern)
    if pattern == head + "*":
        return series.str.starts_with(head)
    body = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return series.str.starts_with(head) & series.str.contains(f"^(?s:{body})$")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a read may see.

    Attributes:
        series: Which series.
        start: First instant of the events [UTC].
        end: End of the window, exclusive [UTC].
        belief_max: Newest belief_time for sources not in ``belief_max_of``; None leaves it free.
        belief_max_of: Newest belief_time by source.
        belief_min: Oldest belief_time that matters; None leaves it free. Only for reads that want every revision.
        belief_among: The only belief times that matter; None means any.
        recorded_max: Newest recorded_at; None leaves it free.
        scenarios: Only these; None means all.
        sources: Only these; None means all.
        series_from: Only series at or after this one in order; None means all.
        series_until: Only series at or before this one in order; None means all.
        narrow: A last test of rows, for rules that are no constant.
    """

    series: Series
    start: datetime
    end: datetime
    belief_max: datetime | None = None
    belief_max_of: Mapping[str, datetime] = field(default_factory=dict)
    belief_min: datetime | None = None
    belief_among: pl.Series | None = None
    recorded_max: datetime | None = None
    scenarios: tuple[str, ...] | None = None
    sources: tuple[str, ...] | None = None
    series_from: str | None = None
    series_until: str | None = None
    narrow: pl.Expr | None = None

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            object.__setattr__(self, name, require_utc(getattr(self, name), what=name))
        if self.end < self.start:
            raise InputError(f"the window ends at {self.end} before it starts at {self.start}; swap --start and --end")

    def within(self, cutoffs: Cutoffs, latency: Mapping[str, timedelta]) -> Request:
        """Return the request held to cutoffs."""
        return replace(
            self,
            belief_max=cutoffs.at,
            belief_max_of=cutoff_by_source(cutoffs, latency),
            recorded_max=cutoffs.recorded_before,
        )

    def needs(self, entry: Entry) -> bool:
        """Return False where the file cannot hold a row of the answer."""
        return (
            entry.event_min < micros(self.end)
            and entry.event_max >= micros(self.start)
            and (not self._limits or entry.belief_min <= max(self._limits))
            and (self.belief_min is None or entry.belief_max >= micros(self.belief_min))
            and (self.recorded_max is None or entry.recorded_min <= micros(self.recorded_max))
            and (self.series_from is None or entry.series_max >= self.series_from)
            and (self.series_until is None or entry.series_min <= self.series_until)
            and self.series.may_be_in(entry)
        )

    def cuts(self, entry: Entry) -> bool:
        """Return whether a cutoff may exclude rows of the file that are of the events and series asked for."""
        return (
            (bool(self._limits) and entry.belief_max > min(self._limits))
            or (self.belief_min is not None and entry.belief_min < micros(self.belief_min))
            or (self.recorded_max is not None and entry.recorded_max > micros(self.recorded_max))
            or self.belief_among is not None
            or self.narrow is not None
        )

    def filters(self, entries: Sequence[Entry], *, cut: bool) -> list[pl.Expr]:
        """Return what rows of these files must still satisfy; with ``cut``, the cutoffs too."""
        tests: list[pl.Expr] = []
        event = pl.col("event_start")
        if min(entry.event_min for entry in entries) < micros(self.start):
            tests.append(event >= pl.lit(self.start, TIME))
        if max(entry.event_max for entry in entries) >= micros(self.end):
            tests.append(event < pl.lit(self.end, TIME))
        if self.series.expression is not None:
            tests.append(self.series.expression)
        if self.series_from is not None:
            tests.append(pl.col("series_id") >= self.series_from)
        if self.series_until is not None:
            tests.append(pl.col("series_id") <= self.series_until)
        for name, chosen in (("scenario", self.scenarios), ("source", self.sources)):
            if chosen is not None:
                tests.append(pl.col(name).is_in(list(chosen)))
        return tests + self._cutoffs(entries) if cut else tests

    @cached_property
    def _limits(self) -> list[int]:
        """Newest belief times of all sources [microseconds since 1970]."""
        return [] if self.belief_max is None else [*map(micros, (self.belief_max, *self.belief_max_of.values()))]

    def _cutoffs(self, entries: Sequence[Entry]) -> list[pl.Expr]:
        tests: list[pl.Expr] = []
        belief = pl.col("belief_time")
        if self.belief_max is not None and max(entry.belief_max for entry in entries) > min(self._limits):
            # The constant lets the reader skip row groups; the second test is exact for every source.
            tests.append(belief <= pl.lit(moment_of(max(self._limits)), TIME))
            if self.belief_max_of:
                limit = pl.lit(self.belief_max, TIME)
                for source, moment in self.belief_max_of.items():
                    limit = pl.when(pl.col("source") == source).then(pl.lit(moment, TIME)).otherwise(limit)
                tests.append(belief <= limit)
        if self.belief_min is not None:
            tests.append(belief >= pl.lit(self.belief_min, TIME))
        if self.belief_among is not None:
            tests.append(belief.is_in(self.belief_among.implode()))
        if self.recorded_max is not None and max(entry.recorded_max for entry in entries) > micros(self.recorded_max):
            tests.append(pl.col("recorded_at") <= pl.lit(self.recorded_max, TIME))
        return tests
