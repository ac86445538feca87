"""What deserves a person's attention, and in which words.

Put here: the alert record and pure rules from frames to alerts. Keep out: channels, cooldowns and storage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

_TOLERANCE_FT: Final = 1e-6
"""Round-off of a level [ft]: the simulated pool rests exactly at the float while the gates spill."""

_TOLERANCE_CFS: Final = 0.01
"""Round-off of a mean spill [cfs]: a plan that just reaches the float spills some 1e-12 cfs."""

_LISTED: Final = 20
"""Series that an alert names; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One thing to tell a person.

    Attributes:
        key: Cause + natural key; the same key is never raised twice.
        kind: The rule's name.
        severity: ``info``, ``warning`` or ``critical``.
        message: What, which value, which limit, when.
        details: The numbers behind the message, JSON-ready.
    """

    key: str
    kind: str
    severity: str
    message: str
    details: Mapping[str, object] = field(default_factory=dict)


def pool_outside_band(
    schedule: pl.DataFrame, *, schedule_id: str, version: int, minimum_ft: float, zone: ZoneInfo
) -> list[Alert]:
    """Return alerts for a planned pool below its minimum or at or above the float, where the gates spill.

    Args:
        schedule: ``event_start`` (UTC), ``elevation_ft`` (end of interval), ``float_ft``, ``spill_cfs`` (mean).
        schedule_id: Id of the schedule; part of the alert's key.
        version: Version of the schedule; part of the alert's key.
        minimum_ft: Lowest allowed level [ft].
        zone: Zone in which the message names hours.

    Returns:
        At most one alert a side, naming the worst hour.
    """
    below = schedule.filter(pl.col("elevation_ft") < minimum_ft - _TOLERANCE_FT)
    above = schedule.filter(
        (pl.col("elevation_ft") > pl.col("float_ft") + _TOLERANCE_FT) | (pl.col("spill_cfs") > _TOLERANCE_CFS)
    )
    alerts = []
    if below.height:
        worst = below.sort("elevation_ft", "event_start").row(0, named=True)
        alerts.append(
            Alert(
                key=f"pool_below_minimum:{schedule_id}:v{version}",
                kind="pool_below_minimum",
                severity="critical",
                message=f"{schedule_id} v{version}: the pool falls to {worst['elevation_ft']:.2f} ft at "
                f"{worst['event_start'].astimezone(zone):%a %d %b %H:%M %Z}, below its minimum of {minimum_ft:g} ft, "
                f"in {below.height} interval(s)",
                details={"lowest_ft": worst["elevation_ft"], "minimum_ft": minimum_ft, "intervals": below.height},
            )
        )
    if above.height:
        worst = above.sort("elevation_ft", "spill_cfs", descending=True).row(0, named=True)
        first = above.sort("event_start").row(0, named=True)["event_start"].astimezone(zone)
        alerts.append(
            Alert(
                key=f"pool_above_float:{schedule_id}:v{version}",
                kind="pool_above_float",
                severity="warning",
                message=f"{schedule_id} v{version}: the pool reaches the float of {worst['float_ft']:.2f} ft and "
                f"spills up to {above['spill_cfs'].max():.0f} cfs in {above.height} interval(s), first at "
                f"{first:%a %d %b %H:%M %Z}",
                details={
                    "float_ft": worst["float_ft"],
                    "most_spill_cfs": above["spill_cfs"].max(),
                    "intervals": above.height,
                },
            )
        )
    return alerts


def stale_source(family: str, late: pl.DataFrame, *, now: datetime, said: str) -> list[Alert]:
    """Return the alert that a product family has stopped, at most one.

    Args:
        family: Its name in config/sources.toml; part of the alert's key.
        late: ``series_id`` and ``newest`` (UTC), one row a series that is late.
        now: The present [UTC].
        said: What is late and from when on, such as ``the newest event is late after 0:35:00``.

    Returns:
        One alert for the series that stopped together: while they stay silent its key stays the same.
    """
    if late.is_empty():
        return []
    first = late.sort("newest", "series_id").row(0, named=True)
    others = f" and {late.height - 1} more" if late.height > 1 else ""
    return [
        Alert(
            key=f"stale_source:{family}:{late.height}:{first['newest']:%Y-%m-%dT%H:%M:%SZ}",
            kind="stale_source",
            severity="warning",
            message=f"{family} is stale: {first['series_id']}{others} silent since {first['newest']:%Y-%m-%d %H:%MZ},"
            f" {(now - first['newest']) // timedelta(minutes=1)} min ago; {said}. Plans use what is known and hold no"
            " longer than config/series.toml allows",
            details={"family": family, "series": late["series_id"].to_list()[:_LISTED], "count": late.height},
        )
    ]
