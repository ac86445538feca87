"""Stand-ins with a stopped clock, and a lake a case that is read into: what fault scenarios are made of.

Put here: the bench and its cases. Keep out: what is read of which service (families.py), faults (faults.py).
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl

from assets.door import Door, Taken
from assets.ingest_others import take_in_files
from domain.errors import TailraceError
from resources.awards_folder import AwardsFolder, AwardsSettings
from resources.clock import ManualClock
from resources.ercot_token import ErcotCredentials
from resources.http import RawMeta
from resources.lake import Lake
from resources.series_file import believable, load_series
from resources.sources_file import Sources, load_sources
from simulators import awards
from simulators.awards import AwardsService
from simulators.clock import VirtualClock
from simulators.serve import Simulators
from simulators.service import Service, Settings

if TYPE_CHECKING:
    from tests.scenarios.families import Family

CONFIG = Path(__file__).parents[2] / "config"
ERCOT = ErcotCredentials(username="demo", password="demo", subscription_key="demo-key")  # noqa: S106 - the stand-in's
HOUR = timedelta(hours=1)
FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
"""Around everything that a bench reads."""
KEY = ["series_id", "event_start", "source", "scenario", "member", "quantile"]
PLAIN = Settings(hefs_members=5, hefs_hours=241, awards_backlog_h=12.0)
"""Short ensembles and a short backlog: what is tested here does not grow with them."""
TAGS = [
    ("OPS/Gauging Stations/R4|Flow", "cfs", ["avg1h"]),
    ("OPS/Gauging Stations/R30|Flow_EM", "cfs", ["avg1h"]),
    ("OPS/Reservoirs/Afterbay|Elevation", "ft", ["interp1h", "recorded"]),
    ("OPS/Additions for PI Vision|CCS Mode", "1", ["interp1h", "recorded"]),
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
points = ["MFPC1"]
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
    def running(cls, now: datetime) -> Generator[Bench]:
        """Start the stand-ins at a stopped moment."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tailrace-faults-")))
            clock = VirtualClock(now, speed=0.0)
            simulators = stack.enter_context(Simulators(seed=7, clock=clock, settings=PLAIN))
            overlay = folder / "sources.toml"
            tags = ", ".join(f'{{ path = "{path}", unit = "{unit}", reads = {reads} }}' for path, unit, reads in TAGS)
            overlay.write_text(_OVERLAY.format_map(simulators.addresses | {"tags": f"[{tags}]"}))
            yield cls(simulators, load_sources(CONFIG / "sources.toml", overlay), folder)

    def set(self, now: datetime) -> None:
        """Move the stand-ins to a moment."""
        self.simulators.clock.set(now, speed=0.0)

    def service(self, name: str) -> Service:
        """Return a stand-in."""
        return self.simulators.services[name]

    def trouble(self, service: str, *faults: Mapping[str, Any], **settings: Any) -> None:  # noqa: ANN401 - of any kind
        """Turn faults of a service on, and write down what it answers from now on."""
        troubled = self.service(service)
        troubled.order({"faults": list(faults), "settings": settings})
        troubled.journal = []

    def struck(self, service: str) -> tuple[int, int]:
        """Return how many answers of the journal a switch struck, and how many there are.

        Each request is asked again at the same moment with every switch off: an answer that was struck is another one.
        """
        troubled = self.service(service)
        journal, settings = troubled.journal or [], troubled.settings
        troubled.settings = replace(PLAIN, awards_folder=settings.awards_folder)
        with troubled.faults.paused():
            spoiled = asyncio.run(troubled.spoiled(journal))
        troubled.settings = settings
        return len(spoiled), len(journal)

    def clear(self, *, mended_at: float = 0.0) -> None:
        """Turn everything off; what was published wrong is published anew at a moment [epoch s]."""
        for service in self.simulators.services.values():
            service.faults.clear(mended_at=mended_at)
            service.settings, service.journal = PLAIN, None

    @contextmanager
    def case(self) -> Generator[Case]:
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
        self.dropped = (0, 0)
        # A stand-in of its own drops awards: the one that is served does so whenever it likes.
        self.market = AwardsService(bench.simulators.world, bench.simulators.clock)
        self.market.faults = bench.service("awards").faults

    def client(self, kind: Callable[..., Any], settings: object, credentials: object = None) -> Any:  # noqa: ANN401
        """Make a client as the platform does."""

        def land(content: bytes, meta: RawMeta) -> str:
            return self.lake.put_raw(content, source=meta.source, name=meta.name, fetched_at=meta.fetched_at)

        return kind(settings, credentials=credentials, clock=self.clock, land=land, locks=self.home / "locks")

    def poll(self, family: Family, now: datetime, *, trailing: timedelta | None = None) -> tuple[Taken, str]:
        """Read a product family at a moment; return what came in, and the error where there was one."""
        self.bench.set(now)
        self.clock.set(now)
        door = Door(lake=self.lake, clock=self.clock, limits=self.limits, ordered=family.ordered)
        if family.service == "awards":
            return self._awards(door), ""
        taken = Taken()
        try:
            # Read by read, so that what came in before an error is told as well.
            for read in family.reads(self, now - (trailing or family.trailing), now):
                taken.add(door.take_in(iter([read]), run_id=f"{now:%H%M}"))
        except TailraceError as error:
            return taken, str(error)
        return taken, ""

    def _awards(self, door: Door) -> Taken:
        drop = self.home / "drop"
        drop.mkdir(exist_ok=True)
        world, now = self.market.world, self.market.now()
        self.market.settings = replace(PLAIN, awards_folder=str(drop))
        due = awards.awards(world, now - PLAIN.awards_backlog_h * 3600, now)
        written = {path.name: path.read_text() for path in self.market.drop()}
        whole = [award for award in due if written.get(award.name) == awards.xml(world, award)]
        self.dropped = len(due) - len(whole), len(due)
        return take_in_files(self.client(AwardsFolder, AwardsSettings(folder=str(drop))), door, "awards")

    def deliver_again(self) -> None:
        """Deliver again, whole, what arrived broken or with other numbers; the market does so on request."""
        world = self.bench.simulators.world
        for folder in ("quarantine", "read"):
            for path in (self.home / "drop" / folder).glob("*.xml"):
                found = awards.by_name(world, path.name, self.clock.now().timestamp())
                assert found is not None
                if path.read_text() != (text := awards.xml(world, found)):
                    (self.home / "drop" / path.name).write_text(text)

    def believed(self) -> pl.DataFrame:
        """Return what the lake says now."""
        return self.lake.latest("*", start=FIRST, end=LAST).select(*KEY, "value", "unit", "quality")

    def ever_good(self) -> pl.DataFrame:
        """Return every usable statement the lake ever made."""
        rows = duckdb.connect().sql(self.lake.scan_sql("beliefs")).pl()
        times = pl.col("event_start", "belief_time").dt.convert_time_zone("UTC")
        return rows.filter(pl.col("quality") == "good").with_columns(times, pl.col("member").cast(pl.Int32))
