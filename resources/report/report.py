"""The page itself: contents in, one HTML text out, written whole or not at all.

Put here: what the template is given. Keep out: sentences (words.py), plots (plots.py), layout (template.html.j2).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import jinja2

from domain.instants import PACIFIC, iso
from resources.report import plots, svg
from resources.report.contents import FleetPart, ReportInput, ReservoirPart
from resources.report.words import age, changes, clock, fleet_sentences, pool_sentences, spills, usd

TEMPLATE: Final = Path(__file__).with_name("template.html.j2")
LISTED_CHANGES: Final = 12
"""How many setpoint changes the table lists: two days of them, at six a day."""

Tile = tuple[str, str, str, str]
"""Label, value, unit, and a note below."""


def render_report(contents: ReportInput) -> str:
    """Return the page: self-contained HTML, the same bytes for the same contents.

    Args:
        contents: What it is made from; parts that are absent are named with their reason.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    pool, fleet = contents.reservoir, contents.fleet
    zone = pool.zone if pool else fleet.zone if fleet else PACIFIC
    return template.render(
        variables=svg.variables(),
        font=svg.FONT,
        as_of_utc=iso(contents.as_of),
        as_of_local=clock(contents.as_of, zone),
        tiles=[*(_pool_tiles(pool) if pool else ()), *(_fleet_tiles(fleet) if fleet else ())],
        alerts=[(a.severity, a.title, a.detail, clock(a.raised_at, zone)) for a in contents.alerts],
        missing=dict(contents.missing),
        pool=_pool(pool, contents) if pool else None,
        fleet=_fleet(fleet) if fleet else None,
        plans=[_facts(manifest) for manifest in contents.manifests],
        provenance=dict(contents.provenance),
        files={label: str(path) for label, path in contents.files.items()},
        sources=_sources(contents),
    )


def write_report(contents: ReportInput, path: Path) -> Path:
    """Write the page to ``path``: under a temporary name first, then renamed, so nobody reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{uuid4().hex}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(render_report(contents))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _pool_tiles(part: ReservoirPart) -> Sequence[Tile]:
    low = part.schedule.row(part.schedule["elevation_ft"].arg_min() or 0, named=True)
    spilled = sum(volume for *_, volume in spills(part))
    found = changes(part)
    low_at = clock(low["event_start"] + part.step, part.zone)
    next_change = f"to {found[0].to_mw:.1f} MW {clock(found[0].at, part.zone)}" if found else "no change planned"
    return [
        ("Pool now", f"{part.start_elevation_ft:.2f}", "ft", f"limits {part.minimum_ft:g} to {part.float_ft:g} ft"),
        ("Lowest planned", f"{low['elevation_ft']:.2f}", "ft", low_at),
        ("Planned spill", f"{spilled:,.0f}", "af", "gates at the float" if spilled else "none"),
        ("Oxbow now", f"{part.start_mw:.1f}", "MW", next_change),
    ]


def _fleet_tiles(part: FleetPart) -> Sequence[Tile]:
    day = f"{part.operating_day:%a} {part.operating_day.day} {part.operating_day:%b}"
    return [
        (f"Fleet, {day}", f"{part.discharged_mwh:,.1f}", "MWh out", f"{part.charged_mwh:,.1f} MWh in"),
        ("Fleet value", usd(part.value_usd), "", f"{part.devices:,} batteries, forecast prices"),
    ]


def _pool(part: ReservoirPart, contents: ReportInput) -> Mapping[str, Any]:
    found = changes(part)
    rows = [
        (
            clock(c.at, part.zone),
            f"{c.from_mw:.1f}",
            f"{c.to_mw:.1f}",
            clock(c.reached_at, part.zone),
            f"{c.elevation_ft:.2f}",
        )
        for c in found[:LISTED_CHANGES]
    ]
    drawn = [
        ("Pool level", plots.elevation_plot(part, contents.as_of)),
        ("Oxbow output", plots.power_plot(part, contents.as_of)),
        ("Inflow and outflow", plots.flow_plot(part, contents.as_of)),
        ("Price at the plant", plots.price_plot(part, contents.as_of)),
    ]
    return {
        "sentences": list(pool_sentences(part)),
        "changes": rows,
        "more_changes": len(found) - len(rows),
        "plots": drawn,
        "zone": part.zone.key,
    }


def _fleet(part: FleetPart) -> Mapping[str, Any]:
    return {
        "sentences": list(fleet_sentences(part)),
        "plots": [("Prices, power and energy stored", plots.fleet_plot(part))],
        "zone": part.zone.key,
    }


def _facts(manifest: Mapping[str, Any]) -> tuple[str, Mapping[str, str]]:
    """Return a manifest's name and its single values, those that identify the plan first."""
    first = ("schedule_id", "version", "as_of", "mode", "recorded_before", "status", "objective_usd")
    plain = {key: value for key, value in manifest.items() if isinstance(value, (str, int, float)) or value is None}
    order = [key for key in first if key in plain] + [key for key in plain if key not in first and key != "plan"]
    return str(plain.get("plan", "plan")), {key.replace("_", " "): _fact(plain[key]) for key in order}


def _fact(value: object) -> str:
    if value is None:
        return "none"
    return f"{value:,.6g}" if isinstance(value, float) else str(value)


def _sources(contents: ReportInput) -> list[tuple[str, str, str, str, bool]]:
    def told(moment: datetime | None, never: str) -> str:
        return never if moment is None else f"{iso(moment)} ({age(moment, contents.as_of)})"

    return [
        (line.name, told(line.newest_event, "nothing"), told(line.newest_belief, "never"), f"{line.rows:,}", line.late)
        for line in contents.sources
    ]
