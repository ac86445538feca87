"""The drop folder of market awards: files that somebody else's process delivers.

A file is read, appended, and only then moved; so whatever is killed in between, the next run reads it again and adds
nothing. Put here: what waits, where it goes. Keep out: what it means (resources/payloads/awards.py) and when to look
(sensors/awards_drop.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import ConfigDict

from domain.errors import ConfigError, PayloadError, TailraceError
from domain.instants import iso
from resources.clock import Clock
from resources.http import Land, RawMeta, Read
from resources.http.closing import Closing
from resources.payloads import Facts, registry

PATTERN: Final = "*.xml"
READ: Final = "read"
QUARANTINE: Final = "quarantine"
_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AwardsSettings:
    """Where awards arrive.

    Attributes:
        folder: The drop folder; empty where this installation has none.
        max_file_mb: A longer file is set aside unread [MB].
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    folder: str = ""
    max_file_mb: float = 8.0


class AwardsFolder(Closing):
    """Reads the files of one drop folder.

    Args:
        settings: Where they arrive.
        credentials: None.
        clock: Tells time.
        land: Stores bytes before they are parsed.
        locks: Unused: a folder is not rate limited.
    """

    def __init__(
        self, settings: AwardsSettings, *, credentials: None = None, clock: Clock, land: Land, locks: Path
    ) -> None:
        del credentials, locks
        self._settings = settings
        self._clock = clock
        self._land = land

    @property
    def folder(self) -> Path:
        """The drop folder.

        Raises:
            ConfigError: None is configured.
        """
        if not self._settings.folder:
            raise ConfigError("no drop folder of awards is configured: set folder under [awards] in your overlay")
        return Path(self._settings.folder)

    def waiting(self) -> list[str]:
        """Return the names of the files that wait, oldest name first; none where no folder is configured."""
        if not self._settings.folder or not self.folder.is_dir():
            return []
        return sorted(path.name for path in self.folder.glob(PATTERN) if path.is_file())

    def stamped(self) -> list[tuple[str, int]]:
        """Return the waiting files with the time each was last written [ns]: a name may be delivered again."""
        found = []
        for name in self.waiting():
            try:
                found.append((name, (self.folder / name).stat().st_mtime_ns))
            except FileNotFoundError:  # a run moved it in between
                continue
        return found

    def read(self, name: str) -> Read:
        """Return one file's rows; the file stays where it is.

        Raises:
            PayloadError: It is too long, or no awards message that can be read.
            FileNotFoundError: It is gone: another run was faster.
        """
        path = self.folder / name
        size_mb = path.stat().st_size / 1e6
        if size_mb > self._settings.max_file_mb:
            raise PayloadError(f"awards: {name} has {size_mb:.1f} MB; the limit is {self._settings.max_file_mb:g} MB")
        content, now = path.read_bytes(), self._clock.now()
        sha256 = self._land(content, RawMeta(source="awards", name=name, fetched_at=now))
        rows = registry.parse("awards", content, Facts(fetched_at=now, name=name))
        first, last = rows["event_start"].min(), rows["event_end"].max()
        held = isinstance(first, datetime) and isinstance(last, datetime)
        span = (first, last) if held else (now, now + _TICK)
        return Read(f"awards:{name}", span, rows, (sha256,), () if rows.height else ("no awards in it",))

    def done(self, name: str) -> None:
        """Move a file that was read and stored."""
        self._move(name, READ)

    def quarantine(self, name: str, reason: TailraceError) -> None:
        """Set a file aside that cannot be read, with the reason in ``{name}.reason.txt`` beside it."""
        moved = self._move(name, QUARANTINE)
        if moved is not None:
            text = f"{iso(self._clock.now())}  {name}\n{reason}\nPut it back into {self.folder} once it is repaired.\n"
            moved.with_name(f"{moved.name}.reason.txt").write_text(text)

    def _move(self, name: str, where: str) -> Path | None:
        target = next(_free(self.folder / where / name))
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            return (self.folder / name).replace(target)
        except FileNotFoundError:  # another run was faster; it moved the same bytes
            return None


def _free(path: Path) -> Iterator[Path]:
    """Yield names that no file has yet: a message delivered again must not replace what was read before."""
    if not path.exists():
        yield path
    number = 2
    while True:
        other = path.with_name(f"{path.stem}.{number}{path.suffix}")
        if not other.exists():
            yield other
        number += 1
