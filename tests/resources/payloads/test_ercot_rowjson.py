"""Pages of the row API: the fast way and the slow way say the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import PayloadError
from resources.payloads.ercot import rowjson
from resources.payloads.ercot.rowjson import table_of
from resources.payloads.tables import floats
from tests.resources.payloads.wire import page_of

FIELDS = ["deliveryDate", "point", "price", "flag"]
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
ROWS = st.lists(
    st.tuples(
        TEXTS.filter(lambda text: text not in ("", "null")),
        st.sampled_from(["A,B", 'say "x"', "[x]", "],[", "{x}", "a\\b", "HB_NORTH  "]),
        st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53) | st.none(),
        st.booleans(),
    ),
    max_size=6,
)
PRICES = st.tuples(st.sampled_from(["HB_NORTH", "LZ_WEST "]), st.floats(-1e4, 1e4) | st.none())


@given(ROWS)
def test_cells_survive_whatever_texts_they_hold(rows: list[tuple[Any, ...]]) -> None:
    table = table_of(page_of(FIELDS, rows), "page").table
    assert table.columns == ["deliverydate", "point", "price", "flag"]
    for got, sent in zip(table.iter_rows(), rows, strict=True):
        assert got[:2] == sent[:2]
        assert (None if got[2] is None else float(got[2])) == sent[2]
        assert got[3] == json.dumps(sent[3])


@given(st.lists(PRICES, min_size=1, max_size=8))
def test_the_fast_way_equals_the_slow_way(cells: list[tuple[str, float | None]]) -> None:
    page = page_of(FIELDS, [["2026-08-14", name, price, False] for name, price in cells])
    assert rowjson._split(page) is not None
    pretty = json.dumps(json.loads(page), indent=2).encode()
    assert rowjson._split(pretty) is None
    fast, slow = (floats(table_of(payload, "page").table, ["price"], "page") for payload in (page, pretty))
    assert fast.equals(slow)


def test_columns_are_bound_by_the_names_of_this_page() -> None:
    table = table_of(page_of(["price", "extra", "point"], [[1.5, "x", "A"]]), "page").table
    assert table.select("point", "price").row(0) == ("A", "1.5")


@pytest.mark.parametrize("data", [{}, {"data": []}, {"data": None}])
def test_no_match_is_a_table_without_rows(data: dict[str, Any]) -> None:
    payload = json.dumps({"_meta": {"totalRecords": 0}, "fields": [{"name": "a"}, {"name": "b"}], **data}).encode()
    assert table_of(payload, "page").table.shape == (0, 2)


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (page_of(FIELDS, [["2026-08-14", "A", 1]]), "the 4 cells"),
        (page_of(FIELDS, [["2026-08-14", "A", 1, False], ["2026-08-14", "A", 1, False, 9]]), "row 2"),
        (page_of(FIELDS, [["2026-08-14", "A", 1, False]])[:-40], "not whole JSON"),
        (b'{"statusCode":429,"message":"Rate limit is exceeded"}', "Rate limit"),
        (b"[1]", "JSON list"),
        (page_of([f"c{number}" for number in range(30_000)], []), "30,000 fields"),
    ],
)
def test_what_is_no_page_is_refused(payload: bytes, told: str) -> None:
    with pytest.raises(PayloadError, match=told):
        table_of(payload, "page")
