"""Formulas of the pool against numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.hydraulics import (
    dispatch_band_mw,
    elevation_ft,
    head_cap_mw,
    inflow_cfs,
    middle_fork_flow_cfs,
    middle_fork_mw,
    net_inflow_cfs,
    regulated_flow_cfs,
    side_water_mw,
    storage_af,
    storage_slope_af_per_ft,
    travel_time_h,
    unit_flow_cfs,
    unit_mw_for_flow,
)
from domain.plant import Balance
from tests.reservoir_cases import afterbay

PLANT = afterbay()


@pytest.mark.parametrize(
    ("level", "storage"),
    [(1165, 1724.8), (1168, 1930.7), (1170, 2074.268), (1173, 2299.1), (1174.5, 2415.8), (1176, 2535.3)],
)
def test_storage_curve_gives_the_operators_table(level: float, storage: float) -> None:
    assert float(storage_af(PLANT.storage, level)) == pytest.approx(storage, abs=0.05)


def test_storage_curve_is_the_parabola_as_written() -> None:
    # 0.6311303 * 1170^2 - 1403.8 * 1170 + 780566 = 863954.268 - 1642446 + 780566 = 2074.268 (863954.26767)
    assert float(storage_af(PLANT.storage, 1170.0)) == pytest.approx(2074.26767, abs=1e-5)


@given(st.floats(1121.0, 1180.0))
def test_level_and_storage_invert_each_other(level: float) -> None:
    assert float(elevation_ft(PLANT.storage, storage_af(PLANT.storage, level))) == pytest.approx(level, abs=1e-9)


def test_surface_of_the_pool_is_seventy_odd_acres() -> None:
    # 1.2622606 * 1170 - 1403.8 = 73.045; at 1173: 76.832
    assert float(storage_slope_af_per_ft(PLANT.storage, 1170.0)) == pytest.approx(73.0, abs=0.1)
    assert float(storage_slope_af_per_ft(PLANT.storage, 1173.0)) == pytest.approx(76.8, abs=0.1)


@pytest.mark.parametrize(("level", "cap"), [(1168, 5.10), (1170, 5.28), (1173, 5.56), (1174.5, 5.69)])
def test_head_caps_the_output_over_the_band(level: float, cap: float) -> None:
    assert float(head_cap_mw(PLANT.unit, level)) == pytest.approx(cap, abs=0.01)


def test_full_output_needs_a_level_above_the_pool() -> None:
    # (5.8 + 101.42) / 0.0912 = 1175.66
    assert float(head_cap_mw(PLANT.unit, 1175.658)) == pytest.approx(5.8, abs=1e-3)


def test_oxbow_passes_the_published_flows() -> None:
    # 163.73 * 5.8 + 83 = 1032.634; 163.73 * 0.8 + 83 = 213.984
    assert float(unit_flow_cfs(PLANT.unit, 5.8)) == pytest.approx(1032.63, abs=0.01)
    assert float(unit_flow_cfs(PLANT.unit, 0.8)) == pytest.approx(213.98, abs=0.01)


def test_a_unit_that_is_off_passes_nothing() -> None:
    assert float(unit_flow_cfs(PLANT.unit, 0.0, running=False)) == 0.0


@pytest.mark.parametrize(("flow", "mw"), [(300, 1.33), (450, 2.24), (900, 4.99), (1000, 5.60)])
def test_a_flow_floor_becomes_an_output(flow: float, mw: float) -> None:
    assert float(unit_mw_for_flow(PLANT.unit, flow)) == pytest.approx(mw, abs=0.005)


@pytest.mark.parametrize(("level", "flow"), [(1168, 918), (1170.5, 956), (1173, 993)])
def test_head_capped_outflow_over_the_band(level: float, flow: float) -> None:
    assert float(unit_flow_cfs(PLANT.unit, head_cap_mw(PLANT.unit, level))) == pytest.approx(flow, abs=1.0)


def test_upstream_conversion_of_a_hundred_megawatts() -> None:
    # R4 = 200, R5L = 28: S = 17.2; P = 0.59 (100 - 17.2) = 48.852; Q = 0.00943 P^2 + 5.6653 P + 18.54 = 317.8;
    # through the tunnel 317.8 + 172 = 489.8
    up = PLANT.upstream
    assert float(side_water_mw(up, 200.0, 28.0)) == pytest.approx(17.2)
    power = middle_fork_mw(up, 100.0, 200.0, 28.0, spill_mode=False)
    assert float(power) == pytest.approx(48.85, abs=0.005)
    flow = middle_fork_flow_cfs(up, power)
    assert float(flow) == pytest.approx(317.8, abs=0.05)
    assert float(regulated_flow_cfs(up, flow, 200.0, 28.0)) == pytest.approx(489.8, abs=0.05)


def test_spill_mode_takes_the_share_of_all_output() -> None:
    assert float(middle_fork_mw(PLANT.upstream, 100.0, 200.0, 28.0, spill_mode=True)) == pytest.approx(59.0)


def test_the_tunnel_limits_and_natural_flow_passes_beside_it() -> None:
    up = PLANT.upstream
    assert float(regulated_flow_cfs(up, 900.0, 100.0, 28.0)) == 886.0
    assert float(regulated_flow_cfs(up, 20.0, 1000.0, 28.0)) == 972.0


FLOWS = {"r4": 200.0, "r30": 150.0, "r20": 40.0, "r5l": 28.0, "r26": 5.0, "r10": 30.0, "bias": 7.0}


def test_mass_balance_adds_gauges_and_dispatch_once() -> None:
    # GEN: 150 + 40 + 489.8 - 5 + 7 = 681.8. SPILL: P = 59, Q = 0.00943 * 3481 + 334.2527 + 18.54 = 385.6;
    # 150 + 40 + 172 + 385.6 - 5 + 7 = 749.6
    both = inflow_cfs(PLANT.balance, PLANT.upstream, FLOWS, 100.0, np.array([False, True]))
    assert both.tolist() == pytest.approx([681.8, 749.6], abs=0.1)


def test_legacy_form_counts_natural_inflow_twice_in_gen_only() -> None:
    legacy = Balance(form="legacy", forms=PLANT.balance.forms)
    modes = np.array([False, True])
    difference = inflow_cfs(legacy, PLANT.upstream, FLOWS, 100.0, modes) - inflow_cfs(
        PLANT.balance, PLANT.upstream, FLOWS, 100.0, modes
    )
    # R4 - R5L = 172, once too often
    assert difference.tolist() == pytest.approx([172.0, 0.0], abs=1e-9)


@pytest.mark.parametrize(
    ("r4", "low", "high"), [(30, 0.3, 207), (67, 3.6, 210), (200, 15.6, 192), (327, 27, 175), (600, 51.5, 138)]
)
def test_dispatch_upstream_has_a_band_that_moves_with_natural_inflow(r4: float, low: float, high: float) -> None:
    found = dispatch_band_mw(PLANT.upstream, r4, 27.0)
    assert float(found[0]) == pytest.approx(low, abs=0.1)
    assert float(found[1]) == pytest.approx(high, abs=0.6)


def test_a_hundred_cfs_for_an_hour_is_a_tenth_of_a_foot() -> None:
    # 100 cfs h = 8.26 af; / 74.9 af/ft = 0.11 ft. Back from levels the same 100 cfs come out.
    storage = storage_af(PLANT.storage, 1171.0)
    levels = elevation_ft(PLANT.storage, np.array([storage, storage + 100.0 * 3600.0 / 43560.0]))
    assert float(np.diff(levels)[0]) == pytest.approx(0.11, abs=0.003)
    assert net_inflow_cfs(PLANT.storage, levels, 1.0).tolist() == pytest.approx([100.0], abs=1e-6)


def test_water_takes_four_hours_to_fords_bar_and_less_when_the_river_runs() -> None:
    fords = next(reach for reach in PLANT.reaches if reach.name == "Fords")
    assert travel_time_h(fords, 0.0) == pytest.approx(4.11, abs=0.01)
    assert travel_time_h(fords, 400.0) < travel_time_h(fords, 200.0)
