"""Assembles the platform from the environment: the only reader of environment variables.

Put here: which folder, database, service and credential a process uses. Keep out: what it does with them.

==============================  ======================================================================
TAILRACE_HOME                   folder of the lake, plans, warehouse and state; default ``.tailrace`` here
TAILRACE_POSTGRES_URL           PostgreSQL for Dagster's storage and the operational database; default SQLite
TAILRACE_SOURCES                overlay over config/sources.toml: base URLs of this installation
TAILRACE_<SERVICE>_<FIELD>      credentials, such as TAILRACE_PI_USER; see README
TAILRACE_MQTT_URL               the devices' broker, mqtt://host:port or mqtts://; none: devices are told nothing
TAILRACE_MQTT_USERNAME          and _PASSWORD, as whom; _CA, _CERTIFICATE, _PRIVATE_KEY: files for TLS
TAILRACE_FLEET_KEY              32 bytes or more in hexadecimal; signs what devices are told, judges what they say
==============================  ======================================================================
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from domain.errors import ConfigError
from resources.clock import Clock, SystemClock

if TYPE_CHECKING:
    import dagster as dg

    from resources.ercot_token import ErcotCredentials
    from resources.fleet_link import FleetLink
    from resources.http import ApiKey, Basic, Land, RawMeta
    from resources.lake import Lake
    from resources.operators import Operators
    from resources.pinned import PlantFile
    from resources.planning import PlanningReader
    from resources.publisher import Publisher
    from resources.registry import Registry
    from resources.sources_file import Sources

ROOT: Final = Path(__file__).resolve().parent.parent
"""The checkout: config/, dbt_project/ and workspace.yaml are in it."""

_ENVIRON: Final = os.environ  # noqa: TID251 - this module is the one reader

_LEAST_KEY_BYTES: Final = 32

_QUIET: Final = {
    "GX_ANALYTICS_ENABLED": "false",
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says.

    Attributes:
        home: Folder of everything a run writes.
        postgres_url: PostgreSQL for Dagster and the operational database; None means SQLite files in ``home``.
        sources_overlay: TOML file laid over config/sources.toml, or None.
        plant: Plant file.
    """

    home: Path
    postgres_url: str | None
    sources_overlay: Path | None
    plant: Path = ROOT / "config" / "plants" / "afterbay.toml"

    @property
    def database_url(self) -> str:
        """URL of the operational database."""
        return self.postgres_url or f"sqlite:///{self.home / 'state.db'}"


def settings() -> Settings:
    """Read the environment.

    Raises:
        ConfigError: A variable names something that is not there.
    """
    _ENVIRON.update(_QUIET)
    home = Path(_ENVIRON.get("TAILRACE_HOME") or ROOT / ".tailrace").expanduser().resolve()
    home.mkdir(parents=True, exist_ok=True)
    overlay = _ENVIRON.get("TAILRACE_SOURCES")
    if overlay and not Path(overlay).is_file():
        raise ConfigError(f"TAILRACE_SOURCES names {overlay}, which is no file; write it, or unset the variable")
    url = _ENVIRON.get("TAILRACE_POSTGRES_URL") or None
    if url and not url.startswith(("postgresql://", "postgresql+psycopg2://")):
        scheme = url.split(":", 1)[0]
        raise ConfigError(f"TAILRACE_POSTGRES_URL starts with {scheme!r}; it must start with postgresql://")
    return Settings(home=home, postgres_url=url, sources_overlay=Path(overlay) if overlay else None)


def process_environment() -> dict[str, str]:
    """Return this process's environment, for a child process."""
    return dict(_ENVIRON)


def use(variables: Mapping[str, str]) -> None:
    """Set variables for this process, as if they had been exported before it started."""
    _ENVIRON.update(variables)


def clock() -> Clock:
    """Return the machine's clock."""
    return SystemClock()


