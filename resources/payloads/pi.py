"""PI Web API answers as canonical rows: streams, summaries, stream sets, batches.

Put here: value objects, digital and system states, the ways in which a 200 hides a failure. Keep out: WebIds, paging
and retries (resources/pi.py).

What a payload does not say, ``Facts.options`` must: ``path`` (``OPS/Gauging Stations/R4|Flow``), ``kind``
(``recorded``, ``interp1h``, ``avg1h``...; left out, the items show it), ``unit`` where the server prints none,
``future`` = ``true`` for points that hold forecasts, ``assumed_delay_s``. PI keeps no publication time: a value counts
as known `ASSUMED_DELAY` after the end of its interval (``schedule_rule``), or when it was fetched if that was earlier
(``ingest_time``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

import polars as pl

from domain.beliefs import CANONICAL, TIME, canonical
from domain.errors import PayloadError, TailraceError, UnitError
from domain.units import to_canonical
from resources.payloads import Facts
from resources.payloads.envelope import check, json_of, refuse_html, short_name
from resources.payloads.tables import unrepeated
from resources.payloads.times import instants, known_by

ASSUMED_DELAY: Final = timedelta(minutes=5)
"""How long after its interval a value reached the archive, where nobody measured it; overridden by an option."""

SYSTEM_STATES: Final = frozenset(
    {
        *("no data", "pt created", "i/o timeout", "bad input", "calc failed", "shutdown", "intf shut", "arc off-line"),
        *("configure", "not connect", "bad", "scan off", "comm fail", "error", "over range", "under range", "bad data"),
    }
)
"""Names of system states, for answers that leave ``IsSystem`` out. Their numbers are never values."""

_KIND: Final = re.compile(r"(recorded)|(interp|avg|min|max|total)(\d+)([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_EVEN_STEPS: Final = 3
"""Fewer even steps between stamps may be chance."""
_SUMMARY: Final = {"avg": "Average", "min": "Minimum", "max": "Maximum", "total": "Total"}
_RETRYABLE_STATUS: Final = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read a stream.

    Attributes:
        series: Its series id, ``pi:{path}:{kind}``.
        summary: The summary type that carries the value; None for single values.
        length: How long an interval is; zero for instants.
    """

    series: str
    summary: str | None
    length: timedelta


def parse(payload: bytes, facts: Facts) -> pl.DataFrame:
    """Return canonical rows of a stream, a summary, a stream set, or the parts of a batch that succeeded.

    Raises:
        PayloadError: The answer hides a failure, or its shape is none of these.
        UnitError: A unit is unknown, or not the one declared.
    """
    what = short_name(facts.name, "PI answer")
    refuse_html(check(payload, what), what)
    answer = json_of(payload, what)
    if isinstance(answer, dict) and "Items" not in answer and _is_batch(answer):
        rows, failures = parse_batch(payload, dict.fromkeys(answer, facts))
        if failures:
            told = "; ".join(f"{name}: {reason}" for name, reason in failures.items())
            raise PayloadError(f"{what} has {len(failures)} failed part(s): {told}", retryable=True)
        return rows
    return _answer(answer, facts, what)


def parse_batch(payload: bytes, facts_of: Mapping[str, Facts]) -> tuple[pl.DataFrame, dict[str, str]]:
    """Return the rows of a batch's parts, and why others failed: an outer 207 says nothing about its parts.

    Args:
        payload: The answer: part -> Status, Headers, Content.
        facts_of: Facts of the parts that hold streams; parts without facts (look-ups) are passed over.
    """
    what = "PI batch"
    refuse_html(check(payload, what), what)
    answer = json_of(payload, what)
    if not isinstance(answer, dict) or not _is_batch(answer):
        raise PayloadError(f"{what} is no object of parts with Status and Content")
    frames, failures = [pl.DataFrame(schema=CANONICAL)], {}
    for part, facts in facts_of.items():
        try:
            frames.append(_part(answer.get(part), facts, f"{what} part {part}"))
        except TailraceError as error:
            failures[part] = str(error)
    return pl.concat(frames), failures


