"""ERCOT's dashboards, operations messages and lists of documents."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from domain.errors import PayloadError, TimeError
from resources.payloads import ercot
from tests.resources.payloads.wire import FETCHED, rows_of, utc

UPDATED = "2026-08-14 01:36:00-0500"
# 2026-08-14 06:00 UTC, the end of the hour that begins at local midnight
EPOCH = 1786687200000


def board(**content: Any) -> bytes:  # noqa: ANN401 - any JSON
    return json.dumps({"lastUpdated": UPDATED} | content).encode()


def numbers(rows: pl.DataFrame) -> dict[str, float]:
    return {
        f"{series} {scenario}": value
        for series, scenario, value in rows.select("series_id", "scenario", "value").iter_rows()
    }


def test_a_dashboard_is_known_when_it_was_updated() -> None:
    payload = board(currentDay={"data": [{"totalCharging": -5, "epoch": EPOCH, "timestamp": "x", "dstFlag": "N"}]})
    rows = rows_of("ercot", payload)
    assert rows.select("belief_time", "belief_basis", "source").rows() == [
        (utc("2026-08-14T06:36"), "source_stamp", "ercot_dash")
    ]
    unstamped = rows_of("ercot", json.dumps({"currentDay": json.loads(payload)["currentDay"]}).encode())
    assert unstamped.select("belief_time", "belief_basis").rows() == [(FETCHED, "ingest_time")]


def test_storage_is_told_at_instants_and_the_epoch_beats_every_label() -> None:
    rows = rows_of(
        "ercot",
        board(
            previousDay={"data": []},
            currentDay={
                "data": [
                    {
                        "dstFlag": "Y",
                        "totalCharging": -100,
                        "totalDischarging": 40,
                        "netOutput": -60,
                        "timestamp": "2026-11-01 01:30:00-0500",
                        "epoch": 1793514600000,
                    },
                    {
                        "dstFlag": "N",
                        "totalCharging": -90,
                        "totalDischarging": 50,
                        "netOutput": -40,
                        "timestamp": "2026-11-01 01:30:00-0500",
                        "epoch": 1793518200000,
                    },
                ]
            },
        ),
    )
    net = rows.filter(series_id="ercot:storage:net")
    assert net.select("event_start", "event_end", "value").rows() == [
        (utc("2026-11-01T06:30"), utc("2026-11-01T06:30"), -60.0),
        (utc("2026-11-01T07:30"), utc("2026-11-01T07:30"), -40.0),
    ]


def test_hours_are_stamped_at_their_end_and_two_vintages_stand_side_by_side() -> None:
    row = {
        "hourEnding": 1,
        "currentLoadForecast": 41,
        "dayAheadForecast": 42,
        "currentDayHsl": 60,
        "systemLoad": 40.5,
        "epoch": EPOCH,
    }
    rows = rows_of(
        "ercot",
        board(currentDay={"data": [row]}, nextDay={"data": [{"currentLoadForecast": 43, "epoch": EPOCH + 86400000}]}),
    )
    first = rows.filter(event_start=utc("2026-08-14T05:00"))
    assert numbers(first) == {
        "ercot:load_actual:system_total actual": 40.5,
        "ercot:load_fcst:system_total deterministic": 41.0,
        "ercot:load_fcst:system_total day_ahead": 42.0,
        "ercot:hsl:system actual": 60.0,
    }
    assert set(first["event_end"]) == {utc("2026-08-14T06:00")}
    assert rows.height == 5


def test_wind_and_solar_hours_without_an_actual_have_no_actual() -> None:
    rows = rows_of(
        "ercot",
        board(
            currentDay={"data": {str(EPOCH): {"actualWind": None, "stwpf": 16902, "stppfDayAhead": 0, "epoch": EPOCH}}}
        ),
    )
    assert numbers(rows) == {
        "ercot:wind_fcst:STWPF:system deterministic": 16902.0,
        "ercot:solar_fcst:STPPF:system day_ahead": 0.0,
    }


@pytest.mark.parametrize("older", [{}, {"types": ["Wind"], "monthlyCapacity": {"Wind": 40000}}])
def test_the_fuel_mix_keeps_its_crooked_stamps(older: dict[str, Any]) -> None:
    mix = {
        "2026-08-14": {
            "2026-08-14 01:29:57-0500": {"Wind": {"gen": 27398.6, "hsl": 30000}, "Power Storage": {"gen": -300.9}}
        }
    }
    rows = rows_of("ercot", board(data=mix, **older))
    assert numbers(rows) == {
        "ercot:gen:wind actual": 27398.6,
        "ercot:gen_hsl:wind actual": 30000.0,
        "ercot:gen:power_storage actual": -300.9,
    }
    assert set(rows["event_start"]) == {utc("2026-08-14T06:29:57")}


def test_supply_and_demand_are_measured_or_forecast_by_their_flag() -> None:
    data = [{"capacity": 88512, "demand": 66933, "forecast": flag, "epoch": EPOCH + flag} for flag in (0, 1)]
    ahead = [{"availCapGen": 96748, "forecastedDemand": 68217, "epoch": EPOCH}]
    rows = rows_of("ercot", board(data=data, forecast=ahead))
    measured = {"ercot:supply:capacity", "ercot:supply:demand"}
    assert set(rows.filter(scenario="actual")["series_id"]) == measured
    ahead_only = {"ercot:supply_fcst:available", "ercot:supply_fcst:demand"}
    assert set(rows.filter(scenario="deterministic")["series_id"]) == measured | ahead_only


def test_outages_are_told_by_category_and_kind() -> None:
    cells = {"deliveryTime": "x", "Combined": {"unplanned": 1, "planned": 2, "total": 3}, "Renewable": {"total": 4}}
    rows = rows_of("ercot", board(current={str(EPOCH): cells}, previous={}))
    assert numbers(rows) == {
        "ercot:outages:combined:unplanned actual": 1.0,
        "ercot:outages:combined:planned actual": 2.0,
        "ercot:outages:combined:total actual": 3.0,
        "ercot:outages:renewable:total actual": 4.0,
    }


def test_the_emergency_signal_is_read_with_its_state() -> None:
    condition = {
        "datetime": EPOCH // 1000,
        "state": "eea1",
        "prc_value": "2,950",
        "eea_level": 1,
        "condition_note": "conserve",
    }
    rows = rows_of("ercot", board(current_condition=condition))
    assert rows.select("series_id", "value", "unit", "quality_detail").rows() == [
        ("ercot:prc", 2950.0, "MW", "eea1; conserve"),
        ("ercot:eea_level", 1.0, "1", "eea1; conserve"),
    ]
    assert set(rows["event_start"]) == {utc("2026-08-14T06:00")}


def test_the_capacity_monitor_is_groups_of_keys_under_titles() -> None:
    groups = {"a": [["Responsive"], ["prc", "6,123"], ["regUpCap", 900]], "b": [["Non-spin"], ["nsrCapEsr", ""]]}
    rows = rows_of("ercot", board(data=groups))
    assert numbers(rows) == {"ercot:prc actual": 6123.0, "ercot:as_monitor:regUpCap actual": 900.0}
    assert set(rows["event_start"]) == {utc("2026-08-14T06:36")}


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (board(x=1), "no dashboard whose shape we know"),
        (json.dumps([1]).encode(), "JSON list"),
        (board(currentDay={"data": [{"totalCharging": "lots", "epoch": EPOCH}]}), "'lots'"),
        (board(currentDay={"data": [{"totalCharging": 1}]}), "without epoch"),
        (board(current_condition={"prc_value": 1}), "without datetime"),
        (board(data={"2026-08-14": {"2026-08-14 01:30:00-0500": {"Wind": 5}}}), "not the shape"),
        (json.dumps({"ListDocsByRptTypeRes": {}}).encode(), "list of documents"),
        (json.dumps({"_embedded": {}}).encode(), "catalogue"),
        (json.dumps({"statusCode": 429, "message": "slow down"}).encode(), "slow down"),
    ],
)
def test_what_is_no_dashboard_is_refused_with_its_reason(payload: bytes, told: str) -> None:
    with pytest.raises(PayloadError, match=told):
        rows_of("ercot", payload)


def test_a_stamp_of_the_update_without_an_offset_is_refused() -> None:
    with pytest.raises(TimeError, match="without an offset"):
        rows_of(
            "ercot",
            json.dumps(
                {"lastUpdated": "2026-08-14 01:36:00", "current_condition": {"datetime": 1, "eea_level": 0}}
            ).encode(),
        )


PAGE = """<!DOCTYPE html><html><body><table>
<tr><th>Date &amp; Time</th><th>Notice</th><th>Type</th><th>Status</th></tr>
<tr><td>Jul 21, 2026 4:15:00 AM</td><td>ERCOT declares EEA Level 2 <b>now</b></td><td>Emergency</td><td>Active</td></tr>
<tr><td>Jul 20, 2026 4:15:00 PM</td><td>Watch for low reserves</td><td>Watch</td><td>Cancelled</td></tr>
</table></body></html>"""


def test_a_message_counts_one_while_active_and_its_cancellation_is_known_when_it_was_seen() -> None:
    rows = rows_of("ercot", PAGE.encode())
    assert rows.select("series_id", "value", "belief_time", "belief_basis", "quality_detail").rows() == [
        ("ercot:ops_message:eea", 1.0, utc("2026-07-21T09:15"), "source_stamp", "ERCOT declares EEA Level 2 now"),
        ("ercot:ops_message:watch", 0.0, FETCHED, "ingest_time", "Watch for low reserves"),
    ]
    assert rows["scenario"].n_unique() == 2
    assert ercot.operations_messages(PAGE.encode())["level"].to_list() == [2, None]


def test_a_page_without_its_table_is_a_block_page_and_one_without_rows_is_quiet() -> None:
    with pytest.raises(PayloadError, match="block page") as caught:
        rows_of("ercot", b"<html><body>Access denied</body></html>")
    assert caught.value.retryable
    assert rows_of("ercot", PAGE.split("<tr><td>", maxsplit=1)[0].encode() + b"</table></html>").height == 0


def listed(**fields: str) -> dict[str, Any]:
    plain = {
        "DocID": "1", "ConstructedName": "cdr.a_csv.zip", "PublishDate": "2026-01-05T12:30:00-05:00",
        "FriendlyName": "LFC_csv", "ContentSize": "10563",
    }  # fmt: skip
    return {"Document": plain | fields}


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_document_list_has_many_entries_or_one_or_none(count: int) -> None:
    entries: Any = [listed(DocID=str(number)) for number in range(count)]
    content = {} if count == 0 else {"DocumentList": entries[0] if count == 1 else entries}
    found = ercot.document_list(json.dumps({"ListDocsByRptTypeRes": content}).encode())
    assert found["doc_id"].to_list() == [str(number) for number in range(count)]
    assert set(found["posted_at"]) <= {utc("2026-01-05T18:30")}  # winter, whatever offset is printed


def test_a_document_is_told_from_its_twin_and_from_a_re_posted_one() -> None:
    entries = [listed(), listed(FriendlyName="LFC_xml"), listed(ConstructedName="cdr.a_retry_csv.zip")]
    found = ercot.document_list(json.dumps({"ListDocsByRptTypeRes": {"DocumentList": entries}}).encode())
    assert found.select("is_csv", "is_retry").rows() == [(True, False), (False, False), (True, True)]


def test_an_archive_page_is_localised_to_the_first_pass() -> None:
    archives = [{"docId": 7, "friendlyName": "A_csv", "postDatetime": "2026-11-01T01:30:00"}]
    found = ercot.archive_list(json.dumps({"_meta": {}, "archives": archives}).encode())
    assert found.select("doc_id", "posted_at", "is_csv").rows() == [("7", utc("2026-11-01T06:30"), True)]
    assert ercot.archive_list(b'{"_meta": {"totalRecords": 0}}').height == 0


@pytest.mark.parametrize(
    ("read", "payload"),
    [
        (ercot.document_list, b"{}"),
        (ercot.document_list, json.dumps({"ListDocsByRptTypeRes": {"DocumentList": [{"Document": {}}]}}).encode()),
        (ercot.archive_list, b"[]"),
        (ercot.archive_list, b'{"archives": [{"docId": 1}]}'),
        (ercot.product_list, b"{}"),
        (ercot.product_list, b"<html></html>"),
    ],
)
def test_what_is_no_list_is_refused(read: Any, payload: bytes) -> None:  # noqa: ANN401 - one of our functions
    with pytest.raises(PayloadError):
        read(payload)
