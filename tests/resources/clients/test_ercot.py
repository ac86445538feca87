"""ERCOT's client: login and renewal, paging, the echo of the filters, local days of 23 and 25 hours."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from domain.errors import CredentialError, PayloadError, ServiceError
from domain.instants import CENTRAL, iso, local_day
from resources.clock import ManualClock
from resources.ercot import ErcotClient
from resources.ercot_api import ErcotPoint, ErcotSettings
from resources.ercot_token import ErcotCredentials
from resources.http.windows import local_chunks
from tests.resources.clients.tiny import NOW, Asked, Landed, Reply, Script, Served, http_settings, until_it_fails

Serve = Callable[[Script], Served]
Make = Callable[..., ErcotClient]
QUARTER = timedelta(minutes=15)

FIELDS = {
    "spp_node_zone_hub": [
        ("deliveryDate", "DATE"),
        ("deliveryHour", "INTEGER"),
        ("deliveryInterval", "INTEGER"),
        ("settlementPoint", "VARCHAR"),
        ("settlementPointType", "VARCHAR"),
        ("settlementPointPrice", "DOUBLE"),
        ("DSTFlag", "BOOLEAN"),
    ],
    "dam_stlmnt_pnt_prices": [
        ("deliveryDate", "DATE"),
        ("hourEnding", "VARCHAR"),
        ("settlementPoint", "VARCHAR"),
        ("settlementPointPrice", "DOUBLE"),
        ("DSTFlag", "BOOLEAN"),
    ],
    "lf_by_model_weather_zone": [
        ("postedDatetime", "DATETIME"),
        ("deliveryDate", "DATE"),
        ("hourEnding", "VARCHAR"),
        *((zone, "DOUBLE") for zone in ("coast", "east", "farWest", "north", "northCentral", "southCentral")),
        *((zone, "DOUBLE") for zone in ("southern", "west", "systemTotal")),
        ("model", "VARCHAR"),
        ("inUseFlag", "BOOLEAN"),
        ("DSTFlag", "BOOLEAN"),
    ],
}


class Market:
    """A small ERCOT: one price an interval equal to its UTC hour, a forecast each hour at :30, a token of one hour."""

    def __init__(self) -> None:
        self.password = "correct horse"  # noqa: S105 - made up
        self.valid = "token-1"
        self.issued = 0
        self.page_size: int | None = None
        self.ignore: set[str] = set()
        self.extra_after_page_one = 0
        self.replies: list[Reply] = []

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request, or fail as told."""
        if asked.path == "/token":
            return self._login(asked)
        if self.replies:
            return self.replies.pop(0)
        if asked.headers.get("ocp-apim-subscription-key") != "key-12345":
            return Reply(b'{"statusCode":401,"message":"Access denied due to missing subscription key."}', status=401)
        if asked.headers.get("authorization") != f"Bearer {self.valid}":
            return Reply(b'{"statusCode":401,"message":"Unauthorized"}', status=401)
        artifact = asked.path.rsplit("/", 1)[-1]
        query = {name: values[0] for name, values in asked.query.items() if name not in self.ignore}
        rows = {
            "spp_node_zone_hub": self._real_time,
            "dam_stlmnt_pnt_prices": self._day_ahead,
            "lf_by_model_weather_zone": self._forecasts,
        }[artifact](query)
        return self._page(artifact, query, rows)

    def _login(self, asked: Asked) -> Reply:
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        if form["password"] != self.password:
            said = {"error": "access_denied", "error_description": "AADB2C90225: The username or password is invalid."}
            return Reply(json.dumps(said).encode(), status=400)
        assert form["grant_type"] == "password"
        assert form["response_type"] == "id_token"
        assert form["scope"] == "openid public-app offline_access"
        self.issued += 1
        self.valid = f"token-{self.issued}"
        return Reply(json.dumps({"id_token": self.valid, "access_token": "other", "expires_in": 3600}).encode())

    def _page(self, artifact: str, query: dict[str, str], rows: list[list[object]]) -> Reply:
        size, page = self.page_size or int(query["size"]), int(query["page"])
        if page > 1 and self.extra_after_page_one:
            rows += [rows[-1]] * self.extra_after_page_one
            self.extra_after_page_one = 0
        filters = {name: value for name, value in query.items() if name not in ("page", "size", "sort", "dir")}
        meta = {
            "totalRecords": len(rows),
            "pageSize": size,
            "totalPages": -(-len(rows) // size),
            "currentPage": page if rows else 0,
            "query": {"parameterCount": len(filters), "parameters": filters, "sortedBy": "deliveryDate: ASC"},
        }
        fields = [{"name": name, "label": name, "dataType": kind} for name, kind in FIELDS[artifact]]
        body: dict[str, object] = {"_meta": meta, "report": {"reportId": "1"}, "fields": fields}
        if rows:
            body["data"] = rows[(page - 1) * size : page * size]
        return Reply(json.dumps(body).encode())

    def _days(self, query: dict[str, str]) -> list[date]:
        first, last = (date.fromisoformat(query[f"deliveryDate{end}"]) for end in ("From", "To"))
        return [first + timedelta(days=k) for k in range((last - first).days + 1)]

    def _hours(self, day: date) -> list[tuple[datetime, int, bool]]:
        """UTC start, hour ending and repeated flag of each hour of a local day."""
        start, end = local_day(day, CENTRAL)
        found = []
        while start < end:
            local = start.astimezone(CENTRAL)
            found.append((start, local.hour + 1, bool(local.fold)))
            start += timedelta(hours=1)
        return found

    def _real_time(self, query: dict[str, str]) -> list[list[object]]:
        point, kind = query.get("settlementPoint", "HB_NEWEST"), query.get("settlementPointType", "HU")
        return [
            [str(day), hour, quarter, f"{point}  ", kind, start.hour + quarter / 100, repeated]
            for day in self._days(query)
            for start, hour, repeated in self._hours(day)
            for quarter in (1, 2, 3, 4)
        ]

    def _day_ahead(self, query: dict[str, str]) -> list[list[object]]:
        return [
            [str(day), f"{hour:02d}:00", query["settlementPoint"], float(start.hour), repeated]
            for day in self._days(query)
            for start, hour, repeated in self._hours(day)
        ]

    def _forecasts(self, query: dict[str, str]) -> list[list[object]]:
        first, last = (datetime.fromisoformat(query[f"postedDatetime{end}"]) for end in ("From", "To"))
        posted = first.replace(minute=30, second=0)
        posted += timedelta(hours=posted < first)
        rows: list[list[object]] = []
        while posted <= last:
            for model in ("E3", "M"):
                flag = model == "E3"
                if flag or query.get("inUseFlag") != "true":
                    zones = [1000.0] * 8 + [8000.0]
                    rows.append([posted.isoformat(), str(posted.date()), "24:00", *zones, model, flag, False])
            posted += timedelta(hours=1)
        return rows


@pytest.fixture
def market() -> Market:
    return Market()


@pytest.fixture
def make(clock: ManualClock, landed: Landed, locks: Path) -> Make:
    def build(base_url: str, *points: str, password: str = "correct horse", **changes: object) -> ErcotClient:  # noqa: S107
        values: dict[str, object] = {"page_size": 1000, "price_days_per_query": 31, "load_models": "in_use"}
        settings = ErcotSettings(
            http=http_settings(f"{base_url}/api/public-reports"),
            token_url=f"{base_url}/token",
            client_id="public-app",
            renew_token_after_s=3000,
            posted_days_per_query=1,
            archive_documents_per_download=3,
            load_series=("ercot:load_fcst:system_total",),
            points=tuple(ErcotPoint(name=name, type="HU") for name in points or ("HB_NORTH",)),
            **(values | changes),  # ty: ignore[invalid-argument-type] - the tests choose the values
        )
        credentials = ErcotCredentials(username="reader", password=password, subscription_key="key-12345")
        return ErcotClient(settings, credentials=credentials, clock=clock, land=landed, locks=locks)

    return build


START = datetime(2026, 11, 18, 6, tzinfo=UTC)  # midnight in Texas


def test_prices_of_a_utc_window_are_gathered_from_the_local_days_it_touches(
    serve: Serve, make: Make, market: Market, landed: Landed
) -> None:
    served = serve(market)
    start = datetime(2026, 11, 18, tzinfo=UTC)
    with make(served.url) as client:
        [read] = client.rt_prices(start, start + timedelta(days=1))
    _, asked = served.asked
    assert asked.query["deliveryDateFrom"] == ["2026-11-17"]
    assert asked.query["deliveryDateTo"] == ["2026-11-18"]
    assert asked.query["dir"] == ["asc"]
    assert read.product == "NP6-905-CD:HB_NORTH:HU"
    assert read.rows["series_id"].unique().to_list() == ["ercot:spp_rt:HB_NORTH:HU"]
    assert read.rows["event_start"].to_list() == [start + k * QUARTER for k in range(96)]
    assert read.rows["value"].to_list() == [k // 4 + (k % 4 + 1) / 100 for k in range(96)]
    assert len(landed) == 1  # the token is a credential and is not stored
    assert read.raw != ()


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 8), 23), (date(2025, 11, 2), 25), (date(2026, 11, 1), 25), (date(2026, 7, 1), 24)]
)
def test_a_local_day_is_complete_when_clocks_change(
    serve: Serve, make: Make, market: Market, day: date, hours: int
) -> None:
    start, end = local_day(day, CENTRAL)
    with make(serve(market).url) as client:
        [real_time] = client.rt_prices(start, end)
        [day_ahead] = client.da_prices(start, end)
    assert real_time.rows["event_start"].sort().to_list() == [start + k * QUARTER for k in range(4 * hours)]
    assert day_ahead.rows["event_start"].sort().to_list() == [start + k * timedelta(hours=1) for k in range(hours)]


