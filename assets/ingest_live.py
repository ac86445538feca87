"""What ERCOT's public pages show at this moment: the freshest price documents, dashboards, operations messages.

Pages keep no history, or little: every poll that says something new is kept. Put here: families without a login.
Keep out: the Public API (ingest_ercot.py).
"""

from collections.abc import Iterator
from functools import partial
from typing import Final

from assets.door import AGREE, ORDER, RANGE
from assets.families import Ask, family
from resources.http import Read
from resources.lake import Lake
from resources.mis import MisClient
from resources.sources_file import Sources

_PRICES: Final = "NP6-905-CD"

_of_pages = partial(family, ORDER, pool="ercot_mis", owner="team:market-data")


def _series(sources: Sources) -> list[str]:
    return [f"ercot:spp_rt:{point.name}:{point.type}" for point in sources.ercot.points]


@_of_pages(RANGE, AGREE, table="ercot_mis", others=lambda sources: {name: name for name in _series(sources)})
def ercot_mis_prices(ask: Ask, ercot_mis: MisClient) -> Iterator[Read]:
    """Real-time prices from the public document list: a second voice, and the one left when the API fails [USD/MWh]."""
    return ercot_mis.read(_PRICES, *ask.window, seen=_seen(ask.lake), series=_series(ask.sources))


@_of_pages(table="ercot_dashboards")
def ercot_dashboards(ask: Ask, ercot_mis: MisClient) -> Iterator[Read]:
    """Capacity and reserves as the dashboards show them: physical responsive capability, the emergency level, storage.

    A dashboard has no past: only the partition that holds the present reads anything.
    """
    return ercot_mis.dashboards() if ask.is_now else iter(())


@_of_pages(table="ercot_dashboards")
def ercot_messages(ask: Ask, ercot_mis: MisClient) -> Iterator[Read]:
    """Operations messages of about the last month: emergencies, watches, advisories; 1 active, 0 cancelled."""
    return iter([ercot_mis.messages()] if ask.is_now else [])


def _seen(lake: Lake) -> set[str]:
    """Return the ids of the documents that were read before: a document never changes."""
    products = lake.coverage()["product"].unique()
    return {name.rsplit(":", 1)[1] for name in products if name.startswith(f"{_PRICES}:") and name[-1].isdigit()}
