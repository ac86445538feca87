"""The warehouse: right answers from a small lake, and a swap that disturbs nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import orjson
import polars as pl
import pytest

from domain.beliefs import TIME
from domain.errors import InputError, LakeError
from domain.instants import CENTRAL, local_day
from resources import warehouse
from resources.lake import Lake
from resources.publisher import Publisher
from resources.warehouse import Build, build, fresh, manifest, newest

DAY = datetime(2026, 11, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
R4 = "pi:OPS/Gauging Stations/R4|Flow:avg1h"
LEVEL = "pi:OPS/Reservoirs/Afterbay|Elevation:interp1h"
VENDOR = "hydroforecast:discharge:pcwa-r4-middle-fork-american-abv-power-house-total"
HUB = "ercot:spp_rt:HB_NORTH:HU"

Row = dict[str, object]


def said(series: str, start: datetime, value: float | None, unit: str, step: timedelta = HOUR, **more: object) -> Row:
    """One belief, stated when its interval ended unless ``more`` says otherwise."""
    return {
        "series_id": series, "event_start": start, "event_end": start + step, "belief_time": start + step,
        "value": value, "unit": unit, "source": series.partition(":")[0], "scenario": "actual", "quantile": None,
        "quality": "good", **more,
    }  # fmt: skip


def beliefs() -> Iterator[Row]:
    for quarter in range(8):
        yield said(HUB, DAY + QUARTER * quarter, 10.0 * (quarter + 1), "USD/MWh", QUARTER, source="ercot_api")
    # A correction of the third quarter, an hour later, and a retraction of the sixth.
    third, sixth = DAY + 2 * QUARTER, DAY + 5 * QUARTER
    yield said(HUB, third, 70.0, "USD/MWh", QUARTER, belief_time=DAY + 2 * HOUR, source="ercot_api")
    yield said(
        HUB, sixth, None, "USD/MWh", QUARTER, belief_time=DAY + 3 * HOUR, source="ercot_api", quality="retracted"
    )
    yield said("ercot:spp_da:HB_NORTH", DAY, 33.0, "USD/MWh", belief_time=DAY - 6 * HOUR, source="ercot_api")
    yield said("caiso:lmp_da:RALSTON_7_B1:MCC", DAY, 1.0, "USD/MWh", source="caiso_oasis")  # a component, no price
    for hour, cfs in enumerate((100.0, 120.0, 140.0)):
        yield said(R4, DAY + HOUR * hour, cfs, "cfs")
    yield said(R4, DAY + 3 * HOUR, 1e6, "cfs")  # beyond the believable range of config/series.toml
    yield said(LEVEL, DAY + 2 * HOUR, 1170.0, "ft", timedelta(), belief_time=DAY + 2 * HOUR)
    # The vendor at 23:00 the day before: 90 cfs for 00:00 (lead 1 h) and 100 for 01:00 (lead 2 h), with a band.
    issued = {"belief_time": DAY - HOUR, "source": "hydroforecast"}
    for hour, cfs in enumerate((90.0, 100.0)):
        yield said(VENDOR, DAY + HOUR * hour, cfs, "cfs", scenario="mean", **issued)
        for quantile, far in ((0.1, -30.0), (0.5, 0.0), (0.9, 15.0)):
            yield said(VENDOR, DAY + HOUR * hour, cfs + far, "cfs", scenario="quantile", quantile=quantile, **issued)
    ours = {"source": "tailrace", "belief_time": DAY}
    for quantile, cfs in ((None, 104.0), (0.1, 95.0), (0.9, 130.0)):
        yield said("r4.flow.cfs", DAY + HOUR, cfs, "cfs", scenario="forecast", quantile=quantile, **ours)
    for at, decided, level in ((2, 0, 1169.0), (2, 1, 1169.6)):
        moment = DAY + HOUR * at
        yield said(
            "afterbay.elevation.ft", moment, level, "ft", timedelta(), scenario="plan", source="tailrace",
            belief_time=DAY + HOUR * decided,
        )  # fmt: skip


def small_lake(home: Path) -> Lake:
    instants = iter(DAY + timedelta(days=1, minutes=minute) for minute in range(1000))
    lake = Lake(home / "lake", now=lambda: next(instants))
    rows = pl.DataFrame(list(beliefs()), infer_schema_length=None).with_columns(
        pl.col("event_start", "event_end", "belief_time").cast(TIME)
    )
    for series in rows.partition_by("source"):  # several files, some with quantiles and some without
        lake.append(series, run_id="run", product="test")
    return lake


def fleet_plan(home: Path, *, half_hours: int, day_after: int = 0) -> None:
    start, _ = local_day((DAY + timedelta(days=1 + day_after)).date(), CENTRAL)
    rows = [
        {"device_id": device, "event_start": start + timedelta(minutes=30) * i, "power_kw": kw, "soc_kwh": 5.0}
        for device, kw in (("A", 4.0), ("B", -2.0))
        for i in range(half_hours)
    ]
    schedule = pl.DataFrame(rows).with_columns(pl.col("event_start").cast(TIME))
    facts = {
        "mode": "published", "recorded_before": "2026-11-21T15:31:00Z", "status": "optimal", "objective_usd": -7,
        "bound_usd": -7.0, "gap": 0.0, "solver": "highs", "input_sha256": "5e1f", "code_version": "1", "devices": 2,
        "operating_day": str(start.astimezone(CENTRAL).date()), "earnings_usd": 12.5, "provenance": {"price": "ours"},
    }  # fmt: skip
    publisher = Publisher(home / "plans")
    version = publisher.store("fleet", DAY + timedelta(hours=15, minutes=30), schedule, facts)
    publisher.publish(version, published_at=DAY + 16 * HOUR)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose warehouse dbt has built from a small lake and one fleet plan."""
    home = tmp_path_factory.mktemp("home")
    fleet_plan(home, half_hours=48)
    build(home, small_lake(home).recorded_files(), stamp=DAY + timedelta(days=2))
    return home


