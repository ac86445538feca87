"""`tailrace load` as its users call it: files into the lake, files into a file, and files that are none."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
import typer
from typer.testing import CliRunner, Result

from domain.beliefs import CANONICAL
from domain.errors import InputError
from domain.instants import parse_instant
from pipelines.commands.load import load
from pipelines.wiring import clock, open_lake
from tests.resources.payloads.wire import csv_of, zip_of

HEAD = "DeliveryDate,HourEnding,SettlementPoint,SettlementPointPrice,DSTFlag"
PRICES = csv_of(HEAD, [f"08/14/2026,{hour}:00,LZ_WEST,{hour},N" for hour in range(1, 25)])
START, END = parse_instant("2026-08-14T05:00Z", what="start"), parse_instant("2026-08-15T05:00Z", what="end")
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Calls the command with a lake of its own; its errors are raised as the process would report them."""
    monkeypatch.setenv("TAILRACE_HOME", str(tmp_path / "home"))
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(load)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=True)


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    """A document of 24 day-ahead prices."""
    path = tmp_path / "cdr.00012331.0000000000000000.20260813.124501.DAMSPNP4190.csv"
    path.write_bytes(PRICES)
    return path


def stored() -> pl.DataFrame:
    return open_lake().latest("*", start=START, end=END)


def test_rows_are_appended_known_since_their_posting_and_recorded_now(run: Run, prices: Path) -> None:
    result = run("ercot", prices)
    assert result.exit_code == 0
    assert "24 new" in result.output
    rows = stored()
    assert rows["value"].to_list() == list(range(1, 25))
    assert rows["belief_time"].unique().to_list() == [parse_instant("2026-08-13T17:45:01Z", what="posting")]
    assert (clock().now() - rows["recorded_at"][0]) < timedelta(minutes=10)


def test_loading_a_file_again_adds_nothing(run: Run, prices: Path) -> None:
    run("ercot", prices)
    assert "0 new" in run("ercot", prices).output
    assert stored().height == 24


def test_rows_are_only_written_where_a_file_is_named(run: Run, prices: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.parquet"
    assert run("ercot", prices, "--out", out).exit_code == 0
    rows = pl.read_parquet(out)
    assert rows.schema == pl.Schema(CANONICAL)
    assert rows.height == 24
    assert list(tmp_path.glob(".*")) == []
    assert not (tmp_path / "home" / "lake").exists()


def test_several_files_make_one_table(run: Run, prices: Path, tmp_path: Path) -> None:
    other = tmp_path / "next.csv"
    other.write_bytes(PRICES.replace(b"08/14", b"08/15"))
    out = tmp_path / "rows.parquet"
    assert run("ercot", prices, other, "--out", out).exit_code == 0
    assert pl.read_parquet(out).height == 48


def test_a_bad_file_is_left_out_whole_and_the_others_are_stored(run: Run, prices: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_bytes(PRICES[:-12])  # its last row is cut
    result = run("ercot", bad, prices)
    assert isinstance(result.exception, InputError)
    assert "1 of 2 file(s) loaded" in str(result.exception)
    assert f"{bad}: bad.csv line 25 has" in str(result.exception)
    assert stored().height == 24


def test_nothing_is_written_where_one_of_the_files_is_bad(run: Run, prices: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"")
    out = tmp_path / "rows.parquet"
    result = run("ercot", prices, bad, "--out", out)
    assert "nothing was stored" in str(result.exception)
    assert not out.exists()


def test_options_say_what_a_file_leaves_out(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_bytes(json.dumps([{"DATETIME": "08/14/2026 22:00:00", "1 (DALMP)": 5}]).encode())
    told = ["--option", "timezone=GMT", "--option", "iso=CAISO", "--option", "agglevel=hour"]
    assert run("yes", path, *told).exit_code == 0
    assert stored()["series_id"].to_list() == ["yes:CAISO:DALMP:1"]
    assert "write KEY=VALUE" in str(run("yes", path, "--option", "GMT").exception)


def test_the_issue_is_an_instant_with_an_offset(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "BRGC1_hefs_csv_hourly.csv"
    path.write_bytes(b"GMT,x1950,x1951\n8/14/2026 12:00,0.5,0.6\n")
    assert run("cnrfc", path, "--product", "hefs_hourly", "--issue", "2026-08-14T12:00Z").exit_code == 0
    assert stored()["belief_time"].unique().to_list() == [parse_instant("2026-08-14T17:00Z", what="issue + 5 h")]
    assert "has no zone" in str(run("cnrfc", path, "--issue", "2026-08-14T12:00").exception)


def test_a_valid_and_empty_answer_is_no_error(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "award.xml"
    path.write_bytes(b"<StandardOutput><result>FMWK0008</result></StandardOutput>")
    result = run("awards", path)
    assert result.exit_code == 0
    assert "0 rows" in result.output


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("empty.csv", b"", "empty"),
        ("zip_named.csv", zip_of({"a.csv": PRICES}), "mislabelled"),
        ("csv_named.zip", PRICES, "mislabelled"),
        ("cut.zip", zip_of({"a.csv": PRICES})[:-30], "damaged"),
        ("page.csv", b"<!DOCTYPE html><html></html>", "HTML page"),
        ("bomb.zip", zip_of({"a.csv": bytes(24 << 20)}), "zip bomb"),
        ("wide.csv", b",".join(b"c%d" % number for number in range(1_000_000)), "more than 20,000 columns"),
        ("entities.xml", b'<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>', "holds no CSV"),
    ],
)
def test_a_file_that_is_none_is_named_with_its_reason_and_nothing_is_stored(
    run: Run, tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    result = run("ercot", path)
    assert isinstance(result.exception, InputError)
    assert str(path) in str(result.exception)
    assert told in str(result.exception)
    assert not (tmp_path / "home" / "lake" / "commits").exists()


def test_a_file_that_is_not_there_or_never_ends_is_refused(run: Run, tmp_path: Path) -> None:
    assert "no such file" in str(run("ercot", tmp_path / "none.csv").exception)
    assert "not a regular file" in str(run("ercot", "/dev/zero").exception)
    assert "not a regular file" in str(run("ercot", tmp_path).exception)
    assert "no service 'weather'" in str(run("weather", "pyproject.toml").exception)


def test_a_bomb_stays_within_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    path.write_bytes(zip_of({"a.csv": bytes(64 << 20)}))
    program = (  # the growth of the peak, in KiB, as Linux counts it
        "import resource, sys; from datetime import UTC, datetime\n"
        "from resources.payloads import Facts; from resources.payloads.registry import parse\n"
        "resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: parse('ercot', open(sys.argv[1], 'rb').read(), Facts(fetched_at=datetime(2026, 1, 1, tzinfo=UTC)))\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    name, grown_kib = done.stdout.split()
    assert name == "PayloadError"
    assert int(grown_kib) < 100 << 10  # 100 MiB
