"""Claims about the drop folder of market awards: what is asked for, read, moved and set aside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from assets.door import Door
from assets.ingest_others import take_in_files
from resources.awards_folder import AwardsFolder, AwardsSettings
from resources.clock import ManualClock
from resources.http import RawMeta
from resources.lake import Lake
from sensors.awards_drop import awards_drop

NOW = datetime(2026, 11, 20, 22, tzinfo=UTC)
NAME = "MarketAwards_RTM_RTUC_20261120T20_v4.xml"
EVER = {"start": NOW - timedelta(days=9), "end": NOW + timedelta(days=9)}
MESSAGE = """<MarketAwards xmlns="http://www.caiso.com/soa/MarketAwards_v4.xsd#">
<MessageHeader><TimeDate>2026-11-20T21:05:00-00:00</TimeDate></MessageHeader><MessagePayload><MarketResultRecord>
<marketType>RTM</marketType><executionType>RTUC</executionType><resource>OXBOW_6_DRUM</resource>
<product>EN</product><scheduleType>CLEARED</scheduleType><TradeIntervalData><HR>13</HR>
<intervalStartTime>2026-11-20T20:00:00-00:00</intervalStartTime>
<intervalEndTime>2026-11-20T20:15:00-00:00</intervalEndTime><MW>4.5</MW></TradeIntervalData>
</MarketResultRecord></MessagePayload></MarketAwards>"""


def landed(content: bytes, meta: RawMeta) -> str:
    del content, meta
    return ""


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


@pytest.fixture
def folder(drop: Path, tmp_path: Path) -> AwardsFolder:
    settings = AwardsSettings(folder=str(drop))
    return AwardsFolder(settings, clock=ManualClock(NOW), land=landed, locks=tmp_path)


@pytest.fixture
def door(tmp_path: Path) -> Door:
    clock = ManualClock(NOW)
    return Door(lake=Lake(tmp_path / "lake", now=clock.now), clock=clock, limits={})


def test_a_file_is_stored_and_then_moved(folder: AwardsFolder, door: Door, drop: Path) -> None:
    (drop / NAME).write_text(MESSAGE)
    assert take_in_files(folder, door, "run").added == 1
    assert [path.name for path in (drop / "read").iterdir()] == [NAME]
    assert folder.waiting() == []
    row = door.lake.latest("awards:*", **EVER).row(0, named=True)
    assert (row["series_id"], row["value"], row["scenario"]) == ("awards:OXBOW_6_DRUM:EN:CLEARED", 4.5, "real_time")
    assert row["belief_time"] == datetime(2026, 11, 20, 21, 5, tzinfo=UTC)


def test_a_file_that_a_killed_run_left_behind_adds_nothing_when_it_is_read_again(
    folder: AwardsFolder, door: Door, drop: Path
) -> None:
    (drop / NAME).write_text(MESSAGE)
    door.take_in(iter([folder.read(NAME)]), run_id="killed before it moved the file")
    again = take_in_files(folder, door, "next")
    assert (again.fetched, again.added) == (1, 0)
    assert folder.waiting() == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (MESSAGE[:300], "cut short"),
        ("<html><body>Sign in</body></html>", "HTML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><MarketAwards>&b;</MarketAwards>', "hostile"),
        ("", "empty"),
    ],
)
def test_what_cannot_be_read_is_set_aside_with_the_reason_and_the_rest_is_read(
    folder: AwardsFolder, door: Door, drop: Path, content: str, reason: str
) -> None:
    (drop / "MarketAwards_A_broken.xml").write_text(content)
    (drop / NAME).write_text(MESSAGE)
    taken = take_in_files(folder, door, "run")
    assert taken.added == 1
    aside = drop / "quarantine"
    assert (aside / "MarketAwards_A_broken.xml").read_text() == content
    assert reason in (aside / "MarketAwards_A_broken.xml.reason.txt").read_text()


def test_a_name_delivered_again_replaces_nothing_that_was_read(folder: AwardsFolder, door: Door, drop: Path) -> None:
    for value in ("4.5", "5.0"):
        (drop / NAME).write_text(MESSAGE.replace("4.5", value).replace("21:05", f"21:{value[0]}0"))
        take_in_files(folder, door, "run")
    assert len(list((drop / "read").iterdir())) == 2
    assert door.lake.latest("awards:*", **EVER)["value"].to_list() == [5.0]


def ticked(folder: AwardsFolder, cursor: str | None) -> tuple[object, str | None]:
    context = dg.build_sensor_context(cursor=cursor, resources={"awards_folder": folder})
    return awards_drop(context), context.cursor


def test_the_sensor_asks_once_for_what_waits_and_again_when_a_file_arrives(folder: AwardsFolder, drop: Path) -> None:
    nothing, cursor = ticked(folder, None)
    assert isinstance(nothing, dg.SkipReason)
    (drop / NAME).write_text(MESSAGE)
    first, cursor = ticked(folder, cursor)
    same, cursor = ticked(folder, cursor)
    (drop / "MarketAwards_other.xml").write_text(MESSAGE)
    more, _ = ticked(folder, cursor)
    assert isinstance(first, dg.RunRequest)
    assert isinstance(same, dg.RunRequest)
    assert isinstance(more, dg.RunRequest)
    assert first.run_key == same.run_key != more.run_key


def test_an_installation_without_a_folder_has_nothing_to_do(tmp_path: Path) -> None:
    folder = AwardsFolder(AwardsSettings(), clock=ManualClock(NOW), land=landed, locks=tmp_path)
    assert isinstance(ticked(folder, None)[0], dg.SkipReason)
