"""A simulated day of the fleet with everything that goes wrong: `make fleet-day` runs it with 10,000 devices.

The real broker, the real line, thousands of simulated devices over MQTT; the broker is killed and restarted twice, the
line killed five times, devices lose their network, reboot, repeat and lose messages, and their clocks are wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from domain.fleet import generate_fleet
from resources.database import Database
from resources.fleet_log import FleetLog
from resources.fleet_setpoints import Teller, publish_setpoints
from resources.fleet_watch import alerts_now
from resources.mqtt import Broker
from resources.publications import make_current
from resources.publisher import Publisher
from resources.registry import Registry
from simulators.devices_serve import allow_connections
from solvers.fleet import plan_fleet
from solvers.fleet.savings import savings
from tests.scenarios.fleet_line_process import FastClock

ROOT: Final = Path(__file__).resolve().parents[2]
DAY: Final = datetime(2026, 7, 14, 5, tzinfo=UTC)
"""Midnight, Central summer time."""

KEY: Final = b"\x07" * 32
USER: Final = "demo"
_ISO: Final = "%Y-%m-%dT%H:%M:%SZ"


def mosquitto() -> str | None:
    """Return the broker's program, None where this machine has none."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Mosquitto:
    """Mosquitto with the configuration we ship, on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        shipped = (ROOT / "deploy" / "mosquitto.conf").read_text()
        self.conf = folder / "mosquitto.conf"
        text = shipped.replace("listener 1883 ", f"listener {self.port} ")
        self.conf.write_text(f"{text}\npersistence_location {folder}/\nuser root\nlog_type none\n")
        self.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return when it listens."""
        self.process = subprocess.Popen([str(mosquitto()), "-c", str(self.conf)], stderr=subprocess.DEVNULL)
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.wait()


