"""Series ids: what a number is about.

Vendor series keep the vendor's own coordinates (``ercot:spp_rt:HB_NORTH:HU``); planning series are ours,
``<place>.<quantity>.<unit>`` (``r4.flow.cfs``). Put here: their grammar. Keep out: their values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from domain.errors import InputError

_PLANNING: Final = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+\.[a-z0-9_]+")
_UNIT_OF_SUFFIX: Final = {
    "mw": "MW",
    "kw": "kW",
    "kwh": "kWh",
    "mwh": "MWh",
    "usd": "USD",
    "usd_mwh": "USD/MWh",
    "usd_mw": "USD/MW",
    "cfs": "cfs",
    "af": "af",
    "ft": "ft",
    "degc": "degC",
    "1": "1",
}


@dataclass(frozen=True, slots=True)
class PlanningSeries:
    """One series a plan reads or writes.

    Attributes:
        place: Where, such as ``r4`` or ``oxbow``.
        quantity: What, such as ``flow``.
        unit: In what unit, from the closed table.
    """

    place: str
    quantity: str
    unit: str

    @classmethod
    def parse(cls, text: str) -> PlanningSeries:
        """Read ``place.quantity.unit``.

        >>> PlanningSeries.parse("r4.flow.cfs").unit
        'cfs'
        """
        suffix = text.rsplit(".", 1)[-1]
        if not _PLANNING.fullmatch(text) or suffix not in _UNIT_OF_SUFFIX:
            raise InputError(f"{text!r} is not a planning series; write place.quantity.unit, such as r4.flow.cfs")
        place, quantity, _ = text.split(".")
        return cls(place, quantity, _UNIT_OF_SUFFIX[suffix])


def require_id(series_id: str) -> str:
    """Return ``series_id`` if it is a vendor's coordinates or a planning series.

    >>> require_id("caiso:lmp_da:RALSTON_7_B1:LMP")
    'caiso:lmp_da:RALSTON_7_B1:LMP'
    """
    if ":" in series_id:
        head, _, rest = series_id.partition(":")
        if head and rest and series_id.isprintable():
            return series_id
        raise InputError(
            f"{series_id!r} is not a vendor series; write source:coordinates, such as ercot:spp_da:LZ_WEST"
        )
    PlanningSeries.parse(series_id)
    return series_id
