"""California's market, licensed prices, public river forecasts and our own awards, one function a product family.

Put here: families that only checks, analysts and models under trial read. Keep out: what plans rest on (ingest.py).
"""

from collections.abc import Iterator
from datetime import datetime
from fnmatch import fnmatch

import dagster as dg
import polars as pl

from assets.door import AGREE, FRESH, GROUP, ORDER, RANGE, Door, Taken
from assets.families import Ask, family, result, specs
from domain.errors import InputError
from resources.awards_folder import AwardsFolder
from resources.caiso import CaisoClient
from resources.clock import Clock
from resources.cnrfc import CnrfcClient
from resources.http import Read
from resources.hydroforecast import HydroForecastClient
from resources.lake import Lake
from resources.yes import YesClient


@family(RANGE, FRESH, pool="caiso", owner="team:market-data", table="caiso", ordered=False)
def caiso_five_minute_prices(ask: Ask, caiso: CaisoClient) -> Iterator[Read]:
    """CAISO prices of the five-minute market at the plant's nodes [USD/MWh]."""
    return caiso.rtd_lmp(*ask.window)


@family(RANGE, pool="caiso", owner="team:market-data", table="caiso_load_forecast", ordered=False)
def caiso_load_forecast(ask: Ask, caiso: CaisoClient) -> Iterator[Read]:
    """CAISO's hourly load forecasts, a day and two days ahead [MW]."""
    return caiso.load_forecasts(*ask.ahead)


@family(
    ORDER, AGREE, pool="yes", owner="team:market-data", table="yes", others=lambda sources: sources.yes.same_as
)  # fmt: skip
def yes_prices(ask: Ask, yes: YesClient) -> Iterator[Read]:
    """Prices from a licensed reseller, the items of [[yes.groups]]: a second voice for the markets [USD/MWh]."""
    return yes.read(*ask.ahead)


@family(
    ORDER, AGREE, pool="cnrfc", owner="team:hydrology", table="cnrfc",
    others=lambda sources: sources.cnrfc.same_as, tolerance=(30.0, 0.3),
)  # fmt: skip
def public_river_forecasts(ask: Ask, cnrfc: CnrfcClient) -> Iterator[Read]:
    """River forecasts of the public forecast centre by nominal issue: deterministic, and ensembles [cfs, ft].

    What an issue says of the hours before it is held against our own gauges.
    """
    for product in ask.sources.cnrfc.products:
        yield from cnrfc.issues(product, *ask.window, known=_known(ask.lake))


@family(ORDER, RANGE, pool="hydroforecast", owner="team:hydrology", table="hydroforecast_v1")
def river_forecast_revisions(ask: Ask, hydroforecast: HydroForecastClient) -> Iterator[Read]:
    """River forecasts by the vendor's older route, where one that was run again shows; off unless configured [cfs]."""
    return hydroforecast.forecasts_v1(*ask.window) if ask.sources.hydroforecast.older_route else iter(())


class AwardsRun(dg.Config):
    """Which of the waiting files a run reads.

    Attributes:
        names: Pattern of their names; what does not match keeps waiting.
    """

    names: str = "*"


@dg.asset(
    key=[GROUP, "awards"], group_name=GROUP, pool="awards", owners=["team:market-data"], kinds={"python", "parquet"},
    check_specs=specs("awards", ORDER),
)  # fmt: skip
def awards(
    context: dg.AssetExecutionContext,
    config: AwardsRun,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    awards_folder: dg.ResourceParam[AwardsFolder],
) -> dg.MaterializeResult:
    """What the Californian market bought from our resources, from the files in the drop folder [MW].

    A file is moved only once its rows are stored, so a run that is killed costs nothing: the next one reads it again.
    """
    door = Door(lake=lake, clock=clock, limits={})
    return result(context, take_in_files(awards_folder, door, context.run.run_id, names=config.names))


def take_in_files(folder: AwardsFolder, door: Door, run_id: str, *, names: str = "*") -> Taken:
    """Read, store and then move the waiting files; set aside what cannot be read, with the reason."""
    taken = Taken()
    for name in (name for name in folder.waiting() if fnmatch(name, names)):
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
