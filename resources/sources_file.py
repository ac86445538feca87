"""``config/sources.toml``: what is read from outside, from where and how patiently.

Put here: its shape, its overlays, its errors. Keep out: credentials (pipelines/wiring.py) and the requests themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from pydantic import ConfigDict

from domain.errors import ConfigError
from resources.awards_folder import AwardsSettings
from resources.caiso import CaisoSettings
from resources.cnrfc import CnrfcSettings
from resources.config_files import checked, merged, read_toml
from resources.ercot_api import ErcotSettings
from resources.hydroforecast import HydroForecastSettings
from resources.mis import MisSettings
from resources.pi_settings import PiSettings
from resources.yes import YesSettings

_SERVICES: Final = {
    "pi": PiSettings,
    "ercot": ErcotSettings,
    "caiso": CaisoSettings,
    "hydroforecast": HydroForecastSettings,
    "ercot_mis": MisSettings,
    "yes": YesSettings,
    "cnrfc": CnrfcSettings,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reread:
    """How far back a product is read again for corrections.

    Attributes:
        poll: At every poll.
        daily: Once a day.
        late: Oldest end of its newest event that is not late; None where events do not come at a pace.
        silent: Oldest newest statement that is not late, of forecasts; None where statements do not come at a pace.
        series: Patterns of its series, whose age raises the alarm.
        source: The canonical source of which they must be; empty takes any.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    poll: timedelta
    daily: timedelta
    late: timedelta | None = None
    silent: timedelta | None = None
    series: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """All of ``config/sources.toml``.

    Attributes:
        latency: Canonical ``source`` -> how long after publication a statement may be with us.
        reread: Product family -> trailing windows.
    """

    pi: PiSettings
    ercot: ErcotSettings
    caiso: CaisoSettings
    hydroforecast: HydroForecastSettings
    ercot_mis: MisSettings
    yes: YesSettings
    cnrfc: CnrfcSettings
    awards: AwardsSettings
    latency: Mapping[str, timedelta]
    reread: Mapping[str, Reread]


def load_sources(path: Path, *overlays: Path) -> Sources:
    """Return the settings of all services.

    Args:
        path: ``config/sources.toml``.
        overlays: Files of the same shape whose values win, later ones over earlier ones.

    Raises:
        ConfigError: A file is unreadable, a key unknown or missing, a value outside its limits.
    """
    tables = read_toml(path)
    for overlay in overlays:
        tables = merged(tables, read_toml(overlay))
    known = {"http", "latency_s", "reread", "awards", *_SERVICES}
    _refuse_other_tables(tables, known, path)
    common = tables["http"]
    services: dict[str, Any] = {
        name: checked(
            record, {**tables[name], "http": {**common, **tables[name].get("http", {})}}, path=path, where=name
        )
        for name, record in _SERVICES.items()
    }
    return Sources(
        **services,
        awards=checked(AwardsSettings, tables["awards"], path=path, where="awards"),
        latency={name: _latency(name, value, path) for name, value in tables["latency_s"].items()},
        reread={
            name: checked(Reread, value, path=path, where=f"reread.{name}") for name, value in tables["reread"].items()
        },
    )


def _refuse_other_tables(tables: Mapping[str, Any], known: set[str], path: Path) -> None:
    for problem, names in (("unknown", set(tables) - known), ("missing", known - set(tables))):
        if names:
            raise ConfigError(
                f"{path} and its overlays: {problem} table(s) {', '.join(sorted(names))};"
                f" known: {', '.join(sorted(known))}"
            )
    for name in known:
        if not isinstance(tables[name], Mapping):
            raise ConfigError(f"{path} and its overlays: {name} is {tables[name]!r}; write it as a table [{name}]")


def _latency(source: str, value: object, path: Path) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise ConfigError(f"{path}, [latency_s]: {source} = {value!r}; write seconds, 0 or more")
    return timedelta(seconds=value)
