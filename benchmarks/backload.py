"""A year of back-load for 15 ERCOT points and 11 PI tags through the archive routes, against the stand-ins.

``python -m benchmarks.backload`` starts the stand-ins, runs in a fresh home the job that
``dagster asset materialize --partition-range`` runs, and prints what it took. Then it counts: every series must have
every interval of the year, changes of the clocks included, and the lake must verify.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from datetime import time as midnight
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dagster as dg
import polars as pl

from pipelines import wiring
from pipelines.dagster_home import prepare
from pipelines.stand_ins import StandIns

if TYPE_CHECKING:
    from resources.lake import Lake

LIMIT_S: Final = 600.0
_QUIET: Final = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_HUBS: Final = (
    "HB_BUSAVG:SH",
    "HB_HOUSTON:HU",
    "HB_HUBAVG:AH",
    "HB_NORTH:HU",
    "HB_PAN:HU",
    "HB_SOUTH:HU",
    "HB_WEST:HU",
)
_ZONES: Final = ("LZ_AEN", "LZ_CPS", "LZ_HOUSTON", "LZ_LCRA", "LZ_NORTH", "LZ_RAYBN", "LZ_SOUTH", "LZ_WEST")
_TAGS: Final = (
    ("OPS/Reservoirs/Afterbay|Elevation", "ft", "interp1h"),
    ("OPS/Reservoirs/Afterbay|Elevation Setpoint", "ft", "interp1h"),
    ("OPS/Generation Units/Oxbow|Power", "MW", "avg1h"),
    ("OPS/Generation Units/Oxbow|Gov Setpoint", "MW", "interp1h"),
    ("Energy_Marketing/Misc Tags|GEN_MDFK_and_RA", "MW", "avg1h"),
    ("OPS/Additions for PI Vision|CCS Mode", "1", "interp1h"),
    ("OPS/Gauging Stations/R4|Flow", "cfs", "avg1h"),
    ("OPS/Gauging Stations/R30|Flow_EM", "cfs", "avg1h"),
    ("OPS/Gauging Stations/R20|Flow", "cfs", "avg1h"),
    ("OPS/Gauging Stations/R5L|Flow", "cfs", "avg1h"),
    ("OPS/Gauging Stations/R26|Flow", "cfs", "avg1h"),
)


def _widened(overlay: Path) -> str:
    """Return the overlay with all 15 points and the 11 tags."""
    points = [point.split(":") for point in _HUBS] + [[zone, "LZ"] for zone in _ZONES]
    listed = ", ".join(f'{{ name = "{name}", type = "{kind}" }}' for name, kind in points)
    tags = ", ".join(f'{{ path = "{path}", unit = "{unit}", reads = ["{kind}"] }}' for path, unit, kind in _TAGS)
    text = overlay.read_text().replace("[pi]\n", f"[pi]\ntags = [{tags}]\n", 1)
    return text.replace("[ercot]\n", f"[ercot]\npoints = [{listed}]\narchive_documents_per_download = 1000\n", 1)


_EXPECTED: Final = (
    ("pi:*", timedelta(hours=1), len(_TAGS)),
    ("ercot:spp_rt:*", timedelta(minutes=15), len(_HUBS) + len(_ZONES)),
    ("ercot:spp_da:*", timedelta(hours=1), len(_HUBS) + len(_ZONES)),
)
"""Series, the rhythm of their intervals, how many they are."""


def _complete(lake: Lake, start: datetime, end: datetime) -> bool:
    """Print how many intervals the lake holds of those there are; True when none is missing."""
    whole = True
    for pattern, step, wanted in _EXPECTED:
        rows = lake.latest(pattern, start=start, end=end).filter(scenario="actual").drop_nulls("value")
        counts = rows.group_by("series_id").agg(events=pl.col("event_start").n_unique())
        each = (end - start) // step
        lacking = counts.filter(pl.col("events") != each)
        whole = whole and counts.height == wanted and lacking.is_empty()
        told = "complete" if lacking.is_empty() else f"incomplete: {lacking.rows()}"
        print(f"{pattern:16} {counts.height:>3} of {wanted} series, {each:,} intervals each: {told}")
    return whole


def main(days: int = 365) -> int:
    """Back-load the days and print seconds and rows of each asset."""
    with tempfile.TemporaryDirectory(prefix="tailrace-backload-") as home, StandIns.started(seed=7) as services:
        services.overlay.write_text(_widened(services.overlay))
        wiring.use(services.environment | {"TAILRACE_HOME": home})
        wiring.use({"DAGSTER_HOME": str(prepare(wiring.settings()))})
        from pipelines.operations import defs  # noqa: PLC0415 - the stand-ins start while this is imported

        end = datetime.combine(wiring.clock().now().date(), midnight(), UTC)
        start, today = end - timedelta(days=days), end.date()
        window = {
            "dagster/asset_partition_range_start": f"{start.date()}",
            "dagster/asset_partition_range_end": f"{today - timedelta(days=1)}",
        }
        began = time.monotonic()
        with dg.DagsterInstance.get() as instance:
            job = defs.resolve_implicit_global_asset_job_def()
            for asset in ("historian", "ercot_rt_prices", "ercot_da_prices"):
                part = time.monotonic()
                done = job.execute_in_process(
                    asset_selection=[dg.AssetKey(["ingest", asset])], instance=instance, tags=window, run_config=_QUIET
                )
                event = next(e for e in done.all_events if e.is_step_materialization)
                rows = event.materialization.metadata["rows_added"].value
                print(f"{asset:16} {rows:>9,} rows in {time.monotonic() - part:5.1f} s")
        total = time.monotonic() - began
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{days} days in {total:.0f} s (bound for a year {LIMIT_S:g} s), peak {peak_mb:.0f} MB")
        lake = wiring.open_lake()
        whole = _complete(lake, start, end)
        verdict = lake.verify()
        print(f"lake: {verdict.rows:,} beliefs in {verdict.files} files re-read, {verdict.problems or 'sound'}")
    return 0 if total <= LIMIT_S and whole and verdict.is_sound else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
