"""A scripted HTTP server on loopback, a clock that does not wait, and a place for landed bytes."""

from __future__ import annotations

import hashlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from domain.errors import InputError, ServiceError
from resources.http import HttpSettings, RawMeta, Read

NOW = datetime(2026, 11, 21, 18, 0, 7, tzinfo=UTC)


@dataclass
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """What the server sends; ``cut`` promises the whole body and closes after so many bytes."""

    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


Script = Callable[[Asked], Reply]


class Served:
    """A running server: where it is and what it was asked."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self._open: list[socket.socket] = []
        served = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet, else each answer waits 40 ms for an acknowledgement

            def setup(self) -> None:
                super().setup()
                served._open.append(self.connection)

            def answer(self) -> None:
                parts = urlsplit(self.path)
                length = int(self.headers.get("content-length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, parts.path, parse_qs(parts.query), headers, self.rfile.read(length))
                served.asked.append(asked)
                reply = served.script(asked)
                self.send_response(reply.status)
                for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])
                self.close_connection = reply.cut is not None

            do_GET = do_POST = answer  # noqa: N815 - the names http.server looks for

            def log_message(self, *args: object) -> None:
                """Stay silent."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """Say nothing: clients that hang up are part of these tests."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and cut the connections that are open, as a killed service does."""
        self._server.shutdown()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._thread.join()


class Landed(list[tuple[bytes, RawMeta]]):
    """Landed bytes, in order."""

    def __call__(self, content: bytes, meta: RawMeta) -> str:
        """Keep the bytes and return their sha256."""
        self.append((content, meta))
        return hashlib.sha256(content).hexdigest()


def http_settings(base_url: str, **changes: object) -> HttpSettings:
    """Return settings that neither wait long nor space calls."""
    values: dict[str, object] = {
        "base_url": base_url,
        "connect_timeout_s": 5,
        "read_timeout_s": 5,
        "total_timeout_s": 30,
        "attempts": 3,
        "backoff_s": 1,
        "backoff_cap_s": 60,
        "throttle_backoff_s": 10,
        "throttle_cap_s": 300,
        "longest_wait_s": 3700,
        "spacing_s": 0,
        "burst": 1,
        "max_body_mb": 5,
        "ca_bundle": "",
        "proxy": "",
        "user_agent": "tailrace-tests",
    }
    return HttpSettings(**(values | changes))  # ty: ignore[invalid-argument-type] - the tests choose the values


def until_it_fails(reads: Iterable[Read]) -> tuple[list[Read], Exception | None]:
    """Return what was yielded, and the error that ended it."""
    got: list[Read] = []
    try:
        for read in reads:
            got.append(read)  # noqa: PERF402 - what came before the error counts
    except (InputError, ServiceError) as error:
        return got, error
    return got, None
