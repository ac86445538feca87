"""Texts and numbers that name instants, as aware UTC timestamps; and the rules of when a value became known.

Put here: ISO-8601 with offsets, epochs, naive local stamps with their ambiguous hour, belief rules.
Keep out: market hours and their flags (resources/payloads/ercot/markettime.py).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from domain.beliefs import TIME, Basis
from domain.errors import PayloadError, TimeError
from domain.instants import require_utc

_OFFSET: Final = r"(?:[Zz]|[+-]\d{2}:?\d{2})$"
_NAIVE_FORMATS: Final = (
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%m/%d/%Y %I %p",
    "%b %d, %Y %I:%M:%S %p",
)
_FRACTION: Final = re.compile(r"\.\d+")


def instants(stamps: pl.Series, what: str) -> pl.Series:
    """Return ISO-8601 texts with offsets as UTC timestamps.

    Fractions beyond microseconds are cut; whole and fractional seconds may mix; ``-0500`` without a colon and a
    blank in place of the T are taken. Equal texts are read once.

    Raises:
        TimeError: A text has no offset, or is no time.
    """
    distinct = stamps.unique().drop_nulls()
    clean = (
        distinct.str.strip_chars()
        .str.replace(r"^(\d{4}-\d{2}-\d{2}) ", "${1}T")
        .str.replace(r"(\.\d{6})\d+", "${1}")
        .str.replace(r"([+-]\d{2})(\d{2})$", "${1}:${2}")
        .str.replace(r"(T\d{2}:\d{2})([Zz+-])", "${1}:00${2}")
    )
    naive = ~clean.str.contains(_OFFSET)
    if naive.any():
        raise TimeError(f"{what} has the time {distinct.filter(naive)[0]!r} without an offset; none is assumed")
    parsed = clean.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    if parsed.null_count():
        raise TimeError(f"{what} has {distinct.filter(parsed.is_null())[0]!r}, which is no ISO-8601 time")
    return _looked_up(stamps, distinct, parsed)


def instant(text: str, what: str) -> datetime:
    """Return one ISO-8601 text with an offset as an instant.

    Raises:
        TimeError: As `instants`.
    """
    return instants(pl.Series([text], dtype=pl.String), what)[0]


def epochs_ms(epochs: pl.Series) -> pl.Series:
    """Return milliseconds since 1970 as UTC timestamps."""
    return epochs.cast(pl.Int64).cast(pl.Datetime("ms", "UTC")).cast(TIME)


def naive(text: str, what: str) -> datetime:
    """Return a wall-clock text, in any of the layouts vendors use, without a zone.

    Raises:
        TimeError: It is none of them.

    >>> naive("07/21/2026 04:15:00 PM", "notice").isoformat()
    '2026-07-21T16:15:00'
    """
    clean = _FRACTION.sub("", text.strip())
    for layout in _NAIVE_FORMATS:
        try:
            return datetime.strptime(clean, layout)  # noqa: DTZ007 - the caller localises it with the source's zone
        except ValueError:
            continue
    raise TimeError(f"{what} has {text!r}, which is no time in a layout we know")


def localised(wall: datetime, zone: ZoneInfo, what: str, *, repeated: bool = False) -> datetime:
    """Return the UTC instant of a wall-clock time; ``repeated`` chooses the second pass of the autumn hour.

    Raises:
        TimeError: The clocks went forward over it, or it is called repeated and is not.
    """
    if not exists(wall, zone):
        raise TimeError(f"{what} has {wall.isoformat()}, which does not exist in {zone.key}: clocks went forward")
    if repeated and not is_repeated(wall, zone):
        raise TimeError(f"{what} calls {wall.isoformat()} repeated, but {zone.key} repeats no hour there")
    return wall.replace(tzinfo=zone, fold=int(repeated)).astimezone(UTC)


def exists(wall: datetime, zone: ZoneInfo) -> bool:
    """Whether the clocks of ``zone`` ever show ``wall``: they jump over an hour in spring."""
    back = wall.replace(tzinfo=zone, fold=0).astimezone(UTC).astimezone(zone)
    return back.replace(tzinfo=None, fold=0) == wall.replace(fold=0)


def is_repeated(wall: datetime, zone: ZoneInfo) -> bool:
    """Whether a wall-clock time occurs twice in ``zone``."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    return first is not None and second is not None and first > second


def local_stamps(stamps: pl.Series, zone: ZoneInfo, what: str, *, repeated: pl.Series | None = None) -> pl.Series:
    """Return naive local texts as UTC timestamps.

    Args:
        stamps: Texts in one of the known layouts.
        zone: Where they were written.
        what: Names them in an error.
        repeated: Whether each is in the second pass of the autumn hour; without it the first pass is assumed, as
            the archive's posting stamps have no flag.

    Raises:
        TimeError: As `naive` and `localised`.
    """
    flags = repeated if repeated is not None else pl.Series([False] * len(stamps), dtype=pl.Boolean)
    pairs = pl.DataFrame({"stamp": stamps, "repeated": flags})
    distinct = pairs.unique(maintain_order=True).filter(pl.col("stamp").is_not_null())
    moments = [localised(naive(stamp, what), zone, what, repeated=bool(flag)) for stamp, flag in distinct.iter_rows()]
    table = distinct.with_columns(moment=pl.Series(moments, dtype=TIME))
    return pairs.join(table, on=["stamp", "repeated"], how="left", maintain_order="left")["moment"]


