"""What a payload is before it is read: kinds, archives, and those that nobody should open."""

from __future__ import annotations

import io
import zipfile

import pytest

from domain.errors import PayloadError
from resources.payloads import envelope
from resources.payloads.envelope import Kind, check, documents, kind_of
from tests.resources.payloads.wire import zip_of


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (b"", Kind.EMPTY),
        (b"\xef\xbb\xbf \r\n", Kind.EMPTY),
        (b"PK\x03\x04", Kind.ZIP),
        (b"\x1f\x8b\x08", Kind.GZIP),
        (b"\n <!DOCTYPE HTML><html>", Kind.HTML),
        (b"<?xml version='1.0'?><html xmlns='x'>", Kind.HTML),
        (b"<?xml version='1.0'?><MarketAwards/>", Kind.XML),
        (b"\xef\xbb\xbf{}", Kind.JSON),
        (b" [1]", Kind.JSON),
        (b"GMT,FOLC1\n", Kind.TEXT),
    ],
)
def test_the_first_bytes_say_what_a_payload_is(payload: bytes, kind: Kind) -> None:
    assert kind_of(payload) == kind


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("rows.csv", b"PK\x03\x04"),
        ("rows.zip", b"a,b\n"),
        ("rows.json", b"a,b\n"),
        ("rows.xml", b"{}"),
        ("A.CSV", b"{}"),
    ],
)
def test_a_name_that_promises_something_else_is_refused(name: str, payload: bytes) -> None:
    with pytest.raises(PayloadError, match="mislabelled"):
        check(payload, name)


def test_a_name_without_a_known_ending_promises_nothing() -> None:
    assert check(b"a,b\n", "spp_node_zone_hub") is Kind.TEXT


def test_an_archive_is_flattened_and_remembers_the_names_around_it() -> None:
    payload = zip_of({"outer/b.zip": zip_of({"c.csv": b"\xef\xbb\xbfx"}), "a.csv": b"y", "__MACOSX/a.csv": b"z"})
    found = documents(payload, "bulk.zip", what="bulk.zip")
    assert [(document.body, document.names) for document in found] == [
        (b"x", ("c.csv", "b.zip", "bulk.zip")),
        (b"y", ("a.csv", "bulk.zip")),
    ]


def test_a_damaged_archive_may_be_fetched_again() -> None:
    whole = zip_of({"a.csv": b"12345" * 1000})
    wrong_sum = bytearray(whole)
    wrong_sum[14] ^= 0xFF  # the checksum of the local header's member
    for payload in (whole[: len(whole) // 2], whole[:-10], bytes(wrong_sum[:30]) + whole[45:]):
        with pytest.raises(PayloadError, match="damaged") as caught:
            documents(payload, "a.zip", what="a.zip")
        assert caught.value.retryable


def test_a_bomb_is_stopped_while_it_unpacks() -> None:
    # 40 MiB of zeros shrink a thousandfold: above 16 MiB no more than 250-fold is believed.
    with pytest.raises(PayloadError, match="zip bomb"):
        documents(zip_of({"a.csv": bytes(40 << 20)}), "a.zip", what="a.zip")


def test_what_unpacks_to_too_much_in_all_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(PayloadError, match="more than 1,000 bytes"):
        documents(zip_of({"a.csv": bytes(600), "b.csv": bytes(600)}), "a.zip", what="a.zip")


def test_too_many_members_or_levels_are_refused() -> None:
    with pytest.raises(PayloadError, match="more than 2,000 members"):
        documents(zip_of({f"{number}.csv": b"" for number in range(2001)}), "a.zip", what="a.zip")
    deep = zip_of({"a.zip": zip_of({"b.zip": zip_of({"c.csv": b"x"})})})
    with pytest.raises(PayloadError, match="deeper than 2"):
        documents(deep, "a.zip", what="a.zip")


def test_an_archive_without_members_or_with_a_strange_packing_is_refused() -> None:
    with pytest.raises(PayloadError, match="without a member"):
        documents(zip_of({}), "a.zip", what="a.zip")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a.csv", b"x" * 100)
    with pytest.raises(PayloadError, match="no vendor uses"):
        documents(buffer.getvalue(), "a.zip", what="a.zip")


def test_a_payload_above_the_limit_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "MAX_PAYLOAD_BYTES", 10)
    with pytest.raises(PayloadError, match="the limit is 10"):
        check(b"a,b\n" * 10, "a.csv")


def test_json_above_the_limit_or_cut_short_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PayloadError, match="not whole JSON") as caught:
        envelope.json_of(b'{"a": [1, 2', "a.json")
    assert caught.value.retryable
    monkeypatch.setattr(envelope, "MAX_JSON_BYTES", 10)
    with pytest.raises(PayloadError, match="the limit is 10"):
        envelope.json_of(b"[" + b"1," * 10 + b"1]", "a.json")
