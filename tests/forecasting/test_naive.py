"""The seasonal-naive baseline: hand arithmetic, a slow oracle, and the leak that must not be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.beliefs import TIME
from domain.errors import FrameError, InputError
from domain.instants import CENTRAL, PACIFIC
from forecasting.frames import QUANTILES, SCHEMA, known_history, target_steps
from forecasting.naive import DAILY, HOLD_FOR, RIVER_SEASONS, WEEKLY, seasonal_naive

ORIGIN = datetime(2026, 11, 21, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
UTC_ZONE = ZoneInfo("UTC")


def series(values: dict[datetime, float] | list[float], *, end: datetime = ORIGIN) -> pl.DataFrame:
    """Hourly rows; a list ends just before ``end``."""
    if isinstance(values, list):
        values = {end - HOUR * (len(values) - i): value for i, value in enumerate(values)}
    return pl.DataFrame(
        {
            "event_start": pl.Series(list(values), dtype=TIME),
            "value": pl.Series(list(values.values()), dtype=pl.Float64),
        }
    )


def means(forecast: pl.DataFrame) -> dict[datetime, float]:
    rows = forecast.filter(pl.col("quantile").is_null())
    return dict(zip(rows["event_start"], rows["value"], strict=True))


def test_the_point_is_the_median_of_the_same_hour_of_the_last_four_weeks() -> None:
    target = ORIGIN + 2 * HOUR
    past = series({target - timedelta(days=7 * k): v for k, v in ((1, 10), (2, 50), (3, 20), (4, 40), (5, 999))})
    forecast = seasonal_naive(past, origin=ORIGIN, horizon_h=3, zone=UTC_ZONE)
    # The fifth week is not asked; the median of 10, 20, 40, 50 is 30. Five values leave too few errors for quantiles.
    assert means(forecast) == {target: 30.0}
    assert forecast["model"].to_list() == ["seasonal_naive:weekly"]
    assert forecast["basis"][0] == "median of 4 of the last 4 comparable days; too few past errors for quantiles"


def test_beyond_a_week_it_reaches_one_week_further_back() -> None:
    target = ORIGIN + timedelta(days=8)
    past = series({target - timedelta(days=7 * k): float(k) for k in (2, 3, 4, 5)})
    forecast = seasonal_naive(past, origin=ORIGIN, horizon_h=24 * 9, zone=UTC_ZONE, seasons=(WEEKLY,))
    # Median of 2, 3, 4, 5: one week before that day is not known yet. A week earlier the same four are weeks 1 to 4.
    assert means(forecast) == {target - timedelta(days=7): 3.5, target: 3.5}


def test_the_same_hour_is_the_same_hour_on_the_local_clock() -> None:
    origin = datetime(
        2026, 11, 2, tzinfo=UTC
    )  # the clocks went back on 1 November: 08:00 Central was 13:00Z, is 14:00Z
    past = series({datetime(2026, 10, 19, 13, tzinfo=UTC): 70.0, datetime(2026, 10, 26, 13, tzinfo=UTC): 80.0})
    forecast = seasonal_naive(past, origin=origin, horizon_h=24, zone=CENTRAL, seasons=(WEEKLY,))
    assert means(forecast) == {datetime(2026, 11, 2, 14, tzinfo=UTC): 75.0}


def test_the_hour_that_spring_skips_has_no_comparable_day_that_week() -> None:
    origin = datetime(2027, 3, 21, tzinfo=UTC)  # 02:00 Central did not exist on Sunday 14 March 2027
    past = series({datetime(2027, 3, 7, 8, tzinfo=UTC): 5.0, datetime(2027, 2, 28, 8, tzinfo=UTC): 7.0})
    forecast = seasonal_naive(past, origin=origin, horizon_h=24, zone=CENTRAL, seasons=(WEEKLY,))
    assert means(forecast) == {datetime(2027, 3, 21, 7, tzinfo=UTC): 6.0}  # 02:00 CDT, from 02:00 CST of two weeks


def test_without_comparable_weeks_it_falls_to_days_and_says_so() -> None:
    past = series([float(hour % 24) for hour in range(4 * 24)])
    forecast = seasonal_naive(past, origin=ORIGIN, horizon_h=24, zone=CENTRAL)
    assert set(forecast["model"]) == {"seasonal_naive:daily"}
    assert means(forecast)[ORIGIN] == pytest.approx(0.0)  # four identical days: no error, hour 0 repeats


def test_without_comparable_days_it_holds_the_last_value_with_the_drift_of_the_past() -> None:
    # A ramp of 2 an hour over 30 h: over a lead of n hours it always drifted 2 n, so mean and median shift by 2 n.
    past = series([2.0 * i for i in range(30)])
    forecast = seasonal_naive(past, origin=ORIGIN, horizon_h=3, zone=CENTRAL)
    assert set(forecast["model"]) == {"seasonal_naive:hold"}
    assert means(forecast) == pytest.approx({ORIGIN + n * HOUR: 58.0 + 2 * (n + 1) for n in range(3)})
    assert "value of 2026-11-21T14:00:00Z held; 29 past errors" in forecast["basis"].to_list()


def test_an_old_last_value_is_not_held() -> None:
    late = ORIGIN + HOLD_FOR
    past = series([1.0, 2.0])
    assert seasonal_naive(past, origin=late, horizon_h=2, zone=CENTRAL).height == 2
    assert seasonal_naive(past, origin=late + HOUR, horizon_h=2, zone=CENTRAL).is_empty()
    assert seasonal_naive(past.clear(), origin=late, horizon_h=2, zone=CENTRAL).is_empty()


def test_the_quantiles_are_the_point_plus_the_errors_the_rule_made() -> None:
    # Every hour of day d is worth d, so the median of the 3 days before is always 2 too low: the error is exactly 2.
    past = series([float(hour // 24) for hour in range(70 * 24)])
    forecast = seasonal_naive(past, origin=ORIGIN, horizon_h=1, zone=UTC_ZONE, seasons=RIVER_SEASONS)
    assert forecast["value"].to_list() == pytest.approx([70.0] * (1 + len(QUANTILES)))  # median 68 (67 68 69) + 2
    assert forecast["quantile"].to_list() == [None, *QUANTILES]


def test_errors_pool_by_block_of_the_day() -> None:
    # Noise of +-10 in the afternoon block 12 to 15 UTC, none at night: only the afternoon has a band.
    noisy = [(-1) ** (hour // 24) * 10.0 if 12 <= hour % 24 < 16 else 0.0 for hour in range(40 * 24)]
    origin = datetime(2026, 11, 21, tzinfo=UTC)
    forecast = seasonal_naive(series(noisy, end=origin), origin=origin, horizon_h=24, zone=UTC_ZONE, seasons=(DAILY,))
    wide = forecast.group_by("event_start").agg(width=pl.col("value").max() - pl.col("value").min()).sort("event_start")
    assert [width > 0 for width in wide["width"]] == [12 <= hour < 16 for hour in range(24)]


def test_a_lower_bound_holds_for_every_quantile() -> None:
    past = series([abs(float((hour * 37) % 23) - 11) for hour in range(20 * 24)])
    forecast = seasonal_naive(past, origin=ORIGIN, horizon_h=48, zone=PACIFIC, seasons=RIVER_SEASONS, lower=0.0)
    free = seasonal_naive(past, origin=ORIGIN, horizon_h=48, zone=PACIFIC, seasons=RIVER_SEASONS)
    assert forecast["value"].min() == 0.0
    assert free["value"].min() < 0


def test_quarter_hours_are_forecast_as_quarter_hours() -> None:
    step = timedelta(minutes=15)
    times = [ORIGIN - step * (96 * 10 - i) for i in range(96 * 10)]
    past = series({at: float(at.minute) for at in times})
    forecast = seasonal_naive(past, origin=ORIGIN, horizon_h=1, zone=CENTRAL, step=step)
    assert list(means(forecast).values()) == [0.0, 15.0, 30.0, 45.0]


def naive_by_hand(
    past: dict[datetime, float], target: datetime, *, days: int, last: int, at_least: int
) -> float | None:
    """The rule in its slowest form, for a zone without DST."""
    back = 1
    while target + HOUR - timedelta(days=days * back) > ORIGIN:
        back += 1
    found = [past.get(target - timedelta(days=days * (back + n))) for n in range(last)]
    known = [value for value in found if value is not None]
    return median(known) if len(known) >= at_least else None


@settings(deadline=None, max_examples=25)
@given(st.lists(st.one_of(st.none(), st.integers(-50, 500)), min_size=24, max_size=24 * 12), st.integers(1, 60))
def test_the_median_agrees_with_a_slow_loop_whatever_the_gaps(values: list[int | None], horizon_h: int) -> None:
    start = ORIGIN - HOUR * len(values)
    past = {start + HOUR * i: float(v) for i, v in enumerate(values) if v is not None}
    forecast = seasonal_naive(series(past), origin=ORIGIN, horizon_h=horizon_h, zone=UTC_ZONE, seasons=(DAILY,))
    bare = forecast.filter(pl.col("model") == "seasonal_naive:daily", pl.col("basis").str.contains("too few"))
    for target in target_steps(ORIGIN, horizon_h)["event_start"]:
        expected = naive_by_hand(past, target, days=1, last=7, at_least=3)
        rows = forecast.filter(pl.col("event_start") == target)
        assert (expected is not None) == ((rows["model"] == "seasonal_naive:daily").any())
        if target in bare["event_start"]:
            assert rows["value"].to_list() == pytest.approx([expected])


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 20 * 24),
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40),
    st.lists(st.floats(-1e3, 1e3), min_size=30, max_size=200),
    st.integers(0, 59),
)
def test_nothing_after_the_origin_matters(
    back: int, future: list[float], past_values: list[float], minute: int
) -> None:
    origin = ORIGIN + timedelta(minutes=minute)
    past = series(past_values, end=ORIGIN - HOUR * (back % 12))
    later = series({ORIGIN + HOUR * i: value for i, value in enumerate(future)})
    honest = seasonal_naive(past, origin=origin, horizon_h=30, zone=CENTRAL)
    assert seasonal_naive(pl.concat([past, later]), origin=origin, horizon_h=30, zone=CENTRAL).equals(honest)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-1e3, 1e4), min_size=24, max_size=300), st.integers(1, 50))
def test_every_interval_has_one_mean_and_non_decreasing_quantiles(values: list[float], horizon_h: int) -> None:
    forecast = seasonal_naive(series(values), origin=ORIGIN, horizon_h=horizon_h, zone=CENTRAL)
    assert dict(forecast.schema) == SCHEMA
    for rows in forecast.partition_by("event_start"):
        assert rows["quantile"].to_list() in ([None], [None, *QUANTILES])
        assert rows["value"][1:].is_sorted()
    assert forecast["event_start"].n_unique() == horizon_h


def test_the_same_question_gets_the_same_bits() -> None:
    past = series([(hour * 7919 % 1009) / 7 for hour in range(35 * 24)])
    answers = [seasonal_naive(past, origin=ORIGIN, horizon_h=72, zone=CENTRAL) for _ in range(8)]
    assert all(answer.equals(answers[0]) for answer in answers)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (pl.DataFrame({"at": [1]}), "lacks column(s) event_start, value; it has at"),
        (pl.DataFrame({"event_start": [datetime(2026, 11, 1)], "value": [1.0]}), "must be aware UTC"),  # noqa: DTZ001 - the defect under test
        (series({ORIGIN - timedelta(minutes=90): 1.0}), "off the grid of 60 minutes"),
        (pl.concat([series([1.0]), series([2.0])]), "2 rows that share an interval, first 2026-11-21T14:00:00Z"),
        (series([float("nan")]), "not finite"),
    ],
)
def test_a_history_that_breaks_its_contract_is_refused_by_name(rows: pl.DataFrame, words: str) -> None:
    with pytest.raises(FrameError, match=r"r4\.flow\.cfs") as caught:
        known_history(rows, origin=ORIGIN, what="r4.flow.cfs")
    assert words in str(caught.value)


def test_a_correction_is_unknown_before_it_was_published() -> None:
    rows = series([1.0, 2.0]).with_columns(belief_time=pl.Series([ORIGIN - HOUR, ORIGIN + HOUR], dtype=TIME))
    assert known_history(rows, origin=ORIGIN, what="x")["value"].to_list() == [1.0]


def test_an_impossible_horizon_or_step_is_refused() -> None:
    with pytest.raises(InputError, match="horizon of 0 h"):
        target_steps(ORIGIN, 0)
    with pytest.raises(InputError, match="whole number of steps"):
        target_steps(ORIGIN, 1, timedelta(minutes=25))
