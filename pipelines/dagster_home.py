"""Dagster's own storage: SQLite files under the home folder, or PostgreSQL by one setting.

Put here: the content of dagster.yaml. Keep out: assets, schedules and resources.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pipelines.wiring import Settings

_COMMON: Final = """\
# Written by Tailrace at every start; change pipelines/dagster_home.py instead.
telemetry:
  enabled: false
nux:
  enabled: false
run_monitoring:
  enabled: true
  start_timeout_seconds: 300
  free_slots_after_run_end_seconds: 30
run_retries:
  enabled: true
  max_retries: 2
  retry_on_asset_or_op_failure: false
concurrency:
  pools:
    default_limit: 1
  runs:
    max_concurrent_runs: 2
retention:
  schedule:
    purge_after_days: 30
  sensor:
    purge_after_days: 7
"""

_SQLITE: Final = """\
event_log_storage:
  module: pipelines.event_log
  class: KeptEngines
  config:
    base_dir: {folder}/history/runs
"""

_POSTGRES: Final = """\
storage:
  postgres:
    postgres_url:
      env: TAILRACE_POSTGRES_URL
"""


def prepare(settings: Settings) -> Path:
    """Write dagster.yaml for these settings and return its folder, the value of DAGSTER_HOME."""
    folder = settings.home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    content = _COMMON + (_POSTGRES if settings.postgres_url else _SQLITE.format(folder=folder))
    target = folder / "dagster.yaml"
    if not target.is_file() or target.read_text() != content:
        temporary = target.with_suffix(".yaml.new")
        temporary.write_text(content)
        temporary.replace(target)
    return folder
