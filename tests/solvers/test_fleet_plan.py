"""Bad rows, bad frames and the report: the rest of the fleet is always planned."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from domain.errors import FrameError, InputError
from domain.fleet import SCHEDULE_COLUMNS, check_schedule, generate_fleet, price_grid
from solvers.fleet import plan_fleet
from solvers.fleet.instance import lay_out
from solvers.fleet.kernel import respond
from solvers.fleet.response import OVERWRITE, Pull, Schedule, best_response, market_signal
from tests.fleet_oracles import device_frame, price_frame

PRICES = price_frame([10, 100, 20, -30])


def test_one_bad_device_does_not_stop_the_others() -> None:
    devices = device_frame(
        {"device_id": "good"},
        {"device_id": "nan", "max_charge_kw": float("nan")},
        {"device_id": "percent", "charge_efficiency": 95.0},
        {"device_id": "overfull", "soc_start_kwh": 11.0},
        {"device_id": "short list", "availability": [1.0, 1.0]},
        {"device_id": "greedy", "soc_end_min_kwh": 10.0, "max_charge_kw": 1.0},
        {"device_id": "lost", "feeder": "nowhere"},
        {"device_id": "bad feeder", "feeder": "b"},
    )
    feeders = pl.DataFrame(
        {"feeder": ["a", "b"], "import_limit_kw": [5.0, float("nan")], "export_limit_kw": [5.0, 5.0]}
    )
    plan = plan_fleet(devices, PRICES, feeders=feeders)
    reasons = {row["device_id"]: row["reason"] for row in plan.report["infeasible"]}
    assert plan.schedule["device_id"].unique().to_list() == ["good"]
    assert reasons["nan"] == "row 2: max_charge_kw is NaN; write a finite number"
    assert "at most 1 (a fraction, not percent)" in reasons["percent"]
    assert "between 0 and capacity_kwh of 10" in reasons["overfull"]
    assert "availability has 2 values; the prices have 4 intervals" in reasons["short list"]
    # 1 kW for 4 h stores 3.6 kWh.
    assert "at most 3.6 kWh can be stored by the end" in reasons["greedy"]
    assert "not among the feeders" in reasons["lost"]
    assert reasons["bad feeder"] == "feeder b: import_limit_kw is not a number of 0 or more"


def test_a_fleet_of_which_no_device_can_be_planned_says_why_and_plans_nothing() -> None:
    plan = plan_fleet(device_frame({"capacity_kwh": float("inf")}), PRICES)
    assert plan.report["status"] == "infeasible"
    assert plan.report["objective_usd"] is None
    assert plan.schedule.is_empty()
    assert plan.schedule.schema == SCHEDULE_COLUMNS


@pytest.mark.parametrize(
    ("prices", "message"),
    [
        (PRICES.filter(pl.col("price_usd_mwh") != 100), "must be evenly spaced"),
        (PRICES.with_columns(price_usd_mwh=pl.Series([1.0, None, 3.0, 4.0])), "price_usd_mwh that is not finite"),
        (PRICES.with_columns(price_usd_mwh=pl.Series([1.0, float("nan"), 3.0, 4.0])), "is not finite"),
        (PRICES.with_columns(pl.col("event_start").dt.replace_time_zone(None)), "aware UTC"),
        (pl.concat([PRICES, PRICES.head(1)]), "more than once"),
        (PRICES.head(1), "two are needed"),
        (PRICES.drop("price_usd_mwh"), "lack column"),
    ],
)
def test_prices_are_never_filled_in(prices: pl.DataFrame, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        plan_fleet(device_frame({}), prices)


def test_a_terminal_value_or_gap_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="terminal value of nan"):
        plan_fleet(device_frame({}), PRICES, terminal_value_usd_per_kwh=float("nan"))
    with pytest.raises(InputError, match="gap of 0"):
        plan_fleet(device_frame({}), PRICES, gap=0)


def test_without_a_feeders_frame_the_feeders_of_devices_do_not_matter() -> None:
    plan = plan_fleet(device_frame({"feeder": "anywhere"}), PRICES)
    assert plan.report["devices"] == 1
    assert plan.report["infeasible"] == []


def test_times_may_be_iso_text_with_an_offset() -> None:
    texts = PRICES.with_columns(pl.col("event_start").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert plan_fleet(device_frame({}), texts).schedule.equals(plan_fleet(device_frame({}), PRICES).schedule)


def test_the_kernel_of_eight_and_the_general_form_agree() -> None:
    devices = generate_fleet(203, 2, intervals=24, hours=1.0)  # 203 is no multiple of 8
    draw = np.random.default_rng(1)
    prices = price_frame(draw.normal(30, 60, 24))
    grid = price_grid(prices)
    fleet = lay_out(devices, grid, by_feeder=False)
    signal = market_signal(fleet, grid.usd_mwh, 0.03)
    fast = best_response(fleet, signal, threads=1)
    pull_to_nothing = Pull(change=np.full((24, fleet.slots), np.nan), usd_per_kwh=1.0)
    general = best_response(fleet, signal, threads=1, pull=pull_to_nothing)
    for name in ("charge", "discharge", "soc"):
        assert getattr(fast, name)[:, fleet.slot] == pytest.approx(getattr(general, name)[:, fleet.slot], abs=1e-9)


def test_the_kernel_marks_devices_whose_cost_has_more_than_two_pieces() -> None:
    half = {"availability": [0.5, 1.0, 1.0, 1.0]}
    devices, grid = device_frame({}, half), price_grid(price_frame([-50, 10, 10, 10]))
    fleet = lay_out(devices, grid, by_feeder=False)
    signal = market_signal(fleet, grid.usd_mwh, 0.0)
    plan, odd = Schedule.empty(4, fleet.slots), np.zeros(fleet.slots)
    respond(
        fleet.table, fleet.share, fleet.start, fleet.stop, signal.price, signal.mu, signal.nu, 0.0, 1.0, OVERWRITE,
        plan.charge, plan.discharge, plan.soc, odd,
    )  # fmt: skip
    assert odd[:2].tolist() == [0, 1]


def test_fifteen_minute_and_hourly_plans_of_flat_prices_cost_the_same() -> None:
    battery = device_frame({"soc_end_min_kwh": 8.1, "soc_max_kwh": 8.1})
    costs = [
        plan_fleet(battery, price_frame(np.repeat([40, 10, 70], each), 1 / each)).report["objective_usd"]
        for each in (1, 2, 4)
    ]
    # 4.5 kWh stored at 10 (5 kWh), 3.6 kWh at 40 (4 kWh).
    assert costs == pytest.approx([0.05 + 0.16] * 3)


def test_half_the_power_for_half_the_time_allows_both_at_a_burning_price() -> None:
    full = {"soc_start_kwh": 5.0, "soc_end_min_kwh": 5.0, "soc_max_kwh": 5.0}
    half = device_frame(full | {"availability": [0.5, 0.5]})
    prices = price_frame([-100, -100])
    plan = plan_fleet(half, prices)
    assert check_schedule(half, prices, plan.schedule) == []
    # Up to half the power each way at once: draw 2.5 kW, give what that stores back: 2.5 x 0.81 = 2.025 kW.
    assert plan.report["objective_usd"] == pytest.approx(-0.1 * (2.5 - 2.025) * 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop("power_kw"), "lacks column"),
        (lambda frame: pl.concat([frame, frame.head(1)]), "a device twice in an interval"),
        (lambda frame: frame.with_columns(pl.col("event_start").dt.replace_time_zone(None)), "aware UTC"),
    ],
)
def test_a_previous_schedule_that_cannot_be_read_is_refused(
    change: Callable[[pl.DataFrame], pl.DataFrame], message: str
) -> None:
    previous = plan_fleet(device_frame({}), PRICES).schedule
    with pytest.raises(FrameError, match=message):
        plan_fleet(device_frame({}), PRICES, previous=change(previous))
