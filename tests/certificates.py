"""A private certificate authority for tests of TLS.

Put here: making certificates. Keep out: who serves or trusts them (the tests).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import pytest

_WHY: Final = "making a certificate needs the package cryptography"
x509: Final = pytest.importorskip("cryptography.x509", reason=_WHY)
ec: Final = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec", reason=_WHY)
hashes: Final = pytest.importorskip("cryptography.hazmat.primitives.hashes", reason=_WHY)
form: Final = pytest.importorskip("cryptography.hazmat.primitives.serialization", reason=_WHY)
_BEGINNING: Final = datetime(2020, 1, 1, tzinfo=UTC)
_END: Final = _BEGINNING + timedelta(days=36_500)


class Authority:
    """An authority with its certificate in a file."""

    def __init__(self, folder: Path, name: str = "private authority") -> None:
        self.folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self._made = 0
        uses = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "encipher_only", "decipher_only"), False,
        )  # fmt: skip
        certificate = self._sign(
            self._name,
            self._key.public_key(),
            x509.BasicConstraints(ca=True, path_length=None),
            x509.KeyUsage(key_cert_sign=True, crl_sign=True, **uses),
        )
        self.file = folder / f"{name.replace(' ', '-')}.pem"
        self.file.write_bytes(_pem(certificate))

    def _sign(self, subject: Any, public_key: Any, *extensions: Any) -> Any:  # noqa: ANN401 - theirs, and skipped where absent
        self._made += 1
        builder = (
            x509.CertificateBuilder(serial_number=self._made)
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .not_valid_before(_BEGINNING)
            .not_valid_after(_END)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(self._key, hashes.SHA256())

    def certificate(self, name: str, *, password: str | None = None) -> tuple[Path, Path]:
        """Return the files of a certificate for a host name or an address, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        one = x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
        made = self._sign(subject, key.public_key(), x509.SubjectAlternativeName([one]))
        own, secret = (self.folder / f"{self.file.stem}-{name}.{ending}" for ending in ("pem", "key"))
        own.write_bytes(_pem(made))
        lock = form.BestAvailableEncryption(password.encode()) if password else form.NoEncryption()
        secret.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, lock))
        return own, secret


def _pem(certificate: Any) -> bytes:  # noqa: ANN401 - theirs, and skipped where absent
    return certificate.public_bytes(form.Encoding.PEM)
