"""A stand-in for HydroForecast, versions 2 and 1 of its API: forecasts as issued, with quantiles.

Put here: the query language, its errors, issue times. Keep out: the error model (world_forecasts.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from math import isnan
from typing import Any, Final

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from domain.errors import TimeError
from domain.instants import parse_instant
from simulators.faults import Table
from simulators.localtime import DAY_S, HOUR_S, utc
from simulators.noise import Floats, stream, uniforms
from simulators.service import Refused, Service, json_response
from simulators.world import epochs
from simulators.world_forecasts import RIVER_LEADS_H, RiverForecast, river_forecast

SITES: Final = {
    "pcwa-r4-middle-fork-american-abv-power-house-total": "r4_cfs",
    "pcwa-r30-rubicon-river-abv-ralston-power-house": "r30_cfs",
}
QUANTILES: Final = ("0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "0.75", "0.9", "0.95", "0.975", "0.99")
SHORT_TERM: Final = "hydroforecast-short-term"
RELAYED: Final = "cnrfc"
_COLUMNS: Final = {
    SHORT_TERM: ("discharge_mean", *(f"discharge_q{quantile}" for quantile in QUANTILES)),
    RELAYED: ("ensemble_forecast_avg",),
}
LEGACY_PAGE: Final = 25
RERUN_AFTER_S: Final = 3 * HOUR_S
_RERUN_SHARE: Final = 0.05
_CYCLE_H: Final = {SHORT_TERM: 6, RELAYED: 24}
_CYCLE_START_H: Final = {SHORT_TERM: 0, RELAYED: 12}
_UNITS: Final = {"US": 1.0, "SI": 0.3048**3}
_AGGREGATION: Final = re.compile(r"(\d+)([HD])")


class HydroForecastService(Service):
    """Forecasts of two gauges, every six hours, ten days of hours each."""

    name = "hydroforecast"
    base_path = "/api"

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes of both versions."""
        return [
            Route("/api/v2/timeseries/forecasts", self._forecasts, methods=["POST"]),
            Route("/api/v1/forecasts/{site}", self._legacy),
        ]

    def _admit(self, request: Request) -> None:
        given = request.headers.get("authorization")
        if not given:
            raise refusal(HTTPStatus.UNAUTHORIZED, "Missing Authorization header")
        if given != self.settings.key:
            raise refusal(HTTPStatus.FORBIDDEN, "API key is not valid for this organization")

    async def _forecasts(self, request: Request) -> Response:
        self._admit(request)
        try:
            queries = orjson.loads(await request.body())["queries"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise refusal(HTTPStatus.BAD_REQUEST, 'The body must be JSON with a list named "queries"') from None
        return json_response({"data": [{"query": query, "forecasts": self._answer(query)} for query in queries]})

    async def _legacy(self, request: Request) -> Response:
        self._admit(request)
        site, query = request.path_params["site"], request.query_params
        if site not in SITES or query.get("type", "short-term") != "short-term":
            raise refusal(HTTPStatus.NOT_FOUND, f"No {query.get('type')} forecasts for site {site!r}")
        try:
            page, size = int(query.get("page", "1")), int(query.get("perPage", "25"))
        except ValueError:
            raise refusal(HTTPStatus.BAD_REQUEST, "page and perPage are whole numbers") from None
        if page < 1 or not 1 <= size <= LEGACY_PAGE:
            raise refusal(HTTPStatus.BAD_REQUEST, f"perPage is at most {LEGACY_PAGE}")
        low = _epoch(query["startDate"]) if "startDate" in query else int(self.now()) - 7 * DAY_S
        high = _epoch(query["endDate"]) if "endDate" in query else int(self.now()) + 1
        span = {"issueTimeStartDate": utc(low).isoformat(), "issueTimeEndDate": utc(high).isoformat()}
        since = _epoch(query["updatedSince"]) if "updatedSince" in query else low
        found = [
            (run, issued, updated)
            for run, issued in self._issues(SHORT_TERM, span)
            for updated in [self._updated(run, issued)]
            if updated >= since
        ]
        found = found[::-1] if query.get("sort", "desc") == "desc" else found
        shown = found[(page - 1) * size : page * size]
        forecasts = [self._legacy_forecast(site, run, issued, updated, query) for run, issued, updated in shown]
        if query.get("format", "json") == "csv":
            return Response(_legacy_csv(forecasts), media_type="text/csv")
        units = query.get("units", "cms")
        forecasts = self.faults.drifted_json(f"hydroforecast:{site}", forecasts)
        data = {"siteId": site, "type": "short-term", "units": units, "forecasts": forecasts}
        return json_response({"page": page, "hasNextPage": page * size < len(found), "data": data})

    def _updated(self, run: int, issued: int) -> int:
        """Return when an issue was last changed: a few are run again after some hours."""
        draw = float(uniforms(stream(self.world.seed, "run again"), np.array([run // HOUR_S]))[0])
        again = issued + RERUN_AFTER_S
        return again if draw < _RERUN_SHARE and again <= self.now() else issued

    def _legacy_forecast(
        self, site: str, run: int, issued: int, updated: int, query: Mapping[str, str]
    ) -> dict[str, Any]:
        factor = {"cms": _UNITS["SI"], "cfs": 1.0}.get(query.get("units", "cms"))
        if factor is None:
            raise refusal(HTTPStatus.BAD_REQUEST, "units are cms or cfs")
        source = SHORT_TERM if updated == issued else f"{SHORT_TERM} again"
        forecast = self._forecast(source, site, run, issued, (list(_COLUMNS[SHORT_TERM]), factor, 1))
        return {
            "forecastDate": forecast["initializationTime"],
            "updatedAt": utc(updated).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "data": {"datetime": forecast["validTimes"], **forecast["data"]},
        }

    def _answer(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        source, site = query.get("source", ""), query.get("siteId", "")
        if source not in _COLUMNS or site not in SITES:
            raise refusal(HTTPStatus.NOT_FOUND, f"Unknown source {source!r} or site {site!r}")
        columns = list(query.get("columns", []))
        unknown = [name for name in columns if name not in _COLUMNS[source]]
        if unknown or not columns:
            raise refusal(HTTPStatus.BAD_REQUEST, f"Unknown columns {unknown} for {source}")
        factor = _UNITS.get(query.get("unitSystem", "SI"))
        if factor is None or query.get("rateVolumeMode", "rate") != "rate":
            raise refusal(HTTPStatus.BAD_REQUEST, "unitSystem is US or SI, rateVolumeMode is rate")
        hours = _hours(str(query.get("timeAggregation", "1H")))
        if query.get("aggregationMethod", "mean") != "mean":
            raise refusal(HTTPStatus.BAD_REQUEST, "aggregationMethod is mean")
        found = [
            self._forecast(source, site, run, issued, (columns, factor, hours))
            for run, issued in self._issues(source, query)
        ]
        return self.faults.drifted_json(f"hydroforecast:{site}", found)

    def _issues(self, source: str, query: dict[str, Any]) -> list[tuple[int, int]]:
        """Return (model run, issue time) [epoch s] of the published issues that a query asks for."""
        now = self.now()
        low, high = self.world.first_hour * HOUR_S + DAY_S, int(now) + 1
        exact: set[int] | None = None
        if "issueTimeAfterDate" in query:
            low = max(low, _epoch(query["issueTimeAfterDate"]) + 1)
        elif "issueTimeStartDate" in query and "issueTimeEndDate" in query:
            low, high = max(low, _epoch(query["issueTimeStartDate"])), min(high, _epoch(query["issueTimeEndDate"]))
        elif "issueTimes" in query:
            exact = {_epoch(text) for text in query["issueTimes"]}
            low, high = max(low, min(exact, default=high)), min(high, max(exact, default=low) + 1)
        else:
            raise refusal(
                HTTPStatus.BAD_REQUEST, "One of issueTimeAfterDate, issueTimeStartDate, issueTimes is required"
            )
        delay = self.faults.delay_s("hydroforecast")
        found = []
        cycle, offset = _CYCLE_H[source] * HOUR_S, _CYCLE_START_H[source] * HOUR_S
        first = (low - 6 * HOUR_S - offset) // cycle
        for number in range(first, (high - offset) // cycle + 1):
            run = number * cycle + offset
            issued = issue_time(self.world.seed, source, run)
            shown = issued + delay <= now and run >= self.world.first_hour * HOUR_S
            if shown and low <= issued < high and (exact is None or issued in exact):
                found.append((run, issued))
        return found

    def _forecast(
        self, source: str, site: str, run: int, issued: int, shape: tuple[list[str], float, int]
    ) -> dict[str, Any]:
        names, factor, hours = shape
        forecast = river_forecast(self.world, SITES[site], run // HOUR_S, source)
        at = epochs(run, run + RIVER_LEADS_H * HOUR_S, HOUR_S)
        data = {name: _column(forecast, name) * factor for name in names}
        published = np.full(at.size, issued)
        product = f"hydroforecast:{site}"
        if self.faults.is_on("cross_quantiles", product):
            data = dict(zip(data, reversed(data.values()), strict=True))
        table = self.faults.visible(Table(dict(data), at, published, tuple(names)), product, self.now())
        kept = table.event.size // hours * hours
        return {
            "issueTime": utc(issued).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "initializationTime": utc(run).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "validTimes": [utc(moment).strftime("%Y-%m-%dT%H:%M:%SZ") for moment in table.event[:kept:hours].tolist()],
            "data": {
                name: _rounded(values[:kept].reshape(-1, hours).mean(axis=1)) for name, values in table.columns.items()
            },
        }


def _legacy_csv(forecasts: Sequence[dict[str, Any]]) -> str:
    names = ["datetime", *_COLUMNS[SHORT_TERM]]
    lines = [",".join(["forecastDate", "updatedAt", *names])]
    for forecast in forecasts:
        rows = zip(*(forecast["data"][name] for name in names), strict=True)
        head = (forecast["forecastDate"], forecast["updatedAt"])
        lines += [",".join("" if cell is None else str(cell) for cell in (*head, *row)) for row in rows]
    return "\n".join(lines) + "\n"


def refusal(status: HTTPStatus, message: str) -> Refused:
    """Return a refusal with the vendor's error body."""
    return Refused(json_response({"message": message}, status))


def issue_time(seed: int, source: str, run: int) -> int:
    """Return when a model run becomes available [epoch s]: 40 to 90 minutes after it starts."""
    draw = float(uniforms(stream(seed, "issue", source), np.array([run // HOUR_S]))[0])
    return run + 2400 + int(draw * 50) * 60


def _column(forecast: RiverForecast, name: str) -> Floats:
    if name in {"discharge_mean", "ensemble_forecast_avg"}:
        return forecast.mean()
    return forecast.quantile(float(name.removeprefix("discharge_q")))


def _rounded(values: Floats) -> list[float | None]:
    return [None if isnan(value) else value for value in np.round(values, 4).tolist()]


def _hours(text: str) -> int:
    match = _AGGREGATION.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise refusal(HTTPStatus.BAD_REQUEST, f"timeAggregation {text!r} is not understood; use 1H or 1D")
    return int(match[1]) * (24 if match[2] == "D" else 1)


def _epoch(text: object) -> int:
    try:
        moment: datetime = parse_instant(str(text), what="issue time")
    except TimeError as error:
        raise refusal(HTTPStatus.BAD_REQUEST, str(error)) from None
    return int(moment.timestamp())
