"""Every other row product: how its window is asked for, and what it claims to cover."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.errors import InputError
from resources.clock import ManualClock
from resources.ercot import ErcotClient
from resources.ercot_api import ErcotPoint, ErcotSettings
from resources.ercot_rows import ROW_PRODUCTS, RowProduct
from resources.ercot_token import ErcotCredentials
from tests.resources.clients.tiny import NOW, Asked, Landed, Reply, Script, Served, http_settings

Serve = Callable[[Script], Served]
Make = Callable[[str], ErcotClient]
HOUR = timedelta(hours=1)
START = datetime(2026, 11, 19, 6, tzinfo=UTC)  # midnight in Texas

ANSWERS: dict[str, tuple[list[str], list[list[object]]]] = {
    "/np6-788-cd/lmp_node_zone_hub": (
        ["SCEDTimestamp", "repeatHourFlag", "settlementPoint", "LMP"],
        [
            ["2026-11-19T00:00:16", False, "HB_NORTH", 21.5],
            ["2026-11-19T00:05:13", False, "HB_NORTH", 22.5],
            ["2026-11-19T01:00:15", False, "HB_NORTH", 99.0],
        ],
    ),
    "/np6-345-cd/act_sys_load_by_wzn": (
        [
            *("operatingDay", "hourEnding", "coast", "east", "farWest", "north", "northC", "southern", "southC"),
            *("west", "total", "DSTFlag"),
        ],
        [["2026-11-19", "01:00", *[1000.0] * 8, 8000.0, False]],
    ),
    "/np4-197-m/rtm_price_corrections_spp": (
        [
            *("deliveryDate", "deliveryHour", "deliveryInterval", "settlementPointName", "settlementPointType"),
            *("SPPOriginal", "SPPCorrected", "priceCorrectionTime", "DSTFlag"),
        ],
        [["2026-11-12", 7, 2, "HB_NORTH", "HU", 30.0, 25.0, "2026-11-19T09:15:00", False]],
    ),
    "/np6-331-cd/rt_clear_price_cap": (
        ["deliveryDate", "deliveryHour", "deliveryInt", "repeatHourFlag", "ASType", "MCPC"],
        [["2026-11-19", 1, 1, False, "ECRS", 3.25]],
    ),
}


def market(asked: Asked) -> Reply:
    """Answer with the product's rows, whatever the window: the client must keep what it asked for."""
    if asked.path == "/token":
        return Reply(b'{"id_token": "t-1"}')
    names, rows = ANSWERS[asked.path.removeprefix("/api/public-reports")]
    filters = {name: values[0] for name, values in asked.query.items() if name not in ("page", "size", "sort", "dir")}
    meta = {"totalRecords": len(rows), "totalPages": 1, "currentPage": 1, "query": {"parameters": filters}}
    fields = [{"name": name, "dataType": "VARCHAR"} for name in names]
    return Reply(json.dumps({"_meta": meta, "fields": fields, "data": rows}).encode())


@pytest.fixture
def make(clock: ManualClock, landed: Landed, locks: Path) -> Make:
    def build(base_url: str) -> ErcotClient:
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
            points=(ErcotPoint(name="HB_NORTH", type="HU"),),
        )
        account = ErcotCredentials(username="reader", password="a password", subscription_key="key-12345")  # noqa: S106
        return ErcotClient(settings, credentials=account, clock=clock, land=landed, locks=locks)

    return build


def test_dispatch_runs_keep_their_exact_stamps(serve: Serve, make: Make) -> None:
    served = serve(market)
    with make(served.url) as client:
        [read] = client.rows("NP6-788-CD", START, START + HOUR)
    asked = served.asked[-1].query
    assert asked["SCEDTimestampFrom"] == ["2026-11-19T00:00:00"]
    assert asked["settlementPoint"] == ["HB_NORTH"]
    assert read.rows["event_start"].to_list() == [START + timedelta(seconds=16), START + timedelta(seconds=313)]
    assert read.product == "NP6-788-CD:HB_NORTH"


def test_actual_load_covers_the_days_that_are_out(serve: Serve, make: Make) -> None:
    with make(serve(market).url) as client:
        [read] = client.rows("NP6-345-CD", START, NOW)
    # At noon of the 21st in Texas the 20th came out at 05:50.
    assert read.window == (START, datetime(2026, 11, 21, 6, tzinfo=UTC))
    assert read.rows["event_start"].unique().to_list() == [START]


def test_corrections_are_asked_for_by_when_they_were_made(serve: Serve, make: Make) -> None:
    served = serve(market)
    with make(served.url) as client:
        before, after = client.rows("NP4-197-M", START - 24 * HOUR, START + 24 * HOUR)
    assert served.asked[-1].query["settlementPointName"] == ["HB_NORTH"]
    assert before.rows.height == 0
    [row] = after.rows.rows(named=True)
    assert (row["series_id"], row["scenario"], row["value"]) == ("ercot:spp_rt:HB_NORTH:HU", "corrected", 25.0)
    assert row["belief_time"] == datetime(2026, 11, 19, 15, 15, tzinfo=UTC)
    assert row["event_start"] == datetime(2026, 11, 12, 12, 15, tzinfo=UTC)


def test_reserve_prices_have_no_settlement_point(serve: Serve, make: Make) -> None:
    served = serve(market)
    with make(served.url) as client:
        [read] = client.rows("NP6-331-CD", START, START + HOUR)
    assert read.product == "NP6-331-CD"
    assert read.rows["series_id"].to_list() == ["ercot:mcpc_rt15:ECRS"]
    assert not any(name.startswith("settlementPoint") for name in served.asked[-1].query)


def test_an_unknown_product_lists_the_known_ones(serve: Serve, make: Make) -> None:
    with make(serve(market).url) as client, pytest.raises(InputError, match=r"'NP9-999' is no row product.*NP6-905-CD"):
        client.rows("NP9-999", START, START + HOUR)


@pytest.mark.parametrize("product", ROW_PRODUCTS.values(), ids=list(ROW_PRODUCTS))
def test_no_product_claims_to_know_what_is_not_out(product: RowProduct) -> None:
    # At noon in Texas tomorrow's day-ahead results are not out (13:30), so nothing is known past this local day.
    today_ends = datetime(2026, 11, 22, 6, tzinfo=UTC)
    assert product.known_until(NOW) <= (today_ends if "/dam_" in product.path else NOW)
