"""Claims about bytes kept as they were fetched."""

from __future__ import annotations

import zlib
from datetime import timedelta
from pathlib import Path

import pytest

from domain.errors import ConfigError, InputError, LakeError
from resources.lake.retention import Retention, pinned_by
from tests.resources.lake.rows import World, belief, hour

FOR_EVER = "".join(f"{name} = 'forever'\n" for name in ("beliefs", "coverage", "plans", "execution_log"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize("content", [b"", b'{"price": 30}' * 1000, b"PK\x03\x04zip", b"\x1f\x8b" + zlib.compress(b"x")])
def test_bytes_come_back_as_they_were(world: World, content: bytes) -> None:
    sha256 = world.lake.put_raw(content, source="ercot_api", name="a", fetched_at=hour(1))
    assert world.lake.get_raw(sha256) == content


def test_the_same_bytes_are_stored_once_and_every_fetch_is_noted(world: World) -> None:
    for number in range(3):
        world.lake.put_raw(b"same", source="pi", name=f"read {number}", fetched_at=hour(number), meta={"status": "200"})
    world.lake.put_raw(b"other", source="yes", name="b", fetched_at=hour(9))
    stored = [path for path in (world.lake.root / "raw").rglob("*") if path.is_file() and path.suffix != ".jsonl"]
    assert len(stored) == 2
    told = world.lake.raw.fetches("pi")
    assert told.select("fetched_at", "name", "size").rows() == [(hour(n), f"read {n}", 4) for n in range(3)]
    assert told["meta"].unique().to_list() == ['{"status":"200"}']
    assert world.lake.raw.fetches().height == 4


def test_a_fetch_line_that_was_cut_short_hides_no_other(world: World) -> None:
    world.lake.put_raw(b"one", source="pi", name="a", fetched_at=hour(1))
    notes = next((world.lake.root / "raw" / "fetches").iterdir())
    notes.write_bytes(notes.read_bytes() + b'\n{"source":"pi","na')
    world.lake.put_raw(b"two", source="pi", name="b", fetched_at=hour(2))
    assert world.lake.raw.fetches()["name"].to_list() == ["a", "b"]


def test_bytes_that_changed_on_disk_are_not_handed_out(world: World) -> None:
    sha256 = world.lake.put_raw(b"PK\x03\x04zip", source="pi", name="a", fetched_at=hour(1))
    (world.lake.root / "raw" / sha256[:2] / sha256).write_bytes(b"PK\x03\x04zap")
    with pytest.raises(LakeError, match="no longer holds"):
        world.lake.get_raw(sha256)


def test_bytes_that_never_came_are_named(world: World) -> None:
    with pytest.raises(LakeError, match="no raw bytes 00"):
        world.lake.get_raw("00" * 32)


def test_bytes_are_kept_from_their_last_fetch_on(world: World) -> None:
    kept, gone = (world.lake.put_raw(content, source="pi", name="a", fetched_at=hour(1)) for content in (b"a", b"b"))
    world.lake.put_raw(b"a", source="pi", name="a", fetched_at=hour(9))
    assert world.lake.retire_raw(keep=timedelta(hours=5)) == 1  # the present is noon: 11 h and 3 h ago
    assert world.lake.get_raw(kept) == b"a"
    with pytest.raises(LakeError, match="retention"):
        world.lake.get_raw(gone)
    assert world.lake.raw.fetches().height == 3


def test_what_a_plan_was_made_from_outlives_every_rule(tmp_path: Path, world: World) -> None:
    pinned, loose = (
        world.lake.put_raw(content, source="config", name="plant", fetched_at=hour(0)) for content in (b"a", b"b")
    )
    manifest = tmp_path / "plans" / "fleet" / "20261121T1530Z" / "v1" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(f'{{"pins": {{"plant": "{pinned}"}}}}')
    assert pinned_by(tmp_path / "plans") == {pinned}
    assert pinned_by(tmp_path / "no-plans-yet") == set()
    assert world.lake.retire_raw(keep=timedelta(0), pinned=pinned_by(tmp_path / "plans")) == 1
    assert world.lake.get_raw(pinned) == b"a"
    log = world.lake.root / "execution_log" / "2020-01-01.parquet"
    log.parent.mkdir()
    log.write_bytes(b"what devices acknowledged")
    world.append(belief(1.0, 9))
    world.lake.compact()
    world.lake.gc(grace=timedelta(0))
    assert (log.exists(), manifest.exists(), world.published(12)) == (True, True, [1.0])
    world.lake.backup(tmp_path / "copy")
    log.write_bytes(b"what devices have acknowl")  # the day is written again, as long as before
    world.lake.backup(tmp_path / "copy")
    assert (tmp_path / "copy" / "execution_log" / log.name).read_bytes() == log.read_bytes()
    with pytest.raises(LakeError, match="retention"):
        world.lake.get_raw(loose)


def test_the_retention_rules_of_the_project_can_be_read() -> None:
    rules = Retention.read(Path(__file__).parents[3] / "config" / "lake.toml")
    assert (rules.raw, rules.replaced) == (timedelta(days=400), timedelta(hours=24))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no readable"),
        ("[retention]\nbeliefs = 30\ncoverage = 'forever'", 'must be "forever"'),
        (f"[retention]\n{FOR_EVER}raw_days = -1\nreplaced_h = 1", "0 or more"),
        (f"[retention]\n{FOR_EVER}raw_days = 1".replace("plans = 'forever'", "plans = 400"), "plans = 400"),
        ("[retention]\nbelief = 'forever'", "unknown rule"),
    ],
)
def test_a_retention_rule_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "lake.toml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        Retention.read(tmp_path / "lake.toml")


def test_a_source_is_a_short_word(world: World) -> None:
    with pytest.raises(InputError, match="no source name"):
        world.lake.put_raw(b"x", source="../up", name="a", fetched_at=hour(1))
