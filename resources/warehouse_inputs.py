"""What a build of the warehouse reads: the lake's files, the plans' files and the series' rules, in one folder.

Files that never change are hard links, so a build costs no space and outlives the lake's garbage collection; small
facts (manifests, rules) become Parquet tables. Every folder and table has all its columns even where nothing is in
it yet, so that every model can be built on the first day.
Put here: laying out that folder. Keep out: running dbt (warehouse.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
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


def stage(inputs: Path, beliefs: Iterable[LakeFile], *, plans: Path, series: Path) -> None:
    """Lay out the inputs of one build.

    Args:
        inputs: The folder to make.
        beliefs: The lake's live belief files.
        plans: The folder of published plans; it may be absent.
        series: ``config/series.toml``.

    Raises:
        LakeError: A file cannot be linked, or a manifest cannot be read.
        ConfigError: The series' rules cannot be read.
    """
    _stage_beliefs(inputs / "beliefs", beliefs)
    publications = list(_publications(plans))
    _stage_fleet(inputs / "fleet", [one for one in publications if one["plan"] == "fleet"])
    pl.DataFrame(publications, schema=_PUBLICATIONS, orient="row").write_parquet(inputs / "publications.parquet")
    pl.DataFrame(list(_rules(series)), schema=_SERIES, orient="row").write_parquet(inputs / "series.parquet")


def _stage_beliefs(folder: Path, beliefs: Iterable[LakeFile]) -> None:
    folder.mkdir(parents=True)
    pl.DataFrame(schema=FILE_COLUMNS).write_parquet(folder / "000000-0.parquet")
    for number, one in enumerate(beliefs, start=1):
        if isinstance(one, Path):
            raise InputError(f"{one} comes without the instant it was recorded at; pass Lake.recorded_files()")
        path, recorded_at = one
        recorded = 0 if recorded_at is None else micros(require_utc(recorded_at, what="recorded_at"))
        _link(path, folder / f"{number:06d}-{recorded}.parquet")


def _stage_fleet(folder: Path, versions: Iterable[Mapping[str, Any]]) -> None:
    folder.mkdir()
    pl.DataFrame(schema=_FLEET).write_parquet(folder / "none~0.parquet")
    for one in versions:
        _link(Path(one["folder"]) / "schedule.parquet", folder / f"{one['schedule_id']}~{one['version']}.parquet")


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
