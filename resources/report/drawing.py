"""The parts that the plots share: steps, the local time axis, limits, labels.

Put here: how a thing is drawn. Keep out: which things are drawn (plots.py), colours (svg.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import nan
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from resources.report import svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HISTORY: Final = timedelta(hours=36)
"""How much of the past is shown beside the plan."""

DASHED: Final = (0, (5, 3))
DOTTED: Final = (0, (2, 1.5))


def note(
    axes: Axes, text: str, at: tuple[float, float], *, shift: tuple[float, float], color: str, **place: str
) -> None:
    """Write small text beside a point.

    Args:
        axes: Where.
        text: What.
        at: The point, in data coordinates or, where ``place`` says so, as a share of the panel.
        shift: From the point to the text [points].
        color: One of svg.py's.
        place: ``ha`` as in matplotlib; ``frame``: ``data``, ``left`` (x as a share of the panel) or ``bottom`` (y as a
            share of the panel).
    """
    frames = {"data": ("data", "data"), "left": ("axes fraction", "data"), "bottom": ("data", "axes fraction")}
    axes.annotate(
        text,
        at,
        xycoords=frames[place["frame"]],
        xytext=shift,
        textcoords="offset points",
        fontsize=8.0,
        va="center",
        ha=place["ha"],
        color=color,
    )


def steps(axes: Axes, rows: pl.DataFrame, step: timedelta, column: str, **style: Any) -> None:  # noqa: ANN401 - matplotlib's
    """Draw interval means as steps, broken where an interval is missing."""
    xs: list[float] = []
    ys: list[float] = []
    previous: datetime | None = None
    for start, value in rows.select("event_start", column).iter_rows():
        if previous is not None and start != previous:
            xs.append(x_at(previous))
            ys.append(nan)
        previous = start + step
        xs += [x_at(start), x_at(previous)]
        ys += [value, value]
    axes.plot(xs, ys, **style)


def band(axes: Axes, rows: pl.DataFrame | None, step: timedelta, *, color: str) -> list[float]:
    """Shade P10 to P90 of quantile rows, where there are any; return the values shaded."""
    if rows is None or "quantile" not in rows.columns:
        return []
    low, high = (rows.filter(pl.col("quantile") == q).select("event_start", "value") for q in (0.1, 0.9))
    wide = low.join(high, on="event_start", suffix="_high").drop_nulls().sort("event_start")
    if wide.is_empty():
        return []
    xs, lows, highs = [*xs_of(wide)], wide["value"].to_list(), wide["value_high"].to_list()
    xs.append(x_at(wide["event_start"][-1] + step))
    lows.append(lows[-1])
    highs.append(highs[-1])
    axes.fill_between(xs, lows, highs, step="post", color=color, alpha=0.18, linewidth=0, label="P10 to P90")
    return lows + highs


def limit(axes: Axes, level: float, text: str, *, above: bool) -> None:
    """Draw a limit across the panel, its name at the left end (over the past), on the side away from the values."""
    axes.axhline(level, color=svg.LIMIT, linewidth=1.1, linestyle=DASHED)
    note(axes, text, (0.0, level), shift=(4, 6 if above else -6), frame="left", ha="left", color=svg.LIMIT)


def recent(rows: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """Return the history beside the plan, nothing after the decision."""
    seen = pl.col("event_start").is_between(as_of - HISTORY, as_of)
    return rows.filter(seen).drop_nulls("value").sort("event_start")


def time_axis(axes: Axes, as_of: datetime, zone: ZoneInfo, end: datetime) -> None:
    """Run the time axis from the history shown to ``end`` on the local clock, with a line at the decision."""
    axes.set_xlim(x_at(as_of - HISTORY), x_at(end))
    axes.axvline(x_at(as_of), color=svg.MUTED, linewidth=0.9)
    decided = f"decided {as_of.astimezone(zone):%H:%M}"
    note(axes, decided, (x_at(as_of), 0.0), shift=(-4, 7), frame="bottom", ha="right", color=svg.MUTED)
    day_ticks(axes, zone, as_of - HISTORY, end, every_h=6)


def day_ticks(axes: Axes, zone: ZoneInfo, start: datetime, end: datetime, *, every_h: int) -> None:
    """Mark local midnights with the day and, between them, every few hours of the local clock."""
    hour = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [hour + timedelta(hours=n) for n in range(1 + int((end - hour) / timedelta(hours=1)))]
    local = [at.astimezone(zone) for at in hours if start <= at <= end]
    majors = [at for at in local if at.hour == 0]
    minors = [at for at in local if at.hour and at.hour % every_h == 0]
    days = [f"  {at:%a} {at.day} {at:%b}" if end - at > timedelta(hours=9) else "" for at in majors]
    axes.set_xticks([x_at(at) for at in majors], days, ha="left")
    axes.set_xticks([x_at(at) for at in minors], [f"{at:%H}" for at in minors], minor=True, fontsize=7)
    axes.tick_params(axis="x", which="major", length=20, pad=-8, color=svg.GRID)
    axes.tick_params(axis="x", which="minor", length=3, pad=1)
    for at in majors:
        axes.axvline(x_at(at), color=svg.GRID, linewidth=0.9, zorder=0)


def frame_y(axes: Axes, values: Sequence[float], label: str, *, least: float) -> None:
    """Fit the vertical axis to the values with air around them, at least ``least`` units high."""
    low, high = min(values), max(values)
    widen = max(0.0, least - (high - low)) / 2
    air = 0.12 * max(high - low, least)
    bottom = low if low == 0 else low - widen - air  # zero is a floor, nothing lies below it
    axes.set_ylim(bottom, high + widen + air)
    axes.set_ylabel(label)
    axes.locator_params(axis="y", nbins=5)


def key(axes: Axes) -> None:
    """Name the lines in one row above the panel, where there are any."""
    if not axes.get_legend_handles_labels()[1]:
        return
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.008, 1.0), ncols=6, borderaxespad=0.2, handlelength=1.6, columnspacing=1.4
    )


def xs_of(rows: pl.DataFrame) -> list[float]:
    """Return ``x_at`` of every ``event_start``."""
    return [x_at(at) for at in rows["event_start"]]


def x_at(moment: datetime) -> float:
    """Return hours since the epoch: short numbers in the file, no time zone left to go wrong."""
    return moment.timestamp() / 3600
