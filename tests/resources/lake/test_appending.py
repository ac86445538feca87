"""Claims about appends: all or nothing, once, and safe beside other writers."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domain.errors import FrameError, LakeError
from resources.lake.journal import Journal, State
from tests.resources.lake.rows import DAY, NEXT, World, belief, frame, hour


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def files_under(world: World) -> list[str]:
    return sorted(path.name for path in world.lake.root.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "row",
    [
        belief(float("nan"), 9),
        belief(float("inf"), 9),
        belief(1.0, 9, unit="horsepower"),
        belief(1.0, 12 + 6 / 60),  # six minutes after the present: more than clocks differ
        belief(1.0, 9, event_start=hour(23).replace(tzinfo=None)),
    ],
)
def test_a_refused_batch_leaves_no_file(world: World, row: dict[str, Any]) -> None:
    with pytest.raises(FrameError):
        world.append(belief(1.0, 9), row) if row["event_start"].tzinfo else world.append(row)
    assert files_under(world) == []


def test_a_belief_from_a_clock_slightly_ahead_is_accepted(world: World) -> None:
    assert world.append(belief(1.0, 12 + 4 / 60)) == 1


def test_a_batch_is_stored_once_however_often_it_is_appended(world: World) -> None:
    rows = [belief(1.0, 9), belief(2.0, 10), belief(3.0, 10, quantile=0.5, member=1)]
    assert world.append(*rows) == 3
    before = files_under(world)
    world.clock.set(hour(13))
    assert world.append(*rows) == 0
    assert files_under(world) == before


def test_an_append_counts_rows_and_sorted_distributions(world: World) -> None:
    world.append(belief(7.0, 8))
    rows = frame(belief(7.0, 8), belief(3.0, 9, quantile=0.1), belief(2.0, 9, quantile=0.9))
    done = world.lake.append(rows, run_id="run", product="load")
    assert (done.rows_in, done.rows_added, done.rows_unchanged, done.quantiles_sorted) == (3, 2, 1, 1)
    assert [path.exists() for path in done.files] == [True]


def test_commits_are_strictly_later_even_when_the_clock_stands_still_or_goes_back(world: World) -> None:
    world.append(belief(1.0, 9))
    world.append(belief(2.0, 9))
    world.clock.set(hour(11))
    world.append(belief(3.0, 9))
    recorded = world.lake.history("grid1:node1", event_start=hour(23))["recorded_at"]
    assert recorded.to_list() == [hour(12) + timedelta(microseconds=n) for n in range(3)]


def intrude(monkeypatch: pytest.MonkeyPatch, other: World, *rows: dict[str, Any]) -> None:
    """Let another writer commit after the first has compared and before it takes the lock."""
    real, pending = Journal.exclusively, [rows]

    @contextmanager
    def held(self: Journal) -> Generator[State]:
        if pending:
            other.append(*pending.pop())
        with real(self) as state:
            yield state

    monkeypatch.setattr(Journal, "exclusively", held)


def test_two_writers_of_the_same_batch_store_it_once(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    intrude(monkeypatch, World(tmp_path), belief(1.0, 9))
    assert world.append(belief(1.0, 9), belief(5.0, 10)) == 1
    told = world.lake.history("grid1:node1", event_start=hour(23))
    assert told.select("value", "rev").rows() == [(1.0, 0), (5.0, 0)]
    verdict = world.lake.verify()
    assert verdict.is_sound
    assert verdict.orphans == ()


def test_a_writer_that_was_overtaken_counts_its_revision_on(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    intrude(monkeypatch, World(tmp_path), belief(1.0, 9))
    assert world.append(belief(2.0, 9)) == 1
    told = world.lake.history("grid1:node1", event_start=hour(23))
    assert told.select("value", "rev").rows() == [(1.0, 0), (2.0, 1)]


def test_a_writer_that_slept_while_its_file_was_collected_writes_it_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Journal.exclusively

    @contextmanager
    def held(self: Journal) -> Generator[State]:
        for path in self.root.rglob("beliefs/landing/*.parquet"):
            path.unlink()
        with real(self) as state:
            yield state

    monkeypatch.setattr(Journal, "exclusively", held)
    assert world.append(belief(1.0, 9)) == 1
    assert world.published(10) == [1.0]


def test_history_comes_with_its_own_records(world: World) -> None:
    rows = frame(belief(1.0, 9, recorded_at=hour(10)), belief(2.0, 9, recorded_at=hour(11)))
    done = world.lake.append_history(rows, run_id="run", product="old")
    assert done.rows_added == 2
    assert [world.seen(at) for at in (9.5, 10, 11)] == [[], [1.0], [2.0]]
    assert world.lake.append_history(rows, run_id="run", product="old").rows_added == 0
    told = world.lake.history("grid1:node1", event_start=hour(23))
    assert told.select("value", "rev").rows() == [(1.0, 0), (2.0, 1)]


def test_history_that_repeats_itself_is_known_since_it_was_first_recorded(world: World) -> None:
    rows = frame(
        *(belief(value, 9, recorded_at=hour(at)) for value, at in ((1.0, 10), (1.0, 11), (2.0, 11.5), (1.0, 12)))
    )
    done = world.lake.append_history(rows, run_id="run", product="old")
    assert (done.rows_added, done.rows_unchanged) == (3, 1)
    told = world.lake.history("grid1:node1", event_start=hour(23)).select("value", "recorded_at").rows()
    assert told == [(1.0, hour(10)), (2.0, hour(11.5)), (1.0, hour(12))]


def test_history_keeps_the_revisions_it_is_given(world: World) -> None:
    rows = frame(
        belief(1.0, 9, recorded_at=hour(10), rev=3),
        belief(2.0, 9, recorded_at=hour(10), rev=4),
        belief(8.0, 9, recorded_at=hour(10), rev=4, quantile=0.5, member=1),
    )
    world.lake.append_history(rows, run_id="run", product="old")
    assert world.seen(12) == [2.0, 8.0]
    with pytest.raises(FrameError, match="already recorded"):
        world.lake.append_history(frame(belief(9.0, 9, recorded_at=hour(10), rev=4)), run_id="run", product="old")


@pytest.mark.parametrize(
    "rows",
    [
        frame(belief(1.0, 9)),
        frame(belief(1.0, 9, recorded_at=hour(13))),
        frame(belief(1.0, 9, recorded_at=hour(8))),
        frame(belief(1.0, 9, recorded_at=hour(10).replace(tzinfo=None))),
        frame(belief(1.0, 9, recorded_at=hour(10), rev="one")),
        frame(belief(1.0, 9, recorded_at=hour(10), rev=1), belief(2.0, 9, recorded_at=hour(10), rev=None)),
    ],
    ids=[
        "without recorded_at",
        "recorded in the future",
        "recorded before it was stated",
        "naive",
        "rev is a word",
        "rev now and then",
    ],
)
def test_history_that_cannot_be_is_refused(world: World, rows: pl.DataFrame) -> None:
    with pytest.raises(FrameError):
        world.lake.append_history(rows, run_id="run", product="old")
    assert files_under(world) == []


def test_a_past_state_of_the_lake_cannot_be_written(world: World) -> None:
    world.append(belief(1.0, 9))
    with pytest.raises(LakeError, match="append to the lake itself"):
        world.lake.snapshot(1).append(frame(belief(2.0, 9)), run_id="run", product="load")


def test_a_batch_of_many_series_and_months_comes_back_whole(world: World) -> None:
    rows = [
        belief(float(n), 9, series_id=f"m:{n % 7}", event_start=DAY - timedelta(days=n), event_end=NEXT)
        for n in range(100)
    ]
    assert world.append(*rows) == 100
    world.lake.compact()
    assert world.append(*rows) == 0
    told = world.lake.latest("m:*", start=DAY - timedelta(days=200), end=NEXT)
    assert sorted(told["value"]) == [float(n) for n in range(100)]
