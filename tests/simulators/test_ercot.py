"""ERCOT's Public API, asked with plain requests."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from tests.simulators.stand_ins import StandIns

FORM = {
    "grant_type": "password",
    "username": "demo",
    "password": "demo",
    "response_type": "id_token",
    "scope": "openid demo-client offline_access",
    "client_id": "demo-client",
}
RT = "/np6-905-cd/spp_node_zone_hub"
DA = "/np4-190-cd/dam_stlmnt_pnt_prices"
LOAD = "/np3-565-cd/lf_by_model_weather_zone"


def token(stand_ins: StandIns) -> str:
    return stand_ins.http.post(stand_ins.url("ercot_token", ""), data=FORM, timeout=10).json()["id_token"]


def headers(stand_ins: StandIns) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(stand_ins)}", "Ocp-Apim-Subscription-Key": "demo-key"}


def get(stand_ins: StandIns, path: str, **params: object) -> requests.Response:
    return stand_ins.http.get(stand_ins.url("ercot", path), params=params, headers=headers(stand_ins), timeout=20)


def rows(answer: requests.Response) -> list[dict[str, Any]]:
    body = answer.json()
    names = [field["name"] for field in body["fields"]]
    return [dict(zip(names, row, strict=True)) for row in body.get("data", [])]


def test_a_token_needs_every_form_field_and_the_right_password(stand_ins: StandIns) -> None:
    url = stand_ins.url("ercot_token", "")
    good = stand_ins.http.post(url, data=FORM, timeout=10).json()
    assert {"id_token", "access_token", "expires_in", "refresh_token"} <= set(good)
    for change in ({"grant_type": "code"}, {"password": "wrong"}, {"scope": "openid"}):
        refused = stand_ins.http.post(url, data={**FORM, **change}, timeout=10)
        assert refused.status_code == 400
        assert set(refused.json()) == {"error", "error_description"}


def test_both_headers_are_checked(stand_ins: StandIns) -> None:
    url, full = stand_ins.url("ercot", RT), headers(stand_ins)
    for missing in full:
        partial = {name: value for name, value in full.items() if name != missing}
        refused = stand_ins.http.get(url, headers=partial, timeout=10)
        assert refused.status_code == 401
        assert refused.json()["statusCode"] == 401


def test_a_token_expires(stand_ins: StandIns) -> None:
    full = headers(stand_ins)
    assert stand_ins.control("ercot", {"settings": {"token_ttl_s": 0}}).status_code == 200
    assert stand_ins.http.get(stand_ins.url("ercot", RT), headers=full, timeout=10).status_code == 401


def test_rows_come_with_their_fields_and_an_echo_of_what_was_understood(stand_ins: StandIns) -> None:
    answer = get(
        stand_ins, RT, deliveryDateFrom="2026-11-19", deliveryDateTo="2026-11-19", size=5000, settlmentPoint="HB_NORTH"
    )
    body = answer.json()
    assert body["_meta"]["totalRecords"] == 96 * 23
    # The misspelt filter is ignored, and its absence from the echo is the only sign of that.
    echo = {"deliveryDateFrom": "2026-11-19", "deliveryDateTo": "2026-11-19", "size": "5000"}
    assert body["_meta"]["query"]["parameters"] == echo
    assert body["report"]["reportProductId"] == "NP6-905-CD"
    types = {field["name"]: field["dataType"] for field in body["fields"]}
    assert types["deliveryDate"] == "DATE"
    assert types["deliveryHour"] == "INTEGER"
    assert types["DSTFlag"] == "BOOLEAN"
    listed = rows(answer)
    zones = Counter(row["settlementPointType"] for row in listed if row["settlementPoint"] == "LZ_WEST")
    assert zones == {"LZ": 96, "LZEW": 96}


def test_prices_are_the_worlds_and_hours_count_local_endings(stand_ins: StandIns) -> None:
    day = {"deliveryDateFrom": "2026-11-19", "deliveryDateTo": "2026-11-19"}
    listed = rows(get(stand_ins, RT, **day, settlementPoint="HB_NORTH", sort="deliveryHour", dir="asc", size=200))
    # 2026-11-19 begins at 06:00 UTC in Texas.
    start = int(datetime(2026, 11, 19, 6, tzinfo=UTC).timestamp())
    truth = stand_ins.world.window("texas_rt", start, start + 86400)["HB_NORTH/HU"]
    ordered = sorted(listed, key=lambda row: (row["deliveryHour"], row["deliveryInterval"]))
    assert [row["settlementPointPrice"] for row in ordered] == truth.tolist()
    assert (ordered[0]["deliveryHour"], ordered[-1]["deliveryHour"]) == (1, 24)


def test_pages_are_disjoint_and_complete(stand_ins: StandIns) -> None:
    query = {"deliveryDateFrom": "2026-11-18", "deliveryDateTo": "2026-11-18", "settlementPoint": "LZ_WEST", "size": 50}
    first = get(stand_ins, RT, **query).json()
    assert first["_meta"]["totalPages"] == 4  # 192 rows
    pages = [get(stand_ins, RT, **query, page=page).json()["data"] for page in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [50, 50, 50, 42]
    assert len({tuple(row) for page in pages for row in page}) == 192


def test_no_match_is_an_empty_answer_without_data(stand_ins: StandIns) -> None:
    body = get(stand_ins, RT, deliveryDateFrom="2030-01-01", deliveryDateTo="2030-01-02").json()
    assert (body["_meta"]["totalRecords"], body["_meta"]["totalPages"], body["_meta"]["currentPage"]) == (0, 0, 0)
    assert "data" not in body


def test_an_unreadable_value_is_400_with_the_apis_error_body(stand_ins: StandIns) -> None:
    for bad in ({"deliveryDateFrom": "yesterday"}, {"DSTFlag": "perhaps"}, {"page": "0"}, {"sort": "colour"}):
        refused = get(stand_ins, RT, **bad)
        assert refused.status_code == 400
        assert {"timestamp", "code", "status", "message", "data"} == set(refused.json())
    assert get(stand_ins, "/np0-000-cd/nothing").status_code == 404


def test_only_published_prices_are_shown(stand_ins: StandIns) -> None:
    day = {"deliveryDateFrom": "2026-11-21", "deliveryDateTo": "2026-11-22", "settlementPoint": "HB_NORTH", "size": 999}
    # 08:00 UTC is 02:00 in Texas: the quarter that ended at 02:00 is published two minutes later.
    assert get(stand_ins, RT, **day).json()["_meta"]["totalRecords"] == 7
    stand_ins.set_clock(datetime(2026, 11, 21, 8, 2, 1, tzinfo=UTC))
    assert get(stand_ins, RT, **day).json()["_meta"]["totalRecords"] == 8
    # Tomorrow's day-ahead prices appear between 12:30 and 13:30 in Texas, 18:30 and 19:30 UTC.
    for hour, minute, expected in ((18, 29, 24), (19, 31, 48)):
        stand_ins.set_clock(datetime(2026, 11, 21, hour, minute, tzinfo=UTC))
        assert get(stand_ins, DA, **day).json()["_meta"]["totalRecords"] == expected


@pytest.mark.parametrize(
    ("day", "now", "quarters", "hours"),
    [
        ("2026-03-08", datetime(2026, 3, 10, tzinfo=UTC), 92, 23),
        ("2026-11-01", datetime(2026, 11, 3, tzinfo=UTC), 100, 25),
    ],
)
def test_change_days_have_92_and_100_quarters_and_a_flagged_second_pass(
    stand_ins: StandIns, day: str, now: datetime, quarters: int, hours: int
) -> None:
    stand_ins.set_clock(now)
    query = {"deliveryDateFrom": day, "deliveryDateTo": day, "settlementPoint": "HB_WEST", "size": 999}
    listed = rows(get(stand_ins, RT, **query))
    assert len(listed) == quarters
    labels = Counter((row["deliveryHour"], row["deliveryInterval"], row["DSTFlag"]) for row in listed)
    assert set(labels.values()) == {1}
    flagged = {label for label in labels if label[2]}
    assert flagged == ({(2, quarter, True) for quarter in (1, 2, 3, 4)} if quarters == 100 else set())
    assert any(row["deliveryHour"] == 3 for row in listed) == (quarters == 100)
    endings = Counter((row["hourEnding"], row["DSTFlag"]) for row in rows(get(stand_ins, DA, **query)))
    assert sum(endings.values()) == hours
    assert (("02:00", True) in endings) == (hours == 25)


def test_a_load_forecast_is_posted_every_hour_for_eight_days_and_evolves(stand_ins: StandIns) -> None:
    posted = {"postedDatetimeFrom": "2026-11-20T00:00:00", "postedDatetimeTo": "2026-11-20T23:59:59"}
    listed = rows(get(stand_ins, LOAD, **posted, inUseFlag="true", size=100_000))
    assert len({row["postedDatetime"] for row in listed}) == 24
    assert len(listed) == 24 * 192
    assert listed[0]["postedDatetime"] == "2026-11-20T23:30:30"
    target = [row for row in listed if (row["deliveryDate"], row["hourEnding"]) == ("2026-11-20", "18:00")]
    assert len({row["systemTotal"] for row in target}) == 24
    first = target[0]
    zones = ("coast", "east", "farWest", "north", "northCentral", "southCentral", "southern", "west")
    assert first["systemTotal"] == pytest.approx(sum(first[zone] for zone in zones), abs=0.05)
    every = rows(get(stand_ins, LOAD, **posted, deliveryDateFrom="2026-11-21", deliveryDateTo="2026-11-21", size=99999))
    assert {row["model"] for row in every} == {"E", "E3", "M", "X"}
    assert {row["deliveryDate"] for row in every} == {"2026-11-21"}
    assert len(every) == 24 * 24 * 4


def test_the_vendors_limits_answer_429_in_two_ways(stand_ins: StandIns) -> None:
    full, url = headers(stand_ins), stand_ins.url("ercot", "/version")
    stand_ins.control("ercot", {"settings": {"vendor_limits": True, "ercot_calls_per_minute": 2}})
    codes = [stand_ins.http.get(url, headers=full, timeout=10) for _ in range(3)]
    assert [answer.status_code for answer in codes][-1] == 429
    assert "Try again in" in codes[-1].json()["message"]
    stand_ins.control("ercot", {"settings": {"ercot_calls_per_minute": 1000, "ercot_bytes_per_hour": 1}})
    stand_ins.http.get(stand_ins.url("ercot", RT), headers=full, timeout=10)
    refused = stand_ins.http.get(stand_ins.url("ercot", RT), headers=full, timeout=10)
    assert refused.status_code == 429
    assert refused.json()["error"] == "BandwidthQuotaExceeded"
    assert "Retry-After" not in refused.headers


def test_the_catalogue_lists_the_products(stand_ins: StandIns) -> None:
    products = get(stand_ins, "").json()["_embedded"]["products"]
    listed = {one["emilId"]: one["artifacts"][0]["_links"]["endpoint"]["href"] for one in products if one["artifacts"]}
    assert listed["NP6-905-CD"].endswith("/api/public-reports" + RT)


def test_a_key_of_another_api_is_forbidden(stand_ins: StandIns) -> None:
    given = {**headers(stand_ins), "Ocp-Apim-Subscription-Key": "demo-key-of-another-api"}
    refused = stand_ins.http.get(stand_ins.url("ercot", RT), headers=given, timeout=10)
    assert (refused.status_code, refused.json()["statusCode"]) == (403, 403)


def test_texts_may_be_padded_with_blanks(stand_ins: StandIns) -> None:
    stand_ins.control("ercot", {"faults": [{"fault": "pad_text", "match": "np6-905-cd"}]})
    first = rows(get(stand_ins, RT, settlementPoint="HB_NORTH", size=1))[0]
    assert first["settlementPoint"] == "HB_NORTH        "
