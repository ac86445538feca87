"""The lake beside PostgreSQL 15, in one run on one machine, as ratios.

``python -m benchmarks.lake`` makes 240 hourly series with 24 vintages an event (50 M rows a year, values of 3
significant digits, seeded), loads the first year into both stores and asks both the same; then it adds a second year
to the lake alone (100 M rows). ``--small`` does it with a few weeks, to see that it works. PostgreSQL has the covering
index that suits the question best and writes its answers to a temporary table on its own side; the lake hands over a
sorted frame. A question is asked of both in turns and the best of the turns counts. Needs PostgreSQL's binaries
(``--no-postgres`` leaves it out), about 9 GB of disk and 15 minutes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from domain.beliefs import Cutoffs, Mode, canonical
from resources.clock import SystemClock
from resources.lake import Lake, compaction
from resources.lake.reading import Reader
from resources.lake.request import Request, Series

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
WEEK = timedelta(weeks=1)
BETWEEN_FILES = timedelta(days=4)
"""Moves the week asked for to where it lies in two files of the year: the harder case."""
SERIES, VINTAGES, HOURS = 240, 24, 168
HOUR_US = 3_600_000_000
BINARIES = sorted(Path("/usr/lib/postgresql").glob("15/bin"))


def week_of_rows(number: int) -> pl.DataFrame:
    """Return a week of hourly issues: at each hour every series states the next 24 hours."""
    draw = np.random.default_rng(number)
    issue = int(FIRST.timestamp()) * 1_000_000 + (number * HOURS + np.arange(HOURS)) * HOUR_US
    lead = np.arange(1, VINTAGES + 1)
    event = np.tile((issue[:, None] + lead[None, :] * HOUR_US).ravel(), SERIES)
    series = np.repeat(np.arange(SERIES), HOURS * VINTAGES)
    truth = 500 + 300 * np.sin(event / HOUR_US / 24 * 2 * np.pi + series / 10)
    value = np.clip(np.round(truth + draw.normal(0, 1, event.size) * np.tile(lead, SERIES * HOURS)), 100, 999)
    names = pl.Series([f"bench:load:{number:03d}" for number in range(SERIES)])
    times = {
        "event_start": event,
        "event_end": event + HOUR_US,
        "belief_time": np.tile(np.repeat(issue, VINTAGES), SERIES),
    }
    frame = pl.DataFrame({"series_id": names.gather(series), **times, "value": value})
    return canonical(
        frame.with_columns(
            pl.col(*times).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            unit=pl.lit("MW"),
            source=pl.lit("bench"),
        ),
        what="bench",
    )


def seconds(ask: Callable[[], object]) -> float:
    """Return how long one answer takes [s]."""
    start = time.perf_counter()
    ask()
    return time.perf_counter() - start


def turns(ours: Callable[[], object], theirs: Callable[[], object] | None, times: int) -> tuple[float, float | None]:
    """Return the best time of both [s], asked in turns so that the machine's moods meet both."""
    best: list[list[float]] = [[], []]
    for _ in range(times):
        best[0].append(seconds(ours))
        if theirs is not None:
            best[1].append(seconds(theirs))
    return min(best[0]), min(best[1]) if theirs else None


@dataclass
class Report:
    """The table, printed as it grows."""

    missed: list[str] = field(default_factory=list)

    def line(self, what: str, ours: str, theirs: str, ratio: float, limit: float, goal: str = "") -> None:
        """Print one line: what was measured, both figures, the ratio or figure that is limited, and its limit."""
        met = ratio <= limit
        if not met:
            self.missed.append(what)
        print(
            f"| {what} | {ours} | {theirs} | {ratio:.3g} | <= {limit:g}{goal} | {'yes' if met else 'NO'} |", flush=True
        )

    def against(self, what: str, pair: tuple[float, float | None], limit: float, goal: str = "") -> None:
        """Print a ratio to PostgreSQL; without it nothing can be said."""
        ours, theirs = pair
        if theirs is None:
            print(f"| {what} | {ours:.3f} s | - | - | <= {limit:g} x{goal} | - |", flush=True)
        else:
            self.line(what, f"{ours:.3f} s", f"{theirs:.3f} s", ours / theirs, limit, f" x{goal}")


