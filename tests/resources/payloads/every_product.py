"""Every product that a parser reads: how its vendor writes an instant, and when its contract lets it be known.

Put here: one entry a product, with its wire layout. Keep out: assertions (test_change_days.py, test_known_when.py).
The labels come from the calendar of the zone alone (`label`), not from any code of ours.
"""

# ruff: noqa: E501 - one product a line is easier to compare than six
from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from resources.payloads.ercot.sheets import our_names
from resources.payloads.tables import key_of
from tests.resources.payloads.ercot_cases import CASES, Case
from tests.resources.payloads.wire import csv_of, zip_of

CENTRAL, PACIFIC = ZoneInfo("America/Chicago"), ZoneInfo("America/Los_Angeles")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
Instants = Sequence[datetime]
Payload = tuple[bytes, Mapping[str, Any]]
"""The bytes, and what else is known of them (fields of Facts)."""
Contract = Callable[[datetime, datetime], datetime]
"""The earliest moment at which an interval's number may count as known, from its start and end."""


@dataclass(frozen=True, kw_only=True)
class Wire:
    """One product.

    Attributes:
        service: Whose parser reads it.
        series: The series that the payload is of.
        scenario: Its scenario.
        write: Makes the payload that holds these instants.
        step: From one instant to the next.
        zone: Whose days it has.
        earliest: The contract; None where a number is known only once it is in our hands.
        issued: When all of the payload was published, from its first instant, where that is the contract.
        since: The first local day on which it exists.
        shifted: What lies between an instant and the start of its event in our rows.
        unflagged: Whether it leaves neither pass of the repeated hour certain.
    """

    service: str
    series: str
    write: Callable[[Instants], Payload]
    step: timedelta
    scenario: str = "actual"
    zone: ZoneInfo = PACIFIC
    earliest: Contract | None = None
    issued: Callable[[datetime], datetime] | None = None
    since: date | None = None
    shifted: timedelta = timedelta(0)
    unflagged: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)


def day_before(zone: ZoneInfo, at: time, days: int = 1) -> Contract:
    """A day-ahead result: public at a local time of an earlier day."""

    def earliest(start: datetime, end: datetime) -> datetime:
        del end
        day = start.astimezone(zone).date() - timedelta(days=days)
        return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)

    return earliest


def after_end(delay: timedelta) -> Contract:
    """A measurement or a price: public some time after its interval."""
    return lambda _, end: end + delay


