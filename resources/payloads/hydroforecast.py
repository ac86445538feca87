"""HydroForecast answers as canonical rows: every issue of a forecast, its mean and its quantiles.

Put here: v2 and v1 forecasts. Keep out: requests (resources/hydroforecast.py); "observations" of a forecast source,
which stitch pieces of many issues together and are no as-issued record.

``belief_time`` is the issue's own ``issueTime`` (v2: when it became available, not when the model started) or
``updatedAt`` (v1: a re-run is a revision). Quantiles are non-exceedance: q0.1 is dry. Rows of the mean have scenario
``mean``, rows of quantiles scenario ``quantile``; sources other than the short-term forecast prefix theirs
(``seasonal:mean``, ``cnrfc:mean``), so that one site's forecasts never mix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import polars as pl

from domain.beliefs import CANONICAL, TIME, Basis, canonical
from domain.errors import PayloadError
from domain.units import to_canonical
from resources.payloads import Facts
from resources.payloads.envelope import check, json_of, refuse_html, short_name
from resources.payloads.tables import numbers
from resources.payloads.times import instants, known_by

_QUANTILE: Final = re.compile(r"discharge_q(0?\.\d+|[01])")
_MEANS: Final = frozenset({"discharge_mean", "ensemble_forecast_avg"})
_UNIT_SYSTEMS: Final = {"US": "cfs", "SI": "m3/s"}
_STEP: Final = re.compile(r"P?T?(\d+)\s*(min|m|h|d)", re.IGNORECASE)
_SECONDS: Final = {"min": 60, "m": 60, "h": 3600, "d": 86400}
_SHORT_TERM: Final = ("", "short-term", "hydroforecast-short-term")


def parse(payload: bytes, facts: Facts) -> pl.DataFrame:
    """Return canonical rows of a v2 or v1 answer; no new issue is an empty frame.

    ``facts.options`` may say what an answer's echo leaves out: ``site_id``, ``unit_system``, ``time_aggregation``,
    ``source``.

    Raises:
        PayloadError: The answer is no forecast, its arrays do not align, or its unit or site is not told.
    """
    what = short_name(facts.name, "HydroForecast answer")
    refuse_html(check(payload, what), what)
    answer = json_of(payload, what)
    data = answer.get("data") if isinstance(answer, dict) else None
    if isinstance(data, list):
        frames = [_query(entry, facts, what) for entry in data]
    elif isinstance(data, dict) and "forecasts" in data:
        frames = [_site(data, facts, what)]
    else:
        told = (
            (answer.get("message") or answer.get("error") or list(answer)[:8]) if isinstance(answer, dict) else "list"
        )
        raise PayloadError(f"{what} has no data of forecasts: {told}")
    return pl.concat([pl.DataFrame(schema=CANONICAL), *frames])


def _query(entry: object, facts: Facts, what: str) -> pl.DataFrame:
    """Return the rows of one v2 query's issues."""
    if not isinstance(entry, dict) or not isinstance(entry.get("forecasts"), list):
        raise PayloadError(f"{what} has an entry without forecasts: {str(entry)[:200]}")
    echo = entry.get("query") or {}
    system = str(echo.get("unitSystem") or facts.options.get("unit_system") or "").upper()
    if system not in _UNIT_SYSTEMS:
        raise PayloadError(f"{what} does not tell its units (unitSystem {system or 'absent'}); ask for US or SI")
    step = _step(echo.get("timeAggregation") or facts.options.get("time_aggregation"), what)
    frames = [
        _issue(
            issue.get("issueTime"),
            issue.get("validTimes"),
            issue.get("data"),
            step=step,
            what=f"{what}, issue {issue.get('issueTime')}",
        )
        for issue in entry["forecasts"]
    ]
    return _finished(
        frames,
        site=echo.get("siteId") or facts.options.get("site_id"),
        source=str(echo.get("source") or facts.options.get("source") or ""),
        unit=_UNIT_SYSTEMS[system],
        facts=facts,
        what=what,
    )


