"""YES Energy's time series, asked with plain requests."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest
import requests

from tests.simulators.stand_ins import StandIns

BASIC = ("demo", "demo")


def get(stand_ins: StandIns, form: str = "csv", **params: object) -> requests.Response:
    url = stand_ins.url("yes", f"/timeseries/multiple.{form}")
    return stand_ins.http.get(url, params=params, auth=BASIC, timeout=10)


def rows(answer: requests.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text)))


def hourly(stand_ins: StandIns, **params: object) -> list[dict[str, str]]:
    day = {"startdate": "11/20/2026", "enddate": "11/20/2026", "agglevel": "hour", "timezone": "GMT"}
    return rows(get(stand_ins, **{**day, **params}))


def test_hours_are_stamped_at_their_end(stand_ins: StandIns) -> None:
    found = hourly(stand_ins, items="DALMP:20000002064")
    assert len(found) == 24
    assert found[0]["DATETIME"] == "11/20/2026 01:00:00"
    assert found[-1]["DATETIME"] == "11/21/2026 00:00:00"
    assert (found[-1]["HOURENDING"], found[-1]["MARKETDAY"]) == ("24", "11/20/2026")
    start = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp())
    truth = stand_ins.world.window("sierra", start, start + 86400)["TH_NP15_GEN-APND/LMP"]
    assert [float(row["TH_NP15_GEN-APND (DALMP)"]) for row in found] == pytest.approx(truth.tolist(), abs=1e-5)


def test_an_hour_is_the_mean_of_its_quarters(stand_ins: StandIns) -> None:
    start = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp())
    truth = stand_ins.world.window("california_rt", start, start + 3600)["OXBOWF_7_B1/MCC"]
    first = hourly(stand_ins, items="LMP_15MIN_CONG:OXBOWF_7_B1:CAISO")[0]
    assert float(first["OXBOWF_7_B1 (LMP_15MIN_CONG)"]) == pytest.approx(truth.mean(), abs=1e-5)


def test_what_is_not_known_yet_is_an_empty_cell(stand_ins: StandIns) -> None:
    span = {"startdate": "11/21/2026", "enddate": "11/21/2026"}
    found = hourly(stand_ins, items="RTLMP:20000002064,RTLMP:HB_HOUSTON", **span)
    # 08:00 UTC: the last hour is not complete until ten minutes after the market operator's own delay.
    assert [bool(row["TH_NP15_GEN-APND (RTLMP)"]) for row in found].count(True) == 7
    assert [bool(row["HB_HOUSTON (RTLMP)"]) for row in found].count(True) == 7
    body = get(stand_ins, "json", items="RTLMP:20000002064", agglevel="hour", timezone="GMT", **span).json()
    assert body[-1]["TH_NP15_GEN-APND (RTLMP)"] is None


def test_an_unlicensed_object_blanks_its_column_only(stand_ins: StandIns) -> None:
    found = hourly(stand_ins, items="DALMP:1234,DALMP:HB_NORTH")
    assert {row["1234 (DALMP)"] for row in found} == {""}
    assert all(row["HB_NORTH (DALMP)"] for row in found)


def test_the_autumn_hour_appears_twice_under_one_label_in_a_prevailing_zone(stand_ins: StandIns) -> None:
    stand_ins.set_clock(datetime(2026, 11, 3, tzinfo=UTC))
    day = {"startdate": "2026-11-01", "enddate": "20261101", "items": "DALMP:RALSTON_7_B1"}
    stamps = [row["DATETIME"] for row in hourly(stand_ins, **day, timezone="PPT")]
    assert len(stamps) == 25
    assert stamps.count("11/01/2026 02:00:00") == 2
    assert len(hourly(stand_ins, **day, timezone="PST")) == 24
    spring = {**day, "startdate": "2026-03-08", "enddate": "2026-03-08", "timezone": "PPT"}
    stamps = [row["DATETIME"] for row in hourly(stand_ins, **spring)]
    assert len(stamps) == 23
    assert "03/08/2026 03:00:00" not in stamps


def test_without_a_zone_the_market_s_own_is_used(stand_ins: StandIns) -> None:
    plain = rows(get(stand_ins, items="DALMP:HB_NORTH", agglevel="hour", startdate="11/20/2026", enddate="11/20/2026"))
    central = hourly(stand_ins, items="DALMP:HB_NORTH", timezone="CPT")
    assert plain == central


def test_longer_levels_and_extremes(stand_ins: StandIns) -> None:
    values = [float(row["HB_NORTH (DALMP)"]) for row in hourly(stand_ins, items="DALMP:HB_NORTH")]
    for stat, expected in (("avg", sum(values) / 24), ("min", min(values)), ("max", max(values))):
        (day,) = hourly(stand_ins, items="DALMP:HB_NORTH", agglevel="day", stat=stat)
        assert float(day["HB_NORTH (DALMP)"]) == pytest.approx(expected, abs=1e-4)
    five = hourly(stand_ins, items="DALMP:HB_NORTH", agglevel="5min")
    assert (len(five), five[0]["DATETIME"]) == (288, "11/20/2026 00:05:00")
    collection = rows(get(stand_ins, items="DALMP:HB_NORTH", agglevel="hour", timezone="GMT", datecollections="103028"))
    assert (collection[0]["MARKETDAY"], collection[-1]["MARKETDAY"]) == ("11/20/2026", "11/22/2026")


def test_refusals(stand_ins: StandIns) -> None:
    url = stand_ins.url("yes", "/timeseries/multiple.csv")
    assert stand_ins.http.get(url, params={"items": "DALMP:HB_NORTH"}, timeout=10).status_code == 401
    for bad in ({"items": "NONSENSE:1"}, {}, {"items": "DALMP:HB_NORTH", "timezone": "XYZ"}):
        refused = get(stand_ins, **bad)
        assert refused.status_code == 404
        assert "<html>" in refused.text
    stand_ins.control("yes", {"settings": {"vendor_limits": True, "yes_spacing_s": 60}})
    assert [get(stand_ins, items="DALMP:HB_NORTH").status_code for _ in range(2)][1] == 429
