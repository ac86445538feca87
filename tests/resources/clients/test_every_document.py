"""Claims about the stand-in of ERCOT: it serves every product that we read, and the parsers take what it serves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import polars as pl
import pytest

from resources.payloads import Facts
from resources.payloads.ercot.catalogue import PRODUCTS as READ
from resources.payloads.registry import parse
from simulators.caiso_reports import REPORTS
from simulators.caiso_tables import csv_text
from simulators.ercot_corrections import correction_times
from simulators.ercot_documents import documents, zipped
from simulators.ercot_products import PRODUCTS as SERVED
from simulators.ercot_rows import answer
from simulators.faults import Faults
from simulators.world import World
from tests.resources.payloads.wire import zip_of

NOW = datetime(2026, 11, 20, 22, 33, tzinfo=UTC)
DAY = 86_400


@pytest.fixture(scope="module")
def world() -> World:
    return World(7)


def moment_of(emil: str, world: World) -> int:
    """A moment shortly after a posting of the product."""
    if not emil.endswith("-m"):
        return int(NOW.timestamp())
    name = "DA" if emil == "np4-196-m" else "RT"
    found = correction_times(
        world, name, datetime(2026, 6, 1, tzinfo=UTC).date(), datetime(2026, 10, 30, tzinfo=UTC).date()
    )
    return max(found.values()) + 60


def test_every_product_that_we_read_is_served() -> None:
    assert {product.emil for product in READ} == {
        emil.upper().removesuffix("-CD").removesuffix("-M") for emil in SERVED
    }
    for product in READ:
        served = next(one for emil, one in SERVED.items() if emil.upper().startswith(f"{product.emil}-"))
        assert served.report_id == product.report_id, product.emil


@pytest.mark.parametrize("emil", SERVED)
def test_a_document_is_recognised_and_its_rows_were_known_when_it_was_posted(world: World, emil: str) -> None:
    now, product, faults = moment_of(emil, world), SERVED[emil], Faults(7)
    document = next(one for one in documents(world, faults, product, now - 2 * DAY, now + 1, now) if not one.retried)
    body = zipped(world, faults, [document], now)[document.doc_id]
    rows = parse("ercot", body, Facts(fetched_at=NOW + timedelta(days=9), name=document.constructed_name))
    assert rows.height > 0
    assert rows["quality"].unique().to_list() == ["good"]
    stamped = "source_stamp" if emil.endswith("-m") else "filename"
    assert rows.select("belief_basis").unique().rows() == [(stamped,)]
    assert int(rows["belief_time"].max().timestamp()) == document.posted  # ty: ignore[missing-attribute]
    # A measurement is over when it is posted; what is not is a forecast or a day-ahead result.
    actual = rows.filter((pl.col("scenario") == "actual") & ~pl.col("series_id").str.contains("_da:|lambda:da"))
    assert (actual["event_end"] <= actual["belief_time"]).all()


@pytest.mark.parametrize("emil", [emil for emil, one in SERVED.items() if one.artifact and not emil.endswith("-m")])
def test_a_page_of_rows_is_the_document_in_other_words(world: World, emil: str) -> None:
    now, product = moment_of(emil, world), SERVED[emil]
    page = answer(product, {"size": "100000"}, world=world, faults=Faults(7), now=float(now))
    body = orjson.dumps(page, option=orjson.OPT_SERIALIZE_NUMPY)
    rows = parse("ercot", body, Facts(fetched_at=NOW + timedelta(days=9), name=f"/{emil}/{product.artifact}"))
    assert rows.height > 0
    assert not rows["series_id"].is_null().any()
    known = rows.filter(pl.col("belief_basis") != "ingest_time")["belief_time"].max()
    assert known is None or int(known.timestamp()) <= now + 3600  # ty: ignore[missing-attribute]


@pytest.mark.parametrize(("query", "run"), REPORTS)
def test_every_report_of_oasis_becomes_rows(world: World, query: str, run: str) -> None:
    start = int(datetime(2026, 11, 19, 8, tzinfo=UTC).timestamp())
    report = REPORTS[query, run]
    table = report.build(world, start, start + 7200, ())
    text = csv_text(7, table, list(table.columns), 0)
    rows = parse("caiso", zip_of({"a.csv": text.encode()}), Facts(fetched_at=NOW, name="SingleZip"))
    assert rows.height > 0
    assert rows["quality"].unique().to_list() == ["good"]
    assert rows["unit"].unique().to_list() == [
        {"PRC": "USD/MWh", "SLD": "MW"}[query[:3]] if query != "PRC_AS" else "USD/MW"
    ]
    assert rows["event_start"].min() == datetime(2026, 11, 19, 8, tzinfo=UTC)
