"""HydroForecast version 2, asked with plain requests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.simulators.stand_ins import StandIns

R4 = "pcwa-r4-middle-fork-american-abv-power-house-total"
R30 = "pcwa-r30-rubicon-river-abv-ralston-power-house"
QUANTILES = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99]


def query(**change: object) -> dict[str, Any]:
    return {
        "source": "hydroforecast-short-term",
        "siteId": R4,
        "columns": ["discharge_mean", *(f"discharge_q{quantile}" for quantile in QUANTILES)],
        "unitSystem": "US",
        "rateVolumeMode": "rate",
        "timeAggregation": "1H",
        "aggregationMethod": "mean",
        "issueTimeAfterDate": "2026-11-20T00:00:00Z",
    } | change


def post(stand_ins: StandIns, *queries: dict[str, Any], key: str | None = "demo-key") -> requests.Response:
    headers = {"Authorization": key} if key else {}
    url = stand_ins.url("hydroforecast", "/v2/timeseries/forecasts")
    return stand_ins.http.post(url, json={"queries": list(queries)}, headers=headers, timeout=20)


def test_each_query_is_answered_in_order_with_its_echo(stand_ins: StandIns) -> None:
    queries = [query(siteId=R30), query()]
    data = post(stand_ins, *queries).json()["data"]
    assert [entry["query"] for entry in data] == queries
    forecast = data[1]["forecasts"][-1]
    assert set(forecast) == {"issueTime", "initializationTime", "validTimes", "data"}
    assert len(forecast["validTimes"]) == 240
    assert all(len(column) == 240 for column in forecast["data"].values())


def test_an_issue_is_available_after_its_run_and_never_before(stand_ins: StandIns) -> None:
    forecasts = post(stand_ins, query()).json()["data"][0]["forecasts"]
    for forecast in forecasts:
        run, issued = (datetime.fromisoformat(forecast[name]) for name in ("initializationTime", "issueTime"))
        assert run.hour in {0, 6, 12, 18}
        assert timedelta(minutes=40) <= issued - run <= timedelta(minutes=90)
        assert forecast["validTimes"][0] == forecast["initializationTime"]
    newest = datetime.fromisoformat(forecasts[-1]["issueTime"])
    assert newest.hour in {6, 7}
    stand_ins.set_clock(newest - timedelta(seconds=1))
    before = post(stand_ins, query()).json()["data"][0]["forecasts"]
    assert len(before) == len(forecasts) - 1


def test_quantiles_are_in_order_and_the_mean_lies_among_them(stand_ins: StandIns) -> None:
    data = post(stand_ins, query()).json()["data"][0]["forecasts"][-1]["data"]
    for row in zip(*(data[f"discharge_q{quantile}"] for quantile in QUANTILES), strict=True):
        assert list(row) == sorted(row)
    assert all(
        low < mean < high
        for low, mean, high in zip(data["discharge_q0.1"], data["discharge_mean"], data["discharge_q0.95"], strict=True)
    )


def test_an_issue_is_read_the_same_in_every_way_of_asking(stand_ins: StandIns) -> None:
    forecasts = post(stand_ins, query()).json()["data"][0]["forecasts"]
    chosen = forecasts[2]
    whole = query()
    del whole["issueTimeAfterDate"]
    end = datetime.fromisoformat(chosen["issueTime"]) + timedelta(seconds=1)
    window = {"issueTimeStartDate": chosen["issueTime"], "issueTimeEndDate": end.isoformat()}
    for way in ({"issueTimes": [chosen["issueTime"]]}, window):
        assert post(stand_ins, whole | way).json()["data"][0]["forecasts"] == [chosen]


def test_units_and_daily_means(stand_ins: StandIns) -> None:
    us, si, daily = (
        post(stand_ins, query(**change)).json()["data"][0]["forecasts"][-1]["data"]["discharge_mean"]
        for change in ({}, {"unitSystem": "SI"}, {"timeAggregation": "1D"})
    )
    assert us[5] == pytest.approx(si[5] / 0.3048**3, rel=1e-4)
    assert daily[1] == pytest.approx(sum(us[24:48]) / 24, abs=1e-4)


def test_a_relayed_source_has_its_own_column_and_cycle(stand_ins: StandIns) -> None:
    relayed = query(source="cnrfc", columns=["ensemble_forecast_avg"])
    forecasts = post(stand_ins, relayed).json()["data"][0]["forecasts"]
    assert [datetime.fromisoformat(forecast["initializationTime"]).hour for forecast in forecasts] == [12]


def test_nothing_new_is_an_empty_list(stand_ins: StandIns) -> None:
    after = datetime(2026, 11, 21, 8, tzinfo=UTC).isoformat()
    assert post(stand_ins, query(issueTimeAfterDate=after)).json()["data"][0]["forecasts"] == []


@pytest.mark.parametrize(
    ("key", "change", "status"),
    [
        (None, {}, 401),
        ("Bearer demo-key", {}, 403),
        ("demo-key", {"siteId": "nowhere"}, 404),
        ("demo-key", {"source": "tea-leaves"}, 404),
        ("demo-key", {"columns": ["discharge_q0.2"]}, 400),
        ("demo-key", {"issueTimeAfterDate": "2026-11-20T00:00:00"}, 400),
        ("demo-key", {"timeAggregation": "often"}, 400),
    ],
)
def test_refusals(stand_ins: StandIns, key: str | None, change: dict[str, Any], status: int) -> None:
    refused = post(stand_ins, query(**change), key=key)
    assert refused.status_code == status
    assert refused.json()["message"]


def legacy(stand_ins: StandIns, **params: object) -> requests.Response:
    url = stand_ins.url("hydroforecast", f"/v1/forecasts/{R4}")
    return stand_ins.http.get(url, params=params, headers={"Authorization": "demo-key"}, timeout=20)


def test_the_first_version_pages_newest_first_in_its_own_units(stand_ins: StandIns) -> None:
    span = {"startDate": "2026-11-10T00:00:00Z", "endDate": "2026-11-20T00:00:00Z", "perPage": 25}
    first, second = (legacy(stand_ins, **span, page=page).json() for page in (1, 2))
    assert (first["hasNextPage"], second["hasNextPage"]) == (True, False)
    assert first["data"]["units"] == "cms"
    days = [forecast["forecastDate"] for page in (first, second) for forecast in page["data"]["forecasts"]]
    assert days == sorted(days, reverse=True)
    assert len(days) == 40
    newest = first["data"]["forecasts"][0]["data"]
    assert set(newest) == {"datetime", "discharge_mean", *(f"discharge_q{quantile}" for quantile in QUANTILES)}
    in_cfs = legacy(stand_ins, **span, units="cfs").json()["data"]["forecasts"][0]["data"]["discharge_mean"][7]
    assert in_cfs == pytest.approx(newest["discharge_mean"][7] / 0.3048**3, abs=0.01)
    assert legacy(stand_ins, perPage=26).status_code == 400


def test_a_forecast_that_was_run_again_has_a_newer_stamp_and_other_numbers(stand_ins: StandIns) -> None:
    stand_ins.set_clock(datetime(2026, 11, 21, 8, tzinfo=UTC))
    span = {"startDate": "2026-08-01T00:00:00Z", "endDate": "2026-11-01T00:00:00Z", "perPage": 25}
    everything = [f for page in range(1, 16) for f in legacy(stand_ins, **span, page=page).json()["data"]["forecasts"]]
    again = [
        forecast
        for forecast in everything
        if datetime.fromisoformat(forecast["updatedAt"]) - datetime.fromisoformat(forecast["forecastDate"])
        > timedelta(hours=3)
    ]
    assert 0 < len(again) < len(everything) / 5
    before = datetime.fromisoformat(again[0]["updatedAt"]) - timedelta(minutes=1)
    stand_ins.set_clock(before)
    run = {"startDate": again[0]["forecastDate"], "endDate": before.isoformat()}
    original = next(
        forecast
        for forecast in legacy(stand_ins, **run).json()["data"]["forecasts"]
        if forecast["forecastDate"] == again[0]["forecastDate"]
    )
    assert original["updatedAt"] < again[0]["updatedAt"]
    assert original["data"]["discharge_mean"] != again[0]["data"]["discharge_mean"]


def test_the_first_version_speaks_csv(stand_ins: StandIns) -> None:
    text = legacy(stand_ins, startDate="2026-11-20T00:00:00Z", endDate="2026-11-20T08:00:00Z", format="csv").text
    header, *lines = text.splitlines()
    assert header.split(",")[:4] == ["forecastDate", "updatedAt", "datetime", "discharge_mean"]
    assert len(lines) == 2 * 240


def test_quantiles_cross_and_holes_open_where_ordered(stand_ins: StandIns) -> None:
    stand_ins.control("hydroforecast", {"faults": [{"fault": "cross_quantiles"}]})
    data = post(stand_ins, query()).json()["data"][0]["forecasts"][-1]["data"]
    assert data["discharge_q0.1"][100] > data["discharge_q0.9"][100]
    stand_ins.control("hydroforecast", {"clear_faults": True, "faults": [{"fault": "null_hole", "p": 0.2}]})
    data = post(stand_ins, query()).json()["data"][0]["forecasts"][-1]["data"]
    assert 10 < sum(value is None for value in data["discharge_mean"]) < 90
