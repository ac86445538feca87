"""`tailrace rafting` and `tailrace ramp`: when the water must flow, and when the unit must begin to move.

Put here: options and printing. Keep out: calendar and ramps (domain).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from domain.errors import InputError

if TYPE_CHECKING:
    from datetime import date


def rafting(
    days: Annotated[int, typer.Option(help="Local days shown, today first", min=1, max=400)] = 2,
    day: Annotated[str, typer.Option(help="First local day, such as 2026-07-04; today by default")] = "",
    from_mw: Annotated[
        float | None, typer.Option(help="Output to rise from [MW]; the newest measured by default")
    ] = None,
    level_ft: Annotated[
        float | None, typer.Option(help="Level that caps the output [ft]; the newest by default")
    ] = None,
) -> None:
    """Show the rafting releases of the coming days: window, output [MW], when the unit must begin to rise, arrivals."""
    from zoneinfo import ZoneInfo

    from domain.rafting import releases
    from pipelines import wiring

    plant = wiring.plant().plant
    zone = ZoneInfo(plant.zone)
    first = _day(day) if day else wiring.clock().now().astimezone(zone).date()
    if from_mw is None or level_ft is None:
        measured = _newest()
        from_mw = measured["oxbow_mw"] if from_mw is None else from_mw
        level_ft = measured["elevation_ft"] if level_ft is None else level_ft
    found = releases(plant, [first + timedelta(days=n) for n in range(days)], from_mw=from_mw, level_ft=level_ft)
    typer.echo(f"from {from_mw:.2f} MW at {level_ft:.2f} ft, {plant.zone}")
    for one in found:
        start, end, by = (moment.astimezone(zone) for moment in (one.window.start, one.window.end, one.start_by))
        early = ", early release" if one.window.early else ""
        typer.echo(
            f"{one.window.day:%a %d %b %Y}  {start:%H:%M} to {end:%H:%M}  {one.target_mw:.2f} MW"
            f" ({one.flow_cfs:.0f} cfs){early}; begin to rise by {by:%a %H:%M} ({one.ramp_min:.0f} min)"
        )
        arrivals = ", ".join(f"{reach} {at.astimezone(zone):%H:%M}" for reach, at in one.arrivals.items())
        typer.echo(f"    full flow at {arrivals}")
    if not found:
        typer.echo(f"no release in {days} day(s) from {first}")


def ramp(
    from_mw: Annotated[float, typer.Argument(help="Output before [MW]")],
    to_mw: Annotated[float, typer.Argument(help="Output after [MW]")],
    done: Annotated[str, typer.Option("--done", help="When it must be complete, ISO-8601 with an offset")] = "",
    start: Annotated[str, typer.Option("--start", help="When it begins, ISO-8601 with an offset; now by default")] = "",
    tributary_cfs: Annotated[float, typer.Option(help="Flow at the gauge below that is not the unit's [cfs]")] = 0.0,
) -> None:
    """Compute a move of the unit: how long [min], when to begin, how much water it passes [af].

    The unit's own ramp, or the licence's stage ramp where that is slower.
    """
    from zoneinfo import ZoneInfo

    from domain.instants import parse_instant
    from domain.rafting import ramp as move
    from pipelines import wiring

    plant = wiring.plant().plant
    begins = parse_instant(start, what="--start") if start else None
    complete = parse_instant(done, what="--done") if done else None
    if begins is None and complete is None:
        begins = wiring.clock().now().replace(second=0, microsecond=0)
    found = move(plant, from_mw, to_mw, start=begins, done=complete, tributary_cfs=tributary_cfs)
    zone = ZoneInfo(plant.zone)
    typer.echo(
        f"{from_mw:g} to {to_mw:g} MW ({found.flow_from_cfs:.0f} to {found.flow_to_cfs:.0f} cfs) at"
        f" {found.rate_mw_per_h:.2f} MW/h takes {found.minutes:.0f} min and {found.water_af:.1f} af"
    )
    typer.echo(f"begin {found.start.astimezone(zone):%a %d %b %H:%M %Z}, done {found.done.astimezone(zone):%H:%M %Z}")


def _newest() -> dict[str, float]:
    from domain.beliefs import Cutoffs, Mode
    from pipelines import wiring
    from resources.reservoir_readings import LEVEL, POWER

    reader, cutoffs = wiring.planning(), Cutoffs(at=wiring.clock().now(), mode=Mode.PUBLISHED)
    found = {}
    for name, option, series_id in (("oxbow_mw", "--from-mw", POWER), ("elevation_ft", "--level-ft", LEVEL)):
        rows = reader.newest(series_id, cutoffs=cutoffs)
        if rows.is_empty():
            oldest = reader.longest_hold(series_id)
            raise InputError(f"{series_id} was not measured in the last {oldest}; give {option}")
        found[name] = max(0.0, float(rows["value"][-1]))
    return found


def _day(text: str) -> date:
    from datetime import date

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"--day {text!r} is no day; write it like 2026-07-04") from None
