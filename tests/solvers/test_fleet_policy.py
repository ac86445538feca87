"""Levels: the plan as a rule that also answers for states of charge nobody planned."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from domain.errors import FrameError
from domain.fleet import generate_fleet
from solvers.fleet import feedback_levels, follow_levels, plan_fleet
from tests.fleet_oracles import device_frame, price_frame

PRICES = price_frame(np.random.default_rng(4).normal(50, 25, 12))


def walk(devices: pl.DataFrame, start: pl.DataFrame) -> pl.DataFrame:
    """Follow the levels from a state of charge, interval by interval."""
    levels, soc, steps = feedback_levels(devices, PRICES), start, []
    for time in PRICES["event_start"]:
        now = levels.filter(event_start=time).join(soc, on="device_id")
        done = follow_levels(now, devices, hours=1.0)
        soc = done.select("device_id", "soc_kwh")
        steps.append(done.with_columns(event_start=time))
    return pl.concat(steps).sort("device_id", "event_start")


def test_following_the_levels_from_the_start_gives_the_plan_back() -> None:
    devices = generate_fleet(30, 1).with_columns(availability=None)
    devices = devices.with_columns(soc_end_min_kwh=pl.col("soc_min_kwh"))
    walked = walk(devices, devices.select("device_id", soc_kwh="soc_start_kwh"))
    planned = plan_fleet(devices, PRICES).schedule.sort("device_id", "event_start")
    assert walked["soc_kwh"].to_numpy() == pytest.approx(planned["soc_kwh"].to_numpy(), abs=1e-9)


def test_from_another_state_of_charge_the_levels_are_the_plan_of_that_state() -> None:
    devices = generate_fleet(30, 1).with_columns(availability=None, soc_end_min_kwh=pl.col("soc_min_kwh"))
    measured = devices.with_columns(soc_start_kwh=0.5 * (pl.col("soc_min_kwh") + pl.col("soc_max_kwh")))
    walked = walk(devices, measured.select("device_id", soc_kwh="soc_start_kwh"))
    planned = plan_fleet(measured, PRICES).schedule.sort("device_id", "event_start")
    assert walked["power_kw"].to_numpy() == pytest.approx(planned["power_kw"].to_numpy(), abs=1e-9)


def test_a_device_with_more_than_two_levels_has_none() -> None:
    half = device_frame({}, {"availability": [0.5, 1.0]})
    levels = feedback_levels(half, price_frame([-50, 10]))
    assert levels.filter(device_id="d1")["charge_up_to_kwh"].null_count() == 2
    assert levels.filter(device_id="d0")["charge_up_to_kwh"].null_count() == 0
    with pytest.raises(FrameError, match="no device keeps the rules"):
        feedback_levels(device_frame({"capacity_kwh": -1.0}), PRICES)
