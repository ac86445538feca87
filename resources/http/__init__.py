"""The fetch loop that every client shares: ask, land the bytes, judge them, retry, space the calls.

Put here: what is true of any HTTP service. Keep out: one vendor's paths and parameters (resources/<service>.py), the
meaning of bytes (resources/payloads), the lake (a function that lands bytes is handed in).
"""

from resources.http.bodies import Expect
from resources.http.credentials import ApiKey, Auth, Basic, Bearer, NoAuth
from resources.http.failures import Failures, StatusError, UnreachableError
from resources.http.fetcher import Fetcher
from resources.http.records import Answer, Land, RawMeta, Read, Request
from resources.http.settings import HttpSettings

__all__ = [
    "Answer",
    "ApiKey",
    "Auth",
    "Basic",
    "Bearer",
    "Expect",
    "Failures",
    "Fetcher",
    "HttpSettings",
    "Land",
    "NoAuth",
    "RawMeta",
    "Read",
    "Request",
    "StatusError",
    "UnreachableError",
]
