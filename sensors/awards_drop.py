"""Asks for a run when market awards arrive in the drop folder.

A sensor, because a file that somebody else delivers is no event of ours.
"""

import hashlib

import dagster as dg

from resources.awards_folder import AwardsFolder

AWARDS = dg.AssetKey(["ingest", "awards"])


@dg.sensor(
    asset_selection=dg.AssetSelection.assets(AWARDS),
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests a run for the files that wait in the drop folder of market awards.",
)
def awards_drop(
    context: dg.SensorEvaluationContext, awards_folder: dg.ResourceParam[AwardsFolder]
) -> dg.RunRequest | dg.SkipReason:
    """Request one run for what waits; the run key names the files, so a set that waits is asked for once.

    A file that a killed run left behind is named again together with the next that arrives, and after ten minutes on
    its own.
    """
    waiting = awards_folder.stamped()
    if not waiting:
        return dg.SkipReason("no file waits")
    names = hashlib.sha256(repr(waiting).encode()).hexdigest()[:16]
    repeat, _, count = (context.cursor or "").partition(":")
    ticks = int(count or 0) + 1 if repeat == names else 0
    context.update_cursor(f"{names}:{ticks}")
    return dg.RunRequest(
        run_key=f"awards-{names}-{ticks // _TICKS_TO_REPEAT}",
        asset_selection=[AWARDS],
        tags={"tailrace/files": str(len(waiting)), "tailrace/first_file": waiting[0][0]},
    )


_TICKS_TO_REPEAT = 20
"""Evaluations after which a set that still waits is asked for again: ten minutes at one in thirty seconds."""