def code_version() -> str:
    """Return the package's version and, in a checkout, the commit it runs from."""
    head = ROOT / ".git" / "HEAD"
    commit = ""
    if head.is_file():
        text = head.read_text().strip()
        target = ROOT / ".git" / text.removeprefix("ref: ")
        commit = target.read_text().strip() if text.startswith("ref: ") and target.is_file() else text
    return f"{version('tailrace')}+{commit[:12]}" if commit and " " not in commit else version("tailrace")


def open_lake() -> Lake:
    """Return the lake under the home folder, with every source's declared latency."""
    from resources.lake import Lake  # noqa: PLC0415 - polars and duckdb are not needed to print help

    return Lake(settings().home / "lake", now=clock().now, latency=_sources().latency)


def open_registry() -> Registry:
    """Return the operational database, migrated to today's schema."""
    from resources.registry import Registry  # noqa: PLC0415 - SQLAlchemy is not needed to print help

    return Registry(settings().database_url)


def open_operators() -> Operators:
    """Return what operators keep: overrides, what-ifs, parameter sets."""
    from resources.operators import Operators  # noqa: PLC0415 - as above

    return Operators(settings().database_url)


def open_fleet() -> FleetLink:
    """Return the link to the fleet; without TAILRACE_MQTT_URL it reaches nobody.

    Raises:
        ConfigError: A variable is malformed.
    """
    from resources.broker import Broker  # noqa: PLC0415 - paho and SQLAlchemy are not needed to print help
    from resources.database import Database  # noqa: PLC0415 - as above
    from resources.fleet_link import FleetLink  # noqa: PLC0415 - as above

    key = _ENVIRON.get("TAILRACE_FLEET_KEY")
    try:
        secret = bytes.fromhex(key) if key else None
    except ValueError:
        raise ConfigError("TAILRACE_FLEET_KEY is not hexadecimal; make one with `openssl rand -hex 32`") from None
    if secret is not None and len(secret) < _LEAST_KEY_BYTES:
        raise ConfigError(f"TAILRACE_FLEET_KEY has {len(secret)} bytes; {_LEAST_KEY_BYTES} are the least")

    def said(name: str) -> str | None:
        return _ENVIRON.get(f"TAILRACE_MQTT_{name}") or None

    def file(name: str) -> Path | None:
        value = said(name)
        return Path(value).expanduser() if value else None

    url = said("URL")
    broker = (
        Broker(
            url=url,
            username=said("USERNAME"),
            password=said("PASSWORD"),
            ca_file=file("CA"),
            certificate=file("CERTIFICATE"),
            private_key=file("PRIVATE_KEY"),
        )
        if url
        else None
    )
    home = settings().home
    return FleetLink(
        database=Database(settings().database_url),
        publisher=publisher(),
        clock=clock(),
        lake=home / "lake",
        lock=home / "locks" / "fleet-line",
        broker=broker,
        key=secret,
    )


def publisher() -> Publisher:
    """Return the folder of published schedules."""
    from resources.publisher import Publisher  # noqa: PLC0415 - polars is not needed to print help

    return Publisher(settings().home / "plans")


def planning() -> PlanningReader:
    """Return the reader of planning series."""
    from resources.planning import PlanningReader  # noqa: PLC0415 - polars is not needed to print help

    return PlanningReader(open_lake(), ROOT / "config" / "series.toml")


def plant() -> PlantFile:
    """Return the plant."""
    from resources.pinned import PlantFile  # noqa: PLC0415 - polars is not needed to print help

    return PlantFile.read(settings().plant)


def _sources() -> Sources:
    from resources.sources_file import load_sources  # noqa: PLC0415 - pydantic is not needed to print help

    overlay = settings().sources_overlay
    return load_sources(ROOT / "config" / "sources.toml", *([overlay] if overlay else []))


def _credential(name: str) -> str:
    value = _ENVIRON.get(name)
    if not value:
        raise ConfigError(f"{name} is not set: export it with your credential, or start with `make run` for a demo")
    return value


def _land(lake: Lake) -> Land:
    def land(content: bytes, meta: RawMeta) -> str:
        return lake.put_raw(
            content, source=meta.source, name=meta.name, fetched_at=meta.fetched_at, meta=dict(meta.meta)
        )

    return land


