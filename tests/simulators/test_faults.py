"""The fault switches, in front of every service."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from tests.simulators.stand_ins import StandIns

R4 = r"\\PISRV\OPS\Gauging Stations\R4|Flow"
OASIS = {
    "queryname": "PRC_LMP",
    "version": 12,
    "market_run_id": "DAM",
    "resultformat": 6,
    "node": "OXBOWF_7_B1",
    "startdatetime": "20261119T08:00-0000",
    "enddatetime": "20261120T08:00-0000",
}


def faulty(stand_ins: StandIns, service: str, **fault: object) -> None:
    assert stand_ins.control(service, {"clear_faults": True, "faults": [fault]}).status_code == 200


def oasis(stand_ins: StandIns) -> requests.Response:
    return stand_ins.http.get(stand_ins.url("caiso", "/SingleZip"), params=OASIS, timeout=10)


def oasis_rows(stand_ins: StandIns) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(oasis(stand_ins).content)) as archive:
        return archive.read(archive.namelist()[0]).decode().splitlines()


def historian(stand_ins: StandIns, below: str, /, **params: object) -> dict[str, Any]:
    answer = stand_ins.http.get(stand_ins.url("pi", below), params=params, auth=("demo", "demo"), timeout=10)
    assert answer.status_code == 200
    return answer.json()


def flow(stand_ins: StandIns, **params: object) -> list[dict[str, Any]]:
    web_id = historian(stand_ins, "/attributes", path=R4)["WebId"]
    return historian(stand_ins, f"/streams/{web_id}/recorded", maxCount=9999, **params)["Items"]


def test_a_status_strikes_as_often_as_ordered_and_only_where_it_matches(stand_ins: StandIns) -> None:
    faulty(stand_ins, "caiso", fault="http", code=503, retry_after=7, times=2, match="queryname=PRC_LMP")
    answers = [oasis(stand_ins) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].headers["Retry-After"] == "7"
    faulty(stand_ins, "caiso", fault="http", code=500, match="PRC_RTPD_LMP")
    assert oasis(stand_ins).status_code == 200


def test_faults_of_one_service_leave_the_others_alone(stand_ins: StandIns) -> None:
    faulty(stand_ins, "caiso", fault="http", code=500)
    assert historian(stand_ins, "/attributes", path=R4)["Name"] == "Flow"


def test_a_page_of_html_comes_with_status_200(stand_ins: StandIns) -> None:
    faulty(stand_ins, "caiso", fault="html_200")
    answer = oasis(stand_ins)
    assert answer.status_code == 200
    assert answer.content.startswith(b"<!DOCTYPE html>")


def test_a_body_is_cut_in_half(stand_ins: StandIns) -> None:
    whole = oasis(stand_ins).content
    faulty(stand_ins, "caiso", fault="truncate_body")
    assert oasis(stand_ins).content == whole[: len(whole) // 2]


def test_a_bad_zip_opens_but_fails_its_checksum(stand_ins: StandIns) -> None:
    faulty(stand_ins, "caiso", fault="bad_zip")
    with (
        zipfile.ZipFile(io.BytesIO(oasis(stand_ins).content)) as archive,
        pytest.raises(zipfile.BadZipFile, match="CRC"),
    ):
        archive.read(archive.namelist()[0])


def test_a_slow_answer_is_still_the_answer(stand_ins: StandIns) -> None:
    whole = oasis(stand_ins).content
    faulty(stand_ins, "caiso", fault="slow", ms=30)
    assert oasis(stand_ins).content == whole


def test_lost_and_doubled_rows_are_the_same_ones_each_time(stand_ins: StandIns) -> None:
    whole = oasis_rows(stand_ins)
    faulty(stand_ins, "caiso", fault="drop_interval", p=0.3)
    fewer = oasis_rows(stand_ins)
    assert 0 < len(fewer) < len(whole)
    assert set(fewer) < set(whole)
    assert oasis_rows(stand_ins) == fewer
    faulty(stand_ins, "caiso", fault="duplicate_row", p=0.3)
    more = oasis_rows(stand_ins)
    assert len(more) > len(whole)
    assert set(more) == set(whole)


def test_a_revision_appears_after_its_time_and_stays(stand_ins: StandIns) -> None:
    span = {"startTime": "2026-11-20T00:00:00Z", "endTime": "2026-11-20T02:00:00Z"}
    original = flow(stand_ins, **span)
    faulty(stand_ins, "pi", fault="revise", p=1, sigma=5, after=2 * 86400)
    assert flow(stand_ins, **span) == original
    stand_ins.set_clock(datetime(2026, 11, 23, tzinfo=UTC))
    revised = flow(stand_ins, **span)
    assert revised == flow(stand_ins, **span)
    assert all(new["Value"] != old["Value"] for new, old in zip(revised, original, strict=False))


def test_a_late_product_shows_less(stand_ins: StandIns) -> None:
    newest = flow(stand_ins, startTime="*-1d")[-1]["Timestamp"]
    faulty(stand_ins, "pi", fault="delay", seconds=7200, match="R4|Flow")
    assert newest == "2026-11-21T07:55:00Z"
    assert flow(stand_ins, startTime="*-1d")[-1]["Timestamp"] == "2026-11-21T05:55:00Z"


def test_a_frozen_tag_goes_on_with_good_values(stand_ins: StandIns) -> None:
    span = {"startTime": "2026-11-20T00:00:00Z", "endTime": "2026-11-20T06:00:00Z"}
    window = {"from": "2026-11-20T01:00Z", "to": "2026-11-20T04:00Z"}
    faulty(stand_ins, "pi", fault="flatline", match="R4|Flow", **window)
    inside = [item for item in flow(stand_ins, **span) if "T01:00" < item["Timestamp"][10:16] < "T04:00"]
    assert len({item["Value"] for item in inside}) == 1
    assert all(item["Good"] for item in inside)


def test_a_bad_value_is_a_system_state(stand_ins: StandIns) -> None:
    window = {"from": "2026-11-20T01:00Z", "to": "2026-11-20T02:00Z"}
    faulty(stand_ins, "pi", fault="bad_value", match="R4|Flow", **window)
    items = flow(stand_ins, startTime="2026-11-20T01:00:00Z", endTime="2026-11-20T01:59:00Z")
    assert {(item["Good"], item["Value"]["IsSystem"]) for item in items} == {(False, True)}


def test_columns_drift(stand_ins: StandIns) -> None:
    faulty(stand_ins, "caiso", fault="schema_drift", rename={"MW": "PRICE"}, add="REMARK")
    header, first, *_ = oasis_rows(stand_ins)
    assert "PRICE" in header.split(",")
    assert "MW" not in header.split(",")
    assert header.split(",")[-1] == "REMARK"
    assert len(first.split(",")) == len(header.split(","))
    faulty(stand_ins, "caiso", fault="schema_drift", case="upper")
    assert oasis_rows(stand_ins)[0].isupper()


def test_probabilities_are_drawn_from_the_seed(stand_ins: StandIns) -> None:
    def pattern() -> list[int]:
        faulty(stand_ins, "caiso", fault="http", code=503, p=0.5)
        return [oasis(stand_ins).status_code for _ in range(12)]

    first = pattern()
    assert set(first) == {200, 503}
    assert pattern() == first


@pytest.mark.parametrize(
    "orders",
    [
        {"faults": [{"fault": "gremlins"}]},
        {"faults": [{"fault": "flatline"}]},
        {"faults": [{"fault": "http", "p": "often"}]},
        {"settings": {"colour": "red"}},
        {"mood": "bad"},
        {"clock": "yesterday"},
        {"clock": {"now": "2026-11-21T08:00:00"}},
    ],
)
def test_an_order_that_makes_no_sense_is_400_and_says_why(stand_ins: StandIns, orders: dict[str, Any]) -> None:
    answer = stand_ins.control("pi", orders)
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_the_clock_is_shared_and_can_jump_to_a_change_day(stand_ins: StandIns) -> None:
    stand_ins.control("caiso", {"dst_case": "fall"})
    assert stand_ins.control("pi", {}).json()["now"] == "2026-11-01T18:00:00+00:00"
    stand_ins.control("pi", {"dst_case": "spring"})
    assert stand_ins.control("ercot", {}).json()["now"] == "2026-03-08T18:00:00+00:00"


def test_suspect_runs_are_flagged_and_units_change(stand_ins: StandIns) -> None:
    span = {"startTime": "2026-11-20T00:00:00Z", "endTime": "2026-11-20T03:00:00Z"}
    window = {"from": "2026-11-20T01:00Z", "to": "2026-11-20T02:00Z", "match": "R4|Flow"}
    faults = [
        {"fault": "questionable", **window},
        {"fault": "substituted", **window},
        {"fault": "unit", "unit": "kcfs"},
    ]
    stand_ins.control("pi", {"faults": faults})
    for item in flow(stand_ins, **span):
        inside = "T01:00" <= item["Timestamp"][10:16] < "T02:00"
        assert (item["Questionable"], item["Substituted"]) == (inside, inside)
        assert item["UnitsAbbreviation"] == "kcfs"


def test_spikes_and_a_new_range_change_values_where_ordered(stand_ins: StandIns) -> None:
    span = {"startTime": "2026-11-20T00:00:00Z", "endTime": "2026-11-20T03:00:00Z"}
    plain = {item["Timestamp"]: item["Value"] for item in flow(stand_ins, **span)}
    faulty(stand_ins, "pi", fault="spike", p=0.2, factor=30)
    spiked = {item["Timestamp"]: item["Value"] for item in flow(stand_ins, **span)}
    changed = [at for at in plain if spiked[at] != plain[at]]
    assert 0 < len(changed) < len(plain)
    assert all(spiked[at] == pytest.approx(30 * plain[at]) for at in changed)
    faulty(stand_ins, "pi", fault="rescale", factor=0.1, **{"from": "2026-11-20T02:00Z", "to": "2026-11-21T00:00Z"})
    rescaled = {item["Timestamp"]: item["Value"] for item in flow(stand_ins, **span)}
    for at, value in rescaled.items():
        assert value == pytest.approx(plain[at] * (0.1 if at >= "2026-11-20T02" else 1.0))