class Postgres:
    """A PostgreSQL 15 of our own with the beliefs and an index that covers the question."""

    def __init__(self, folder: Path, *, cache_mb: int) -> None:
        import psycopg2  # noqa: PLC0415 - the benchmark runs without it

        self.folder = folder
        self.user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        if self.user:
            shutil.chown(folder, "postgres")
        self._run("initdb", "-D", folder / "data", "-U", "bench", "-A", "trust", "--no-sync")
        options = (
            f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c shared_buffers={cache_mb}MB"
            " -c max_wal_size=8GB -c work_mem=512MB -c maintenance_work_mem=2GB"
        )
        self._run("pg_ctl", "-D", folder / "data", "-o", options, "-l", folder / "log", "-w", "start")
        self.connection = psycopg2.connect(f"host={folder} user=bench dbname=postgres")
        self.connection.autocommit = True
        self.tell(
            "CREATE TABLE belief (series int, event_start timestamptz, belief_time timestamptz,"
            " recorded_at timestamptz, value float8)"
        )

    def _run(self, *command: str | Path) -> None:
        program, *rest = command
        done = [*self.user, str(BINARIES[-1] / program), *map(str, rest)]
        subprocess.run(done, check=True, capture_output=True, cwd=self.folder)  # noqa: S603

    def tell(self, statement: str) -> None:
        """Run one statement."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement)

    def load(self, rows: pl.DataFrame) -> None:
        """Copy rows in."""
        recorded = datetime.now(UTC)  # noqa: TID251 - a benchmark has no other clock
        plain = rows.select(
            pl.col("series_id").str.slice(-3).cast(pl.Int32), "event_start", "belief_time", pl.lit(recorded), "value"
        )
        text = plain.write_csv(include_header=False, datetime_format="%Y-%m-%d %H:%M:%S%.6f+00")
        with tempfile.TemporaryFile("w+") as file, self.connection.cursor() as cursor:
            file.write(text)
            file.seek(0)
            cursor.copy_expert("COPY belief FROM STDIN CSV", file)

    def index(self) -> None:
        """Build the covering index and let the planner look at it."""
        self.tell("CREATE INDEX ON belief (series, event_start, belief_time DESC, recorded_at DESC) INCLUDE (value)")
        self.tell("VACUUM ANALYZE belief")

    def as_of(self, start: datetime, end: datetime, at: datetime, series: str = "") -> Callable[[], None]:
        """Return the question, one answer into a temporary table."""
        columns = "series, event_start, belief_time, recorded_at, value"
        within = f"event_start >= '{start}' AND event_start < '{end}' AND belief_time <= '{at}' {series}"
        order = "series, event_start, belief_time DESC, recorded_at DESC"
        statement = (
            f"CREATE TEMP TABLE answer AS SELECT DISTINCT ON (series, event_start) {columns}"  # noqa: S608
            f" FROM belief WHERE {within} ORDER BY {order}"
        )

        def ask() -> None:
            self.tell("DROP TABLE IF EXISTS answer")
            self.tell(statement)

        return ask

    def stop(self) -> None:
        """End the server."""
        self.connection.close()
        self._run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "-w", "stop")


@contextmanager
def postgres(folder: Path, *, cache_mb: int) -> Iterator[Postgres]:
    """Yield a server that ends with the block."""
    server = Postgres(folder, cache_mb=cache_mb)
    try:
        yield server
    finally:
        server.stop()


def as_of(lake: Lake, start: datetime, end: datetime, at: datetime, pattern: str = "*") -> Callable[[], pl.DataFrame]:
    """Return the question to the lake."""
    cutoffs = Cutoffs(at=at, mode=Mode.PUBLISHED)
    return lambda: lake.as_of(pattern, start=start, end=end, cutoffs=cutoffs)


def load(lake: Lake, weeks: range, server: Postgres | None = None) -> list[float]:
    """Append weeks of rows; return how long each append took [s]."""
    took = []
    for number in weeks:
        rows = week_of_rows(number)
        took.append(seconds(lambda rows=rows, run=f"week-{number}": lake.append(rows, run_id=run, product="bench")))
        if server is not None:
            server.load(rows)
    return took


def ask_both(report: Report, lake: Lake, server: Postgres | None, weeks: int, times: int) -> float:
    """Measure the reads that PostgreSQL can be asked too; return the time of a one-week window [s]."""
    end, middle = FIRST + weeks * WEEK, FIRST + weeks // 2 * WEEK + BETWEEN_FILES

    def pair(start: datetime, stop: datetime, at: datetime, series: int | None = None) -> tuple[float, float | None]:
        pattern = "*" if series is None else f"bench:load:{series:03d}"
        only = "" if series is None else f"AND series = {series}"
        theirs = None if server is None else server.as_of(start, stop, at, only)
        return turns(as_of(lake, start, stop, at, pattern), theirs, times)

    one = pair(middle, middle + WEEK, end)
    report.against(f"as of the end, one week of {weeks}, 240 series", one, 0.05, " (goal 0.02)")
    inside = pair(middle, middle + WEEK, middle + WEEK / 2)
    report.against("as of the middle of that week", inside, 0.05, " (goal 0.02)")
    report.against(f"as of the end, all {weeks} weeks", pair(FIRST, end, end), 0.5, " (goal 0.2)")
    report.against(f"as of the middle, all {weeks} weeks", pair(FIRST, end, middle), 0.5, " (goal 0.2)")
    report.against(f"one series, all {weeks} weeks", pair(FIRST, end, end, 77), 2)
    return one[0]


def ask_alone(report: Report, lake: Lake, week_lake: Lake, weeks: int, times: int) -> None:
    """Measure growth, latest, memory and what is skipped."""
    end, middle = FIRST + weeks * WEEK, FIRST + weeks // 2 * WEEK + BETWEEN_FILES
    small, large = as_of(week_lake, FIRST, FIRST + WEEK, end), as_of(lake, middle, middle + WEEK, end)
    grown, alone = turns(large, small, times)
    report.line(
        f"one-week window: lake of {weeks} weeks against lake of one", f"{grown:.3f} s", f"{alone:.3f} s",
        grown / (alone or 1), 1.5, " x",
    )  # fmt: skip
    newest, _ = turns(lambda: lake.latest("*", start=middle, end=middle + WEEK), None, times)
    report.line("latest over one week", f"{newest:.3f} s", "-", newest, 0.1, " s")
    print(f"|   {skipped(lake, middle)} | | | | | |")
    code = f"import sys; from benchmarks.lake import memory_of; memory_of(sys.argv[1], {weeks})"
    done = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-c", code, str(lake.root)], capture_output=True, text=True, check=True,
        cwd=Path(__file__).resolve().parent.parent,
    )  # fmt: skip
    used, size = (float(word) for word in done.stdout.split())
    allowed = 2 * size + 500
    report.line(f"memory of the read of {weeks} weeks", f"{used:.0f} MB", f"{size:.0f} MB result", used / allowed, 1,
                " x (2 results + 500 MB)")  # fmt: skip


def memory_of(root: str, weeks: int) -> None:
    """Print how much memory a read of everything takes beyond an empty one, and its result's size [MB]."""
    lake = Lake(Path(root), now=SystemClock().now)
    as_of(lake, FIRST - WEEK, FIRST, FIRST)()
    before = peak_mb()
    answer = as_of(lake, FIRST, FIRST + weeks * WEEK, FIRST + weeks * WEEK)()
    print(peak_mb() - before, answer.estimated_size("mb"))


