"""Numbers whose truth lives outside us, as their vendors said them, one asset a product family.

Put here: reading a window from a client and appending it to the lake. Keep out: anything computed from them.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg
import polars as pl

from assets.partitions import DAYS
from domain.beliefs import first_knowledge
from domain.quality import missing_intervals
from resources.caiso import CaisoClient
from resources.clock import Clock
from resources.ercot import ErcotClient
from resources.expectations import Limits, Rules, Verdict, judge
from resources.http import Read
from resources.hydroforecast import HydroForecastClient
from resources.lake import Lake
from resources.pi import PiClient
from resources.sources_file import Sources

GROUP: Final = "ingest"
COMPLETE: Final = "no_missing_intervals"

PRICE_LIMITS: Final = Limits(low=-500.0, high=9500.0)
"""Believable day-ahead prices [USD/MWh]: the offer cap of 5,000 (until 2022: 9,000) and the floor of -251 leave room
for congestion, which goes beyond either."""

MARKET_AHEAD: Final = timedelta(hours=30)
"""A day-ahead market publishes tomorrow's local day, which ends at most 30 h after today's UTC day (Pacific winter)."""

_RUN_AS_ONE: Final = dg.BackfillPolicy.single_run()


def _complete(asset: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        COMPLETE,
        asset=dg.AssetKey([GROUP, asset]),
        description="Every interval that should be known by now has a value.",
    )


def _day_ahead_rules(series: Iterable[str]) -> Rules:
    return Rules(
        never_null=("value",),
        unique=("series_id", "event_start", "belief_time"),
        limits=dict.fromkeys(series, PRICE_LIMITS),
    )


@dg.asset(
    key=[GROUP, "historian"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="pi", owners=["team:hydrology"], kinds={"python", "parquet"}, check_specs=[_complete("historian")],
)  # fmt: skip
def historian(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    pi: dg.ResourceParam[PiClient],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """Gauges, levels, power and settings from the plant's historian: hourly means, and samples of the fast tags.

    Reading a day again appends only what the historian has changed since; what we believed before stays readable.
    """
    start, end = _window(context, clock, sources, "pi")
    return _append(context, lake, clock, pi.read(start, end), asset="historian")


@dg.asset(
    key=[GROUP, "ercot_rt_prices"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="ercot", owners=["team:market-data"], kinds={"python", "parquet"},
    check_specs=[_complete("ercot_rt_prices")],
)  # fmt: skip
def ercot_rt_prices(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    ercot: dg.ResourceParam[ErcotClient],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """Real-time settlement point prices of ERCOT's hubs and zones, every quarter hour [USD/MWh]."""
    start, end = _window(context, clock, sources, "ercot_rt")
    return _append(context, lake, clock, ercot.rt_prices(start, end), asset="ercot_rt_prices")


