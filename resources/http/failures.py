"""Failures that name the service, the request and the remedy, and their collection over many items.

Put here: errors of the fetch loop. Keep out: errors of meaning (domain/errors.py has PayloadError).
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from domain.errors import ConfigError, CredentialError, InputError, PayloadError, ServiceError, TailraceError

_LISTED: Final = 10


class StatusError(ServiceError):
    """A service answered with a status that is not success.

    Attributes:
        status: The HTTP status.
        wait_s: How long the service asked us to wait [s]; None where it did not say.
    """

    def __init__(
        self, service: str, message: str, *, status: int, retryable: bool, wait_s: float | None = None
    ) -> None:
        super().__init__(service, message, retryable=retryable)
        self.status = status
        self.wait_s = wait_s


class UnreachableError(ServiceError):
    """No answer, or one that broke off: refused, reset, timed out, cut short."""

    def __init__(self, service: str, message: str) -> None:
        super().__init__(service, message, retryable=True)


class Failures:
    """Collects the failures of single items, so that one bad tag does not cost the others.

    ``settle`` raises them together at the end. Refused credentials, a broken configuration and a service that failed
    ``stop_after`` items in a row, each after all its attempts, stop the rest at once: they would fail alike.
    """

    def __init__(self, service: str, *, stop_after: int = 3) -> None:
        self._service = service
        self._stop_after = stop_after
        self._failed: list[tuple[str, TailraceError]] = []
        self._asked = 0
        self._in_a_row = 0

    @contextmanager
    def item(self, name: str) -> Generator[None]:
        """Run one item; what fails in it is kept for ``settle``."""
        self._asked += 1
        try:
            yield
        except (ConfigError, CredentialError):
            raise
        except (ServiceError, InputError) as error:
            self._failed.append((name, error))
            self._in_a_row = self._in_a_row + 1 if _retryable(error) else 0
            if self._in_a_row >= self._stop_after:
                raise self._summary("; stopped there, the items after it were not asked for") from error
        else:
            self._in_a_row = 0

    def settle(self) -> None:
        """Raise what failed, all of it in one message.

        Raises:
            PayloadError: Every failure is one of meaning, which the same bytes would repeat.
            ServiceError: Otherwise; retryable if any of them is.
        """
        if self._failed:
            raise self._summary("") from self._failed[0][1]

    def _summary(self, ending: str) -> TailraceError:
        listed = "; ".join(f"[{name}] {error}" for name, error in self._failed[:_LISTED])
        more = len(self._failed) - _LISTED
        text = f"{len(self._failed)} of {self._asked} item(s) failed: {listed}"
        text += f"; and {more} more" if more > 0 else ""
        retryable = any(_retryable(error) for _, error in self._failed)
        if not retryable and all(isinstance(error, InputError) for _, error in self._failed):
            return PayloadError(f"{self._service}: {text}{ending}")
        return ServiceError(self._service, text + ending, retryable=retryable)


def _retryable(error: TailraceError) -> bool:
    return bool(getattr(error, "retryable", False))
