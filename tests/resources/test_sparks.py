"""Plots small enough to show without a click."""

from __future__ import annotations

import base64
import math
from xml.etree import ElementTree as ET

import pytest

from domain.errors import InputError
from resources.sparks import LONGEST, Line, spark


def drawing(text: str) -> ET.Element:
    return ET.fromstring(base64.b64decode(text.split("base64,")[1].rstrip(")")))  # noqa: S314 - our own text


def wave(count: int, shift: float = 0.0) -> list[tuple[float, float]]:
    return [(n / (count - 1), 1170.0 + shift + math.sin(n / 4.0)) for n in range(count)]


def test_a_band_four_lines_and_limits_stay_below_the_length_that_shows_inline() -> None:
    edge = [value for _, value in wave(96)]
    band = ([value - 1.0 for value in edge], [value + 1.0 for value in edge])
    text = spark([Line(points=wave(96))], title="level", unit="ft", band=band, limits=(1168.0, 1173.0))
    assert len(text) <= LONGEST
    assert text.startswith("![level](data:image/svg+xml;base64,")
    four = spark([Line(points=wave(96, shift)) for shift in (0.0, 0.3, 0.6, 0.9)], title="levels", unit="ft")
    assert len(four) <= LONGEST
    assert len(drawing(four).findall("{http://www.w3.org/2000/svg}path")) == 4


def test_the_labels_are_the_largest_and_smallest_value_drawn() -> None:
    picture = drawing(spark([Line(points=[(0.0, 1.5), (0.5, 9.0), (1.0, 3.0)])], title="x", unit="MW"))
    assert [node.text for node in picture.iter("{http://www.w3.org/2000/svg}text")] == ["9 MW", "1.5 "]


def test_a_flat_line_and_a_value_that_is_none_are_drawn() -> None:
    drawing(spark([Line(points=[(0.0, 5.0), (1.0, 5.0)])], title="x", unit="MW"))
    drawing(spark([Line(points=[(0.0, 5.0), (0.5, math.nan), (1.0, 6.0)])], title="x", unit="MW"))


def test_what_cannot_fit_is_refused() -> None:
    with pytest.raises(InputError, match="40 lines do not fit into 999 characters"):
        spark([Line(points=wave(96))] * 40, title="x", unit="ft")
