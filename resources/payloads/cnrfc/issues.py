"""When a CNRFC issue was made and when it became known.

Put here: the nominal hour of an issue, from a name or from an option, and its rule of publication.
Keep out: layouts (exports.py, point.py).

The hour in a file's name is the nominal hour of the run. The 12Z run appears between 15:33 and 16:56 UTC: taking the
name's hour for the moment of knowledge would leak four to five hours of future into every backtest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from domain.beliefs import Basis
from domain.errors import PayloadError
from domain.instants import iso
from resources.payloads import Facts
from resources.payloads.times import known_by, require_after

PUBLICATION_DELAY: Final = timedelta(hours=5)
"""How long after its nominal hour an issue is public where no better stamp is at hand (3.5 to 5 h observed)."""
CYCLES: Final = (0, 6, 12, 18)
"""Hours (UTC) at which issues are nominally made."""

_NOMINAL: Final = re.compile(r"(?<!\d)((?:19|20)\d{2})(0[1-9]|1[0-2])([0-2]\d|3[01])(00|06|12|18)(?!\d)")


def nominal_in(names: Iterable[str]) -> datetime | None:
    """Return the nominal hour that the first telling name tells [UTC].

    >>> nominal_in(["2013110312_Kanektok_hefs_csv_hourly.csv"]).isoformat()
    '2013-11-03T12:00:00+00:00'
    """
    for name in names:
        if match := _NOMINAL.search(name):
            year, month, day, hour = (int(part) for part in match.groups())
            return datetime(year, month, day, hour, tzinfo=UTC)
    return None


def nominal_of(facts: Facts, names: Iterable[str], what: str) -> datetime | None:
    """Return the nominal hour of an issue, from ``facts.issue`` or a name; the later where both say it.

    The later one cannot claim knowledge too early: one ``--issue`` may be given for several files by mistake.

    Raises:
        PayloadError: It is at no hour at which issues are made.
    """
    told = [moment for moment in (facts.issue, nominal_in(names)) if moment is not None]
    nominal = max(told, default=None)
    if nominal is not None and (nominal.hour not in CYCLES or nominal.minute or nominal.second):
        raise PayloadError(f"{what}: no issue is made at {iso(nominal)}; issues are nominally at 00, 06, 12, 18 UTC")
    return nominal


def believed(rows: pl.DataFrame, facts: Facts, nominal: datetime | None, what: str) -> pl.DataFrame:
    """Give rows their belief: ``Last-Modified``, else the nominal hour + 5 h, else the fetch."""
    if facts.last_modified is not None:
        limit = nominal or facts.last_modified
        stamp = require_after(limit, facts.last_modified, f"{what} (Last-Modified, issue {iso(limit)})")
        return known_by(rows, fetched_at=facts.fetched_at, stamp=stamp, basis=Basis.HTTP_LAST_MODIFIED)
    rule = None if nominal is None else pl.lit(nominal + PUBLICATION_DELAY)
    return known_by(rows, fetched_at=facts.fetched_at, rule=rule)
