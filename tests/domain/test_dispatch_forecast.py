"""Awards, then habits; and what became of awards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from domain.dispatch_forecast import (
    DispatchForecast,
    dispatch_deviations,
    forecast_dispatch,
    hourly_persistence,
    newest_deviation,
    past_deviations,
    shock_paths,
    with_deviations,
)
from domain.errors import MissingInputError

PACIFIC = ZoneInfo("America/Los_Angeles")
NOW = datetime(2026, 7, 6, 7, tzinfo=UTC)  # Monday midnight local
HOUR = timedelta(hours=1)


def past(days: int, value: object = None) -> pl.DataFrame:
    """Return measured output that depends on local weekday and hour: 10 MW a weekday number plus the hour."""
    start = [NOW - HOUR * (24 * days - i) for i in range(24 * days)]
    local = [moment.astimezone(PACIFIC) for moment in start]
    usual = [10.0 * moment.isoweekday() + moment.hour if value is None else value for moment in local]
    return pl.DataFrame({"event_start": start, "mfra_mw": usual}, schema_overrides={"mfra_mw": pl.Float64})


def test_awards_come_first_then_fade_over_a_day_into_the_habit() -> None:
    start = tuple(NOW + HOUR * i for i in range(60))
    awards = {NOW + HOUR * i: 100.0 for i in range(24)}
    found = forecast_dispatch(start, awards, past(60), PACIFIC)
    assert found.mfra_mw[:24].tolist() == [100.0] * 24
    # Tuesday 00:00 is one hour after the last award: 23/24 of 100 and 1/24 of the habit 20
    assert found.mfra_mw[24] == pytest.approx(100.0 * 23 / 24 + 20.0 / 24)
    assert found.provenance[24] == "blend 0.96 award"
    # Tuesday 11:00, twelve hours after: half of 100, half of 31
    assert found.mfra_mw[35] == pytest.approx(65.5)
    # Wednesday 00:00 and after: the habit, 30 + hour
    assert found.mfra_mw[48:50].tolist() == [30.0, 31.0]
    assert found.provenance[48] == "habit weekday-hour"


def test_nothing_from_now_on_and_nothing_older_than_sixty_days_counts() -> None:
    leak = pl.DataFrame({"event_start": [NOW + HOUR * i for i in range(24)], "mfra_mw": [999.0] * 24})
    old = past(80).filter(pl.col("event_start") < NOW - timedelta(days=60)).with_columns(mfra_mw=pl.lit(999.0))
    found = forecast_dispatch((NOW,), {}, pl.concat([old, past(30), leak]), PACIFIC)
    assert found.mfra_mw.tolist() == [10.0]


def test_a_short_history_falls_back_to_the_hour_of_day() -> None:
    found = forecast_dispatch((NOW,), {}, past(14), PACIFIC)
    # two Mondays are no habit; the median over all weekdays at 0:00 is Thursday's 40
    assert found.mfra_mw.tolist() == [40.0]
    assert found.provenance == ("habit hour",)


def test_quarter_hours_take_the_award_of_their_hour() -> None:
    start = tuple(NOW + timedelta(minutes=15 * i) for i in range(8))
    found = forecast_dispatch(start, {NOW: 50.0, NOW + HOUR: 70.0}, past(30), PACIFIC)
    assert found.mfra_mw.tolist() == [50.0] * 4 + [70.0] * 4


def test_no_award_and_no_history_is_an_error_not_a_number() -> None:
    with pytest.raises(MissingInputError, match="no award for 2026-07-06T07:00:00Z"):
        forecast_dispatch((NOW,), {}, past(1).clear(), PACIFIC)


def test_the_hour_of_a_habit_is_local_across_the_clock_change() -> None:
    autumn = datetime(2026, 11, 2, 8, tzinfo=UTC)  # Monday midnight, now at UTC-8
    start = [autumn - HOUR * (24 * 40 - i) for i in range(24 * 40)]
    measured = pl.DataFrame({"event_start": start, "mfra_mw": [float(m.astimezone(PACIFIC).hour) for m in start]})
    found = forecast_dispatch(tuple(autumn + HOUR * i for i in range(24)), {}, measured, PACIFIC)
    assert found.mfra_mw.tolist() == [float(i) for i in range(24)]


def test_deviations_are_what_was_measured_less_what_was_awarded() -> None:
    frame = pl.DataFrame(
        {
            "event_start": [NOW + HOUR * i for i in range(3)],
            "mfra_mw": [40.0, 105.0, None],
            "award_mw": [40.0, 40.0, 40.0],
        }
    )
    assert dispatch_deviations(frame)["deviation_mw"].to_list() == [0.0, 65.0]


def test_shocks_keep_the_length_they_had() -> None:
    # One three-hour shock in a long quiet record, then a gap: paths only ever show unbroken stretches of it.
    deviation = [0.0] * 50 + [60.0] * 3 + [0.0] * 50
    start = [NOW + HOUR * i for i in range(103)]
    frame = pl.DataFrame({"event_start": start, "deviation_mw": deviation})
    paths = shock_paths(frame, 40, 200, seed=3)
    assert paths.shape == (200, 40)
    lengths = [
        len(run)
        for row in paths
        for run in "".join("x" if value > 0 else "." for value in row).strip("x").split(".")
        if run
    ]
    assert 0.0 < (paths > 0).any(axis=1).mean() < 1.0
    # a run is shorter only where a stretch begins in its middle
    assert np.mean(np.array(lengths) == 3) > 0.9
    assert max(lengths) <= 3
    assert np.array_equal(paths, shock_paths(frame, 40, 200, seed=3))
    assert shock_paths(frame, 8, 2, seed=1, step_h=0.25).shape == (2, 8)
    with pytest.raises(MissingInputError, match="no hour has both"):
        shock_paths(frame.clear(), 8, 2, seed=1)


def square(count: int, length: int, high: float = 30.0) -> pl.DataFrame:
    """Return deviations that hold for ``length`` hours and then change sign."""
    start = [NOW - HOUR * (count - hour) for hour in range(count)]
    values = [high if hour // length % 2 else -high for hour in range(count)]
    return pl.DataFrame({"event_start": start, "deviation_mw": values})


def test_what_is_measured_now_fades_into_what_is_usual() -> None:
    # of 7 neighbours in 8 the deviation is the same, of 1 it is the opposite: correlation about (7 - 1) / 8 = 0.75
    deviations = square(400, 8)
    kept = hourly_persistence(deviations)
    assert kept == pytest.approx(0.75, abs=0.01)
    flat = DispatchForecast(mfra_mw=np.full(60, 100.0), provenance=("award",) * 60)
    found = with_deviations(flat, deviations, 30.0)
    # +30 and -30 are as common as each other, so nothing is usual about them
    assert found.mfra_mw[0] == pytest.approx(100.0 + 30.0 * kept)
    assert found.mfra_mw[3] == pytest.approx(100.0 + 30.0 * kept**4)
    assert found.mfra_mw[59] == pytest.approx(100.0, abs=0.01)
    assert found.provenance[0] == f"award, shocks {30.0 * kept:+.1f} MW"
    assert found.provenance[59] == "award"


def test_a_powerhouse_that_stands_can_only_be_called_up() -> None:
    # of +30 and -30 MW around 10 MW half come as 40 and half as 0: 20 on average, 10 more than the tier
    low = DispatchForecast(mfra_mw=np.full(3, 10.0), provenance=("habit hour",) * 3)
    found = with_deviations(low, square(400, 8), None)
    assert found.mfra_mw.tolist() == pytest.approx([20.0] * 3)
    assert found.provenance == ("habit hour, shocks +10.0 MW",) * 3
    assert with_deviations(low, square(400, 8).clear(), 5.0) is low


def test_the_newest_deviation_is_from_the_award_where_the_hour_had_one_and_from_the_habit_else() -> None:
    history = past(30)
    deviations, _ = past_deviations(history, {}, PACIFIC)
    last, value = history.row(-1)
    assert newest_deviation(history, {}, deviations, NOW) == 0.0
    assert newest_deviation(history, {last: value - 7.0}, deviations, NOW) == pytest.approx(7.0)
    assert newest_deviation(history, {}, deviations, NOW + 4 * HOUR) is None  # no longer news


def test_noise_without_memory_does_not_persist() -> None:
    noise = np.random.default_rng(0).normal(0.0, 30.0, 4000)
    start = [NOW - HOUR * (4000 - hour) for hour in range(4000)]
    assert hourly_persistence(pl.DataFrame({"event_start": start, "deviation_mw": noise})) < 0.05


def test_deviations_are_from_awards_once_a_week_was_awarded_and_from_the_habit_before() -> None:
    history = past(30)
    few = dict.fromkeys(history["event_start"].to_list()[-100:], 5.0)
    found, what = past_deviations(history, few, PACIFIC)
    assert what.startswith("weekday-hour median of the others")
    assert found["deviation_mw"].abs().max() == 0.0  # every week of this past is alike
    many = dict.fromkeys(history["event_start"].to_list()[-200:], 5.0)
    found, what = past_deviations(history, many, PACIFIC)
    assert what == "award, 200 hours"
    assert found["deviation_mw"].to_list() == (history["mfra_mw"][-200:] - 5.0).to_list()


def test_a_value_is_held_against_the_median_of_the_others_never_against_itself() -> None:
    # one Tuesday of five at 90 MW, four at 30: the others' median is 30 for each of them
    weeks = [NOW + timedelta(days=7 * week - 34, hours=3) for week in range(5)]
    history = pl.DataFrame({"event_start": weeks, "mfra_mw": [30.0, 30.0, 90.0, 30.0, 30.0]})
    found, _ = past_deviations(history, {}, PACIFIC)
    assert found["deviation_mw"].to_list() == [0.0, 0.0, 60.0, 0.0, 0.0]
    # two days of one hour and different weekdays: each is expected to be like the other
    two = pl.DataFrame({"event_start": [NOW - 48 * HOUR, NOW - 24 * HOUR], "mfra_mw": [10.0, 50.0]})
    assert past_deviations(two, {}, PACIFIC)[0]["deviation_mw"].to_list() == [-40.0, 40.0]
    assert past_deviations(two.head(1), {}, PACIFIC)[0].is_empty()  # alone, nothing is expected of it


def test_shocks_begin_after_hours_like_the_present_one() -> None:
    paths = shock_paths(square(800, 8), 4, 200, seed=1, now_mw=30.0)
    # after an hour of +30 comes +30 in seven of eight cases
    assert np.mean(paths[:, 0] == 30.0) > 0.75
    anyhow = shock_paths(square(800, 8), 4, 200, seed=1)
    assert 0.35 < np.mean(anyhow[:, 0] == 30.0) < 0.65