@dg.asset(
    key=[GROUP, "ercot_da_prices"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="ercot", owners=["team:market-data"], kinds={"python", "parquet"},
    check_specs=[dg.AssetCheckSpec(name, asset=dg.AssetKey([GROUP, "ercot_da_prices"]))
                 for name in _day_ahead_rules([""]).names],
)  # fmt: skip
def ercot_da_prices(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    ercot: dg.ResourceParam[ErcotClient],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """Day-ahead settlement point prices of ERCOT's hubs and zones, hourly, tomorrow's included [USD/MWh]."""
    start, _ = _window(context, clock, sources, "ercot_da")
    reads = list(ercot.da_prices(start, _day_end(context) + MARKET_AHEAD))
    return _append(context, lake, clock, iter(reads), checks=_judged(reads))


@dg.asset(
    key=[GROUP, "ercot_load_forecast"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="ercot", owners=["team:market-data"], kinds={"python", "parquet"},
)  # fmt: skip
def ercot_load_forecast(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    ercot: dg.ResourceParam[ErcotClient],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """ERCOT's hourly seven-day load forecasts by model and weather zone, every posting of the day [MW]."""
    start, end = _window(context, clock, sources, "ercot_load_forecast")
    return _append(context, lake, clock, ercot.load_forecast(start, end))


@dg.asset(
    key=[GROUP, "caiso_prices"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="caiso", owners=["team:market-data"], kinds={"python", "parquet"},
    check_specs=[_complete("caiso_prices")],
)  # fmt: skip
def caiso_prices(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    caiso: dg.ResourceParam[CaisoClient],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """CAISO prices at the plant's nodes: day-ahead hourly with tomorrow's, and fifteen-minute real time [USD/MWh]."""
    start, end = _window(context, clock, sources, "caiso")
    ahead = _day_end(context) + MARKET_AHEAD

    def both() -> Iterator[Read]:
        yield from caiso.da_lmp(start, ahead)
        yield from caiso.rt_lmp(start, end)

    return _append(context, lake, clock, both(), asset="caiso_prices")


@dg.asset(
    key=[GROUP, "river_forecasts"], group_name=GROUP, partitions_def=DAYS, backfill_policy=_RUN_AS_ONE,
    pool="hydroforecast", owners=["team:hydrology"], kinds={"python", "parquet"},
)  # fmt: skip
def river_forecasts(
    context: dg.AssetExecutionContext,
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    hydroforecast: dg.ResourceParam[HydroForecastClient],
    sources: dg.ResourceParam[Sources],
) -> dg.MaterializeResult:
    """River forecasts issued that day: hourly mean and quantiles ten days ahead [cfs]."""
    start, end = _window(context, clock, sources, "hydroforecast")
    return _append(context, lake, clock, hydroforecast.forecasts(start, end))


def _judged(reads: list[Read]) -> list[dg.AssetCheckResult]:
    """Judge a batch at the door; it is stored all the same, and what is wrong with it shows."""
    rows = pl.concat([read.rows for read in reads]) if reads else None
    rules = _day_ahead_rules([] if rows is None else rows["series_id"].unique())
    verdicts = [] if rows is None or rows.is_empty() else judge(rows, rules)
    found = {verdict.name: verdict for verdict in verdicts}
    return [_check(name, found.get(name)) for name in _day_ahead_rules([""]).names]


def _check(name: str, verdict: Verdict | None) -> dg.AssetCheckResult:
    # An empty batch breaks no rule; that it is empty is told by its coverage and by whoever misses its prices.
    metadata = {"rows": 0} if verdict is None else {"verdict": dg.MetadataValue.json(verdict.metadata)}
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=[GROUP, "ercot_da_prices"],
        passed=verdict is None or verdict.passed,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def _window(
    context: dg.AssetExecutionContext, clock: Clock, sources: Sources, family: str
) -> tuple[datetime, datetime]:
    """Return what to ask for: the partitions' window, without the future, which no measurement can fill.

    A poll (the partition that holds the present) begins earlier by the trailing window of the product family: late
    values, corrections and what came over midnight are read there, and only what changed is stored.
    """
    window, now = context.partition_time_window, clock.now()
    start, end = window.start.astimezone(UTC), window.end.astimezone(UTC)
    return (start - sources.reread[family].poll, now) if start <= now < end else (start, end)


def _day_end(context: dg.AssetExecutionContext) -> datetime:
    return context.partition_time_window.end.astimezone(UTC)


def _append(
    context: dg.AssetExecutionContext,
    lake: Lake,
    clock: Clock,
    reads: Iterator[Read],
    *,
    asset: str | None = None,
    checks: list[dg.AssetCheckResult] | None = None,
) -> dg.MaterializeResult:
    """Append each read as it comes, so that what was fetched stays when a later request fails."""
    fetched = added = 0
    gaps: list[pl.DataFrame] = []
    notes: list[str] = []
    for read in reads:
        now = clock.now()
        rows = first_knowledge(read.rows, read_before=lake.reads(read.product), now=now)
        stored = lake.append(rows, run_id=context.run_id, product=read.product, window=read.window)
        fetched += stored.rows_in
        added += stored.rows_added
        notes.extend(read.notes)
        if asset is not None:
            gaps.append(missing_intervals(read.rows, start=read.window[0], end=min(read.window[1], now)))
    if asset is not None:
        checks = [*(checks or []), _completeness(asset, gaps)]
    return dg.MaterializeResult(
        metadata={"rows_fetched": fetched, "rows_added": added, "notes": "; ".join(notes[:20]) or "none"},
        check_results=checks or [],
    )


def _completeness(asset: str, gaps: list[pl.DataFrame]) -> dg.AssetCheckResult:
    lacking = pl.concat(gaps) if gaps else None
    some = lacking is not None and lacking.height > 0
    table = (
        "\n".join(
            f"| {row['series_id']} | {row['missing']} of {row['expected']} | {row['first_missing']:%Y-%m-%d %H:%MZ} |"
            for row in lacking.head(20).iter_rows(named=True)
        )
        if lacking is not None and some
        else ""
    )
    return dg.AssetCheckResult(
        check_name=COMPLETE,
        asset_key=[GROUP, asset],
        passed=not some,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"missing": dg.MetadataValue.md(f"| series | missing | first |\n|---|---|---|\n{table}")}
        if some
        else {},
    )
