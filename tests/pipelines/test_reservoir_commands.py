"""Files in, files out: the contract of the reservoir's commands."""

from __future__ import annotations

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from domain.errors import ConfigError, FrameError, InfeasibleError, InputError, TimeError
from pipelines.commands.reservoir import plant_check, simulate_reservoir, solve_reservoir
from tests.reservoir_cases import PLANTS, futures, hours

PLANT = PLANTS / "afterbay.toml"
PLAN_COLUMNS = [
    "event_start", "oxbow_mw", "oxbow_end_mw", "setpoint_mw", "setpoint_change_at", "elevation_ft", "storage_af",
    "spill_cfs", "outflow_cfs", "inflow_cfs", "head_cap_mw", "binding",
]  # fmt: skip
BAND_COLUMNS = [
    "elevation_p10_ft", "elevation_p50_ft", "elevation_p90_ft", "spill_probability", "below_minimum_probability",
]  # fmt: skip
REPORT_KEYS = {"status", "objective_usd", "bound_usd", "gap", "terms", "violations", "seconds", "explain"}


class Case:
    """A folder with inputs and a state, and the commands run in it."""

    def __init__(self, folder: Path, frame: pl.DataFrame, at: str = "2026-07-06T07:00:00Z") -> None:
        self.folder = folder
        frame.write_parquet(folder / "inputs.parquet")
        self.state(elevation_ft=1170.0, oxbow_mw=3.0, at=at)

    def state(self, **values: object) -> None:
        """Write the state file."""
        (self.folder / "state.json").write_text(json.dumps(values))

    def path(self, name: str) -> Path:
        """Return a file of the folder."""
        return self.folder / name

    def solve(self, out: str = "plan.parquet", **options: object) -> dict:
        """Run the command and return its report."""
        paths = {"inputs": self.path("inputs.parquet"), "state": self.path("state.json"), "plant": PLANT}
        written = {"out": str(self.path(out)), "report": str(self.path("report.json"))}
        solve_reservoir(**(paths | written | options))  # ty: ignore[invalid-argument-type]
        return json.loads(self.path("report.json").read_text())


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path, hours(24))


def test_a_plan_has_the_contracts_columns_and_its_report_the_contracts_keys(case: Case) -> None:
    report = case.solve()
    plan = pl.read_parquet(case.path("plan.parquet"))
    assert plan.columns == PLAN_COLUMNS
    assert plan.schema["event_start"] == pl.Datetime("us", "UTC")
    assert report.keys() >= REPORT_KEYS
    assert report["seconds"].keys() == {"read", "build", "solve", "simulate", "write"}
    assert report["violations"].keys() == {"below_minimum_minutes", "raft_shortfall_mwh", "minimum_flow_cfs_h"}
    assert sum(report["terms"].values()) == pytest.approx(report["objective_usd"])
    assert sorted(path.name for path in case.folder.iterdir()) == [
        "inputs.parquet", "plan.parquet", "report.json", "state.json",
    ]  # fmt: skip


def test_simulating_a_plans_setpoints_gives_the_plan_back(case: Case) -> None:
    case.solve()
    simulate_reservoir(
        plant=PLANT,
        inputs=case.path("inputs.parquet"),
        state=case.path("state.json"),
        setpoints=case.path("plan.parquet"),
        out=str(case.path("walk.parquet")),
    )
    plan, walk = pl.read_parquet(case.path("plan.parquet")), pl.read_parquet(case.path("walk.parquet"))
    assert walk.columns == PLAN_COLUMNS
    for name in ("oxbow_mw", "oxbow_end_mw", "elevation_ft", "storage_af", "spill_cfs", "outflow_cfs"):
        assert walk[name].to_list() == pytest.approx(plan[name].to_list(), abs=1e-6)


def test_text_and_parquet_inputs_give_one_plan(case: Case) -> None:
    case.solve()
    text = case.path("inputs.csv")
    hours(24).with_columns(pl.col("event_start").dt.strftime("%Y-%m-%dT%H:%M:%S+00:00")).write_csv(text)
    case.solve(out="plan.csv", inputs=text)
    first, second = pl.read_parquet(case.path("plan.parquet")), pl.read_csv(case.path("plan.csv"))
    assert second["setpoint_mw"].to_list() == pytest.approx(first["setpoint_mw"].to_list(), abs=1e-9)
    assert second["event_start"][0].startswith("2026-07-06T07:00:00")
    assert second["event_start"][0].endswith("Z")


def test_scenarios_add_bands_and_the_stochastic_optimizer_uses_them(case: Case) -> None:
    futures(hours(24), 4).write_parquet(case.path("scenarios.parquet"))
    for optimizer in ("lp", "stochastic", "rule"):
        report = case.solve(scenarios=case.path("scenarios.parquet"), optimizer=optimizer)
        assert pl.read_parquet(case.path("plan.parquet")).columns == PLAN_COLUMNS + BAND_COLUMNS
        assert report["optimizer"] == optimizer


