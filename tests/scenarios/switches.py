"""The ways in which a source can fail, and which of them a product family can have.

Put here: one entry a fault, in terms of the stand-ins' switches. Keep out: the run and its judgement (faults.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from tests.scenarios.doors import HOUR
from tests.scenarios.families import NOW, Family

LATE_BY: Final = timedelta(hours=12)
"""How late a late source is: longer than any day-ahead result has been out when the bench looks."""


@dataclass(frozen=True)
class Fault:
    """One way to fail.

    Attributes:
        switch: The switch of the stand-in, and the column of the table.
        name: What exactly it does.
        specs: Switches of the stand-in.
        settings: Settings of the stand-in.
        told_as_good: Why other numbers may be stored as good while it lasts; empty: they may not.
    """

    switch: str
    name: str
    specs: tuple[Mapping[str, Any], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    told_as_good: str = ""


def _one(switch: str, name: str = "", told: str = "", **options: Any) -> Fault:  # noqa: ANN401 - JSON is what it is
    return Fault(switch, name or switch, ({"fault": switch, **options},), told_as_good=told)


_SAID: Final = "what the source says is what it says: the revision is a belief of its own"
_HTTP: Final = (
    _one("http", "503, always", code=503),
    _one("http", "503, passing", code=503, times=1),
    _one("http", "500, now and then", code=500, p=0.4),
    _one("http", "429 with Retry-After", code=429, times=2, retry_after=1),
    _one("html_200", "HTML in a 200", p=0.5),
    _one("truncate_body", "cut body", p=0.5),
    _one("slow", ms=60),
)
_DATA: Final = (
    _one("delay", "late by 12 h", seconds=LATE_BY.total_seconds()),
    _one("drop_interval", "lost intervals", p=0.4),
    _one("duplicate_row", "doubled rows", p=0.7),
    _one("revise", "revised", _SAID, p=0.5, sigma=5.0),
    _one("null_hole", "null values", p=0.4),
)
_RENAMED: Final = {
    "settlementPointPrice": "price",
    "SettlementPointPrice": "Price",
    "LMP": "lambda",
    "MCPC": "capacityPrice",
    "systemTotal": "allZones",
    "STWPFSystemWide": "wind",
    "STPPFSystemWide": "sun",
    "STPPF_SYSTEM_WIDE": "SUN",
    "total": "allZones",
    "SPPCorrected": "after",
    "MW": "AMOUNT",
    "PRC": "COST",
    "VALUE": "COST",
    "epoch": "at",
    "prc_value": "prc_mw",
    "validTimes": "times",
    "discharge_mean": "mean",
    "Timestamp": "Time",
    "HB_NORTH (DALMP)": "HB_NORTH",
    "GMT": "TIME",
    "Flow (CFS)": "Discharge (CFS)",
    "Date and Time": "When",
}
"""Columns, keys, elements and headings of all families that a drift gives another name."""
_DRIFT: Final = (
    _one("schema_drift", "renamed", rename=_RENAMED),
    _one("schema_drift", "new column", add="surprise"),
    _one("schema_drift", "upper case", case="upper"),
    _one("schema_drift", "lower case", case="lower"),
)
_TOKEN: Final = (
    Fault("token_ttl", "token dead at once", settings={"token_ttl_s": 0.0}),
    Fault("token_ttl", "token dies on the way", settings={"token_calls": 1}),
)
PUBLISHED: Final = frozenset({"drop_interval", "duplicate_row", "revise", "null_hole", "schema_drift"})
"""Switches under which the vendor itself publishes something wrong, and anew once it is mended."""
_ZIP: Final = (_one("bad_zip", "broken zip", p=0.5),)
DST: Final = (Fault("dst_case", "spring"), Fault("dst_case", "fall"))
SWITCHES: Final = (
    *("http", "html_200", "truncate_body", "bad_zip", "slow", "token_ttl", "delay", "drop_interval", "duplicate_row"),
    *("revise", "null_hole", "schema_drift", "flatline", "dst_case", "other"),
)
"""The columns of the table; ``other`` holds what one vendor alone can do."""
_R4: Final = "R4|Flow"
_HOLDS: Final = "a historian goes on with the last value; the freshness check tells the age of the newest event"
_FEWER: Final = "a mean over fewer samples is the historian's own answer, by its own account all good"


def _at(hours: float) -> str:
    return f"{NOW + hours * HOUR:%Y-%m-%dT%H:%MZ}"


def _span(first: float, last: float) -> dict[str, str]:
    return {"from": _at(first), "to": _at(last)}


_PI: Final = (
    _one("delay", "late by 12 h", _HOLDS, seconds=LATE_BY.total_seconds()),
    _one("drop_interval", "lost samples", _FEWER, p=0.2),
    _one("duplicate_row", "doubled rows", p=0.5),
    _one("revise", "revised", _SAID, p=0.3, sigma=5.0),
    _one("null_hole", "null values", match="Elevation", p=0.2),
    _one("flatline", "flatline", match=_R4, **_span(-11.5, 1)),
    _one("bad_value", "bad values", match=_R4, **_span(-5, -2)),
    _one("spike", "spikes", match=_R4, p=0.01, factor=100),
    _one("rescale", "cfs as thousandths", match="Elevation", factor=0.001, **_span(-5, 1)),
    _one("questionable", match=_R4, **_span(-5, -2)),
    _one("substituted", match=_R4, **_span(-5, -2)),
    _one("unit", "labelled kcfs", match=_R4, unit="kcfs"),
    _one("unit", "labelled MW", match=_R4, unit="MW"),
    _one("web_exception", "200 with WebException", p=0.5),
    _one("partial_errors", "200 with Errors", p=0.5),
    _one("item_errors", "errors among items", p=0.5),
)
_OWN: Final[Mapping[str, tuple[Fault, ...]]] = {
    "ercot rt prices": (
        _one("freeze_rows", "row store frozen", **_span(-4, 9)),
        _one("pad_text", "padded texts"),
    ),
    "ercot rt ancillary": (_one("freeze_rows", "row store frozen", **_span(-4, 9)), _one("pad_text", "padded texts")),
    "hydroforecast": (_one("cross_quantiles", "crossed quantiles"),),
    "hydroforecast v1": (_one("cross_quantiles", "crossed quantiles"),),
    "cnrfc deterministic": (Fault("other", "HTML before the issue", settings={"cnrfc_html_before_issue": True}),),
    "cnrfc hefs hourly": (Fault("other", "HTML before the issue", settings={"cnrfc_html_before_issue": True}),),
    "ercot archive": (_one("http", "403, a block page", code=403, times=1, page=True),),
}


def faults_of(family: Family) -> Iterator[Fault]:
    """Yield every fault that a family can have; `why_not` tells of the switches that none of them is of."""
    if family.service == "awards":  # files: what may happen to one on its way, and what may stand in it
        yield from (
            _one("truncate_body", "cut file", p=0.5),
            _one("html_200", "HTML file", p=0.5),
            *_DATA,
            *_DRIFT,
            *DST,
        )
        return
    yield from _HTTP
    if family.form == "zip":
        yield from _ZIP
    if not why_not(family, "token_ttl"):
        yield from _TOKEN[: family.calls]
    yield from _PI if family.service == "pi" else (one for one in _DATA if not why_not(family, one.switch))
    # Where names are capitals anyway, only the other case is a drift.
    capitals = family.service in {"caiso", "yes"} or (family.service == "cnrfc" and family.form == "zip")
    yield from (fault for fault in _DRIFT if not (capitals and fault.name == "upper case"))
    yield from _OWN.get(family.name, ())
    if family.keeps and family.now == NOW:
        yield from DST


def why_not(family: Family, switch: str) -> str:
    """Return why a family cannot have a fault, or an empty text."""
    reasons = {
        "bad_zip": family.form != "zip" and f"its answers are {family.form}",
        "token_ttl": not family.login and "it knows no tokens",
        "flatline": family.service != "pi" and "prices and forecasts may stand still",
        "revise": (family.immutable and "a document never changes, a correction is another one")
        or (family.form == "html" and "a message is a text"),
        "null_hole": (family.form == "html" and "a message is a text")
        or (family.immutable and "a document never changes"),
        "slow": family.service == "awards" and "it is a folder",
        "http": family.service == "awards" and "it is a folder",
        "dst_case": (not family.keeps and "it shows the present only") or (family.now != NOW and "its day is fixed"),
    }
    return str(reasons.get(switch) or "")


def column(fault: Fault) -> str:
    """Return the column of the table in which a fault is counted."""
    return fault.switch if fault.switch in SWITCHES else "other"
