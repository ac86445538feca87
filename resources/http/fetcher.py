"""Ask, land the bytes, judge them, and ask again where that may help.

Put here: the loop of one request. Keep out: paging and windows (the clients), parsing (a function handed in).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from domain.errors import ConfigError, CredentialError, PayloadError, ServiceError, TailraceError
from resources.clock import Clock
from resources.http.bodies import check_body
from resources.http.closing import Closing
from resources.http.credentials import Auth, NoAuth
from resources.http.failures import StatusError, UnreachableError
from resources.http.faults import Faults
from resources.http.gate import Gate
from resources.http.records import Answer, Land, RawMeta, Request
from resources.http.settings import HttpSettings

T = TypeVar("T")

_LANDED_HEADERS: Final = ("content-type", "content-disposition", "last-modified", "etag", "date")
_URL_SHOWN: Final = 300
_CHUNK: Final = 1 << 16


class Fetcher(Closing):
    """The fetch loop of one service with one credential.

    Args:
        service: Its name in ``config/sources.toml``; begins every error.
        source: The canonical ``source`` written beside landed bytes.
        settings: Timeouts, patience and pace.
        clock: Tells and passes time.
        land: Stores bytes before they are parsed.
        locks: Folder of the limiter's files, shared by all processes of this machine.
        auth: Puts credentials into headers.

    Raises:
        ConfigError: The base URL is empty or no http(s) address, or the certificate file is missing.
    """

    def __init__(
        self,
        service: str,
        *,
        source: str,
        settings: HttpSettings,
        clock: Clock,
        land: Land,
        locks: Path,
        auth: Auth | None = None,
    ) -> None:
        self._service = service
        self._source = source
        self._settings = settings
        self._clock = clock
        self._land = land
        self._auth: Auth = auth or NoAuth()
        self._faults = Faults(service, self._auth, clock)
        self._base = _base_url(service, settings.base_url)
        self._gate = Gate(
            locks / f"{service}-{self._auth.identity}.pace",
            service=service,
            spacing_s=settings.spacing_s,
            burst=settings.burst,
            longest_wait_s=settings.longest_wait_s,
            clock=clock,
        )
        self._session = _session(service, settings)

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def fetch(self, request: Request, read: Callable[[Answer], T]) -> T:
        """Return ``read`` of the answer; a fault that may pass is tried again, in ``read`` as well.

        Args:
            request: What to ask.
            read: Turns a body of the right kind into a value; a retryable PayloadError from it asks again.

        Raises:
            CredentialError: 401 with credentials that were just renewed or cannot be, or 403.
            StatusError: Another status; retryable ones after all attempts.
            UnreachableError: No complete answer in all attempts.
            PayloadError: The body is not what was asked for.
        """
        renewed = False
        attempt = 1
        while True:
            try:
                return read(self._ask(request))
            except StatusError as error:
                if error.status == HTTPStatus.UNAUTHORIZED:
                    if renewed or not self._auth.refresh():
                        raise CredentialError(self._service, _without(error, self._service)) from None
                    renewed = True
                    continue
                self._before_next(error, attempt, wait_s=error.wait_s)
            except (UnreachableError, PayloadError) as error:
                self._before_next(error, attempt)
            attempt += 1

    def _before_next(
        self, error: StatusError | UnreachableError | PayloadError, attempt: int, wait_s: float | None = None
    ) -> None:
        """Wait as long as ``error`` deserves, or raise it."""
        if not error.retryable:
            raise error
        throttled = isinstance(error, StatusError) and error.status == HTTPStatus.TOO_MANY_REQUESTS
        if wait_s is None:
            wait_s = self._backoff(attempt, throttled=throttled)
        if throttled:
            # Everybody with this credential pauses, other processes too: a second caller would only prolong it.
            self._gate.hold(wait_s)
        if attempt >= self._settings.attempts:
            raise self._given_up(error, attempt)
        if not throttled:
            self._clock.sleep(wait_s)

    def _backoff(self, attempt: int, *, throttled: bool) -> float:
        s = self._settings
        first, cap = (s.throttle_backoff_s, s.throttle_cap_s) if throttled else (s.backoff_s, s.backoff_cap_s)
        return min(cap, first * 2 ** (attempt - 1)) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret

    def _given_up(self, error: StatusError | UnreachableError | PayloadError, attempts: int) -> TailraceError:
        text = f"{_without(error, self._service)} ({attempts} attempts)"
        if isinstance(error, StatusError):
            return StatusError(self._service, text, status=error.status, retryable=True, wait_s=error.wait_s)
        if isinstance(error, PayloadError):
            return PayloadError(f"{self._service}: {text}", retryable=True)
        return UnreachableError(self._service, text)

    def _ask(self, request: Request) -> Answer:
        """Send once, land the body, and return it if it is what was asked for."""
        self._gate.wait()
        headers = {**self._auth.headers(), **request.headers}
        url = request.path if "://" in request.path else self._base + request.path
        shown = self._faults.shown(url, request.params)
        what = f"{request.method} {shown[:_URL_SHOWN]}"
        try:
            with self._session.request(
                request.method,
                url,
                params=list(request.params),
                json=request.json,
                data=request.form,
                headers=headers,
                timeout=(self._settings.connect_timeout_s, self._settings.read_timeout_s),
                stream=True,
                allow_redirects=False,  # requests would carry a subscription key to another host
            ) as response:
                content = self._body(response, what)
                status = response.status_code
                received = {name.lower(): value for name, value in response.headers.items()}
        except requests.RequestException as error:
            raise self._faults.of_transport(error, what=what) from None
        if status not in (HTTPStatus.OK, HTTPStatus.MULTI_STATUS) and status not in request.accept:
            raise self._faults.of_status(status, received, content, what=what, remedy=request.remedy)
        return self._answer(request, content, status, received, shown)

    def _answer(self, request: Request, content: bytes, status: int, headers: dict[str, str], url: str) -> Answer:
        fetched_at = self._clock.now()
        kept = {"status": str(status)} | {
            name: self._faults.clean(headers[name]) for name in _LANDED_HEADERS if name in headers
        }
        meta = RawMeta(source=self._source, name=f"{request.method} {url}", fetched_at=fetched_at, meta=kept)
        sha256 = self._land(content, meta) if request.land and content else ""
        if status == HTTPStatus.OK or content:
            check_body(
                content,
                expect=request.expect,
                content_type=headers.get("content-type", ""),
                what=f"{self._service}: {request.method} {url[:_URL_SHOWN]}",
            )
        return Answer(content=content, status=status, headers=headers, url=url, fetched_at=fetched_at, sha256=sha256)

    def _body(self, response: requests.Response, what: str) -> bytes:
        """Read the whole body within its limits of size and time."""
        deadline = self._clock.now() + timedelta(seconds=self._settings.total_timeout_s)
        limit = int(self._settings.max_body_mb * 1_000_000)
        body = bytearray()
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > limit:
                raise ServiceError(
                    self._service,
                    f"{what} sent more than max_body_mb = {self._settings.max_body_mb:g} MB;"
                    " ask for a shorter window or raise the limit in config/sources.toml",
                    retryable=False,
                )
            if self._clock.now() > deadline:
                raise UnreachableError(
                    self._service,
                    f"{what} was still sending after total_timeout_s = {self._settings.total_timeout_s:g} s",
                )
        return bytes(body)


def _base_url(service: str, base_url: str) -> str:
    if not base_url:
        raise ConfigError(
            f"{service} has no base_url: name the real host in an overlay of config/sources.toml,"
            " or start the stand-in services (tailrace simulate)"
        )
    if urlsplit(base_url).scheme not in ("http", "https") or not urlsplit(base_url).netloc:
        raise ConfigError(f"{service} has base_url {base_url!r}; write it like https://host.example/path")
    return base_url.rstrip("/")


def _session(service: str, settings: HttpSettings) -> requests.Session:
    if settings.ca_bundle and not Path(settings.ca_bundle).is_file():
        raise ConfigError(f"{service} has ca_bundle {settings.ca_bundle!r}, which is no readable file")
    session = requests.Session()
    session.trust_env = False  # else a .netrc entry would replace our Authorization header unseen
    if settings.proxy:
        session.proxies = {"http": settings.proxy, "https": settings.proxy}
    session.verify = settings.ca_bundle or True
    session.headers["User-Agent"] = settings.user_agent
    # The transport repeats nothing: quick repeats after a 429 use up a volume quota faster.
    adapter = HTTPAdapter(max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _without(error: TailraceError, service: str) -> str:
    """Return the message without the service's name in front, which the new error writes again."""
    return str(error).removeprefix(f"{service}: ")