class Embedded:
    """The broker that a demonstration brings with it; it forgets everything when it is killed."""

    def __init__(self, folder: Path) -> None:
        self.port, self.announced = free_port(), folder / "broker.json"
        self.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return when it listens."""
        self.announced.unlink(missing_ok=True)
        command = [sys.executable, "-m", "simulators.broker", "--port", str(self.port)]
        self.process = subprocess.Popen(
            [*command, "--announce", str(self.announced), "--parent-pid", str(os.getpid())], cwd=ROOT
        )
        while not self.announced.is_file():
            assert self.process.poll() is None
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.wait()


@dataclass(slots=True)
class Outcome:
    """What the day showed."""

    devices: int
    executed: set[tuple[str, str, int, str]] = field(default_factory=set)
    logged: list[tuple[str, str, int, str]] = field(default_factory=list)
    letters: int = 0
    sent: int = 0
    alerts: dict[str, str] = field(default_factory=dict)
    delivery_s: list[float] = field(default_factory=list)
    reached: float = 0.0
    unconfirmed: int = 0
    success: float = 0.0
    money: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def lines(self) -> list[str]:
        """Say it in words."""
        p95 = float(np.quantile(self.delivery_s, 0.95)) if self.delivery_s else float("nan")
        return [
            f"{self.devices:,} devices, {self.seconds:.0f} s for the day",
            f"schedule held by {self.reached:.2%} of the devices online, P95 {p95:.2f} s",
            f"{len(self.executed):,} half hours executed, {len(self.logged):,} in the log",
            f"{self.sent:,} acknowledgements sent, {self.unconfirmed:,} unconfirmed, {self.letters} dead letters",
            f"{self.success:.2%} of all half hours executed with success",
            *(f"alert {kind}: {message}" for kind, message in sorted(self.alerts.items())),
            *(f"{name}: {value:,.2f}" for name, value in self.money.items()),
        ]


class Day:
    """The processes of the day and what happens to them."""

    def __init__(
        self, folder: Path, devices: int, *, speed: float, seed: int = 7, kind: type[Mosquitto | Embedded] = Mosquitto
    ) -> None:
        self.folder, self.seed = folder, seed
        self.clock = FastClock(DAY - timedelta(hours=1), speed, folder / "go")
        self.fleet = generate_fleet(devices, 11)
        self.database = Database(f"sqlite:///{folder / 'state.db'}")
        self.registry, self.log = Registry(self.database), FleetLog(self.database)
        self.publisher = Publisher(folder / "plans")
        self.registry.put_devices(self.fleet, changed_at=DAY)
        allow_connections(devices)  # the broker inherits the limit, and has a socket for each of them
        self.broker = kind(folder)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.outcome = Outcome(devices=devices)

    def start_line(self) -> None:
        """Begin to hear."""
        clock = self.clock
        self.processes["line"] = subprocess.Popen(
            [sys.executable, "-m", "tests.scenarios.fleet_line_process", str(self.folder), self.broker.url,
             clock.start.isoformat(), str(clock.speed), KEY.hex()],
            cwd=ROOT,
        )  # fmt: skip

    def start_devices(self) -> None:
        """Switch the devices on."""
        self.fleet.write_parquet(self.folder / "devices.parquet")
        behaviour = {
            "seed": self.seed,
            "report_every_s": 3600.0,
            "resend_s": 8.0,
            "connecting_at_once": 200 if isinstance(self.broker, Mosquitto) else 5,
        }
        self.processes["devices"] = subprocess.Popen(
            [sys.executable, "-m", "simulators.devices_serve", "--broker",
             self.broker.url.replace("//", f"//{USER}:{USER}@"), "--memory",
             str(self.folder / "devices.db"), "--devices", str(self.folder / "devices.parquet"), "--behaviour",
             json.dumps(behaviour), "--key", KEY.hex(), "--status", str(self.folder / "devices.json"), "--parent-pid",
             str(os.getpid()), "--now", self.clock.start.isoformat(), "--speed", str(self.clock.speed), "--hold",
             str(self.clock.go)],
            cwd=ROOT,
        )  # fmt: skip

    def status(self) -> dict[str, Any]:
        """Return what the devices' process says."""
        path = self.folder / "devices.json"
        return json.loads(path.read_text()) if path.is_file() else {"online": 0, "schedules": 0, "now": 0}

    def wait_for(self, what: str, condition: Any, patience_s: float = 120.0) -> None:  # noqa: ANN401 - any callable
        """Return when something is so; fail when a process dies or patience ends."""
        deadline = time.monotonic() + patience_s
        while not condition():
            for name, process in self.processes.items():
                assert process.poll() is None, f"the {name} ended with {process.returncode} before {what}"
            assert time.monotonic() < deadline, f"waited {patience_s} s for {what}: {self.status()}"
            time.sleep(0.05)

    def kill(self, what: str) -> None:
        """Kill -9; the line comes back at once, the broker is brought back by an act of its own."""
        if what == "line":
            self.processes["line"].kill()
            self.processes["line"].wait()
            self.start_line()
        elif what == "broker":
            self.broker.kill()
        else:
            self.broker.start()

    def publish(self, prices: pl.DataFrame) -> pl.DataFrame:
        """Plan the day, publish it, tell the devices, measure how long that takes to reach them."""
        plan = plan_fleet(self.fleet, prices, terminal_value_usd_per_kwh=_mean_usd_kwh(prices))
        began = self.clock.now()
        version = self.publisher.store("fleet", DAY - timedelta(hours=1), plan.schedule, {"status": "optimal"})
        make_current(self.publisher, self.registry, version, at=began)
        teller = Teller(Broker(url=self.broker.url, username=USER, password=USER), self.log, self.clock, key=KEY)
        online = self.status()["online"]
        sent_at = time.monotonic()
        publish_setpoints(
            self.publisher, self.registry, teller, as_of=DAY - timedelta(minutes=30), now=began, code_version="test"
        )
        self.wait_for("the schedule to arrive", lambda: len(self.accepted()) >= online)
        came = [moment - sent_at for moment in self.accepted()]
        self.outcome.delivery_s = came
        self.outcome.reached = min(1.0, len(came) / online)
        return plan.schedule

    def accepted(self) -> list[float]:
        """Return when schedules were accepted, on the monotonic clock [s]."""
        with sqlite3.connect(self.folder / "devices.db") as memory:
            return [row[0] for row in memory.execute("SELECT elapsed_s FROM accepted")]

    def watch(self) -> None:
        """Raise what a person should know, as the platform's own sensor does."""
        now = self.clock.now()
        self.registry.raise_alerts(alerts_now(self.publisher, self.registry, self.log, now=now), raised_at=now)

    def finish(self, actual: pl.DataFrame) -> None:
        """Compare the devices' truth with the platform's log, and what was earned with what could have been."""
        out = self.outcome
        with sqlite3.connect(self.folder / "devices.db") as memory:
            out.executed = set(
                memory.execute("SELECT device_id, schedule_id, version, interval_start FROM executed").fetchall()
            )
        log = self.log.executions(DAY - timedelta(days=2), DAY + timedelta(days=2))
        keys = log.select("device_id", "schedule_id", "version", pl.col("interval_start").dt.strftime(_ISO))
        out.logged = list(keys.iter_rows())
        out.letters = self.log.dead_letters().height
        status = self.status()
        out.sent, out.unconfirmed = status["sent"], status["unconfirmed"]
        out.alerts = {row["kind"]: row["message"] for row in self.registry.alerts()}
        log = log.filter(pl.col("interval_start") >= DAY)
        out.success = log.filter(pl.col("status") == "success").height / (48 * out.devices)
        out.money = money(self.fleet, log, actual)

    def stop(self) -> None:
        """End everything."""
        for process in self.processes.values():
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.broker.kill()
        self.database.close()


