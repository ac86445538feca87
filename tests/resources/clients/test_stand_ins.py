"""The clients with the shipped configuration against the stand-in services: what arrives is the world's truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from domain.errors import CredentialError, ServiceError
from domain.instants import CENTRAL, PACIFIC, local_day
from resources.caiso import CaisoClient
from resources.clock import ManualClock
from resources.ercot import ErcotClient
from resources.ercot_token import ErcotCredentials
from resources.http import ApiKey, Basic, Read
from resources.hydroforecast import HydroForecastClient
from resources.pi import PiClient
from resources.sources_file import Sources, load_sources
from simulators.clock import VirtualClock
from simulators.ercot import ErcotService
from simulators.serve import Simulators
from tests.resources.clients.tiny import NOW, Landed, until_it_fails

CONFIG = Path(__file__).parents[3] / "config"
HOUR = timedelta(hours=1)
R4 = "OPS/Gauging Stations/R4|Flow"
ERCOT = ErcotCredentials(username="demo", password="demo", subscription_key="demo-key")  # noqa: S106 - the stand-in's


@dataclass
class Everything:
    """All clients on one set of stand-ins."""

    sources: Sources
    pi: PiClient
    ercot: ErcotClient
    caiso: CaisoClient
    hydroforecast: HydroForecastClient

    def every(self, start: datetime, end: datetime) -> dict[str, Callable[[], Iterator[Read]]]:
        """Return every product's read of a window."""
        return {
            "pi": lambda: self.pi.read(start, end),
            "ercot rt": lambda: self.ercot.rt_prices(start, end),
            "ercot da": lambda: self.ercot.da_prices(start, end),
            "ercot load": lambda: self.ercot.load_forecast(start, end),
            "caiso da": lambda: self.caiso.da_lmp(start, end),
            "caiso rt": lambda: self.caiso.rt_lmp(start, end),
            "hydroforecast": lambda: self.hydroforecast.forecasts(start, end),
        }


@pytest.fixture(scope="module")
def stand_ins() -> Iterator[Simulators]:
    with Simulators(seed=7, clock=VirtualClock(NOW, speed=0.0)) as running:
        yield running


@pytest.fixture
def everything(stand_ins: Simulators, clock: ManualClock, landed: Landed, tmp_path: Path) -> Iterator[Everything]:
    at = stand_ins.addresses
    overlay = tmp_path / "overlay.toml"
    overlay.write_text(f"""
        pi = {{ http = {{ base_url = "{at["pi"]}", spacing_s = 0 }} }}
        caiso = {{ http = {{ base_url = "{at["caiso"]}", spacing_s = 0 }} }}
        hydroforecast = {{ http = {{ base_url = "{at["hydroforecast"]}", spacing_s = 0 }} }}
        [ercot]
        token_url = "{at["ercot_token"]}"
        client_id = "demo-client"
        http = {{ base_url = "{at["ercot"]}", spacing_s = 0 }}
    """)
    sources = load_sources(CONFIG / "sources.toml", overlay)
    locks = tmp_path / "locks"
    with (
        PiClient(sources.pi, credentials=Basic("demo", "demo"), clock=clock, land=landed, locks=locks) as pi,
        ErcotClient(sources.ercot, credentials=ERCOT, clock=clock, land=landed, locks=locks) as ercot,
        CaisoClient(sources.caiso, clock=clock, land=landed, locks=locks) as caiso,
        HydroForecastClient(
            sources.hydroforecast, credentials=ApiKey("demo-key"), clock=clock, land=landed, locks=locks
        ) as hydroforecast,
    ):
        yield Everything(sources, pi, ercot, caiso, hydroforecast)
    for service in stand_ins.services.values():
        service.order({"clear_faults": True})


def rows(reads: Iterator[Read]) -> pl.DataFrame:
    return pl.concat(read.rows for read in reads)


def values(frame: pl.DataFrame, series: str) -> list[float]:
    return frame.filter(pl.col("series_id") == series).sort("event_start")["value"].to_list()


def truth(stand_ins: Simulators, family: str, name: str, start: datetime, end: datetime) -> list[float]:
    return stand_ins.world.window(family, int(start.timestamp()), int(end.timestamp()))[name].tolist()


