"""Files in, files out: the contract of `tailrace solve fleet`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from domain.errors import FrameError, InfeasibleError, InputError
from domain.fleet import SCHEDULE_COLUMNS, check_coupling, check_schedule, generate_fleet
from pipelines.commands.fleet import efficiency, generate, import_devices, solve_ancillary, solve_fleet
from solvers.fleet import follow_levels
from tests.fleet_oracles import price_frame

PRICES = price_frame([10, 20, 90, 30, -20, 60] * 8, 0.5)
REPORT = {
    "status", "objective_usd", "lower_bound_usd", "gap", "relaxation_usd", "devices", "infeasible", "seconds",
    "iterations", "version",
}  # fmt: skip


class Case:
    """A folder with devices and prices, and the command run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.devices = generate_fleet(40, 2)
        self.put("devices", self.devices)
        self.put("prices", PRICES)

    def put(self, name: str, frame: pl.DataFrame) -> Path:
        """Write a table of the folder."""
        path = self.folder / f"{name}.parquet"
        frame.write_parquet(path)
        return path

    def solve(self, **options: object) -> dict:
        """Run the command and return its report."""
        paths = {name: self.folder / f"{name}.parquet" for name in ("devices", "prices")}
        written = {"out": str(self.folder / "S.parquet"), "report": str(self.folder / "R.json")}
        solve_fleet(**(paths | written | options))  # ty: ignore[invalid-argument-type]
        return self.report()

    def report(self) -> dict:
        """Return the report as written."""
        return json.loads((self.folder / "R.json").read_text())

    def schedule(self) -> pl.DataFrame:
        """Return the schedule as written."""
        return pl.read_parquet(self.folder / "S.parquet")


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_schedule_and_report_have_the_contracts_shape(case: Case) -> None:
    report = case.solve()
    schedule = case.schedule()
    assert schedule.schema == SCHEDULE_COLUMNS
    assert schedule.height == 40 * 48
    assert report.keys() >= REPORT
    assert report["seconds"].keys() == {"read", "solve", "write"}
    assert check_schedule(case.devices, PRICES, schedule) == []
    net_mwh = (schedule["charge_kw"] - schedule["discharge_kw"]).to_numpy().reshape(40, 48) * 0.5 / 1000
    moved = (schedule["charge_kw"] + schedule["discharge_kw"]).to_numpy().reshape(40, 48) * 0.5
    cost = (net_mwh * PRICES["price_usd_mwh"].to_numpy()).sum() + moved.sum(axis=1) @ case.devices[
        "wear_usd_per_kwh"
    ].to_numpy()
    assert report["objective_usd"] == pytest.approx(cost)


def test_limits_and_reserve_come_from_files(case: Case) -> None:
    names = case.devices["feeder"].unique().sort()
    feeders = pl.DataFrame({"feeder": names, "import_limit_kw": 500.0, "export_limit_kw": 400.0})
    reserve = PRICES.select("event_start", up_reserve_kw=pl.lit(300.0), duration_h=pl.lit(0.5))
    report = case.solve(feeders=case.put("feeders", feeders), reserve=case.put("reserve", reserve))
    assert report["status"] == "optimal"
    assert report["gap"] <= 1e-4
    assert check_coupling(case.devices, PRICES, case.schedule(), feeders=feeders, reserve=reserve).is_empty()


def test_a_made_up_fleet_fits_the_prices_it_is_made_for(case: Case) -> None:
    generate(out=str(case.folder / "devices.parquet"), devices=20, seed=3, intervals=96, hours=0.25)
    case.put("prices", price_frame([10, 20, 90] * 32, 0.25))
    assert case.solve()["devices"] == 20


def test_a_fleet_in_a_csv_is_the_same_fleet(case: Case) -> None:
    generate(out=str(case.folder / "devices.csv"), devices=40, seed=2)
    from_csv = case.solve(devices=case.folder / "devices.csv")
    assert from_csv["objective_usd"] == case.solve()["objective_usd"]
    assert from_csv["devices"] == 40


def test_a_site_offers_services_from_files(case: Case) -> None:
    case.put("prices", PRICES.with_columns(regup_usd_mw=pl.lit(8.0), nspin_usd_mw=pl.lit(5.0)))
    paths = {name: case.folder / f"{name}.parquet" for name in ("devices", "prices")}
    solve_ancillary(**paths, out=str(case.folder / "S.parquet"), report=str(case.folder / "R.json"))
    assert case.schedule().columns[-5:] == ["regup_kw", "regdn_kw", "rrs_kw", "ecrs_kw", "nspin_kw"]
    assert case.schedule()["rrs_kw"].null_count() == 48
    services = case.report()["services"]
    assert services["REGUP"]["earnings_usd"] > 0
    assert services["NSPIN"]["rules"] == [
        "4 h: NPRR1096, in force for Non-Spin since then (market notice of 2022-11-16); kept at four hours in 2025"
    ]


