"""Dated rules of ancillary services, from config/ancillary.toml.

Put here: reading them. Keep out: what they mean (domain/fleet/ancillary.py).
"""

from __future__ import annotations

from pathlib import Path

from domain.errors import ConfigError
from domain.fleet.ancillary import ServiceRule
from resources.config_files import checked, read_toml


def load_service_rules(path: Path) -> list[ServiceRule]:
    """Return the rules of a file.

    Raises:
        ConfigError: The file cannot be read, a rule breaks its record, or two rules of a service hold on one day.
    """
    tables = read_toml(path).get("services")
    if not isinstance(tables, list) or not tables:
        raise ConfigError(f"{path} has no [[services]]; name a service, its direction and how long it must last")
    rules = [checked(ServiceRule, table, path=path, where=f"services {n}") for n, table in enumerate(tables, start=1)]
    for n, rule in enumerate(rules):
        for other in rules[:n]:
            if rule.name == other.name and rule.valid_from < other.valid_until and other.valid_from < rule.valid_until:
                day = max(rule.valid_from, other.valid_from)
                raise ConfigError(f"{path}: two rules of {rule.name} hold on {day}; end one before the other begins")
    return rules
