"""Market awards as CAISO delivers them: MarketAwards version 4 XML files in a drop folder.

Put here: which awards exist from when, their XML, and the dropping. Keep out: prices (caiso.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from http import HTTPStatus
from math import isnan
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from domain.instants import PACIFIC
from simulators.clock import VirtualClock
from simulators.faults import Faults, Table
from simulators.localtime import DAY_S, HOUR_S, day_bounds, local_date, utc
from simulators.noise import Floats, Ints, stream, uniforms
from simulators.service import Refused, Service, Settings, json_response
from simulators.transport import HTML_PAGE
from simulators.world import World, epochs

NAMESPACE: Final = "http://www.caiso.com/soa/MarketAwards_v4.xsd#"
COORDINATOR: Final = "MFP1"
UPSTREAM: Final = ("MDFKRL_2_PROJCT", "RALSTON_7_B1")
OXBOW: Final = ("OXBOW_6_DRUM", "OXBOWF_7_B1")
SMALL: Final = (("FMEADO_6_HELLHL", "FMEADO_6_HELLHL"), ("FMEADO_7_UNIT", "FMEADO_7_UNIT"))
"""Resources as the market names them, and where each is priced."""
BACKLOG_S: Final = 2 * DAY_S
QUARTER_S: Final = 900
_OXBOW_LEVELS_MW: Final = (0.0, 2.0, 4.0, 5.0)
_LOOK_S: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One series of awards.

    Attributes:
        resource: Whose.
        location: Where it is priced.
        product: ``EN`` energy, or a capacity product.
        schedule: ``CLEARED`` (the sum), ``MARKET``, ``SELF``, or the product's own.
        mw: One value an interval.
    """

    resource: str
    location: str
    product: str
    schedule: str
    mw: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Award:
    """One file.

    Attributes:
        name: File name.
        market: ``DAM`` or ``RTM``.
        execution: ``IFM`` or ``RTUC``.
        start: First interval [epoch s].
        end: After the last interval [epoch s].
        step: Length of an interval [s].
        published: When it appears [epoch s].
    """

    name: str
    market: str
    execution: str
    start: int
    end: int
    step: int
    published: int


