"""What is found of documents, acknowledgements and heartbeats that are not as they must be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from domain.beliefs import Cutoffs, Mode
from domain.fleet.external import ENTRY_COLUMNS
from domain.fleet.messages import Ack
from resources.database import Database
from resources.execution_log import ExecutionLog
from resources.fleet_checks import (
    beyond_their_limits,
    cannot_be_followed,
    entries_that_cannot_be_followed,
    kept_otherwise,
)
from resources.fleet_log import TOLD, Batch, FleetLog
from resources.fleet_measured import HEARD, SERIES, measured, stored_at
from resources.lake import Lake
from resources.publisher import Publisher, Version
from tests.fleet_oracles import device_frame

T = datetime(2026, 7, 15, 18, tzinfo=UTC)
HALF = timedelta(minutes=30)
FLEET = device_frame({"device_id": "A", "soc_start_kwh": 8.0}, {"device_id": "B", "soc_start_kwh": 8.0})
"""10 kWh, 5 kW, 0.9 each way."""


def heard(device: str, soc_kwh: float, at: datetime) -> pl.DataFrame:
    return pl.DataFrame({"device_id": [device], "heard_at": [at], "measured_kwh": [soc_kwh]})


def told(*rates: tuple[str, int, int, float]) -> pl.DataFrame:
    """Return half hours: device, number from T on, mode, rate."""
    frame = pl.DataFrame(list(rates), schema=["device_id", "n", "mode", "rate_kw"], orient="row")
    start = pl.lit(T) + pl.col("n") * HALF
    return frame.select("device_id", event_start=start.dt.cast_time_unit("us"), mode="mode", rate_kw="rate_kw")


def test_what_is_stored_is_what_was_measured_and_what_was_told_since() -> None:
    rates = told(("A", 0, 2, 4.0), ("A", 1, 1, 1.8), ("A", 2, 1, 5.0))
    at = T + 2 * HALF
    stored = stored_at(FLEET, heard("A", 5.0, T + HALF / 2), rates, at)
    # A quarter hour of 4 kW stores 0.9 kWh, half an hour of 1.8 kW takes 1.0; what is told from then on is not yet so.
    assert stored.select("device_id", "is_measured").rows() == [("A", True), ("B", False)]
    assert stored["soc_start_kwh"].to_list() == pytest.approx([4.9, 8.0])
    alone = stored_at(FLEET, heard("A", 5.0, T), None, at)
    assert alone["soc_start_kwh"].to_list() == [5.0, 8.0]


def test_a_measurement_counts_for_an_hour_and_five_minutes(tmp_path: Path) -> None:
    lake = Lake(tmp_path, now=lambda: T)
    for at, soc in ((T - HEARD, 6.0), (T - HEARD - timedelta(seconds=1), 7.0)):
        name = "A" if soc == 6.0 else "B"
        say(lake, name, soc, at)
    found = measured(lake, Cutoffs(at=T, mode=Mode.PUBLISHED), before=T)
    assert found.rows() == [("A", T - HEARD, 6.0)]


def say(lake: Lake, device: str, soc_kwh: float, at: datetime) -> None:
    """Append a heartbeat."""
    row = {"series_id": SERIES.format(device, "soc_kwh"), "event_start": at, "event_end": at, "belief_time": at}
    lake.append(pl.DataFrame([row | {"value": soc_kwh, "unit": "kWh", "source": "fleet"}]), run_id="r", product="p")


def document(folder: Path, *rates: tuple[str, int, int, float]) -> Version:
    """Store what devices are told from T on."""
    return Publisher(folder / "plans").store(TOLD, T, told(*rates), {})


def test_a_device_that_would_run_empty_from_what_it_measured_is_named(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake", now=lambda: T)
    say(lake, "A", 5.0, T - HALF / 3)
    say(lake, "B", 8.0, T - HALF / 3)
    # 2 x 5 kW for half an hour take 5.56 kWh: 8 kWh last, 5 do not, though by the registry A has 8, too.
    rates = [(device, n, 1, 5.0) for device in "AB" for n in range(2)]
    faults, judged = cannot_be_followed(
        lake, FLEET, None, document(tmp_path, *rates), Cutoffs(at=T, mode=Mode.PUBLISHED)
    )
    assert judged == 2
    ((device, reason),) = [(row["device_id"], row["reason"]) for row in faults]
    assert device == "A"
    assert "from 2.22222 to -0.555556 kWh" in reason


def test_a_meters_error_is_no_fault_and_nobody_is_judged_unheard(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake", now=lambda: T)
    say(lake, "A", 5.3, T - HALF / 3)
    rates = [(device, n, 1, 5.0) for device in "AB" for n in range(2)]
    version = document(tmp_path, *rates)
    # 0.26 kWh below empty: within 5 % of 10 kWh.
    assert cannot_be_followed(lake, FLEET, None, version, Cutoffs(at=T, mode=Mode.PUBLISHED)) == ([], 1)


def test_heartbeats_beyond_what_a_device_is_are_found() -> None:
    said = [("A", 5.05, 10.1), ("A", 5.2, 5.0), ("B", -5.2, 5.0), ("B", 0.0, 10.3), ("B", 0.0, -0.3), ("B", 0.0, -0.1)]
    reports = pl.DataFrame(
        [(device, T + n * HALF, power, soc) for n, (device, power, soc) in enumerate(said)],
        schema=["device_id", "reported_at", "power_kw", "soc_kwh"], orient="row",
    )  # fmt: skip
    # 2 % of 5 kW and of 10 kWh are a meter's error.
    found = beyond_their_limits(reports, FLEET)
    assert found.select("power_kw", "soc_kwh").rows() == [(5.2, 5.0), (-5.2, 5.0), (0.0, 10.3), (0.0, -0.3)]


def test_a_day_file_that_lacks_a_row_or_has_it_twice_is_found(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'state.db'}")
    log, files = FleetLog(database), ExecutionLog(tmp_path / "lake")
    acks = [Ack("A", "s", 1, T + n * HALF, T, "success", 1.0, 5.0, None) for n in range(3)]
    log.store(Batch(acks=acks), received_at=T)
    days = list(files.write_changed(log, now=T))
    assert kept_otherwise(files, log, days) == []
    (path,) = files.files(T.date(), T.date() + timedelta(days=1))
    rows = pl.read_parquet(path)
    rows.head(2).write_parquet(path)
    assert kept_otherwise(files, log, days) == [
        "2026-07-15: 0 acknowledgement(s) more than once, 1 of the database missing"
    ]
    pl.concat([rows, rows.head(1)]).write_parquet(path)
    assert kept_otherwise(files, log, days) == [
        "2026-07-15: 1 acknowledgement(s) more than once, 0 of the database missing"
    ]
    # What came after the writing is no fault of the file.
    rows.write_parquet(path)
    log.store(Batch(acks=[acks[0]._replace(version=2)]), received_at=T)
    assert kept_otherwise(files, log, days) == []
    database.close()


def entries(*rates: tuple[str, int, int, float]) -> pl.DataFrame:
    """Return entries of somebody's schedule: device, number of the half hour from T on, mode, rate."""
    return (
        told(*rates)
        .with_columns(
            schedule_id=pl.lit("theirs"), event_end=pl.col("event_start") + HALF, priority=5, issued_at=pl.lit(T)
        )
        .select(pl.col(name).cast(dtype) for name, dtype in ENTRY_COLUMNS.items())
    )


