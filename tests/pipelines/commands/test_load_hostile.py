"""Files made to harm: each ends in a clear error, in bounded memory and time, and nothing is stored."""

from __future__ import annotations

import gzip
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from resources.payloads.registry import SERVICES
from tests.resources.payloads.wire import zip_of

MB: Final = 1 << 20
LIMIT_MB: Final = 300
HEAD: Final = b"DeliveryDate,HourEnding,SettlementPoint,SettlementPointPrice,DSTFlag\n"
ROW: Final = b"08/14/2026,1:00,LZ_WEST,5,N\n"


def overlapping() -> bytes:
    """A zip whose 1,999 entries all point to one member of 15 MB: 30 GB in 60 kB."""
    raw, name = bytes(15 * MB), b"a.csv"
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed, total = packer.compress(raw) + packer.flush(), zlib.crc32(raw)
    facts = (8, 0, 0, total, len(packed), len(raw), len(name))
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, *facts, 0) + name + packed
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, *facts, 0, 0, 0, 0, 0, 0) + name
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1999, 1999, 1999 * len(entry), len(local), 0)
    return local + 1999 * entry + end


def laughs() -> bytes:
    """Ten entities, each ten of the one before: 3 GB in a kilobyte."""
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    return f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e0 "lol">{entities}]><MarketAwards>&e9;</MarketAwards>'.encode()


FILES: Final[Mapping[str, Callable[[], bytes]]] = {
    "zip bomb.zip": lambda: zip_of({"a.csv": bytes(210 * MB)}),
    "many small bombs.zip": lambda: zip_of({f"{n}.csv": bytes(15 * MB) for n in range(14)}),
    "zip of zips.zip": lambda: zip_of(
        dict.fromkeys([f"{n}.zip" for n in range(14)], zip_of({"a.csv": bytes(15 * MB)}))
    ),
    "overlapping.zip": overlapping,
    "too deep.zip": lambda: zip_of({"a.zip": zip_of({"b.zip": zip_of({"c.csv": HEAD + ROW})})}),
    "paths.zip": lambda: zip_of({"/etc/a.csv": b"x", "../../b.csv": b"y", "..\\c.csv": b"z"}),
    "too many.zip": lambda: zip_of({f"{n}.csv": b"" for n in range(2_001)}),
    "gzip.csv": lambda: gzip.compress(bytes(32 * MB)),
    "columns.csv": lambda: b",".join(b"c%d" % n for n in range(1_000_000)) + b"\n",
    "wide row.csv": lambda: HEAD + b"1," * 1_000_000 + b"1\n",
    "one line.csv": lambda: b"x" * (30 * MB),
    "one row.csv": lambda: HEAD + b"x" * (20 * MB),
    "one quoted row.csv": lambda: HEAD + b'"' + b"x," * (10 * MB),
    "quotes.csv": lambda: HEAD + b'"' * (20 * MB),
    "delimiters.csv": lambda: HEAD + b"," * (20 * MB),
    "blank lines.csv": lambda: HEAD + b"\n" * (20 * MB),
    "blank rows.csv": lambda: HEAD + b",,,,\n" * (5 * MB),
    "returns.csv": lambda: HEAD + b"\r" * (20 * MB),
    "NUL.csv": lambda: HEAD + bytes(20 * MB),
    "UTF-16 cut.csv": lambda: (HEAD + ROW).decode().encode("utf-16")[:-1],
    "Latin-1.csv": lambda: HEAD + ROW.replace(b"WEST", b"W\xe9ST"),
    "deep.json": lambda: b"[" * 1_000_000,
    "deep objects.json": lambda: b'{"a":' * 1_000_000 + b"1" + b"}" * 1_000_000,
    "lists.json": lambda: b'{"Items":[' + b"[]," * (5 * MB) + b"[]]}",
    "objects.json": lambda: b'{"Items":[' + b"{}," * (5 * MB) + b"{}]}",
    "numbers.json": lambda: b"[" + b"0," * (12 * MB) + b"0]",
    "keys.json": lambda: b'[{"DATETIME":"x"' + b"".join(b',"k%d":1' % n for n in range(2_500_000)) + b"}]",
    "fields.json": lambda: (
        b'{"_meta":{},"fields":[' + b'{"name":"a"},' * 600_000 + b'{"name":"b"}],"data":[[1,2],[3,4]]}'
    ),
    "one key twice.json": lambda: (
        b'{"Items":[{"Timestamp":"2026-08-14T21:00:00Z","Value":1,"Value":2,"Good":true,"UnitsAbbreviation":"cfs"}]}'
    ),
    "not a number.json": lambda: (
        b'{"Items":[{"Timestamp":"2026-08-14T21:00:00Z","Value":NaN,"Good":true,"UnitsAbbreviation":"cfs"}]}'
    ),
    "huge number.json": lambda: (
        b'{"Items":[{"Timestamp":"2026-08-14T21:00:00Z","Value":1e999,"Good":true,"UnitsAbbreviation":"cfs"}]}'
    ),
    "laughs.xml": laughs,
    "laughs.zip": lambda: zip_of({"INVALID_REQUEST.xml": laughs()}),
    "file.xml": lambda: b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><MarketAwards>&x;</MarketAwards>',
    "deep.xml": lambda: b"<a>" * 1_000_000,
    "tags.xml": lambda: b"<MarketAwards>" + b"<a/>" * 1_000_000 + b"</MarketAwards>",
    "page.html": lambda: b"<!doctype html><html>" + b"<tr><td>" * MB,
}
"""Each is harmless to no service: every one of them must refuse it."""