def awards(world: World, published_from: float, published_to: float) -> list[Award]:
    """Return the files that appear in (published_from, published_to], oldest first."""
    low = max(published_from, (world.first_hour + 48) * HOUR_S)
    found = []
    day = local_date(int(low), PACIFIC)
    while day_bounds(day, PACIFIC)[0] <= published_to + DAY_S:
        found.append(_day_ahead(world, day))
        day += timedelta(days=1)
    first = int(low) // HOUR_S - 1
    found += [_real_time(hour) for hour in range(first, int(published_to) // HOUR_S + 1)]
    shown = [award for award in found if low < award.published <= published_to]
    return sorted(shown, key=lambda award: (award.published, award.name))


def _day_ahead(world: World, day: date) -> Award:
    start, end = day_bounds(day, PACIFIC)
    late = float(uniforms(stream(world.seed, "awards"), np.array([start // DAY_S]))[0])
    return Award(
        name=f"MarketAwards_DAM_IFM_{day:%Y%m%d}_v4.xml",
        market="DAM",
        execution="IFM",
        start=start,
        end=end,
        step=HOUR_S,
        # Around one in the afternoon Pacific, the day before.
        published=start - 11 * HOUR_S + int(900 * late),
    )


def _real_time(hour: int) -> Award:
    start = hour * HOUR_S
    return Award(
        name=f"MarketAwards_RTM_RTUC_{utc(start):%Y%m%dT%H}_v4.xml",
        market="RTM",
        execution="RTUC",
        start=start,
        end=start + HOUR_S,
        step=QUARTER_S,
        published=start + HOUR_S + 300,
    )


def by_name(world: World, name: str, now: float) -> Award | None:
    """Return the published file of a name."""
    stamp = name.split("_")[3] if name.count("_") == 4 else ""  # noqa: PLR2004 - as the names above are built
    try:
        if name.startswith("MarketAwards_DAM"):
            award = _day_ahead(world, date.fromisoformat(stamp))
        else:
            moment = np.datetime64(f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:11]}", "s").astype(np.int64)
            award = _real_time(int(moment) // HOUR_S)
    except ValueError:
        return None
    known = award.name == name and award.published <= now and award.start >= (world.first_hour + 48) * HOUR_S
    return award if known else None


def records(world: World, award: Award) -> list[Record]:
    """Return the award series of a file; energy is CLEARED = MARKET + SELF, so the three must never be added up."""
    at = epochs(award.start, award.end, award.step)
    low, high = award.start - award.start % HOUR_S, award.end + -award.end % HOUR_S
    sierra = world.window("sierra", low, high)
    place = (at - low) // HOUR_S
    if award.market == "RTM":
        return _energy(*UPSTREAM, np.round(sierra["mfra_mw"][place], 2), 0.0)
    found = _energy(*UPSTREAM, sierra["award_mw"][place], 15.0)
    found += _energy(*OXBOW, _oxbow_mw(world, at), 0.0)
    for resource, location in SMALL:
        found += _energy(resource, location, np.full(at.size, 0.5), 0.5)
    spare = np.round(np.maximum(0.0, 20.0 - sierra["award_mw"][place] / 10.0), 1)
    for product in ("SR", "NR", "RC_AWD", "RC_CAP"):
        found.append(Record(resource=UPSTREAM[0], location=UPSTREAM[1], product=product, schedule="CLEARED", mw=spare))
    return found


def _oxbow_mw(world: World, at: Ints) -> Floats:
    """Return Oxbow's own award: one level for each half of a local day, as the operators offer it."""
    draw = uniforms(stream(world.seed, "awards", "oxbow"), (at - 8 * HOUR_S) // (DAY_S // 2))
    return np.array(_OXBOW_LEVELS_MW)[(draw * len(_OXBOW_LEVELS_MW)).astype(np.int64)]


def _energy(resource: str, location: str, cleared: Floats, self_scheduled: float) -> list[Record]:
    own = np.minimum(cleared, self_scheduled)
    parts = {"CLEARED": cleared, "MARKET": cleared - own, "SELF": own}
    return [
        Record(resource=resource, location=location, product="EN", schedule=schedule, mw=mw)
        for schedule, mw in parts.items()
    ]


def xml(world: World, award: Award, faults: Faults | None = None, now: float = 0.0) -> str:
    """Return the file's XML, with the data switches that are on at ``now`` [epoch s]."""
    at = epochs(award.start, award.end, award.step)
    trade = {moment: local_date(moment, PACIFIC) for moment in at.tolist()}
    hour = {moment: (moment - day_bounds(trade[moment], PACIFIC)[0]) // HOUR_S + 1 for moment in at.tolist()}
    parts = []
    for record in records(world, award):
        table = Table({"mw": record.mw}, at, np.full(at.size, award.published), ("mw",))
        table = table if faults is None else faults.visible(table, "awards", now)
        left = replace(record, mw=np.asarray(table.columns["mw"], float))
        text = _record_xml(award, left, table.event.tolist(), trade, hour)
        parts.append(text if faults is None else _drifted(text, faults))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<MarketAwards xmlns="{NAMESPACE}"><MessageHeader><TimeDate>{_stamp(award.published)}</TimeDate>'
        "<Source>CMRI</Source><Version>v4</Version></MessageHeader><MessagePayload>"
        f"{''.join(parts)}</MessagePayload></MarketAwards>\n"
    )


def _drifted(text: str, faults: Faults) -> str:
    """Return a record whose elements are called otherwise, or hold one more, where a switch orders it."""
    inner = ("MW", "intervalStartTime", "intervalEndTime", "tradeDate")
    names, extra = faults.drifted("awards", list(inner))
    for old, new in zip(inner, names, strict=False):
        text = text.replace(f"<{old}>", f"<{new}>").replace(f"</{old}>", f"</{new}>")
    more = "".join(f"<{name}>n/a</{name}>" for name in names[len(names) - extra :]) if extra else ""
    return text.replace("</TradeIntervalData>", f"{more}</TradeIntervalData>")


def _record_xml(award: Award, record: Record, at: Sequence[int], trade: dict[int, date], hour: dict[int, int]) -> str:
    head = {
        "marketType": award.market,
        "executionType": award.execution,
        "resource": record.resource,
        "schedulingCoordinator": COORDINATOR,
        "location": record.location,
        "product": record.product,
        "scheduleType": record.schedule,
    }
    intervals = "".join(
        f"<TradeIntervalData><HR>{hour[moment]}</HR><intervalStartTime>{_stamp(moment)}</intervalStartTime>"
        f"<intervalEndTime>{_stamp(moment + award.step)}</intervalEndTime><MW>{_number(mw)}</MW>"
        f"<tradeDate>{trade[moment]}</tradeDate></TradeIntervalData>"
        for moment, mw in zip(at, record.mw.tolist(), strict=True)
    )
    body = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in head.items())
    return f"<MarketResultRecord>{body}{intervals}</MarketResultRecord>"


def _number(mw: float) -> str:
    return "" if isnan(mw) else f"{mw:g}"


def _stamp(seconds: int) -> str:
    return f"{utc(seconds):%Y-%m-%dT%H:%M:%S}-00:00"


class AwardsService(Service):
    """Fills a folder with awards as they are published, and serves the same files over HTTP."""

    name = "awards"
    base_path = "/awards"

    def __init__(self, world: World, clock: VirtualClock, settings: Settings | None = None) -> None:
        super().__init__(world, clock, settings)
        self._dropped_to: dict[str, float] = {}

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes of the list and of single files."""
        return [Route("/awards", self._list), Route("/awards/{name}", self._file)]

    async def _list(self, request: Request) -> Response:
        del request
        now = self.now() - self.faults.delay_s("awards")
        return json_response([award.name for award in awards(self.world, now - BACKLOG_S, now)])

    async def _file(self, request: Request) -> Response:
        award = by_name(self.world, request.path_params["name"], self.now() - self.faults.delay_s("awards"))
        if award is None:
            raise Refused(json_response({"result": "FMWK0008", "message": "No data"}, HTTPStatus.NOT_FOUND))
        return Response(xml(self.world, award, self.faults, self.now()), media_type="application/xml")

    async def background(self) -> None:
        """Drop files as virtual time passes, until cancelled."""
        while True:
            self.drop()
            await asyncio.sleep(_LOOK_S)

    def drop(self) -> list[Path]:
        """Write what was published since the last drop (at first: the backlog of the settings) and return the paths.

        A name is written once: whoever watches the folder may have moved the file away.
        """
        folder = self.settings.awards_folder
        if not folder:
            return []
        now = self.now() - self.faults.delay_s("awards")
        written = []
        first = now - self.settings.awards_backlog_h * HOUR_S
        for award in awards(self.world, self._dropped_to.get(folder, first), now):
            target = Path(folder) / award.name
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_suffix(".partial")
            partial.write_bytes(self._content(award))
            partial.replace(target)
            written.append(target)
        self._dropped_to[folder] = max(now, self._dropped_to.get(folder, now))
        return written

    def _content(self, award: Award) -> bytes:
        content = xml(self.world, award, self.faults, self.now()).encode()
        struck = {fault.name for fault in self.faults.strikes(award.name)}
        if "html_200" in struck:
            return HTML_PAGE
        return content[: len(content) // 2] if "truncate_body" in struck else content