# ERCOT: columns in the layouts of ercot_cases.py, and of the products that come in two layouts or of corrections.
_CORRECTED = "08/19/2026 16:30:00"
_MORE = [
    *(
        Case(emil, header, row, series, value, unit, "", "", None, scenario)
        for emil, header, row, series, value, unit, scenario in (
            ("NP6-323", "SCEDTimestamp,RepeatedHourFlag,SystemLambda,RTORPA,RTOFFPA,RTOLCAP", "08/14/2026 16:30:12,N,19.75,0.25,0.5,120", "ercot:adder_sced:RTORPA", 0.25, "USD/MWh", "actual"),
            ("NP6-324", "DeliveryDate,DeliveryHour,DeliveryInterval,RTORPA,RTOFFPA,RepeatedHourFlag", "08/14/2026,17,3,0.25,0.5,N", "ercot:adder_rt15:RTORPA", 0.25, "USD/MWh", "actual"),
            ("NP3-763", "DeliveryDate,HourEnding,CapGenRes,AvailCapGen,RepeatedHourFlag", "08/14/2026,17,100,90000,N", "ercot:adequacy:availcapgen", 90000, "MW", "deterministic"),
            ("NP3-233", "OperatingDate,HourEnding,TotalResourceMW,TotalIRRMW", "08/14/2026,17,100,50", "ercot:outage_capacity:totalirrmw", 50, "MW", "deterministic"),
            ("NP4-196", "DeliveryDate,DeliveryHour,SettlementPoint,SPPOriginal,SPPCorrected,PriceCorrectionTime,DSTFlag", f"08/14/2026,17,LZ_WEST,1,2,{_CORRECTED},N", "ercot:spp_da:LZ_WEST", 2, "USD/MWh", "corrected"),
            ("NP4-196", "DeliveryDate,DeliveryHour,ASType,MCPCOriginal,MCPCCorrected,PriceCorrectionTime,DSTFlag", f"08/14/2026,17,REGUP,1,2,{_CORRECTED},N", "ercot:mcpc_da:REGUP", 2, "USD/MW", "corrected"),
            ("NP4-196", "DeliveryDate,DeliveryHour,ElectricalBus,LMPOriginal,LMPCorrected,PriceCorrectionTime,DSTFlag", f"08/14/2026,17,BUS1,1,2,{_CORRECTED},N", "ercot:lmp_bus_da:BUS1", 2, "USD/MWh", "corrected"),
            ("NP4-197", "DeliveryDate,DeliveryHour,DeliveryInterval,SettlementPointName,SettlementPointType,SPPOriginal,SPPCorrected,PriceCorrectionTime,DSTFlag", f"08/14/2026,17,3,LZ_WEST,LZ,1,2,{_CORRECTED},N", "ercot:spp_rt:LZ_WEST:LZ", 2, "USD/MWh", "corrected"),
            ("NP4-197", "DeliveryDate,DeliveryHour,DeliveryInterval,ASType,MCPCOriginal,MCPCCorrected,PriceCorrectionTime,RepeatHourFlag", f"08/14/2026,17,3,ECRS,1,2,{_CORRECTED},N", "ercot:mcpc_rt15:ECRS", 2, "USD/MW", "corrected"),
            ("NP4-197", "DeliveryDate,DeliveryHour,DeliveryInterval,ResourceType,ResourceName,MeterName,PriceOriginal,PriceCorrected,PriceCorrectionTime,DSTFlag", f"08/14/2026,17,3,GEN,R1,M1,1,2,{_CORRECTED},N", "ercot:price_meter_rt:GEN:R1:M1", 2, "USD/MWh", "corrected"),
            ("NP4-197", "SCEDTimestamp,SettlementPointName,LMPOriginal,LMPCorrected,PriceCorrectionTime,DSTFlag", f"08/14/2026 16:30:12,HB_NORTH,1,2,{_CORRECTED},N", "ercot:lmp_sced:HB_NORTH", 2, "USD/MWh", "corrected"),
            ("NP4-197", "SCEDTimestamp,ASType,MCPCOriginal,MCPCCorrected,PriceCorrectionTime,RepeatHourFlag", f"08/14/2026 16:30:12,ECRS,1,2,{_CORRECTED},N", "ercot:mcpc_sced:ECRS", 2, "USD/MW", "corrected"),
            ("NP4-197", "SCEDTimestamp,ElectricalBus,LMPOriginal,LMPCorrected,PriceCorrectionTime,DSTFlag", f"08/14/2026 16:30:12,BUS1,1,2,{_CORRECTED},N", "ercot:lmp_bus_sced:BUS1", 2, "USD/MWh", "corrected"),
            ("NP4-197", "SCEDTimestamp,ResourceType,ResourceName,MeterName,FinalLMPOriginal,FinalLMPCorrected,PriceCorrectionTime,RepeatHourFlag", f"08/14/2026 16:30:12,GEN,R1,M1,1,2,{_CORRECTED},N", "ercot:lmp_meter_sced:GEN:R1:M1", 2, "USD/MWh", "corrected"),
            ("NP4-197", "SCEDTimestamp,ConstraintName,ContingencyName,ShadowPriceOriginal,ShadowPriceCorrected,PriceCorrectionTime,DSTFlag", f"08/14/2026 16:30:12,L1,BASE,1,2,{_CORRECTED},N", "ercot:shadow_price:L1:BASE", 2, "USD/MWh", "corrected"),
        )
    ),
]  # fmt: skip


def columns_of(case: Case) -> dict[str, int]:
    """Where a case's row has each of our columns."""
    keys = [key_of(name) for name in case.header.split(",")]
    return {name: keys.index(key) for name, key in our_names(keys).items()}