def test_efficiencies_are_shown_beside_what_the_registry_declares(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILRACE_HOME", str(case.folder))
    monkeypatch.delenv("TAILRACE_MQTT_URL", raising=False)
    import_devices(case.folder / "devices.parquet")
    efficiency(output=str(case.folder / "S.parquet"))
    shown = case.schedule()
    assert shown["device_id"].to_list() == sorted(case.devices["device_id"])
    # Nobody has answered yet, so nothing is estimated.
    assert shown["estimated_charge_efficiency"].null_count() == 40


def test_a_hole_in_the_prices_writes_nothing(case: Case) -> None:
    case.put("prices", PRICES.filter(pl.int_range(pl.len()) != 7))
    with pytest.raises(FrameError, match="evenly spaced"):
        case.solve()
    assert not (case.folder / "S.parquet").exists()
    assert not (case.folder / "R.json").exists()


def test_a_fleet_that_cannot_be_planned_is_refused_after_the_report(case: Case) -> None:
    case.put("devices", case.devices.with_columns(charge_efficiency=pl.lit(95.0)))
    with pytest.raises(InfeasibleError, match="no device could be planned"):
        case.solve()
    assert case.report()["status"] == "infeasible"
    assert len(case.report()["infeasible"]) == 40
    assert not (case.folder / "S.parquet").exists()


def test_a_missing_file_is_bad_input(case: Case) -> None:
    with pytest.raises(InputError, match=r"--reserve .* cannot be read"):
        case.solve(reserve=case.folder / "none.parquet")


def test_the_previous_schedule_is_taken_back(case: Case) -> None:
    case.solve()
    first = case.schedule()
    previous = case.put("previous", first)
    again = case.solve(previous=previous)
    assert "stays close to 1920 interval(s)" in again["notes"][0]
    assert case.schedule()["soc_kwh"].to_numpy() == pytest.approx(first["soc_kwh"].to_numpy(), abs=1e-6)


def test_the_command_line_leaves_with_2_on_bad_input(case: Case) -> None:
    case.put("prices", PRICES.with_columns(price_usd_mwh=pl.lit(None, pl.Float64)))
    files = [f"--{name}={case.folder / name}.parquet" for name in ("devices", "prices")]
    command = [
        sys.executable,
        "-m",
        "pipelines.cli",
        "solve",
        "fleet",
        *files,
        "--out",
        str(case.folder / "S"),
        "--report",
        "-",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])
    assert done.returncode == 2
    assert "price_usd_mwh that is not finite" in done.stderr


def test_a_fleet_of_nobody_is_bad_input_not_an_infeasible_plan(case: Case) -> None:
    case.put("devices", case.devices.head(0))
    with pytest.raises(InputError, match="has no row"):
        case.solve()


def test_where_one_output_cannot_be_written_none_is(case: Case) -> None:
    before = sorted(path.name for path in case.folder.iterdir())
    folder = case.folder
    for out, report, words in (
        ("S.parquet", "missing/R.json", "cannot be written: there is no folder"),
        ("missing/S.csv", "R.json", "cannot be written: there is no folder"),
        ("S.parquet", ".", "is a folder"),
        ("same", "same", "named twice"),
    ):
        with pytest.raises(InputError, match=words):
            case.solve(out=str(folder / out), report=str(folder / report))
        assert sorted(path.name for path in folder.iterdir()) == before


def test_a_previous_schedule_in_text_is_refused_by_name(case: Case) -> None:
    case.solve()
    previous = case.put("previous", case.schedule().with_columns(pl.col("charge_kw").cast(pl.String) + "x"))
    with pytest.raises(FrameError, match="charge_kw of type String"):
        case.solve(previous=previous)


def test_levels_say_what_to_do_from_a_state_of_charge_the_plan_did_not_expect(case: Case) -> None:
    case.solve(levels=str(case.folder / "L.parquet"), terminal_value=0.03)
    first = pl.col("event_start") == PRICES["event_start"][0]
    levels = pl.read_parquet(case.folder / "L.parquet").filter(first, pl.col("charge_up_to_kwh").is_not_null())
    always = case.devices.filter(pl.col("availability").is_null()).with_columns(
        soc_start_kwh=(pl.col("soc_min_kwh") + pl.col("soc_max_kwh")) / 2
    )
    done = follow_levels(
        levels.join(always.select("device_id", soc_kwh="soc_start_kwh"), on="device_id"), always, hours=0.5
    )
    assert done.height > 10
    case.solve(devices=case.put("moved", always), terminal_value=0.03)
    again = case.schedule().filter(first).join(done, on="device_id", suffix="_by_levels")
    assert again.height == done.height
    assert again["power_kw"].to_list() == pytest.approx(again["power_kw_by_levels"].to_list(), abs=1e-6)
    with pytest.raises(InputError, match="--levels follow from prices alone"):
        case.solve(levels=str(case.folder / "L.parquet"), strict=True)
