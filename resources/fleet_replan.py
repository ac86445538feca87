"""The fleet's intraday decision: what has changed since its plan, and a new plan for that and nothing else.

A device is planned again when its state of charge is not what the plan expected, when its limits or availability have
changed, or when it is new; all are when the price forecast has moved. New schedules stay close to the old ones, and a
device of which nothing is new keeps its schedule to the last bit. Put here: what changed, the new plan, its ladder.
Keep out: the day-ahead decision (fleet_decisions.py) and optimization (solvers).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import polars as pl

from domain.beliefs import Cutoffs
from domain.errors import InfeasibleError, InputError, MissingInputError
from domain.fleet import SCHEDULE_COLUMNS, check_devices, check_schedule
from domain.instants import CENTRAL, floor_hour, iso, local_day
from resources.decisions import fingerprint_of, our_forecast
from resources.fleet_decisions import FLEET_PRICE, FleetCase, on_the_day
from resources.fleet_ladder import IDLE, RULE, SHIFTED, Fallback, fallen_back, half_hours
from resources.fleet_measured import measured
from resources.lake import Lake
from resources.pinned import unpin_frame
from resources.publisher import Publisher, Version
from resources.registry import Registry

PLAN: Final = "fleet_replan"
PLANS: Final = ("fleet", PLAN)

HALF_HOUR: Final = timedelta(minutes=30)

LEAD: Final = timedelta(minutes=10)
"""From the instant of the decision to the first half hour it may change: forecasts, plan and the way to the devices."""

DEVIATION_SHARE: Final = 0.05
"""A state of charge off by more than this part of the capacity is planned anew; meters read to 1 to 2 %."""

LEAST_KWH: Final = 0.5
"""But never for less than this [kWh]."""

PRICE_STEP_USD_MWH: Final = 5.0
"""A forecast that moved by more in any half hour is worth a new plan: half the cheapest wear there and back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplanCase:
    """All that an intraday plan depends on.

    Attributes:
        start: The first half hour it may change [UTC].
        operating_day: The local day it is part of.
        devices: Those planned again, from what is stored at ``start``; availability from ``start`` on.
        kept: Schedule rows of all others, from ``start`` on.
        old: Schedule rows that the new ones stay close to.
        prices: ``event_start, price_usd_mwh`` from ``start`` on, as forecast now.
        reference: The prices that the next decision compares with.
        reasons: ``device_id, reason``: why each is planned again.
        terminal_value_usd_per_kwh: As of the day-ahead plan.
        provenance: Input -> in words, where its values come from.
    """

    start: datetime
    operating_day: date
    devices: pl.DataFrame
    kept: pl.DataFrame
    old: pl.DataFrame
    prices: pl.DataFrame
    reference: pl.DataFrame
    reasons: pl.DataFrame
    terminal_value_usd_per_kwh: float
    provenance: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """sha256 over everything that the new schedule depends on."""
        return fingerprint_of(
            [self.devices, self.kept, self.old, self.prices], [iso(self.start), self.terminal_value_usd_per_kwh]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Redecision:
    """An intraday decision, whichever way it was reached.

    Attributes:
        case: What it depends on.
        schedule: ``SCHEDULE_COLUMNS`` of the whole fleet from ``case.start`` on; None where nothing has changed.
        report: As of ``solve fleet``, of the devices planned again.
        fallback: Why it is not the plan it should be; None where it is.
    """

    case: ReplanCase | FleetCase
    schedule: pl.DataFrame | None
    report: Mapping[str, Any]
    fallback: Fallback | None = None


def first_half_hour(at: datetime) -> datetime:
    """Return the first half hour that a decision at ``at`` may change.

    >>> from datetime import UTC
    >>> first_half_hour(datetime(2026, 7, 1, 14, 0, tzinfo=UTC)).isoformat()
    '2026-07-01T14:30:00+00:00'
    """
    ready = at + LEAD
    return floor_hour(ready) + HALF_HOUR * (1 + (ready - floor_hour(ready)) // HALF_HOUR)


def plan_in_force(publisher: Publisher, registry: Registry, at: datetime) -> Version | None:
    """Return the newest published plan of before ``at`` for the day that its decision is about; None: it is expired."""
    day = first_half_hour(at).astimezone(CENTRAL).date().isoformat()
    rows = [row for plan in PLANS for row in registry.publications(plan) if at - timedelta(days=2) < row.as_of < at]
    for row in sorted(rows, key=lambda row: (row.as_of, row.plan == PLAN, row.version), reverse=True):
        version = publisher.get(row.plan, row.as_of, version=row.version)
        if version.manifest.get("operating_day") == day:
            return version
    return None


def replan_case(lake: Lake, devices: pl.DataFrame, previous: Version | None, cutoffs: Cutoffs) -> ReplanCase:
    """Read what an intraday plan needs, as known at ``cutoffs.at``.

    Args:
        lake: Prices and telemetry.
        devices: Of the registry.
        previous: The plan in force; None plans every device from now to the end of the local day.
        cutoffs: Both are pinned.

    Raises:
        MissingInputError: There is no device, or an hour of the rest of the day has no price.
    """
    start = first_half_hour(cutoffs.at)
    day = start.astimezone(CENTRAL).date()
    end = local_day(day, CENTRAL)[1]
    reasons: dict[str, str] = {}
    hourly = our_forecast(lake, FLEET_PRICE, "price_usd_mwh", cutoffs, reasons, window=(floor_hour(start), end))
    if devices.is_empty():
        reasons["devices"] = "the registry holds no active device; tailrace fleet import"
    if reasons:
        raise MissingInputError(f"the fleet's rest of {day} as of {iso(cutoffs.at)}", reasons)
    halves = pl.concat([hourly, hourly.with_columns(pl.col("event_start") + HALF_HOUR)]).sort("event_start")
    prices = halves.filter(pl.col("event_start") >= start)
    heard = measured(lake, cutoffs, before=cutoffs.at)
    plan = _Planned.of(lake, devices, previous, start)
    moved = _moved(plan.reference, prices)
    stored = plan.anchored(devices, heard, start)
    why = _why(devices, plan, stored, everybody=moved)
    again = stored.filter(pl.col("device_id").is_in(why["device_id"].implode())).sort("device_id")
    mine = pl.col("device_id").is_in(again["device_id"].implode())
    active = pl.col("device_id").is_in(devices["device_id"].implode())
    return ReplanCase(
        start=start,
        operating_day=day,
        devices=on_the_day(again.select(devices.columns), prices),
        kept=plan.rest.filter(~mine & active),
        old=plan.rest.filter(mine),
        prices=prices,
        reference=prices if moved else plan.reference,
        reasons=why,
        terminal_value_usd_per_kwh=plan.terminal_usd_per_kwh
        if plan.terminal_usd_per_kwh is not None
        else max(0.0, float(hourly["price_usd_mwh"].sum()) / hourly.height / 1000),
        provenance={
            "price_usd_mwh": f"{FLEET_PRICE}, newest of our forecasts as of {iso(cutoffs.at)}",
            "soc_kwh": f"measured of {heard.height} device(s), else as planned",
            "plan": "none in force" if previous is None else f"{previous.schedule_id} v{previous.number}",
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """What the plan in force says: its devices, its rows, its prices."""

    devices: pl.DataFrame
    rows: pl.DataFrame
    rest: pl.DataFrame
    reference: pl.DataFrame
    terminal_usd_per_kwh: float | None

    @classmethod
    def of(cls, lake: Lake, devices: pl.DataFrame, previous: Version | None, start: datetime) -> _Planned:
        if previous is None:
            none = pl.DataFrame(schema=SCHEDULE_COLUMNS)
            prices = pl.DataFrame(
                schema={"event_start": SCHEDULE_COLUMNS["event_start"], "price_usd_mwh": pl.Float64()}
            )
            return cls(devices=devices.clear(), rows=none, rest=none, reference=prices, terminal_usd_per_kwh=None)
        rows = previous.schedule()
        return cls(
            devices=unpin_frame(lake, previous.manifest["devices_sha256"]),
            rows=rows,
            rest=rows.filter(pl.col("event_start") >= start),
            reference=pl.read_parquet(previous.folder / "prices.parquet").filter(pl.col("event_start") >= start),
            terminal_usd_per_kwh=previous.manifest["terminal_value_usd_per_kwh"],
        )

    def anchored(self, devices: pl.DataFrame, heard: pl.DataFrame, start: datetime) -> pl.DataFrame:
        """Return devices from what is stored at ``start``, and by how much it was off, ``off_kwh`` (null: unheard).

        What a device has more or less than planned when it was heard, it has more or less at ``start``.
        """
        gain = pl.col("charge_kw") * pl.col("charge_efficiency") - pl.col("discharge_kw") / pl.col(
            "discharge_efficiency"
        )
        hours = 0.5
        rows = self.rows.join(devices.select("device_id", "charge_efficiency", "discharge_efficiency"), on="device_id")
        rows = rows.select("device_id", "event_start", "soc_kwh", gain_kwh=gain * hours)
        at_start = rows.filter(pl.col("event_start") == start).select(
            "device_id", planned_kwh=pl.col("soc_kwh") - pl.col("gain_kwh")
        )
        then = (
            heard.with_columns(half=pl.col("heard_at").dt.truncate("30m"))
            .join(rows, left_on=["device_id", "half"], right_on=["device_id", "event_start"])
            .with_columns(part=(pl.col("heard_at") - pl.col("half")) / HALF_HOUR)
            .select(
                "device_id",
                off_kwh=pl.col("measured_kwh") - pl.col("soc_kwh") + (1 - pl.col("part")) * pl.col("gain_kwh"),
            )
        )
        expected = pl.col("planned_kwh") + pl.col("off_kwh").fill_null(0.0)
        return (
            devices.join(at_start, on="device_id", how="left")
            .join(then, on="device_id", how="left")
            .join(heard.select("device_id", "measured_kwh"), on="device_id", how="left")
            .with_columns(
                soc_start_kwh=pl.coalesce(expected, "measured_kwh", "soc_start_kwh").clip(0.0, pl.col("capacity_kwh"))
            )
        )


def _moved(reference: pl.DataFrame, prices: pl.DataFrame) -> bool:
    """Return whether the forecast has moved enough for everybody to be planned again."""
    both = prices.join(reference, on="event_start", how="left", suffix="_before")
    change = (pl.col("price_usd_mwh") - pl.col("price_usd_mwh_before")).abs()
    return bool(both.select((change.is_null() | (change > PRICE_STEP_USD_MWH)).any()).item())


def _why(devices: pl.DataFrame, plan: _Planned, stored: pl.DataFrame, *, everybody: bool) -> pl.DataFrame:
    """Return ``device_id, reason`` of the devices to plan again, each once."""
    known = [name for name in devices.columns if name in plan.devices.columns and name != "soc_start_kwh"]
    text = [pl.col(name).list.eval(pl.element().cast(pl.String)).list.join(",").alias(name)
            for name in known if isinstance(devices.schema[name], pl.List)]  # fmt: skip
    same = devices.select(known).with_columns(text).join(
        plan.devices.select(known).with_columns(text), on=known, how="semi", nulls_equal=True
    )  # fmt: skip
    allowed = pl.max_horizontal(pl.lit(LEAST_KWH), pl.col("capacity_kwh") * DEVIATION_SHARE)
    off = stored.filter(pl.col("off_kwh").abs() > allowed)
    planned = pl.col("device_id").is_in(plan.rest["device_id"].implode())
    reasons = [
        devices.filter(~planned).select("device_id", reason=pl.lit("no plan in force covers it")),
        devices.join(same, on="device_id", how="anti").select(
            "device_id", reason=pl.lit("its limits or availability have changed")
        ),
        off.select("device_id", reason=pl.format("{} kWh off its plan", pl.col("off_kwh").round(3))),
        devices.filter(pl.lit(everybody)).select(
            "device_id", reason=pl.lit(f"the price forecast moved by more than {PRICE_STEP_USD_MWH:g} USD/MWh")
        ),
    ]
    return pl.concat(reasons).unique("device_id", keep="first", maintain_order=True).sort("device_id")


def decide_again(case: ReplanCase) -> Redecision:
    """Plan what has changed, close to what it did before, and check it.

    Raises:
        InfeasibleError: No device can be planned, or a schedule breaks a limit: neither is published.
    """
    from solvers.fleet import plan_fleet  # noqa: PLC0415 - compiled kernels, see fleet_decisions.py
    from solvers.fleet.rule import carried_on  # noqa: PLC0415 - likewise

    if case.devices.is_empty() and case.old.is_empty():
        return Redecision(case=case, schedule=None, report={"status": "unchanged", "objective_usd": 0.0, "gap": 0.0})
    plan = plan_fleet(
        case.devices, case.prices, terminal_value_usd_per_kwh=case.terminal_value_usd_per_kwh,
        previous=case.old if case.old.height else None,
    )  # fmt: skip
    good, _ = check_devices(case.devices, intervals=case.prices.height)
    planned = pl.col("device_id").is_in(plan.schedule["device_id"].implode())
    broken = check_schedule(good, case.prices, plan.schedule) if plan.schedule.height else []
    if broken or good.is_empty():
        why = "; ".join(broken[:5]) or str(plan.report["infeasible"][:3])
        raise InfeasibleError(f"the fleet cannot be planned again: {why}")
    # A device that can no longer reach its end gets as close to it as it can.
    late = good.filter(~planned)
    parts = [case.kept, plan.schedule] + ([carried_on(late, case.prices, case.old)] if late.height else [])
    whole = pl.concat(parts).sort("device_id", "event_start")
    return Redecision(case=case, schedule=whole, report=plan.report)


def decide_again_on_the_ladder(
    lake: Lake, devices: pl.DataFrame, previous: Version | None, cutoffs: Cutoffs
) -> Redecision:
    """Return the best intraday decision that can be reached; arguments as of `replan_case`.

    Raises:
        MissingInputError: There is no device at all: nothing can rest.
    """
    case = None
    try:
        case = replan_case(lake, devices, previous, cutoffs)
        return decide_again(case)
    except (InputError, InfeasibleError, MissingInputError) as error:
        if devices.is_empty():
            raise
        return _fall_back(case, error, devices, previous, cutoffs)


def _fall_back(
    case: ReplanCase | None, error: Exception, devices: pl.DataFrame, previous: Version | None, cutoffs: Cutoffs
) -> Redecision:
    start = first_half_hour(cutoffs.at)
    day = start.astimezone(CENTRAL).date()
    grid = pl.DataFrame({"event_start": half_hours(start, local_day(day, CENTRAL)[1]), "price_usd_mwh": None})
    prices = grid.cast({"price_usd_mwh": pl.Float64}) if case is None else case.prices
    rest = FleetCase(
        devices=on_the_day(devices.sort("device_id"), prices),
        prices=prices,
        operating_day=day,
        terminal_value_usd_per_kwh=0.0 if case is None else case.terminal_value_usd_per_kwh,
        provenance={"price_usd_mwh": f"none: {error}"} if case is None else dict(case.provenance),
    )
    rung = SHIFTED if previous is not None else IDLE if case is None else RULE
    fallback = Fallback(rung=rung, reason=str(error), previous=previous)
    decision = fallen_back(rest, fallback, None)
    schedule = decision.schedule
    if previous is not None:
        active = pl.col("device_id").is_in(devices["device_id"].implode())
        schedule = previous.schedule().filter((pl.col("event_start") >= start) & active)
    return Redecision(case=rest, schedule=schedule, report=decision.report, fallback=fallback)
