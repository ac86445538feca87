"""Product families as assets: what every ingestion asset is, and how it shows what came through the door.

An asset says in one function what it reads of a window; everything else is the same for all and is here: partitions,
the window of a poll and of a back-load, the door, checks with their offending rows. Put here: that frame. Keep out:
what is read (assets/ingest*.py), judging and storing (assets/door.py).
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import dagster as dg
import polars as pl

from assets.door import ALWAYS, GROUP, SAYS, SHOWN, Door, Found, Taken
from assets.partitions import DAYS
from resources.clock import Clock
from resources.http import Read
from resources.http.windows import Window
from resources.lake import Lake
from resources.series_file import believable
from resources.sources_file import Sources

BATCH: Final = timedelta(days=3)
"""A window longer than this is a back-load: Great Expectations judges it, which takes seconds to import."""

MARKET_AHEAD: Final = timedelta(hours=30)
"""A day-ahead market publishes tomorrow's local day, which ends at most 30 h after today's UTC day (Pacific winter)."""

_COMMON: Final = frozenset({"clock", "lake", "planning", "sources"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a family is asked for.

    Attributes:
        window: First instant wanted and first not wanted [UTC]. Without the future, which no measurement can fill; a
            poll (the partition that holds the present) begins earlier by the family's trailing window: late values,
            corrections and what came over midnight are read there, and only what changed is stored.
        ahead: The window with what a day-ahead market may have published for it.
        is_now: Whether the partition holds the present.
        now: The present [UTC].
        lake: For what was read before.
        sources: config/sources.toml.
    """

    window: Window
    ahead: Window
    is_now: bool
    now: datetime
    lake: Lake
    sources: Sources


Reading = Callable[..., Iterator[Read]]
"""Takes an `Ask` and the clients that it names as parameters, and yields reads."""


def family(
    *checks: str,
    pool: str,
    owner: str,
    table: str,
    complete: bool = False,
    ordered: bool = True,
    others: Callable[[Sources], Mapping[str, str]] | None = None,
    tolerance: tuple[float, float] = (0.01, 0.0),
) -> Callable[[Reading], dg.AssetsDefinition]:
    """Make a daily partitioned asset of a function that reads a product family; its docstring is the description.

    Args:
        *checks: What is judged besides what always is.
        pool: Steps of one pool run one at a time: one a credential.
        owner: The team.
        table: The family's name under [reread] of config/sources.toml.
        complete: Whether its intervals can be counted.
        ordered: Whether its source promises an order.
        others: Which of its series another source of the lake speaks of as well.
        tolerance: Largest difference from the other that is none [unit of the series], and as a share of it.
    """

    def made(read: Reading) -> dg.AssetsDefinition:
        name: str = read.__name__  # ty: ignore[missing-attribute] - it decorates functions
        clients = [parameter for parameter in inspect.signature(read).parameters if parameter != "ask"]

        @dg.asset(
            key=[GROUP, name], description=inspect.getdoc(read), group_name=GROUP, partitions_def=DAYS,
            backfill_policy=dg.BackfillPolicy.single_run(), pool=pool, owners=[owner], kinds={"python", "parquet"},
            check_specs=specs(name, *checks), required_resource_keys={*_COMMON, *clients},
        )  # fmt: skip
        def ingested(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
            resources: Any = context.resources
            ask = asked(context, resources.clock, resources.lake, resources.sources, table)
            window = context.partition_time_window
            door = Door(
                lake=ask.lake,
                clock=resources.clock,
                limits=believable(resources.planning.rules),
                complete=complete,
                ordered=ordered,
                # Only a window that holds the present can have a newest event that is late.
                late=ask.sources.reread[table].late if ask.is_now else None,
                batch=complete and window.end - window.start > BATCH,
                others=None if others is None else others(ask.sources),
                tolerance=tolerance[0],
                share=tolerance[1],
            )
            reads = read(ask, **{client: getattr(resources, client) for client in clients})
            return result(context, door.take_in(reads, run_id=context.run.run_id))

        return ingested

    return made


def asked(context: dg.AssetExecutionContext, clock: Clock, lake: Lake, sources: Sources, table: str) -> Ask:
    """Return what the partitions of a run ask of a family."""
    whole, now = context.partition_time_window, clock.now()
    start, end = whole.start.astimezone(UTC), whole.end.astimezone(UTC)
    is_now = start <= now < end
    window = (start - sources.reread[table].poll, now) if is_now else (start, end)
    ahead = window[0], max(window[1], end) + MARKET_AHEAD
    return Ask(window=window, ahead=ahead, is_now=is_now, now=now, lake=lake, sources=sources)


def specs(asset: str, *checks: str) -> list[dg.AssetCheckSpec]:
    """Return the specifications of an asset's checks: those every family has, and these."""
    key = dg.AssetKey([GROUP, asset])
    return [dg.AssetCheckSpec(name, asset=key, description=SAYS[name]) for name in (*ALWAYS, *checks)]


def result(context: dg.AssetExecutionContext, taken: Taken) -> dg.MaterializeResult:
    """Return what Dagster shows: counts, notes, and each declared check with its offending rows."""
    keys = sorted(context.selected_asset_check_keys)
    return dg.MaterializeResult(
        metadata={
            "rows_fetched": taken.fetched,
            "rows_added": taken.added,
            "rows_doubted": taken.doubted,
            "notes": "; ".join(taken.notes[:SHOWN]) or "none",
        },
        check_results=[_check(key, taken.offending.get(key.name)) for key in keys],
    )


def _check(key: dg.AssetCheckKey, found: Found | None) -> dg.AssetCheckResult:
    if found is None:
        metadata: dict[str, dg.MetadataValue] = {"judged": dg.MetadataValue.text("not by this run: nothing to judge")}
    elif not found.count:
        metadata = {}
    else:
        rows = pl.concat([frame for frame in found.rows if frame.height], how="diagonal_relaxed").head(SHOWN)
        metadata = {
            "offending_rows": dg.MetadataValue.int(found.count),
            "examples": dg.MetadataValue.md(_table(rows)),
        }
    return dg.AssetCheckResult(
        check_name=key.name,
        asset_key=key.asset_key,
        passed=found is None or not found.count,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def _table(rows: pl.DataFrame) -> str:
    """Return rows as a Markdown table, columns that say nothing left out."""
    shown = rows.select(name for name in rows.columns if rows[name].null_count() < rows.height)
    head = f"| {' | '.join(shown.columns)} |\n|{'---|' * shown.width}"
    lines = (f"| {' | '.join(_cell(value) for value in row)} |" for row in shown.iter_rows())
    return "\n".join([head, *lines])


def _cell(value: object) -> str:
    return f"{value:%Y-%m-%d %H:%M:%SZ}" if isinstance(value, datetime) else str(value).replace("|", "\\|")