def published_stamps(stamps: pl.Series, zone: ZoneInfo, what: str, *, fetched_at: datetime | None = None) -> pl.Series:
    """Return naive local texts of when something was published as UTC timestamps that never claim it too early.

    A stamp of the repeated autumn hour without a flag may mean either pass. The first would make a value of the
    second pass known an hour before anybody had said it; so it is the second, unless the text was in our hands by then.

    Args:
        stamps: Texts in one of the known layouts.
        zone: Where they were written.
        what: Names them in an error.
        fetched_at: When they reached us [UTC]; None where that is not known.
    """
    second: dict[str, bool] = {}
    for text in stamps.unique().drop_nulls():
        wall = naive(text, what)
        again = is_repeated(wall, zone)
        late = fetched_at is None or (again and localised(wall, zone, what, repeated=True) <= fetched_at)
        second[text] = again and late
    if not any(second.values()):
        return local_stamps(stamps, zone, what)
    flags = stamps.replace_strict(second, default=False, return_dtype=pl.Boolean)
    return local_stamps(stamps, zone, what, repeated=flags)


def day_of(text: str, what: str) -> date:
    """Return a calendar day, ISO or month first.

    Raises:
        TimeError: It is neither.

    >>> day_of("03/13/2025", "x"), day_of("2025-03-13T00:00:00", "x")
    (datetime.date(2025, 3, 13), datetime.date(2025, 3, 13))
    """
    clean = text.strip()
    if len(clean) > 10:  # noqa: PLR2004 - a day has ten characters; some exports add midnight
        return naive(clean, what).date()
    for layout in ("%Y-%m-%d", "%m/%d/%Y"):
        try:
            return datetime.strptime(clean, layout).date()  # noqa: DTZ007 - a calendar day has no zone
        except ValueError:
            continue
    raise TimeError(f"{what} has {text!r}, which is no day; days are yyyy-MM-dd or MM/dd/yyyy")


def day_at(starts: pl.Series, zone: ZoneInfo, at: time, *, days: int) -> pl.Series:
    """Return, for each UTC start, a wall-clock time so many local days after the start's own local day."""
    local = starts.dt.convert_time_zone(zone.key).dt.date()
    distinct = local.unique()
    moments = [
        None if day is None else datetime.combine(day + timedelta(days=days), at, tzinfo=zone).astimezone(UTC)
        for day in distinct
    ]
    return _looked_up(local, distinct, pl.Series(moments, dtype=TIME))


def known_by(
    rows: pl.DataFrame,
    *,
    fetched_at: datetime,
    stamp: datetime | pl.Expr | None = None,
    basis: Basis = Basis.SOURCE_STAMP,
    rule: pl.Expr | None = None,
) -> pl.DataFrame:
    """Give rows their ``belief_time`` and ``belief_basis``.

    The vendor's stamp wins. Without one the dated rule holds, unless the bytes were in our hands before that: then
    they were known when they were fetched. Without a rule only the fetch is known.

    Args:
        rows: With whatever columns ``stamp`` and ``rule`` name.
        fetched_at: When the bytes reached us [UTC].
        stamp: When the vendor published, one moment or one a row (null where it gave none).
        basis: Where the stamp comes from.
        rule: The instant by which such a value is public.
    """
    fetched = pl.lit(require_utc(fetched_at, what="fetched_at"), TIME)
    stamped = pl.lit(stamp, TIME) if stamp is None or isinstance(stamp, datetime) else stamp
    ruled = rule if rule is not None else pl.lit(None, TIME)
    return (
        rows.with_columns(belief_time=stamped, _ruled=ruled)
        .with_columns(
            belief_basis=pl.when(pl.col("belief_time").is_not_null())
            .then(pl.lit(basis.value))
            .when(pl.col("_ruled") <= fetched)
            .then(pl.lit(Basis.SCHEDULE_RULE.value))
            .otherwise(pl.lit(Basis.INGEST_TIME.value)),
            belief_time=pl.coalesce("belief_time", pl.min_horizontal(pl.col("_ruled"), fetched)),
        )
        .drop("_ruled")
    )


def require_after(limit: datetime, moment: datetime, what: str) -> datetime:
    """Return ``moment`` unless it lies before ``limit``, which would claim knowledge before there was any.

    Raises:
        PayloadError: It does.
    """
    if moment < limit:
        raise PayloadError(f"{what} says it was published {moment.isoformat()}, before {limit.isoformat()}")
    return moment


def _looked_up(values: pl.Series, keys: pl.Series, answers: pl.Series) -> pl.Series:
    left = pl.DataFrame({"key": values})
    right = pl.DataFrame({"key": keys, "answer": answers})
    return left.join(right, on="key", how="left", maintain_order="left")["answer"]
