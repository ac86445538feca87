"""Claims about what reads of the lake answer."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domain.beliefs import ASOF_COLUMNS, Cutoffs, Mode
from domain.errors import InputError
from domain.instants import CENTRAL
from domain.knowledge import GateClosure
from resources.lake import files, reading
from tests.resources.lake.rows import DAY, NEXT, World, belief, frame, hour


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_view_between_two_statements_is_the_earlier_one(world: World) -> None:
    world.append(belief(100.0, 9), belief(99.0, 10))
    asked = [8 + 59 / 60, 9, 9.5, 10]
    assert [world.published(at) for at in asked] == [[], [100.0], [100.0], [99.0]]


def test_an_empty_lake_answers_with_the_columns_of_an_answer(world: World) -> None:
    answer = world.lake.latest("*", start=DAY, end=NEXT)
    assert answer.is_empty()
    assert tuple(answer.columns) == ASOF_COLUMNS
    assert world.lake.reads("load") == []
    assert world.lake.verify().is_sound


def test_a_correction_is_invisible_until_it_is_recorded(world: World) -> None:
    world.append(belief(100.0, 9))
    world.clock.set(hour(15))
    world.append(belief(98.0, 9))  # the same publication, parsed again at 15:00
    assert world.seen(14) == [100.0]
    assert world.seen(15) == [98.0]
    assert world.published(9) == [98.0]


def test_a_late_arrival_never_displaces_a_newer_belief(world: World) -> None:
    world.append(belief(99.0, 10))
    world.clock.set(hour(13))
    world.append(belief(100.0, 9))
    assert world.published(12) == [99.0]
    assert world.published(9.5) == [100.0]
    assert world.seen(12.5) == [99.0]


def test_a_retraction_yields_a_row_without_a_value(world: World) -> None:
    world.append(belief(100.0, 9), belief(None, 10, quality="retracted"))
    assert world.published(11) == [None]
    assert world.published(9) == [100.0]


def test_a_newer_distribution_hides_every_quantile_of_the_older(world: World) -> None:
    world.append(belief(1.0, 9, quantile=0.1), belief(2.0, 9, quantile=0.5), belief(3.0, 9, quantile=0.9))
    world.append(belief(9.0, 10, quantile=0.5))
    answer = world.lake.latest("*", start=DAY, end=NEXT)
    assert answer.select("quantile", "value").rows() == [(0.5, 9.0)]


def test_windows_are_half_open(world: World) -> None:
    world.append(belief(1.0, 9), belief(2.0, 9, event_start=hour(22)))
    told = world.lake.latest("*", start=hour(22), end=hour(23))
    assert told["event_start"].to_list() == [hour(22)]


def test_latency_delays_what_is_published_and_not_what_is_seen(tmp_path: Path) -> None:
    world = World(tmp_path, latency={"operator": timedelta(hours=1)})
    world.append(belief(100.0, 9), belief(50.0, 9, source="meter"))
    assert world.published(9.5) == [50.0]
    assert world.published(10) == [50.0, 100.0]
    assert world.seen(12) == [50.0, 100.0]


def test_both_half_past_ones_of_the_autumn_night_are_kept(world: World) -> None:
    first, second = (datetime(2026, 11, 1, hour, 30, tzinfo=UTC) for hour in (6, 7))
    assert first.astimezone(CENTRAL).replace(tzinfo=None, fold=0) == second.astimezone(CENTRAL).replace(
        tzinfo=None, fold=0
    )
    world.append(belief(1.0, 9, event_start=first), belief(2.0, 9, event_start=second))
    assert world.lake.latest("*", start=first, end=second + timedelta(hours=1))["value"].to_list() == [1.0, 2.0]


NAMES = ["caiso:lmp_da:A:LMP", "caiso:lmp_rt:A:LMP", "ercot:spp_da:HB_NORTH", "pi:OPS|Flow", "r4.flow.cfs"]


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("*", NAMES),
        ("caiso:*", NAMES[:2]),
        ("caiso:lmp_??:A:LMP", NAMES[:2]),
        ("*:A:*", NAMES[:2]),
        ("r4.flow.cfs", NAMES[4:]),
        ("r4xflow.cfs", []),
        ("pi:OPS|*", NAMES[3:4]),
        (["r4.*", "ercot:spp_da:HB_NORTH"], [NAMES[2], NAMES[4]]),
        ([NAMES[0], NAMES[3]], [NAMES[0], NAMES[3]]),
    ],
)
def test_a_pattern_means_what_a_glob_means(world: World, pattern: str | list[str], matched: list[str]) -> None:
    world.append(*(belief(1.0, 9, series_id=name) for name in NAMES))
    assert world.lake.latest(pattern, start=DAY, end=NEXT)["series_id"].to_list() == matched
    assert world.lake.series(pattern) == matched


def test_scenarios_and_sources_narrow_a_read(world: World) -> None:
    world.append(belief(1.0, 9), belief(2.0, 9, scenario="E3"), belief(3.0, 9, source="meter"))
    assert world.published(12, scenarios=["E3"]) == [2.0]
    assert world.published(12, sources=["meter"]) == [3.0]
    assert world.published(12, scenarios=[], sources=["meter"]) == []


def test_an_ensemble_comes_back_member_by_member(world: World) -> None:
    world.append(*(belief(float(member), 9, member=member) for member in (2, 0, 1)))
    assert world.lake.latest("*", start=DAY, end=NEXT).select("member", "value").rows() == [(0, 0), (1, 1), (2, 2)]


def test_history_tells_every_belief_of_an_event_oldest_first(world: World) -> None:
    world.append(belief(99.0, 10), belief(100.0, 9))
    world.append(belief(98.0, 10), belief(7.0, 10, event_start=hour(22)))
    told = world.lake.history("grid1:node1", event_start=hour(23))
    assert told.select("value", "rev").rows() == [(100.0, 0), (99.0, 0), (98.0, 1)]


def test_a_difference_says_what_changed_and_by_how_much(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.append(belief(100.0, 9), belief(99.0, 10), belief(5.0, 9, event_start=hour(22)))
    world.append(belief(5.0, 10, event_start=hour(22)), belief(1.0, 10, event_start=hour(21)))
    before, after = (Cutoffs(at=hour(at), mode=Mode.PUBLISHED) for at in (9, 10))
    told = world.lake.diff("*", start=DAY, end=NEXT, before=before, after=after)
    monkeypatch.setattr(reading, "SPAN_ROWS", 1)
    assert world.lake.diff("*", start=DAY, end=NEXT, before=before, after=after).equals(told)
    # 22:00 was stated again with the same value: no change. 21:00 is new. 23:00 fell from 100 to 99 kW.
    assert told.select("event_start", "value_before", "value_after", "change").rows() == [
        (hour(21), None, 1.0, None),
        (hour(23), 100.0, 99.0, -1.0),
    ]
    assert told["unit"].to_list() == ["kW", "kW"]


def test_a_slice_by_horizon_takes_the_newest_belief_that_was_early_enough(world: World) -> None:
    world.append(belief(100.0, 9, event_end=hour(24)), belief(99.0, 10, event_end=hour(24)))
    horizons = [timedelta(hours=h) for h in (13, 14, 15, 16)]  # before 24:00: 11:00, 10:00, 9:00, 8:00
    told = [world.lake.horizon_slice("*", start=DAY, end=NEXT, horizon=h)["value"].to_list() for h in horizons]
    assert told == [[99.0], [99.0], [100.0], []]


def test_a_gate_closure_counts_the_horizon_from_the_gate(world: World) -> None:
    world.append(belief(100.0, 3), belief(99.0, 5))
    # 23:00Z is 17:00 in Chicago on the 21st; the gate of the day ahead closes on the 20th, 22:00 local: 04:00Z.
    gate = GateClosure(zone=CENTRAL, days_before=1, at=time(22))
    told = world.lake.horizon_slice("*", start=DAY, end=NEXT, horizon=timedelta(0), knowledge=gate)
    assert told["value"].to_list() == [100.0]


def test_coverage_tells_what_was_published_and_what_was_read(world: World) -> None:
    world.append(belief(100.0, 9), belief(99.0, 9, event_start=hour(22)), window=(DAY, NEXT))
    world.clock.set(hour(13))
    world.append(belief(100.0, 9), window=(NEXT, NEXT + timedelta(days=1)))
    table = world.lake.coverage(product="load")
    assert table.select("kind", "belief_time", "event_start", "event_end", "rows").rows() == [
        ("publication", hour(9), hour(22), hour(23), 2),
        ("read", None, DAY, NEXT, 2),
        ("read", None, NEXT, NEXT + timedelta(days=1), 1),
    ]
    assert world.lake.reads("load") == [(DAY, NEXT + timedelta(days=1))]
    assert world.lake.reads("price") == []
    assert world.lake.coverage(at=Cutoffs(at=hour(12.5), mode=Mode.SEEN)).height == 2
    assert world.lake.coverage(source="operator").height == 1


def test_an_empty_read_is_told_from_no_read(world: World) -> None:
    nothing = frame(belief(1.0, 9)).clear()
    done = world.lake.append(nothing, run_id="run", product="price", window=(DAY, NEXT))
    assert (done.rows_in, done.rows_added, done.files) == (0, 0, ())
    assert world.lake.reads("price") == [(DAY, NEXT)]


def test_a_window_that_ends_before_it_starts_is_refused(world: World) -> None:
    with pytest.raises(InputError, match="before it starts"):
        world.lake.latest("*", start=NEXT, end=DAY)


def test_a_pinned_read_stays_the_same_whatever_is_appended(world: World) -> None:
    world.append(belief(100.0, 9))
    pinned = Cutoffs(at=hour(12), mode=Mode.PUBLISHED, recorded_before=world.lake.pin())
    before = world.lake.as_of("*", start=DAY, end=NEXT, cutoffs=pinned)
    world.append(belief(98.0, 9), belief(97.0, 11))  # the clock stands still: only the pin tells them apart
    assert world.lake.as_of("*", start=DAY, end=NEXT, cutoffs=pinned).equals(before)
    assert world.published(12) == [97.0]


def test_pages_are_one_answer_whatever_is_appended_between_them(world: World) -> None:
    world.append(*(belief(float(n), 9, series_id=f"s:{n % 3}", event_start=hour(n)) for n in range(12)))
    world.append(belief(1.0, 9, member=2, quantile=0.5), belief(2.0, 9, member=2, quantile=0.9), belief(3.0, 9))
    ask = {"start": DAY, "end": NEXT, "cutoffs": Cutoffs(at=hour(12), mode=Mode.PUBLISHED)}
    whole = world.lake.as_of("*", **ask)
    pages = [world.lake.page("*", **ask, limit=4)]
    while pages[-1].after:
        world.append(belief(99.0, 10, series_id="s:0", event_start=hour(len(pages))))
        world.lake.compact()
        pages.append(world.lake.page("*", **ask, limit=4, after=pages[-1].after))
    assert [page.rows.height for page in pages] == [4, 4, 4, 3]
    assert pl.concat([page.rows for page in pages]).equals(whole)


def test_a_page_reads_no_further_than_it_must(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "ROW_GROUP", 10)
    world.append(
        *(belief(float(n), 9, series_id=f"s:{s:02d}", event_start=hour(n)) for s in range(40) for n in range(5))
    )
    world.lake.compact()
    ask = {"start": DAY, "end": NEXT, "cutoffs": Cutoffs(at=hour(12), mode=Mode.PUBLISHED)}
    read: list[int] = []
    winners = reading.Reader.winners

    def counted(*of: Any, **how: Any) -> pl.DataFrame:  # noqa: ANN401 - whatever a read takes
        rows = winners(*of, **how)
        read.append(rows.height)
        return rows

    monkeypatch.setattr(reading.Reader, "winners", counted)
    page = world.lake.page("*", **ask, limit=25)
    assert page.rows.height == 25
    # Two series a row group: up to the first 2, 4 and then 8 series.
    assert read == [10, 20, 40]
    pages = [page]
    while pages[-1].after:
        pages.append(world.lake.page("*", **ask, limit=25, after=pages[-1].after))
    assert pl.concat([page.rows for page in pages]).equals(world.lake.as_of("*", **ask))


def test_a_mark_that_is_none_of_ours_is_refused(world: World) -> None:
    ask = {"start": DAY, "end": NEXT, "cutoffs": Cutoffs(at=hour(12), mode=Mode.PUBLISHED)}
    with pytest.raises(InputError, match="not the mark of a page"):
        world.lake.page("*", **ask, limit=4, after="bm9uZQ==")
    with pytest.raises(InputError, match="holds nothing"):
        world.lake.page("*", **ask, limit=0)


def test_the_folder_of_a_lake_may_have_any_name(tmp_path: Path) -> None:
    world = World(tmp_path / "a[b]*c?")
    world.append(belief(1.0, 9))
    world.append(belief(2.0, 10))
    assert world.published(12) == [2.0]
    world.lake.compact()
    assert world.published(12) == [2.0]
    assert world.lake.coverage().height == 2
    assert world.lake.verify().is_sound
