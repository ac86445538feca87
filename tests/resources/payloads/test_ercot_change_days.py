"""Every ERCOT product on the two days when clocks change: each UTC instant compared with an even row of instants."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from resources.payloads.ercot.sheets import our_names
from resources.payloads.tables import key_of
from tests.resources.payloads.ercot_cases import CASES, Case
from tests.resources.payloads.wire import AUTUMN, SPRING, csv_of, market_hours, quarter_labels, rows_of, steps, utc

ONE_EACH = list({case.emil: case for case in CASES}.values())
# Central midnight is 05:00 UTC in daylight time and 06:00 in standard time.
DAYS = {AUTUMN: (utc("2026-11-01T05:00"), 25), SPRING: (utc("2026-03-08T06:00"), 23)}
HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)


def columns_of(case: Case) -> dict[str, int]:
    """Where the case's row has each of our columns."""
    keys = [key_of(name) for name in case.header.split(",")]
    return {name: keys.index(key) for name, key in our_names(keys).items()}


def starts_of(case: Case, labels: list[dict[str, str]]) -> list[datetime]:
    """The instants of the case's series when its row is repeated under other labels."""
    where, lines = columns_of(case), []
    for label in labels:
        cells = case.row.split(",")
        for name, text in label.items():
            if name in where:
                cells[where[name]] = text
        lines.append(",".join(cells))
    rows = rows_of("ercot", csv_of(case.header, lines)).filter(series_id=case.series, scenario=case.scenario)
    return rows["event_start"].to_list()


BY_RUN = [case for case in ONE_EACH if "sced_at" in columns_of(case)]
AHEAD = [case for case in ONE_EACH if "rtd_at" in columns_of(case)]
BY_DAY = [case for case in ONE_EACH if case not in (*BY_RUN, *AHEAD)]


@pytest.mark.parametrize("day", DAYS, ids=["autumn", "spring"])
@pytest.mark.parametrize("case", BY_DAY, ids=lambda case: case.emil)
def test_a_product_has_every_instant_of_the_day_once(case: Case, day: date) -> None:
    midnight, hours = DAYS[day]
    where = columns_of(case)
    if "time_ending" in where:
        labels = [{"date": str(day), "time_ending": text, "repeated": flag} for text, flag in quarter_labels(day)]
        expected = steps(midnight, 4 * hours, QUARTER)
    elif "interval" in where:
        labels = [
            {"date": str(day), "hour": str(hour), "interval": str(number), "repeated": flag}
            for hour, flag in market_hours(day)
            for number in range(1, 5)
        ]
        expected = steps(midnight, 4 * hours, QUARTER)
    else:
        labels = [{"date": str(day), "hour": str(hour), "repeated": flag} for hour, flag in market_hours(day)]
        expected = steps(midnight, hours, HOUR)
    if "repeated" not in where:  # without a flag neither pass of the repeated hour can be told: both are left out
        labels = [label for label in labels if label["repeated"] == "N"]
        expected = [start for start in expected if start not in (utc("2026-11-01T06:00"), utc("2026-11-01T07:00"))]
    assert starts_of(case, labels) == expected


@pytest.mark.parametrize("case", BY_RUN, ids=lambda case: case.emil)
def test_a_run_of_the_repeated_hour_is_in_the_pass_that_its_flag_says(case: Case) -> None:
    runs = [("00:55:13", "N"), ("01:05:13", "N"), ("01:05:13", "Y"), ("02:05:13", "N")]
    labels = [{"sced_at": f"11/01/2026 {wall}", "repeated": flag} for wall, flag in runs]
    times = ("05:55:13", "06:05:13", "07:05:13", "08:05:13")
    assert starts_of(case, labels) == [utc(f"2026-11-01T{text}") for text in times]


@pytest.mark.parametrize("case", AHEAD, ids=lambda case: case.emil)
def test_an_interval_ahead_is_in_the_pass_that_its_own_flag_says(case: Case) -> None:
    # Run at 01:55 daylight time: its intervals end at 02:00 CDT (= 01:00 CST, second pass) and at 01:05 CST.
    run = {"rtd_at": "11/01/2026 01:55:11", "repeated": "N", "interval_repeated": "Y"}
    labels = [run | {"interval_ending": f"11/01/2026 {wall}"} for wall in ("01:00:00", "01:05:00")]
    assert starts_of(case, labels) == [utc("2026-11-01T06:55"), utc("2026-11-01T07:00")]
