"""Revisions: which statement wins, and which of a batch says anything new.

Frames here are folded (domain/distributions.py): one row a belief, so a distribution wins or loses whole. Put here:
the total order and the rules of an append, pure. Keep out: files (resources/lake).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import polars as pl

from domain.beliefs import TIME, UNSTAMPED, Basis
from domain.distributions import FOLDED
from domain.order import changed, in_order, with_key

STORED: Final[dict[str, pl.DataType]] = {**FOLDED, "recorded_at": TIME, "rev": pl.Int32()}
"""Columns of a folded row in the lake."""

TOTAL_ORDER: Final = ("key", "event_start", "belief_time", "recorded_at", "rev")
"""Sorted so, the last row of a (key, event_start) wins. ``key`` ranks the voice (domain/order.py)."""

CONTENT: Final = ("value", "grid", "quantiles", "unit", "quality", "event_end")
"""What a belief says. Two beliefs with equal content are the same statement."""

_EVENT: Final = ("key", "event_start")
_BELIEF: Final = ("key", "event_start", "belief_time")


def last_of(names: tuple[str, ...]) -> pl.Expr:
    """Return True on the last of consecutive rows that agree in ``names``."""
    return pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(-1)) for name in names) | (
        pl.int_range(pl.len()) == pl.len() - 1
    )


def winners(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the winning row of every voice and event.

    Args:
        rows: Stored rows that a read may see; ``key`` is recomputed.
    """
    return in_order(with_key(rows), TOTAL_ORDER).filter(last_of(_EVENT))


def novel(batch: pl.DataFrame, *, same_time: pl.DataFrame, newest: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Return the rows of a batch that say something new, with their ``rev``.

    A stamped row is compared with the newest revision at its own belief_time: equal content adds nothing, other
    content is a new revision, and where there is none it is stored, also when it repeats the belief before it (or an
    earlier belief that arrives late would be taken for the newest). A row whose source gives no stamp is compared
    with the newest belief of its voice and event: equal content adds nothing; other content is a correction first
    seen now, and of several such rows the last is what the source says now. Where there is no belief yet, the given
    times stand and only changes of content are kept.

    Args:
        batch: Folded rows; rows of one belief in the order in which they were stated.
        same_time: Stored rows, at least the newest revision at each belief_time of a stamped row.
        newest: Stored rows, at least the winner of each voice and event of an unstamped row.
        now: When the batch was read [UTC].

    Returns:
        Columns of ``FOLDED`` and ``rev``, sorted in total order with ``key``.
    """
    unstamped = pl.col("belief_basis").is_in(list(UNSTAMPED))
    without = batch.filter(unstamped)
    if without.is_empty():
        return _new_revisions(batch, same_time)
    fresh = _first_sights(without, newest, now)
    if without.height < batch.height:
        fresh = pl.concat([_new_revisions(batch.filter(~unstamped), same_time).select(*FOLDED), fresh])
    return _numbered(fresh, pl.concat([same_time, newest]), keep=pl.lit(True))


def newest_revision(stored: pl.DataFrame) -> pl.DataFrame:
    """Return the newest row of every voice, event and belief_time, with the largest ``rev`` among them."""
    rows = in_order(with_key(stored), TOTAL_ORDER)
    if rows["rev"].max():
        rows = rows.with_columns(rev=pl.col("rev").max().over(_BELIEF))
    return rows.filter(last_of(_BELIEF)).drop("key")


def _beside(batch: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Return stored rows, then the batch, with ``key`` over both and ``fresh`` to tell them apart."""
    rows = batch.with_columns(fresh=pl.lit(1))
    if stored.height:
        rows = pl.concat([stored.with_columns(fresh=pl.lit(0)), rows], how="diagonal")
    return with_key(rows)


def _new_revisions(batch: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    return _numbered(batch, stored, keep=changed((*_BELIEF, *CONTENT)))


def _numbered(batch: pl.DataFrame, stored: pl.DataFrame, *, keep: pl.Expr) -> pl.DataFrame:
    """Return the rows of a batch that ``keep`` keeps beside their stored revisions, with ``rev`` counted on."""
    known = newest_revision(stored.select(*STORED)) if stored.height else stored
    rows = _beside(batch, known)
    if "rev" not in rows.columns:
        rows = rows.with_columns(rev=pl.lit(None, pl.Int32))
    rows = in_order(rows, (*_BELIEF, "fresh")).with_columns(kept=(keep & (pl.col("fresh") == 1)).cast(pl.Int32))
    # The first row of a belief carries what its revisions count from, down to the next belief's first row.
    count, start = pl.col("kept").cum_sum(), changed(_BELIEF)
    base = pl.when(start).then(pl.col("rev").fill_null(-1) - count + pl.col("kept")).forward_fill()
    rows = rows.with_columns(rev=base + count)
    return rows.filter(pl.col("kept") == 1).select("key", *FOLDED, pl.col("rev").cast(pl.Int32))


def _first_sights(batch: pl.DataFrame, stored: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Return unstamped rows that differ from what was believed; stored rows come first within voice and event."""
    believed = winners(stored).drop("key") if stored.height else stored
    rows = in_order(_beside(batch, believed), (*_EVENT, "fresh", "belief_time"))
    rows = rows.with_columns(known=(pl.col("fresh") == 0).any().over(_EVENT))
    back_load = rows.filter(~pl.col("known")).filter(changed((*_EVENT, *CONTENT)))
    seen_now = rows.filter("known").filter((pl.col("fresh") == 0) | last_of(_EVENT))
    # Never before the belief it corrects, or the correction would lose to it: clocks of sources run ahead.
    moment = pl.max_horizontal(pl.lit(now, TIME), pl.col("belief_time").shift(1))
    corrections = seen_now.with_columns(
        belief_time=pl.when(pl.col("fresh") == 1).then(moment).otherwise("belief_time"),
        belief_basis=pl.lit(Basis.INGEST_TIME.value),
    ).filter((pl.col("fresh") == 1) & changed((*_EVENT, *CONTENT)))
    return pl.concat([back_load.select(*FOLDED), corrections.select(*FOLDED)])
