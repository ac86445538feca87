"""The MQTT broker: where it is, as whom we go there, and why it would not have us.

Protocol 3.1.1, which every broker speaks: a persistent session there is one opened without ``clean session``.
Put here: settings, TLS and the faults of connecting, in our words. Keep out: the connection itself (mqtt.py).
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from domain.errors import ConfigError, CredentialError, ServiceError

SERVICE: Final = "mqtt"
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_READ_AHEAD_BYTES: Final = 262_144

_AUTHORITY: Final = "name the file of the authority that signed it in TAILRACE_MQTT_CA"
_NAME: Final = "name the broker in TAILRACE_MQTT_URL as its certificate does"
_DATES: Final = "renew it, or set this machine's clock"
_REMEDIES: Final = {9: _DATES, 10: _DATES, 62: _NAME, 64: _NAME}
"""By OpenSSL's X509_V_ERR_ codes (x509_vfy.h): not yet valid, expired, wrong host name, wrong address."""


class BrokerClient(paho.Client):
    """paho's client, reading ahead: it asks the operating system for every packet in four pieces."""

    _ahead = b""
    _at = 0
    tls_fault: ssl.SSLError | None = None
    """Why the other side ended the connection, where it said so in TLS: paho only writes that to its log."""

    @property
    def is_ahead(self) -> bool:
        """Whether bytes have been read that nobody has looked at."""
        return self._at < len(self._ahead)

    def forget_ahead(self) -> None:
        """Drop them: they belong to a connection that is gone."""
        self._ahead, self._at = b"", 0

    def _sock_recv(self, bufsize: int) -> bytes:
        if not self.is_ahead:
            try:
                self._ahead, self._at = super()._sock_recv(_READ_AHEAD_BYTES), 0
            except ssl.SSLError as error:
                self.tls_fault = error
                raise
        piece = self._ahead[self._at : self._at + bufsize]
        self._at += len(piece)
        return piece

    def _ssl_wrap_socket(self, tcp_sock: socket.socket) -> ssl.SSLSocket:
        """Do as paho does, but close the socket where the handshake fails."""
        context: Any = self._ssl_context
        wrapped = context.wrap_socket(tcp_sock, server_hostname=self._host, do_handshake_on_connect=False)
        wrapped.settimeout(self._connect_timeout)
        try:
            wrapped.do_handshake()
        except BaseException:
            wrapped.close()
            raise
        return wrapped


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where the broker is and as whom we go there.

    Attributes:
        url: ``mqtt://host[:port]``, or ``mqtts://`` for TLS.
        username: None goes without a name.
        password: Of the user.
        ca_file: Certificates to trust; None trusts those of the system. TLS only.
        certificate: Ours, with ``private_key``, where the broker wants one. TLS only.
        private_key: Of our certificate.
    """

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            good = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        # A URL with credentials is not repeated, whatever else is wrong with it.
        if "@" in self.url:
            raise ConfigError("the broker's URL holds credentials; set TAILRACE_MQTT_USERNAME and _PASSWORD instead")
        if not good:
            raise ConfigError(f"the broker's URL is {self.url!r}; write mqtt://host:port, or mqtts:// for TLS")
        if self.password is not None and self.username is None:
            raise ConfigError(
                "TAILRACE_MQTT_PASSWORD is set and _USERNAME is not: a password goes with a name; set both"
            )
        if self.private_key is not None and self.certificate is None:
            raise ConfigError("TAILRACE_MQTT_PRIVATE_KEY is set and _CERTIFICATE is not: name the key's certificate")
        files = {"CA": self.ca_file, "CERTIFICATE": self.certificate, "PRIVATE_KEY": self.private_key}
        for name, file in files.items():
            if file is not None and not self._by_tls:
                raise ConfigError(f"TAILRACE_MQTT_{name} is for TLS and {self.url} goes without; write mqtts://")
            if file is not None and not file.is_file():
                raise ConfigError(
                    f"TAILRACE_MQTT_{name} names {file}, which is no file; write it, or unset the variable"
                )

    @property
    def _by_tls(self) -> bool:
        return urlsplit(self.url).scheme == "mqtts"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return str(parts.hostname), parts.port or _PORTS[parts.scheme]

    def client(self, client_id: str, *, persistent: bool = False) -> BrokerClient:
        """Return a client that is not connected yet.

        Args:
            client_id: Unique at the broker; the session of a persistent client is kept under it.
            persistent: Whether the broker keeps subscriptions and messages while we are away, and messages until we
                acknowledge each of them by hand.

        Raises:
            ConfigError: A file for TLS is not what it should be.
        """
        client = BrokerClient(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=not persistent, manual_ack=persistent
        )
        client.username_pw_set(self.username, self.password)
        if self._by_tls:
            client.tls_set_context(self._context())
        return client

    def _context(self) -> ssl.SSLContext:
        """Return what TLS goes by: the broker's certificate and its name are always verified."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise ConfigError(f"TAILRACE_MQTT_CA: {self.ca_file} holds no certificates in PEM ({error})") from None
        if self.certificate is not None:
            try:
                # Nobody is there to be asked for a password.
                context.load_cert_chain(self.certificate, self.private_key, password="")
            except (OSError, ValueError) as error:
                raise ConfigError(
                    f"TAILRACE_MQTT_CERTIFICATE: {self.certificate} and the key {self.private_key or 'in it'} cannot be"
                    f" used ({error}); both must be PEM, belong together, and the key be without a password"
                ) from None
        return context

    def fault(self, error: OSError) -> ServiceError:
        """Return in our words why no connection came about; some faults do not go away by asking again."""
        if isinstance(error, ssl.SSLCertVerificationError):
            remedy = _REMEDIES.get(error.verify_code, _AUTHORITY)
            text = f"{self.url}: the broker's certificate is refused, {error.verify_message}; {remedy}"
            return ServiceError(SERVICE, text, retryable=False)
        reason = getattr(error, "reason", None) or ""
        if "ALERT" in reason:
            ours = self.certificate or "none is set"
            text = (
                f"{self.url} ends the TLS handshake: {reason.lower().replace('_', ' ')}; a broker that asks for a"
                f" certificate takes one of its own authority: TAILRACE_MQTT_CERTIFICATE ({ours}) and _PRIVATE_KEY"
            )
            return CredentialError(SERVICE, text)
        return ServiceError(SERVICE, f"{self.url} cannot be reached: {error}", retryable=True)
