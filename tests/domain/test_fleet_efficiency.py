"""Efficiencies read off responses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from domain.fleet.efficiency import estimated_efficiencies
from tests.fleet_oracles import device_frame

START = datetime(2026, 7, 1, tzinfo=UTC)


def responses(rates_kw: list[float], into: float, out_of: float, **more: object) -> pl.DataFrame:
    soc, stored = 5.0, []
    for rate in rates_kw:
        soc += -rate * 0.5 * into if rate < 0 else -rate * 0.5 / out_of
        stored.append(soc)
    times = [START + timedelta(minutes=30 * i) for i in range(len(rates_kw))]
    frame = {"interval_start": times, "actual_rate_kw": rates_kw, "soc_kwh": stored}
    return pl.DataFrame(frame).with_columns(device_id=pl.lit("d0"), status=pl.lit("success")).with_columns(
        **{name: pl.lit(value) for name, value in more.items()}
    )  # fmt: skip


def test_what_goes_in_and_comes_out_shows_each_way() -> None:
    done = responses([0.0, *[-2.0] * 5, *[1.5] * 6], 0.88, 0.93)
    row = estimated_efficiencies(device_frame({}), done).row(0, named=True)
    assert row["estimated_charge_efficiency"] == pytest.approx(0.88)
    assert row["estimated_discharge_efficiency"] == pytest.approx(0.93)
    assert (row["charge_intervals"], row["discharge_intervals"]) == (5, 6)
    assert row["charge_efficiency"] == 0.9


def test_a_gap_or_a_failure_breaks_the_chain_and_too_little_says_nothing() -> None:
    done = responses([-2.0] * 10, 0.88, 0.93)
    holes = done.filter(pl.int_range(pl.len()) % 2 == 0)
    row = estimated_efficiencies(device_frame({}), holes).row(0, named=True)
    assert (row["estimated_charge_efficiency"], row["charge_intervals"]) == (None, 0)
    failed = done.with_columns(status=pl.lit("failed"))
    assert estimated_efficiencies(device_frame({}), failed)["charge_intervals"].to_list() == [0]
    little = responses([-0.1] * 10, 0.88, 0.93)
    # Nine half hours of 0.1 kW store 0.4 kWh, under a fifth of 10 kWh.
    assert estimated_efficiencies(device_frame({}), little)["estimated_charge_efficiency"].to_list() == [None]