def label(start: datetime, step: timedelta) -> dict[str, str]:
    """ERCOT's labels of an interval or a run: what the clock on the wall shows, and whether it shows it again."""
    local, end = start.astimezone(CENTRAL), (start + step).astimezone(CENTRAL)
    flag, clock = "Y" if local.fold else "N", "%m/%d/%Y %H:%M:%S"
    return {
        "date": f"{local:%m/%d/%Y}",
        "hour": f"{local.hour + 1}",
        "interval": f"{local.minute // 15 + 1}",
        "repeated": flag,
        "time_ending": f"{end:%H:%M}" if f"{end:%H:%M}" != "00:00" else "24:00",
        "sced_at": f"{local:{clock}}",
        "rtd_at": f"{local:{clock}}",
        "interval_ending": f"{end:{clock}}",
        "interval_repeated": "Y" if end.fold else "N",
        "corrected_at": f"{(start + 5 * DAY).astimezone(CENTRAL):{clock}}",
    }


def _ercot(case: Case) -> Wire:
    where = columns_of(case)
    if "sced_at" in where or "rtd_at" in where:
        step = 5 * MINUTE
    else:
        step = 15 * MINUTE if {"interval", "time_ending"} & set(where) else HOUR

    def write(instants: Instants) -> Payload:
        lines = []
        for instant in instants:
            cells = case.row.split(",")
            for name, text in label(instant, step).items():
                if name in where:
                    cells[where[name]] = text
            lines.append(",".join(cells))
        return csv_of(case.header, lines), {"product": case.emil}

    rules: dict[str, Contract] = {
        "NP6-905": after_end(2 * MINUTE), "NP6-331": after_end(2 * MINUTE), "NP6-324": after_end(2 * MINUTE),
        **dict.fromkeys(("NP4-190", "NP4-188", "NP4-523"), day_before(CENTRAL, time(12, 30))),
        **dict.fromkeys(("NP6-345", "NP6-346"), day_before(CENTRAL, time(5, 50), -1)),
        # A run's results are out about fifteen seconds after it; what it looks ahead at is known as early.
        **dict.fromkeys(("NP6-788", "NP6-322", "NP6-86", "NP6-332", "NP6-328", "NP6-323"), lambda at, _: at + timedelta(seconds=15)),
        **dict.fromkeys(("NP6-970", "NP6-329"), lambda at, _: at + timedelta(seconds=15)),
        **dict.fromkeys(("NP4-196", "NP4-197"), lambda at, _: at + 5 * DAY),
    }  # fmt: skip
    new = case.emil in {"NP6-331", "NP6-332", "NP6-329", "NP6-328"} or "RTRDP" in case.header.upper()
    return Wire(
        service="ercot", series=case.series, scenario=case.scenario, write=write, step=step, zone=CENTRAL,
        earliest=rules.get(case.emil), since=date(2025, 12, 5) if new else None,
        unflagged=not {"repeated", "time_ending"} & set(where),
    )  # fmt: skip


def _dashboard(series: str, content: Callable[[Instants], Any], step: timedelta) -> Wire:
    def write(instants: Instants) -> Payload:
        value = {"lastUpdated": f"{instants[-1] + HOUR:%Y-%m-%d %H:%M:%S}+0000", **content(instants)}
        return json.dumps(value).encode(), {}

    return Wire(service="ercot", series=series, write=write, step=step, zone=CENTRAL, earliest=after_end(timedelta(0)))


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _rows(name: str, length: timedelta) -> Callable[[Instants], Any]:
    return lambda instants: {"currentDay": {"data": [{"epoch": _ms(at + length), name: 5} for at in instants]}}


def _messages(instants: Instants) -> Payload:
    rows = ""
    for at in instants:
        local = at.astimezone(CENTRAL)
        clock = f"{local:%b} {local.day}, {local.year} {local.hour % 12 or 12}:{local:%M:%S %p}"
        rows += f"<tr><td>{clock}</td><td>A watch, number {_ms(at)}</td><td>Watch</td><td>Active</td></tr>"
    return f"<!doctype html><html><table><tr><th>Notice</th></tr>{rows}</table></html>".encode(), {}


def _oasis(names: str, row: str, run: str, step: timedelta) -> Callable[[Instants], Payload]:
    def write(instants: Instants) -> Payload:
        iso = "%Y-%m-%dT%H:%M:%S-00:00"
        lines = [f"{at:{iso}},{at + step:{iso}},{_ordinal(at)},{run},{row}" for at in reversed(instants)]
        return zip_of(
            {"a.csv": csv_of(f"INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,OPR_HR,MARKET_RUN_ID,{names}", lines)}
        ), {}

    return write


