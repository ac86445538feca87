"""ERCOT's login: a password is exchanged for a token that lives one hour.

Put here: the token endpoint of the Public API. Keep out: its products (resources/ercot.py).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus

from domain.errors import CredentialError, PayloadError
from resources.clock import Clock
from resources.http import Answer, Bearer, Fetcher, Request, StatusError
from resources.http.credentials import digest


@dataclass(frozen=True, slots=True, kw_only=True)
class ErcotCredentials:
    """An account of the Public API and its subscription key."""

    username: str
    password: str = field(repr=False)
    subscription_key: str = field(repr=False)


class TokenSource:
    """Holds the token and renews it before it expires, or when told to forget it.

    Args:
        fetcher: Talks to the token endpoint; must know the password as a secret.
        client_id: The public application id, the same for every user.
        renew_after: Age at which a token is replaced; it lives one hour.
        clock: Tells the token's age.
    """

    def __init__(
        self, fetcher: Fetcher, credentials: ErcotCredentials, *, client_id: str, renew_after: timedelta, clock: Clock
    ) -> None:
        self._fetcher = fetcher
        self._credentials = credentials
        self._client_id = client_id
        self._renew_after = renew_after
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at: datetime | None = None

    def token(self) -> str:
        """Return a token that is young enough.

        Raises:
            CredentialError: The user, the password or the client id is wrong.
        """
        with self._lock:
            if self._renew_at is None or self._clock.now() >= self._renew_at:
                self._token = self._fetch()
                self._renew_at = self._clock.now() + self._renew_after
            return self._token

    def forget(self) -> None:
        """Ask for a new token next time."""
        with self._lock:
            self._renew_at = None

    def _fetch(self) -> str:
        form = {
            "grant_type": "password",
            "username": self._credentials.username,
            "password": self._credentials.password,
            "response_type": "id_token",
            "scope": f"openid {self._client_id} offline_access",
            "client_id": self._client_id,
        }
        request = Request(
            path="",
            method="POST",
            form=form,
            land=False,  # the body is a credential
            remedy="check the ERCOT user and password in the environment, and client_id in config/sources.toml",
        )
        try:
            return self._fetcher.fetch(request, _id_token)
        except StatusError as error:
            if error.status != HTTPStatus.BAD_REQUEST:
                raise
            raise CredentialError("ercot", str(error).removeprefix("ercot: ")) from None


def ercot_auth(source: TokenSource, credentials: ErcotCredentials) -> Bearer:
    """Return the two headers every call of the Public API carries."""
    return Bearer(
        source.token,
        identity=digest(credentials.username),
        forget=source.forget,
        # The same key as a query parameter would land in every log on the way.
        header={"Ocp-Apim-Subscription-Key": credentials.subscription_key},
    )


def _id_token(answer: Answer) -> str:
    token = answer.json.get("id_token")
    if not isinstance(token, str) or not token:
        raise PayloadError("ercot: the token endpoint answered without an id_token; check token_url and client_id")
    return token