def peak_mb() -> float:
    """Return the largest memory this process has held [MB]; unlike rusage, it does not count its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def skipped(lake: Lake, middle: datetime) -> str:
    """Return how many files and row groups a one-week window opens."""
    entries = lake._journal.state().of("beliefs")  # noqa: SLF001 - the benchmark looks inside
    request = Request(series=Series(("*",)), start=middle, end=middle + WEEK)
    needed = [entry for lane in Reader(lake.root, entries)._lanes(request) for entry in lane]  # noqa: SLF001
    opened = [entry.newest or entry for entry in needed]
    groups, touched = 0, 0
    for entry in opened:
        footer = pq.read_metadata(lake.root / entry.path)
        column = footer.schema.to_arrow_schema().get_field_index("event_start")
        for number in range(footer.num_row_groups):
            groups += 1
            bounds = footer.row_group(number).column(column).statistics
            touched += bounds.min < middle + WEEK and bounds.max >= middle
    parts = [part for entry in entries for part in entry.parts]
    every = sum(pq.read_metadata(lake.root / part.path).num_row_groups for part in parts)
    return f"a one-week window opens {len(opened)} of {len(parts)} files and {touched} of {every} row groups"


def ask_writes(report: Report, folder: Path, lake: Lake, weeks: int, *, crowd: int, crowded: bool) -> None:
    """Measure appends on an empty lake and on a full one with many files, and a compaction."""
    rows = week_of_rows(2 * weeks + 4)
    arranged = rows.sort("series_id", "event_start", "belief_time")
    target = folder / "sorted.parquet"
    empty: list[float] = []
    written: list[float] = []
    for number in range(4):
        fresh = Lake(folder / f"empty-{number}", now=SystemClock().now)
        empty.append(seconds(lambda fresh=fresh: fresh.append(rows, run_id="a", product="bench")))
        written.append(seconds(lambda: arranged.write_parquet(target, compression="zstd")))
    report.line(f"append of {rows.height:,} new rows against polars writing them", f"{min(empty):.3f} s",
                f"{min(written):.3f} s", min(empty) / min(written), 4, " x")  # fmt: skip
    if crowded:
        compaction.tidy = lambda _: None
    for number in range(crowd):
        lake.append(crumb(number), run_id=f"crumb-{number}", product="bench")
    files = sum(1 for _ in lake.root.rglob("*.parquet"))
    full = []
    for number in range(4):
        fresh_rows = revised(rows, weeks, number)
        full.append(seconds(lambda fresh_rows=fresh_rows: lake.append(fresh_rows, run_id="b", product="bench")))
    held = lake.status()
    report.line(
        f"the same with {files:,} files ({held.landing} in the landing zone) and {held.beliefs / 1e6:.0f} M rows",
        f"{min(full):.3f} s", f"{min(empty):.3f} s", min(full) / min(empty), 2, " x",
    )  # fmt: skip


def crumb(number: int) -> pl.DataFrame:
    """Return a poll's few rows."""
    start = FIRST + timedelta(hours=number % 5000)
    rows = [
        {"series_id": f"bench:load:{number % SERIES:03d}", "event_start": start + timedelta(hours=hour),
         "belief_time": start - timedelta(minutes=number % 50), "value": float(number), "unit": "MW", "source": "poll"}
        for hour in range(24)
    ]  # fmt: skip
    return pl.DataFrame(rows)


