"""Claims about which statement wins and which of a batch is new, one rule a test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from domain.beliefs import canonical
from domain.distributions import fold
from domain.revisions import STORED, novel, winners

MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
NOTHING = pl.DataFrame(schema=STORED)


def hour(number: float) -> datetime:
    return MIDNIGHT + timedelta(hours=number)


def belief(value: float | None, stated: float, **other: Any) -> dict[str, Any]:  # noqa: ANN401 - a cell of any type
    return {
        "series_id": "a:x",
        "event_start": hour(12),
        "belief_time": hour(stated),
        "value": value,
        "unit": "MW",
        "source": "s",
        **other,
    }


def stored(*beliefs: tuple[dict[str, Any], float, int]) -> pl.DataFrame:
    rows = [fold(canonical(pl.DataFrame([row]), what="rows"), what="rows").beliefs for row, _, _ in beliefs]
    times = [{"recorded_at": hour(recorded), "rev": rev} for _, recorded, rev in beliefs]
    kept = pl.concat(rows).hstack(pl.DataFrame(times, schema={name: STORED[name] for name in ("recorded_at", "rev")}))
    return kept.select(*STORED)


def new(*rows: dict[str, Any], beside: pl.DataFrame = NOTHING, now: float = 24) -> list[tuple[Any, ...]]:
    batch = fold(canonical(pl.DataFrame(list(rows), infer_schema_length=None), what="rows"), what="rows").beliefs
    told = novel(batch, same_time=beside, newest=beside, now=hour(now))
    return [
        (row["value"], (row["belief_time"] - MIDNIGHT) / timedelta(hours=1), row["rev"])
        for row in told.iter_rows(named=True)
    ]


def test_the_newest_belief_wins_then_the_newest_record_then_the_newest_parse() -> None:
    rows = stored((belief(1.0, 9), 20, 0), (belief(2.0, 10), 11, 0), (belief(3.0, 10), 12, 1), (belief(4.0, 10), 12, 2))
    assert winners(rows)["value"].to_list() == [4.0]
    assert winners(rows.reverse())["value"].to_list() == [4.0]


def test_a_retraction_wins_with_no_value() -> None:
    rows = stored((belief(1.0, 9), 20, 0), (belief(None, 10, quality="retracted"), 20, 0))
    assert winners(rows)["value"].to_list() == [None]


def test_the_same_statement_again_adds_nothing() -> None:
    assert new(belief(1.0, 9), beside=stored((belief(1.0, 9), 10, 0))) == []


def test_another_value_at_the_same_belief_time_is_a_revision() -> None:
    assert new(belief(2.0, 9), beside=stored((belief(1.0, 9), 10, 0))) == [(2.0, 9, 1)]


def test_there_and_back_again_are_three_revisions() -> None:
    beside = stored((belief(1.0, 9), 10, 0), (belief(2.0, 9), 11, 1))
    assert new(belief(1.0, 9), beside=beside) == [(1.0, 9, 2)]
    assert new(belief(1.0, 9), belief(2.0, 9), belief(1.0, 9)) == [(1.0, 9, 0), (2.0, 9, 1), (1.0, 9, 2)]


def test_a_publication_that_repeats_its_value_is_stored() -> None:
    assert new(belief(1.0, 10), beside=stored((belief(1.0, 9), 10, 0))) == [(1.0, 10, 0)]


def test_a_change_of_quality_unit_or_end_is_a_revision_too() -> None:
    beside = stored((belief(1.0, 9), 10, 0))
    for change in ({"quality": "questionable"}, {"unit": "kW"}, {"event_end": hour(13)}):
        assert new(belief(1.0, 9, **change), beside=beside) == [(1.0, 9, 1)]


UNSTAMPED = {"belief_basis": "schedule_rule"}


def test_an_unstamped_repetition_is_no_new_belief() -> None:
    assert new(belief(1.0, 23, **UNSTAMPED), beside=stored((belief(1.0, 9), 10, 0))) == []


def test_an_unstamped_change_is_a_correction_first_seen_now() -> None:
    assert new(belief(2.0, 9, **UNSTAMPED), beside=stored((belief(1.0, 9), 10, 0)), now=24) == [(2.0, 24, 0)]


def test_a_correction_is_never_dated_before_what_it_corrects() -> None:
    # The stored belief's clock ran an hour ahead; at its own time the correction is the next revision.
    assert new(belief(2.0, 9, **UNSTAMPED), beside=stored((belief(1.0, 25), 10, 0)), now=24) == [(2.0, 25, 1)]


def test_an_unstamped_back_load_keeps_the_times_of_its_rule_and_drops_repetitions() -> None:
    rows = [belief(value, stated, **UNSTAMPED) for value, stated in ((1.0, 8), (1.0, 9), (2.0, 10))]
    assert new(*rows) == [(1.0, 8, 0), (2.0, 10, 0)]


def test_of_several_unstamped_rows_about_a_known_event_the_last_is_what_the_source_says() -> None:
    beside = stored((belief(1.0, 9), 10, 0))
    assert new(belief(5.0, 8, **UNSTAMPED), belief(1.0, 9, **UNSTAMPED), beside=beside) == []


def test_members_and_scenarios_are_voices_of_their_own() -> None:
    beside = stored((belief(1.0, 9, member=0), 10, 0))
    assert new(belief(1.0, 9, member=1), beside=beside) == [(1.0, 9, 0)]
    assert new(belief(1.0, 9, member=0, scenario="E3"), beside=beside) == [(1.0, 9, 0)]


def test_stamped_and_unstamped_rows_of_one_batch_count_revisions_together() -> None:
    assert new(belief(1.0, 9), belief(2.0, 9, **UNSTAMPED)) == [(1.0, 9, 0), (2.0, 9, 1)]


def test_a_distribution_with_another_quantile_value_is_a_revision() -> None:
    first, again, other = ([belief(value, 9, quantile=0.9), belief(1.0, 9, quantile=0.1)] for value in (3.0, 3.0, 4.0))
    folded = fold(canonical(pl.DataFrame(first), what="rows"), what="rows").beliefs
    beside = folded.with_columns(recorded_at=pl.lit(hour(10)), rev=pl.lit(0, pl.Int32)).select(*STORED)
    assert new(*again, beside=beside) == []
    assert new(*other, beside=beside) == [(None, 9, 1)]
