"""CNRFC: issues by nominal hour, known when modified, not out yet, not sent again."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from domain.errors import PayloadError, ServiceError
from resources.clock import ManualClock
from resources.cnrfc import CnrfcClient, CnrfcSettings
from tests.resources.clients.tiny import Asked, Landed, Reply, Script, Served, http_settings, until_it_fails

Serve = Callable[[Script], Served]
Make = Callable[..., CnrfcClient]
HOUR = timedelta(hours=1)
DAY = datetime(2026, 11, 20, tzinfo=UTC)
MODIFIED = datetime(2026, 11, 20, 16, 21, 9, tzinfo=UTC)


def export(nominal: datetime) -> bytes:
    """A watershed of two points from a day before the issue to a day after: 0.5 and 1.25 kcfs."""
    lines = ["GMT,MFPC1,RUFC1", ",QINE,QINE"]
    lines += [f"{nominal + k * HOUR:%Y-%m-%d %H:%M:%S},0.5,1.25" for k in range(-24, 25)]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(f"{nominal:%Y%m%d%H}_american_csv_export.csv", "\n".join(lines) + "\n\n")
    return out.getvalue()


def site(asked: Asked) -> Reply:
    """Publish the 12Z issue of the day; 00Z and 18Z do not exist, 06Z is a page that says so."""
    name = asked.path.rsplit("/", 1)[-1]
    if name.startswith("2026112012_american_"):
        if asked.headers.get("if-modified-since") == format_datetime(MODIFIED, usegmt=True):
            return Reply(b"", status=304)
        return Reply(export(DAY + 12 * HOUR), headers={"Last-Modified": format_datetime(MODIFIED, usegmt=True)})
    if name.startswith("2026112006_"):
        return Reply(b"<html><title>Not available</title></html>", headers={"Content-Type": "text/html"})
    return Reply(b"<html>404</html>", status=404)


@pytest.fixture
def make(clock: ManualClock, landed: Landed, locks: Path) -> Make:
    def build(base_url: str, *groups: str, points: tuple[str, ...] = ()) -> CnrfcClient:
        settings = CnrfcSettings(
            http=http_settings(base_url), groups=groups or ("american",), cycles=(0, 6, 12, 18), points=points
        )
        return CnrfcClient(settings, clock=clock, land=landed, locks=locks)

    return build


def test_an_issue_is_known_when_its_file_was_modified(serve: Serve, make: Make) -> None:
    with make(serve(site).url) as client:
        reads = {read.product: read for read in client.issues("deterministic", DAY, DAY + 24 * HOUR)}
    issue = reads["deterministic:american:2026112012"]
    assert issue.window == (DAY + 12 * HOUR, DAY + 13 * HOUR)
    assert issue.rows["belief_time"].unique().to_list() == [MODIFIED]
    ahead = issue.rows.filter(
        (issue.rows["series_id"] == "cnrfc:flow:MFPC1") & (issue.rows["scenario"] == "deterministic")
    )
    assert ahead["event_start"].to_list() == [DAY + (12 + k) * HOUR for k in range(1, 25)]
    assert set(ahead["value"]) == {500.0}  # 0.5 kcfs
    assert set(ahead["unit"]) == {"cfs"}


def test_an_issue_that_is_not_out_yet_is_no_error(serve: Serve, make: Make, landed: Landed) -> None:
    with make(serve(site).url) as client:
        reads = {read.product[-2:]: read for read in client.issues("deterministic", DAY, DAY + 24 * HOUR)}
    assert {hour: read.notes for hour, read in reads.items()} == {
        "00": ("not issued yet (404)",),
        "06": ("not issued yet (a web page in its place)",),
        "12": (),
        "18": ("not issued yet (404)",),
    }
    assert all(read.rows.height == 0 for hour, read in reads.items() if hour != "12")
    assert len(landed) == 2


def test_a_file_that_did_not_change_is_not_sent_again(serve: Serve, make: Make, landed: Landed) -> None:
    known = {"deterministic:american:2026112012": MODIFIED}
    with make(serve(site).url) as client:
        [read] = client.issues("deterministic", DAY + 12 * HOUR, DAY + 13 * HOUR, known=known)
    assert read.notes == ("not changed since it was read",)
    assert list(landed) == []


def test_daily_ensembles_exist_at_noon_only_and_nothing_is_asked_about_the_future(serve: Serve, make: Make) -> None:
    served = serve(site)
    with make(served.url) as client:
        list(client.issues("hefs_daily", DAY, DAY + 96 * HOUR))
    assert [asked.path for asked in served.asked] == [
        "/csv/2026112012_american_hefs_csv_daily.zip",
        "/csv/2026112112_american_hefs_csv_daily.zip",
    ]


def test_a_cut_file_is_tried_again_and_then_named(serve: Serve, make: Make) -> None:
    served = serve(lambda _: Reply(export(DAY)[:-30]))
    with make(served.url) as client:
        got, error = until_it_fails(client.issues("deterministic", DAY + 12 * HOUR, DAY + 13 * HOUR))
    assert got == []
    assert len(served.asked) == 3
    assert isinstance(error, ServiceError)
    assert "cut short or damaged" in str(error)


def test_a_point_is_read_by_its_id(serve: Serve, make: Make) -> None:
    text = (
        "Valid Date/Time (Pacific),Stage (Feet),Flow (CFS),Trend,Issuance Date/Time (Pacific),"
        "Threshold Exceedance Status,Observed/Forecast\n"
        "11/21/2026 9 AM,5.1,420,,,Normal,Observed\n"
        "11/21/2026 11 AM,5.2,430,,11/21/2026 8 AM,Normal,Forecast\n"
    )

    def pages(asked: Asked) -> Reply:
        if asked.query["id"] == ["MFPC1"]:
            return Reply(text.encode(), headers={"Content-Type": "text/csv"})
        return Reply(b"unknown point", status=404)

    with make(serve(pages).url, points=("NOPE1", "MFPC1")) as client:
        got, error = until_it_fails(client.points())
    assert [read.product for read in got] == ["point:MFPC1"]
    flow = got[0].rows.filter(got[0].rows["series_id"] == "cnrfc:flow:MFPC1").sort("event_start")
    assert flow["value"].to_list() == [420.0, 430.0]
    assert flow["event_start"].to_list() == [datetime(2026, 11, 21, hour, tzinfo=UTC) for hour in (17, 19)]
    assert "correct point 'NOPE1'" in str(error)
    assert not isinstance(error, PayloadError)
