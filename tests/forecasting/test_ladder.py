"""Vendors passed through, and the order in which sources are asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from domain.beliefs import TIME
from domain.errors import FrameError, MissingInputError
from domain.instants import CENTRAL
from forecasting.frames import QUANTILES, hour_means
from forecasting.ladder import blend, forecast_inflow, forecast_price
from forecasting.vendor import vendor_forecast

ORIGIN = datetime(2026, 11, 21, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
ISSUED = ORIGIN - 3 * HOUR


def hourly(values: list[float | None], *, start: datetime) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "event_start": pl.Series([start + HOUR * i for i in range(len(values))], dtype=TIME),
            "value": pl.Series(values, dtype=pl.Float64),
        }
    )


def issue(
    values: list[float | None], *, quantile: float | None = None, start: datetime = ORIGIN, at: datetime = ISSUED
) -> pl.DataFrame:
    return hourly(values, start=start).with_columns(belief_time=pl.lit(at, TIME), quantile=pl.lit(quantile, pl.Float64))


def distribution(mean: float | None, by_quantile: dict[float, float], *, at: datetime = ISSUED) -> pl.DataFrame:
    return pl.concat([issue([mean], at=at), *(issue([v], quantile=q, at=at) for q, v in by_quantile.items())])


def shown(forecast: pl.DataFrame) -> list[tuple[float | None, float]]:
    return list(zip(forecast["quantile"], forecast["value"], strict=True))


def through(rows: pl.DataFrame, *, horizon_h: int = 1) -> pl.DataFrame:
    return vendor_forecast(rows, name="hydroforecast", origin=ORIGIN, horizon_h=horizon_h)


def test_a_vendors_distribution_passes_unchanged_under_its_name() -> None:
    said = dict(zip(QUANTILES, [150, 160, 180, 200, 220, 250, 270], strict=True))
    forecast = through(distribution(210, said | {0.99: 400.0}))  # 0.99 is not on our grid
    assert shown(forecast) == [(None, 210.0), *said.items()]
    assert set(forecast["model"]) == {"vendor:hydroforecast"}
    assert set(forecast["basis"]) == {"issued 2026-11-21T12:00:00Z"}


def test_two_issues_are_never_spliced_into_one_hour() -> None:
    older = distribution(100, {0.1: 90, 0.5: 100, 0.9: 110}, at=ISSUED - 6 * HOUR)
    newer = distribution(200, {0.5: 200})
    assert shown(through(pl.concat([older, newer]))) == [(None, 200.0), (0.5, 200.0)]


def test_an_issue_after_the_origin_is_unknown() -> None:
    later = distribution(999, {0.5: 999}, at=ORIGIN + timedelta(seconds=1))
    known = distribution(200, {0.5: 200}, at=ORIGIN)
    assert shown(through(pl.concat([known, later]))) == [(None, 200.0), (0.5, 200.0)]


def test_a_stale_issue_is_not_used() -> None:
    assert through(issue([5.0], at=ORIGIN - 36 * HOUR)).height == 1
    assert through(issue([5.0], at=ORIGIN - 36 * HOUR - timedelta(seconds=1))).is_empty()


def test_a_hole_of_three_hours_is_bridged_and_one_of_four_is_left_open() -> None:
    forecast = through(issue([100, None, None, None, 140, None, None, None, None, 200]), horizon_h=10)
    # From 100 to 140 in four steps of 10.
    assert forecast["value"].to_list() == pytest.approx([100, 110, 120, 130, 140, 200])
    assert forecast["basis"].str.ends_with("hole bridged").to_list() == [False, True, True, True, False, False]


def test_no_bridge_between_two_issues() -> None:
    rows = pl.concat([issue([100.0], at=ISSUED - HOUR), issue([300.0], start=ORIGIN + 2 * HOUR)])
    assert through(rows, horizon_h=3)["value"].to_list() == [100, 300]


def test_crossed_quantiles_are_put_in_order() -> None:
    assert shown(through(distribution(5, {0.1: 9, 0.5: 4, 0.9: 6}))) == [(None, 5), (0.1, 4), (0.5, 6), (0.9, 9)]


def test_a_missing_mean_is_the_area_under_the_quantiles() -> None:
    forecast = through(distribution(None, {0.1: 100, 0.5: 200, 0.9: 400}))
    # Tails held: 0.1 x 100 + 0.1 x 400; between: 0.4 x 150 + 0.4 x 300. 10 + 40 + 60 + 120 = 230.
    assert shown(forecast)[0] == (None, pytest.approx(230))
    assert forecast["basis"][0].endswith("mean integrated from quantiles")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (issue([1.0]).drop("belief_time"), "lacks column belief_time"),
        (issue([1.0], start=ORIGIN + timedelta(minutes=15)), "2026-11-21T15:15:00Z, off the hour"),
        (pl.concat([issue([1.0]), issue([2.0])]), "twice"),
    ],
)
def test_vendor_rows_that_break_the_contract_are_refused(rows: pl.DataFrame, words: str) -> None:
    with pytest.raises(FrameError, match=words):
        through(rows, horizon_h=2)


def test_the_first_rung_with_a_mean_gives_the_whole_hour() -> None:
    first = pl.concat([through(issue([None, 20.0]), horizon_h=2), through(issue([11.0], quantile=0.5)).clear()])
    second = vendor_forecast(
        pl.concat([issue([1.0, 2.0]), issue([1.0, 2.0], quantile=0.5)]), name="cnrfc", origin=ORIGIN, horizon_h=2
    )
    mixed = blend([first, second])
    assert mixed["model"].to_list() == ["vendor:cnrfc", "vendor:cnrfc", "vendor:hydroforecast"]
    assert blend([]).is_empty()


def test_inflow_takes_the_vendor_and_then_the_last_days() -> None:
    observed = hourly([300.0] * 24 * 10, start=ORIGIN - timedelta(days=10))
    forecast = forecast_inflow(observed, {"hydroforecast": issue([210.0] * 4)}, origin=ORIGIN, horizon_h=6)
    rows = forecast.filter(pl.col("quantile").is_null())
    assert rows["value"].to_list() == [210] * 4 + [300] * 2
    assert rows["model"].to_list() == ["vendor:hydroforecast"] * 4 + ["seasonal_naive:daily"] * 2


def test_a_flow_forecast_stays_above_zero_unless_its_gauge_reads_below() -> None:
    wild = [float((i * 37) % 23) for i in range(24 * 20)]
    gauge = hourly(wild, start=ORIGIN - timedelta(days=20))
    local = hourly([-2.0, *wild[1:]], start=ORIGIN - timedelta(days=20))
    assert forecast_inflow(gauge, {}, origin=ORIGIN, horizon_h=24)["value"].min() == 0.0
    assert forecast_inflow(local, {}, origin=ORIGIN, horizon_h=24)["value"].min() == -2.0


def test_a_vendor_that_gives_only_means_has_the_last_days_spread_in_proportion_and_says_so() -> None:
    day = [100.0 + 10.0 * (hour % 5) for hour in range(24 * 20)]
    past = hourly(day, start=ORIGIN - 480 * HOUR)
    alone = forecast_inflow(past, {}, origin=ORIGIN, horizon_h=6)
    forecast = forecast_inflow(past, {"public": issue([330.0] * 3)}, origin=ORIGIN, horizon_h=6)
    first = pl.col("event_start") == ORIGIN
    own, dressed = (dict(shown(rows.filter(first))) for rows in (alone, forecast))
    assert dressed[None] == 330.0
    assert len(dressed) == 1 + len(QUANTILES)
    assert {q: dressed[q] / 330.0 for q in QUANTILES} == pytest.approx({q: own[q] / own[None] for q in QUANTILES})
    basis = forecast.filter(first & pl.col("quantile").is_not_null())["basis"]
    assert set(basis) == {"issued 2026-11-21T12:00:00Z; spread of the last days"}
    later = pl.col("event_start") >= ORIGIN + 3 * HOUR
    assert forecast.filter(later).equals(alone.filter(later))


def test_inflow_without_vendor_or_past_is_refused_with_what_each_source_had() -> None:
    with pytest.raises(MissingInputError) as caught:
        forecast_inflow(
            hourly([], start=ORIGIN), {"cnrfc": issue([1.0] * 3)}, origin=ORIGIN, horizon_h=5, series_id="r4.flow.cfs"
        )
    reason = caught.value.reasons["r4.flow.cfs"]
    assert "no value for 2 of 5 hours, first 2026-11-21T18:00:00Z" in reason
    assert "vendor:cnrfc 3, seasonal_naive 0" in reason


def market(days: int = 35) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Day-ahead 40 at every hour until two hours past the origin; real time alternates 4 below and 6 above it."""
    start = ORIGIN - timedelta(days=days)
    day_ahead = hourly([40.0] * (24 * days + 2), start=start)
    real_time = hourly([36.0 if (i // 24) % 2 else 46.0 for i in range(24 * days)], start=start)
    return day_ahead, real_time


def test_price_is_the_published_one_where_there_is_one_and_comparable_days_beyond() -> None:
    forecast = forecast_price(*market(), origin=ORIGIN, horizon_h=4, zone=CENTRAL)
    rows = forecast.filter(pl.col("quantile").is_null())
    assert rows["model"].to_list() == ["day_ahead"] * 2 + ["seasonal_naive:weekly"] * 2
    assert rows["value"].to_list()[:2] == [40.0, 40.0]
    first = forecast.filter(pl.col("event_start") == ORIGIN, pl.col("quantile").is_not_null())
    # Half of the past spreads are -4 and half +6: the low quantiles are 36, the high ones 46.
    assert first["value"].to_list()[:3] == [36.0] * 3
    assert first["value"].to_list()[4:] == [46.0] * 3


def test_a_day_ahead_price_published_after_the_origin_is_unknown() -> None:
    day_ahead, real_time = market()
    stamped = day_ahead.with_columns(
        belief_time=pl.when(pl.col("event_start") > ORIGIN).then(pl.lit(ORIGIN + HOUR)).otherwise(pl.lit(ISSUED))
    )
    forecast = forecast_price(stamped, real_time, origin=ORIGIN, horizon_h=2, zone=CENTRAL)
    rows = forecast.filter(pl.col("quantile").is_null())
    assert rows["model"].to_list() == ["day_ahead", "seasonal_naive:weekly"]


def test_prices_below_zero_are_not_clipped() -> None:
    day_ahead, real_time = market()
    shift = pl.col("value") - 60
    forecast = forecast_price(
        day_ahead.with_columns(shift), real_time.with_columns(shift), origin=ORIGIN, horizon_h=3, zone=CENTRAL
    )
    assert forecast["value"].max() < 0


def test_without_real_time_prices_the_day_ahead_past_stands_in_and_says_so() -> None:
    day_ahead, real_time = market()
    forecast = forecast_price(day_ahead, real_time.clear(), origin=ORIGIN, horizon_h=3, zone=CENTRAL)
    rows = forecast.filter(pl.col("quantile").is_null())
    assert rows["model"].to_list() == ["day_ahead", "day_ahead", "seasonal_naive_day_ahead:weekly"]
    with pytest.raises(MissingInputError, match=r"day_ahead 0, seasonal_naive 0, seasonal_naive_day_ahead 0"):
        forecast_price(day_ahead.clear(), real_time.clear(), origin=ORIGIN, horizon_h=3, zone=CENTRAL)


def test_an_hour_mean_needs_all_four_quarters() -> None:
    quarter = timedelta(minutes=15)
    times = [ORIGIN + quarter * i for i in range(8) if i != 5]
    rows = pl.DataFrame({"event_start": pl.Series(times, dtype=TIME), "value": [10.0, 20, 30, 40, 1, 1, 1]})
    assert hour_means(rows, step=quarter)["value"].to_list() == [25.0]