def _site(data: Mapping[str, Any], facts: Facts, what: str) -> pl.DataFrame:
    """Return the rows of one v1 page, which is of one site."""
    frames = []
    for issue in data["forecasts"]:
        columns = dict(issue.get("data") or {})
        times = columns.pop("datetime", None)
        stamp = issue.get("updatedAt")
        frames.append(_issue(stamp, times, columns, step=None, what=f"{what}, forecast of {issue.get('forecastDate')}"))
    if not data.get("units"):
        raise PayloadError(f"{what} does not tell its units; a v1 answer says cms or cfs")
    return _finished(
        frames,
        site=data.get("siteId") or facts.options.get("site_id"),
        source=str(data.get("type") or ""),
        unit=str(data["units"]),
        facts=facts,
        what=what,
    )


def _issue(stamp: object, times: object, columns: object, *, step: timedelta | None, what: str) -> pl.DataFrame:
    """Return one issue's rows, a column after the other; a hole in an array is a missing value of that issue."""
    if not isinstance(stamp, str):
        raise PayloadError(f"{what} has no stamp of its publication")
    if not isinstance(times, list) or not isinstance(columns, dict):
        raise PayloadError(f"{what} has no validTimes or no data")
    frames = [_empty_issue()]
    moments = instants(pl.Series(times, dtype=pl.String), what)
    for column, values in columns.items():
        quantile, measured = _quantile(column), column in _MEANS
        if not values or (quantile is None and not measured):
            continue  # a column may be present and empty
        if len(values) != len(times):
            raise PayloadError(f"{what}: {column} has {len(values)} values for {len(times)} times", retryable=True)
        frames.append(
            pl.DataFrame(
                {"event_start": moments, "value": numbers(values, f"{what}: {column}")},
            ).with_columns(
                quantile=pl.lit(quantile, pl.Float64),
                scenario=pl.lit("mean" if measured else "quantile"),
            )
        )
    rows = pl.concat(frames)
    length = step or _spacing(moments, what)
    stamps = instants(pl.Series([stamp], dtype=pl.String), what)
    return rows.with_columns(event_end=pl.col("event_start") + length, stamp=pl.lit(stamps[0], TIME))


def _finished(
    frames: list[pl.DataFrame], *, site: object, source: str, unit: str, facts: Facts, what: str
) -> pl.DataFrame:
    if not frames:
        return pl.DataFrame(schema=CANONICAL)
    if not site:
        raise PayloadError(f"{what} does not tell its site (siteId); name it with the option site_id")
    ours, factor = to_canonical(unit)
    prefix = "" if source in _SHORT_TERM else f"{source.removeprefix('hydroforecast-')}:"
    rows = pl.concat(frames).with_columns(
        pl.col("value") * factor,
        scenario=pl.concat_str(pl.lit(prefix), "scenario"),
        series_id=pl.lit(f"hydroforecast:discharge:{site}"),
        unit=pl.lit(ours),
        source=pl.lit("hydroforecast"),
    )
    rows = known_by(rows, fetched_at=facts.fetched_at, stamp=pl.col("stamp"), basis=Basis.SOURCE_STAMP)
    return canonical(rows, what=what)


def _quantile(column: str) -> float | None:
    match = _QUANTILE.fullmatch(column)
    return float(match[1]) if match else None


def _step(text: object, what: str) -> timedelta | None:
    if not text:
        return None
    match = _STEP.fullmatch(str(text).strip())
    if match is None:
        raise PayloadError(f"{what} has timeAggregation {text!r}; write it like 1H or 1D")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2].lower()])


def _spacing(moments: pl.Series, what: str) -> timedelta:
    """Return the even step between the times, where nothing else tells how long a mean lasts."""
    steps = moments.unique().sort().diff().drop_nulls().unique()
    if len(steps) > 1:
        raise PayloadError(f"{what} has unevenly spaced times and does not tell its step (timeAggregation)")
    return steps[0] if len(steps) else timedelta(0)


def _empty_issue() -> pl.DataFrame:
    return pl.DataFrame(
        schema={"event_start": TIME, "value": pl.Float64, "quantile": pl.Float64, "scenario": pl.String}
    )
