"""Where recorded payloads are, if this machine has them: beside the checkout, never inside it.

Put here: the folder and how to skip without it. Keep out: what the payloads hold (the tests).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest

from resources.payloads import Facts
from resources.payloads.registry import parse

DATA: Final = Path(__file__).resolve().parents[2].parent / "shared" / "data"
recorded = pytest.mark.skipif(not DATA.is_dir(), reason=f"recorded payloads are not on this machine ({DATA})")
NOW: Final = datetime(2026, 12, 31, tzinfo=UTC)


def utc(text: str) -> datetime:
    """The instant that an ISO text without an offset names in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def payload(name: str) -> bytes:
    """The bytes of a recorded file."""
    return (DATA / name).read_bytes()


def rows_of(name: str, **given: Any) -> pl.DataFrame:  # noqa: ANN401 - any field of Facts
    """Its canonical rows: the folder's name is the service's."""
    service, _, file = name.partition("/")
    return parse(service, payload(name), Facts(**{"fetched_at": NOW, "name": file, **given}))
