"""The judge of a schedule: it must see every kind of fault, one at a time."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from domain.errors import FrameError
from domain.fleet import check_coupling, check_schedule, price_grid
from tests.fleet_oracles import device_frame, price_frame

PRICES = price_frame([10, 50, 10])
DEVICES = device_frame({"feeder": "f"}, {"device_id": "d1", "soc_start_kwh": 5.0, "feeder": "f"})


def schedule(**changes: pl.Expr) -> pl.DataFrame:
    """Return two devices that charge 5 kW, discharge 4.05 kW and rest, with changes."""
    rows = [
        (device, time, charge, discharge, start + stored)
        for device, start in (("d0", 0.0), ("d1", 5.0))
        for time, (charge, discharge, stored) in zip(
            PRICES["event_start"], [(5.0, 0.0, 4.5), (0.0, 4.05, 0.0), (0.0, 0.0, 0.0)], strict=True
        )
    ]
    names = ["device_id", "event_start", "charge_kw", "discharge_kw", "soc_kwh"]
    frame = pl.DataFrame(rows, schema=names, orient="row").with_columns(
        pl.col("event_start").cast(pl.Datetime("us", "UTC"))
    )
    power = pl.col("discharge_kw") - pl.col("charge_kw")
    frame = frame.with_columns(**changes).with_columns(power_kw=power, rate_kw=power.abs())
    mode = pl.when(pl.col("power_kw") > 0).then(1).when(pl.col("power_kw") < 0).then(2).otherwise(0)
    return frame.with_columns(mode=mode.cast(pl.Int8))


def test_a_schedule_that_obeys_has_no_fault() -> None:
    assert check_schedule(DEVICES, PRICES, schedule()) == []
    assert check_schedule(DEVICES, PRICES, schedule().sample(fraction=1, shuffle=True, seed=1)) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"charge_kw": pl.col("charge_kw") * 1.1}, "charge_kw above availability x max_charge_kw"),
        ({"charge_kw": pl.col("charge_kw") - 1e-3}, "charge_kw below 0"),
        ({"discharge_kw": pl.col("discharge_kw") + 1.0}, "soc_kwh does not follow"),
        ({"discharge_kw": pl.col("discharge_kw") + 1.0}, "share more than the interval"),
        ({"soc_kwh": pl.col("soc_kwh") + 0.01}, "soc_kwh does not follow"),
        ({"soc_kwh": pl.col("soc_kwh") - 1.0}, "soc_kwh below soc_min_kwh"),
        ({"soc_kwh": pl.lit(float("nan"))}, "soc_kwh does not follow"),
    ],
)
def test_each_fault_is_seen_with_its_device_and_time(changes: dict[str, pl.Expr], fault: str) -> None:
    faults = check_schedule(DEVICES, PRICES, schedule(**changes))
    assert any(each.startswith(fault) or fault in each for each in faults)
    assert " by d" in faults[0]
    assert "2026-07-01T" in faults[0]


def test_derived_columns_are_judged_too() -> None:
    wrong = schedule().with_columns(mode=pl.lit(0, pl.Int8), rate_kw=pl.lit(0.0), power_kw=pl.col("power_kw") * 2)
    faults = " ".join(check_schedule(DEVICES, PRICES, wrong))
    assert "mode is not the sign" in faults
    assert "rate_kw is not the size" in faults
    assert "power_kw is not discharge_kw - charge_kw" in faults


def test_a_required_end_is_judged() -> None:
    needy = DEVICES.with_columns(soc_end_min_kwh=pl.lit(1.0))
    assert (
        "last soc_kwh below soc_end_min_kwh: 1 time(s), worst 1 by d0" in check_schedule(needy, PRICES, schedule())[0]
    )


def test_strict_forbids_what_sharing_allows() -> None:
    devices = device_frame({"soc_max_kwh": 5.0, "soc_start_kwh": 5.0})
    both = schedule().filter(device_id="d0").with_columns(
        charge_kw=pl.Series([1.0, 0.0, 0.0]), discharge_kw=pl.Series([0.81, 0.0, 0.0]), soc_kwh=pl.lit(5.0),
    )  # fmt: skip
    power = pl.col("discharge_kw") - pl.col("charge_kw")
    both = both.with_columns(power_kw=power, rate_kw=power.abs(), mode=pl.Series([2, 0, 0], dtype=pl.Int8))
    assert check_schedule(devices, PRICES, both) == []
    assert "charge and discharge in one interval" in check_schedule(devices, PRICES, both, strict=True)[0]


def test_the_way_back_into_the_band_must_not_turn_round() -> None:
    below = device_frame({"soc_min_kwh": 6.0, "soc_start_kwh": 4.5})
    back = (
        schedule()
        .filter(device_id="d0")
        .with_columns(
            charge_kw=pl.Series([1.0, 1.0, 0.0]), discharge_kw=pl.lit(0.0), soc_kwh=pl.Series([5.4, 6.3, 6.3])
        )
    )
    power = pl.col("discharge_kw") - pl.col("charge_kw")
    mode = pl.Series([2, 2, 0], dtype=pl.Int8)
    assert check_schedule(below, PRICES, back.with_columns(power_kw=power, rate_kw=power.abs(), mode=mode)) == []
    away = back.with_columns(
        charge_kw=pl.lit(0.0), discharge_kw=pl.Series([0.9, 0.0, 0.0]), soc_kwh=pl.lit(3.5)
    ).with_columns(power_kw=power, rate_kw=power.abs(), mode=pl.Series([1, 0, 0], dtype=pl.Int8))
    assert "soc_kwh below soc_min_kwh" in check_schedule(below, PRICES, away)[0]


def test_every_interval_of_a_known_device_must_be_there_once() -> None:
    assert "exactly once" in check_schedule(DEVICES, PRICES, schedule().head(5))[0]
    assert "not good rows" in check_schedule(DEVICES.head(1), PRICES, schedule())[0]
    assert "lacks column(s) mode" in check_schedule(DEVICES, PRICES, schedule().drop("mode"))[0]


def test_shared_limits_are_judged_by_the_contracts_formulas() -> None:
    feeders = pl.DataFrame({"feeder": ["f"], "import_limit_kw": [9.0], "export_limit_kw": [8.0]})
    reserve = PRICES.select("event_start", up_reserve_kw=pl.lit(6.0), duration_h=pl.lit(1.0))
    missed = check_coupling(DEVICES, PRICES, schedule(), feeders=feeders, reserve=reserve)
    # Import: 10 against 9. Export: 8.1 against 8. Power in the second hour: 10 - 8.1 = 1.9 of 6.
    # Energy: 0.9 x (min(0, 4.5) + min(5, 9.5)) = 4.5 of 6 in each hour.
    assert missed.select("limit", "feeder", pl.col("event_start").dt.hour(), pl.col("amount").round(9)).rows() == [
        ("import_limit_kw", "f", 5, 1.0),
        ("export_limit_kw", "f", 6, 0.1),
        ("reserve_power_kw", None, 6, 4.1),
        ("reserve_energy_kwh", None, 5, 1.5),
        ("reserve_energy_kwh", None, 6, 1.5),
        ("reserve_energy_kwh", None, 7, 1.5),
    ]


def test_a_single_price_needs_the_end_of_its_interval() -> None:
    one = price_frame([30.0]).with_columns(event_end=pl.col("event_start") + timedelta(minutes=15))
    assert price_grid(one).hours == 0.25
    with pytest.raises(FrameError, match="or one with event_end"):
        price_grid(one.drop("event_end"))
    with pytest.raises(FrameError, match="not after its event_start"):
        price_grid(one.with_columns(event_end=pl.col("event_start")))
