"""Claims about how far a half hour has come, who is silent, who strays, and what is worth an alert."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from domain.beliefs import TIME
from domain.fleet import generate_fleet, price_grid
from domain.fleet.lifecycle import deviations, fleet_alerts, interval_states, silent_devices
from domain.fleet.outcome import cost_usd, uncontrolled

T = datetime(2026, 11, 22, 6, tzinfo=UTC)
HALF = timedelta(minutes=30)
MINUTE = timedelta(minutes=1)
DEVICES = pl.DataFrame({"device_id": ["a", "b", "c"], "feeder": ["F", "F", None]})


def setpoints(*devices: str, halves: int = 1, rate_kw: float = 4.0, mode: int = 1) -> pl.DataFrame:
    rows = [(device, T + HALF * n, mode, rate_kw) for device in devices for n in range(halves)]
    return pl.DataFrame(
        rows, schema={"device_id": pl.String, "event_start": TIME, "mode": pl.Int8, "rate_kw": pl.Float64}, orient="row"
    )


def deliveries(**times: tuple[datetime | None, datetime | None]) -> pl.DataFrame:
    rows = [(device, *both) for device, both in times.items()]
    return pl.DataFrame(rows, schema={"device_id": pl.String, "published_at": TIME, "delivered_at": TIME}, orient="row")


def executions(*rows: tuple[str, datetime, str, float | None, datetime]) -> pl.DataFrame:
    schema = {
        "device_id": pl.String, "interval_start": TIME, "status": pl.String, "actual_rate_kw": pl.Float64,
        "received_at": TIME,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


# The deadline is five minutes after the end of the half hour.
@pytest.mark.parametrize(
    ("told", "heard", "at", "state", "late"),
    [
        ((None, None), None, HALF, "planned", False),
        ((T, None), None, HALF, "published", False),
        ((T, T), None, HALF + 5 * MINUTE, "delivered", False),
        ((T, T), None, HALF + 6 * MINUTE, "missed", False),
        ((None, None), None, HALF + 6 * MINUTE, "missed", False),
        ((T, T), ("success", HALF + MINUTE), HALF + 6 * MINUTE, "executed", False),
        ((T, T), ("success", 9 * HALF), 10 * HALF, "executed", True),
        ((T, T), ("failed", HALF), 10 * HALF, "acknowledged", False),
    ],
)
def test_a_half_hour_is_as_far_as_the_times_say(
    told: tuple[datetime | None, datetime | None],
    heard: tuple[str, timedelta] | None,
    at: timedelta,
    state: str,
    late: bool,
) -> None:
    rows = [] if heard is None else [("a", T, heard[0], 4.0, T + heard[1])]
    found = interval_states(setpoints("a"), deliveries(a=told), executions(*rows), now=T + at)
    assert found.select("state", "is_late").rows() == [(state, late)]


def test_a_half_hour_executed_under_an_older_schedule_too_is_one_row_the_first_to_come() -> None:
    both = executions(("a", T, "failed", 0.0, T + HALF), ("a", T, "success", 4.0, T + 2 * HALF))
    found = interval_states(setpoints("a"), deliveries(a=(T, T)), both, now=T + 3 * HALF)
    assert found["state"].to_list() == ["acknowledged"]


def test_a_device_is_silent_after_two_missed_heartbeats_and_when_it_was_never_heard() -> None:
    statuses = pl.DataFrame(
        {"device_id": ["a", "b", "c"], "last_seen_at": [T, T - 66 * MINUTE, None]},
        schema_overrides={"last_seen_at": TIME},
    )
    assert silent_devices(statuses, now=T) == ["b", "c"]


def test_deviation_is_judged_by_device_and_cancels_on_a_feeder() -> None:
    # a gives 3 instead of 4 kW, b 5 instead of 4: each strays by 0.5 kWh an hour, their feeder not at all.
    rows = [("a", T + HALF * n, "success", 3.0, T) for n in range(4)]
    rows += [("b", T + HALF * n, "success", 5.0, T) for n in range(4)]
    states = interval_states(setpoints("a", "b", "c", halves=4), deliveries(), executions(*rows), now=T + 9 * HALF)
    found = deviations(states, DEVICES, by="device")
    assert found.rows() == [("a", 8.0, 2.0), ("b", 8.0, 2.0)]  # c answered for nothing: missed, not strayed
    assert deviations(states, DEVICES, by="feeder").is_empty()


def alerts(now: datetime, *, silent: int, devices: int = 20, executed: int = 20) -> set[str]:
    """Return the kinds of alert for a fleet of which some are silent and some executed what they were told."""
    ids = [f"d{n:02}" for n in range(devices)]
    seen = [now - timedelta(hours=3) if n < silent else now for n in range(devices)]
    statuses = pl.DataFrame({"device_id": ids, "last_seen_at": seen}).with_columns(pl.col("last_seen_at").cast(TIME))
    rows = [(device, T, "success", 4.0, T + HALF) for device in ids[:executed]]
    states = interval_states(setpoints(*ids), deliveries(), executions(*rows), now=now)
    feeders = pl.DataFrame({"device_id": ids, "feeder": ["F"] * devices})
    return {alert.kind for alert in fleet_alerts(statuses, states, feeders, valid_to=T + 4 * HALF, now=now)}


def test_each_condition_raises_its_alert_and_a_healthy_fleet_none() -> None:
    now = T + HALF + 10 * MINUTE
    assert alerts(now, silent=0) == set()
    assert alerts(now, silent=1) == set()  # 5 % is the limit, not beyond it
    assert alerts(now, silent=2) == {"fleet_offline"}
    assert alerts(now, silent=0, executed=19) == {"fleet_missed_intervals"}
    assert alerts(T + 4 * HALF, silent=0) == {"fleet_plan_expired"}


def test_left_alone_a_device_charges_to_what_it_needs_and_pays_the_price_of_that_hour() -> None:
    fleet = generate_fleet(1, 1).with_columns(
        capacity_kwh=10.0, max_charge_kw=4.0, max_discharge_kw=4.0, charge_efficiency=0.5, discharge_efficiency=1.0,
        soc_min_kwh=0.0, soc_max_kwh=10.0, soc_start_kwh=2.0, soc_end_min_kwh=3.5, wear_usd_per_kwh=0.01,
        availability=pl.lit(None, pl.List(pl.Float64)),
    )  # fmt: skip
    prices = pl.DataFrame({"event_start": [T + HALF * n for n in range(3)], "price_usd_mwh": [100.0, 50.0, 20.0]})
    prices = prices.with_columns(pl.col("event_start").cast(TIME))
    assert len(price_grid(prices).starts) == 3
    alone = uncontrolled(fleet, prices)
    # 1.5 kWh missing take 3 kWh at half efficiency: 4 kW for half an hour, 2 kW for the next.
    assert alone["power_kw"].to_list() == pytest.approx([-4.0, -2.0, 0.0])
    assert alone["soc_kwh"].to_list() == pytest.approx([3.0, 3.5, 3.5])
    # 2 kWh at 0.10 and 1 kWh at 0.05 USD, wear of 3 kWh at 0.01; 1.5 kWh gained are worth 0.02 each.
    assert cost_usd(fleet, alone, prices, 0.0) == pytest.approx(0.25 + 0.03)
    assert cost_usd(fleet, alone, prices, 0.02) == pytest.approx(0.28 - 0.03)
