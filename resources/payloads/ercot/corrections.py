"""Price corrections: what a published price should have been, said days later.

Put here: NP4-196 (day-ahead) and NP4-197 (real-time). The original product is not re-posted, so a correction is a
row of scenario ``corrected`` known since its own correction time; the original stays what it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import polars as pl

from domain.instants import CENTRAL
from resources.payloads.ercot.sheets import TIMES, Sheet
from resources.payloads.tables import floats, texts
from resources.payloads.times import published_stamps

_TIME_OF_DAY: Final = r"^\d{1,2}:\d{2}(:\d{2})?$"


def correction(
    series: str, names: tuple[str, ...], value: str, *, unit: str = "USD/MWh"
) -> Callable[[Sheet], pl.DataFrame]:
    """Return the reader of one correction table.

    Args:
        series: Template of the series id, one ``{}`` for each of ``names``.
        names: Text columns that fill it.
        value: Stem of the value columns: ``spp`` for ``SPPOriginal`` and ``SPPCorrected``.
        unit: Of the values.
    """

    def read(sheet: Sheet) -> pl.DataFrame:
        columns = [f"{value}original", f"{value}corrected"]
        table = floats(texts(sheet.table, names), columns, sheet.what)
        # One endpoint declares the column as a time of day: without its day it says nothing, the posting stamp does.
        said = table["corrected_at"].str.strip_chars()
        dated = said.set(said.str.contains(_TIME_OF_DAY), None)
        table = table.with_columns(corrected_at=published_stamps(dated, CENTRAL, sheet.what))
        return table.with_columns(posted_at=pl.coalesce("corrected_at", "posted_at")).select(
            *TIMES,
            series_id=pl.format(series, *names),
            value=columns[1],
            unit=pl.lit(unit),
            scenario=pl.lit("corrected"),
            quality_detail=pl.format("originally {}", columns[0]),
        )

    return read


def is_dated(table: pl.DataFrame) -> bool:
    """Whether a table of corrections says of each row on which day it was corrected: that is its own stamp then."""
    if "corrected_at" not in table.columns:
        return False
    said = table["corrected_at"].str.strip_chars()
    return said.null_count() == 0 and not said.str.contains(_TIME_OF_DAY).any()
