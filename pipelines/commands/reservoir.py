"""`tailrace solve reservoir`, `simulate reservoir` and `plant check`: the afterbay from files into files.

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

    from domain.plant import Plant, PoolState
    from domain.reservoir_inputs import ReservoirInputs

PlantFile = Annotated[Path, typer.Option("--plant", help="Plant file, such as config/plants/afterbay.toml")]
InputsFile = Annotated[
    Path,
    typer.Option(
        "--inputs",
        help="Intervals ahead, Parquet or CSV: event_start, flows in cfs, mfra_mw, float_ft, ccs_mode, price_usd_mwh, bias_cfs",  # noqa: E501
    ),
]
StateFile = Annotated[Path, typer.Option("--state", help="JSON with elevation_ft, oxbow_mw and at")]


def solve_reservoir(
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
    rules: Annotated[bool, typer.Option("--rules", help="Apply the plant's dated rules")] = False,  # noqa: FBT002 - an option
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value: a weight [USD] or plant constant for this plan only")
    ] = None,
) -> None:
    """Plan the pool: setpoints [MW] that earn the most in USD within water, licence and rafting."""
    from resources.plant_files import load_plant
    from resources.table_files import read_table, write_record, write_table
    from solvers.reservoir import ReservoirOptions, plan_reservoir

    began = perf_counter()
    record = load_plant(plant)
    frame = read_table(inputs, what="--inputs")
    futures = read_table(scenarios, what="--scenarios") if scenarios is not None else None
    options = ReservoirOptions(settings=settings_of(settings or []), apply_rules=rules)
    start = _state(state, frame)
    read = perf_counter()
    try:
        plan = plan_reservoir(record, frame, start, options=options, scenarios=futures, optimizer=optimizer)  # ty: ignore[invalid-argument-type]
    except InfeasibleError as error:
        write_record({"status": "infeasible", "message": str(error), "optimizer": optimizer}, report)
        raise
    planned = perf_counter()
    write_table(plan.schedule, out)
    seconds = {"read": read - began, **plan.report["seconds"], "write": perf_counter() - planned}
    write_record({**plan.report, "seconds": seconds}, report)


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
    from resources.table_files import read_table, write_table
    from solvers.reservoir.schedule import to_frame

    record = load_plant(plant)
    frame = read_table(inputs, what="--inputs")
    read = read_inputs(record, frame)
    wanted = _setpoints(read_table(setpoints, what="--setpoints"), read)
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
    from domain.instants import parse_instant

    if "event_start" not in frame.columns or frame.height == 0:
        return None
    value = frame["event_start"][0]
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else None
    return parse_instant(str(value), what="event_start in row 0") if isinstance(value, str) else None


def _number(record: dict[str, Any], name: str, path: Path) -> float:
    value = record[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{name} in --state {path} is {value!r}; write a number")
    return float(value)


def _setpoints(frame: pl.DataFrame, inputs: ReservoirInputs) -> Any:  # noqa: ANN401 - an array; numpy is not imported here
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
