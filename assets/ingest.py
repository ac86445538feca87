"""Numbers whose truth lies outside us, as their vendors said them: the product families that plans rest on.

Put here: reading a window from a client and handing it to the door. Keep out: anything computed from them, and the
families that plans do not read (ingest_ercot.py, ingest_live.py, ingest_others.py).
"""

from collections.abc import Iterator
from typing import Final

import dagster as dg

from assets.door import (
    AGREE,
    COMPLETE,
    FLAT,
    FRESH,
    GREAT,
    GROUP,
    ORDER,
    RANGE,
    SPIKES,
    day_ahead_end,
    door_of,
    result,
    specs,
    window_of,
)
from assets.partitions import DAYS
from resources.caiso import CaisoClient
from resources.clock import Clock
from resources.ercot import ErcotClient
from resources.ercot_archive import ErcotArchiveClient
from resources.ercot_history import rows_or_archive
from resources.http import Read
from resources.hydroforecast import HydroForecastClient
from resources.lake import Lake
from resources.pi import PiClient
from resources.planning import PlanningReader
from resources.sources_file import Sources

_RUN_AS_ONE: Final = dg.BackfillPolicy.single_run()


@dg.asset(
    key=[GROUP, "historian"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="pi", owners=["team:hydrology"], kinds={"python", "parquet"},
    check_specs=specs("historian", ORDER, COMPLETE, RANGE, SPIKES, FLAT, FRESH, GREAT),
)  # fmt: skip
def historian(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    pi: dg.ResourceParam[PiClient],
    planning: dg.ResourceParam[PlanningReader],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """Gauges, levels, power and settings from the plant's historian: hourly means, and samples of the fast tags.

    Reading a day again appends only what the historian has changed since; what we believed before stays readable.
    """
    door = door_of(context, clock, lake, planning, sources, "pi", complete=True)
    start, end = window_of(context, clock, sources.reread["pi"].poll)
    return result(context, door.take_in(pi.read(start, end), run_id=context.run_id))


@dg.asset(
    key=[GROUP, "ercot_rt_prices"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="ercot", owners=["team:market-data"], kinds={"python", "parquet"},
    check_specs=specs("ercot_rt_prices", ORDER, COMPLETE, RANGE, FRESH, AGREE, GREAT),
)  # fmt: skip
def ercot_rt_prices(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    ercot: dg.ResourceParam[ErcotClient],
    ercot_archive: dg.ResourceParam[ErcotArchiveClient],
    planning: dg.ResourceParam[PlanningReader],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """Real-time settlement point prices of ERCOT's hubs and zones, every quarter hour [USD/MWh]."""
    series = [f"ercot:spp_rt:{point.name}:{point.type}" for point in sources.ercot.points]
    door = door_of(
        context, clock, lake, planning, sources, "ercot_rt", complete=True, others={name: name for name in series}
    )
    window = window_of(context, clock, sources.reread["ercot_rt"].poll)
    reads = rows_or_archive(
        "NP6-905-CD", window, rows=ercot.rt_prices, archive=ercot_archive, now=clock.now(), series=series
    )
    return result(context, door.take_in(reads, run_id=context.run_id))


@dg.asset(
    key=[GROUP, "ercot_da_prices"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="ercot", owners=["team:market-data"], kinds={"python", "parquet"},
    check_specs=specs("ercot_da_prices", ORDER, COMPLETE, RANGE, FRESH, GREAT),
)  # fmt: skip
def ercot_da_prices(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    ercot: dg.ResourceParam[ErcotClient],
    ercot_archive: dg.ResourceParam[ErcotArchiveClient],
    planning: dg.ResourceParam[PlanningReader],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """Day-ahead settlement point prices of ERCOT's hubs and zones, hourly, tomorrow's included [USD/MWh]."""
    door = door_of(context, clock, lake, planning, sources, "ercot_da", complete=True)
    start, end = window_of(context, clock, sources.reread["ercot_da"].poll)
    series = [f"ercot:spp_da:{name}" for name in dict.fromkeys(point.name for point in sources.ercot.points)]
    reads = rows_or_archive(
        "NP4-190-CD",
        (start, day_ahead_end(context, end)),
        rows=ercot.da_prices,
        archive=ercot_archive,
        now=clock.now(),
        series=series,
    )
    return result(context, door.take_in(reads, run_id=context.run_id))


@dg.asset(
    key=[GROUP, "ercot_load_forecast"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="ercot", owners=["team:market-data"], kinds={"python", "parquet"},
    check_specs=specs("ercot_load_forecast", ORDER, RANGE),
)  # fmt: skip
def ercot_load_forecast(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    ercot: dg.ResourceParam[ErcotClient],
    ercot_archive: dg.ResourceParam[ErcotArchiveClient],
    planning: dg.ResourceParam[PlanningReader],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """ERCOT's hourly seven-day load forecasts by model and weather zone, every posting of the day [MW]."""
    door = door_of(context, clock, lake, planning, sources, "ercot_load_forecast")
    reads = rows_or_archive(
        "NP3-565-CD",
        window_of(context, clock, sources.reread["ercot_load_forecast"].poll),
        rows=ercot.load_forecast,
        archive=ercot_archive,
        now=clock.now(),
        series=sources.ercot.load_series,
    )
    return result(context, door.take_in(reads, run_id=context.run_id))


@dg.asset(
    key=[GROUP, "caiso_prices"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="caiso", owners=["team:market-data"], kinds={"python", "parquet"},
    check_specs=specs("caiso_prices", COMPLETE, RANGE, FRESH, GREAT),
)  # fmt: skip
def caiso_prices(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    caiso: dg.ResourceParam[CaisoClient],
    planning: dg.ResourceParam[PlanningReader],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """CAISO prices at the plant's nodes: day-ahead hourly with tomorrow's, and fifteen-minute real time [USD/MWh]."""
    start, end = window_of(context, clock, sources.reread["caiso"].poll)

    def both() -> Iterator[Read]:
        yield from caiso.da_lmp(start, day_ahead_end(context, end))
        yield from caiso.rt_lmp(start, end)

    door = door_of(context, clock, lake, planning, sources, "caiso", complete=True, ordered=False)
    return result(context, door.take_in(both(), run_id=context.run_id))


@dg.asset(
    key=[GROUP, "river_forecasts"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="hydroforecast", owners=["team:hydrology"], kinds={"python", "parquet"},
    check_specs=specs("river_forecasts", ORDER, RANGE),
)  # fmt: skip
def river_forecasts(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    hydroforecast: dg.ResourceParam[HydroForecastClient],
    planning: dg.ResourceParam[PlanningReader],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """River forecasts issued that day: hourly mean and quantiles ten days ahead [cfs]."""
    door = door_of(context, clock, lake, planning, sources, "hydroforecast")
    start, end = window_of(context, clock, sources.reread["hydroforecast"].poll)
    return result(context, door.take_in(hydroforecast.forecasts(start, end), run_id=context.run_id))
