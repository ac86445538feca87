"""What ERCOT's grid and markets tell beside the prices that plans rest on, one asset a product family.

Put here: product families of ERCOT's Public API and its archive. Keep out: its public pages (ingest_live.py).
"""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Final

import dagster as dg

from assets.door import COMPLETE, FRESH, GROUP, ORDER, day_ahead_end, door_of, result, specs, window_of
from assets.partitions import DAYS
from resources.clock import Clock
from resources.ercot import ErcotClient
from resources.ercot_archive import ErcotArchiveClient
from resources.ercot_history import rows_or_archive
from resources.http import Read
from resources.lake import Lake
from resources.planning import PlanningReader
from resources.sources_file import Sources

_RUN_AS_ONE: Final = dg.BackfillPolicy.single_run()


@dg.asset(
    key=[GROUP, "ercot_sced_prices"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="ercot", owners=["team:market-data"], kinds={"python", "parquet"},
    check_specs=specs("ercot_sced_prices", ORDER, FRESH),
)  # fmt: skip
def ercot_sced_prices(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    ercot: dg.ResourceParam[ErcotClient],
    ercot_archive: dg.ResourceParam[ErcotArchiveClient],
    planning: dg.ResourceParam[PlanningReader],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """Locational prices of every dispatch run at the configured points, about every five minutes [USD/MWh]."""
    door = door_of(context, clock, lake, planning, sources, "ercot_sced")
    start, end = window_of(context, clock, sources.reread["ercot_sced"].poll)
    reads = _rows("NP6-788-CD", (start, end), ercot, ercot_archive, clock)
    return result(context, door.take_in(reads, run_id=context.run_id))


@dg.asset(
    key=[GROUP, "ercot_wind_solar"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="ercot", owners=["team:market-data"], kinds={"python", "parquet"},
    check_specs=specs("ercot_wind_solar", ORDER),
)  # fmt: skip
def ercot_wind_solar(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    ercot: dg.ResourceParam[ErcotClient],
    ercot_archive: dg.ResourceParam[ErcotArchiveClient],
    planning: dg.ResourceParam[PlanningReader],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """Wind and solar, every hourly posting: what was generated and the forecasts, as separate series [MW]."""
    door = door_of(context, clock, lake, planning, sources, "ercot_wind_solar")
    window = window_of(context, clock, sources.reread["ercot_wind_solar"].poll)

    def both() -> Iterator[Read]:
        for emil in ("NP4-732-CD", "NP4-737-CD"):
            yield from _rows(emil, window, ercot, ercot_archive, clock)

    return result(context, door.take_in(both(), run_id=context.run_id))


@dg.asset(
    key=[GROUP, "ercot_actual_load"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="ercot", owners=["team:market-data"], kinds={"python", "parquet"},
    check_specs=specs("ercot_actual_load", ORDER, COMPLETE, FRESH),
)  # fmt: skip
def ercot_actual_load(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    ercot: dg.ResourceParam[ErcotClient],
    ercot_archive: dg.ResourceParam[ErcotArchiveClient],
    planning: dg.ResourceParam[PlanningReader],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """Hourly load by weather zone, published the morning after the operating day [MW]."""
    door = door_of(context, clock, lake, planning, sources, "ercot_actual_load", complete=True)
    start, end = window_of(context, clock, sources.reread["ercot_actual_load"].poll)
    reads = _rows("NP6-345-CD", (start, end), ercot, ercot_archive, clock)
    return result(context, door.take_in(reads, run_id=context.run_id))


@dg.asset(
    key=[GROUP, "ercot_da_ancillary"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="ercot", owners=["team:market-data"], kinds={"python", "parquet"},
    check_specs=specs("ercot_da_ancillary", ORDER, FRESH),
)  # fmt: skip
def ercot_da_ancillary(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    ercot: dg.ResourceParam[ErcotClient],
    ercot_archive: dg.ResourceParam[ErcotArchiveClient],
    planning: dg.ResourceParam[PlanningReader],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """Day-ahead clearing prices of ancillary services, hourly, tomorrow's included [USD/MW]."""
    door = door_of(context, clock, lake, planning, sources, "ercot_da_ancillary")
    start, end = window_of(context, clock, sources.reread["ercot_da_ancillary"].poll)
    reads = _rows("NP4-188-CD", (start, day_ahead_end(context, end)), ercot, ercot_archive, clock)
    return result(context, door.take_in(reads, run_id=context.run_id))


@dg.asset(
    key=[GROUP, "ercot_rt_ancillary"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="ercot", owners=["team:market-data"], kinds={"python", "parquet"},
    check_specs=specs("ercot_rt_ancillary", ORDER, FRESH),
)  # fmt: skip
def ercot_rt_ancillary(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    ercot: dg.ResourceParam[ErcotClient],
    ercot_archive: dg.ResourceParam[ErcotArchiveClient],
    planning: dg.ResourceParam[PlanningReader],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """Real-time clearing prices of ancillary services, every quarter hour [USD/MW].

    They exist since the market of 2025-12-05, which clears energy and reserves together; before it there are none.
    """
    door = door_of(context, clock, lake, planning, sources, "ercot_rt_ancillary")
    start, end = window_of(context, clock, sources.reread["ercot_rt_ancillary"].poll)
    reads = _rows("NP6-331-CD", (start, end), ercot, ercot_archive, clock)
    return result(context, door.take_in(reads, run_id=context.run_id))


@dg.asset(
    key=[GROUP, "ercot_price_corrections"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="ercot", owners=["team:market-data"], kinds={"python", "parquet"},
    check_specs=specs("ercot_price_corrections", ORDER),
)  # fmt: skip
def ercot_price_corrections(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    ercot: dg.ResourceParam[ErcotClient],
    ercot_archive: dg.ResourceParam[ErcotArchiveClient],
    planning: dg.ResourceParam[PlanningReader],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """Corrected day-ahead and real-time prices by when they were corrected, as scenario ``corrected`` [USD/MWh]."""
    door = door_of(context, clock, lake, planning, sources, "ercot_corrections")
    window = window_of(context, clock, sources.reread["ercot_corrections"].poll)

    def both() -> Iterator[Read]:
        for emil in ("NP4-196-M", "NP4-197-M"):
            yield from _rows(emil, window, ercot, ercot_archive, clock)

    return result(context, door.take_in(both(), run_id=context.run_id))


def _rows(
    emil: str, window: tuple[datetime, datetime], ercot: ErcotClient, archive: ErcotArchiveClient, clock: Clock
) -> Iterator[Read]:
    return rows_or_archive(emil, window, rows=partial(ercot.rows, emil), archive=archive, now=clock.now())