def _ordinal(at: datetime) -> int:
    midnight = at.astimezone(PACIFIC).replace(hour=0, minute=0, second=0, fold=0)
    return int((at - midnight.astimezone(UTC)) / HOUR) + 1


def _caiso(series: str, names: str, row: str, run: str, step: timedelta, days: int | None) -> Wire:
    scenario = "deterministic" if "fcst" in series else "actual"
    rule = after_end(5 * MINUTE) if days is None else day_before(PACIFIC, time(13), days)
    return Wire(
        service="caiso", series=series, scenario=scenario, write=_oasis(names, row, run, step), step=step, earliest=rule
    )


def _pi(kind: str, step: timedelta) -> Wire:
    def value(at: datetime, number: float = 5.0) -> dict[str, Any]:
        stamp = f"{at:%Y-%m-%dT%H:%M:%SZ}"
        return {"Timestamp": stamp, "Value": number, "Good": True, "UnitsAbbreviation": "cfs"}

    def write(instants: Instants) -> Payload:
        plain = [value(at) for at in instants]
        typed = [{"Type": "Average", "Value": one} for one in plain]
        typed += [{"Type": "PercentGood", "Value": value(at, 100.0)} for at in instants]
        items = typed if kind == "avg1h" else plain
        return json.dumps({"Items": items}).encode(), {"options": {"path": "OPS/R4|Flow", "kind": kind}}

    return Wire(service="pi", series=f"pi:OPS/R4|Flow:{kind}", write=write, step=step, earliest=after_end(5 * MINUTE))


def _yes(agglevel: str, step: timedelta, zone: str = "GMT", item: str = "DALMP") -> Wire:
    where = {"GMT": ZoneInfo("UTC"), "PPT": PACIFIC, "CPT": CENTRAL}[zone]

    def write(instants: Instants) -> Payload:
        walls = [(at + step).astimezone(where) for at in instants]
        options = {"timezone": zone, "iso": "CAISO", "agglevel": agglevel}
        return csv_of(f"DATETIME,N1 ({item})", [f"{wall:%m/%d/%Y %H:%M:%S},5.25" for wall in walls]), {
            "options": options
        }

    rule = day_before(PACIFIC, time(13)) if item == "DALMP" else after_end(10 * MINUTE)
    own = CENTRAL if zone == "CPT" else PACIFIC
    return Wire(service="yes", series=f"yes:CAISO:{item}:N1", write=write, step=step, zone=own, earliest=rule)


def _river(parameter: str, name: str) -> Callable[[Instants], Payload]:
    def write(instants: Instants) -> Payload:
        issue = _nominal(instants[0])
        lines = [f",{parameter}", *(f"{at:%Y-%m-%d %H:%M:%S},1.5" for at in instants)]
        return csv_of("GMT,FOLC1", lines), {"name": f"{issue:%Y%m%d%H}_{name}.csv"}

    return write


def _river_point(instants: Instants) -> Payload:
    def clock(at: datetime) -> str:
        return f"{at.astimezone(PACIFIC):%m/%d/%Y %I %p}"

    names = "Valid Date/Time (Pacific),Flow (CFS),Trend,Issuance Date/Time (Pacific),Observed/Forecast"
    lines = [f"{clock(at)},5,Rising,{clock(instants[0] - HOUR)},Forecast" for at in instants]
    return csv_of(names, lines), {"options": {"point": "FOLC1"}}


def _hydro_v2(instants: Instants) -> Payload:
    times = [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in instants]
    issue = {"issueTime": f"{instants[0] - HOUR:%Y-%m-%dT%H:%M:%SZ}", "validTimes": times}
    issue["data"] = {"discharge_mean": [5.0] * len(times)}
    query = {"siteId": "r4", "unitSystem": "US", "timeAggregation": "1H"}
    return json.dumps({"data": [{"query": query, "forecasts": [issue]}]}).encode(), {}


