"""From a matplotlib figure to a small SVG that follows the page's light or dark theme.

Colours are drawn as stand-ins and replaced by CSS variables, so that one file is right on both backgrounds. The
palette is Okabe and Ito's (https://jfly.uni-koeln.de/color/), safe for colour-blind readers, lightened for the dark.
Put here: the theme and the squeezing of SVG. Keep out: what is plotted (plots.py).
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LIGHT: Final = {
    "ink": "#1c2733",
    "muted": "#5b6875",
    "grid": "#e3e8ed",
    "panel": "#ffffff",
    "plan": "#0072b2",
    "limit": "#c04a00",
    "observed": "#1c2733",
    "water": "#009e73",
    "price": "#9c5b86",
}
DARK: Final = {
    "ink": "#e8edf2",
    "muted": "#9aa7b4",
    "grid": "#2a343f",
    "panel": "#141b22",
    "plan": "#56b4e9",
    "limit": "#f08a3c",
    "observed": "#e8edf2",
    "water": "#2cc79b",
    "price": "#d99ac4",
}

# A colour nobody would draw with stands for each name until the figure is text.
_STAND_IN: Final = {name: f"#fe{number:02x}{number:02x}" for number, name in enumerate(LIGHT, start=1)}

INK, MUTED, GRID, PANEL, PLAN, LIMIT, OBSERVED, WATER, PRICE = (_STAND_IN[name] for name in LIGHT)

_STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tailrace",
    "font.size": 8.5,
    "axes.facecolor": "none",
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "ytick.major.size": 0,
    "xtick.major.size": 3,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "path.simplify": True,
}
FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif"


@contextmanager
def canvas(height_in: float, rows: list[float]) -> Generator[tuple[Figure, list[Axes]]]:
    """Give a figure of the page's width with panels that share the time axis.

    Args:
        height_in: Height [inches at 72 dpi].
        rows: Relative heights of the panels, top to bottom.
    """
    # A tenth of a second and 25 MB that runs without a drawing, which load the same code, need not pay.
    import matplotlib as mpl  # noqa: PLC0415 - as said
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(9.8, height_in), dpi=72)
        figure.patch.set_visible(False)
        axes = figure.subplots(len(rows), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": rows})[:, 0]
        figure.subplots_adjust(left=0.055, right=0.985, top=1 - 0.32 / height_in, bottom=0.42 / height_in, hspace=0.28)
        yield figure, list(axes)


def to_svg(figure: Figure, *, title: str, description: str) -> str:
    """Return the figure as inline SVG text that uses the page's CSS variables.

    Args:
        figure: The figure; drawn with this module's colours.
        title: Its name, for a screen reader.
        description: What it shows, for a screen reader.
    """
    import matplotlib as mpl  # noqa: PLC0415 - as in canvas
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415

    buffer = io.StringIO()
    with mpl.rc_context(_STYLE):
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    drawing = buffer.getvalue()
    body = drawing[drawing.index("</defs>") + len("</defs>") :]  # the first defs hold a style for the whole document
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", body))
    body = re.sub(r' id="([^"]+)"', lambda match: match[0] if match[1] in used else "", body)
    body = re.sub(r' (d|x|y|width|height|transform)="([^"]*)"', _shorter, body)
    body = re.sub(r" font-family: [^;\"]*;?", "", body)
    for name, stand_in in _STAND_IN.items():
        body = body.replace(stand_in, f"var(--tr-{name})")
    body = re.sub(r">\s+<", "><", body)
    width, height = (72 * side for side in figure.get_size_inches())
    return (
        f'<svg class="plot" role="img" viewBox="0 0 {width:g} {height:g}" xmlns="http://www.w3.org/2000/svg"'
        f' xmlns:xlink="http://www.w3.org/1999/xlink"><title>{escape(title)}</title><desc>{escape(description)}</desc>'
        f"{body.strip()}"
    )


def _shorter(match: re.Match[str]) -> str:
    """Return an attribute with numbers of one decimal (a tenth of a point is below what a screen shows)."""
    name, value = match.groups()
    value = re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), value)
    value = re.sub(r"rotate\(-?0 [^)]*\)", "", value)
    if name == "d":
        value = re.sub(r"(?<=\d) L ", " ", re.sub(r"\s+", " ", value)).strip()
    return f' {name}="{value}"' if value else ""


def variables() -> str:
    """Return the CSS that defines the theme's variables, dark where the reader prefers dark."""
    light = "".join(f"--tr-{name}:{colour};" for name, colour in LIGHT.items())
    dark = "".join(f"--tr-{name}:{colour};" for name, colour in DARK.items())
    return f":root{{color-scheme:light dark;{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"


def data_uri(svg: str) -> str:
    """Return an SVG that stands alone (own theme and background) as a base64 data URI, for Dagster's metadata."""
    inside = f"<style>{variables()}svg{{background:var(--tr-panel)}}text{{font-family:{FONT}}}</style>"
    alone = re.sub(r"(<svg[^>]*>)", lambda match: match[1] + inside, svg, count=1)
    return "data:image/svg+xml;base64," + base64.b64encode(alone.encode()).decode()