def test_settings_and_rules_reach_the_plan(case: Case) -> None:
    report = case.solve(settings=["ramp_usd_per_mw=10", "low_buffer_ft = 0.5"], rules=True)
    assert report["weights"]["ramp_usd_per_mw"] == 10.0
    assert any("EXAMPLE" in warning for warning in report["warnings"])


def test_standard_output_takes_text(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    solve_reservoir(
        plant=PLANT, inputs=case.path("inputs.parquet"), state=case.path("state.json"), out="-",
        report=str(case.path("report.json")),
    )  # fmt: skip
    assert capsys.readouterr().out.startswith("event_start,oxbow_mw,")


def test_an_infeasible_problem_leaves_a_report_and_no_plan(tmp_path: Path) -> None:
    dry = {"mfra_mw": 0.0, "r30_flow_cfs": 0.0, "r20_flow_cfs": 0.0, "r26_flow_cfs": 300.0, "r4_flow_cfs": 27.0}
    case = Case(tmp_path, hours(240, **dry))
    with pytest.raises(InfeasibleError, match="storage curve"):
        case.solve()
    report = json.loads(case.path("report.json").read_text())
    assert report["status"] == "infeasible"
    assert "cut R26" in report["message"]
    assert not case.path("plan.parquet").exists()


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"inputs": Path("nowhere.parquet")}, InputError, "--inputs nowhere.parquet cannot be read"),
        ({"plant": Path("nowhere.toml")}, ConfigError, "cannot be read"),
        ({"state": Path("nowhere.json")}, InputError, "--state nowhere.json cannot be read"),
        ({"settings": ["ramp=1"]}, ConfigError, "unknown setting"),
        ({"settings": ["ramp"]}, InputError, "write key=value"),
        ({"optimizer": "magic"}, InputError, "choose from lp"),
        ({"optimizer": "stochastic"}, InputError, "needs scenarios"),
    ],
)
def test_bad_options_write_nothing(case: Case, change: dict[str, object], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        case.solve(**change)
    assert sorted(path.name for path in case.folder.iterdir()) == ["inputs.parquet", "state.json"]


@pytest.mark.parametrize(
    ("state", "error", "said"),
    [
        ({"elevation_ft": 1170.0, "oxbow_mw": 3.0}, InputError, "lacks at"),
        ({"elevation_ft": "high", "oxbow_mw": 3.0, "at": "2026-07-06T07:00Z"}, InputError, "'high'; write a number"),
        ({"elevation_ft": 1170.0, "oxbow_mw": 3.0, "at": "2026-07-06T07:00"}, TimeError, "has no zone"),
        ({"elevation_ft": 1170.0, "oxbow_mw": 3.0, "at": "2026-07-06T08:00Z"}, InputError, "first interval begins"),
        ({"elevation_ft": 1170.0, "oxbow_mw": 3.0, "at": "2026-07-05T07:00Z"}, InputError, "at most an hour older"),
        ({"elevation_ft": 900.0, "oxbow_mw": 3.0, "at": "2026-07-06T07:00Z"}, InputError, "no level of afterbay"),
    ],
)
def test_a_bad_state_is_refused(case: Case, state: dict[str, object], error: type[Exception], said: str) -> None:
    case.state(**state)
    with pytest.raises(error, match=said):
        case.solve()


def test_a_state_that_is_no_record_is_refused(case: Case) -> None:
    case.path("state.json").write_text("[1]")
    with pytest.raises(InputError, match="holds a list"):
        case.solve()
    case.path("state.json").write_text("{")
    with pytest.raises(InputError, match="is no JSON"):
        case.solve()


def test_setpoints_must_cover_the_inputs(case: Case) -> None:
    def walk(frame: pl.DataFrame) -> None:
        frame.write_parquet(case.path("s.parquet"))
        simulate_reservoir(
            plant=PLANT, inputs=case.path("inputs.parquet"), state=case.path("state.json"),
            setpoints=case.path("s.parquet"), out=str(case.path("walk.parquet")),
        )  # fmt: skip

    wanted = hours(24).select("event_start", setpoint_mw=pl.lit(3.0))
    walk(wanted)
    with pytest.raises(FrameError, match="it has 23, they 24"):
        walk(wanted[:23])
    with pytest.raises(FrameError, match=r"first without its own is 2026-07-06T07:00:00Z"):
        walk(wanted[1:])
    with pytest.raises(FrameError, match=r"lacks column.s. setpoint_mw"):
        walk(wanted.drop("setpoint_mw"))
    with pytest.raises(FrameError, match="setpoint_mw at 2026-07-06T07:00:00Z is None"):
        walk(wanted.with_columns(setpoint_mw=pl.lit(None, dtype=pl.Float64)))


def test_a_file_that_is_no_table_is_refused(case: Case) -> None:
    case.path("x.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(InputError, match="neither Parquet nor a CSV table"):
        case.solve(inputs=case.path("x.parquet"))


def test_plant_check_describes_a_sound_plant_and_lists_the_mistakes_of_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant_check(PLANT)
    told = capsys.readouterr().out
    assert "afterbay: no problem found" in told
    assert "368.4 af" in told
    assert "marked EXAMPLE" in told
    broken = tmp_path / "broken.toml"
    broken.write_text(PLANT.read_text().replace("minimum_mw = 0.8", "minimum_mw = -1"))
    with pytest.raises(InputError, match=r"1 problem\(s\)"):
        plant_check(broken)
    leaky = tmp_path / "leaky.toml"
    leaky.write_text(PLANT.read_text().replace("spill_usd_per_af = 36.0", "spill_usd_per_af = 3.0"))
    plant_check(leaky)
    assert "warning: weights.spill_usd_per_af" in capsys.readouterr().out


def test_rows_may_stand_in_any_order_and_times_carry_any_offset(case: Case) -> None:
    frame = hours(24)
    case.solve("ordered.parquet")
    zones = ["America/Los_Angeles", "UTC", "Asia/Tokyo"]
    texts = [moment.astimezone(ZoneInfo(zones[row % 3])).isoformat() for row, moment in enumerate(frame["event_start"])]
    mixed = frame.with_columns(pl.Series("event_start", texts)).sample(fraction=1.0, shuffle=True, seed=1)
    mixed.write_csv(case.path("mixed.csv"))
    case.solve("mixed.parquet", inputs=case.path("mixed.csv"))
    plans = [pl.read_parquet(case.path(f"{name}.parquet")) for name in ("ordered", "mixed")]
    assert plans[0].select("event_start", "setpoint_mw").equals(plans[1].select("event_start", "setpoint_mw"))


def test_scenarios_in_any_order_are_the_same_scenarios(case: Case) -> None:
    many = futures(hours(24), 3)
    found = []
    for name, rows in (("a", many), ("b", many.sample(fraction=1.0, shuffle=True, seed=2).sort("scenario"))):
        rows.write_csv(case.path(f"{name}.csv"))
        found.append(case.solve(scenarios=case.path(f"{name}.csv"), optimizer="stochastic")["objective_usd"])
    assert found[0] == pytest.approx(found[1], rel=1e-9)


def test_a_single_row_lasts_until_its_event_end(case: Case) -> None:
    one = hours(1)
    quarter = one.with_columns(event_end=pl.col("event_start") + pl.duration(minutes=15))
    outflow = []
    for name, frame in (("hour", one), ("quarter", quarter)):
        frame.write_parquet(case.path("inputs.parquet"))
        case.solve(f"{name}.parquet", settings=["water_value_usd_per_af=0", "ramp_usd_per_mw=0"])
        plan = pl.read_parquet(case.path(f"{name}.parquet"))
        outflow.append(plan["oxbow_end_mw"][0] - 3.0)
    # From 3 MW at 2.52 MW/h: an hour moves the unit by at most 2.52 MW, a quarter by 0.63.
    assert abs(outflow[0]) > 0.63
    assert abs(outflow[1]) == pytest.approx(0.63)
    odd = one.with_columns(event_end=pl.col("event_start") + pl.duration(minutes=40))
    odd.write_parquet(case.path("inputs.parquet"))
    with pytest.raises(FrameError, match="the only row runs from 2026-07-06T07:00:00Z for 0:40:00"):
        case.solve()


@pytest.mark.parametrize("value", [pl.lit(True), pl.lit([1.0], pl.List(pl.Float64)), pl.col("event_start")])
def test_what_is_no_number_never_becomes_one(case: Case, value: pl.Expr) -> None:
    hours(24).with_columns(price_usd_mwh=value).write_parquet(case.path("inputs.parquet"))
    with pytest.raises(FrameError, match=r"price_usd_mwh is (Boolean|List|Datetime).*; write it as numbers"):
        case.solve()


def test_probabilities_in_words_and_a_report_that_cannot_be_written_leave_nothing_behind(case: Case) -> None:
    many = futures(hours(24), 2)
    many.with_columns(probability=pl.lit("half")).write_csv(case.path("sc.csv"))
    before = sorted(path.name for path in case.folder.iterdir())
    with pytest.raises(FrameError, match="probability is String"):
        case.solve(scenarios=case.path("sc.csv"))
    with pytest.raises(InputError, match="cannot be written"):
        case.solve(report=str(case.path("missing/report.json")))
    assert sorted(path.name for path in case.folder.iterdir()) == before
