"""What every stand-in has in common: a world, a clock, settings, switches and the orders that change them.

Put here: the frame a service fills in, the control route. Keep out: any vendor's protocol, the transport faults
(transport.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from domain.errors import InputError, TailraceError
from domain.instants import parse_instant
from simulators.clock import VirtualClock
from simulators.faults import Faults
from simulators.localtime import utc
from simulators.transport import App, Captured, Exchange, FaultyTransport, Message, Scope
from simulators.world import World

CONTROL: Final = "/_control"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a stand-in accepts and how strict it is. The credentials are fakes by construction.

    Attributes:
        vendor_limits: Enforce the vendors' request limits; off, a demonstration is not slowed down.
        token_ttl_s: Life of an ERCOT token [s].
        token_calls: Calls after which an ERCOT token counts as expired; 0: only time ends it.
        caiso_spacing_s: Least time between two OASIS calls [s].
        ercot_calls_per_minute: Per subscription key.
        ercot_bytes_per_hour: Per subscription key.
        pi_max_items: Most items an answer of the historian may hold.
        pi_anonymous: The historian lets anybody read.
        yes_spacing_s: Least time between two calls of a YES user [s].
        hefs_members: Paths of a river ensemble; the count has changed over the years.
        hefs_hours: Rows of a river ensemble: 721 today, 337 before 2014-10-21.
        cnrfc_html_before_issue: A file not yet issued is a page with status 200 instead of 404.
        awards_folder: Where market awards are dropped; empty: nowhere.
        awards_backlog_h: How far back the first drop into a folder reaches [h].
    """

    user: str = "demo"
    password: str = "demo"  # noqa: S105 - a fake on purpose
    key: str = "demo-key"
    unsubscribed_key: str = "demo-key-of-another-api"
    client_id: str = "demo-client"
    tenant: str = "demo"
    vendor_limits: bool = False
    token_ttl_s: float = 3600.0
    token_calls: int = 0
    caiso_spacing_s: float = 5.0
    ercot_calls_per_minute: int = 30
    ercot_bytes_per_hour: int = 200_000_000
    pi_max_items: int = 150_000
    pi_anonymous: bool = False
    yes_spacing_s: float = 1.0
    hefs_members: int = 43
    hefs_hours: int = 721
    cnrfc_html_before_issue: bool = False
    awards_folder: str = ""
    awards_backlog_h: float = 48.0


class Refused(Exception):  # noqa: N818 - it is an answer, not a failure of ours
    """Raised by a handler to answer at once with something else than data."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def json_response(content: object, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON answer; numpy arrays and numbers are welcome."""
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, status, headers, media_type="application/json")


