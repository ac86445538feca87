"""What is done when the afterbay cannot be decided as it should: the next best thing, under its own name.

* the case can be read but has no plan: the heuristic's plan (``rule``), else the present output held (``hold``)
* the case cannot be read, or begins where no pool can stand: the last valid plan carried on (``shifted``), stale
* nothing of this: the reason, and no plan

Put here: the rungs, their order, what each says of itself. Keep out: raising the alarm (assets), cases and plans.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import polars as pl

from domain.alerts import Alert
from domain.errors import InfeasibleError, InputError, MissingInputError
from domain.instants import iso, parse_instant
from domain.plant import Plant, PoolState
from resources.decisions import HORIZON_H
from resources.publisher import Publisher, Version
from resources.reservoir_case import ReservoirCase
from resources.reservoir_decisions import decide_reservoir, published_schedule, require_physics
from resources.reservoir_run import RunSettings
from solvers.reservoir import ReservoirPlan, judged_plan, plan_reservoir

PLAN: Final = "reservoir"
RULE, HOLD, SHIFTED = "rule", "hold", "shifted"


@dataclass(frozen=True, kw_only=True)
class Fallback:
    """Why a plan is not the one it should be.

    Attributes:
        rung: ``rule``, ``hold`` or ``shifted``.
        reason: What went wrong: hour, limit, remedy.
        previous: The version carried on, for ``shifted``.
    """

    rung: str
    reason: str
    previous: Version | None = None

    @property
    def stale_since(self) -> str | None:
        """The instant of the decision that a stale plan still rests on; None where the plan is of today's inputs."""
        if self.previous is None:
            return None
        return self.previous.manifest.get("stale_since") or iso(self.previous.as_of)

    def facts(self) -> dict[str, Any]:
        """Return what the manifest says."""
        told: dict[str, Any] = {"rung": self.rung, "reason": self.reason}
        if self.previous is not None:
            told["previous"] = {"as_of": iso(self.previous.as_of), "version": self.previous.number}
        return {"fallback": told, "stale_since": self.stale_since}

    def alert(self, schedule_id: str, version: int) -> Alert:
        """Return what a person is told."""
        stale = "" if self.stale_since is None else f", stale since {self.stale_since}"
        return Alert(
            key=f"reservoir_fallback:{schedule_id}:v{version}",
            kind="reservoir_fallback",
            severity="warning" if self.stale_since is None else "critical",
            message=f"{schedule_id} v{version} is a fallback ({_WORDS[self.rung]}{stale}): {self.reason}",
            details={"rung": self.rung, "stale_since": self.stale_since or ""},
        )