def next_link(payload: bytes) -> str | None:
    """Return ``Links.Next`` of an answer, where the server pages by itself."""
    answer = json_of(payload, "PI answer")
    links = answer.get("Links") if isinstance(answer, dict) else None
    return (links or {}).get("Next")


def reading(facts: Facts, path: str | None, what: str, *, shown: Callable[[], str] = str) -> Reading:
    """Return how a stream is to be read, from the options and from what the answer itself tells.

    ``facts.product`` may give both for a file: ``OPS/Gauging Stations/R4|Flow:avg1h``, or one of them alone.

    Args:
        facts: May hold path and kind.
        path: What the answer says it measures, or None.
        what: Names the answer in an error.
        shown: Tells the kind that its items show, where nobody says how they were asked for.

    Raises:
        PayloadError: Path or kind is unknown, or the kind is none of ours.
    """
    named, _, kind = (facts.product or "").rpartition(":")
    if kind and not _KIND.fullmatch(kind) and not named:
        named, kind = kind, ""
    path = facts.options.get("path") or named or path
    kind = facts.options.get("kind") or kind or shown()
    if not path or not kind:
        raise PayloadError(
            f"{what} does not say {'what it measures' if not path else 'how it was asked for'};"
            " name it, such as --product 'OPS/Gauging Stations/R4|Flow:avg1h' (or recorded, interp1h)"
        )
    match = _KIND.fullmatch(kind)
    if match is None:
        raise PayloadError(f"{what}: {kind!r} is no kind of reading; write recorded, interp1h, avg1h, avg15m")
    if match[1]:
        return Reading(f"pi:{path}:{kind}", None, timedelta(0))
    seconds = int(match[3]) * _SECONDS[match[4]]
    summary = _SUMMARY.get(match[2])
    return Reading(f"pi:{path}:{kind}", summary, timedelta(seconds=seconds if summary else 0))


def series_path(path: str) -> str:
    r"""Return the part of a PI path that names the series.

    >>> series_path(r"\\AF01\OPS\Gauging Stations\R4|Flow"), series_path(r"\\PISRV1\HYDRO.UNIT1.MW")
    ('OPS/Gauging Stations/R4|Flow', 'PISRV1:HYDRO.UNIT1.MW')
    """
    server, *rest = path.strip("\\").replace("/", "\\").split("\\")
    return "/".join(rest) if "|" in path else f"{server}:{'/'.join(rest)}"


def _part(part: object, facts: Facts, what: str) -> pl.DataFrame:
    if not isinstance(part, dict):
        raise PayloadError(f"{what} is missing from the answer", retryable=True)
    status = part.get("Status")
    if status != HTTPStatus.OK:
        raise PayloadError(f"{what} answered {status}: {part.get('Content')}", retryable=status in _RETRYABLE_STATUS)
    return _answer(part.get("Content"), facts, what)


def _answer(answer: object, facts: Facts, what: str) -> pl.DataFrame:
    if not isinstance(answer, dict):
        raise PayloadError(f"{what} is a JSON {type(answer).__name__}, no stream")
    _refuse_hidden_failure(answer, what)
    items = answer.get("Items")
    if items is None and "Timestamp" in answer:
        items = [answer]
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise PayloadError(f"{what} has no Items; its keys are {', '.join(list(answer)[:8])}")
    if not any("Items" in item for item in items):
        return _stream(answer, items, facts, what)
    frames = []
    for stream in items:
        _refuse_hidden_failure(stream, f"{what}, stream {stream.get('Path', '?')}")
        path = series_path(stream["Path"]) if stream.get("Path") else None
        own = replace(facts, options={key: value for key, value in facts.options.items() if key != "path"})
        frames.append(_stream(stream, stream.get("Items") or [], own if path else facts, what, path))
    return pl.concat(frames) if frames else pl.DataFrame(schema=CANONICAL)


