"""Rows and lakes that several tests here build on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from domain.beliefs import Cutoffs, Mode
from resources.clock import ManualClock
from resources.lake import Lake

DAY = datetime(2026, 11, 21, tzinfo=UTC)
NEXT = DAY + timedelta(days=1)


def hour(number: float) -> datetime:
    """Return an instant of the day the tests are about."""
    return DAY + timedelta(hours=number)


def belief(value: float | None, stated: float, **other: Any) -> dict[str, Any]:  # noqa: ANN401 - a cell of any type
    """Return a canonical row about 23:00, stated at an hour of the day."""
    return {
        "series_id": "grid1:node1",
        "event_start": hour(23),
        "belief_time": hour(stated),
        "value": value,
        "unit": "kW",
        "source": "operator",
        **other,
    }


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return rows as a frame."""
    return pl.DataFrame(list(rows), infer_schema_length=None)


class World:
    """A lake over a folder and a clock one can move; it starts at noon."""

    def __init__(self, folder: Path, **options: Any) -> None:  # noqa: ANN401 - what Lake takes
        self.clock = ManualClock(hour(12))
        self.lake = Lake(folder / "lake", now=self.clock.now, **options)

    def append(self, *rows: dict[str, Any], **options: Any) -> int:  # noqa: ANN401 - what append takes
        """Append rows and return how many were new."""
        return self.lake.append(frame(*rows), **{"run_id": "run", "product": "load", **options}).rows_added

    def published(self, at: float, pattern: str = "*", **options: Any) -> list[float | None]:  # noqa: ANN401
        """Return the values believed at an hour of the day, as published."""
        cutoffs = Cutoffs(at=hour(at), mode=Mode.PUBLISHED)
        return self.lake.as_of(pattern, start=DAY, end=NEXT, cutoffs=cutoffs, **options)["value"].to_list()

    def seen(self, at: float) -> list[float | None]:
        """Return the values we had stored at an hour of the day."""
        cutoffs = Cutoffs(at=hour(at), mode=Mode.SEEN)
        return self.lake.as_of("*", start=DAY, end=NEXT, cutoffs=cutoffs)["value"].to_list()
