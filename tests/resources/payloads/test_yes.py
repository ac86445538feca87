"""YES Energy: period endings, zones that must be told, the repeated hour."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domain.errors import PayloadError, TimeError, UnitError
from tests.resources.payloads.wire import FETCHED, csv_of, rows_of, utc

GMT = {"timezone": "GMT", "iso": "CAISO"}
HEAD = "DATETIME,HOURENDING,MARKETDAY,PEAKTYPE,MONTH,YEAR,20000002064 (DALMP),20000002064 (RTLMP)"


def rows(*lines: str, head: str = HEAD) -> bytes:
    return csv_of(head, lines)


TWO = rows(
    "08/14/2026 01:00:00,1,08/14/2026,OFFPEAK,AUG,2026,41.5,40", "08/14/2026 02:00:00,2,08/14/2026,OFFPEAK,AUG,2026,42,"
)


def test_a_stamp_ends_its_period() -> None:
    got = rows_of("yes", TWO, options=GMT).filter(series_id="yes:CAISO:DALMP:20000002064")
    assert got.select("event_start", "event_end", "value", "unit").row(0) == (
        utc("2026-08-14T00:00"),
        utc("2026-08-14T01:00"),
        41.5,
        "USD/MWh",
    )


def test_the_last_hour_of_a_day_is_stamped_on_the_next() -> None:
    got = rows_of(
        "yes", rows("08/15/2026 00:00:00,24,08/14/2026,x,AUG,2026,41.5,40"), options=GMT | {"agglevel": "hour"}
    )
    assert got["event_start"].unique().to_list() == [utc("2026-08-14T23:00")]


def test_an_empty_cell_is_not_available_yet() -> None:
    got = rows_of("yes", TWO, options=GMT)
    assert got["series_id"].value_counts().sort("count")["count"].to_list() == [1, 2]


def test_prices_are_known_by_the_rule_of_their_market() -> None:
    got = rows_of("yes", TWO, options=GMT)
    # 00:00 UTC is still the market day of August 13; its results were out on the 12th at 13:00 PDT.
    assert got.filter(series_id="yes:CAISO:DALMP:20000002064").select("belief_time", "belief_basis").row(0) == (
        utc("2026-08-12T20:00"),
        "schedule_rule",
    )
    assert got.filter(series_id="yes:CAISO:RTLMP:20000002064")["belief_time"].to_list() == [utc("2026-08-14T01:10")]
    other = rows_of("yes", TWO, options=GMT | {"iso": "MISO"}).filter(series_id="yes:MISO:DALMP:20000002064")
    assert other["belief_basis"].unique().to_list() == ["ingest_time"]
    assert other["belief_time"].unique().to_list() == [FETCHED]


def test_json_says_the_same_as_csv() -> None:
    data = [
        {"DATETIME": "08/14/2026 01:00:00", "HOURENDING": 1, "20000002064 (DALMP)": "41.5", "20000002064 (RTLMP)": 40},
        {"DATETIME": "08/14/2026 02:00:00", "HOURENDING": 2, "20000002064 (DALMP)": 42, "20000002064 (RTLMP)": None},
    ]
    for value in (data, {"data": data}):
        assert rows_of("yes", json.dumps(value).encode(), options=GMT).equals(rows_of("yes", TWO, options=GMT))


def test_the_request_may_tell_zone_market_and_length() -> None:
    url = "https://host/PS/rest/timeseries/multiple.csv?items=DALMP:20000002064:CAISO&timezone=GMT&agglevel=hour"
    assert rows_of("yes", TWO, name=url).equals(rows_of("yes", TWO, options=GMT))


@pytest.mark.parametrize(
    ("zone", "first"),
    [("GMT", "01:00"), ("EST", "06:00"), ("EPT", "05:00"), ("PST", "09:00"), ("PPT", "08:00"), ("CPT", "06:00")],
)
def test_each_zone_has_its_own_offset(zone: str, first: str) -> None:
    got = rows_of("yes", TWO, options=GMT | {"timezone": zone})
    assert got["event_end"].dt.strftime("%H:%M")[0] == first


def test_the_repeated_hour_of_a_prevailing_zone_is_two_hours_in_row_order() -> None:
    lines = [f"11/01/2026 {hour}:00:00,1,x,x,NOV,2026,{value},1" for hour, value in (("01", 1), ("01", 2), ("02", 3))]
    got = rows_of("yes", rows(*lines), options=GMT | {"timezone": "CPT"}).filter(
        series_id="yes:CAISO:DALMP:20000002064"
    )
    # 01:00 CDT = 06:00 UTC, 01:00 CST = 07:00, 02:00 CST = 08:00, each the end of its hour
    assert got.select("event_end", "value").rows() == [
        (utc(f"2026-11-01T0{hour}:00"), value) for hour, value in ((6, 1.0), (7, 2.0), (8, 3.0))
    ]


def test_five_minute_periods_show_their_length() -> None:
    lines = [f"08/14/2026 00:{minute:02d}:00,1,x,x,AUG,2026,1,2" for minute in (5, 10, 15)]
    got = rows_of("yes", rows(*lines), options=GMT)
    assert got["event_start"].min() == utc("2026-08-14T00:00")


def test_a_node_may_be_named_between_the_object_and_its_type() -> None:
    head = HEAD.replace("20000002064 (DALMP)", "TH_NP15_GEN-APND (20000004682) (DALMP)")
    got = rows_of("yes", TWO.replace(HEAD.encode(), head.encode()), options=GMT)
    assert "yes:CAISO:DALMP:TH_NP15_GEN-APND" in set(got["series_id"])


def test_a_load_is_megawatts_and_another_type_must_be_told() -> None:
    loads = TWO.replace(b"RTLMP", b"RTLOAD")
    assert set(rows_of("yes", loads, options=GMT).filter(series_id="yes:CAISO:RTLOAD:20000002064")["unit"]) == {"MW"}
    strange = TWO.replace(b"RTLMP", b"GASPRICE")
    with pytest.raises(UnitError, match="GASPRICE"):
        rows_of("yes", strange, options=GMT)
    assert rows_of("yes", strange, options=GMT | {"unit": "USD/MWh"}).height == 3


@pytest.mark.parametrize(
    ("payload", "options", "told"),
    [
        (TWO, {"iso": "CAISO"}, "does not say in which zone"),
        (TWO, {"iso": "CAISO", "timezone": "US/Eastern"}, "does not say in which zone"),
        (TWO, {"timezone": "GMT"}, "of which market"),
        (rows("08/15/2026 00:00:00,24,x,x,AUG,2026,1,2"), GMT, "how long its periods are"),
        (TWO, GMT | {"agglevel": "fortnight"}, "agglevel"),
        (csv_of("a,b", ["1,2"]), GMT, "lacks DATETIME"),
        (json.dumps({"message": "not licensed"}).encode(), GMT, "not licensed"),
        (b"<html>login</html>", GMT, "HTML page"),
        (b"<data/>", GMT, "XML"),
    ],
)
def test_what_is_not_told_is_not_assumed(payload: bytes, options: dict[str, Any], told: str) -> None:
    with pytest.raises(PayloadError, match=told):
        rows_of("yes", payload, options=options)


def test_a_label_that_occurs_twice_without_reason_is_refused() -> None:
    line = "08/14/2026 01:00:00,1,x,x,AUG,2026,1,2"
    with pytest.raises(TimeError, match="shows it once"):
        rows_of("yes", rows(line, line), options=GMT | {"timezone": "CPT"})
