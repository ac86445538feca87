"""Judgements about batches of rows: what is missing, doubled, late or implausible.

Put here: pure rules over canonical rows. Keep out: what happens to a batch that fails one (assets/door.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import polars as pl

from domain.beliefs import TIME, Quality
from domain.instants import require_utc

DEVIATIONS: Final = 8.0
"""A spike lies this many robust standard deviations from its neighbours' median: once in 10^15 normal draws."""

OUTSIDE: Final = "outside its range"
SPIKE: Final = "spike"
FLATLINE: Final = "flatline"
RESCALED: Final = "another unit's scale"
CROSSED: Final = "quantiles cross"
"""What ``quality_detail`` says of a doubted value."""

_TO_SIGMA: Final = 1.4826
"""Standard deviation of a normal over its median absolute deviation (Hampel 1974)."""

_NEIGHBOURS: Final = 5
"""Samples a spike is held against, itself included: the median of five bears two wrong ones."""

_MOVES: Final = 4.0
"""A spike leaves its neighbours this many times as far as they leave each other; a storm's peak about twice as far."""

_NEWEST: Final = 4.0
"""How much farther the newest value must be, which nothing contradicts yet."""

_RHYTHM: Final = 3.0
"""An event is late when it has been waited for three times as long as usual."""

_OTHER_UNITS: Final = (1 / 1000, 0.028316847)
"""What a flow in cfs becomes in kcfs and in m3/s."""

_EXACTLY: Final = 0.1
"""How near to a unit's factor the first step must be: what a river moves in an hour."""

_DRIFT: Final = 4.0
"""How far a river may move while its scale is another."""

_GAPS: Final = 2
"""Gaps between events that show a rhythm, at least."""

_KEY: Final = ("series_id", "event_start", "source", "scenario", "member", "quantile")
_POINT: Final = pl.col("quantile").is_null() & pl.col("member").is_null()


@dataclass(frozen=True, slots=True, kw_only=True)
class Believable:
    """What is believable of one series, in its own unit.

    Attributes:
        low: Smallest value.
        high: Largest value.
        jump: Largest departure from the neighbours' median that is never a spike; None where the series may jump.
        flat: Longest run of one and the same value; None where the series may stand still.
    """

    low: float
    high: float
    jump: float | None = None
    flat: timedelta | None = None


def missing_intervals(rows: pl.DataFrame, *, start: datetime, end: datetime) -> pl.DataFrame:
    """Return the intervals that series of regular intervals lack between their neighbours' bounds.

    Args:
        rows: Canonical rows; series of instants (``event_end`` = ``event_start``) have no expected count and are
            left out. The step of a series is its own commonest interval length.
        start: Start of the window that was asked for [UTC].
        end: End of what should be known by now [UTC], exclusive.

    Returns:
        ``series_id, expected, found, missing`` (counts) and ``first_missing`` (UTC), one row a series that lacks
        something.
    """
    start, end = require_utc(start, what="start"), require_utc(end, what="end")
    regular = rows.filter((pl.col("event_end") > pl.col("event_start")) & pl.col("value").is_not_null())
    steps = regular.group_by("series_id").agg((pl.col("event_end") - pl.col("event_start")).mode().min().alias("step"))
    expected = (
        steps.with_columns(count=(pl.lit(end - start) / pl.col("step")).floor().cast(pl.Int64))
        .filter(pl.col("count") > 0)
        .with_columns(index=pl.int_ranges(0, pl.col("count")))
        .explode("index")
        .with_columns(event_start=pl.lit(start).cast(rows.schema["event_start"]) + pl.col("index") * pl.col("step"))
    )
    found = regular.select("series_id", "event_start").unique().with_columns(found=pl.lit(1))
    return (
        expected.join(found, on=["series_id", "event_start"], how="left")
        .group_by("series_id")
        .agg(
            pl.len().alias("expected"),
            pl.col("found").count(),
            pl.col("found").is_null().sum().alias("missing"),
            pl.col("event_start").filter(pl.col("found").is_null()).min().alias("first_missing"),
        )
        .filter(pl.col("missing") > 0)
        .sort("series_id")
    )


