"""Claims about faults of the services: a sample of the matrix that `make fault-matrix` runs in full."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenarios.doors import HOUR, Bench
from tests.scenarios.faults import MATRIX, NOW, Outcome, reference, strike

SAMPLE = {
    "pi": ("503, always", "flatline", "spikes", "cfs as thousandths", "bad values", "200 with WebException"),
    "ercot": ("503, passing", "lost intervals", "doubled rows"),
    "ercot_mis": ("late by 3 h",),
    "caiso": ("broken zip", "late by 3 h"),
    "hydroforecast": ("crossed quantiles",),
    "yes": ("null values",),
    "cnrfc": ("HTML in a 200",),
}


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench.running(NOW) as running:
        yield running


def outcomes(bench: Bench, service: str) -> list[Outcome]:
    truth = reference(bench, service)
    return [strike(bench, service, fault, truth) for fault in MATRIX[service] if fault.name in SAMPLE[service]]


@pytest.mark.parametrize("service", SAMPLE)
def test_after_a_fault_the_lake_says_what_it_would_have_said_and_no_wrong_number_was_good(
    bench: Bench, service: str
) -> None:
    found = outcomes(bench, service)
    assert [one.fault.name for one in found] == [
        fault.name for fault in MATRIX[service] if fault.name in SAMPLE[service]
    ]
    assert [f"{one.fault.name}: {one.told}" for one in found if not one.passed] == []


def test_a_service_that_is_down_is_told_and_stores_nothing(bench: Bench) -> None:
    down = next(fault for fault in MATRIX["caiso"] if fault.name == "503, always")
    bench.clear()
    with bench.case() as case:
        bench.trouble("caiso", *down.specs)
        _, error = case.poll("caiso", NOW, trailing=12 * HOUR)
        assert "503" in error
        assert case.believed().is_empty()
    bench.clear()
