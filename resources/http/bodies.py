"""What came back: a status is not enough, services answer 200 with a login page or half a file.

Put here: the test that a body is of the kind asked for. Keep out: what it means (resources/payloads).
"""

from __future__ import annotations

import io
import re
import zipfile
from enum import StrEnum
from typing import Final

import orjson

from domain.errors import PayloadError

_TITLE: Final = re.compile(rb"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_EXCERPT: Final = 120


class Expect(StrEnum):
    """The kind of body a request asks for."""

    JSON = "JSON"
    ZIP = "a zip"
    CSV = "CSV"
    HTML = "HTML"
    ANY = "any body"


def check_body(content: bytes, *, expect: Expect, content_type: str, what: str) -> None:
    """Refuse a body of another kind than the one asked for.

    Args:
        content: The bytes.
        expect: The kind asked for.
        content_type: The ``Content-Type`` header; only believed when it says HTML.
        what: Service, method and URL, for the message.

    Raises:
        PayloadError: Retryable: a web page, an empty body and a cut file come from a fault upstream, so asking
            again may help. They are never "no data".
    """
    if expect in (Expect.ANY, Expect.HTML):
        return
    head = content.lstrip()[:1]
    if head == b"<" or "text/html" in content_type.lower():
        raise _fault(what, f"answered with a web page {_title(content)} where {expect} was expected")
    if not head:
        raise _fault(what, f"answered with an empty body where {expect} was expected")
    if expect is Expect.JSON:
        try:
            orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise _fault(what, f"answered with {len(content)} bytes that are not JSON ({error})") from None
    if expect is Expect.ZIP:
        _check_zip(content, what)


def _check_zip(content: bytes, what: str) -> None:
    if not content.startswith(_ZIP):
        raise _fault(what, f"answered with {content[:8]!r}... where a zip (PK) was expected")
    try:
        zipfile.ZipFile(io.BytesIO(content)).close()
    except zipfile.BadZipFile as error:
        raise _fault(
            what, f"answered with a zip of {len(content)} bytes that is cut short or damaged ({error})"
        ) from None


def _title(content: bytes) -> str:
    found = _TITLE.search(content[:4096])
    text = found.group(1) if found else content[:_EXCERPT]
    return repr(" ".join(text.decode("utf-8", "replace").split())[:_EXCERPT])


def _fault(what: str, text: str) -> PayloadError:
    return PayloadError(
        f"{what} {text}; this is a fault of the service or of a proxy before it: the next run asks again,"
        " if it stays look at the URL in a browser",
        retryable=True,
    )
