"""Claims about fast sorting, against polars' own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import order
from domain.order import VOICE, changed, in_order, into_order, with_key

FIRST = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.one_of(
    st.integers(0, 5).map(lambda hours: FIRST + timedelta(hours=hours)),
    st.integers(0, 2**56).map(lambda micros: FIRST + timedelta(microseconds=micros)),
)
ROWS = st.lists(st.tuples(st.none() | st.integers(0, 3), MOMENTS, st.integers(-5, 2**40)), min_size=1, max_size=30)


@given(ROWS)
def test_packed_sorting_agrees_with_sorting_by_columns(rows: list[tuple[int | None, datetime, int]]) -> None:
    frame = pl.DataFrame(
        rows, schema={"a": pl.Int32, "b": pl.Datetime("us", "UTC"), "c": pl.Int64}, orient="row"
    ).with_row_index("place")
    assert in_order(frame, ["a", "b", "c"]).equals(frame.sort("a", "b", "c", maintain_order=True))
    assert in_order(frame, ["b"]).equals(frame.sort("b", maintain_order=True))
    assert into_order(frame.clone(), ["a", "b", "c"]).equals(frame.sort("a", "b", "c", maintain_order=True))


@given(st.lists(st.tuples(*[st.sampled_from(["x", "y"])] * 3, st.none() | st.integers(0, 2)), max_size=20))
def test_a_key_ranks_voices_as_their_columns_do(rows: list[tuple[str, str, str, int | None]]) -> None:
    schema = {"series_id": pl.String, "source": pl.String, "scenario": pl.String, "member": pl.Int32}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    ranks = {voice: rank for rank, voice in enumerate(frame.select(VOICE).unique().sort(VOICE).rows())}
    keyed = with_key(frame, series=True)
    assert keyed["key"].to_list() == [ranks[voice] for voice in frame.select(VOICE).rows()]
    series = sorted(set(frame["series_id"]))
    assert keyed["series"].to_list() == [series.index(name) for name in frame["series_id"]]


def test_a_change_from_null_to_null_is_none() -> None:
    frame = pl.DataFrame({"a": [None, None, 1, 1, None]})
    assert frame.select(changed(["a"])).to_series().to_list() == [True, False, True, False, True]


def test_a_large_frame_is_sorted_as_a_small_one_and_left_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "LARGE_ROWS", 0)
    frame = pl.DataFrame({"a": [3, 1, 2], "b": ["x", "y", None]})
    assert into_order(frame, ["a"]).rows() == [(1, "y"), (2, None), (3, "x")]
    assert frame.is_empty()
