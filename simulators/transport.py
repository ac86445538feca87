"""The transport faults in front of every stand-in.

Put here: what may happen to an answer on its way. Keep out: what the answer says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.responses import Response

from simulators.faults import Fault

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
HTML_PAGE: Final = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Request blocked.</body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what went back over the wire.

    Attributes:
        target: Path with query.
        slowed: The answer was held back.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    status: int
    content: bytes
    slowed: bool


class Captured:
    """An answer caught on its way out."""

    def __init__(self) -> None:
        self.head: Message = {}
        self.body = bytearray()

    async def __call__(self, message: Message) -> None:
        """Take one message of the answer."""
        if message["type"] == "http.response.start":
            self.head.update(message)
        else:
            self.body.extend(message.get("body", b""))

    @property
    def status(self) -> int:
        """The status code."""
        return int(self.head.get("status", HTTPStatus.INTERNAL_SERVER_ERROR))

    def headers(self) -> dict[str, str]:
        """Return the headers as text."""
        return headers_of(self.head)


def headers_of(message: Message) -> dict[str, str]:
    """Return the headers of a request or an answer as text."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in message.get("headers", [])}


class FaultyTransport:
    """ASGI middleware that applies the answer faults and keeps a journal if told to; one path passes untouched.

    Args:
        inner: The service behind it.
        strikes: The answer faults that strike a target.
        untouched: The path that passes as it is.
        note: Takes each exchange; None while nobody keeps a journal.
    """

    def __init__(
        self,
        inner: App,
        strikes: Callable[[str], list[Fault]],
        untouched: str,
        note: Callable[[], Callable[[Exchange], None] | None],
    ) -> None:
        self._inner = inner
        self._strikes = strikes
        self._untouched = untouched
        self._note = note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] == self._untouched:
            await self._inner(scope, receive, send)
            return
        target = scope["path"] + "?" + scope["query_string"].decode("latin-1")
        struck = {fault.name: fault for fault in self._strikes(target)}
        note = self._note()
        if note is None:
            await self._answer(struck, scope, receive, send)
            return
        body, answer = bytearray(), Captured()

        async def overheard() -> Message:
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        async def passed_on(message: Message) -> None:
            await answer(message)
            await send(message)

        await self._answer(struck, scope, overheard, passed_on)
        raw = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        note(
            Exchange(
                method=scope["method"],
                target=f"{raw}?{query}" if query else raw,
                headers=headers_of(scope),
                body=bytes(body),
                status=answer.status,
                content=bytes(answer.body),
                slowed="slow" in struck,
            )
        )

    async def _answer(self, struck: dict[str, Fault], scope: Scope, receive: Receive, send: Send) -> None:
        if "slow" in struck:
            await asyncio.sleep(struck["slow"].number("ms", 1000.0) / 1000.0)
        if "http" in struck:
            await _failure(struck["http"])(scope, receive, send)
        elif "html_200" in struck:
            await Response(HTML_PAGE, media_type="text/html")(scope, receive, send)
        elif struck.keys() & {"truncate_body", "bad_zip"}:
            await self._spoiled(struck, scope, receive, send)
        else:
            await self._inner(scope, receive, send)

    async def _spoiled(self, struck: dict[str, Fault], scope: Scope, receive: Receive, send: Send) -> None:
        """Run the request, then cut its body in half or break the checksum of the zip in it."""
        answer = Captured()
        await self._inner(scope, receive, answer)
        head, body = answer.head, answer.body
        if "truncate_body" in struck:
            del body[len(body) // 2 :]
        elif body.startswith(b"PK\x03\x04"):
            body[14] ^= 0xFF  # the checksum field of the first local header ...
            twin = body.rfind(b"PK\x01\x02")
            if twin >= 0:
                body[twin + 16] ^= 0xFF  # ... and of its twin in the central directory
        head["headers"] = [pair for pair in head["headers"] if pair[0] != b"content-length"]
        head["headers"].append((b"content-length", str(len(body)).encode()))
        await send(head)
        await send({"type": "http.response.body", "body": bytes(body)})


def _failure(fault: Fault) -> Response:
    code = int(fault.number("code", HTTPStatus.SERVICE_UNAVAILABLE))
    headers = {"Retry-After": str(int(fault.number("retry_after", 0)))} if "retry_after" in fault.options else None
    if fault.options.get("page"):  # of a filter in front of the service
        return Response(HTML_PAGE, code, headers, media_type="text/html")
    body = orjson.dumps({"statusCode": code, "message": f"injected fault {code}"})
    return Response(body, code, headers, media_type="application/json")
