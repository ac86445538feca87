"""PI Web API: values, states, and the ways in which a 200 hides a failure."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from domain.errors import PayloadError, TimeError, UnitError
from resources.payloads import pi
from tests.resources.payloads.wire import facts, rows_of, utc

R4 = {"path": "OPS/Gauging Stations/R4|Flow"}
T0, T1 = "2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z"
FETCHED = utc("2026-01-06T00:00")


def value(stamp: str = T0, number: object = 12.5, **other: object) -> dict[str, Any]:
    base = {"Timestamp": stamp, "UnitsAbbreviation": "cfs", "Good": True, "Questionable": False, "Substituted": False}
    return base | {"Value": number} | other


def answer(*items: dict[str, Any], **beside: object) -> bytes:
    return json.dumps({"Links": {}, "Items": list(items), "UnitsAbbreviation": "cfs"} | beside).encode()


def summary(*pairs: tuple[str, dict[str, Any]]) -> bytes:
    return answer(*({"Type": kind, "Value": item} for kind, item in pairs))


def read(payload: bytes, kind: str = "recorded", **options: str) -> pl.DataFrame:
    return rows_of("pi", payload, fetched_at=FETCHED, options={**R4, "kind": kind, **options})


def test_a_recorded_value_is_an_instant_known_a_while_after_it() -> None:
    (row,) = read(answer(value())).iter_rows(named=True)
    assert (row["series_id"], row["value"], row["unit"]) == ("pi:OPS/Gauging Stations/R4|Flow:recorded", 12.5, "cfs")
    assert row["event_start"] == row["event_end"] == utc("2026-01-05T10:00")
    assert (row["belief_time"], row["belief_basis"]) == (utc("2026-01-05T10:05"), "schedule_rule")
    assert (row["source"], row["scenario"], row["quality"]) == ("pi", "actual", "good")


def test_a_summary_is_the_interval_that_begins_at_its_stamp() -> None:
    (row,) = read(summary(("Average", value())), "avg1h", assumed_delay_s="60").iter_rows(named=True)
    assert (row["event_start"], row["event_end"]) == (utc("2026-01-05T10:00"), utc("2026-01-05T11:00"))
    assert row["belief_time"] == utc("2026-01-05T11:01")  # the end and the declared minute


@pytest.mark.parametrize(
    ("kind", "length"),
    [
        ("interp1h", timedelta(0)),
        ("recorded", timedelta(0)),
        ("avg15m", timedelta(minutes=15)),
        ("avg1d", timedelta(1)),
    ],
)
def test_a_kind_says_how_long_an_event_is(kind: str, length: timedelta) -> None:
    payload = summary(("Average", value())) if kind.startswith("avg") else answer(value())
    (row,) = read(payload, kind).iter_rows(named=True)
    assert row["event_end"] - row["event_start"] == length


@pytest.mark.parametrize(
    ("share", "number", "quality", "detail"),
    [
        (100, 12.5, "good", None),
        (80, 12.5, "questionable", "PercentGood 80.0"),
        (0, None, "missing", "PercentGood 0.0"),
    ],
)
def test_the_share_of_good_time_judges_a_mean(
    share: float, number: float | None, quality: str, detail: str | None
) -> None:
    rows = read(summary(("Average", value()), ("PercentGood", value(number=share))), "avg1h")
    assert rows.select("value", "quality", "quality_detail").rows() == [(number, quality, detail)]


@pytest.mark.parametrize(
    ("item", "number", "quality", "detail"),
    [
        (value(Questionable=True), 12.5, "questionable", "Questionable"),
        (value(Substituted=True), 12.5, "substituted", "Substituted"),
        (value(Good=False), None, "bad", "Good is false"),
        (value(number={"Name": "GEN", "Value": 1, "IsSystem": False}), 1.0, "good", "GEN"),
        (value(number={"Name": "GEN", "Value": 1}), 1.0, "good", "GEN"),
        (value(number={"Name": "No Data", "Value": 248, "IsSystem": True}, Good=False), None, "bad", "No Data"),
        (value(number={"Name": "I/O Timeout", "Value": 246, "IsSystem": True}), None, "bad", "I/O Timeout"),
        (value(number={"Name": "Pt Created", "Value": 253}), None, "bad", "Pt Created"),
        (value(number="Bad Input"), None, "bad", "text 'Bad Input'"),
        (value(number=None), None, "bad", "no value"),
        (value(number=None, Errors=["point not found"]), None, "bad", "['point not found']"),
        (value(number={"Errors": ["stale"]}), None, "bad", "['stale']"),
        ({"Timestamp": T0, "Value": 12.5}, 12.5, "questionable", "the answer left Good out"),
    ],
)
def test_a_value_says_what_it_is_worth(item: dict[str, Any], number: float | None, quality: str, detail: str) -> None:
    rows = read(answer(item))
    assert rows.select("value", "quality", "quality_detail").rows() == [(number, quality, detail)]


def test_the_code_of_a_system_state_is_never_a_value() -> None:
    states = [
        value(f"2026-01-05T10:00:{n:02d}Z", {"Name": f"state {n}", "Value": 193 + n, "IsSystem": True})
        for n in range(20)
    ]
    assert read(answer(*states))["value"].null_count() == 20


def test_whole_and_fractional_seconds_mix() -> None:
    rows = read(answer(value("2026-01-05T10:00:00.1230001Z", 1), value("2026-01-05T10:00:01Z", 2)))
    assert rows["event_start"].to_list() == [utc("2026-01-05T10:00:00.123"), utc("2026-01-05T10:00:01")]


def test_what_ends_after_it_was_read_is_questionable_unless_the_point_holds_forecasts() -> None:
    late = answer(value("2026-01-05T23:59:00Z", 1), value("2026-01-06T00:30:00Z", 2))
    rows = read(late)
    assert rows["quality"].to_list() == ["good", "questionable"]
    assert rows.select("belief_time", "belief_basis").rows() == [(FETCHED, "ingest_time")] * 2
    future = read(late, future="true")
    assert future.select("quality", "scenario", "belief_basis").unique().rows() == [
        ("good", "deterministic", "ingest_time")
    ]


@pytest.mark.parametrize(
    ("printed", "declared", "unit", "factor"),
    [("kcfs", None, "cfs", 1000), ("ft3/s", "cfs", "cfs", 1), ("", "ft", "ft", 1), ("AF", None, "af", 1)],
)
def test_units_are_converted_by_the_table(printed: str, declared: str | None, unit: str, factor: float) -> None:
    payload = answer(value(UnitsAbbreviation=printed), UnitsAbbreviation="")
    rows = read(payload, **({"unit": declared} if declared else {}))
    assert rows.select("value", "unit").rows() == [(12.5 * factor, unit)]


@pytest.mark.parametrize(
    ("payload", "options", "told"),
    [
        (answer(value(UnitsAbbreviation="furlong")), {}, "unknown unit"),
        (
            answer(value(UnitsAbbreviation="")).replace(b'"UnitsAbbreviation": "cfs"}', b'"UnitsAbbreviation": ""}'),
            {},
            "without a unit",
        ),
        (answer(value(), value(T1, UnitsAbbreviation="MW")), {}, "several units"),
        (answer(value()), {"unit": "MW"}, "declared in MW"),
    ],
)
def test_a_unit_is_never_guessed(payload: bytes, options: dict[str, str], told: str) -> None:
    with pytest.raises(UnitError, match=told):
        read(payload, **options)


@pytest.mark.parametrize(
    ("payload", "told", "retryable"),
    [
        (answer(value(), WebException={"Errors": ["broke"], "StatusCode": 502}), "broke off", True),
        (answer(value(), WebException={"Errors": ["gone"], "StatusCode": 404}), "broke off", False),
        (answer(value(), Errors=["partial"]), "errors beside", True),
        (answer({"Errors": ["no stamp"]}), "without Timestamp", True),
        (b"<!DOCTYPE html><html>Sign in</html>", "HTML page", True),
        (answer(value())[:-30], "not whole JSON", True),
        (b'{"Message": "not found"}', "no Items", False),
        (summary(("Minimum", value())), "no summary of type Average", False),
    ],
)
def test_a_200_that_hides_a_failure_is_refused(payload: bytes, told: str, retryable: bool) -> None:
    with pytest.raises(PayloadError, match=told) as caught:
        read(payload, "avg1h" if b"Minimum" in payload else "recorded")
    assert caught.value.retryable is retryable


def test_a_stamp_without_an_offset_is_refused() -> None:
    with pytest.raises(TimeError, match="without an offset"):
        read(answer(value("2026-01-05T10:00:00")))


def test_two_values_at_one_instant_are_told() -> None:
    rows = read(answer(value(), value(number=13.5)))
    assert rows.select("value", "quality", "quality_detail").rows() == [
        (13.5, "questionable", "told 2 times at once: 12.5, 13.5")
    ]


def test_no_events_are_an_empty_answer() -> None:
    assert read(answer()).height == 0


def test_each_stream_of_a_set_is_named_by_its_own_path() -> None:
    streams = [
        {"Path": r"\\AF01\OPS\Gauging Stations\R4|Flow", "Items": [value()]},
        {"Path": r"\\AF01\OPS\Reservoirs\Afterbay|Elevation", "Items": [value(UnitsAbbreviation="ft", number=1171.5)]},
    ]
    rows = rows_of("pi", json.dumps({"Items": streams}).encode(), fetched_at=FETCHED, options={"kind": "recorded"})
    assert rows.select("series_id", "value", "unit").rows() == [
        ("pi:OPS/Gauging Stations/R4|Flow:recorded", 12.5, "cfs"),
        ("pi:OPS/Reservoirs/Afterbay|Elevation:recorded", 1171.5, "ft"),
    ]
    broken = [streams[0], streams[1] | {"Errors": ["stream gone"]}]
    with pytest.raises(PayloadError, match="stream gone"):
        rows_of("pi", json.dumps({"Items": broken}).encode(), options={"kind": "recorded"})


def test_a_file_is_named_by_its_product() -> None:
    rows = rows_of("pi", summary(("Average", value())), product="OPS/Gauging Stations/R4|Flow:avg1h")
    assert rows["series_id"].to_list() == ["pi:OPS/Gauging Stations/R4|Flow:avg1h"]
    for product in (None, "avg1h", "OPS/R4|Flow:hourly"):
        with pytest.raises(PayloadError, match=r"--product|no kind of reading"):
            rows_of("pi", answer(value()), product=product)


def test_a_batch_gives_the_rows_that_came_and_the_reasons_of_those_that_did_not() -> None:
    batch = {
        "p": {"Status": 200, "Headers": {}, "Content": {"WebId": "F1Ab"}},
        "r": {"Status": 200, "Headers": {}, "Content": json.loads(answer(value()))},
        "s": {"Status": 502, "Headers": {}, "Content": {"Errors": ["archive is away"]}},
    }
    given = {part: facts(fetched_at=FETCHED, options={**R4, "kind": "recorded"}) for part in ("r", "s", "t")}
    rows, failures = pi.parse_batch(json.dumps(batch).encode(), given)
    assert rows["value"].to_list() == [12.5]
    assert set(failures) == {"s", "t"}
    assert "archive is away" in failures["s"]
    assert "missing from the answer" in failures["t"]
    with pytest.raises(PayloadError, match="failed part"):
        read(json.dumps(batch).encode())


def test_the_link_to_the_next_page_is_told_where_there_is_one() -> None:
    assert pi.next_link(answer(Links={"Next": "https://pi/next"})) == "https://pi/next"
    assert pi.next_link(answer()) is None
