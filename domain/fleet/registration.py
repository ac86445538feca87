"""What a device must be besides, to stand in the registry: it is told over topics, at a place, in a zone.

Put here: rules of the columns that plans do not read. Keep out: the rules of a plan (devices.py), the tables.
"""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from domain.errors import FrameError
from domain.fleet.devices import check_devices

LONGEST: Final = {"device_id": 100, "site": 100, "feeder": 100, "kind": 40, "timezone": 60, "firmware": 40}
"""Column -> how many characters the registry keeps."""

STATUSES: Final = ("active", "retired")


def check_registration(devices: pl.DataFrame) -> tuple[pl.DataFrame, list[dict[str, str]]]:
    """Divide a devices frame into rows the registry can keep and reasons why it cannot keep the others.

    Args:
        devices: ``DEVICE_COLUMNS``, and any of ``LONGEST`` and ``status`` (null: active); other columns are dropped by
            the registry.

    Raises:
        FrameError: A column is missing or of a type that holds no such values.
    """
    good, errors = check_devices(devices)
    texts = [name for name in (*LONGEST, "status") if name in good.columns]
    for name in texts:
        dtype = good.schema[name]
        if dtype.is_nested() or dtype.is_temporal() or dtype == pl.Boolean:
            raise FrameError(f"devices have {name} of type {dtype}; write it as text")
    good = good.with_columns(pl.col(texts).cast(pl.String))
    if "status" in texts:
        good = good.with_columns(pl.col("status").fill_null(STATUSES[0]))
    rules = _rules(good, texts)
    reasons = good.select(
        "device_id",
        reason=pl.concat_str(
            [pl.when(broken).then(pl.lit(f"{reason}; ")).otherwise(pl.lit("")) for reason, broken in rules.items()]
        ).str.strip_suffix("; "),
    )
    errors += reasons.filter(pl.col("reason") != "").to_dicts()
    return good.filter(reasons["reason"] == ""), errors


def _rules(devices: pl.DataFrame, texts: list[str]) -> dict[str, pl.Expr]:
    """Return, by the reason in words, what breaks a rule."""
    rules = {
        "device_id holds one of / + # or a control character; it is part of MQTT topics": pl.col(
            "device_id"
        ).str.contains(r"[/+#\p{Cc}]")
    }
    for name in texts:
        if name in LONGEST:
            text = f"{name} is longer than the {LONGEST[name]} characters that are kept"
            rules[text] = pl.col(name).str.len_chars() > LONGEST[name]
    if "status" in texts:
        rules[f"status is none of {', '.join(STATUSES)}"] = ~pl.col("status").is_in(STATUSES)
    if "timezone" in texts:
        strange = [name for name in devices["timezone"].drop_nulls().unique() if not _is_zone(name)]
        rules["timezone is no IANA name, such as America/Chicago"] = pl.col("timezone").is_in(strange)
    return {reason: broken.fill_null(value=False) for reason, broken in rules.items()}


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return False
    return True
