"""Claims about trailing windows that are read again: the same adds nothing, a change a belief, a deletion a row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import polars as pl
import pytest

from domain.beliefs import Cutoffs, Mode
from tests.scenarios.doors import FIRST, LAST, Bench
from tests.scenarios.families import FAMILIES, NOW

QUIET, SECONDS = timedelta(minutes=3), timedelta(seconds=5)
"""Three minutes after a round moment nothing is published for the next seconds."""
POOL = "pi:OPS/Reservoirs/Afterbay|Elevation:recorded"


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench.running(NOW) as running:
        yield running


@pytest.mark.parametrize("name", FAMILIES)
def test_reading_the_same_window_again_adds_nothing(bench: Bench, name: str) -> None:
    family = FAMILIES[name]
    bench.clear()
    with bench.case() as case:
        first, error = case.poll(family, family.now + QUIET)
        assert not error
        assert first.added > 0
        held = case.ever_good()
        # A dashboard is stamped anew with each moment.
        again, error = case.poll(family, family.now + QUIET + (SECONDS if family.keeps else timedelta(0)))
        assert (again.added, error) == (0, "")
        assert case.ever_good().height == held.height


@pytest.mark.parametrize("name", ["pi", "ercot rt prices", "caiso prices", "yes csv"])
def test_a_revision_is_a_belief_of_its_own_and_the_one_before_it_stays(bench: Bench, name: str) -> None:
    family = FAMILIES[name]
    bench.clear()
    later = family.now + QUIET + SECONDS
    with bench.case() as case:
        case.poll(family, family.now + QUIET)
        before = case.believed()
        bench.trouble(family.service, {"fault": "revise", "p": 0.5, "sigma": 5.0})
        taken, error = case.poll(family, later)
        assert not error
        assert 0 < taken.added < taken.fetched
        after = case.believed()
        assert not after.equals(before)
        seen = case.lake.as_of("*", start=FIRST, end=LAST,
                               cutoffs=Cutoffs(at=family.now + QUIET, mode=Mode.SEEN))  # fmt: skip
        keys = ["series_id", "event_start", "scenario"]
        was = before.join(seen.select(*keys, seen="value"), on=keys, how="inner")
        assert was.filter(pl.col("value") != pl.col("seen")).is_empty()
        assert was.height > 0
    bench.clear()


def test_an_event_that_the_historian_deletes_becomes_a_row_that_takes_it_back(bench: Bench) -> None:
    family = FAMILIES["pi"]
    bench.clear()
    with bench.case() as case:
        case.poll(family, family.now + QUIET)
        whole = case.believed().filter(series_id=POOL)
        bench.trouble("pi", {"fault": "drop_interval", "p": 0.3, "match": "Elevation"})
        case.poll(family, family.now + QUIET + SECONDS)
        bench.clear()
        now = case.believed().filter(series_id=POOL)
        gone = now.filter(quality="retracted")
        assert 0 < gone.height < whole.height
        assert gone["value"].null_count() == gone.height
        assert now.height == whole.height
        # Restored, they are values again; what was believed in between stays readable.
        case.poll(family, family.now + QUIET + 2 * SECONDS)
        assert case.believed().filter(series_id=POOL).equals(whole)
        told = case.lake.history(POOL, event_start=gone["event_start"][0])
        assert told["quality"].to_list() == ["good", "retracted", "good"]


def test_an_empty_answer_takes_nothing_back(bench: Bench) -> None:
    family = FAMILIES["pi"]
    bench.clear()
    with bench.case() as case:
        case.poll(family, family.now + QUIET)
        before = case.believed()
        bench.trouble("pi", {"fault": "drop_interval", "match": "Elevation"})
        case.poll(family, family.now + QUIET + SECONDS)
        bench.clear()
        assert case.believed().filter(series_id=POOL).equals(before.filter(series_id=POOL))
