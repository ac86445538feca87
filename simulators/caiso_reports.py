"""The OASIS price reports: rows out of the world, in columns as printed.

Put here: one builder a price report, and the register of all reports. Keep out: forecasts (caiso_forecasts.py),
printing (caiso_tables.py), HTTP and zips (caiso.py).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulators.caiso_forecasts import LOAD_REPORTS, RENEWABLE_REPORTS
from simulators.caiso_tables import Report, gmt, operating_columns
from simulators.faults import Table
from simulators.localtime import HOUR_S
from simulators.noise import Ints, normals, stream
from simulators.world import World, epochs
from simulators.world_california import COMPONENTS, NODES

QUARTER_S: Final = 900
FIVE_MIN_S: Final = 300
_ITEMS: Final = {
    "LMP": "LMP_PRC",
    "MCE": "LMP_ENE_PRC",
    "MCC": "LMP_CONG_PRC",
    "MCL": "LMP_LOSS_PRC",
    "MGHG": "LMP_GHG_PRC",
}
_ALL_GROUPS: Final = "ALL_APNODES"
_HASP_BEFORE_S: Final = 2700
"""The hour-ahead process tells about 45 minutes before an interval."""
_AS_REGIONS: Final = {"AS_CAISO": 1.0, "AS_CAISO_EXP": 0.9, "AS_NP26": 1.1, "AS_SP26": 1.05}
_AS_TYPES: Final = {"RU": 0.35, "RD": 0.15, "SR": 0.25, "NR": 0.1, "RMU": 0.05, "RMD": 0.05}


def _lmps(world: World, at: Ints, step: int, family: str, places: tuple[str, ...], run: str, price: str) -> Table:
    known = tuple(node for node in NODES if not places or node in places)
    count = at.size * len(COMPONENTS)
    when = operating_columns(at)
    prices = world.window(family, int(at[0]), int(at[-1]) + step) if at.size else {}
    interval = np.zeros(at.size, np.int64) if step == HOUR_S else at % HOUR_S // step + 1
    columns: dict[str, NDArray[Any]] = {
        "INTERVALSTARTTIME_GMT": gmt(np.repeat(at, len(COMPONENTS))),
        "INTERVALENDTIME_GMT": gmt(np.repeat(at, len(COMPONENTS)) + step),
        "OPR_DT": np.repeat(when["OPR_DT"], len(COMPONENTS)),
        "OPR_HR": np.repeat(when["OPR_HR"], len(COMPONENTS)),
        "OPR_INTERVAL": np.repeat(interval, len(COMPONENTS)),
    }
    columns = {name: np.tile(values, len(known)) for name, values in columns.items()}
    columns["NODE_ID"] = np.repeat(np.array(known, dtype="U32"), count)
    columns["NODE"] = columns["NODE_ID"]
    columns["MARKET_RUN_ID"] = np.full(count * len(known), run)
    kinds = np.tile(np.array(COMPONENTS), at.size * len(known))
    columns["LMP_TYPE"] = kinds
    columns["XML_DATA_ITEM"] = np.tile(np.array([_ITEMS[kind] for kind in COMPONENTS]), at.size * len(known))
    columns["GRP_TYPE"] = np.full(count * len(known), _ALL_GROUPS)
    columns["POS"] = np.tile(np.arange(len(COMPONENTS)), at.size * len(known))
    columns[price] = np.concatenate(
        [np.array([prices[f"{node}/{kind}"] for kind in COMPONENTS]).T.ravel() for node in known] or [np.array([])]
    )
    columns["GROUP"] = np.repeat(np.arange(1, len(known) + 1), count)
    event = np.tile(np.repeat(at, len(COMPONENTS)), len(known))
    if run == "DAM":
        # Day-ahead results appear shortly after one o'clock Pacific on the day before.
        midnight: Ints = np.tile(np.repeat(when["midnight"], len(COMPONENTS)), len(known))
        published = midnight - 11 * HOUR_S + 300
    else:
        published = event + step + 300
    return Table(columns, event, published, (price,))


def day_ahead_lmps(world: World, start: int, end: int, places: tuple[str, ...]) -> Table:
    """PRC_LMP, DAM: hourly, the price in a column called MW."""
    return _lmps(world, epochs(start, end, HOUR_S), HOUR_S, "sierra", places, "DAM", "MW")


def fifteen_minute_lmps(world: World, start: int, end: int, places: tuple[str, ...]) -> Table:
    """PRC_RTPD_LMP, RTPD: quarter-hourly, the price in a column called PRC."""
    return _lmps(world, epochs(start, end, QUARTER_S), QUARTER_S, "california_rt", places, "RTPD", "PRC")


def five_minute_lmps(world: World, start: int, end: int, places: tuple[str, ...]) -> Table:
    """PRC_INTVL_LMP, RTM: every five minutes, the price in a column called VALUE."""
    at = epochs(start, end, FIVE_MIN_S)
    return _lmps(world, at, FIVE_MIN_S, "california_5min", places, "RTM", "VALUE")


def advisory_lmps(world: World, start: int, end: int, places: tuple[str, ...]) -> Table:
    """PRC_HASP_LMP: quarter-hourly, what the hour-ahead process expects; asked for without a market run."""
    table = _lmps(world, epochs(start, end, QUARTER_S), QUARTER_S, "california_rt", places, "HASP", "MW")
    noise = normals(stream(world.seed, "hasp"), table.event)
    columns = {**table.columns, "MW": np.round(np.asarray(table.columns["MW"], float) + noise, 5)}
    return Table(columns, table.event, table.event - _HASP_BEFORE_S, ("MW",))


def reserve_prices(world: World, start: int, end: int, places: tuple[str, ...]) -> Table:
    """PRC_AS, DAM: clearing prices of ancillary services by region and type, hourly, in a column called MW."""
    at = epochs(start, end, HOUR_S)
    regions = [region for region in _AS_REGIONS if not places or region in places]
    pairs = [(region, kind) for region in regions for kind in _AS_TYPES]
    when, count = operating_columns(at), len(pairs)
    energy = world.window("sierra", start, end)[f"{NODES[0]}/LMP"]
    # Invented: what energy pays above 20, less for slower reserves and for the larger region.
    prices = [
        np.round(np.maximum(0.1, share * np.maximum(0.0, energy - 20.0) + 1.0), 5) * _AS_REGIONS[region]
        for region, kind in pairs
        for share in [_AS_TYPES[kind]]
    ]
    columns: dict[str, NDArray[Any]] = {
        "INTERVALSTARTTIME_GMT": np.tile(gmt(at), count),
        "INTERVALENDTIME_GMT": np.tile(gmt(at + HOUR_S), count),
        "OPR_DT": np.tile(when["OPR_DT"], count),
        "OPR_HR": np.tile(when["OPR_HR"], count),
        "OPR_INTERVAL": np.zeros(at.size * count, np.int64),
        "ANC_REGION": np.repeat(np.array([region for region, _ in pairs]), at.size),
        "ANC_TYPE": np.repeat(np.array([kind for _, kind in pairs]), at.size),
        "MARKET_RUN_ID": np.full(at.size * count, "DAM"),
        "XML_DATA_ITEM": np.repeat(np.array([f"{kind}_CLR_PRC" for _, kind in pairs]), at.size),
        "MW": np.concatenate(prices or [np.array([])]),
        "GROUP": np.repeat(np.arange(1, count + 1), at.size),
    }
    published = np.tile(when["midnight"], count) - 11 * HOUR_S + 300
    return Table(columns, np.tile(at, count), published, ("MW",))


REPORTS: Final[dict[tuple[str, str], Report]] = {
    (report.query, report.run): report
    for report in (
        Report(query="PRC_LMP", run="DAM", version=12, build=day_ahead_lmps),
        Report(query="PRC_RTPD_LMP", run="RTPD", version=3, build=fifteen_minute_lmps),
        Report(query="PRC_INTVL_LMP", run="RTM", version=3, build=five_minute_lmps),
        Report(query="PRC_HASP_LMP", run="", version=3, build=advisory_lmps),
        Report(query="PRC_AS", run="DAM", version=12, build=reserve_prices, place="anc_region"),
        *LOAD_REPORTS,
        *RENEWABLE_REPORTS,
    )
}

GROUPS: Final = {
    "DAM_LMP_GRP": (("PRC_LMP", "DAM"), 24 * HOUR_S),
    "RTPD_LMP_GRP": (("PRC_RTPD_LMP", "RTPD"), HOUR_S),
    "RTM_LMP_GRP": (("PRC_INTVL_LMP", "RTM"), HOUR_S),
}
"""Group -> report and how much one call returns [s]: a day of all nodes, or an hour in real time."""
