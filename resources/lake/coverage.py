"""Coverage: which publications arrived and which windows were read, also when nothing in them was new.

Without it "not repeated", "not delivered" and "not asked" look the same. Put here: coverage rows, how they are
written, read and merged. Keep out: beliefs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl

from domain.beliefs import TIME, Cutoffs, cutoff_by_source, merge_spans
from domain.distributions import stated_numbers
from resources.lake.files import micros
from resources.lake.journal import State

COVERAGE: Final[dict[str, pl.DataType]] = {
    "kind": pl.String(),
    "source": pl.String(),
    "product": pl.String(),
    "belief_time": TIME,
    "event_start": TIME,
    "event_end": TIME,
    "rows": pl.Int64(),
    "run_id": pl.String(),
    "recorded_at": TIME,
}
"""Columns of coverage. ``kind`` is ``publication`` (what one source stated at one belief_time: events from the first
start to the last end) or ``read`` (a window asked of the source with success; source and belief_time are null)."""

_TIMES: Final = [name for name, dtype in COVERAGE.items() if dtype == TIME]


def publications(batch: pl.DataFrame, fresh: pl.DataFrame, note: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return one row for each publication of which something was stored.

    Args:
        batch: All folded rows that arrived.
        fresh: Those that were stored, under the belief_time that they were stored with.
        note: ``product`` and ``run_id``.
    """
    by = ["source", "belief_time", *(["recorded_at"] if "recorded_at" in fresh.columns else [])]
    stored = _ranges(fresh, by)
    # Where every row that arrived was new, what arrived is what was stored.
    arrived = stored if fresh.height == batch.height else _ranges(batch, by)
    table = pl.concat(
        [
            arrived.join(stored, on=by, how="semi"),
            stored.join(arrived, on=by, how="anti"),  # corrections that were given the present as their belief_time
        ]
    )
    return [{"kind": "publication", **note, **_plain(row)} for row in table.sort(by).iter_rows(named=True)]


def _ranges(beliefs: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    return beliefs.group_by(by).agg(
        pl.col("event_start").min(),
        pl.col("event_end").max(),
        stated_numbers(pl.col("grid")).sum().alias("rows"),
    )


def read_row(window: tuple[datetime, datetime], rows: int, note: Mapping[str, str]) -> dict[str, Any]:
    """Return the row of a successful read of an event window that delivered ``rows`` rows."""
    start, end = window
    plain = _plain({"event_start": start, "event_end": end, "rows": rows})
    return {"kind": "read", "source": None, "belief_time": None, **note, **plain}


def frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return rows of commits as a coverage frame."""
    plain: dict[str, Any] = {name: pl.Int64() if name in _TIMES else dtype for name, dtype in COVERAGE.items()}
    table = pl.DataFrame([{name: row[name] for name in COVERAGE} for row in rows], schema=plain)
    return table.with_columns(pl.col(_TIMES).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))


def everything(root: Path, state: State) -> pl.DataFrame:
    """Return all coverage of one state, by recorded_at."""
    files = [root / entry.path for entry in state.of("coverage")]
    tail = frame(state.coverage)
    if not files:
        return tail.sort("recorded_at", maintain_order=True)
    stored = pl.read_parquet(files, schema=COVERAGE, missing_columns="insert", glob=False)
    return pl.concat([stored, tail]).sort("recorded_at", maintain_order=True)


def seen(table: pl.DataFrame, cutoffs: Cutoffs, latency: Mapping[str, timedelta]) -> pl.DataFrame:
    """Return the coverage a read with these cutoffs may know. A read is known from its ``recorded_at`` on."""
    limit = pl.lit(cutoffs.at, TIME)
    for source, moment in cutoff_by_source(cutoffs, latency).items():
        limit = pl.when(pl.col("source") == source).then(pl.lit(moment, TIME)).otherwise(limit)
    table = table.filter(pl.col("belief_time").is_null() | (pl.col("belief_time") <= limit))
    if cutoffs.recorded_before is not None:
        table = table.filter(pl.col("recorded_at") <= cutoffs.recorded_before)
    return table


def windows(table: pl.DataFrame, product: str) -> list[tuple[datetime, datetime]]:
    """Return the merged windows of a product's successful reads."""
    reads = table.filter((pl.col("kind") == "read") & (pl.col("product") == product))
    return merge_spans(list(reads.select("event_start", "event_end").iter_rows()))


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: micros(value) if isinstance(value, datetime) else value for name, value in row.items()}
