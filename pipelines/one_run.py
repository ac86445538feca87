"""`make run`: the whole job once, in this process, with what a person wants to see of it.

Put here: the order of the stages and their progress. Keep out: what a stage does (assets/), what is printed at the end
(pipelines/summary.py).
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import dagster as dg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from assets.partitions import FLEET_DAYS, HOURS
from domain.errors import TailraceError
from domain.fleet import generate_fleet
from domain.instants import floor_hour
from pipelines import wiring
from pipelines.dagster_home import prepare
from pipelines.fleet_stand_ins import FLEET_SEED
from pipelines.stand_ins import StandIns
from pipelines.summary import finish
from sensors.pool_band import alerts_of_current_plan

_QUIET: Final = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_RANGE: Final = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
_PROCESS: Final = "tailrace/process"
"""Tag with the id of the process that executes a run."""

READ_HERE: Final = (
    "historian",
    "ercot_rt_prices",
    "ercot_da_prices",
    "ercot_load_forecast",
    "caiso_prices",
    "river_forecasts",
)
"""The product families that the plans rest on; the schedule reads the others as well."""

DAY_AHEAD: Final = "MarketAwards_DAM_*"
"""Awards that plans rest on; the real-time ones keep waiting in the drop folder, for the sensor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instants:
    """The instants of one run.

    Attributes:
        started: When the run began [UTC].
        reservoir: The last full hour: as-of instant of the reservoir's decision [UTC].
        fleet: The last 09:30 Central: as-of instant of the fleet's decision [UTC].
    """

    started: datetime
    reservoir: datetime
    fleet: datetime

    @classmethod
    def at(cls, now: datetime) -> Instants:
        """Return the instants of a run that begins at ``now``."""
        key = FLEET_DAYS.get_partition_key_for_timestamp(now.timestamp())
        fleet = FLEET_DAYS.time_window_for_partition_key(key).start.astimezone(UTC)
        return cls(started=now, reservoir=floor_hour(now), fleet=fleet)


def run_once(*, days: int, seed: int, devices: int) -> None:
    """Fetch, forecast, decide, publish, build the warehouse, report.

    Raises:
        TailraceError: A stage failed; what was fetched before it stays.
    """
    console = Console(file=sys.stdout)
    began = time.monotonic()
    with ExitStack() as stack:
        if wiring.settings().sources_overlay is None:
            services = stack.enter_context(StandIns.started(seed=seed))
            wiring.use(services.environment)
        wiring.use({"DAGSTER_HOME": str(prepare(wiring.settings()))})
        instance = stack.enter_context(dg.DagsterInstance.get())
        progress = stack.enter_context(_progress(console))
        # dbt and others talk while they work; it is kept, but it would bury the bars.
        log = stack.enter_context((wiring.settings().home / "run.log").open("w"))
        stack.enter_context(redirect_stdout(log))
        job = _Job(instance, progress)
        instants = Instants.at(wiring.clock().now())
        _ingest(job, instants, days)
        _enrol(devices)
        _decide(job, instants)
        _raise_alerts()
        job.run("Building the warehouse", ["marts/*"], steps=2)
        progress.stop()
        finish(console, instants_reservoir=instants.reservoir, began=began)


def _ingest(job: _Job, instants: Instants, days: int) -> None:
    today = instants.started.date()
    # Yesterday is read again each time: late values and corrections of the night arrive there.
    first = min(_first_missing(job.instance, today - timedelta(days=days), today), today - timedelta(days=1))
    window = dict(zip(_RANGE, (f"{first}", f"{today}"), strict=True))
    wanted = [f"ingest/{name}" for name in READ_HERE]
    job.run(f"Fetching {(today - first).days + 1} days of history", wanted, steps=len(wanted), tags=window)
    job.run("Reading awards", ["ingest/awards"], steps=1, ops={"ingest__awards": {"config": {"names": DAY_AHEAD}}})


def _first_missing(instance: dg.DagsterInstance, first: date, today: date) -> date:
    """Return the first day that some source has not been read for."""
    wanted = [f"{first + timedelta(days=n)}" for n in range((today - first).days + 1)]
    have = [instance.get_materialized_partitions(dg.AssetKey(["ingest", name])) for name in READ_HERE]
    missing = [day for day in wanted if any(day not in days for days in have)]
    return datetime.fromisoformat(missing[0]).date() if missing else today


