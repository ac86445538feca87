"""ERCOT's documents: the archive's list, single and bulk downloads; MIS lists with their false offset; dashboards."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.errors import InputError, PayloadError, ServiceError
from domain.instants import CENTRAL
from resources.clock import ManualClock
from resources.ercot_api import ErcotSettings
from resources.ercot_archive import ErcotArchiveClient
from resources.ercot_token import ErcotCredentials
from resources.mis import MisClient, MisSettings
from tests.resources.clients.tiny import Asked, Landed, Reply, Script, Served, http_settings, until_it_fails

Serve = Callable[[Script], Served]
HOUR = timedelta(hours=1)
START = datetime(2026, 11, 18, 6, tzinfo=UTC)  # midnight in Texas
LABEL = "%Y-%m-%dT%H:%M:%S"


class Document:
    """One posting of the load forecast by forecast zone: an hour, five numbers."""

    def __init__(self, doc_id: int, posted: datetime) -> None:
        self.doc_id = doc_id
        self.posted = posted
        local = posted.astimezone(CENTRAL)
        again = "xhr" if local.fold else ""
        self.name = f"cdr.00012311.0000000000000000.{local:%Y%m%d}.{local:%H%M%S}000{again}.LFCCONGESTNP3560_csv.zip"
        self.label = local.strftime(LABEL)

    def zipped(self) -> bytes:
        """Return the zip that either door hands out."""
        text = "DeliveryDate,HourEnding,North,South,West,Houston,SystemTotal,DSTFlag    \n"
        text += f"11/18/2026,5:00,1,2,3,4,{self.doc_id},N\n"
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr(self.name.replace("_csv.zip", ".csv"), text)
        return out.getvalue()


class Library:
    """A small archive, and MIS over the same documents."""

    def __init__(self, documents: list[Document]) -> None:
        self.documents = documents
        self.left_out: set[int] = set()
        self.page_size = 1000
        self.single = False

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        if asked.path == "/token":
            return Reply(b'{"id_token": "t-1"}')
        if asked.path.endswith("IceDocListJsonWS"):
            return self._mis_list(asked)
        if asked.path.endswith("mirDownload"):
            return self._zip(int(asked.query["doclookupId"][0]))
        if asked.path == "/api/public-reports/archive/np3-560-cd/download":
            return self._bulk(json.loads(asked.body)["docIds"])
        assert asked.path == "/api/public-reports/archive/np3-560-cd"
        if "download" in asked.query:
            return self._zip(int(asked.query["download"][0]))
        return self._archive_list(asked)

    def _archive_list(self, asked: Asked) -> Reply:
        first, last = (asked.query[f"postDatetime{end}"][0] for end in ("From", "To"))
        page = int(asked.query["page"][0])
        found = [d for d in reversed(self.documents) if first <= d.label <= last]
        shown = found[(page - 1) * self.page_size : page * self.page_size]
        items = [{"docId": d.doc_id, "friendlyName": d.name, "postDatetime": d.label} for d in shown]
        meta = {"totalRecords": len(found), "totalPages": -(-len(found) // self.page_size), "currentPage": page}
        return Reply(json.dumps({"_meta": meta, "archives": items}).encode())

    def _zip(self, doc_id: int) -> Reply:
        found = [d for d in self.documents if d.doc_id == doc_id]
        return Reply(found[0].zipped()) if found else Reply(b'{"message":"no such document"}', status=404)

    def _bulk(self, doc_ids: list[int]) -> Reply:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for d in reversed(self.documents):
                if d.doc_id in doc_ids and d.doc_id not in self.left_out:
                    archive.writestr(f"{d.doc_id}.{d.name}", d.zipped())
        return Reply(out.getvalue(), headers={"Content-Type": "application/zip"})

    def _mis_list(self, asked: Asked) -> Reply:
        assert asked.query["reportTypeId"] == ["12311"]
        items = []
        for d in self.documents:
            for kind in ("csv", "xml"):
                shown = {
                    "FriendlyName": f"LFCCONGESTNP3560_{kind}",
                    "ConstructedName": d.name.replace("_csv", f"_{kind}"),
                    "DocID": str(d.doc_id if kind == "csv" else -d.doc_id),
                    "PublishDate": f"{d.label}-05:00",  # the offset of the day of asking, whatever the stamp's
                }
                items.append({"Document": shown})
        if self.single:
            return Reply(json.dumps({"ListDocsByRptTypeRes": {"DocumentList": items[0]}}).encode())
        return Reply(json.dumps({"ListDocsByRptTypeRes": {"DocumentList": items} if items else {}}).encode())


def hourly(count: int, first: datetime = START) -> Library:
    return Library([Document(1000 + k, first + k * HOUR + timedelta(minutes=30)) for k in range(count)])


@pytest.fixture
def archive(clock: ManualClock, landed: Landed, locks: Path) -> Callable[[str], ErcotArchiveClient]:
    def build(base_url: str) -> ErcotArchiveClient:
        settings = ErcotSettings(
            http=http_settings(f"{base_url}/api/public-reports"),
            token_url=f"{base_url}/token",
            client_id="public-app",
            renew_token_after_s=3000,
            page_size=1000,
            price_days_per_query=31,
            posted_days_per_query=1,
            load_models="in_use",
            load_series=(),
            archive_documents_per_download=3,
            points=(),
        )
        account = ErcotCredentials(username="reader", password="a password", subscription_key="key-12345")  # noqa: S106
        return ErcotArchiveClient(settings, credentials=account, clock=clock, land=landed, locks=locks)

    return build


@pytest.fixture
def mis(clock: ManualClock, landed: Landed, locks: Path) -> Callable[[str], MisClient]:
    def build(base_url: str) -> MisClient:
        settings = MisSettings(http=http_settings(base_url), dashboards=("energy-storage-resources", "renamed"))
        return MisClient(settings, clock=clock, land=landed, locks=locks)

    return build


def test_a_day_of_postings_is_downloaded_in_bulk(
    serve: Serve, archive: Callable[[str], ErcotArchiveClient], landed: Landed
) -> None:
    library = hourly(30)
    library.page_size = 7
    served = serve(library)
    with archive(served.url) as client:
        reads = list(client.read("NP3-560-CD", START + 2 * HOUR, START + 10 * HOUR))
    # Postings at 02:30 to 09:30 are eight: bulk downloads of 3, 3 and 2, in any order inside.
    assert [read.notes for read in reads] == [("3 documents",), ("3 documents",), ("2 documents",)]
    totals = [read.rows.filter(read.rows["series_id"] == "ercot:load_fcst:system_total") for read in reads]
    assert [sorted(rows["value"].to_list()) for rows in totals] == [
        [1002.0, 1003.0, 1004.0],
        [1005.0, 1006.0, 1007.0],
        [1008.0, 1009.0],
    ]
    for rows in totals:
        for value, known in rows.select("value", "belief_time").iter_rows():
            assert known == START + (value - 1000) * HOUR + timedelta(minutes=30)
    assert len(landed) == 3
    assert reads[0].window[0] == START + 2.5 * HOUR


def test_only_the_series_asked_for_are_kept(
    serve: Serve, archive: Callable[[str], ErcotArchiveClient], mis: Callable[[str], MisClient]
) -> None:
    served = serve(hourly(2))
    wanted = ["ercot:load_fcst:system_total"]
    with archive(served.url) as client, mis(served.url) as public:
        [old] = client.read("NP3-560-CD", START, START + 2 * HOUR, series=wanted)
        fresh = list(public.read("NP3-560-CD", START, START + 2 * HOUR, series=wanted))
    assert set(old.rows["series_id"]) == set(wanted)
    assert [set(read.rows["series_id"]) for read in fresh] == [set(wanted)] * 2


def test_what_a_bulk_download_leaves_out_is_fetched_by_itself(
    serve: Serve, archive: Callable[[str], ErcotArchiveClient]
) -> None:
    library = hourly(3)
    library.left_out = {1001}
    with archive(serve(library).url) as client:
        [read] = client.read("NP3-560-CD", START, START + 3 * HOUR)
    totals = read.rows.filter(read.rows["series_id"] == "ercot:load_fcst:system_total")
    assert sorted(totals["value"]) == [1000.0, 1001.0, 1002.0]
    assert read.notes == ("3 documents", "1 left out of the bulk answer")
    assert len(read.raw) == 2


def test_an_empty_bulk_download_is_a_fault_and_an_empty_list_an_answer(
    serve: Serve, archive: Callable[[str], ErcotArchiveClient]
) -> None:
    library = hourly(2)
    library.left_out = {1000, 1001}
    with archive(serve(library).url) as client:
        got, error = until_it_fails(client.read("NP3-560-CD", START, START + 2 * HOUR))
        [nothing] = client.read("NP3-560-CD", START - 3 * HOUR, START)
    assert got == []
    assert isinstance(error, ServiceError)
    assert "holds none of the documents asked for" in str(error)
    assert nothing.notes == ("nothing was posted",)
    assert nothing.rows.height == 0


def test_both_postings_of_the_repeated_hour_are_told_apart(
    serve: Serve, archive: Callable[[str], ErcotArchiveClient], mis: Callable[[str], MisClient]
) -> None:
    # On 2026-11-01 the clock shows 01:30 twice: 06:30 and 07:30 UTC.
    night = datetime(2026, 11, 1, 5, tzinfo=UTC)
    served = serve(hourly(5, night))
    with archive(served.url) as client:
        first, second = (client.documents("NP3-560-CD", (night + k * HOUR, night + (k + 1) * HOUR)) for k in (1, 2))
    assert [d.posted_at for d in first] == [night + 1.5 * HOUR]
    assert [d.posted_at for d in second] == [night + 2.5 * HOUR]
    with mis(served.url) as public:
        assert [d.posted_at for d in public.documents("NP3-560-CD")] == [night + (k + 0.5) * HOUR for k in range(5)]


def test_mis_documents_lose_their_false_offset_and_their_xml_twins(
    serve: Serve, mis: Callable[[str], MisClient]
) -> None:
    # A list asked for in summer prints -05:00 on postings of winter, when Texas is at -06:00.
    served = serve(hourly(3))
    with mis(served.url) as client:
        reads = list(client.read("NP3-560-CD", START, START + 3 * HOUR, seen={"1001"}))
    assert [read.product for read in reads] == ["NP3-560-CD:1000", "NP3-560-CD:1002"]
    assert [read.window[0] for read in reads] == [START + 0.5 * HOUR, START + 2.5 * HOUR]
    assert reads[0].rows["belief_time"].unique().to_list() == [START + 0.5 * HOUR]
    assert all("_" in asked.query for asked in served.asked[:1])  # past caches


def test_mis_lists_of_one_and_of_none(serve: Serve, mis: Callable[[str], MisClient]) -> None:
    library = hourly(1)
    library.single = True
    served = serve(library)
    with mis(served.url) as client:
        assert [d.doc_id for d in client.documents("NP3-560-CD")] == ["1000"]
        served.script = Library([])
        assert client.documents("NP3-560-CD") == []
        with pytest.raises(InputError, match=r"'NP9-999' is no report of ERCOT that we read; known: "):
            client.documents("NP9-999")


def test_a_document_that_is_gone_does_not_cost_the_others(serve: Serve, mis: Callable[[str], MisClient]) -> None:
    library = hourly(2)

    def without_the_first(asked: Asked) -> Reply:
        if asked.query.get("doclookupId") == ["1000"]:
            return Reply(b"<html>gone</html>", status=404, headers={"Content-Type": "text/html"})
        return library(asked)

    with mis(serve(without_the_first).url) as client:
        got, error = until_it_fails(client.read("NP3-560-CD", START, START + 3 * HOUR))
    assert [read.product for read in got] == ["NP3-560-CD:1001"]
    assert "read it from the archive" in str(error)


def test_dashboards_are_polled_one_by_one(serve: Serve, mis: Callable[[str], MisClient], landed: Landed) -> None:
    storage = {
        "lastUpdated": "2026-11-21 12:00:05-0600",
        "currentDay": {
            "dayDate": "2026-11-21 00:00:00-0600",
            "data": [
                {
                    "tagCLastTime": "2026-11-21 11:55:00-0600",
                    "dstFlag": "N",
                    "totalCharging": -120.5,
                    "totalDischarging": 33.25,
                    "netOutput": -87.25,
                    "timestamp": "2026-11-21 11:55:00-0600",
                    "epoch": 1795283700000,
                }
            ],
        },
        "previousDay": {"dayDate": "2026-11-20 00:00:00-0600", "data": []},
    }

    def dashboards(asked: Asked) -> Reply:
        if asked.path.endswith("energy-storage-resources.json"):
            return Reply(json.dumps(storage).encode())
        return Reply(b"{}", status=404)

    with mis(serve(dashboards).url) as client:
        got, error = until_it_fails(client.dashboards())
    assert [read.product for read in got] == ["dashboard:energy-storage-resources"]
    assert -87.25 in got[0].rows["value"].to_list()
    assert "dashboards are undocumented and may be renamed" in str(error)
    assert [meta.source for _, meta in landed] == ["ercot_dash"]


def test_a_block_page_in_place_of_messages_is_refused(serve: Serve, mis: Callable[[str], MisClient]) -> None:
    page = Reply(b"<html><title>Access denied</title></html>", headers={"Content-Type": "text/html"})
    with mis(serve(lambda _: page).url) as client, pytest.raises(PayloadError):
        client.messages()
