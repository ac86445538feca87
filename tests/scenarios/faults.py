"""The fault matrix: every service under every fault it can have, and what is left of it once the fault is over.

``python -m tests.scenarios.faults`` runs all of it and prints the table. A case reads a service while the fault is
on, then clears the fault and reads its trailing window again; its lake must then say what the lake of a run without
faults says, and at no moment may it have held a wrong number as good.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl
from rich.console import Console
from rich.table import Table

from tests.scenarios.doors import HOUR, KEY, Bench, Case

NOW: Final = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
"""While the fault is on: after the day-ahead markets and the forecasts of the day."""
LATER: Final = NOW + timedelta(minutes=30)
SPAN: Final = timedelta(hours=12)
_SPANS: Final = {"ercot_mis": timedelta(hours=3)}
"""What is read again, shorter where every quarter hour is a document."""

_SERVICES_BY_NAME: Final = {"ercot_archive": "ercot", "ercot_mis": "ercot"}
"""Which stand-in serves a door, where the names differ."""


@dataclass(frozen=True)
class Fault:
    """One way to fail.

    Attributes:
        name: As the table shows it.
        specs: Switches of the stand-in.
        wrong_is_good: Why wrong numbers may be stored as good while it lasts; empty: they may not.
        settings: Settings of the stand-in.
    """

    name: str
    specs: tuple[Mapping[str, Any], ...] = ()
    wrong_is_good: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


def _at(hours: float) -> str:
    return f"{NOW + hours * HOUR:%Y-%m-%dT%H:%MZ}"


def _one(name: str, title: str = "", wrong: str = "", **options: Any) -> Fault:  # noqa: ANN401 - JSON is what it is
    return Fault(title or name, ({"fault": name, **options},), wrong)


_HTTP: Final = (
    _one("http", "503, always", code=503),
    _one("http", "503, passing", code=503, times=1),
    _one("http", "500, now and then", code=500, p=0.4),
    _one("http", "429 with Retry-After", code=429, times=2, retry_after=1),
    _one("html_200", "HTML in a 200", p=0.5),
    _one("truncate_body", "cut body", p=0.5),
    _one("slow", ms=60),
)
_ZIPS: Final = (_one("bad_zip", "broken zip", p=0.5),)
_ROWS: Final = (
    _one("delay", "late by 3 h", seconds=10_800),
    _one("drop_interval", "lost intervals", p=0.2),
    _one("duplicate_row", "doubled rows", p=0.5),
)
_REVISED: Final = (
    _one("revise", "revised", "what the source says is what it says; the revision is a belief of its own",
         p=0.3, sigma=5.0),
)  # fmt: skip
_DRIFT: Final = (
    _one("schema_drift", "new column", add="surprise"),
    _one("schema_drift", "other case", case="upper"),
)
_HOLES: Final = (_one("null_hole", "null values", p=0.2),)
_R4: Final = "R4|Flow"
_PI: Final = (
    _one(
        "delay",
        "late by 3 h",
        seconds=10_800,
        wrong="a historian goes on with the last value; the freshness check sees the age of the newest event",
    ),
    _one(
        "drop_interval",
        "lost samples",
        p=0.2,
        wrong="an hour's mean over fewer samples is the historian's own answer, by its own account all good",
    ),
    _one("duplicate_row", "doubled rows", p=0.5),
    _one(
        "revise",
        "revised",
        match=_R4,
        p=0.3,
        sigma=5.0,
        wrong="what the source says is what it says; the revision is a belief of its own",
    ),
    *_HOLES,
    _one("flatline", match=_R4, **{"from": _at(-11.5), "to": _at(1)}),
    _one("bad_value", "bad values", match=_R4, **{"from": _at(-5), "to": _at(-2)}),
    _one("spike", "spikes", match=_R4, p=0.01, factor=100),
    _one("rescale", "cfs as thousandths", match="Elevation", factor=0.001, **{"from": _at(-5), "to": _at(1)}),
    _one("questionable", match=_R4, **{"from": _at(-5), "to": _at(-2)}),
    _one("substituted", match=_R4, **{"from": _at(-5), "to": _at(-2)}),
    _one("unit", "unit kcfs", match=_R4, unit="kcfs", wrong="the server says thousands: the client converts"),
    _one("web_exception", "200 with WebException", p=0.5),
    _one("partial_errors", "200 with Errors", p=0.5),
    _one("item_errors", "errors among items", p=0.5),
)
_TOKEN: Final = (Fault("token of 1 s", settings={"token_ttl_s": 1.0}),)

MATRIX: Final[Mapping[str, tuple[Fault, ...]]] = {
    "pi": (*_HTTP, *_PI),
    "ercot": (
        *_HTTP, *_ROWS, *_REVISED, *_DRIFT, *_TOKEN,
        _one("schema_drift", "renamed column", rename={"settlementPointPrice": "price"}),
        _one("freeze_rows", "row store frozen", **{"from": _at(-4), "to": _at(9)}),
        _one("pad_text", "padded texts"),
    ),
    "ercot_archive": (*_HTTP, *_ZIPS, *_TOKEN),
    "ercot_mis": (*_HTTP, *_ZIPS, *_ROWS[:1]),
    "caiso": (*_HTTP, *_ZIPS, *_ROWS, *_REVISED, *_DRIFT, *_HOLES),
    "hydroforecast": (*_HTTP, *_ROWS[:1], *_REVISED, *_HOLES, _one("cross_quantiles", "crossed quantiles")),
    "yes": (*_HTTP, *_ROWS, *_REVISED, *_HOLES),
    "cnrfc": (
        *_HTTP, *_ZIPS, *_ROWS[:1], *_REVISED,
        Fault("HTML before the issue", settings={"cnrfc_html_before_issue": True}),
    ),
    "awards": (
        _one("truncate_body", "cut file", p=0.3), _one("html_200", "HTML file", p=0.3),
        _one("delay", "late by 3 h", seconds=10_800),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What became of one case."""

    service: str
    fault: Fault
    error: str
    differing: int
    flagged: int
    wrong: int
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the lake is that of a run without faults, but for flagged rows, and held no wrong number as good."""
        return self.differing == 0 and (self.wrong == 0 or bool(self.fault.wrong_is_good))

    @property
    def told(self) -> str:
        """Say it in a few words."""
        if self.differing or (self.wrong and not self.fault.wrong_is_good):
            return f"FAIL: {self.differing} differ, {self.wrong} wrong as good"
        return f"ok, {self.flagged} flagged" if self.flagged else "ok"


def reference(bench: Bench, service: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return what a run without faults believes at the end, and every value it ever took for good."""
    bench.clear()
    with bench.case() as case:
        for now in (NOW, LATER):
            _, error = case.poll(service, now, trailing=_SPANS.get(service, SPAN))
            assert not error, error
        assert case.believed().height > 0
        return case.believed(), case.ever_good()