def _hydro_v1(instants: Instants) -> Payload:
    times = [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in instants]
    issue = {"forecastDate": times[0], "updatedAt": f"{instants[0] - HOUR:%Y-%m-%dT%H:%M:%SZ}"}
    issue["data"] = {"datetime": times, "discharge_mean": [5.0] * len(times)}
    data = {"siteId": "r4", "type": "short-term", "units": "cfs", "forecasts": [issue]}
    return json.dumps({"page": 1, "hasNextPage": False, "data": data}).encode(), {}


def _awards(market: str, step: timedelta) -> Callable[[Instants], Payload]:
    def write(instants: Instants) -> Payload:
        iso = "%Y-%m-%dT%H:%M:%S-00:00"
        cells = "".join(
            f"<TradeIntervalData><HR>{_ordinal(at)}</HR><intervalStartTime>{at:{iso}}</intervalStartTime>"
            f"<intervalEndTime>{at + step:{iso}}</intervalEndTime><MW>4</MW></TradeIntervalData>"
            for at in instants
        )
        head = f"<marketType>{market}</marketType><resource>A</resource><product>EN</product>"
        record = f"<MarketResultRecord>{head}<scheduleType>CLEARED</scheduleType>{cells}</MarketResultRecord>"
        return f'<MarketAwards xmlns="x#">{record}</MarketAwards>'.encode(), {}

    return write


def _nominal(first: datetime) -> datetime:
    """The nominal hour of the river forecasts here: noon UTC of the day before their first instant."""
    return first.replace(hour=12, minute=0, second=0) - DAY


_ISSUED_LATER = 213 * MINUTE
"""The earliest that a deterministic river forecast was ever seen after its nominal hour."""


