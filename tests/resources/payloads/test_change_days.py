"""Every product of every parser on the days on which clocks change: each UTC instant against an even row of them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import get_args

import polars as pl
import pytest

from domain.errors import InputError
from resources.cnrfc import Product as RiverProduct
from resources.payloads import awards, caiso
from resources.payloads.ercot import dashboards
from resources.payloads.ercot.catalogue import PRODUCTS, recognise
from resources.payloads.ercot.sheets import our_names
from resources.payloads.tables import key_of
from resources.pi_settings import KINDS
from resources.yes import YesGroup
from tests.resources.payloads.every_product import CENTRAL, DAY, ERCOT_CASES, HOUR, PACIFIC, WIRES, Wire, label
from tests.resources.payloads.wire import market_hours, quarter_labels, rows_of, steps, utc

# Midnight is 05:00 UTC in Central daylight time and 06:00 in standard time; Pacific, two hours more.
DAYS = {
    "autumn 2025": (date(2025, 11, 2), 25, {CENTRAL: utc("2025-11-02T05:00"), PACIFIC: utc("2025-11-02T07:00")}),
    "spring 2026": (date(2026, 3, 8), 23, {CENTRAL: utc("2026-03-08T06:00"), PACIFIC: utc("2026-03-08T08:00")}),
    "autumn 2026": (date(2026, 11, 1), 25, {CENTRAL: utc("2026-11-01T05:00"), PACIFIC: utc("2026-11-01T07:00")}),
}


def instants_of(name: str, when: str) -> list[datetime]:
    """The instants that a product has on a day, whatever the clocks do on it."""
    wire, (_, hours, midnight) = WIRES[name], DAYS[when]
    if name.startswith(("dashboard _condition", "dashboard _monitor")):
        return [midnight[wire.zone] + 2 * HOUR]  # they tell of one moment
    if wire.step == DAY:
        return [utc(f"{DAYS[when][0]}T12:00") + days * DAY for days in (-1, 0, 1)]
    return steps(midnight[wire.zone], int(hours * HOUR / wire.step), wire.step)


def rows_about(wire: Wire, instants: list[datetime], **given: object) -> pl.DataFrame:
    payload, facts = wire.write(instants)
    rows = rows_of(wire.service, payload, **{**facts, **given})
    rows = rows.filter(series_id=wire.series)
    return rows if wire.scenario == "*" else rows.filter(pl.col("scenario") == wire.scenario)


@pytest.mark.parametrize("when", DAYS)
@pytest.mark.parametrize("name", WIRES)
def test_every_instant_of_the_day_is_there_once(name: str, when: str) -> None:
    wire, instants = WIRES[name], instants_of(name, when)
    if wire.since is not None and DAYS[when][0] < wire.since:
        with pytest.raises(InputError, match="2025-12-05"):
            rows_about(wire, instants)
        return
    rows = rows_about(wire, instants)
    expected = [instant + wire.shifted for instant in instants]
    if wire.unflagged and when.startswith("autumn"):
        # Nothing tells the two passes apart: both are left out, and a gap can be seen, a wrong place cannot.
        again = DAYS[when][2][wire.zone] + HOUR
        expected = [at for at in expected if not again <= at < again + 2 * HOUR]
    if name == "messages":  # identity is the first pass; the text alone does not tell the second
        again = DAYS[when][2][wire.zone] + 2 * HOUR
        expected = [at - HOUR if when.startswith("autumn") and again <= at < again + HOUR else at for at in expected]
    assert sorted(rows["event_start"].to_list()) == sorted(expected)
    assert rows["quality"].is_in(["good"]).all() or name == "pi recorded"


def test_a_day_has_92_or_100_quarter_hours_and_23_or_25_hours() -> None:
    counts = {
        when: (len(instants_of("ercot NP6-905 ercot:spp_rt:LZ_WEST:LZEW actual", when)),
               len(instants_of("caiso price DAM", when)))
        for when in DAYS
    }  # fmt: skip
    assert counts == {"autumn 2025": (100, 25), "spring 2026": (92, 23), "autumn 2026": (100, 25)}


@pytest.mark.parametrize("when", ["spring 2026", "autumn 2026"])
def test_the_labels_of_this_table_are_those_that_were_seen(when: str) -> None:
    day, hours, midnight = DAYS[when]
    got = [label(at, HOUR) for at in steps(midnight[CENTRAL], hours, HOUR)]
    assert [(int(one["hour"]), one["repeated"]) for one in got] == market_hours(day)
    quarter = timedelta(minutes=15)
    got = [label(at, quarter) for at in steps(midnight[CENTRAL], 4 * hours, quarter)]
    # 01:45 to 02:00 daylight time is seen as 01:00 N: the clock at its end, the flag of its beginning.
    assert [(one["time_ending"], one["repeated"]) for one in got] == quarter_labels(day)


def test_the_table_has_every_product_that_a_parser_reads() -> None:
    known = {f"dashboard {reader.__name__}" for _, reader in dashboards._READERS} | {"messages"}
    known |= {f"caiso price {run}" for run in caiso._PRICE_RUNS} | {"caiso reserve DAM"}
    known |= {f"caiso load {run}" for run in ("DAM", "2DA", "7DA", "RTM", "ACTUAL")}
    known |= {f"caiso renewable {run}" for run in ("DAM", "ACTUAL")}
    known |= {f"pi {kind}" for kind in KINDS}
    known |= {f"yes {level}" for level in get_args(YesGroup.__dataclass_fields__["agglevel"].type) or ()}
    known |= {f"yes {level}" for level in ("5min", "hour", "day", "hour, Pacific labels", "hour, Central labels")}
    known |= {f"cnrfc {product}" for product in (*get_args(RiverProduct), "point")}
    known |= {"hydroforecast v2", "hydroforecast v1"} | {f"awards {market}" for market in awards.MARKETS}
    assert {name for name in WIRES if not name.startswith("ercot ")} == known
    assert len(caiso._QUERIES) == 4, "prices, reserves, renewables, loads"


def test_the_table_has_every_line_of_the_catalogue_of_ercot() -> None:
    met = set()
    for case in ERCOT_CASES:
        columns = list(our_names([key_of(name) for name in case.header.split(",")]))
        met.add(id(recognise([case.emil], columns, case.emil)))
    missing = [(one.emil, sorted(one.needs)) for one in PRODUCTS if id(one) not in met]
    assert missing == []
