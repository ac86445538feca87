"""What is opened in a ``with`` block and closed at its end.

Put here: that, and nothing else. Keep out: what there is to close (each client).
"""

from __future__ import annotations

from typing import Self


class Closing:
    """Closed at the end of the ``with`` block it was opened in."""

    def close(self) -> None:
        """Give back what is held; nothing here."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
