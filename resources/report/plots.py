"""The plots of the page, each a function from frames to SVG text.

Time runs on the local clock, days marked at local midnight; history lies left of the line at the decision, the plan
right of it. Every axis names its unit.
Put here: which things a plot shows. Keep out: how they are drawn (drawing.py), colours and SVG (svg.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import nan
from typing import TYPE_CHECKING, Final

import polars as pl

from resources.report import svg
from resources.report.contents import FleetPart, ReservoirPart
from resources.report.drawing import (
    DASHED,
    DOTTED,
    band,
    day_ticks,
    frame_y,
    key,
    limit,
    note,
    recent,
    steps,
    time_axis,
    x_at,
    xs_of,
)
from resources.report.words import SPILL_SEEN_CFS, Change, changes, clock

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABEL_ROOM: Final = timedelta(hours=2.5)
"""Closest two setpoint changes that both carry their MW in the plot; the table lists every one."""


def elevation_plot(part: ReservoirPart, as_of: datetime) -> str:
    """Return the pool's level [ft]: observed, planned, its P10-P90 band where there is one, and both limits."""
    schedule = part.schedule
    ends = [x_at(at + part.step) for at in schedule["event_start"]]
    planned = [part.start_elevation_ft, *schedule["elevation_ft"]]
    seen = recent(part.observed_elevation, as_of)
    values = [*seen["value"], *planned, part.minimum_ft, part.float_ft]
    with svg.canvas(3.1, [1]) as (figure, (axes,)):
        if {"elevation_p10_ft", "elevation_p90_ft"} <= set(schedule.columns):
            low, high = schedule["elevation_p10_ft"].to_list(), schedule["elevation_p90_ft"].to_list()
            axes.fill_between(ends, low, high, color=svg.PLAN, alpha=0.18, linewidth=0, label="P10 to P90")
            values += low + high
        axes.plot(xs_of(seen), seen["value"].to_list(), color=svg.OBSERVED, linewidth=1.3, label="observed")
        axes.plot([x_at(as_of), *ends], planned, color=svg.PLAN, linewidth=2, label="planned")
        limit(axes, part.float_ft, f"float {part.float_ft:g} ft", above=True)
        limit(axes, part.minimum_ft, f"minimum {part.minimum_ft:g} ft", above=False)
        spilling = [part.float_ft if cfs >= SPILL_SEEN_CFS else nan for cfs in schedule["spill_cfs"]]
        if (schedule["spill_cfs"] >= SPILL_SEEN_CFS).any():
            axes.plot(ends, spilling, color=svg.LIMIT, linewidth=4, label="spilling")
        frame_y(axes, values, "Pool level [ft]", least=1.0)
        time_axis(axes, as_of, part.zone, schedule["event_start"][-1] + part.step)
        key(axes)
        described = f"from {part.start_elevation_ft:.2f} ft to {planned[-1]:.2f} ft, lowest {min(planned):.2f} ft"
        return svg.to_svg(figure, title="Pool level, observed and planned", description=described)


def power_plot(part: ReservoirPart, as_of: datetime) -> str:
    """Return Oxbow's output [MW]: measured means, the planned output, setpoint changes and the head cap."""
    schedule = part.schedule
    ends = [x_at(at + part.step) for at in schedule["event_start"]]
    seen = recent(part.observed_power, as_of)
    line = [part.start_mw, *schedule["oxbow_end_mw"]]
    found = changes(part)
    with svg.canvas(2.7, [1]) as (figure, (axes,)):
        steps(axes, seen, part.step, "value", color=svg.OBSERVED, linewidth=1.3, label="measured mean")
        cap = schedule["head_cap_mw"].to_list()
        axes.plot(ends, cap, color=svg.LIMIT, linewidth=1.1, linestyle=DASHED, label="head cap")
        axes.plot([x_at(schedule["event_start"][0]), *ends], line, color=svg.PLAN, linewidth=2, label="planned output")
        if found:
            at, to = [x_at(change.at) for change in found], [change.to_mw for change in found]
            stairs = ([x_at(as_of), *at, ends[-1]], [part.start_mw, *to, to[-1]])
            axes.plot(*stairs, color=svg.PLAN, linewidth=0.9, linestyle=DOTTED, drawstyle="steps-post")
            axes.plot(at, to, "o", color=svg.PLAN, markersize=4, label="setpoint given")
        for change in _spaced(found):
            above = 8 if change.to_mw >= change.from_mw else -8
            place = (x_at(change.at), change.to_mw)
            note(axes, f"{change.to_mw:.1f}", place, shift=(0, above), frame="data", ha="center", color=svg.PLAN)
        frame_y(axes, [0.0, *seen["value"], *line, *cap], "Oxbow [MW]", least=2.0)
        time_axis(axes, as_of, part.zone, schedule["event_start"][-1] + part.step)
        key(axes)
        described = f"{len(found)} setpoint changes; planned between {min(line):.1f} and {max(line):.1f} MW"
        return svg.to_svg(figure, title="Oxbow output, measured and planned", description=described)


