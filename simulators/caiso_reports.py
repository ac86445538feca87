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
from simulators.noise import Ints
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


REPORTS: Final[dict[tuple[str, str], Report]] = {
    (report.query, report.run): report
    for report in (
        Report(query="PRC_LMP", run="DAM", version=12, build=day_ahead_lmps),
        Report(query="PRC_RTPD_LMP", run="RTPD", version=3, build=fifteen_minute_lmps),
        Report(query="PRC_INTVL_LMP", run="RTM", version=3, build=five_minute_lmps),
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