def test_nothing_is_claimed_that_cannot_have_been_posted(serve: Serve, make: Make, market: Market) -> None:
    with make(serve(market).url) as client:
        [real_time] = client.rt_prices(START, NOW + timedelta(days=3))
        [day_ahead] = client.da_prices(START, NOW + timedelta(days=3))
    # At 18:00:07 UTC the quarter hour of 17:30 is out (posted 17:47), that of 17:45 is not (18:02).
    assert real_time.rows["event_start"].max() == datetime(2026, 11, 21, 17, 30, tzinfo=UTC)
    assert real_time.window[1] < datetime(2026, 11, 21, 17, 45, tzinfo=UTC)
    # It is 12:00 in Texas: tomorrow's prices are expected at 13:30.
    assert day_ahead.window[1] == datetime(2026, 11, 22, 6, tzinfo=UTC)


def test_pages_are_put_together(serve: Serve, make: Make, market: Market) -> None:
    market.page_size = 40
    served = serve(market)
    with make(served.url, page_size=40) as client:
        [read] = client.rt_prices(START, START + timedelta(days=1))
    assert read.rows.height == 96  # 40 + 40 + 16
    assert len(read.raw) == 3
    assert [asked.query["page"] for asked in served.asked[1:]] == [["1"], ["2"], ["3"]]


