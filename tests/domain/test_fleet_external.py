"""Schedules that others send: each rule alone, then who wins, then whether the store can follow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.errors import FrameError, TimeError
from domain.fleet import check_energy, check_entries, merge_entries
from tests.fleet_oracles import device_frame

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
HALF = timedelta(minutes=30)
DEVICES = device_frame({"device_id": "a", "max_discharge_kw": 4.0, "soc_start_kwh": 5.0}, {"device_id": "b"})


def entries(*rows: dict[str, object]) -> pl.DataFrame:
    """Return entries that differ from half an hour of charging at 2 kW in what each row names."""
    plain = {
        "schedule_id": "s1", "device_id": "a", "event_start": NOON, "event_end": NOON + HALF, "mode": 2,
        "rate_kw": 2.0, "priority": 5, "issued_at": NOON - timedelta(days=1),
    }  # fmt: skip
    return pl.DataFrame([plain | row for row in rows], infer_schema_length=None)


def test_entries_that_keep_the_rules_pass_gaps_included() -> None:
    later = {"event_start": NOON + 4 * HALF, "event_end": NOON + 6 * HALF, "mode": 1, "rate_kw": 4.0}
    good, errors = check_entries(entries({}, later, {"device_id": "b", "mode": 0, "rate_kw": 0.0}), DEVICES)
    assert errors == []
    assert good.height == 3


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"device_id": "x"}, "device_id is no known device"),
        ({"mode": 3}, "mode is 3; write 0 idle, 1 discharge or 2 charge"),
        ({"rate_kw": float("nan")}, "rate_kw is NaN; write a finite number of 0 or more"),
        ({"rate_kw": -1.0}, "rate_kw is -1.0; write a finite number of 0 or more"),
        ({"rate_kw": None}, "rate_kw is null; write a finite number"),
        ({"mode": 1, "rate_kw": 4.5}, "rate_kw is 4.5; the device can do 4.0 in this mode"),
        ({"event_end": NOON}, "event_start is not before event_end"),
        ({"event_start": NOON + timedelta(minutes=5)}, "not on the grid of 30 minutes"),
        ({"priority": 11}, "priority is 11; write 1 to 10"),
        ({"schedule_id": None}, "schedule_id is null"),
    ],
)
def test_a_bad_entry_is_told_by_row_value_and_rule(row: dict[str, object], reason: str) -> None:
    good, errors = check_entries(entries({"device_id": "b"}, row), DEVICES)
    assert good["device_id"].to_list() == ["b"]
    assert errors[0]["reason"].startswith("row 2: ")
    assert reason in errors[0]["reason"]


def test_entries_of_one_schedule_must_not_overlap_but_two_schedules_may() -> None:
    long = {"event_end": NOON + 2 * HALF}
    inside = {"event_start": NOON + HALF, "event_end": NOON + 2 * HALF}
    good, errors = check_entries(entries(long, inside, inside | {"schedule_id": "s2"}), DEVICES)
    assert good["schedule_id"].to_list() == ["s1", "s2"]
    assert "overlaps an earlier one" in errors[0]["reason"]


def test_a_frame_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(FrameError, match="lack column"):
        check_entries(entries({}).drop("mode"), DEVICES)
    with pytest.raises(TimeError, match="has no zone"):
        check_entries(entries({}).with_columns(issued_at=pl.lit("2026-07-01T05:00")), DEVICES)


def test_priority_wins_then_the_newest_and_a_gap_is_idle() -> None:
    sent = entries(
        {"schedule_id": "old", "event_end": NOON + 2 * HALF},
        {"schedule_id": "new", "rate_kw": 3.0, "issued_at": NOON},
        {"schedule_id": "high", "event_start": NOON + HALF, "event_end": NOON + 2 * HALF, "mode": 1, "priority": 9},
    )
    merged = merge_entries(check_entries(sent, DEVICES)[0], pl.Series([NOON + i * HALF for i in range(3)]))
    assert merged["schedule_id"].to_list() == ["new", "high", None]
    assert merged["power_kw"].to_list() == [-3.0, 2.0, 0.0]
    assert merged["mode"].to_list() == [2, 1, 0]


sent_entries = st.lists(
    st.tuples(st.sampled_from(["s1", "s2", "s3"]), st.sampled_from("ab"), st.integers(0, 5), st.integers(1, 3),
              st.integers(0, 2), st.integers(4, 6), st.integers(0, 2)),
    min_size=1, max_size=8,
)  # fmt: skip


@given(sent_entries)
def test_every_half_hour_has_the_winner_of_those_that_cover_it(
    sent: list[tuple[str, str, int, int, int, int, int]],
) -> None:
    frame = entries(
        *(
            {"schedule_id": schedule, "device_id": device, "event_start": NOON + first * HALF, "mode": mode,
             "event_end": NOON + (first + length) * HALF, "rate_kw": 1.0 + row / 8, "priority": priority,
             "issued_at": NOON + issued * HALF}
            for row, (schedule, device, first, length, mode, priority, issued) in enumerate(sent)
        )
    )  # fmt: skip
    good = check_entries(frame, DEVICES)[0]
    assume(good.height)
    starts = pl.Series([NOON + n * HALF for n in range(9)])
    for row in merge_entries(good, starts).iter_rows(named=True):
        covering = [
            one for one in good.iter_rows(named=True)
            if one["device_id"] == row["device_id"] and one["event_start"] <= row["event_start"] < one["event_end"]
        ]  # fmt: skip
        best = max(covering, key=lambda one: (one["priority"], one["issued_at"], one["schedule_id"]), default=None)
        said = (0, 0.0, None) if best is None else (best["mode"], best["rate_kw"], best["schedule_id"])
        assert (row["mode"], row["rate_kw"], row["schedule_id"]) == said


def test_a_schedule_that_overfills_the_store_names_the_first_half_hour() -> None:
    sent = entries({"event_end": NOON + 6 * HALF, "rate_kw": 5.0})
    starts = pl.Series([NOON + i * HALF for i in range(6)])
    merged = merge_entries(check_entries(sent, DEVICES)[0], starts)
    # 5 kW for half an hour stores 2.25 kWh: 5, 7.25, 9.5, 11.75.
    assert check_energy(merged, DEVICES) == [
        {
            "device_id": "a",
            "reason": "the half hour from 2026-07-01T13:00:00+00:00 would bring it from 9.5 to 11.75 kWh, beyond"
            " soc_max_kwh of 10; lower the rate or idle",
        }
    ]
    assert check_energy(merged.with_columns(power_kw=0.0), DEVICES) == []
    # 1.75 kWh beyond full are within 20 % of 10 kWh, and with the next half hour they are not.
    assert check_energy(merged.head(3), DEVICES, slack_share=0.2) == []
    assert "from 11.75 to 14 kWh" in check_energy(merged, DEVICES, slack_share=0.2)[0]["reason"]
