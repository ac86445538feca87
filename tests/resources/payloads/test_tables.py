"""Delimited text, numbers and instants as they really come."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.beliefs import TIME, Basis
from domain.errors import PayloadError, TimeError
from domain.instants import PACIFIC
from resources.payloads.tables import floats, read_table, unrepeated
from resources.payloads.times import day_at, instants, known_by, local_stamps
from tests.resources.payloads.wire import utc


@pytest.mark.parametrize(
    "body",
    [
        b"A,B\n1,2\n3,4\n",
        b"A,B\r\n1,2\r\n3,4\r\n",
        b"\n A ,b\n1,2\n\n3,4\n \n",
        b'"a","B"\n"1",2\n3,"4"\n',
        b"A,B,\n1,2,\n3,4,\n",
        b"A;B\n1;2\n3;4",
        b"A\tB\n1\t2\n3\t4",
        b"a,B\n1,2,,\n3,4\n",
        b"a,B\n1,2\n,\n3,4\n,,\n",
        b'a,B,c\n1,2,"x, y"\n3,4,"z"\n',
    ],
)
def test_one_table_in_many_layouts(body: bytes) -> None:
    table = floats(read_table(body, "x"), ["a", "b"], "x").select("a", "b")
    assert table.to_dict(as_series=False) == {"a": [1, 3], "b": [2, 4]}


@pytest.mark.parametrize("body", [b"a,b\n1,2\n3\n", b"a,b\n1,2,3\n", b'a,b\n"1,2"\n', b"a,b\n1\n2,3,4\n"])
def test_a_row_of_another_width_is_refused(body: bytes) -> None:
    with pytest.raises(PayloadError, match="fields, its header 2"):
        read_table(body, "x")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b",".join(b"c%d" % number for number in range(30_000)), "more than 20,000 columns"),
        (b"a" * (2 << 20), "no table's header"),
        (b"\x00\x01,b\n1,2\n", "binary"),
        (b"a,b\n" + b"\n" * 21_000_000, "cells"),
        (b",".join(b"c%d" % number for number in range(15_000)) + b"\n" + b"1\n" * 3_000, "cells"),
        (b"a,\xff\n1,2\n", "not UTF-8"),
        (b"a,b,A\n1,2,3\n", "more than once"),
        (b'a,"' + b"x" * 200_000 + b"\n1,2\n", "no CSV"),
        (b"a,b\n1,2\n3,\x014,\n", "no text"),
    ],
)
def test_what_is_no_table_is_refused(body: bytes, told: str) -> None:
    with pytest.raises(PayloadError, match=told):
        read_table(body, "x")


def test_a_cell_is_a_number_or_blank_or_refused() -> None:
    table = pl.DataFrame({"a": ["1.5", " 2 ", "", None, "-3e2", "Missing"]})
    assert floats(table, ["a"], "x", blanks=["Missing"])["a"].to_list() == [1.5, 2.0, None, None, -300.0, None]
    with pytest.raises(PayloadError, match=r"'Missing' in column a \(row 6\)"):
        floats(table, ["a"], "x")


def test_repeats_are_dropped_and_contradictions_told() -> None:
    rows = pl.DataFrame(
        {
            "k": [1, 1, 2, 2, 3],
            "value": [5.0, 5.0, 6.0, 7.0, 8.0],
            "quality": ["good"] * 5,
            "quality_detail": [None] * 5,
        },
        schema_overrides={"quality_detail": pl.String},
    )
    assert unrepeated(rows, ["k"]).rows() == [
        (1, 5.0, "good", None),
        (2, 7.0, "questionable", "told 2 times at once: 6.0, 7.0"),
        (3, 8.0, "good", None),
    ]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-05T10:00:00Z", "2026-01-05T10:00:00"),
        ("2026-01-05T10:00:00.1230001Z", "2026-01-05T10:00:00.123000"),
        ("2026-01-05T10:00Z", "2026-01-05T10:00:00"),
        ("2026-01-05T02:00:00-08:00", "2026-01-05T10:00:00"),
        ("2025-02-04T18:00:00-00:00", "2025-02-04T18:00:00"),
        ("2025-10-09 06:41:00-0500", "2025-10-09T11:41:00"),
        ("2026-01-05T10:00:00.5+00:00", "2026-01-05T10:00:00.500000"),
    ],
)
def test_an_instant_in_every_way_vendors_write_it(text: str, moment: str) -> None:
    # together with a whole-second stamp: one answer mixes both
    assert instants(pl.Series([text, "2026-01-05T00:00:00Z"]), "x").to_list() == [utc(moment), utc("2026-01-05T00:00")]


@pytest.mark.parametrize("text", ["2026-01-05T10:00:00", "2026-13-05T10:00:00Z", "soon", ""])
def test_a_time_without_an_offset_or_sense_is_refused(text: str) -> None:
    with pytest.raises(TimeError):
        instants(pl.Series([text]), "x")


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_survives_its_text(moment: datetime) -> None:
    assert instants(pl.Series([moment.isoformat()]), "x").to_list() == [moment]


def test_local_stamps_of_an_unflagged_repeated_hour_are_taken_for_the_first_pass() -> None:
    stamps = pl.Series(["11/01/2026 1:30:00 AM", "11/01/2026 2:30:00 AM", None])
    assert local_stamps(stamps, PACIFIC, "x").to_list() == [utc("2026-11-01T08:30"), utc("2026-11-01T10:30"), None]


def test_a_wall_clock_time_on_another_day_follows_the_season() -> None:
    # The day before 2026-03-08 (spring) is still standard time: 13:00 PST is 21:00 UTC; the day after is daylight time.
    starts = pl.Series([utc("2026-03-08T08:00"), utc("2026-03-09T07:00"), utc("2026-11-02T07:59")], dtype=TIME)
    assert day_at(starts, PACIFIC, time(13), days=-1).to_list() == [
        utc("2026-03-07T21:00"),
        utc("2026-03-08T20:00"),
        utc("2026-10-31T20:00"),  # 07:59 UTC is still the evening of November 1
    ]


MINUTES = st.integers(-5000, 5000)


def minute(number: int | None) -> datetime | None:
    return None if number is None else utc("2026-08-14T00:00") + timedelta(minutes=number)


@given(MINUTES, MINUTES | st.none(), MINUTES | st.none())
def test_a_belief_is_the_stamp_or_the_earlier_of_both_others(fetch: int, stamp: int | None, rule: int | None) -> None:
    fetched = utc("2026-08-14T00:00") + timedelta(minutes=fetch)
    rows = pl.DataFrame({"rule": pl.Series([minute(rule)], dtype=TIME)})
    known = known_by(rows, fetched_at=fetched, stamp=minute(stamp), rule=pl.col("rule"))
    belief, basis = known.select("belief_time", "belief_basis").row(0)
    if stamp is not None:
        assert (belief, basis) == (minute(stamp), Basis.SOURCE_STAMP)
    elif rule is not None and rule <= fetch:
        assert (belief, basis) == (minute(rule), Basis.SCHEDULE_RULE)
    else:
        assert (belief, basis) == (fetched, Basis.INGEST_TIME)