def _enrol(devices: int) -> None:
    """Enrol the demo's batteries where the registry has none."""
    registry = wiring.open_registry()
    try:
        if registry.devices().is_empty():
            registry.put_devices(generate_fleet(devices, FLEET_SEED), changed_at=wiring.clock().now())
    finally:
        registry.close()


def _decide(job: _Job, instants: Instants) -> None:
    hour = HOURS.get_partition_key_for_timestamp(instants.reservoir.timestamp())
    fleet_hour = HOURS.get_partition_key_for_timestamp(floor_hour(instants.fleet).timestamp())
    fleet = FLEET_DAYS.get_partition_key_for_timestamp(instants.fleet.timestamp())
    job.run("Forecasting for the fleet", ["forecasting/price"], steps=1, partition=fleet_hour)
    of_the_fleet = ["dispatch/fleet_plan", "publish/fleet_schedule", "publish/fleet_schedules"]
    job.run("Planning the fleet", of_the_fleet, steps=3, partition=fleet)
    reservoir = ["forecasting/*", "dispatch/reservoir_plan", "publish/reservoir_schedule"]
    job.run("Forecasting and planning the reservoir", reservoir, steps=5, partition=hour)


def _raise_alerts() -> None:
    registry = wiring.open_registry()
    try:
        _, alerts = alerts_of_current_plan(wiring.publisher(), wiring.plant())
        registry.raise_alerts(alerts, raised_at=wiring.clock().now())
    finally:
        registry.close()


class _Job:
    """Runs assets in this process, one bar a call."""

    def __init__(self, instance: dg.DagsterInstance, progress: Progress) -> None:
        from pipelines.operations import defs  # noqa: PLC0415 - the stand-ins start while this is imported

        self.instance = instance
        _bury_the_dead(instance)
        self._progress = progress
        self._job = defs.resolve_implicit_global_asset_job_def()
        self._keys = [key.to_user_string() for key in defs.resolve_asset_graph().materializable_asset_keys]

    def run(
        self,
        title: str,
        selection: Sequence[str],
        *,
        steps: int,
        partition: str | None = None,
        tags: dict[str, str] | None = None,
        ops: dict[str, Any] | None = None,
    ) -> None:
        """Materialize the assets named; ``group/*`` names a group.

        Raises:
            TailraceError: An asset failed; the message is that of its error.
        """
        names = [key for key in self._keys if key in selection or f"{key.split('/', maxsplit=1)[0]}/*" in selection]
        run_id = str(uuid4())
        with self._watched(title, run_id, steps):
            result = self._job.execute_in_process(
                asset_selection=[dg.AssetKey(name.split("/")) for name in names],
                instance=self.instance,
                partition_key=partition,
                tags={_PROCESS: str(os.getpid()), **(tags or {})},
                run_id=run_id,
                run_config=_QUIET | ({"ops": ops} if ops else {}),
                raise_on_error=False,
            )
        if not result.success:
            raise TailraceError(f"{title}: " + "; ".join(_reasons(result)) + f" (run {run_id}, see `make dev`)")

    @contextmanager
    def _watched(self, title: str, run_id: str, steps: int) -> Generator[None]:
        """Move a bar as the run's steps succeed, by reading the event log beside it."""
        task = self._progress.add_task(title, total=steps)
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.3):
                done = self.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_SUCCESS)
                self._progress.update(task, completed=min(len(done), steps))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
        self._progress.update(task, completed=steps)


def _bury_the_dead(instance: dg.DagsterInstance) -> None:
    """Fail the runs whose process was killed, and give back the pool slots they hold.

    A killed process cannot say that it ended; its slot would keep every later run waiting. Where the daemon runs, its
    run monitoring does the same.
    """
    unfinished = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
    for run in instance.get_runs(unfinished):
        process = run.tags.get(_PROCESS)
        if process is not None and not _alive(int(process)):
            instance.report_run_failed(run, f"process {process} was killed")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _reasons(result: dg.ExecuteInProcessResult) -> list[str]:
    reasons = []
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            reasons.append(f"{event.step_key}: {error.message.strip() if error else 'failed'}")
    return reasons or ["the run failed"]


@contextmanager
def _progress(console: Console) -> Generator[Progress]:
    columns = (
        SpinnerColumn(finished_text="[green]ok[/green]"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, redirect_stdout=False, redirect_stderr=False) as progress:
        yield progress