def _refuse_hidden_failure(answer: Mapping[str, Any], what: str) -> None:
    """Refuse an answer whose status said 200 and whose body says otherwise."""
    broken = answer.get("WebException")
    if broken:
        status = broken.get("StatusCode") if isinstance(broken, dict) else None
        raise PayloadError(
            f"{what} broke off mid-transfer with status {status}: {broken}", retryable=status in _RETRYABLE_STATUS
        )
    if answer.get("Errors"):
        raise PayloadError(f"{what} reports errors beside its items: {answer['Errors']}", retryable=True)


def _stream(
    stream: Mapping[str, Any], items: list[dict[str, Any]], facts: Facts, what: str, path: str | None = None
) -> pl.DataFrame:
    how = reading(facts, path, what, shown=lambda: _shown(items, what))
    values = items if how.summary is None else _of_type(items, how.summary, what)
    if not values:
        return pl.DataFrame(schema=CANONICAL)
    unit, factor = _unit(stream, values, facts, how.series)
    rows = _values(values, what).with_columns(pl.col("value") * factor, unit=pl.lit(unit), series_id=pl.lit(how.series))
    rows = rows.with_columns(event_end=pl.col("event_start") + how.length, source=pl.lit("pi"))
    if how.summary is not None:
        rows = _judged_by_share(rows, _of_type(items, "PercentGood", what), what)
    return _believed(rows, facts, what)


def _shown(items: list[dict[str, Any]], what: str) -> str:
    """Return the kind of reading that items show: means by their type, interpolated values by their even steps.

    Archived events are compressed and do not come evenly on whole minutes; a few of them may, so that three even steps
    are the least that shows anything. An empty text where nothing is shown.
    """
    means = [item["Value"] for item in items if item.get("Type") == "Average" and isinstance(item.get("Value"), dict)]
    stamps = [value["Timestamp"] for value in means or items if isinstance(value.get("Timestamp"), str)]
    if (any("Type" in item for item in items) and not means) or not stamps:
        return ""
    moments = instants(pl.Series(stamps, dtype=pl.String), what).unique().sort()
    steps = moments.diff().drop_nulls().unique()
    minutes, rest = divmod(int(steps[0].total_seconds()), 60) if len(steps) == 1 else (0, 0)
    even = minutes and not rest and moments.dt.second().max() == 0
    length = f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"
    if means:
        return f"avg{length}" if even else ""
    return f"interp{length}" if even and len(moments) > _EVEN_STEPS else "recorded"


def _values(values: list[dict[str, Any]], what: str) -> pl.DataFrame:
    judged = [_value(value, what) for value in values]
    rows = pl.DataFrame(
        judged,
        schema={"stamp": pl.String, "value": pl.Float64, "quality": pl.String, "quality_detail": pl.String},
        orient="row",
    )
    return rows.with_columns(event_start=instants(rows["stamp"], what)).drop("stamp")


def _value(item: Mapping[str, Any], what: str) -> tuple[str, float | None, str, str | None]:
    """Return a value object's stamp, number, quality and what it says of itself."""
    stamp, value = item.get("Timestamp"), item.get("Value")
    if not isinstance(stamp, str):
        raise PayloadError(f"{what} has an item without Timestamp: {str(dict(item))[:200]}", retryable=True)
    if item.get("Errors"):
        return stamp, None, "bad", str(item["Errors"])[:200]
    name = None
    if isinstance(value, dict):
        name = str(value.get("Name") or value.get("Errors") or value)[:200]
        system = value.get("IsSystem", name.lower() in SYSTEM_STATES)
        value = None if system or value.get("Errors") else value.get("Value")
    if isinstance(value, str):
        name, value = name or f"text {value!r}"[:200], None
    if value is None or item.get("Good") is False:
        return stamp, None, "bad", name or ("Good is false" if item.get("Good") is False else "no value")
    return stamp, float(value), *_standing(item, name)


