"""Pages of an answer: where the last one ended, and what was stored when the first was read.

Put here: the mark between two pages. Keep out: reading (reading.py).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import orjson
import polars as pl

from domain.beliefs import TIME, Cutoffs
from domain.errors import InputError
from resources.lake.files import micros, moment_of
from resources.lake.request import Request

_ORDER: Final = ("series_id", "event_start", "source", "scenario", "member", "quantile")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some rows of an answer.

    Attributes:
        rows: Columns and order of an as-of answer.
        after: The mark to hand in for the next page; None where this one is the last.
    """

    rows: pl.DataFrame
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in an answer.

    Attributes:
        recorded_before: Recorded cutoff of all pages [UTC].
        last: Sort key of the last row handed out; empty at the beginning.
    """

    recorded_before: datetime
    last: tuple[Any, ...] = ()

    @classmethod
    def begin(cls, cutoffs: Cutoffs, pin: datetime) -> Place:
        """Return the beginning of an answer over what is stored now."""
        asked = cutoffs.recorded_before
        return cls(recorded_before=pin if asked is None else asked)

    @classmethod
    def read(cls, mark: str) -> Place:
        """Read a mark."""
        try:
            before, *last = orjson.loads(base64.urlsafe_b64decode(mark))
            last[1] = moment_of(last[1])
            return cls(recorded_before=moment_of(before), last=tuple(last))
        except (binascii.Error, ValueError, TypeError, IndexError) as error:
            raise InputError(
                f"{mark!r} is not the mark of a page ({error}); hand in the one that came with it"
            ) from None

    def held(self, cutoffs: Cutoffs) -> Cutoffs:
        """Return the cutoffs with the recorded one pinned."""
        return replace(cutoffs, recorded_before=self.recorded_before)

    def onward(self, request: Request) -> Request:
        """Return the request without the series before this place."""
        return replace(request, series_from=self.last[0]) if self.last else request

    def cut(self, answer: pl.DataFrame, limit: int) -> Page:
        """Return the rows after this place, at most ``limit``."""
        if limit < 1:
            raise InputError(f"a page of {limit} rows holds nothing; ask for 1 or more")
        rest = answer.filter(_follows(self.last)) if self.last else answer
        rows = rest.head(limit)
        return Page(rows=rows, after=self._mark(rows.row(-1, named=True)) if rest.height > limit else None)

    def _mark(self, row: dict[str, Any]) -> str:
        key = [micros(row[name]) if name == "event_start" else row[name] for name in _ORDER]
        return base64.urlsafe_b64encode(orjson.dumps([micros(self.recorded_before), *key])).decode()


def _follows(last: tuple[Any, ...]) -> pl.Expr:
    """Return True on rows after a sort key; null comes before every value, as in the answer."""
    later, same = pl.lit(False), pl.lit(True)
    for name, value in zip(_ORDER, last, strict=True):
        column = pl.col(name)
        bound = pl.lit(value, TIME) if isinstance(value, datetime) else pl.lit(value)
        above = column.is_not_null() if value is None else column.is_not_null() & (column > bound)
        later |= same & above
        same &= column.is_null() if value is None else column.eq_missing(bound)
    return later
