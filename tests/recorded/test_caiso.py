"""Recorded OASIS zips: how many rows, from when to when, and when they were known."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from tests.recorded.shared import recorded, rows_of, utc

pytestmark = recorded
RENEWABLES = "caiso/20250204_20250211_SLD_REN_FCST_DAM_20250214_04_52_10_v1.zip"
LOAD = "caiso/20250219_20250227_SLD_FCST_7DA_20250221_01_09_58_v1.zip"


@pytest.mark.parametrize(
    ("name", "rows", "series", "first", "last"),
    [
        (RENEWABLES, 7 * 24 * 6, 6, "2025-02-04T08:00", "2025-02-11T08:00"),  # 3 hubs of sun and wind
        (LOAD, 6432, 34, "2025-02-19T08:00", "2025-02-27T08:00"),
    ],
)
def test_an_unordered_csv_is_read_whole(name: str, rows: int, series: int, first: str, last: str) -> None:
    got = rows_of(name)
    assert (got.height, got["series_id"].n_unique()) == (rows, series)
    assert (got["event_start"].min(), got["event_end"].max()) == (utc(first), utc(last))
    assert got.select("unit", "quality", "scenario", "source").unique().rows() == [
        ("MW", "good", "deterministic", "caiso_oasis")
    ]
    assert (got["event_end"] - got["event_start"] == timedelta(hours=1)).all()


def test_numbers_read_with_the_naked_eye() -> None:
    sun = rows_of(RENEWABLES).filter(series_id="caiso:ren_fcst:DAM:NP15:Solar", event_start=utc("2025-02-04T18:00"))
    assert sun["value"].to_list() == [772.69]
    load = rows_of(LOAD).filter(series_id="caiso:load_fcst:7DA:PGE-TAC", event_start=utc("2025-02-19T08:00"))
    assert load["value"].to_list() == [9486.39]


def test_one_area_began_to_be_forecast_in_the_middle() -> None:
    counts = rows_of(LOAD)["series_id"].value_counts()
    assert counts.filter(pl.col("count") != 8 * 24).rows() == [("caiso:load_fcst:7DA:PACE", 4 * 24)]


def test_days_behind_the_file_are_known_by_rule_and_days_ahead_of_it_since_it_was_made() -> None:
    known = rows_of(LOAD).group_by("belief_time", "belief_basis").agg(pl.col("event_start").min()).sort("belief_time")
    assert known.rows() == [
        (utc("2025-02-18T21:00"), "schedule_rule", utc("2025-02-19T08:00")),  # 13:00 PST on the day before
        (utc("2025-02-19T21:00"), "schedule_rule", utc("2025-02-20T08:00")),
        (utc("2025-02-20T21:00"), "schedule_rule", utc("2025-02-21T08:00")),
        (utc("2025-02-21T09:09:58"), "filename", utc("2025-02-22T08:00")),  # made 01:09:58 PST
    ]
    assert rows_of(RENEWABLES)["belief_basis"].unique().to_list() == ["schedule_rule"]
