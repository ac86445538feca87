"""How fast a day of ERCOT real-time prices (NP6-905: 1,130 points, 96 quarter hours) becomes rows, beside gridstatus.

Run: ``.venv/bin/python benchmarks/parse.py [--peer PYTHON]``. Both read the same bytes, in turns, in one run:

* ``documents``: the day as MIS posts it, 96 zipped CSVs; ours come as one bulk download (a zip of these zips).
* ``one table``: the day as one CSV.

The peer is gridstatus 0.37.0 (pandas), as its ``get_spp`` goes once documents are there: ``pd.read_csv`` and
``parse_doc`` of each, ``pd.concat``, ``_finalize_spp_df``. Its list of nodes, which it would download, is handed
to it; it names points and local times, without series ids, units, belief times or checks. It is installed into an
environment of its own, unless ``--peer`` names a Python that has it. The page of the row API is ours alone: the peer
reads those through other code.
"""

from __future__ import annotations

import argparse
import io
import random
import statistics
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from resources.payloads import Facts
from resources.payloads.registry import parse

POINTS, ROUNDS = 1130, 9
PEER = "gridstatus==0.37.0"
HEADER = (
    "DeliveryDate,DeliveryHour,DeliveryInterval,SettlementPointName,SettlementPointType,SettlementPointPrice,DSTFlag"
)
FIELDS = "deliveryDate deliveryHour deliveryInterval settlementPoint settlementPointType settlementPointPrice DSTFlag"
NOW = datetime(2026, 8, 16, tzinfo=UTC)

PEER_PROGRAM = """
import io, sys, time, warnings, zipfile
warnings.filterwarnings("ignore")
import pandas as pd
from gridstatus import Ercot, Markets
ercot = Ercot()
nodes = pd.DataFrame({"RESOURCE_NODE": [f"POINT_{n}_RN" for n in range(int(sys.argv[3]))]})
ercot._get_settlement_point_mapping = lambda **_: nodes
def finished(rows):
    return ercot._finalize_spp_df(rows, market=Markets.REAL_TIME_15_MIN, locations="ALL", location_type="ALL")
with zipfile.ZipFile(sys.argv[1]) as bulk:
    documents = [bulk.read(name) for name in bulk.namelist()]
table = open(sys.argv[2], "rb").read()
def by_documents():
    parsed = [ercot.parse_doc(pd.read_csv(io.BytesIO(each), compression="zip")) for each in documents]
    return finished(pd.concat(parsed).reset_index(drop=True))
def by_table():
    return finished(ercot.parse_doc(pd.read_csv(io.BytesIO(table))))
ways = {"documents": by_documents, "one table": by_table}
print("ready", flush=True)
for line in sys.stdin:
    began = time.perf_counter()
    rows = len(ways[line.strip()]())
    print(time.perf_counter() - began, rows, flush=True)
"""


def day() -> tuple[bytes, bytes, bytes]:
    """Return the day as a bulk download of 96 documents, as one CSV, and as a page of the row API."""
    chance = random.Random(905)  # noqa: S311 - prices, not secrets
    bulk, rows = io.BytesIO(), []
    with zipfile.ZipFile(bulk, "w") as outer:
        for number in range(96):
            hour, interval = number // 4 + 1, number % 4 + 1
            part = [(hour, interval, f"POINT_{n}_RN", chance.randint(-2000, 20000) / 100) for n in range(POINTS)]
            rows += part
            stamp = f"20260814.{(number + 1) // 4 % 24:02d}{(number + 1) % 4 * 15:02d}02"
            name = f"cdr.00012301.0000000000000000.{stamp}.SPPHLZNP6905"
            inner = io.BytesIO()
            with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as document:
                document.writestr(f"{name}.csv", csv_of(part))
            outer.writestr(f"{1_000_000 + number}.{name}_csv.zip", inner.getvalue())
    page = {
        "_meta": {"totalRecords": len(rows), "totalPages": 1},
        "report": {"reportEMIL": "NP6-905-CD"},
        "fields": [{"name": name} for name in FIELDS.split()],
        "data": [["2026-08-14", hour, interval, point, "RN", price, False] for hour, interval, point, price in rows],
    }
    return bulk.getvalue(), csv_of(rows), orjson.dumps(page)


def csv_of(rows: list[tuple[int, int, str, float]]) -> bytes:
    """Return rows as a document of the product."""
    lines = [f"08/14/2026,{hour},{interval},{point},RN,{price},N" for hour, interval, point, price in rows]
    return "\n".join([HEADER, *lines, ""]).encode()


@contextmanager
def peer(python: str, bulk: Path, table: Path) -> Iterator[Callable[[str], float]]:
    """Yield a function that lets the peer parse the day one way and returns its seconds."""
    command = [python, "-c", PEER_PROGRAM, str(bulk), str(table), str(POINTS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

        def seconds(way: str) -> float:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{way}\n")
            process.stdin.flush()
            took, rows = process.stdout.readline().split()
            assert int(rows) == 96 * POINTS
            return float(took)

        yield seconds
        process.stdin.close()


def ours(payload: bytes) -> float:
    """Return the seconds in which we parse a payload."""
    began = time.perf_counter()
    rows = parse("ercot", payload, Facts(fetched_at=NOW))
    took = time.perf_counter() - began
    assert rows.height == 96 * POINTS
    return took


def peer_python(folder: Path) -> str:
    """Install the peer into an environment of its own; return its Python."""
    print(f"installing {PEER} into an environment of its own", flush=True)
    venv.create(folder / "peer", with_pip=True)
    python = str(folder / "peer" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", PEER], check=True)  # noqa: S603 - ours
    return python


def main() -> None:
    """Measure in turns and print medians, best rounds and ratios."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--peer", help="a Python in which the peer is installed")
    chosen = arguments.parse_args().peer
    bulk, table, page = day()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bulk.zip").write_bytes(bulk)
        (folder / "table.csv").write_bytes(table)
        python = chosen or peer_python(folder)
        times: dict[str, list[float]] = {}
        with peer(python, folder / "bulk.zip", folder / "table.csv") as theirs:
            for _ in range(ROUNDS):
                for way, payload in (("documents", bulk), ("one table", table)):
                    times.setdefault(f"{way} ours", []).append(ours(payload))
                    times.setdefault(f"{way} peer", []).append(theirs(way))
                times.setdefault("API page ours", []).append(ours(page))
    print(f"NP6-905, one day: {96 * POINTS:,} rows; {ROUNDS} rounds in turns, ms")
    print(f"{'':22}{'ours':>10}{'gridstatus':>12}{'ratio':>8}")
    # The best round is what a machine without other work gives; the median is what this one gave.
    for told, chosen in (("median", statistics.median), ("best", min)):
        took = {key: chosen(values) * 1000 for key, values in times.items()}
        for way in ("documents", "one table"):
            mine, other = took[f"{way} ours"], took[f"{way} peer"]
            print(f"{way + ', ' + told:22}{mine:10.1f}{other:12.1f}{other / mine:7.1f}x")
        print(f"{'API page, ' + told:22}{took['API page ours']:10.1f}{'-':>12}{'-':>8}")


if __name__ == "__main__":
    main()
