"""A stand-in for ERCOT: the Public API behind its credentials, and the open web site beside it.

Put here: credentials, limits, routes. Keep out: what the routes answer (the other ercot modules).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from simulators import ercot_archive as archive
from simulators import ercot_board_faults as board_faults
from simulators import ercot_mis as mis
from simulators.clock import VirtualClock
from simulators.ercot_catalogue import Product
from simulators.ercot_dashboards_ahead import DASHBOARDS
from simulators.ercot_messages import page
from simulators.ercot_products import PRODUCTS
from simulators.ercot_rows import answer, refusal
from simulators.service import Refused, Service, Settings, json_response
from simulators.world import World

ROOT: Final = "/api/public-reports"
_MINUTE_S: Final = 60.0
_HOUR_S: Final = 3600.0


class ErcotService(Service):
    """The Public API: both headers are checked, limits are enforced where the settings say so."""

    name = "ercot"
    base_path = ROOT
    never_twice = "/oauth2/v2.0/token"

    def __init__(self, world: World, clock: VirtualClock, settings: Settings | None = None) -> None:
        super().__init__(world, clock, settings)
        self._tokens: dict[str, float] = {}
        self._used: dict[str, int] = {}
        self._calls: dict[str, deque[float]] = {}
        self._bytes: dict[tuple[str, int], int] = {}

    def addresses(self, origin: str) -> dict[str, str]:
        """Return the API's base and the token endpoint."""
        return {self.name: origin + ROOT, "ercot_token": origin + self._token_path(), "ercot_www": origin}

    def _token_path(self) -> str:
        return f"/{self.settings.tenant}.onmicrosoft.com/B2C_1_PUBAPI-ROPC-FLOW/oauth2/v2.0/token"

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes of the Public API."""
        return [
            Route("/{tenant}/B2C_1_PUBAPI-ROPC-FLOW/oauth2/v2.0/token", self._token, methods=["POST"]),
            Route(ROOT, self._catalogue),
            Route(ROOT + "/", self._catalogue),
            Route(ROOT + "/version", self._version),
            Route(ROOT + "/archive/{emil}", self._archive),
            Route(ROOT + "/archive/{emil}/download", self._bulk, methods=["POST"]),
            Route(ROOT + "/{emil}", self._product),
            Route(ROOT + "/{emil}/{artifact}", self._rows),
            Route("/misapp/servlets/IceDocListJsonWS", self._document_list),
            Route("/misdownload/servlets/mirDownload", self._document),
            Route("/api/1/services/read/dashboards/{name}", self._dashboard),
            Route("/services/comm/mkt_notices/opsmessages", self._messages),
        ]

    async def _token(self, request: Request) -> Response:
        form = {name: given[0] for name, given in parse_qs((await request.body()).decode()).items()}
        settings = self.settings
        expected = {
            "grant_type": "password",
            "response_type": "id_token",
            "client_id": settings.client_id,
            "scope": f"openid {settings.client_id} offline_access",
        }
        wrong = [name for name, value in expected.items() if form.get(name) != value]
        if wrong:
            text = f"AADB2C90117: The parameter '{wrong[0]}' is missing or not supported."
            return json_response({"error": "invalid_request", "error_description": text}, HTTPStatus.BAD_REQUEST)
        if (form.get("username"), form.get("password")) != (settings.user, settings.password):
            text = "AADB2C90225: The username or password provided in the request are invalid."
            return json_response({"error": "access_denied", "error_description": text}, HTTPStatus.BAD_REQUEST)
        token = f"demo-id-token-{len(self._tokens) + 1}"
        self._tokens[token] = self.clock.elapsed()
        lifetime = str(int(settings.token_ttl_s))
        return json_response(
            {
                "access_token": token.replace("id", "access"),
                "token_type": "Bearer",
                "expires_in": lifetime,
                "refresh_token": token.replace("id", "refresh"),
                "id_token": token,
            }
        )

    def _admit(self, request: Request) -> str:
        """Return the caller's subscription key.

        Raises:
            Refused: 401 for a missing or wrong key or token, 403 for a key of another API, 429 over a limit.
        """
        key = request.headers.get("ocp-apim-subscription-key") or request.query_params.get("subscription-key")
        if key == self.settings.unsubscribed_key:
            raise _gateway(HTTPStatus.FORBIDDEN, "Forbidden: this key is not subscribed to the Public API.")
        if key != self.settings.key:
            fault = "invalid" if key else "missing"
            text = f"Access denied due to {fault} subscription key. Make sure to provide a valid key for an active API."
            raise _gateway(HTTPStatus.UNAUTHORIZED, text)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not self._lives(token):
            raise _gateway(HTTPStatus.UNAUTHORIZED, "Unauthorized. Access token is missing or invalid.")
        if self.settings.vendor_limits:
            self._meter_calls(key)
        return key

    def _lives(self, token: str) -> bool:
        """Count a use of a token, and tell whether it is still good."""
        issued, calls = self._tokens.get(token), self.settings.token_calls
        self._used[token] = self._used.get(token, 0) + 1
        if issued is None or (calls and self._used[token] > calls):
            return False
        return self.clock.elapsed() - issued <= self.settings.token_ttl_s

    def _meter_calls(self, key: str) -> None:
        now = self.clock.elapsed()
        calls = self._calls.setdefault(key, deque())
        while calls and now - calls[0] > _MINUTE_S:
            calls.popleft()
        if len(calls) >= self.settings.ercot_calls_per_minute:
            wait = int(_MINUTE_S - (now - calls[0])) + 1
            raise _gateway(HTTPStatus.TOO_MANY_REQUESTS, f"Rate limit is exceeded. Try again in {wait} seconds.")
        calls.append(now)
        if self._bytes.get((key, int(self.now() // _HOUR_S)), 0) > self.settings.ercot_bytes_per_hour:
            body = {"statusCode": 429, "error": "BandwidthQuotaExceeded", "message": "Out of bandwidth quota."}
            raise Refused(json_response(body, HTTPStatus.TOO_MANY_REQUESTS))

    def metered(self, key: str, response: Response) -> Response:
        """Return the answer after counting its bytes against the key's hourly volume."""
        hour = int(self.now() // _HOUR_S)
        self._bytes[key, hour] = self._bytes.get((key, hour), 0) + len(response.body)
        return response

    async def _catalogue(self, request: Request) -> Response:
        key = self._admit(request)
        listed = [self._describe(product, request) for product in PRODUCTS.values()]
        return self.metered(key, json_response({"_embedded": {"products": listed}, "_links": {}}))

    async def _version(self, request: Request) -> Response:
        self._admit(request)
        return json_response({"version": "stand-in"})

    async def _product(self, request: Request) -> Response:
        self._admit(request)
        return json_response(self._describe(self._find(request), request))

    async def _rows(self, request: Request) -> Response:
        key = self._admit(request)
        product = self._find(request)
        if request.path_params["artifact"] != product.artifact:
            raise refusal(HTTPStatus.NOT_FOUND, f"No artifact {request.path_params['artifact']}", self.now())
        query = {name: value for name, value in request.query_params.items() if name != "subscription-key"}
        content = answer(product, query, world=self.world, faults=self.faults, now=self.now())
        return self.metered(key, json_response(content))

    async def _archive(self, request: Request) -> Response:
        key = self._admit(request)
        product = self._find(request)
        given = {"world": self.world, "faults": self.faults, "now": self.now()}
        query = {name: value for name, value in request.query_params.items() if name != "subscription-key"}
        if "download" in query:
            name, content = archive.single(product, query["download"], **given)
            return self.metered(key, _file(name, content))
        base = f"{str(request.base_url).rstrip('/')}{ROOT}/archive/{product.emil.lower()}"
        return self.metered(key, json_response(archive.listing(product, query, **given, base=base)))

    async def _bulk(self, request: Request) -> Response:
        key = self._admit(request)
        product = self._find(request)
        try:
            numbers = list(orjson.loads(await request.body())["docIds"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise refusal(HTTPStatus.BAD_REQUEST, 'the body is JSON with "docIds"', self.now()) from None
        content = archive.bulk(product, numbers, world=self.world, faults=self.faults, now=self.now())
        return self.metered(key, _file(f"{product.emil}.zip", content))

    async def _document_list(self, request: Request) -> Response:
        report = request.query_params.get("reportTypeId", "")
        return json_response(mis.document_list(report, world=self.world, faults=self.faults, now=self.now()))

    async def _document(self, request: Request) -> Response:
        number = request.query_params.get("doclookupId", "")
        found = mis.download(number, world=self.world, faults=self.faults, now=self.now())
        if found is None:
            return Response("<html><body>File not found</body></html>", HTTPStatus.NOT_FOUND, media_type="text/html")
        return _file(*found)

    async def _dashboard(self, request: Request) -> Response:
        made = DASHBOARDS.get(request.path_params["name"])
        if made is None:
            return Response("<html><body>Not found</body></html>", HTTPStatus.NOT_FOUND, media_type="text/html")
        product = f"dashboard:{request.path_params['name']}"
        content = made(self.world, int(self.now()) - self.faults.delay_s(product))
        content = board_faults.spoiled(self.faults, product, content, self.now())
        return json_response(self.faults.drifted_json(product, content))

    async def _messages(self, request: Request) -> Response:
        del request
        now = self.now() - self.faults.delay_s("opsmessages")  # what changed since is not on the page yet
        return Response(page(self.world, now, self.faults), media_type="text/html")

    def _find(self, request: Request) -> Product:
        emil = request.path_params["emil"].lower()
        if emil not in PRODUCTS:
            raise refusal(HTTPStatus.NOT_FOUND, f"No product {emil}", self.now())
        return PRODUCTS[emil]

    def _describe(self, product: Product, request: Request) -> dict[str, Any]:
        base = str(request.base_url).rstrip("/") + ROOT
        href = f"{base}/{product.emil.lower()}"
        endpoint = f"{href}/{product.artifact}" if product.artifact else None
        return {
            "emilId": product.emil,
            "name": product.title,
            "description": product.title,
            "status": "Active",
            "reportTypeId": product.report_id,
            "audience": "Public",
            "generationFrequency": product.frequency,
            "misDisplayDuration": product.mis_days,
            "archiveDuration": 2555,
            "downloadLimit": 1000,
            "artifacts": [{"displayName": product.title, "_links": {"endpoint": {"href": endpoint}}}]
            if endpoint
            else [],
            "_links": {
                "self": {"href": href},
                "archive": {"href": f"{base}/archive/{product.emil.lower()}"},
                "bundle": {"href": f"{base}/bundle/{product.emil.lower()}"},
            },
        }


def _file(name: str, content: bytes) -> Response:
    headers = {"Content-Disposition": f"attachment; filename={name}"}
    return Response(content, HTTPStatus.OK, headers, media_type="application/octet-stream")


def _gateway(status: HTTPStatus, message: str) -> Refused:
    return Refused(json_response({"statusCode": status.value, "message": message}, status))
