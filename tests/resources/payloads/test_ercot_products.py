"""Every ERCOT product: what comes of one row, as a document and as a page of the row API, and when it was known."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tests.resources.payloads.ercot_cases import CASES, DAY, Case
from tests.resources.payloads.wire import FETCHED, csv_of, page_of, rows_of, utc, zip_of

IDS = [f"{case.emil} {case.series}" for case in CASES]


def only(rows: pl.DataFrame, case: Case) -> dict[str, Any]:
    """The one row of the expected series and scenario."""
    (row,) = rows.filter(series_id=case.series, scenario=case.scenario).iter_rows(named=True)
    return row


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_a_row_becomes_its_series(case: Case) -> None:
    row = only(rows_of("ercot", csv_of(case.header, [case.row])), case)
    assert (row["value"], row["unit"], row["quality"]) == (case.value, case.unit, "good")
    assert (row["event_start"], row["event_end"]) == (utc(case.start), utc(case.end))
    assert row["source"] == "ercot_mis"


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_an_unstamped_row_is_known_by_its_products_rule_or_when_it_was_fetched(case: Case) -> None:
    row = only(rows_of("ercot", csv_of(case.header, [case.row])), case)
    by_rule = (utc(case.public), "schedule_rule") if case.public else (FETCHED, "ingest_time")
    assert (row["belief_time"], row["belief_basis"]) == by_rule


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_stamp_in_a_documents_name_says_when_its_rows_were_known(case: Case) -> None:
    inner = f"cdr.00099999.0000000000000000.20260814.093012.{case.emil.replace('-', '')}.csv"
    rows = rows_of("ercot", zip_of({inner: csv_of(case.header, [case.row])}), name="mirDownload")
    # 09:30:12 CDT
    assert (only(rows, case)["belief_time"], only(rows, case)["belief_basis"]) == (
        utc("2026-08-14T14:30:12"),
        "filename",
    )


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_a_page_of_the_row_api_gives_the_same_values(case: Case) -> None:
    cells = [cell.replace(DAY, "2026-08-14") for cell in case.row.split(",")]
    payload = page_of(case.header.split(","), [cells], f"{case.emil}-CD")
    row = only(rows_of("ercot", payload, product=f"{case.emil}-CD"), case)
    assert (row["value"], row["event_start"], row["source"]) == (case.value, utc(case.start), "ercot_api")