def _mean_usd_kwh(prices: pl.DataFrame) -> float:
    return float(prices["price_usd_mwh"].sum()) / prices.height / 1000


def simulated_prices() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the day's prices as forecast and as they came: two humps, an error that grows with lead time."""
    draw = np.random.default_rng(3)
    hours = np.arange(48) / 2
    actual = 28 - 12 * np.cos((hours - 4) / 24 * 2 * np.pi) + 90 * np.exp(-(((hours - 18.5) / 1.6) ** 2))
    actual += 15 * np.exp(-(((hours - 7.5) / 1.2) ** 2)) + draw.normal(0, 3, 48)
    forecast = actual * (1 + draw.normal(0, 0.10, 48).cumsum() * 0.15)
    starts = [DAY + timedelta(minutes=30 * step) for step in range(48)]
    frames = [pl.DataFrame({"event_start": starts, "price_usd_mwh": values}) for values in (forecast, actual)]
    return frames[0], frames[1]


def money(fleet: pl.DataFrame, log: pl.DataFrame, actual: pl.DataFrame) -> dict[str, float]:
    """Return what the day saved, by the definitions of solvers/fleet/savings.py; stored energy counts."""
    executed = log.select("device_id", event_start="interval_start", power_kw="actual_rate_kw", soc_kwh="soc_kwh")
    found = savings(fleet, executed, actual)
    bill = found.charging
    of_bill, of_perfect, per_kw = bill.share_of_bill, found.share_of_perfect, found.saved_usd_per_kw
    assert of_bill is not None
    assert of_perfect is not None
    assert per_kw is not None
    return {
        "cost without control [USD]": found.no_control_usd,
        "cost executed [USD]": found.executed_usd,
        "cost with perfect foresight [USD]": found.perfect_usd,
        "saved against no control [USD]": found.saved_usd,
        "saved per kW of the fleet [USD/kW]": per_kw,
        "share of perfect foresight [%]": 100 * of_perfect,
        "bill without control of devices that only charge [USD]": bill.bill_usd,
        "saved of that bill, energy for energy [%]": 100 * of_bill,
    }


ACTS: Final = (
    (2.0, "line"), (4.0, "broker"), (5.7, "broker back"), (7.0, "line"), (9.5, "line"), (12.0, "broker"),
    (13.7, "broker back"), (15.0, "line"), (20.0, "line"),
)  # fmt: skip
"""Hour of the day -> what is killed then, or comes back. Without the broker for so long, the whole fleet is silent."""


def run_day(folder: Path, devices: int, *, speed: float, kind: type[Mosquitto | Embedded] = Mosquitto) -> Outcome:
    """Run the day and return what it showed."""
    day = Day(folder, devices, speed=speed, kind=kind)
    forecast, actual = simulated_prices()
    began = time.monotonic()
    with ExitStack() as stack:
        stack.callback(day.stop)
        day.start_line()
        day.start_devices()
        day.wait_for("every device to connect", lambda: day.status()["online"] == devices)
        day.publish(forecast)
        day.clock.run()
        acts, watch_at = list(ACTS), DAY + timedelta(hours=1)
        end = DAY + timedelta(hours=24.5)
        while (now := day.clock.now()) < end:
            if acts and now >= DAY + timedelta(hours=acts[0][0]):
                day.kill(acts.pop(0)[1])
            if now > watch_at:
                day.watch()
                watch_at = day.clock.now() + timedelta(minutes=30)
            time.sleep(0.02)
        day.wait_for("the devices' day to end", lambda: day.status()["now"] >= end.timestamp())
        day.wait_for("the last confirmation", lambda: day.status()["unconfirmed"] == 0)
        day.watch()
        day.finish(actual)
    day.outcome.seconds = time.monotonic() - began
    return day.outcome


def main() -> None:
    """Run the day from the command line and print what it showed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--speed", type=float, default=360.0, help="virtual seconds a real second")
    chosen = parser.parse_args()
    if mosquitto() is None:
        sys.exit("the day of a whole fleet needs mosquitto; the embedded broker is too slow for it")
    with tempfile.TemporaryDirectory(prefix="tailrace-fleet-day-") as folder:
        outcome = run_day(Path(folder), chosen.devices, speed=chosen.speed)
    sys.stdout.write("\n".join(outcome.lines()) + "\n")


if __name__ == "__main__":
    main()
