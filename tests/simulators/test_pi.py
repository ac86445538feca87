"""The historian's wire protocol, asked with plain requests."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
import requests

from simulators.pi_archive import duration_s, moment_ticks
from simulators.pi_names import guid_code, path_code, point_code
from tests.simulators.stand_ins import StandIns

R4 = r"\\PISRV\OPS\Gauging Stations\R4|Flow"
POWER = r"\\PISRV\OPS\Generation Units\Oxbow|Power"
LEVEL = r"\\PISRV\OPS\Reservoirs\Afterbay|Elevation"
MODE = r"\\PISRV\OPS\Additions for PI Vision|CCS Mode"
FLOAT = r"\\PISRV\OPS\Reservoirs\Afterbay|Elevation Setpoint"
BASIC = ("demo", "demo")
HOUR = 3600


def get(stand_ins: StandIns, below: str, /, **params: object) -> requests.Response:
    return stand_ins.http.get(stand_ins.url("pi", below), params=params, auth=BASIC, timeout=10)


def web_id(stand_ins: StandIns, path: str) -> str:
    return get(stand_ins, "/attributes", path=path).json()["WebId"]


def epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def test_an_attribute_is_found_by_path_in_any_case(stand_ins: StandIns) -> None:
    found = get(stand_ins, "/attributes", path=R4.lower()).json()
    assert found["Path"] == R4
    assert found["DefaultUnitsNameAbbreviation"] == "cfs"
    assert get(stand_ins, f"/attributes/{found['WebId']}").json()["WebId"] == found["WebId"]


def test_a_path_only_web_id_is_the_upper_case_path(stand_ins: StandIns) -> None:
    found = get(stand_ins, "/attributes", path=R4, webIdType="PathOnly").json()["WebId"]
    # The grammar of WebId 2.0: path only, version 1, attribute of an element, then the path without its backslashes.
    assert found == "P1AbE" + urlsafe_b64encode(R4[2:].upper().encode()).decode().rstrip("=")
    assert get(stand_ins, f"/streams/{found}/value").status_code == 200


def test_web_ids_are_written_as_the_vendor_writes_them() -> None:
    # Vendor sample: a data server's GUID; a point's number 4711 as a little-endian integer; a path in upper case.
    assert guid_code(UUID("85bb49d6-f101-4807-baf9-57c2fbd33000")) == "1km7hQHxB0i6-VfC-9MwAA"
    assert point_code(4711) == "ZxIAAA"
    assert path_code(r"\\PISRV1\HYDRO.UNIT1.MW") == "UElTUlYxXEhZRFJPLlVOSVQxLk1X"


def test_an_unknown_path_is_404_with_the_errors_body(stand_ins: StandIns) -> None:
    answer = get(stand_ins, "/attributes", path=r"\\PISRV\OPS\Gauging Stations\R99|Flow")
    assert answer.status_code == 404
    assert list(answer.json()) == ["Errors"]


def test_nobody_reads_without_credentials(stand_ins: StandIns) -> None:
    url = stand_ins.url("pi", "/attributes")
    refused = stand_ins.http.get(url, params={"path": R4}, timeout=10)
    assert refused.status_code == 401
    assert "Negotiate" in refused.headers["WWW-Authenticate"]
    assert "Basic" in refused.headers["WWW-Authenticate"]
    assert "<html>" in refused.text
    wrong = stand_ins.http.get(url, params={"path": R4}, auth=("demo", "wrong"), timeout=10)
    assert wrong.status_code == 401
    ticket = stand_ins.http.get(url, params={"path": R4}, headers={"Authorization": "Negotiate YII="}, timeout=10)
    assert ticket.status_code == 200


def test_an_hourly_average_is_the_worlds_hourly_mean_stamped_at_its_start(stand_ins: StandIns) -> None:
    answer = get(
        stand_ins,
        f"/streams/{web_id(stand_ins, R4)}/summary",
        startTime="2026-11-19T00:00:00Z",
        endTime="2026-11-20T00:00:00Z",
        summaryType=["Average", "PercentGood"],
        summaryDuration="60m",
        calculationBasis="TimeWeighted",
    ).json()
    average = [item["Value"] for item in answer["Items"] if item["Type"] == "Average"]
    truth = stand_ins.world.window("sierra", epoch("2026-11-19T00:00Z"), epoch("2026-11-20T00:00Z"))["r4_cfs"]
    assert [value["Value"] for value in average] == pytest.approx(truth, abs=0.01)
    assert average[0]["Timestamp"] == "2026-11-19T00:00:00Z"
    assert average[-1]["Timestamp"] == "2026-11-19T23:00:00Z"
    assert average[0]["UnitsAbbreviation"] == "cfs"
    good = [item["Value"]["Value"] for item in answer["Items"] if item["Type"] == "PercentGood"]
    assert good == [100.0] * 24


def test_an_hour_under_way_is_partly_good_and_one_to_come_is_no_data(stand_ins: StandIns) -> None:
    stand_ins.set_clock(datetime(2026, 11, 21, 8, 30, tzinfo=UTC))
    answer = get(
        stand_ins,
        f"/streams/{web_id(stand_ins, R4)}/summary",
        startTime="2026-11-21T07:00:00Z",
        endTime="2026-11-21T10:00:00Z",
        summaryType=["PercentGood", "Average"],
        summaryDuration="1h",
    ).json()["Items"]
    assert [item["Value"]["Value"] for item in answer[:3]] == [100.0, 50.0, 0.0]
    assert answer[5]["Value"]["Good"] is False
    assert answer[5]["Value"]["Value"] == {"Name": "No Data", "Value": 248, "IsSystem": True}


def test_interpolated_levels_are_the_truth_at_the_hour_and_stop_at_the_present(stand_ins: StandIns) -> None:
    items = get(
        stand_ins,
        f"/streams/{web_id(stand_ins, LEVEL)}/interpolated",
        startTime="2026-11-21T00:00:00Z",
        endTime="2026-11-21T12:00:00Z",
        interval="1h",
    ).json()["Items"]
    assert len(items) == 13
    truth = stand_ins.world.window("plant", epoch("2026-11-20T23:00Z"), epoch("2026-11-21T08:00Z"))["elevation_ft"]
    # The element of hour h is the level at its end: 23:00 gives midnight; 08:00 is known a moment later.
    assert [item["Value"] for item in items[:8]] == pytest.approx(truth[:8], abs=1e-4)
    assert [item["Good"] for item in items] == [True] * 9 + [False] * 4


def test_a_digital_tag_gives_name_and_code_and_refuses_an_average(stand_ins: StandIns) -> None:
    mode = web_id(stand_ins, MODE)
    value = get(stand_ins, f"/streams/{mode}/value", time="2026-11-20T00:00:00Z").json()
    assert value["Value"] == {"Name": "GEN", "Value": 0, "IsSystem": False}
    assert get(stand_ins, f"/streams/{mode}/summary", summaryType="Average").status_code == 400
    sierra = stand_ins.world.window("sierra", epoch("2022-01-01T00:00Z"), epoch("2026-11-01T00:00Z"))
    hour = int(np.argmax(sierra["spill_mode"])) * HOUR + epoch("2022-01-01T00:00Z")
    spill = get(stand_ins, f"/streams/{mode}/value", time=datetime.fromtimestamp(hour + 60, UTC).isoformat()).json()
    assert spill["Value"]["Name"] == "SPILL"


def test_recorded_is_cut_silently_at_max_count_and_pages_by_the_last_stamp(stand_ins: StandIns) -> None:
    stream = f"/streams/{web_id(stand_ins, POWER)}/recorded"
    span = {"startTime": "2026-11-10T00:00:00Z", "endTime": "2026-11-21T00:00:00Z"}
    whole = get(stand_ins, stream, **span, maxCount=50_000).json()["Items"]
    assert len(whole) > 150
    gathered: list[dict[str, Any]] = []
    start = span["startTime"]
    while True:
        page = get(stand_ins, stream, startTime=start, endTime=span["endTime"], maxCount=50).json()["Items"]
        gathered += [item for item in page if item not in gathered]
        if len(page) < 50:
            break
        start = page[-1]["Timestamp"]
    assert gathered == whole
    assert any(len(item["Timestamp"]) == len("2026-01-05T10:00:00.1230001Z") for item in whole)
    backwards = get(stand_ins, stream, startTime=span["endTime"], endTime=span["startTime"], maxCount=50_000).json()
    assert backwards["Items"] == whole[::-1]


def test_recorded_events_leave_out_only_what_did_not_change(stand_ins: StandIns) -> None:
    span = {"startTime": "2026-11-10T00:00:00Z", "endTime": "2026-11-20T23:59:59Z"}
    items = get(stand_ins, f"/streams/{web_id(stand_ins, FLOAT)}/recorded", **span, maxCount=9999).json()["Items"]
    assert 24 * 11 <= len(items) <= 24 * 11 + 20
    stamps = [item["Timestamp"] for item in items]
    assert stamps == sorted(stamps)


def test_asking_for_too_many_items_is_400(stand_ins: StandIns) -> None:
    answer = get(stand_ins, f"/streams/{web_id(stand_ins, R4)}/recorded", maxCount=150_001)
    assert answer.status_code == 400
    assert "greater than the maximum allowed (150000)" in answer.json()["Errors"][0]
    long = {"startTime": "2022-06-01T00:00:00Z", "endTime": "2026-06-01T00:00:00Z", "interval": "5m"}
    assert get(stand_ins, f"/streams/{web_id(stand_ins, R4)}/interpolated", **long).status_code == 400


@pytest.mark.parametrize("bad", [{"startTime": "yesterday-ish"}, {"interval": "often"}, {"startTime": "2026-13-01"}])
def test_a_time_that_cannot_be_read_is_400(stand_ins: StandIns, bad: dict[str, str]) -> None:
    answer = get(stand_ins, f"/streams/{web_id(stand_ins, R4)}/interpolated", **bad)
    assert answer.status_code == 400
    assert answer.json()["Errors"]


def test_a_stream_set_holds_one_list_a_stream(stand_ins: StandIns) -> None:
    both = [web_id(stand_ins, R4), web_id(stand_ins, POWER)]
    answer = get(stand_ins, "/streamsets/interpolated", webId=both, startTime="*-3h", endTime="*", interval="1h").json()
    assert [entry["Path"] for entry in answer["Items"]] == [R4, POWER]
    assert [len(entry["Items"]) for entry in answer["Items"]] == [4, 4]


def test_selected_fields_cut_the_answer(stand_ins: StandIns) -> None:
    stream = f"/streams/{web_id(stand_ins, R4)}/interpolated"
    answer = get(stand_ins, stream, startTime="*-1h", selectedFields="Items.Timestamp;Items.Value").json()
    assert set(answer) == {"Items"}
    assert {tuple(item) for item in answer["Items"]} == {("Timestamp", "Value")}


def test_relative_times_count_from_the_virtual_present() -> None:
    now = datetime(2026, 11, 21, 8, tzinfo=UTC)
    expected = {
        "*": now,
        "*-1d": now - timedelta(days=1),
        "*-24h": now - timedelta(days=1),
        "*+90m": now + timedelta(minutes=90),
        # The server stands in Pacific time: its midnight was at 08:00 UTC today.
        "t": now,
        "y": now - timedelta(days=1),
        "2026-11-21T00:00:00": now,
        "2026-11-21T08:00:00.5Z": now + timedelta(seconds=0.5),
    }
    for text, moment in expected.items():
        assert moment_ticks(text, now.timestamp()) == round(moment.timestamp() * 1e7), text
    assert duration_s("15m") == 900


def test_the_same_question_gives_the_same_bytes(stand_ins: StandIns) -> None:
    stream = f"/streams/{web_id(stand_ins, R4)}/recorded"
    first, second = (get(stand_ins, stream, startTime="*-2d").content for _ in range(2))
    assert first == second
    assert json.loads(first)["UnitsAbbreviation"] == "cfs"


def test_a_batch_feeds_one_answer_into_the_next_request(stand_ins: StandIns) -> None:
    base = "https://somewhere.else/piwebapi"
    path = requests.utils.quote(R4, safe="")
    orders = {
        "read": {
            "Method": "GET",
            "ParentIds": ["find"],
            "Parameters": ["$.find.Content.WebId"],
            "Resource": base + "/streams/{0}/interpolated?startTime=*-2h&endTime=*",
        },
        "find": {"Method": "GET", "Resource": f"{base}/attributes?path={path}"},
        "lost": {"Method": "GET", "Resource": f"{base}/attributes?path=nowhere"},
        "orphan": {"Method": "GET", "ParentIds": ["lost"], "Resource": base},
    }
    url = stand_ins.url("pi", "/batch")
    answer = stand_ins.http.post(url, json=orders, auth=BASIC, headers={"X-Requested-With": "test"}, timeout=10)
    assert answer.status_code == 207
    body = answer.json()
    assert list(body) == list(orders)
    assert [body[name]["Status"] for name in orders] == [200, 200, 404, 424]
    assert len(body["read"]["Content"]["Items"]) == 3
    refused = stand_ins.http.post(url, json=orders, auth=BASIC, timeout=10)
    assert refused.status_code == 400


def test_a_batch_template_runs_once_for_each_item_found(stand_ins: StandIns) -> None:
    names = ["OPS.GAUGING_STATIONS.R4.FLOW", "OPS.GENERATION_UNITS.OXBOW.POWER"]
    paths = "&".join("path=" + requests.utils.quote("\\\\PISRV\\" + name, safe="") for name in names)
    orders = {
        "find": {"Method": "GET", "Resource": f"/piwebapi/points/multiple?{paths}"},
        "read": {
            "Method": "GET",
            "ParentIds": ["find"],
            "Parameters": ["$.find.Content.Items[*].Object.WebId"],
            "RequestTemplate": {"Resource": "/piwebapi/streams/{0}/value"},
        },
    }
    headers = {"X-Requested-With": "test"}
    url = stand_ins.url("pi", "/batch")
    body = stand_ins.http.post(url, json=orders, auth=BASIC, headers=headers, timeout=10).json()
    assert body["read"]["Status"] == 207
    assert [item["Content"]["UnitsAbbreviation"] for item in body["read"]["Content"]["Items"]] == ["cfs", "MW"]


def test_a_point_is_the_same_stream_as_its_attribute(stand_ins: StandIns) -> None:
    point = get(stand_ins, "/points", path=r"\\PISRV\OPS.GAUGING_STATIONS.R4.FLOW", webIdType="IDOnly").json()
    server = get(stand_ins, "/dataservers", path=r"\\PISRV").json()
    # Both ids carry the server's GUID, 22 characters behind their four of type and marker.
    assert point["WebId"][4:26] == server["WebId"][4:26]
    assert (point["PointType"], point["Step"], point["Future"]) == ("Float64", True, False)
    span = {"startTime": "2026-11-20T00:00:00Z", "endTime": "2026-11-20T02:00:00Z"}
    through_point = get(stand_ins, f"/streams/{point['WebId']}/recorded", **span).json()
    assert through_point == get(stand_ins, f"/streams/{web_id(stand_ins, R4)}/recorded", **span).json()


def test_an_event_is_found_before_at_or_after_a_time(stand_ins: StandIns) -> None:
    stream = f"/streams/{web_id(stand_ins, R4)}/recordedattime"
    at = "2026-11-20T00:05:00Z"
    found = {
        mode: get(stand_ins, stream, time=at, retrievalMode=mode).json()["Timestamp"]
        for mode in ("Auto", "Exact", "Before", "After")
    }
    assert found == {"Auto": at, "Exact": at, "Before": "2026-11-20T00:00:00Z", "After": "2026-11-20T00:10:00Z"}
    assert get(stand_ins, stream, time="2026-11-20T00:06:00Z", retrievalMode="Exact").status_code == 404


@pytest.mark.parametrize(
    ("fault", "sign"),
    [
        ("web_exception", lambda body: body["WebException"]["StatusCode"] == 502),
        ("partial_errors", lambda body: body["Errors"] and len(body["Items"]) == 2),
        ("item_errors", lambda body: list(body["Items"][0]) == ["Errors"]),
    ],
)
def test_a_200_hides_failure_in_three_ways(
    stand_ins: StandIns, fault: str, sign: Callable[[dict[str, Any]], bool]
) -> None:
    stream = f"/streams/{web_id(stand_ins, R4)}/interpolated"
    stand_ins.control("pi", {"faults": [{"fault": fault, "match": "R4|Flow", "times": 1}]})
    broken = get(stand_ins, stream, startTime="*-2h")
    assert broken.status_code == 200
    assert sign(broken.json())
    assert len(get(stand_ins, stream, startTime="*-2h").json()["Items"]) == 3


def test_a_revised_state_is_another_state(stand_ins: StandIns) -> None:
    span = {"startTime": "2026-11-20T00:00:00Z", "endTime": "2026-11-20T03:00:00Z"}
    mode = r"\\PISRV\OPS\Additions for PI Vision|CCS Mode"
    stream = f"/streams/{web_id(stand_ins, mode)}/interpolated"
    plain = get(stand_ins, stream, interval="5m", **span).json()["Items"]
    stand_ins.control("pi", {"faults": [{"fault": "revise", "sigma": 5.0}]})
    revised = get(stand_ins, stream, interval="5m", **span).json()["Items"]
    states = [{item["Value"]["Name"] for item in items} for items in (plain, revised)]
    assert states[1] == {"GEN", "SPILL"}
    assert states[0] < states[1]
