"""Liberal in layout: whatever a person or a program did to a file's form, its meaning stays the same."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import polars as pl
import pytest

from domain.errors import InputError, PayloadError
from tests.resources.payloads.ercot_cases import CASES
from tests.resources.payloads.wire import csv_of, rows_of, utc, zip_of

Table = list[list[str]]


def written(table: Table, **form: Any) -> bytes:  # noqa: ANN401 - what csv.writer takes
    """A table as text."""
    text = io.StringIO()
    csv.writer(text, **{"lineterminator": "\n", **form}).writerows(table)
    return text.getvalue().encode()


def named(table: Table, change: Callable[[str], str]) -> Table:
    return [[change(name) for name in table[0]], *table[1:]]


FORMS: Final[Mapping[str, Callable[[Table], bytes]]] = {
    "capitals": lambda table: written(named(table, str.upper)),
    "small letters": lambda table: written(named(table, str.lower)),
    "words apart": lambda table: written(named(table, lambda name: re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))),
    "snake case": lambda table: written(named(table, lambda name: re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name))),
    "all quoted": lambda table: written(table, quoting=csv.QUOTE_ALL),
    "header quoted": lambda table: written(table[:1], quoting=csv.QUOTE_ALL) + written(table[1:]),
    "other order": lambda table: written([row[::-1] for row in table]),
    "more columns": lambda table: written(
        [["Loaded at", *table[0], "Note"], *(["1", *row, "a, b"] for row in table[1:])]
    ),
    "an index": lambda table: written([["", *table[0]], *([str(n), *row] for n, row in enumerate(table[1:]))]),
    "byte-order mark": lambda table: b"\xef\xbb\xbf" + written(table),
    "UTF-16": lambda table: written(table).decode().encode("utf-16"),
    "CRLF": lambda table: written(table, lineterminator="\r\n"),
    "blank lines around": lambda table: b"\r\n\n" + written(table) + b"\n\r\n\n",
    "rows of nothing": lambda table: written([*table, [""] * len(table[0])]),
    "no newline at the end": lambda table: written(table).rstrip(),
    "semicolons": lambda table: written(table, delimiter=";"),
    "tabs": lambda table: written(table, delimiter="\t"),
    "trailing delimiters": lambda table: written([[*row, ""] for row in table]),
    "trailing delimiters of rows": lambda table: written([table[0], *([*row, ""] for row in table[1:])]),
    "padded": lambda table: written([[f"  {cell}    " for cell in row] for row in table]),
    "titles above": lambda table: b"Some Report\nRun at noon\n\n" + written(table),
    "joined files": lambda table: written([*table, *table]),
    "zipped": lambda table: zip_of({"a.csv": written(table)}),
    "zip of a zip": lambda table: zip_of({"a.zip": zip_of({"b.csv": written(table)})}),
    "in a folder of a zip": lambda table: zip_of({"x/": b"", "x/a.csv": written(table), "__MACOSX/._a.csv": b"\x00"}),
}
"""What happens to a CSV on its way through browsers, spreadsheets and scripts."""

LMP: Final = (
    "INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,OPR_DT,OPR_HR,OPR_INTERVAL,NODE_ID_XML,NODE_ID,NODE,MARKET_RUN_ID,LMP_TYPE,"
    "XML_DATA_ITEM,PNODE_RESMRID,GRP_TYPE,POS,{},GROUP"
)
OASIS: Final = {
    market: csv_of(
        LMP.format(column),
        [
            f"2026-08-14T21:00:00-00:00,2026-08-14T22:00:00-00:00,2026-08-14,15,0,{node},{node},{node},{market},{kind},"
            f"{item},{node},ALL,{n},{n}.5,1"
            for n, (kind, item) in enumerate([("LMP", "LMP_PRC"), ("MCC", "LMP_CONG_PRC"), ("MGHG", "LMP_GHG_PRC")])
            for node in ("RALSTON_7_B1", "TH_NP15_GEN-APND")
        ],
    )
    for market, column in (("DAM", "MW"), ("RTPD", "PRC"), ("RTM", "VALUE"))
}
YES: Final = csv_of(
    "DATETIME,HOURENDING,MARKETDAY,PEAKTYPE,MONTH,YEAR,HB_NORTH (RTLMP),20000002064 (DALMP)",
    [
        "08/14/2026 22:00:00,22,08/14/2026,ONPEAK,AUGUST,2026,5.25,41",
        "08/14/2026 23:00:00,23,08/14/2026,ONPEAK,AUGUST,2026,,42",
    ],
)
YES_OPTIONS: Final = {"timezone": "GMT", "iso": "CAISO", "agglevel": "hour"}
SAMPLES: Final[list[tuple[str, bytes, dict[str, Any]]]] = [
    *(("ercot", csv_of(case.header, [case.row]), {}) for case in CASES),
    *(("caiso", body, {}) for body in OASIS.values()),
    ("yes", YES, {"options": YES_OPTIONS}),
    (
        "cnrfc",
        csv_of(
            "Valid Date/Time (Pacific),Stage (Feet),Flow (CFS),Trend,Issuance Date/Time (Pacific),Observed/Forecast",
            ["08/14/2026 1 PM,4.5,210,,,Observed", "08/14/2026 2 PM,4.6,215,,08/14/2026 9 AM,Forecast"],
        ),
        {"options": {"point": "MFPC1"}},
    ),
]


@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_a_table_changes_nothing_of_its_meaning(form: str) -> None:
    for service, plain, given in SAMPLES:
        want = rows_of(service, plain, **given)
        table = list(csv.reader(io.StringIO(plain.decode())))
        got = rows_of(service, FORMS[form](table), **given)
        key = ["series_id", "event_start", "scenario"]
        # A file without its last newline may be cut short: its last number is kept, and doubted.
        told = pl.exclude("quality", "quality_detail") if form == "no newline at the end" else pl.all()
        assert got.select(told).sort(key).equals(want.select(told).sort(key)), f"{service}: {plain[:60]!r}"


@pytest.mark.parametrize("form", ["zipped", "zip of a zip", "CRLF", "byte-order mark", "blank lines around", "padded"])
def test_a_river_forecast_keeps_its_two_header_rows_in_any_form(form: str) -> None:
    plain = b"GMT,FOLC1,HLEC1\n,QINE,QINE\n2026-08-14 21:00:00,1,2\n2026-08-14 22:00:00,1.5,-9999\n"
    given = {"name": "2026081412_american_csv_export"}
    table = list(csv.reader(io.StringIO(plain.decode())))
    assert rows_of("cnrfc", FORMS[form](table), **given).equals(rows_of("cnrfc", plain, **given))


def test_a_title_with_no_table_below_it_is_no_table() -> None:
    for text in (b"Report\n", b"Report\nof nothing\n", b"Report\na,b\n", b"Sorry, no data\nTry again\n"):
        with pytest.raises(InputError):
            rows_of("ercot", text)


def test_a_text_that_only_begins_like_UTF_16_is_refused() -> None:  # noqa: N802 - a name
    with pytest.raises(PayloadError, match="UTF-16"):
        rows_of("ercot", b"\xff\xfea")


REPORT: Final = """<?xml version="1.0" encoding="UTF-8"?>
<OASISReport xmlns="http://www.caiso.com/soa/OASISReport_v1.xsd"><MessageHeader><Source>OASIS</Source></MessageHeader>
<MessagePayload><RTO><name>CAISO</name><REPORT_ITEM><REPORT_HEADER><SYSTEM>OASIS</SYSTEM><REPORT>{report}</REPORT>
<MKT_TYPE>{market}</MKT_TYPE><UOM>US$/MWh</UOM></REPORT_HEADER>{data}</REPORT_ITEM></RTO></MessagePayload></OASISReport>"""
DATA: Final = """<REPORT_DATA><DATA_ITEM>{item}</DATA_ITEM><RESOURCE_NAME>{place}</RESOURCE_NAME>
<OPR_DATE>2026-08-14</OPR_DATE><INTERVAL_NUM>15</INTERVAL_NUM><INTERVAL_START_GMT>2026-08-14T21:00:00-00:00</INTERVAL_START_GMT>
<INTERVAL_END_GMT>2026-08-14T22:00:00-00:00</INTERVAL_END_GMT><VALUE>{value}</VALUE>{more}</REPORT_DATA>"""


@pytest.mark.parametrize(
    ("report", "market", "item", "place", "more", "series"),
    [
        ("PRC_LMP", "DAM", "LMP_PRC", "RALSTON_7_B1", "", "caiso:lmp_da:RALSTON_7_B1:LMP"),
        ("PRC_INTVL_LMP", "RTM", "LMP_CONG_PRC", "RALSTON_7_B1", "", "caiso:lmp_rtd:RALSTON_7_B1:MCC"),
        ("SLD_FCST", "DAM", "SYS_FCST_DA_MW", "PGE-TAC", "", "caiso:load_fcst:DAM:PGE-TAC"),
        (
            *("SLD_REN_FCST", "DAM", "RENEW_FCST_DA_MW", ""),
            "<TRADING_HUB>NP15</TRADING_HUB><RENEWABLE_TYPE>Solar</RENEWABLE_TYPE>",
            "caiso:ren_fcst:DAM:NP15:Solar",
        ),
    ],
)
def test_an_oasis_answer_in_xml_says_what_its_csv_says(
    report: str, market: str, item: str, place: str, more: str, series: str
) -> None:
    data = DATA.format(item=item, place=place, value="5.5", more=more)
    body = REPORT.format(report=report, market=market, data=data).encode()
    for payload in (body, zip_of({f"20260814_{report}.xml": body})):
        (row,) = rows_of("caiso", payload).iter_rows(named=True)
        assert (row["series_id"], row["value"]) == (series, 5.5)
        assert (row["event_start"], row["event_end"]) == (utc("2026-08-14T21:00"), utc("2026-08-14T22:00"))


def stamps(count: int, minutes: int, second: int = 0) -> list[str]:
    return [f"2026-08-14T{n * minutes // 60:02d}:{n * minutes % 60:02d}:{second:02d}Z" for n in range(count)]


@pytest.mark.parametrize(
    ("items", "kind"),
    [
        ([{"Timestamp": at, "Value": 1, "Good": True} for at in stamps(6, 60)], "interp1h"),
        ([{"Timestamp": at, "Value": 1, "Good": True} for at in stamps(6, 15)], "interp15m"),
        ([{"Timestamp": at, "Value": 1, "Good": True} for at in stamps(6, 7, second=3)], "recorded"),
        ([{"Timestamp": at, "Value": 1, "Good": True} for at in stamps(2, 60)], "recorded"),
        ([{"Type": "Average", "Value": {"Timestamp": at, "Value": 1, "Good": True}} for at in stamps(3, 60)], "avg1h"),
    ],
)
def test_a_stream_shows_how_it_was_read(items: list[dict[str, Any]], kind: str) -> None:
    stream = {"Path": r"\\AF01\OPS\Gauging Stations\R4|Flow", "UnitsAbbreviation": "cfs", "Items": items}
    rows = rows_of("pi", json.dumps({"Items": [stream]}).encode())
    assert rows["series_id"].unique().to_list() == [f"pi:OPS/Gauging Stations/R4|Flow:{kind}"]
    alone = rows_of("pi", json.dumps(stream).encode(), product="OPS/Gauging Stations/R4|Flow")
    assert alone.equals(rows)


def test_a_summary_of_one_interval_does_not_show_how_long_it_is() -> None:
    one = {"Type": "Average", "Value": {"Timestamp": "2026-08-14T21:00:00Z", "Value": 1, "Good": True}}
    with pytest.raises(PayloadError, match="how it was asked for"):
        rows_of("pi", json.dumps({"Items": [one]}).encode(), product="OPS/R4|Flow", options={"unit": "cfs"})
