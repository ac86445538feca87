"""OASIS: windows, market days, zips that are whole, broken, empty or an apology."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.errors import PayloadError, ServiceError
from resources.caiso import CaisoClient, CaisoSettings
from resources.clock import ManualClock
from tests.resources.clients.tiny import NOW, Asked, Landed, Reply, Script, Served, http_settings, until_it_fails

Serve = Callable[[Script], Served]
Make = Callable[..., CaisoClient]
HOUR = timedelta(hours=1)
START = datetime(2026, 11, 18, 8, tzinfo=UTC)  # midnight in California
HEADER = (
    "INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,OPR_DT,OPR_HR,OPR_INTERVAL,NODE_ID_XML,NODE_ID,NODE,MARKET_RUN_ID,"
    "LMP_TYPE,XML_DATA_ITEM,PNODE_RESMRID,GRP_TYPE,POS,{price},GROUP\n"
)
ITEMS = {"LMP": "LMP_PRC", "MCE": "LMP_ENE_PRC", "MCC": "LMP_CONG_PRC", "MCL": "LMP_LOSS_PRC"}


def gmt(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S-00:00")


def archive(name: str, text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as member:
        member.writestr(name, text)
    return out.getvalue()


def sorry(code: int, text: str) -> Reply:
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?><m:OASISReport xmlns:m="http://www.caiso.com/soa/OASISReport_v1.xsd">'
        f"<m:MessagePayload><m:RTO><m:name>CAISO</m:name><m:ERROR><m:ERR_CODE>{code}</m:ERR_CODE>"
        f"<m:ERR_DESC>{text}</m:ERR_DESC></m:ERROR></m:RTO></m:MessagePayload></m:OASISReport>"
    )
    name = "INVALID_REQUEST.xml"
    return Reply(
        archive(name, xml),
        headers={
            "Content-Type": "application/x-zip-compressed",
            "Content-Disposition": f"attachment; filename={name}.zip",
        },
    )


def oasis(asked: Asked) -> Reply:
    """Answer a price query: rows newest first, a price equal to the hour (and negative for congestion)."""
    query = {name: values[0] for name, values in asked.query.items()}
    start, end = (datetime.strptime(query[name], "%Y%m%dT%H:%M%z") for name in ("startdatetime", "enddatetime"))
    step, price = (HOUR, "MW") if query["queryname"] == "PRC_LMP" else (HOUR / 4, "PRC")
    lines = []
    for node in query["node"].split(","):
        moment = start
        while moment < end:
            local_hour, quarter = moment.hour + 1, moment.minute // 15 + 1
            for kind, item in ITEMS.items():
                amount = -1.5 if kind == "MCC" else moment.hour + quarter / 100
                lines.append(
                    f"{gmt(moment)},{gmt(moment + step)},2026-11-18,{local_hour},{quarter},{node},{node},{node},"
                    f"{query['market_run_id']},{kind},{item},{node},ALL,0,{amount},1\n"
                )
            moment += step
    stem = f"20261118_20261119_{query['queryname']}_{query['market_run_id']}_20261121_09_52_10_v{query['version']}"
    return Reply(
        archive(f"{stem}.csv", HEADER.format(price=price) + "".join(reversed(lines))),
        headers={
            "Content-Type": "application/x-zip-compressed",
            "Content-Disposition": f"attachment; filename={stem}.zip",
        },
    )


@pytest.fixture
def make(clock: ManualClock, landed: Landed, locks: Path) -> Make:
    def build(base_url: str, *nodes: str, days_per_query: int = 31, nodes_per_query: int = 10) -> CaisoClient:
        settings = CaisoSettings(
            http=http_settings(f"{base_url}/oasisapi"),
            days_per_query=days_per_query,
            nodes_per_query=nodes_per_query,
            nodes=nodes or ("RALSTON_7_B1",),
        )
        return CaisoClient(settings, clock=clock, land=landed, locks=locks)

    return build


def test_a_market_day_of_prices(serve: Serve, make: Make, landed: Landed) -> None:
    served = serve(oasis)
    with make(served.url) as client:
        [read] = client.da_lmp(START, START + 24 * HOUR)
    [asked] = served.asked
    assert asked.path == "/oasisapi/SingleZip"
    assert asked.query["startdatetime"] == ["20261118T08:00-0000"]
    assert asked.query["enddatetime"] == ["20261119T08:00-0000"]
    assert asked.query["resultformat"] == ["6"]
    prices = read.rows.filter(read.rows["series_id"] == "caiso:lmp_da:RALSTON_7_B1:LMP").sort("event_start")
    assert prices["event_start"].to_list() == [START + k * HOUR for k in range(24)]
    assert prices["value"][0] == 8.01
    assert read.product == "PRC_LMP:RALSTON_7_B1"
    assert len(landed) == len(read.raw) == 1


def test_quarter_hours_stop_at_what_can_have_been_posted(serve: Serve, make: Make) -> None:
    with make(serve(oasis).url) as client:
        [read] = client.rt_lmp(START, NOW + HOUR)
        [tomorrow] = client.da_lmp(START, NOW + 72 * HOUR)
    # At 18:00:07 UTC the interval of 17:30 is out (posted 17:50), that of 17:45 is not (18:05).
    assert read.rows["event_start"].max() == datetime(2026, 11, 21, 17, 30, tzinfo=UTC)
    # It is 10:00 in California: tomorrow's results are expected at 13:00.
    assert tomorrow.window[1] == datetime(2026, 11, 22, 8, tzinfo=UTC)


def test_long_windows_and_many_nodes_are_cut_to_what_the_service_takes(serve: Serve, make: Make) -> None:
    served = serve(oasis)
    with make(served.url, "A_1", "B_1", "C_1", days_per_query=2, nodes_per_query=2) as client:
        reads = list(client.da_lmp(START - 48 * HOUR, START + 24 * HOUR))
    assert [asked.query["node"] for asked in served.asked] == [["A_1,B_1"], ["C_1"], ["A_1,B_1"], ["C_1"]]
    hours = sum(read.rows.filter(read.rows["series_id"].str.ends_with(":LMP")).height for read in reads)
    assert hours == 3 * 72


def test_no_data_is_an_answer_and_a_refusal_is_an_error(serve: Serve, make: Make) -> None:
    served = serve(lambda _: sorry(1000, "No data returned for the specified selection"))
    with make(served.url) as client:
        [read] = client.da_lmp(START, START + 24 * HOUR)
        assert read.rows.height == 0
        assert read.notes == ("no rows in the window",)
        served.script = lambda _: sorry(1004, "Maximum 31 days date range")
        got, error = until_it_fails(client.da_lmp(START, START + 24 * HOUR))
    assert got == []
    assert isinstance(error, PayloadError)
    assert "1004" in str(error)
    assert "Maximum 31 days" in str(error)


def test_a_damaged_zip_is_asked_for_again(serve: Serve, make: Make) -> None:
    def breaks_once(asked: Asked) -> Reply:
        reply = oasis(asked)
        at = len(reply.body) // 3
        damaged = reply.body[:at] + bytes([reply.body[at] ^ 0xFF]) + reply.body[at + 1 :]
        faults = [reply.body[:-40], damaged, b"<html><title>Access denied</title></html>"]
        return Reply(faults[len(served.asked) - 1], headers=reply.headers) if len(served.asked) <= 3 else reply

    served = serve(breaks_once)
    with make(served.url) as client:
        client._fetcher._settings = http_settings(served.url, attempts=4)
        [read] = client.da_lmp(START, START + 24 * HOUR)
    assert len(served.asked) == 4
    assert read.rows.filter(read.rows["series_id"].str.ends_with(":LMP")).height == 24


def test_a_zip_that_stays_damaged_is_named(serve: Serve, make: Make) -> None:
    served = serve(lambda asked: Reply(oasis(asked).body[:-40]))
    with make(served.url) as client:
        got, error = until_it_fails(client.da_lmp(START, START + 24 * HOUR))
    assert got == []
    assert isinstance(error, ServiceError)
    assert error.retryable
    assert "caiso: " in str(error)
    assert "cut short or damaged" in str(error)
    assert "PRC_LMP:RALSTON_7_B1" in str(error)


def test_calls_that_come_too_fast_are_told_to_wait(serve: Serve, make: Make, clock: ManualClock) -> None:
    served = serve(lambda asked: Reply(b"", status=429) if len(served.asked) == 1 else oasis(asked))
    with make(served.url) as client:
        [read] = client.da_lmp(START, START + HOUR)
    assert read.rows.height > 0
    assert clock.now() - NOW >= timedelta(seconds=5)
