"""What each executed day of the fleet was worth, settled from what was logged, measured and paid.

A day is settled again while anything about it may still change: late acknowledgements, late prices and their
corrections count for as long as the line takes acknowledgements. Where an input is missing the row says so and has no
number. Put here: gathering a day's inputs, its row, the table of rows. Keep out: what savings are
(solvers/fleet/savings.py) and showing them (assets/marts.py, dbt_project/).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import polars as pl

from domain.beliefs import TIME, Cutoffs, Mode
from domain.instants import CENTRAL, local_day
from resources.decisions import fingerprint_of
from resources.execution_log import ExecutionLog
from resources.fleet_decisions import FLEET_PRICE, on_the_day
from resources.fleet_line import MEMORY
from resources.fleet_measured import measured
from resources.lake import Lake
from resources.pinned import unpin_frame
from resources.planning import PlanningReader
from resources.publisher import Publisher, Version
from resources.registry import Registry

OUTCOME_COLUMNS: Final[dict[str, pl.DataType]] = {
    "operating_day": pl.Date(),
    "schedule_id": pl.String(),
    "version": pl.Int32(),
    "reason": pl.String(),
    "half_hours": pl.Int32(),
    "settled_half_hours": pl.Int32(),
    "devices_planned": pl.Int32(),
    "without_start": pl.Int32(),
    "without_execution": pl.Int32(),
    "devices": pl.Int32(),
    "power_kw": pl.Float64(),
    "stored_usd_per_kwh": pl.Float64(),
    "no_control_usd": pl.Float64(),
    "executed_usd": pl.Float64(),
    "perfect_usd": pl.Float64(),
    "saved_usd": pl.Float64(),
    "saved_usd_per_kw": pl.Float64(),
    "share_of_perfect": pl.Float64(),
    "bill_usd": pl.Float64(),
    "share_of_fleet_bill": pl.Float64(),
    "charging_devices": pl.Int32(),
    "charging_bill_usd": pl.Float64(),
    "charging_paid_usd": pl.Float64(),
    "share_of_charging_bill": pl.Float64(),
    "inputs_sha256": pl.String(),
    "settled_at": TIME,
}
"""One row a day; the numbers from ``devices`` on are null where there is a ``reason``. Units and meaning of each
column: dbt_project/models/marts/_marts.yml."""

_METHOD: Final = 1
"""Counted up when the same inputs are to be settled anew because the definition has changed."""

_HALF_HOUR: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where a settled day comes from.

    Attributes:
        lake: Telemetry and pinned devices.
        planning: Settled prices.
        publisher: Plans.
        registry: The ledger of plans.
        executions: The execution log.
    """

    lake: Lake
    planning: PlanningReader
    publisher: Publisher
    registry: Registry
    executions: ExecutionLog


