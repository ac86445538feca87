"""Batches at the door: each rule with a row that breaks it, and one that does not."""

from __future__ import annotations

import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import orjson
import polars as pl
import pytest

from domain.beliefs import TIME
from domain.errors import FrameError
from resources.expectations import SHOWN, Limits, Rules, Verdict, judge

START = datetime(2026, 11, 21, tzinfo=UTC)

RULES = Rules(
    never_null=("event_start",),
    unique=("series_id", "event_start", "quantile"),
    increasing="event_start",
    limits={"r4.flow.cfs": Limits(low=-5, high=40000), "oxbow.power.mw": Limits(high=6.2)},
)


def batch(rows: list[tuple[str, int | None, float | None]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "series_id": [series for series, _, _ in rows],
            "event_start": [None if hour is None else START + timedelta(hours=hour) for _, hour, _ in rows],
            "value": [value for _, _, value in rows],
            "quantile": [None] * len(rows),
        },
        schema={"series_id": pl.String, "event_start": TIME, "value": pl.Float64, "quantile": pl.Float64},
    )


GOOD = [("r4.flow.cfs", 0, -5.0), ("r4.flow.cfs", 1, 40000.0), ("oxbow.power.mw", 0, 6.2), ("other.flow.cfs", 0, 1e9)]


def judged(rows: list[tuple[str, int | None, float | None]], rules: Rules = RULES) -> dict[str, Verdict]:
    return {verdict.name: verdict for verdict in judge(batch(rows), rules)}


def test_a_good_batch_passes_every_rule_in_the_declared_order() -> None:
    verdicts = judge(batch(GOOD), RULES)
    assert tuple(v.name for v in verdicts) == RULES.names
    assert RULES.names == (
        "event_start_is_never_null",
        "no_row_comes_twice",
        "event_start_moves_forward",
        "no_value_is_too_low",
        "no_value_is_too_high",
    )
    assert all(v.passed and v.failing == 0 and v.rows == 4 and not v.examples for v in verdicts)


@pytest.mark.parametrize(
    ("row", "broken"),
    [
        (("oxbow.power.mw", None, 1.0), {"event_start_is_never_null"}),
        (("oxbow.power.mw", -1, 1.0), {"event_start_moves_forward"}),
        (("r4.flow.cfs", 2, -5.1), {"no_value_is_too_low"}),
        (("oxbow.power.mw", 1, 6.3), {"no_value_is_too_high"}),
        (("oxbow.power.mw", 1, -99.0), set()),  # no lower limit is declared for it
        (("oxbow.power.mw", 1, None), set()),  # a missing value is neither too low nor too high
    ],
)
def test_each_rule_finds_the_row_that_breaks_it_and_no_other(
    row: tuple[str, int | None, float | None], broken: set[str]
) -> None:
    verdicts = judged([*GOOD, row])
    assert {name for name, verdict in verdicts.items() if not verdict.passed} == broken
    for name in broken:
        assert verdicts[name].failing == 1
        assert verdicts[name].examples[0]["series_id"] == row[0]
        assert verdicts[name].examples[0]["value"] == row[2]


def test_a_row_that_comes_twice_is_shown_with_its_twin() -> None:
    verdicts = judged([*GOOD, GOOD[-1]])
    twice = verdicts["no_row_comes_twice"]
    assert (twice.passed, twice.failing) == (False, 2)
    assert [row["series_id"] for row in twice.examples] == ["other.flow.cfs"] * 2
    assert not verdicts["event_start_moves_forward"].passed


def test_one_column_may_identify_a_row() -> None:
    rules = Rules(unique=("event_start",))
    assert judged([("a.b.cfs", 0, 1.0), ("a.b.cfs", 1, 1.0)], rules)["no_row_comes_twice"].passed
    assert not judged([("a.b.cfs", 0, 1.0), ("c.d.cfs", 0, 1.0)], rules)["no_row_comes_twice"].passed


def test_order_can_be_asked_of_the_whole_batch() -> None:
    rules = Rules(increasing="event_start", within=())
    assert not judged(GOOD, rules)["event_start_moves_forward"].passed


def test_only_the_first_failing_rows_are_kept_and_they_are_plain_json() -> None:
    verdict = judged([("r4.flow.cfs", hour, -100.0) for hour in range(50)])["no_value_is_too_low"]
    assert verdict.failing == 50
    assert [row["event_start"] for row in verdict.examples][:2] == ["2026-11-21T00:00:00Z", "2026-11-21T01:00:00Z"]
    assert len(verdict.examples) == SHOWN
    assert orjson.loads(orjson.dumps(verdict.metadata))["failing_rows"] == 50


def test_an_empty_batch_breaks_nothing() -> None:
    assert all(verdict.passed for verdict in judge(batch([]), RULES))


def test_no_rules_no_verdicts() -> None:
    assert judge(batch(GOOD), Rules()) == []


def test_a_batch_without_a_column_of_its_rules_is_refused() -> None:
    with pytest.raises(FrameError, match="lacks column"):
        judge(batch(GOOD).drop("quantile"), RULES)


def test_judging_connects_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert judge(batch(GOOD), RULES)[0].passed


def test_declaring_rules_does_not_import_great_expectations() -> None:
    code = (
        "import sys; from resources.expectations import Rules; Rules(); sys.exit('great_expectations' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
