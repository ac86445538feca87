"""How to talk to one service: timeouts, patience and pace.

Put here: the settings every client has. Keep out: their values (config/sources.toml holds them) and credentials.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """How to talk to one service.

    Attributes:
        base_url: Where the service is; empty until the operator or an overlay names it.
        connect_timeout_s: Longest wait for a connection [s].
        read_timeout_s: Longest silence while a body arrives [s].
        total_timeout_s: Longest time for one whole body [s]; a trickle never trips the read timeout.
        attempts: How often one request is tried before it fails.
        backoff_s: First wait after a fault [s]; doubles each time, with jitter.
        backoff_cap_s: Longest such wait [s].
        throttle_backoff_s: First wait after a 429 that says nothing [s].
        throttle_cap_s: Longest such wait [s].
        longest_wait_s: Longest wait a service may impose (Retry-After, an hourly quota) before we give up [s].
        spacing_s: Mean time between calls with one credential, over all processes of this machine [s].
        burst: How many calls may come at once after a quiet time.
        max_body_mb: Largest body accepted [MB].
        ca_bundle: Path of a private certificate authority; empty for the public ones. Verification is never off.
        proxy: Address of a proxy; empty for none. The environment is not asked.
        user_agent: Who we say we are; some services ask for a contact.
    """

    base_url: str
    connect_timeout_s: Positive
    read_timeout_s: Positive
    total_timeout_s: Positive
    attempts: Count
    backoff_s: NotNegative
    backoff_cap_s: NotNegative
    throttle_backoff_s: NotNegative
    throttle_cap_s: NotNegative
    longest_wait_s: NotNegative
    spacing_s: NotNegative
    burst: Count
    max_body_mb: Positive
    ca_bundle: str
    proxy: str
    user_agent: str
