"""Parquet → the values of articles, row by row, in bounded memory."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from stance import limits
from stance.inputs import Input
from stance.parquet_pages import pages_of
from stance.records import InputError, Reject

if TYPE_CHECKING:
    from stance.reading import Columns

# Unpacked bytes that a batch of rows is to hold, and the most rows that it may have.
_BATCH_BYTES: Final = 16 << 20
_MOST_ROWS: Final = 4096
# Bytes of a column that are read at once; without it, that is all of a row group.
_BUFFER_BYTES: Final = 1 << 18
_REASON_LENGTH: Final = 300

Values = dict[str, Any]


def require_arrow() -> None:
    """Raise InputError if the library for parquet is not there."""
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        raise InputError("parquet needs pyarrow; install stance-news[arrow]")


def read_parquet(stream: BinaryIO, each: Input, columns: Columns) -> Iterator[tuple[int, Values | Reject]]:
    """Yield numbered rows, from 1: the values of text, id, date and source, or a reject.

    A row group with a page that is too large to be unpacked is one reject. So is all that follows where the file
    unpacks to too many times its size, as one text that stands in very many rows does.

    Parameters
    ----------
    stream
        The file; one that cannot go back, being packed or stdin, is first unpacked to a temporary file.
    each
        The input, for its name.
    columns
        Which columns to read.

    Raises
    ------
    InputError
        If pyarrow or a named column is missing, or a column cannot hold what is looked for there.
    """
    require_arrow()
    import pyarrow as pa

    row = 0
    with ExitStack() as stack:
        try:
            if each.path is None or not stream.seekable():
                unpacked = stack.enter_context(tempfile.TemporaryFile())
                shutil.copyfileobj(stream, unpacked)
                stream = unpacked
            size = each.path.stat().st_size if each.path else stream.seek(0, os.SEEK_END)
            left = max(limits.RATIO_COUNTS_FROM, limits.LARGEST_RATIO * size)
            for found in _rows(stream, each, columns):
                if isinstance(found, int):
                    reason = "more than can be unpacked in one page"
                    yield row + 1, Reject(each.place, row + 1, f"from here to row {row + found}: {reason}")
                    row += found
                    continue
                row += 1
                if isinstance(found, str):
                    yield row, Reject(each.place, row, found)
                    continue
                left -= limits.LINE_WEIGHT + sum(len(value) for value in found.values() if isinstance(value, str))
                if left < 0:
                    reason = f"unpacks to more than {limits.LARGEST_RATIO} times its size from here on"
                    yield row, Reject(each.place, row, reason)
                    return
                yield row, found
        except (OSError, pa.ArrowException) as error:
            reason = " ".join(str(error).split())[:_REASON_LENGTH] or type(error).__name__
            where = (row + 1, "damaged from here on") if row else (0, "damaged")
            yield row + 1, Reject(each.place, where[0], f"{where[1]}: {reason}")


def _rows(stream: BinaryIO, each: Input, columns: Columns) -> Iterator[Values | str | int]:
    """Yield the values of a row, or why it has none, or of how many rows a page is too large."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    file = ParquetFile(stream, buffer_size=_BUFFER_BYTES, pre_buffer=False)
    names = _names(file.schema_arrow, each, columns)
    chosen = list(names.values())
    for group in range(file.metadata.num_row_groups):
        about = file.metadata.row_group(group)
        rows = _rows_at_once(stream, about, set(chosen))
        if not rows:
            yield about.num_rows
            continue
        for batch in file.iter_batches(rows, [group], chosen, use_threads=False):
            pa.default_memory_pool().release_unused()
            yield from _values(batch, names)


def _names(schema: Any, each: Input, columns: Columns) -> dict[str, str]:
    import pyarrow.types as kinds

    names = columns.chosen_of_table(schema.names, each.place)
    chosen = {field: name for field, name in names.items() if name is not None}
    for field, name in chosen.items():
        if schema.names.count(name) > 1:
            raise InputError(f"{each.place}: has {schema.names.count(name)} columns {name!r}; rename all but one")
        kind = schema.field(name).type
        kind = kind.value_type if kinds.is_dictionary(kind) else kind
        if kinds.is_nested(kind):
            raise InputError(f"{each.place}: column {name!r} holds {kind}; name another with --{field}-column")
        if field == "text" and not (
            kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind) or kinds.is_null(kind)
        ):
            raise InputError(f"{each.place}: column {name!r} holds {kind}, not strings; name another")
    return chosen


def _rows_at_once(stream: BinaryIO, about: Any, names: set[str]) -> int:
    """Return how many rows of a row group can be taken at once, by its heaviest page; 0 where one is too large."""
    most = _MOST_ROWS
    for n in range(about.num_columns):
        chunk = about.column(n)
        if chunk.path_in_schema not in names:
            continue
        for page in pages_of(stream, chunk):
            if page.size + page.packed > limits.LARGEST_TABLE_PAGE:
                return 0
            # Of a dictionary, the largest value may be nearly all, and stand in every row.
            most = min(most, max(1, _BATCH_BYTES * max(1, page.values) // max(1, page.size)))
    return most


def _values(batch: Any, names: dict[str, str]) -> Iterator[Values | str]:
    columns = {field: batch.column(batch.schema.get_field_index(name)) for field, name in names.items()}
    for n in range(batch.num_rows):
        # One row at a time, since a batch may be small only as long as it is packed.
        try:
            values = {field: _plain(column[n]) for field, column in columns.items()}
        except (ValueError, OverflowError, LookupError) as error:
            yield f"cannot be read: {' '.join(str(error).split())[:_REASON_LENGTH]}"
            continue
        yield {"id": "", "date": "", "source": ""} | values


def _plain(scalar: Any) -> Any:
    import pyarrow as pa
    from pyarrow.compute import utf8_length

    if isinstance(scalar, pa.DictionaryScalar):
        scalar = scalar.value  # Its writer says that it was one in memory.
    content = scalar.as_buffer() if isinstance(scalar, pa.StringScalar) else None
    most = limits.LARGEST_ARTICLE
    # Asked before it is made a string, in which each character may take four bytes.
    if content is not None and content.size > most and utf8_length(scalar).as_py() > most:
        raise ValueError(f"longer than {most >> 20} Mi characters")
    value = scalar.as_py()
    # Days and times.
    return value.isoformat() if hasattr(value, "isoformat") else value