def ask(home: Path, query: str) -> list[dict]:
    with duckdb.connect(str(newest(home)), read_only=True) as connection:
        return connection.sql(query).pl().to_dicts()


def test_an_hours_price_is_the_mean_of_its_newest_beliefs(home: Path) -> None:
    rows = ask(home, "from marts.settlement_prices_hourly order by market, hour_start")
    day_ahead, first, second = rows
    assert (day_ahead["settlement_point"], day_ahead["price_usd_mwh"], day_ahead["is_complete"]) == (
        "HB_NORTH",
        33,
        True,
    )
    # 10, 20, 70 (corrected from 30) and 40: the mean is 35.
    assert (first["price_usd_mwh"], first["intervals"], first["is_complete"]) == (35.0, 4, True)
    assert first["newest_belief_time"] == DAY + 2 * HOUR
    # 50, 70 and 80; the retracted 60 does not come back.
    assert second["price_usd_mwh"] == pytest.approx(200 / 3)
    assert (second["intervals"], second["is_complete"]) == (3, False)


def test_a_correction_is_in_the_lake_view_beside_what_it_corrects(home: Path) -> None:
    rows = ask(home, f"from staging.stg_beliefs where series_id = '{HUB}' and event_start = '2026-11-21 00:30:00+00'")
    assert sorted(row["value"] for row in rows) == [30.0, 70.0]
    assert all(row["recorded_at"].date() == (DAY + timedelta(days=1)).date() for row in rows)


def test_observations_leave_out_what_is_not_believable(home: Path) -> None:
    rows = ask(home, "from marts.observations_hourly where planning_series = 'r4.flow.cfs' order by hour_start")
    assert [row["value"] for row in rows] == [100, 120, 140]
    assert {row["vendor_series"] for row in rows} == {R4}
    assert ask(home, "from marts.observations_hourly where planning_series like '%forecast%'") == []


def test_every_forecast_stands_beside_what_happened(home: Path) -> None:
    rows = ask(home, "from marts.forecast_vs_actual where unit = 'cfs' order by model, event_start")
    shown = [(row["model"], row["lead_h"], row["forecast"], row["p10"], row["actual"], row["error"]) for row in rows]
    assert shown == [
        ("tailrace", 1, 104.0, 95.0, 120.0, -16.0),
        ("vendor:hydroforecast", 1, 90.0, 60.0, 100.0, -10.0),
        ("vendor:hydroforecast", 2, 100.0, 70.0, 120.0, -20.0),
    ]
    # P90 of the vendor: 105 and 115; the actual of 120 lies above the second.
    assert [row["is_inside_80"] for row in rows] == [True, True, False]


def test_accuracy_by_hand(home: Path) -> None:
    (row,) = ask(home, "from marts.forecast_accuracy where model = 'vendor:hydroforecast'")
    assert (row["series"], row["lead_block"], row["pairs"]) == ("r4.flow.cfs", "01 to 05 h", 2)
    assert (row["mean_absolute_error"], row["bias"], row["coverage_80"]) == (15.0, -15.0, 0.5)
    assert row["root_mean_square_error"] == pytest.approx((500 / 2) ** 0.5)  # 10^2 + 20^2


