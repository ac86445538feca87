"""Market awards: distinct series that must never be added up, and replies without data."""

from __future__ import annotations

import pytest

from domain.errors import PayloadError
from tests.resources.payloads.wire import FETCHED, rows_of, utc, zip_of

NAMESPACE = "http://www.caiso.com/soa/MarketAwards_v4.xsd#"


def record(
    kind: str = "CLEARED",
    market: str = "DAM",
    execution: str = "IFM",
    mw: str = "40",
    resource: str = "MDFKRL_2_PROJCT",
) -> str:
    interval = (
        "<TradeIntervalData><HR>1</HR><intervalStartTime>2026-08-14T07:00:00Z</intervalStartTime>"
        f"<intervalEndTime>2026-08-14T08:00:00Z</intervalEndTime><MW>{mw}</MW><tradeDate>2026-08-14</tradeDate>"
        "</TradeIntervalData>"
    )
    return (
        f"<MarketResultRecord><marketType>{market}</marketType><executionType>{execution}</executionType>"
        f"<resource>{resource}</resource><product>EN</product><scheduleType>{kind}</scheduleType>{interval}</MarketResultRecord>"
    )


def message(*records: str, dated: str = "") -> bytes:
    header = f"<MessageHeader><TimeDate>{dated}</TimeDate></MessageHeader>" if dated else ""
    body = f"{header}<MessagePayload>{''.join(records)}</MessagePayload>"
    return f'<?xml version="1.0"?><MarketAwards xmlns="{NAMESPACE}">{body}</MarketAwards>'.encode()


def test_cleared_market_and_self_are_three_series() -> None:
    rows = rows_of("awards", message(record("CLEARED", mw="40"), record("MARKET", mw="30"), record("SELF", mw="10")))
    assert rows.select("series_id", "value", "unit").rows() == [
        ("awards:MDFKRL_2_PROJCT:EN:CLEARED", 40.0, "MW"),
        ("awards:MDFKRL_2_PROJCT:EN:MARKET", 30.0, "MW"),
        ("awards:MDFKRL_2_PROJCT:EN:SELF", 10.0, "MW"),
    ]
    assert rows.select("event_start", "event_end").unique().rows() == [
        (utc("2026-08-14T07:00"), utc("2026-08-14T08:00"))
    ]


@pytest.mark.parametrize(
    ("market", "execution", "scenario"),
    [("DAM", "IFM", "day_ahead"), ("RTM", "RTUC", "real_time"), ("RTM", "RTD", "real_time:rtd")],
)
def test_markets_that_award_the_same_hour_are_told_apart(market: str, execution: str, scenario: str) -> None:
    assert rows_of("awards", message(record(market=market, execution=execution)))["scenario"].to_list() == [scenario]


def test_an_award_is_known_when_its_message_is_dated_else_by_the_markets_rule() -> None:
    dated = rows_of("awards", message(record(), dated="2026-08-13T12:58:00-07:00"))
    assert dated.select("belief_time", "belief_basis").row(0) == (utc("2026-08-13T19:58"), "source_stamp")
    ruled = rows_of("awards", message(record()))
    assert ruled.select("belief_time", "belief_basis").row(0) == (utc("2026-08-13T20:00"), "schedule_rule")
    real_time = rows_of("awards", message(record(market="RTM", execution="RTUC")))
    assert real_time.select("belief_time", "belief_basis").row(0) == (FETCHED, "ingest_time")


def test_no_data_is_an_empty_answer() -> None:
    reply = b"<StandardOutput><EventLog><result>FMWK0008</result><text>No data</text></EventLog></StandardOutput>"
    assert rows_of("awards", reply).height == 0
    assert rows_of("awards", message()).height == 0


def test_an_archive_of_messages_is_read() -> None:
    payload = zip_of({"a.xml": message(record()), "b.xml": message(record(resource="OXBOW_6_DRUM"))})
    assert rows_of("awards", payload)["series_id"].n_unique() == 2


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (b"<StandardOutput><result>FMWK0001</result><text>bad certificate</text></StandardOutput>", "bad certificate"),
        (message(record())[:-30], "cut short"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><MarketAwards>&b;</MarketAwards>', "hostile"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><MarketAwards/>', "hostile"),
        (message(record("BID")), "type BID"),
        (message(record(market="HASP")), "market HASP"),
        (message(record().replace("<product>EN</product>", "")), "without product"),
        (message(record().replace("<MW>40</MW>", "")), "without 'MW'"),
        (message(record(mw="many")), "'many'"),
        (b'{"a": 1}', "not XML"),
        (b"<html>login</html>", "HTML page"),
    ],
)
def test_what_is_no_award_is_refused_with_its_reason(payload: bytes, told: str) -> None:
    with pytest.raises(PayloadError, match=told):
        rows_of("awards", payload)
