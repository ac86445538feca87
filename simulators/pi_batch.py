"""The historian's batch: several requests in one, later ones fed by the answers of earlier ones.

Put here: order, substitution and the 207 answer. Keep out: the requests themselves (pi.py answers them).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from domain.errors import InputError

Answer = dict[str, Any]
Send = Callable[[str, str, dict[str, str], bytes], Awaitable[tuple[int, dict[str, str], bytes]]]
"""Runs one request (method, path with query, headers, body) and returns status, headers and body."""
_STEP: Final = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+|\*)\]")
_PLACE: Final = re.compile(r"\{(\d+)\}")


def selected(path: str, root: Answer) -> list[Any]:
    """Return what a JSON path of the simple kind selects: names, ``[n]`` and ``[*]``.

    >>> selected("$.a.Content.Items[*].WebId", {"a": {"Content": {"Items": [{"WebId": "x"}, {"WebId": "y"}]}}})
    ['x', 'y']

    Raises:
        InputError: The path is not understood or selects nothing.
    """
    if not path.startswith("$") or _STEP.sub("", path[1:]):
        raise InputError(f"JsonPath {path!r} is not understood")
    found: list[Any] = [root]
    for name, index in _STEP.findall(path):
        try:
            if name:
                found = [node[name] for node in found]
            elif index == "*":
                found = [item for node in found for item in node]
            else:
                found = [node[int(index)] for node in found]
        except (KeyError, IndexError, TypeError):
            raise InputError(f"JsonPath {path!r} selects nothing") from None
    return found


async def run_batch(requests: dict[str, dict[str, Any]], send: Send, headers: dict[str, str]) -> dict[str, Answer]:
    """Run all requests, parents before children, and return their answers by id.

    Raises:
        InputError: The requests depend on each other in a circle or on one that is not there.
    """
    answers: dict[str, Answer] = {}
    waiting = dict(requests)
    while waiting:
        ready = [name for name, one in waiting.items() if all(p in answers for p in one.get("ParentIds", []))]
        if not ready:
            raise InputError(f"these requests wait for parents that never come: {', '.join(sorted(waiting))}")
        for name in ready:
            answers[name] = await _run(waiting.pop(name), answers, send, headers)
    return {name: answers[name] for name in requests}


async def _run(request: dict[str, Any], answers: dict[str, Answer], send: Send, headers: dict[str, str]) -> Answer:
    failed = [name for name in request.get("ParentIds", []) if answers[name]["Status"] >= HTTPStatus.BAD_REQUEST]
    if failed:
        return _answer(HTTPStatus.FAILED_DEPENDENCY, {"Errors": [f"Parent request '{failed[0]}' failed."]})
    try:
        parameters = [selected(path, answers) for path in request.get("Parameters", [])]
    except InputError as error:
        return _answer(HTTPStatus.BAD_REQUEST, {"Errors": [str(error)]})
    template = request.get("RequestTemplate")
    if template is None:
        first = [values[0] for values in parameters]
        return await _send(request, request["Resource"], first, send, headers)
    count = max((len(values) for values in parameters), default=0)
    items = [
        await _send(request, template["Resource"], [values[place] for values in parameters], send, headers)
        for place in range(count)
    ]
    return _answer(HTTPStatus.MULTI_STATUS, {"Total": count, "Items": items})


async def _send(
    request: dict[str, Any], resource: str, parameters: list[Any], send: Send, headers: dict[str, str]
) -> Answer:
    filled = _PLACE.sub(lambda match: str(parameters[int(match[1])]), resource)
    # Host and port of the sub-request are ignored: it runs on the server that received the batch.
    parts = urlsplit(filled)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    given = {**headers, **{name.lower(): value for name, value in request.get("Headers", {}).items()}}
    content = str(request.get("Content", "")).encode()
    status, found, body = await send(request.get("Method", "GET"), target, given, content)
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        parsed = body.decode(errors="replace")
    return {"Status": status, "Headers": found, "Content": parsed}


def _answer(status: HTTPStatus, content: object) -> Answer:
    return {"Status": status.value, "Headers": {}, "Content": content}
