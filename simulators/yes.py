"""A stand-in for YES Energy's DataSignals: time series of market prices, as CSV or JSON.

Put here: the route, its errors and what a row looks like. Keep out: series and arithmetic (yes_series.py).
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from math import isnan
from typing import Any, Final

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from domain.errors import InputError
from simulators.clock import VirtualClock
from simulators.localtime import HOUR_S, utc
from simulators.service import Refused, Service, Settings, json_response
from simulators.world import World, epochs
from simulators.yes_series import (
    LEVELS,
    NODES,
    STEP_S,
    buckets,
    day_starts,
    five_minutes,
    local_reading,
    parse_day,
    parse_items,
    parse_zone,
    rolled_up,
)

COLLECTIONS: Final = {"103028": (-1, 1)}
"""Named date ranges: this one is yesterday to tomorrow."""
_SATURDAY: Final = 5
_PEAK_HOURS: Final = range(7, 23)


class YesService(Service):
    """Prices by item, level and zone, behind a login."""

    name = "yes"
    base_path = "/PS/rest"

    def __init__(self, world: World, clock: VirtualClock, settings: Settings | None = None) -> None:
        super().__init__(world, clock, settings)
        self._last_call = float("-inf")

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes of series and of the object list."""
        return [
            Route("/PS/rest/timeseries/multiple.{form}", self._multiple),
            Route("/PS/rest/objects/pricenodes/{market}", self._nodes),
        ]

    def _admit(self, request: Request) -> None:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        try:
            given = b64decode(secret, validate=True).decode()
        except ValueError:
            given = ""
        if scheme.lower() != "basic" or given != f"{self.settings.user}:{self.settings.password}":
            headers = {"WWW-Authenticate": 'Basic realm="DataSignals"'}
            page = "<html><body>HTTP Status 401 - Bad credentials</body></html>"
            raise Refused(Response(page, HTTPStatus.UNAUTHORIZED, headers, media_type="text/html"))
        waited = self.clock.elapsed() - self._last_call
        if self.settings.vendor_limits and waited < self.settings.yes_spacing_s:
            raise Refused(Response("Too many requests", HTTPStatus.TOO_MANY_REQUESTS, media_type="text/plain"))
        self._last_call = self.clock.elapsed()

    async def _nodes(self, request: Request) -> Response:
        self._admit(request)
        found = [node for node in NODES if node.market == request.path_params["market"].upper()]
        rows = [f"{node.number},{node.name},{node.market}" for node in found]
        return Response("\n".join(["OBJECTID,NAME,ISO", *rows]) + "\n", media_type="text/csv")

    async def _multiple(self, request: Request) -> Response:
        self._admit(request)
        form = request.path_params["form"]
        try:
            rows = self._rows(request.query_params)
        except InputError as error:
            page = f"<html><body>HTTP Status 404 - {error}</body></html>"
            return Response(page, HTTPStatus.NOT_FOUND, media_type="text/html")
        if form == "json":
            return json_response(self.faults.drifted_json("yes", rows))
        if form != "csv":
            return Response(
                "<html><body>Not supported here</body></html>", HTTPStatus.NOT_FOUND, media_type="text/html"
            )
        names, extra = self.faults.drifted("yes", list(rows[0]) if rows else ["DATETIME"])
        cells = [[*row.values(), *["n/a"] * extra] for row in rows]
        lines = [",".join("" if cell is None else str(cell) for cell in row) for row in cells]
        return Response("\n".join([",".join(names), *lines]) + "\n", media_type="text/csv")

    def _rows(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the rows of a query, stamped at the end of their period in the asked zone."""
        items = parse_items(query.get("items", ""))
        zone = parse_zone(query.get("timezone"), items)
        level, stat = query.get("agglevel", "day").lower(), query.get("stat", "avg").lower()
        if level not in LEVELS or stat not in {"avg", "min", "max"}:
            raise InputError(f"Unknown agglevel {level} or stat {stat}")
        now = self.now()
        today = utc(int(local_reading(np.array([int(now)]), zone)[0])).date()
        shift = COLLECTIONS.get(query.get("datecollections", ""), (0, 0))
        first = parse_day(query.get("startdate", f"today{shift[0]:+d}"), today)
        last = parse_day(query.get("enddate", f"today{shift[1]:+d}"), today)
        start, end = day_starts(first, zone), day_starts(last + timedelta(days=1), zone)
        start = max(start, self.world.first_hour * HOUR_S)
        if end <= start:
            return []
        at = epochs(start, end, STEP_S)
        place, ends = buckets(at, zone, level)
        columns = {
            item.header: rolled_up(five_minutes(self.world, self.faults, item, start, end, now), place, stat)
            for item in items
        }
        # Labelled from the period's beginning: on change days hour ending 2 occurs twice, hour ending 3 not at all.
        stamps = _stamp_columns(local_reading(ends - STEP_S, zone) + STEP_S)
        assembled = _assembled(stamps, columns)
        rows = [assembled[place] for place in self.faults.doubled("yes", ends).tolist()]
        return [row for row in rows if _wanted(row, query.get("peaktype", "ALL").upper())]


def _stamp_columns(local_end: np.ndarray) -> list[dict[str, Any]]:
    """Return the columns that tell the time of each row, from naive local ends [s]."""
    rows = []
    for end in local_end.tolist():
        begun = utc(end - 1)
        hour = begun.hour + 1
        peak = hour in _PEAK_HOURS
        kind = ("WEPEAK" if begun.weekday() >= _SATURDAY else "WDPEAK") if peak else "OFFPEAK"
        rows.append(
            {
                "DATETIME": f"{utc(end):%m/%d/%Y %H:%M:%S}",
                "HOURENDING": hour,
                "MARKETDAY": f"{begun:%m/%d/%Y}",
                "PEAKTYPE": kind,
                "MONTH": f"{begun:%B}".upper(),
                "YEAR": begun.year,
            }
        )
    return rows


def _assembled(stamps: list[dict[str, Any]], columns: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    values = {
        name: [None if isnan(value) else round(value, 5) for value in column.tolist()]
        for name, column in columns.items()
    }
    return [{**stamp, **{name: cells[place] for name, cells in values.items()}} for place, stamp in enumerate(stamps)]


def _wanted(row: Mapping[str, Any], peak: str) -> bool:
    if peak == "ALL":
        return True
    return row["PEAKTYPE"] != "OFFPEAK" if peak == "ONPEAK" else row["PEAKTYPE"] == peak
