"""Recorded ERCOT payloads: how many rows, from when to when, and numbers read with the naked eye."""

from __future__ import annotations

from datetime import timedelta

import orjson
import polars as pl
import pytest

from domain.errors import PayloadError
from resources.payloads import ercot
from resources.payloads.ercot.catalogue import PRODUCTS, emil_in, recognise
from resources.payloads.ercot.sheets import renamed
from resources.payloads.tables import key_of
from tests.recorded.shared import payload, recorded, rows_of, utc

pytestmark = recorded
LOAD, WIND, SOLAR = (
    f"ercot/mis_{name}.zip" for name in ("NP3-560_20250313_1230", "NP4-732_20250313_1355", "NP4-737_20250313_1355")
)
STORAGE = "ercot/dash_energy-storage-resources_2025-10-09.json"
LOAD_BOARD = "ercot/dash_loadForecastVsActual_2024-11-25.json"


@pytest.mark.parametrize(
    ("name", "rows", "series", "first", "last", "posted"),
    [
        # 8 days of 24 hours, 4 zones and their total; posted 12:30:00 CDT
        (LOAD, 192 * 5, 5, "2025-03-13T05:00", "2025-03-21T05:00", "2025-03-13T17:30:00"),
        # 216 hours of 12 forecasts and 48 of 5 actuals; posted 13:55:09 CDT
        (WIND, 216 * 12 + 48 * 5, 17, "2025-03-11T18:00", "2025-03-20T18:00", "2025-03-13T18:55:09"),
        # 216 hours of 3 forecasts and 48 of 2 actuals
        (SOLAR, 216 * 3 + 48 * 2, 5, "2025-03-11T18:00", "2025-03-20T18:00", "2025-03-13T18:55:08"),
    ],
)
def test_a_document_holds_its_hours_and_was_known_when_it_was_posted(
    name: str, rows: int, series: int, first: str, last: str, posted: str
) -> None:
    got = rows_of(name)
    assert (got.height, got["series_id"].n_unique()) == (rows, series)
    assert (got["event_start"].min(), got["event_end"].max()) == (utc(first), utc(last))
    assert got.select("belief_time", "belief_basis", "unit", "quality", "source").unique().rows() == [
        (utc(posted), "filename", "MW", "good", "ercot_mis")
    ]


@pytest.mark.parametrize(
    ("name", "series", "count", "first", "last"),
    [
        (LOAD, "ercot:load_fcst:system_total", 192, 43797.76989746094, 41722.78991699219),
        (LOAD, "ercot:load_fcst:fz:houston", 192, 11191.65072763671875, 10665.48846171875),
        (WIND, "ercot:wind_actual:system", 48, 15527.49, 4191.64),
        (WIND, "ercot:wind_actual:lz_north", 48, 1878.32, None),
        (WIND, "ercot:wind_hsl:system", 48, 17449.72, None),
        (WIND, "ercot:wind_fcst:STWPF:system", 216, 17404.1, 9615.6),
        (WIND, "ercot:wind_fcst:COPHSL:lz_south_houston", 216, 3698.2, 2610),
        (SOLAR, "ercot:solar_fcst:STPPF:system", 216, 24108.1, 25051.6),
        (SOLAR, "ercot:solar_actual:system", 48, 19440.92, None),
    ],
)
def test_a_series_of_a_document_has_its_first_and_last_number(
    name: str, series: str, count: int, first: float, last: float | None
) -> None:
    got = rows_of(name).filter(series_id=series).sort("event_start")
    assert got.height == count
    assert got["value"][0] == pytest.approx(first, rel=1e-12)
    assert last is None or got["value"][-1] == pytest.approx(last, rel=1e-12)


def test_no_actual_of_wind_or_sun_is_of_an_hour_that_was_not_over_when_it_was_posted() -> None:
    for name in (WIND, SOLAR):
        actual = rows_of(name).filter(scenario="actual")
        assert (actual["event_end"] <= actual["belief_time"]).all()


def test_a_day_of_storage_is_288_instants_and_the_running_day_what_there_is_of_it() -> None:
    got = rows_of(STORAGE)
    net = got.filter(series_id="ercot:storage:net").sort("event_start")
    assert (got.height, net.height) == (3 * 369, 369)  # 288 of the day before, 81 of the day until 06:40
    assert (net["event_start"][0], net["value"][0]) == (utc("2025-10-08T05:00"), -380.286)
    assert (net["event_start"][-1], net["value"][-1]) == (utc("2025-10-09T11:40"), 493.635)
    assert (net["event_start"].diff().drop_nulls() == timedelta(minutes=5)).all()
    assert got["belief_time"].unique().to_list() == [utc("2025-10-09T11:41")]


