"""What a person wants to know after a run: where the pool goes, what the fleet does, where the files are.

Put here: reading the published versions and the lake into the report and one table. Keep out: making them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl
from rich.console import Console
from rich.table import Table

from domain.beliefs import Cutoffs, Mode
from domain.instants import CENTRAL, iso, parse_instant
from pipelines import wiring
from resources.decisions import FORECAST
from resources.fleet_decisions import FLEET_PRICE
from resources.lake import Lake
from resources.pinned import unpin_frame
from resources.publisher import Version
from resources.report.contents import AlertLine, FleetPart, ReportInput, ReservoirPart, SourceLine
from resources.report.report import write_report

_SHOWN_CHANGES: Final = 4
_LOOK_BACK: Final = timedelta(hours=48)
_PRICE_AHEAD: Final = timedelta(hours=96)


def finish(console: Console, *, instants_reservoir: datetime, began: float) -> None:
    """Write the report and print the table.

    Args:
        console: Where to print.
        instants_reservoir: As-of instant of the reservoir's decision [UTC].
        began: ``time.monotonic`` at the start of the run [s].
    """
    report = gather(instants_reservoir)
    target = wiring.settings().home / "report.html"
    write_report(report, target)
    console.print(_table(report, target))
    console.print(f"Done in {time.monotonic() - began:.0f} s. Open {target}")


def gather(as_of: datetime) -> ReportInput:
    """Read what the report shows: the current schedules and what was known at their instants."""
    lake, publisher, registry = wiring.open_lake(), wiring.publisher(), wiring.open_registry()
    try:
        alerts = [
            AlertLine(severity=row["severity"], title=row["kind"].replace("_", " "), detail=row["message"],
                      raised_at=_aware(row["raised_at"]))
            for row in registry.alerts()[:10]
        ]  # fmt: skip
    finally:
        registry.close()
    reservoir, fleet = publisher.get("reservoir", as_of), publisher.current("fleet")
    files = _files("reservoir", reservoir) | (_files("fleet", fleet) if fleet else {})
    return ReportInput(
        as_of=as_of,
        reservoir=_reservoir_part(lake, reservoir),
        fleet=_fleet_part(lake, fleet) if fleet else None,
        missing={} if fleet else {"fleet": "no fleet schedule has been published"},
        alerts=alerts,
        manifests=[version.manifest for version in (reservoir, fleet) if version],
        provenance=dict(reservoir.manifest["provenance"]),
        files=files | {"warehouse": wiring.settings().home / "warehouse", "lake": wiring.settings().home / "lake"},
        sources=_freshness(lake),
    )


def _cutoffs(version: Version) -> Cutoffs:
    pinned = parse_instant(version.manifest["recorded_before"], what="recorded_before")
    return Cutoffs(at=version.as_of, mode=Mode(version.manifest["mode"]), recorded_before=pinned)


def _reservoir_part(lake: Lake, version: Version) -> ReservoirPart:
    reader, plant = wiring.planning(), wiring.plant().plant
    cutoffs, at = _cutoffs(version), version.as_of
    schedule = version.schedule()
    state = version.manifest["state"]

    def seen(series_id: str) -> pl.DataFrame:
        return reader.observed(series_id, start=at - _LOOK_BACK, end=at, cutoffs=cutoffs)

    return ReservoirPart(
        schedule=schedule,
        observed_elevation=seen("afterbay.elevation.ft"),
        observed_power=seen("oxbow.power.mw"),
        start_elevation_ft=state["elevation_ft"],
        start_mw=state["oxbow_mw"],
        minimum_ft=plant.pool.minimum_ft,
        float_ft=schedule["float_ft"][0],
        price=_price(lake, "oxbow.price.usd_mwh", at, at + _PRICE_AHEAD, cutoffs),
        zone=ZoneInfo(plant.zone),
    )


def _fleet_part(lake: Lake, version: Version) -> FleetPart:
    schedule = version.schedule()
    devices = unpin_frame(lake, version.manifest["devices_sha256"])
    planned = devices.join(schedule.select("device_id").unique(), on="device_id", how="semi")
    totals = schedule.group_by("event_start").agg(pl.col("power_kw", "soc_kwh").sum()).sort("event_start")
    start, end = totals["event_start"][0], totals["event_start"][-1] + timedelta(minutes=30)
    return FleetPart(
        aggregate=totals,
        start_soc_kwh=float(planned["soc_start_kwh"].sum()),
        capacity_kwh=float(planned["capacity_kwh"].sum()),
        devices=planned.height,
        operating_day=start.astimezone(CENTRAL).date(),
        value_usd=version.manifest["earnings_usd"],
        price=_price(lake, FLEET_PRICE, start, end, _cutoffs(version)),
    )


def _price(lake: Lake, series_id: str, start: datetime, end: datetime, cutoffs: Cutoffs) -> pl.DataFrame:
    """Return a forecast price, each hour labelled by whether the market had published it by then."""
    rows = lake.as_of(series_id, start=start, end=end, cutoffs=cutoffs, scenarios=[FORECAST])
    planning = wiring.planning()
    day_ahead = planning.prices[series_id].day_ahead
    known = planning.observed(day_ahead, start=start, end=end, cutoffs=cutoffs)["event_start"]
    published = pl.col("event_start").is_in(known.implode())
    label = pl.when(published).then(pl.lit("day_ahead")).otherwise(pl.lit("forecast"))
    return rows.select("event_start", "value", "quantile", model=label)


def _freshness(lake: Lake) -> list[SourceLine]:
    seen = (
        lake.coverage()
        .filter(pl.col("rows") > 0)
        .group_by("source")
        .agg(pl.col("event_end").max(), pl.col("belief_time").max(), pl.col("rows").sum())
        .sort("source")
    )
    return [
        SourceLine(
            name=row["source"], newest_event=row["event_end"], newest_belief=row["belief_time"], rows=row["rows"]
        )
        for row in seen.iter_rows(named=True)
    ]


def _files(plan: str, version: Version) -> dict[str, Path]:
    return {f"{plan} {name}": version.folder / name for name in version.manifest["files"]} | {
        f"{plan} manifest": version.folder / "manifest.json"
    }


def _table(report: ReportInput, target: Path) -> Table:
    table = Table(title=f"Tailrace as of {iso(report.as_of)}", show_header=False, title_justify="left", min_width=80)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    if report.reservoir is not None:
        _reservoir_rows(table, report.reservoir, report.manifests[0])
    if report.fleet is not None:
        _fleet_rows(table, report.fleet, report.manifests[-1])
    table.add_section()
    alerts = "\n".join(f"{line.severity}: {line.detail}" for line in report.alerts) or "none"
    table.add_row("Alerts", alerts)
    table.add_section()
    for label in ("reservoir schedule.parquet", "fleet schedule.parquet"):
        if label in report.files:
            table.add_row(label.replace(" schedule.parquet", " files"), str(report.files[label].parent))
    table.add_row("Warehouse", str(report.files["warehouse"]))
    table.add_row("Report", str(target))
    return table


def _reservoir_rows(table: Table, part: ReservoirPart, manifest: Mapping[str, Any]) -> None:
    local = part.zone
    lowest = part.schedule.sort("elevation_ft").row(0, named=True)
    highest = part.schedule.sort("elevation_ft", descending=True).row(0, named=True)

    def when(row: Mapping[str, Any]) -> str:
        return f"{(row['event_start'] + part.step).astimezone(local):%a %H:%M}"

    table.add_row("Reservoir schedule", f"{manifest['schedule_id']} v{manifest['version']}, {manifest['status']}")
    table.add_row(
        "Pool",
        f"{part.start_elevation_ft:.2f} ft now, between {lowest['elevation_ft']:.2f} ft ({when(lowest)}) and "
        f"{highest['elevation_ft']:.2f} ft ({when(highest)}); minimum {part.minimum_ft:g}, float {part.float_ft:g} ft",
    )
    changes = part.schedule.filter(pl.col("setpoint_change_at").is_not_null()).head(_SHOWN_CHANGES)
    lines = [
        f"{row['setpoint_change_at'].astimezone(local):%a %d %b %H:%M %Z}  to {row['setpoint_mw']:.2f} MW"
        for row in changes.iter_rows(named=True)
    ]
    table.add_row("Next setpoints", "\n".join(lines) or "no change in four days")
    table.add_row("Value", f"{manifest['objective_usd']:,.0f} USD in four days, gap {manifest['gap']:.1e}")


def _fleet_rows(table: Table, part: FleetPart, manifest: Mapping[str, Any]) -> None:
    table.add_section()
    table.add_row("Fleet schedule", f"{manifest['schedule_id']} v{manifest['version']}, {manifest['status']}")
    table.add_row(
        f"Fleet on {part.operating_day:%a %d %b}",
        f"{part.devices:,} batteries take {part.charged_mwh:.1f} MWh, give {part.discharged_mwh:.1f} MWh "
        f"and earn {part.value_usd:,.0f} USD at the forecast prices",
    )


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo("UTC"))