PROGRAM: Final = """
import json, resource, sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from domain.errors import InputError
from pipelines.commands.load import _bytes_of
from resources.payloads import Facts
from resources.payloads.registry import parse
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
options = {"path": "OPS/R4|Flow", "kind": "recorded", "timezone": "GMT", "iso": "CAISO", "agglevel": "hour"}
def peak_kib():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
def rest_kib():
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on
    return peak_kib()
for service in sys.argv[2:]:
    import_module(f"resources.payloads.{service}")
    for path in sorted(Path(sys.argv[1]).iterdir()):
        before, told = rest_kib(), None
        try:
            facts = Facts(fetched_at=datetime(2026, 11, 1, tzinfo=UTC), name=path.name, options=options)
            parse(service, _bytes_of(path), facts)
        except InputError as error:
            told = str(error)
        print(json.dumps([service, path.name, told, (peak_kib() - before) >> 10]), flush=True)
"""


class Judged(NamedTuple):
    """What one parser made of one file: its refusal, and by how much the process grew meanwhile."""

    service: str
    name: str
    told: str | None
    grown_mb: int


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files."""
    made = tmp_path_factory.mktemp("hostile")
    for name, content in FILES.items():
        (made / name).write_bytes(content())
    return made


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak of one call")
def test_every_parser_refuses_every_file_in_bounded_memory_and_time(folder: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(folder), *SERVICES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    judged = [Judged(*json.loads(line)) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"ended by {-done.returncode} after {judged[-1:]}: {done.stderr[-500:]}"
    assert len(judged) == len(FILES) * len(SERVICES)
    assert [one for one in judged if one.told is None] == []
    assert [one for one in judged if not 20 < len(one.told or "") < 800] == []
    assert [one for one in judged if one.grown_mb > LIMIT_MB] == []


def test_the_command_ends_with_2_names_each_file_and_stores_nothing(folder: Path, tmp_path: Path) -> None:
    names = ["zip bomb.zip", "columns.csv", "deep.json", "laughs.xml", "one line.csv"]
    tailrace = [
        str(Path(sys.executable).with_name("tailrace")),
        "load",
        "ercot",
        *(str(folder / name) for name in names),
    ]
    home = tmp_path / "home"
    done = subprocess.run(
        tailrace, capture_output=True, text=True, check=False, env={"TAILRACE_HOME": str(home), "PATH": "/usr/bin:/bin"}
    )
    assert done.returncode == 2
    assert all(name in done.stderr for name in names)
    assert "nothing was stored" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (home / "lake").exists()
