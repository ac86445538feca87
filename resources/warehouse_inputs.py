"""What a build of the warehouse reads: the lake's files, the plans' files and the series' rules, in one folder.

Files that never change are hard links, so a build costs no space and outlives the lake's garbage collection; small
facts (manifests, rules) become Parquet tables. Every folder and table has all its columns even where nothing is in
it yet, so that every model can be built on the first day.
Put here: laying out that folder. Keep out: running dbt (warehouse.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl

from domain.beliefs import TIME
from domain.errors import InputError, LakeError
from domain.instants import parse_instant, require_utc
from domain.series import PlanningSeries
from resources.lake.files import FILE_COLUMNS, micros

LakeFile = tuple[Path, datetime | None]
"""A Parquet file of beliefs, and the instant all its rows were recorded at; None where each row carries its own."""

_SERIES: Final[dict[str, pl.DataType]] = {
    "planning_series": pl.String(),
    "unit": pl.String(),
    "kind": pl.String(),
    "step_seconds": pl.Int32(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "preference": pl.Int32(),
    "series_id": pl.String(),
    "scenario": pl.String(),
    "factor": pl.Float64(),
    "offset": pl.Float64(),
}

_PRICES: Final[dict[str, pl.DataType]] = {
    "price_series": pl.String(),
    "day_ahead_series": pl.String(),
    "real_time_series": pl.String(),
    "zone": pl.String(),
}

_PUBLICATIONS: Final[dict[str, pl.DataType]] = {
    "plan": pl.String(),
    "schedule_id": pl.String(),
    "version": pl.Int32(),
    "as_of": TIME,
    "mode": pl.String(),
    "recorded_before": TIME,
    "status": pl.String(),
    "objective_usd": pl.Float64(),
    "bound_usd": pl.Float64(),
    "gap": pl.Float64(),
    "solver": pl.String(),
    "optimizer": pl.String(),
    "input_sha256": pl.String(),
    "code_version": pl.String(),
    "operating_day": pl.Date(),
    "devices": pl.Int32(),
    "earnings_usd": pl.Float64(),
    "provenance": pl.String(),
    "is_current": pl.Boolean(),
    "published_at": TIME,
    "folder": pl.String(),
}

_FLEET: Final[dict[str, pl.DataType]] = {
    "device_id": pl.String(),
    "event_start": TIME,
    "power_kw": pl.Float64(),
    "soc_kwh": pl.Float64(),
}


_SETPOINTS: Final[dict[str, pl.DataType]] = {
    "device_id": pl.String(),
    "event_start": TIME,
    "mode": pl.Int8(),
    "rate_kw": pl.Float64(),
}

_EXECUTIONS: Final[dict[str, pl.DataType]] = {
    "interval_start": TIME,
    "schedule_id": pl.String(),
    "version": pl.Int64(),
    "device_id": pl.String(),
    "execution_time": TIME,
    "status": pl.String(),
    "actual_rate_kw": pl.Float64(),
    "soc_kwh": pl.Float64(),
    "error_message": pl.String(),
    "received_at": TIME,
}

FILES: Final[dict[str, pl.DataType]] = {"file": pl.String(), "utc_day": pl.Date()}
"""Which belief file holds events of which UTC days, one row a pair."""

FILES_NAME: Final = "files.parquet"


def stage(
    inputs: Path,
    beliefs: Iterable[LakeFile],
    *,
    plans: Path,
    executions: Path,
    outcomes: Path,
    series: Path,
    built: pl.DataFrame | None = None,
) -> None:
    """Lay out the inputs of one build.

    Args:
        inputs: The folder to make.
        beliefs: The lake's live belief files.
        plans: The folder of published plans; it may be absent.
        executions: The folder of the execution log; it may be absent.
        outcomes: The table of the fleet's settled days; it may be absent.
        series: ``config/series.toml``.
        built: ``FILES`` of the build whose marts are carried over; None where all is made anew.

    Raises:
        LakeError: A file cannot be linked, or a manifest cannot be read.
        ConfigError: The series' rules cannot be read.
    """
    from resources.fleet_log import TOLD  # noqa: PLC0415 - SQLAlchemy is not needed to open a warehouse
    from resources.fleet_outcomes import OUTCOME_COLUMNS  # noqa: PLC0415 - as above

    beliefs = list(beliefs)
    _stage_beliefs(inputs / "beliefs", beliefs)
    _stage_changes(inputs, [path for path, _ in beliefs], pl.DataFrame(schema=FILES) if built is None else built)
    publications = list(_publications(plans))
    _stage_schedules(inputs / "fleet", _FLEET, [one for one in publications if one["plan"] == "fleet"])
    _stage_schedules(inputs / "setpoints", _SETPOINTS, [one for one in publications if one["plan"] == TOLD])
    _stage_executions(inputs / "executions", executions)
    settled = pl.read_parquet(outcomes) if outcomes.is_file() else pl.DataFrame(schema=OUTCOME_COLUMNS)
    settled.write_parquet(inputs / "fleet_outcomes.parquet")
    pl.DataFrame(publications, schema=_PUBLICATIONS, orient="row").write_parquet(inputs / "publications.parquet")
    pl.DataFrame(list(_rules(series)), schema=_SERIES, orient="row").write_parquet(inputs / "series.parquet")
    pl.DataFrame(list(_markets(series)), schema=_PRICES, orient="row").write_parquet(inputs / "prices.parquet")


def _stage_beliefs(folder: Path, beliefs: Iterable[LakeFile]) -> None:
    folder.mkdir(parents=True)
    pl.DataFrame(schema=FILE_COLUMNS).write_parquet(folder / "000000-0.parquet")
    for number, one in enumerate(beliefs, start=1):
        if isinstance(one, Path):
            raise InputError(f"{one} comes without the instant it was recorded at; pass Lake.recorded_files()")
        path, recorded_at = one
        recorded = 0 if recorded_at is None else micros(require_utc(recorded_at, what="recorded_at"))
        _link(path, folder / f"{number:06d}-{recorded}.parquet")


def _stage_changes(inputs: Path, paths: Sequence[Path], built: pl.DataFrame) -> None:
    """Write which days of events each file holds, and those of files that came or went since ``built``.

    Files never change, so all that is new is in a file that is new, and what a compaction replaced is of the same
    days as what it made of it.
    """
    known = built.filter(pl.col("file").is_in([path.name for path in paths]))
    fresh = [path for path in paths if path.name not in set(known["file"])]
    files = pl.concat([known, *(_days_of(path) for path in fresh)])
    files.write_parquet(inputs / FILES_NAME)
    came_or_went = pl.concat([files, built]).filter(pl.struct("file", "utc_day").is_unique())
    came_or_went.select(pl.col("utc_day").unique().sort()).write_parquet(inputs / "changed_days.parquet")


def _days_of(path: Path) -> pl.DataFrame:
    day = pl.scan_parquet(path, glob=False).select(pl.col("event_start").dt.date().alias("utc_day")).unique()
    return day.select(pl.lit(path.name).alias("file"), "utc_day").collect()


def _stage_schedules(folder: Path, schema: Mapping[str, pl.DataType], versions: Iterable[Mapping[str, Any]]) -> None:
    folder.mkdir()
    pl.DataFrame(schema=schema).write_parquet(folder / "none~0.parquet")
    for one in versions:
        _link(Path(one["folder"]) / "schedule.parquet", folder / f"{one['schedule_id']}~{one['version']}.parquet")


def _stage_executions(folder: Path, log: Path) -> None:
    folder.mkdir()
    pl.DataFrame(schema=_EXECUTIONS).write_parquet(folder / "none.parquet")
    for path in sorted(log.glob("[0-9]*.parquet")):
        _link(path, folder / path.name)


def _publications(plans: Path) -> Iterator[dict[str, Any]]:
    """Yield one row a stored version."""
    current = {path.parent.name: _read(path) for path in plans.glob("*/current.json")}
    for path in sorted(plans.glob("*/*/v*/manifest.json")):
        manifest = _read(path)
        pointer = current.get(manifest["plan"], {})
        is_current = all(pointer.get(key) == manifest[key] for key in ("schedule_id", "version"))
        row = {name: manifest.get(name) for name in _PUBLICATIONS}
        row |= {name: _instant(manifest.get(name), path) for name in ("as_of", "recorded_before")}
        row |= {
            "operating_day": date.fromisoformat(manifest["operating_day"]) if manifest.get("operating_day") else None,
            "provenance": orjson.dumps(manifest.get("provenance", {})).decode(),
            "is_current": is_current,
            "published_at": _instant(pointer.get("published_at"), path) if is_current else None,
            "folder": str(path.parent),
        }
        yield row


def _rules(series: Path) -> Iterator[dict[str, Any]]:
    """Yield one row a planning series and vendor series behind it."""
    from resources.series_file import load_series  # noqa: PLC0415 - pydantic is not needed to open a warehouse

    for name, rule in load_series(series).items():
        for preference, source in enumerate(rule.sources):
            yield {
                "planning_series": name,
                "unit": PlanningSeries.parse(name).unit,
                "kind": rule.kind,
                "step_seconds": int(rule.step.total_seconds()),
                "low": rule.low,
                "high": rule.high,
                "preference": preference,
                "series_id": source.series,
                "scenario": source.scenario,
                "factor": source.factor,
                "offset": source.offset,
            }


def _markets(series: Path) -> Iterator[dict[str, str]]:
    """Yield one row a price that plans earn."""
    from resources.series_file import load_prices  # noqa: PLC0415 - as above

    for name, rule in load_prices(series).items():
        yield {
            "price_series": name,
            "day_ahead_series": rule.day_ahead,
            "real_time_series": rule.real_time,
            "zone": rule.zone.key,
        }


def _read(path: Path) -> dict[str, Any]:
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise LakeError(f"{path} cannot be read: {error}. A published version is never changed: restore it") from None


def _instant(text: str | None, path: Path) -> datetime | None:
    return None if text is None else parse_instant(text, what=f"an instant in {path}")


def _link(path: Path, to: Path) -> None:
    try:
        os.link(path, to)
    except OSError as error:
        raise LakeError(f"{path} cannot be linked to {to}: {error}. Keep lake and warehouse on one disk") from None
