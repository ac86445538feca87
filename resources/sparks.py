"""Plots small enough to show without a click in Dagster's asset pages: under 1,000 characters of Markdown.

Dagster shows Markdown metadata inline up to that length and hides longer ones behind a link. So a spark is a few lines,
an area and two labels; the full plot (reservoir_plots.py) stands beside it. Put here: how that little is drawn. Keep
out: what is drawn.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Final

from domain.errors import InputError

LONGEST: Final = 999
"""Characters that Dagster still shows inline."""
WIDTH, HEIGHT = 200, 40
"""Of the drawing, in units of which one is 1.6 pixels: small numbers make short paths."""
BLUE, ORANGE, GREEN, PURPLE, GREY = "07b", "c40", "097", "958", "888"
"""Three-digit colours close to the palette of the report; visible on light and dark."""
STEPS: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24)
"""How many points are skipped over until the plot is short enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a spark.

    Attributes:
        points: (x, y), x within 0 to 1; a y that is no number breaks nothing, it is left out.
        colour: Three hexadecimal digits.
        wide: Whether it is drawn bold.
    """

    points: Sequence[tuple[float, float]]
    colour: str = BLUE
    wide: bool = False


def spark(
    lines: Sequence[Line],
    *,
    title: str,
    unit: str,
    band: tuple[Sequence[float], Sequence[float]] | None = None,
    limits: Sequence[float] = (),
) -> str:
    """Return a plot as Markdown that Dagster shows inline.

    Args:
        lines: Drawn in order, the last on top.
        title: Its name, for a screen reader; letters and spaces.
        unit: Of y, at the labels.
        band: Lower and upper edge of a shaded area over the whole width, evenly spaced.
        limits: Levels drawn across, such as a minimum.

    Raises:
        InputError: There are more lines than fit.
    """
    values = [y for line in lines for _, y in line.points if not isnan(y)]
    values += [*limits, *(band[0] if band else ()), *(band[1] if band else ())]
    low, high = min(values), max(values)
    for step in STEPS:
        drawn = _svg(lines, band, limits, (low, high), unit, step)
        text = f"![{title}](data:image/svg+xml;base64,{base64.b64encode(drawn.encode()).decode()})"
        if len(text) <= LONGEST:
            return text
    raise InputError(f"{len(lines)} lines do not fit into {LONGEST} characters; draw fewer")


def _svg(
    lines: Sequence[Line],
    band: tuple[Sequence[float], Sequence[float]] | None,
    limits: Sequence[float],
    span: tuple[float, float],
    unit: str,
    step: int,
) -> str:
    low, high = span
    scale = (HEIGHT - 12) / (high - low or 1.0)

    def place(x: float, y: float) -> tuple[int, int]:
        return round(x * WIDTH), round(HEIGHT - 6 - (y - low) * scale)

    parts = []
    if band is not None:
        there, back = (_thinned(_even(edge), step) for edge in band)
        path = _path([place(x, y) for x, y in [*there, *reversed(back)]])
        parts.append(f"<path d='{path}z' fill='#{BLUE}' opacity='.2'/>")
    across = "".join(f"M0 {place(0, level)[1]}h{WIDTH}" for level in limits)
    if across:
        parts.append(f"<path d='{across}' stroke='#{ORANGE}' stroke-dasharray='2' stroke-width='.5'/>")
    for line in lines:
        known = [point for point in line.points if not isnan(point[1])]
        width = "" if line.wide else " stroke-width='.6'"
        path = _path([place(x, y) for x, y in _thinned(known, step)])
        parts.append(f"<path d='{path}' fill='none' stroke='#{line.colour}'{width}/>")
    label = "<text font-size='5' fill='#888' y='{}'>{:.5g} {}</text>"
    parts += [label.format(5, high, unit), label.format(HEIGHT, low, "")]
    shape = f"width='320' viewBox='0 0 {WIDTH} {HEIGHT}'"
    return f"<svg xmlns='http://www.w3.org/2000/svg' {shape}>{''.join(parts)}</svg>"


def _even(values: Sequence[float]) -> list[tuple[float, float]]:
    return [(index / (len(values) - 1), value) for index, value in enumerate(values)]


def _thinned(points: Sequence[tuple[float, float]], step: int) -> list[tuple[float, float]]:
    """Return every ``step``-th point and the last."""
    kept = list(points[::step])
    return kept if (len(points) - 1) % step == 0 else [*kept, points[-1]]


def _path(points: Sequence[tuple[int, int]]) -> str:
    """Return a path in relative steps, the shortest way to write it."""
    text = f"M{points[0][0]} {points[0][1]}l"
    x, y = points[0]
    for nx, ny in points[1:]:
        text += f"{nx - x} {ny - y} "
        x, y = nx, ny
    return text.rstrip().replace(" -", "-")
