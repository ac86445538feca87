"""`tailrace replay`: solve a stored decision again from the lake and say whether it comes out the same.

Put here: finding the decision and showing the difference. Keep out: how it is decided (resources/*_decisions.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from domain.errors import InputError
from domain.instants import iso, parse_instant

if TYPE_CHECKING:
    import polars as pl

    from resources.lake import Lake
    from resources.publisher import Publisher, Version

PLANS: Final = {
    "dispatch/reservoir_plan": "reservoir",
    "dispatch/fleet_plan": "fleet",
    "dispatch/fleet_replan": "fleet_replan",
}
_DIFFERENT: Final = 1
_SHOWN: Final = 10


def replay(
    plan: Annotated[str, typer.Argument(help="dispatch/reservoir_plan, dispatch/fleet_plan or dispatch/fleet_replan")],
    as_of: Annotated[str, typer.Option("--as-of", help="The instant of the decision, ISO-8601 with an offset")],
    version: Annotated[int | None, typer.Option(help="Version of the schedule; the newest by default")] = None,
) -> None:
    """Solve a decision again with the cutoffs pinned in its manifest: prints identical, or the difference (exit 1)."""
    from pipelines.wiring import open_lake, publisher

    name = PLANS.get(plan, plan)
    if name not in PLANS.values():
        raise InputError(f"no plan {plan!r}; known: {', '.join(PLANS)}")
    stored = publisher().get(name, parse_instant(as_of, what="--as-of"), version=version)
    fingerprint, again = _decide_again(open_lake(), stored, publisher())
    difference = _difference(stored.schedule(), again)
    what = f"{stored.schedule_id} v{stored.number} as of {iso(stored.as_of)}"
    if difference is None:
        same_inputs = "same inputs" if fingerprint == stored.manifest["input_sha256"] else "from other inputs"
        typer.echo(f"identical: {what}, {again.height} rows, {same_inputs}")
        return
    if fingerprint != stored.manifest["input_sha256"]:
        typer.echo(f"the inputs differ: fingerprint {fingerprint[:12]}, was {stored.manifest['input_sha256'][:12]}")
    typer.echo(f"different: {what}\n{difference}")
    raise typer.Exit(_DIFFERENT)


def _decide_again(lake: Lake, stored: Version, plans: Publisher) -> tuple[str, pl.DataFrame]:
    """Return the fingerprint of the inputs and the schedule, both made anew as of the manifest's cutoffs."""
    from domain.beliefs import Cutoffs, Mode
    from resources.fleet_decisions import fleet_case
    from resources.fleet_ladder import decide_on_the_ladder as decide_fleet
    from resources.fleet_ladder import pinned_version
    from resources.fleet_replan import decide_again_on_the_ladder
    from resources.pinned import PlantFile, unpin_frame
    from resources.planning import PlanningReader
    from resources.reservoir_decisions import reservoir_case
    from resources.reservoir_ladder import decide_on_the_ladder, pinned_previous, run_of

    manifest = stored.manifest
    cutoffs = Cutoffs(
        at=stored.as_of,
        mode=Mode(manifest["mode"]),
        recorded_before=parse_instant(manifest["recorded_before"], what="recorded_before in the manifest"),
    )
    if stored.plan == "fleet":
        devices = unpin_frame(lake, manifest["devices_sha256"])
        carried = pinned_version(plans, (manifest.get("fallback") or {}).get("previous"))
        day = decide_fleet(
            lambda: fleet_case(lake, devices, cutoffs), at=stored.as_of, devices=devices, previous=carried
        )
        return day.case.fingerprint, day.schedule
    if stored.plan == "fleet_replan":
        devices = unpin_frame(lake, manifest["devices_sha256"])
        again = decide_again_on_the_ladder(lake, devices, pinned_version(plans, manifest["previous"]), cutoffs)
        if again.schedule is None:
            raise InputError(f"{stored.schedule_id} came out as unchanged; its inputs are not what they were")
        return again.case.fingerprint, again.schedule
    plant = PlantFile.unpin(lake, manifest["plant_sha256"]).plant
    reader = PlanningReader.unpin(lake, manifest["series_sha256"])
    decision = decide_on_the_ladder(
        lambda: reservoir_case(lake, reader, plant, cutoffs, run_of(manifest)),
        at=stored.as_of,
        plant=plant,
        previous=pinned_previous(plans, manifest),
    )
    return decision.case.fingerprint, decision.schedule


def _difference(old: pl.DataFrame, new: pl.DataFrame) -> str | None:
    """Return the first rows that differ as text, or None where both are equal to the last bit."""
    import polars as pl

    if old.equals(new, null_equal=True):
        return None
    if old.schema != new.schema or old.height != new.height:
        return f"was {old.height} rows of {old.columns}, is {new.height} rows of {new.columns}"
    changed = [name for name in old.columns if not old[name].equals(new[name], null_equal=True)]
    rows = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_again")) for name in changed)
    both = pl.concat([old, new.rename({name: f"{name}_again" for name in new.columns})], how="horizontal").filter(rows)
    keys = [name for name in ("device_id", "event_start") if name in old.columns]
    shown = both.select(*keys, *(column for name in changed for column in (name, f"{name}_again")))
    return f"{both.height} rows differ in {', '.join(changed)}\n{shown.head(_SHOWN)}"
