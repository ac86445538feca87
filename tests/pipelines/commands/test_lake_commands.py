"""Claims about `tailrace append`, `tailrace asof` and `tailrace lake`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from domain.beliefs import ASOF_COLUMNS
from domain.errors import FrameError, InputError, LakeError, TailraceError, TimeError
from pipelines import wiring
from pipelines.cli import app
from pipelines.commands import lake
from pipelines.commands.seed import seed
from pipelines.wiring import open_lake
from resources.clock import ManualClock

DAY = datetime(2026, 11, 20, tzinfo=UTC)
WINDOW = {"start": "2026-11-20T00:00Z", "end": "2026-11-21T00:00Z"}


def hour(number: float) -> datetime:
    return DAY + timedelta(hours=number)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TAILRACE_HOME", str(tmp_path / "home"))
    return tmp_path


def seed_row(value: float | None, stated: float, **other: Any) -> dict[str, Any]:  # noqa: ANN401 - a cell of any type
    row = {"series_id": "grid1:node1", "event_start": hour(23), "belief_time": hour(stated), "value": value}
    return {**row, "unit": "kW", **other}


def append(home: Path, *rows: dict[str, Any], backfill: bool = False) -> None:
    path = home / "rows.parquet"
    pl.DataFrame(list(rows), infer_schema_length=None).write_parquet(path)
    lake.append(path, backfill=backfill)


@pytest.fixture
def asof(home: Path) -> Callable[..., pl.DataFrame]:
    def ask(
        pattern: str = "*",
        at: str = "2026-11-20T12:00Z",
        mode: str = "published",
        **options: Any,  # noqa: ANN401 - an option of any type
    ) -> pl.DataFrame:
        lake.asof(pattern, **WINDOW, at=at, mode=mode, out=str(home / "answer.parquet"), **options)
        return pl.read_parquet(home / "answer.parquet")

    return ask


def test_the_example_of_two_views_answers_as_of_any_minute(home: Path) -> None:
    rows = [
        {name: value for name, value in seed_row(*said).items() if name != "source"}
        for said in ((100.0, 9), (99.0, 10))
    ]
    pl.DataFrame(rows).write_parquet(home / "rows.parquet")
    command = CliRunner()
    done = command.invoke(app, ["append", str(home / "rows.parquet")])
    assert (done.exit_code, done.stdout.partition(",")[0]) == (0, "2 rows: 2 new")
    told = {}
    for at in ("08:59", "09:00", "09:30", "10:00"):
        ask = ["asof", "grid1:node1", "--start", WINDOW["start"], "--end", WINDOW["end"], "--mode", "published"]
        done = command.invoke(app, [*ask, "--at", f"2026-11-20T{at}Z", "--format", "csv", "--out", "-"])
        told[at] = pl.read_csv(done.stdout_bytes)["value"].to_list()
    assert told == {"08:59": [], "09:00": [100.0], "09:30": [100.0], "10:00": [99.0]}


def test_rows_may_come_as_text(home: Path, asof: Callable[..., pl.DataFrame]) -> None:
    path = home / "rows.csv"
    head = "series_id,event_start,event_end,belief_time,value,unit,quality,member\n"
    path.write_text(
        f"{head}a:x,2026-11-20T23:00Z,2026-11-21T00:00Z,2026-11-20T03:00:00-06:00,1.5,MW,,3\n"
        "a:y,2026-11-20T23:00Z,,2026-11-20 09:00:00.000001+00:00,,MW,retracted,\n"
    )
    lake.append(path)
    answer = asof()
    assert answer.select("series_id", "belief_time", "value", "quality", "member").rows() == [
        ("a:x", hour(9), 1.5, "good", 3),
        ("a:y", hour(9) + timedelta(microseconds=1), None, "retracted", None),
    ]
    path.write_text(f"{head}a:x,2026-11-20T23:00,,2026-11-20T03:00Z,1.5,MW,,\n")
    with pytest.raises(TimeError, match=r"event_start in rows.csv .* has no zone"):
        lake.append(path)


def test_crossing_quantiles_are_sorted_counted_and_marked(
    home: Path, asof: Callable[..., pl.DataFrame], capfd: pytest.CaptureFixture[str]
) -> None:
    append(home, *(seed_row(value, 9, quantile=q) for q, value in ((0.9, 3.0), (0.1, 5.0), (0.5, 4.0))))
    assert "1 distribution(s) put in order" in capfd.readouterr().out
    told = asof().select("quantile", "value", "quality").rows()
    assert told == [(0.1, 3.0, "questionable"), (0.5, 4.0, "questionable"), (0.9, 5.0, "questionable")]


def test_the_answer_has_the_columns_of_the_contract(home: Path, asof: Callable[..., pl.DataFrame]) -> None:
    append(home, seed_row(100.0, 9, quantile=0.5, member=3, scenario="E3", source="desk", quality="estimated"))
    answer = asof()
    assert tuple(answer.columns) == ASOF_COLUMNS
    row = answer.row(0, named=True)
    assert (row["quantile"], row["member"], row["scenario"], row["source"]) == (0.5, 3, "E3", "desk")


def test_appending_a_file_twice_adds_nothing(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    append(home, seed_row(100.0, 9))
    append(home, seed_row(100.0, 9))
    first, second = capfd.readouterr().out.splitlines()
    assert first.startswith("1 rows: 1 new, 0 already known")
    assert second.startswith("1 rows: 0 new, 1 already known")


def test_rev_orders_the_revisions_of_one_belief(home: Path, asof: Callable[..., pl.DataFrame]) -> None:
    append(home, seed_row(98.0, 9, rev=1), seed_row(100.0, 9, rev=0), seed_row(5.0, 9, rev=1, member=1, quantile=0.5))
    assert asof()["value"].to_list() == [98.0, 5.0]


def test_a_backfill_is_seen_from_when_it_was_recorded(home: Path, asof: Callable[..., pl.DataFrame]) -> None:
    rows = [seed_row(100.0, 9, recorded_at=hour(11)), seed_row(98.0, 9, recorded_at=hour(13))]
    append(home, *rows, backfill=True)
    assert asof(at="2026-11-20T12:00Z", mode="seen")["value"].to_list() == [100.0]
    assert asof(at="2026-11-20T13:00Z", mode="seen")["value"].to_list() == [98.0]
    assert asof(recorded_before="2026-11-20T12:30Z")["value"].to_list() == [100.0]
    with pytest.raises(FrameError, match="--backfill"):
        append(home, *rows)


def test_a_unit_is_derived_where_something_says_it(
    home: Path, asof: Callable[..., pl.DataFrame], capfd: pytest.CaptureFixture[str]
) -> None:
    append(home, seed_row(1.0, 9, series_id="desk:a", unit="MW"))
    append(home, *(seed_row(2.0, 10, series_id=name, unit=None) for name in ("desk:a", "desk:b", "r4.flow.cfs")))
    assert "kept as plain numbers: desk:b" in capfd.readouterr().err
    assert asof().select("series_id", "unit").rows() == [("desk:a", "MW"), ("desk:b", "1"), ("r4.flow.cfs", "cfs")]


def test_rows_without_unit_and_source_columns_are_the_analysts(home: Path, asof: Callable[..., pl.DataFrame]) -> None:
    row = seed_row(1.0, 9, series_id="r4.flow.cfs")
    append(home, {name: row[name] for name in ("series_id", "event_start", "belief_time", "value")})
    assert asof().select("source", "unit", "quality").rows() == [("analyst", "cfs", "good")]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (seed_row(1.0, 9, belief_time=datetime(2026, 11, 20, 9)), "aware UTC"),  # noqa: DTZ001 - naive on purpose
        (seed_row(1.0, 9, unit="furlong"), "a unit outside"),
        (seed_row(float("nan"), 9), "not finite"),
        (seed_row(float("inf"), 9), "not finite"),
        (seed_row(1.0, 9, belief_time=datetime(2200, 1, 1, tzinfo=UTC)), "after they are recorded"),
        (seed_row(1.0, 9, colour="blue"), "unknown column"),
        (seed_row(1.0, 9, series_id="r4.flow.cfs", unit="af"), "not that of their series id"),
        (seed_row(1.0, 9, series_id="grid*"), "holds neither"),
        ({"series_id": "a:b", "value": 1.0}, "lacks column"),
    ],
)
def test_bad_rows_are_refused_and_nothing_is_written(home: Path, row: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        append(home, row)
    assert not (home / "home" / "lake").exists()


def test_a_file_that_is_no_table_is_refused(home: Path) -> None:
    (home / "rows.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match="neither Parquet nor"):
        lake.append(home / "rows.parquet")
    with pytest.raises(InputError, match="cannot be read"):
        lake.append(home / "other.parquet")


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"at": "2026-11-20T12:00Z"}, InputError, "both --at and --mode"),
        ({"mode": "seen"}, InputError, "both --at and --mode"),
        ({"at": "2026-11-20T12:00Z", "mode": "guessed"}, InputError, "known: seen, published"),
        ({"at": "2026-11-20T12:00", "mode": "seen"}, TimeError, "has no zone"),
        ({"at": "2026-11-20T12:00Z", "mode": "seen", "recorded_before": "2026-11-20T13:00Z"}, InputError, "pins"),
        ({"at": "2026-11-20T12:00Z", "mode": "seen", "output": "xml"}, InputError, "known: table, csv, parquet"),
        ({"at": "2026-11-20T12:00Z", "mode": "seen", "start": "2026-11-20"}, TimeError, "has no zone"),
        ({"at": "2026-11-20T12:00Z", "mode": "seen", "end": "2026-11-19T00:00Z"}, InputError, "before it starts"),
    ],
)
def test_a_question_that_is_not_exact_is_refused(
    home: Path, options: dict[str, str], error: type[TailraceError], said: str
) -> None:
    append(home, seed_row(100.0, 9))
    with pytest.raises(error, match=said):
        lake.asof("*", **{**WINDOW, **options})


def test_an_unknown_series_is_refused_with_those_near_it(home: Path, asof: Callable[..., pl.DataFrame]) -> None:
    append(home, seed_row(100.0, 9), seed_row(1.0, 9, series_id="far:away"))
    with pytest.raises(InputError, match="no series matches 'grid1:nod'; near it: grid1:node1"):
        asof("grid1:nod")
    assert asof("grid1:node1", at="2026-11-20T08:00Z").is_empty()


def test_an_answer_can_be_a_table_a_csv_or_a_file(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    append(home, seed_row(100.0, 9), seed_row(None, 10, series_id="a:b", quality="retracted"))
    ask = {**WINDOW, "at": "2026-11-20T12:00Z", "mode": "published"}
    capfd.readouterr()
    lake.asof("*", **ask)
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].split() == list(ASOF_COLUMNS)
    assert lines[1].split()[:3] == ["a:b", "2026-11-20T23:00:00Z", "2026-11-20T10:00:00Z"]
    lake.asof("*", **ask, output="csv", out="-")
    assert capfd.readouterr().out.splitlines()[0] == ",".join(ASOF_COLUMNS)
    lake.asof("*", **ask, out=str(home / "answer.parquet"))
    lake.asof("*", **ask, out=str(home / "answer.csv"))
    assert pl.read_parquet(home / "answer.parquet")["value"].to_list() == [None, 100.0]
    assert pl.read_csv(home / "answer.csv")["value"].to_list() == [None, 100.0]
    with pytest.raises(InputError, match="cannot be written"):
        lake.asof("*", **ask, out=str(home / "nowhere" / "answer.csv"))


def test_a_long_answer_comes_in_pages(
    home: Path, asof: Callable[..., pl.DataFrame], capfd: pytest.CaptureFixture[str]
) -> None:
    append(home, *(seed_row(float(n), 9, series_id=f"s:{n}") for n in range(5)))
    told = [asof(limit=2)["value"].to_list()]
    while mark := capfd.readouterr().err.partition("--after ")[2].strip():
        told.append(asof(limit=2, after=mark)["value"].to_list())
    assert told == [[0.0, 1.0], [2.0, 3.0], [4.0]]


def test_the_example_grid_is_read_at_any_level(
    home: Path, asof: Callable[..., pl.DataFrame], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "clock", lambda: ManualClock(hour(6.5)))
    seed(weeks=1, number=7)
    seed(weeks=1, number=7)
    # 27 nodes, 168 hours of statements, 24 vintages each: 108,864.
    first, second = capfd.readouterr().out.splitlines()
    assert "108,864 statements" in first
    assert "108,864 new" in first
    assert second.endswith(" 0 new")
    assert [asof(pattern)["series_id"].n_unique() for pattern in ("*", "grid1:*", "grid1:region2:*")] == [27, 9, 3]
    at_places = [
        asof("*", where=[*where])["series_id"].unique().to_list()
        for where in (("region=region3",), ("node=node1", "grid=grid2"))
    ]
    assert [len(found) for found in at_places] == [9, 3]
    assert sorted(at_places[1]) == [f"grid2:region{n}:node1" for n in (1, 2, 3)]
    assert asof("*:node1", where=["region=region3"])["series_id"].n_unique() == 3
    for where, said in (
        ("street=7", "no series lies at street=7; levels: grid, region"),
        ("grid=gridx", "no series matches"),
    ):
        with pytest.raises(InputError, match=said):
            asof(where=[where])
    before, after = (asof("grid2:region2:node2", at=f"2026-11-20T0{at}:00Z") for at in (5, 6))
    # Both views know every hour of the day; at 06:00 the hours from 07:00 on had been stated again.
    assert (before.height, after.height) == (24, 24)
    assert before["value"].to_list() != after["value"].to_list()


def test_the_upkeep_commands_tell_what_they_did(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    append(home, seed_row(100.0, 9), seed_row(99.0, 10))
    capfd.readouterr()
    lake.compact()
    lake.status()
    lake.verify()
    lake.gc(grace_h=0.0)
    lake.export(home / "out")
    lake.backup(home / "copy")
    told = capfd.readouterr().out
    for said in ("1 files became 1 with 2 beliefs", "landing          0", "sound", "removed", "1 file(s) in", "copied"):
        assert said in told
    append(home, *pl.read_parquet(home / "out").to_dicts(), backfill=True)
    assert "2 rows: 0 new" in capfd.readouterr().out
    with pytest.raises(LakeError, match="empty folder"):
        lake.restore(home / "copy")
    victim = open_lake().files()[0]
    victim.write_bytes(b"damaged")
    with pytest.raises(LakeError, match="restore it from a backup"):
        lake.verify()


def test_bad_input_leaves_with_2_and_says_so_on_stderr(home: Path) -> None:
    command = [sys.executable, "-m", "pipelines.cli", "asof", "*", "--start", WINDOW["start"], "--end", WINDOW["end"]]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "both --at and --mode" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("value", True, "value of type Boolean; write it as numbers"),
        ("value", hour(3), "value of type Datetime.*; write it as numbers"),
        ("quantile", [0.5], "quantile of type List.*; write it as numbers"),
        ("member", 1.5, "member 1.5; members and revisions are counted in whole numbers"),
        ("rev", 0.5, "rev 0.5; members and revisions"),
        ("member", "first", "wrong type: conversion .*"),
    ],
)
def test_what_is_no_number_never_becomes_one(home: Path, column: str, value: object, words: str) -> None:
    with pytest.raises(FrameError, match=rf"^rows.parquet has .*{words}[^\n]*$"):
        append(home, seed_row(1.0, 9) | {column: value})
    assert open_lake().status().beliefs == 0


def test_instants_at_the_ends_of_the_calendar_are_answered_or_refused(
    asof: Callable[..., pl.DataFrame], home: Path
) -> None:
    append(home, seed_row(1.0, 9))
    assert asof(at="0001-01-01T00:00Z").is_empty()
    with pytest.raises(TimeError, match="--at 9999-12-31T23:00:00-05:00 lies outside the years 1 to 9999"):
        asof(at="9999-12-31T23:00-05:00")