def _standing(item: Mapping[str, Any], name: str | None) -> tuple[str, str | None]:
    if item.get("Questionable"):
        return "questionable", name or "Questionable"
    if item.get("Substituted"):
        return "substituted", name or "Substituted"
    if "Good" not in item:
        return "questionable", name or "the answer left Good out"
    return "good", name


def _of_type(items: Iterable[Mapping[str, Any]], kind: str, what: str) -> list[dict[str, Any]]:
    found = [item.get("Value") for item in items if item.get("Type") == kind]
    if kind != "PercentGood" and not found and any(True for _ in items):
        raise PayloadError(f"{what} holds no summary of type {kind}")
    return [value if isinstance(value, dict) else {"Errors": value} for value in found]


def _judged_by_share(rows: pl.DataFrame, shares: list[dict[str, Any]], what: str) -> pl.DataFrame:
    """Lower the quality of intervals that were partly bad: none good is missing, some bad is questionable."""
    if not shares:
        return rows
    share = _values(shares, what).select("event_start", share="value").unique("event_start", keep="last")
    rows = rows.join(share, on="event_start", how="left", maintain_order="left")
    partly = (pl.col("share") < 100) & (pl.col("quality") == "good")  # noqa: PLR2004 - percent
    none = pl.col("share") == 0
    said = pl.format("PercentGood {}", "share")
    return rows.with_columns(
        value=pl.when(none).then(None).otherwise("value"),
        quality=pl.when(none).then(pl.lit("missing")).when(partly).then(pl.lit("questionable")).otherwise("quality"),
        quality_detail=pl.when(none | partly).then(said).otherwise("quality_detail"),
    ).drop("share")


def _believed(rows: pl.DataFrame, facts: Facts, what: str) -> pl.DataFrame:
    future = facts.options.get("future", "false").lower() == "true"
    fetched = pl.lit(facts.fetched_at, TIME)
    early = (pl.col("event_end") > fetched) & (pl.col("quality") == "good")
    if not future:
        # An interval that was not over when it was read is no mean of itself; a stamp from the future is a wrong clock.
        rows = rows.with_columns(
            quality=pl.when(early).then(pl.lit("questionable")).otherwise("quality"),
            quality_detail=pl.when(early).then(pl.lit("ends after it was read")).otherwise("quality_detail"),
        )
    delay = timedelta(seconds=float(facts.options.get("assumed_delay_s", ASSUMED_DELAY.total_seconds())))
    rule = None if future else pl.col("event_end") + delay
    rows = known_by(rows, fetched_at=facts.fetched_at, rule=rule)
    rows = rows.with_columns(scenario=pl.lit("deterministic" if future else "actual"))
    return unrepeated(canonical(rows, what=what), ["series_id", "event_start"])


def _unit(stream: Mapping[str, Any], values: list[dict[str, Any]], facts: Facts, series: str) -> tuple[str, float]:
    printed = {value["UnitsAbbreviation"] for value in (stream, *values) if value.get("UnitsAbbreviation")}
    declared = facts.options.get("unit")
    if not printed and declared is None and not all(isinstance(value.get("Value"), dict) for value in values):
        raise UnitError(f"{series} comes without a unit; declare it (option unit), or ask for UnitsAbbreviation")
    units = {to_canonical(unit) for unit in printed}
    if len(units) > 1:
        raise UnitError(f"{series} comes in several units: {', '.join(sorted(printed))}")
    # The scale as well: thousands that nobody declared are as likely a wrong label as a new one.
    if declared is not None and units and {to_canonical(declared)} != units:
        raise UnitError(f"{series} comes in {printed.pop()}, but is declared in {declared}; which is right?")
    return units.pop() if units else to_canonical(declared or "")


def _is_batch(answer: Mapping[str, Any]) -> bool:
    return bool(answer) and all(isinstance(part, dict) and "Status" in part for part in answer.values())
