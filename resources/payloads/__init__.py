"""Parsers from a vendor's bytes to canonical rows, one module a vendor.

Put here: pure functions: bytes and declared facts in, a canonical frame out, or a PayloadError.
Keep out: requests, retries, credentials (resources/<service>.py) and the lake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about a payload besides its bytes.

    Attributes:
        fetched_at: When the bytes reached us [UTC]; the belief_time of last resort.
        name: The file's name, or the URL without secrets; some vendors put facts into it.
        product: The product, where the caller knows it; None lets the parser recognise it.
        issue: When the vendor published the document [UTC], where a listing or the user says so.
        last_modified: The HTTP ``Last-Modified`` stamp [UTC], where there was one.
        options: Facts of one vendor, such as PI's attribute path and summary duration.
    """

    fetched_at: datetime
    name: str = ""
    product: str | None = None
    issue: datetime | None = None
    last_modified: datetime | None = None
    options: Mapping[str, str] = field(default_factory=dict)
