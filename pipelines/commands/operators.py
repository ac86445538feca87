"""`tailrace overrides` and `tailrace parameters`: what operators keep about the afterbay.

Put here: options and printing. Keep out: the books (resources/operators.py), plans (pipelines/commands/afterbay.py).
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.errors import InputError

if TYPE_CHECKING:
    from datetime import datetime

    from resources.operators import Operators
    from solvers.reservoir.overrides import Edit

overrides_app = typer.Typer(no_args_is_help=True, help="Values operators set by hand: they hold for every plan.")
parameters_app = typer.Typer(no_args_is_help=True, help="Named sets of the plant's numbers and dollars.")

Author = Annotated[str, typer.Option(help="Who says so")]
Reason = Annotated[str, typer.Option(help="Why")]


@overrides_app.command("add")
def add(
    file: Annotated[Path | None, typer.Argument(help="TOML [[override]] or CSV: column, start, end, value")] = None,
    column: Annotated[
        str,
        typer.Option(
            help="setpoint_mw, mfra_mw [MW], r4_flow_cfs, r30_flow_cfs, r20_flow_cfs, bias_cfs [cfs], or a part of the"
            " bias: bias_r4_cfs, bias_r30_cfs, bias_r20_cfs, bias_dispatch_cfs, bias_balance_cfs"
        ),
    ] = "",
    start: Annotated[str, typer.Option(help="From this instant, ISO-8601 with an offset")] = "",
    end: Annotated[str, typer.Option(help="Until this instant, exclusive")] = "",
    value: Annotated[float | None, typer.Option(help="What it shall be, in the column's unit")] = None,
    author: Author = "",
    reason: Reason = "",
) -> None:
    """Set values by hand: from the next decision on they replace forecasts, or fix setpoints [MW].

    Warns where the published plan, with them, would miss a rafting window or could not reach a setpoint.
    """
    from pipelines import wiring
    from resources.operators import told
    from resources.override_files import read_overrides
    from resources.reservoir_run import edit_of

    now = wiring.clock().now()
    if file is not None:
        edits = read_overrides(file, at=now, author=author, reason=reason)
    else:
        said: dict[str, Any] = {"column": column, "start": start, "end": end, "value": value}
        if missing := [name for name, given in said.items() if given in ("", None)]:
            raise InputError(f"give a file, or --{', --'.join(missing)}")
        edits = [edit_of(said | {"author": author, "reason": reason, "at": now.isoformat()})]
    over = [told(edit) for edit in edits if edit.end <= now]
    if over:
        raise InputError(f"its time is over, it would change nothing: {over[0]}")
    with _books() as books:
        numbers = books.add_overrides(edits)
    for number, edit in zip(numbers, edits, strict=True):
        typer.echo(f"{number}: {told(edit)}")
    for line in _consequences(edits, now):
        typer.echo(f"warning: {line}")


@overrides_app.command("list")
def list_overrides(
    everything: Annotated[bool, typer.Option("--all", help="Those withdrawn or over as well")] = False,  # noqa: FBT002 - an option
) -> None:
    """List the values that hold."""
    from pipelines import wiring
    from resources.operators import told

    with _books() as books:
        found = books.overrides(everything=True) if everything else books.overrides()
    now = wiring.clock().now()
    for one in found:
        if one.withdrawn_at is not None:
            state = f"withdrawn by {one.withdrawn_by} at {one.withdrawn_at.isoformat(timespec='minutes')}"
        else:
            state = "over" if one.edit.end <= now else "holds"
        if everything or state == "holds":
            typer.echo(f"{one.number}: {told(one.edit)} ({state})")
    if not found:
        typer.echo("no override holds")


@overrides_app.command("withdraw")
def withdraw(
    number: Annotated[int, typer.Argument(help="Its number, as listed")],
    author: Author,
) -> None:
    """Withdraw a value: plans from now on do without it, those made before keep it."""
    from pipelines import wiring
    from resources.operators import told

    with _books() as books:
        gone = books.withdraw(number, by=author, at=wiring.clock().now())
    typer.echo(f"withdrawn: {told(gone.edit)}")


@parameters_app.command("save")
def save(
    name: Annotated[str, typer.Argument(help="Name of the set")],
    author: Author,
    reason: Reason,
    settings: Annotated[list[str], typer.Option("--set", help="key=value; a weight [USD] or plant constant")],
) -> None:
    """Save numbers under a name; saving again makes the next version, nothing is overwritten."""
    from domain.plant_checks import with_settings
    from pipelines import wiring
    from pipelines.commands.reservoir import settings_of

    chosen = settings_of(settings)
    with_settings(wiring.plant().plant, chosen)
    with _books() as books:
        saved = books.save_parameters(name, chosen, author=author, at=wiring.clock().now(), reason=reason)
    typer.echo(f"{saved.name}@{saved.version}: {len(saved.settings)} number(s)")


@parameters_app.command("list")
def list_parameters() -> None:
    """List the saved sets, every version."""
    with _books() as books:
        found = books.parameter_sets()
    for one in found:
        numbers = ", ".join(f"{key}={value}" for key, value in one.settings.items())
        typer.echo(f"{one.name}@{one.version}  {one.at:%Y-%m-%dT%H:%MZ}  {one.author}: {one.reason}  [{numbers}]")
    if not found:
        typer.echo("no set is saved")


@parameters_app.command("show")
def show(name: Annotated[str, typer.Argument(help="Name, or name@version")]) -> None:
    """Show what a set changes: each number as the plant has it and as the set does."""
    from domain.plant_checks import full_key, settings_of
    from pipelines import wiring

    plant = wiring.plant().plant
    known = settings_of(plant)
    with _books() as books:
        found = books.parameters(name)
    typer.echo(f"{found.name}@{found.version}, {found.author}: {found.reason}")
    for key, value in found.settings.items():
        whole = full_key(known, key)
        typer.echo(f"  {whole}: {known[whole]} -> {value}")


@parameters_app.command("compare")
def compare_sets(
    first: Annotated[str, typer.Argument(help="Name, or name@version")],
    second: Annotated[str, typer.Argument(help="Name, or name@version")],
) -> None:
    """Show which numbers of two sets differ; a dash is the plant's own number."""
    with _books() as books:
        a, b = books.parameters(first), books.parameters(second)
    keys = [key for key in dict.fromkeys([*a.settings, *b.settings]) if a.settings.get(key) != b.settings.get(key)]
    for key in keys:
        typer.echo(f"{key}: {a.settings.get(key, '-')} | {b.settings.get(key, '-')}")
    if not keys:
        typer.echo("the same numbers")


@contextmanager
def _books() -> Generator[Operators]:
    from pipelines import wiring

    books = wiring.open_operators()
    try:
        yield books
    finally:
        books.close()


def _consequences(edits: list[Edit], now: datetime) -> list[str]:
    """Return what the published plan would miss with these values."""
    from domain.errors import TailraceError
    from pipelines import wiring
    from resources.reservoir_ladder import PLAN
    from resources.reservoir_what_ifs import follow, open_version

    current = wiring.publisher().current(PLAN)
    if current is None:
        return ["no plan is published, so nothing could be held against it"]
    try:
        return list(follow(open_version(wiring.open_lake(), current), edits=tuple(edits)).warnings)
    except TailraceError as error:
        return [f"the published plan of {current.as_of:%Y-%m-%dT%H:%MZ} cannot carry it at {now:%H:%MZ}: {error}"]
