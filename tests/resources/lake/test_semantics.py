"""The lake against the slow obvious reference, over histories that hypothesis makes up."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from domain.beliefs import CANONICAL, Cutoffs, Mode
from resources.clock import ManualClock
from resources.lake import Lake, files
from tests.resources.lake.reference import Reference, Row

# 06:00Z and 07:00Z are the two 01:00 of the autumn night in Chicago; the third event is in the next month's file.
EVENTS = [datetime(2026, 10, 31, 23, tzinfo=UTC), *(datetime(2026, 11, 1, hour, tzinfo=UTC) for hour in (6, 7))]
MORNING = datetime(2026, 11, 1, 9, tzinfo=UTC)
# The last is of a source whose clock runs three minutes ahead of ours.
BELIEFS = [*(datetime(2026, 11, 1, hour, tzinfo=UTC) for hour in (0, 2, 4)), MORNING + timedelta(minutes=3)]
LATENCY = {"slow": timedelta(hours=1)}
VALUES = st.sampled_from([1.0, 2.0, -3.5])


@pytest.fixture(autouse=True, scope="module")
def _newest_rows_repeated() -> Iterator[None]:
    """Repeat the newest rows beside every compacted file, however few statements an event has here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "WORTH_REPEATING", 0)
        yield


def often(first: Any, *others: Any, times: int = 4) -> st.SearchStrategy[Any]:  # noqa: ANN401 - of any type
    """Draw ``first`` more often than the others, so that statements meet at one event."""
    return st.sampled_from([first] * times + [*others])


@st.composite
def belief_rows(draw: st.DrawFn) -> list[Row]:
    """The rows of one statement: a value, a retraction, a distribution, or a distribution with its mean."""
    event = draw(often(EVENTS[1], EVENTS[0], EVENTS[2]))
    kind = draw(st.sampled_from(["point", "point", "null", "quantiles", "both"]))
    shared: Row = {
        "series_id": draw(often("a:x", "a:y")),
        "event_start": event,
        "event_end": event + draw(often(timedelta(hours=1), timedelta(0))),
        "belief_time": draw(st.sampled_from(BELIEFS)),
        "belief_basis": draw(often("source_stamp", "schedule_rule", "ingest_time", times=2)),
        "unit": "MW",
        "quality": draw(st.sampled_from(["retracted", "missing"])) if kind == "null" else "good",
        "quality_detail": None,
        "source": draw(often("quick", "slow")),
        "scenario": draw(often("actual", "E3")),
        "member": draw(often(None, 0, 1)),
    }
    if kind in ("point", "null"):
        return [{**shared, "value": None if kind == "null" else draw(VALUES), "quantile": None}]
    levels: list[float | None] = list(draw(often((0.1, 0.9), (0.05, 0.5, 0.95), (0.5,))))
    if kind == "both":
        levels.append(None)
    draw(st.randoms(use_true_random=False)).shuffle(levels)
    return [{**shared, "value": draw(VALUES), "quantile": level} for level in levels]


@st.composite
def batches(draw: st.DrawFn) -> list[Row]:
    """Rows of one append; a belief that speaks in quantiles is stated once in it."""
    groups = draw(st.lists(belief_rows(), min_size=1, max_size=6))
    taken: set[Any] = set()
    rows: list[Row] = []
    for group in groups:
        first = group[0]
        key = tuple(first[n] for n in ("series_id", "event_start", "source", "scenario", "member", "belief_time"))
        if key in taken:
            continue
        if len(group) > 1 or first["quantile"] is not None or draw(st.booleans()):
            taken.add(key)  # else the same belief may be stated again in this batch, as a revision of itself
            if any(_about(row) == key for row in rows):
                continue
        rows += group
    return rows


def _about(row: Row) -> tuple[Any, ...]:
    return tuple(row[n] for n in ("series_id", "event_start", "source", "scenario", "member", "belief_time"))


def frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=CANONICAL)


HISTORIES = st.lists(st.tuples(st.integers(0, 2), batches()), min_size=1, max_size=5)
MOMENTS = st.sampled_from(
    [*BELIEFS, *(MORNING + timedelta(minutes=30 * n) for n in range(5)), MORNING + timedelta(days=1)]
)


@given(history=HISTORIES, at=MOMENTS, recorded=st.none() | MOMENTS, horizon=st.integers(-3, 9))
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # histories are short; shrinking one opens a thousand lakes
)
def test_every_read_agrees_with_the_reference(
    history: list[tuple[int, list[Row]]], at: datetime, recorded: datetime | None, horizon: int
) -> None:
    clock = ManualClock(MORNING)
    reference = Reference(LATENCY)
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder), now=clock.now, latency=LATENCY)
        for half_hours, rows in history:
            clock.sleep(1800 * half_hours)
            added = lake.append(frame(rows), run_id="r", product="p").rows_added
            assert added == reference.append(rows, clock.now())
            if half_hours == 1:
                lake.compact(fully=len(rows) % 2 == 0)
        compare(lake, reference, at, recorded, timedelta(hours=horizon))


def compare(lake: Lake, reference: Reference, at: datetime, recorded: datetime | None, horizon: timedelta) -> None:
    start, end = EVENTS[0], EVENTS[2]  # half-open: the last event is outside
    for mode, before in (("seen", None), ("published", recorded), ("published", None)):
        cutoffs = Cutoffs(at=at, mode=Mode(mode), recorded_before=before)
        answer = lake.as_of("a:*", start=start, end=end, cutoffs=cutoffs)
        assert answer.rows() == reference.as_of(start, end, at, mode, before)
    everything = end + timedelta(days=1)
    sliced = lake.horizon_slice("*", start=start, end=everything, horizon=horizon)
    assert sliced.rows() == reference.horizon_slice(start, everything, horizon)
    told = lake.history("a:x", event_start=EVENTS[1])
    assert told.select(*sliced.columns, "rev").rows() == reference.history("a:x", EVENTS[1])
