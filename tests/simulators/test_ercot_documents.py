"""ERCOT's documents: the archive behind the login and the open document list."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from domain.instants import CENTRAL
from simulators.ercot_products import PRODUCTS
from tests.simulators.stand_ins import StandIns
from tests.simulators.test_ercot import get, headers, rows

HEADERS = {
    "np6-905-cd": "DeliveryDate,DeliveryHour,DeliveryInterval,SettlementPointName,SettlementPointType,"
    "SettlementPointPrice,DSTFlag",
    "np6-788-cd": "SCEDTimestamp,RepeatedHourFlag,SettlementPoint,LMP",
    "np3-560-cd": "DeliveryDate,HourEnding,North,South,West,Houston,SystemTotal,DSTFlag    ",
    "np4-737-cd": "DELIVERY_DATE,HOUR_ENDING,SYSTEM_WIDE_GEN,COP_HSL_SYSTEM_WIDE,STPPF_SYSTEM_WIDE,"
    "PVGRPP_SYSTEM_WIDE,SYSTEM_WIDE_HSL,DSTFlag",
}


def unzipped(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def table(content: bytes) -> tuple[str, list[dict[str, str]]]:
    ((name, text),) = unzipped(content).items()
    return name, list(csv.DictReader(io.StringIO(text.decode())))


def listed(stand_ins: StandIns, emil: str, **params: object) -> list[dict[str, Any]]:
    return get(stand_ins, f"/archive/{emil}", **params).json()["archives"]


def documents(stand_ins: StandIns, report: int) -> list[dict[str, str]]:
    url = stand_ins.url("ercot_www", "/misapp/servlets/IceDocListJsonWS")
    answer = stand_ins.http.get(url, params={"reportTypeId": report, "_": 1}, timeout=20).json()
    return [entry["Document"] for entry in answer["ListDocsByRptTypeRes"]["DocumentList"]]


def downloaded(stand_ins: StandIns, number: str) -> bytes:
    url = stand_ins.url("ercot_www", "/misdownload/servlets/mirDownload")
    return stand_ins.http.get(url, params={"doclookupId": number}, timeout=20).content


def test_the_archive_filters_on_posting_time_in_naive_central(stand_ins: StandIns) -> None:
    span = {"postDatetimeFrom": "2026-11-20T00:00:00", "postDatetimeTo": "2026-11-20T23:59:59"}
    found = listed(stand_ins, "np6-905-cd", **span)
    stamps = [entry["postDatetime"] for entry in found]
    assert 96 <= len(found) <= 99  # 96 quarters, perhaps one or two posted twice
    assert stamps == sorted(stamps, reverse=True)
    assert stamps[-1] == "2026-11-20T00:02:00"
    assert found[-1]["friendlyName"] == "SPPHLZNP6905_20261120_0000_csv"


@pytest.mark.parametrize("emil", sorted(HEADERS))
def test_documents_print_the_headers_of_the_vendor(stand_ins: StandIns, emil: str) -> None:
    newest = listed(stand_ins, emil, postDatetimeFrom="2026-11-20T12:00:00", size=1)[0]
    answer = get(stand_ins, f"/archive/{emil}", download=newest["docId"])
    ((name, text),) = unzipped(answer.content).items()
    assert text.decode().splitlines()[0] == HEADERS[emil]
    report = PRODUCTS[emil].report_id
    assert name.startswith(f"cdr.{report:08d}.0000000000000000.2026112")


def test_a_document_holds_the_same_rows_as_the_row_store(stand_ins: StandIns) -> None:
    entry = listed(stand_ins, "np4-190-cd", postDatetimeFrom="2026-11-20T00:00:00")[-1]
    _, document = table(get(stand_ins, "/archive/np4-190-cd", download=entry["docId"]).content)
    day = {"deliveryDateFrom": "2026-11-21", "deliveryDateTo": "2026-11-21", "size": 9999}
    store = rows(get(stand_ins, "/np4-190-cd/dam_stlmnt_pnt_prices", **day))
    assert document[0]["DeliveryDate"] == "11/21/2026"
    printed = {(row["HourEnding"], row["SettlementPoint"]): float(row["SettlementPointPrice"]) for row in document}
    assert printed == {(row["hourEnding"], row["settlementPoint"]): row["settlementPointPrice"] for row in store}


def test_a_bulk_download_is_a_zip_of_zips_in_no_order(stand_ins: StandIns) -> None:
    found = listed(stand_ins, "np6-905-cd", postDatetimeFrom="2026-11-20T00:00:00", size=50)
    url = stand_ins.url("ercot", "/archive/np6-905-cd/download")
    numbers = [entry["docId"] for entry in found]
    answer = stand_ins.http.post(url, json={"docIds": numbers}, headers=headers(stand_ins), timeout=20)
    inner = unzipped(answer.content)
    named = [int(name.split(".")[0]) for name in inner]
    assert sorted(named) == sorted(numbers)
    assert named != sorted(named)
    single = get(stand_ins, "/archive/np6-905-cd", download=numbers[3]).content
    assert next(content for name, content in inner.items() if name.startswith(str(numbers[3]))) == single
    too_many = stand_ins.http.post(url, json={"docIds": [1] * 1001}, headers=headers(stand_ins), timeout=20)
    assert too_many.status_code == 400


def test_a_document_that_is_not_posted_yet_does_not_exist(stand_ins: StandIns) -> None:
    newest = listed(stand_ins, "np3-565-cd", postDatetimeFrom="2026-11-20T20:00:00")[0]["docId"]
    stand_ins.set_clock(datetime(2026, 11, 21, 7, 0, tzinfo=UTC))
    assert get(stand_ins, "/archive/np3-565-cd", download=newest).status_code == 404
    assert get(stand_ins, "/archive/np3-565-cd", download="12").status_code == 404


def test_every_posting_is_listed_as_csv_and_xml_with_the_offset_of_today(stand_ins: StandIns) -> None:
    stand_ins.set_clock(datetime(2026, 3, 12, 12, tzinfo=UTC))
    found = documents(stand_ins, 12311)
    assert {entry["FriendlyName"].rsplit("_", 1)[1] for entry in found} == {"csv", "xml"}
    assert all(isinstance(value, str) for value in found[0].values())
    assert {entry["PublishDate"][-6:] for entry in found} == {"-05:00"}
    clock = sorted({entry["PublishDate"][:16] for entry in found})
    # Clocks went forward on 2026-03-08: 01:30 is followed by 03:30, though the offset printed denies it.
    assert "2026-03-08T01:30" in clock
    assert "2026-03-08T02:30" not in clock
    assert clock[0].startswith("2026-03-05")  # a week of them


def test_the_repeated_hour_is_marked_in_the_name_alone(stand_ins: StandIns) -> None:
    stand_ins.set_clock(datetime(2026, 11, 2, 12, tzinfo=UTC))
    found = [
        entry
        for entry in documents(stand_ins, 12311)
        if entry["PublishDate"].startswith("2026-11-01T01:30") and entry["FriendlyName"].endswith("_csv")
    ]
    assert len(found) == 2
    assert sorted("xhr" in entry["ConstructedName"] for entry in found) == [False, True]
    assert len({entry["PublishDate"] for entry in found}) == 1


def test_some_documents_are_posted_again_under_another_name(stand_ins: StandIns) -> None:
    found = [entry for entry in documents(stand_ins, 12301) if "_retry_" in entry["FriendlyName"]]
    assert found
    again = found[0]
    original = again["FriendlyName"].replace("_retry", "")
    first = next(entry for entry in documents(stand_ins, 12301) if entry["FriendlyName"] == original)
    assert first["PublishDate"] < again["PublishDate"]
    assert table(downloaded(stand_ins, first["DocID"]))[1:] == table(downloaded(stand_ins, again["DocID"]))[1:]


def test_wind_prints_blanks_where_nothing_has_happened_yet(stand_ins: StandIns) -> None:
    newest = next(entry for entry in documents(stand_ins, 13028) if entry["FriendlyName"].endswith("_csv"))
    _, listed_rows = table(downloaded(stand_ins, newest["DocID"]))
    actual = [row["SYSTEM_WIDE_GEN"] for row in listed_rows]
    # 48 hours back, 168 ahead; the hour under way has no actual yet.
    assert len(actual) == 216
    assert all(actual[:48])
    assert not any(actual[48:])
    assert all(row["STWPF_SYSTEM_WIDE"] for row in listed_rows)
    assert {len(row["HOUR_ENDING"]) for row in listed_rows} == {2}


def test_the_autumn_day_has_a_flagged_hour_in_documents(stand_ins: StandIns) -> None:
    stand_ins.set_clock(datetime(2026, 11, 3, 12, tzinfo=UTC))
    entry = next(one for one in documents(stand_ins, 13101) if one["PublishDate"].startswith("2026-11-02"))
    _, load = table(downloaded(stand_ins, entry["DocID"]))
    assert len(load) == 25
    assert [row["HourEnding"] for row in load if row["DSTFlag"] == "Y"] == ["02:00"]


def test_real_time_capacity_prices_begin_with_co_optimisation(stand_ins: StandIns) -> None:
    stand_ins.set_clock(datetime(2025, 12, 7, 12, tzinfo=UTC))
    day = {"deliveryDateFrom": "2025-12-03", "deliveryDateTo": "2025-12-05", "size": 99999}
    found = rows(get(stand_ins, "/np6-331-cd/rt_clear_price_cap", **day))
    assert {row["deliveryDate"] for row in found} == {"2025-12-05"}
    assert len(found) == 96 * 5
    assert {row["ASType"] for row in found} == {"REGUP", "REGDN", "RRS", "ECRS", "NSPIN"}
    assert len(rows(get(stand_ins, "/np4-188-cd/dam_clear_price_for_cap", **day))) == 3 * 24 * 5


def test_a_correction_names_original_and_corrected_price_and_comes_days_later(stand_ins: StandIns) -> None:
    found = rows(get(stand_ins, "/np4-196-m/dam_price_corrections_spp", deliveryDateFrom="2026-08-20", size=9999))
    assert found
    first = found[-1]
    day = datetime.fromisoformat(first["deliveryDate"]).replace(tzinfo=CENTRAL)
    made = datetime.fromisoformat(first["priceCorrectionTime"]).replace(tzinfo=CENTRAL)
    assert timedelta(days=3) <= made - day <= timedelta(days=27)
    assert first["SPPOriginal"] != first["SPPCorrected"]
    hour = {"deliveryDateFrom": first["deliveryDate"], "deliveryDateTo": first["deliveryDate"], "size": 9999}
    store = rows(get(stand_ins, "/np4-190-cd/dam_stlmnt_pnt_prices", **hour, settlementPoint=first["settlementPoint"]))
    # The product itself is not posted again: it still shows the original.
    ending = f"{first['deliveryHour']:02d}:00"
    assert [row["settlementPointPrice"] for row in store if row["hourEnding"] == ending] == [first["SPPOriginal"]]


def test_dispatch_runs_are_irregular_and_keep_their_seconds(stand_ins: StandIns) -> None:
    day = {"SCEDTimestampFrom": "2026-11-20T00:00:00", "SCEDTimestampTo": "2026-11-20T23:59:59", "size": 99999}
    stamps = sorted({row["SCEDTimestamp"] for row in rows(get(stand_ins, "/np6-788-cd/lmp_node_zone_hub", **day))})
    assert 288 <= len(stamps) <= 305
    gaps = {
        (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
        for earlier, later in pairwise(stamps)
    }
    assert len(gaps) > 20


def test_a_stopped_row_store_never_fills_its_gap_while_documents_go_on(stand_ins: StandIns) -> None:
    gap = {"from": "2026-11-20T12:00Z", "to": "2026-11-20T18:00Z"}
    stand_ins.control("ercot", {"faults": [{"fault": "freeze_rows", "match": "np6-905-cd", **gap}]})
    day = {"deliveryDateFrom": "2026-11-20", "deliveryDateTo": "2026-11-20", "settlementPoint": "HB_NORTH", "size": 999}
    assert len(rows(get(stand_ins, "/np6-905-cd/spp_node_zone_hub", **day))) == 96 - 24
    span = {"postDatetimeFrom": "2026-11-20T06:00:00", "postDatetimeTo": "2026-11-20T11:59:00"}
    assert len(listed(stand_ins, "np6-905-cd", **span)) >= 24
