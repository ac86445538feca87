"""MQTT 3.1.1 as a small device speaks it: one asyncio protocol a connection, a few packets of the standard.

Written for the stand-ins alone, so that they share no client with the platform they test. Put here: packets
(OASIS MQTT 3.1.1, sections 2 and 3). Keep out: what a device says and does (devices.py).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Final

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ = 1, 2, 3, 4, 8, 9, 12
"""Packet types, section 2.2.1."""

KEEP_ALIVE_S: Final = 240
_CLEAN_SESSION: Final = 0x02
_USERNAME: Final = 0x80
_PASSWORD: Final = 0x40
_TWO_BYTES: Final = struct.Struct(">H")


def _text(value: str) -> bytes:
    data = value.encode()
    return _TWO_BYTES.pack(len(data)) + data


def _packet(kind: int, flags: int, *parts: bytes) -> bytes:
    left = sum(map(len, parts))
    head = bytearray([kind << 4 | flags])
    while True:  # section 2.2.3: seven bits a byte, the eighth says that another follows
        left, digit = left >> 7, left & 127
        head.append(digit | 128 if left else digit)
        if not left:
            return b"".join((head, *parts))


class Connection(asyncio.Protocol):
    """One device's connection.

    Args:
        client_id: The device's id at the broker.
        topics: What to subscribe to, with QoS 1.
        ready: Called when the broker has granted the subscriptions.
        heard: Called with topic and body of each message.
        lost: Called when the connection is gone, or was refused.
        login: Username and password, where the broker wants them.
    """

    def __init__(
        self,
        client_id: str,
        topics: list[str],
        *,
        ready: Callable[[], None],
        heard: Callable[[str, bytes], None],
        lost: Callable[[], None],
        login: tuple[str, str] | None = None,
    ) -> None:
        self._client_id, self._topics, self._login = client_id, topics, login
        self._ready, self._heard, self._lost = ready, heard, lost
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._answers: list[bytes] | None = None
        """Packets that leave together once all that has come is read; None: nothing is being read."""
        self._number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Introduce ourselves (section 3.1)."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP and TLS both are
        self._transport = transport
        flags, credentials = _CLEAN_SESSION, b""
        if self._login is not None:
            flags |= _USERNAME | _PASSWORD
            credentials = _text(self._login[0]) + _text(self._login[1])
        head = _text("MQTT") + bytes([4, flags]) + _TWO_BYTES.pack(KEEP_ALIVE_S)
        transport.write(_packet(CONNECT, 0, head, _text(self._client_id), credentials))

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on."""
        del exc
        self._transport = None
        self._lost()

    def data_received(self, data: bytes) -> None:
        """Take whole packets out of what has come; what is answered leaves in one go."""
        self._answers = []
        self._read(data)
        answers, self._answers = self._answers, None
        if answers:
            self._write(b"".join(answers))

    def _read(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 2:  # noqa: PLR2004 - the shortest packet
            length, digits = 0, 1
            while True:
                if digits >= len(self._buffer):
                    return
                digit = self._buffer[digits]
                length |= (digit & 127) << 7 * (digits - 1)
                digits += 1
                if digit < 128:  # noqa: PLR2004 - the eighth bit: another digit follows
                    break
            if len(self._buffer) < digits + length:
                return
            first, body = self._buffer[0], bytes(self._buffer[digits : digits + length])
            del self._buffer[: digits + length]
            self._take(first >> 4, first & 15, body)

    def _take(self, kind: int, flags: int, body: bytes) -> None:
        if kind == PUBLISH:
            (length,) = _TWO_BYTES.unpack_from(body)
            topic, rest = body[2 : 2 + length].decode(), 2 + length
            if flags & 0x06:  # QoS 1 or 2 carry a number and want an answer; we never subscribe to 2
                self._write(_packet(PUBACK, 0, body[rest : rest + 2]))
                rest += 2
            self._heard(topic, body[rest:])
        elif kind == CONNACK and body[1] == 0:
            wanted = [_text(topic) + b"\x01" for topic in self._topics]
            self._write(_packet(SUBSCRIBE, 2, _TWO_BYTES.pack(self._next_number()), *wanted))
        elif kind == CONNACK:
            self.close()
        elif kind == SUBACK:
            self._ready()

    def _next_number(self) -> int:
        self._number = self._number % 65_535 + 1
        return self._number

    def _write(self, data: bytes) -> None:
        if self._answers is not None:
            self._answers.append(data)
        elif self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def publish(self, topic: str, body: bytes) -> None:
        """Send a message with QoS 1; nobody waits for the broker's answer, the platform's counts."""
        self._write(_packet(PUBLISH, 2, _text(topic), _TWO_BYTES.pack(self._next_number()), body))

    def ping(self) -> None:
        """Show that we live."""
        self._write(_packet(PINGREQ, 0))

    def close(self) -> None:
        """Drop the connection without a word, as a device does that loses its network."""
        if self._transport is not None:
            self._transport.abort()