def test_a_list_that_grows_between_its_pages_is_asked_for_again(serve: Serve, make: Make, market: Market) -> None:
    market.page_size = 50
    market.extra_after_page_one = 1
    served = serve(market)
    with make(served.url, page_size=50) as client:
        [read] = client.rt_prices(START, START + timedelta(days=1))
    assert read.rows.height == 96
    assert len(served.asked) == 1 + 4


def test_no_rows_is_an_answer(serve: Serve, make: Make, market: Market) -> None:
    market._real_time = lambda _: []  # ty: ignore[invalid-assignment]
    with make(serve(market).url) as client:
        [read] = client.rt_prices(START, START + timedelta(days=1))
    assert read.rows.height == 0
    assert read.notes == ("no rows in the window",)


def test_a_filter_that_was_ignored_is_noticed(serve: Serve, make: Make, market: Market) -> None:
    market.ignore = {"settlementPoint"}
    with (
        make(serve(market).url) as client,
        pytest.raises(PayloadError, match=r"settlementPoint=HB_NORTH and used None; the filter is unknown or changed"),
    ):
        list(client.rt_prices(START, START + timedelta(days=1)))


def test_a_token_is_renewed_before_it_expires(serve: Serve, make: Make, market: Market, clock: ManualClock) -> None:
    with make(serve(market).url) as client:
        list(client.rt_prices(START, START + QUARTER))
        clock.sleep(2999)
        list(client.rt_prices(START, START + QUARTER))
        assert market.issued == 1
        clock.sleep(1)
        list(client.rt_prices(START, START + QUARTER))
        assert market.issued == 2


def test_an_expired_token_is_renewed_and_the_read_goes_on(serve: Serve, make: Make, market: Market) -> None:
    with make(serve(market).url) as client:
        list(client.rt_prices(START, START + QUARTER))
        market.valid = "revoked"
        [read] = client.rt_prices(START, START + QUARTER)
    assert read.rows.height == 1
    assert market.issued == 2


