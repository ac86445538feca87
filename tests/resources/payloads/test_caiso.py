"""CAISO OASIS: prices, forecasts, refusals, and the two days when clocks change."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from domain.errors import PayloadError
from resources.payloads import caiso
from tests.resources.payloads.wire import AUTUMN, SPRING, csv_of, rows_of, steps, utc, zip_of

LMP = (
    "INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,OPR_DT,OPR_HR,OPR_INTERVAL,NODE_ID,NODE,MARKET_RUN_ID,"
    "LMP_TYPE,XML_DATA_ITEM,GRP_TYPE,POS,{value},GROUP"
)


def price(start: str, end: str, run: str = "DAM", kind: str = "LMP", number: str = "41.5") -> str:
    stamps = f"{start}:00-00:00,{end}:00-00:00"
    return f"{stamps},2026-08-14,1,0,RALSTON_7_B1,RALSTON_7_B1,{run},{kind},LMP_PRC,ALL,1,{number},1"


def prices(*rows: str, value: str = "MW") -> bytes:
    return zip_of({"PRC_LMP.csv": csv_of(LMP.format(value=value), rows)})


@pytest.mark.parametrize(
    ("run", "column", "market", "end", "public"),
    [
        ("DAM", "MW", "da", "2026-08-14T08:00", "2026-08-13T20:00"),  # 13:00 PDT on the day before
        ("RTPD", "PRC", "rtpd", "2026-08-14T07:15", "2026-08-14T07:20"),  # five minutes after the interval
        ("RTM", "VALUE", "rtd", "2026-08-14T07:05", "2026-08-14T07:10"),
        ("HASP", "PRC", "hasp", "2026-08-14T07:15", "2026-08-14T07:20"),
    ],
)
def test_the_price_is_in_whichever_column_is_filled(run: str, column: str, market: str, end: str, public: str) -> None:
    (row,) = rows_of("caiso", prices(price("2026-08-14T07:00", end, run), value=column)).iter_rows(named=True)
    assert (row["series_id"], row["value"], row["unit"]) == (f"caiso:lmp_{market}:RALSTON_7_B1:LMP", 41.5, "USD/MWh")
    assert (row["event_start"], row["event_end"]) == (utc("2026-08-14T07:00"), utc(end))
    assert (row["belief_time"], row["belief_basis"]) == (utc(public), "schedule_rule")
    assert (row["source"], row["scenario"]) == ("caiso_oasis", "actual")


def test_each_component_is_a_series_and_rows_may_come_in_any_order() -> None:
    rows = [
        price("2026-08-14T08:00", "2026-08-14T09:00", kind=kind, number=n) for kind, n in (("MCC", "-1"), ("LMP", "40"))
    ]
    rows.append(price("2026-08-14T07:00", "2026-08-14T08:00"))
    got = rows_of("caiso", prices(*rows)).sort("event_start", "series_id")
    assert got.select("series_id", "value").rows() == [
        ("caiso:lmp_da:RALSTON_7_B1:LMP", 41.5),
        ("caiso:lmp_da:RALSTON_7_B1:LMP", 40.0),
        ("caiso:lmp_da:RALSTON_7_B1:MCC", -1.0),
    ]


@pytest.mark.parametrize(
    ("day", "hours", "midnight"), [(AUTUMN, 25, "2026-11-01T07:00"), (SPRING, 23, "2026-03-08T08:00")]
)
def test_a_day_has_the_hours_it_has(day: date, hours: int, midnight: str) -> None:
    starts = steps(utc(midnight), hours, timedelta(hours=1))
    texts = [
        (start.strftime("%Y-%m-%dT%H:%M"), (start + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")) for start in starts
    ]
    rows = rows_of("caiso", prices(*(price(start, end) for start, end in reversed(texts))))
    assert rows["event_start"].sort().to_list() == starts
    # 13:00 Pacific on the day before: still daylight time in autumn, still standard time in spring
    assert rows["belief_time"].unique().to_list() == [utc(f"2026-{'10-31T20' if day == AUTUMN else '03-07T21'}:00")]


@pytest.mark.parametrize(
    ("start", "end"),
    [("INTERVAL_START_GMT", "INTERVAL_END_GMT"), ("STARTTIME_GMT", "ENDTIME_GMT"), ("START_DATE_GMT", "END_DATE_GMT")],
)
def test_the_stamps_have_several_names(start: str, end: str) -> None:
    header = LMP.format(value="MW").replace("INTERVALSTARTTIME_GMT", start).replace("INTERVALENDTIME_GMT", end)
    rows = rows_of("caiso", csv_of(header, [price("2026-08-14T07:00", "2026-08-14T08:00")]))
    assert rows["event_start"].to_list() == [utc("2026-08-14T07:00")]


def test_every_member_of_an_archive_is_read() -> None:
    header, first, second = (
        LMP.format(value="MW"),
        price("2026-08-14T07:00", "2026-08-14T08:00"),
        price("2026-08-14T08:00", "2026-08-14T09:00"),
    )
    payload = zip_of({"a.csv": csv_of(header, [first]), "b.csv": csv_of(header, [second])})
    assert rows_of("caiso", payload)["event_start"].to_list() == [utc("2026-08-14T07:00"), utc("2026-08-14T08:00")]


def test_what_a_file_holds_was_known_when_the_file_was_made() -> None:
    # Made 2026-08-13 12:30:00 PDT = 19:30 UTC, half an hour before the rule; and the fetch was earlier still.
    name = "20260814_20260815_PRC_LMP_DAM_20260813_12_30_00_v12.zip"
    payload = prices(price("2026-08-14T07:00", "2026-08-14T08:00"))
    made = rows_of("caiso", payload, name=name)
    assert made.select("belief_time", "belief_basis").rows() == [(utc("2026-08-13T19:30"), "filename")]
    early = utc("2026-08-13T19:00")
    fetched = rows_of("caiso", payload, name=name, fetched_at=early)
    assert fetched.select("belief_time", "belief_basis").rows() == [(early, "ingest_time")]


def test_the_retrieval_stamp_of_the_repeated_hour_is_taken_for_the_later_pass() -> None:
    assert caiso.created_in(["a_20261101_01_30_00_v1.csv"]) == utc("2026-11-01T09:30")


FORECAST = (
    "INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,LOAD_TYPE,OPR_DT,OPR_HR,OPR_INTERVAL,MARKET_RUN_ID,"
    "TAC_AREA_NAME,LABEL,XML_DATA_ITEM,POS,MW,EXECUTION_TYPE,GROUP"
)


@pytest.mark.parametrize(
    ("run", "execution", "series", "scenario"),
    [
        ("7DA", "7DA", "caiso:load_fcst:7DA:PGE-TAC", "deterministic"),
        ("2DA", "2DA", "caiso:load_fcst:2DA:PGE-TAC", "deterministic"),
        ("DAM", "DAM", "caiso:load_fcst:DAM:PGE-TAC", "deterministic"),
        ("RTM", "RTPD", "caiso:load_fcst:RTPD:PGE-TAC", "deterministic"),
        ("ACTUAL", "ACTUAL", "caiso:load_actual:PGE-TAC", "actual"),
    ],
)
def test_runs_of_the_load_forecast_are_vintages_of_one_target(
    run: str, execution: str, series: str, scenario: str
) -> None:
    row = (
        f"2026-08-14T07:00:00-00:00,2026-08-14T08:00:00-00:00,0,2026-08-14,1,0,{run},PGE-TAC,x,y,1,12000,{execution},1"
    )
    got = rows_of("caiso", zip_of({"a.csv": csv_of(FORECAST, [row])}))
    assert got.select("series_id", "scenario", "value", "unit").rows() == [(series, scenario, 12000.0, "MW")]


def test_renewable_forecasts_and_ancillary_prices_have_their_own_coordinates() -> None:
    stamps = "2026-08-14T07:00:00-00:00,2026-08-14T08:00:00-00:00"
    wind = csv_of(
        "INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,TRADING_HUB,RENEWABLE_TYPE,MARKET_RUN_ID,MW",
        [f"{stamps},NP15,Wind,DAM,300"],
    )
    service = csv_of(
        "INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,ANC_REGION,ANC_TYPE,MARKET_RUN_ID,MW",
        [f"{stamps},AS_CAISO,RU,DAM,4.5"],
    )
    got = rows_of("caiso", zip_of({"a.csv": wind, "b.csv": service}))
    assert got.select("series_id", "value", "unit").rows() == [
        ("caiso:ren_fcst:DAM:NP15:Wind", 300.0, "MW"),
        ("caiso:as_da:AS_CAISO:RU", 4.5, "USD/MW"),
    ]


def refused(code: str) -> bytes:
    error = f"<m:ERROR><m:ERR_CODE>{code}</m:ERR_CODE><m:ERR_DESC>told why</m:ERR_DESC></m:ERROR>"
    xml = f"<m:OASISReport xmlns:m='urn:x'>{error}</m:OASISReport>"
    return zip_of({"20260814_INVALID_REQUEST.xml": xml.encode()})


def test_no_data_is_an_empty_answer() -> None:
    assert rows_of("caiso", refused("1000")).height == 0


ENTITIES = b"<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;'>]><x><ERR_CODE>&b;</ERR_CODE></x>"


@pytest.mark.parametrize(
    ("payload", "told", "retryable"),
    [
        (refused("1005"), "ERR_CODE 1005, told why", False),
        (b"<html><body>busy</body></html>", "HTML page", True),
        (prices(price("a", "b"))[:50], "damaged", True),
        (zip_of({"a.xml": ENTITIES}), "hostile", True),
        (zip_of({"a.xml": b"<x>"}), "cut short or hostile", True),
        (zip_of({"a.xml": b"<OASISReport/>"}), "resultformat=6", False),
        (zip_of({"a.csv": b"a,b\n1,2\n"}), "no OASIS report", False),
        (prices(price("2026-08-14T07:00", "2026-08-14T08:00", run="XYZ")), "market run", False),
        (prices(price("2026-08-14T07:00", "2026-08-14T08:00", number="")), "should have one of", False),
        (prices(price("2026-08-14T07:00", "2026-08-14T08:00", number="n/a")), "'n/a'", False),
    ],
)
def test_what_is_no_answer_is_refused_with_its_reason(payload: bytes, told: str, retryable: bool) -> None:
    with pytest.raises(PayloadError, match=told) as caught:
        rows_of("caiso", payload)
    assert caught.value.retryable is retryable
