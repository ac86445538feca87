"""All parsers together: nothing is known before it was said, and no payload whatever brings one down."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.beliefs import CANONICAL
from domain.errors import InputError, PayloadError
from resources.payloads.registry import SERVICES, parse
from tests.resources.payloads.ercot_cases import CASES
from tests.resources.payloads.wire import FETCHED, csv_of, facts, page_of, rows_of, utc, zip_of

START = utc("2026-08-14T21:00")
PI_OPTIONS = {"path": "OPS/R4|Flow", "kind": "recorded"}
YES_OPTIONS = {"timezone": "GMT", "iso": "CAISO", "agglevel": "hour"}
XML = """<MarketAwards xmlns="x#"><MarketResultRecord><marketType>DAM</marketType><resource>A</resource>
<product>EN</product><scheduleType>CLEARED</scheduleType><TradeIntervalData><intervalStartTime>2026-08-14T21:00:00Z</intervalStartTime>
<intervalEndTime>2026-08-14T22:00:00Z</intervalEndTime><MW>4</MW></TradeIntervalData></MarketResultRecord></MarketAwards>"""
LMP = "INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,NODE,MARKET_RUN_ID,LMP_TYPE,MW"
PLAIN: dict[str, tuple[bytes, dict[str, Any]]] = {
    "pi": (
        json.dumps(
            {"Items": [{"Timestamp": "2026-08-14T21:00:00Z", "Value": 5, "Good": True, "UnitsAbbreviation": "cfs"}]}
        ).encode(),
        {"options": PI_OPTIONS},
    ),
    "ercot": (csv_of(CASES[0].header, [CASES[0].row]), {}),
    "caiso": (zip_of({"a.csv": csv_of(LMP, ["2026-08-14T21:00:00-00:00,2026-08-14T22:00:00-00:00,N,DAM,LMP,5"])}), {}),
    "cnrfc": (
        b"GMT,FOLC1,HLEC1\n,QINE,QINE\n2026-08-14 21:00:00,1,2\n",
        {"name": "2026081412_american_csv_export.csv"},
    ),
    "hydroforecast": (
        json.dumps(
            {
                "data": [
                    {
                        "query": {"siteId": "r4", "unitSystem": "US"},
                        "forecasts": [
                            {
                                "issueTime": "2026-08-14T20:30:00Z",
                                "validTimes": ["2026-08-14T21:00:00Z"],
                                "data": {"discharge_mean": [5], "discharge_q0.5": [4]},
                            }
                        ],
                    }
                ]
            }
        ).encode(),
        {},
    ),
    "yes": (csv_of("DATETIME,1 (DALMP)", ["08/14/2026 22:00:00,5.25"]), {"options": YES_OPTIONS}),
    "awards": (XML.encode(), {}),
}


@pytest.mark.parametrize("service", SERVICES)
def test_every_parser_returns_canonical_rows(service: str) -> None:
    payload, given_facts = PLAIN[service]
    rows = rows_of(service, payload, **given_facts)
    assert rows.schema == pl.Schema(CANONICAL)
    assert rows.height >= 1
    assert rows["value"].is_finite().all()


# The earliest moment at which each payload's numbers may count as known: what its contract says of it.
EARLIEST: dict[str, datetime] = {
    "pi": START + timedelta(minutes=5),  # the assumed delay
    "ercot": utc("2026-08-14T21:47"),  # two minutes after the quarter
    "caiso": utc("2026-08-13T20:00"),  # 13:00 PDT on the day before
    "cnrfc": utc("2026-08-14T17:00"),  # nominal hour + 5 h
    "hydroforecast": utc("2026-08-14T20:30"),  # issueTime
    "yes": utc("2026-08-13T20:00"),
    "awards": utc("2026-08-13T20:00"),
}


@given(service=st.sampled_from(SERVICES), minutes=st.integers(-3 * 24 * 60, 3 * 24 * 60))
@settings(max_examples=60)
def test_nothing_is_known_before_it_was_published_nor_after_it_was_in_our_hands(service: str, minutes: int) -> None:
    payload, given_facts = PLAIN[service]
    fetched = START + timedelta(minutes=minutes)
    rows = rows_of(service, payload, fetched_at=fetched, **given_facts)
    stamped = rows["belief_basis"].is_in(["source_stamp", "filename"])
    known = rows["belief_time"]
    assert ((known >= EARLIEST[service]) | (known == fetched)).all()
    assert (stamped | (known <= fetched)).all()
    assert ((known == fetched) == (rows["belief_basis"] == "ingest_time")).all() or (known == EARLIEST[service]).all()


def test_a_service_that_is_none_of_ours_is_refused() -> None:
    with pytest.raises(InputError, match="known: pi, ercot"):
        parse("weather", b"", facts())


HOSTILE = {
    "empty": b"",
    "blank": b" \r\n\t\n",
    "html": b"<!doctype html><html>Sign in</html>",
    "binary": bytes(range(256)) * 40,
    "gzip": b"\x1f\x8b\x08\x00abc",
    "cut zip": zip_of({"a.csv": b"12345" * 4000})[:60],
    "bomb": zip_of({"a.csv": bytes(24 << 20)}),
    "columns": b",".join(b"c%d" % number for number in range(1_000_000)) + b"\n",
    "long line": b"x" * (3 << 20),
    "deep JSON": b"[" * 100_000,
    "wide JSON": json.dumps({f"k{number} (LMP)": 1 for number in range(100_000)}).encode(),
    "wide JSON row": json.dumps([{f"k{number} (LMP)": 1 for number in range(100_000)}]).encode(),
    "entities": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>',
    "entities, zipped": zip_of({"INVALID_REQUEST.xml": b'<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>'}),
    "deep XML": b"<a>" * 50_000,
}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_payload_ends_in_a_clear_error(service: str, name: str) -> None:
    options = {"options": PI_OPTIONS | YES_OPTIONS}
    with pytest.raises(InputError) as caught:
        rows_of(service, HOSTILE[name], name="download", **options)
    assert 20 < len(str(caught.value)) < 600


@pytest.mark.parametrize("service", SERVICES)
def test_no_number_of_a_payload_that_is_cut_anywhere_is_wrong_and_good(service: str) -> None:
    payload, given_facts = PLAIN[service]
    whole = rows_of(service, payload, **given_facts)
    for length in [*range(0, len(payload), max(1, len(payload) // 40)), len(payload) - 1, len(payload) - 2]:
        try:
            rows = rows_of(service, payload[:length], **given_facts)
        except InputError:
            continue
        good = rows.filter(quality="good")
        assert good.join(whole, on=list(CANONICAL), nulls_equal=True, how="anti").height == 0, f"cut at {length}"


@given(
    service=st.sampled_from(SERVICES),
    position=st.floats(0, 1),
    junk=st.binary(min_size=1, max_size=6),
    drop=st.integers(0, 6),
)
@settings(max_examples=200)
def test_a_corrupted_payload_raises_nothing_but_our_own_errors(
    service: str, position: float, junk: bytes, drop: int
) -> None:
    payload, given_facts = PLAIN[service]
    at = int(position * len(payload))
    try:
        rows = rows_of(service, payload[:at] + junk + payload[at + drop :], **given_facts)
    except InputError:
        return
    assert rows.columns == list(CANONICAL)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "2026-08-14T21:00:00Z", "Items", "data"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Items",
                    "data",
                    "Value",
                    "Timestamp",
                    "Good",
                    "query",
                    "forecasts",
                    "currentDay",
                    "epoch",
                    "validTimes",
                    "issueTime",
                    "totalCharging",
                    "DATETIME",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(service=st.sampled_from(["pi", "ercot", "yes", "hydroforecast"]), value=json_values)
@settings(max_examples=200)
def test_json_of_any_shape_raises_nothing_but_our_own_errors(service: str, value: object) -> None:
    try:
        rows = rows_of(service, json.dumps(value).encode(), options=PI_OPTIONS | YES_OPTIONS)
    except InputError:
        return
    assert rows.columns == list(CANONICAL)


def test_a_page_of_an_unknown_shape_names_the_service() -> None:
    with pytest.raises(PayloadError, match="not the shape that ercot promises"):
        rows_of("ercot", page_of(["a"], [["b"]]).replace(b'"report":{"reportEMIL":""}', b'"report":[1]'))
    assert rows_of("ercot", PLAIN["ercot"][0])["belief_time"].max() < FETCHED