class FleetOutcomes:
    """The table of settled days: one small file, replaced whole by rename.

    Args:
        root: The lake's folder.
    """

    def __init__(self, root: Path) -> None:
        self.path = root / "fleet_outcomes" / "days.parquet"

    def read(self) -> pl.DataFrame:
        """Return the settled days, oldest first."""
        return pl.read_parquet(self.path) if self.path.is_file() else pl.DataFrame(schema=OUTCOME_COLUMNS)

    def bring_up_to_date(self, sources: Sources, *, now: datetime) -> list[date]:
        """Settle the days that are over and new, or of which something has changed; return them.

        Args:
            sources: Where they come from.
            now: The present [UTC].
        """
        before = {row["operating_day"]: row for row in self.read().iter_rows(named=True)}
        rows, settled = dict(before), []
        for day, plan in _planned_days(sources):
            end = local_day(day, CENTRAL)[1]
            if end > now or (day in before and end < now - MEMORY):
                continue
            one = _Day.gather(sources, day, plan, now)
            if day not in before or before[day]["inputs_sha256"] != one.fingerprint:
                rows[day] = one.row() | {"inputs_sha256": one.fingerprint, "settled_at": now}
                settled.append(day)
        if settled:
            self._replace([rows[day] for day in sorted(rows)])
        return settled

    def _replace(self, rows: Sequence[dict[str, Any]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(f".days-{uuid4().hex}")
        pl.DataFrame(rows, schema=OUTCOME_COLUMNS, orient="row").write_parquet(beside)
        beside.replace(self.path)


def _planned_days(sources: Sources) -> Iterator[tuple[date, Version]]:
    """Yield each operating day with its newest published plan, oldest first."""
    newest: dict[date, Version] = {}
    for row in sources.registry.publications("fleet"):  # newest first
        version = sources.publisher.get("fleet", row.as_of, version=row.version)
        if day := version.manifest.get("operating_day"):
            newest.setdefault(date.fromisoformat(day), version)
    yield from sorted(newest.items(), key=lambda one: one[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Day:
    """What one day is settled from."""

    operating_day: date
    start: datetime
    end: datetime
    plan: Version
    devices: pl.DataFrame
    prices: pl.DataFrame
    heard: pl.DataFrame
    price_series: str
    log: Sequence[Path]

    @classmethod
    def gather(cls, sources: Sources, day: date, plan: Version, now: datetime) -> _Day:
        start, end = local_day(day, CENTRAL)
        known = Cutoffs(at=now, mode=Mode.PUBLISHED)
        series = sources.planning.prices[FLEET_PRICE].real_time
        hourly = sources.planning.hourly(series, start=start, end=end, cutoffs=known)
        halves = pl.concat([hourly, hourly.with_columns(pl.col("event_start") + _HALF_HOUR)])
        return cls(
            operating_day=day,
            start=start,
            end=end,
            plan=plan,
            devices=unpin_frame(sources.lake, plan.manifest["devices_sha256"]),
            prices=halves.select("event_start", price_usd_mwh="value").sort("event_start"),
            heard=measured(sources.lake, known, before=start),
            price_series=series,
            # From the half hour before the day on: what is stored when it ends is stored when the day begins.
            log=sources.executions.files((start - _HALF_HOUR).date(), end.date() + timedelta(days=1)),
        )

    @property
    def half_hours(self) -> int:
        return int((self.end - self.start) / _HALF_HOUR)

    @property
    def fingerprint(self) -> str:
        files = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in self.log]
        plan = (self.plan.schedule_id, self.plan.number, self.plan.manifest["devices_sha256"])
        return fingerprint_of([self.prices, self.heard], [_METHOD, files, plan])

    def row(self) -> dict[str, Any]:
        """Return the day's row, without what it was made from."""
        from solvers.fleet.savings import savings, stored_worth_usd_per_kwh  # noqa: PLC0415 - see fleet_decisions.py

        log = self._executed()
        executed = log.filter(pl.col("event_start") >= self.start)
        devices, facts = self._judged(log, executed)
        reason = self._reason(devices, facts)
        row = dict.fromkeys(OUTCOME_COLUMNS) | facts | {"reason": reason}
        if reason is not None:
            return row
        worth = stored_worth_usd_per_kwh(self.prices)
        found = savings(devices, executed, self.prices, stored_usd_per_kwh=worth)
        if not found.devices:
            return row | {"reason": "no device could have been planned from what it had stored"}
        own = ("devices", "power_kw", "no_control_usd", "executed_usd", "perfect_usd", "saved_usd", "saved_usd_per_kw",
               "share_of_perfect", "bill_usd", "share_of_fleet_bill")  # fmt: skip
        return row | {name: getattr(found, name) for name in own} | {
            "stored_usd_per_kwh": worth,
            "charging_devices": found.charging.devices,
            "charging_bill_usd": found.charging.bill_usd,
            "charging_paid_usd": found.charging.paid_usd,
            "share_of_charging_bill": found.charging.share_of_bill,
        }  # fmt: skip

    def _executed(self) -> pl.DataFrame:
        """Return the day's log from the half hour before it on; of one half hour the newest acknowledgement counts."""
        columns = {"device_id": pl.String(), "event_start": TIME, "power_kw": pl.Float64(), "soc_kwh": pl.Float64()}
        if not self.log:
            return pl.DataFrame(schema=columns)
        key = ["device_id", "interval_start"]
        rows = pl.concat([pl.scan_parquet(path) for path in self.log])
        within = (pl.col("interval_start") >= self.start - _HALF_HOUR) & (pl.col("interval_start") < self.end)
        newest = (
            rows.filter(within)
            .select(*key, "execution_time", "version", "schedule_id", "actual_rate_kw", "soc_kwh")
            .sort("execution_time", "version", "schedule_id")
            .unique(key, keep="last")
        )
        named = newest.select("device_id", "soc_kwh", event_start="interval_start", power_kw="actual_rate_kw")
        return named.select(*columns).sort("device_id", "event_start").collect()

    def _judged(self, log: pl.DataFrame, executed: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
        """Return the devices whose day is known from beginning to end, and how many are not."""
        before = log.filter((pl.col("event_start") < self.start) & pl.col("soc_kwh").is_not_null())
        before = before.select("device_id", ended_kwh="soc_kwh")
        done = executed.drop_nulls().group_by("device_id").len("acknowledged")
        planned = (
            self.devices.join(before, on="device_id", how="left")
            .join(self.heard.select("device_id", "measured_kwh"), on="device_id", how="left")
            .join(done, on="device_id", how="left", maintain_order="left")
        )
        start = pl.coalesce("ended_kwh", "measured_kwh")
        whole = (pl.col("acknowledged") == self.half_hours).fill_null(value=False)
        judged = planned.filter(start.is_not_null() & whole).with_columns(
            soc_start_kwh=start.clip(0.0, pl.col("capacity_kwh"))
        )
        facts = {
            "operating_day": self.operating_day,
            "schedule_id": self.plan.schedule_id,
            "version": self.plan.number,
            "half_hours": self.half_hours,
            "settled_half_hours": self.prices.height,
            "devices_planned": planned.height,
            "without_start": planned.filter(start.is_null()).height,
            "without_execution": planned.filter(~whole).height,
        }
        on_day = judged.select(self.devices.columns)
        return (on_the_day(on_day, self.prices) if self.prices.height else on_day), facts

    def _reason(self, judged: pl.DataFrame, facts: dict[str, Any]) -> str | None:
        """Return what is missing; None: nothing."""
        missing = []
        if self.prices.height < self.half_hours:
            missing.append(f"{self.prices.height} of {self.half_hours} half hours have a price of {self.price_series}")
        if judged.is_empty():
            missing.append(
                f"of {facts['devices_planned']} device(s) {facts['without_start']} have no state of charge of the"
                f" day's beginning and {facts['without_execution']} have not acknowledged every half hour"
            )
        return "; ".join(missing) or None
