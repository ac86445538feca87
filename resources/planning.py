"""Planning series: what plans and forecasts read, made from vendor series by the rules of config/series.toml.

Put here: choosing among vendors, conversion, leaving out what is not usable. Keep out: filling gaps into the future
(forecasting) and storing what comes out: a planning series is made anew at every read.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from domain.beliefs import TIME, Cutoffs, Quality
from domain.errors import InputError
from forecasting.frames import HOUR, hour_means
from resources.lake import Lake
from resources.series_file import PriceRule, SeriesRule, VendorSeries, load_prices, load_series

USABLE: Final = (Quality.GOOD, Quality.SUBSTITUTED, Quality.ESTIMATED)
"""Qualities a plan may rest on; questionable values are kept in the lake and left out here."""


DISTRIBUTION: Final = "quantile"
"""Scenario under which vendors' quantiles are stored, beside their point values."""


class PlanningReader:
    """Planning series over a lake, by the rules of one file.

    Attributes:
        rules: Planning series id -> how it is made.
        prices: Price that a plan earns -> the market it follows.
    """

    def __init__(self, lake: Lake, path: Path) -> None:
        self._lake = lake
        self._content = path.read_bytes() if path.is_file() else b""
        self.rules: Mapping[str, SeriesRule] = load_series(path)
        self.prices: Mapping[str, PriceRule] = load_prices(path)

    @classmethod
    def unpin(cls, lake: Lake, sha256: str) -> PlanningReader:
        """Return the reader with the rules whose bytes have this hash."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{sha256[:12]}.toml"
            path.write_bytes(lake.get_raw(sha256))
            return cls(lake, path)

    def pin(self, now: datetime) -> str:
        """Keep the rules' bytes in the lake and return their hash."""
        return self._lake.put_raw(self._content, source="config", name="series", fetched_at=now)

    def observed(self, series_id: str, *, start: datetime, end: datetime, cutoffs: Cutoffs) -> pl.DataFrame:
        """Return the usable values of a series as known at the cutoffs.

        Args:
            series_id: A planning series of the file.
            start: First event start [UTC].
            end: End of the window, exclusive [UTC].
            cutoffs: What may be known.

        Returns:
            ``event_start`` (UTC), ``value`` in the unit of the series; in order, one row an event: that of the first
            source in the file's order that has a usable one.
        """
        return self.observed_all([series_id], start=start, end=end, cutoffs=cutoffs)[series_id]

    def observed_all(
        self, series_ids: Sequence[str], *, start: datetime, end: datetime, cutoffs: Cutoffs
    ) -> dict[str, pl.DataFrame]:
        """Return ``observed`` of several series by one read of the lake; reading them one by one takes longer."""
        rules = {name: self._rule(name) for name in series_ids}
        sources = [source for rule in rules.values() for source in rule.sources]
        rows = self._lake.as_of(
            list({source.series: None for source in sources}),
            start=start,
            end=end,
            cutoffs=cutoffs,
            scenarios=list({source.scenario: None for source in sources}),
        )
        usable = rows.filter(pl.col("quality").is_in(list(USABLE)) & pl.col("quantile").is_null())
        by_series = {str(name): part for (name,), part in usable.partition_by("series_id", as_dict=True).items()}
        nothing = usable.clear()
        return {
            name: _preferred(rule, [by_series.get(source.series, nothing) for source in rule.sources])
            for name, rule in rules.items()
        }

    def filled(self, series_id: str, *, start: datetime, end: datetime, cutoffs: Cutoffs) -> pl.DataFrame:
        """Return ``observed`` on the series' grid, gaps filled by its declared rule and never from the future.

        Returns:
            ``event_start`` (UTC), ``value``, ``quality``: ``estimated`` where the last known value was carried forward,
            for at most the rule's longest gap; a longer gap is left out. Made anew at every read and never stored.
        """
        known = self.observed(series_id, start=start - self._rule(series_id).gap.longest, end=end, cutoffs=cutoffs)
        return self.fill(series_id, known, start=start, end=end, cutoffs=cutoffs)

    def fill(
        self, series_id: str, known: pl.DataFrame, *, start: datetime, end: datetime, cutoffs: Cutoffs
    ) -> pl.DataFrame:
        """Return ``filled`` from values that were read already, such as by ``observed_all``."""
        rule = self._rule(series_id)
        grid = pl.DataFrame({"event_start": pl.datetime_range(start, end, rule.step, closed="left", eager=True)})
        last = known.select("event_start", "value", known_at="event_start").sort("event_start")
        rows = grid.select(pl.col("event_start").cast(TIME)).join_asof(last, on="event_start", strategy="backward")
        age = pl.col("event_start") - pl.col("known_at")
        estimated = pl.when(age > timedelta(0)).then(pl.lit(Quality.ESTIMATED.value)).otherwise(pl.lit("good"))
        # What the belief cutoff could not know is no gap but the future: it is forecast, not filled.
        past = pl.col("event_start") <= pl.lit(cutoffs.at, TIME)
        return rows.filter((age <= rule.gap.longest) & past).select("event_start", "value", quality=estimated)

    def hourly(self, series_id: str, *, start: datetime, end: datetime, cutoffs: Cutoffs) -> pl.DataFrame:
        """Return ``observed`` as means over whole hours; an hour with a missing part is left out."""
        rows = self.observed(series_id, start=start, end=end, cutoffs=cutoffs)
        step = self._rule(series_id).step
        return rows if step >= HOUR else hour_means(rows, step=step)

    def forecast(self, series_id: str, *, start: datetime, end: datetime, cutoffs: Cutoffs) -> pl.DataFrame:
        """Return the newest distributions that a vendor gave for a series, as means of its steps.

        Returns:
            ``event_start, belief_time, value, quantile`` (null = mean); of the first source that has any row. A series
            of instants becomes the mean of each step's both ends; a step one end of which is unknown is left out.
        """
        rule = self._rule(series_id)
        last = end + rule.step if rule.kind == "instant" else end
        for source in rule.sources:
            scenarios = [source.scenario, DISTRIBUTION]
            rows = self._as_of(source, scenarios, start, last, cutoffs)
            usable = rows.filter(pl.col("quality").is_in(list(USABLE)) & pl.col("value").is_not_null())
            if usable.height:
                scaled = (pl.col("value") * source.factor + source.offset).alias("value")
                found = usable.select("event_start", "belief_time", scaled, "quantile")
                return _between(found, rule.step) if rule.kind == "instant" else found
        return pl.DataFrame(
            schema={"event_start": TIME, "belief_time": TIME, "value": pl.Float64, "quantile": pl.Float64}
        )

    def ensemble(
        self, series_id: str, *, start: datetime, end: datetime, cutoffs: Cutoffs
    ) -> tuple[pl.DataFrame, datetime | None]:
        """Return the members of the newest issue of an ensemble forecast, and when it was issued.

        Returns:
            ``event_start``, ``member``, ``value``; no rows and None where nothing was issued.
        """
        source = self._rule(series_id).sources[0]
        rows = self._lake.as_of(source.series, start=start, end=end, cutoffs=cutoffs)
        members = rows.filter(pl.col("member").is_not_null() & pl.col("value").is_not_null())
        issued = members["belief_time"].max()
        if not isinstance(issued, datetime):
            return members.select("event_start", "member", "value"), None
        newest = members.filter(pl.col("belief_time") == issued)
        return newest.select("event_start", "member", pl.col("value") * source.factor + source.offset), issued

    def newest(self, series_id: str, *, cutoffs: Cutoffs) -> pl.DataFrame:
        """Return the usable values before the belief cutoff that may still be held then, that instant included."""
        start, end = cutoffs.at - self.longest_hold(series_id), cutoffs.at + timedelta(microseconds=1)
        return self.observed(series_id, start=start, end=end, cutoffs=cutoffs)

    def longest_hold(self, series_id: str) -> timedelta:
        """Return how old the newest value of a series may be to stand for the present: its rule's longest gap."""
        return self._rule(series_id).gap.longest

    def _as_of(
        self, source: VendorSeries, scenarios: list[str], start: datetime, end: datetime, cutoffs: Cutoffs
    ) -> pl.DataFrame:
        voices = [source.source] if source.source else None
        return self._lake.as_of(
            source.series, start=start, end=end, cutoffs=cutoffs, scenarios=scenarios, sources=voices
        )

    def _rule(self, series_id: str) -> SeriesRule:
        try:
            return self.rules[series_id]
        except KeyError:
            known = ", ".join(self.rules)
            raise InputError(f"no planning series {series_id!r} in config/series.toml; known: {known}") from None


def _between(instants: pl.DataFrame, step: timedelta) -> pl.DataFrame:
    """Return the mean of each step between two instants of one issue."""
    ends = instants.with_columns(pl.col("event_start") - step).rename({"value": "at_end"})
    both = instants.join(ends, on=["event_start", "belief_time", "quantile"], nulls_equal=True, maintain_order="left")
    return both.select("event_start", "belief_time", (pl.col("value") + pl.col("at_end")) / 2.0, "quantile")


def _preferred(rule: SeriesRule, parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return one row an event: that of the first source, in the rule's order, that has a believable value."""
    ranked = [
        part.filter(
            (pl.col("scenario") == source.scenario) & (pl.lit(not source.source) | (pl.col("source") == source.source))
        ).select(
            pl.col("event_start").cast(TIME),
            (pl.col("value") * source.factor + source.offset).alias("value"),
            pl.lit(rank).alias("rank"),
            "source",
        )
        for rank, (source, part) in enumerate(zip(rule.sources, parts, strict=True))
    ]
    return (
        pl.concat(ranked)
        .filter(pl.col("value").is_between(rule.low, rule.high))
        .sort("event_start", "rank", "source")
        .unique("event_start", keep="first", maintain_order=True)
        .select("event_start", "value")
    )
