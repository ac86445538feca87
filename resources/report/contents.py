"""What a report is made from.

Put here: the frozen input of the page. Keep out: how it looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import polars as pl

from domain.errors import FrameError
from domain.instants import CENTRAL, PACIFIC, require_utc

Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservoirPart:
    """The pool and its powerhouse.

    Attributes:
        schedule: The columns of a published reservoir plan: ``event_start, oxbow_mw, oxbow_end_mw, setpoint_mw,
            setpoint_change_at, elevation_ft, storage_af, spill_cfs, outflow_cfs, inflow_cfs, head_cap_mw`` and, with
            scenarios, ``elevation_p10_ft, elevation_p90_ft``. Evenly spaced; levels are those at interval ends.
        observed_elevation: ``event_start, value`` [ft], instants up to the decision.
        observed_power: ``event_start, value`` [MW], interval means up to the decision.
        start_elevation_ft: Level at the instant of the decision [ft].
        start_mw: Output at the instant of the decision [MW].
        minimum_ft: Lowest level allowed [ft].
        float_ft: Level at which the gates pass the surplus [ft].
        price: ``event_start, value`` [USD/MWh], optional ``quantile`` (null = mean) and ``model``.
        inflow_band: ``event_start, quantile, value`` [cfs] of the total inflow, or None.
        zone: Zone of the plant's clock.
    """

    schedule: pl.DataFrame
    observed_elevation: pl.DataFrame
    observed_power: pl.DataFrame
    start_elevation_ft: float
    start_mw: float
    minimum_ft: float
    float_ft: float
    price: pl.DataFrame
    inflow_band: pl.DataFrame | None = None
    zone: ZoneInfo = PACIFIC

    def __post_init__(self) -> None:
        _require(
            self.schedule,
            "reservoir schedule",
            "event_start oxbow_mw oxbow_end_mw setpoint_mw setpoint_change_at elevation_ft spill_cfs outflow_cfs"
            " inflow_cfs head_cap_mw",
        )
        _require(self.observed_elevation, "observed elevation", "event_start value", empty=True)
        _require(self.observed_power, "observed power", "event_start value", empty=True)
        _require(self.price, "price", "event_start value", empty=True)

    @property
    def step(self) -> timedelta:
        """Length of an interval of the schedule."""
        return step_of(self.schedule)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPart:
    """The batteries, summed.

    Attributes:
        aggregate: ``event_start, power_kw`` (mean, positive to the grid), ``soc_kwh`` (at the interval's end).
        start_soc_kwh: Energy stored when the first interval begins [kWh].
        capacity_kwh: Energy that fits in all planned devices [kWh].
        devices: How many are planned.
        operating_day: The local day planned.
        value_usd: What the plan earns at the forecast prices, wear paid [USD].
        price: ``event_start, value`` [USD/MWh], optional ``quantile`` and ``model``.
        zone: Zone of the market's day.
    """

    aggregate: pl.DataFrame
    start_soc_kwh: float
    capacity_kwh: float
    devices: int
    operating_day: date
    value_usd: float
    price: pl.DataFrame
    zone: ZoneInfo = CENTRAL

    def __post_init__(self) -> None:
        _require(self.aggregate, "fleet aggregate", "event_start power_kw soc_kwh")
        _require(self.price, "fleet price", "event_start value", empty=True)

    @property
    def step(self) -> timedelta:
        """Length of an interval of the aggregate."""
        return step_of(self.aggregate)

    @property
    def charged_mwh(self) -> float:
        """Energy taken from the grid [MWh]."""
        return -self._energy_mwh(pl.col("power_kw") < 0)

    @property
    def discharged_mwh(self) -> float:
        """Energy given to the grid [MWh]."""
        return self._energy_mwh(pl.col("power_kw") > 0)

    def _energy_mwh(self, which: pl.Expr) -> float:
        kilowatts = self.aggregate.filter(which)["power_kw"].sum()
        return float(kilowatts) * (self.step / timedelta(hours=1)) / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLine:
    """One alert that is open.

    Attributes:
        severity: How bad it is.
        title: What is wrong, in a sentence.
        detail: Which value, which limit, what to do.
        raised_at: When it was raised.
    """

    severity: Severity
    title: str
    detail: str
    raised_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLine:
    """How fresh one source is.

    Attributes:
        name: The source or product.
        newest_event: Start of the newest interval it has a value for, or None.
        newest_belief: When it last published something, or None.
        rows: Rows this run read from it.
        late: Whether it is past its budget.
    """

    name: str
    newest_event: datetime | None
    newest_belief: datetime | None
    rows: int
    late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportInput:
    """Everything on the page.

    Attributes:
        as_of: The instant of the decision.
        reservoir: The pool, or None where there is no plan; ``missing`` then says why.
        fleet: The batteries, or None where there is no plan.
        missing: ``reservoir`` or ``fleet`` -> why there is no plan.
        alerts: Open alerts, worst first.
        manifests: The published versions' manifests, as stored.
        provenance: Input -> in words, where its values come from.
        files: Label -> where the file is.
        sources: Freshness, one line a source.
    """

    as_of: datetime
    reservoir: ReservoirPart | None = None
    fleet: FleetPart | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
    alerts: Sequence[AlertLine] = ()
    manifests: Sequence[Mapping[str, Any]] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    sources: Sequence[SourceLine] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "as_of", require_utc(self.as_of, what="as_of"))


def step_of(rows: pl.DataFrame) -> timedelta:
    """Return the spacing of evenly spaced rows.

    Raises:
        FrameError: There are fewer than two rows, or their spacing changes.
    """
    gaps = rows["event_start"].diff().drop_nulls().unique()
    if gaps.len() != 1:
        raise FrameError(f"rows of a schedule must be evenly spaced, at least two; found {gaps.len()} spacings")
    return gaps[0]


def _require(rows: pl.DataFrame, what: str, columns: str, *, empty: bool = False) -> None:
    missing = [name for name in columns.split() if name not in rows.columns]
    if missing:
        raise FrameError(f"{what} lacks column(s) {', '.join(missing)}; it has {', '.join(rows.columns)}")
    if rows.is_empty() and not empty:
        raise FrameError(f"{what} has no rows: leave the part out and say why in ReportInput.missing")
