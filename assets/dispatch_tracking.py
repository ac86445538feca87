"""How the afterbay's plans turned out.

Put here: holding past plans against what was measured, storing and showing it. Keep out: the arithmetic
(resources/reservoir_tracking.py, domain/tracking.py), plans that are still ahead (dispatch_afterbay.py).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import dagster as dg
import polars as pl

from assets.decided import GROUP
from assets.partitions import HOURS, decision_instant
from domain.beliefs import Cutoffs, Mode
from domain.bias import WINDOW_H
from domain.instants import iso, local_day
from domain.rafting import releases
from resources.lake import Lake
from resources.pinned import PlantFile
from resources.planning import PlanningReader
from resources.publisher import Publisher
from resources.reservoir_ladder import PLAN
from resources.reservoir_plots import markdown, parts_plot, spaghetti_plot, spaghetti_spark
from resources.reservoir_readings import POWER
from resources.reservoir_tracking import ERRORS, Earned, MissedPart, Tracked, bias_now, earned, track

TRACKING: Final = dg.AssetKey([GROUP, "reservoir_tracking"])
ADD_UP: Final = "parts_add_up"
SPAGHETTI_H: Final = (48, 42, 36, 30, 24, 18, 12, 6, 1)
"""Ages of the past plans that are drawn [h]."""
TOLERANCE_FT: Final = 1e-6
WAYS: Final = ("actual", "planned", "hindsight")


@dg.asset(
    key=TRACKING, group_name=GROUP, partitions_def=HOURS, owners=["team:dispatch"], kinds={"python", "polars"},
    deps=[[GROUP, "reservoir_plan"], ["ingest", "historian"], ["ingest", "caiso_prices"]],
    check_specs=[dg.AssetCheckSpec(
        ADD_UP, asset=TRACKING, description="The parts of every error add up to it, to a millionth of a foot.",
    )],
)  # fmt: skip
def reservoir_tracking(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    planning: dg.ResourceParam[PlanningReader],
    publisher: dg.ResourceParam[Publisher],
    plant: dg.ResourceParam[PlantFile],
) -> dg.MaterializeResult:
    """How plans of 1 to 48 hours ago foretold the level, why they missed it, what the last day earned, and rafting.

    What the inflow missed is told by part: rivers, dispatch and what the balance itself gets wrong.
    """
    at = decision_instant(context)
    cutoffs, zone = Cutoffs(at=at, mode=Mode.PUBLISHED), ZoneInfo(plant.plant.zone)
    tracked = track(publisher, planning, plant.plant, cutoffs)
    day = at.astimezone(zone).date() - timedelta(days=1)
    money = earned(publisher, planning, plant.plant, day, cutoffs)
    missed = bias_now(lake, publisher, planning, plant.plant, cutoffs)
    beliefs = [*_error_beliefs(tracked, at), *_bias_beliefs(missed, at), *_revenue_beliefs(money, at, zone)]
    if beliefs:
        lake.append(pl.DataFrame(beliefs), run_id=context.run.run_id, product="tracking:reservoir")
    off = (tracked.errors["error_ft"] - tracked.errors.select(pl.sum_horizontal(ERRORS[1:])).to_series()).abs()
    return dg.MaterializeResult(
        metadata={
            "level_of": iso(tracked.at),
            "error_by_lead": dg.MetadataValue.md(_error_table(tracked)),
            "bias_by_part": dg.MetadataValue.md(_bias_table(missed)),
            **_tracking_plots(tracked, publisher, zone),
            f"revenue_of_{day}": dg.MetadataValue.md(_revenue_table(money, _month(lake, money, zone, cutoffs))),
            "rafting": dg.MetadataValue.md(_rafting_table(plant, planning, cutoffs)),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=ADD_UP, passed=off.is_empty() or float(off.max()) < TOLERANCE_FT,  # ty: ignore[invalid-argument-type]
                metadata={"tolerance_ft": TOLERANCE_FT},
            )
        ],
    )  # fmt: skip


def _error_beliefs(tracked: Tracked, at: datetime) -> Iterator[dict[str, Any]]:
    """Yield the errors as beliefs about the instant they are of, a scenario a lead and a series a part."""
    for row in tracked.errors.iter_rows(named=True):
        for name in ERRORS:
            yield {
                "series_id": f"afterbay_plan.{name.removesuffix('_ft')}.ft",
                "event_start": tracked.at, "event_end": tracked.at, "belief_time": at, "value": row[name],
                "unit": "ft", "source": "tailrace", "scenario": f"lead:{row['lead_h']:02d}h",
            }  # fmt: skip


def _bias_beliefs(missed: list[MissedPart], at: datetime) -> Iterator[dict[str, Any]]:
    """Yield what each part of the inflow missed as beliefs about the day before; a part nobody knows is left out."""
    for one in missed:
        if not one.bias.reason:
            yield {
                "series_id": f"afterbay_bias.{one.part}.cfs", "event_start": at - timedelta(hours=WINDOW_H),
                "event_end": at, "belief_time": at, "value": one.bias.bias_cfs, "unit": "cfs", "source": "tailrace",
                "scenario": "seen",
            }  # fmt: skip


def _revenue_beliefs(money: Earned, at: datetime, zone: ZoneInfo) -> Iterator[dict[str, Any]]:
    start, end = local_day(money.day, zone)
    for way, usd in money.usd.items():
        yield {
            "series_id": "afterbay.revenue.usd", "event_start": start, "event_end": end, "belief_time": at,
            "value": usd, "unit": "USD", "source": "tailrace", "scenario": way,
        }  # fmt: skip


def _month(lake: Lake, money: Earned, zone: ZoneInfo, cutoffs: Cutoffs) -> dict[str, tuple[float, int]]:
    """Return way -> the sum of this month's tracked days [USD], and how many days that is."""
    start, end = local_day(money.day.replace(day=1), zone)[0], local_day(money.day, zone)[1]
    rows = lake.as_of("afterbay.revenue.usd", start=start, end=end, cutoffs=cutoffs)
    sums = rows.group_by("scenario").agg(pl.col("value").sum(), pl.len().alias("days"))
    return {way: (usd, days) for way, usd, days in sums.iter_rows()}


