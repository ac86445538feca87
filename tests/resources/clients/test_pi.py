"""The historian's client: paths and WebIds, paging, windows that end at the present, one bad tag among good ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from domain.errors import InputError, PayloadError, ServiceError, TimeError
from domain.instants import iso, parse_instant
from resources.clock import ManualClock
from resources.http import Basic
from resources.pi import PiClient
from resources.pi_settings import PiSettings, PiTag
from tests.resources.clients.tiny import NOW, Asked, Landed, Reply, Script, Served, http_settings, until_it_fails

R4 = "OPS/Gauging Stations/R4|Flow"
POOL = "OPS/Reservoirs/Afterbay|Elevation"
DAY = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)

Serve = Callable[[Script], Served]
Make = Callable[..., PiClient]


def value(at: str, number: object, unit: str = "cfs", **flags: bool) -> dict[str, object]:
    return {
        "Timestamp": at,
        "UnitsAbbreviation": unit,
        "Good": True,
        "Questionable": False,
        "Substituted": False,
        "Annotated": False,
        "Value": number,
    } | flags


class Historian:
    """A small PI server: hourly means of 100 cfs, an event each 5 minutes, a WebId a path."""

    def __init__(self) -> None:
        self.generation = 1
        self.known = {rf"\\AF\{path}".replace("/", "\\") for path in (R4, POOL)}
        self.events = [(DAY + timedelta(minutes=5 * k, microseconds=123), 1170.0 + 0.01 * k) for k in range(12)]
        self.unit = "cfs"
        self.faults: list[Reply] = []

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request, or fail as told."""
        if self.faults:
            return self.faults.pop(0)
        if asked.path == "/piwebapi/attributes":
            [path] = asked.query["path"]
            if path not in self.known:
                return Reply(json.dumps({"Errors": [f"Attribute '{path}' not found."]}).encode(), status=404)
            return Reply(json.dumps({"WebId": self._web_id(path), "Name": path.rsplit("|", 1)[-1]}).encode())
        _, _, _, web_id, call = asked.path.split("/")
        if not web_id.endswith(f"g{self.generation}"):
            return Reply(b'{"Errors":["Unknown or invalid WebId format."]}', status=404)
        start, end = (parse_instant(asked.query[name][0], what=name) for name in ("startTime", "endTime"))
        if call == "recorded":
            return self._recorded(start, end, int(asked.query["maxCount"][0]))
        hours = [start + k * HOUR for k in range((end - start) // HOUR + (call == "interpolated"))]
        if call == "interpolated":
            items = [value(iso(hour), 1170.0, "ft") for hour in hours]
        else:
            kinds = {"Average": (100.0, self.unit), "PercentGood": (100.0, "%")}
            items = [
                {"Type": kind, "Value": value(iso(hour), *kinds[kind])}
                for kind in asked.query["summaryType"]
                for hour in hours
            ]
        return Reply(json.dumps({"Links": {}, "Items": items}).encode())

    def _web_id(self, path: str) -> str:
        return f"F1Ab{sum(path.encode())}g{self.generation}"

    def _recorded(self, start: datetime, end: datetime, count: int) -> Reply:
        items = [value(iso(at), number, "ft") for at, number in self.events if start <= at <= end]
        return Reply(json.dumps({"Links": {}, "Items": items[:count], "UnitsAbbreviation": "ft"}).encode())


@pytest.fixture
def historian() -> Historian:
    return Historian()


@pytest.fixture
def make(clock: ManualClock, landed: Landed, locks: Path) -> Make:
    def build(
        base_url: str, *tags: PiTag, page_size: int = 100, chunk_days: float = 62, together: str = "no"
    ) -> PiClient:
        settings = PiSettings(
            http=http_settings(f"{base_url}/piwebapi"),
            af_server="AF",
            page_size=page_size,
            largest_page=4 * page_size,
            chunk_days=chunk_days,
            webid_ttl_h=24,
            together=together,  # ty: ignore[invalid-argument-type]
            tags_per_call=20,
            tags=tags,
        )
        return PiClient(settings, credentials=Basic("reader", "hunter22"), clock=clock, land=landed, locks=locks)

    return build


def flow(*reads: str) -> PiTag:
    return PiTag(path=R4, unit="cfs", reads=reads)  # ty: ignore[invalid-argument-type] - the tests name what exists


def pool(*reads: str) -> PiTag:
    return PiTag(path=POOL, unit="ft", reads=reads)  # ty: ignore[invalid-argument-type]


def test_hourly_means_come_with_their_good_share(
    serve: Serve, make: Make, historian: Historian, landed: Landed
) -> None:
    served = serve(historian)
    with make(served.url, flow("avg1h")) as client:
        [read] = client.read(DAY, DAY + 3 * HOUR)
    assert read.product == f"{R4}:avg1h"
    assert read.window == (DAY, DAY + 3 * HOUR)
    assert read.rows["series_id"].unique().to_list() == [f"pi:{R4}:avg1h"]
    assert read.rows["event_start"].to_list() == [DAY, DAY + HOUR, DAY + 2 * HOUR]
    assert read.rows["event_end"].to_list() == [DAY + HOUR, DAY + 2 * HOUR, DAY + 3 * HOUR]
    assert read.rows["value"].to_list() == [100.0] * 3
    assert read.rows["unit"].unique().to_list() == ["cfs"]
    assert len(read.raw) == len(landed) == 1
    lookup, stream = served.asked
    assert lookup.query["path"] == [r"\\AF\OPS\Gauging Stations\R4|Flow"]
    assert stream.query["summaryType"] == ["Average", "PercentGood"]
    assert stream.query["calculationBasis"] == ["TimeWeighted"]
    assert stream.query["startTime"] == ["2026-11-20T00:00:00Z"]
    assert stream.headers["authorization"].startswith("Basic ")


def test_instants_on_the_hour_stop_before_the_end(serve: Serve, make: Make, historian: Historian) -> None:
    with make(serve(historian).url, pool("interp1h")) as client:
        [read] = client.read(DAY, DAY + 3 * HOUR)
    # PI includes both ends; a half-open window has hours 0, 1 and 2.
    assert read.rows["event_start"].to_list() == [DAY, DAY + HOUR, DAY + 2 * HOUR]
    assert read.rows["event_end"].to_list() == read.rows["event_start"].to_list()


def test_nothing_is_asked_about_the_future(serve: Serve, make: Make, historian: Historian) -> None:
    today = datetime(2026, 11, 21, tzinfo=UTC)
    with make(serve(historian).url, flow("avg1h"), pool("interp1h", "recorded")) as client:
        mean, instant, events = client.read(today, today + timedelta(days=1))
        assert list(client.read(NOW + HOUR, NOW + 2 * HOUR)) == []
    # It is 18:00:07: hour 17 is the last complete one, 18:00 the last instant.
    assert mean.window == (today, today + 18 * HOUR)
    assert mean.rows["event_start"].max() == today + 17 * HOUR
    assert instant.window == (today, NOW)
    assert instant.rows["event_start"].max() == today + 18 * HOUR
    assert events.window == (today, NOW)


def test_a_long_window_is_read_in_parts(serve: Serve, make: Make, historian: Historian) -> None:
    with make(serve(historian).url, flow("avg1h"), chunk_days=0.5) as client:
        reads = list(client.read(DAY, DAY + 30 * HOUR))
    assert [read.window for read in reads] == [
        (DAY, DAY + 12 * HOUR),
        (DAY + 12 * HOUR, DAY + 24 * HOUR),
        (DAY + 24 * HOUR, DAY + 30 * HOUR),
    ]
    assert sum(read.rows.height for read in reads) == 30


@pytest.mark.parametrize("page_size", [2, 3, 5, 12, 13])
def test_recorded_pages_lose_and_repeat_nothing(serve: Serve, make: Make, historian: Historian, page_size: int) -> None:
    with make(serve(historian).url, pool("recorded"), page_size=page_size) as client:
        [read] = client.read(DAY, DAY + HOUR)
    assert read.rows["event_start"].to_list() == [at for at, _ in historian.events]
    assert read.rows["value"].to_list() == pytest.approx([number for _, number in historian.events])


def test_more_events_at_one_instant_than_a_page_holds(serve: Serve, make: Make, historian: Historian) -> None:
    # Six events share one instant, a page holds two: the client must ask for larger pages there. The last event told
    # at that instant stands, and says that others contradict it.
    at, number = historian.events[3]
    historian.events[3:3] = [(at, 1160.0 + k) for k in range(5)]
    with make(serve(historian).url, pool("recorded"), page_size=2) as client:
        [read] = client.read(DAY, DAY + HOUR)
    assert read.rows["event_start"].to_list() == sorted({at for at, _ in historian.events})
    [told] = read.rows.filter(read.rows["event_start"] == at).rows(named=True)
    assert (told["value"], told["quality"]) == (pytest.approx(number), "questionable")
    assert told["quality_detail"].startswith("told 6 times at once")
    assert read.rows.filter(read.rows["quality"] != "good").height == 1


def test_an_instant_that_no_page_can_pass_is_named(serve: Serve, make: Make, historian: Historian) -> None:
    historian.events[3:3] = [(historian.events[3][0], 1160.0 + k) for k in range(20)]
    with make(serve(historian).url, pool("recorded"), page_size=2) as client:
        got, error = until_it_fails(client.read(DAY, DAY + HOUR))
    assert got == []
    assert "more than 8 events at 2026-11-20T00:15:00.000123Z" in str(error)


def test_no_events_is_an_answer(serve: Serve, make: Make, historian: Historian) -> None:
    historian.events = []
    with make(serve(historian).url, pool("recorded")) as client:
        [read] = client.read(DAY, DAY + HOUR)
    assert read.rows.height == 0
    assert read.notes == ("no events in the window",)


def test_a_web_id_is_looked_up_once_and_again_when_the_server_forgot_it(
    serve: Serve, make: Make, historian: Historian, clock: ManualClock
) -> None:
    served = serve(historian)

    def lookups() -> int:
        return sum(asked.path.endswith("/attributes") for asked in served.asked)

    with make(served.url, flow("avg1h")) as client:
        list(client.read(DAY, DAY + HOUR))
        list(client.read(DAY, DAY + HOUR))
        assert lookups() == 1
        historian.generation = 2
        [read] = client.read(DAY, DAY + HOUR)
        assert read.rows.height == 1
        assert lookups() == 2
        clock.sleep(25 * 3600)
        list(client.read(DAY, DAY + HOUR))
        assert lookups() == 3


def test_a_missing_tag_does_not_cost_the_others(serve: Serve, make: Make, historian: Historian) -> None:
    gone = PiTag(path="OPS/Gauging Stations/R99|Flow", unit="cfs", reads=("avg1h",))
    with make(serve(historian).url, gone, flow("avg1h")) as client:
        got, error = until_it_fails(client.read(DAY, DAY + HOUR))
    assert [read.product for read in got] == [f"{R4}:avg1h"]
    assert isinstance(error, ServiceError)
    assert not error.retryable
    assert "pi: 1 of 2 item(s) failed" in str(error)
    assert "correct 'OPS/Gauging Stations/R99|Flow' under [[pi.tags]] in config/sources.toml" in str(error)


def test_an_unknown_unit_is_refused_and_named(serve: Serve, make: Make, historian: Historian) -> None:
    historian.unit = "furlong"
    with make(serve(historian).url, flow("avg1h"), pool("interp1h")) as client:
        got, error = until_it_fails(client.read(DAY, DAY + HOUR))
    assert [read.product for read in got] == [f"{POOL}:interp1h"]
    assert isinstance(error, PayloadError)
    assert "furlong" in str(error)
    assert R4 in str(error)


def test_a_changed_unit_is_refused_and_named(serve: Serve, make: Make, historian: Historian) -> None:
    historian.unit = "kcfs"
    with make(serve(historian).url, PiTag(path=R4, unit="ft", reads=("avg1h",))) as client:
        got, error = until_it_fails(client.read(DAY, DAY + HOUR))
    assert got == []
    assert "declared in ft" in str(error)


def test_a_changed_scale_is_refused_and_named(serve: Serve, make: Make, historian: Historian) -> None:
    historian.unit = "kcfs"
    with make(serve(historian).url, flow("avg1h")) as client:
        got, error = until_it_fails(client.read(DAY, DAY + HOUR))
    assert got == []
    assert "comes in kcfs, but is declared in cfs" in str(error)


def test_a_stamp_without_a_zone_is_refused(serve: Serve, make: Make, historian: Historian) -> None:
    naive = {"Links": {}, "Items": [value("2026-11-20T00:05:00", 1170.0, "ft")], "UnitsAbbreviation": "ft"}
    served = serve(historian)
    with make(served.url, pool("recorded")) as client:
        list(client.read(DAY, DAY + HOUR))
        historian.faults = [Reply(json.dumps(naive).encode())]
        got, error = until_it_fails(client.read(DAY, DAY + HOUR))
    assert got == []
    assert "2026-11-20T00:05:00" in str(error)


def test_a_window_without_a_zone_is_refused_at_once(serve: Serve, make: Make, historian: Historian) -> None:
    with make(serve(historian).url, flow("avg1h")) as client:
        with pytest.raises(TimeError, match="start 2026-11-20T00:00:00 has no zone"):
            client.read(DAY.replace(tzinfo=None), DAY)
        with pytest.raises(InputError, match=r"ends at .* before it starts"):
            client.read(DAY, DAY - HOUR)


@pytest.mark.parametrize(
    "fault",
    [
        Reply(b"<html><title>Sign in</title></html>", headers={"Content-Type": "text/html"}),
        Reply(b'{"Links":{},"Items":[],"WebException":{"Errors":["stream broke"],"StatusCode":503}}'),
        Reply(b'{"Links":{},"Items":[{"Typ', cut=None),
        Reply(b'{"Links":{},"Items":[]}', cut=9),
    ],
    ids=["web page", "error inside a 200", "cut JSON", "reset mid-body"],
)
def test_a_fault_that_passes_leaves_no_trace(serve: Serve, make: Make, historian: Historian, fault: Reply) -> None:
    served = serve(historian)
    with make(served.url, flow("avg1h")) as client:
        [clean] = client.read(DAY, DAY + 2 * HOUR)
        historian.faults = [fault]
        [read] = client.read(DAY, DAY + 2 * HOUR)
    assert read.rows.select(pl.exclude("belief_time")).equals(clean.rows.select(pl.exclude("belief_time")))


def test_what_was_read_before_the_service_stopped_is_kept(serve: Serve, make: Make, historian: Historian) -> None:
    served = serve(historian)
    tags = [flow("avg1h"), pool("interp1h", "recorded")]
    with make(served.url, *tags) as client:
        reads = client.read(DAY, DAY + HOUR)
        first = next(reads)
        served.stop()
        rest, error = until_it_fails(reads)
    assert first.rows.height == 1
    assert rest == []
    assert isinstance(error, ServiceError)
    assert error.retryable
    assert "what was already fetched is kept" in str(error)