def test_a_wrong_password_says_what_to_check_and_hides_it(serve: Serve, make: Make, market: Market) -> None:
    said = r"ercot: POST .*/token answered 400.*AADB2C90225.*check the ERCOT user"
    with (
        make(serve(market).url, password="hunter22-wrong") as client,  # noqa: S106 - made up
        pytest.raises(CredentialError, match=said) as caught,
    ):
        list(client.rt_prices(START, START + QUARTER))
    assert "hunter22" not in str(caught.value)


def test_an_unsubscribed_key_is_a_credential_error(serve: Serve, make: Make, market: Market) -> None:
    market.replies = [Reply(b'{"statusCode":403,"message":"not subscribed to this API"}', status=403)]
    with make(serve(market).url) as client, pytest.raises(CredentialError, match="not subscribed"):
        list(client.rt_prices(START, START + QUARTER))


def test_a_volume_quota_is_waited_for_and_nothing_is_lost(
    serve: Serve, make: Make, market: Market, clock: ManualClock
) -> None:
    market.replies = [Reply(b'{"statusCode":429,"error":"BandwidthQuotaExceeded"}', status=429)]
    with make(serve(market).url) as client:
        [read] = client.rt_prices(START, START + QUARTER)
    assert read.rows.height == 1
    assert clock.now() >= datetime(2026, 11, 21, 19, tzinfo=UTC)


def test_one_bad_point_does_not_cost_the_others(serve: Serve, make: Make, market: Market) -> None:
    market.replies = [Reply(b'{"code":400,"status":"BAD_REQUEST","message":"unknown settlement point"}', status=400)]
    with make(serve(market).url, "HB_TYPO", "HB_NORTH") as client:
        got, error = until_it_fails(client.rt_prices(START, START + QUARTER))
    assert [read.product for read in got] == ["NP6-905-CD:HB_NORTH:HU"]
    assert isinstance(error, ServiceError)
    assert "1 of 2 item(s) failed: [NP6-905-CD:HB_TYPO:HU from 2026-11-18]" in str(error)
    assert "unknown settlement point" in str(error)


def test_forecasts_are_those_posted_in_the_window(serve: Serve, make: Make, market: Market) -> None:
    with make(serve(market).url) as client:
        [read] = client.load_forecast(START, START + timedelta(hours=3))
    assert read.rows["series_id"].unique().to_list() == ["ercot:load_fcst:system_total"]
    assert read.rows["belief_time"].unique().sort().to_list() == [
        START + timedelta(minutes=30 + 60 * k) for k in range(3)
    ]
    assert set(read.rows["scenario"]) == {"model:E3", "deterministic"}


def test_all_models_can_be_asked_for(serve: Serve, make: Make, market: Market) -> None:
    with make(serve(market).url, load_models="all") as client:
        [read] = client.load_forecast(START, START + timedelta(hours=1))
    assert {"model:E3", "model:M"} <= set(read.rows["scenario"])


def test_a_forecast_window_over_the_repeated_hour_asks_for_all_its_labels(
    serve: Serve, make: Make, market: Market
) -> None:
    # 05:30 to 08:30 UTC is 00:30 CDT to 02:30 CST; 06:30 to 07:10 UTC even runs backwards in labels, 01:30 to 01:10.
    served = serve(market)
    night = datetime(2026, 11, 1, tzinfo=UTC)
    with make(served.url) as client:
        list(client.load_forecast(night + timedelta(hours=6.5), night + timedelta(hours=7, minutes=10)))
    asked = served.asked[-1].query
    assert asked["postedDatetimeFrom"] <= ["2026-11-01T01:10:00"]
    assert asked["postedDatetimeTo"] >= ["2026-11-01T01:30:00"]


def test_local_parts_cover_a_window_once(clock: ManualClock) -> None:
    window = (datetime(2026, 10, 30, 1, tzinfo=UTC), datetime(2026, 11, 3, 2, tzinfo=UTC))
    parts = list(local_chunks(window, CENTRAL, 2))
    assert parts[0][2][0] == window[0]
    assert parts[-1][2][1] == window[1]
    assert all(before[2][1] == after[2][0] for before, after in pairwise(parts))
    assert [(str(first), str(last)) for first, last, _ in parts] == [
        ("2026-10-29", "2026-10-30"),
        ("2026-10-31", "2026-11-01"),
        ("2026-11-02", "2026-11-02"),
    ]
    assert iso(parts[1][2][1]) == "2026-11-02T06:00:00Z"
