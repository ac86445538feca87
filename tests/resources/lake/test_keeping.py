"""Claims about compaction, snapshots, garbage, verification, backup, export and SQL."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from domain.beliefs import ASOF_COLUMNS, TIME
from domain.errors import LakeError
from resources.lake import Lake, compaction
from resources.lake.sql import COLUMNS
from tests.resources.lake.rows import DAY, NEXT, World, belief, frame, hour

MONTH_AGO = DAY - timedelta(days=30)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.append(belief(100.0, 9), belief(7.0, 9, event_start=MONTH_AGO), window=(DAY, NEXT))
    world.append(belief(1.0, 9, member=0, quantile=0.5), belief(2.0, 9, member=0))
    world.clock.set(hour(13))
    world.append(belief(99.0, 10, quality_detail="flag 3"), belief(None, 11, scenario="E3", quality="retracted"))
    return world


def everything(lake: Lake) -> pl.DataFrame:
    return lake.latest("*", start=MONTH_AGO, end=NEXT)


def test_compaction_changes_no_answer_and_makes_one_file_a_month(world: World) -> None:
    before, covered = everything(world.lake), world.lake.coverage()
    done = world.lake.compact()
    # Three landing files became October's and November's, and the coverage rows of the commits became a file.
    assert (done.files_before, done.files_after, done.rows) == (3, 2, 5)
    assert everything(world.lake).equals(before)
    assert world.lake.coverage().equals(covered)
    assert world.lake.status().landing == 0
    assert world.lake.verify().is_sound
    assert [world.seen(12.5), world.seen(13)] == [[100.0, 2.0, 1.0], [None, 99.0, 2.0, 1.0]]


def test_a_few_new_rows_wait_beside_a_large_file_until_they_are_a_quarter_of_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.append(*(belief(float(n), 9, event_start=DAY + timedelta(minutes=n)) for n in range(1000)))
    sizes = []
    for number in range(4):
        world.lake.compact()
        sizes.append(sorted(entry.rows for entry in world.lake._journal.state().of("beliefs")))
        world.append(belief(-1.0 - number, 10 + number / 10, event_start=hour(3)))
    assert sizes == [[1000], [1, 1000], [2, 1000], [3, 1000]]
    assert world.published(10.1)[180] == -2.0
    world.append(*(belief(1.0, 11, event_start=DAY + timedelta(minutes=n)) for n in range(300)))
    world.lake.compact()
    assert [entry.rows for entry in world.lake._journal.state().of("beliefs")] == [1304]


def test_compaction_splits_a_large_month_where_days_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "FILE_ROWS", 100)
    world = World(tmp_path)
    starts = [DAY - timedelta(days=20) + timedelta(hours=n) for n in range(240)]
    world.append(*(belief(1.0, 9, event_start=start) for start in starts))
    world.lake.compact()
    entries = sorted(world.lake._journal.state().of("beliefs"), key=lambda entry: entry.event_min)
    assert [entry.rows for entry in entries] == [72, 96, 72]  # three files as equal as whole days allow
    assert world.lake.verify().is_sound
    assert world.lake.compact(fully=True).files_before == 0


def test_the_landing_zone_and_the_tail_stay_short_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "MAX_LANDING", 5)
    monkeypatch.setattr(compaction, "MAX_TAIL", 5)
    world = World(tmp_path)
    for number in range(12):
        world.append(belief(float(number), number), window=(DAY, NEXT))
        assert world.lake.status().landing < 5
    for _ in range(7):
        world.append(belief(11.0, 11), window=(DAY, NEXT))
        assert world.lake.status().tail < 5
    assert world.lake.history("grid1:node1", event_start=hour(23)).height == 12
    assert world.lake.coverage().filter(pl.col("kind") == "read").height == 19


def test_an_earlier_state_of_the_lake_can_be_read_until_its_garbage_is_collected(world: World) -> None:
    past = world.lake.snapshot(1)
    told = everything(past)
    assert told["value"].to_list() == [7.0, 100.0]
    world.lake.compact()
    world.append(belief(50.0, 12))
    world.lake.compact(fully=True)
    assert everything(world.lake.snapshot(1)).equals(told)
    assert world.lake.gc(grace=timedelta(hours=1)) == []
    assert everything(world.lake.snapshot(1)).equals(told)
    assert world.lake.gc(grace=timedelta(0))
    with pytest.raises(LakeError, match="cannot be rebuilt"):
        world.lake.snapshot(1)


def test_garbage_collection_leaves_exactly_what_the_lake_names(world: World) -> None:
    before = everything(world.lake)
    world.lake.compact()
    stray = world.lake.root / "beliefs" / "landing" / "0123.parquet"
    stray.write_bytes(b"a killed writer's")
    working = stray.with_name("4567.parquet")
    working.write_bytes(b"a writer's that is about to commit")
    os.utime(stray, (stray.stat().st_atime, stray.stat().st_mtime - 3600))
    assert set(world.lake.verify().orphans) >= {"beliefs/landing/0123.parquet"}
    world.lake.gc(grace=timedelta(0))
    verdict = world.lake.verify()
    assert verdict.is_sound
    assert verdict.orphans == ("beliefs/landing/4567.parquet",)
    assert everything(world.lake).equals(before)
    with pytest.raises(LakeError, match="lies in the future"):
        world.lake.gc(grace=timedelta(seconds=-1))


def test_verification_names_a_changed_file_a_missing_file_and_a_gap(world: World) -> None:
    first, second, third = (world.lake.root / entry.path for entry in world.lake._journal.state().landing)
    second.write_bytes(first.read_bytes())
    third.unlink()
    (world.lake.root / "commits" / "000000000005.json").write_text("{}")
    problems = world.lake.verify().problems
    assert [word for word in ("another content", "is gone", "gap") if not any(word in p for p in problems)] == []
    assert not world.lake.verify().is_sound


def test_verification_finds_a_revision_that_is_stored_twice(world: World) -> None:
    journal = world.lake._journal
    with journal.exclusively() as state:
        again = state.landing[0]
        journal.commit(state, recorded_at=again.recorded_at or 0, files=[again], coverage=[], note={})
    problems = world.lake.verify().problems
    assert any("stored more than once" in problem for problem in problems)
    assert any("named twice" in problem for problem in problems)


def test_newest_rows_are_repeated_beside_a_compacted_file_and_looked_after_with_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.append(*(belief(float(at), at, event_start=hour(event)) for at in (1, 2, 3, 4) for event in (20, 21)))
    world.lake.compact()
    (entry,) = world.lake._journal.state().of("beliefs")
    assert entry.newest is not None
    assert (entry.rows, entry.newest.rows) == (8, 2)
    assert (world.published(5), world.published(2.5)) == ([4.0, 4.0], [2.0, 2.0])
    world.lake.gc(grace=timedelta(0))
    assert world.lake.verify().is_sound
    assert world.lake.verify().orphans == ()
    world.lake.backup(tmp_path / "copy")
    path = world.lake.root / entry.newest.path
    assert (tmp_path / "copy" / entry.newest.path).read_bytes() == path.read_bytes()
    pl.read_parquet(path).with_columns(value=pl.lit(7.0)).write_parquet(path)
    assert "does not repeat the newest rows" in world.lake.verify().problems[0]
    path.unlink()
    assert "is gone" in world.lake.verify().problems[0]


def test_a_backup_is_a_lake_and_takes_only_what_is_new(world: World, tmp_path: Path) -> None:
    sha256 = world.lake.put_raw(b"bytes", source="ercot_api", name="file", fetched_at=hour(12))
    assert world.lake.backup(tmp_path / "copy") == 5  # three belief files, the bytes and the list of fetches
    world.append(belief(55.0, 12))
    assert world.lake.backup(tmp_path / "copy") == 1
    restored = Lake(tmp_path / "again", now=world.clock.now)
    restored.restore(tmp_path / "copy")
    assert restored.verify().is_sound
    assert everything(restored).equals(everything(world.lake))
    assert restored.coverage().equals(world.lake.coverage())
    assert restored.get_raw(sha256) == b"bytes"
    with pytest.raises(LakeError, match="empty folder"):
        restored.restore(tmp_path / "copy")
    with pytest.raises(LakeError, match="holds no lake"):
        Lake(tmp_path / "other", now=world.clock.now).restore(tmp_path / "nowhere")


def test_a_damaged_backup_is_not_restored(world: World, tmp_path: Path) -> None:
    world.lake.backup(tmp_path / "copy")
    victim = next((tmp_path / "copy").rglob("*.parquet"))
    victim.write_bytes(victim.read_bytes()[:-1] + b"?")
    restored = Lake(tmp_path / "again", now=world.clock.now)
    with pytest.raises(LakeError, match="is not what commit"):
        restored.restore(tmp_path / "copy")
    assert restored.status().sequence == 0


def test_an_export_comes_back_as_history(world: World, tmp_path: Path) -> None:
    files = world.lake.export(tmp_path / "out", start=MONTH_AGO, end=NEXT)
    assert [path.name for path in files] == ["beliefs-2026-10.parquet", "beliefs-2026-11.parquet"]
    other = Lake(tmp_path / "other", now=world.clock.now)
    assert other.append_history(pl.read_parquet(files), run_id="run", product="old").rows_added == 6
    assert everything(other).equals(everything(world.lake))


@pytest.mark.parametrize("when", ["landing", "compacted", "both"])
def test_sql_sees_what_the_lake_sees(world: World, when: str) -> None:
    if when != "landing":
        world.lake.compact()
    if when == "both":
        world.append(belief(42.0, 12))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        world.lake.create_views(connection)
        latest = connection.sql("SELECT * FROM lake.latest").pl()
        assert latest.columns == list(COLUMNS["latest"])
        told = latest.with_columns(pl.col(TIME).dt.convert_time_zone("UTC")).select(ASOF_COLUMNS)
        by = ["series_id", "event_start", "source", "scenario", "member", "quantile"]
        assert told.sort(by).equals(everything(world.lake).sort(by))
        assert connection.sql("SELECT count(*) FROM lake.beliefs").fetchall() == [(world.lake.status().numbers,)]
        assert connection.sql("SELECT count(*) FROM lake.coverage").fetchall() == [(world.lake.coverage().height,)]
        types = dict(connection.sql("SELECT column_name, column_type FROM (DESCRIBE lake.beliefs)").fetchall())
        spelled = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}
        assert types == {name: spelled.get(kind, kind) for name, kind in COLUMNS["beliefs"].items()}


def test_sql_over_an_empty_lake_has_the_columns_and_no_rows(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        World(tmp_path).lake.create_views(connection)
        for view, columns in COLUMNS.items():
            relation = connection.sql(f"SELECT * FROM lake.{view}")  # noqa: S608 - our own names
            assert (relation.columns, relation.fetchall()) == (list(columns), [])


def test_a_file_with_a_column_of_a_later_version_is_still_read(world: World) -> None:
    before = everything(world.lake)
    world.lake.compact()
    for entry in world.lake._journal.state().of("beliefs"):
        path = world.lake.root / entry.path
        pl.read_parquet(path).with_columns(colour=pl.lit("blue")).write_parquet(path)
    assert everything(world.lake).equals(before)


def test_the_status_counts_what_is_there(world: World) -> None:
    found = world.lake.status()
    assert (found.sequence, found.series, found.beliefs, found.numbers, found.landing) == (3, 1, 5, 6, 3)
    assert (found.event_first, found.event_last, found.belief_newest) == (MONTH_AGO, hour(23), hour(11))
    assert found.size_bytes == sum(path.stat().st_size for path in world.lake.root.rglob("*.parquet"))


def test_rows_of_a_frame_may_name_columns_the_lake_does_not_keep(world: World) -> None:
    assert world.lake.append(frame(belief(3.0, 12, colour="blue")), run_id="run", product="load").rows_added == 1