def repeated(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of a batch that state one belief more than once, whether or not they agree."""
    return rows.filter(pl.struct(*_KEY, "belief_time").is_duplicated())


def out_of_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that are about an earlier event than the row before them of the same series and statement."""
    before = pl.col("event_start").shift(1).over("series_id", "source", "scenario", "member", "quantile", "belief_time")
    return rows.filter(pl.col("event_start") < before)


def outside(rows: pl.DataFrame, limits: Mapping[str, Believable]) -> pl.DataFrame:
    """Return the rows whose value is not believable; a series without limits is not held to any."""
    bounds = pl.DataFrame(
        [(series, one.low, one.high) for series, one in limits.items()],
        schema={"series_id": pl.String, "low": pl.Float64, "high": pl.Float64},
        orient="row",
    )
    held = rows.join(bounds, on="series_id", how="inner", maintain_order="left")
    return held.filter(~pl.col("value").is_between("low", "high")).drop("low", "high")


def spikes(rows: pl.DataFrame, limits: Mapping[str, Believable]) -> pl.DataFrame:
    """Return the values that stand alone: they leave their neighbours on both sides, farther than the series moves.

    A spike departs from the running median of five by more than the series' declared jump, by more than eight robust
    deviations of the batch (Hampel's test), and by more than four times what the series moves from sample to sample
    just there: the sharp peak of a storm stands among steep sides and is none. What lies between the values before
    and after it is on the way from one to the other, and none either. The newest value has nothing after it that
    would tell a spike from the beginning of a storm: it must be four times as far.
    """
    jumps = {series: one.jump for series, one in limits.items() if one.jump is not None}
    held = _points(rows, jumps).with_columns(
        jump=pl.col("series_id").replace_strict(jumps, return_dtype=pl.Float64, default=None)
    )
    value, by = pl.col("value"), "series_id"
    past, later = ([value.shift(sign * place).over(by) for place in (1, 2, 3)] for sign in (1, -1))
    middle = value.rolling_median(_NEIGHBOURS, center=True, min_samples=3)
    steps = [(one - two).abs() for side in (past, later) for one, two in pairwise(side)]
    held = held.with_columns(
        away=(value - middle).abs().over(by),
        around=pl.concat_list(steps).list.median() * _MOVES,
        before=value - pl.mean_horizontal(past[:2]),
        after=value - pl.mean_horizontal(later[:2]),
        newest=later[0].is_null(),
    )
    spread = DEVIATIONS * _TO_SIGMA * pl.col("away").median().over(by)
    limit = pl.max_horizontal(spread, "jump", "around") * pl.when("newest").then(_NEWEST).otherwise(1.0)
    sides = pl.min_horizontal(pl.col("before").abs(), pl.col("after").abs())
    alone = (pl.col("before") * pl.col("after") > 0) & (sides > limit / 2)
    found = (pl.col("away") > limit) & (alone | pl.col("newest"))
    return held.filter(found).drop("jump", "away", "around", "before", "after", "newest")


def flatlines(rows: pl.DataFrame, limits: Mapping[str, Believable]) -> pl.DataFrame:
    """Return the rows of every run of one and the same value that lasts longer than its series ever stands still."""
    longest = {series: one.flat for series, one in limits.items() if one.flat is not None}
    held = _points(rows, longest).with_columns(
        flat=pl.col("series_id").replace_strict(longest, return_dtype=pl.Duration("us"), default=None),
        run=pl.struct("series_id", "value").rle_id(),
    )
    lasted = (pl.col("event_end").max() - pl.col("event_start").min()).over("run")
    return held.filter(lasted > pl.col("flat")).drop("flat", "run")


def rescaled(rows: pl.DataFrame, limits: Mapping[str, Believable]) -> pl.DataFrame:
    """Return the rows of natural series that fell to another unit's scale overnight: thousands of cfs, m3/s.

    The label still says cfs, and 0.2 is in the range of a river that had 200. A value that is a unit's factor below
    the last believable one, within a tenth, begins such a run; while it lasts the river may rise and fall fourfold.
    Only series that may neither jump nor stand still are held to this: a gate may close to a leak.
    """
    jumps = {series: one.jump for series, one in limits.items() if one.jump is not None and one.flat is not None}
    held = _points(rows, jumps)
    struck: list[bool] = []
    series, believed, run = None, 0.0, None
    for name, value in held.select("series_id", "value").iter_rows():
        if name != series:
            series, believed, run = name, 0.0, None
        share = value / believed if believed > jumps[name] else 1.0
        known = [run] if run else [factor for factor in _OTHER_UNITS if abs(share / factor - 1) <= _EXACTLY]
        run = next((factor for factor in known if factor / _DRIFT < share < factor * _DRIFT), None)
        believed = believed if run else value
        struck.append(run is not None)
    return held.filter(pl.Series(struck, dtype=pl.Boolean))


def doubted(
    rows: pl.DataFrame, limits: Mapping[str, Believable], *, context: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return the rows with the quality of suspect values lowered to questionable and the reason beside it.

    A value outside its range, a spike, a flatline, one of another unit's scale or a distribution whose quantiles cross
    is kept: it is what the source said. As questionable it stays out of plans.

    Args:
        rows: Canonical rows.
        limits: Series id -> what is believable of it; other series pass.
        context: Canonical rows of the time just before, so that a run that began earlier is seen whole.
    """
    rows = _uncrossed(rows)
    if not limits or rows.is_empty():
        return rows
    around = rows if context is None or context.is_empty() else pl.concat([context.select(rows.columns), rows])
    found = [
        judged.filter(_POINT).select("series_id", "event_start", "scenario", reason=pl.lit(reason))
        for reason, judged in (
            (OUTSIDE, outside(rows, limits)),
            (SPIKE, spikes(around, limits)),
            (FLATLINE, flatlines(around, limits)),
            (RESCALED, rescaled(around, limits)),
        )
    ]
    key = ["series_id", "event_start", "scenario"]
    reasons = pl.concat(found).unique(key, keep="first", maintain_order=True)
    if reasons.is_empty():
        return rows
    told = pl.concat_str("quality_detail", "reason", separator="; ", ignore_nulls=True)
    struck = pl.col("reason").is_not_null() & _POINT & pl.col("value").is_not_null()
    lowered = struck & pl.col("quality").is_in([Quality.GOOD, Quality.SUBSTITUTED, Quality.ESTIMATED])
    return (
        rows.join(reasons, on=key, how="left", maintain_order="left")
        .with_columns(
            quality=pl.when(lowered).then(pl.lit(Quality.QUESTIONABLE.value)).otherwise("quality"),
            quality_detail=pl.when(struck).then(told).otherwise("quality_detail"),
        )
        .drop("reason")
    )


def stale(rows: pl.DataFrame, *, now: datetime, late: timedelta) -> pl.DataFrame:
    """Return the series whose newest *event* is too old, whenever their last read was.

    Series of intervals are late by the declared threshold. Series of events (``event_end`` = ``event_start``) are
    compressed by their source: a quiet one has no events, so its threshold is three times its own usual gap where
    that is longer, and one with too few events to show a rhythm is not judged.

    Args:
        rows: Canonical rows that a source has given, of its last days.
        now: The present [UTC].
        late: Oldest end of a newest event that is not late.

    Returns:
        ``series_id, newest`` (UTC), ``age`` and ``allowed`` (durations), one row a series that is late.
    """
    now = require_utc(now, what="now")
    valued = rows.filter(pl.col("value").is_not_null()).sort("series_id", "event_start")
    events = pl.col("event_start") == pl.col("event_end")
    gaps = pl.col("event_start").filter(events).diff().drop_nulls()
    return (
        valued.group_by("series_id")
        .agg(
            newest=pl.col("event_end").max(),
            usual=gaps.quantile(0.9),
            unknown=events.all() & (gaps.len() < _GAPS),
        )
        .filter(~pl.col("unknown"))
        .with_columns(
            age=pl.lit(now, TIME) - pl.col("newest"),
            allowed=pl.max_horizontal(
                pl.lit(late, pl.Duration("us")), (pl.col("usual") * _RHYTHM).cast(pl.Duration("us"))
            ),
        )
        .filter(pl.col("age") > pl.col("allowed"))
        .drop("usual", "unknown")
        .sort("series_id")
    )


def unit_changes(rows: pl.DataFrame, units: Mapping[str, str]) -> pl.DataFrame:
    """Return, for each series whose unit is not the one it always had, ``series_id, unit, before``."""
    known = pl.DataFrame(list(units.items()), schema={"series_id": pl.String, "before": pl.String}, orient="row")
    return (
        rows.select("series_id", "unit")
        .unique()
        .join(known, on="series_id")
        .filter(pl.col("unit") != pl.col("before"))
        .sort("series_id", "unit")
    )


def disagreements(ours: pl.DataFrame, theirs: pl.DataFrame, *, tolerance: float, share: float = 0.0) -> pl.DataFrame:
    """Return the events about which two sources say different things.

    Args:
        ours: ``series_id, event_start, value``.
        theirs: The same from another source, under the same ids.
        tolerance: Largest difference that is none, in the series' unit.
        share: What comes on top of it, as a share of the other's value: an instant is not the mean of its hour.

    Returns:
        ``series_id, event_start, value, other``.
    """
    other = theirs.select("series_id", "event_start", other="value")
    both = ours.select("series_id", "event_start", "value").join(other, on=["series_id", "event_start"])
    return both.filter((pl.col("value") - pl.col("other")).abs() > tolerance + share * pl.col("other").abs())


def _uncrossed(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with every distribution doubted whose quantiles do not rise, and the mean stated beside it."""
    key = [name for name in (*_KEY, "belief_time") if name != "quantile"]
    beside = ["series_id", "event_start", "source", "belief_time"]
    stated = rows.filter(pl.col("quantile").is_not_null()).sort(*key, "quantile", nulls_last=True)
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift(1)) for name in key)
    crossed = stated.filter(same & (pl.col("value") < pl.col("value").shift(1))).select(beside).unique()
    if crossed.is_empty():
        return rows
    told = pl.concat_str("quality_detail", pl.lit(CROSSED), separator="; ", ignore_nulls=True)
    struck = pl.col("crossed").fill_null(value=False)
    lowered = struck & pl.col("quality").is_in([Quality.GOOD, Quality.SUBSTITUTED, Quality.ESTIMATED])
    return (
        rows.join(crossed.with_columns(crossed=True), on=beside, how="left", maintain_order="left")
        .with_columns(
            quality=pl.when(lowered).then(pl.lit(Quality.QUESTIONABLE.value)).otherwise("quality"),
            quality_detail=pl.when(struck).then(told).otherwise("quality_detail"),
        )
        .drop("crossed")
    )


def _points(rows: pl.DataFrame, series: Mapping[str, object]) -> pl.DataFrame:
    held = rows.filter(pl.col("series_id").is_in(list(series)) & _POINT & pl.col("value").is_not_null())
    return held.unique(["series_id", "event_start", "scenario"], keep="last", maintain_order=True).sort(
        "series_id", "event_start", maintain_order=True
    )
