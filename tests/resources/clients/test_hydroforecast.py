"""HydroForecast: forecasts by issue time, quantiles, and one unknown site among known ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.errors import CredentialError, PayloadError, ServiceError
from domain.instants import iso, parse_instant
from resources.clock import ManualClock
from resources.http import ApiKey
from resources.hydroforecast import HydroForecastClient, HydroForecastQuery, HydroForecastSettings
from tests.resources.clients.tiny import NOW, Asked, Landed, Reply, Script, Served, http_settings, until_it_fails

Serve = Callable[[Script], Served]
Make = Callable[..., HydroForecastClient]
HOUR = timedelta(hours=1)
DAY = datetime(2026, 11, 20, tzinfo=UTC)
R4 = "r4-above-power-house"
R30 = "r30-above-power-house"
KEY = "org-key-123456"


def vendor(asked: Asked) -> Reply:
    """Answer with an issue each six hours, three hours long: mean 100, q0.1 80, q0.9 missing once."""
    if asked.headers.get("authorization") != KEY:
        return Reply(b'{"message":"invalid key"}', status=403)
    data = []
    for query in json.loads(asked.body)["queries"]:
        if query["siteId"] not in (R4, R30):
            return Reply(json.dumps({"message": f"unknown site {query['siteId']}"}).encode(), status=404)
        start, end = (parse_instant(query[f"issueTime{name}Date"], what=name) for name in ("Start", "End"))
        issue, forecasts = DAY + 2 * HOUR, []
        while issue < end:
            if issue >= start:
                forecasts.append(
                    {
                        "issueTime": iso(issue),
                        "initializationTime": iso(issue - 2 * HOUR),
                        "validTimes": [iso(issue + k * HOUR) for k in range(3)],
                        "data": {
                            "discharge_mean": [100.0, 101.0, 102.0],
                            "discharge_q0.1": [80.0, 81.0, 82.0],
                            "discharge_q0.9": [120.0, None, 122.0],
                        },
                    }
                )
            issue += 6 * HOUR
        data.append({"query": query, "forecasts": forecasts})
    return Reply(json.dumps({"data": data}).encode())


def older_route(asked: Asked) -> Reply:
    """Answer page by page, two forecasts a page, five in all, one each six hours; the last was run again later."""
    assert asked.path == f"/api/v1/forecasts/{R4}"
    assert asked.query["type"] == ["short-term"]
    page = int(asked.query["page"][0])
    updates = [DAY + 6 * k * HOUR for k in range(4)] + [DAY + 30 * HOUR]
    shown = [at for at in updates if at >= parse_instant(asked.query["updatedSince"][0], what="updatedSince")]
    forecasts = [
        {
            "forecastDate": iso(at - HOUR),
            "updatedAt": iso(at),
            "data": {"datetime": [iso(at), iso(at + HOUR)], "discharge_mean": [1.0, 2.0], "discharge_q0.5": [1.0, 2.0]},
        }
        for at in shown[2 * page - 2 : 2 * page]
    ]
    data = {"siteId": R4, "type": "short-term", "units": "cms", "forecasts": forecasts}
    return Reply(json.dumps({"page": page, "hasNextPage": 2 * page < len(shown), "data": data}).encode())


@pytest.fixture
def make(clock: ManualClock, landed: Landed, locks: Path) -> Make:
    def build(base_url: str, *sites: str, key: str = KEY, days_per_query: float = 10) -> HydroForecastClient:
        columns = ("discharge_mean", "discharge_q0.1", "discharge_q0.9")
        settings = HydroForecastSettings(
            http=http_settings(f"{base_url}/api"),
            days_per_query=days_per_query,
            queries=tuple(
                HydroForecastQuery(site=site, source="hydroforecast-short-term", columns=columns)
                for site in sites or (R4,)
            ),
        )
        return HydroForecastClient(settings, credentials=ApiKey(key), clock=clock, land=landed, locks=locks)

    return build


def test_forecasts_are_those_issued_in_the_window(serve: Serve, make: Make, landed: Landed) -> None:
    served = serve(vendor)
    with make(served.url) as client:
        [read] = client.forecasts(DAY, DAY + 12 * HOUR)
    [asked] = served.asked
    [query] = json.loads(asked.body)["queries"]
    assert query["unitSystem"] == "US"
    assert query["timeAggregation"] == "1H"
    assert query["issueTimeStartDate"] == "2026-11-20T00:00:00Z"
    # Issues at 02:00 and 08:00; each is known when it is issued, whatever its model start.
    assert read.rows["belief_time"].unique().sort().to_list() == [DAY + 2 * HOUR, DAY + 8 * HOUR]
    assert read.rows["series_id"].unique().to_list() == [f"hydroforecast:discharge:{R4}"]
    mean = read.rows.filter(read.rows["scenario"] == "mean").sort("belief_time", "event_start")
    assert mean["value"].to_list() == [100.0, 101.0, 102.0] * 2
    low = read.rows.filter(read.rows["quantile"] == 0.1)
    assert sorted(set(low["value"])) == [80.0, 81.0, 82.0]
    assert read.product == f"hydroforecast-short-term:{R4}"
    assert len(landed) == len(read.raw) == 1


def test_long_windows_are_cut_and_end_at_the_present(serve: Serve, make: Make) -> None:
    served = serve(vendor)
    with make(served.url, days_per_query=1) as client:
        reads = list(client.forecasts(DAY, DAY + timedelta(days=5)))
    assert [read.window for read in reads] == [(DAY, DAY + timedelta(days=1)), (DAY + timedelta(days=1), NOW)]
    assert len(served.asked) == 2


def test_no_issue_is_an_answer(serve: Serve, make: Make) -> None:
    with make(serve(vendor).url) as client:
        [read] = client.forecasts(DAY, DAY + HOUR)
    assert read.rows.height == 0
    assert read.notes == ("no issue in the window",)


def test_an_unknown_site_does_not_cost_the_others(serve: Serve, make: Make) -> None:
    with make(serve(vendor).url, "r99-typo", R30) as client:
        got, error = until_it_fails(client.forecasts(DAY, DAY + 12 * HOUR))
    assert [read.product for read in got] == [f"hydroforecast-short-term:{R30}"]
    assert isinstance(error, ServiceError)
    assert "check site 'r99-typo'" in str(error)


def test_a_wrong_key_is_a_credential_error_that_hides_the_key(serve: Serve, make: Make) -> None:
    with (
        make(serve(vendor).url, key="wrong-key-9999") as client,
        pytest.raises(CredentialError, match=r"hydroforecast: POST .* answered 403") as caught,
    ):
        list(client.forecasts(DAY, DAY + HOUR))
    assert "wrong-key-9999" not in str(caught.value)


def test_an_answer_about_another_site_is_refused(serve: Serve, make: Make) -> None:
    def swapped(asked: Asked) -> Reply:
        reply = json.loads(vendor(asked).body)
        reply["data"][0]["query"]["siteId"] = R30
        return Reply(json.dumps(reply).encode())

    with make(serve(swapped).url) as client:
        got, error = until_it_fails(client.forecasts(DAY, DAY + 12 * HOUR))
    assert got == []
    assert isinstance(error, PayloadError)
    assert "expected one entry that repeats it" in str(error)


def test_the_older_route_is_read_page_by_page(serve: Serve, make: Make) -> None:
    served = serve(older_route)
    with make(served.url) as client:
        [read] = client.forecasts_v1(DAY, DAY + 24 * HOUR)
        [later] = client.forecasts_v1(DAY + 24 * HOUR, DAY + 48 * HOUR)
    assert [asked.query["page"] for asked in served.asked] == [["1"], ["2"], ["3"], ["1"]]
    assert read.rows["belief_time"].unique().sort().to_list() == [DAY + 6 * k * HOUR for k in range(4)]
    assert later.rows["belief_time"].unique().to_list() == [DAY + 30 * HOUR]
    # 1 m3/s is 35.31 cfs.
    assert read.rows.filter(read.rows["scenario"] == "mean")["value"].min() == pytest.approx(35.3147, abs=1e-4)
