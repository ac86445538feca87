"""Plant files: every problem with its line, and plants that differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import ConfigError
from domain.plant_checks import plant_warnings, settings_of, with_settings
from resources.plant_files import examine_plant, load_plant
from tests.reservoir_cases import PLANTS, afterbay

TEXT = (PLANTS / "afterbay.toml").read_text(encoding="utf-8")


def edited(tmp_path: Path, *changes: tuple[str, str]) -> tuple[Path, str]:
    """Return a copy of the shipped plant with some texts replaced once each."""
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "plant.toml"
    path.write_text(text, encoding="utf-8")
    return path, text


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_every_shipped_plant_is_sound() -> None:
    for path in PLANTS.glob("*.toml"):
        plant, problems = examine_plant(path)
        assert problems == []
        assert plant is not None
        assert all(entry.source for entry in plant.provenance)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("minimum_mw = 0.8", "minimum_mw = -1", "unit.minimum_mw: is -1; it must be at least 0"),
        ("minimum_mw = 0.8", "minimum_mw = nan", "unit.minimum_mw: is nan; it must be a finite number"),
        ("minimum_mw = 0.8", 'minimum_mw = "low"', "unit.minimum_mw: is 'low'; write a number"),
        ("minimum_mw = 0.8", "minimum_mw = true", "unit.minimum_mw: is True; write a number"),
        ("minimum_mw = 0.8", "minimum_mw = 9", "unit.minimum_mw: 9 MW is not below maximum_mw"),
        ("ramp_mw_per_h = 2.52", "ramp_mw_per_h = 0", "unit.ramp_mw_per_h: is 0; it must be above 0"),
        ("ralston_share = 0.41", "ralston_share = 0.5", "middle_fork_share + ralston_share is 1.09, must be 1"),
        ("middle_fork_share = 0.59", "middle_fork_share = 1.5", "it must be at least 0 and at most 1"),
        ('commitment = "always_on"', 'commitment = "maybe"', "choose from 'always_on', 'on_off'"),
        ('form = "mass_balance"', 'form = "other"', "'other' is not among the forms given"),
        ("GEN = { r30 = 1, r20 = 1,", "GEN = { r31 = 1, r20 = 1,", "unknown term 'r31'"),
        ('zone = "America/Los_Angeles"', 'zone = "Mars/Gale"', "'Mars/Gale' is no IANA time zone"),
        ("minimum_ft = 1168.0", "minimum_ft = 1174.0", "pool.usual_float_ft: 1173 ft is below pool.minimum_ft"),
        ("valid_from_ft = 1121.0", "valid_from_ft = 1100.0", "is not above the parabola's vertex at 1112.13 ft"),
        ("startup_usd = 0.0", "startup_usd = 5.0", "an always_on unit is never started"),
        ("minimum_mw = 0.8", "minimum_mwh = 0.8", "unit.minimum_mwh: unknown key"),
        ("start = 09:00:00", 'start = "nine"', "write a time such as 09:00:00"),
        ("day = 2025-05-24", 'day = "24 May"', "write a day such as"),
        ('days = ["Mon",', "days = [1,", "write text"),
        ('type = "Wet"\nseason', 'type = "Soaked"\nseason', "'Soaked' is no water-year type"),
        ("flow_cfs_per_mw = 163.73", "flow_cfs_per_mw = [1]", "write a number"),
        ("head_cap_offset_mw = -101.42", "head_cap_offset_mw = -106.0", "the head cap at the minimum level is 0.52 MW"),
        ("low_buffer_ft = 0.25", "low_buffer_ft = 6.0", "no band is left to plan in"),
        ("valid_until = 2025-05-01", "valid_until = 2025-06-01", "water_years[3]: overlaps the one before: both hold"),
        ("valid_from = 2025-05-01", "valid_from = 2025-06-01", "no type holds from 2025-05-01 to 2025-06-01"),
        ("valid_until = 2024-05-01", "valid_until = 2022-05-01", "2022-05-01 is not after valid_from 2023-05-01"),
        ("day = 2025-05-31", "day = 2025-05-24", "early_releases[2]: 2025-05-24 has a release already, number 1"),
        ("start = 04:00:00", "start = 14:00:00", "a release from 14:00:00 to 12:00:00 is empty"),
        ("start = 09:00:00", "start = 13:00:00", "a rafting window from 13:00:00 to 12:00:00 is empty"),
        (
            'days = ["Sat", "Sun"]',
            'days = ["Sat", "Mon"]',
            "Mon of Wet, main, have a window already, number 1; keep one",
        ),
        ('days = ["Tue", "Wed", "Thu", "Fri"]', 'days = "Tue"', "rules.rafting[3].days: must be a list, is 'Tue'"),
        ("rafting_target_mw = 5.8", "rafting_target_mw = 58", "58 MW is no output of Oxbow, which gives 0.8 to 5.8 MW"),
        ("flow_cfs = 900.0", "flow_cfs = 100.0", "a cap of 100 cfs is below the 214 cfs of the smallest output 0.8 MW"),
        ("months = [1, 2, 3, 4, 5, 6]", "months = [1, 13]", "months [1, 13] are not all within 1 to 12"),
        ("flow_cfs = 300.0", "flow_cfs = -300.0", "a flow limit of -300 cfs is below zero"),
        ("flow_cfs = [60.0, 190.0", "flow_cfs = [60.0, 50.0", "flow_cfs of a rating curve needs two or more rising"),
        ("square_af_per_ft2 = 0.6311303", "square_af_per_ft2 = -0.63", "is -0.63; it must be above 0"),
        (
            "combined_maximum_mw = 210.0",
            "combined_maximum_mw = 0",
            "upstream.combined_maximum_mw: is 0; it must be above 0",
        ),
        ("valid_from = 2023-05-01", 'valid_from = "2023-05-01"', "is '2023-05-01'; write a day such as 2026-05-23"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    path, text = edited(tmp_path, (old, new))
    with pytest.raises(ConfigError, match=f"^{path}:") as caught:
        load_plant(path)
    told = next(line for line in str(caught.value).splitlines() if said in line)
    number = int(told.removeprefix(f"{path}:").split(":")[0])
    assert abs(number - line_of(text, new)) <= 6, told


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    path, _ = edited(
        tmp_path,
        ("minimum_mw = 0.8", "minimum_mw = -1"),
        ("low_buffer_ft = 0.25", ""),
        ('source = "Oper', 'sauce = "Oper'),
    )
    _, problems = examine_plant(path)
    assert len(problems) == 4
    assert "storage.sauce: unknown key" in "\n".join(problems)
    assert "storage: has no source" in "\n".join(problems)
    assert "pool.low_buffer_ft: is missing; give it a value, nothing is assumed" in "\n".join(problems)


def test_an_unreadable_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_plant(tmp_path / "none.toml")
    path, _ = edited(tmp_path, ("[pool]", "[pool"))
    with pytest.raises(ConfigError, match=r"is no TOML: .*line \d+"):
        load_plant(path)
    path, _ = edited(tmp_path, ("[pool]", "[[pool]]"))
    with pytest.raises(ConfigError, match="pool: must be a table"):
        load_plant(path)


def test_a_setting_changes_one_number_of_one_run() -> None:
    plant = afterbay()
    changed = with_settings(plant, {"ramp_usd_per_mw": "10", "pool.low_buffer_ft": 0.5, "balance.form": "legacy"})
    assert (changed.weights.ramp_usd_per_mw, changed.pool.low_buffer_ft, changed.balance.form) == (10.0, 0.5, "legacy")
    assert plant == afterbay()
    assert settings_of(changed)["weights.water_value_usd_per_af"] is None


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("ramp", "1", "unknown setting 'ramp'; known: .*weights.ramp_usd_per_mw"),
        ("ramp_usd_per_mw", "much", "'much', which is no number"),
        ("ramp_usd_per_mw", "-1", "at least 0"),
        ("water_value_usd_per_af", "nan", "finite"),
        ("form", "old", "'old' is not among the forms"),
        ("commitment", "sometimes", "choose from always_on, on_off"),
        ("minimum_ft", "1180", "pool.usual_float_ft"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(key: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        with_settings(afterbay(), {key: value})


def test_a_spill_cost_that_a_price_can_beat_is_named() -> None:
    leaky = with_settings(afterbay(), {"spill_usd_per_af": 5.0})
    assert [key for key, _ in plant_warnings(leaky)] == ["weights.spill_usd_per_af"]
    assert list(plant_warnings(afterbay())) == []


def test_a_floor_only_tributaries_could_meet_is_a_warning_not_a_problem(tmp_path: Path) -> None:
    path, _ = edited(tmp_path, ("flow_cfs = 150.0", "flow_cfs = 15000.0"))
    plant, problems = examine_plant(path)
    assert problems == []
    assert plant is not None
    # 163.73 x 5.8 + 83 = 1032.6 cfs
    assert [text for _, text in plant_warnings(plant)] == [
        (
            "a floor of 15000 cfs is above the 1033 cfs the unit passes at its largest output: only tributaries or"
            " spill could meet it"
        )
    ]


def test_an_outage_is_told_with_its_line(tmp_path: Path) -> None:
    for start, end, said in (
        ("2026-12-01T00:00:00", "2026-12-02T00:00:00Z", "write both times with an offset"),
        ("2026-12-03T00:00:00Z", "2026-12-02T00:00:00Z", "is empty; start must be before end"),
    ):
        path = tmp_path / "plant.toml"
        path.write_text(f"{TEXT}\n[[rules.outages]]\nstart = {start}\nend = {end}\n", encoding="utf-8")
        _, (problem,) = examine_plant(path)
        assert said in problem
        assert problem.startswith(f"{path}:{TEXT.count(chr(10)) + 2}: rules.outages[1]")
