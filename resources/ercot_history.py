"""Which of ERCOT's doors a window is read through: the row API while it keeps the rows, the archive before.

Put here: the cut between the two. Keep out: requests (resources/ercot.py, resources/ercot_archive.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from resources.ercot_archive import ErcotArchiveClient
from resources.ercot_rows import By, row_product
from resources.http import Read
from resources.http.windows import Window, require_window

ROWS_KEPT: Final = timedelta(days=80)
"""The row API shows about 90 days; ten are left to spare."""

Rows = Callable[[datetime, datetime], Iterator[Read]]

_AHEAD: Final = timedelta(days=2)
"""Day-ahead results are posted on the day before their local day, which may begin two UTC days before its last hour."""

_BEHIND: Final = {By.RUN: timedelta(hours=1), By.DAY: timedelta(days=2)}
"""How long after an event its document may be posted: actual load appears the next morning."""


def rows_or_archive(
    emil: str,
    window: Window,
    *,
    rows: Rows,
    archive: ErcotArchiveClient,
    now: datetime,
    series: Collection[str] = (),
) -> Iterator[Read]:
    """Yield a product's reads of a window, recent parts from the row API and older ones from the archive.

    Args:
        emil: One of ``resources.ercot_rows.ROW_PRODUCTS``.
        window: First instant wanted and first not wanted [UTC]: of events, or of postings for forecasts.
        rows: Reads a window from the row API.
        archive: Reads the archive.
        now: The present [UTC].
        series: Series to keep of the archive's documents, which hold every point there is; none named keeps all.

    Raises:
        ServiceError, PayloadError: As the clients do, after everything else was yielded.
    """
    start, end = require_window(*window)
    cut = now - ROWS_KEPT
    if start < cut:
        yield from _archived(emil, (start, min(end, cut)), archive, series)
    if end > cut:
        yield from rows(max(start, cut), end)


def _archived(emil: str, window: Window, archive: ErcotArchiveClient, series: Collection[str]) -> Iterator[Read]:
    by = row_product(emil).by
    if by is By.POSTED:
        yield from archive.read(emil, *window, series=series)
        return
    posted = window[0] - (_AHEAD if by is By.DAY else timedelta(0)), window[1] + _BEHIND[by]
    inside = pl.col("event_start").is_between(*window, closed="left")
    for read in archive.read(emil, *posted, series=series):
        kept = read.rows.filter(inside)
        if kept.height:
            # A document covers the events it holds; that others were posted elsewhere says nothing about them.
            yield replace(read, rows=kept)
