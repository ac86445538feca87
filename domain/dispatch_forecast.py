"""What the powerhouses upstream will do: day-ahead awards first, then their habits, with where each hour came from.

Put here: the tiers and the measured deviations from them. Keep out: reading awards and history, choosing scenarios.

Awards cover a day or so and the plan looks further. Where an hour is awarded, the award is taken. For a day after
the last award, what was awarded at the same hour the day before fades into the habit; from then on the habit alone: the
median of the last sixty days by local weekday and hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
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
ENOUGH_AWARDED_H: Final = 168
"""Awarded hours from which deviations from awards are shocks enough to draw from: a week [h]."""
NEWS_FOR: Final = timedelta(hours=3)
WORTH_TELLING_MW: Final = 0.5
ALIKE_SHARE: Final = 10
"""One in ten past hours counts as like the present one."""


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


def past_deviations(history: pl.DataFrame, awards: dict[datetime, float], zone: ZoneInfo) -> tuple[pl.DataFrame, str]:
    """Return how measured output left what would have been expected of it, and what that expectation was, in words.

    The award, once enough awarded hours were measured; before, the median of the same local weekday and hour.

    Args:
        history: ``event_start`` (hour, UTC) and ``mfra_mw`` as measured.
        awards: Start of an awarded hour [UTC] -> award [MW].
        zone: Zone of the plant's clock.
    """
    measured = history.drop_nulls("mfra_mw").sort("event_start")
    awarded = pl.DataFrame(
        {"event_start": list(awards), "award_mw": list(awards.values())},
        schema={"event_start": measured.schema["event_start"], "award_mw": pl.Float64},
    )
    from_award = dispatch_deviations(measured.join(awarded, on="event_start"))
    if from_award.height >= ENOUGH_AWARDED_H:
        return from_award, f"award, {from_award.height} hours"
    local = pl.col("event_start").dt.convert_time_zone(zone.key)
    keyed = measured.select(
        "mfra_mw", hour=local.dt.hour(), both=local.dt.weekday().cast(pl.Int64) * 24 + local.dt.hour()
    )
    values, both, hour = (keyed[name].to_numpy() for name in ("mfra_mw", "both", "hour"))
    by_both, by_hour = _medians_of_others(values, both), _medians_of_others(values, hour)
    usual = np.where(np.bincount(both, minlength=200)[both] > LEAST_SAMPLES, by_both, by_hour)
    expected = ~np.isnan(usual)
    from_habit = measured.select("event_start", deviation_mw=pl.Series(values - usual)).filter(pl.Series(expected))
    return from_habit, f"weekday-hour median of the others, {from_habit.height} hours"


def _medians_of_others(values: Array, group: np.ndarray) -> Array:
    """Return, for each value, the median of the other values of its group; NaN where it is alone.

    A value that helps to make its own expectation makes deviations look small.
    """
    medians = np.full(len(values), np.nan)
    for key in np.unique(group):
        rows = np.flatnonzero(group == key)
        rows = rows[np.argsort(values[rows], kind="stable")]
        others, place, ordered = len(rows) - 1, np.arange(len(rows)), values[rows]
        if others:
            middle = [ordered[np.where(place <= k, k + 1, k)] for k in {(others - 1) // 2, others // 2}]
            medians[rows] = np.mean(middle, axis=0)
    return medians


def newest_deviation(
    history: pl.DataFrame, awards: dict[datetime, float], deviations: pl.DataFrame, now: datetime
) -> float | None:
    """Return how the newest measured hour left what was expected of it [MW]: its award, else the habit.

    None where it began more than three hours ago: that is no longer news.

    Args:
        history: ``event_start`` (hour, UTC) and ``mfra_mw`` as measured.
        awards: Start of an awarded hour [UTC] -> award [MW].
        deviations: As ``past_deviations`` gives them, for hours without an award.
        now: The instant of the decision [UTC].
    """
    measured = history.drop_nulls("mfra_mw").sort("event_start")
    if measured.is_empty() or now - measured["event_start"][-1] > NEWS_FOR:
        return None
    last, value = measured.row(-1)
    if last in awards:
        return float(value - awards[last])
    usual = deviations.filter(pl.col("event_start") == last)["deviation_mw"]
    return float(usual[0]) if usual.len() else None


def with_deviations(forecast: DispatchForecast, deviations: pl.DataFrame, now_mw: float | None) -> DispatchForecast:
    """Return the forecast with what measured output adds to its tiers: what is seen now, and what is usual.

    A tier is what is bought or what is most common; a pool fills with what comes on average. Where the tier is 0 MW at
    night, any deviation is upward. So an hour far ahead gets the mean of its tier plus every past deviation, none
    below 0 MW; the hours next to come get the deviation measured last, which fades as deviations used to fade.

    Args:
        forecast: The tiers, hour by hour from the instant of the decision.
        deviations: ``deviation_mw`` of the past, as ``past_deviations`` gives them.
        now_mw: The newest deviation, of the hour before; None where it is not known [MW].
    """
    if deviations.is_empty():
        return forecast
    past, tiers = deviations["deviation_mw"].to_numpy(), forecast.mfra_mw
    usual = np.maximum(0.0, tiers[:, None] + past[None, :]).mean(axis=1) - tiers
    left = hourly_persistence(deviations) ** np.arange(1, len(tiers) + 1)
    shift = usual if now_mw is None else left * now_mw + (1.0 - left) * usual
    told = tuple(
        f"{where}, shocks {mw:+.1f} MW" if abs(mw) >= WORTH_TELLING_MW else where
        for where, mw in zip(forecast.provenance, shift.tolist(), strict=True)
    )
    return DispatchForecast(mfra_mw=np.maximum(0.0, tiers + shift), provenance=told)


def hourly_persistence(deviations: pl.DataFrame) -> float:
    """Return which share of a deviation is left an hour later: the correlation of neighbours, within 0 to 0.98."""
    following = pl.col("event_start").diff().shift(-1) == timedelta(hours=1)
    pairs = deviations.with_columns(following.alias("joined"), pl.col("deviation_mw").shift(-1).alias("after"))
    pairs = pairs.filter("joined")
    before, after = pairs["deviation_mw"].to_numpy(), pairs["after"].to_numpy()
    squares = float(before @ before)
    return min(max(float(before @ after) / squares, 0.0), 0.98) if squares > 0.0 else 0.0


def shock_paths(
    deviations: pl.DataFrame,
    intervals: int,
    count: int,
    *,
    seed: int,
    step_h: float = 1.0,
    now_mw: float | None = None,
) -> Array:
    """Return paths of deviation for scenarios [MW], count x intervals: runs of the past.

    Each path is an unbroken stretch of measured hours, started at random, so shocks keep their length; a stretch that
    meets a gap or the end goes on from another start. Equal seeds give equal paths.

    Args:
        deviations: ``event_start``, ``deviation_mw``.
        intervals: Length of a path.
        count: How many.
        seed: Chooses the starts.
        step_h: Length of an interval [h].
        now_mw: The deviation measured last; paths then begin after hours of the past that deviated most alike, a tenth
            of all. None = after any hour.

    Raises:
        MissingInputError: Nothing was measured.
    """
    if deviations.height == 0:
        raise MissingInputError("dispatch shocks", {"mfra.power.mw": "no hour has both award and measurement"})
    values = deviations["deviation_mw"].to_numpy()
    unbroken = (deviations["event_start"].diff().shift(-1) == timedelta(hours=1)).fill_null(value=False).to_numpy()
    alike = np.arange(len(values))
    if now_mw is not None and unbroken.any():
        nearest = np.argsort(np.abs(values - now_mw) + np.where(unbroken, 0.0, np.inf), kind="stable")
        alike = nearest[: max(1, int(unbroken.sum()) // ALIKE_SHARE)] + 1
    random = np.random.default_rng(seed)
    hours = int(-(-intervals * step_h // 1))
    paths = np.empty((count, hours))
    at = alike[random.integers(len(alike), size=count)]
    elsewhere = random.integers(len(values), size=(hours, count))
    for hour in range(hours):
        paths[:, hour] = values[at]
        at = np.where(unbroken[at], np.minimum(at + 1, len(values) - 1), elsewhere[hour])
    return np.repeat(paths, round(1.0 / step_h), axis=1)[:, :intervals]
