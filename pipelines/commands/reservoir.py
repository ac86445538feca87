"""`tailrace solve reservoir`, `simulate reservoir`, `plant check`: the afterbay from files; and `plant backtest`.

Put here: options, reading and writing, exit codes. Keep out: plans (solvers/reservoir) and physics (domain).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.errors import InfeasibleError, InputError

if TYPE_CHECKING:
    import polars as pl

    from domain.hydraulics import Array
    from domain.plant import Plant, PoolState
    from domain.reservoir_inputs import ReservoirInputs

PlantFile = Annotated[Path, typer.Option("--plant", help="Plant file, such as config/plants/afterbay.toml")]
InputsFile = Annotated[
    Path,
    typer.Option(
        "--inputs",
        help="Intervals ahead, Parquet or CSV: event_start, flows in cfs, mfra_mw, float_ft, ccs_mode, price_usd_mwh,"
        " bias_cfs",
    ),
]
StateFile = Annotated[Path, typer.Option("--state", help="JSON with elevation_ft, oxbow_mw and at")]


def solve_reservoir(
    *,
    plant: PlantFile,
    inputs: InputsFile,
    state: StateFile,
    out: Annotated[str, typer.Option("--out", help="Plan, Parquet or .csv; - for CSV on standard output")],
    report: Annotated[str, typer.Option("--report", help="Report in JSON; - for standard output")],
    scenarios: Annotated[
        Path | None, typer.Option("--scenarios", help="The inputs' columns plus scenario and probability")
    ] = None,
    optimizer: Annotated[
        str, typer.Option("--optimizer", help="lp, stochastic (needs --scenarios) or rule (the heuristic)")
    ] = "lp",
    rules: Annotated[bool, typer.Option("--rules", help="Apply the plant's dated rules")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value: a weight [USD] or plant constant for this plan only")
    ] = None,
) -> None:
    """Plan the pool: setpoints [MW] that earn the most in USD within water, licence and rafting."""
    from resources.plant_files import load_plant
    from resources.table_files import write_record, written_together
    from solvers.reservoir import ReservoirOptions, plan_reservoir

    began = perf_counter()
    record = load_plant(plant)
    frame = _intervals(inputs, "--inputs")
    futures = _intervals(scenarios, "--scenarios") if scenarios is not None else None
    options = ReservoirOptions(settings=settings_of(settings or []), apply_rules=rules)
    start = _state(state, frame)
    read = perf_counter()
    try:
        plan = plan_reservoir(record, frame, start, options=options, scenarios=futures, optimizer=optimizer)  # ty: ignore[invalid-argument-type]
    except InfeasibleError as error:
        write_record({"status": "infeasible", "message": str(error), "optimizer": optimizer}, report)
        raise
    planned = perf_counter()
    with written_together() as outputs:
        outputs.table(plan.schedule, out)
        seconds = {"read": read - began, **plan.report["seconds"], "write": perf_counter() - planned}
        outputs.record({**plan.report, "seconds": seconds}, report)


def simulate_reservoir(
    plant: PlantFile,
    inputs: InputsFile,
    state: StateFile,
    setpoints: Annotated[Path, typer.Option("--setpoints", help="event_start, setpoint_mw (end of interval) [MW]")],
    out: Annotated[str, typer.Option("--out", help="Trajectory, Parquet or .csv; - for CSV on standard output")],
) -> None:
    """Walk the pool through given setpoints [MW]: level [ft], storage [af], spill [cfs], output [MW]."""
    from domain.reservoir_inputs import read_inputs
    from domain.trajectory import simulate
    from resources.plant_files import load_plant
    from resources.table_files import write_table
    from solvers.reservoir.schedule import to_frame

    record = load_plant(plant)
    frame = _intervals(inputs, "--inputs")
    read = read_inputs(record, frame)
    wanted = _setpoints(_intervals(setpoints, "--setpoints"), read)
    start = _state(state, frame)
    trajectory = simulate(record, read, wanted, start)
    write_table(to_frame(record, read, trajectory, wanted), out)


def plant_check(
    file: Annotated[Path, typer.Argument(help="Plant file, such as config/plants/afterbay.toml")],
) -> None:
    """Say what is wrong with a plant file, line by line, or what it describes."""
    from domain.plant_checks import plant_warnings
    from resources.plant_files import examine_plant

    plant, problems = examine_plant(file)
    if plant is None or problems:
        raise InputError("\n".join([f"{len(problems)} problem(s) in {file}", *problems]))
    for line in _described(plant):
        typer.echo(line)
    for key, text in plant_warnings(plant):
        typer.echo(f"warning: {key}: {text}")


def plant_backtest(
    start: Annotated[str, typer.Option(help="First instant of the record, ISO-8601 with an offset; 30 days ago")] = "",
    end: Annotated[str, typer.Option(help="End of the record, exclusive; now")] = "",
    lead_h: Annotated[int, typer.Option(help="How far ahead the level is foretold [h]")] = 24,
) -> None:
    """Say which form of the water balance fits what was measured, and whether its bias fades [ft].

    The pool is walked ahead from every sixth hour with what was measured; the level's error is the form's own.
    """
    from domain.beliefs import Cutoffs, Mode
    from domain.bias import balance_backtest
    from domain.instants import floor_hour, iso, parse_instant
    from pipelines import wiring
    from resources.reservoir_bias import unbroken
    from resources.reservoir_readings import read_record

    now, plant = wiring.clock().now(), wiring.plant().plant
    last = floor_hour(parse_instant(end, what="--end") if end else now)
    first = floor_hour(parse_instant(start, what="--start")) if start else last - timedelta(days=30)
    if not first < last or lead_h < 1:
        raise InputError(f"nothing to judge from {iso(first)} to {iso(last)}, {lead_h} h ahead")
    cutoffs = Cutoffs(at=now, mode=Mode.PUBLISHED)
    record, _ = read_record(wiring.planning(), start=first, end=last, cutoffs=cutoffs)
    stretches = list(unbroken(record))
    found = balance_backtest(plant, stretches, lead_h=lead_h)
    if found.is_empty():
        hours = max((stretch.height for stretch, _ in stretches), default=0)
        raise InputError(
            f"from {iso(first)} to {iso(last)} the longest record without a gap has {hours} h; {lead_h + 24} h are"
            f" needed, the last {lead_h} of them clear of the float"
        )
    typer.echo(f"level {lead_h} h ahead, {iso(first)} to {iso(last)}, {sum(s.height for s, _ in stretches)} h measured")
    typer.echo(f"{'balance':<16}{'bias':<10}{'rms error [ft]':>15}{'starts':>8}")
    for form, rule, rmse_ft, starts in found.iter_rows():
        typer.echo(f"{form:<16}{rule:<10}{rmse_ft:>15.3f}{starts:>8}")
    best = found.row(0, named=True)
    in_use = "in use" if best["form"] == plant.balance.form else f"in use is {plant.balance.form}"
    typer.echo(f"best: {best['form']} with {best['bias_rule']} bias; {in_use}")


def _described(plant: Plant) -> list[str]:
    from domain.hydraulics import head_cap_mw, storage_af

    pool, unit, rules = plant.pool, plant.unit, plant.rules
    low, high = (float(storage_af(plant.storage, level)) for level in (pool.minimum_ft, pool.usual_float_ft))
    examples = [rule for rule in (*rules.water_years, *rules.flow_limits, *rules.stage_ramps) if rule.is_example]
    caps = [float(head_cap_mw(unit, level)) for level in (pool.minimum_ft, pool.usual_float_ft)]
    lines = [f"{plant.name}: no problem found"]
    lines.append(f"  pool {pool.minimum_ft:g} to {pool.usual_float_ft:g} ft holds {high - low:.1f} af")
    lines.append(
        f"  {unit.name} {unit.minimum_mw:g} to {unit.maximum_mw:g} MW, {unit.ramp_mw_per_h:g} MW/h, {unit.commitment};"
        f" head cap {caps[0]:.2f} to {caps[1]:.2f} MW"
    )
    lines.append(f"  inflow by {plant.balance.form}, of {', '.join(plant.balance.forms)}")
    lines.append(
        f"  {len(rules.rafting)} rafting windows, {len(rules.early_releases)} early releases,"
        f" {len(rules.flow_limits)} flow limits, {len(rules.outages)} outages"
    )
    if examples:
        lines.append(f"  {len(examples)} rule(s) are marked EXAMPLE: replace them before operating")
    for entry in plant.provenance:
        span = f"{entry.valid_from or 'always'} to {entry.valid_until or 'now'}"
        lines.append(f"  [{entry.table}] holds {span}: {entry.source}")
    return lines


def settings_of(texts: list[str]) -> dict[str, str]:
    """Return the settings that ``--set key=value`` options name.

    Raises:
        InputError: One is no pair.
    """
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise InputError(f"--set {text!r}; write key=value, such as ramp_usd_per_mw=10")
        pairs[key.strip()] = value.strip()
    return pairs


def _intervals(path: Path, what: str) -> pl.DataFrame:
    """Return a table of intervals by time, in whatever order its rows stand."""
    from domain.interval_frames import in_order
    from resources.table_files import read_table

    return in_order(read_table(path, what=what))


def _state(path: Path, frame: pl.DataFrame) -> PoolState:
    """Return the state of the pool, which must be of the instant at which the first interval begins."""
    from domain.instants import iso, parse_instant
    from domain.plant import PoolState
    from resources.table_files import read_record

    record = read_record(path, what="--state")
    missing = [name for name in ("elevation_ft", "oxbow_mw", "at") if name not in record]
    if missing:
        raise InputError(f"--state {path} lacks {', '.join(missing)}; it has {', '.join(record) or 'nothing'}")
    at = parse_instant(str(record["at"]), what=f"at in --state {path}")
    first = _first_start(frame)
    if first is not None and not timedelta(0) <= first - at <= timedelta(hours=1):
        raise InputError(
            f"--state {path} is of {iso(at)}, the first interval begins at {iso(first)};"
            " give the state when it begins, at most an hour older"
        )
    return PoolState(elevation_ft=_number(record, "elevation_ft", path), oxbow_mw=_number(record, "oxbow_mw", path))


def _first_start(frame: pl.DataFrame) -> datetime | None:
    """Return when the first interval begins, None where the inputs' own check has to complain first."""
    value = frame["event_start"].first() if "event_start" in frame.columns else None
    return value if isinstance(value, datetime) and value.tzinfo is not None else None


def _number(record: dict[str, Any], name: str, path: Path) -> float:
    value = record[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{name} in --state {path} is {value!r}; write a number")
    return float(value)


def _setpoints(frame: pl.DataFrame, inputs: ReservoirInputs) -> Array:
    from domain.errors import FrameError
    from domain.instants import iso
    from domain.interval_frames import interval_starts, numbers

    missing = [name for name in ("event_start", "setpoint_mw") if name not in frame.columns]
    if missing:
        raise FrameError(f"--setpoints lacks column(s) {', '.join(missing)}; it has {', '.join(frame.columns)}")
    start = interval_starts(frame)
    if start != inputs.start:
        wrong = next((b for a, b in zip(start, inputs.start, strict=False) if a != b), None)
        where = (
            f"the first without its own is {iso(wrong)}" if wrong else f"it has {len(start)}, they {len(inputs.start)}"
        )
        raise FrameError(f"--setpoints must cover the inputs' intervals one by one; {where}")
    return numbers(frame, "setpoint_mw", start)
