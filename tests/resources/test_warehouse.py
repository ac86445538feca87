"""The marts: right answers from a small lake."""

from __future__ import annotations

import re
import shutil
from datetime import timedelta
from pathlib import Path

import duckdb
import orjson
import polars as pl
import pytest

from domain.errors import LakeError
from resources import warehouse
from resources.lake import Lake
from resources.warehouse import Build, build, manifest, newest, page_of
from tests.resources.warehouse_home import (
    DAY,
    HOUR,
    HUB,
    QUARTER,
    R4,
    ask,
    executions,
    fleet_plan,
    outcomes,
    said,
    small_lake,
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose warehouse dbt has built from a small lake and one fleet plan."""
    home = tmp_path_factory.mktemp("home")
    fleet_plan(home, half_hours=48)
    executions(home)
    outcomes(home)
    build(home, small_lake(home).recorded_files(), stamp=DAY + timedelta(days=2))
    return home


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


def test_what_devices_did_stands_beside_what_they_were_told(home: Path) -> None:
    (row,) = ask(home, "from marts.fleet_execution_daily")
    assert (row["devices"], row["intervals"], row["succeeded"], row["failed"]) == (2, 2, 1, 1)
    # Told 4 - 2 kW, done 3 + 0 kW, for half an hour; off by 1 and by 2 kW.
    assert (row["told_mwh"], row["executed_mwh"]) == pytest.approx((0.001, 0.0015))
    assert (row["mean_absolute_deviation_kw"], row["median_delay_minutes"]) == (1.5, 31.0)


def test_an_executed_day_says_what_it_saved_or_what_is_missing(home: Path) -> None:
    settled, missing = ask(home, "from marts.fleet_savings_daily order by operating_day")
    assert (settled["saved_usd"], settled["share_of_charging_bill"], settled["reason"]) == (0.4, 0.8, None)
    assert (missing["saved_usd"], missing["reason"]) == (None, "2 of 48 half hours have a price")


def test_a_published_schedule_carries_its_inputs(home: Path) -> None:
    (row,) = ask(home, "from marts.published_schedules where plan = 'fleet'")
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


def test_the_page_of_the_warehouse_shows_its_columns_and_asks_nobody(home: Path, tmp_path: Path) -> None:
    path = Path(shutil.copyfile(newest(home), tmp_path / "warehouse.duckdb"))
    (inputs,) = (home / "warehouse").glob("inputs-*")
    one = Build(path=path, inputs=inputs, target=tmp_path / "target")
    page = page_of(one, tmp_path / "docs").read_text(encoding="utf-8")
    assert "Mean of the hour's intervals [USD/MWh]" in page
    assert '"send_anonymous_usage_stats": false' in page


def test_the_manifest_is_parsed_once_for_a_state_of_the_project() -> None:
    first = manifest()
    stamp = first.stat().st_mtime_ns
    assert manifest() == first
    assert first.stat().st_mtime_ns == stamp


MARTS = (
    "settlement_prices_hourly",
    "observations_hourly",
    "forecast_vs_actual",
    "forecast_accuracy",
    "data_quality_daily",
)


def test_a_warehouse_that_is_carried_on_equals_one_that_is_made_anew(home: Path, tmp_path: Path) -> None:
    def told() -> dict[str, pl.DataFrame]:
        with duckdb.connect(str(newest(tmp_path)), read_only=True) as connection:
            return {mart: connection.sql(f"from marts.{mart} order by all").pl() for mart in MARTS}

    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    instants = iter(DAY + timedelta(days=2, minutes=minute) for minute in range(1000))
    lake = Lake(tmp_path / "lake", now=lambda: next(instants))
    with duckdb.connect(str(newest(tmp_path))) as connection:  # a mark on a day that nothing is said about again
        connection.execute("update marts.settlement_prices_hourly set sources = 'kept' where market = 'day_ahead'")
        connection.execute("update marts.settlement_prices_hourly set hour_start = hour_start - interval 9 day,"
                           " hour_end = hour_end - interval 9 day where market = 'day_ahead'")  # fmt: skip
    # A late correction, the end of an hour, a day that was empty, and an hour of which nothing is left.
    lake.append(
        pl.DataFrame(
            [
                said(HUB, DAY + 5 * QUARTER, 60.0, "USD/MWh", QUARTER, belief_time=DAY + 4 * HOUR, source="ercot_api"),
                said(HUB, DAY + 2 * timedelta(days=1), 5.0, "USD/MWh", QUARTER, belief_time=DAY, source="ercot_api"),
                said(R4, DAY + 2 * HOUR, None, "cfs", quality="retracted", belief_time=DAY + 5 * HOUR),
                said("ercot:spp_da:HB_NORTH", DAY, None, "USD/MWh", belief_time=DAY, source="ercot_api",
                     quality="retracted"),
            ],
            infer_schema_length=None,
        ),
        run_id="run", product="test",
    )  # fmt: skip
    lake.compact()
    build(tmp_path, lake.recorded_files(), stamp=DAY + timedelta(days=3))
    carried = told()
    assert carried["settlement_prices_hourly"].filter(sources="kept").height == 1
    build(tmp_path, lake.recorded_files(), stamp=DAY + timedelta(days=4), anew=True)
    anew = told()
    assert anew["settlement_prices_hourly"].height == 3  # two hours of the first day, one of the third
    carried["settlement_prices_hourly"] = carried["settlement_prices_hourly"].filter(pl.col("sources") != "kept")
    for mart in MARTS:
        assert carried[mart].equals(anew[mart]), mart


def test_a_failing_test_of_the_data_leaves_the_warehouse_as_it_was(home: Path) -> None:
    before = newest(home).stat().st_ino
    fleet_plan(home, half_hours=3, day_after=1)
    with pytest.raises(LakeError, match="a_local_day_has_46_to_50_half_hours"):
        build(home, [], stamp=DAY + timedelta(days=3))
    assert newest(home).stat().st_ino == before
    assert len(ask(home, "from marts.fleet_daily")) == 1
    assert ask(home, "select count(*) as n from staging.stg_beliefs")[0]["n"] > 0  # its inputs are still there


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
