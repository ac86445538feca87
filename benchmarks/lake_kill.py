"""Kill the lake's users at random, then count: nothing acknowledged is lost, nothing is doubled, nothing half-read.

``python -m benchmarks.lake_kill`` runs 8 writers, 4 readers and a compaction for 60 s over one lake and kills one of
them with signal 9 every second, at instants drawn from a seed. Writers all state their own series and one that
they share; each notes a batch only after ``append`` returned. Readers hold every answer against those notes. In the
end ``verify`` must be clean and every noted batch be there once. Exits 1 otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from domain.beliefs import Cutoffs, Mode
from resources.clock import SystemClock
from resources.lake import Lake
from resources.lake.compaction import Compacted

FIRST = datetime(2026, 11, 1, tzinfo=UTC)
WINDOW = {"start": FIRST, "end": FIRST + timedelta(days=2)}
EVENTS = 24
SHARED = "kill:shared"


def lake_at(folder: Path) -> Lake:
    """Return the lake under test."""
    return Lake(folder / "lake", now=SystemClock().now)


def batch(writer: int, number: int) -> pl.DataFrame:
    """Return batch ``number`` of a writer: a day of its own series, and the same of the one all writers state."""
    stated = FIRST - timedelta(days=30) + timedelta(minutes=number)
    rows = [
        {
            "series_id": series,
            "event_start": FIRST + timedelta(hours=hour),
            "belief_time": stated,
            "value": float(number * 100 + hour),
            "unit": "MW",
            "source": "kill",
        }
        for series in (f"kill:{writer}", SHARED)
        for hour in range(EVENTS)
    ]
    return pl.DataFrame(rows)


def noted(folder: Path, writer: int) -> int:
    """Return how many batches a writer has noted as stored."""
    path = folder / f"noted-{writer}"
    return path.stat().st_size if path.exists() else 0


def write(folder: Path, writer: int) -> None:
    """Append batches until told to stop; one byte in the note file for each that was acknowledged."""
    lake = lake_at(folder)
    with (folder / f"noted-{writer}").open("ab", buffering=0) as note:
        while not (folder / "stop").exists():
            number = noted(folder, writer)
            lake.append(
                batch(writer, number), run_id=f"w{writer}-{number}", product="kill", window=(FIRST, WINDOW["end"])
            )
            note.write(b".")


def read(folder: Path, writers: int, reader: int) -> None:
    """Read until told to stop and write down every answer that cannot be true."""
    lake = lake_at(folder)
    with (folder / f"wrong-{reader}").open("a", buffering=1) as wrong:
        while not (folder / "stop").exists():
            acknowledged = {writer: noted(folder, writer) for writer in range(writers)}
            pin = lake.pin()
            cutoffs = Cutoffs(at=FIRST, mode=Mode.PUBLISHED, recorded_before=pin)
            first = lake.as_of("kill:*", **WINDOW, cutoffs=cutoffs)
            if not first.equals(lake.as_of("kill:*", **WINDOW, cutoffs=cutoffs)):
                wrong.write(f"a read pinned at {pin} changed\n")
            for writer, count in acknowledged.items():
                told = first.filter(pl.col("series_id") == f"kill:{writer}")
                numbers = (told["value"] // 100).unique().to_list()
                if count and (told.height != EVENTS or len(numbers) != 1 or numbers[0] < count - 1):
                    wrong.write(f"writer {writer} had noted {count}, a read saw {told.height} rows of {numbers}\n")


def tidy(folder: Path) -> None:
    """Compact, and collect garbage older than a read can take, until told to stop."""
    lake = lake_at(folder)
    number = 0
    while not (folder / "stop").exists():
        number += 1
        done: Compacted = lake.compact(fully=number % 5 == 0)
        lake.gc(grace=timedelta(seconds=20))
        time.sleep(0.05 if done.files_before else 0.2)


@dataclass
class Crew:
    """The processes at work, and how to replace one that was killed."""

    folder: Path
    roles: list[list[str]]
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)

    def start(self, place: int) -> None:
        """Start the process of one place."""
        command = [sys.executable, "-m", "benchmarks.lake_kill", "--folder", str(self.folder), *self.roles[place]]
        log = (self.folder / f"log-{place}").open("ab")
        environment = {**os.environ, "POLARS_MAX_THREADS": "1"}  # noqa: TID251 - handed to a child
        root = Path(__file__).resolve().parent.parent
        self.processes[place] = subprocess.Popen(command, cwd=root, stderr=log, env=environment)  # noqa: S603
        log.close()

    def replace(self, place: int) -> None:
        """Kill the process of one place with signal 9 and start another."""
        process = self.processes[place]
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            self.kills[self.roles[place][1]] += 1
        elif process.returncode:
            self.failed.append(f"{' '.join(self.roles[place])} ended by itself with {process.returncode}")
        process.wait()
        self.start(place)

    def finish(self) -> None:
        """Let everyone end what they are doing."""
        (self.folder / "stop").touch()
        for place, process in self.processes.items():
            if process.wait(timeout=600):
                text = (self.folder / f"log-{place}").read_text()[-600:]
                self.failed.append(f"{' '.join(self.roles[place])} ended with {process.returncode}: {text}")


def wrongs(folder: Path, writers: int) -> list[str]:
    """Return what is wrong with the lake now that all is quiet."""
    found = [line for path in folder.glob("wrong-*") for line in path.read_text().splitlines()]
    lake = lake_at(folder)
    found += lake.verify().problems
    for writer in range(writers):
        told = lake.history(f"kill:{writer}", event_start=FIRST)
        stated = told["belief_time"].to_list()
        acknowledged = noted(folder, writer)
        expected = [FIRST - timedelta(days=30) + timedelta(minutes=number) for number in range(len(stated))]
        if stated != expected or not acknowledged <= len(stated) <= acknowledged + 1:
            found.append(f"writer {writer} noted {acknowledged} batches; the lake holds {len(stated)}, or with holes")
    shared = lake.history(SHARED, event_start=FIRST)["belief_time"]
    if shared.is_duplicated().any():
        found.append("the series that all writers state holds a belief twice")
    return found


def rehearse(*, seconds: float, kills: int, writers: int, readers: int, seed: int, folder: Path) -> dict[str, object]:
    """Run the whole thing and return what happened."""
    draw = random.Random(seed)  # noqa: S311 - repeatable on purpose
    roles = [["--role", "writer", "--number", str(n)] for n in range(writers)]
    roles += [["--role", "reader", "--number", str(n), "--writers", str(writers)] for n in range(readers)]
    roles += [["--role", "compaction"]]
    crew = Crew(folder, roles)
    for place in range(len(roles)):
        crew.start(place)
    while not all(noted(folder, writer) for writer in range(writers)):  # a busy machine takes a while to start them
        time.sleep(0.05)
        crew.failed += [" ".join(crew.roles[place]) for place, one in crew.processes.items() if one.poll()]
        if crew.failed:
            break
    begun = time.monotonic()
    for instant in sorted(draw.uniform(0.1, 1.0) * seconds for _ in range(kills)):
        time.sleep(max(0.0, begun + instant - time.monotonic()))
        crew.replace(draw.randrange(len(roles)))
    time.sleep(max(0.0, begun + seconds - time.monotonic()))
    crew.finish()
    status = lake_at(folder).status()
    return {
        "seconds": round(time.monotonic() - begun, 1),
        "kills": dict(crew.kills),
        "commits": status.sequence,
        "beliefs": status.beliefs,
        "files": status.files,
        "noted": sum(noted(folder, writer) for writer in range(writers)),
        "wrong": [*crew.failed, *wrongs(folder, writers)],
    }


def main() -> int:
    """Run one role, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long [s]")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--readers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--folder", type=Path, help="where; default a temporary folder")
    parser.add_argument("--role", choices=["writer", "reader", "compaction"], help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role == "writer":
        write(options.folder, options.number)
    elif options.role == "reader":
        read(options.folder, options.writers, options.number)
    elif options.role == "compaction":
        tidy(options.folder)
    else:
        with tempfile.TemporaryDirectory() as made:
            happened = rehearse(
                seconds=options.seconds,
                kills=options.kills,
                writers=options.writers,
                readers=options.readers,
                seed=options.seed,
                folder=options.folder or Path(made),
            )
        print(json.dumps(happened, indent=2))
        return 1 if happened["wrong"] else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
