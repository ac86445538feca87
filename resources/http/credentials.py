"""Who we are to a service. Credentials are handed in by pipelines/wiring.py and appear in no log, URL or error.

Put here: a scheme that puts a credential into request headers. Keep out: where the credential comes from.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Auth(Protocol):
    """What the fetch loop needs to know of a credential."""

    @property
    def identity(self) -> str:
        """Names the credential in the limiter's file; derived from no secret that could be guessed back."""
        ...

    def headers(self) -> Mapping[str, str]:
        """Return the headers that carry it."""
        ...

    def refresh(self) -> bool:
        """Drop what may have expired; True when the next ``headers`` may differ."""
        ...

    def secrets(self) -> tuple[str, ...]:
        """Return every text that must never be shown."""
        ...


@dataclass(frozen=True, slots=True)
class NoAuth:
    """A service without login, or one whose login travels in the body.

    Attributes:
        identity: Names the caller in the limiter's file.
        hidden: Texts that must never be shown all the same.
    """

    identity: str = "anonymous"
    hidden: tuple[str, ...] = field(default=(), repr=False)

    def headers(self) -> Mapping[str, str]:
        """Return no headers."""
        return {}

    def refresh(self) -> bool:
        """There is nothing to refresh."""
        return False

    def secrets(self) -> tuple[str, ...]:
        """The hidden texts."""
        return self.hidden


@dataclass(frozen=True, slots=True)
class Basic:
    """HTTP Basic: a user and a password."""

    username: str
    password: str = field(repr=False)

    @property
    def identity(self) -> str:
        """The user's digest."""
        return digest(self.username)

    def _token(self) -> str:
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode()

    def headers(self) -> Mapping[str, str]:
        """Return the ``Authorization`` header."""
        return {"Authorization": f"Basic {self._token()}"}

    def refresh(self) -> bool:
        """A password does not expire within a run."""
        return False

    def secrets(self) -> tuple[str, ...]:
        """The password, plain and encoded."""
        return (self.password, self._token())


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A bare key in one header, without a scheme."""

    key: str = field(repr=False)
    header: str = "Authorization"

    @property
    def identity(self) -> str:
        """The key's digest."""
        return digest(self.key)

    def headers(self) -> Mapping[str, str]:
        """Return the one header."""
        return {self.header: self.key}

    def refresh(self) -> bool:
        """A key does not expire within a run."""
        return False

    def secrets(self) -> tuple[str, ...]:
        """The key."""
        return (self.key,)


class Bearer:
    """A token in the ``Authorization`` header, asked for anew when it is refused.

    Args:
        token: Returns a valid token; called for each request, so it may cache.
        scheme: ``Bearer`` (OIDC) or ``Negotiate`` (SPNEGO: a base64 Kerberos ticket).
        forget: Drops a cached token; None where each call of ``token`` makes a new one.
        identity: Names the credential in the limiter's file.
        header: Further headers that belong to the credential, such as a subscription key.
    """

    def __init__(
        self,
        token: Callable[[], str],
        *,
        identity: str,
        scheme: str = "Bearer",
        forget: Callable[[], None] | None = None,
        header: Mapping[str, str] | None = None,
    ) -> None:
        self._token = token
        self._scheme = scheme
        self._forget = forget
        self._header = dict(header or {})
        self._last = ""
        self.identity = identity

    def headers(self) -> Mapping[str, str]:
        """Return the ``Authorization`` header and those that belong to it."""
        self._last = self._token()
        return {"Authorization": f"{self._scheme} {self._last}", **self._header}

    def refresh(self) -> bool:
        """Forget the token; the next one may be accepted."""
        if self._forget is not None:
            self._forget()
        return True

    def secrets(self) -> tuple[str, ...]:
        """The token sent last and the other headers' values."""
        return (self._last, *self._header.values())


def digest(text: str) -> str:
    """Return a short name for ``text`` that a file name can hold."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
