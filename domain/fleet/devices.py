"""What a device of the fleet is, and the rules each row about one must keep.

Put here: the device record, its columns, row-by-row errors. Keep out: rules that need prices, feeders or a plan.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from domain.errors import FrameError

NUMBERS: Final = (
    "capacity_kwh",
    "max_charge_kw",
    "max_discharge_kw",
    "charge_efficiency",
    "discharge_efficiency",
    "soc_min_kwh",
    "soc_max_kwh",
    "soc_start_kwh",
    "soc_end_min_kwh",
    "wear_usd_per_kwh",
)
"""The columns that must hold a finite number in every row."""

LISTS: Final = ("availability", "wear_depth_usd_per_kwh")
"""The columns that hold a list or nothing."""

DEVICE_COLUMNS: Final[dict[str, pl.DataType]] = {
    "device_id": pl.String(),
    **dict.fromkeys(NUMBERS, pl.Float64()),
    "feeder": pl.String(),
    "availability": pl.List(pl.Float64()),
    "wear_depth_usd_per_kwh": pl.List(pl.Float64()),
}
"""Columns of a devices frame, in order. A null ``feeder`` is none, a null ``availability`` always, a null
``wear_depth_usd_per_kwh`` no wear but that of every kWh; a frame without these three says so for every device."""

ROUNDING_KWH: Final = 1e-9
"""How far a limit may miss another through the rounding of whoever wrote the file [kWh]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One battery behind one meter.

    Attributes:
        device_id: Unique in its fleet.
        capacity_kwh: Energy between empty and full.
        max_charge_kw: Largest power drawn at the meter.
        max_discharge_kw: Largest power given at the meter.
        charge_efficiency: Energy stored per energy drawn, above 0 to 1.
        discharge_efficiency: Energy given per energy taken from the store, above 0 to 1.
        soc_min_kwh: Lower end of the band the state of charge is kept in.
        soc_max_kwh: Upper end of that band.
        soc_start_kwh: State of charge when the first interval begins; it may lie outside the band.
        soc_end_min_kwh: Least state of charge when the last interval ends.
        wear_usd_per_kwh: Cost of ageing per kWh at the meter, each way.
        feeder: The feeder it hangs on, None for none.
        availability: Fraction of its power that is there, one value an interval; None is always all of it.
        wear_depth_usd_per_kwh: Further wear per kWh given at the meter, by depth of discharge: one cost for each of as
            many equal parts of the band, none below the one before, the shallow part first; None for none.
    """

    device_id: str
    capacity_kwh: float
    max_charge_kw: float
    max_discharge_kw: float
    charge_efficiency: float
    discharge_efficiency: float
    soc_min_kwh: float
    soc_max_kwh: float
    soc_start_kwh: float
    soc_end_min_kwh: float
    wear_usd_per_kwh: float
    feeder: str | None = None
    availability: Sequence[float] | None = None
    wear_depth_usd_per_kwh: Sequence[float] | None = None


def check_devices(devices: pl.DataFrame, *, intervals: int | None = None) -> tuple[pl.DataFrame, list[dict[str, str]]]:
    """Divide a devices frame into rows that keep the rules and reasons why the others do not.

    One bad row never spoils the others. Rows that share an id are all refused: which of them is true cannot be known.

    Args:
        devices: The columns of ``DEVICE_COLUMNS``, other columns are kept.
        intervals: How many values an availability list must have; None skips that rule.

    Returns:
        The good rows, in order, typed as ``DEVICE_COLUMNS``, and one ``{device_id, reason}`` for each bad row.

    Raises:
        FrameError: A column is missing or of a type that holds no such values.
    """
    text = {
        name: devices[name].str.strip_chars() for name in (*NUMBERS, *LISTS) if devices.schema.get(name) == pl.String
    }
    typed = _typed(devices, text)
    rules = _rules(intervals, text)
    reasons = typed.select(
        row=pl.int_range(1, pl.len() + 1),
        device_id=pl.col("device_id").fill_null(""),
        reason=pl.concat_str(
            [pl.when(broken).then(reason + pl.lit("; ")).otherwise(pl.lit("")) for broken, reason in rules]
        ).str.strip_suffix("; "),
    )
    bad = reasons.filter(pl.col("reason") != "")
    errors = [
        {"device_id": device_id, "reason": f"row {row}: {reason}"}
        for row, device_id, reason in bad.select("row", "device_id", "reason").iter_rows()
    ]
    return typed.filter(reasons["reason"] == ""), errors


def _typed(devices: pl.DataFrame, text: Mapping[str, pl.Series]) -> pl.DataFrame:
    """Return the columns in their types; what stands as text in a file becomes a number or a list, or null."""
    missing = [name for name in ("device_id", *NUMBERS) if name not in devices.columns]
    if missing:
        raise FrameError(f"devices lack column(s) {', '.join(missing)}; they have {', '.join(devices.columns)}")
    for name, dtype in devices.schema.items():
        if name in NUMBERS and not (name in text or dtype.is_numeric() or dtype == pl.Null):
            raise FrameError(f"devices have {name} of type {dtype}; write it as numbers")
        if name in LISTS and not (name in text or dtype.is_nested() or dtype == pl.Null):
            raise FrameError(f"devices have {name} of type {dtype}; write lists such as [1, 0.5, 0]")
    devices = devices.with_columns(
        said.cast(pl.Float64, strict=False) if name in NUMBERS else _lists(said) for name, said in text.items()
    )
    columns = [
        pl.col(name).cast(dtype) if name in devices.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in DEVICE_COLUMNS.items()
    ]
    try:
        return devices.with_columns(columns)
    except pl.exceptions.PolarsError as error:
        raise FrameError(f"devices have a column of the wrong type: {str(error).splitlines()[0]}") from None


def _lists(text: pl.Series) -> pl.Series:
    """Return what a CSV holds for lists, [1, 0.5, 0] in text; null where it is none."""
    said = text.replace("", None)
    try:
        return said.str.json_decode(pl.List(pl.Float64))
    except pl.exceptions.PolarsError:
        return pl.Series(text.name, [_list(one) for one in said], dtype=pl.List(pl.Float64))


def _list(text: str | None) -> list[float] | None:
    try:
        found = json.loads(text or "null")
        return [float(value) for value in found] if isinstance(found, list) else None
    except (ValueError, TypeError):
        return None


def _value(name: str) -> pl.Expr:
    return pl.lit(f"{name} is ") + pl.col(name).cast(pl.String).fill_null("null")


def _rules(intervals: int | None, text: Mapping[str, pl.Series]) -> list[tuple[pl.Expr, pl.Expr]]:
    """Return what breaks a rule, beside the reason in words."""
    numbers = [
        (
            ~pl.col(name).is_finite().fill_null(value=False),
            (_said(name, text[name]) if name in text else _value(name)) + pl.lit("; write a finite number"),
        )
        for name in NUMBERS
    ]
    lists = [
        (
            (pl.col(name).is_null() & ~pl.lit(text[name]).is_in(["", "null"])).fill_null(value=False),
            _said(name, text[name]) + pl.lit("; write a list such as [1, 0.5, 0]"),
        )
        for name in LISTS
        if name in text
    ]
    return [
        *_identity_rules(),
        *numbers,
        *lists,
        *_limit_rules(),
        *_band_rules(),
        *_availability_rules(intervals),
        *_depth_rules(),
    ]


def _said(name: str, text: pl.Series) -> pl.Expr:
    return pl.lit(f"{name} is ") + pl.lit(text.str.slice(0, 40).fill_null("null"))


def _identity_rules() -> list[tuple[pl.Expr, pl.Expr]]:
    identity = pl.col("device_id")
    return [
        (
            identity.is_null() | (identity == ""),
            pl.lit("device_id is empty; every device needs its own"),
        ),
        (
            identity.is_duplicated() & identity.is_not_null(),
            pl.lit("device_id stands in ")
            + pl.len().over("device_id").cast(pl.String)
            + pl.lit(" rows; keep the true one"),
        ),
    ]


def _limit_rules() -> list[tuple[pl.Expr, pl.Expr]]:
    rules = [
        (pl.col(name) < 0, _value(name) + pl.lit("; it must be 0 or more"))
        for name in ("max_charge_kw", "max_discharge_kw", "wear_usd_per_kwh")
    ]
    rules += [
        (
            (pl.col(name) <= 0) | (pl.col(name) > 1),
            _value(name) + pl.lit("; it must be above 0 and at most 1 (a fraction, not percent)"),
        )
        for name in ("charge_efficiency", "discharge_efficiency")
    ]
    rules.append((pl.col("capacity_kwh") <= 0, _value("capacity_kwh") + pl.lit("; it must be above 0")))
    return [(broken.fill_null(value=False), reason) for broken, reason in rules]


def _band_rules() -> list[tuple[pl.Expr, pl.Expr]]:
    inside = " capacity_kwh of "
    capacity = pl.col("capacity_kwh")
    rules = [
        (
            (pl.col(name) < 0) | (pl.col(name) > capacity + ROUNDING_KWH),
            _value(name) + pl.lit(f"; it must be between 0 and{inside}") + capacity.cast(pl.String),
        )
        for name in ("soc_min_kwh", "soc_max_kwh", "soc_start_kwh", "soc_end_min_kwh")
    ]
    rules.append(
        (
            pl.col("soc_min_kwh") > pl.col("soc_max_kwh"),
            _value("soc_min_kwh")
            + pl.lit("; it must not exceed soc_max_kwh of ")
            + pl.col("soc_max_kwh").cast(pl.String),
        )
    )
    return [(broken.fill_null(value=False), reason) for broken, reason in rules]


def _availability_rules(intervals: int | None) -> list[tuple[pl.Expr, pl.Expr]]:
    share = pl.col("availability")
    allowed = pl.element().is_finite() & (pl.element() >= 0) & (pl.element() <= 1)
    rules = [
        (
            ~share.list.eval(allowed.fill_null(value=False)).list.all(),
            pl.lit("availability holds a value that is not a fraction from 0 to 1"),
        )
    ]
    if intervals is not None:
        rules.append(
            (
                share.list.len() != intervals,
                pl.lit("availability has ")
                + share.list.len().cast(pl.String)
                + pl.lit(f" values; the prices have {intervals} intervals"),
            )
        )
    return [(broken.fill_null(value=False), reason) for broken, reason in rules]


def _depth_rules() -> list[tuple[pl.Expr, pl.Expr]]:
    name = "wear_depth_usd_per_kwh"
    wear, start = pl.col(name), pl.col("soc_start_kwh")
    allowed = (pl.element().is_finite() & (pl.element() >= 0)).fill_null(value=False)
    rules = [
        (wear.list.len() == 0, pl.lit(f"{name} is an empty list; leave it null or name a cost")),
        (~wear.list.eval(allowed).list.all(), pl.lit(f"{name} holds a value that is no finite number of 0 or more")),
        (
            wear.list.diff().list.min() < 0,
            pl.lit(f"{name} falls; deeper parts of the band must not wear less than shallow ones"),
        ),
        (
            wear.is_not_null() & ((start < pl.col("soc_min_kwh")) | (start > pl.col("soc_max_kwh"))),
            _value("soc_start_kwh") + pl.lit(f"; with {name} it must lie within soc_min_kwh and soc_max_kwh"),
        ),
    ]
    return [(broken.fill_null(value=False), reason) for broken, reason in rules]
