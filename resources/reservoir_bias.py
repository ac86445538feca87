"""What plans of the afterbay missed lately, read from the lake, part by part and in words.

Put here: which expectations are held against which measurements. Keep out: the arithmetic and what a plan makes of it
(domain/bias.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final

import polars as pl

from domain.beliefs import Cutoffs
from domain.bias import EXPECTED, Bias, estimate_parts
from domain.hydraulics import LEGACY
from domain.plant import Plant
from resources.decisions import FORECAST
from resources.lake import Lake
from resources.reservoir_readings import RECORD

NEWS_H: Final = 3
"""The newest complete measured hour may be this old for the bias to be worth something [h]."""
SHORT_LEAD: Final = timedelta(hours=6)
"""An expectation older than this when its hour begins is not one of the next hours: what plans miss then is the
weather, not what they do wrong."""
HOUR: Final = timedelta(hours=1)


def read_parts(lake: Lake, plant: Plant, record: pl.DataFrame, cutoffs: Cutoffs) -> dict[str, Bias]:
    """Return what each part of the inflow missed in the newest unbroken stretch of measured hours.

    Expected is what we had forecast of rivers and dispatch when the hour began, and of R20, which plans hold, the hour
    before.

    Args:
        lake: The lake.
        plant: The plant.
        record: The measured record of the last day or so (reservoir_readings.read_record).
        cutoffs: What may be known; the record was read with the same.
    """
    stretches = list(unbroken(_with_expectations(lake, record, cutoffs)))
    end = record["event_start"][-1] + HOUR
    if not stretches or end - stretches[-1][0]["event_start"][-1] > NEWS_H * HOUR:
        reason = f"no complete measured hour in the last {NEWS_H}"
        nothing = Bias(bias_cfs=0.0, hours_used=0.0, hours_masked=0.0, reason=reason)
        return dict.fromkeys((*EXPECTED, "balance"), nothing)
    return estimate_parts(plant, *stretches[-1])


def unbroken(record: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, float]]:
    """Yield each stretch of completely measured hours, as the balance is judged on, and the level when it begins.

    Columns ``*_expected`` may be empty.
    """
    columns = [name for name in record.columns if name != "event_start" and not name.endswith("_expected")]
    whole = pl.all_horizontal(pl.col(columns).is_not_null())
    marked = record.with_columns(
        whole=whole, stretch=(whole != whole.shift(fill_value=False)).cum_sum(), price_usd_mwh=pl.lit(0.0),
        bias_cfs=pl.lit(0.0),
    )  # fmt: skip
    for stretch in marked.filter("whole").partition_by("stretch", maintain_order=True):
        yield stretch.drop("whole", "stretch", "level"), float(stretch["level"][0])


def _with_expectations(lake: Lake, record: pl.DataFrame, cutoffs: Cutoffs) -> pl.DataFrame:
    """Return the record with what had been expected of each hour when it began, null where nothing was."""
    names = {RECORD[column]: f"{column}_expected" for column in EXPECTED.values() if column in RECORD}
    said = lake.horizon_slice(
        list(names), start=record["event_start"][0], end=record["event_start"][-1] + HOUR, horizon=HOUR,
        recorded_before=cutoffs.recorded_before,
    )  # fmt: skip
    young = pl.col("event_start") - pl.col("belief_time") <= SHORT_LEAD
    said = said.filter((pl.col("scenario") == FORECAST) & pl.col("quantile").is_null() & young)
    for series_id, column in names.items():
        rows = said.filter(pl.col("series_id") == series_id).select("event_start", pl.col("value").alias(column))
        record = record.join(rows, on="event_start", how="left", maintain_order="left")
    return record.with_columns(r20_flow_cfs_expected=pl.col("r20_flow_cfs").shift())


def parts_told(plant: Plant, parts: Mapping[str, Bias]) -> dict[str, str]:
    """Return where the bias of a plan comes from, column -> words; ``bias_cfs`` tells of the balance's."""
    told = {"bias_cfs": _told(plant, "balance", parts["balance"])}
    added = [part for part in EXPECTED if plant.bias.share(part)]
    if added:
        told["bias_cfs"] += f"; and what was expected wrongly of {', '.join(added)}"
    return told | {f"bias_{part}_cfs": _told(plant, part, parts[part]) for part in EXPECTED}


def _told(plant: Plant, part: str, bias: Bias) -> str:
    if bias.reason:
        return f"0 cfs: {bias.reason}"
    masked = f", {bias.hours_masked:g} left out: gates spilling or a gauge plainly wrong" if bias.hours_masked else ""
    share, stays = plant.bias.share(part), part == "balance" and plant.balance.form == LEGACY
    fading = "stays, as it is built in" if stays else f"halves every {plant.bias.half_life_h(part):g} h"
    used = "shown, not added" if not share else fading if share == 1.0 else f"{share:.0%} of it added, {fading}"
    return f"{bias.bias_cfs:+.1f} cfs from {bias.hours_used:g} measured hours{masked}, {used}"
