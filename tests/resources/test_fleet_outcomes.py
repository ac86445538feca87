"""Executed days of the fleet: what they were worth, and why there is no number."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from domain.fleet.messages import Ack
from pipelines.wiring import ROOT
from resources.clock import ManualClock
from resources.database import Database
from resources.execution_log import ExecutionLog
from resources.fleet_log import Batch, FleetLog
from resources.fleet_measured import SERIES
from resources.fleet_outcomes import FleetOutcomes, Sources
from resources.lake import Lake
from resources.pinned import pin_frame
from resources.planning import PlanningReader
from resources.publications import make_current
from resources.publisher import Publisher
from resources.registry import Registry
from tests.fleet_oracles import device_frame

DAY = date(2026, 7, 15)
START = datetime(2026, 7, 15, 5, tzinfo=UTC)  # midnight in Texas
DECIDED = START - timedelta(hours=14, minutes=30)
HALF, QUARTER = timedelta(minutes=30), timedelta(minutes=15)
AFTER = START + timedelta(hours=25)
HUB = "ercot:spp_rt:HB_NORTH:HU"
FLEET = device_frame(
    {"device_id": "B1"}, {"device_id": "V1", "max_discharge_kw": 0.0, "soc_max_kwh": 4.5, "soc_end_min_kwh": 4.5}
)
"""A battery, and a vehicle that only charges: 5 kWh at the meter store the 4.5 kWh it needs."""


class Home:
    """A lake, a log and the plan of one day; 40 USD/MWh but 100 in the first hour and 20 in the third."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(DECIDED)
        self.database = Database(f"sqlite:///{folder / 'state.db'}")
        lake = Lake(folder / "lake", now=self.clock.now)
        self.log, self.table = FleetLog(self.database), FleetOutcomes(folder / "lake")
        self.sources = Sources(
            lake=lake, planning=PlanningReader(lake, ROOT / "config" / "series.toml"),
            publisher=Publisher(folder / "plans"), registry=Registry(self.database),
            executions=ExecutionLog(folder / "lake"),
        )  # fmt: skip
        facts = {
            "operating_day": DAY.isoformat(),
            "devices_sha256": pin_frame(lake, FLEET, name="devices", now=self.clock.now()),
        }
        schedule = pl.DataFrame({"device_id": ["B1"], "event_start": [START], "power_kw": [0.0]})
        version = self.sources.publisher.store("fleet", DECIDED, schedule, facts)
        make_current(self.sources.publisher, self.sources.registry, version, at=self.clock.now())

    def pay(self, prices: dict[int, float], *, at: datetime = AFTER - HALF) -> None:
        """Append real-time prices of local hours [USD/MWh]."""
        self.clock.set(max(self.clock.now(), at))
        starts = [START + hour * 2 * HALF + quarter * QUARTER for hour in prices for quarter in range(4)]
        self.sources.lake.append(
            pl.DataFrame({"event_start": starts, "value": [each for each in prices.values() for _ in range(4)]})
            .with_columns(
                series_id=pl.lit(HUB), event_end=pl.col("event_start") + QUARTER, belief_time=pl.lit(at),
                unit=pl.lit("USD/MWh"), source=pl.lit("ercot_api"), scenario=pl.lit("actual"),
            ),
            run_id="prices", product="prices",
        )  # fmt: skip

    def execute(self, device: str, powers_kw: dict[int, float], soc_kwh: dict[int, float], halves: range) -> None:
        """Log half hours of the day: power by its number, 0 where nothing is said, and energy stored at their end."""
        stored, acks = 0.0, []
        for half in halves:
            start, stored = START + half * HALF, soc_kwh.get(half, stored)
            acks.append(Ack(device, "s", 1, start, start, "success", powers_kw.get(half, 0.0), stored, None))
        self.log.store(Batch(acks=acks), received_at=AFTER - HALF)
        self.sources.executions.write_changed(self.log, now=AFTER)

    def settle(self, now: datetime = AFTER) -> list[date]:
        """Settle what there is to settle at an instant."""
        self.clock.set(max(self.clock.now(), now))
        return self.table.bring_up_to_date(self.sources, now=now)

    def row(self) -> dict[str, object]:
        """Return the only row."""
        (row,) = self.table.read().to_dicts()
        return row


