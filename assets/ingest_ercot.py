"""What ERCOT's grid and markets tell beside the prices that plans rest on, one function a product family.

Put here: product families of ERCOT's Public API and its archive. Keep out: its public pages (ingest_live.py).
"""

from collections.abc import Iterator
from functools import partial

from assets.door import COMPLETE, FRESH, ORDER
from assets.families import Ask, family
from resources.ercot import ErcotClient
from resources.ercot_archive import ErcotArchiveClient
from resources.ercot_history import rows_or_archive
from resources.http import Read
from resources.http.windows import Window

_of_ercot = partial(family, ORDER, pool="ercot", owner="team:market-data")


def _rows(emil: str, window: Window, ask: Ask, ercot: ErcotClient, archive: ErcotArchiveClient) -> Iterator[Read]:
    return rows_or_archive(emil, window, rows=partial(ercot.rows, emil), archive=archive, now=ask.now)


@_of_ercot(FRESH, table="ercot_sced")
def ercot_sced_prices(ask: Ask, ercot: ErcotClient, ercot_archive: ErcotArchiveClient) -> Iterator[Read]:
    """Locational prices of every dispatch run at the configured points, about every five minutes [USD/MWh]."""
    return _rows("NP6-788-CD", ask.window, ask, ercot, ercot_archive)


@_of_ercot(table="ercot_wind_solar")
def ercot_wind_solar(ask: Ask, ercot: ErcotClient, ercot_archive: ErcotArchiveClient) -> Iterator[Read]:
    """Wind and solar, every hourly posting: what was generated and the forecasts, as separate series [MW]."""
    for emil in ("NP4-732-CD", "NP4-737-CD"):
        yield from _rows(emil, ask.window, ask, ercot, ercot_archive)


@_of_ercot(COMPLETE, FRESH, table="ercot_actual_load", complete=True)
def ercot_actual_load(ask: Ask, ercot: ErcotClient, ercot_archive: ErcotArchiveClient) -> Iterator[Read]:
    """Hourly load by weather zone, published the morning after the operating day [MW]."""
    return _rows("NP6-345-CD", ask.window, ask, ercot, ercot_archive)


@_of_ercot(FRESH, table="ercot_da_ancillary")
def ercot_da_ancillary(ask: Ask, ercot: ErcotClient, ercot_archive: ErcotArchiveClient) -> Iterator[Read]:
    """Day-ahead clearing prices of ancillary services, hourly, tomorrow's included [USD/MW]."""
    return _rows("NP4-188-CD", ask.ahead, ask, ercot, ercot_archive)


@_of_ercot(FRESH, table="ercot_rt_ancillary")
def ercot_rt_ancillary(ask: Ask, ercot: ErcotClient, ercot_archive: ErcotArchiveClient) -> Iterator[Read]:
    """Real-time clearing prices of ancillary services, every quarter hour [USD/MW].

    They exist since the market of 2025-12-05, which clears energy and reserves together; before it there are none.
    """
    return _rows("NP6-331-CD", ask.window, ask, ercot, ercot_archive)


@_of_ercot(table="ercot_corrections")
def ercot_price_corrections(ask: Ask, ercot: ErcotClient, ercot_archive: ErcotArchiveClient) -> Iterator[Read]:
    """Corrected day-ahead and real-time prices by when they were corrected, as scenario ``corrected`` [USD/MWh]."""
    for emil in ("NP4-196-M", "NP4-197-M"):
        yield from _rows(emil, ask.window, ask, ercot, ercot_archive)