def _ercot_account() -> ErcotCredentials:
    from resources.ercot_token import ErcotCredentials  # noqa: PLC0415

    return ErcotCredentials(
        username=_credential("TAILRACE_ERCOT_USERNAME"),
        password=_credential("TAILRACE_ERCOT_PASSWORD"),
        subscription_key=_credential("TAILRACE_ERCOT_SUBSCRIPTION_KEY"),
    )


def _login(service: str) -> Basic:
    from resources.http import Basic  # noqa: PLC0415

    return Basic(_credential(f"TAILRACE_{service}_USERNAME"), _credential(f"TAILRACE_{service}_PASSWORD"))


def _hydroforecast_key() -> ApiKey:
    from resources.http import ApiKey  # noqa: PLC0415

    return ApiKey(_credential("TAILRACE_HYDROFORECAST_KEY"))


def _public() -> None:
    """Public pages and local folders ask for nobody."""


_CLIENTS: Final[Mapping[str, tuple[str, str, str, Callable[[], Any]]]] = {
    "pi": ("resources.pi", "PiClient", "pi", lambda: _login("PI")),
    "ercot": ("resources.ercot", "ErcotClient", "ercot", _ercot_account),
    "ercot_archive": ("resources.ercot_archive", "ErcotArchiveClient", "ercot", _ercot_account),
    "ercot_mis": ("resources.mis", "MisClient", "ercot_mis", _public),
    "caiso": ("resources.caiso", "CaisoClient", "caiso", _public),
    "hydroforecast": ("resources.hydroforecast", "HydroForecastClient", "hydroforecast", _hydroforecast_key),
    "yes": ("resources.yes", "YesClient", "yes", lambda: _login("YES")),
    "cnrfc": ("resources.cnrfc", "CnrfcClient", "cnrfc", _public),
    "awards_folder": ("resources.awards_folder", "AwardsFolder", "awards", _public),
}
"""Name of the resource -> its module and class, its table of config/sources.toml, who it goes as."""


@contextmanager
def _client(name: str) -> Generator[Any]:
    """Open one service's client with its settings and credentials."""
    module, kind, table, credentials = _CLIENTS[name]
    client = getattr(import_module(module), kind)
    with client(
        getattr(_sources(), table),
        credentials=credentials(),
        clock=clock(),
        land=_land(open_lake()),
        locks=settings().home / "locks",
    ) as opened:
        yield opened


def resource_definitions() -> dict[str, dg.ResourceDefinition]:
    """Return what assets and sensors ask for by name, each made when a run first needs it."""
    import dagster as dg  # noqa: PLC0415 - dagster is not needed to print help

    def made(make: Callable[[], Any]) -> dg.ResourceDefinition:
        return dg.ResourceDefinition(lambda _: make())

    def opened(name: str) -> dg.ResourceDefinition:
        def resource(_: dg.InitResourceContext) -> Generator[Any]:
            with _client(name) as client:
                yield client

        return dg.ResourceDefinition(contextmanager(resource))

    def registry(_: dg.InitResourceContext) -> Generator[Registry]:
        database = open_registry()
        yield database
        database.close()

    def operators(_: dg.InitResourceContext) -> Generator[Operators]:
        books = open_operators()
        yield books
        books.close()

    def fleet(_: dg.InitResourceContext) -> Generator[FleetLink]:
        link = open_fleet()
        yield link
        link.close()

    return {
        "clock": made(clock),
        "home": made(lambda: settings().home),
        "code_version": made(code_version),
        "lake": made(open_lake),
        "planning": made(planning),
        "plant": made(plant),
        "publisher": made(publisher),
        "sources": made(_sources),
        "registry": dg.ResourceDefinition(contextmanager(registry)),
        "fleet": dg.ResourceDefinition(contextmanager(fleet)),
        "operators": dg.ResourceDefinition(contextmanager(operators)),
        **{name: opened(name) for name in _CLIENTS},
    }
