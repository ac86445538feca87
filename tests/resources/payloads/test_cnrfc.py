"""CNRFC: exports, ensembles, the CSV of a point, and when an issue became known."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from domain.errors import PayloadError, TimeError
from resources.payloads import cnrfc
from tests.resources.payloads.wire import FETCHED, csv_of, rows_of, utc, zip_of

EXPORT = (
    b"GMT,FOLC1,FOLC1F,HLEC1L\n,QINE,QINE,QINE\n2019-04-04 11:00:00,2.5,1,0.1\n"
    b"2019-04-04 12:00:00,2.6,1,0.2\n2019-04-04 13:00:00,2.7,1,-0.02\n"
)
NAME = "2019040412_american_csv_export.zip"


def by_series(rows: pl.DataFrame) -> dict[str, list[Any]]:
    return dict(rows.group_by("series_id", maintain_order=True).agg("value").iter_rows())


def test_thousands_of_cubic_feet_become_cubic_feet() -> None:
    rows = rows_of("cnrfc", zip_of({"x.csv": EXPORT}), name=NAME)
    assert {key: pytest.approx(values) for key, values in by_series(rows).items()} == {
        "cnrfc:flow:FOLC1": [2500, 2600, 2700],
        "cnrfc:flow:FOLC1F": [1000, 1000, 1000],
        "cnrfc:flow:HLEC1L": [100, 200, -20],
    }
    assert set(rows["unit"]) == {"cfs"}
    assert rows["event_start"].equals(rows["event_end"])


def test_the_hours_up_to_the_issue_are_the_past_and_the_others_the_forecast() -> None:
    rows = rows_of("cnrfc", zip_of({"x.csv": EXPORT}), name=NAME).filter(series_id="cnrfc:flow:FOLC1")
    assert rows["scenario"].to_list() == ["actual", "actual", "deterministic"]


def test_an_issue_is_known_five_hours_after_the_hour_in_its_name_at_the_earliest() -> None:
    rows = rows_of("cnrfc", zip_of({"x.csv": EXPORT}), name=NAME)
    assert rows.select("belief_time", "belief_basis").unique().rows() == [(utc("2019-04-04T17:00"), "schedule_rule")]


def test_a_modification_stamp_says_better_when_it_was_known_and_cannot_lie_before_the_issue() -> None:
    rows = rows_of("cnrfc", zip_of({"x.csv": EXPORT}), name=NAME, last_modified=utc("2019-04-04T15:48"))
    assert rows.select("belief_time", "belief_basis").unique().rows() == [
        (utc("2019-04-04T15:48"), "http_last_modified")
    ]
    with pytest.raises(PayloadError, match="before 2019-04-04T12:00"):
        rows_of("cnrfc", zip_of({"x.csv": EXPORT}), name=NAME, last_modified=utc("2019-04-04T11:59"))


def test_what_was_fetched_before_the_rule_was_known_when_it_was_fetched() -> None:
    early = utc("2019-04-04T16:10")
    rows = rows_of("cnrfc", zip_of({"x.csv": EXPORT}), name=NAME, fetched_at=early)
    assert rows.select("belief_time", "belief_basis").unique().rows() == [(early, "ingest_time")]


def test_an_export_that_does_not_tell_its_issue_has_no_seam_and_is_known_since_its_fetch() -> None:
    rows = rows_of("cnrfc", EXPORT, name="american_csv_export.csv")
    assert rows.select("belief_time", "belief_basis", "scenario").unique().rows() == [
        (FETCHED, "ingest_time", "deterministic")
    ]
    told = rows_of("cnrfc", EXPORT, name="american_csv_export.csv", issue=utc("2019-04-04T12:00"))
    assert told["belief_time"].unique().to_list() == [utc("2019-04-04T17:00")]


@pytest.mark.parametrize("members", [1, 2, 59, 69])
def test_members_are_counted_and_never_assumed(members: int) -> None:
    heads, values = ",".join(["GMT", *["BRGC1"] * members, *["FOLC1"] * members]), ",".join(["0.5"] * 2 * members)
    body = csv_of(
        heads,
        [",".join(["", *["QINE"] * 2 * members]), f"2026-01-10 12:00:00,{values}", f"2026-01-10 13:00:00,{values}"],
    )
    rows = rows_of("cnrfc", zip_of({"2026011012_NorthCoast_hefs_csv_hourly.csv": body}))
    assert rows.height == 2 * 2 * members
    assert rows.filter(series_id="cnrfc:flow:BRGC1")["member"].unique().sort().to_list() == list(range(1, members + 1))
    assert set(rows["scenario"]) == {f"member:{number}" for number in range(1, members + 1)}
    assert rows["belief_time"].unique().to_list() == [utc("2026-01-10T17:00")]


def test_members_are_years_where_the_first_is_told_or_all_are_printed() -> None:
    wire = b"GMT,BRGC1,BRGC1\n,QINE,QINE\n2014-10-13 12:00:00,0.5,0.6\n"
    rows = rows_of("cnrfc", wire, name="2014101312_BRGC1_hefs_csv_hourly.csv", options={"base_year": "1950"})
    printed = b"GMT,x1950,x1951\n10/13/2014 12:00,0.5,0.6\n"
    same = rows_of(
        "cnrfc", printed, name="BRGC1_hefs_csv_hourly.csv", product="hefs_hourly", issue=utc("2014-10-13T12:00")
    )
    assert rows["member"].to_list() == [1950, 1951]
    assert same.equals(rows)


def test_an_ensemble_begins_at_its_own_issue_whatever_else_is_said_of_it() -> None:
    body = b"GMT,x1950,x1951\n10/14/2014 12:00,0.5,0.6\n"
    for issue in (None, utc("2014-10-13T12:00")):
        rows = rows_of("cnrfc", body, name="BRGC1_hefs_csv_hourly.csv", issue=issue)
        assert rows["belief_time"].unique().to_list() == [utc("2014-10-14T17:00")]


@pytest.mark.parametrize("text", ["-9999", "-9998.0", "-999", "Missing", "--", "**", "", " "])
def test_a_sentinel_is_a_missing_value_and_never_a_flow(text: str) -> None:
    body = f"GMT,FOLC1,HLEC1\n,QINE,QINE\n2019-04-04 12:00:00,{text},1\n".encode()
    row = rows_of("cnrfc", body, name=NAME.replace("zip", "csv")).row(0, named=True)
    assert (row["value"], row["quality"]) == (None, "missing")


def test_a_mild_negative_flow_is_kept_and_doubted_and_a_negative_stage_is_fine() -> None:
    body = b"GMT,FOLC1,HLEC1\n,QINE,SSTG\n2019-04-04 12:00:00,-0.02,-0.5\n"
    rows = rows_of("cnrfc", body, name=NAME.replace("zip", "csv"))
    assert rows.select("series_id", "value", "unit", "quality").rows() == [
        ("cnrfc:flow:FOLC1", -20.0, "cfs", "questionable"),
        ("cnrfc:stage:HLEC1", -0.5, "ft", "good"),
    ]


def test_the_last_number_of_a_text_that_ends_inside_its_line_is_doubted() -> None:
    body = EXPORT.replace(b"-0.02\n", b"0.0")  # of 0.035, say
    rows = rows_of("cnrfc", body, name=NAME[:-4])
    assert rows.filter(quality="questionable").select("series_id", "value").rows() == [("cnrfc:flow:HLEC1L", 0.0)]
    assert set(rows_of("cnrfc", zip_of({"x.csv": body}), name=NAME)["quality"]) == {"good"}  # a checksum vouches for it


def test_a_daily_mean_is_of_the_day_that_ends_at_its_stamp() -> None:
    body = b"GMT,FOLC1,FOLC1\n,SQME,SQME\n2019-04-05 12:00:00,1,2\n"
    row = rows_of("cnrfc", zip_of({"2019040412_american_hefs_csv_daily.csv": body})).row(0, named=True)
    assert (row["series_id"], row["value"]) == ("cnrfc:flow_daily:FOLC1", 1000.0)
    assert (row["event_start"], row["event_end"]) == (utc("2019-04-04T12:00"), utc("2019-04-05T12:00"))
    assert row["belief_time"] == utc("2019-04-04T17:00")


def test_a_file_without_its_second_header_row_says_its_parameter_by_its_name() -> None:
    body = b"GMT,FOLC1,FOLC1\n2019-04-04 12:00:00,14.5,15\n"
    assert rows_of("cnrfc", body, name="FOLC1_hefs_csv_hourly_sstg.csv")["series_id"].unique().to_list() == [
        "cnrfc:stage:FOLC1"
    ]
    assert rows_of("cnrfc", body, name="FOLC1_hefs_csv_hourly.csv")["unit"].unique().to_list() == ["cfs"]


POINT = (
    "Valid Date/Time (Pacific),Stage (Feet),Flow (CFS),Trend,Issuance Date/Time (Pacific),"
    "Threshold Exceedance Status,Observed/Forecast"
)


def test_the_csv_of_a_point_is_in_pacific_time_and_cubic_feet() -> None:
    body = csv_of(
        POINT,
        [
            "04/04/2019 04 AM,10.5,2500,,04/04/2019 08 AM,,Observed",
            "04/04/2019 05 AM,10.6,2600,,04/04/2019 08 AM,,Forecast",
        ],
    )
    rows = rows_of("cnrfc", body, name="https://host/graphicalRVF_csv.php?id=FOLC1").sort("series_id", "event_start")
    # 04 AM PDT is 11:00 UTC; issued 08 AM PDT = 15:00 UTC; an observed row has no stamp of its own.
    assert rows.select("series_id", "event_start", "value", "scenario", "belief_time").rows() == [
        ("cnrfc:flow:FOLC1", utc("2019-04-04T11:00"), 2500.0, "actual", FETCHED),
        ("cnrfc:flow:FOLC1", utc("2019-04-04T12:00"), 2600.0, "deterministic", utc("2019-04-04T16:00")),
        ("cnrfc:stage:FOLC1", utc("2019-04-04T11:00"), 10.5, "actual", FETCHED),
        ("cnrfc:stage:FOLC1", utc("2019-04-04T12:00"), 10.6, "deterministic", utc("2019-04-04T16:00")),
    ]


def test_a_blank_trend_marks_where_observations_and_forecasts_begin() -> None:
    body = csv_of(
        "Date/Time (Pacific Time),Flow (CFS),Trend",
        ["04/04/2019 04 AM,1,", "04/04/2019 05 AM,2,Rising", "04/04/2019 06 AM,3,", "04/04/2019 07 AM,4,Rising"],
    )
    rows = rows_of("cnrfc", body, options={"point": "FOLC1"}).sort("event_start")
    assert rows["scenario"].to_list() == ["actual", "actual", "deterministic", "deterministic"]


def test_the_repeated_hour_of_a_point_is_told_apart_by_row_order() -> None:
    body = csv_of(
        "Date/Time (Pacific Time),Flow (CFS),Trend",
        [f"11/01/2026 {hour},1,x" for hour in ("12 AM", "01 AM", "01 AM", "02 AM")],
    )
    rows = rows_of("cnrfc", body, options={"point": "FOLC1"}).sort("event_start")
    assert [start.hour for start in rows["event_start"]] == [7, 8, 9, 10]


@pytest.mark.parametrize(
    ("body", "given", "told"),
    [
        (b"<html>not issued</html>", {}, "HTML page"),
        (EXPORT[:-9], {"name": NAME[:-4]}, "cut short"),
        (EXPORT.replace(b"QINE", b"WATR"), {"name": NAME[:-4]}, "parameter 'WATR'"),
        (EXPORT.replace(b"2.6", b"2,6"), {"name": NAME[:-4]}, "5 fields"),
        (EXPORT.replace(b"FOLC1F", b"flow at Folsom"), {"name": NAME[:-4]}, "point ids"),
        (EXPORT.replace(b"GMT", b"PST"), {"name": NAME[:-4]}, "not GMT"),
        (b"GMT,x1950,x1951\n10/14/2014 12:00,0.5,0.6\n", {"name": "x.csv"}, "point=BRGC1"),
        (EXPORT, {"issue": utc("2019-04-04T13:00")}, "no issue is made at"),
        (EXPORT, {"product": "banana"}, "no product of CNRFC"),
        (zip_of({"a.json": b"{}"}), {}, "not CSV"),
        (
            csv_of("Date/Time (Pacific Time),Trend", ["04/04/2019 04 AM,"]),
            {"options": {"point": "A"}},
            "neither flow nor stage",
        ),
        (
            csv_of("Date/Time (Pacific Time),Flow (CFS)", ["04/04/2019 04 AM,1"]),
            {"options": {"point": "A"}},
            "which rows are observed",
        ),
        (csv_of("Date/Time (Pacific Time),Flow (CFS),Trend", ["04/04/2019 04 AM,1,"]), {}, "point=FOLC1"),
    ],
)
def test_what_is_no_file_of_theirs_is_refused_with_its_reason(body: bytes, given: dict[str, Any], told: str) -> None:
    with pytest.raises(PayloadError, match=told):
        rows_of("cnrfc", body, **given)


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(TimeError, match="none of ours"):
        rows_of("cnrfc", EXPORT.replace(b"2019-04-04 12:00:00", b"noon"), name=NAME[:-4])


def test_the_nominal_hour_is_in_a_name_or_it_is_not() -> None:
    assert cnrfc.nominal_in(["x.csv", "2019040418_american_csv_export.zip"]) == utc("2019-04-04T18:00")
    assert cnrfc.nominal_in(["cdr.00012301.0000000000000000.csv", "2019040413_a.csv"]) is None
