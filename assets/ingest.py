"""Numbers whose truth lies outside us, as their vendors said them: the product families that plans rest on.

Put here: what is read of a window, one function a family. Keep out: anything computed from it, what is the same for
all (families.py), and the families that plans do not read (ingest_ercot.py, ingest_live.py, ingest_others.py).
"""

from collections.abc import Iterator

from assets.door import AGREE, COMPLETE, FLAT, FRESH, GREAT, ORDER, RANGE, SPIKES
from assets.families import Ask, family
from resources.caiso import CaisoClient
from resources.ercot import ErcotClient
from resources.ercot_archive import ErcotArchiveClient
from resources.ercot_history import rows_or_archive
from resources.http import Read
from resources.hydroforecast import HydroForecastClient
from resources.pi import PiClient
from resources.sources_file import Sources


def _real_time_series(sources: Sources) -> list[str]:
    return [f"ercot:spp_rt:{point.name}:{point.type}" for point in sources.ercot.points]


@family(
    ORDER, COMPLETE, RANGE, SPIKES, FLAT, FRESH, GREAT,
    pool="pi", owner="team:hydrology", table="pi", complete=True,
)  # fmt: skip
def historian(ask: Ask, pi: PiClient) -> Iterator[Read]:
    """Gauges, levels, power and settings from the plant's historian: hourly means, and samples of the fast tags.

    Reading a day again appends only what the historian has changed since; what we believed before stays readable.
    """
    return pi.read(*ask.window)


@family(
    ORDER, COMPLETE, RANGE, FRESH, AGREE, GREAT,
    pool="ercot", owner="team:market-data", table="ercot_rt", complete=True,
    others=lambda sources: {name: name for name in _real_time_series(sources)},
)  # fmt: skip
def ercot_rt_prices(ask: Ask, ercot: ErcotClient, ercot_archive: ErcotArchiveClient) -> Iterator[Read]:
    """Real-time settlement point prices of ERCOT's hubs and zones, every quarter hour [USD/MWh]."""
    series, rows = _real_time_series(ask.sources), ercot.rt_prices
    return rows_or_archive("NP6-905-CD", ask.window, rows=rows, archive=ercot_archive, now=ask.now, series=series)


@family(
    ORDER, COMPLETE, RANGE, FRESH, GREAT, pool="ercot", owner="team:market-data", table="ercot_da", complete=True
)  # fmt: skip
def ercot_da_prices(ask: Ask, ercot: ErcotClient, ercot_archive: ErcotArchiveClient) -> Iterator[Read]:
    """Day-ahead settlement point prices of ERCOT's hubs and zones, hourly, tomorrow's included [USD/MWh]."""
    series = [f"ercot:spp_da:{name}" for name in dict.fromkeys(point.name for point in ask.sources.ercot.points)]
    rows = ercot.da_prices
    return rows_or_archive("NP4-190-CD", ask.ahead, rows=rows, archive=ercot_archive, now=ask.now, series=series)


@family(ORDER, RANGE, pool="ercot", owner="team:market-data", table="ercot_load_forecast")
def ercot_load_forecast(ask: Ask, ercot: ErcotClient, ercot_archive: ErcotArchiveClient) -> Iterator[Read]:
    """ERCOT's hourly seven-day load forecasts by model and weather zone, every posting of the day [MW]."""
    series, rows = ask.sources.ercot.load_series, ercot.load_forecast
    return rows_or_archive("NP3-565-CD", ask.window, rows=rows, archive=ercot_archive, now=ask.now, series=series)


@family(
    COMPLETE, RANGE, FRESH, GREAT, pool="caiso", owner="team:market-data", table="caiso", complete=True, ordered=False
)  # fmt: skip
def caiso_prices(ask: Ask, caiso: CaisoClient) -> Iterator[Read]:
    """CAISO prices at the plant's nodes: day-ahead hourly with tomorrow's, and fifteen-minute real time [USD/MWh]."""
    yield from caiso.da_lmp(*ask.ahead)
    yield from caiso.rt_lmp(*ask.window)


@family(ORDER, RANGE, pool="hydroforecast", owner="team:hydrology", table="hydroforecast")
def river_forecasts(ask: Ask, hydroforecast: HydroForecastClient) -> Iterator[Read]:
    """River forecasts issued that day: hourly mean and quantiles ten days ahead [cfs]."""
    return hydroforecast.forecasts(*ask.window)
