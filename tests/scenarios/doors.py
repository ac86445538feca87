"""Stand-ins with a stopped clock, a lake a case, and each service's live reads: what fault scenarios are made of."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from assets.door import Door, Taken
from assets.ingest_others import take_in_files
from domain.errors import TailraceError
from resources.awards_folder import AwardsFolder, AwardsSettings
from resources.caiso import CaisoClient
from resources.clock import ManualClock
from resources.cnrfc import CnrfcClient
from resources.ercot import ErcotClient
from resources.ercot_archive import ErcotArchiveClient
from resources.ercot_token import ErcotCredentials
from resources.http import ApiKey, Basic, RawMeta, Read
from resources.hydroforecast import HydroForecastClient
from resources.lake import Lake
from resources.mis import MisClient
from resources.pi import PiClient
from resources.series_file import believable, load_series
from resources.sources_file import Sources, load_sources
from resources.yes import YesClient
from simulators.awards import AwardsService
from simulators.clock import VirtualClock
from simulators.serve import Simulators
from simulators.service import Settings

CONFIG = Path(__file__).parents[2] / "config"
ERCOT = ErcotCredentials(username="demo", password="demo", subscription_key="demo-key")  # noqa: S106 - the stand-in's
HOUR = timedelta(hours=1)
EVER = {"start": datetime(2020, 1, 1, tzinfo=UTC), "end": datetime(2040, 1, 1, tzinfo=UTC)}
KEY = ["series_id", "event_start", "source", "scenario", "member", "quantile"]
TAGS = [
    ("OPS/Gauging Stations/R4|Flow", "cfs", ["avg1h"]),
    ("OPS/Reservoirs/Afterbay|Elevation", "ft", ["interp1h", "recorded"]),
    ("OPS/Additions for PI Vision|CCS Mode", "1", ["interp1h"]),
]
_OVERLAY = """
[http]
attempts = 3
backoff_s = 0.05
backoff_cap_s = 0.2
throttle_backoff_s = 0.1
throttle_cap_s = 2
longest_wait_s = 10
spacing_s = 0
read_timeout_s = 2
[pi]
tags = {tags}
[pi.http]
base_url = "{pi}"
spacing_s = 0
[ercot]
token_url = "{ercot_token}"
client_id = "demo-client"
[ercot.http]
base_url = "{ercot}"
spacing_s = 0
[caiso.http]
base_url = "{caiso}"
spacing_s = 0
[hydroforecast.http]
base_url = "{hydroforecast}"
spacing_s = 0
[ercot_mis.http]
base_url = "{ercot_www}"
spacing_s = 0
[yes]
groups = [{{ iso = "ERCOT", agglevel = "hour", day_ahead = true, items = ["DALMP:HB_NORTH"] }}]
[yes.http]
base_url = "{yes}"
spacing_s = 0
[cnrfc]
products = ["deterministic"]
[cnrfc.http]
base_url = "{cnrfc}"
spacing_s = 0
"""


@dataclass
class Bench:
    """Running stand-ins and what is needed to read them at any virtual moment."""

    simulators: Simulators
    sources: Sources
    folder: Path

    @classmethod
    @contextmanager
    def running(cls, now: datetime) -> Iterator[Bench]:
        """Start the stand-ins at a stopped moment."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tailrace-faults-")))
            clock = VirtualClock(now, speed=0.0)
            simulators = stack.enter_context(Simulators(seed=7, clock=clock))
            overlay = folder / "sources.toml"
            tags = ", ".join(f'{{ path = "{path}", unit = "{unit}", reads = {reads} }}' for path, unit, reads in TAGS)
            overlay.write_text(_OVERLAY.format_map(simulators.addresses | {"tags": f"[{tags}]"}))
            yield cls(simulators, load_sources(CONFIG / "sources.toml", overlay), folder)

    def set(self, now: datetime) -> None:
        """Move the stand-ins to a moment."""
        self.simulators.clock.set(now, speed=0.0)

    def trouble(self, service: str, *faults: Mapping[str, Any]) -> None:
        """Turn faults of a service on."""
        self.simulators.services[service].order({"faults": list(faults)})

    def clear(self) -> None:
        """Turn everything off."""
        for service in self.simulators.services.values():
            service.faults.clear()
            service.settings = Settings()

    @contextmanager
    def case(self) -> Iterator[Case]:
        """Open a lake of its own."""
        with tempfile.TemporaryDirectory(dir=self.folder) as home:
            yield Case(self, Path(home))


