"""What the powerhouses upstream will do: day-ahead awards first, then their habits, with where each hour came from.

Put here: the tiers and the measured deviations from them. Keep out: reading awards and history, choosing scenarios.

Awards cover a day or so and the plan looks further. Where an hour is awarded, the award is taken. For a day after
the last award, what was awarded at the same hour the day before fades into the habit; from then on the habit alone: the
median of the last sixty days by local weekday and hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from domain.errors import MissingInputError
from domain.hydraulics import Array
from domain.instants import iso

HABIT_DAYS: Final = 60
FADE_HOURS: Final = 24.0
LEAST_SAMPLES: Final = 3
"""Fewer hours of a weekday and hour than this make no habit; then all weekdays count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchForecast:
    """Combined output upstream for the hours ahead.

    Attributes:
        mfra_mw: Output [MW].
        provenance: Where each value comes from: ``award``, ``blend 0.75 award``, ``habit weekday-hour``,
            ``habit hour``.
    """

    mfra_mw: Array
    provenance: tuple[str, ...]


def forecast_dispatch(
    start: tuple[datetime, ...], awards: dict[datetime, float], history: pl.DataFrame, zone: ZoneInfo
) -> DispatchForecast:
    """Return the output upstream for some intervals.

    Args:
        start: Starts of the intervals ahead [UTC].
        awards: Start of an awarded hour [UTC] -> award [MW].
        history: ``event_start`` (hour, UTC) and ``mfra_mw`` as measured; only the last sixty days before the first
            interval count, nothing from it on.
        zone: Zone of the plant's clock, which habits follow.

    Raises:
        MissingInputError: An hour has neither award nor any history at its hour of day.
    """
    habit = _Habit(history, start[0], zone)
    last = max(awards) if awards else None
    values, provenance = [], []
    for moment in start:
        hour = moment.replace(minute=0, second=0, microsecond=0)
        if hour in awards:
            values.append(awards[hour])
            provenance.append("award")
            continue
        usual, where = habit.at(moment)
        since_h = (hour - last) / timedelta(hours=1) if last is not None and hour > last else FADE_HOURS
        share = max(0.0, 1.0 - since_h / FADE_HOURS)
        before = awards.get(hour - timedelta(hours=24))
        if share > 0.0 and last is not None:
            awarded = before if before is not None else awards[last]
            values.append(share * awarded + (1.0 - share) * usual)
            provenance.append(f"blend {share:.2f} award")
        else:
            values.append(usual)
            provenance.append(where)
    return DispatchForecast(mfra_mw=np.array(values), provenance=tuple(provenance))


class _Habit:
    """Medians of what was measured, by weekday and hour, and by hour alone."""

    def __init__(self, history: pl.DataFrame, now: datetime, zone: ZoneInfo) -> None:
        self.zone = zone
        recent = history.filter(
            (pl.col("event_start") < now) & (pl.col("event_start") >= now - timedelta(days=HABIT_DAYS))
        ).drop_nulls("mfra_mw")
        local = pl.col("event_start").dt.convert_time_zone(zone.key)
        keyed = recent.select(day=local.dt.weekday(), hour=local.dt.hour(), mfra_mw="mfra_mw")
        by_both = keyed.group_by("day", "hour").agg(pl.len(), pl.median("mfra_mw"))
        self.by_both = {(day, hour): value for day, hour, count, value in by_both.iter_rows() if count >= LEAST_SAMPLES}
        self.by_hour = dict(keyed.group_by("hour").agg(pl.median("mfra_mw")).iter_rows())

    def at(self, moment: datetime) -> tuple[float, str]:
        """Return the usual output at a moment [MW] and which habit says so."""
        local = moment.astimezone(self.zone)
        if (found := self.by_both.get((local.isoweekday(), local.hour))) is not None:
            return found, "habit weekday-hour"
        if (found := self.by_hour.get(local.hour)) is not None:
            return found, "habit hour"
        raise MissingInputError(
            "the dispatch forecast",
            {"mfra.power.mw": f"no award for {iso(moment)}, and nothing measured at {local.hour}:00 local in 60 days"},
        )


def dispatch_deviations(history: pl.DataFrame) -> pl.DataFrame:
    """Return how measured output left its award, one row an hour: the shocks a plan must live with.

    Args:
        history: ``event_start``, ``mfra_mw`` as measured and ``award_mw``.

    Returns:
        ``event_start`` and ``deviation_mw`` for the hours that have both.
    """
    return (
        history.drop_nulls(["mfra_mw", "award_mw"])
        .sort("event_start")
        .select("event_start", deviation_mw=pl.col("mfra_mw") - pl.col("award_mw"))
    )


def shock_paths(deviations: pl.DataFrame, intervals: int, count: int, *, seed: int, step_h: float = 1.0) -> Array:
    """Return paths of deviation for scenarios [MW], count x intervals: runs of the past.

    Each path is an unbroken stretch of measured hours, started at random, so shocks keep their length; a stretch that
    meets a gap or the end goes on from another start. Equal seeds give equal paths.

    Raises:
        MissingInputError: Nothing was measured.
    """
    if deviations.height == 0:
        raise MissingInputError("dispatch shocks", {"mfra.power.mw": "no hour has both award and measurement"})
    values = deviations["deviation_mw"].to_numpy()
    times = deviations["event_start"].to_list()
    unbroken = np.array([b - a == timedelta(hours=1) for a, b in pairwise(times)] + [False])
    random = np.random.default_rng(seed)
    hours = -(-intervals * step_h // 1)
    paths = np.empty((count, int(hours)))
    for path in paths:
        at = int(random.integers(len(values)))
        for hour in range(len(path)):
            path[hour] = values[at]
            at = at + 1 if unbroken[at] else int(random.integers(len(values)))
    return np.repeat(paths, round(1.0 / step_h), axis=1)[:, :intervals]