def test_a_plan_is_judged_by_the_last_one_before_the_hour(home: Path) -> None:
    (row,) = ask(home, "from marts.plan_vs_actual")
    assert (row["hour_start"], row["decided_at"]) == (DAY + 2 * HOUR, DAY + HOUR)
    assert row["planned_elevation_ft"] == 1169.6
    assert row["elevation_difference_ft"] == pytest.approx(0.4)
    assert row["planned_oxbow_mw"] is None


def test_the_fleets_day_is_summed_and_not_priced_before_it_is_settled(home: Path) -> None:
    (row,) = ask(home, "from marts.fleet_daily")
    # A gives 4 kW and B takes 2 kW for 24 h.
    assert (row["discharged_mwh"], row["charged_mwh"]) == pytest.approx((0.096, 0.048))
    assert (row["half_hours"], row["expected_usd"], row["devices"]) == (48, 12.5, 2)
    assert (row["settled_half_hours"], row["real_time_energy_usd"]) == (0, None)


def test_a_published_schedule_carries_its_inputs(home: Path) -> None:
    (row,) = ask(home, "from marts.published_schedules")
    assert (row["schedule_id"], row["version"], row["is_current"]) == ("fleet-20261121T1530Z", 1, True)
    assert row["published_at"] == DAY + 16 * HOUR
    assert orjson.loads(row["inputs"]) == {"price": "ours"}


def test_quality_counts_what_came_of_each_interval(home: Path) -> None:
    (row,) = ask(home, "from marts.data_quality_daily where source = 'ercot_api' and utc_day = '2026-11-21'")
    # 8 quarters and one day-ahead hour; two of the quarters were stated twice.
    assert (row["series"], row["intervals"], row["statements"], row["restated"]) == (2, 9, 11, 2)
    assert (row["good"], row["retracted"]) == (8, 1)


QUESTIONS = re.findall(
    r"```sql\n(.*?)```",
    (Path(__file__).parents[2] / "docs" / "analyst-guide.md").read_text(encoding="utf-8"),
    re.DOTALL,
)


@pytest.mark.parametrize("query", QUESTIONS, ids=range(1, len(QUESTIONS) + 1))
def test_every_question_of_the_guide_has_an_answer(home: Path, query: str) -> None:
    assert ask(home, query)


def test_the_guide_asks_five_questions() -> None:
    assert len(QUESTIONS) == 5


def test_every_column_of_every_model_is_described_with_its_unit() -> None:
    nodes = orjson.loads(manifest().read_bytes())["nodes"].values()
    models = [node for node in nodes if node["resource_type"] == "model"]
    assert len(models) >= 12
    said_so = re.compile(
        r"\[[^\]]+\]|No unit|row's unit|series' unit|Unit of|\(UTC\)|America/Chicago|block of lead", re.IGNORECASE
    )
    for model in models:
        assert model["description"]
        assert model["config"]["contract"]["enforced"]
        silent = [name for name, column in model["columns"].items() if not said_so.search(column["description"])]
        assert silent == [], model["name"]


def test_descriptions_travel_with_the_warehouse(home: Path) -> None:
    columns = ask(home, "select column_name, comment from duckdb_columns() where schema_name in ('marts', 'staging')")
    assert [one["column_name"] for one in columns if not one["comment"]] == []
    assert "Mean of the hour's intervals [USD/MWh]" in " ".join(one["comment"] for one in columns)
    relations = "select comment from duckdb_tables() union all select comment from duckdb_views() where not internal"
    assert all(one["comment"] for one in ask(home, relations))


def test_the_manifest_is_parsed_once_for_a_state_of_the_project() -> None:
    first = manifest()
    stamp = first.stat().st_mtime_ns
    assert manifest() == first
    assert first.stat().st_mtime_ns == stamp


def test_a_failing_test_of_the_data_leaves_the_warehouse_as_it_was(home: Path) -> None:
    before = newest(home).stat().st_ino
    fleet_plan(home, half_hours=3, day_after=1)
    with pytest.raises(LakeError, match="a_local_day_has_46_to_50_half_hours"):
        build(home, [], stamp=DAY + timedelta(days=3))
    assert newest(home).stat().st_ino == before
    assert len(ask(home, "from marts.fleet_daily")) == 1
    assert ask(home, "select count(*) as n from staging.stg_beliefs")[0]["n"] > 0  # its inputs are still there


def make(one: Build, answer: int) -> None:
    """Build a tiny warehouse by hand, with a view over the build's inputs as dbt would write it."""
    with duckdb.connect(str(one.path)) as connection:
        connection.execute(f"create or replace table answer as select {answer} as value")
        connection.execute("create schema if not exists staging")
        source = f"read_parquet('{one.inputs}/beliefs/*.parquet', union_by_name = true, filename = true)"
        connection.execute(f"create or replace view staging.stg_beliefs as select * from {source}")  # noqa: S608 - our own path