def strike(bench: Bench, service: str, fault: Fault, truth: tuple[pl.DataFrame, pl.DataFrame]) -> Outcome:
    """Run one case."""
    began = time.monotonic()
    bench.clear()
    stand_in = bench.simulators.services[_SERVICES_BY_NAME.get(service, service)]
    with bench.case() as case:
        stand_in.order({"faults": list(fault.specs), "settings": dict(fault.settings)})
        _, error = case.poll(service, NOW, trailing=_SPANS.get(service, SPAN))
        bench.clear()
        if service == "awards":
            _deliver_again(case)
        case.poll(service, LATER, trailing=_SPANS.get(service, SPAN) + timedelta(minutes=30))
        believed, good = case.believed(), case.ever_good()
    expected = truth[0]
    if service == "awards":  # a late first look reaches further back, to an earlier day-ahead file
        recent = pl.col("event_start") >= NOW - 14 * HOUR
        believed, good, expected = believed.filter(recent), good.filter(recent), expected.filter(recent)
    off = pl.concat(
        [
            expected.join(believed, on=[*KEY, "value", "unit", "quality"], how="anti", nulls_equal=True),
            believed.join(expected, on=[*KEY, "value", "unit", "quality"], how="anti", nulls_equal=True),
        ]
    )
    ours = believed.join(off.select(KEY).unique(), on=KEY, how="semi", nulls_equal=True)
    flagged = ours.filter(~pl.col("quality").is_in(["good"]))
    differing = off.select(KEY).unique().join(flagged.select(KEY), on=KEY, how="anti", nulls_equal=True)
    wrong = good.join(truth[1], on=[*KEY, "value"], how="anti", nulls_equal=True)
    return Outcome(service, fault, error, differing.height, flagged.height, wrong.height, time.monotonic() - began)


def _deliver_again(case: Case) -> None:
    """The market delivers again what arrived broken: the files set aside are dropped anew, whole."""
    from simulators import awards  # noqa: PLC0415 - only here

    aside = case.home / "drop" / "quarantine"
    for path in aside.glob("*.xml") if aside.is_dir() else ():
        found = awards.by_name(case.bench.simulators.world, path.name, NOW.timestamp())
        assert found is not None
        (case.home / "drop" / path.name).write_text(awards.xml(case.bench.simulators.world, found))


def run(matrix: Mapping[str, tuple[Fault, ...]]) -> list[Outcome]:
    """Run cases, service by service, on one set of stand-ins."""
    outcomes = []
    with Bench.running(NOW) as bench:
        for service, faults in matrix.items():
            truth = reference(bench, service)
            outcomes += [strike(bench, service, fault, truth) for fault in faults]
    return outcomes


def main() -> int:
    """Print the table; 1 if a case failed."""
    began = time.monotonic()
    outcomes = run(MATRIX)
    table = Table(title="After each fault: does the lake say what it would have said without it?")
    for column in ("service", "fault", "while it lasted", "afterwards"):
        table.add_column(column, overflow="fold")
    for one in outcomes:
        during = one.error.split("\n", 1)[0][:60] or "read"
        table.add_row(one.service, one.fault.name, during, f"[{'green' if one.passed else 'red'}]{one.told}")
    Console(width=130).print(table)
    failed = sum(not one.passed for one in outcomes)
    print(f"{len(outcomes)} cases, {failed} failed, {time.monotonic() - began:.0f} s")  # noqa: T201 - its output
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
