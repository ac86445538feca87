"""A service behind a private certificate authority: trusted when named, refused otherwise, never unverified."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import ServiceError
from resources.clock import ManualClock
from resources.http import Fetcher, Request
from tests.certificates import Authority
from tests.resources.clients.tiny import Landed, Reply, Served, http_settings


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def served(authority: Authority) -> Iterator[Served]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.certificate("127.0.0.1"))
    running = Served(lambda _: Reply(b'{"value": 1}'), context)
    yield running
    running.stop()


def ask(url: str, ca_bundle: str, clock: ManualClock, landed: Landed, locks: Path) -> int:
    settings = http_settings(url, ca_bundle=ca_bundle)
    with Fetcher("pi", source="pi", settings=settings, clock=clock, land=landed, locks=locks) as fetcher:
        return fetcher.fetch(Request(path="/data"), lambda answer: answer.json["value"])


def test_a_private_authority_is_trusted_when_it_is_named(
    served: Served, authority: Authority, clock: ManualClock, landed: Landed, locks: Path
) -> None:
    assert ask(served.url, str(authority.file), clock, landed, locks) == 1


def test_a_private_authority_is_refused_when_it_is_not(
    served: Served, clock: ManualClock, landed: Landed, locks: Path
) -> None:
    with pytest.raises(
        ServiceError, match=r"pi: .*certificate was refused .*name the private authority.*ca_bundle"
    ) as caught:
        ask(served.url, "", clock, landed, locks)
    assert not caught.value.retryable
    assert served.asked == []
