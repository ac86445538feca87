"""Wide exports: a column a point (deterministic) or a column a member of a point (ensemble).

Put here: both header layouts, kcfs to cfs, sentinels, the seam between past and forecast. Keep out: the CSV of one
point (point.py).

Members are counted, never assumed. Columns are in the order of their historical weather years, but the year is not
printed: a member is its ordinal (from 1), unless the option ``base_year`` says the first or the header prints the years
(``x1950``).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from domain.beliefs import TIME, canonical
from domain.errors import PayloadError, TimeError
from domain.units import to_canonical
from resources.payloads import Facts
from resources.payloads.cnrfc.issues import believed, nominal_of
from resources.payloads.envelope import Document
from resources.payloads.tables import doubt_last, floats, read_rows, split_header, unrepeated

SENTINEL_LIMIT: Final = -999.0
"""A value at or below it is no flow: -9999, -9998 and their like mark missing hours."""
MISSING_TEXTS: Final = ("Missing", "missing", "MISSING", "--", "**", "M", "N/A", "NaN", "nan")
"""Texts in place of a value."""


@dataclass(frozen=True, slots=True)
class _Parameter:
    """What a column holds: the family of its series, its unit, and how long before its stamp an interval began."""

    family: str
    unit: str
    length: timedelta


PARAMETERS: Final = {
    "QINE": _Parameter("flow", "kcfs", timedelta(0)),
    "SQIN": _Parameter("flow", "kcfs", timedelta(0)),
    "SSTG": _Parameter("stage", "ft", timedelta(0)),
    "SQME": _Parameter("flow_daily", "kcfs", timedelta(days=1)),
}
"""Parameters of the second header row. A daily mean is of the day that ends at its stamp."""

_LAYOUTS: Final = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ")
_YEAR: Final = re.compile(r"x?((?:19|20)\d{2})")
_REPEAT_SUFFIX: Final = re.compile(r"[._]\d+$")
"""What statistics packages append to make repeated column names distinct."""
_POINT: Final = re.compile(r"[A-Z]{4}[0-9][A-Z0-9]{0,3}")
_POINT_IN_NAME: Final = re.compile(r"(?:^|[_/])([A-Z]{4}\d[A-Z0-9]{0,3})[_.]")


@dataclass(frozen=True, slots=True)
class _Column:
    """One column of values."""

    point: str
    parameter: str
    member: int | None


def parse_export(document: Document, facts: Facts, what: str) -> pl.DataFrame:
    """Return canonical rows of one export.

    With the issue known, a deterministic export's hours up to it are the past as the forecaster saw it (scenario
    ``actual``), those after it the forecast (``deterministic``): nothing else marks the seam.

    Raises:
        PayloadError: The header is none of CNRFC's, a parameter is unknown, a row is cut, a cell is no number.
    """
    names, rest, delimiter = split_header(document.body, what)
    if len(names) <= 1 or names[0].upper() not in ("GMT", "DATE", "DATETIME", "TIME", ""):  # a time, a value
        raise PayloadError(f"{what} is no CNRFC export: it begins with the columns {', '.join(names[:4])}, not GMT")
    second, rest = _second_header(rest, len(names), what)
    columns = _columns(names, second, document, facts, what)
    table = read_rows(rest, len(names), what, delimiter=delimiter)
    stamps = _stamps(table["0"], what)
    table = floats(table, [str(index) for index in range(1, len(names))], what, blanks=MISSING_TEXTS)
    rows = _long(table, stamps, columns)
    nominal = nominal_of(facts, [*document.names, facts.name], what)
    if columns[0].member is not None and len(stamps):
        # An ensemble begins at its own issue, a daily one with the day that begins there.
        begun = stamps.sort()[0] - PARAMETERS[columns[0].parameter].length
        nominal = begun if nominal is None else max(nominal, begun)
    rows = judged(rows)
    return _finished(rows if document.outer else doubt_last(rows, document.body), facts, nominal, what)


def judged(rows: pl.DataFrame) -> pl.DataFrame:
    """Turn sentinels into missing values and flag mild negative flows, which local-flow points really have."""
    sentinel = pl.col("value") <= SENTINEL_LIMIT
    negative = (pl.col("value") < 0) & pl.col("series_id").str.starts_with("cnrfc:flow")
    return rows.with_columns(
        quality=pl.when(pl.col("value").is_null() | sentinel)
        .then(pl.lit("missing"))
        .when(negative)
        .then(pl.lit("questionable"))
        .otherwise(pl.lit("good")),
        quality_detail=pl.when(sentinel)
        .then(pl.format("sentinel {}", "value"))
        .when(pl.col("value").is_null())
        .then(pl.lit("marked missing or blank"))
        .when(negative)
        .then(pl.lit("negative flow")),
        value=pl.when(~sentinel).then("value"),
    )


def point_in(names: tuple[str, ...]) -> str | None:
    """Return the point that a file's name tells.

    >>> point_in(("BRGC1_hefs_csv_hourly_2014101312.csv",)), point_in(("2013110312_Kanektok_hefs_csv_hourly.csv",))
    ('BRGC1', None)
    """
    return next((match[1] for name in names if (match := _POINT_IN_NAME.search(name))), None)


def _second_header(rest: bytes, width: int, what: str) -> tuple[list[str] | None, bytes]:
    """Return the row of parameters, if the next line is one: no time in front, letters only."""
    line, _, after = rest.partition(b"\n")
    if not line.strip() or any(digit in line for digit in b"0123456789"):
        return None, rest
    cells = split_header(line, what).names
    cells = ["", *cells] if len(cells) == width - 1 else cells
    if len(cells) != width or cells[0].upper() not in ("", "GMT"):
        return None, rest
    return [cell.upper() for cell in cells[1:]], after


def _columns(names: list[str], second: list[str] | None, document: Document, facts: Facts, what: str) -> list[_Column]:
    heads = [_REPEAT_SUFFIX.sub("", name.upper()) for name in names[1:]]
    parameters = second or [_parameter_of(facts.product or "", document.names)] * len(heads)
    unknown = sorted(set(parameters) - set(PARAMETERS))
    if unknown:
        raise PayloadError(f"{what} has the parameter {unknown[0]!r}; known: {', '.join(PARAMETERS)}")
    years = [_YEAR.fullmatch(head.lower()) for head in heads]
    if all(years):
        point = facts.options.get("point") or point_in(document.names)
        if point is None:
            raise PayloadError(f"{what} has a column a year and does not say of which point; use --option point=BRGC1")
        return [
            _Column(point, parameter, int(year[1]))
            for year, parameter in zip(years, parameters, strict=True)
            if year is not None
        ]
    strange = next((head for head in heads if not _POINT.fullmatch(head)), None)
    if strange is not None:
        raise PayloadError(f"{what} has the column {strange!r}; columns of an export are point ids, such as FOLC1")
    return _counted(heads, parameters, facts, ensemble=_is_ensemble(heads, document, facts))


def _counted(heads: list[str], parameters: list[str], facts: Facts, *, ensemble: bool) -> list[_Column]:
    if not ensemble:
        return [_Column(head, parameter, None) for head, parameter in zip(heads, parameters, strict=True)]
    first = int(facts.options.get("base_year", "1"))
    seen: Counter[tuple[str, str]] = Counter()
    columns = []
    for head, parameter in zip(heads, parameters, strict=True):
        columns.append(_Column(head, parameter, first + seen[head, parameter]))
        seen[head, parameter] += 1
    return columns


def _is_ensemble(heads: list[str], document: Document, facts: Facts) -> bool:
    told = " ".join([facts.product or "", *document.names]).lower()
    return "hefs" in told or len(set(heads)) < len(heads)


def _parameter_of(product: str, names: tuple[str, ...]) -> str:
    """Return the parameter of a file without its second header row."""
    told = " ".join([product, *names]).lower()
    return "SSTG" if "sstg" in told else "SQME" if "daily" in told else "QINE"


def _stamps(texts: pl.Series, what: str) -> pl.Series:
    clean = texts.str.strip_chars()
    for layout in _LAYOUTS:
        stamps = clean.str.to_datetime(layout, time_unit="us", strict=False)
        if not stamps.null_count():
            return stamps.dt.replace_time_zone("UTC")
    raise TimeError(f"{what} has a time that is none of ours in its first column, near {clean[0]!r}")


def _long(table: pl.DataFrame, stamps: pl.Series, columns: list[_Column]) -> pl.DataFrame:
    """Return one row a cell, columns one after the other."""
    height = table.height
    meta = pl.DataFrame(
        {
            "series_id": [f"cnrfc:{PARAMETERS[column.parameter].family}:{column.point}" for column in columns],
            "member": pl.Series([column.member for column in columns], dtype=pl.Int32),
            "unit": [to_canonical(PARAMETERS[column.parameter].unit)[0] for column in columns],
            "factor": [to_canonical(PARAMETERS[column.parameter].unit)[1] for column in columns],
            "length": pl.Series([PARAMETERS[column.parameter].length for column in columns], dtype=pl.Duration("us")),
        }
    )
    cells = table.select(pl.exclude("0")).unpivot(value_name="value")["value"]
    repeated = meta.select(pl.all().repeat_by(height).explode(empty_as_null=False)) if height else meta.clear()
    stamped = pl.concat([stamps.cast(TIME)] * len(columns)) if height else pl.Series([], dtype=TIME)
    return repeated.with_columns(cells, stamp=stamped)


def _finished(rows: pl.DataFrame, facts: Facts, nominal: datetime | None, what: str) -> pl.DataFrame:
    past = pl.lit(value=False) if nominal is None else pl.col("stamp") <= pl.lit(nominal, TIME)
    rows = rows.with_columns(
        value=pl.col("value") * pl.col("factor"),
        event_start=pl.col("stamp") - pl.col("length"),
        event_end=pl.col("stamp"),
        source=pl.lit("cnrfc"),
        scenario=pl.when(pl.col("member").is_not_null())
        .then(pl.format("member:{}", "member"))
        .when(past)
        .then(pl.lit("actual"))
        .otherwise(pl.lit("deterministic")),
    )
    rows = canonical(believed(rows, facts, nominal, what), what=what)
    return unrepeated(rows, ["series_id", "event_start", "scenario"])
