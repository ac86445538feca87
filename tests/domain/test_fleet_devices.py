"""Rows about devices, the frames they run under, and a fleet made up for trials."""

from __future__ import annotations

import polars as pl
import pytest

from domain.errors import FrameError, InputError, TimeError
from domain.fleet import check_devices, feeder_limits, generate_fleet, price_grid, reserve_requirement
from tests.fleet_oracles import device_frame, price_frame


def test_good_rows_pass_whatever_integer_types_they_come_in() -> None:
    devices = device_frame({"capacity_kwh": 10.0}).with_columns(pl.col("capacity_kwh").cast(pl.Int32))
    good, errors = check_devices(devices.drop("feeder", "availability"))
    assert errors == []
    assert good.schema["capacity_kwh"] == pl.Float64
    assert good["availability"].to_list() == [None]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"max_discharge_kw": float("inf")}, "max_discharge_kw is inf; write a finite number"),
        ({"wear_usd_per_kwh": None}, "wear_usd_per_kwh is null; write a finite number"),
        ({"max_charge_kw": -1.0}, "max_charge_kw is -1.0; it must be 0 or more"),
        ({"discharge_efficiency": 0.0}, "discharge_efficiency is 0.0; it must be above 0 and at most 1"),
        ({"soc_min_kwh": 6.0, "soc_max_kwh": 5.0}, "soc_min_kwh is 6.0; it must not exceed soc_max_kwh of 5.0"),
        ({"soc_max_kwh": 10.5}, "soc_max_kwh is 10.5; it must be between 0 and capacity_kwh of 10.0"),
        ({"availability": [1.0, 2.0]}, "availability holds a value that is not a fraction"),
        ({"availability": [1.0, float("nan")]}, "availability holds a value that is not a fraction"),
        ({"availability": [1.0]}, "availability has 1 values; the prices have 2 intervals"),
        ({"device_id": ""}, "device_id is empty"),
    ],
)
def test_a_bad_row_is_told_by_its_number_value_and_rule(row: dict[str, object], reason: str) -> None:
    good, errors = check_devices(device_frame({}, row, {}), intervals=2)
    assert good.height == 2
    assert len(errors) == 1
    assert errors[0]["reason"].startswith("row 2: ")
    assert reason in errors[0]["reason"]


def test_rows_that_share_an_id_are_all_refused() -> None:
    good, errors = check_devices(device_frame({"device_id": "a"}, {"device_id": "b"}, {"device_id": "a"}))
    assert good["device_id"].to_list() == ["b"]
    assert [error["reason"] for error in errors] == [
        "row 1: device_id stands in 2 rows; keep the true one",
        "row 3: device_id stands in 2 rows; keep the true one",
    ]


def test_a_frame_without_a_column_is_refused_whole() -> None:
    with pytest.raises(FrameError, match="lack column\\(s\\) soc_start_kwh"):
        check_devices(device_frame({}).drop("soc_start_kwh"))
    with pytest.raises(FrameError, match="write it as numbers"):
        check_devices(device_frame({}).with_columns(capacity_kwh=pl.lit(value=True)))


def test_availability_may_come_as_text_from_a_csv() -> None:
    text = device_frame({}, {}).with_columns(availability=pl.Series(["[1, 0.5]", ""]))
    good, errors = check_devices(text, intervals=2)
    assert errors == []
    assert good["availability"].to_list() == [[1.0, 0.5], None]
    with pytest.raises(FrameError, match=r"of type Float64; write lists such as \[1, 0.5, 0\]"):
        check_devices(device_frame({}).with_columns(availability=pl.lit(1.0)))


def test_text_that_is_no_number_or_no_list_spoils_its_own_row_only() -> None:
    devices = device_frame({}, {}, {}).with_columns(
        capacity_kwh=pl.Series(["10", " n/a ", "10.0"]), availability=pl.Series(["[1, 1]", "[1, 0]", "[1, none"])
    )
    good, errors = check_devices(devices, intervals=2)
    assert good["device_id"].to_list() == devices["device_id"].to_list()[:1]
    assert good["capacity_kwh"].to_list() == [10.0]
    assert [error["reason"] for error in errors] == [
        "row 2: capacity_kwh is n/a; write a finite number",
        "row 3: availability is [1, none; write a list such as [1, 0.5, 0]",
    ]


def test_tables_without_rows_are_read_whatever_types_their_file_guessed() -> None:
    untyped = pl.DataFrame(schema=dict.fromkeys(device_frame({}).columns, pl.String))
    assert check_devices(untyped, intervals=2)[0].is_empty()
    with pytest.raises(FrameError, match=r"prices have 0 row\(s\); two are needed"):
        price_grid(pl.DataFrame(schema={"event_start": pl.String, "price_usd_mwh": pl.String}))
    no_limits = pl.DataFrame(schema={"feeder": pl.String, "import_limit_kw": pl.String, "export_limit_kw": pl.String})
    assert feeder_limits(no_limits)[0].is_empty()


