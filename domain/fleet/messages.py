"""What platform and devices say to each other over MQTT: topics, bodies, signatures.

Schedules go out on ``devices/{id}/schedule/response``, retained; a device asks on ``.../schedule/request``, says what
it did on ``.../ack``, how it is on ``.../telemetry``, and hears on ``.../ack/confirmed`` what has been kept. The
shapes are stated for others in docs/contracts/*.json. Put here: writing and reading bodies. Keep out: sockets, storage,
what follows from a message.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson
import polars as pl

from domain.errors import FrameError, PayloadError, TimeError
from domain.fleet.external import CHARGE, DISCHARGE, GRID_MINUTES, IDLE
from domain.instants import iso, require_utc

SCHEMA_VERSION: Final = 1

SCHEDULE: Final = "devices/{}/schedule/response"
REQUEST: Final = "devices/{}/schedule/request"
ACK: Final = "devices/{}/ack"
CONFIRMED: Final = "devices/{}/ack/confirmed"
TELEMETRY: Final = "devices/{}/telemetry"

RECEIVED, SUCCESS, FAILED = "received", "success", "failed"
"""What an acknowledgement can say: of a schedule that it is held, of an interval that it was executed or was not."""

_STEP: Final = timedelta(minutes=GRID_MINUTES)
_RATE_STEP_KW: Final = 1e-4
_SIGNATURE: Final = b',"hmac_sha256":"'
_SIGNATURE_LENGTH: Final = len(_SIGNATURE) + 64 + len(b'"}')
_LONGEST_ID: Final = 120
_LARGEST: Final = 1e6
"""Beyond a gigawatt or a gigawatt-hour no device means what it says [kW, kWh]."""


class Ack(NamedTuple):
    """What a device did in one interval.

    Attributes:
        device_id: The device.
        schedule_id: The schedule it followed.
        version: Version of that schedule.
        interval_start: Start of the half hour [UTC].
        execution_time: When it began, by its own clock [UTC].
        status: ``success`` or ``failed``.
        actual_rate_kw: Mean power over the interval at the meter, positive to the grid; None: not measured.
        soc_kwh: Energy stored when the interval ended; None: not measured.
        error_message: Why it failed, in the device's words.
    """

    device_id: str
    schedule_id: str
    version: int
    interval_start: datetime
    execution_time: datetime
    status: str
    actual_rate_kw: float | None
    soc_kwh: float | None
    error_message: str | None


class Receipt(NamedTuple):
    """A device's word that it holds a version of a schedule.

    Attributes:
        device_id: The device.
        schedule_id: The schedule.
        version: Its version.
    """

    device_id: str
    schedule_id: str
    version: int


class Report(NamedTuple):
    """A device's heartbeat.

    Attributes:
        device_id: The device.
        reported_at: By its own clock [UTC].
        power_kw: At the meter, positive to the grid.
        soc_kwh: Energy stored.
        schedule_id: The schedule it follows; None: none.
        version: Version of that schedule.
    """

    device_id: str
    reported_at: datetime
    power_kw: float
    soc_kwh: float
    schedule_id: str | None
    version: int | None


class Held(NamedTuple):
    """What a device says it holds when it asks for its schedule.

    Attributes:
        device_id: The device.
        schedule_id: The schedule; None: none.
        version: Version of that schedule.
    """

    device_id: str
    schedule_id: str | None
    version: int | None


def half_hours(schedule: pl.DataFrame) -> pl.DataFrame:
    """Return a schedule's setpoints on the half-hour grid, with the energy of the plan in every half hour.

    Args:
        schedule: ``device_id, event_start, power_kw`` (mean over the interval, positive to the grid) on any even grid
            that divides half an hour or is divided by it, the same for every device.

    Returns:
        ``device_id, event_start, mode, rate_kw``, by device and time. Rates are cut to a tenth of a watt, downward, so
        that no limit is passed.

    Raises:
        FrameError: The grid and the half hour do not divide each other.
    """
    starts = schedule["event_start"].unique().sort()
    step = (starts.diff().min() if starts.len() > 1 else _STEP) or _STEP
    if not isinstance(step, timedelta) or (_STEP % step and step % _STEP):
        raise FrameError(f"a schedule in steps of {step} has no half hours; devices take setpoints of {_STEP}")
    if step > _STEP:
        ends = pl.col("event_start") + step
        schedule = schedule.with_columns(
            event_start=pl.datetime_ranges("event_start", ends, f"{GRID_MINUTES}m", closed="left")
        ).explode("event_start", empty_as_null=False)
    elif step < _STEP:
        half = pl.col("event_start").dt.truncate(f"{GRID_MINUTES}m")
        # A half hour of which the plan covers a part has the energy of that part.
        power = pl.col("power_kw").sum() * (step / _STEP)
        schedule = schedule.group_by("device_id", event_start=half).agg(power)
    size = ((pl.col("power_kw").abs() + _RATE_STEP_KW * 1e-3) / _RATE_STEP_KW).floor() * _RATE_STEP_KW
    rate = size.round(4)
    mode = pl.when(rate == 0).then(IDLE).when(pl.col("power_kw") > 0).then(DISCHARGE).otherwise(CHARGE)
    return schedule.select("device_id", "event_start", mode=mode.cast(pl.Int8), rate_kw=rate).sort(
        "device_id", "event_start"
    )


def schedule_messages(
    setpoints: pl.DataFrame, *, schedule_id: str, version: int, issued_at: datetime, key: bytes | None = None
) -> Iterator[tuple[str, bytes]]:
    """Yield each device's id and its message, by device.

    The device idles outside the entries and after ``valid_to``: its safe state.

    Args:
        setpoints: Of `half_hours`; the same half hours for every device.
        schedule_id: The id that files, ledger and messages share.
        version: Version of the schedule.
        issued_at: When it was decided [UTC].
        key: The fleet's key; None leaves the messages unsigned.
    """
    when = pl.col("event_start").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    # Half a million entries: their text is put together by columns, not one dictionary each.
    parts = ('{"interval_start":"', when, '","mode":', pl.col("mode"), ',"rate_kw":', pl.col("rate_kw"), "}")
    entry = pl.concat_str([pl.lit(part) if isinstance(part, str) else part for part in parts])
    end = pl.col("event_start").max() + _STEP
    rows = setpoints.group_by("device_id", maintain_order=True).agg(
        entries=entry.str.join(","), valid_from=pl.col("event_start").min(), valid_to=end
    )
    common = orjson.dumps({"schema_version": SCHEMA_VERSION, "schedule_id": schedule_id, "version": version})[:-1]
    for device_id, entries, valid_from, valid_to in rows.iter_rows():
        rest = {
            "device_id": device_id,
            "issued_at": iso(issued_at),
            "valid_from": iso(valid_from),
            "valid_to": iso(valid_to),
            "interval_minutes": GRID_MINUTES,
            "safe_state": {"mode": IDLE, "rate_kw": 0.0},
        }
        body = b"".join((common, b",", orjson.dumps(rest)[1:-1], b',"entries":[', entries.encode(), b"]}"))
        yield device_id, signed(body, device_key(key, device_id))


def confirmation(device_id: str, acks: Iterable[Ack | Receipt], key: bytes | None = None) -> bytes:
    """Return the body that tells a device what has been kept and need not be sent again."""
    kept = [
        {
            "schedule_id": ack.schedule_id,
            "version": ack.version,
            "interval_start": iso(ack.interval_start) if isinstance(ack, Ack) else None,
        }
        for ack in acks
    ]
    body = orjson.dumps({"schema_version": SCHEMA_VERSION, "device_id": device_id, "acks": kept})
    return signed(body, device_key(key, device_id))


def device_key(key: bytes | None, device_id: str) -> bytes | None:
    """Return the device's own key, so that one opened device does not give away the others'."""
    return None if key is None else _own_key(key, device_id)


@lru_cache(maxsize=50_000)  # two of the four digests of an acknowledgement, for a few megabytes
def _own_key(key: bytes, device_id: str) -> bytes:
    return hmac.digest(key, device_id.encode(), "sha256")


def signed(body: bytes, key: bytes | None) -> bytes:
    """Return a JSON object with its HMAC-SHA256 as last member, over the bytes it had without that member.

    >>> len(signed(b'{"a":1}', b"k")) - len(b'{"a":1}')
    81
    """
    if key is None:
        return body
    return b"".join((body[:-1], _SIGNATURE, hmac.digest(key, body, "sha256").hex().encode(), b'"}'))


def is_genuine(payload: bytes, key: bytes) -> bool:
    """Return whether the last member is the HMAC-SHA256 of the bytes without it."""
    body, signature = payload[:-_SIGNATURE_LENGTH] + b"}", payload[-_SIGNATURE_LENGTH:]
    expected = b"".join((_SIGNATURE, hmac.digest(key, body, "sha256").hex().encode(), b'"}'))
    return hmac.compare_digest(signature, expected)


def read_ack(payload: bytes, device_id: str, key: bytes | None = None) -> Ack | Receipt:
    """Return what an acknowledgement says.

    Args:
        payload: The body.
        device_id: Of the topic it came on; the body must name the same.
        key: The fleet's key; None takes unsigned bodies.

    Raises:
        PayloadError: The body breaks its contract (docs/contracts/ack.json).
    """
    body = _body(payload, device_id, key)
    try:
        schedule_id, version, status = body["schedule_id"], body["version"], body["status"]
        if type(schedule_id) is not str or type(version) is not int or not 1 <= len(schedule_id) <= _LONGEST_ID:
            raise PayloadError(
                f"schedule_id is {schedule_id!r} and version {version!r}; they are a text and an integer"
            )
        if status == RECEIVED:
            return Receipt(device_id, schedule_id, version)
        if status not in (SUCCESS, FAILED):
            raise PayloadError(f"status is {status!r}; write {RECEIVED}, {SUCCESS} or {FAILED}")
        start = _instant(body, "interval_start")
        if start.minute % GRID_MINUTES or start.second or start.microsecond:
            raise PayloadError(f"interval_start {iso(start)} is not on the grid of {GRID_MINUTES} minutes")
        error = body.get("error_message")
        if error is not None and type(error) is not str:
            raise PayloadError(f"error_message is {error!r}; write a text or null")
        return Ack(
            device_id,
            schedule_id,
            version,
            start,
            _instant(body, "execution_time"),
            status,
            _number(body, "actual_rate_kw"),
            _number(body, "soc_kwh"),
            error,
        )
    except KeyError as missing:
        raise PayloadError(f"the body lacks {missing.args[0]}; it has {', '.join(body)}") from None


def read_report(payload: bytes, device_id: str, key: bytes | None = None) -> Report:
    """Return what a heartbeat says; arguments as in `read_ack`.

    Raises:
        PayloadError: The body breaks its contract (docs/contracts/telemetry.json).
    """
    body = _body(payload, device_id, key)
    try:
        power, soc = _number(body, "power_kw"), _number(body, "soc_kwh")
        if power is None or soc is None:
            raise PayloadError("power_kw or soc_kwh is null; a heartbeat measures both")
        return Report(device_id, _instant(body, "reported_at"), power, soc, *_held(body))
    except KeyError as missing:
        raise PayloadError(f"the body lacks {missing.args[0]}; it has {', '.join(body)}") from None


def read_request(payload: bytes, device_id: str, key: bytes | None = None) -> Held:
    """Return what a device that asks for its schedule says it holds; arguments as in `read_ack`.

    Raises:
        PayloadError: The body breaks its contract (docs/contracts/schedule-request.json).
    """
    return Held(device_id, *_held(_body(payload, device_id, key)))


def _body(payload: bytes, device_id: str, key: bytes | None) -> dict[str, Any]:
    try:
        body = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise PayloadError(f"the body is no JSON: {error}") from None
    if type(body) is not dict or body.get("schema_version") != SCHEMA_VERSION:
        raise PayloadError(f"the body is no object with schema_version {SCHEMA_VERSION}")
    if body.get("device_id") != device_id:
        raise PayloadError(f"the body names device {body.get('device_id')!r}, its topic {device_id!r}")
    if key is not None and not is_genuine(payload, _own_key(key, device_id)):
        raise PayloadError("hmac_sha256 is missing or wrong; sign the body with the device's key")
    return body


def _instant(body: dict[str, Any], name: str) -> datetime:
    text = body[name]
    try:
        # Devices write a Z; the general parser costs as much as all the rest of a body.
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise PayloadError(f"{name} is {text!r}; write an ISO-8601 time with its offset") from None
    if moment.tzinfo is not UTC:
        try:
            return require_utc(moment, what=name)
        except (TimeError, OverflowError) as error:
            raise PayloadError(str(error)) from None
    return moment


def _number(body: dict[str, Any], name: str) -> float | None:
    value = body[name]
    if value is None:
        return None
    if type(value) not in (float, int) or not -_LARGEST <= value <= _LARGEST:
        raise PayloadError(f"{name} is {value!r}; write a number, of at most {_LARGEST:g}, or null")
    return float(value)


def _held(body: dict[str, Any]) -> tuple[str | None, int | None]:
    schedule_id, version = body.get("schedule_id"), body.get("version")
    if schedule_id is None and version is None:
        return None, None
    if type(schedule_id) is not str or type(version) is not int or len(schedule_id) > _LONGEST_ID:
        raise PayloadError(f"schedule_id is {schedule_id!r} and version {version!r}; both or neither, text and integer")
    return schedule_id, version
