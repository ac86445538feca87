"""Numbers and instants as an operator says them.

Put here: formats and sentences of the page. Keep out: HTML.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from resources.report.contents import FleetPart, ReservoirPart

SPILL_SEEN_CFS = 0.5
"""Spill below half a cfs is rounding of the simulation, not water."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One setpoint change.

    Attributes:
        at: When the new setpoint is given.
        from_mw: The setpoint (or output) before [MW].
        to_mw: The new setpoint [MW].
        reached_at: End of the interval by which the unit is to stand there.
        elevation_ft: Planned level then [ft].
    """

    at: datetime
    from_mw: float
    to_mw: float
    reached_at: datetime
    elevation_ft: float


def clock(moment: datetime, zone: ZoneInfo) -> str:
    """Return an instant on the local clock.

    >>> clock(datetime.fromisoformat("2026-11-22T15:40:00+00:00"), ZoneInfo("America/Los_Angeles"))
    'Sun 22 Nov 07:40 PST'
    """
    local = moment.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %H:%M %Z}"


def age(moment: datetime, now: datetime) -> str:
    """Return how long before ``now`` something was.

    >>> now = datetime.fromisoformat("2026-11-22T15:40:00+00:00")
    >>> age(now - timedelta(minutes=95), now), age(now - timedelta(days=3), now), age(now + timedelta(hours=2), now)
    ('1 h 35 min before', '3 d 0 h before', '2 h 0 min ahead')
    """
    span = abs(now - moment)
    minutes = round(span / timedelta(minutes=1))
    side = "ahead" if moment > now else "before"
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min {side}"
    if span < timedelta(days=2):
        return f"{minutes // 60} h {minutes % 60} min {side}"
    return f"{span.days} d {span.seconds // 3600} h {side}"


def usd(amount: float) -> str:
    """Return an amount of money, the sign in front.

    >>> usd(-1234.56), usd(0.4)
    ('-$1,235', '$0.40')
    """
    digits = 2 if abs(amount) < 100 else 0  # noqa: PLR2004 - cents stop mattering at a hundred dollars
    return f"{'-' if amount < 0 else ''}${abs(amount):,.{digits}f}"


def changes(part: ReservoirPart) -> list[Change]:
    """Return the planned setpoint changes, in time."""
    found: list[Change] = []
    before = part.start_mw
    rows = part.schedule.select("event_start", "setpoint_mw", "setpoint_change_at", "elevation_ft").iter_rows()
    for start, setpoint, changed_at, elevation in rows:
        if changed_at is None:
            continue
        found.append(
            Change(
                at=changed_at,
                from_mw=before,
                to_mw=setpoint,
                reached_at=start + part.step,
                elevation_ft=elevation,
            )
        )
        before = setpoint
    return found


def spills(part: ReservoirPart) -> list[tuple[datetime, datetime, float]]:
    """Return the spells of planned spill: from, until, and volume [af]."""
    hours = part.step / timedelta(hours=1)
    spells: list[tuple[datetime, datetime, float]] = []
    for start, cfs in part.schedule.select("event_start", "spill_cfs").iter_rows():
        if cfs < SPILL_SEEN_CFS:
            continue
        volume_af = cfs * hours * 3600 / 43560
        if spells and spells[-1][1] == start:
            first, _, total = spells[-1]
            spells[-1] = (first, start + part.step, total + volume_af)
        else:
            spells.append((start, start + part.step, volume_af))
    return spells


def pool_sentences(part: ReservoirPart) -> Iterator[str]:
    """Say where the pool is and where it goes."""
    schedule = part.schedule
    low, high = schedule.row(schedule["elevation_ft"].arg_min()), schedule.row(schedule["elevation_ft"].arg_max())
    index = schedule.columns.index("elevation_ft")
    start = schedule.columns.index("event_start")
    yield (
        f"The pool stands at {part.start_elevation_ft:.2f} ft, {part.start_elevation_ft - part.minimum_ft:.1f} ft above"
        f" the minimum and {part.float_ft - part.start_elevation_ft:.1f} ft below the float."
    )
    end = schedule["event_start"][-1] + part.step
    yield (
        f"It is planned to stay between {low[index]:.2f} ft ({clock(low[start] + part.step, part.zone)}) and"
        f" {high[index]:.2f} ft ({clock(high[start] + part.step, part.zone)}), and to stand at"
        f" {schedule['elevation_ft'][-1]:.2f} ft when the plan ends, {clock(end, part.zone)}."
    )
    below = schedule.filter(pl.col("elevation_ft") < part.minimum_ft)
    if below.height:
        first = clock(below["event_start"][0], part.zone)
        yield f"It falls below the minimum of {part.minimum_ft:g} ft in {below.height} intervals, first {first}."
    spells = spills(part)
    if not spells:
        yield "No spill is planned."
    for first, until, volume_af in spells[:3]:
        yield f"Spill of {volume_af:.0f} af from {clock(first, part.zone)} to {clock(until, part.zone)}."
    if len(spells) > 3:  # noqa: PLR2004 - three are listed
        rest = sum(volume for *_, volume in spells[3:])
        yield f"{len(spells) - 3} later spells of spill, {rest:.0f} af together."


def fleet_sentences(part: FleetPart) -> Iterator[str]:
    """Say what the fleet does and what it is worth."""
    day = f"{part.operating_day:%A} {part.operating_day.day} {part.operating_day:%B}"
    if part.charged_mwh == 0 and part.discharged_mwh == 0:
        yield f"On {day} the {part.devices:,} batteries stay idle: no price difference pays for losses and wear."
        return
    yield (
        f"On {day} the {part.devices:,} batteries take {part.charged_mwh:,.1f} MWh from the grid and give back"
        f" {part.discharged_mwh:,.1f} MWh, worth {usd(part.value_usd)} at the forecast prices after wear."
    )
    peak = part.aggregate.row(part.aggregate["power_kw"].arg_max(), named=True)
    if peak["power_kw"] > 0:
        at = clock(peak["event_start"], part.zone)
        yield f"Most power goes to the grid at {at}: {peak['power_kw'] / 1000:,.2f} MW."