class Case:
    """One lake, read into as the assets do it."""

    def __init__(self, bench: Bench, home: Path) -> None:
        self.bench = bench
        self.home = home
        self.clock = ManualClock(datetime.fromtimestamp(bench.simulators.clock.now(), UTC))
        self.lake = Lake(home / "lake", now=self.clock.now)
        self.limits = believable(load_series(CONFIG / "series.toml"))

    def client(self, kind: Callable[..., Any], settings: object, credentials: object = None) -> Any:  # noqa: ANN401
        """Make a client as the platform does."""

        def land(content: bytes, meta: RawMeta) -> str:
            return self.lake.put_raw(content, source=meta.source, name=meta.name, fetched_at=meta.fetched_at)

        return kind(settings, credentials=credentials, clock=self.clock, land=land, locks=self.home / "locks")

    def poll(self, service: str, now: datetime, *, trailing: timedelta) -> tuple[Taken | None, str]:
        """Read a service's live products at a moment; return what came in, and the error where there was one."""
        self.bench.set(now)
        self.clock.set(now)
        door = Door(lake=self.lake, clock=self.clock, limits=self.limits)
        try:
            if service == "awards":
                return self._awards(door), ""
            return door.take_in(self._reads(service, now - trailing, now), run_id=f"{now:%H%M}"), ""
        except TailraceError as error:
            return None, str(error)

    def _reads(self, service: str, start: datetime, now: datetime) -> Iterator[Read]:
        sources = self.bench.sources
        ahead = now + 30 * HOUR
        if service == "pi":
            yield from self.client(PiClient, sources.pi, Basic("demo", "demo")).read(start, now)
        elif service == "ercot":
            client = self.client(ErcotClient, sources.ercot, ERCOT)
            yield from client.rt_prices(start, now)
            yield from client.da_prices(start, ahead)
        elif service == "ercot_archive":
            client = self.client(ErcotArchiveClient, sources.ercot, ERCOT)
            series = [f"ercot:spp_rt:{point.name}:{point.type}" for point in sources.ercot.points]
            yield from client.read("NP6-905-CD", start, now, series=series)
        elif service == "ercot_mis":
            client = self.client(MisClient, sources.ercot_mis)
            series = [f"ercot:spp_rt:{point.name}:{point.type}" for point in sources.ercot.points]
            yield from client.read("NP6-905-CD", start, now, series=series)
        elif service == "caiso":
            client = self.client(CaisoClient, sources.caiso)
            yield from client.da_lmp(start, ahead)
            yield from client.rt_lmp(start, now)
        elif service == "hydroforecast":
            yield from self.client(HydroForecastClient, sources.hydroforecast, ApiKey("demo-key")).forecasts(start, now)
        elif service == "yes":
            yield from self.client(YesClient, sources.yes, Basic("demo", "demo")).read(start, ahead)
        elif service == "cnrfc":
            yield from self.client(CnrfcClient, sources.cnrfc).issues("deterministic", start, now)

    def _awards(self, door: Door) -> Taken:
        service = self.bench.simulators.services["awards"]
        assert isinstance(service, AwardsService)
        drop = self.home / "drop"
        drop.mkdir(exist_ok=True)
        service.order({"settings": {"awards_folder": str(drop)}})
        service.drop()
        return take_in_files(self.client(AwardsFolder, AwardsSettings(folder=str(drop))), door, "awards")

    def believed(self) -> pl.DataFrame:
        """Return what the lake says now."""
        return self.lake.latest("*", **EVER).select(*KEY, "value", "unit", "quality")

    def ever_good(self) -> pl.DataFrame:
        """Return every usable statement the lake ever made."""
        rows = duckdb.connect().sql(self.lake.scan_sql("beliefs")).pl()
        times = pl.col("event_start", "belief_time").dt.convert_time_zone("UTC")
        return rows.filter(pl.col("quality") == "good").with_columns(times, pl.col("member").cast(pl.Int32))
