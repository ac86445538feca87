"""The product families that are read, as the assets read them, and when a bench looks at each.

Put here: one entry a family. Keep out: faults (faults.py), the bench (doors.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from domain.instants import CENTRAL, PACIFIC
from resources.caiso import CaisoClient
from resources.cnrfc import CnrfcClient, Product
from resources.ercot import ErcotClient
from resources.ercot_archive import ErcotArchiveClient
from resources.http import ApiKey, Basic, Read
from resources.hydroforecast import HydroForecastClient
from resources.mis import MisClient
from resources.pi import PiClient
from resources.yes import YesClient
from tests.scenarios.doors import ERCOT, HOUR, Case

NOW: Final = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
"""After the day-ahead markets and the forecasts of the day."""
AHEAD: Final = 30 * HOUR
"""How far day-ahead results reach."""
Reads = Callable[[Case, datetime, datetime], Iterator[Read]]


@dataclass(frozen=True, kw_only=True)
class Family:
    """One product family.

    Attributes:
        name: As tables show it.
        service: The stand-in that serves it.
        reads: Reads it from a moment on, at a moment.
        form: What its answers are: ``json``, ``csv``, ``zip``, ``html``, ``xml``.
        trailing: How far back it is read again.
        now: When the bench looks.
        zone: Whose days it has.
        ordered: Whether its source promises an order.
        login: Whether it needs a token.
        keeps: Whether what was missed can be read later; a dashboard shows the present only.
        immutable: Whether a document never changes once it is posted.
        calls: How many calls it makes with one login, at least.
    """

    name: str
    service: str
    reads: Reads
    form: str = "json"
    trailing: timedelta = 12 * HOUR
    now: datetime = NOW
    zone: ZoneInfo = CENTRAL
    ordered: bool = True
    keeps: bool = True
    login: bool = False
    immutable: bool = False
    calls: int = 1


def _pi(together: str) -> Reads:
    def reads(case: Case, start: datetime, now: datetime) -> Iterator[Read]:
        settings = replace(case.bench.sources.pi, together=together)
        return case.client(PiClient, settings, Basic("demo", "demo")).read(start, now)

    return reads


def _rows(*emils: str, ahead: timedelta = timedelta(0)) -> Reads:
    def reads(case: Case, start: datetime, now: datetime) -> Iterator[Read]:
        client = case.client(ErcotClient, case.bench.sources.ercot, ERCOT)
        for emil in emils:
            # The forecast of load has more models and zones than are wanted.
            yield from (
                client.load_forecast(start, now) if emil == "NP3-565-CD" else client.rows(emil, start, now + ahead)
            )

    return reads


def _archive(emil: str) -> Reads:
    def reads(case: Case, start: datetime, now: datetime) -> Iterator[Read]:
        sources = case.bench.sources
        series = [f"ercot:spp_rt:{point.name}:{point.type}" for point in sources.ercot.points]
        kept = series if emil == "NP6-905-CD" else []
        return case.client(ErcotArchiveClient, sources.ercot, ERCOT).read(emil, start, now, series=kept)

    return reads


def _documents(case: Case, start: datetime, now: datetime) -> Iterator[Read]:
    sources = case.bench.sources
    series = [f"ercot:spp_rt:{point.name}:{point.type}" for point in sources.ercot.points]
    read_before = {name.rsplit(":", 1)[1] for name in case.lake.coverage()["product"].unique()}
    client = case.client(MisClient, sources.ercot_mis)
    return client.read("NP6-905-CD", start, now, seen=read_before, series=series)


def _dashboards(case: Case, start: datetime, now: datetime) -> Iterator[Read]:
    del start, now
    return case.client(MisClient, case.bench.sources.ercot_mis).dashboards()


def _messages(case: Case, start: datetime, now: datetime) -> Iterator[Read]:
    del start, now
    yield case.client(MisClient, case.bench.sources.ercot_mis).messages()


def _caiso_prices(case: Case, start: datetime, now: datetime) -> Iterator[Read]:
    client = case.client(CaisoClient, case.bench.sources.caiso)
    yield from client.da_lmp(start, now + AHEAD)
    yield from client.rt_lmp(start, now)


def _caiso_five_minutes(case: Case, start: datetime, now: datetime) -> Iterator[Read]:
    return case.client(CaisoClient, case.bench.sources.caiso).rtd_lmp(start, now)


def _caiso_loads(case: Case, start: datetime, now: datetime) -> Iterator[Read]:
    return case.client(CaisoClient, case.bench.sources.caiso).load_forecasts(start, now + 3 * AHEAD)


def _hydroforecast(case: Case, start: datetime, now: datetime) -> Iterator[Read]:
    return case.client(HydroForecastClient, case.bench.sources.hydroforecast, ApiKey("demo-key")).forecasts(start, now)


def _hydroforecast_v1(case: Case, start: datetime, now: datetime) -> Iterator[Read]:
    client = case.client(HydroForecastClient, case.bench.sources.hydroforecast, ApiKey("demo-key"))
    return client.forecasts_v1(start, now)


def _yes(form: str) -> Reads:
    def reads(case: Case, start: datetime, now: datetime) -> Iterator[Read]:
        settings = replace(case.bench.sources.yes, format=form)
        return case.client(YesClient, settings, Basic("demo", "demo")).read(start, now + AHEAD)

    return reads


def _issues(product: Product) -> Reads:
    def reads(case: Case, start: datetime, now: datetime) -> Iterator[Read]:
        issues = case.lake.coverage().filter((pl.col("kind") == "publication") & (pl.col("source") == "cnrfc"))
        known = dict(issues.group_by("product").agg(pl.col("belief_time").max()).iter_rows())
        return case.client(CnrfcClient, case.bench.sources.cnrfc).issues(product, start, now, known=known)

    return reads


def _river_points(case: Case, start: datetime, now: datetime) -> Iterator[Read]:
    del start, now
    return case.client(CnrfcClient, case.bench.sources.cnrfc).points()


def _no_requests(case: Case, start: datetime, now: datetime) -> Iterator[Read]:
    del case, start, now
    return iter(())


REGIME_CHANGE: Final = datetime(2025, 12, 5, 14, 0, tzinfo=UTC)
"""Eight hours into the first operating day of real-time co-optimisation."""
CORRECTED: Final = (datetime(2026, 9, 14, 23, 0, tzinfo=UTC), datetime(2026, 10, 28, 23, 0, tzinfo=UTC))
"""Evenings on which the world of the bench corrects a day of real-time and of day-ahead prices."""

FAMILIES: Final[dict[str, Family]] = {
    family.name: family
    for family in (
        Family(name="pi", service="pi", reads=_pi("no"), zone=PACIFIC),
        Family(name="pi streamset", service="pi", reads=_pi("streamset"), zone=PACIFIC),
        Family(name="pi batch", service="pi", reads=_pi("batch"), zone=PACIFIC),
        Family(name="ercot rt prices", service="ercot", reads=_rows("NP6-905-CD"), login=True, calls=4),
        Family(name="ercot da prices", service="ercot", reads=_rows("NP4-190-CD", ahead=AHEAD), login=True, calls=4),
        Family(
            name="ercot sced lmp", service="ercot", reads=_rows("NP6-788-CD"), login=True, trailing=2 * HOUR, calls=4
        ),
        Family(name="ercot load forecast", service="ercot", reads=_rows("NP3-565-CD"), login=True, trailing=4 * HOUR),
        Family(
            name="ercot wind, solar",
            service="ercot",
            reads=_rows("NP4-732-CD", "NP4-737-CD"),
            login=True,
            trailing=2 * HOUR,
            calls=2,
        ),
        Family(name="ercot actual load", service="ercot", reads=_rows("NP6-345-CD"), login=True, trailing=48 * HOUR),
        Family(name="ercot da ancillary", service="ercot", reads=_rows("NP4-188-CD", ahead=AHEAD), login=True),
        Family(name="ercot rt ancillary", service="ercot", reads=_rows("NP6-331-CD"), login=True, trailing=6 * HOUR),
        Family(
            name="ercot ancillary, 5 Dec 2025",
            service="ercot",
            reads=_rows("NP4-188-CD", "NP6-331-CD"),
            login=True,
            now=REGIME_CHANGE,
            calls=2,
        ),
        Family(
            name="ercot rt corrections",
            service="ercot",
            reads=_rows("NP4-197-M"),
            login=True,
            now=CORRECTED[0],
            calls=4,
            trailing=4 * HOUR,
        ),
        Family(
            name="ercot da corrections",
            service="ercot",
            reads=_rows("NP4-196-M"),
            login=True,
            now=CORRECTED[1],
            calls=4,
            trailing=4 * HOUR,
        ),
        Family(
            name="ercot archive",
            service="ercot",
            reads=_archive("NP6-905-CD"),
            login=True,
            form="zip",
            trailing=6 * HOUR,
            immutable=True,
            calls=2,
        ),
        Family(
            name="ercot archive, solar",
            service="ercot",
            reads=_archive("NP4-737-CD"),
            login=True,
            form="zip",
            trailing=3 * HOUR,
            immutable=True,
            calls=2,
        ),
        Family(
            name="ercot mis prices", service="ercot", reads=_documents, form="zip", trailing=1 * HOUR, immutable=True
        ),
        Family(name="ercot dashboards", service="ercot", reads=_dashboards, keeps=False, ordered=False),
        Family(name="ercot messages", service="ercot", reads=_messages, form="html", ordered=False),
        Family(name="caiso prices", service="caiso", reads=_caiso_prices, form="zip", zone=PACIFIC, ordered=False),
        Family(
            name="caiso 5-minute prices",
            service="caiso",
            reads=_caiso_five_minutes,
            form="zip",
            zone=PACIFIC,
            ordered=False,
            trailing=6 * HOUR,
        ),
        Family(
            name="caiso load forecast", service="caiso", reads=_caiso_loads, form="zip", zone=PACIFIC, ordered=False
        ),
        Family(name="hydroforecast", service="hydroforecast", reads=_hydroforecast, zone=PACIFIC),
        Family(
            name="hydroforecast v1",
            service="hydroforecast",
            reads=_hydroforecast_v1,
            zone=PACIFIC,
        ),
        Family(name="yes csv", service="yes", reads=_yes("csv"), form="csv"),
        Family(name="yes json", service="yes", reads=_yes("json")),
        Family(
            name="cnrfc deterministic",
            service="cnrfc",
            reads=_issues("deterministic"),
            trailing=30 * HOUR,
            form="zip",
            zone=PACIFIC,
        ),
        Family(
            name="cnrfc hefs hourly",
            service="cnrfc",
            reads=_issues("hefs_hourly"),
            trailing=30 * HOUR,
            form="zip",
            zone=PACIFIC,
        ),
        Family(
            name="cnrfc hefs daily",
            service="cnrfc",
            reads=_issues("hefs_daily"),
            trailing=30 * HOUR,
            form="zip",
            zone=PACIFIC,
        ),
        Family(name="cnrfc point", service="cnrfc", reads=_river_points, form="csv", zone=PACIFIC),
        Family(name="awards", service="awards", reads=_no_requests, form="xml", zone=PACIFIC),
    )
}
"""By name."""
