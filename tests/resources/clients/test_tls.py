"""A service behind a private certificate authority: trusted when named, refused otherwise, never unverified."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from domain.errors import ServiceError
from resources.clock import ManualClock
from resources.http import Fetcher, Request
from tests.resources.clients.tiny import Landed, Reply, Served, http_settings

x509 = pytest.importorskip("cryptography.x509", reason="making a certificate needs the package cryptography")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for loopback with its key, in one file."""
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 - skipped where absent
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "private authority")])
    beginning = datetime(2020, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(beginning)
        .not_valid_after(beginning + timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
    path = tmp_path_factory.mktemp("tls") / "private.pem"
    path.write_bytes(
        made.public_bytes(encoding) + key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, no_password)
    )
    return path


@pytest.fixture
def served(certificate: Path) -> Iterator[Served]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    running = Served(lambda _: Reply(b'{"value": 1}'), context)
    yield running
    running.stop()


def ask(url: str, ca_bundle: str, clock: ManualClock, landed: Landed, locks: Path) -> int:
    settings = http_settings(url, ca_bundle=ca_bundle)
    with Fetcher("pi", source="pi", settings=settings, clock=clock, land=landed, locks=locks) as fetcher:
        return fetcher.fetch(Request(path="/data"), lambda answer: answer.json["value"])


def test_a_private_authority_is_trusted_when_it_is_named(
    served: Served, certificate: Path, clock: ManualClock, landed: Landed, locks: Path
) -> None:
    assert ask(served.url, str(certificate), clock, landed, locks) == 1


def test_a_private_authority_is_refused_when_it_is_not(
    served: Served, clock: ManualClock, landed: Landed, locks: Path
) -> None:
    with pytest.raises(
        ServiceError, match=r"pi: .*certificate was refused .*name the private authority.*ca_bundle"
    ) as caught:
        ask(served.url, "", clock, landed, locks)
    assert not caught.value.retryable
    assert served.asked == []