_LMP = ("NODE,LMP_TYPE,MW", "N1,LMP,5")
_SLD = ("TAC_AREA_NAME,MW,EXECUTION_TYPE", "PGE,5,")
_REN = ("TRADING_HUB,RENEWABLE_TYPE,MW", "NP15,Wind,5")
ERCOT_CASES = [*CASES, *_MORE]
WIRES: dict[str, Wire] = {
    **{f"ercot {case.emil} {case.series} {case.scenario}": _ercot(case) for case in ERCOT_CASES},
    "dashboard _storage": _dashboard("ercot:storage:net", _rows("netOutput", 0 * HOUR), 5 * MINUTE),
    "dashboard _load": _dashboard("ercot:load_actual:system_total", _rows("systemLoad", HOUR), HOUR),
    "dashboard _wind_solar": _dashboard("ercot:wind_actual:system", _rows("actualWind", HOUR), HOUR),
    "dashboard _supply": _dashboard("ercot:supply:demand", lambda instants: {"data": [{"epoch": _ms(at), "demand": 5, "forecast": 0} for at in instants], "forecast": []}, 5 * MINUTE),
    "dashboard _fuel_mix": _dashboard("ercot:gen:wind", lambda instants: {"data": {"day": {f"{at.astimezone(CENTRAL):%Y-%m-%d %H:%M:%S%z}": {"Wind": {"gen": 5}} for at in instants}}}, 5 * MINUTE),
    "dashboard _outages": _dashboard("ercot:outages:combined:total", lambda instants: {"current": {str(_ms(at)): {"Combined": {"total": 5}} for at in instants}}, HOUR),
    "dashboard _condition": _dashboard("ercot:prc", lambda instants: {"current_condition": {"datetime": _ms(instants[0]) // 1000, "prc_value": "5,000"}}, HOUR),
    "dashboard _monitor": _dashboard("ercot:as_monitor:regUpCap", lambda instants: {"lastUpdated": f"{instants[0]:%Y-%m-%d %H:%M:%S}+0000", "data": {"a": [["Title"], ["regUpCap", "5"]]}}, HOUR),
    "messages": Wire(service="ercot", series="ercot:ops_message:watch", scenario="*", write=_messages, step=20 * MINUTE, zone=CENTRAL, earliest=lambda start, _: start),
    "caiso price DAM": _caiso("caiso:lmp_da:N1:LMP", *_LMP, "DAM", HOUR, 1),
    "caiso price RUC": _caiso("caiso:lmp_ruc:N1:LMP", *_LMP, "RUC", HOUR, 1),
    "caiso price HASP": _caiso("caiso:lmp_hasp:N1:LMP", *_LMP, "HASP", 15 * MINUTE, None),
    "caiso price RTPD": _caiso("caiso:lmp_rtpd:N1:LMP", "NODE,LMP_TYPE,PRC", "N1,LMP,5", "RTPD", 15 * MINUTE, None),
    "caiso price RTM": _caiso("caiso:lmp_rtd:N1:LMP", "NODE,LMP_TYPE,VALUE", "N1,LMP,5", "RTM", 5 * MINUTE, None),
    "caiso price RTD": _caiso("caiso:lmp_rtd:N1:LMP", "NODE,LMP_TYPE,VALUE", "N1,LMP,5", "RTD", 5 * MINUTE, None),
    "caiso reserve DAM": _caiso("caiso:as_da:AS_CAISO:RU", "ANC_REGION,ANC_TYPE,MW", "AS_CAISO,RU,5", "DAM", HOUR, 1),
    "caiso load DAM": _caiso("caiso:load_fcst:DAM:PGE", *_SLD, "DAM", HOUR, 1),
    "caiso load 2DA": _caiso("caiso:load_fcst:2DA:PGE", *_SLD, "2DA", HOUR, 2),
    "caiso load 7DA": _caiso("caiso:load_fcst:7DA:PGE", *_SLD, "7DA", HOUR, 7),
    "caiso load RTM": _caiso("caiso:load_fcst:RTM:PGE", *_SLD, "RTM", 15 * MINUTE, None),
    "caiso load ACTUAL": _caiso("caiso:load_actual:PGE", *_SLD, "ACTUAL", HOUR, None),
    "caiso renewable DAM": _caiso("caiso:ren_fcst:DAM:NP15:Wind", *_REN, "DAM", HOUR, 1),
    "caiso renewable ACTUAL": _caiso("caiso:ren_actual:NP15:Wind", *_REN, "ACTUAL", HOUR, None),
    "pi avg1h": _pi("avg1h", HOUR),
    "pi interp1h": _pi("interp1h", HOUR),
    "pi recorded": _pi("recorded", 5 * MINUTE),
    "yes 5min": _yes("5min", 5 * MINUTE, item="RTLMP"),
    "yes hour": _yes("hour", HOUR),
    "yes hour, Pacific labels": _yes("hour", HOUR, "PPT"),
    "yes hour, Central labels": _yes("hour", HOUR, "CPT", "RTLMP"),
    "yes day": _yes("day", DAY),
    "cnrfc deterministic": Wire(service="cnrfc", series="cnrfc:flow:FOLC1", scenario="deterministic", write=_river("QINE", "american_csv_export"), step=HOUR, issued=lambda first: _nominal(first) + _ISSUED_LATER),
    "cnrfc hefs_hourly": Wire(service="cnrfc", series="cnrfc:flow:FOLC1", scenario="member:1", write=_river("QINE", "american_hefs_csv_hourly"), step=HOUR, issued=lambda first: _nominal(first) + _ISSUED_LATER),
    "cnrfc hefs_daily": Wire(service="cnrfc", series="cnrfc:flow_daily:FOLC1", scenario="member:1", write=_river("SQME", "american_hefs_csv_daily"), step=DAY, issued=lambda first: _nominal(first) + _ISSUED_LATER, shifted=-DAY),
    "cnrfc point": Wire(service="cnrfc", series="cnrfc:flow:FOLC1", scenario="deterministic", write=_river_point, step=HOUR, issued=lambda first: first),
    "hydroforecast v2": Wire(service="hydroforecast", series="hydroforecast:discharge:r4", scenario="mean", write=_hydro_v2, step=HOUR, issued=lambda first: first - HOUR),
    "hydroforecast v1": Wire(service="hydroforecast", series="hydroforecast:discharge:r4", scenario="mean", write=_hydro_v1, step=HOUR, issued=lambda first: first - HOUR),
    "awards DAM": Wire(service="awards", series="awards:A:EN:CLEARED", scenario="day_ahead", write=_awards("DAM", HOUR), step=HOUR, earliest=day_before(PACIFIC, time(13))),
    "awards RTM": Wire(service="awards", series="awards:A:EN:CLEARED", scenario="real_time", write=_awards("RTM", 15 * MINUTE), step=15 * MINUTE),
}  # fmt: skip
"""By name; the tests hold the names against what the parsers know."""
