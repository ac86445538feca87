"""Tables and reports as files: Parquet or CSV in, Parquet, CSV or JSON out, whole or not at all.

Put here: reading and writing by a file's ending. Keep out: what the columns mean (the reader of each contract).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl

from domain.errors import InputError

STANDARD_OUTPUT: Final = "-"
_PARQUET_MAGIC: Final = b"PAR1"


def read_table(path: Path, *, what: str) -> pl.DataFrame:
    """Return a table file: Parquet by its first bytes, else CSV with a header row.

    Args:
        path: The file.
        what: What it is, for messages, such as ``--inputs``.

    Raises:
        InputError: It cannot be read, or is neither.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{what} {path} cannot be read: {error.strerror or error}") from None
    try:
        if content.startswith(_PARQUET_MAGIC):
            return pl.read_parquet(content)
        return pl.read_csv(content, infer_schema_length=None)
    except (pl.exceptions.PolarsError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{what} {path} is neither Parquet nor a CSV table: {str(error).splitlines()[0]}") from None


def read_record(path: Path, *, what: str) -> dict[str, Any]:
    """Return a JSON file that holds one object.

    Raises:
        InputError: It cannot be read, is no JSON, or holds something else.
    """
    try:
        value = orjson.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{what} {path} cannot be read: {error.strerror or error}") from None
    except orjson.JSONDecodeError as error:
        raise InputError(f"{what} {path} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise InputError(f"{what} {path} holds a {type(value).__name__}; it must hold one object with named values")
    return value


class Outputs:
    """What a command writes, kept beside its targets until all of it is there."""

    def __init__(self) -> None:
        self._files: dict[Path, Path] = {}
        self._printed: list[str] = []

    def table(self, frame: pl.DataFrame, out: str) -> None:
        """Write a table: CSV to ``-`` and to names that end in .csv, Parquet to all others."""
        if out == STANDARD_OUTPUT:
            self._printed.append(_csv(frame))
        elif out.endswith(".csv"):
            self._file(out, lambda temporary: temporary.write_text(_csv(frame), encoding="utf-8"))
        else:
            self._file(out, frame.write_parquet)

    def record(self, record: dict[str, Any], out: str) -> None:
        """Write a report as JSON, to a file or to ``-``."""
        options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
        content = orjson.dumps(record, option=options)
        if out == STANDARD_OUTPUT:
            self._printed.append(content.decode())
        else:
            self._file(out, lambda temporary: temporary.write_bytes(content))

    def _file(self, out: str, write: Callable[[Path], object]) -> None:
        path = Path(out)
        if path in self._files:
            raise InputError(f"{path} is named twice as an output; give each its own file")
        if path.is_dir():
            raise InputError(f"{path} is a folder; name the file to write")
        if not path.parent.is_dir():
            raise InputError(f"{path} cannot be written: there is no folder {path.parent}")
        self._files[path] = path.with_name(f".{path.name}.partial")
        try:
            write(self._files[path])
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror or error}") from None

    def finish(self) -> None:
        """Put every file in its place by rename: a reader never sees half a file."""
        for path, temporary in self._files.items():
            try:
                temporary.replace(path)
            except OSError as error:
                raise InputError(f"{path} cannot be written: {error.strerror or error}") from None
        sys.stdout.write("".join(self._printed))

    def discard(self) -> None:
        """Remove what is left over."""
        for temporary in self._files.values():
            temporary.unlink(missing_ok=True)


@contextmanager
def written_together() -> Generator[Outputs]:
    """Yield outputs that all come to be when the block ends, or none of them where it fails.

    Raises:
        InputError: One cannot be written.
    """
    outputs = Outputs()
    try:
        yield outputs
        outputs.finish()
    finally:
        outputs.discard()


def write_table(frame: pl.DataFrame, out: str) -> None:
    """Write one table as `Outputs.table` does."""
    with written_together() as outputs:
        outputs.table(frame, out)


def write_record(record: dict[str, Any], out: str) -> None:
    """Write one report as `Outputs.record` does."""
    with written_together() as outputs:
        outputs.record(record, out)


def _csv(frame: pl.DataFrame) -> str:
    # A CSV has no lists: they are written as the text that readers of such columns take, [1.0, 0.5].
    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
    items = pl.col(lists).list.eval(pl.element().cast(pl.String).fill_null("null")).list.join(", ")
    frame = frame.with_columns(pl.format("[{}]", items)) if lists else frame
    return frame.write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.fZ")
