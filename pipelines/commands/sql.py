"""`tailrace sql`: the newest warehouse, read-only; `tailrace docs`: the page about it.

Put here: opening it and printing an answer. Keep out: building it (resources/warehouse.py).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain.errors import InputError

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation


def sql(
    query: Annotated[str | None, typer.Argument(help="A query; without one, a prompt opens")] = None,
    output: Annotated[str, typer.Option("--format", help="table, csv, json or parquet (to standard output)")] = "table",
) -> None:
    """Query the warehouse: marts for analysts, built from the lake. It is opened read-only and never blocks a build."""
    if query is None:
        _prompt()
        return
    _answer(query, output)


def docs(
    out: Annotated[Path | None, typer.Option(help="Folder; default docs in TAILRACE_HOME")] = None,
) -> None:
    """Write the page of the warehouse: every mart and column with its unit, and what is made from what."""
    from resources.warehouse import document

    typer.echo(f"{document(out or _home() / 'docs')}")


def _answer(query: str, output: str) -> None:
    import duckdb

    from resources.warehouse import newest

    writers = {"table": _table, "csv": _csv, "json": _json, "parquet": _parquet}
    if output not in writers:
        raise InputError(f"--format {output!r}; known: {', '.join(writers)}")
    quiet: dict[str, str | bool | int | float | list[str]] = {"autoinstall_known_extensions": "false"}
    with duckdb.connect(str(newest(_home())), read_only=True, config=quiet) as connection:
        connection.execute("set search_path = 'marts,staging,main'")
        connection.execute("set timezone = 'UTC'")
        try:
            answer = connection.sql(query)
        except duckdb.Error as error:
            raise InputError(f"the warehouse refuses the query: {error}") from None
        if answer is not None:
            writers[output](answer)


def _prompt() -> None:
    typer.echo("Read-only; end a query with ; and the session with Ctrl-D. `show tables;` lists the marts.")
    lines: list[str] = []
    while True:
        try:
            lines.append(input("tailrace> " if not lines else "     ...> "))
        except EOFError:
            typer.echo()
            return
        if lines[-1].rstrip().endswith(";"):
            try:
                _answer("\n".join(lines), "table")
            except InputError as error:
                typer.echo(str(error), err=True)
            lines = []


def _home() -> Path:
    from pipelines.wiring import settings

    return settings().home


def _table(answer: DuckDBPyRelation) -> None:
    typer.echo(str(answer))


def _csv(answer: DuckDBPyRelation) -> None:
    sys.stdout.write(answer.pl().write_csv())


def _json(answer: DuckDBPyRelation) -> None:
    sys.stdout.write(answer.pl().write_json() + "\n")


def _parquet(answer: DuckDBPyRelation) -> None:
    answer.pl().write_parquet(sys.stdout.buffer)
