"""`tailrace seed`: an example in the lake, to try reads with.

Put here: options and what is told. Keep out: the numbers (domain/example_grid.py).
"""

from __future__ import annotations

from typing import Annotated

import typer

from domain.instants import iso


def seed(
    weeks: Annotated[int, typer.Option(min=1, max=520, help="Weeks of statements, up to the last full hour")] = 1,
    number: Annotated[int, typer.Option("--seed", help="Same seed and hour, same numbers")] = 7,
) -> None:
    """Store the example of 3 grids of 3 regions of 3 nodes, whose hourly load [kW] is stated again every hour.

    Then try: tailrace asof 'grid1:region2:*' with any --at. Appending the same weeks again adds nothing.
    """
    from datetime import timedelta

    from domain.example_grid import evolving_loads
    from domain.instants import floor_hour
    from pipelines.wiring import clock, open_lake

    lake = open_lake()
    end = floor_hour(clock().now()) + timedelta(hours=1)
    added = rows = 0
    for week in range(weeks, 0, -1):
        start = end - timedelta(weeks=week)
        loads = evolving_loads(start, start + timedelta(weeks=1), seed=number + start.toordinal())
        done = lake.append(loads, run_id=f"seed-{number}", product="seed", window=(start, start + timedelta(weeks=1)))
        added, rows = added + done.rows_added, rows + done.rows_in
    span = f"{iso(end - timedelta(weeks=weeks))} to {iso(end)}"
    typer.echo(f"{rows:,} statements made from {span} about grid1:region1:node1 to grid3:region3:node3, {added:,} new")
