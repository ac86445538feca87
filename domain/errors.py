"""The errors this project raises on purpose.

* TailraceError
  - InputError           what was handed in breaks a rule: a file, a column, an option (exit code 2)
    - ConfigError        a configuration file is unreadable or contradicts itself
    - FrameError         a frame breaks its column contract
    - TimeError          a time without a zone, or one that does not exist
    - UnitError          a unit outside the closed table, or one that cannot become another
    - PayloadError       a vendor's bytes are not what its contract says
  - ServiceError         an outside service failed, and whether asking again may help
    - CredentialError    it refused our credentials
  - MissingInputError    a decision lacks an input; carries the reasons, one a series
  - InfeasibleError      the plant or the fleet cannot meet the request (exit code 3)
  - LakeError            the store cannot do what was asked, or holds what it should not

Every message says what, which value, the rule and the remedy.
"""

from __future__ import annotations


class TailraceError(Exception):
    """The root of the tree; catch this at the edge only."""


class InputError(TailraceError):
    """What was handed in breaks a rule."""


class ConfigError(InputError):
    """A configuration file is unreadable or contradicts itself."""


class FrameError(InputError):
    """A frame breaks its column contract."""


class TimeError(InputError):
    """A time without a zone, or a local time that does not exist."""


class UnitError(InputError):
    """A unit outside the closed table, or one that cannot become another."""


class PayloadError(InputError):
    """A vendor's bytes are not what its contract says.

    Attributes:
        retryable: True where the service may answer properly when asked again (an HTML page with status 200,
            a truncated zip), False where the same bytes would come again (an unknown column).
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class ServiceError(TailraceError):
    """An outside service failed.

    Attributes:
        service: Its name in ``config/sources.toml``.
        retryable: Whether asking again later may help.
    """

    def __init__(self, service: str, message: str, *, retryable: bool) -> None:
        super().__init__(f"{service}: {message}")
        self.service = service
        self.retryable = retryable


class CredentialError(ServiceError):
    """A service refused our credentials; asking again with the same ones cannot help."""

    def __init__(self, service: str, message: str) -> None:
        super().__init__(service, message, retryable=False)


class MissingInputError(TailraceError):
    """A decision lacks inputs.

    Attributes:
        reasons: Series id -> why it has no usable value.
    """

    def __init__(self, what: str, reasons: dict[str, str]) -> None:
        lines = "; ".join(f"{series}: {reason}" for series, reason in sorted(reasons.items()))
        super().__init__(f"{what} lacks {len(reasons)} input(s): {lines}")
        self.reasons = reasons


class InfeasibleError(TailraceError):
    """The plant or the fleet cannot meet the request; the message names the constraint and the cheapest relaxation."""


class LakeError(TailraceError):
    """The store cannot do what was asked, or holds what it should not."""
