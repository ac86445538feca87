"""The five-minute poll of all live products against the stand-ins: seconds and memory.

``python -m benchmarks.poll`` starts the stand-ins, runs in a fresh home and prints what it took.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from typing import Final

import dagster as dg

from pipelines import wiring
from pipelines.dagster_home import prepare
from pipelines.stand_ins import StandIns

LIMIT_S: Final = 10.0
LIMIT_MB: Final = 500.0
_QUIET: Final = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def main() -> int:
    """Print the second poll's figures; the first one fills the trailing windows."""
    with tempfile.TemporaryDirectory(prefix="tailrace-poll-") as home, StandIns.started(seed=7) as services:
        wiring.use(services.environment | {"TAILRACE_HOME": home})
        wiring.use({"DAGSTER_HOME": str(prepare(wiring.settings()))})
        began = time.monotonic()
        from pipelines.operations import defs  # noqa: PLC0415 - the stand-ins start while this is imported

        held_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"importing the code location: {time.monotonic() - began:.1f} s, {held_mb:.0f} MB")
        job = defs.resolve_job_def("ingest_today")
        with dg.DagsterInstance.get() as instance:
            for poll in ("first", "second", "third"):
                began, cpu = time.monotonic(), time.process_time()
                today = f"{wiring.clock().now():%Y-%m-%d}"
                done = job.execute_in_process(instance=instance, partition_key=today, run_config=_QUIET)
                wall, used = time.monotonic() - began, time.process_time() - cpu
                peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                print(
                    f"{poll} poll: {wall:5.1f} s wall, {used:5.1f} s of CPU, peak {peak_mb:4.0f} MB, ok {done.success}"
                )
    print(f"bounds: {LIMIT_S:g} s wall, {LIMIT_MB:g} MB")
    return 0 if wall <= LIMIT_S and peak_mb <= LIMIT_MB else 1


if __name__ == "__main__":
    sys.exit(main())
