"""Claims about the column contract, cutoffs and first knowledge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from domain.beliefs import CANONICAL, Basis, Cutoffs, Mode, canonical, cutoff_by_source, first_knowledge
from domain.errors import FrameError, InputError, TimeError

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def rows(**other: Any) -> pl.DataFrame:  # noqa: ANN401 - a cell of any type
    plain = {
        "series_id": "ercot:spp_da:LZ_WEST",
        "event_start": NOON,
        "belief_time": NOON - timedelta(hours=1),
        "value": 30.0,
        "unit": "USD/MWh",
        "source": "ercot_api",
    }
    return pl.DataFrame([{**plain, **other}])


def test_missing_optional_columns_are_filled_with_what_they_mean() -> None:
    row = canonical(rows(), what="rows").row(0, named=True)
    assert list(row) == list(CANONICAL)
    assert (row["event_end"], row["quality"], row["scenario"]) == (NOON, "good", "actual")
    assert row["belief_basis"] == "source_stamp"
    assert row["member"] is None


def test_a_null_value_without_a_quality_is_missing() -> None:
    none = rows().with_columns(value=pl.lit(None, pl.Float64))
    assert canonical(none, what="rows")["quality"].to_list() == ["missing"]


def test_times_in_another_zone_become_the_same_instant_in_utc() -> None:
    local = rows().with_columns(pl.col("event_start").dt.convert_time_zone("America/Chicago"))
    assert canonical(local, what="rows")["event_start"].to_list() == [NOON]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"event_start": NOON.replace(tzinfo=None)}, "aware UTC"),
        ({"unit": "furlong"}, "a unit outside"),
        ({"value": float("nan")}, "not finite"),
        ({"value": float("inf")}, "not finite"),
        ({"quality": "splendid"}, "a quality outside"),
        ({"belief_basis": "hearsay"}, "a belief_basis outside"),
        ({"event_end": NOON - timedelta(hours=1)}, "ends before it starts"),
        ({"quantile": 1.5}, "a quantile outside"),
        ({"source": None}, "a null in"),
        ({"value": "thirty"}, "wrong type"),
    ],
)
def test_a_row_that_breaks_the_contract_is_refused_by_name(other: dict[str, Any], said: str) -> None:
    with pytest.raises(FrameError, match=said):
        canonical(rows(**other), what="rows")


def test_a_missing_column_is_named_with_those_that_are_there() -> None:
    with pytest.raises(FrameError, match=r"lacks column\(s\) unit; it has series_id"):
        canonical(rows().drop("unit"), what="rows")


def test_mode_seen_pins_the_recorded_cutoff_to_the_belief_cutoff() -> None:
    assert Cutoffs(at=NOON, mode=Mode.SEEN).recorded_before == NOON
    with pytest.raises(InputError, match="pins the recorded cutoff"):
        Cutoffs(at=NOON, mode=Mode.SEEN, recorded_before=NOON + timedelta(hours=1))


def test_a_naive_cutoff_is_refused() -> None:
    with pytest.raises(TimeError, match="has no zone"):
        Cutoffs(at=NOON.replace(tzinfo=None), mode=Mode.SEEN)


def test_latency_moves_the_cutoff_in_mode_published_only() -> None:
    latency = {"slow": timedelta(hours=2)}
    assert cutoff_by_source(Cutoffs(at=NOON, mode=Mode.PUBLISHED), latency) == {"slow": NOON - timedelta(hours=2)}
    assert cutoff_by_source(Cutoffs(at=NOON, mode=Mode.SEEN), latency) == {}


def test_a_back_load_keeps_the_rule_and_an_event_read_before_without_it_is_known_from_now() -> None:
    unstamped = rows(belief_basis=Basis.SCHEDULE_RULE.value)
    hour = timedelta(hours=1)
    untouched = first_knowledge(canonical(unstamped, what="rows"), read_before=[(NOON - hour, NOON)], now=NOON + hour)
    assert untouched["belief_time"].to_list() == [NOON - hour]
    late = first_knowledge(canonical(unstamped, what="rows"), read_before=[(NOON, NOON + hour)], now=NOON + hour)
    assert (late["belief_time"][0], late["belief_basis"][0]) == (NOON + hour, "ingest_time")


def test_a_stamp_of_the_vendor_is_never_moved() -> None:
    stamped = canonical(rows(), what="rows")
    assert first_knowledge(stamped, read_before=[(NOON, NOON + timedelta(days=1))], now=NOON).equals(stamped)
