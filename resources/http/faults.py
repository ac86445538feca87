"""What a failed call means: words without secrets, and how long the service asks us to wait.

Put here: statuses, broken connections, what may be shown of a URL. Keep out: the loop that asks again (fetcher.py).
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import requests
from requests.exceptions import InvalidHeader, InvalidSchema, InvalidURL, MissingSchema, SSLError

from domain.errors import CredentialError, ServiceError
from resources.clock import Clock
from resources.http.credentials import Auth
from resources.http.failures import StatusError, UnreachableError

_AGAIN: Final = frozenset({403, 408, 429, 500, 502, 503, 504})
"""Statuses that may pass. A 403 with a web page is a block page, which passes; with anything else it is ours."""
_SECRET_PARAMETER: Final = re.compile(r"key|token|password|secret|signature", re.IGNORECASE)
_TRY_AGAIN_IN: Final = re.compile(r"try again in (\d+) second", re.IGNORECASE)
_VOLUME_QUOTA: Final = "BandwidthQuotaExceeded"
_QUOTA_JITTER_S: Final = 30.0
_BODY_SHOWN: Final = 200
_SHORTEST_SECRET: Final = 4  # masking a shorter one would mangle every message and hide nothing
_KEPT: Final = "what was already fetched is kept, the next run asks again"


class Faults:
    """Words failures of one service.

    Args:
        service: Begins every message.
        auth: Knows what must never be shown.
        clock: Tells how far away a moment is.
    """

    def __init__(self, service: str, auth: Auth, clock: Clock) -> None:
        self._service = service
        self._auth = auth
        self._clock = clock

    def of_status(
        self, status: int, headers: Mapping[str, str], content: bytes, *, what: str, remedy: str
    ) -> ServiceError:
        """Return the error of an answer that is no success.

        Args:
            status: The HTTP status.
            headers: Names in lower case.
            content: The body.
            what: Method and URL.
            remedy: What to do when the request itself is refused; empty for the general one.
        """
        said = " ".join(self.clean(content[: 4 * _BODY_SHOWN].decode("utf-8", "replace")).split())[:_BODY_SHOWN]
        text = f"{what} answered {status}" + (f": {said}" if said else "")
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            target = self.shown(headers.get("location", "?"))
            text += f", a redirect to {target}; write the final address into base_url, redirects are not followed"
            return StatusError(self._service, text, status=status, retryable=False)
        if status == HTTPStatus.FORBIDDEN and not said.startswith("<"):
            return CredentialError(self._service, f"{text}; these credentials do not cover it: check the subscription")
        if status == HTTPStatus.UNAUTHORIZED:
            text += "; check the credentials in the environment"
            return StatusError(self._service, text, status=status, retryable=False)
        if status in _AGAIN:
            wait_s = self._asked_wait(headers, content)
            return StatusError(self._service, f"{text}; {_KEPT}", status=status, retryable=True, wait_s=wait_s)
        remedy = remedy or "check the request in config/sources.toml"
        return StatusError(self._service, f"{text}; {remedy}", status=status, retryable=False)

    def of_transport(self, error: requests.RequestException, *, what: str) -> ServiceError:
        """Return the error of a call that got no complete answer."""
        said = self.clean(str(error))[:_BODY_SHOWN]
        if isinstance(error, SSLError):
            return ServiceError(
                self._service,
                f"{what}: the certificate was refused ({said}); name the private authority's file in ca_bundle",
                retryable=False,
            )
        if isinstance(error, (InvalidURL, InvalidSchema, MissingSchema, InvalidHeader)):
            return ServiceError(self._service, f"{what}: not a request ({said}); check base_url", retryable=False)
        return UnreachableError(self._service, f"{what} got no complete answer ({said}); {_KEPT}")

    def _asked_wait(self, headers: Mapping[str, str], content: bytes) -> float | None:
        """Return how long the service asks us to wait [s], from its header or its words."""
        now = self._clock.now()
        told = headers.get("retry-after", "").strip()
        if told.isdigit():
            return float(told)
        if told:
            try:
                moment = parsedate_to_datetime(told).astimezone(UTC)
            except ValueError:
                return None
            return max(0.0, (moment - now).total_seconds())
        text = content[:1000].decode("utf-8", "replace")
        if _VOLUME_QUOTA in text:
            return _to_next_hour(now) + random.uniform(0, _QUOTA_JITTER_S)  # noqa: S311 - jitter, no secret
        found = _TRY_AGAIN_IN.search(text)
        return float(found.group(1)) if found else None

    def shown(self, url: str, params: Sequence[tuple[str, str]] = ()) -> str:
        """Return a URL as it may be shown and stored."""
        parts = urlsplit(url)
        pairs = [*parse_qsl(parts.query, keep_blank_values=True), *params]
        pairs = [(name, "***" if _SECRET_PARAMETER.search(name) else value) for name, value in pairs]
        host = parts.netloc.rsplit("@", 1)[-1]
        return self.clean(urlunsplit((parts.scheme, host, parts.path, urlencode(pairs, safe="*:|\\,/"), "")))

    def clean(self, text: str) -> str:
        """Return ``text`` without any of our secrets."""
        for secret in self._auth.secrets():
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, "***")
        return text


def _to_next_hour(now: datetime) -> float:
    return 3600 - now.timestamp() % 3600