_WORDS: Final = {
    RULE: "the rule's plan in place of an optimal one",
    HOLD: "the present output held",
    SHIFTED: "the last valid plan carried on",
}


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A decision about the afterbay, whichever way it was reached.

    Attributes:
        case: What it depends on; for a plan carried on, what that plan depended on, from now on.
        plan: The plan.
        schedule: As it is stored.
        fallback: Why it is not the plan it should be; None where it is.
    """

    case: ReservoirCase
    plan: ReservoirPlan
    schedule: pl.DataFrame
    fallback: Fallback | None = None


def decide_on_the_ladder(
    read: Callable[[], ReservoirCase], *, at: datetime, plant: Plant, previous: Version | None
) -> Decision:
    """Return the best decision that can be reached.

    Args:
        read: Puts the case together; may fail.
        at: The instant of the decision [UTC].
        plant: The plant, for a plan carried on.
        previous: The last valid plan before this instant; None where there is none.

    Raises:
        TailraceError: No rung holds; the error is the first one's, which says what to mend.
    """
    try:
        case = read()
    except (InputError, MissingInputError) as error:
        return _carried_on(previous, at, plant, error)
    try:
        plan = decide_reservoir(case)
    except InputError as error:
        return _carried_on(previous, at, plant, _with_sources(error, case))
    except InfeasibleError as error:
        return _without_optimum(case, error, previous, at)
    return Decision(case=case, plan=plan, schedule=published_schedule(case, plan))


def last_valid(publisher: Publisher, at: datetime) -> Version | None:
    """Return the newest stored plan of an instant before ``at`` that still has hours from ``at`` on."""
    for hours in range(1, HORIZON_H):
        version = publisher.newest(PLAN, at - timedelta(hours=hours))
        if version is not None:
            return version
    return None


def pinned_previous(publisher: Publisher, manifest: Mapping[str, Any]) -> Version | None:
    """Return the version that a stored fallback carried on, for its replay."""
    told = (manifest.get("fallback") or {}).get("previous")
    if told is None:
        return None
    return publisher.get(PLAN, parse_instant(told["as_of"], what="fallback.previous"), version=told["version"])


def _with_sources(error: InputError, case: ReservoirCase) -> InputError:
    """Return the error with where the state came from: the gauge to look at."""
    where = ", ".join(f"{name} from {case.provenance[name]}" for name in ("elevation_ft", "oxbow_mw"))
    return InputError(f"{error} ({where})")


def _without_optimum(case: ReservoirCase, error: InfeasibleError, previous: Version | None, at: datetime) -> Decision:
    """Return the heuristic's plan, else the present output held, else the last valid plan."""
    for rung in (RULE, HOLD):
        try:
            plan = _by_rule(case) if rung == RULE else _held(case)
            require_physics(case, plan)
        except (InfeasibleError, InputError):
            continue
        fallback = Fallback(rung=rung, reason=str(error))
        return Decision(case=case, plan=plan, schedule=published_schedule(case, plan), fallback=fallback)
    return _carried_on(previous, at, case.plant, error)


def _by_rule(case: ReservoirCase) -> ReservoirPlan:
    return plan_reservoir(case.plant, case.inputs, case.state, options=case.options, optimizer="rule")


def _held(case: ReservoirCase) -> ReservoirPlan:
    held = np.full(case.inputs.height, case.state.oxbow_mw)
    return judged_plan(case.plant, case.inputs, case.state, held, status=HOLD, options=case.options)


def _carried_on(
    previous: Version | None, at: datetime, plant: Plant, error: InputError | MissingInputError | InfeasibleError
) -> Decision:
    """Return what is left of the last valid plan; its odds, which are of an older day, are left out."""
    if previous is None:
        raise error
    later = pl.col("event_start") >= at
    old = previous.schedule()
    schedule, inputs = old.filter(later), pl.read_parquet(previous.folder / "inputs.parquet").filter(later)
    before = old.filter(~later)
    if schedule.is_empty() or before.is_empty():
        raise error
    run = run_of(previous.manifest)
    case = ReservoirCase(
        plant=plant,
        inputs=inputs,
        state=PoolState(elevation_ft=before["elevation_ft"][-1], oxbow_mw=before["oxbow_end_mw"][-1]),
        provenance=dict(previous.manifest["provenance"])
        | {"state": f"as {previous.schedule_id} v{previous.number} planned it"},
        hourly=inputs.select("event_start"),
        uncertainty=None,
        run=replace(run, edits=()),
    )
    # It obeyed the rules of its day. Those of today may be what cannot be kept, so physics alone judges what is left.
    options = replace(case.options, apply_rules=False)
    setpoints = schedule["setpoint_mw"].to_numpy()
    plan = judged_plan(plant, inputs, case.state, setpoints, status=SHIFTED, options=options)
    require_physics(case, plan, apply_rules=False)
    fallback = Fallback(rung=SHIFTED, reason=str(error), previous=previous)
    return Decision(case=case, plan=plan, schedule=published_schedule(case, plan), fallback=fallback)


def run_of(manifest: Mapping[str, Any]) -> RunSettings:
    """Return what the run of a stored plan had chosen."""
    return RunSettings.from_record(manifest.get("run") or {})