def test_what_arrives_is_the_truth(everything: Everything, stand_ins: Simulators) -> None:
    start, end = datetime(2026, 11, 19, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC)
    got = {name: rows(reads()) for name, reads in everything.every(start, end).items()}

    assert values(got["pi"], f"pi:{R4}:avg1h") == pytest.approx(
        truth(stand_ins, "sierra", "r4_cfs", start, end),
        abs=0.01,  # cfs: the archive keeps two decimals
    )
    price = truth(stand_ins, "texas_rt", "HB_NORTH/HU", start, end)
    assert values(got["ercot rt"], "ercot:spp_rt:HB_NORTH:HU") == pytest.approx(price, abs=0.005)
    price = truth(stand_ins, "texas", "da/LZ_WEST", start, end)
    assert values(got["ercot da"], "ercot:spp_da:LZ_WEST") == pytest.approx(price, abs=0.005)
    price = truth(stand_ins, "sierra", "RALSTON_7_B1/LMP", start, end)
    assert values(got["caiso da"], "caiso:lmp_da:RALSTON_7_B1:LMP") == pytest.approx(price, abs=0.005)
    price = truth(stand_ins, "california_rt", "RALSTON_7_B1/LMP", start, end)
    assert values(got["caiso rt"], "caiso:lmp_rtpd:RALSTON_7_B1:LMP") == pytest.approx(price, abs=0.005)
    assert got["ercot load"]["belief_time"].n_unique() == 24
    issues = got["hydroforecast"].select(pl.struct("series_id", "belief_time").n_unique()).item()
    assert issues == 2 * 4  # two sites, an issue each six hours
    for name, frame in got.items():
        assert frame.filter(pl.col("quality") != "good").height == 0, name
        assert frame.filter(pl.col("belief_time") > NOW).height == 0, name


def test_every_tag_of_the_shipped_configuration_exists(everything: Everything) -> None:
    start = datetime(2026, 11, 21, 12, tzinfo=UTC)
    reads = {read.product: read for read in everything.pi.read(start, start + 24 * HOUR)}
    wanted = {f"{tag.path}:{kind}" for tag in everything.sources.pi.tags for kind in tag.reads}
    assert set(reads) == wanted
    assert all(read.window[1] <= NOW for read in reads.values())
    # 12:00 to 17:00 are whole hours at 18:00:07.
    assert all(read.rows.height == 6 for product, read in reads.items() if product.endswith(":avg1h"))
    assert all(read.rows.height == 7 for product, read in reads.items() if product.endswith(":interp1h"))


@pytest.mark.parametrize("day", [date(2026, 3, 8), date(2026, 11, 1)], ids=["spring", "autumn"])
def test_a_market_day_is_whole_when_clocks_change(everything: Everything, stand_ins: Simulators, day: date) -> None:
    start, end = local_day(day, CENTRAL)
    stand_ins.clock.set(end + 24 * HOUR, speed=0.0)  # the row store keeps 90 days
    try:
        real_time, day_ahead = (
            rows(reads(start, end)) for reads in (everything.ercot.rt_prices, everything.ercot.da_prices)
        )
        start_pt, end_pt = local_day(day, PACIFIC)
        californian = rows(everything.caiso.da_lmp(start_pt, end_pt))
    finally:
        stand_ins.clock.set(NOW, speed=0.0)
    price = truth(stand_ins, "texas_rt", "HB_NORTH/HU", start, end)
    assert values(real_time, "ercot:spp_rt:HB_NORTH:HU") == pytest.approx(price, abs=0.005)
    assert len(price) == (92 if day.month == 3 else 100)
    price = truth(stand_ins, "texas", "da/HB_NORTH", start, end)
    assert values(day_ahead, "ercot:spp_da:HB_NORTH") == pytest.approx(price, abs=0.005)
    assert len(price) == (23 if day.month == 3 else 25)
    price = truth(stand_ins, "sierra", "RALSTON_7_B1/LMP", start_pt, end_pt)
    assert values(californian, "caiso:lmp_da:RALSTON_7_B1:LMP") == pytest.approx(price, abs=0.005)


