"""The fleet within the day: what is planned again, what stays, and what is done when nothing can be planned."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest

from assets.dispatch_fleet import fleet_plan, fleet_replan
from assets.publish import fleet_schedule
from domain.beliefs import Cutoffs, Mode
from domain.errors import InfeasibleError
from domain.fleet import check_devices, check_schedule, generate_fleet
from domain.instants import CENTRAL, local_day, parse_instant
from resources import fleet_ladder
from resources.clock import ManualClock
from resources.fleet_decisions import FLEET_PRICE, fleet_case, fleet_earnings_usd
from resources.fleet_measured import SERIES
from resources.fleet_replan import decide_again_on_the_ladder, first_half_hour
from resources.lake import Lake
from resources.pinned import unpin_frame
from resources.publisher import Publisher, Version
from resources.registry import Registry
from solvers.fleet import rule

DECIDED = datetime(2026, 7, 14, 14, 30, tzinfo=UTC)  # 09:30 in Texas, for 15 July
HOUR = timedelta(hours=1)
AFTERNOON = datetime(2026, 7, 15, 18, tzinfo=UTC)  # 13:00 in Texas


class Home:
    """A lake, a registry and a folder of plans, with a clock."""

    def __init__(self, folder: Path, day: datetime = DECIDED) -> None:
        self.clock = ManualClock(day)
        self.lake = Lake(folder / "lake", now=self.clock.now)
        self.registry = Registry(f"sqlite:///{folder / 'state.db'}")
        self.publisher = Publisher(folder / "plans")
        self.fleet = generate_fleet(40, 3)
        if self.registry.devices().is_empty():
            self.registry.put_devices(self.fleet, changed_at=day)

    def until(self, at: datetime) -> None:
        """Let time pass."""
        self.clock.set(max(self.clock.now(), at))

    def forecast(self, at: datetime, *, shift: float = 0.0, hours: int = 44) -> None:
        """Append a price forecast of ours that begins with the hour of ``at``."""
        self.until(at)
        starts = [at.replace(minute=0) + hour * HOUR for hour in range(hours)]
        local = np.array([start.astimezone(CENTRAL).hour for start in starts])
        value = 40 + 90 * np.exp(-(((local - 19) / 2) ** 2)) - 30 * np.exp(-(((local - 3) / 3) ** 2)) + shift
        self.lake.append(
            pl.DataFrame({"event_start": starts, "value": value}).with_columns(
                series_id=pl.lit(FLEET_PRICE), event_end=pl.col("event_start") + HOUR, belief_time=pl.lit(at),
                unit=pl.lit("USD/MWh"), source=pl.lit("tailrace"), scenario=pl.lit("forecast"),
            ),
            run_id="forecast", product="forecast:price",
        )  # fmt: skip

    def hear(self, at: datetime, soc_kwh: dict[str, float]) -> None:
        """Append what devices measured."""
        self.until(at)
        self.lake.append(
            pl.DataFrame({"device": list(soc_kwh), "value": list(soc_kwh.values())}).select(
                "value", series_id=pl.format(SERIES.format("{}", "soc_kwh"), "device"), event_start=pl.lit(at),
                event_end=pl.lit(at), belief_time=pl.lit(at), unit=pl.lit("kWh"), source=pl.lit("devices"),
            ),
            run_id="telemetry", product="telemetry",
        )  # fmt: skip

    def run(self, at: datetime, *assets: dg.AssetsDefinition) -> None:
        """Materialize the partition of an instant, some minutes later."""
        self.clock.set(at + timedelta(minutes=7))
        hourly = assets[0] is fleet_replan
        key = f"{at:%Y-%m-%dT%H:%MZ}" if hourly else f"{at.astimezone(CENTRAL):%Y-%m-%dT%H:%M%z}"
        with dg.DagsterInstance.ephemeral() as instance:
            dg.materialize(
                list(assets), partition_key=key, instance=instance,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                resources={
                    "lake": self.lake, "publisher": self.publisher, "registry": self.registry, "clock": self.clock,
                    "code_version": "test",
                },
            )  # fmt: skip

    def again(self, at: datetime) -> Version | None:
        """Decide within the day and return what was stored."""
        self.run(at, fleet_replan)
        return self.publisher.newest("fleet_replan", at)

    def in_force(self) -> pl.DataFrame:
        """Return the day-ahead schedule."""
        return self.publisher.get("fleet", DECIDED).schedule()

    def planned_kwh(self, at: datetime) -> dict[str, float]:
        """Return what the day-ahead plan has in store at a half hour."""
        rows = self.in_force().filter(pl.col("event_start") == at - HOUR / 2)
        return dict(rows.select("device_id", "soc_kwh").iter_rows())


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the day ahead is decided and published."""
    folder = tmp_path_factory.mktemp("decided")
    home = Home(folder)
    home.forecast(DECIDED)
    home.run(DECIDED, fleet_plan, fleet_schedule)
    home.registry.close()
    return folder


