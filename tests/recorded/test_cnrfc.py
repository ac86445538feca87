"""Recorded CNRFC files: ensembles before and after their horizon grew, and an excerpt of a deterministic export."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.recorded.shared import NOW, recorded, rows_of, utc

pytestmark = recorded
WATERSHED = "cnrfc/2013110312_Kanektok_hefs_csv_hourly.zip"
EXCERPT = "cnrfc/N_SanJoaquin_csv_export_excerpt.csv"


def test_a_watershed_of_23_points_has_59_members_of_337_hours_each() -> None:
    got = rows_of(WATERSHED)
    assert got.height == 23 * 59 * 337
    assert (got["series_id"].n_unique(), got["member"].min(), got["member"].max()) == (23, 1, 59)
    assert (got["event_start"].min(), got["event_start"].max()) == (utc("2013-11-03T12:00"), utc("2013-11-17T12:00"))
    assert got.select("belief_time", "belief_basis", "unit").unique().rows() == [
        (utc("2013-11-03T17:00"), "schedule_rule", "cfs")
    ]
    assert set(got["quality"]) == {"good", "questionable"}  # local-flow points go slightly negative


@pytest.mark.parametrize(
    ("series", "member", "at", "cfs"),
    [
        ("cnrfc:flow:WWBC1", 1, "2013-11-03T12:00", 25.9916),
        ("cnrfc:flow:WWBC1", 1, "2013-11-17T12:00", 16.03286),
        ("cnrfc:flow:TRRN2", 59, "2013-11-17T12:00", 350.2156),  # the last cell of the file
    ],
)
def test_a_cell_of_the_watershed_is_where_it_belongs(series: str, member: int, at: str, cfs: float) -> None:
    got = rows_of(WATERSHED).filter(series_id=series, member=member, event_start=utc(at))
    assert got["value"].to_list() == [pytest.approx(cfs)]


@pytest.mark.parametrize(
    ("day", "hours"), [("13", 337), ("14", 337), ("15", 337), ("16", 337), ("21", 721), ("22", 721)]
)
def test_the_horizon_grew_from_two_weeks_to_thirty_days_between_two_issues(day: str, hours: int) -> None:
    issue = utc(f"2014-10-{day}T12:00")
    got = rows_of(f"cnrfc/BRGC1_hefs_csv_hourly_201410{day}12.csv", product="hefs_hourly", issue=issue)
    assert got.height == 59 * hours
    assert got["member"].unique().sort().to_list() == list(range(1950, 2009))
    assert (got["event_start"].min(), got["event_start"].max()) == (issue, issue + timedelta(hours=hours - 1))
    assert got.select("series_id", "belief_time", "belief_basis", "unit", "quality").unique().rows() == [
        ("cnrfc:flow:BRGC1", issue + timedelta(hours=5), "schedule_rule", "cfs", "good")
    ]


def test_one_issue_given_for_all_files_does_not_make_the_later_ones_known_too_early() -> None:
    got = rows_of("cnrfc/BRGC1_hefs_csv_hourly_2014102212.csv", product="hefs_hourly", issue=utc("2014-10-13T12:00"))
    assert got["belief_time"].unique().to_list() == [utc("2014-10-22T17:00")]


def test_a_number_of_the_rewritten_layout_read_with_the_naked_eye() -> None:
    got = rows_of("cnrfc/BRGC1_hefs_csv_hourly_2014101312.csv")
    last = got.filter(member=1951, event_start=utc("2014-10-27T12:00"))
    assert last["value"].to_list() == [pytest.approx(4596.522)]  # 4.596522 kcfs


def test_an_excerpt_without_its_issue_is_known_since_it_was_read() -> None:
    got = rows_of(EXCERPT)
    assert (got.height, got["series_id"].n_unique()) == (58 * 8, 8)
    assert (got["event_start"].min(), got["event_start"].max()) == (utc("2019-03-30T12:00"), utc("2019-04-01T21:00"))
    assert got.filter(series_id="cnrfc:flow:CMPC1")["value"][0] == pytest.approx(2459.72)
    assert got.select("belief_time", "belief_basis", "scenario").unique().rows() == [
        (NOW, "ingest_time", "deterministic")
    ]


def test_the_same_excerpt_with_its_issue_told_is_all_past() -> None:
    got = rows_of(EXCERPT, issue=utc("2019-04-04T12:00"))
    assert got.select("belief_time", "belief_basis", "scenario").unique().rows() == [
        (utc("2019-04-04T17:00"), "schedule_rule", "actual")
    ]