class Service:
    """One stand-in: its state, its routes, its switches.

    Attributes:
        name: Its name in the announcement.
        base_path: What a client's base URL ends with.
    """

    name: str
    base_path: str = ""
    never_twice: str = ""
    """What the path of a route ends with whose good answers differ each time, such as tokens; empty: none does."""

    def __init__(self, world: World, clock: VirtualClock, settings: Settings | None = None) -> None:
        self.world = world
        self.clock = clock
        self.settings = settings or Settings()
        self.faults = Faults(world.seed)
        self.journal: list[Exchange] | None = None
        self.inner: Starlette | None = None

    def routes(self) -> Sequence[BaseRoute]:
        """Return the vendor's routes."""
        raise NotImplementedError

    async def background(self) -> None:
        """Do what the service does unasked, until cancelled; most do nothing."""

    def addresses(self, origin: str) -> dict[str, str]:
        """Return what to announce: key -> URL, given ``http://host:port``."""
        return {self.name: origin + self.base_path}

    def now(self) -> float:
        """Return the virtual present [epoch s]."""
        return self.clock.now()

    def app(self) -> App:
        """Return the ASGI application."""
        control = Route(CONTROL, self._control, methods=["GET", "POST"])
        self.inner = Starlette(
            routes=[control, *self.routes()],
            exception_handlers={Refused: _answer_refusal, TailraceError: _answer_error},
        )
        return FaultyTransport(
            self.inner, self.faults.strikes, CONTROL, lambda: None if self.journal is None else self.journal.append
        )

    async def spoiled(self, journal: Sequence[Exchange]) -> list[Exchange]:
        """Return the exchanges in which something else was answered than the service answers now, or held back.

        With the switches off and the clock where it was, these are the answers that a switch struck: whatever it
        does, it is told by comparing bytes.
        """
        found = []
        for one in journal:
            status, _, content = await self._send_within(one.method, one.target, one.headers, one.body)
            told_twice = bool(self.never_twice) and one.target.endswith(self.never_twice)
            same = one.status == status and (told_twice or one.content == content)
            if one.slowed or not same:
                found.append(one)
        return found

    async def _control(self, request: Request) -> Response:
        if request.method == "POST":
            try:
                orders = orjson.loads(await request.body())
            except orjson.JSONDecodeError as error:
                raise InputError(f"control orders are not JSON: {error}") from None
            self.order(orders)
        return json_response(
            {
                "service": self.name,
                "now": utc(self.now()).isoformat(),
                "speed": self.clock.speed,
                "faults": self.faults.describe(),
                "settings": {name: value for name, value in asdict(self.settings).items() if name != "password"},
            }
        )

    async def _send_within(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Run a request on this service without a socket and return status, headers and body."""
        path, _, query = target.partition("?")
        scope: Scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "scheme": "http",
            "server": ("127.0.0.1", 80),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        captured = Captured()

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        if self.inner is not None:
            await self.inner(scope, receive, captured)
        return captured.status, captured.headers(), bytes(captured.body)

    def order(self, orders: dict[str, Any]) -> None:
        """Carry out control orders.

        Args:
            orders: Any of ``clock`` (``{"now": ISO time, "speed": 1}`` or ``"real"``), ``dst_case`` (``spring`` or
                ``fall``: noon of this year's change day), ``clear_faults`` (true), ``faults`` (list of switches),
                ``settings`` (names of ``Settings``), ``setpoints_mw`` (ISO hour -> MW for Oxbow).

        Raises:
            InputError: An order is unknown or malformed; those before it have been carried out.
        """
        handlers: dict[str, Callable[[Any], None]] = {
            "clock": self._order_clock,
            "dst_case": self._order_dst_case,
            "clear_faults": lambda _: self.faults.clear(),
            "faults": self._order_faults,
            "settings": self._order_settings,
            "setpoints_mw": self._order_setpoints,
        }
        for name in orders:
            if name not in handlers:
                raise InputError(f"unknown order {name!r}; known: {', '.join(handlers)}")
        for name, handler in handlers.items():
            if name in orders:
                handler(orders[name])

    def _order_faults(self, specs: list[dict[str, Any]]) -> None:
        for spec in specs:
            self.faults.add(spec)

    def _order_clock(self, order: str | dict[str, Any]) -> None:
        if order == "real":
            self.clock.reset()
        elif isinstance(order, dict):
            now = parse_instant(order["now"], what="clock.now") if "now" in order else utc(self.now())
            self.clock.set(now, speed=float(order.get("speed", self.clock.speed)))
        else:
            raise InputError(f'clock is "real" or {{"now": ISO time, "speed": number}}, not {order!r}')

    def _order_dst_case(self, case: str) -> None:
        year = utc(self.now()).year
        # United States rule since 2007: second Sunday of March, first Sunday of November (Energy Policy Act of 2005).
        month, earliest = {"spring": (3, 8), "fall": (11, 1)}[case]
        day = date(year, month, earliest)
        sunday = earliest + (6 - day.weekday()) % 7
        self.clock.set(
            parse_instant(f"{year}-{month:02d}-{sunday:02d}T18:00Z", what="dst_case"), speed=self.clock.speed
        )

    def _order_settings(self, changes: dict[str, Any]) -> None:
        try:
            self.settings = replace(self.settings, **changes)
        except TypeError:
            known = ", ".join(asdict(self.settings))
            raise InputError(f"unknown setting among {', '.join(changes)}; known: {known}") from None

    def _order_setpoints(self, setpoints_mw: dict[str, float]) -> None:
        hours = {
            int(parse_instant(at, what="setpoints_mw").timestamp()) // 3600: float(mw)
            for at, mw in setpoints_mw.items()
        }
        if hours:
            self.world.obey(hours)


async def _answer_refusal(request: Request, error: Exception) -> Response:
    del request
    return error.response if isinstance(error, Refused) else Response(status_code=HTTPStatus.INTERNAL_SERVER_ERROR)


async def _answer_error(request: Request, error: Exception) -> Response:
    del request
    return json_response({"Errors": [str(error)], "message": str(error)}, HTTPStatus.BAD_REQUEST)
