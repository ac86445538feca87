"""How fast the fleet is planned, against the tools it replaces, in one run on one machine.

Put here: what prints a ratio against a peer measured beside it. Keep out: claims without a peer.

Run: ``python benchmarks/fleet.py``; ``--full`` adds the peers that take minutes (10,000 devices as one linear
programme) and the large fleets. Peers are timed on a sample of devices where they solve device by device, and scaled.
Times are wall times; beside long runs stand processor seconds, which a shared machine distorts less: quote ratios.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import highspy
import numpy as np
import polars as pl
import pyomo.environ as pyo

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.timing import timed
from domain.fleet import check_coupling, check_schedule, generate_fleet, price_grid
from domain.fleet.schedule import availability_matrix
from solvers.fleet import plan_fleet
from solvers.fleet.instance import Fleet, lay_out
from solvers.fleet.response import best_response, market_signal, response_in_sum

MOST_SECONDS = 1200.0
Peer = Callable[[int], float]


def prices(intervals: int, *, burn: float = 0.0) -> pl.DataFrame:
    """Return a day with a spike in the evening and a dip at noon, to ``burn`` USD/MWh below zero if asked."""
    hours = np.arange(intervals) * 24 / intervals
    draw = np.random.default_rng(3)
    usd_mwh = 45 + 20 * np.exp(-(((hours - 8) / 2) ** 2)) + 150 * np.exp(-(((hours - 19) / 1.5) ** 2))
    usd_mwh += draw.normal(0, 3, intervals) - (35 + burn) * np.exp(-(((hours - 13) / 2) ** 2))
    start = datetime(2026, 7, 1, 5, tzinfo=UTC)
    times = [start + timedelta(hours=float(hour)) for hour in hours]
    return pl.DataFrame({"event_start": times, "price_usd_mwh": usd_mwh}).cast(
        {"event_start": pl.Datetime("us", "UTC")}
    )


class Textbook:
    """The usual programme of one device: minimise the bill; charge, discharge and stored energy in each interval."""

    def __init__(self, devices: pl.DataFrame, usd_mwh: np.ndarray, hours: float) -> None:
        self.rows = devices.to_dicts()
        self.there = availability_matrix(devices, len(usd_mwh))
        self.usd_kwh, self.hours = usd_mwh / 1000, hours

    def pyomo(self, i: int) -> float:
        """Build, hand over and solve with Pyomo and HiGHS; return the cost."""
        row, t, h = self.rows[i], range(len(self.usd_kwh)), self.hours
        m = pyo.ConcreteModel()
        m.c = pyo.Var(t, bounds=lambda _, k: (0, self.there[i, k] * row["max_charge_kw"]))
        m.d = pyo.Var(t, bounds=lambda _, k: (0, self.there[i, k] * row["max_discharge_kw"]))
        m.s = pyo.Var(t, bounds=(row["soc_min_kwh"], row["soc_max_kwh"]))
        m.s[t[-1]].setlb(max(row["soc_min_kwh"], row["soc_end_min_kwh"]))
        into, out_of, wear = row["charge_efficiency"], row["discharge_efficiency"], row["wear_usd_per_kwh"]
        m.balance = pyo.Constraint(
            t,
            rule=lambda m, k: (
                m.s[k] - (m.s[k - 1] if k else row["soc_start_kwh"]) == h * (into * m.c[k] - m.d[k] / out_of)
            ),
        )
        m.bill = pyo.Objective(
            expr=sum(h * ((self.usd_kwh[k] + wear) * m.c[k] - (self.usd_kwh[k] - wear) * m.d[k]) for k in t)
        )
        pyo.SolverFactory("appsi_highs").solve(m)
        return pyo.value(m.bill)

    def persistent_highs(self) -> Peer:
        """Return a solver that keeps one HiGHS model and its basis, and changes costs and bounds only."""
        count, h = len(self.usd_kwh), self.hours
        k = np.arange(count)
        start = np.concatenate([k, count + k, 2 * count + 2 * k, [4 * count - 1]]).astype(np.int32)
        index = np.concatenate([k, k, np.column_stack([k, k + 1]).reshape(-1)[:-1]]).astype(np.int32)
        # In stored energy: up - down = s - s before; efficiencies go into costs and bounds, the matrix never changes.
        value = np.concatenate([-np.ones(count), np.ones(count), np.tile([1.0, -1.0], count)[:-1]])
        nothing, columns = np.zeros(count), 3 * count
        model = quiet_highs()
        model.setOptionValue("presolve", "off")  # a quarter faster on models this small
        model.passModel(
            columns, count, len(index), 1, 1, 0.0, np.zeros(columns), np.zeros(columns), np.ones(columns),
            nothing, nothing, start, index, value, np.zeros(columns, np.int32),
        )  # fmt: skip
        every, integer = np.arange(columns, dtype=np.int32), np.arange(count, dtype=np.int32)

        def solve(i: int) -> float:
            row = self.rows[i]
            into, out_of, wear = row["charge_efficiency"], row["discharge_efficiency"], row["wear_usd_per_kwh"]
            low = np.full(count, row["soc_min_kwh"])
            low[-1] = max(low[-1], row["soc_end_min_kwh"])
            up = self.there[i] * row["max_charge_kw"] * h * into
            down = self.there[i] * row["max_discharge_kw"] * h / out_of
            cost = np.concatenate([(self.usd_kwh + wear) / into, -(self.usd_kwh - wear) * out_of, nothing])
            model.changeColsCost(columns, every, cost)
            model.changeColsBounds(
                columns, every, np.concatenate([nothing, nothing, low]),
                np.concatenate([up, down, np.full(count, row["soc_max_kwh"])]),
            )  # fmt: skip
            model.changeRowBounds(int(integer[0]), row["soc_start_kwh"], row["soc_start_kwh"])
            model.run()
            return model.getInfo().objective_function_value

        return solve


def quiet_highs() -> highspy.Highs:
    """Return HiGHS on one thread, silent."""
    model = highspy.Highs()
    model.setOptionValue("output_flag", False)
    model.setOptionValue("threads", 1)
    return model


def alone(count: int, intervals: int) -> None:
    """Compare the kernel with device-by-device solvers."""
    devices, frame = generate_fleet(count, 1, intervals=intervals, hours=24 / intervals), prices(intervals)
    grid = price_grid(frame)
    fleet = lay_out(devices, grid, by_feeder=False)
    signal = market_signal(fleet, grid.usd_mwh, 0.0)
    kernel = timed(lambda: best_response(fleet, signal, threads=1))
    both = timed(lambda: best_response(fleet, signal, threads=2))
    whole = timed(lambda: plan_fleet(devices, frame), 3)
    print(f"{count:,} devices x {intervals}: kernel {kernel * 1e3:.1f} ms on one thread, {both * 1e3:.1f} ms on two,")
    print(f"  checks, layout and frames included {whole * 1e3:.0f} ms")
    books = Textbook(devices.head(300), grid.usd_mwh, grid.hours)
    cost = device_costs(fleet, best_response(fleet, signal, threads=1), grid.usd_mwh)
    persistent = books.persistent_highs()
    for name, solve, sample in (("persistent HiGHS", persistent, 300), ("Pyomo + HiGHS", books.pyomo, 40)):
        solve(0)
        began = perf_counter()
        costs = np.array([solve(i) for i in range(sample)])
        scaled = (perf_counter() - began) / sample * count
        gap = np.max(np.abs(costs - cost[:sample]) / np.maximum(np.abs(costs), 0.05))
        print(f"  {name}: {scaled:.2f} s ({sample} timed, scaled); {scaled / kernel:,.0f} x; largest gap {gap:.0e}")


def device_costs(fleet: Fleet, plan: Any, usd_mwh: np.ndarray) -> np.ndarray:  # noqa: ANN401 - the kernels' schedule
    """Return what each device pays [USD]."""
    net, moved = plan.charge - plan.discharge, plan.charge + plan.discharge
    cost = fleet.hours * (usd_mwh @ net / 1000 + fleet.table[2] * moved.sum(axis=0))
    return cost[fleet.slot]


def scaling(counts: list[int]) -> None:
    """Time the kernel on ever larger fleets; sums only, so memory stays that of the devices."""
    grid = price_grid(prices(48))
    for count in counts:
        fleet = lay_out(generate_fleet(count, 1).with_columns(availability=None), grid, by_feeder=False)
        signal = market_signal(fleet, grid.usd_mwh, 0.0)
        taken = timed(lambda f=fleet, s=signal: response_in_sum(f, s, grid.usd_mwh, threads=1), 5)
        print(f"{count:,} x 48: {taken * 1e3:.1f} ms on one thread, {taken / count * 1e6:.2f} us a device")


def strict(count: int) -> None:
    """Compare strict mode on a day far below zero with the pass that allows sharing."""
    devices, frame = generate_fleet(count, 1), prices(48, burn=240)
    grid = price_grid(frame)
    fleet = lay_out(devices, grid, by_feeder=False)
    signal = market_signal(fleet, grid.usd_mwh, 0.0)
    base = timed(lambda: best_response(fleet, signal, threads=1), 5)
    from solvers.fleet.one_way import sharing, strict_response  # noqa: PLC0415 - only here

    plan = best_response(fleet, signal, threads=1)
    slots = sharing(plan)
    again = timed(lambda: strict_response(fleet, signal, slots, threads=1), 3)
    times = (base + again) / base
    print(f"strict at -240 USD/MWh: {len(slots):,} of {count:,} devices again, {times:.1f} x the base pass")


def together(count: int, feeders: int, intervals: int, gap: float, *, peer: bool) -> None:
    """Plan under feeder limits and a reserve; compare with one linear programme in HiGHS."""
    frame = prices(intervals)
    devices = generate_fleet(count, 1, intervals=intervals, hours=24 / intervals)
    devices = devices.with_columns(feeder=pl.Series([f"f{i % feeders:03d}" for i in range(count)]))
    grid = price_grid(frame)
    fleet = lay_out(devices, grid, by_feeder=True)
    net = response_in_sum(fleet, market_signal(fleet, grid.usd_mwh, 0.0), grid.usd_mwh, threads=2).net_kw
    limits = pl.DataFrame(
        {
            "feeder": fleet.feeders,
            "import_limit_kw": 0.55 * net.max(axis=1).clip(0),
            "export_limit_kw": 0.60 * (-net).max(axis=1).clip(0),
        }
    )
    evening = (pl.col("event_start").dt.hour() >= 20) | (pl.col("event_start").dt.hour() < 3)
    power = float(devices["max_discharge_kw"].sum())
    reserve = frame.select(
        "event_start", up_reserve_kw=pl.when(evening).then(0.45 * power).otherwise(0.08 * power), duration_h=pl.lit(0.5)
    )
    plan_fleet(devices.head(200), frame, feeders=limits, reserve=reserve)
    began, busy = perf_counter(), process_time()
    plan = plan_fleet(devices, frame, feeders=limits, reserve=reserve, gap=gap)
    taken, busy = perf_counter() - began, process_time() - busy
    broken = check_schedule(devices, frame, plan.schedule)
    missed = check_coupling(devices, frame, plan.schedule, feeders=limits, reserve=reserve)
    print(
        f"{count:,} x {intervals}, {feeders} feeders + reserve: {taken:.2f} s ({busy:.2f} s of processor), certified"
        f" gap {plan.report['gap']:.1e}, {plan.report['iterations']} rounds, faults {len(broken)}, limits missed"
        f" {missed.height}"
    )
    if peer:
        began, worked = perf_counter(), process_time()
        optimum, state = whole_programme(devices, grid.usd_mwh, grid.hours, limits, reserve)
        solved, worked = perf_counter() - began, process_time() - worked
        least = "" if optimum is not None else "at least "
        print(
            f"  HiGHS, one linear programme: {state} after {solved:.0f} s ({worked:.0f} s of processor):"
            f" {least}{solved / taken:.0f} x the time, {worked / busy:.0f} x the work"
        )
        if optimum is not None:
            print(f"  true gap {(plan.report['objective_usd'] - optimum) / abs(optimum):.1e}")


def whole_programme(  # noqa: PLR0915 - one programme, row block by row block
    devices: pl.DataFrame, usd_mwh: np.ndarray, hours: float, limits: pl.DataFrame, reserve: pl.DataFrame
) -> tuple[float | None, str]:
    """Solve the fleet as one linear programme, arrays straight into HiGHS; return the cost and the state it ended in.

    Its dual simplex with presolve; its primal simplex takes eleven times as long on 1,000 devices. The cost is None
    where MOST_SECONDS do not suffice.

    Columns: charge, discharge, soc and least soc of each device and interval; then what is missing of each limit.
    """
    n, count = devices.height, len(usd_mwh)
    number = {name: devices[name].to_numpy() for name in devices.columns if devices[name].dtype.is_float()}
    there = availability_matrix(devices, count)
    cell = np.arange(n * count).reshape(n, count)
    c, d, s, e = cell, n * count + cell, 2 * n * count + cell, 3 * n * count + cell
    into, out_of = number["charge_efficiency"][:, None], number["discharge_efficiency"][:, None]
    entries: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    lower, upper = [], []

    def add_rows(low: np.ndarray, high: np.ndarray, *parts: tuple[np.ndarray, np.ndarray, Any]) -> None:
        first = sum(map(len, lower))
        for row, column, value in parts:
            entries.append(tuple(np.broadcast_arrays(first + row, column, value)))
        lower.append(np.broadcast_to(low, len(low)).astype(float))
        upper.append(high)

    infinite, start = highspy.kHighsInf, number["soc_start_kwh"]
    balance = np.where(np.arange(count) == 0, start[:, None], 0.0).reshape(-1)
    add_rows(
        balance,
        balance,
        (cell, s, 1.0),
        (cell[:, 1:], s[:, :-1], -1.0),
        (cell, c, -hours * into),
        (cell, d, hours / out_of),
    )
    free = np.full(n * count, -infinite)
    add_rows(free, np.zeros(n * count), (cell, e, 1.0), (cell, s, -1.0))
    before = np.where(np.arange(count) == 0, start[:, None], 0.0).reshape(-1)
    add_rows(free, before, (cell, e, 1.0), (cell[:, 1:], s[:, :-1], -1.0))
    width, t = 4 * n * count, np.arange(count)
    names = limits["feeder"].to_list()
    home = np.array([names.index(each) for each in devices["feeder"]])[:, None]
    rows = home * count + t
    most_in, most_out = (np.repeat(limits[name].to_numpy(), count) for name in ("import_limit_kw", "export_limit_kw"))
    over = width + np.arange(2 * len(names) * count)
    each = np.arange(len(names) * count)
    add_rows(
        -most_out,
        most_in,
        (rows, c, 1.0),
        (rows, d, -1.0),
        (each, over[: len(each)], -1.0),
        (each, over[len(each) :], 1.0),
    )
    power, lasting = reserve["up_reserve_kw"].to_numpy(), reserve["duration_h"].to_numpy()
    short = width + len(over) + np.arange(2 * count)
    least = power - (there * number["max_discharge_kw"][:, None]).sum(axis=0)
    step = np.broadcast_to(t, (n, count))
    add_rows(least, np.full(count, infinite), (step, c, there), (step, d, -there), (t, short[:count], 1.0))
    worth = there * out_of
    asked = power * lasting + (worth * number["soc_min_kwh"][:, None]).sum(axis=0)
    add_rows(asked, np.full(count, infinite), (step, e, worth), (t, short[count:], 1.0))
    row, column, value = (np.concatenate([np.ravel(part[k]) for part in entries]) for k in range(3))
    columns = width + len(over) + len(short)
    order = np.lexsort((row, column))
    starts = np.concatenate([[0], np.cumsum(np.bincount(column, minlength=columns))]).astype(np.int32)
    wear, usd = number["wear_usd_per_kwh"][:, None], usd_mwh[None, :] / 1000
    cost = np.zeros(columns)
    cost[c], cost[d] = hours * (usd + wear), hours * (wear - usd)
    cost[over], cost[short[:count]], cost[short[count:]] = 20 * hours, 20 * hours, 20.0
    low, high = np.zeros(columns), np.full(columns, infinite)
    high[c], high[d] = there * number["max_charge_kw"][:, None], there * number["max_discharge_kw"][:, None]
    low[s], high[s] = number["soc_min_kwh"][:, None], number["soc_max_kwh"][:, None]
    low[s[:, -1]] = np.maximum(number["soc_min_kwh"], number["soc_end_min_kwh"])
    low[e] = -infinite
    model = quiet_highs()
    model.setOptionValue("solver", "simplex")
    model.setOptionValue("time_limit", MOST_SECONDS)
    rows_low, rows_high = np.concatenate(lower), np.concatenate(upper)
    model.passModel(
        columns, len(rows_low), len(row), 1, 1, 0.0, cost, low, high, rows_low, rows_high, starts,
        row[order].astype(np.int32), value[order].astype(float), np.zeros(columns, np.int32),
    )  # fmt: skip
    model.run()
    status, info = model.getModelStatus(), model.getInfo()
    state = f"{model.modelStatusToString(status)}, {info.simplex_iteration_count:,} iterations"
    if status == highspy.HighsModelStatus.kOptimal:
        return info.objective_function_value, state
    missed = info.sum_primal_infeasibilities
    return None, f"{state}, objective {info.objective_function_value:,.0f}, infeasible by {missed:,.0f}"


def end_to_end(count: int) -> None:
    """Time what the command line does: files in, a schedule in a file out."""
    from resources.table_files import read_table, write_record, write_table  # noqa: PLC0415 - only here

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        generate_fleet(count, 1).write_parquet(home / "devices.parquet")
        prices(48).write_parquet(home / "prices.parquet")
        began = perf_counter()
        devices, frame = (read_table(home / f"{name}.parquet", what=name) for name in ("devices", "prices"))
        read = perf_counter()
        plan = plan_fleet(devices, frame)
        solved = perf_counter()
        write_table(plan.schedule, str(home / "schedule.parquet"))
        write_record(plan.report, str(home / "report.json"))
        written = perf_counter()
    print(
        f"{count:,} x 48 from files into files: {written - began:.2f} s"
        f" (read {read - began:.2f}, solve {solved - read:.2f}, write {written - solved:.2f})"
    )


def main() -> None:
    """Print the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="also what takes minutes")
    full = parser.parse_args().full
    alone(10_000, 48)
    scaling([10_000, 100_000, 1_000_000] if full else [10_000, 100_000])
    strict(10_000)
    end_to_end(10_000)
    together(1_000, 20, 48, 1e-4, peer=True)
    together(10_000, 50, 48, 1e-4, peer=full)
    if full:
        together(10_000, 50, 96, 1e-3, peer=False)
        together(100_000, 50, 48, 1e-3, peer=False)


if __name__ == "__main__":
    main()
