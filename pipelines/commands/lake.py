"""`tailrace append`, `tailrace asof` and `tailrace lake`: the store of every vintage of every number.

Put here: options, files in and out, what an operator is told. Keep out: how beliefs are stored (resources/lake).
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from domain.errors import InputError, LakeError
from domain.instants import iso, parse_instant

if TYPE_CHECKING:
    import polars as pl

    from domain.beliefs import Cutoffs
    from resources.lake import Lake

_STANDARD_OUTPUT: Final = "-"
_TABLE_ROWS: Final = 200
_NEAR: Final = 5

lake_app: Final = typer.Typer(no_args_is_help=True, help="Look after the files of the lake.")


def append(
    rows: Annotated[Path, typer.Argument(help="Parquet, or CSV", metavar="ROWS.parquet")],
    *,
    backfill: Annotated[
        bool, typer.Option("--backfill", help="The rows bring recorded_at: old records from another store")
    ] = False,
) -> None:
    """Append an analyst's own rows to the lake, through the checks that every row passes.

    Columns: series_id, event_start, belief_time, value; optional event_end, unit, source, scenario, member, quantile
    (non-exceedance, 0 to 1), quality, rev; with --backfill also recorded_at. Times carry a zone. What is identical to
    the newest revision at the same belief_time adds nothing; another value there is a new revision. rev orders
    revisions of one belief within the file. Without a source the rows are the analyst's. Without a unit (MW, kW, kWh,
    MWh, USD/MWh, USD/MW, cfs, af, ft, degC, 1) it is that of the planning series' id, or of the series in the lake;
    a series of which neither is known is kept as a plain number, and named.
    """
    from pipelines.wiring import open_lake
    from resources.lake.handed import prepare
    from resources.table_files import read_table

    lake = open_lake()
    handed = prepare(read_table(rows, what="rows"), units=lake.units, is_history=backfill, what=rows.name)
    store = lake.append_history if backfill else lake.append
    done = store(handed.rows, run_id=f"append-{rows.name}", product="analyst", what=rows.name)
    typer.echo(
        f"{done.rows_in:,} rows: {done.rows_added:,} new, {done.rows_unchanged:,} already known;"
        f" {done.quantiles_sorted:,} distribution(s) put in order"
    )
    if handed.without_unit:
        named = ", ".join(handed.without_unit[:_NEAR]) + (", ..." if len(handed.without_unit) > _NEAR else "")
        typer.echo(
            f"no unit given nor known for {len(handed.without_unit)} series, kept as plain numbers: {named}", err=True
        )


def asof(
    pattern: Annotated[str, typer.Argument(help="A series id, or a glob with * and ?")] = "*",
    *,
    start: Annotated[str, typer.Option(help="First event_start, ISO-8601 with an offset")],
    end: Annotated[str, typer.Option(help="End of the events, exclusive")],
    at: Annotated[str | None, typer.Option(help="Belief cutoff T, inclusive")] = None,
    mode: Annotated[
        str | None,
        typer.Option(help="seen: belief_time and recorded_at <= T; published: belief_time + the source's latency <= T"),
    ] = None,
    recorded_before: Annotated[
        str | None, typer.Option(help="Recorded cutoff R, inclusive; mode published only, free without it")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="Only series at a place, such as region=region2; again for another level", metavar="LEVEL=NAME"
        ),
    ] = None,
    output: Annotated[
        str | None, typer.Option("--format", help="table, csv or parquet; without it, by the ending of --out")
    ] = None,
    out: Annotated[str | None, typer.Option(help="Write here; - is standard output")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Rows of a page; the mark of the next is told on standard error")
    ] = None,
    after: Annotated[str | None, typer.Option(help="Go on after the page with this mark")] = None,
) -> None:
    """Show what was believed: for every series and event the newest belief within the cutoffs.

    Columns: series_id, event_start, belief_time, recorded_at, value, unit, quality, source, scenario, member,
    quantile (non-exceedance, 0 to 1). Values are in their unit; a retracted value is a row without one.
    """
    cutoffs = _cutoffs(at, mode, recorded_before)
    shape = _format(output, out)
    from pipelines.wiring import open_lake

    lake = open_lake()
    first, last = parse_instant(start, what="--start"), parse_instant(end, what="--end")
    series = _at_places(lake, pattern, where or [])
    if limit is None and after is None:
        answer, mark = lake.as_of(series, start=first, end=last, cutoffs=cutoffs), None
    else:
        page = lake.page(series, start=first, end=last, cutoffs=cutoffs, limit=limit or _TABLE_ROWS, after=after)
        answer, mark = page.rows, page.after
    if answer.is_empty():
        _refuse_unknown(lake, series)
    _write(_rendered(answer, shape), out)
    if mark:
        typer.echo(f"more rows: --after {mark}", err=True)


def _cutoffs(at: str | None, mode: str | None, recorded_before: str | None) -> Cutoffs:
    if at is None or mode is None:
        raise InputError("a cutoff needs both --at and --mode: seen for what we had stored, published for what was out")
    from domain.beliefs import Cutoffs, Mode

    if mode not in list(Mode):
        raise InputError(f"--mode {mode!r}; known: {', '.join(Mode)}")
    before = None if recorded_before is None else parse_instant(recorded_before, what="--recorded-before")
    return Cutoffs(at=parse_instant(at, what="--at"), mode=Mode(mode), recorded_before=before)


def _format(output: str | None, out: str | None) -> str:
    by_ending = {".parquet": "parquet", ".csv": "csv"}
    shape = output or by_ending.get(Path(out).suffix if out else "", "table")
    if shape not in ("table", "csv", "parquet"):
        raise InputError(f"--format {shape!r}; known: table, csv, parquet")
    return shape


def _at_places(lake: Lake, pattern: str, where: list[str]) -> str | list[str]:
    """Return what to read: the pattern, or those of its series that lie at the places asked for."""
    if not where:
        return pattern
    from domain.places import globs

    levels = dict(text.partition("=")[::2] for text in where)
    there = globs(levels)
    if pattern == "*":
        return there
    wanted = set(lake.series(pattern)) & set(lake.series(there))
    if not wanted:
        raise InputError(f"no series matches both {pattern!r} and {', '.join(where)}")
    return sorted(wanted)


def _refuse_unknown(lake: Lake, series: str | list[str]) -> None:
    """Refuse what no stored series matches; an empty window of a known series is an answer."""
    from difflib import get_close_matches

    if lake.series(series):
        return
    known, pattern = lake.series(), series if isinstance(series, str) else series[0]
    near = get_close_matches(pattern, known, n=_NEAR, cutoff=0.4) or known[:_NEAR]
    there = f"near it: {', '.join(near)}" if near else "the lake holds no series yet"
    raise InputError(f"no series matches {pattern!r}; {there}. tailrace lake status counts them all")


def _rendered(answer: pl.DataFrame, shape: str) -> bytes:
    buffer = io.BytesIO()
    if shape == "parquet":
        answer.write_parquet(buffer)
        return buffer.getvalue()
    if shape == "csv":
        answer.write_csv(buffer, datetime_format="%Y-%m-%dT%H:%M:%S%.fZ")
        return buffer.getvalue()
    return _table(answer).encode()


def _table(answer: pl.DataFrame) -> str:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in answer.columns:
        table.add_column(name, overflow="fold", justify="right" if name in ("value", "quantile", "member") else "left")
    for row in answer.head(_TABLE_ROWS).iter_rows():
        table.add_row(*(_cell(value) for value in row))
    text = io.StringIO()
    Console(file=text, width=220).print(table)
    more = answer.height - _TABLE_ROWS
    note = f"{more:,} more rows; --format csv shows all\n" if more > 0 else f"{answer.height:,} rows\n"
    return text.getvalue() + note


def _cell(value: object) -> str:
    from datetime import datetime

    if value is None:
        return "-"
    if isinstance(value, datetime):
        return iso(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _write(content: bytes, out: str | None) -> None:
    if out in (None, _STANDARD_OUTPUT):
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    from resources.lake.files import write_atomically

    try:
        write_atomically(Path(out), content)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror or error}") from None


@lake_app.command("status")
def status() -> None:
    """Show how the lake stands: series, beliefs, files, bytes, newest instants (UTC)."""
    from dataclasses import asdict
    from datetime import datetime

    lake = _lake()
    found = lake.status()
    typer.echo(f"{'folder':16} {lake.root}")
    for name, value in asdict(found).items():
        shown = iso(value) if isinstance(value, datetime) else "-" if value is None else f"{value:,}"
        typer.echo(f"{name:16} {shown}")
    if found.beliefs:
        typer.echo(f"{'bytes a belief':16} {found.size_bytes / found.beliefs:.1f}")


@lake_app.command("compact")
def compact(
    *,
    fully: Annotated[bool, typer.Option("--fully", help="Also month files that overlap or are small")] = False,
) -> None:
    """Merge landing files into month files. Readers and writers need not stop; gc removes what was replaced."""
    done = _lake().compact(fully=fully)
    if done.busy:
        typer.echo("another process is compacting; nothing to do")
    else:
        typer.echo(f"{done.files_before:,} files became {done.files_after:,} with {done.rows:,} beliefs")


@lake_app.command("verify")
def verify() -> None:
    """Re-hash and re-read every file; find damage, doubles, gaps and strays. Exits 1 where something is wrong."""
    found = _lake().verify()
    typer.echo(f"commit {found.sequence:,}: {found.files:,} files, {found.rows:,} beliefs re-read")
    if found.orphans:
        typer.echo(f"{len(found.orphans):,} file(s) nobody refers to; gc removes them: {found.orphans[0]} ...")
    if not found.is_sound:
        raise LakeError("the lake is damaged; restore it from a backup: " + "; ".join(found.problems))
    typer.echo("sound")


@lake_app.command("gc")
def gc(
    grace_h: Annotated[
        float | None, typer.Option("--grace-h", min=0.0, help="Keep what was replaced so recently [h]; else the file's")
    ] = None,
) -> None:
    """Remove what config/lake.toml says need not be kept: raw bytes, and files that a compaction replaced.

    Earlier states of the lake can be read as long as the files that were replaced are kept. Beliefs, plans and what
    devices acknowledged are never removed, nor raw bytes that a stored plan names.
    """
    from datetime import timedelta

    from pipelines.wiring import ROOT, settings
    from resources.lake.retention import Retention, pinned_by

    rules = Retention.read(ROOT / "config" / "lake.toml")
    lake = _lake()
    removed = lake.gc(grace=rules.replaced if grace_h is None else timedelta(hours=grace_h))
    raw = lake.retire_raw(keep=rules.raw, pinned=pinned_by(settings().home / "plans"))
    typer.echo(f"{len(removed):,} replaced file(s) and {raw:,} fetched one(s) removed")


@lake_app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="Where to; one Parquet file a month of events")],
    start: Annotated[str, typer.Option(help="First event_start, ISO-8601 with an offset")] = "1900-01-01T00:00Z",
    end: Annotated[str, typer.Option(help="End of the events, exclusive")] = "2200-01-01T00:00Z",
    pattern: Annotated[str, typer.Option(help="A series id, or a glob with * and ?")] = "*",
) -> None:
    """Write every belief as plain rows; `tailrace append --backfill` reads them back."""
    written = _lake().export(
        folder, pattern=pattern, start=parse_instant(start, what="--start"), end=parse_instant(end, what="--end")
    )
    typer.echo(f"{len(written):,} file(s) in {folder}")


@lake_app.command("backup")
def backup(
    folder: Annotated[Path, typer.Argument(help="Where to; again into the same copies only what is new")],
) -> None:
    """Copy the newest state and the raw bytes while others write, every file checked against its hash."""
    typer.echo(f"{_lake().backup(folder):,} file(s) copied to {folder}")


@lake_app.command("restore")
def restore(folder: Annotated[Path, typer.Argument(help="A folder that a backup was made into")]) -> None:
    """Fill an empty lake from a backup, every file checked against its hash."""
    typer.echo(f"{_lake().restore(folder):,} file(s) restored")


def _lake() -> Lake:
    from pipelines.wiring import open_lake

    return open_lake()