FAULTS: dict[str, dict[str, object]] = {
    "503": {"fault": "http", "code": 503},
    "429": {"fault": "http", "code": 429, "retry_after": 3},
    "web page": {"fault": "html_200"},
    "cut body": {"fault": "truncate_body"},
    "broken zip": {"fault": "bad_zip"},
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_fault_that_passes_leaves_the_same_rows(everything: Everything, stand_ins: Simulators, fault: str) -> None:
    start = datetime(2026, 11, 20, tzinfo=UTC)
    for name, reads in everything.every(start, start + 2 * HOUR).items():
        if fault == "broken zip" and "caiso" not in name:
            continue
        clean = rows(reads())
        service = stand_ins.services[name.split()[0]]
        service.order({"faults": [FAULTS[fault] | {"p": 1, "times": 2}]})
        struck = rows(reads())
        service.order({"clear_faults": True})
        keys = ["series_id", "event_start", "belief_time", "scenario", "quantile"]
        assert struck.sort(keys).equals(clean.sort(keys)), name


def test_a_fault_that_stays_is_named_and_the_good_reads_are_kept(everything: Everything, stand_ins: Simulators) -> None:
    start = datetime(2026, 11, 20, tzinfo=UTC)
    pi = stand_ins.services["pi"]
    pi.order({"faults": [{"fault": "http", "code": 500, "p": 1, "match": "summary"}]})
    got, error = until_it_fails(everything.pi.read(start, start + HOUR))
    assert {read.product.rsplit(":", 1)[-1] for read in got} == {"interp1h", "recorded"}
    assert isinstance(error, ServiceError)
    assert error.retryable
    assert "answered 500" in str(error)


def test_an_expired_token_is_renewed_in_the_middle(everything: Everything, stand_ins: Simulators) -> None:
    start = datetime(2026, 11, 20, tzinfo=UTC)
    before = rows(everything.ercot.da_prices(start, start + HOUR))
    service = stand_ins.services["ercot"]
    assert isinstance(service, ErcotService)
    service._tokens.clear()
    assert rows(everything.ercot.da_prices(start, start + HOUR)).equals(before)


def test_wrong_credentials_are_named_by_service(
    everything: Everything, clock: ManualClock, landed: Landed, tmp_path: Path
) -> None:
    start = datetime(2026, 11, 20, tzinfo=UTC)
    wrong = Basic("demo", "not-the-password")
    with (
        PiClient(everything.sources.pi, credentials=wrong, clock=clock, land=landed, locks=tmp_path) as pi,
        pytest.raises(CredentialError, match=r"pi: .*answered 401") as caught,
    ):
        list(pi.read(start, start + HOUR))
    assert "not-the-password" not in str(caught.value)
    key = ApiKey("not-the-key")
    settings = everything.sources.hydroforecast
    with (
        HydroForecastClient(settings, credentials=key, clock=clock, land=landed, locks=tmp_path) as hydroforecast,
        pytest.raises(CredentialError, match=r"hydroforecast: .*answered 403"),
    ):
        list(hydroforecast.forecasts(start, start + HOUR))
    account = ErcotCredentials(username="demo", password="not-the-password", subscription_key="demo-key")  # noqa: S106
    with (
        ErcotClient(everything.sources.ercot, credentials=account, clock=clock, land=landed, locks=tmp_path) as ercot,
        pytest.raises(CredentialError, match=r"ercot: POST .*answered 400"),
    ):
        list(ercot.da_prices(start, start + HOUR))


def test_services_stopped_in_the_middle_keep_what_was_read(clock: ManualClock, landed: Landed, tmp_path: Path) -> None:
    start = datetime(2026, 11, 20, tzinfo=UTC)
    with Simulators(seed=7, clock=VirtualClock(NOW, speed=0.0)) as short_lived:
        overlay = tmp_path / "overlay.toml"
        overlay.write_text(f'[pi.http]\nbase_url = "{short_lived.addresses["pi"]}"\nspacing_s = 0\n')
        settings = load_sources(CONFIG / "sources.toml", overlay).pi
        pi = PiClient(settings, credentials=Basic("demo", "demo"), clock=clock, land=landed, locks=tmp_path)
        reads = pi.read(start, start + HOUR)
        kept = [next(reads), next(reads)]
    rest, error = until_it_fails(reads)
    pi.close()
    assert all(read.rows.height for read in kept)
    assert len(landed) == 2
    assert rest == []
    assert isinstance(error, ServiceError)
    assert error.retryable
