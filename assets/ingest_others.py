"""California's market, licensed prices, public river forecasts and our own awards, one asset a product family.

Put here: families that only checks, analysts and models under trial read. Keep out: what plans rest on (ingest.py).
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import dagster as dg
import polars as pl

from assets.door import AGREE, FRESH, GROUP, ORDER, RANGE, Door, Taken, day_ahead_end, door_of, result, specs, window_of
from assets.partitions import DAYS
from domain.errors import InputError
from resources.awards_folder import AwardsFolder
from resources.caiso import CaisoClient
from resources.clock import Clock
from resources.cnrfc import CnrfcClient
from resources.http import Read
from resources.hydroforecast import HydroForecastClient
from resources.lake import Lake
from resources.planning import PlanningReader
from resources.sources_file import Sources
from resources.yes import YesClient

_RUN_AS_ONE: Final = dg.BackfillPolicy.single_run()


@dg.asset(
    key=[GROUP, "caiso_five_minute_prices"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="caiso", owners=["team:market-data"], kinds={"python", "parquet"},
    check_specs=specs("caiso_five_minute_prices", RANGE, FRESH),
)  # fmt: skip
def caiso_five_minute_prices(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    caiso: dg.ResourceParam[CaisoClient],
    planning: dg.ResourceParam[PlanningReader],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """CAISO prices of the five-minute market at the plant's nodes [USD/MWh]."""
    door = door_of(context, clock, lake, planning, sources, "caiso", ordered=False)
    start, end = window_of(context, clock, sources.reread["caiso"].poll)
    return result(context, door.take_in(caiso.rtd_lmp(start, end), run_id=context.run_id))


@dg.asset(
    key=[GROUP, "caiso_load_forecast"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="caiso", owners=["team:market-data"], kinds={"python", "parquet"},
    check_specs=specs("caiso_load_forecast", RANGE),
)  # fmt: skip
def caiso_load_forecast(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    caiso: dg.ResourceParam[CaisoClient],
    planning: dg.ResourceParam[PlanningReader],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """CAISO's hourly load forecasts, a day and two days ahead [MW]."""
    door = door_of(context, clock, lake, planning, sources, "caiso_load_forecast", ordered=False)
    start, end = window_of(context, clock, sources.reread["caiso_load_forecast"].poll)
    reads = caiso.load_forecasts(start, day_ahead_end(context, end))
    return result(context, door.take_in(reads, run_id=context.run_id))


@dg.asset(
    key=[GROUP, "yes_prices"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="yes", owners=["team:market-data"], kinds={"python", "parquet"},
    check_specs=specs("yes_prices", ORDER, AGREE),
)  # fmt: skip
def yes_prices(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    yes: dg.ResourceParam[YesClient],
    planning: dg.ResourceParam[PlanningReader],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """Prices from a licensed reseller, the items of [[yes.groups]]: a second voice for the markets [USD/MWh]."""
    door = door_of(context, clock, lake, planning, sources, "yes", others=sources.yes.same_as)
    start, end = window_of(context, clock, sources.reread["yes"].poll)
    reads = yes.read(start, day_ahead_end(context, end))
    return result(context, door.take_in(reads, run_id=context.run_id))


@dg.asset(
    key=[GROUP, "public_river_forecasts"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="cnrfc", owners=["team:hydrology"], kinds={"python", "parquet"},
    check_specs=specs("public_river_forecasts", ORDER),
)  # fmt: skip
def public_river_forecasts(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    cnrfc: dg.ResourceParam[CnrfcClient],
    planning: dg.ResourceParam[PlanningReader],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """River forecasts of the public forecast centre by nominal issue: deterministic, and ensembles [cfs, ft]."""
    door = door_of(context, clock, lake, planning, sources, "cnrfc")
    start, end = window_of(context, clock, sources.reread["cnrfc"].poll)

    def issues() -> Iterator[Read]:
        for product in sources.cnrfc.products:
            yield from cnrfc.issues(product, start, end, known=_known(lake))

    return result(context, door.take_in(issues(), run_id=context.run_id))


@dg.asset(
    key=[GROUP, "river_forecast_revisions"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="hydroforecast", owners=["team:hydrology"], kinds={"python", "parquet"},
    check_specs=specs("river_forecast_revisions", ORDER, RANGE),
)  # fmt: skip
def river_forecast_revisions(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    hydroforecast: dg.ResourceParam[HydroForecastClient],
    planning: dg.ResourceParam[PlanningReader],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """River forecasts by the vendor's older route, where one that was run again shows; off unless configured [cfs]."""
    door = door_of(context, clock, lake, planning, sources, "hydroforecast_v1")
    start, end = window_of(context, clock, sources.reread["hydroforecast_v1"].poll)
    reads = hydroforecast.forecasts_v1(start, end) if sources.hydroforecast.older_route else iter(())
    return result(context, door.take_in(reads, run_id=context.run_id))


@dg.asset(
    key=[GROUP, "awards"], group_name=GROUP, pool="awards", owners=["team:market-data"], kinds={"python", "parquet"},
    check_specs=specs("awards", ORDER),
)  # fmt: skip
def awards(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    awards_folder: dg.ResourceParam[AwardsFolder],
) -> dg.MaterializeResult:
    """What the Californian market bought from our resources, from the files in the drop folder [MW].

    A file is moved only once its rows are stored, so a run that is killed costs nothing: the next one reads it again.
    """
    return result(context, take_in_files(awards_folder, Door(lake=lake, clock=clock, limits={}), context.run_id))


def take_in_files(folder: AwardsFolder, door: Door, run_id: str) -> Taken:
    """Read, store and then move every waiting file; set aside what cannot be read, with the reason."""
    taken = Taken()
    for name in folder.waiting():
        try:
            read = folder.read(name)
        except FileNotFoundError:
            taken.notes.append(f"{name}: another run was faster")
        except InputError as error:
            folder.quarantine(name, error)
            taken.notes.append(f"{name}: set aside ({error})")
        else:
            taken.add(door.take_in(iter([read]), run_id=run_id))
            folder.done(name)
    return taken


def _known(lake: Lake) -> dict[str, datetime]:
    """Return when each issue that was read had been written, so that it is sent again only if it changed."""
    issues = lake.coverage().filter((pl.col("kind") == "publication") & (pl.col("source") == "cnrfc"))
    return dict(issues.group_by("product").agg(pl.col("belief_time").max()).iter_rows())
