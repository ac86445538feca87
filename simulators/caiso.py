"""A stand-in for CAISO OASIS: zips of CSV, or zips that say why not.

Put here: the routes, their errors, file names and limits. Keep out: reports and their columns (caiso_reports.py,
caiso_forecasts.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from domain.instants import PACIFIC
from simulators.archives import zip_bytes
from simulators.caiso_reports import GROUPS, REPORTS
from simulators.caiso_tables import Report, csv_text
from simulators.clock import VirtualClock
from simulators.faults import Table
from simulators.localtime import HOUR_S, epoch, utc
from simulators.service import Refused, Service, Settings
from simulators.world import World

LONGEST: Final = timedelta(days=31)
NO_DATA: Final = "1000"
BAD_PARAMETER: Final = "1004"
TOO_LONG: Final = "1006"
"""Error codes; 1000 is known, the others are guesses of the right kind."""
_STAMP: Final = re.compile(r"(\d{8}T\d{2}:\d{2})-(\d{2})(\d{2})")
_ERROR: Final = """<?xml version="1.0" encoding="UTF-8"?>
<m:OASISReport xmlns:m="http://www.caiso.com/soa/OASISReport_v1.xsd"><m:MessagePayload><m:RTO><m:name>CAISO</m:name>\
<m:ERROR><m:ERR_CODE>{code}</m:ERR_CODE><m:ERR_DESC>{text}</m:ERR_DESC></m:ERROR></m:RTO></m:MessagePayload>\
</m:OASISReport>
"""


class OasisService(Service):
    """OASIS without a login, one call at a time."""

    name = "caiso"
    base_path = "/oasisapi"

    def __init__(self, world: World, clock: VirtualClock, settings: Settings | None = None) -> None:
        super().__init__(world, clock, settings)
        self._last_call = float("-inf")

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes of single reports and of groups of reports."""
        return [Route("/oasisapi/SingleZip", self._single), Route("/oasisapi/GroupZip", self._group)]

    def _spaced(self) -> None:
        """Raise 429 where the last call was too short a while ago."""
        waited = self.clock.elapsed() - self._last_call
        if self.settings.vendor_limits and waited < self.settings.caiso_spacing_s:
            text = "Too many requests: acceptable use is one request every five seconds"
            raise Refused(Response(text, HTTPStatus.TOO_MANY_REQUESTS, media_type="text/plain"))
        self._last_call = self.clock.elapsed()

    async def _single(self, request: Request) -> Response:
        self._spaced()
        query = request.query_params
        report = REPORTS.get((query.get("queryname", ""), query.get("market_run_id", "")))
        fault = _fault(report, query)
        if report is None or fault:
            return self._refusal(*(fault or (BAD_PARAMETER, "Unknown report")))
        start, end = _instant(query["startdatetime"]), _instant(query["enddatetime"])
        asked = query.get(report.place)
        places = tuple(dict.fromkeys(asked.split(","))) if asked else ()
        table = self._table(report, start, end, places)
        if not table.event.size:
            return self._refusal(NO_DATA, "No data returned for the specified selection")
        stem = self._stem(report, start, end)
        return _zip_response(f"{stem}.zip", {f"{stem}.csv": self._text(report, table)})

    async def _group(self, request: Request) -> Response:
        self._spaced()
        query = request.query_params
        found = GROUPS.get(query.get("groupid", ""))
        try:
            start = _instant(query.get("startdatetime", ""))
        except ValueError as error:
            return self._refusal(BAD_PARAMETER, str(error))
        if found is None or query.get("resultformat") != "6":
            return self._refusal(BAD_PARAMETER, f"Unknown groupid {query.get('groupid')}")
        name, length = found
        report = REPORTS[name]
        table = self._table(report, start, start + length, ())
        if not table.event.size:
            return self._refusal(NO_DATA, "No data returned for the specified selection")
        stem = self._stem(report, start, start + length)
        members = {}
        for kind in dict.fromkeys(table.columns["LMP_TYPE"].tolist()):
            part = table.take(table.columns["LMP_TYPE"] == kind)
            members[f"{stem.replace(report.query, f'{report.query}_{kind}')}.csv"] = self._text(report, part)
        return _zip_response(f"{stem}.zip", members)

    def _table(self, report: Report, start: int, end: int, places: tuple[str, ...]) -> Table:
        """Return the rows of the intervals that begin in [start, end) and have been published."""
        first = max(start - start % HOUR_S, self.world.first_hour * HOUR_S)
        last = end + -end % HOUR_S
        table = report.build(self.world, first, max(first, last), places)
        table = table.take((table.event >= start) & (table.event < end))
        return self.faults.visible(table, f"caiso:{report.query}:{report.run}", self.now())

    def _text(self, report: Report, table: Table) -> str:
        names, extra = self.faults.drifted(f"caiso:{report.query}:{report.run}", list(table.columns))
        return csv_text(self.world.seed, table, names, extra)

    def _stem(self, report: Report, start: int, end: int) -> str:
        created = utc(self.now()).astimezone(PACIFIC).strftime("%Y%m%d_%H_%M_%S")
        days = [utc(moment).astimezone(PACIFIC).strftime("%Y%m%d") for moment in (start, end)]
        return f"{days[0]}_{days[1]}_{report.query}_{report.run}_{created}_v{report.version}"

    def _refusal(self, code: str, text: str) -> Response:
        created = utc(self.now()).astimezone(PACIFIC).strftime("%Y%m%d_%H_%M_%S")
        member = {"INVALID_REQUEST.xml": _ERROR.format(code=code, text=text)}
        return _zip_response(f"{created}_INVALID_REQUEST.xml.zip", member)


def _fault(report: Report | None, query: Mapping[str, str]) -> tuple[str, str] | None:
    """Return what is wrong with a query: code and text."""
    try:
        start, end = _instant(query.get("startdatetime", "")), _instant(query.get("enddatetime", ""))
    except ValueError as error:
        return BAD_PARAMETER, str(error)
    wrong = {
        "Unknown queryname and market_run_id": report is None,
        "Version is not supported": report is not None and query.get("version") != str(report.version),
        "Only resultformat 6 is available": query.get("resultformat") != "6",
        "enddatetime must be after startdatetime": end <= start,
    }
    reasons = [text for text, holds in wrong.items() if holds]
    if reasons:
        return BAD_PARAMETER, reasons[0]
    if end - start > LONGEST.total_seconds():
        return TOO_LONG, "The requested range exceeds 31 days"
    return None


def _instant(text: str) -> int:
    match = _STAMP.fullmatch(text)
    if match is None:
        raise ValueError(f"Invalid date {text}; use yyyyMMddTHH:mm-0000")
    naive = datetime.strptime(match[1], "%Y%m%dT%H:%M").replace(tzinfo=UTC)
    return epoch(naive + timedelta(hours=int(match[2]), minutes=int(match[3])))


def _zip_response(filename: str, members: Mapping[str, str]) -> Response:
    content = zip_bytes({name: text.encode() for name, text in members.items()})
    headers = {"Content-Disposition": f"inline; filename={filename};"}
    return Response(content, HTTPStatus.OK, headers, media_type="application/x-zip-compressed")
