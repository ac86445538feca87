"""OASIS, asked with plain requests."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from tests.simulators.stand_ins import StandIns

DAM = {"queryname": "PRC_LMP", "version": 12, "market_run_id": "DAM", "resultformat": 6, "node": "OXBOWF_7_B1"}
RTPD = {"queryname": "PRC_RTPD_LMP", "version": 3, "market_run_id": "RTPD", "resultformat": 6, "node": "OXBOWF_7_B1"}


def get(stand_ins: StandIns, query: dict[str, Any], start: str, end: str) -> requests.Response:
    params = {**query, "startdatetime": start, "enddatetime": end}
    return stand_ins.http.get(stand_ins.url("caiso", "/SingleZip"), params=params, timeout=20)


def members(answer: requests.Response) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def rows(answer: requests.Response) -> list[dict[str, str]]:
    (text,) = members(answer).values()
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(("query", "price", "per_hour"), [(DAM, "MW", 1), (RTPD, "PRC", 4)])
def test_prices_are_in_a_column_with_the_wrong_name_and_add_up(
    stand_ins: StandIns, query: dict[str, Any], price: str, per_hour: int
) -> None:
    listed = rows(get(stand_ins, query, "20261119T08:00-0000", "20261120T08:00-0000"))
    assert len(listed) == 24 * per_hour * 5
    by_type: dict[str, dict[str, float]] = {}
    for row in listed:
        by_type.setdefault(row["INTERVALSTARTTIME_GMT"], {})[row["LMP_TYPE"]] = float(row[price])
    for parts in by_type.values():
        assert parts["LMP"] == pytest.approx(parts["MCE"] + parts["MCC"] + parts["MCL"] + parts["MGHG"], abs=1e-9)
    starts = [row["INTERVALSTARTTIME_GMT"] for row in listed]
    assert starts != sorted(starts)
    assert min(starts) == "2026-11-19T08:00:00-00:00"
    assert {row["XML_DATA_ITEM"] for row in listed} >= {"LMP_PRC", "LMP_ENE_PRC", "LMP_CONG_PRC", "LMP_LOSS_PRC"}


def test_prices_are_the_worlds(stand_ins: StandIns) -> None:
    listed = rows(get(stand_ins, RTPD, "20261119T08:00-0000", "20261119T09:00-0000"))
    start = int(datetime(2026, 11, 19, 8, tzinfo=UTC).timestamp())
    truth = stand_ins.world.window("california_rt", start, start + 3600)["OXBOWF_7_B1/LMP"]
    found = sorted((row["INTERVALSTARTTIME_GMT"], float(row["PRC"])) for row in listed if row["LMP_TYPE"] == "LMP")
    assert [value for _, value in found] == truth.tolist()


def test_the_file_name_tells_range_query_run_and_when_it_was_made(stand_ins: StandIns) -> None:
    answer = get(stand_ins, DAM, "20261119T08:00-0000", "20261120T08:00-0000")
    # 08:00 UTC is midnight in California.
    stem = "20261119_20261120_PRC_LMP_DAM_20261121_00_00_00_v12"
    assert answer.headers["Content-Disposition"] == f"inline; filename={stem}.zip;"
    assert list(members(answer)) == [f"{stem}.csv"]


def test_an_offset_other_than_gmt_is_understood(stand_ins: StandIns) -> None:
    gmt = rows(get(stand_ins, DAM, "20261119T08:00-0000", "20261119T10:00-0000"))
    assert rows(get(stand_ins, DAM, "20261119T00:00-0800", "20261119T02:00-0800")) == gmt


@pytest.mark.parametrize(
    ("change", "start", "end", "code"),
    [
        ({}, "20271119T08:00-0000", "20271120T08:00-0000", "1000"),
        ({"node": "NO_SUCH_NODE"}, "20261119T08:00-0000", "20261120T08:00-0000", "1000"),
        ({}, "20261001T08:00-0000", "20261119T08:00-0000", "1006"),
        ({"version": 1}, "20261119T08:00-0000", "20261120T08:00-0000", "1004"),
        ({"queryname": "PRC_NOTHING"}, "20261119T08:00-0000", "20261120T08:00-0000", "1004"),
        ({}, "2026-11-19", "2026-11-20", "1004"),
    ],
)
def test_a_failure_is_a_200_with_a_zip_that_says_why(
    stand_ins: StandIns, change: dict[str, Any], start: str, end: str, code: str
) -> None:
    answer = get(stand_ins, {**DAM, **change}, start, end)
    assert answer.status_code == 200
    assert ".xml.zip" in answer.headers["Content-Disposition"]
    assert f"<m:ERR_CODE>{code}</m:ERR_CODE>" in members(answer)["INVALID_REQUEST.xml"]


def test_tomorrow_appears_after_one_in_the_afternoon(stand_ins: StandIns) -> None:
    day = ("20261122T08:00-0000", "20261123T08:00-0000")
    stand_ins.set_clock(datetime(2026, 11, 21, 21, 0, tzinfo=UTC))
    assert "INVALID_REQUEST.xml" in members(get(stand_ins, DAM, *day))
    stand_ins.set_clock(datetime(2026, 11, 21, 21, 6, tzinfo=UTC))
    assert len(rows(get(stand_ins, DAM, *day))) == 24 * 5


def test_a_quarter_hour_is_shown_five_minutes_after_its_end(stand_ins: StandIns) -> None:
    found = rows(get(stand_ins, RTPD, "20261121T06:00-0000", "20261121T10:00-0000"))
    # It is 08:00: the newest shown ended at 07:45 (07:55 at the latest).
    assert max(row["INTERVALENDTIME_GMT"] for row in found) == "2026-11-21T07:45:00-00:00"


@pytest.mark.parametrize(
    ("start", "end", "hours", "now"),
    [
        ("20260308T08:00-0000", "20260309T07:00-0000", 23, datetime(2026, 3, 10, tzinfo=UTC)),
        ("20261101T07:00-0000", "20261102T08:00-0000", 25, datetime(2026, 11, 3, tzinfo=UTC)),
    ],
)
def test_change_days_have_23_and_25_operating_hours(
    stand_ins: StandIns, start: str, end: str, hours: int, now: datetime
) -> None:
    stand_ins.set_clock(now)
    listed = [row for row in rows(get(stand_ins, DAM, start, end)) if row["LMP_TYPE"] == "LMP"]
    assert Counter(int(row["OPR_HR"]) for row in listed) == dict.fromkeys(range(1, hours + 1), 1)
    assert len({row["OPR_DT"] for row in listed}) == 1


def test_two_calls_within_the_spacing_are_refused_with_429(stand_ins: StandIns) -> None:
    stand_ins.control("caiso", {"settings": {"vendor_limits": True, "caiso_spacing_s": 60}})
    codes = [get(stand_ins, DAM, "20261119T08:00-0000", "20261119T09:00-0000").status_code for _ in range(2)]
    assert codes[1] == 429


def test_five_minute_prices_are_in_a_third_column(stand_ins: StandIns) -> None:
    query = {**RTPD, "queryname": "PRC_INTVL_LMP", "market_run_id": "RTM"}
    listed = rows(get(stand_ins, query, "20261119T08:00-0000", "20261119T09:00-0000"))
    assert len(listed) == 12 * 5
    assert "VALUE" in listed[0]
    assert {int(row["OPR_INTERVAL"]) for row in listed} == set(range(1, 13))


def test_load_forecasts_are_three_vintages_of_one_target(stand_ins: StandIns) -> None:
    vintages = {}
    for run in ("7DA", "2DA", "DAM", "ACTUAL"):
        query = {"queryname": "SLD_FCST", "version": 1, "market_run_id": run, "resultformat": 6}
        listed = rows(get(stand_ins, query, "20261119T08:00-0000", "20261120T08:00-0000"))
        whole = {
            row["INTERVALSTARTTIME_GMT"]: float(row["MW"]) for row in listed if row["TAC_AREA_NAME"] == "CA ISO-TAC"
        }
        assert len(whole) == 24
        vintages[run] = [value for _, value in sorted(whole.items())]
    misses = {run: sum(abs(a - b) for a, b in zip(vintages[run], vintages["ACTUAL"], strict=True)) for run in vintages}
    assert misses["ACTUAL"] == 0 < misses["DAM"]
    assert len({tuple(values) for values in vintages.values()}) == 4


def test_renewable_forecasts_name_hub_and_kind(stand_ins: StandIns) -> None:
    query = {"queryname": "SLD_REN_FCST", "version": 1, "market_run_id": "DAM", "resultformat": 6}
    listed = rows(get(stand_ins, query, "20261119T08:00-0000", "20261120T08:00-0000"))
    kinds = {(row["RENEWABLE_TYPE"], row["TRADING_HUB"]) for row in listed}
    assert kinds == {("Solar", "NP15"), ("Solar", "SP15"), ("Solar", "ZP26"), ("Wind", "NP15"), ("Wind", "SP15")}


def test_a_group_is_a_zip_of_several_files(stand_ins: StandIns) -> None:
    params = {"groupid": "DAM_LMP_GRP", "version": 12, "resultformat": 6, "startdatetime": "20261119T08:00-0000"}
    answer = stand_ins.http.get(stand_ins.url("caiso", "/GroupZip"), params=params, timeout=10)
    files = members(answer)
    assert len(files) == 5
    assert all(len(text.splitlines()) == 1 + 24 * 3 for text in files.values())
    refused = stand_ins.http.get(stand_ins.url("caiso", "/GroupZip"), params={**params, "groupid": "X"}, timeout=10)
    assert "INVALID_REQUEST.xml" in members(refused)


@pytest.mark.parametrize(
    ("query", "run", "version", "place", "columns"),
    [
        ("PRC_AS", "DAM", 12, {"anc_region": "AS_CAISO"}, ("ANC_REGION", "ANC_TYPE", "MW")),
        ("PRC_HASP_LMP", "", 3, {"node": "RALSTON_7_B1"}, ("NODE", "LMP_TYPE", "MW")),
        ("SLD_FCST", "RTM", 1, {}, ("TAC_AREA_NAME", "EXECUTION_TYPE", "MW")),
        ("SLD_REN_FCST", "HASP", 1, {}, ("TRADING_HUB", "RENEWABLE_TYPE", "MW")),
    ],
)
def test_the_rarer_reports_have_their_columns_and_a_row_an_interval(
    stand_ins: StandIns, query: str, run: str, version: int, place: dict[str, str], columns: tuple[str, ...]
) -> None:
    span = {"startdatetime": "20261119T08:00-0000", "enddatetime": "20261120T08:00-0000"}
    given = {"queryname": query, "market_run_id": run, "version": version, "resultformat": 6, **span, **place}
    answer = stand_ins.http.get(stand_ins.url("caiso", "/SingleZip"), params=given, timeout=10)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        (name,) = archive.namelist()
        assert name.endswith(".csv")
        header, *lines = archive.read(name).decode().splitlines()
    names = header.split(",")
    assert set(columns) <= set(names)
    starts = {line.split(",")[names.index("INTERVALSTARTTIME_GMT")] for line in lines}
    assert len(starts) == (96 if query == "PRC_HASP_LMP" else 24)
