"""A connection to the MQTT broker, made again when it breaks, and sending so that the broker has surely taken it.

Put here: what goes over a connection and how. Keep out: where the broker is and as whom we go there (broker.py), what
is said (domain/fleet/messages.py).
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode

from domain.errors import CredentialError, ServiceError
from resources.broker import SERVICE, Broker, BrokerClient

_REFUSED: Final = (4, 5, 134, 135)
"""Answers that blame the credentials: of 3.1.1, and as paho translates them to those of version 5."""

_WRITE_TIMEOUT_S: Final = 10.0
_TWO_BYTES: Final = struct.Struct(">H")

_WINDOW: Final = 2_000
"""Messages on their way at once: enough that neither side waits, few enough that a broken line repeats little."""


def taken_packet(mid: int) -> bytes:
    """Return PUBACK (OASIS MQTT 3.1.1, section 3.4): we have taken the message of this number."""
    return b"\x40\x02" + _TWO_BYTES.pack(mid)


def message_packet(topic: str, body: bytes) -> bytes:
    """Return PUBLISH with QoS 0 (section 3.3)."""
    name = topic.encode()
    left = 2 + len(name) + len(body)
    head = bytearray(b"\x30")
    while left > 127:  # noqa: PLR2004 - section 2.2.3: seven bits a byte, the eighth says that another follows
        head.append(left & 127 | 128)
        left >>= 7
    head.append(left)
    return b"".join((head, _TWO_BYTES.pack(len(name)), name, body))


class Line:
    """A connection that is made again when it breaks; driven by `turn`, without a thread.

    Args:
        broker: Where to.
        client: Of ``broker.client``.
        on_connect: Called after every connection that was made, with whether the broker had kept our session.
    """

    def __init__(self, broker: Broker, client: BrokerClient, on_connect: Callable[[bool], None] | None = None) -> None:
        self.client = client
        self.generation = 0
        """Counts the connections: an acknowledgement belongs to the connection its message came on."""
        self.is_up = False
        self._broker = broker
        self._refusal: ServiceError | None = None
        self._on_connect = on_connect
        self._backoff_s = 0.05
        self._in_vain = False
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected

    def _connected(self, _client: paho.Client, _data: Any, flags: Any, reason: Any, _properties: Any) -> None:  # noqa: ANN401 - paho's signature
        if reason.is_failure:
            kind = CredentialError if reason.value in _REFUSED else None
            text = f"{self._broker.url} refuses the connection: {reason}"
            remedy = "; it takes a user it knows: set TAILRACE_MQTT_USERNAME and _PASSWORD"
            self._refusal = kind(SERVICE, text + remedy) if kind else ServiceError(SERVICE, text, retryable=True)
            return
        self._refusal, self.is_up, self._backoff_s, self._in_vain = None, True, 0.05, False
        self.generation += 1
        if self._on_connect is not None:
            self._on_connect(bool(flags.session_present))

    def _disconnected(self, *_: Any) -> None:  # noqa: ANN401 - paho's signature
        self.is_up = False

    def turn(self, timeout_s: float = 0.05) -> None:
        """Read and write what there is; connect again where the line is broken.

        Raises:
            ServiceError: The line cannot be made, and asking again would not help.
        """
        if self.client.socket() is not None:
            done = self.client.loop(0.0 if self.client.is_ahead else timeout_s)
            if done == MQTTErrorCode.MQTT_ERR_SUCCESS and self.client.is_ahead:
                done = self.client.loop_read()
            if done == MQTTErrorCode.MQTT_ERR_SUCCESS:
                return
            self.is_up = False
        # TLS 1.3 refuses our certificate only after the handshake, in place of the broker's first answer.
        if self._in_vain and self.client.tls_fault is not None:
            self._refusal = self._broker.fault(self.client.tls_fault)
        if self._refusal is not None and not self._refusal.retryable:
            raise self._refusal
        self.client.forget_ahead()
        if self._in_vain:
            time.sleep(self._backoff_s)
            self._backoff_s = min(2 * self._backoff_s, 5.0)
        self._in_vain, self.client.tls_fault = True, None
        try:
            self.client.connect(*self._broker.address, keepalive=30)
        except OSError as error:
            self._refusal = self._broker.fault(error)

    def read_on(self) -> None:
        """Read one more packet if it is there, without asking the operating system first whether it is."""
        if self.client.socket() is not None and self.client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.is_up = False

    def write(self, packets: Sequence[bytes]) -> None:
        """Send whole packets of our own making (`taken_packet`, `message_packet`), many in one go.

        paho makes four system calls of each packet; for acknowledgements by the thousand that is most of the work.
        A line that breaks meanwhile is noticed by the next `turn`, and loses them, as it would have done before.
        """
        # Never into the middle of one of paho's packets.
        while self.client.want_write():
            self.turn(0.0)
        socket: Any = self.client.socket()  # paho's own type leaves out what every socket has
        if socket is None or not self.is_up:
            return
        try:
            socket.settimeout(_WRITE_TIMEOUT_S)
            socket.sendall(b"".join(packets))
            socket.setblocking(False)
        except OSError:
            self.is_up = False
            # Half a packet may be out: whatever followed would be misread.
            socket.close()

    def open(self, *, patience_s: float = 10.0) -> None:
        """Return when the line is up.

        Raises:
            ServiceError: It is not, after ``patience_s``.
        """
        deadline = time.monotonic() + patience_s
        while not self.is_up:
            if time.monotonic() > deadline:
                raise self._refusal or ServiceError(SERVICE, f"{self._broker.url} does not answer", retryable=True)
            self.turn()

    def close(self) -> None:
        """Say goodbye; what is still on its way may be lost."""
        self.client.disconnect()
        # The goodbye leaves with the next turn.
        self.client.loop(0.05)


def send_all(
    broker: Broker,
    messages: Iterable[tuple[str, bytes]],
    *,
    client_id: str,
    retain: bool,
    taken: Callable[[list[str]], None],
    patience_s: float = 60.0,
) -> int:
    """Send messages with QoS 1 and return how many: the broker has taken every one of them.

    Args:
        broker: Where to.
        messages: Topic and body of each; a topic once.
        client_id: Ours at the broker.
        retain: Whether the broker keeps the last message of each topic for those who subscribe later.
        taken: Told from time to time which topics' messages the broker has newly taken.
        patience_s: How long nothing may be taken before we give up [s].

    Raises:
        ServiceError: The broker took nothing for so long; what it took before, ``taken`` has been told.
    """
    sending = _Sending(Line(broker, broker.client(client_id)), retain=retain, taken=taken, patience_s=patience_s)
    try:
        sending.line.open()
        for topic, body in messages:
            sending.send(topic, body)
        sending.wait_below(1)
    finally:
        sending.report()
        sending.line.close()
    return sending.count


class _Sending:
    """Messages on their way. paho sends those again that a broken connection leaves open."""

    def __init__(self, line: Line, *, retain: bool, taken: Callable[[list[str]], None], patience_s: float) -> None:
        self.line, self.count = line, 0
        self._retain, self._taken, self._patience_s = retain, taken, patience_s
        self._on_the_way: dict[int, str] = {}
        self._newly: list[str] = []
        # The window is ours: with one of its own, paho looks through every message on its way at each answer.
        line.client.max_inflight_messages_set(0)
        line.client.on_publish = self._on_publish

    def _on_publish(self, _client: paho.Client, _data: Any, mid: int, *_: Any) -> None:  # noqa: ANN401 - paho's signature
        self._newly.append(self._on_the_way.pop(mid))

    def send(self, topic: str, body: bytes) -> None:
        self._on_the_way[self.line.client.publish(topic, body, qos=1, retain=self._retain).mid] = topic
        self.count += 1
        if len(self._on_the_way) >= _WINDOW:
            self.wait_below(_WINDOW // 2)

    def wait_below(self, limit: int) -> None:
        moved = time.monotonic()
        while (waiting := len(self._on_the_way)) >= limit:
            self.line.turn()
            if len(self._on_the_way) < waiting:
                moved = time.monotonic()
            elif time.monotonic() - moved > self._patience_s:
                text = f"the broker took none of {waiting} message(s) for {self._patience_s:g} s"
                raise ServiceError(SERVICE, text, retryable=True)
        self.report()

    def report(self) -> None:
        if self._newly:
            self._taken(self._newly)
            self._newly = []
