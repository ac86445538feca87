"""Delimited text as a frame of text columns, and text columns as numbers.

Put here: headers in any case and order, blank lines, trailing delimiters, cut rows, numbers that are none.
Keep out: what a column means (each vendor's module) and times (times.py).
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import polars as pl

from domain.errors import PayloadError
from resources.payloads.envelope import Document, text_of

MAX_COLUMNS: Final = 20_000
"""The most columns a table may have. An ensemble export of 60 points by 69 members has 4,141."""
MAX_HEADER_BYTES: Final = 1 << 20
"""The longest header line; 20,000 names of 50 letters."""

MAX_LINE_BYTES: Final = 1 << 20
"""The longest row: an ensemble of 4,141 columns has 40 kB."""
MAX_CELLS: Final = 12_000_000
"""The most cells that become a table, 16 bytes each at least; a bulk download of 1,000 documents has 8 million."""

_TITLES: Final = 4
"""Lines of title that spreadsheets and report pages put above a table."""
_TITLE_BYTES: Final = 4096

_DELIMITERS: Final = (",", ";", "\t", "|")
_QUOTED: Final = r'"[^"]*"'
_NOT_ALPHANUMERIC: Final = re.compile(r"[^a-z0-9]")


def key_of(name: str) -> str:
    """Return a column's name without case, blanks and punctuation: vendors change those at will.

    >>> key_of("DSTFlag    "), key_of("SYSTEM_WIDE_GEN"), key_of("systemWideGen")
    ('dstflag', 'systemwidegen', 'systemwidegen')
    """
    return _NOT_ALPHANUMERIC.sub("", name.lower())


class Header(NamedTuple):
    """The first line of a table.

    Attributes:
        names: Column names, stripped.
        rest: The bytes after the line.
        delimiter: What parts its fields.
    """

    names: list[str]
    rest: bytes
    delimiter: str


def keys_of(body: bytes, what: str) -> list[str]:
    """Return the columns' names by `key_of`, without reading a row: a table that is none of ours is refused early.

    Raises:
        PayloadError: As `split_header`.
    """
    return [key for key in map(key_of, split_header(body, what).names) if key]


def split_header(body: bytes, what: str) -> Header:
    """Return the first line that is not blank, as a header; titles above it, which part no fields, are passed over.

    Raises:
        PayloadError: The line is longer or wider than any table's, or binary.
    """
    text = _below_titles(body.lstrip(b"\r\n \t"))
    end = text.find(b"\n", 0, MAX_HEADER_BYTES)
    if end < 0:
        if len(text) > MAX_HEADER_BYTES:
            _refuse_width(text[:MAX_HEADER_BYTES], what)
            raise PayloadError(f"{what} has a first line longer than {MAX_HEADER_BYTES:,} bytes: no table's header")
        end = len(text)
    line = text[:end].rstrip(b"\r")
    if b"\x00" in line:
        raise PayloadError(f"{what} is binary, not a table; was it packed or encrypted?")
    _refuse_width(line, what)
    delimiter = _delimiter(line)
    return Header([name.strip() for name in _fields(line, delimiter, what)], text[end + 1 :], delimiter)


def _below_titles(text: bytes) -> bytes:
    """Return the text from its header on: lines without a delimiter above one that has several are titles."""
    lines = text[:_TITLE_BYTES].split(b"\n")[: _TITLES + 1]
    marks = [sum(line.count(mark.encode()) for mark in _DELIMITERS) for line in lines]
    first = next((index for index, count in enumerate(marks) if count), 0)
    if not first or marks[first] <= 1:  # a table of ours has three columns at least, a stray comma one
        return text
    return text[sum(len(line) + 1 for line in lines[:first]) :]


def read_rows(
    rest: bytes, width: int, what: str, *, delimiter: str = ",", numeric: Collection[int] = ()
) -> pl.DataFrame:
    """Return the rows under a header as text columns ``0`` to ``width - 1``, without rows that hold nothing.

    Args:
        rest: The text below the header.
        width: Columns of the header.
        what: Names the table in an error.
        delimiter: What parts its fields.
        numeric: Columns to read as numbers where every cell of them is one or empty; `floats` judges the others.

    Raises:
        PayloadError: They have more than `MAX_CELLS`, or one has fewer or more fields than the header (retryable: the
            text may be cut short).
    """
    schema = {str(index): pl.String for index in range(width)}
    if not rest:
        return pl.DataFrame(schema=schema)
    _refuse_lines(rest, what)
    if len(rest) * width > MAX_CELLS:  # a line has a byte at least
        refuse_cells(rest.count(b"\n") + 1, width, what)
    numbers = dict.fromkeys(map(str, numeric), pl.Float64)
    try:
        try:
            rows = _scan(rest, schema | numbers, delimiter)
        except pl.exceptions.PolarsError:
            if not numbers:
                raise
            rows = _scan(rest, schema, delimiter)
        # The reader fills short rows with nulls and says nothing: where a last cell is empty, delimiters are counted.
        even = b'"' not in rest and (
            rows[:, -1].null_count() == 0 or rest.count(delimiter.encode()) == (width - 1) * rows.height
        )
    except pl.exceptions.PolarsError:
        even = False
    if not even or width == 1:
        lines = _evened(rest, width, what, delimiter).encode()
        rows = _scan(lines, schema, delimiter) if lines else pl.DataFrame(schema=schema)
    return rows.filter(~pl.all_horizontal(pl.all().is_null())) if rows["0"].null_count() else rows


def read_table(body: bytes, what: str, *, numeric: Collection[str] = ()) -> pl.DataFrame:
    """Return a table of text columns, named by `key_of`; a column without a name is left out.

    Columns named in ``numeric`` may come as numbers already.

    Raises:
        PayloadError: Two columns have one name, or `split_header` or `read_rows` refuses.
    """
    header = split_header(body, what)
    return named(read_below(header, what, numeric=numeric), header.names, what)


def read_below(header: Header, what: str, *, numeric: Collection[str] = ()) -> pl.DataFrame:
    """Return `read_rows` of what stands below a header, without rows that repeat it: each of joined files brings it.

    Raises:
        PayloadError: As `read_rows`.
    """
    places = _places(header, numeric)
    rows = read_rows(header.rest, len(header.names), what, delimiter=header.delimiter, numeric=places)
    if not header.names[0] or not (rows["0"] == header.names[0]).any():
        return rows
    cells = (pl.col(str(index)).cast(pl.String).str.strip_chars() == name for index, name in enumerate(header.names))
    return rows.filter(~pl.all_horizontal(cells).fill_null(value=False))


def read_documents(
    documents: Sequence[Document], what: str, *, numeric: Collection[str] = ()
) -> tuple[pl.DataFrame, list[int]]:
    """Return the rows of documents that share one header as one table, and how many rows each gave.

    A day of quarter-hour documents is read once, not 96 times. Columns named (by `key_of`) in ``numeric`` may come as
    numbers already.
    """
    if len(documents) == 1:
        table = read_table(documents[0].body, documents[0].name, numeric=numeric)
        return table, [table.height]
    headers = [split_header(document.body, document.name) for document in documents]
    first = headers[0]
    alike = all(header.names == first.names and b'"' not in header.rest for header in headers)
    if not alike:
        tables = [read_table(document.body, document.name) for document in documents]
        return pl.concat(tables, how="diagonal"), [table.height for table in tables]
    parts = [header.rest if header.rest.endswith(b"\n") else header.rest + b"\n" for header in headers]
    counts = [part.count(b"\n") for part in parts]
    rows = read_rows(
        b"".join(parts), len(first.names), what, delimiter=first.delimiter, numeric=_places(first, numeric)
    )
    if rows.height != sum(counts):  # a blank line in one of them: count each by itself
        counts = [read_rows(part, len(first.names), what, delimiter=first.delimiter).height for part in parts]
    return named(rows, first.names, what), counts


def _places(header: Header, keys: Collection[str]) -> list[int]:
    # The first column tells joined headers and blank rows, so it stays text.
    return [index for index, name in enumerate(header.names) if index and keys and key_of(name) in keys]


def named(rows: pl.DataFrame, names: Sequence[str], what: str) -> pl.DataFrame:
    """Name the columns ``0``, ``1``... by `key_of`, leaving out those without a name.

    Raises:
        PayloadError: Two columns have one name.
    """
    keys = [key_of(name) for name in names]
    repeated = next((key for key, count in Counter(keys).items() if key and count > 1), None)
    if repeated is not None:
        raise PayloadError(f"{what} has the column {repeated!r} more than once; which is meant?")
    return rows.select(pl.col(str(index)).alias(key) for index, key in enumerate(keys) if key)


def require_columns(table: pl.DataFrame, wanted: Collection[str], what: str) -> None:
    """Refuse a table that lacks one of the wanted columns, naming both.

    Raises:
        PayloadError: As said.
    """
    lacking = [name for name in wanted if name not in table.columns]
    if lacking:
        has = ", ".join(table.columns[:20])
        raise PayloadError(f"{what} lacks column(s) {', '.join(lacking)}; it has {has}")


def refuse_cells(rows: int, width: int, what: str) -> None:
    """Refuse a table that would not fit into a bounded memory: few bytes can make many empty cells.

    Raises:
        PayloadError: Rows times columns is more than `MAX_CELLS`.
    """
    if rows * width > MAX_CELLS:
        raise PayloadError(
            f"{what} has {rows:,} lines of {width:,} columns; the limit is {MAX_CELLS:,} cells; split it"
        )


def floats(table: pl.DataFrame, columns: Iterable[str], what: str, *, blanks: Collection[str] = ()) -> pl.DataFrame:
    """Turn text columns into numbers; an empty cell becomes null, and a column of numbers stays as it is.

    Args:
        table: Text columns.
        columns: Which to turn.
        what: Names the table in an error.
        blanks: Further texts that mean "no value", such as ``Missing``.

    Raises:
        PayloadError: A cell is neither a number nor blank.
    """
    chosen = [column for column in columns if table.schema[column] != pl.Float64]
    if not chosen:
        return table
    cast = table.with_columns(pl.col(chosen).cast(pl.Float64, strict=False))
    before, after = table.select(chosen).null_count(), cast.select(chosen).null_count()
    if before.equals(after):
        return cast
    empty = ["", *blanks]
    cleaned = table.with_columns(pl.col(chosen).str.strip_chars().replace(dict.fromkeys(empty)))
    cast = cleaned.with_columns(pl.col(chosen).cast(pl.Float64, strict=False))
    for column in chosen:
        wrong = cleaned[column].is_not_null() & cast[column].is_null()
        if wrong.any():
            text = cleaned[column].filter(wrong)[0]
            raise PayloadError(f"{what} has {text!r} in column {column} (row {wrong.arg_true()[0] + 1}): no number")
    return cast


def numbers(values: Sequence[Any], what: str) -> pl.Series:
    """Return JSON cells as numbers, null where a cell is null.

    Raises:
        PayloadError: A cell is a text or a truth value.
    """
    wrong = [
        value
        for value in values
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float))
    ]
    if wrong:
        raise PayloadError(f"{what} holds {str(wrong[0])[:80]!r}, which is no number")
    return pl.Series([None if value is None else float(value) for value in values], dtype=pl.Float64)


def texts(table: pl.DataFrame, columns: Iterable[str]) -> pl.DataFrame:
    """Strip text columns: fixed-width exports pad them with blanks."""
    chosen = list(columns)
    # Looking at both ends of a text costs a third of writing it anew, and most exports pad nothing.
    ends = pl.col(chosen).str.starts_with(" ") | pl.col(chosen).str.ends_with(" ")
    padded = table.select(ends.any()).row(0) if chosen else ()
    return table.with_columns(
        pl.col(name).str.strip_chars() for name, is_so in zip(chosen, padded, strict=True) if is_so
    )


def doubt_last(rows: pl.DataFrame, body: bytes) -> pl.DataFrame:
    """Doubt the last row's value where a text does not end its last line: its last number may be cut short.

    Args:
        rows: With ``quality`` and ``quality_detail``; the last row is of the text's last cell.
        body: The text. Give this only what came unpacked: an archive's checksum vouches for its members.
    """
    if body.endswith(b"\n"):
        return rows
    doubted = (pl.int_range(pl.len()) == pl.len() - 1) & (pl.col("quality") == "good")
    return rows.with_columns(
        quality=pl.when(doubted).then(pl.lit("questionable")).otherwise("quality"),
        quality_detail=pl.when(doubted).then(pl.lit("the text ends inside its last line")).otherwise("quality_detail"),
    )


def unrepeated(rows: pl.DataFrame, key: Sequence[str], value: str = "value") -> pl.DataFrame:
    """Drop rows that repeat another exactly; keep the last of those that contradict each other, as questionable.

    Args:
        rows: With ``quality`` and ``quality_detail`` where a contradiction must be told.
        key: What makes two rows statements about the same thing.
        value: The column in which they may differ.
    """
    if rows.select(key).hash_rows().n_unique() == rows.height:
        return rows  # distinct hashes are distinct keys; the other way round the slow way decides
    rows = rows.unique(maintain_order=True, keep="last")
    told = pl.len().over(key)
    every = pl.col(value).cast(pl.String).str.join(", ").over(key)
    contradicted = told > 1
    return rows.with_columns(
        quality=pl.when(contradicted & (pl.col("quality") == "good")).then(pl.lit("questionable")).otherwise("quality"),
        quality_detail=pl.when(contradicted)
        .then(pl.format("told {} times at once: {}", told, every))
        .otherwise("quality_detail"),
    ).unique(key, keep="last", maintain_order=True)


def _scan(rest: bytes, schema: Mapping[str, Any], delimiter: str) -> pl.DataFrame:
    return pl.read_csv(rest, has_header=False, schema=schema, separator=delimiter)


def _evened(rest: bytes, width: int, what: str, delimiter: str) -> str:
    """Return the rows without blank lines and trailing delimiters, or say which row is cut."""
    try:
        lines = pl.read_csv(rest, has_header=False, schema={"line": pl.String}, separator="\x01", quote_char=None)
    except pl.exceptions.PolarsError as error:
        raise PayloadError(f"{what} is no text ({error})", retryable=True) from None
    fields = pl.col("line").str.replace_all(_QUOTED, "").str.count_matches(delimiter, literal=True)
    lines = (
        lines.with_row_index("number", offset=2)
        .with_columns(pl.col("line").str.strip_chars_end("\r"))
        .filter(pl.col("line").str.strip_chars(" \t").str.len_bytes() > 0)
        .with_columns(fields=fields + 1)
    )
    long = pl.col("fields") > width
    lines = lines.with_columns(
        line=pl.when(long).then(pl.col("line").str.strip_chars_end(f"{delimiter} \t")).otherwise("line")
    ).with_columns(left=fields + 1)
    wrong = lines.filter(pl.when(long).then(pl.col("left") > width).otherwise(pl.col("left") != width))
    if wrong.height:
        number, count = wrong.select("number", "fields").row(0)
        raise PayloadError(
            f"{what} line {number} has {count} fields, its header {width}: cut short? fetch it again", retryable=True
        )
    padding = pl.lit(delimiter).repeat_by(width - pl.col("left").cast(pl.Int64)).list.join("")
    return "\n".join(lines.select(pl.concat_str("line", padding)).to_series())


def _fields(line: bytes, delimiter: str, what: str) -> list[str]:
    try:
        return next(csv.reader([text_of(line, what)], delimiter=delimiter), [])
    except csv.Error as error:
        raise PayloadError(f"{what} has a line that is no CSV ({error})") from None


def _refuse_lines(rest: bytes, what: str) -> None:
    """Refuse what is no text, and a line that no row fills: splitting it would take many times its size."""
    if b"\x00" in rest:
        raise PayloadError(f"{what} is binary after its first line, no table; was it packed or encrypted?")
    start = 0
    while len(rest) - start > MAX_LINE_BYTES:
        end = rest.rfind(b"\n", start, start + MAX_LINE_BYTES)
        if end < 0:
            raise PayloadError(f"{what} has a line longer than {MAX_LINE_BYTES:,} bytes: no table's row")
        start = end + 1


def _refuse_width(line: bytes, what: str) -> None:
    if line.count(_delimiter(line).encode()) >= MAX_COLUMNS:
        raise PayloadError(f"{what} has more than {MAX_COLUMNS:,} columns; no table of ours has")


def _delimiter(line: bytes) -> str:
    return max(_DELIMITERS, key=lambda mark: line.count(mark.encode()))
