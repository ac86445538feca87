"""A stand-in for the web site of the California Nevada River Forecast Center: plain files and listing pages.

Put here: routes, listings, headers. Keep out: the files (cnrfc_files.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from math import isnan
from typing import Final

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from domain.instants import PACIFIC
from simulators.archives import zip_bytes
from simulators.cnrfc_files import AHEAD_H, PAST_H, POINTS, File, find, recent, text
from simulators.faults import Table
from simulators.localtime import HOUR_S, utc
from simulators.service import Service
from simulators.world_forecasts import river_forecast

_PAGES: Final = {
    "deterministicHourlyProductCSV.php": "export",
    "ensembleHourlyProductCSV.php": "hourly",
    "ensembleProductCSV.php": "daily",
}
_POINT_HEADER: Final = (
    "Valid Date/Time (Pacific)",
    "Flow (CFS)",
    "Trend",
    "Issuance Date/Time (Pacific)",
    "Threshold Exceedance Status",
    "Observed/Forecast",
)
_NOT_FOUND: Final = "<html><head><title>404 Not Found</title></head><body>Not Found</body></html>"


class CnrfcService(Service):
    """Files by name, with honest Last-Modified headers."""

    name = "cnrfc"

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes of files, listings and single points."""
        return [
            Route("/csv/{name}", self._file),
            Route("/graphicalRVF_csv.php", self._point),
            *(Route(f"/{page}", self._listing) for page in _PAGES),
        ]

    async def _file(self, request: Request) -> Response:
        delay = self.faults.delay_s("cnrfc")
        now = self.now() - delay
        file = find(self.world, request.path_params["name"], now)
        if file is None:
            status = HTTPStatus.OK if self.settings.cnrfc_html_before_issue else HTTPStatus.NOT_FOUND
            return Response(_NOT_FOUND, status, media_type="text/html")
        # A file that had been wrong is written again under its name.
        modified = utc(max(file.modified + delay, min(self.faults.mended_at, self.now())))
        since = request.headers.get("if-modified-since")
        if since and parsedate_to_datetime(since) >= modified:
            return Response(status_code=HTTPStatus.NOT_MODIFIED)
        content = self._text(file).encode()
        if file.name.endswith(".zip"):
            content = zip_bytes({file.member_name: content})
        headers = {"Last-Modified": format_datetime(modified, usegmt=True)}
        media = "application/zip" if file.name.endswith(".zip") else "text/csv"
        return Response(content, HTTPStatus.OK, headers, media_type=media)

    def _text(self, file: File) -> str:
        members, hours = self.settings.hefs_members, self.settings.hefs_hours
        return text(self.world, self.faults, file, members=members, hours=hours, now=self.now())

    async def _listing(self, request: Request) -> Response:
        kind = _PAGES[request.url.path.rpartition("/")[2]]
        delay = self.faults.delay_s("cnrfc")
        rows = []
        for file in recent(self.world, kind, self.now() - delay):
            size = -(-len(zip_bytes({file.member_name: self._text(file).encode()})) // 1024)
            stamp = f"{utc(file.modified + delay):%Y-%m-%d %H:%M}"
            link = f'<a href="/csv/{file.name}">{file.name}</a>'
            cells = (file.name.split("_")[1], link, stamp, f"{size}K")
            rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
        head = "".join(f"<th>{name}</th>" for name in ("Forecast Group", "Filename", "Date/Time Last Modified", "Size"))
        page = f"<html><body><table><tr>{head}</tr>{''.join(rows)}</table></body></html>"
        return Response(page, media_type="text/html")

    async def _point(self, request: Request) -> Response:
        point = request.query_params.get("id", "")
        shown = recent(self.world, "export", self.now() - self.faults.delay_s("cnrfc"))
        if point not in POINTS or not shown:
            return Response(_NOT_FOUND, HTTPStatus.NOT_FOUND, media_type="text/html")
        return Response(self._point_csv(point, shown[0]), media_type="text/csv")

    def _point_csv(self, point: str, file: File) -> str:
        """Return one point in cubic feet a second at naive local times, observed then forecast."""
        start = file.cycle - PAST_H * HOUR_S
        past = self.world.window("sierra", start, file.cycle)[POINTS[point]]
        ahead = river_forecast(self.world, POINTS[point], file.cycle // HOUR_S, "cnrfc", AHEAD_H).median_cfs
        flow = np.concatenate([past, ahead]).tolist()
        issued = f"{utc(file.modified).astimezone(PACIFIC):%m/%d/%Y %I %p}"
        names, extra = self.faults.drifted("cnrfc:point", list(_POINT_HEADER))
        lines = [",".join(names)]
        at = np.arange(start, start + len(flow) * HOUR_S, HOUR_S, dtype=np.int64)
        table = Table({"flow": np.array(flow)}, at, np.full(at.size, file.modified), ("flow",))
        table = self.faults.visible(table, "cnrfc:point", self.now())
        for moment, value in zip(table.event.tolist(), table.columns["flow"].tolist(), strict=True):
            place = (moment - start) // HOUR_S
            local = f"{utc(moment).astimezone(PACIFIC):%m/%d/%Y %I %p}"
            trend = "" if place in {0, PAST_H} else ("Rising" if value > flow[place - 1] else "Falling")
            seen = "Observed" if place < PAST_H else "Forecast"
            number = "" if isnan(value) else f"{value:.0f}"
            lines.append(",".join([local, number, trend, issued, "No Exceedance", seen, *["n/a"] * extra]))
        return "\n".join(lines) + "\n"