def test_an_open_session_keeps_its_file_while_a_new_one_takes_its_place(tmp_path: Path) -> None:
    with fresh(tmp_path, [], stamp=DAY) as one:
        make(one, 1)
    with duckdb.connect(str(newest(tmp_path)), read_only=True) as session:
        with fresh(tmp_path, [], stamp=DAY + HOUR) as one:
            make(one, 2)
        assert session.sql("select value from answer").fetchone() == (1,)
        assert session.sql("select count(*) from staging.stg_beliefs").fetchone() == (0,)
    assert ask(tmp_path, "from answer") == [{"value": 2}]


def test_a_view_outlives_the_lakes_own_file(tmp_path: Path) -> None:
    lake = small_lake(tmp_path)
    with fresh(tmp_path, lake.recorded_files(), stamp=DAY) as one:
        make(one, 1)
    rows = ask(tmp_path, "select count(*) as n from staging.stg_beliefs")
    for path, _ in lake.recorded_files():
        path.unlink()  # as garbage collection does after a compaction
    assert ask(tmp_path, "select count(*) as n from staging.stg_beliefs") == rows
    assert rows[0]["n"] > 0


def test_a_part_of_the_models_is_built_over_the_rest_of_the_newest(tmp_path: Path) -> None:
    with fresh(tmp_path, [], stamp=DAY) as one:
        make(one, 7)
    lake = small_lake(tmp_path)
    with (
        fresh(tmp_path, lake.recorded_files(), stamp=DAY + HOUR, whole=False) as one,
        duckdb.connect(str(one.path)) as connection,
    ):
        # The view carried over reads the new inputs already, so that what is built from it is not stale.
        connection.execute("create table rebuilt as select count(*) as n from staging.stg_beliefs")
    assert ask(tmp_path, "from answer") == [{"value": 7}]
    assert (
        ask(tmp_path, "from rebuilt")[0]["n"] == ask(tmp_path, "select count(*) as n from staging.stg_beliefs")[0]["n"]
    )
    assert ask(tmp_path, "from rebuilt")[0]["n"] > 0


def test_a_build_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    with fresh(tmp_path, [], stamp=DAY) as one:
        make(one, 1)
    (tmp_path / "warehouse" / ".building" / "inputs").mkdir(parents=True)  # of a build that was killed
    with pytest.raises(RuntimeError), fresh(tmp_path, [], stamp=DAY + HOUR) as one:  # noqa: PT012 - the block is the build
        make(one, 2)
        raise RuntimeError
    assert ask(tmp_path, "from answer") == [{"value": 1}]
    assert not (tmp_path / "warehouse" / ".building").exists()


def test_only_the_last_builds_inputs_are_kept(tmp_path: Path) -> None:
    for number in range(5):
        with fresh(tmp_path, [], stamp=DAY + HOUR * number) as one:
            make(one, number)
    kept = sorted(path.name[:23] for path in (tmp_path / "warehouse").glob("inputs-*"))
    assert kept == ["inputs-20261121T020000Z", "inputs-20261121T030000Z", "inputs-20261121T040000Z"]


def test_a_build_without_a_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="nothing was built"), fresh(tmp_path, [], stamp=DAY):
        pass
    with pytest.raises(InputError, match="no warehouse at"):
        newest(tmp_path)


def test_a_file_that_cannot_be_linked_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone.parquet"
    with pytest.raises(LakeError, match=r"gone\.parquet cannot be linked"), fresh(tmp_path, [(gone, DAY)], stamp=DAY):
        pass
    with pytest.raises(InputError, match=r"recorded_files"), fresh(tmp_path, [gone], stamp=DAY):  # ty: ignore[invalid-argument-type] - the mistake under test
        pass


def test_the_dbt_is_the_one_of_this_python() -> None:
    assert warehouse.dbt_executable().exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what dagster-dbt imports warns of itself
def test_what_our_dbt_leaves_out_is_still_what_its_parent_does() -> None:
    from dagster_dbt import DbtCliResource  # noqa: PLC0415 - two seconds, and it warns

    from resources.marts import MartsDbt, marts_dbt  # noqa: PLC0415 - same

    for name in ("_cli_version", "_initialize_dbt_core_adapter"):
        assert name in vars(MartsDbt)
        assert name in vars(DbtCliResource)
    assert marts_dbt()._cli_version.major == 1
