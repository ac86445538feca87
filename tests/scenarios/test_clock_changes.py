"""Claims about both days on which clocks change, from the wire to the lake, for a product of each service."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from domain.instants import CENTRAL, PACIFIC
from tests.scenarios.doors import HOUR, Bench

SPRING, FALL = datetime(2026, 3, 8, 12), datetime(2026, 11, 1, 12)  # noqa: DTZ001 - a local noon of either zone
QUARTER = timedelta(minutes=15)
PRODUCTS = {
    "pi": ("pi:OPS/Gauging Stations/R4|Flow:avg1h", PACIFIC, HOUR),
    "ercot": ("ercot:spp_rt:HB_NORTH:HU", CENTRAL, QUARTER),
    "ercot_archive": ("ercot:spp_rt:HB_NORTH:HU", CENTRAL, QUARTER),
    "ercot_mis": ("ercot:spp_rt:HB_NORTH:HU", CENTRAL, QUARTER),
    "caiso": ("caiso:lmp_da:RALSTON_7_B1:LMP", PACIFIC, HOUR),
    "yes": ("yes:ERCOT:DALMP:HB_NORTH", CENTRAL, HOUR),
    "hydroforecast": ("hydroforecast:discharge:*r4*", PACIFIC, HOUR),
    "cnrfc": ("cnrfc:flow:MFPC1", PACIFIC, HOUR),
    "awards": ("awards:MDFKRL_2_PROJCT:EN:CLEARED", PACIFIC, HOUR),
}


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench.running(datetime(2026, 3, 9, 14, tzinfo=UTC)) as running:
        yield running


@pytest.mark.parametrize("noon", [SPRING, FALL], ids=["spring", "fall"])
@pytest.mark.parametrize("service", PRODUCTS)
def test_every_interval_of_the_day_is_there_once_at_its_own_instant(bench: Bench, service: str, noon: datetime) -> None:
    series, zone, step = PRODUCTS[service]
    start, end = midnights(noon, zone)
    hours = 23 if noon is SPRING else 25
    assert end - start == timedelta(hours=hours)
    if service == "ercot_mis":  # every quarter hour is a document: the night of the change is enough
        hours, end = 5, start + 5 * HOUR
    bench.set(end + 9 * HOUR)
    with bench.case() as case:
        early = service in ("hydroforecast", "cnrfc")  # the issue before the day tells of all of it
        _, error = case.poll(service, end + 9 * HOUR, trailing=timedelta(hours=hours + (45 if early else 10)))
        assert not error
        rows = case.lake.latest(series, start=start, end=end)
    point = rows.filter(pl.col("quantile").is_null() & ~pl.col("scenario").is_in(["real_time"]))
    # Written out without any rule of clocks: instants one step apart from local midnight to local midnight.
    expected = [start + step * place for place in range(hours * int(HOUR / step))]
    assert sorted(point["event_start"].unique().to_list()) == expected
    assert point.select("event_start", "scenario", "source").is_unique().all()


def midnights(noon: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    day = noon.replace(hour=0)
    return day.replace(tzinfo=zone).astimezone(UTC), (day + timedelta(days=1)).replace(tzinfo=zone).astimezone(UTC)
