"""Awards, then habits; and what became of awards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from domain.dispatch_forecast import dispatch_deviations, forecast_dispatch, shock_paths
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