def revised(rows: pl.DataFrame, weeks: int, number: int) -> pl.DataFrame:
    """Return a million further statements about events of the lake's middle, some minutes after those it holds."""
    back = timedelta(weeks=-(2 * weeks + 4) + weeks // 2 + number)
    moved = [pl.col(name) + back for name in ("event_start", "event_end")]
    return rows.with_columns(*moved, pl.col("belief_time") + back + timedelta(minutes=7))


def main() -> int:
    """Run the benchmark; exit 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="4 weeks instead of 52, no second year, 100 small files")
    parser.add_argument("--no-postgres", action="store_true", help="leave PostgreSQL out")
    parser.add_argument(
        "--crowded", action="store_true", help="hold compaction back from the small files: all stay live"
    )
    parser.add_argument("--times", type=int, default=5, help="turns a question is asked")
    options = parser.parse_args()
    weeks, crowd = (4, 100) if options.small else (52, 10_000)
    folder = Path(tempfile.mkdtemp(prefix="tailrace-bench-"))
    folder.chmod(0o755)
    report = Report()
    print(f"load average before: {os.getloadavg()}, {os.cpu_count()} cores")
    print("| what | lake | beside it | figure | limit | met |\n| --- | --- | --- | --- | --- | --- |")
    try:
        run(report, folder, weeks=weeks, crowd=crowd, options=options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"load average after: {os.getloadavg()}; missed: {', '.join(report.missed) or 'none'}")
    return 1 if report.missed and not options.small else 0  # the limits are those of the full size


def run(report: Report, folder: Path, *, weeks: int, crowd: int, options: argparse.Namespace) -> None:
    """Build the lakes, ask, and print."""
    lake = Lake(folder / "year", now=SystemClock().now)
    week_lake = Lake(folder / "week", now=SystemClock().now)
    load(week_lake, range(1))
    week_lake.compact()
    if options.no_postgres:
        load(lake, range(weeks))
        compacted(report, lake)
        ask_both(report, lake, None, weeks, options.times)
    else:
        (folder / "pg").mkdir()
        with postgres(folder / "pg", cache_mb=4096) as server:
            load(lake, range(weeks), server)
            server.index()
            compacted(report, lake)
            ask_both(report, lake, server, weeks, options.times)
        shutil.rmtree(folder / "pg")
    ask_alone(report, lake, week_lake, weeks, options.times)
    if not options.small:
        load(lake, range(weeks, 2 * weeks))
        compacted(report, lake)
        ask_large(report, lake, 2 * weeks, options.times)
    ask_writes(report, folder, lake, weeks, crowd=crowd, crowded=options.crowded)


def compacted(report: Report, lake: Lake) -> None:
    """Compact what has landed and report how fast."""
    took = time.perf_counter()
    done = lake.compact()
    took = time.perf_counter() - took
    speed = done.rows / took / 1e6
    report.line(
        f"compaction of {done.rows / 1e6:.0f} M rows", f"{speed:.2f} M rows/s", "-", 3 / speed, 1, " x 1/(3 M/s)"
    )


def ask_large(report: Report, lake: Lake, weeks: int, times: int) -> None:
    """Measure the reads of 100 M rows, and the bytes they take."""
    middle = FIRST + weeks // 2 * WEEK + BETWEEN_FILES
    one, _ = turns(as_of(lake, middle, middle + WEEK, middle + WEEK), None, times)
    report.line("100 M rows: as of, one week", f"{one:.3f} s", "-", one, 0.15, " s")
    day = {"start": middle, "end": middle + timedelta(days=1)}
    before, after = (Cutoffs(at=middle + timedelta(hours=hour), mode=Mode.PUBLISHED) for hour in (-12, 6))
    two, _ = turns(lambda: lake.diff("*", **day, before=before, after=after), None, times)
    report.line("100 M rows: difference of two instants, one day", f"{two:.3f} s", "-", two, 0.3, " s")
    held = lake.status()
    report.line("bytes on disk a row", f"{held.size_bytes / held.beliefs:.2f}", "-", held.size_bytes / held.beliefs, 10)


if __name__ == "__main__":
    sys.exit(main())
