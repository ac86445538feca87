"""Windows: parts that cover them once, and local labels that enclose them whatever the clocks do."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import ModuleType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.errors import InputError, TimeError
from domain.instants import CENTRAL, local_day
from resources import config_files, ercot_rows
from resources.http import windows

AUTUMN = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda naive: naive.replace(tzinfo=UTC))  # noqa: DTZ001 - hypothesis wants naive bounds
SPANS = st.timedeltas(timedelta(0), timedelta(days=20))


@pytest.mark.parametrize("module", [windows, ercot_rows, config_files])
def test_the_examples_in_the_docstrings_hold(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


@given(INSTANTS, SPANS, st.timedeltas(timedelta(minutes=7), timedelta(days=9)))
def test_parts_cover_a_window_once_and_in_order(start: datetime, span: timedelta, longest: timedelta) -> None:
    parts = list(windows.chunks((start, start + span), longest))
    assert sum((b - a for a, b in parts), timedelta(0)) == span
    assert all(before[1] == after[0] for before, after in pairwise(parts))
    assert all(timedelta(0) < b - a <= longest for a, b in parts)


@given(INSTANTS, SPANS, st.integers(1, 5))
@example(local_day(AUTUMN.date(), CENTRAL)[0], timedelta(hours=25), 1)
def test_local_parts_lie_in_the_days_they_name(start: datetime, span: timedelta, days: int) -> None:
    parts = list(windows.local_chunks((start, start + span), CENTRAL, days))
    assert sum((b - a for _, _, (a, b) in parts), timedelta(0)) == span
    for first, last, (a, b) in parts:
        assert local_day(first, CENTRAL)[0] <= a < b <= local_day(last, CENTRAL)[1]
        assert 0 <= (last - first).days < days


@given(INSTANTS, st.timedeltas(timedelta(0), timedelta(days=2)), st.floats(0, 1))
@example(AUTUMN, timedelta(minutes=40), 0.9)
def test_local_labels_enclose_every_instant_of_the_window(start: datetime, span: timedelta, share: float) -> None:
    first, last = windows.local_labels((start, start + span), CENTRAL)
    label = (start + span * share).astimezone(CENTRAL).replace(tzinfo=None)
    assert first <= label.isoformat(timespec="seconds") <= last


def test_a_window_has_zones_and_a_direction() -> None:
    with pytest.raises(TimeError, match="end 2026-11-01T06:30:00 has no zone"):
        windows.require_window(AUTUMN, AUTUMN.replace(tzinfo=None))
    with pytest.raises(InputError, match="swap them"):
        windows.require_window(AUTUMN, AUTUMN - timedelta(seconds=1))
