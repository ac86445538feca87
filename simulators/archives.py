"""Zips whose bytes depend on their content alone.

Put here: packing. Keep out: what is packed.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Final

_FIXED_DATE: Final = (1980, 1, 1, 0, 0, 0)


def zip_bytes(members: Mapping[str, bytes]) -> bytes:
    """Return a zip of the members; the same members give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _FIXED_DATE), content, zipfile.ZIP_DEFLATED, compresslevel=1)
    return buffer.getvalue()
