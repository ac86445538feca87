"""Claims about what a device must be to stand in the registry."""

from __future__ import annotations

import polars as pl
import pytest

from domain.errors import FrameError
from domain.fleet import generate_fleet
from domain.fleet.registration import check_registration

FLEET = generate_fleet(4, 1)


def test_a_made_up_fleet_can_be_registered_whole() -> None:
    good, errors = check_registration(FLEET)
    assert errors == []
    assert good.height == 4


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("device_id", "home/1", "part of MQTT topics"),
        ("device_id", "home+", "part of MQTT topics"),
        ("device_id", "home\n1", "part of MQTT topics"),
        ("device_id", "h" * 101, "longer than the 100 characters"),
        ("timezone", "Mars/Olympus", "no IANA name"),
        ("timezone", "../etc/passwd", "no IANA name"),
        ("status", "asleep", "none of active, retired"),
        ("firmware", "1" * 41, "longer than the 40 characters"),
    ],
)
def test_a_row_the_registry_cannot_keep_is_left_out_with_the_reason(column: str, value: str, words: str) -> None:
    first = pl.int_range(pl.len()) == 0
    good, errors = check_registration(
        FLEET.with_columns(pl.when(first).then(pl.lit(value)).otherwise(column).alias(column))
    )
    assert good.height == 3
    assert [words in error["reason"] for error in errors] == [True]


def test_a_status_left_empty_is_active_and_numbers_are_texts() -> None:
    good, errors = check_registration(FLEET.with_columns(status=pl.lit(None, pl.String), firmware=pl.lit(2.5)))
    assert errors == []
    assert set(good["status"]) == {"active"}
    assert set(good["firmware"]) == {"2.5"}


def test_a_column_of_lists_is_refused_whole() -> None:
    with pytest.raises(FrameError, match=r"site of type List.*; write it as text"):
        check_registration(FLEET.with_columns(site=pl.lit([1], pl.List(pl.Int64))))
