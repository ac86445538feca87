"""YES Energy: Greenwich time always, batches of items, silent items, csv and json alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.errors import CredentialError, ServiceError
from resources.clock import ManualClock
from resources.http import Basic
from resources.yes import YesClient, YesGroup, YesSettings
from tests.resources.clients.tiny import NOW, Asked, Landed, Reply, Script, Served, http_settings, until_it_fails

Serve = Callable[[Script], Served]
Make = Callable[..., YesClient]
HOUR = timedelta(hours=1)
DAY = datetime(2026, 11, 20, tzinfo=UTC)
DALMP = YesGroup(iso="CAISO", agglevel="hour", day_ahead=True, items=("DALMP:20000002064", "DALMP:1"))
RTLMP = YesGroup(iso="ERCOT", agglevel="5min", day_ahead=False, items=("RTLMP:HB_HOUSTON",))


def vendor(asked: Asked) -> Reply:
    """Answer with the period's end as DATETIME, the price equal to the hour it began; object 1 has no values."""
    query = {name: values[0] for name, values in asked.query.items()}
    assert query["timezone"] == "GMT"
    step = HOUR if query["agglevel"] == "hour" else HOUR / 12
    first, last = (datetime.strptime(query[name], "%Y-%m-%d").replace(tzinfo=UTC) for name in ("startdate", "enddate"))
    columns = [f"{item.split(':')[1]} ({item.split(':')[0]})" for item in query["items"].split(",")]
    rows = []
    moment = first
    while moment < last + timedelta(days=1):
        end = moment + step
        cells = {column: "" if column.startswith("1 ") else str(moment.hour + 0.5) for column in columns}
        rows.append({"DATETIME": f"{end:%m/%d/%Y %H:%M:%S}", "HOURENDING": str(moment.hour + 1)} | cells)
        moment = end
    if asked.path.endswith(".json"):
        return Reply(json.dumps([{name: cell or None for name, cell in row.items()} for row in rows]).encode())
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    return Reply("\n".join(lines).encode(), headers={"Content-Type": "text/csv"})


@pytest.fixture
def make(clock: ManualClock, landed: Landed, locks: Path) -> Make:
    def build(base_url: str, *groups: YesGroup, form: str = "csv", items_per_query: int = 25) -> YesClient:
        settings = YesSettings(
            http=http_settings(f"{base_url}/PS/rest"),
            format=form,  # ty: ignore[invalid-argument-type]
            days_per_query=7,
            items_per_query=items_per_query,
            groups=groups or (DALMP,),
        )
        return YesClient(settings, credentials=Basic("reader", "hunter22"), clock=clock, land=landed, locks=locks)

    return build


@pytest.mark.parametrize("form", ["csv", "json"])
def test_periods_are_named_by_their_beginning(serve: Serve, make: Make, form: str) -> None:
    served = serve(vendor)
    with make(served.url, form=form) as client:
        [read] = client.read(DAY + 6 * HOUR, DAY + 30 * HOUR)
    [asked] = served.asked
    assert asked.path == f"/PS/rest/timeseries/multiple.{form}"
    assert (asked.query["startdate"], asked.query["enddate"]) == (["2026-11-20"], ["2026-11-21"])
    assert read.rows["event_start"].to_list() == [DAY + k * HOUR for k in range(6, 30)]
    assert read.rows["value"].to_list() == [k % 24 + 0.5 for k in range(6, 30)]
    assert read.rows["series_id"].unique().to_list() == ["yes:CAISO:DALMP:20000002064"]
    assert read.notes == ("no values for DALMP:1",)


def test_day_ahead_items_reach_further_than_others(serve: Serve, make: Make) -> None:
    with make(serve(vendor).url, DALMP, RTLMP) as client:
        ahead, live = client.read(NOW - HOUR, NOW + 48 * HOUR)
    # It is 10:00 in California: results of tomorrow come at 13:00, today ends at 08:00 UTC.
    assert ahead.window[1] == datetime(2026, 11, 22, 8, tzinfo=UTC)
    assert live.window[1] == NOW
    assert live.rows["event_start"].max() == datetime(2026, 11, 21, 18, tzinfo=UTC)


def test_many_items_are_asked_for_in_batches(serve: Serve, make: Make) -> None:
    served = serve(vendor)
    with make(served.url, items_per_query=1) as client:
        first, second = client.read(DAY, DAY + HOUR)
    assert [asked.query["items"] for asked in served.asked] == [["DALMP:20000002064"], ["DALMP:1"]]
    assert first.rows.height == 1
    assert second.rows.height == 0


def test_a_refused_login_and_an_unlicensed_item_are_different_errors(serve: Serve, make: Make) -> None:
    served = serve(lambda _: Reply(b"unknown item", status=404))
    with make(served.url) as client:
        got, error = until_it_fails(client.read(DAY, DAY + HOUR))
        assert got == []
        assert isinstance(error, ServiceError)
        assert "is DALMP:20000002064, DALMP:1 licensed?" in str(error)
        served.script = lambda _: Reply(b"<html>401</html>", status=401)
        with pytest.raises(CredentialError, match=r"yes: .*answered 401"):
            list(client.read(DAY, DAY + HOUR))


def test_a_web_page_is_a_fault(serve: Serve, make: Make) -> None:
    def sick_once(asked: Asked) -> Reply:
        return Reply(b"<html>Maintenance</html>") if len(served.asked) == 1 else vendor(asked)

    served = serve(sick_once)
    with make(served.url) as client:
        [read] = client.read(DAY, DAY + HOUR)
    assert read.rows.height == 1
