"""The column contract of the inputs: what is refused names the hour and the column."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from domain.errors import FrameError, TimeError
from domain.reservoir_inputs import read_inputs, read_scenarios
from tests.reservoir_cases import START, afterbay, futures, hours

PLANT = afterbay()


def with_value(frame: pl.DataFrame, column: str, row: int, value: object) -> pl.DataFrame:
    values = frame[column].to_list()
    values[row] = value
    return frame.with_columns(pl.Series(column, values, strict=False))


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        (hours(4).drop("mfra_mw"), "lack column.s. mfra_mw"),
        (hours(4).clear(), "have no row"),
        (hours(4)[[0, 1, 3]], "no row for 2026-07-06T09:00:00Z"),
        (hours(4)[[0, 2, 1]], "2026-07-06T08:00:00Z follows 2026-07-06T09:00:00Z"),
        (hours(4)[[0, 1, 1]], "each once"),
        (hours(4)[::2], "steps by 2:00:00"),
        (with_value(hours(4), "r4_flow_cfs", 2, None), "r4_flow_cfs at 2026-07-06T09:00:00Z is None"),
        (with_value(hours(4), "r30_flow_cfs", 1, float("nan")), "r30_flow_cfs at 2026-07-06T08:00:00Z is nan"),
        (with_value(hours(4), "ccs_mode", 3, "1"), "ccs_mode at 2026-07-06T10:00:00Z is '1'; write GEN or SPILL"),
        (with_value(hours(4), "event_start", 2, None), "event_start is null in row 2"),
        (with_value(hours(4), "float_ft", 0, 1200.0), "float_ft at 2026-07-06T07:00:00Z is 1200 ft"),
        (hours(4, oxbow_available=[1, 1, 2, 1]), "oxbow_available at 2026-07-06T09:00:00Z is 2"),
        (hours(4, price_usd_mwh=["1", "2", "x", "4"]), "price_usd_mwh at 2026-07-06T09:00:00Z is 'x'"),
        (hours(4, oxbow_award_mw=3.0), "without da_price_usd_mwh"),
        (
            hours(4, oxbow_award_mw=[1.0, None, 1.0, 1.0], da_price_usd_mwh=40.0),
            "oxbow_award_mw at 2026-07-06T08:00:00Z",
        ),
    ],
)
def test_broken_inputs_are_refused_by_hour_and_column(broken: pl.DataFrame, text: str) -> None:
    with pytest.raises(FrameError, match=text):
        read_inputs(PLANT, broken)


def test_naive_times_are_refused() -> None:
    naive = hours(2).with_columns(pl.col("event_start").dt.replace_time_zone(None))
    with pytest.raises(TimeError, match="has no zone"):
        read_inputs(PLANT, naive)
    text = hours(2).with_columns(pl.Series("event_start", ["2026-07-06T07:00", "2026-07-06T08:00"]))
    with pytest.raises(TimeError, match="row 0 2026-07-06T07:00:00 has no zone"):
        read_inputs(PLANT, text)
    with pytest.raises(TimeError, match="must be a time with a zone"):
        read_inputs(PLANT, hours(2).with_columns(pl.Series("event_start", [1, 2])))


def test_text_times_other_zones_and_coarser_units_are_the_same_instants() -> None:
    plain = read_inputs(PLANT, hours(3))
    text = hours(3).with_columns(pl.col("event_start").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    local = hours(3).with_columns(
        pl.col("event_start").dt.convert_time_zone("America/Los_Angeles").dt.cast_time_unit("ms")
    )
    assert read_inputs(PLANT, text).start == plain.start
    assert read_inputs(PLANT, local).start == plain.start


def test_the_step_is_read_from_the_rows() -> None:
    assert read_inputs(PLANT, hours(8, step_h=0.25)).step_h == 0.25
    assert read_inputs(PLANT, hours(1)).step_h == 1.0


def test_an_autumn_night_has_no_gap_in_utc() -> None:
    # Clocks go back on 1 November 2026 at 09:00 UTC; UTC hours do not notice.
    first = datetime.fromisoformat("2026-11-01T06:00:00+00:00")
    moved = hours(6).with_columns(pl.Series("event_start", [first + timedelta(hours=i) for i in range(6)]))
    # 06 to 08 UTC are 23:00 to 01:00 local and 09 UTC is 01:00 again: all night
    assert read_inputs(PLANT, moved).night.all()


def test_night_is_what_lies_outside_eight_to_eight_local() -> None:
    night = read_inputs(PLANT, hours(24)).night
    assert np.flatnonzero(~night).tolist() == list(range(8, 20))


def test_optional_columns_mean_none_where_they_are_null() -> None:
    inputs = read_inputs(PLANT, hours(3, raft_target_mw=[None, 5.8, None], minimum_flow_cfs=[100.0, None, None]))
    assert np.flatnonzero(~np.isnan(inputs.raft_target_mw)).tolist() == [1]
    assert np.flatnonzero(~np.isnan(inputs.minimum_flow_cfs)).tolist() == [0]
    assert inputs.tributary_cfs.tolist() == [35.0] * 3  # R26 5 + R10 30


def test_doubtful_inputs_are_named_and_used() -> None:
    inputs = read_inputs(PLANT, hours(3, mfra_mw=[40.0, 230.0, 40.0], gust=1.0))
    assert inputs.warnings[0] == "column(s) not used: gust"
    assert "mfra_mw at 2026-07-06T08:00:00Z is 230 MW, outside what the powerhouses can hold" in inputs.warnings[1]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda f: f.filter((pl.col("scenario") != "s1") | (pl.col("event_start") > START)), "scenario 's1' covers"),
        (lambda f: f.with_columns(probability=pl.lit(0.3)), "add up to 0.6"),
        (lambda f: f.with_columns(probability=pl.col("r4_flow_cfs") / 1000), "write one number from 0 to 1"),
        (lambda f: f.drop("probability"), "lack column.s. probability"),
        (lambda f: f.with_columns(oxbow_available=pl.lit(0)), "an outage the inputs do not"),
    ],
)
def test_scenarios_that_do_not_fit_are_refused(change: object, text: str) -> None:
    frame = hours(4)
    with pytest.raises(FrameError, match=text):
        read_scenarios(PLANT, change(futures(frame, 2)), read_inputs(PLANT, frame))  # ty: ignore[not-callable]