@pytest.fixture
def home(decided: Path, tmp_path: Path) -> Iterator[Home]:
    folder = tmp_path / "home"
    shutil.copytree(decided, folder)
    home = Home(folder)
    home.until(DECIDED + timedelta(minutes=7))
    yield home
    home.registry.close()


def rest(schedule: pl.DataFrame, start: datetime) -> pl.DataFrame:
    return schedule.filter(pl.col("event_start") >= start).sort("device_id", "event_start")


def test_where_nothing_is_new_the_plan_in_force_goes_on(home: Home) -> None:
    home.forecast(AFTERNOON, shift=1.0)
    home.hear(AFTERNOON - timedelta(minutes=1), {})
    assert home.again(AFTERNOON) is None


def test_only_the_device_that_is_off_its_plan_is_planned_again(home: Home) -> None:
    home.forecast(AFTERNOON)
    planned, heard_at = home.planned_kwh(AFTERNOON), AFTERNOON - timedelta(minutes=15)
    before = home.planned_kwh(AFTERNOON - HOUR / 2)
    halfway = {name: (planned[name] + before[name]) / 2 for name in planned}
    one = next(name for name in planned if name.startswith("C") and min(planned[name], before[name]) > 40)
    home.hear(heard_at, halfway | {one: halfway[one] - 30.0})
    version = home.again(AFTERNOON)
    assert version is not None
    assert version.manifest["planned_again"] == 1
    assert version.manifest["reasons"] == {"kWh off its plan": 1}
    start = first_half_hour(AFTERNOON)
    assert start == AFTERNOON + HOUR / 2
    new, old = version.schedule(), rest(home.in_force(), start)
    others = pl.col("device_id") != one
    assert new.filter(others).equals(old.filter(others))
    mine, gain = new.filter(~others), 0.5 * home.fleet.filter(~others)["charge_efficiency"][0]
    first, device = mine.row(0, named=True), home.fleet.filter(~others).row(0, named=True)
    # 30 kWh less than planned in the middle of the half hour are 30 kWh less at the next one.
    taken = first["discharge_kw"] * 0.5 / device["discharge_efficiency"]
    in_force = dict(
        home.in_force().filter(pl.col("event_start") == AFTERNOON).select("device_id", "soc_kwh").iter_rows()
    )
    assert first["soc_kwh"] == pytest.approx(in_force[one] - 30.0 + first["charge_kw"] * gain - taken)


def test_a_new_forecast_plans_everybody_again_and_close_to_what_they_did(home: Home) -> None:
    home.forecast(AFTERNOON, shift=20.0)
    version = home.again(AFTERNOON)
    assert version is not None
    assert version.manifest["planned_again"] == 40
    # A shift of all prices changes next to nothing about when to charge.
    old = rest(home.in_force(), first_half_hour(AFTERNOON))
    same = (version.schedule()["power_kw"] - old["power_kw"]).abs() < 1e-9
    assert same.mean() > 0.9
    home.forecast(AFTERNOON + HOUR, shift=21.0)
    assert home.again(AFTERNOON + HOUR) is None


def test_changed_limits_and_new_devices_are_planned_and_retired_ones_are_not(home: Home) -> None:
    home.forecast(AFTERNOON)
    changed = home.fleet.head(1).with_columns(pl.col("max_charge_kw") * 0.5)
    new = generate_fleet(1, 99).with_columns(device_id=pl.lit("NEW"))
    retired = home.fleet.tail(1).with_columns(status=pl.lit("retired"))
    home.registry.put_devices(pl.concat([changed, new, retired]), changed_at=AFTERNOON)
    version = home.again(AFTERNOON)
    assert version is not None
    assert version.manifest["reasons"] == {
        "its limits or availability have changed": 1, "no plan in force covers it": 1
    }  # fmt: skip
    planned = set(version.schedule()["device_id"])
    assert "NEW" in planned
    assert retired["device_id"][0] not in planned


