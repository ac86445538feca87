"""The fault matrix: every product family under every fault it can have, and what is left of it once the fault is over.

``python -m tests.scenarios.faults`` runs all of it and prints the table. A case reads a family while the fault is on,
and proves that it struck: every request is asked again without it, and at least one answer must be another one. Then
it clears the fault and reads the family's trailing window again; its lake must now say what the lake of a run without
faults says, and at no moment may it have held a wrong number as good.
Put here: the run, its judgement, the table. Keep out: faults (switches.py), families (families.py), the bench.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from multiprocessing import get_context
from typing import Final

import polars as pl
from rich.console import Console
from rich.table import Table

from tests.scenarios.doors import HOUR, KEY, Bench, Case
from tests.scenarios.families import FAMILIES, NOW, Family
from tests.scenarios.switches import LATE_BY, PUBLISHED, SWITCHES, Fault, column, faults_of, why_not

LATER_BY: Final = timedelta(minutes=65)
"""How long after a fault was met it is over and the family is read again."""
WORKERS: Final = 2
POLLS: Final = 6
"""While a fault lasts a family is polled up to so often, until the fault has struck."""


@dataclass(frozen=True)
class Truth:
    """What a run without faults believes.

    Attributes:
        believed: At the end.
        good: Every statement it ever took for good.
        last: What the last read alone makes believe.
        late: What a read makes believe that comes as much earlier as a late source is late.
    """

    believed: pl.DataFrame
    good: pl.DataFrame
    last: pl.DataFrame
    late: pl.DataFrame


@dataclass(frozen=True)
class Outcome:
    """What became of one case."""

    family: str
    fault: Fault
    error: str
    struck: int
    answers: int
    differing: int
    flagged: int
    wrong: int
    seconds: float

    @property
    def failures(self) -> list[str]:
        """What is wrong with it: none, if it passed."""
        return [
            text
            for holds, text in (
                (not self.struck, f"never struck {self.answers} answers"),
                (self.differing, f"{self.differing} rows differ afterwards"),
                (self.wrong and not self.fault.told_as_good, f"{self.wrong} wrong numbers were good"),
            )
            if holds
        ]

    @property
    def told(self) -> str:
        """Say it in a few words."""
        if self.failures:
            return "FAIL: " + ", ".join(self.failures)
        notes = [f"{self.flagged} flagged"] if self.flagged else []
        notes += [f"{self.wrong} as the source said"] if self.wrong else []
        return ", ".join(["ok", *notes])


def reference(bench: Bench, family: Family) -> Truth:
    """Return the truth of a family: what runs without faults believe."""
    later = family.now + LATER_BY
    runs = []
    for moments in ((family.now, later), (later,), (family.now - LATE_BY,)):
        bench.clear()
        with bench.case() as case:
            for now in moments:
                _, error = case.poll(family, now, trailing=family.trailing + max(now - family.now, timedelta(0)))
                assert not error, f"{family.name} at {now}: {error}"
            runs.append((case.believed(), case.ever_good()))
    (believed, good), (last, _), (late, late_good) = runs
    assert believed.height > 0, f"{family.name} has no rows"
    return Truth(believed, pl.concat([good, late_good]), last, late)


def strike(bench: Bench, family: Family, fault: Fault, truth: Truth) -> Outcome:
    """Run one case."""
    if fault.switch == "dst_case":
        return _change_day(bench, family, fault)
    began = time.monotonic()
    bench.clear()
    with bench.case() as case:
        bench.set(family.now)
        bench.trouble(family.service, *fault.specs, **fault.settings)
        errors, struck, answers = [], 0, 0
        for _ in range(POLLS):
            _, error = case.poll(family, family.now)
            errors += [error] if error else []
            struck, answers = case.dropped if family.service == "awards" else bench.struck(family.service)
            if struck:
                break
        mended = family.now + timedelta(minutes=1) if fault.switch in PUBLISHED else datetime(1970, 1, 1, tzinfo=UTC)
        bench.clear(mended_at=mended.timestamp())
        if family.service == "awards":
            case.deliver_again()
        _, error = case.poll(family, family.now + LATER_BY, trailing=family.trailing + LATER_BY)
        assert not error, f"{family.name}, {fault.name}: still failing once it is over: {error}"
        seconds = time.monotonic() - began
        return _judged(case, family, fault, truth, errors[-1] if errors else "", (struck, answers), seconds)


def _judged(
    case: Case, family: Family, fault: Fault, truth: Truth, error: str, struck: tuple[int, int], seconds: float
) -> Outcome:
    believed, good, expected = case.believed(), case.ever_good(), truth.believed
    if not family.keeps:  # what was missed is gone, and honestly absent: the present must be right
        expected = truth.last
        believed = believed.join(expected.select(KEY), on=KEY, how="semi", nulls_equal=True)
    columns = [*KEY, "value", "unit", "quality"]
    # A late source shows what an earlier look would have seen, and this one would have passed over.
    older = truth.late.join(expected.select(KEY), on=KEY, how="anti", nulls_equal=True)
    believed = believed.join(older, on=columns, how="anti", nulls_equal=True)
    off = pl.concat(
        [
            expected.join(believed, on=columns, how="anti", nulls_equal=True),
            believed.join(expected, on=columns, how="anti", nulls_equal=True),
        ]
    )
    ours = believed.join(off.select(KEY).unique(), on=KEY, how="semi", nulls_equal=True)
    flagged = ours.filter(pl.col("quality") != "good")
    differing = off.select(KEY).unique().join(flagged.select(KEY), on=KEY, how="anti", nulls_equal=True)
    wrong = good.join(truth.good, on=[*KEY, "value"], how="anti", nulls_equal=True)
    return Outcome(family.name, fault, error, *struck, differing.height, flagged.height, wrong.height, seconds)


def _change_day(bench: Bench, family: Family, fault: Fault) -> Outcome:
    """Read in the odd hour of the night in which clocks change and again afterwards; elsewhere only afterwards."""
    began = time.monotonic()
    bench.clear()
    service = bench.service(family.service)
    service.order({"dst_case": fault.name})
    noon = datetime.fromtimestamp(bench.simulators.clock.now(), UTC).astimezone(family.zone)
    # 01:20 on the second pass in autumn, 03:20 in spring: twenty minutes after the clocks were changed.
    odd = noon.replace(hour=1 if fault.name == "fall" else 3, minute=20, fold=1).astimezone(UTC)
    service.journal, held = [], []
    trailing = 2 * HOUR if family.form == "zip" and family.immutable else max(family.trailing, 10 * HOUR)
    for moments in ((odd, odd + 6 * HOUR), (odd + 6 * HOUR,)):
        with bench.case() as case:
            for now in moments:
                _, error = case.poll(family, now, trailing=trailing)
                assert not error, f"{family.name}, {fault.name}, {now}: {error}"
            held.append((case.believed(), case.ever_good()))
    answers = len(service.journal) or len(held)
    (ours, our_good), (theirs, their_good) = held
    ours = ours.join(theirs.select(KEY), on=KEY, how="semi", nulls_equal=True)  # a first look reaches further back
    off = theirs.join(ours, on=[*KEY, "value", "unit", "quality"], how="anti", nulls_equal=True)
    said = [*KEY, "belief_time"]
    both = our_good.join(their_good.select(said), on=said, how="semi", nulls_equal=True)
    wrong = both.join(their_good, on=[*said, "value"], how="anti", nulls_equal=True)
    seconds = time.monotonic() - began
    return Outcome(family.name, fault, "", answers, answers, off.height, 0, wrong.height, seconds)


@cache
def matrix() -> tuple[tuple[Family, tuple[Fault, ...]], ...]:
    """Return every family with its faults."""
    return tuple((family, tuple(faults_of(family))) for family in FAMILIES.values())


def run(cases: Sequence[tuple[Family, Sequence[Fault]]], *, say: bool = False) -> list[Outcome]:
    """Run cases, family by family, on one set of stand-ins."""
    outcomes = []
    with Bench.running(NOW) as bench:
        for family, faults in cases:
            truth = reference(bench, family)
            for fault in faults:
                outcomes.append(one := strike(bench, family, fault, truth))
                if say:
                    during = one.error.split("\n", 1)[0][:70] or "read"
                    line = f"{one.family:26} {fault.switch:14} {fault.name:22} {one.struck:3}/{one.answers:<4}"
                    print(f"{line} {one.told:40} {one.seconds:4.1f} s  {during}", flush=True)  # noqa: T201 - its output
    return outcomes


def run_named(names: Sequence[str]) -> list[Outcome]:
    """Run the cases of some families, and say a line a case."""
    return run([(FAMILIES[name], tuple(faults_of(FAMILIES[name]))) for name in names], say=True)


def grid(outcomes: Sequence[Outcome]) -> Table:
    """Return the matrix: a row a family, a column a switch; how many cases of it there are, and how many failed."""
    table = Table(title="After each fault: does the lake say what it would have said without it?")
    table.add_column("product family", no_wrap=True)
    for switch in SWITCHES:
        table.add_column(switch.replace("_", "\n"), justify="center")
    table.add_column("answers\nstruck", justify="right")
    for name, family in FAMILIES.items():
        mine = [one for one in outcomes if one.family == name]
        cells = [_cell(family, switch, mine) for switch in SWITCHES]
        table.add_row(name, *cells, f"{sum(one.struck for one in mine)}")
    return table


def _cell(family: Family, switch: str, outcomes: Sequence[Outcome]) -> str:
    mine = [one for one in outcomes if column(one.fault) == switch]
    failed = sum(bool(one.failures) for one in mine)
    if failed:
        return f"[red]{failed} of {len(mine)} FAIL"
    if mine:
        return f"[green]{len(mine)} ok"
    return "[dim]-" if why_not(family, switch) or switch == "other" else "[red]none"


def main() -> int:
    """Run all of it, print a line a case and the table; 1 if a case failed or a family lacks a switch."""
    began = time.monotonic()
    # Two processes, each with stand-ins of its own; polars must not be forked.
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        shares = [list(FAMILIES)[first::WORKERS] for first in range(WORKERS)]
        outcomes = [one for part in pool.map(run_named, shares) for one in part]
    console = Console(width=170)
    console.print(grid(outcomes))
    for told in sorted({f"{one.fault.name}: {one.fault.told_as_good}" for one in outcomes if one.wrong}):
        console.print(f"as the source said  {told}")
    reasons = {(switch, why_not(one, switch)) for one in FAMILIES.values() for switch in SWITCHES}
    for switch, reason in sorted(pair for pair in reasons if pair[1]):
        console.print(f"-  {switch}: {reason}")
    lacking = [name for name, family in FAMILIES.items() for switch in SWITCHES if _lacks(family, switch)]
    failed = [one for one in outcomes if one.failures]
    for one in failed:
        console.print(f"[red]{one.family}, {one.fault.name}: {one.told}")
    console.print(
        f"{len(FAMILIES)} families, {len(outcomes)} cases, {sum(one.struck for one in outcomes)} answers struck,"
        f" {len(failed)} failed, {len(lacking)} not tried, {time.monotonic() - began:.0f} s"
    )
    return 1 if failed or lacking else 0


def _lacks(family: Family, switch: str) -> bool:
    tried = any(column(fault) == switch for fault in faults_of(family))
    return not tried and switch != "other" and not why_not(family, switch)


if __name__ == "__main__":
    sys.exit(main())
