"""Several tags in one call: the same rows as tag by tag, with fewer calls, and one bad tag falls out by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest

from domain.errors import ServiceError
from domain.instants import parse_instant
from resources.clock import ManualClock
from resources.http import Bearer, Read
from resources.pi import PiClient
from resources.pi_settings import PiSettings, PiTag
from tests.resources.clients.tiny import NOW, Asked, Landed, Reply, Script, Served, http_settings, until_it_fails

Serve = Callable[[Script], Served]
Make = Callable[..., PiClient]
DAY = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
PATHS = tuple(f"OPS/Gauging Stations/R{k}|Flow" for k in range(1, 6))


class Historian:
    """A PI server that knows single streams, stream sets and batches; tag k has k events an hour and mean 100 k."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.units: dict[str, str] = {}
        self.refuse_sets = 0

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        if asked.headers.get("authorization") != "Negotiate some-ticket":
            return Reply(b"<html>401</html>", status=401, headers={"WWW-Authenticate": "Negotiate"})
        if asked.path == "/piwebapi/batch":
            if self.refuse_sets:
                return Reply(b'{"Errors":["too large"]}', status=self.refuse_sets)
            if "x-requested-with" not in asked.headers:
                return Reply(b'{"Errors":["CSRF"]}', status=403)
            return Reply(json.dumps(self._batch(json.loads(asked.body))).encode(), status=207)
        status, content = self._get(asked.path.removeprefix("/piwebapi"), asked.query)
        return Reply(json.dumps(content).encode(), status=status)

    def _batch(self, parts: dict[str, dict[str, object]]) -> dict[str, object]:
        done: dict[str, dict[str, object]] = {}
        for name, part in parts.items():
            resource = str(part["Resource"])
            for at, parameter in enumerate(part.get("Parameters", ())):  # ty: ignore[invalid-argument-type]
                parent = done[parameter.split(".")[1]]["Content"]
                resource = resource.replace(f"{{{at}}}", str(parent.get("WebId")))  # ty: ignore[unresolved-attribute]
            url = urlsplit(resource)
            status, content = self._get(url.path.removeprefix("/piwebapi"), parse_qs(url.query))
            done[name] = {"Status": status, "Headers": {}, "Content": content}
        return dict(done)

    def _get(self, path: str, query: dict[str, list[str]]) -> tuple[int, dict[str, object]]:
        if path == "/attributes":
            name = query["path"][0].removeprefix("\\\\AF\\").replace("\\", "/")
            known = name in PATHS
            return (200, {"WebId": f"F1{PATHS.index(name) + 1}"}) if known else (404, {"Errors": ["not found"]})
        _, kind, *rest = path.split("/")
        if kind == "streams":
            return self._stream(int(rest[0].removeprefix("F1")), rest[1], query)
        if self.refuse_sets:
            return self.refuse_sets, {"Errors": ["too many"]}
        streams = []
        for web_id in query["webId"]:
            status, stream = self._stream(int(web_id.removeprefix("F1")), rest[0], query)
            if status != 200:
                stream = {"Errors": stream["Errors"], "Items": []}
            tag = PATHS[int(web_id.removeprefix("F1")) - 1].replace("/", "\\")
            streams.append(stream | {"WebId": web_id, "Name": "Flow", "Path": rf"\\AF\{tag}"})
        return 200, {"Items": streams}

    def _stream(self, k: int, call: str, query: dict[str, list[str]]) -> tuple[int, dict[str, object]]:
        if PATHS[k - 1] in self.broken:
            return 500, {"Errors": ["the archive behind it failed"]}
        unit = self.units.get(PATHS[k - 1], "cfs")
        start, end = (parse_instant(query[name][0], what=name) for name in ("startTime", "endTime"))
        hours = [start + i * HOUR for i in range(-(-(end - start) // HOUR))]
        items: list[dict[str, object]]
        if call == "summary":
            items = [
                {"Type": kind, "Value": point(at, number, unit)}
                for kind, number in (("Average", 100.0 * k), ("PercentGood", 100.0))
                for at in hours
            ]
        elif call == "interpolated":
            items = [point(at, 100.0 * k, unit) for at in [*hours, end]]
        else:
            stamps = [at + i * HOUR / k for at in hours for i in range(k)]
            items = [point(at, float(i), unit) for i, at in enumerate(at for at in stamps if start <= at <= end)]
            items = items[: int(query["maxCount"][0])]
        return 200, {"Links": {}, "Items": items}


def point(at: datetime, number: float, unit: str) -> dict[str, object]:
    return {"Timestamp": at.isoformat(), "UnitsAbbreviation": unit, "Good": True, "Value": number}


@pytest.fixture
def historian() -> Historian:
    return Historian()


def client_of(
    base_url: str, together: str, locks: Path, *, page_size: int = 100, more: tuple[str, ...] = ()
) -> PiClient:
    settings = PiSettings(
        http=http_settings(f"{base_url}/piwebapi"),
        af_server="AF",
        page_size=page_size,
        largest_page=1000,
        chunk_days=30,
        webid_ttl_h=24,
        together=together,  # ty: ignore[invalid-argument-type]
        tags_per_call=20,
        tags=tuple(PiTag(path=path, unit="cfs", reads=("avg1h", "interp1h", "recorded")) for path in PATHS + more),
    )
    ticket = Bearer(lambda: "some-ticket", identity="kerberos", scheme="Negotiate")
    return PiClient(settings, credentials=ticket, clock=ManualClock(NOW), land=Landed(), locks=locks)


@pytest.fixture
def make(locks: Path) -> Make:
    return lambda base_url, together, **changes: client_of(base_url, together, locks, **changes)


def by_product(reads: list[Read]) -> dict[str, pl.DataFrame]:
    return {read.product: read.rows for read in reads}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, pl.DataFrame]]:
    """What the tags give one by one."""
    served = Served(Historian())
    with client_of(served.url, "no", tmp_path_factory.mktemp("locks")) as client:
        yield by_product(list(client.read(DAY, DAY + 3 * HOUR)))
    served.stop()


@pytest.mark.parametrize(("together", "calls"), [("no", 5 + 15), ("streamset", 5 + 3), ("batch", 3)])
def test_rows_are_the_same_however_tags_are_asked_for(
    serve: Serve, make: Make, historian: Historian, alone: dict[str, pl.DataFrame], together: str, calls: int
) -> None:
    served = serve(historian)
    with make(served.url, together) as client:
        got = by_product(list(client.read(DAY, DAY + 3 * HOUR)))
    assert set(got) == set(alone)
    assert all(got[product].equals(alone[product]) for product in got)
    assert len(served.asked) == calls


@pytest.mark.parametrize("together", ["streamset", "batch"])
def test_one_broken_stream_falls_out_by_itself(
    serve: Serve, make: Make, historian: Historian, alone: dict[str, pl.DataFrame], together: str
) -> None:
    historian.broken = {PATHS[2]}
    with make(serve(historian).url, together) as client:
        reads, error = until_it_fails(client.read(DAY, DAY + 3 * HOUR))
    got = by_product(reads)
    assert set(alone) - set(got) == {f"{PATHS[2]}:{kind}" for kind in ("avg1h", "interp1h", "recorded")}
    assert all(got[product].equals(alone[product]) for product in got)
    assert isinstance(error, ServiceError)
    assert error.retryable
    assert str(error).count(f"[{PATHS[2]}:") == 3


@pytest.mark.parametrize("together", ["streamset", "batch"])
def test_a_missing_tag_falls_out_by_itself(serve: Serve, make: Make, historian: Historian, together: str) -> None:
    with make(serve(historian).url, together, more=("OPS/Nowhere|Flow",)) as client:
        reads, error = until_it_fails(client.read(DAY, DAY + 3 * HOUR))
    assert len(reads) == 15
    assert "correct 'OPS/Nowhere|Flow' under [[pi.tags]]" in str(error)


@pytest.mark.parametrize("together", ["streamset", "batch"])
@pytest.mark.parametrize("unit", ["ft", "kcfs", "furlong"])
def test_a_changed_unit_is_refused_in_a_set_as_well(
    serve: Serve, make: Make, historian: Historian, together: str, unit: str
) -> None:
    historian.units = {PATHS[0]: unit}
    with make(serve(historian).url, together) as client:
        reads, error = until_it_fails(client.read(DAY, DAY + 3 * HOUR))
    assert len(reads) == 12
    assert ("declared in cfs" in str(error)) or unit in str(error)


@pytest.mark.parametrize("together", ["streamset", "batch"])
def test_a_full_page_in_a_set_is_read_to_its_end(
    serve: Serve, make: Make, historian: Historian, alone: dict[str, pl.DataFrame], together: str
) -> None:
    # Tags 4 and 5 have 12 and 15 events in three hours, a page holds 10.
    with make(serve(historian).url, together, page_size=10) as client:
        got = by_product(list(client.read(DAY, DAY + 3 * HOUR)))
    for product, rows in got.items():
        assert rows["event_start"].to_list() == alone[product]["event_start"].to_list(), product


@pytest.mark.parametrize("together", ["streamset", "batch"])
@pytest.mark.parametrize("status", [404, 413, 500])
def test_a_server_that_refuses_sets_is_asked_tag_by_tag(
    serve: Serve, make: Make, historian: Historian, alone: dict[str, pl.DataFrame], together: str, status: int
) -> None:
    historian.refuse_sets = status
    with make(serve(historian).url, together) as client:
        got = by_product(list(client.read(DAY, DAY + 3 * HOUR)))
    assert all(got[product].equals(alone[product]) for product in alone)
