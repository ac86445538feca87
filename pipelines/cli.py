"""The command line: `tailrace`.

Put here: which commands there are, and what an error becomes: 2 for bad input, 3 for a refused or infeasible problem,
1 for the rest. Keep out: the commands themselves (pipelines/commands/).
"""

from __future__ import annotations

import sys
from typing import Final

import typer

from domain.errors import InfeasibleError, InputError, TailraceError
from pipelines.commands import (
    afterbay,
    decide,
    fleet,
    fleet_loop,
    lake,
    load,
    operators,
    platform,
    rafting,
    replay,
    reservoir,
    seed,
    sql,
)

app: Final = typer.Typer(
    name="tailrace",
    help="Plans water and batteries: every vintage of every number, one afterbay, ten thousand devices.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
solve: Final = typer.Typer(no_args_is_help=True, help="Optimize from files into files.")
simulate: Final = typer.Typer(invoke_without_command=True, help="Serve the stand-ins, or simulate from files.")
plant: Final = typer.Typer(no_args_is_help=True, help="Look at plant files.")

app.command("run")(platform.run)
app.command("dev")(platform.dev)
app.command("load")(load.load)
app.command("append")(lake.append)
app.command("asof")(lake.asof)
app.command("seed")(seed.seed)
app.command("replay")(replay.replay)
app.command("sql")(sql.sql)
app.command("docs")(sql.docs)
app.command("explain")(afterbay.explain)
app.command("compare")(afterbay.compare)
app.command("what-if")(afterbay.what_if)
app.command("decide")(decide.decide)
app.command("rafting")(rafting.rafting)
app.command("ramp")(rafting.ramp)
app.add_typer(operators.overrides_app, name="overrides")
app.add_typer(operators.parameters_app, name="parameters")
app.add_typer(lake.lake_app, name="lake")
app.add_typer(solve, name="solve")
app.add_typer(simulate, name="simulate")
app.add_typer(plant, name="plant")
app.add_typer(fleet.fleet_app, name="fleet")
fleet.fleet_app.command("show")(fleet_loop.show)
fleet.fleet_app.command("retire")(fleet_loop.retire)
fleet.fleet_app.command("schedule")(fleet_loop.schedule)
fleet.fleet_app.command("listen")(fleet_loop.listen)
solve.command("fleet")(fleet.solve_fleet)
solve.command("ancillary")(fleet.solve_ancillary)
solve.command("reservoir")(reservoir.solve_reservoir)
simulate.callback()(platform.simulate)
simulate.command("reservoir")(reservoir.simulate_reservoir)
plant.command("check")(reservoir.plant_check)
plant.command("backtest")(reservoir.plant_backtest)


def main() -> None:
    """Run a command and leave with the exit code its outcome has."""
    try:
        app()
    except InputError as error:
        _leave(error, 2)
    except InfeasibleError as error:
        _leave(error, 3)
    except TailraceError as error:
        _leave(error, 1)
    except BrokenPipeError:
        sys.exit(0)


def _leave(error: TailraceError, code: int) -> None:
    sys.stderr.write(f"tailrace: {error}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
