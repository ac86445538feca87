"""Claims about planning series: which vendor value a plan reads, and which it leaves out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from domain.beliefs import Cutoffs, Mode, canonical
from domain.errors import ConfigError, InputError
from resources.clock import ManualClock
from resources.lake import Lake
from resources.planning import PlanningReader

T = datetime(2026, 11, 21, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULES = """
[series."r4.flow.cfs"]
kind = "mean"
step = "PT1H"
gap = { rule = "none", longest = "PT0S" }
low = 0
high = 1000
sources = [{ series = "pi:R4:avg1h" }, { series = "pi:R4 backup:avg1h", factor = 2.0, offset = 1.0 }]

[series."hub.price.usd_mwh"]
kind = "mean"
step = "PT15M"
gap = { rule = "none", longest = "PT0S" }
low = -300
high = 9500
sources = [{ series = "ercot:spp_rt:HB_NORTH:HU" }]
"""


def rows(series_id: str, values: list[float | None], **more: object) -> pl.DataFrame:
    step = timedelta(minutes=15) if series_id.startswith("ercot") else HOUR
    unit = "USD/MWh" if series_id.startswith("ercot") else "cfs"
    starts = [T - 6 * HOUR + step * i for i in range(len(values))]
    base = {"series_id": series_id, "unit": unit, "source": "pi"} | more
    return pl.DataFrame({"event_start": starts, "value": values}).with_columns(
        event_end=pl.col("event_start") + step,
        belief_time=pl.col("event_start") + step,
        **{name: pl.lit(value) for name, value in base.items()},
    )


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", now=ManualClock(T).now, latency={"pi": timedelta(minutes=5)})


@pytest.fixture
def reader(lake: Lake, tmp_path: Path) -> PlanningReader:
    path = tmp_path / "series.toml"
    path.write_text(RULES)
    return PlanningReader(lake, path)


def read(reader: PlanningReader, series_id: str) -> list[float]:
    known = Cutoffs(at=T, mode=Mode.PUBLISHED)
    return reader.observed(series_id, start=T - 6 * HOUR, end=T, cutoffs=known)["value"].to_list()


def test_the_first_source_wins_where_it_has_a_usable_value_and_the_second_fills_in(
    lake: Lake, reader: PlanningReader
) -> None:
    lake.append(rows("pi:R4:avg1h", [100.0, 5000.0, 102.0]), run_id="a", product="p")
    lake.append(rows("pi:R4 backup:avg1h", [60.0, 60.0, 60.0, 60.0]), run_id="a", product="p")
    # 5000 cfs is above the believable 1000; the backup is 60 x 2 + 1.
    assert read(reader, "r4.flow.cfs") == [100.0, 121.0, 102.0, 121.0]


def test_questionable_values_are_left_out_of_plans(lake: Lake, reader: PlanningReader) -> None:
    lake.append(rows("pi:R4:avg1h", [100.0, 101.0], quality="questionable"), run_id="a", product="p")
    assert read(reader, "r4.flow.cfs") == []


def test_what_could_not_have_arrived_by_the_cutoff_is_not_read(lake: Lake, reader: PlanningReader) -> None:
    lake.append(rows("pi:R4:avg1h", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), run_id="a", product="p")
    # The hour that ended at 07:00 was published at 07:00 and with us, by the declared latency, at 07:05.
    assert read(reader, "r4.flow.cfs") == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_quarter_hours_become_the_mean_of_whole_hours_only(lake: Lake, reader: PlanningReader) -> None:
    lake.append(rows("ercot:spp_rt:HB_NORTH:HU", [10.0, 20.0, 30.0, 40.0, 50.0]), run_id="a", product="p")
    known = Cutoffs(at=T, mode=Mode.PUBLISHED)
    hours = reader.hourly("hub.price.usd_mwh", start=T - 6 * HOUR, end=T, cutoffs=known)
    assert hours.rows() == [(T - 6 * HOUR, 25.0)]


def test_rules_are_read_back_from_the_lake_as_they_were_pinned(
    lake: Lake, reader: PlanningReader, tmp_path: Path
) -> None:
    pinned = reader.pin(T)
    (tmp_path / "series.toml").write_text("[series]\n")
    assert PlanningReader.unpin(lake, pinned).rules == reader.rules


def test_an_unknown_series_or_an_unreadable_file_is_an_error_that_names_it(lake: Lake, reader: PlanningReader) -> None:
    with pytest.raises(InputError, match=r"no planning series 'r9\.flow\.cfs'.*known: r4\.flow\.cfs"):
        read(reader, "r9.flow.cfs")
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        PlanningReader(lake, Path("nowhere.toml"))


def test_a_gap_is_held_for_its_declared_length_flagged_and_never_filled_from_later(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "held.toml"
    path.write_text(RULES.replace('{ rule = "none", longest = "PT0S" }', '{ rule = "hold", longest = "PT2H" }', 1))
    # T-6 h and T-2 h are known: the two hours after T-6 h are held, T-3 h lies beyond the rule, T-1 h is held.
    lake.append(
        canonical(rows("pi:R4:avg1h", [10.0, None, None, None, 50.0]).drop_nulls("value"), what="rows"),
        run_id="r", product="p",
    )  # fmt: skip
    reader = PlanningReader(lake, path)
    cutoffs = Cutoffs(at=T, mode=Mode.PUBLISHED)
    found = reader.filled("r4.flow.cfs", start=T - 6 * HOUR, end=T, cutoffs=cutoffs)
    assert [(int((T - at) / HOUR), value, quality) for at, value, quality in found.rows()] == [
        (6, 10.0, "good"), (5, 10.0, "estimated"), (4, 10.0, "estimated"), (2, 50.0, "good"), (1, 50.0, "estimated"),
    ]  # fmt: skip
    assert lake.latest("pi:R4:avg1h", start=T - 9 * HOUR, end=T).height == 2


def test_a_gap_is_filled_by_its_declared_rule_flagged_and_for_no_longer(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "series.toml"
    path.write_text(RULES.replace('"none", longest = "PT0S"', '"hold", longest = "PT2H"', 1))
    reader = PlanningReader(lake, path)
    # Measured at 01 and 02; nothing at 03, 04, 05; measured again at 06.
    lake.append(rows("pi:R4:avg1h", [100.0, 101.0, None, None, None, 105.0]), run_id="a", product="p")
    known = Cutoffs(at=T + HOUR, mode=Mode.PUBLISHED)
    filled = reader.filled("r4.flow.cfs", start=T - 6 * HOUR, end=T, cutoffs=known)
    assert filled.rows() == [
        (T - 6 * HOUR, 100.0, "good"),
        (T - 5 * HOUR, 101.0, "good"),
        (T - 4 * HOUR, 101.0, "estimated"),
        (T - 3 * HOUR, 101.0, "estimated"),
        (T - 1 * HOUR, 105.0, "good"),  # not a value of later carried back
    ]
    assert lake.latest("*", start=T - 9 * HOUR, end=T).filter(quality="estimated").is_empty()


def test_nothing_is_filled_beyond_what_the_cutoff_could_know(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "series.toml"
    path.write_text(RULES.replace('"none", longest = "PT0S"', '"hold", longest = "PT6H"', 1))
    lake.append(rows("pi:R4:avg1h", [100.0]), run_id="a", product="p")
    known = Cutoffs(at=T - 3 * HOUR, mode=Mode.PUBLISHED)
    filled = PlanningReader(lake, path).filled("r4.flow.cfs", start=T - 6 * HOUR, end=T, cutoffs=known)
    assert filled["event_start"].max() == T - 3 * HOUR
