"""`tailrace load`: downloaded payloads into the lake, or into a file of canonical rows.

Put here: options, which file failed and why, the table of what was loaded. Keep out: what payloads mean
(resources/payloads) and how rows are stored (resources/lake).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from domain.errors import InputError
from domain.instants import iso, parse_instant

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

_STANDARD_OUTPUT: Final = "-"


@dataclass(frozen=True, slots=True)
class Loaded:
    """One file that could be read.

    Attributes:
        path: The file.
        rows: Its canonical rows.
        added: How many of them the lake did not know; None where they were only written.
    """

    path: Path
    rows: pl.DataFrame
    added: int | None = None


def load(
    service: Annotated[str, typer.Argument(help="pi, ercot, yes, caiso, cnrfc, hydroforecast or awards")],
    files: Annotated[
        list[Path], typer.Argument(help="Downloaded payloads: zip, csv, json, xml or html", metavar="FILE...")
    ],
    product: Annotated[
        str | None,
        typer.Option(
            help="What the files hold, where names and content do not say: NP6-905, hefs_hourly, a PI path:kind"
        ),
    ] = None,
    issue: Annotated[
        str | None,
        typer.Option(help="When they were published, ISO-8601 with an offset; for cnrfc the nominal hour of the issue"),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            help="A fact the files leave out, KEY=VALUE, repeatable: timezone=GMT, iso=CAISO, point=BRGC1, unit=cfs"
        ),
    ] = None,
    out: Annotated[
        str | None, typer.Option(help="Write the rows here (.parquet, .csv, - for CSV) and store nothing")
    ] = None,
) -> None:
    """Read payload files into canonical rows and append them to the lake, or write them with --out.

    Values come in cfs, af, ft, MW, MWh, USD/MWh, USD/MW (capacity, per MW per hour) and degC. belief_time is the
    vendor's own stamp; without one, a dated rule of the product, such as 13:30 Central on the day before for day-ahead
    prices (belief_basis says which); without a rule, the moment of loading: a file's own date says nothing that can be
    trusted. recorded_at is now.

    A file that cannot be read is left out whole and the others are stored; the command then lists every such file and
    exits with 2. With --out a file that cannot be read means that nothing is written.
    """
    from pipelines.wiring import clock

    now = clock().now()
    published = parse_instant(issue, what="--issue") if issue else None
    options = dict(_pair(text) for text in option or [])
    loaded: list[Loaded] = []
    failures: list[str] = []
    for path in files:
        try:
            payload = _bytes_of(path)
            rows = _parsed(service, payload, path, now=now, product=product, issue=published, options=options)
            added = None if out else _stored(service, payload, path, rows, now=now)
            loaded.append(Loaded(path, rows, added))
        except InputError as error:
            failures.append(f"{path}: {error}")
    if out and loaded and not failures:
        _written([one.rows for one in loaded], out)
    if loaded and not (out and failures):
        _print(loaded, to_stderr=out == _STANDARD_OUTPUT)
    if failures:
        kept = f"{len(loaded)} of {len(files)} file(s) loaded; " if loaded and not out else "nothing was stored; "
        raise InputError(kept + "not loaded: " + "\n  ".join(["", *failures]))


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise InputError(f"--option {text!r} is no fact; write KEY=VALUE, such as timezone=GMT")
    return key.strip(), value.strip()


def _bytes_of(path: Path) -> bytes:
    """Return a file's bytes, refusing what is too large before it is read, and devices that never end."""
    from resources.payloads.envelope import MAX_PAYLOAD_BYTES

    try:
        if not path.is_file():
            raise InputError("no such file" if not path.exists() else "not a regular file")
        size = path.stat().st_size
        if size > MAX_PAYLOAD_BYTES:
            raise InputError(f"it has {size:,} bytes; the limit is {MAX_PAYLOAD_BYTES:,}; split it")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror or error}") from None


def _parsed(
    service: str,
    payload: bytes,
    path: Path,
    *,
    now: datetime,
    product: str | None,
    issue: datetime | None,
    options: dict[str, str],
) -> pl.DataFrame:
    from resources.payloads import Facts
    from resources.payloads.registry import parse

    facts = Facts(fetched_at=now, name=path.name, product=product, issue=issue, options=options)
    return parse(service, payload, facts)


def _stored(service: str, payload: bytes, path: Path, rows: pl.DataFrame, *, now: datetime) -> int:
    """Keep the bytes and append the rows; return how many of them were new."""
    from pipelines.wiring import open_lake

    if not rows.height:
        return 0
    lake = open_lake()
    sha256 = lake.put_raw(payload, source=service, name=path.name, fetched_at=now)
    appended = lake.append(rows, run_id=f"load-{sha256[:12]}", product=f"load/{service}", what=path.name)
    return appended.rows_added


def _written(frames: list[pl.DataFrame], out: str) -> None:
    import polars as pl

    from resources.table_files import write_table

    write_table(pl.concat(frames), out)


def _print(loaded: list[Loaded], *, to_stderr: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_lines=True)
    table.add_column("file", overflow="fold", ratio=3)
    table.add_column("rows", overflow="fold", ratio=2)
    table.add_column("events and when they were believed (UTC)", overflow="fold", ratio=5)
    for one in loaded:
        table.add_row(one.path.name, *_summary(one))
    Console(stderr=to_stderr).print(table)


def _summary(one: Loaded) -> tuple[str, str]:
    """Return how much a file held, and of when."""
    rows = one.rows
    if not rows.height:
        return "0 rows", "valid and empty: the source had nothing to say"
    count = [f"{rows.height:,} rows", f"{rows['series_id'].n_unique():,} series"]
    if one.added is not None:
        count.insert(1, f"{one.added:,} new")
    if worse := rows.filter(rows["quality"] != "good").height:
        count.append(f"{worse:,} not good")
    first, last = rows["event_start"].sort()[0], rows["event_end"].sort()[-1]
    believed = rows["belief_time"].unique().sort()
    since = iso(believed[0]) if len(believed) == 1 else f"{iso(believed[0])} .. {iso(believed[-1])}"
    basis = ", ".join(rows["belief_basis"].unique().sort())
    return "\n".join(count), f"{iso(first)} .. {iso(last)}\n{since}\n({basis})"