def test_two_vintages_of_a_load_forecast_stand_beside_the_load() -> None:
    got = rows_of(LOAD_BOARD)
    counts = got.group_by("series_id", "scenario").len().sort("series_id", "scenario").rows()
    assert counts == [
        ("ercot:hsl:system", "actual", 26),
        ("ercot:hsl:system", "day_ahead", 48),
        ("ercot:load_actual:system_total", "actual", 26),
        ("ercot:load_fcst:system_total", "day_ahead", 48),
        ("ercot:load_fcst:system_total", "deterministic", 72),
    ]
    first = got.filter(series_id="ercot:load_actual:system_total").sort("event_start").row(0, named=True)
    assert (first["event_start"], first["event_end"], first["value"]) == (
        utc("2024-11-24T06:00"),
        utc("2024-11-24T07:00"),
        42015.44,
    )
    assert got["belief_time"].unique().to_list() == [utc("2024-11-25T08:15:02")]


@pytest.mark.parametrize(
    ("name", "rows", "updated"),
    [
        ("fuel_mix.current_schema", 4, "2026-08-14T06:36"),
        ("fuel_mix.success", 8, "2026-07-21T10:11"),
        ("generation_outages.success", 18, "2026-07-21T10:11"),
        ("storage.dst", 6, "2026-11-01T08:30"),
        ("storage.success", 6, "2026-07-21T10:11"),
        ("supply_demand.success", 5, "2026-07-21T10:10"),
        ("wind_solar.success", 14, "2026-07-21T09:55:29"),
    ],
)
def test_each_excerpt_of_a_dashboard_is_read_whole(name: str, rows: int, updated: str) -> None:
    got = rows_of(f"ercot/dashfix_{name}.json")
    assert got.height == rows
    assert got.select("belief_time", "belief_basis", "quality").unique().rows() == [
        (utc(updated), "source_stamp", "good")
    ]


def test_the_repeated_hour_of_a_dashboard_is_two_hours() -> None:
    got = rows_of("ercot/dashfix_storage.dst.json").filter(series_id="ercot:storage:net").sort("event_start")
    assert got.select("event_start", "value").rows() == [
        (utc("2026-11-01T06:30"), -60.0),
        (utc("2026-11-01T07:30"), -40.0),
    ]


def test_the_list_of_documents_has_the_winter_hour_that_its_offsets_deny() -> None:
    listed = ercot.document_list(payload("ercot/mis_IceDocList_12311_load_forecast.json"))
    posted = listed.filter(pl.col("is_csv"))["posted_at"].sort()
    assert (listed.height, len(posted)) == (360, 180)
    assert (posted[0], posted[-1]) == (utc("2025-03-06T06:30"), utc("2025-03-13T17:30"))
    # One posting an hour; 02:30 of March 9 does not exist. As printed, the offsets would leave a hole of two hours
    # there and place all winter stamps an hour early.
    steps = posted.dt.truncate("1m").diff().drop_nulls().unique().to_list()
    assert steps == [timedelta(hours=1)]


@pytest.mark.parametrize("name", ["mis_IceDocList_12311_load_forecast", "pubapi_products", "pubapi_response_fields"])
def test_lists_and_catalogues_are_no_series(name: str) -> None:
    with pytest.raises(PayloadError):
        rows_of(f"ercot/{name}.json")


def test_every_product_we_read_is_in_the_catalogue_under_its_number() -> None:
    listed = ercot.product_list(payload("ercot/pubapi_products.json"))
    numbers = {emil_in([emil]): number for emil, number in listed.select("emil", "report_id").iter_rows()}
    assert listed.height == 77
    mis_only = {"NP3-560", "NP3-561", "NP6-235"}
    assert {product.emil for product in PRODUCTS} - mis_only <= set(numbers)
    assert all(numbers[product.emil] == product.report_id for product in PRODUCTS if product.emil not in mis_only)


def test_every_endpoint_of_ours_is_recognised_by_its_real_fields_alone() -> None:
    endpoints = orjson.loads(payload("ercot/pubapi_response_fields.json"))
    ours = {product.emil for product in PRODUCTS}
    checked = 0
    for endpoint, fields in endpoints.items():
        if (emil := emil_in([endpoint])) in ours:
            columns = renamed(pl.DataFrame(schema={key_of(name): pl.String for name in fields})).columns
            assert recognise([], columns, endpoint).emil == emil, endpoint
            checked += 1
    assert checked == 36
