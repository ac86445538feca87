"""What every decision asset does in the same way: pin its cutoffs, state its facts, report its plan.

Put here: what the afterbay's and the fleet's assets share. Keep out: assets.
"""

from collections.abc import Mapping
from typing import Any, Final

import dagster as dg

from assets.partitions import decision_instant
from domain.beliefs import Cutoffs, Mode
from domain.instants import iso
from resources.fleet_decisions import FleetCase
from resources.fleet_replan import ReplanCase
from resources.lake import Lake
from resources.publisher import Version
from resources.reservoir_decisions import ReservoirCase

GROUP: Final = "dispatch"


def pinned_cutoffs(context: dg.AssetExecutionContext, lake: Lake) -> Cutoffs:
    """Return the cutoffs of this partition's decision: everything stored until now and knowable at its instant."""
    return Cutoffs(at=decision_instant(context), mode=Mode.PUBLISHED, recorded_before=lake.pin())


def decision_facts(
    case: ReservoirCase | FleetCase | ReplanCase, cutoffs: Cutoffs, report: Mapping[str, Any], code_version: str
) -> dict[str, Any]:
    """Return the manifest's common part."""
    assert cutoffs.recorded_before is not None  # noqa: S101 - _pinned always pins it
    return {
        "mode": cutoffs.mode.value,
        "recorded_before": iso(cutoffs.recorded_before),
        "input_sha256": case.fingerprint,
        "provenance": dict(case.provenance),
        "code_version": code_version,
        "solver": report.get("solver", "highs"),
        "status": report["status"],
        "objective_usd": report["objective_usd"],
        "bound_usd": report.get("bound_usd", report.get("lower_bound_usd")),
        "gap": report["gap"],
    }


def plan_result(version: Version, report: Mapping[str, Any], check: str) -> dg.MaterializeResult:
    """Return the stored version's metadata and its passed check."""
    return dg.MaterializeResult(
        metadata={
            "schedule_id": version.schedule_id,
            "version": version.number,
            "objective_usd": report["objective_usd"],
            "gap": report["gap"],
            "status": report["status"],
            "folder": dg.MetadataValue.path(version.folder),
            "report": dg.MetadataValue.json({k: v for k, v in report.items() if k != "explain"}),
        },
        # A plan that failed its check never got here: the decision refuses it (resources/*_decisions.py).
        check_results=[dg.AssetCheckResult(check_name=check, passed=True, metadata={"tolerance": 1e-6})],
    )