PRICES = dict.fromkeys(range(24), 40.0) | {0: 100.0, 2: 20.0}
MEAN = (22 * 40 + 100 + 20) / 24 / 1000
"""USD/kWh."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.database.close()


def waited(home: Home, halves: range = range(-1, 48)) -> None:
    """The vehicle waits for the cheap third hour, the battery idles; both say what they had at midnight."""
    home.execute("V1", {4: -5.0, 5: -5.0}, {4: 2.25, 5: 4.5}, halves)
    home.execute("B1", {}, {}, halves)


def test_a_day_is_settled_by_hand(home: Home) -> None:
    home.pay(PRICES)
    waited(home)
    assert home.settle() == [DAY]
    row = home.row()
    assert row["reason"] is None
    assert (row["devices"], row["devices_planned"], row["power_kw"], row["settled_half_hours"]) == (2, 2, 10.0, 48)
    # 5 kWh on arrival at 100 USD/MWh, in truth at 20; the 4.5 kWh left in the end are worth the same both times.
    assert row["no_control_usd"] == pytest.approx(0.5 - 4.5 * MEAN)
    assert row["executed_usd"] == pytest.approx(0.1 - 4.5 * MEAN)
    assert (row["saved_usd"], row["saved_usd_per_kw"]) == pytest.approx((0.4, 0.04))
    assert (row["charging_devices"], row["charging_bill_usd"], row["charging_paid_usd"]) == pytest.approx((1, 0.5, 0.1))
    assert row["share_of_charging_bill"] == pytest.approx(0.8)
    # 5 kW of 10 only charge: half of the fleet, so that its bill is a measure for all of it.
    assert row["share_of_fleet_bill"] == pytest.approx(0.8)
    # With foresight the battery too buys at 20, 5 kWh for 0.1 USD, and keeps 4.5 kWh worth 41.67 USD/MWh.
    best = 0.1 - 4.5 * MEAN
    assert row["perfect_usd"] == pytest.approx(2 * best)
    assert row["share_of_perfect"] == pytest.approx(0.4 / (0.4 - best))


def test_a_day_is_settled_once_and_again_when_a_price_is_corrected(home: Home) -> None:
    home.pay(PRICES)
    waited(home)
    assert home.settle(START + timedelta(hours=23)) == []
    assert home.settle() == [DAY]
    assert home.settle(AFTER + HALF) == []
    home.pay({0: 60.0}, at=AFTER + timedelta(hours=1))
    assert home.settle(AFTER + timedelta(hours=2)) == [DAY]
    assert home.row()["charging_bill_usd"] == pytest.approx(0.3)
    # Once no acknowledgement would be taken any more, a day stays as it is.
    late = AFTER + timedelta(days=15)
    home.pay({0: 70.0}, at=late)
    assert home.settle(late + HALF) == []


def test_without_every_price_there_is_a_reason_and_no_number(home: Home) -> None:
    home.pay({hour: price for hour, price in PRICES.items() if hour < 23})
    waited(home)
    home.settle()
    row = home.row()
    assert row["reason"] == "46 of 48 half hours have a price of hb_north.price_rt.usd_mwh"
    assert (row["saved_usd"], row["devices"], row["executed_usd"]) == (None, None, None)


def test_what_was_stored_at_midnight_is_measured_or_the_device_does_not_count(home: Home) -> None:
    home.pay(PRICES)
    waited(home, range(48))  # no acknowledgement of the half hour that ended at midnight
    home.settle()
    row = home.row()
    assert (row["devices"], row["without_start"], row["saved_usd"]) == (None, 2, None)
    assert row["reason"] == (
        "of 2 device(s) 2 have no state of charge of the day's beginning and 0 have not acknowledged every half hour"
    )
    at = START - timedelta(minutes=20)
    home.sources.lake.append(
        pl.DataFrame({"series_id": [SERIES.format("V1", "soc_kwh")], "value": [0.0]}).with_columns(
            event_start=pl.lit(at), event_end=pl.lit(at), belief_time=pl.lit(at), unit=pl.lit("kWh"),
            source=pl.lit("fleet"),
        ),
        run_id="telemetry", product="telemetry",
    )  # fmt: skip
    assert home.settle(AFTER + HALF) == [DAY]
    row = home.row()
    assert (row["devices"], row["without_start"]) == (1, 1)
    assert row["saved_usd"] == pytest.approx(0.4)


def test_a_device_that_has_not_acknowledged_every_half_hour_does_not_count(home: Home) -> None:
    home.pay(PRICES)
    home.execute("V1", {4: -5.0, 5: -5.0}, {4: 2.25, 5: 4.5}, range(-1, 48))
    home.execute("B1", {}, {}, range(-1, 47))
    home.settle()
    row = home.row()
    assert (row["devices"], row["without_execution"]) == (1, 1)
    assert row["perfect_usd"] == pytest.approx(row["executed_usd"])
    # The last half hour comes late, as of a device without a network: the day is settled again.
    home.execute("B1", {}, {}, range(47, 48))
    assert home.settle(AFTER + HALF) == [DAY]
    assert home.row()["devices"] == 2
