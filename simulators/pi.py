"""A stand-in for the PI Web API: attributes and points by path, streams, stream sets, batches.

Put here: routes, JSON shapes, errors and limits of the historian. Keep out: tags and arithmetic
(pi_archive.py), identities (pi_names.py).
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from domain.errors import InputError
from simulators import pi_names as names
from simulators.clock import VirtualClock
from simulators.localtime import DAY_S, HOUR_S
from simulators.noise import Floats, Ints
from simulators.pi_archive import SERVER, TICKS, Archive, Tag, duration_s, moment_ticks, stamp, stamps
from simulators.pi_batch import run_batch
from simulators.pi_values import bad_value, selected, unitless, values
from simulators.service import Refused, Service, Settings, json_response
from simulators.world import World

SUMMARY_TYPES: Final = ("Total", "Average", "Minimum", "Maximum", "Range", "StdDev", "Count", "PercentGood")
_NOT_DIGITAL: Final = "Summary type not supported for non-numeric data; only Count is."


class PiService(Service):
    """The historian: Basic or Negotiate, WebIds, recorded, interpolated, summary and value reads."""

    name = "pi"
    base_path = "/piwebapi"

    def __init__(self, world: World, clock: VirtualClock, settings: Settings | None = None) -> None:
        super().__init__(world, clock, settings)
        self.archive = Archive(world, self.faults)
        self._by_path = names.by_path()
        self._by_web_id = names.by_web_id()

    def routes(self) -> Sequence[BaseRoute]:
        """Return the historian's routes."""
        reads: dict[str, Callable[[Tag, Request], dict[str, Any]]] = {
            "recorded": self._recorded,
            "interpolated": self._interpolated,
            "summary": self._summary,
            "value": self._value,
            "end": self._end,
            "recordedattime": self._recorded_at_time,
        }
        routes: list[BaseRoute] = [
            Route("/piwebapi/", self._home),
            Route("/piwebapi/attributes", self._attribute_by_path),
            Route("/piwebapi/attributes/{web_id}", self._attribute_by_id),
            Route("/piwebapi/dataservers", self._servers),
            Route("/piwebapi/points", self._point_by_path),
            Route("/piwebapi/points/multiple", self._points),
            Route("/piwebapi/points/{web_id}", self._point_by_id),
            Route("/piwebapi/batch", self._batch, methods=["POST"]),
        ]
        for name, read in reads.items():
            routes.append(Route(f"/piwebapi/streams/{{web_id}}/{name}", self._stream(read)))
            routes.append(Route(f"/piwebapi/streamsets/{name}", self._stream_set(read)))
        return routes

    def _admit(self, request: Request) -> None:
        if self.settings.pi_anonymous:
            return
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "negotiate" and secret:
            return
        if scheme.lower() == "basic":
            try:
                given = b64decode(secret, validate=True).decode()
            except ValueError:
                given = ""
            if given == f"{self.settings.user}:{self.settings.password}":
                return
        page = "<!DOCTYPE HTML><html><head><title>Not Authorized</title></head><body>HTTP Error 401.</body></html>"
        refusal = Response(page, HTTPStatus.UNAUTHORIZED, media_type="text/html; charset=us-ascii")
        refusal.headers.append("WWW-Authenticate", "Negotiate")
        refusal.headers.append("WWW-Authenticate", f'Basic realm="{SERVER}"')
        raise Refused(refusal)

    async def _home(self, request: Request) -> Response:
        self._admit(request)
        base = str(request.url).rstrip("/")
        return json_response({"Links": {name: f"{base}/{name.lower()}" for name in ("Self", "AssetServers", "System")}})

    def _base(self, request: Request) -> str:
        return str(request.base_url).rstrip("/") + self.base_path

    def _named(self, path: str | None, *, point: bool) -> Tag:
        if not path:
            raise errors(HTTPStatus.BAD_REQUEST, "The parameter 'path' is required.")
        found = self._by_path.get(path.upper())
        if found is None or found[1] != point:
            raise errors(HTTPStatus.NOT_FOUND, f"Path '{path}' was not found or you do not have access to it.")
        return found[0]

    async def _attribute_by_path(self, request: Request) -> Response:
        self._admit(request)
        tag = self._named(request.query_params.get("path"), point=False)
        kind = request.query_params.get("webIdType", "Full")
        return json_response(selected(names.describe_attribute(tag, self._base(request), kind), _wanted(request)))

    async def _attribute_by_id(self, request: Request) -> Response:
        self._admit(request)
        tag = self._tag(request.path_params["web_id"])
        return json_response(names.describe_attribute(tag, self._base(request), "Full"))

    async def _servers(self, request: Request) -> Response:
        self._admit(request)
        server = names.describe_server(self._base(request))
        path = request.query_params.get("path")
        if path is None:
            return json_response({"Links": {}, "Items": [server]})
        if path.upper() != server["Path"]:
            raise errors(HTTPStatus.NOT_FOUND, f"Unknown server '{path}'.")
        return json_response(server)

    async def _point_by_path(self, request: Request) -> Response:
        self._admit(request)
        tag = self._named(request.query_params.get("path"), point=True)
        kind = request.query_params.get("webIdType", "Full")
        return json_response(names.describe_point(tag, self._base(request), kind))

    async def _point_by_id(self, request: Request) -> Response:
        self._admit(request)
        tag = self._tag(request.path_params["web_id"])
        return json_response(names.describe_point(tag, self._base(request), "Full"))

    async def _points(self, request: Request) -> Response:
        self._admit(request)
        items = []
        for path in request.query_params.getlist("path"):
            try:
                tag = self._named(path, point=True)
            except Refused as refused:
                text = orjson.loads(bytes(refused.response.body))["Errors"][0]
                items.append({"Identifier": path, "IdentifierType": "Path", "Exception": {"Errors": [text]}})
            else:
                point = names.describe_point(tag, self._base(request), "Full")
                items.append({"Identifier": path, "IdentifierType": "Path", "Object": point})
        return json_response({"Links": {}, "Items": items})

    async def _batch(self, request: Request) -> Response:
        self._admit(request)
        if "x-requested-with" not in request.headers:
            raise errors(HTTPStatus.BAD_REQUEST, "Cross-site request forgery defence: X-Requested-With is missing.")
        passed = {"authorization": request.headers.get("authorization", "")}
        try:
            orders = orjson.loads(await request.body())
            answers = await run_batch(orders, self._send_within, passed)
        except (orjson.JSONDecodeError, KeyError, AttributeError, InputError) as error:
            raise errors(HTTPStatus.BAD_REQUEST, f"The batch cannot be read: {error}") from None
        return json_response(answers, HTTPStatus.MULTI_STATUS)

    def _tag(self, web_id: str) -> Tag:
        tag = self._by_web_id.get(web_id)
        if tag is None:
            raise errors(HTTPStatus.NOT_FOUND, f"Unknown or invalid WebID format: '{web_id}'.")
        return tag

    def _stream(self, read: Callable[[Tag, Request], dict[str, Any]]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            self._admit(request)
            tag = self._tag(request.path_params["web_id"])
            answer = self._broken(selected(_guarded(read, tag, request), _wanted(request)), tag)
            return json_response(self.faults.drifted_json(f"pi:{tag.path}", answer))

        return endpoint

    def _stream_set(self, read: Callable[[Tag, Request], dict[str, Any]]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            self._admit(request)
            items = []
            for web_id in request.query_params.getlist("webId"):
                tag = self._tag(web_id)
                answer = _guarded(read, tag, request)
                content = answer if "Items" in answer else {"Value": answer}
                head = {"WebId": web_id, "Name": tag.path.rpartition("|")[2], "Path": f"\\\\{SERVER}\\{tag.path}"}
                items.append({**head, **self.faults.drifted_json(f"pi:{tag.path}", self._broken(content, tag))})
            return json_response({"Links": {}, "Items": items})

        return endpoint

    def _broken(self, answer: dict[str, Any], tag: Tag) -> dict[str, Any]:
        """Return the answer with the failures that hide inside a 200, where a switch orders them."""
        product = f"pi:{tag.path}"
        failure = ["The archive subsystem did not respond in time."]
        if self.faults.content("web_exception", product):
            return {**answer, "WebException": {"Errors": failure, "StatusCode": 502}}
        if self.faults.content("partial_errors", product):
            return {**answer, "Items": answer.get("Items", [])[::2], "Errors": failure}
        if self.faults.content("item_errors", product):
            return {"Links": {}, "Items": [{"Errors": failure}]}
        return answer

    def _span(self, request: Request) -> tuple[int, int]:
        now, query = self.now(), request.query_params
        return moment_ticks(query.get("startTime", "*-1d"), now), moment_ticks(query.get("endTime", "*"), now)

    def _limit(self, name: str, count: int) -> None:
        if count > self.settings.pi_max_items:
            text = f"Parameter '{name}' is greater than the maximum allowed ({self.settings.pi_max_items})."
            raise errors(HTTPStatus.BAD_REQUEST, text)

    def _recorded(self, tag: Tag, request: Request) -> dict[str, Any]:
        start, end = self._span(request)
        most = int(request.query_params.get("maxCount", "1000"))
        self._limit("maxCount", most)
        low, high = min(start, end), max(start, end)
        at, value = self.archive.recorded(tag, low // TICKS, high // TICKS + 1, self.now())
        inside = (at >= low) & (at <= high)
        at, value = at[inside], value[inside]
        if end < start:
            at, value = at[::-1], value[::-1]
        texts = [stamp(ticks) for ticks in at[:most].tolist()]
        return self._items(tag, texts, value[:most], at[:most] // TICKS)

    def _interpolated(self, tag: Tag, request: Request) -> dict[str, Any]:
        start, end = (ticks // TICKS for ticks in self._span(request))
        step = duration_s(request.query_params.get("interval", "1h"))
        self._limit("interval", (end - start) // step + 1)
        times = np.arange(start, end + 1, step, dtype=np.int64)
        texts = stamps(times)
        found = self.archive.at_times(tag, times, self.now()) if times.size else np.array([])
        return self._items(tag, texts, found, times)

    def _items(self, tag: Tag, texts: list[str], found: Floats, at: Ints) -> dict[str, Any]:
        """Return a list of values with the flags and the unit that switches put on them."""
        product = f"pi:{tag.path}"
        unit = self.faults.unit(product, tag.unit)
        items = values(replace(tag, unit=unit), texts, found)
        self._flag(items, product, at)
        return {"Links": {}, "Items": items, "UnitsAbbreviation": unit}

    def _flag(self, items: list[dict[str, Any]], product: str, at: Ints) -> None:
        for name in ("questionable", "substituted"):
            for place in np.flatnonzero(self.faults.flagged(name, product, at)).tolist():
                items[place][name.title()] = True

    def _summary(self, tag: Tag, request: Request) -> dict[str, Any]:
        query = request.query_params
        start, end = (ticks // TICKS for ticks in self._span(request))
        step = duration_s(query["summaryDuration"]) if "summaryDuration" in query else max(end - start, 1)
        bounds = np.unique(np.append(np.arange(start, end, step, dtype=np.int64), end))
        wanted = query.getlist("summaryType") or ["Total"]
        wanted = list(SUMMARY_TYPES) if "All" in wanted else [kind[:1].upper() + kind[1:] for kind in wanted]
        unknown = [kind for kind in wanted if kind not in SUMMARY_TYPES]
        if unknown:
            raise errors(HTTPStatus.BAD_REQUEST, f"The value '{unknown[0]}' is not valid for summaryType.")
        if tag.digital and wanted != ["Count"]:
            raise errors(HTTPStatus.BAD_REQUEST, _NOT_DIGITAL)
        self._limit("summaryDuration", (bounds.size - 1) * len(wanted))
        found = self.archive.periods(tag, bounds, self.now())
        product = f"pi:{tag.path}"
        tag = replace(tag, unit=self.faults.unit(product, tag.unit))
        late = query.get("timeType", "Auto") == "MostRecentTime"
        texts = stamps(bounds[1:] if late else bounds[:-1])
        items = []
        for kind in wanted:
            told = values(unitless(tag) if kind in {"Count", "PercentGood"} else tag, texts, found[kind])
            self._flag(told, product, bounds[:-1])
            items += [{"Type": kind, "Value": value} for value in told]
        return {"Links": {}, "Items": items}

    def _value(self, tag: Tag, request: Request) -> dict[str, Any]:
        now = self.now()
        at = moment_ticks(request.query_params["time"], now) // TICKS if "time" in request.query_params else int(now)
        return values(tag, [stamp(at * TICKS)], self.archive.at_times(tag, np.array([at]), now))[0]

    def _recorded_at_time(self, tag: Tag, request: Request) -> dict[str, Any]:
        query, now = request.query_params, self.now()
        wanted = moment_ticks(query.get("time", "*"), now)
        mode = query.get("retrievalMode", "Auto").lower()
        at, value = self.archive.recorded(tag, wanted // TICKS - DAY_S, wanted // TICKS + DAY_S, now)
        place = {
            "exact": np.flatnonzero(at == wanted)[:1],
            "before": np.flatnonzero(at < wanted)[-1:],
            "after": np.flatnonzero(at > wanted)[:1],
            "atorafter": np.flatnonzero(at >= wanted)[:1],
        }.get(mode, np.flatnonzero(at <= wanted)[-1:])
        if not place.size:
            raise errors(HTTPStatus.NOT_FOUND, f"No event {mode} {query.get('time', '*')}.")
        return values(tag, [stamp(int(at[place[0]]))], value[place])[0]

    def _end(self, tag: Tag, request: Request) -> dict[str, Any]:
        del request
        now = self.now()
        at, value = self.archive.recorded(tag, int(now) - DAY_S, int(now) + HOUR_S, now)
        if not at.size:
            return bad_value(tag, stamp(0), "Pt Created")
        return values(tag, [stamp(int(at[-1]))], value[-1:])[0]


def errors(status: HTTPStatus, *texts: str) -> Refused:
    """Return a refusal with the historian's error body."""
    return Refused(json_response({"Errors": list(texts)}, status))


def _wanted(request: Request) -> str:
    return request.query_params.get("selectedFields", "")


def _guarded(read: Callable[[Tag, Request], dict[str, Any]], tag: Tag, request: Request) -> dict[str, Any]:
    try:
        return read(tag, request)
    except (InputError, ValueError) as error:
        raise errors(HTTPStatus.BAD_REQUEST, str(error)) from None