def test_entries_of_others_are_judged_from_what_is_measured_and_else_from_the_registry(tmp_path: Path) -> None:
    lake, publisher = Lake(tmp_path / "lake", now=lambda: T), Publisher(tmp_path / "plans")
    say(lake, "A", 5.0, T - HALF / 3)
    theirs = entries(*[(device, n, 1, 5.0) for device in "AB" for n in (2, 3)])
    # 5.56 kWh are asked for: by the registry both have 8, but A measured 5.
    faults, judged = entries_that_cannot_be_followed(lake, publisher, FLEET, theirs, now=T)
    assert judged.rows() == [("A", 5.0, True), ("B", 8.0, False)]
    ((device, reason),) = [(row["device_id"], row["reason"]) for row in faults]
    assert device == "A"
    assert reason.endswith("lower the rate or idle (state of charge measured)")
    # Until then A is told to charge: half an hour of 4 kW makes 5 kWh 6.8, which is enough.
    version = publisher.store(TOLD, T, told(("A", 0, 2, 4.0)), {})
    publisher.publish(version, published_at=T)
    faults, judged = entries_that_cannot_be_followed(lake, publisher, FLEET, theirs, now=T)
    assert (faults, judged["soc_start_kwh"].to_list()) == ([], [pytest.approx(6.8), 8.0])
    # An hour later nobody has been heard for too long.
    faults, judged = entries_that_cannot_be_followed(lake, publisher, FLEET, theirs, now=T + 2 * HALF)
    assert (faults, judged["is_measured"].any()) == ([], False)


def test_half_hours_that_have_begun_are_not_judged(tmp_path: Path) -> None:
    lake, publisher = Lake(tmp_path / "lake", now=lambda: T), Publisher(tmp_path / "plans")
    theirs = entries(*[("A", n, 1, 5.0) for n in range(4)])
    faults, _ = entries_that_cannot_be_followed(lake, publisher, FLEET, theirs, now=T)
    assert "(state of charge by the registry)" in faults[0]["reason"]
    # Of four half hours of 2.78 kWh each, 8 kWh last for the two that are left.
    assert entries_that_cannot_be_followed(lake, publisher, FLEET, theirs, now=T + 2 * HALF)[0] == []
    late = entries_that_cannot_be_followed(lake, publisher, FLEET, theirs, now=T + 9 * HALF)
    assert (late[0], late[1].height) == ([], 0)