def test_a_replay_comes_out_the_same_to_the_last_bit(home: Home) -> None:
    home.forecast(AFTERNOON, shift=20.0)
    home.hear(AFTERNOON - timedelta(minutes=20), dict.fromkeys(home.fleet["device_id"].head(5), 1.0))
    version = home.again(AFTERNOON)
    assert version is not None
    # What becomes known later changes nothing.
    home.clock.set(AFTERNOON + HOUR)
    home.forecast(AFTERNOON - HOUR, shift=80.0)
    home.hear(AFTERNOON - timedelta(minutes=10), dict.fromkeys(home.fleet["device_id"], 2.0))
    manifest = version.manifest
    cutoffs = Cutoffs(
        at=AFTERNOON, mode=Mode.PUBLISHED, recorded_before=parse_instant(manifest["recorded_before"], what="test")
    )
    previous = home.publisher.get("fleet", DECIDED)
    again = decide_again_on_the_ladder(home.lake, unpin_frame(home.lake, manifest["devices_sha256"]), previous, cutoffs)
    assert again.schedule is not None
    assert again.schedule.equals(version.schedule())
    assert again.case.fingerprint == manifest["input_sha256"]


def test_without_prices_the_last_plan_goes_on_under_its_name_and_people_are_told(home: Home) -> None:
    tomorrow = DECIDED + 24 * HOUR
    home.run(tomorrow, fleet_plan, fleet_schedule)
    version = home.publisher.get("fleet", tomorrow)
    assert version.manifest["status"] == "shifted"
    assert version.manifest["fallback"]["previous"] == {"plan": "fleet", "as_of": "2026-07-14T14:30:00Z", "version": 1}
    assert "our forecast covers" in version.manifest["fallback"]["reason"]
    alert = home.registry.alerts()[0]
    assert (alert["kind"], alert["severity"]) == ("fleet_fallback", "warning")
    # Within every limit, from where the devices stand, and with the energy they need at the end.
    schedule = version.schedule()
    good, _ = check_devices(home.fleet, intervals=48)
    prices = pl.read_parquet(version.folder / "prices.parquet")
    assert prices["price_usd_mwh"].null_count() == 48
    assert check_schedule(good, prices.with_columns(price_usd_mwh=pl.lit(0.0)), schedule) == []


def test_a_day_that_loses_an_hour_is_planned_and_replayed_alike(tmp_path: Path) -> None:
    before = datetime(2026, 3, 7, 15, 30, tzinfo=UTC)
    home = Home(tmp_path, before)
    home.forecast(before, hours=50)
    home.run(before, fleet_plan, fleet_schedule)
    version = home.publisher.get("fleet", before)
    manifest, devices = version.manifest, unpin_frame(home.lake, version.manifest["devices_sha256"])
    recorded = parse_instant(manifest["recorded_before"], what="test")
    again = fleet_case(home.lake, devices, Cutoffs(at=before, mode=Mode.PUBLISHED, recorded_before=recorded))
    home.registry.close()
    # 23 hours; a list of availability by the half hours of an ordinary day loses those from 02:00 to 03:00.
    assert version.schedule().height == 40 * 46
    assert again.fingerprint == manifest["input_sha256"]


def test_within_the_day_a_missing_forecast_keeps_the_plan_in_force(home: Home) -> None:
    late = AFTERNOON + 20 * HOUR
    home.registry.put_devices(home.fleet.head(0), changed_at=late)
    version = home.again(late)
    assert version is not None
    # No plan for that day was ever made, and no price is known beyond the forecast: every device rests.
    assert version.manifest["status"] == "idle"
    assert version.schedule()["rate_kw"].sum() == 0
    assert home.registry.alerts()[0]["severity"] == "critical"


def test_a_solver_that_fails_leaves_the_rule_of_cheap_and_dear_hours(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_case: object) -> None:
        raise InfeasibleError("the schedule breaks a limit")

    monkeypatch.setattr(fleet_ladder, "decide_fleet", fail)
    cutoffs = Cutoffs(at=DECIDED, mode=Mode.PUBLISHED, recorded_before=home.lake.pin())
    case = fleet_case(home.lake, home.registry.devices(), cutoffs)
    decision = fleet_ladder.decide_on_the_ladder(lambda: case, at=DECIDED, devices=case.devices, previous=None)
    assert decision.fallback is not None
    assert (decision.fallback.rung, decision.report["status"]) == ("rule", "rule")
    good, _ = check_devices(case.devices, intervals=48)
    assert check_schedule(good, case.prices, decision.schedule, strict=True) == []
    earned = fleet_earnings_usd(case, decision.schedule)
    assert earned > fleet_earnings_usd(case, rule.idle(good, case.prices)) == 0.0


def test_a_day_whose_last_plan_is_missing_is_planned_from_now_on(home: Home) -> None:
    later = DECIDED + 3.5 * HOUR  # still 14 July: the plan in force is that of 15 July
    home.forecast(later)
    version = home.again(later)
    assert version is not None
    assert version.manifest["reasons"] == {"no plan in force covers it": 40}
    start, end = first_half_hour(later), local_day(later.astimezone(CENTRAL).date(), CENTRAL)[1]
    times = version.schedule()["event_start"]
    assert (times.min(), times.max()) == (start, end - HOUR / 2)
