"""Claims about publication."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from domain.errors import InputError, LakeError
from resources.publisher import Publisher

T = datetime(2026, 11, 21, 7, tzinfo=UTC)
FACTS = {"mode": "published", "input_sha256": "abc", "code_version": "1", "status": "optimal", "objective_usd": 1.5}


def schedule(first_mw: float) -> pl.DataFrame:
    return pl.DataFrame({"event_start": [T, T + timedelta(hours=1)], "setpoint_mw": [first_mw, 2.0]})


def test_consumers_follow_the_pointer_to_a_whole_version(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    version = publisher.store("reservoir", T, schedule(1.0), FACTS)
    assert publisher.current("reservoir") is None
    publisher.publish(version, published_at=T)
    current = publisher.current("reservoir")
    assert current is not None
    assert current.schedule().equals(schedule(1.0))
    assert (current.schedule_id, current.number) == ("reservoir-20261121T0700Z", 1)


def test_the_same_decision_stored_twice_is_one_version_and_another_is_the_next(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    assert publisher.store("reservoir", T, schedule(1.0), FACTS).number == 1
    assert publisher.store("reservoir", T, schedule(1.0), FACTS | {"recorded_before": "later"}).number == 1
    assert publisher.store("reservoir", T, schedule(1.1), FACTS).number == 2


def test_publishing_an_older_decision_does_not_move_the_pointer_back(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    newer = publisher.store("reservoir", T, schedule(1.0), FACTS)
    older = publisher.store("reservoir", T - timedelta(hours=1), schedule(1.0), FACTS)
    publisher.publish(newer, published_at=T)
    publisher.publish(older, published_at=T)
    current = publisher.current("reservoir")
    assert current is not None
    assert current.as_of == T


def test_a_version_with_a_changed_file_is_refused(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    version = publisher.store("reservoir", T, schedule(1.0), FACTS)
    (version.folder / "schedule.json").write_bytes(b"[]")
    with pytest.raises(LakeError, match=r"schedule\.json has sha256"):
        publisher.publish(version, published_at=T)


def test_what_a_killed_writer_left_is_never_read(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    half = tmp_path / "reservoir" / "2026-11-21T0700Z" / ".v1-dead"
    half.mkdir(parents=True)
    (half / "schedule.parquet").write_bytes(b"PAR1")
    assert publisher.newest("reservoir", T) is None
    assert publisher.store("reservoir", T, schedule(1.0), FACTS).number == 1


def test_asking_for_a_plan_that_was_never_made_names_those_that_were(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    publisher.store("reservoir", T, schedule(1.0), FACTS)
    with pytest.raises(InputError, match="2026-11-21T0700Z"):
        publisher.get("reservoir", T + timedelta(hours=1))
