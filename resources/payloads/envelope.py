"""What a payload is before anybody reads it: its kind, its members, its text.

Put here: magic bytes, unpacking within bounds, decoding, the labels that lie. Keep out: columns, products, times.
Nothing here trusts a length that the payload itself declares: sizes are counted while unpacking.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import IO, Any, Final
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, ParseError

import orjson
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from domain.errors import PayloadError

MAX_PAYLOAD_BYTES: Final = 128 << 20
"""The largest payload that is looked at; the largest recorded one is 5 MB, a bulk download of 1,000 about 60 MB."""
MAX_UNPACKED_BYTES: Final = 192 << 20
"""The most that all members of one payload may unpack to, nested archives included."""
MAX_JSON_BYTES: Final = 64 << 20
"""The most JSON that is read; a PI answer of 150,000 values has 25 MB."""
MAX_JSON_OBJECT_BYTES: Final = 192 << 20
"""The most memory that JSON may become: ``[[],[],...`` becomes thirty times its size."""
MAX_HTML_BYTES: Final = 2 << 20
"""The longest web page that is read; a month of operations messages has 0.2 MB, and reading takes a second a MB."""
MAX_XML_TAGS: Final = 600_000
"""The most tags that become elements, at about 150 bytes each; a day of awards of 40 resources has 250,000."""
MAX_RATIO: Final = 250
"""The most one member may grow by once it is larger than `RATIO_FREE_BYTES`; deflate itself can reach 1,032."""
RATIO_FREE_BYTES: Final = 16 << 20
"""Below this size any ratio is harmless: an ensemble of zeros compresses 500-fold and is real."""
MAX_MEMBERS: Final = 2_000
"""The most members of one archive: a bulk download holds at most 1,000 documents."""
MAX_DEPTH: Final = 2
"""A bulk download is a zip of zips; nothing real is deeper."""

_JSON_COSTS: Final = {b"{": 240, b"[": 90, b",": 60, b'":': 70}
"""Bytes of memory that each of these brings: a small dict, a list, a value with its reference, a key of its own."""
_CHUNK: Final = 1 << 20
_UTF8_BOM: Final = b"\xef\xbb\xbf"
_UTF16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")
_HTML_MARKS: Final = (b"<!doctype html", b"<html", b"<head", b"<body")


class Kind(StrEnum):
    """What the first bytes say a payload is."""

    EMPTY = "empty"
    ZIP = "zip"
    GZIP = "gzip"
    HTML = "HTML"
    XML = "XML"
    JSON = "JSON"
    TEXT = "text"


_SUFFIX_KINDS: Final = {
    ".zip": {Kind.ZIP},
    ".csv": {Kind.TEXT},
    ".json": {Kind.JSON},
    ".xml": {Kind.XML},
}


@dataclass(frozen=True, slots=True)
class Document:
    """One unpacked member, or the whole payload where it is no archive.

    Attributes:
        name: Its own name, without folders.
        body: Its bytes, without a byte-order mark.
        outer: The names of the archives around it, outermost first; vendors put stamps into those as well.
    """

    name: str
    body: bytes
    outer: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Its names, innermost first."""
        return (self.name, *reversed(self.outer))


def kind_of(payload: bytes) -> Kind:
    r"""Say what the first bytes are.

    >>> kind_of(b"PK\x03\x04..."), kind_of(b"  <!DOCTYPE html>"), kind_of(b"[1]"), kind_of(b"a,b"), kind_of(b" ")
    (<Kind.ZIP: 'zip'>, <Kind.HTML: 'HTML'>, <Kind.JSON: 'JSON'>, <Kind.TEXT: 'text'>, <Kind.EMPTY: 'empty'>)
    """
    if payload.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Kind.ZIP
    if payload.startswith(b"\x1f\x8b"):
        return Kind.GZIP
    head = payload[:4096].removeprefix(_UTF8_BOM).lstrip()
    if not head and not payload[4096:].strip():
        return Kind.EMPTY
    if head.startswith(b"<"):
        lowered = head[:1024].lower()
        return Kind.HTML if any(mark in lowered for mark in _HTML_MARKS) else Kind.XML
    return Kind.JSON if head.startswith((b"{", b"[")) else Kind.TEXT


def short_name(name: str, fallback: str) -> str:
    """Return the last part of a path or URL without its query, for messages and for facts that names carry.

    >>> short_name("https://host/PS/rest/multiple.csv?items=A", "payload"), short_name("", "payload")
    ('multiple.csv', 'payload')
    """
    return PurePosixPath(urlsplit(name.replace("\\", "/")).path).name or fallback


def check(payload: bytes, what: str) -> Kind:
    """Return the payload's kind, or refuse what nobody should open.

    Raises:
        PayloadError: It is empty, too large, an HTML page, gzip, or not what the suffix of ``what`` promises.
    """
    kind = kind_of(payload)
    if kind is Kind.EMPTY:
        raise PayloadError(f"{what} is empty ({len(payload)} bytes); fetch it again", retryable=True)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise PayloadError(f"{what} has {len(payload):,} bytes; the limit is {MAX_PAYLOAD_BYTES:,}; split it")
    if kind is Kind.GZIP:
        raise PayloadError(f"{what} is a gzip stream, which no contract sends; unpack it first")
    promised = _SUFFIX_KINDS.get(PurePosixPath(what).suffix.lower())
    if kind is Kind.HTML and len(payload) > MAX_HTML_BYTES:
        raise PayloadError(f"{what} is an HTML page of {len(payload):,} bytes; none of ours has {MAX_HTML_BYTES:,}")
    if promised and kind not in promised and kind is not Kind.HTML:
        expected = " or ".join(sorted(promised))
        raise PayloadError(f"{what} is mislabelled: its name promises {expected}, its first bytes are {kind}")
    return kind


def refuse_html(kind: Kind, what: str) -> None:
    """Refuse a web page where data was expected: a login form or a block page, often sent with status 200."""
    if kind is Kind.HTML:
        raise PayloadError(f"{what} is an HTML page, not data: a login or block page; fetch it again", retryable=True)


def documents(payload: bytes, name: str, *, what: str) -> list[Document]:
    """Return the payload's members with nested archives flattened, or the payload itself.

    Raises:
        PayloadError: The archive is damaged (retryable), hides a bomb, nests too deep or holds nothing.
    """
    if kind_of(payload) is not Kind.ZIP:
        return [Document(name, _utf8(payload, name))]
    budget = _Budget(what)
    found = list(_members(payload, (name,), budget))
    if not found:
        raise PayloadError(f"{what} is an archive without a member; fetch it again", retryable=True)
    return found


def json_of(body: bytes, what: str) -> Any:  # noqa: ANN401 - a JSON value has any shape; each parser checks its own
    """Return the JSON value in ``body``.

    Raises:
        PayloadError: It is too large, cut short or no JSON (retryable: a broken transfer looks the same), or an object
            in it has one key twice.
    """
    if len(body) > MAX_JSON_BYTES:
        raise PayloadError(f"{what} has {len(body):,} bytes of JSON; the limit is {MAX_JSON_BYTES:,}; split it")
    size = sum(body.count(mark) * cost for mark, cost in _JSON_COSTS.items())
    if size > MAX_JSON_OBJECT_BYTES:
        raise PayloadError(
            f"{what} is JSON that would become about {size >> 20:,} MB of objects; the limit is"
            f" {MAX_JSON_OBJECT_BYTES >> 20:,}; split it"
        )
    try:
        value = orjson.loads(body.removeprefix(_UTF8_BOM))
    except orjson.JSONDecodeError as error:
        raise PayloadError(f"{what} is not whole JSON ({error}); fetch it again", retryable=True) from None
    # Of a key that comes twice the reader keeps the last in silence; written out again, its colon is missing.
    if orjson.dumps(value).count(b":") < body.count(b":"):
        raise PayloadError(f"{what} has an object with one key twice; which is meant?")
    return value


def xml_of(body: bytes, what: str) -> Element:
    """Return the root of an XML document.

    Raises:
        PayloadError: It has too many tags, declares a document type (where entities expand), or is cut short.
    """
    tags = body.count(b"<")
    if tags > MAX_XML_TAGS:
        raise PayloadError(f"{what} has {tags:,} tags of XML; the limit is {MAX_XML_TAGS:,}; split it")
    try:
        return fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise PayloadError(f"{what} is XML that is cut short or hostile: {error}", retryable=True) from None


def text_of(body: bytes, what: str) -> str:
    """Return ``body`` as text.

    Raises:
        PayloadError: It is not UTF-8.
    """
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PayloadError(f"{what} is not UTF-8 text (byte {error.start}); save it as UTF-8") from None


class _Budget:
    """How much one payload may still unpack."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.bytes_left = MAX_UNPACKED_BYTES
        self.members_left = MAX_MEMBERS

    def member(self) -> None:
        self.members_left -= 1
        if self.members_left < 0:
            raise PayloadError(f"{self.what} holds more than {MAX_MEMBERS:,} members; split it")

    def read(self, stream: IO[bytes], name: str, packed: int) -> bytes:
        whole = io.BytesIO()  # hands out its buffer, where joined parts would be held twice
        size = 0
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            self.bytes_left -= len(chunk)
            if self.bytes_left < 0:
                raise PayloadError(f"{self.what} unpacks to more than {MAX_UNPACKED_BYTES:,} bytes at {name}; split it")
            if size > RATIO_FREE_BYTES and size > MAX_RATIO * max(packed, 1):
                raise PayloadError(f"{self.what} is a zip bomb: {name} grows more than {MAX_RATIO}-fold")
            whole.write(chunk)
        return whole.getvalue()


def _members(payload: bytes, outer: tuple[str, ...], budget: _Budget) -> Iterator[Document]:
    if len(outer) > MAX_DEPTH:
        raise PayloadError(f"{budget.what} nests archives deeper than {MAX_DEPTH}; unpack it first")
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            for info in archive.infolist():
                budget.member()
                if info.is_dir() or info.filename.startswith("__MACOSX/"):
                    continue
                yield from _member(archive, info, outer, budget)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError) as error:
        # A central directory that disagrees with the local headers is a known defect of re-posted documents.
        raise PayloadError(f"{budget.what} is a damaged archive ({error}); fetch it again", retryable=True) from None


def _member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, outer: tuple[str, ...], budget: _Budget
) -> Iterator[Document]:
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise PayloadError(f"{budget.what} packs {info.filename} in a way no vendor uses; unpack it first")
    name = short_name(info.filename, "member")
    with archive.open(info) as stream:
        body = budget.read(stream, name, info.compress_size)
    if kind_of(body) is Kind.ZIP:
        yield from _members(body, (*outer, name), budget)
    else:
        yield Document(name, _utf8(body, name), outer)


def _utf8(body: bytes, name: str) -> bytes:
    """Return text as UTF-8 without a byte-order mark; spreadsheets save "Unicode text" as UTF-16 with one."""
    if not body.startswith(_UTF16_BOMS):
        return body.removeprefix(_UTF8_BOM)
    try:
        return body.decode("utf-16").encode()
    except UnicodeDecodeError as error:
        raise PayloadError(f"{name} begins as UTF-16 text and is none (byte {error.start}); fetch it again") from None