def _revenue_table(money: Earned, month: dict[str, tuple[float, int]]) -> str:
    lines = ["| | day USD | month so far USD | days |", "| --- | --- | --- | --- |"]
    for way in WAYS:
        day = f"{money.usd[way]:,.0f}" if way in money.usd else money.untold.get(way, "not told")
        total, days = month.get(way, (0.0, 0))
        lines.append(f"| {way} | {day} | {total:,.0f} | {days} |")
    return "\n".join(lines)


def _error_table(tracked: Tracked) -> str:
    lines = [
        f"| lead | {' | '.join(name.removesuffix('_ft') for name in ERRORS)} |",
        "|" + " --- |" * (1 + len(ERRORS)),
    ]
    rows = tracked.errors.iter_rows(named=True)
    lines += [f"| +{row['lead_h']}h | {' | '.join(f'{row[name]:+.2f}' for name in ERRORS)} |" for row in rows]
    lines += [f"| +{lead}h | {why} |{' |' * (len(ERRORS) - 1)}" for lead, why in tracked.untold.items()]
    return "\n".join(["Measured less planned level [ft], by cause:", "", *lines])


def _bias_table(missed: list[MissedPart]) -> str:
    """Return what the inflow missed by part, how much of that the newest plan adds, and who set it."""
    lines = ["| part | missed cfs | of it | hours | halves every h | in the plan cfs |", "|" + " --- |" * 6]
    known = [one for one in missed if not one.bias.reason]
    size = sum(abs(one.bias.bias_cfs) for one in known)
    for one in missed:
        bias = one.bias
        share = f"{abs(bias.bias_cfs) / size:.0%}" if not bias.reason and size else ""
        seen = bias.reason or f"{bias.bias_cfs:+.1f}"
        planned = "no plan" if one.planned_cfs is None else f"{one.planned_cfs:+.1f}"
        said = f" ({one.said})" if one.said else ""
        lines.append(f"| {one.part} | {seen} | {share} | {bias.hours_used:g} | {one.half_life_h:g} | {planned}{said} |")
    total = sum(one.bias.bias_cfs for one in known)
    note = "Inflow as measured and as the level shows it, less what was expected an hour or so ahead."
    return "\n".join([note, "", *lines, f"| together | {total:+.1f} | | | | |"])


def _tracking_plots(tracked: Tracked, publisher: Publisher, zone: ZoneInfo) -> dict[str, dg.MetadataValue]:
    made = [tracked.at - timedelta(hours=age) for age in SPAGHETTI_H]
    found = [publisher.newest(PLAN, instant) for instant in made]
    plans = [(version.as_of, version.schedule()) for version in found if version is not None]
    shown: dict[str, dg.MetadataValue] = {}
    level = tracked.level.drop_nulls()
    if plans and level.height:
        shown["past_plans_at_a_glance"] = dg.MetadataValue.md(spaghetti_spark(plans, level, until=tracked.at))
        plot = spaghetti_plot(plans, level, until=tracked.at, zone=zone)
        shown["past_plans"] = dg.MetadataValue.md(markdown(plot, "Past plans and what came"))
    if tracked.errors.height:
        shown["causes"] = dg.MetadataValue.md(markdown(parts_plot(tracked.errors), "Error by lead and cause"))
    return shown


def _rafting_table(plant: PlantFile, planning: PlanningReader, cutoffs: Cutoffs) -> str:
    """Return today's and tomorrow's release: window, target, and when a unit at its present output must begin."""
    zone = ZoneInfo(plant.plant.zone)
    today = cutoffs.at.astimezone(zone).date()
    newest = planning.newest(POWER, cutoffs=cutoffs)["value"]
    now_mw = max(0.0, float(newest[-1])) if newest.len() else plant.plant.unit.minimum_mw
    found = releases(plant.plant, [today, today + timedelta(days=1)], from_mw=now_mw)
    if not found:
        return f"no release on {today} nor the day after"
    lines = ["| day | full from | until | target MW | begin to rise by | ramp min |", "|" + " --- |" * 6]
    for one in found:
        clock = [f"{moment.astimezone(zone):%H:%M}" for moment in (one.window.start, one.window.end, one.start_by)]
        day = f"{one.window.day}{' early' if one.window.early else ''}"
        cells = [day, *clock[:2], f"{one.target_mw:.2f}", clock[2], f"{one.ramp_min:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"From an output of {now_mw:.2f} MW; local time."])
