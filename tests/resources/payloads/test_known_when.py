"""Nothing is knowable before it was published: every product of every parser, at any moment, fetched at any other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InputError
from resources.payloads.ercot.reports import parse_rows
from tests.resources.payloads.every_product import HOUR, MINUTE, WIRES, Wire
from tests.resources.payloads.wire import facts, page_of, rows_of, utc

CHANGES = ("2025-11-02T05:00", "2026-03-08T06:00", "2026-11-01T05:00", "2026-11-01T07:00")
moments = st.one_of(
    st.integers(0, 300 * 24).map(lambda hours: utc("2026-01-10T00:00") + hours * HOUR),
    st.tuples(st.sampled_from(CHANGES), st.integers(0, 6)).map(lambda at: utc(at[0]) + at[1] * HOUR),
)
STAMPED = ("source_stamp", "filename", "http_last_modified")


def bound(wire: Wire, first: datetime, start: datetime, end: datetime) -> datetime | None:
    """The earliest moment at which a row may count as known by its contract; None: not before it is in our hands."""
    if wire.issued is not None:
        return wire.issued(first)
    return wire.earliest(start, end) if wire.earliest is not None else None


@pytest.mark.parametrize("name", WIRES)
@given(first=moments, later=st.integers(-3 * 24 * 60, 30 * 24 * 60))
@settings(max_examples=5, deadline=None)
def test_nothing_is_known_before_it_was_published_nor_claimed_from_the_future(
    name: str, first: datetime, later: int
) -> None:
    wire = WIRES[name]
    instants = [first + number * wire.step for number in range(3)]
    fetched = first + later * MINUTE
    payload, given_facts = wire.write(instants)
    try:
        rows = rows_of(wire.service, payload, **{**given_facts, "fetched_at": fetched})
    except InputError as error:
        assert (wire.since is not None, "2025-12-05" in str(error)) == (True, True)  # noqa: PT017 - the one reason
        return
    for row in rows.iter_rows(named=True):
        known, stamped = row["belief_time"], row["belief_basis"] in STAMPED
        if stamped and known > fetched:
            continue  # the draw made a payload that was fetched before its vendor stamped it
        limit = bound(wire, first, row["event_start"], row["event_end"])
        assert known == fetched or (limit is not None and known >= limit), row
        # Without a stamp of the vendor nothing is known before it is fetched and nothing is dated after that.
        assert stamped or known <= fetched
        assert limit is not None or stamped or known == fetched


def posted_at(stamp: str, fetched_at: datetime) -> tuple[datetime, str]:
    names = ["postedDatetime", "deliveryDate", "hourEnding", "valley", "model", "DSTFlag"]
    page = page_of(names, [[stamp, "2026-11-01", "05:00", 3.5, "E3", "false"]], "NP3-566-CD")
    row = parse_rows(page, facts(product="NP3-566-CD", fetched_at=fetched_at)).row(0, named=True)
    return row["belief_time"], row["quality"]


def test_a_posting_of_the_repeated_hour_is_not_known_an_hour_too_early() -> None:
    first, second = utc("2026-11-01T06:30"), utc("2026-11-01T07:30")
    # Read in between it can only be the first pass; read afterwards it may be either, so it counts as the later.
    assert posted_at("2026-11-01T01:30:00", utc("2026-11-01T06:40"))[0] == first
    assert posted_at("2026-11-01T01:30:00", utc("2026-11-01T07:29:59"))[0] == first
    assert posted_at("2026-11-01T01:30:00", utc("2026-11-01T07:30"))[0] == second
    assert posted_at("2026-11-01T01:30:00", utc("2026-12-01T00:00"))[0] == second
    # The hours around it are certain.
    assert posted_at("2026-11-01T00:30:00", utc("2026-12-01T00:00"))[0] == utc("2026-11-01T05:30")
    assert posted_at("2026-11-01T02:30:00", utc("2026-12-01T00:00"))[0] == utc("2026-11-01T08:30")


def test_two_postings_under_one_stamp_contradict_each_other_and_neither_is_good() -> None:
    names = ["postedDatetime", "deliveryDate", "hourEnding", "valley", "model", "DSTFlag"]
    cells = [["2026-11-01T01:30:00", "2026-11-01", "05:00", value, "E3", "false"] for value in (3.5, 4.0)]
    rows = parse_rows(page_of(names, cells, "NP3-566-CD"), facts(product="NP3-566-CD"))
    assert rows.select("value", "quality", "belief_time").rows() == [
        (4.0, "questionable", datetime(2026, 11, 1, 7, 30, tzinfo=UTC))
    ]
    alike = parse_rows(page_of(names, [cells[0], cells[0]], "NP3-566-CD"), facts(product="NP3-566-CD"))
    assert alike.select("value", "quality").rows() == [(3.5, "good")]


def test_a_contract_of_this_table_is_no_formality() -> None:
    # Were the rule of a day-ahead price a day early, the table would tell: 13:30 Central on the day before.
    wire = WIRES["ercot NP4-190 ercot:spp_da:LZ_WEST actual"]
    start = utc("2026-08-14T21:00")
    assert bound(wire, start, start, start + HOUR) == utc("2026-08-13T17:30")
    payload, given_facts = wire.write([start])
    rows = rows_of("ercot", payload, **given_facts)
    too_early = rows.with_columns(pl.col("belief_time") - timedelta(hours=1, minutes=1))
    assert (rows["belief_time"] >= utc("2026-08-13T17:30")).all()
    assert (too_early["belief_time"] < utc("2026-08-13T17:30")).all()
