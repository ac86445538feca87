"""Claims about when events can be known."""

from __future__ import annotations

from datetime import UTC, datetime, time

import polars as pl

from domain.instants import CENTRAL
from domain.knowledge import GateClosure


def test_a_day_ahead_gate_closes_at_one_local_time_on_both_sides_of_the_clock_change() -> None:
    rule = GateClosure(zone=CENTRAL, days_before=1, at=time(10))
    # Nov 1 ends daylight time: 10:00 is 15:00Z on Oct 31 and 16:00Z on Nov 1.
    events = pl.Series([datetime(2026, 11, 1, 12, tzinfo=UTC), datetime(2026, 11, 2, 12, tzinfo=UTC)])
    assert rule(events).to_list() == [datetime(2026, 10, 31, 15, tzinfo=UTC), datetime(2026, 11, 1, 16, tzinfo=UTC)]
