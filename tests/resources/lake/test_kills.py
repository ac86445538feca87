"""A claim about processes that are killed while they use the lake; the minute-long version is a benchmark."""

from __future__ import annotations

from pathlib import Path

from benchmarks.lake_kill import rehearse


def test_nothing_noted_is_lost_or_doubled_when_users_of_the_lake_are_killed(tmp_path: Path) -> None:
    happened = rehearse(seconds=6.0, kills=5, writers=2, readers=1, seed=7, folder=tmp_path)
    assert happened["wrong"] == []
    assert sum(happened["kills"].values()) == 5
    assert happened["noted"] > 0
