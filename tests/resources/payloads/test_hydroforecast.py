"""HydroForecast: issues, quantiles, units, both versions of the answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domain.errors import PayloadError, TimeError
from tests.resources.payloads.wire import FETCHED, rows_of, utc

HOURS = ["2026-11-21T01:00:00Z", "2026-11-21T02:00:00+00:00"]
ECHO = {"source": "hydroforecast-short-term", "siteId": "r4", "unitSystem": "US", "timeAggregation": "1H"}


def issue(stamp: str = "2026-11-21T00:30:00Z", **columns: list[float | None]) -> dict[str, Any]:
    return {"issueTime": stamp, "initializationTime": "2026-11-20T18:00:00Z", "validTimes": HOURS, "data": columns}


def v2(*forecasts: dict[str, Any], **echo: str) -> bytes:
    return json.dumps({"data": [{"query": ECHO | echo, "forecasts": list(forecasts)}]}).encode()


def v1(units: str = "cms", **columns: list[float | None]) -> bytes:
    forecast = {
        "forecastDate": "2026-11-20",
        "updatedAt": "2026-11-20T05:00:00Z",
        "data": {"datetime": HOURS} | columns,
    }
    data = {"siteId": "r4", "type": "short-term", "units": units, "forecasts": [forecast]}
    return json.dumps({"page": 1, "hasNextPage": False, "data": data}).encode()


def test_an_issue_is_known_when_it_became_available_not_when_its_model_started() -> None:
    row = rows_of("hydroforecast", v2(issue(discharge_mean=[100, 110]))).row(0, named=True)
    assert (row["series_id"], row["value"], row["unit"]) == ("hydroforecast:discharge:r4", 100.0, "cfs")
    assert (row["event_start"], row["event_end"]) == (utc("2026-11-21T01:00"), utc("2026-11-21T02:00"))
    assert (row["belief_time"], row["belief_basis"]) == (utc("2026-11-21T00:30"), "source_stamp")
    assert (row["scenario"], row["quantile"]) == ("mean", None)


def test_every_quantile_is_kept_as_non_exceedance() -> None:
    names = ["0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "0.75", "0.9", "0.95", "0.975", "0.99"]
    columns = {f"discharge_q{name}": [float(index), float(index)] for index, name in enumerate(names)}
    rows = rows_of("hydroforecast", v2(issue(**columns))).filter(event_start=utc("2026-11-21T01:00"))
    # 0.01 is likely exceeded: the smallest flow
    assert rows.select("quantile", "value").rows() == [(float(name), index) for index, name in enumerate(names)]
    assert set(rows["scenario"]) == {"quantile"}


def test_holes_are_missing_values_of_that_issue_and_empty_columns_are_nothing() -> None:
    rows = rows_of(
        "hydroforecast", v2(issue(discharge_mean=[None, 110], **{"discharge_q0.5": [], "snow_mean": [1, 2]}))
    )
    assert rows.select("value", "quality").rows() == [(None, "missing"), (110.0, "good")]


def test_nothing_new_is_an_empty_answer() -> None:
    assert rows_of("hydroforecast", v2()).height == 0
    assert rows_of("hydroforecast", json.dumps({"data": []}).encode()).height == 0


def test_metric_answers_are_converted() -> None:
    # 1 m3/s = 35.3147 cfs
    assert rows_of("hydroforecast", v2(issue(discharge_mean=[1, 2]), unitSystem="SI"))["value"][0] == pytest.approx(
        35.3147, abs=1e-4
    )
    assert rows_of("hydroforecast", v1(discharge_mean=[1, 2]))["value"][0] == pytest.approx(35.3147, abs=1e-4)


def test_a_legacy_answer_is_known_when_it_was_updated() -> None:
    row = rows_of("hydroforecast", v1("cfs", **{"discharge_q0.1": [5, 6]})).row(0, named=True)
    assert (row["belief_time"], row["quantile"], row["value"]) == (utc("2026-11-20T05:00"), 0.1, 5.0)
    assert row["event_end"] == utc("2026-11-21T02:00")  # the step between its times


@pytest.mark.parametrize(
    ("source", "column", "scenario"),
    [
        ("hydroforecast-seasonal", "discharge_mean", "seasonal:mean"),
        ("cnrfc", "ensemble_forecast_avg", "cnrfc:mean"),
        ("hydroforecast-short-term", "discharge_mean", "mean"),
    ],
)
def test_other_sources_of_one_site_are_told_apart(source: str, column: str, scenario: str) -> None:
    assert set(rows_of("hydroforecast", v2(issue(**{column: [1, 2]}), source=source))["scenario"]) == {scenario}


def test_two_issues_are_two_beliefs_about_one_hour() -> None:
    rows = rows_of(
        "hydroforecast", v2(issue(discharge_mean=[1, 2]), issue("2026-11-21T00:45:00Z", discharge_mean=[3, 4]))
    )
    first = rows.filter(event_start=utc("2026-11-21T01:00"))
    assert first.select("belief_time", "value").rows() == [
        (utc("2026-11-21T00:30"), 1.0),
        (utc("2026-11-21T00:45"), 3.0),
    ]
    assert rows["belief_time"].max() < FETCHED


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (v2(issue(discharge_mean=[1, 2]), unitSystem=""), "does not tell its units"),
        (v2(issue(discharge_mean=[1, 2]), siteId=""), "does not tell its site"),
        (v2(issue(discharge_mean=[1])), "1 values for 2 times"),
        (v2(issue(discharge_mean=["1", 2])), "no number"),  # type: ignore[list-item]
        (v2(issue() | {"issueTime": None}), "no stamp"),
        (v2(issue() | {"validTimes": None}), "no validTimes"),
        (v2(issue(discharge_mean=[1, 2]), timeAggregation="often"), "timeAggregation 'often'"),
        (v1("", discharge_mean=[1, 2]), "does not tell its units"),
        (json.dumps({"message": "rate limited"}).encode(), "rate limited"),
        (json.dumps([1]).encode(), "no data of forecasts"),
        (b"<html>502</html>", "HTML page"),
    ],
)
def test_what_is_no_forecast_is_refused_with_its_reason(payload: bytes, told: str) -> None:
    with pytest.raises(PayloadError, match=told):
        rows_of("hydroforecast", payload)


def test_times_without_an_offset_are_refused() -> None:
    with pytest.raises(TimeError, match="without an offset"):
        rows_of("hydroforecast", v2(issue("2026-11-21T00:30:00", discharge_mean=[1, 2])))


def test_what_an_answer_leaves_out_may_be_told() -> None:
    payload = json.dumps({"data": [{"forecasts": [issue(discharge_mean=[1, 2])]}]}).encode()
    rows = rows_of("hydroforecast", payload, options={"site_id": "r30", "unit_system": "US"})
    assert rows["series_id"].unique().to_list() == ["hydroforecast:discharge:r30"]
