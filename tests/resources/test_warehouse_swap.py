"""A new warehouse takes the old one's place and disturbs nobody."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from domain.errors import InputError, LakeError
from resources.warehouse import Build, fresh, newest
from tests.resources.warehouse_home import DAY, HOUR, ask, small_lake


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
        assert session.sql("select value from answer").fetchall() == [(1,)]
        assert session.sql("select count(*) from staging.stg_beliefs").fetchall() == [(0,)]
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
