"""Claims about faults of the services: a cut through the matrix that `make fault-matrix` runs in full."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenarios.doors import Bench
from tests.scenarios.families import FAMILIES, NOW
from tests.scenarios.faults import matrix, reference, strike
from tests.scenarios.switches import SWITCHES, column, faults_of, why_not

CUT = {
    "pi": ("flatline", "spikes", "cfs as thousandths", "labelled kcfs", "200 with WebException", "revised"),
    "ercot rt prices": ("503, always", "503, passing", "token dies on the way", "lost intervals"),
    "ercot sced lmp": ("renamed",),
    "ercot wind, solar": ("doubled rows",),
    "ercot archive": ("broken zip",),
    "ercot dashboards": ("cut body", "null values"),
    "caiso load forecast": ("late by 12 h", "new column"),
    "hydroforecast": ("crossed quantiles", "slow"),
    "yes csv": ("lower case", "fall"),
    "cnrfc deterministic": ("HTML in a 200", "HTML before the issue"),
    "awards": ("cut file",),
}
"""Every switch at least once, every service, every form of an answer."""


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench.running(NOW) as running:
        yield running


@pytest.mark.parametrize("name", CUT)
def test_a_fault_strikes_and_afterwards_the_lake_says_what_it_would_have_said(bench: Bench, name: str) -> None:
    family = FAMILIES[name]
    chosen = [fault for fault in faults_of(family) if fault.name in CUT[name]]
    assert sorted(fault.name for fault in chosen) == sorted(CUT[name])
    truth = reference(bench, family)
    outcomes = [strike(bench, family, fault, truth) for fault in chosen]
    assert [f"{one.fault.name}: {one.told}" for one in outcomes if one.failures] == []
    assert all(one.struck for one in outcomes)


def test_the_cut_has_every_switch() -> None:
    cut = {column(fault) for name in CUT for fault in faults_of(FAMILIES[name]) if fault.name in CUT[name]}
    assert cut == set(SWITCHES)


def test_the_matrix_has_every_switch_for_every_family_or_says_why_not() -> None:
    for family, faults in matrix():
        tried = {column(fault) for fault in faults}
        for switch in SWITCHES[:-1]:
            assert (switch in tried) != bool(why_not(family, switch)), f"{family.name}: {switch}"


def test_a_switch_that_strikes_nothing_fails_its_case(bench: Bench) -> None:
    family = FAMILIES["caiso 5-minute prices"]
    (capitals,) = [fault for fault in faults_of(FAMILIES["pi"]) if fault.name == "upper case"]
    # OASIS writes its column names in capitals anyway: this changes no byte of any answer.
    outcome = strike(bench, family, capitals, reference(bench, family))
    assert (outcome.struck, outcome.differing, outcome.wrong) == (0, 0, 0)
    assert outcome.failures == [f"never struck {outcome.answers} answers"]


def test_a_service_that_is_down_is_told_and_stores_nothing(bench: Bench) -> None:
    family = FAMILIES["caiso prices"]
    bench.clear()
    with bench.case() as case:
        bench.trouble("caiso", {"fault": "http", "code": 503})
        _, error = case.poll(family, NOW)
        assert "503" in error
        assert case.believed().is_empty()
    bench.clear()
