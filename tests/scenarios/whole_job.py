"""What the scenarios share: a command line in a home of its own.

Put here: starting and reading. Keep out: claims.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from resources.clock import SystemClock
from resources.lake import Lake

ROOT = Path(__file__).resolve().parents[2]
DAYS = 9


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TAILRACE_", "DAGSTER_"))}  # noqa: TID251 - a child's environment
    return kept | {"TAILRACE_HOME": str(home), "COLUMNS": "160"} | dict(extra or {})


def tailrace(*arguments: str, home: Path, extra: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipelines.cli", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment(home, extra), capture_output=True, text=True, check=False, timeout=240
    )


def lake_of(home: Path) -> Lake:
    return Lake(home / "lake", now=SystemClock().now)
