"""Plots of the afterbay for asset metadata and the command line: small SVG, each from frames alone.

Put here: which things each shows. Keep out: how things are drawn and coloured (resources/report/).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import polars as pl

from domain.tracking import PARTS
from resources import sparks
from resources.report import svg
from resources.report.drawing import DASHED, day_ticks, frame_y, key, limit, x_at, xs_of
from resources.sparks import spark

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HOUR: Final = timedelta(hours=1)
_PART_COLOURS: Final = (svg.MUTED, svg.WATER, svg.PRICE, svg.OBSERVED, svg.PLAN, svg.LIMIT)


def bands_plot(schedule: pl.DataFrame, *, minimum_ft: float, zone: ZoneInfo) -> str:
    """Return the planned level in its P10 to P90 band [ft], and how likely spill and the minimum are in each hour."""
    ends = [x_at(at + HOUR) for at in schedule["event_start"]]
    low, high = schedule["elevation_p10_ft"].to_list(), schedule["elevation_p90_ft"].to_list()
    with svg.canvas(3.6, [2.2, 1]) as (figure, (level, odds)):
        level.fill_between(ends, low, high, color=svg.PLAN, alpha=0.2, linewidth=0, label="P10 to P90")
        level.plot(ends, schedule["elevation_p50_ft"].to_list(), color=svg.PLAN, linestyle=DASHED, label="P50")
        level.plot(ends, schedule["elevation_ft"].to_list(), color=svg.PLAN, linewidth=2, label="planned")
        top = float(schedule["float_ft"][0])
        limit(level, top, f"float {top:g} ft", above=True)
        limit(level, minimum_ft, f"minimum {minimum_ft:g} ft", above=False)
        frame_y(level, [*low, *high, minimum_ft, top], "Pool level [ft]", least=1.0)
        for name, colour, label in (
            ("spill_probability", svg.WATER, "spill"),
            ("below_minimum_probability", svg.LIMIT, "below the minimum"),
        ):
            odds.plot(ends, [100.0 * share for share in schedule[name]], color=colour, label=f"P({label})")
        odds.set_ylim(0.0, 100.0)
        odds.set_ylabel("Odds [%]")
        _days(odds, schedule, zone)
        key(level)
        key(odds)
        described = f"P10 to P90 of the level, lowest {min(low):.2f} ft, highest {max(high):.2f} ft"
        return svg.to_svg(figure, title="Where the pool may go", description=described)


def compare_plot(
    names: Sequence[str], schedules: Sequence[pl.DataFrame], *, minimum_ft: float, float_ft: float, zone: ZoneInfo
) -> str:
    """Return levels [ft] and outputs [MW] of some plans, one above the other; the first is the base."""
    colours = (svg.PLAN, svg.LIMIT, svg.WATER, svg.PRICE, svg.MUTED)
    with svg.canvas(4.2, [1, 1]) as (figure, (level, power)):
        levels, outputs = [minimum_ft, float_ft], [0.0]
        for number, (name, schedule) in enumerate(zip(names, schedules, strict=True)):
            ends = [x_at(at + HOUR) for at in schedule["event_start"]]
            colour, width = colours[number % len(colours)], 2.0 if number == 0 else 1.5
            level.plot(ends, schedule["elevation_ft"].to_list(), label=name, color=colour, linewidth=width)
            power.plot(ends, schedule["oxbow_end_mw"].to_list(), color=colour, linewidth=width)
            levels += schedule["elevation_ft"].to_list()
            outputs += schedule["oxbow_end_mw"].to_list()
        limit(level, float_ft, f"float {float_ft:g} ft", above=True)
        limit(level, minimum_ft, f"minimum {minimum_ft:g} ft", above=False)
        frame_y(level, levels, "Pool level [ft]", least=1.0)
        frame_y(power, outputs, "Oxbow [MW]", least=2.0)
        _days(power, schedules[0], zone)
        key(level)
        return svg.to_svg(figure, title="Plans side by side", description=" and ".join(names))


def spaghetti_plot(
    plans: Sequence[tuple[datetime, pl.DataFrame]], observed: pl.DataFrame, *, until: datetime, zone: ZoneInfo
) -> str:
    """Return past plans' levels over the level that came [ft].

    Args:
        plans: Instant of each decision and its schedule, oldest first.
        observed: ``event_start``, ``value`` [ft].
        until: End of the plot [UTC].
        zone: Zone of the plant's clock.
    """
    values = observed["value"].drop_nulls().to_list()
    with svg.canvas(3.0, [1]) as (figure, (axes,)):
        for number, (as_of, schedule) in enumerate(plans):
            shown = schedule.filter(pl.col("event_start") < until)
            label = "past plans" if number == 0 else None
            ends = [x_at(at + HOUR) for at in shown["event_start"]]
            levels = shown["elevation_ft"].to_list()
            axes.plot(ends, levels, color=svg.PLAN, linewidth=0.9, alpha=0.55, label=label)
            axes.plot([x_at(as_of + HOUR)], levels[:1], "o", color=svg.PLAN, markersize=2.5, alpha=0.55)
            values += levels
        axes.plot(xs_of(observed), observed["value"].to_list(), color=svg.OBSERVED, linewidth=1.8, label="observed")
        frame_y(axes, values, "Pool level [ft]", least=1.0)
        start = observed["event_start"][0]
        axes.set_xlim(x_at(start), x_at(until))
        day_ticks(axes, zone, start, until, every_h=6)
        key(axes)
        return svg.to_svg(figure, title="Past plans and what came", description=f"{len(plans)} plans")


def parts_plot(errors: pl.DataFrame) -> str:
    """Return the level's error by lead [ft], stacked by what caused it.

    Args:
        errors: ``lead_h``, ``error_ft`` and ``domain.tracking.PARTS``, one row a lead.
    """
    leads = [f"+{lead} h" for lead in errors["lead_h"]]
    places = list(range(len(leads)))
    reach = [0.0]
    with svg.canvas(2.6, [1]) as (figure, (axes,)):
        above, below = [0.0] * len(leads), [0.0] * len(leads)
        for name, colour in zip(PARTS, _PART_COLOURS, strict=True):
            for place, part in enumerate(errors[name].to_list()):
                side = above if part >= 0 else below
                label = name.removesuffix("_ft") if place == 0 else None
                axes.bar(place, part, 0.55, bottom=side[place], color=colour, alpha=0.8, label=label, linewidth=0)
                side[place] += part
            reach += [*above, *below]
        axes.plot(places, errors["error_ft"].to_list(), "D", color=svg.INK, markersize=5, label="error")
        axes.axhline(0.0, color=svg.MUTED, linewidth=0.8)
        frame_y(axes, [*reach, *errors["error_ft"]], "Measured less planned [ft]", least=0.2)
        axes.set_xticks(places, leads)
        axes.legend(loc="lower left", bbox_to_anchor=(-0.008, 1.0), ncols=8, borderaxespad=0.2, handlelength=1.2)
        return svg.to_svg(figure, title="Error by lead and cause", description=", ".join(leads))


def bands_spark(schedule: pl.DataFrame, *, minimum_ft: float) -> str:
    """Return the planned level in its P10 to P90 band [ft] as Markdown that shows without a click."""
    low, high = schedule["elevation_p10_ft"].to_list(), schedule["elevation_p90_ft"].to_list()
    limits = (minimum_ft, float(schedule["float_ft"][0]))
    return spark([_over_the_plan(schedule, wide=True)], title="level", unit="ft", band=(low, high), limits=limits)


def compare_spark(schedules: Sequence[pl.DataFrame], *, minimum_ft: float) -> str:
    """Return levels of a base plan (bold) and up to three others [ft] as Markdown that shows without a click."""
    colours = (sparks.BLUE, sparks.ORANGE, sparks.GREEN, sparks.PURPLE)
    lines = [
        _over_the_plan(schedule, colour=colour, wide=number == 0)
        for number, (schedule, colour) in enumerate(zip(schedules, colours, strict=False))
    ]
    return spark(lines, title="levels", unit="ft", limits=(minimum_ft,))


def spaghetti_spark(plans: Sequence[tuple[datetime, pl.DataFrame]], observed: pl.DataFrame, *, until: datetime) -> str:
    """Return past plans over the level that came [ft] as Markdown that shows without a click."""
    start = observed["event_start"][0]
    whole = (until - start) / HOUR

    def place(rows: pl.DataFrame, column: str, shift: timedelta) -> list[tuple[float, float]]:
        shown = rows.filter(pl.col("event_start") + shift <= until)
        pairs = shown.select("event_start", column).iter_rows()
        return [((at + shift - start) / HOUR / whole, value) for at, value in pairs]

    lines = [sparks.Line(points=place(schedule, "elevation_ft", HOUR)) for _, schedule in plans]
    lines = [line for line in lines if len(line.points) > 1][-4:]
    came = sparks.Line(points=place(observed, "value", timedelta(0)), colour=sparks.GREY, wide=True)
    return spark([*lines, came], title="past plans", unit="ft")


def _over_the_plan(schedule: pl.DataFrame, *, colour: str = sparks.BLUE, wide: bool = False) -> sparks.Line:
    level = schedule["elevation_ft"].to_list()
    last = max(1, len(level) - 1)
    return sparks.Line(points=[(n / last, value) for n, value in enumerate(level)], colour=colour, wide=wide)


def stand_alone(plot: str) -> str:
    """Return a plot as an SVG file of its own: theme and background inside."""
    return base64.b64decode(svg.data_uri(plot).partition(",")[2]).decode()


def markdown(plot: str, title: str) -> str:
    """Return a plot as Markdown that shows inline in asset metadata."""
    return f"![{title}]({svg.data_uri(plot)})"


def _days(axes: Axes, schedule: pl.DataFrame, zone: ZoneInfo) -> None:
    start, end = schedule["event_start"][0], schedule["event_start"][-1] + HOUR
    axes.set_xlim(x_at(start), x_at(end))
    day_ticks(axes, zone, start, end, every_h=6)
