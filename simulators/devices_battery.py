"""One simulated battery and its controller: what it holds, what it does, how it errs.

Put here: physics and behaviour of one device, by virtual time. Keep out: the network and who wakes the device
(devices.py).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

HALF_HOUR_S: Final = 1800.0
_SIGNATURE: Final = b',"hmac_sha256":"'
_SIGNATURE_LENGTH: Final = 82

Key = tuple[str, str, int, str]
"""Device, schedule id, version, start of the interval: what an acknowledgement is about."""


def iso(moment: float) -> str:
    """Return epoch seconds as ISO-8601 in UTC, whole seconds."""
    return datetime.fromtimestamp(int(moment), tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch(text: str) -> float:
    """Return the epoch seconds of an ISO-8601 time."""
    return datetime.fromisoformat(text).timestamp()


@dataclass(slots=True, kw_only=True)
class Battery:
    """The store behind the meter.

    Attributes:
        soc_kwh: Energy stored.
        low_kwh: Least it goes down to.
        high_kwh: Most it takes.
        charge_efficiency: True energy stored per energy drawn.
        discharge_efficiency: True energy given per energy taken.
        derate: Share of a commanded power that it can really do.
    """

    soc_kwh: float
    low_kwh: float
    high_kwh: float
    charge_efficiency: float
    discharge_efficiency: float
    derate: float = 1.0

    def run(self, power_kw: float, hours: float) -> float:
        """Follow a setpoint (positive to the grid) for some hours; return the mean power it managed [kW]."""
        power = power_kw * self.derate
        if hours <= 0 or power == 0:
            return 0.0
        if power > 0:
            given = min(power * hours, max(0.0, self.soc_kwh - self.low_kwh) * self.discharge_efficiency)
            self.soc_kwh -= given / self.discharge_efficiency
            return given / hours
        drawn = min(-power * hours, max(0.0, self.high_kwh - self.soc_kwh) / self.charge_efficiency)
        self.soc_kwh += drawn * self.charge_efficiency
        return -drawn / hours


class Schedule:
    """A schedule as it came, ready to be looked up."""

    def __init__(self, payload: bytes) -> None:
        body = orjson.loads(payload)
        self.schedule_id: str = body["schedule_id"]
        self.version: int = body["version"]
        self.issued = (epoch(body["issued_at"]), self.version)
        self.valid_to = epoch(body["valid_to"])
        self._entries: dict[str, dict[str, Any]] = {
            # By the text of their start: to read 48 times takes longer than all the rest of a schedule.
            start if (start := entry["interval_start"]).endswith("Z") else iso(epoch(start)): entry
            for entry in body["entries"]
        }

    def power_kw(self, at: float) -> float | None:
        """Return the setpoint of the half hour that holds ``at``, positive to the grid; None: it says nothing."""
        entry = self._entries.get(iso(at - at % HALF_HOUR_S))
        return None if entry is None else {0: 0.0, 1: entry["rate_kw"], 2: -entry["rate_kw"]}[entry["mode"]]


class Device:
    """A battery with its controller.

    Args:
        row: Of a devices frame: limits and efficiencies.
        battery: What it drives.
        clock_error_s: How far its clock runs ahead.
        key: Its own key; None neither signs nor checks.
    """

    def __init__(self, row: Mapping[str, Any], battery: Battery, *, clock_error_s: float, key: bytes | None) -> None:
        self.device_id: str = row["device_id"]
        self.battery = battery
        self.clock_error_s = clock_error_s
        self.schedule: Schedule | None = None
        self.unconfirmed: dict[Key, bytes] = {}
        self.sent_at: dict[Key, tuple[float, float]] = {}
        """When each was last sent, and after how long it is sent again [s]."""
        self.refused = 0
        self._key = key
        self._running: tuple[str, int, float, float, float] | None = None
        """Schedule id, version, start of the half hour, setpoint [kW], when it was begun, by its own clock."""
        self._done_until = 0.0

    def signed(self, body: dict[str, Any]) -> bytes:
        """Return a body as bytes, signed where there is a key."""
        data = orjson.dumps({"schema_version": 1, "device_id": self.device_id, **body})
        if self._key is None:
            return data
        return data[:-1] + self._seal(data)

    def is_genuine(self, payload: bytes) -> bool:
        """Return whether a message bears our key's signature; without a key every message does."""
        if self._key is None:
            return True
        body = payload[:-_SIGNATURE_LENGTH] + b"}"
        return hmac.compare_digest(payload, body[:-1] + self._seal(body))

    def _seal(self, body: bytes) -> bytes:
        assert self._key is not None  # noqa: S101 - the caller has looked
        return _SIGNATURE + hmac.digest(self._key, body, "sha256").hex().encode() + b'"}'

    def accept(self, payload: bytes) -> bool:
        """Take a schedule that is newer than ours; return whether it was.

        What is not signed by our key, or is no schedule, is refused.
        """
        if not self.is_genuine(payload):
            self.refused += 1
            return False
        try:
            schedule = Schedule(payload)
        except (ValueError, KeyError, TypeError, AttributeError):
            self.refused += 1
            return False
        if self.schedule is not None and schedule.issued <= self.schedule.issued:
            return False
        self.schedule = schedule
        return True

    def held(self) -> dict[str, Any]:
        """Return the id and version of our schedule, as requests and heartbeats carry them."""
        if self.schedule is None:
            return {"schedule_id": None, "version": None}
        return {"schedule_id": self.schedule.schedule_id, "version": self.schedule.version}

    def begin(self, now: float) -> None:
        """Begin what the schedule says for the half hour that holds ``now``, by the device's own clock."""
        start = now - now % HALF_HOUR_S
        if start < self._done_until:  # its clock was set back: no half hour is executed twice
            return
        power = None if self.schedule is None else self.schedule.power_kw(start)
        self._running = None
        if self.schedule is not None and power is not None:
            self._running = (self.schedule.schedule_id, self.schedule.version, start, power, now)

    def finish(self, *, failed: str | None = None) -> tuple[Key, bytes, str, float] | None:
        """End the half hour that runs; return its key, acknowledgement, status and mean power, None where none ran.

        Args:
            failed: Why the setpoint was not followed; then the battery idled.
        """
        if self._running is None:
            return None
        schedule_id, version, start, setpoint, began = self._running
        self._running, self._done_until = None, start + HALF_HOUR_S
        hours = (start + HALF_HOUR_S - began) / 3600
        mean = 0.0 if failed else self.battery.run(setpoint, hours) * hours / (HALF_HOUR_S / 3600)
        key = (self.device_id, schedule_id, version, iso(start))
        status = "failed" if failed else "success"
        payload = self.signed(
            {
                "schedule_id": schedule_id,
                "version": version,
                "interval_start": key[3],
                "execution_time": iso(began),
                "status": status,
                "actual_rate_kw": round(mean, 4),
                "soc_kwh": round(self.battery.soc_kwh, 4),
                "error_message": failed,
            }
        )
        self.unconfirmed[key] = payload
        return key, payload, status, mean

    def confirm(self, payload: bytes) -> list[Key]:
        """Forget what the platform says it keeps; return what was forgotten."""
        if not self.is_genuine(payload):
            self.refused += 1
            return []
        forgotten = []
        for ack in orjson.loads(payload)["acks"]:
            key = (self.device_id, ack["schedule_id"], ack["version"], ack["interval_start"])
            if self.unconfirmed.pop(key, None) is not None:
                self.sent_at.pop(key, None)
                forgotten.append(key)
        return forgotten

    def forget_everything(self, payload: bytes | None, unconfirmed: dict[Key, bytes]) -> None:
        """Reboot: what was not on the disk is gone, and so is the half hour that ran."""
        self.schedule = None if payload is None else Schedule(payload)
        self.unconfirmed = unconfirmed
        self.sent_at.clear()
        self._running = None

    def heartbeat(self, now: float) -> bytes:
        """Return how we are, by our own clock."""
        power = 0.0 if self._running is None else self._running[3] * self.battery.derate
        return self.signed(
            {"reported_at": iso(now), "power_kw": round(power, 4), "soc_kwh": round(self.battery.soc_kwh, 4)}
            | self.held()
        )
