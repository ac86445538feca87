"""A small home that the warehouse's tests build from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl

from domain.beliefs import TIME
from domain.instants import CENTRAL, local_day
from resources.fleet_log import TOLD
from resources.fleet_outcomes import OUTCOME_COLUMNS, FleetOutcomes
from resources.lake import Lake
from resources.publisher import Publisher
from resources.warehouse import newest

DAY = datetime(2026, 11, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)
R4 = "pi:OPS/Gauging Stations/R4|Flow:avg1h"
LEVEL = "pi:OPS/Reservoirs/Afterbay|Elevation:interp1h"
VENDOR = "hydroforecast:discharge:pcwa-r4-middle-fork-american-abv-power-house-total"
HUB = "ercot:spp_rt:HB_NORTH:HU"

Row = dict[str, object]


def said(series: str, start: datetime, value: float | None, unit: str, step: timedelta = HOUR, **more: object) -> Row:
    """One belief, stated when its interval ended unless ``more`` says otherwise."""
    return {
        "series_id": series, "event_start": start, "event_end": start + step, "belief_time": start + step,
        "value": value, "unit": unit, "source": series.partition(":")[0], "scenario": "actual", "quantile": None,
        "quality": "good", **more,
    }  # fmt: skip


def beliefs() -> Iterator[Row]:
    for quarter in range(8):
        yield said(HUB, DAY + QUARTER * quarter, 10.0 * (quarter + 1), "USD/MWh", QUARTER, source="ercot_api")
    # A correction of the third quarter, an hour later, and a retraction of the sixth.
    third, sixth = DAY + 2 * QUARTER, DAY + 5 * QUARTER
    yield said(HUB, third, 70.0, "USD/MWh", QUARTER, belief_time=DAY + 2 * HOUR, source="ercot_api")
    yield said(
        HUB, sixth, None, "USD/MWh", QUARTER, belief_time=DAY + 3 * HOUR, source="ercot_api", quality="retracted"
    )
    yield said("ercot:spp_da:HB_NORTH", DAY, 33.0, "USD/MWh", belief_time=DAY - 6 * HOUR, source="ercot_api")
    yield said("caiso:lmp_da:RALSTON_7_B1:MCC", DAY, 1.0, "USD/MWh", source="caiso_oasis")  # a component, no price
    for hour, cfs in enumerate((100.0, 120.0, 140.0)):
        yield said(R4, DAY + HOUR * hour, cfs, "cfs")
    yield said(R4, DAY + 3 * HOUR, 1e6, "cfs")  # beyond the believable range of config/series.toml
    yield said(LEVEL, DAY + 2 * HOUR, 1170.0, "ft", timedelta(), belief_time=DAY + 2 * HOUR)
    # The vendor at 23:00 the day before: 90 cfs for 00:00 (lead 1 h) and 100 for 01:00 (lead 2 h), with a band.
    issued = {"belief_time": DAY - HOUR, "source": "hydroforecast"}
    for hour, cfs in enumerate((90.0, 100.0)):
        yield said(VENDOR, DAY + HOUR * hour, cfs, "cfs", scenario="mean", **issued)
        for quantile, far in ((0.1, -30.0), (0.5, 0.0), (0.9, 15.0)):
            yield said(VENDOR, DAY + HOUR * hour, cfs + far, "cfs", scenario="quantile", quantile=quantile, **issued)
    ours = {"source": "tailrace", "belief_time": DAY}
    for quantile, cfs in ((None, 104.0), (0.1, 95.0), (0.9, 130.0)):
        yield said("r4.flow.cfs", DAY + HOUR, cfs, "cfs", scenario="forecast", quantile=quantile, **ours)
    for at, decided, level in ((2, 0, 1169.0), (2, 1, 1169.6)):
        moment = DAY + HOUR * at
        yield said(
            "afterbay.elevation.ft", moment, level, "ft", timedelta(), scenario="plan", source="tailrace",
            belief_time=DAY + HOUR * decided,
        )  # fmt: skip


def small_lake(home: Path) -> Lake:
    instants = iter(DAY + timedelta(days=1, minutes=minute) for minute in range(1000))
    lake = Lake(home / "lake", now=lambda: next(instants))
    rows = pl.DataFrame(list(beliefs()), infer_schema_length=None).with_columns(
        pl.col("event_start", "event_end", "belief_time").cast(TIME)
    )
    for series in rows.partition_by("source"):  # several files, some with quantiles and some without
        lake.append(series, run_id="run", product="test")
    return lake


def fleet_plan(home: Path, *, half_hours: int, day_after: int = 0) -> None:
    start, _ = local_day((DAY + timedelta(days=1 + day_after)).date(), CENTRAL)
    rows = [
        {"device_id": device, "event_start": start + timedelta(minutes=30) * i, "power_kw": kw, "soc_kwh": 5.0}
        for device, kw in (("A", 4.0), ("B", -2.0))
        for i in range(half_hours)
    ]
    schedule = pl.DataFrame(rows).with_columns(pl.col("event_start").cast(TIME))
    facts = {
        "mode": "published", "recorded_before": "2026-11-21T15:31:00Z", "status": "optimal", "objective_usd": -7,
        "bound_usd": -7.0, "gap": 0.0, "solver": "highs", "input_sha256": "5e1f", "code_version": "1", "devices": 2,
        "operating_day": str(start.astimezone(CENTRAL).date()), "earnings_usd": 12.5, "provenance": {"price": "ours"},
    }  # fmt: skip
    publisher = Publisher(home / "plans")
    version = publisher.store("fleet", DAY + timedelta(hours=15, minutes=30), schedule, facts)
    publisher.publish(version, published_at=DAY + 16 * HOUR)


def executions(home: Path) -> None:
    """Two devices told 4 kW and to take 2 kW at noon; the first gives 3 kW, the second fails, both 31 minutes later."""
    noon = DAY + 12 * HOUR
    told = pl.DataFrame({"device_id": ["A", "B"], "event_start": [noon] * 2, "mode": [1, 2], "rate_kw": [4.0, 2.0]})
    version = Publisher(home / "plans").store(TOLD, noon, told.with_columns(pl.col("event_start").cast(TIME)), {})
    shared = {"interval_start": noon, "schedule_id": version.schedule_id, "version": version.number}
    log = [
        {**shared, "device_id": device, "execution_time": noon + 30 * MINUTE, "status": status, "actual_rate_kw": kw,
         "soc_kwh": 5.0, "error_message": None, "received_at": noon + 31 * MINUTE}
        for device, status, kw in (("A", "success", 3.0), ("B", "failed", 0.0))
    ]  # fmt: skip
    folder = home / "lake" / "execution_log"
    folder.mkdir(parents=True)
    times = ("interval_start", "execution_time", "received_at")
    pl.DataFrame(log).with_columns(pl.col(times).cast(TIME)).write_parquet(folder / f"{DAY:%Y-%m-%d}.parquet")


def outcomes(home: Path) -> None:
    """A settled day of the fleet, and one that lacks its prices."""
    shared = {"schedule_id": "fleet-20261120T1530Z", "version": 1, "half_hours": 48, "devices_planned": 3}
    days = [
        {**shared, "operating_day": DAY.date(), "devices": 2, "saved_usd": 0.4, "share_of_perfect": 0.75,
         "share_of_charging_bill": 0.8, "settled_half_hours": 48, "settled_at": DAY + 30 * HOUR},
        {**shared, "operating_day": (DAY + 24 * HOUR).date(), "reason": "2 of 48 half hours have a price",
         "settled_half_hours": 2, "settled_at": DAY + 54 * HOUR},
    ]  # fmt: skip
    path = FleetOutcomes(home / "lake").path
    path.parent.mkdir(parents=True)
    pl.DataFrame(days, schema=OUTCOME_COLUMNS, orient="row").write_parquet(path)


def ask(home: Path, query: str) -> list[dict]:
    with duckdb.connect(str(newest(home)), read_only=True) as connection:
        return connection.sql(query).pl().to_dicts()
