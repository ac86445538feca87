"""Errors of past plans, and the assumption that caused each."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import FrameError
from domain.plant import PoolState
from domain.reservoir_inputs import read_inputs
from domain.tracking import PARTS, level_error
from domain.trajectory import simulate
from tests.reservoir_cases import MIDDLE, afterbay, hours

PLANT = afterbay()
PLANNED = hours(12, mfra_mw=60.0, float_ft=1179.0)
SETPOINTS = np.full(12, 2.0)


def walk(frame: pl.DataFrame, setpoints: np.ndarray = SETPOINTS, state: PoolState = MIDDLE) -> pl.DataFrame:
    """Return a frame with what the pool does in it."""
    moved = simulate(PLANT, read_inputs(PLANT, frame), setpoints, state)
    return frame.with_columns(
        oxbow_mw=moved.mean_mw, outflow_cfs=moved.unit_cfs, spill_cfs=moved.spill_cfs, elevation_ft=moved.elevation_ft
    )


def error(measured: pl.DataFrame, start_ft: float = 1170.0) -> dict[str, float]:
    return level_error(PLANT, walk(PLANNED), measured, planned_start_ft=1170.0, start_ft=start_ft)


def cause(parts: dict[str, float]) -> str:
    return max(PARTS, key=lambda name: abs(parts[name]))


def test_a_plan_that_came_true_has_no_error() -> None:
    assert all(abs(value) < 1e-9 for value in error(walk(PLANNED)).values())


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"r30_flow_cfs": 260.0}, "rivers_ft"),
        ({"mfra_mw": 110.0}, "dispatch_ft"),
        ({"ccs_mode": "SPILL"}, "mode_ft"),
        ({"bias_cfs": -90.0}, "bias_ft"),
    ],
)
def test_what_went_otherwise_is_the_cause(changed: dict[str, object], part: str) -> None:
    frame = PLANNED.with_columns(**{name: pl.lit(value) for name, value in changed.items()})
    parts = error(walk(frame))
    assert cause(parts) == part
    others = [abs(parts[name]) for name in PARTS if name != part]
    assert max(others) < 1e-6


def test_eighty_cfs_more_in_a_river_for_twelve_hours_lift_the_pool_by_hand_calculation() -> None:
    # 80 cfs x 12 h x 0.0826446 = 79.3 af over 73 to 76 af a foot
    parts = error(walk(PLANNED.with_columns(r30_flow_cfs=pl.lit(260.0))))
    assert parts["rivers_ft"] == pytest.approx(79.3 / 74.0, abs=0.03)
    assert parts["error_ft"] == pytest.approx(parts["rivers_ft"])


def test_a_unit_that_drew_otherwise_and_a_start_from_another_level_are_told_apart() -> None:
    assert cause(error(walk(PLANNED, np.full(12, 3.0)))) == "operation_ft"
    moved = walk(PLANNED, state=PoolState(elevation_ft=1170.4, oxbow_mw=3.0))
    assert cause(error(moved, start_ft=1170.4)) == "start_ft"


def test_gates_that_spilled_unplanned_count_as_what_the_balance_does_not_explain() -> None:
    spilled = walk(PLANNED.with_columns(mfra_mw=pl.lit(120.0), float_ft=pl.lit(1170.5)))
    parts = error(spilled)
    assert parts["dispatch_ft"] > 0.0
    assert parts["bias_ft"] < 0.0


@settings(max_examples=25)
@given(
    st.floats(0.0, 200.0), st.floats(100.0, 400.0), st.floats(0.8, 5.0), st.floats(-200.0, 200.0),
    st.sampled_from(["GEN", "SPILL"]), st.floats(1169.0, 1172.0),
)  # fmt: skip
def test_the_parts_add_up_whatever_happened(
    mfra_mw: float, r30_cfs: float, setpoint_mw: float, bias_cfs: float, mode: str, start_ft: float
) -> None:
    frame = PLANNED.with_columns(
        mfra_mw=pl.lit(mfra_mw), r30_flow_cfs=pl.lit(r30_cfs), bias_cfs=pl.lit(bias_cfs), ccs_mode=pl.lit(mode)
    )
    came = walk(frame, np.full(12, setpoint_mw), PoolState(elevation_ft=start_ft, oxbow_mw=3.0))
    parts = error(came, start_ft=start_ft)
    assert sum(parts[name] for name in PARTS) == pytest.approx(parts["error_ft"], abs=1e-9)


def test_a_gap_in_the_record_and_other_hours_are_refused_by_name() -> None:
    holed = walk(PLANNED).with_columns(
        r4_flow_cfs=pl.when(pl.int_range(pl.len()) == 4).then(None).otherwise(pl.col("r4_flow_cfs"))
    )
    with pytest.raises(FrameError, match="r4_flow_cfs was not measured in 1 h, first 2026-07-06T11:00:00Z"):
        error(holed)
    with pytest.raises(FrameError, match="12 hours and the record 11"):
        error(walk(PLANNED).head(11))