def test_a_grid_knows_its_step_from_times_in_any_order_and_zone() -> None:
    prices = (
        price_frame([1, 2, 3], 0.25).reverse().with_columns(pl.col("event_start").dt.convert_time_zone("Asia/Tokyo"))
    )
    grid = price_grid(prices)
    assert grid.hours == 0.25
    assert grid.usd_mwh.tolist() == [1, 2, 3]
    with pytest.raises(TimeError, match="has no zone"):
        price_grid(prices.with_columns(event_start=pl.lit("2026-07-01T05:00")))


def test_a_hole_in_the_prices_is_named() -> None:
    holed = price_frame([1, 2, 3, 4]).filter(pl.col("price_usd_mwh") != 3)
    with pytest.raises(FrameError, match=r"jump from 2026-07-01T06:00:00.* to 2026-07-01T08:00:00"):
        price_grid(holed)


def test_a_feeder_without_usable_limits_is_set_apart_with_the_reason() -> None:
    feeders = pl.DataFrame(
        {
            "feeder": ["a", "b", "b", "c", None],
            "import_limit_kw": [1.0, 2.0, 3.0, -1.0, 1.0],
            "export_limit_kw": [float("inf"), 2.0, 3.0, 1.0, 1.0],
        }
    )
    good, bad = feeder_limits(feeders)
    assert good.rows() == [("a", 1.0, float("inf"))]
    assert bad["b"] == "the feeder stands in the file more than once"
    assert bad["c"] == "import_limit_kw is not a number of 0 or more"


def test_a_reserve_asks_for_nothing_where_it_has_no_row() -> None:
    grid = price_grid(price_frame([1, 2, 3]))
    asked = price_frame([0, 0, 0, 0]).select("event_start", up_reserve_kw=pl.lit(5), duration_h=pl.lit(0.5))
    second_and_after = asked.slice(1, 1).vstack(asked.slice(3, 1))  # the last lies after the prices
    reserve = reserve_requirement(second_and_after, grid)
    assert reserve.power_kw.tolist() == [0, 5, 0]
    assert reserve.duration_h.tolist() == [0, 0.5, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"up_reserve_kw": pl.lit(-1.0)}, "below 0"),
        ({"duration_h": pl.lit(float("nan"))}, "not finite"),
        ({"event_start": pl.col("event_start") + pl.duration(minutes=5)}, "no interval of the prices"),
        ({"event_start": pl.col("event_start").min()}, "more than once"),
    ],
)
def test_a_reserve_that_cannot_be_read_is_refused(change: dict[str, pl.Expr], message: str) -> None:
    asked = price_frame([0, 0]).select("event_start", up_reserve_kw=pl.lit(5.0), duration_h=pl.lit(0.5))
    with pytest.raises(FrameError, match=message):
        reserve_requirement(asked.with_columns(**change), price_grid(price_frame([1, 2])))


def test_a_made_up_fleet_is_the_same_for_the_same_seed_and_keeps_every_rule() -> None:
    fleet = generate_fleet(1000, 7)
    assert fleet.equals(generate_fleet(1000, 7))
    assert not fleet.equals(generate_fleet(1000, 8))
    good, errors = check_devices(fleet, intervals=48)
    assert errors == []
    assert good.height == 1000
    shares = {kind: count / 1000 for kind, count in fleet.group_by("kind").len().iter_rows()}
    assert shares == pytest.approx({"home": 0.55, "vehicle": 0.30, "commercial": 0.15}, abs=0.05)


def test_vehicles_are_away_in_the_working_day_only() -> None:
    there = generate_fleet(500, 1, intervals=24, hours=1.0).filter(kind="vehicle")["availability"].to_list()
    noon, night = (sum(day[hour] for day in there) / len(there) for hour in (12, 3))
    assert noon < 0.05
    assert night > 0.95
    assert (
        generate_fleet(50, 1).filter(kind="home")["availability"].null_count()
        == 50 - generate_fleet(50, 1).filter(pl.col("kind") != "home").height
    )
    with pytest.raises(InputError, match="both must be 1 or more"):
        generate_fleet(0, 1)
    for wrong in ({"hours": 0.0}, {"hours": float("nan")}, {"seed": -1}):
        with pytest.raises(InputError, match="the hours must be above 0, the seed 0 or more"):
            generate_fleet(**({"count": 1, "seed": 1} | wrong))
