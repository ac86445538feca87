"""ERCOT's reports beyond single rows: layouts, stamps, corrections, bulk downloads, the change of the market."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import polars as pl
import pytest

from domain.errors import PayloadError, TimeError
from resources.payloads import ercot
from tests.resources.payloads.ercot_cases import ADDERS, CASES, DAY, ZONES
from tests.resources.payloads.wire import FETCHED, csv_of, facts, page_of, rows_of, utc, zip_of

DAM = next(case for case in CASES if case.emil == "NP4-190")
WIND = next(case for case in CASES if case.emil == "NP4-732")


def test_columns_may_come_in_any_case_and_order_with_others_between() -> None:
    payload = csv_of(
        "dstflag,PRICE_NOTE,settlement_point_price,SETTLEMENTPOINT,hour_ending,DeliveryDate",
        ["N,x,41.25,LZ_WEST,17:00,2026-08-14"],
    )
    (row,) = rows_of("ercot", payload).iter_rows(named=True)
    assert (row["series_id"], row["value"], row["event_start"]) == (
        "ercot:spp_da:LZ_WEST",
        41.25,
        utc("2026-08-14T21:00"),
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text + b"\n\n",
        lambda text: text.rstrip(b"\n"),
        lambda text: text.replace(b"\n", b",\n"),
    ],
    ids=["byte-order mark", "CRLF", "blank lines", "no last line end", "trailing commas"],
)
def test_a_layout_that_editors_leave_behind_changes_nothing(change: Callable[[bytes], bytes]) -> None:
    plain = csv_of(DAM.header, [DAM.row, f"{DAY},18:00,LZ_WEST,40,N"])
    assert rows_of("ercot", change(plain)).equals(rows_of("ercot", plain))


def test_the_model_in_use_is_stored_a_second_time_as_deterministic() -> None:
    header = f"postedDatetime,deliveryDate,hourEnding,{ZONES},systemTotal,model,inUseFlag,DSTFlag"
    data = [
        ["2026-08-14T15:30:00", "2026-08-14", "17:00", *range(8), total, model, used, False]
        for total, model, used in ((36, "E3", True), (40, "M", False))
    ]
    rows = rows_of("ercot", page_of(header.split(","), data)).filter(series_id="ercot:load_fcst:system_total")
    assert dict(rows.select("scenario", "value").iter_rows()) == {"model:E3": 36, "deterministic": 36, "model:M": 40}
    assert rows["belief_time"].unique().to_list() == [utc("2026-08-14T20:30")]
    assert rows["belief_basis"].unique().to_list() == ["source_stamp"]


def test_a_forecast_hour_has_no_actual_value_rather_than_a_missing_one() -> None:
    rows = rows_of("ercot", csv_of(WIND.header, [f"{DAY},17,,2,3,4,,6,,N"]))
    assert rows.filter(pl.col("series_id").str.contains("actual|hsl:")).height == 0
    assert rows.height == 4  # COPHSL, STWPF, WGRPP of the system, STWPF of the west


def test_an_empty_forecast_cell_is_a_missing_value_of_that_posting() -> None:
    rows = rows_of("ercot", csv_of(WIND.header, [f"{DAY},17,1,2,,4,5,6,7,N"]))
    assert rows.filter(series_id="ercot:wind_fcst:STWPF:system").select("value", "quality").row(0) == (None, "missing")


def test_no_match_is_an_empty_answer() -> None:
    assert (
        rows_of(
            "ercot", page_of(["deliveryDate", "hourEnding", "settlementPoint", "settlementPointPrice", "DSTFlag"], [])
        ).height
        == 0
    )


def test_real_time_capacity_prices_do_not_exist_before_the_market_changed() -> None:
    header = "DeliveryDate,DeliveryHour,DeliveryInterval,RepeatedHourFlag,ASType,MCPC"
    first = rows_of("ercot", csv_of(header, ["12/05/2025,1,1,N,ECRS,0.5"]))
    assert first["event_start"].to_list() == [utc("2025-12-05T06:00")]
    with pytest.raises(PayloadError, match="2025-12-05"):
        rows_of("ercot", csv_of(header, ["12/04/2025,24,4,N,ECRS,0.5"]))


def test_adders_before_and_after_the_market_changed_have_their_own_columns() -> None:
    old = csv_of(
        "SCEDTimestamp,RepeatedHourFlag,BatchID,SystemLambda,PRC,RTORPA,RTOFFPA,RTOLCAP",
        ["12/04/2025 16:30:12,N,1,19.75,6000,1.5,0.5,9000"],
    )
    rows = rows_of("ercot", old)
    assert set(rows["series_id"]) == {
        "ercot:lambda:sced",
        "ercot:adder_sced:RTORPA",
        "ercot:adder_sced:RTOFFPA",
        "ercot:adder_sced:RTOLCAP",
    }
    with pytest.raises(PayloadError, match="RTRDPARUS"):
        rows_of("ercot", csv_of(ADDERS, ["12/04/2025 16:30:12,N,19.75,0.25,0.5,120"]))


@pytest.mark.parametrize(
    ("fields", "cells", "series", "start"),
    [
        (
            "deliveryDate,deliveryHour,settlementPoint,SPPOriginal,SPPCorrected,priceCorrectionTime,DSTFlag",
            "2026-08-14,17,LZ_WEST,40,41.5,{at},false",
            "ercot:spp_da:LZ_WEST",
            "2026-08-14T21:00",
        ),
        (
            "deliveryDate,deliveryHour,ASType,MCPCOriginal,MCPCCorrected,priceCorrectionTime,DSTFlag",
            "2026-08-14,17,RRS,40,41.5,{at},false",
            "ercot:mcpc_da:RRS",
            "2026-08-14T21:00",
        ),
        (
            "deliveryDate,deliveryHour,deliveryInterval,settlementPointName,settlementPointType,SPPOriginal,SPPCorrected,priceCorrectionTime,DSTFlag",
            "2026-08-14,17,3,LZ_WEST,LZ,40,41.5,{at},false",
            "ercot:spp_rt:LZ_WEST:LZ",
            "2026-08-14T21:30",
        ),
        (
            "SCEDTimestamp,settlementPointName,LMPOriginal,LMPCorrected,priceCorrectionTime,DSTFlag",
            "2026-08-14T16:30:12,LZ_WEST,40,41.5,{at},false",
            "ercot:lmp_sced:LZ_WEST",
            "2026-08-14T21:30:12",
        ),
        (
            "deliveryDate,deliveryHour,deliveryInterval,ASType,MCPCOriginal,MCPCCorrected,priceCorrectionTime,repeatHourFlag",
            "2026-08-14,17,3,RRS,40,41.5,{at},false",
            "ercot:mcpc_rt15:RRS",
            "2026-08-14T21:30",
        ),
        (
            "SCEDTimestamp,constraintId,constraintName,contingencyName,shadowPriceOriginal,shadowPriceCorrected,priceCorrectionTime,DSTFlag",
            "2026-08-14T16:30:12,1,A,B,40,41.5,{at},false",
            "ercot:shadow_price:A:B",
            "2026-08-14T21:30:12",
        ),
    ],
)
def test_a_correction_is_a_new_belief_known_since_its_own_time(
    fields: str, cells: str, series: str, start: str
) -> None:
    payload = page_of(fields.split(","), [cells.format(at="2026-08-20T10:00:00").split(",")])
    (row,) = rows_of("ercot", payload).iter_rows(named=True)
    assert (row["series_id"], row["scenario"], row["value"], row["quality_detail"]) == (
        series,
        "corrected",
        41.5,
        "originally 40.0",
    )
    assert (row["event_start"], row["belief_time"], row["belief_basis"]) == (
        utc(start),
        utc("2026-08-20T15:00"),
        "source_stamp",
    )


def test_a_correction_time_without_its_day_is_not_taken_for_one() -> None:
    fields = "deliveryDate,deliveryHour,settlementPoint,SPPOriginal,SPPCorrected,priceCorrectionTime,DSTFlag"
    rows = rows_of("ercot", page_of(fields.split(","), [["2026-08-14", 17, "LZ_WEST", 40, 41.5, "10:00:00", False]]))
    assert rows.select("belief_time", "belief_basis").row(0) == (FETCHED, "ingest_time")


def test_an_hour_that_a_flagless_product_cannot_tell_is_left_out() -> None:
    days = {"11/01/2026": [1, 2, 3], "03/08/2026": [2, 3, 4]}
    lines = [f"{day},{hour},{hour},5" for day, hours in days.items() for hour in hours]
    rows = rows_of("ercot", csv_of("Date,HourEnding,TotalResourceMW,TotalIRRMW", lines))
    kept = rows.filter(series_id="ercot:outage_capacity:totalresourcemw").select("event_start", "value").rows()
    # 01:00 of November 1 occurs twice, 02:00 of March 8 never
    assert kept == [
        (utc("2026-11-01T05:00"), 1.0),
        (utc("2026-11-01T08:00"), 3.0),
        (utc("2026-03-08T07:00"), 2.0),
        (utc("2026-03-08T08:00"), 4.0),
    ]


def test_the_capped_price_of_a_run_is_the_price() -> None:
    header = "SCEDTimestamp,RepeatedHourFlag,SettlementPoint,CappedLMP,UncappedLMP"
    rows = rows_of("ercot", csv_of(header, [f"{DAY} 16:30:12,N,HB_NORTH,5000,7000"]))
    assert rows.select("series_id", "value").rows() == [("ercot:lmp_sced:HB_NORTH", 5000.0)]


def test_a_column_may_end_in_total_or_not() -> None:
    for header in ("CapREGUPTotal,CapREGDNTotal", "capREGUP,capREGDN"):
        rows = rows_of("ercot", csv_of(f"SCEDTimestamp,RepeatedHourFlag,{header}", [f"{DAY} 16:30:12,N,1,2"]))
        assert rows["series_id"].to_list() == ["ercot:as_capability:REGUP", "ercot:as_capability:REGDN"]


def test_an_exact_duplicate_is_dropped_and_a_contradiction_is_questionable() -> None:
    rows = rows_of(
        "ercot",
        csv_of(DAM.header, [f"{DAY},17:00,A,1,N", f"{DAY},17:00,A,1,N", f"{DAY},17:00,B,1,N", f"{DAY},17:00,B,2,N"]),
    )
    assert [row[:3] for row in rows.select("series_id", "value", "quality", "quality_detail").iter_rows()] == [
        ("ercot:spp_da:A", 1.0, "good"),
        ("ercot:spp_da:B", 2.0, "questionable"),
    ]


def bulk(names_and_hours: list[tuple[str, int]]) -> bytes:
    """A bulk download: a zip of zips, each with one document of one point."""
    members = {}
    for stamp, hour in names_and_hours:
        body = csv_of(DAM.header, [f"{DAY},{hour}:00,LZ_WEST,{hour},N"])
        inner = zip_of({f"cdr.00012331.0000000000000000.{stamp}.DAMSPNP4190.csv": body})
        members[f"{hour}.cdr.00012331.0000000000000000.{stamp}000.DAMSPNP4190_csv.zip"] = inner
    return zip_of(members)


def test_each_document_of_a_bulk_download_keeps_its_own_stamp_whatever_the_order() -> None:
    rows = rows_of("ercot", bulk([("20260813.131500", 9), ("20260813.124501", 3)]), issue=utc("2020-01-01T00:00"))
    assert dict(rows.select("value", "belief_time").iter_rows()) == {
        9: utc("2026-08-13T18:15"),
        3: utc("2026-08-13T17:45:01"),
    }
    assert rows["belief_basis"].unique().to_list() == ["filename"]


def test_a_listed_posting_time_wins_over_the_name_of_a_single_document() -> None:
    rows = rows_of(
        "ercot",
        csv_of(DAM.header, [DAM.row]),
        issue=utc("2026-08-13T17:50"),
        name="cdr.00012331.0000000000000000.20260813.124500.X_csv.csv",
    )
    assert rows.select("belief_time", "belief_basis").row(0) == (utc("2026-08-13T17:50"), "source_stamp")


def test_what_was_fetched_before_its_rule_was_known_when_it_was_fetched() -> None:
    early = utc("2026-08-13T18:00")
    rows = rows_of("ercot", csv_of(DAM.header, [DAM.row]), fetched_at=early)
    assert rows.select("belief_time", "belief_basis").row(0) == (early, "ingest_time")


@pytest.mark.parametrize(
    ("payload", "given", "told"),
    [
        (csv_of("a,b", ["1,2"]), {}, "no product has these columns"),
        (csv_of(DAM.header, [DAM.row]), {"product": "NP6-905"}, "named NP6-905 but lacks"),
        (csv_of(DAM.header, [DAM.row]), {"product": "banana"}, "no product of ERCOT"),
        (csv_of(DAM.header, [f"{DAY},17:00,A,12x,N"]), {}, "'12x'"),
        (csv_of(DAM.header, [f"{DAY},17:00,A"]), {}, "3 fields, its header 5"),
        (csv_of(DAM.header.replace(",", ",Delivery_Date,", 1), [f"{DAY},{DAM.row}"]), {}, "more than once"),
        (zip_of({"a.xml": b"<a/>"}), {}, "holds no CSV"),
        (zip_of({"cdr.00010008.x.SettlementPointsNP4160.csv": b"a,b\n1,2\n"}), {}, "list of settlement points"),
        (b'{"_meta":{},"fields":[{"name":"deliveryDate"}],"data":[["2026-08-14",1]]}', {}, "cells of its fields"),
        (b'{"_meta":{},"message":"fields of what?","x":"fields","status":500}', {}, "fields of what"),
    ],
)
def test_what_is_no_report_is_refused_with_its_reason(payload: bytes, given: dict[str, Any], told: str) -> None:
    with pytest.raises(PayloadError, match=told):
        rows_of("ercot", payload, **given)


def test_a_posting_stamp_that_is_none_is_refused() -> None:
    with pytest.raises(TimeError, match="yesterday"):
        rows_of(
            "ercot",
            page_of(
                ["postedDatetime", "deliveryDate", "hourEnding", "valley", "model", "DSTFlag"],
                [["yesterday", "2026-08-14", "17:00", 1, "E3", False]],
            ),
        )


def test_the_public_functions_agree_with_the_registry() -> None:
    page = page_of(
        ["deliveryDate", "hourEnding", "settlementPoint", "settlementPointPrice", "DSTFlag"],
        [["2026-08-14", "17:00", "A", 1, False]],
    )
    assert ercot.parse_rows(page, facts()).equals(rows_of("ercot", page))
    document = csv_of(DAM.header, [DAM.row])
    assert ercot.parse_documents(document, facts()).equals(rows_of("ercot", document))
    assert isinstance(rows_of("ercot", document)["event_start"][0], datetime)
