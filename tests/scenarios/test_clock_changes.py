"""Claims about both days on which clocks change, from the wire to the lake, for every product family."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from domain.instants import CENTRAL
from simulators.ercot_products import PRODUCTS as ERCOT_PRODUCTS
from tests.scenarios.doors import HOUR, Bench, Case
from tests.scenarios.families import AHEAD, FAMILIES, Family

QUARTER, FIVE = timedelta(minutes=15), timedelta(minutes=5)
# Central midnight is 05:00 UTC in daylight time and 06:00 in standard time; Pacific midnight two hours later.
CENTRAL_DAYS = {"autumn": ("2025-11-02T05:00", 25), "spring": ("2026-03-08T06:00", 23)}
PACIFIC_DAYS = {"autumn": ("2025-11-02T07:00", 25), "spring": ("2026-03-08T08:00", 23)}
AFTER, BEFORE = 9 * HOUR, -2 * HOUR
"""When a day is read: after its end, or, where a forecast tells of all of it, before it begins."""
DAY_OF = {
    "pi": ("pi:OPS/Gauging Stations/R4|Flow:avg1h", HOUR, AFTER),
    "pi streamset": ("pi:OPS/Reservoirs/Afterbay|Elevation:interp1h", HOUR, AFTER),
    "pi batch": ("pi:OPS/Additions for PI Vision|CCS Mode:interp1h", HOUR, AFTER),
    "ercot rt prices": ("ercot:spp_rt:HB_NORTH:HU", QUARTER, AFTER),
    "ercot da prices": ("ercot:spp_da:HB_NORTH", HOUR, AFTER),
    "ercot load forecast": ("ercot:load_fcst:system_total", HOUR, BEFORE),
    "ercot wind, solar": ("ercot:wind_fcst:STWPF:system", HOUR, BEFORE),
    "ercot actual load": ("ercot:load_actual:wz:coast", HOUR, AFTER),
    "ercot da ancillary": ("ercot:mcpc_da:REGUP", HOUR, AFTER),
    "ercot rt ancillary": ("ercot:mcpc_rt15:REGUP", QUARTER, AFTER),
    "ercot archive": ("ercot:spp_rt:HB_NORTH:HU", QUARTER, AFTER),
    "ercot archive, solar": ("ercot:solar_fcst:STPPF:system", HOUR, BEFORE),
    "ercot dashboards": ("ercot:storage:net", FIVE, HOUR),
    "caiso prices": ("caiso:lmp_da:RALSTON_7_B1:LMP", HOUR, AFTER),
    "caiso 5-minute prices": ("caiso:lmp_rtd:RALSTON_7_B1:MCC", FIVE, AFTER),
    "caiso load forecast": ("caiso:load_fcst:2DA:PGE-TAC", HOUR, AFTER),
    "hydroforecast": ("hydroforecast:discharge:*r4*", HOUR, BEFORE),
    "hydroforecast v1": ("hydroforecast:discharge:*r4*", HOUR, BEFORE),
    "yes csv": ("yes:ERCOT:DALMP:HB_NORTH", HOUR, AFTER),
    "yes json": ("yes:ERCOT:DALMP:HB_NORTH", HOUR, AFTER),
    "cnrfc deterministic": ("cnrfc:flow:MFPC1", HOUR, BEFORE),
    "cnrfc hefs hourly": ("cnrfc:flow:MFPC1", HOUR, BEFORE),
    "cnrfc point": ("cnrfc:flow:MFPC1", HOUR, BEFORE),
    "awards": ("awards:MDFKRL_2_PROJCT:EN:CLEARED", HOUR, -9 * HOUR),
}
NOT_BY_THE_DAY = {
    "ercot sced lmp": "runs are irregular: the night itself is looked at below",
    "ercot mis prices": "every quarter hour is a document: the night itself is looked at below",
    "ercot messages": "they come as they come",
    "ercot rt corrections": "single hours, days later",
    "ercot da corrections": "single hours, days later",
    "ercot ancillary, 5 Dec 2025": "the same products on a fixed day",
    "cnrfc hefs daily": "its days run from noon to noon UTC",
}


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench.running(datetime(2026, 3, 9, 14, tzinfo=UTC)) as running:
        yield running


def span(family: Family, when: str) -> tuple[datetime, int]:
    midnight, hours = (CENTRAL_DAYS if family.zone is CENTRAL else PACIFIC_DAYS)[when]
    return datetime.fromisoformat(f"{midnight}+00:00"), hours


def test_every_family_has_its_days_or_a_reason() -> None:
    assert sorted([*DAY_OF, *NOT_BY_THE_DAY]) == sorted(FAMILIES)


@pytest.mark.parametrize("when", ["spring", "autumn"])
@pytest.mark.parametrize("name", DAY_OF)
def test_every_interval_of_the_day_is_there_once_at_its_own_instant(bench: Bench, name: str, when: str) -> None:
    family, (series, step, moment) = FAMILIES[name], DAY_OF[name]
    start, hours = span(family, when)
    now = start + moment if moment < timedelta(0) else start + hours * HOUR + moment
    # Written out without any rule of clocks: instants one step apart from local midnight to local midnight.
    expected = [start + step * place for place in range(int(hours * HOUR / step))]
    bench.clear()
    with bench.case() as case:
        _, error = case.poll(
            family, now, trailing=3 * HOUR if moment < timedelta(0) and name != "awards" else now - start
        )
        if name in _TOLD_A_DAY_BEFORE:
            case.poll(family, now, trailing=AHEAD)
        assert not error
        rows = case.lake.latest(series, start=start, end=start + hours * HOUR)
    if name == "ercot rt ancillary" and when == "autumn":
        assert rows.is_empty()  # these prices began on 2025-12-05
        return
    point = rows.filter(pl.col("quantile").is_null() & ~pl.col("scenario").is_in(["real_time"]))
    assert sorted(point["event_start"].unique().to_list()) == expected
    assert point.select("event_start", "scenario", "member", "source").is_unique().all()


_TOLD_A_DAY_BEFORE = ("hydroforecast", "hydroforecast v1", "cnrfc deterministic", "cnrfc hefs hourly")


@pytest.mark.parametrize("name", ["ercot sced lmp", "ercot mis prices"])
def test_the_repeated_hour_has_two_passes(bench: Bench, name: str) -> None:
    family = FAMILIES[name]
    start = datetime(2025, 11, 2, 6, tzinfo=UTC)  # 01:00 daylight time
    bench.clear()
    with bench.case() as case:
        _, error = case.poll(family, start + 2 * HOUR + QUARTER, trailing=2 * HOUR + QUARTER)
        assert not error
        kind = "lmp_sced:HB_NORTH" if name == "ercot sced lmp" else "spp_rt:HB_NORTH:HU"
        rows = case.lake.latest(f"ercot:{kind}", start=start, end=start + 2 * HOUR)
    if name == "ercot mis prices":
        assert rows["event_start"].to_list() == [start + QUARTER * place for place in range(8)]
    else:  # about every five minutes, seconds off, an extra one now and then
        slots = rows["event_start"].dt.truncate("5m").unique().sort().to_list()
        assert slots == [start + FIVE * place for place in range(24)]


def postings(bench: Bench) -> pl.DataFrame:
    """The truth about the load forecasts of the night: when each was posted and what it says of noon."""
    product = ERCOT_PRODUCTS["np3-565-cd"]
    low, high = (int(datetime(2025, 11, 2, hour, tzinfo=UTC).timestamp()) for hour in (5, 10))
    table = product.build(bench.simulators.world, product.document_window(low, high))
    frame = pl.DataFrame({name: table.columns[name] for name in ("systemTotal", "inUseFlag")})
    times = {
        name: (pl.Series(values).cast(pl.Int64) * 1_000_000).cast(pl.Datetime("us", "UTC"))
        for name, values in (("event_start", table.event), ("posted", table.published))
    }
    return frame.with_columns(**times).filter("inUseFlag").select("event_start", "posted", value="systemTotal")


def test_two_postings_under_one_stamp_are_never_known_too_early(bench: Bench) -> None:
    """The row API prints 01:30 for the postings of both passes of the repeated hour, without a flag."""
    family, truth = FAMILIES["ercot load forecast"], postings(bench)
    night = datetime(2025, 11, 2, tzinfo=UTC)
    for moments in ((6.7, 7.7, 9.0), (7.7, 9.0), (30.0,)):  # watched all night, from the second pass on, a day later
        bench.clear()
        with bench.case() as case:
            for hours in moments:
                _, error = case.poll(family, night + hours * HOUR, trailing=(hours - 5) * HOUR)
                assert not error
            good = stated(case).filter(pl.col("belief_time") < night + 9 * HOUR)
        said = good.join(truth, on=["event_start", "value"], how="inner").group_by(
            "event_start", "value", "belief_time"
        )
        first = said.agg(pl.col("posted").min())
        assert first.height == good.height, "a good number that no posting holds"
        assert (first["belief_time"] >= first["posted"].dt.truncate("1m")).all()


def stated(case: Case) -> pl.DataFrame:
    """Every good statement of the night in use."""
    rows = case.ever_good().filter(pl.col("scenario") == "deterministic")
    return rows.select("event_start", "value", "belief_time").unique()