def flow_plot(part: ReservoirPart, as_of: datetime) -> str:
    """Return what comes in and what goes out [cfs], with the inflow's P10-P90 band where it is known."""
    schedule = part.schedule
    flows = [*schedule["inflow_cfs"], *schedule["outflow_cfs"]]
    with svg.canvas(2.3, [1]) as (figure, (axes,)):
        shaded = band(axes, part.inflow_band, part.step, color=svg.WATER)
        steps(axes, schedule, part.step, "inflow_cfs", color=svg.WATER, linewidth=1.8, label="inflow")
        steps(axes, schedule, part.step, "outflow_cfs", color=svg.PLAN, linewidth=1.8, label="outflow with spill")
        frame_y(axes, [0.0, *flows, *shaded], "Flow [cfs]", least=100.0)
        time_axis(axes, as_of, part.zone, schedule["event_start"][-1] + part.step)
        key(axes)
        described = f"between {min(flows):.0f} and {max(flows):.0f} cfs"
        return svg.to_svg(figure, title="Inflow and outflow of the pool", description=described)


def price_plot(part: ReservoirPart, as_of: datetime) -> str:
    """Return the price a MWh of Oxbow earns [USD/MWh], published hours told from forecast ones."""
    with svg.canvas(2.3, [1]) as (figure, (axes,)):
        described = _draw_price(axes, part.price, part.step)
        time_axis(axes, as_of, part.zone, part.schedule["event_start"][-1] + part.step)
        key(axes)
        return svg.to_svg(figure, title="Price at the plant", description=described)


def fleet_plot(part: FleetPart) -> str:
    """Return price [USD/MWh], fleet power [MW] and energy stored [MWh] of the operating day, one above the other."""
    rows = part.aggregate
    start, end = rows["event_start"][0], rows["event_start"][-1] + part.step
    price = part.price.filter(pl.col("event_start").is_between(start, end, closed="left"))
    edges, power = [*xs_of(rows), x_at(end)], (rows["power_kw"] / 1000).to_list()
    stored = [part.start_soc_kwh / 1000, *(rows["soc_kwh"] / 1000)]
    capacity = part.capacity_kwh / 1000
    with svg.canvas(4.8, [1, 1.25, 1]) as (figure, (top, middle, bottom)):
        _draw_price(top, price, part.step)
        middle.axhline(0, color=svg.MUTED, linewidth=0.8)
        for sign, colour, name in ((1, svg.PLAN, "to the grid"), (-1, svg.WATER, "from the grid")):
            one_way = [sign * max(0.0, sign * megawatts) for megawatts in power]
            middle.stairs(one_way, edges, fill=True, color=colour, alpha=0.85, label=name, linewidth=0)
        frame_y(middle, [0.0, *power], "Fleet [MW]", least=0.1)
        bottom.fill_between(edges, stored, color=svg.PLAN, alpha=0.18, linewidth=0)
        bottom.plot(edges, stored, color=svg.PLAN, linewidth=2)
        limit(bottom, capacity, f"capacity {capacity:,.1f} MWh", above=True)
        frame_y(bottom, [0.0, *stored, capacity * 1.08], "Stored [MWh]", least=0.1)
        bottom.set_xlim(edges[0], edges[-1])
        day_ticks(bottom, part.zone, start, end, every_h=3)
        key(top)
        key(middle)
        described = (
            f"{part.charged_mwh:.1f} MWh charged and {part.discharged_mwh:.1f} MWh discharged from"
            f" {clock(start, part.zone)}"
        )
        return svg.to_svg(figure, title="Battery fleet of the operating day", description=described)


def _spaced(found: Sequence[Change]) -> list[Change]:
    """Return the changes whose labels do not collide, the earlier ones first."""
    kept: list[Change] = []
    for change in found:
        if not kept or change.at - kept[-1].at >= LABEL_ROOM:
            kept.append(change)
    return kept


def _draw_price(axes: Axes, price: pl.DataFrame, step: timedelta) -> str:
    """Draw a price with its band; return in words what it spans."""
    means = price.filter(pl.col("quantile").is_null()) if "quantile" in price.columns else price
    means = means.drop_nulls("value").sort("event_start")
    if means.is_empty():
        axes.set_ylabel("Price [USD/MWh]")
        return "no price is known"
    spacing = means["event_start"].diff().drop_nulls().min()
    spacing = spacing if isinstance(spacing, timedelta) else step
    shaded = band(axes, price, spacing, color=svg.PRICE)
    known = pl.col("model") == "day_ahead" if "model" in means.columns else pl.lit(value=True)
    for which, line, name in ((known, "solid", "day-ahead, published"), (~known, DOTTED, "forecast")):
        part = means.filter(which)
        if part.height:
            steps(axes, part, spacing, "value", color=svg.PRICE, linewidth=1.8, linestyle=line, label=name)
    values = means["value"].to_list()
    frame_y(axes, [*values, *shaded], "Price [USD/MWh]", least=10.0)
    return f"between {min(values):.2f} and {max(values):.2f} USD/MWh"
