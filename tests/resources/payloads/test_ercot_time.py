"""ERCOT's clock on ordinary days and on the two days when it changes, every instant compared."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl
import pytest

from domain.errors import PayloadError, TimeError
from resources.payloads import ercot
from resources.payloads.ercot.markettime import hour_starts, label_starts, quarter_starts, run_stamps
from tests.resources.payloads.wire import AUTUMN, SPRING, SUMMER, market_hours, quarter_labels, steps, utc

HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)
# Central midnight is 05:00 UTC in daylight time and 06:00 in standard time; the spring day begins in standard time.
MIDNIGHT = {AUTUMN: utc("2026-11-01T05:00"), SPRING: utc("2026-03-08T06:00"), SUMMER: utc("2026-08-14T05:00")}
HOURS = {AUTUMN: 25, SPRING: 23, SUMMER: 24}
DAYS = pytest.mark.parametrize("day", [AUTUMN, SPRING, SUMMER], ids=["autumn", "spring", "summer"])


def table(**columns: list[str]) -> pl.DataFrame:
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


@DAYS
def test_every_hour_of_a_day_follows_the_one_before_without_gap_or_overlap(day: date) -> None:
    hours = market_hours(day)
    labels = table(date=[str(day)] * len(hours), hour=[str(h) for h, _ in hours], repeated=[flag for _, flag in hours])
    assert hour_starts(labels, "x").to_list() == steps(MIDNIGHT[day], HOURS[day], HOUR)


@DAYS
def test_every_quarter_of_a_day_follows_the_one_before(day: date) -> None:
    quarters = [(hour, flag, number) for hour, flag in market_hours(day) for number in range(1, 5)]
    labels = table(
        date=[day.strftime("%m/%d/%Y")] * len(quarters),
        hour=[str(hour) for hour, _, _ in quarters],
        interval=[str(number) for _, _, number in quarters],
        repeated=[flag for _, flag, _ in quarters],
    )
    assert quarter_starts(labels, "x").to_list() == steps(MIDNIGHT[day], 4 * HOURS[day], QUARTER)  # 100, 92, 96


@DAYS
@pytest.mark.parametrize("order", [1, -1], ids=["oldest first", "newest first"])
def test_labels_of_interval_ends_are_told_apart_by_their_order(day: date, order: int) -> None:
    labels = quarter_labels(day)
    rows = [(str(day), label, flag) for label, flag in labels][::order]
    expected = steps(MIDNIGHT[day], 4 * HOURS[day], QUARTER)[::order]
    frame = pl.DataFrame(rows, schema=["date", "time_ending", "repeated"], orient="row")
    assert label_starts(frame, "x").to_list() == expected


def test_the_label_that_occurs_twice_in_autumn_names_two_quarters() -> None:
    labels = [("00:45", "N"), ("01:00", "N"), ("01:45", "N"), ("01:00", "N"), ("01:15", "Y")]
    frame = pl.DataFrame(
        [(str(AUTUMN), *label) for label in labels], schema=["date", "time_ending", "repeated"], orient="row"
    )
    # 00:45 CDT is 05:45 UTC; the second 01:00 ends daylight time, so it begins 01:45 CDT = 06:45 UTC.
    assert [start.strftime("%H:%M") for start in label_starts(frame, "x")] == [
        "05:30",
        "05:45",
        "06:30",
        "06:45",
        "07:00",
    ]


@pytest.mark.parametrize(
    ("hour", "starts"), [("1:00", "05:00"), ("01:00", "05:00"), ("1", "05:00"), ("1.0", "05:00"), ("24:00", "04:00")]
)
def test_an_hour_is_read_in_every_way_it_is_written(hour: str, starts: str) -> None:
    (start,) = hour_starts(table(date=["2026-08-14"], hour=[hour], repeated=["false"]), "x")
    assert start.strftime("%H:%M") == starts


@pytest.mark.parametrize("flag", ["Y", "y", "true", "TRUE", "1"])
def test_a_flag_is_read_in_every_way_it_is_written(flag: str) -> None:
    (start,) = hour_starts(table(date=["2026-11-01"], hour=["2"], repeated=[flag]), "x")
    assert start == utc("2026-11-01T07:00")  # 01:00 CST


def test_hours_without_a_flag_count_from_midnight_on_a_day_of_25() -> None:
    labels = table(date=["2026-11-01"] * 25, hour=[str(hour) for hour in range(1, 26)])
    assert hour_starts(labels, "x").to_list() == steps(MIDNIGHT[AUTUMN], 25, HOUR)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"date": ["2026-03-08"], "hour": ["3"], "repeated": ["N"]}, "does not exist"),
        ({"date": ["2026-08-14"], "hour": ["2"], "repeated": ["Y"]}, "repeats no hour"),
        ({"date": ["2026-08-14"], "hour": ["25"], "repeated": ["N"]}, "outside 1 to 24"),
        ({"date": ["2026-11-01"], "hour": ["2"]}, "occurs twice"),
        ({"date": ["2026-08-14"], "hour": ["25"]}, "which has 24 hours"),
        ({"date": ["14.08.2026"], "hour": ["2"], "repeated": ["N"]}, "no day"),
    ],
)
def test_an_hour_that_cannot_be_is_refused(columns: dict[str, list[str]], told: str) -> None:
    with pytest.raises(TimeError, match=told):
        hour_starts(table(**columns), "x")


@pytest.mark.parametrize(
    ("column", "text"), [("hour", "1:30"), ("repeated", "maybe"), ("interval", "5"), ("interval", "x")]
)
def test_a_text_that_is_no_label_is_refused(column: str, text: str) -> None:
    columns = {"date": ["2026-08-14"], "hour": ["1"], "interval": ["1"], "repeated": ["N"]} | {column: [text]}
    with pytest.raises(PayloadError, match=text):
        quarter_starts(table(**columns), "x")


def test_a_run_keeps_its_second_and_its_pass() -> None:
    runs = table(sced_at=["11/01/2026 01:05:13", "2026-11-01T01:05:13"], repeated=["N", "Y"])
    assert run_stamps(runs, "sced_at", "x").to_list() == [utc("2026-11-01T06:05:13"), utc("2026-11-01T07:05:13")]


@pytest.mark.parametrize(
    ("name", "posted"),
    [
        ("cdr.00012301.0000000000000000.20260814.133001.SPPHLZNP6905_20260814_1330.csv", "2026-08-14T18:30:01"),
        ("cdr.00012301.0000000000000000.20261101.013001123.SPPHLZNP6905_20261101_0130_csv.zip", "2026-11-01T06:30:01"),
        (
            "cdr.00012301.0000000000000000.20261101.013001123.SPPHLZNP6905_20261101_0130xhr_csv.zip",
            "2026-11-01T07:30:01",
        ),
        (
            "cdr.00012301.0000000000000000.20260814.133001123.SPPHLZNP6905_retry_20260814_1330_csv.zip",
            "2026-08-14T18:30:01",
        ),
    ],
)
def test_a_name_tells_when_its_document_was_posted(name: str, posted: str) -> None:
    assert ercot.stamp_in(["no stamp.csv", name]) == utc(posted)


def test_the_offset_of_a_publish_date_is_that_of_the_day_of_asking_and_is_dropped() -> None:
    # Asked for in daylight time, the list prints -05:00 on a stamp of the standard-time winter before.
    posted = ercot.repaired_publish_date("2025-03-06T12:30:00-05:00", "cdr.x_csv.zip")
    assert posted == utc("2025-03-06T18:30")  # 12:30 at -06:00, not 17:30
    assert ercot.repaired_publish_date("2025-03-10T12:30:00-05:00", "cdr.x_csv.zip") == utc("2025-03-10T17:30")


def test_xhr_chooses_the_second_pass_of_the_repeated_hour_only() -> None:
    def posted(name: str, stamp: str) -> datetime:
        return ercot.repaired_publish_date(stamp, name)

    assert posted("a_csv.zip", "2026-11-01T01:30:00-06:00") == utc("2026-11-01T06:30")
    assert posted("axhr_csv.zip", "2026-11-01T01:30:00-06:00") == utc("2026-11-01T07:30")
    assert posted("axhr_csv.zip", "2026-11-01T03:30:00-06:00") == utc("2026-11-01T09:30")


def test_a_stamp_that_the_clocks_jumped_over_is_refused() -> None:
    with pytest.raises(TimeError, match="does not exist"):
        ercot.repaired_publish_date("2026-03-08T02:30:00-05:00", "cdr.x_csv.zip")
