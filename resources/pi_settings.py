"""What to read from the historian, and how.

Put here: the shape of ``[pi]`` in config/sources.toml. Keep out: the reading (resources/pi.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict

from resources.http import HttpSettings
from resources.http.settings import Count, Positive

Kind = Literal["avg1h", "interp1h", "recorded"]
KINDS: tuple[Kind, ...] = ("avg1h", "interp1h", "recorded")


@dataclass(frozen=True, slots=True, kw_only=True)
class PiTag:
    """One attribute to read.

    Attributes:
        path: AF path below the server, elements separated by ``/``: ``OPS/Gauging Stations/R4|Flow``.
        unit: What the values are in, ``1`` for digital states; an answer in another unit is refused, not stored.
        reads: Which readings: ``avg1h`` (time-weighted hourly mean with its good share), ``interp1h`` (value on the
            hour), ``recorded`` (archived events).
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    path: str
    unit: str
    reads: tuple[Kind, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PiSettings:
    """What to read from PI, and how.

    Attributes:
        http: How to talk to it.
        af_server: The asset server that holds the tags.
        page_size: ``maxCount`` of one page of archived events; the server's own default of 1000 cuts silently.
        largest_page: The server's ``MaxReturnedItemsPerCall``.
        chunk_days: Longest window of one call [days].
        webid_ttl_h: How long a looked-up WebId is believed [h].
        together: How several tags are asked for in one call: ``no``, ``streamset`` or ``batch``. Whatever such a call
            does not give is asked for tag by tag.
        tags_per_call: Tags of such a call; the server bounds the size of a batch.
        tags: What to read.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    http: HttpSettings
    af_server: str
    page_size: Count
    largest_page: Count
    chunk_days: Positive
    webid_ttl_h: Positive
    together: Literal["no", "streamset", "batch"]
    tags_per_call: Count
    tags: tuple[PiTag, ...]
