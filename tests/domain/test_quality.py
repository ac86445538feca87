"""Claims about what is judged at the door."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.beliefs import canonical
from domain.quality import Believable, disagreements, doubted, out_of_order, repeated, stale, unit_changes

T = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
GAUGE = {"gauge": Believable(low=-5, high=1000, jump=50, flat=timedelta(hours=6))}


def hours(values: Sequence[float | None], *, start: datetime = T, **more: object) -> pl.DataFrame:
    starts = [start + HOUR * place for place in range(len(values))]
    rows = pl.DataFrame(
        {"event_start": starts, "event_end": [at + HOUR for at in starts], "value": values},
        schema_overrides={"value": pl.Float64},
    )
    fixed = {"series_id": "gauge", "unit": "cfs", "source": "pi"} | more
    rows = rows.with_columns(**{name: pl.lit(value) for name, value in fixed.items()})
    return canonical(rows.with_columns(belief_time=pl.col("event_end")), what="rows")


def struck(rows: pl.DataFrame) -> list[int]:
    return rows.with_row_index().filter(pl.col("quality") == "questionable")["index"].to_list()


def test_a_value_outside_its_range_is_kept_and_doubted() -> None:
    rows = doubted(hours([100.0, 1200.0, 110.0]), GAUGE)
    assert rows["value"].to_list() == [100.0, 1200.0, 110.0]
    assert rows["quality"].to_list() == ["good", "questionable", "good"]
    assert rows["quality_detail"].to_list() == [None, "outside its range", None]


def test_two_wrong_samples_side_by_side_are_spikes_and_a_step_is_none() -> None:
    # Neighbours' medians of five around places 3 and 4: 102, so both stand 500 away.
    assert struck(doubted(hours([101, 102, 101, 600, 601, 102, 103, 102.5]), GAUGE)) == [3, 4]
    assert struck(doubted(hours([101, 102, 101, 300, 301, 302, 303, 302.5]), GAUGE)) == []


def test_a_storm_that_moves_the_whole_series_is_no_spike() -> None:
    assert struck(doubted(hours([30, 40, 80, 200, 420, 610, 700, 650, 560, 500]), GAUGE)) == []


def test_a_flatline_is_told_by_its_length_also_where_it_began_before_the_read() -> None:
    assert struck(doubted(hours([7, 8, *[9] * 6, 8]), GAUGE)) == []  # six hours are allowed
    assert struck(doubted(hours([7, 8, *[9] * 7, 8]), GAUGE)) == [2, 3, 4, 5, 6, 7, 8]
    before = hours([9, 9, 9, 9], start=T - 4 * HOUR)
    assert struck(doubted(hours([9, 9, 9, 8]), GAUGE, context=before)) == [0, 1, 2]


def test_a_river_that_falls_to_another_units_scale_is_doubted_until_it_returns() -> None:
    # 200 cfs are 0.2 kcfs and 5.66 m3/s.
    assert struck(doubted(hours([201, 200, 0.2, 0.21, 0.5, 0.4, 210, 205]), GAUGE)) == [2, 3, 4, 5]
    assert struck(doubted(hours([201, 200, 5.7, 5.8, 6.1, 205]), GAUGE)) == [2, 3, 4]
    before = hours([200.0], start=T - 100 * HOUR)
    assert struck(doubted(hours([0.2, 0.3, 0.25]), GAUGE, context=before)) == [0, 1, 2]


def test_a_river_that_falls_by_itself_is_no_other_unit() -> None:
    assert struck(doubted(hours([200, 120, 60, 30, 12, 5, 1, 0.2, 0.1]), GAUGE)) == []
    assert struck(doubted(hours([30.0, 0.03, 0.031, 29.0]), GAUGE)) == []  # 30 cfs are less than it may jump
    gate = {"gauge": Believable(low=-5, high=1000, jump=50)}
    assert struck(doubted(hours([200, 0.2, 0.2, 0.2, 0.2]), gate)) == []


def test_quantiles_that_cross_make_the_whole_distribution_doubtful_with_its_mean() -> None:
    mean = hours([50.0, 50.0], scenario="mean")
    low, high = (
        hours(values, scenario="quantile").with_columns(quantile=pl.lit(share))
        for share, values in ((0.1, [40.0, 70.0]), (0.9, [60.0, 65.0]))
    )
    rows = doubted(pl.concat([mean, low, high]), {})
    doubtful = rows.filter(pl.col("quality") == "questionable")
    assert doubtful["event_start"].unique().to_list() == [T + HOUR]
    assert doubtful.height == 3


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=40))
def test_judging_changes_no_number_and_loses_no_row(values: list[float]) -> None:
    rows = hours(list(values))
    judged = doubted(rows, GAUGE)
    assert judged.drop("quality", "quality_detail").equals(rows.drop("quality", "quality_detail"))
    assert doubted(judged, GAUGE)["quality"].to_list() == judged["quality"].to_list()


def test_a_belief_stated_twice_and_an_event_out_of_order_are_found() -> None:
    rows = hours([1.0, 2.0, 3.0]).with_columns(belief_time=pl.lit(T + 9 * HOUR))
    twice = pl.concat([rows, rows[1:2]])
    assert repeated(twice)["value"].to_list() == [2.0, 2.0]
    assert out_of_order(twice)["value"].to_list() == [2.0]
    assert repeated(rows).is_empty()
    assert out_of_order(rows).is_empty()


def test_intervals_are_stale_by_the_declared_age_of_their_newest_event() -> None:
    rows = hours([1.0, 2.0, None])  # the newest value ends at 02:00
    assert stale(rows, now=T + 4 * HOUR, late=2 * HOUR).is_empty()
    late = stale(rows, now=T + 4 * HOUR + timedelta(seconds=1), late=2 * HOUR)
    assert late["newest"].to_list() == [T + 2 * HOUR]


@pytest.mark.parametrize(("silent_h", "is_late"), [(11, False), (13, True)])
def test_a_quiet_tag_is_late_by_its_own_rhythm(silent_h: int, is_late: bool) -> None:
    # An event every four hours: three times that is twelve.
    events = hours([1.0] * 5).with_columns(event_start=pl.lit(T) + pl.int_range(5) * 4 * HOUR)
    events = events.with_columns(event_end=pl.col("event_start"))
    last = T + 16 * HOUR
    assert (stale(events, now=last + silent_h * HOUR, late=HOUR).height == 1) is is_late


def test_a_unit_that_is_not_the_one_it_always_was_is_named() -> None:
    changed = unit_changes(hours([1.0]), {"gauge": "af", "other": "MW"})
    assert changed.row(0) == ("gauge", "cfs", "af")
    assert unit_changes(hours([1.0]), {"gauge": "cfs"}).is_empty()


def test_two_sources_disagree_only_beyond_the_tolerance() -> None:
    ours, theirs = hours([10.0, 20.0, 30.0]), hours([10.005, 20.5, 30.0])
    found = disagreements(ours, theirs, tolerance=0.01)
    assert found.select("event_start", "value", "other").rows() == [(T + HOUR, 20.0, 20.5)]
