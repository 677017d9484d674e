"""Parquet → the values of articles, row by row, in bounded memory."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from stance import limits
from stance.inputs import Input
from stance.records import InputError, Reject

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

    from stance.reading import Columns

# Unpacked bytes of text that a batch of rows is to hold, and the most rows that it may have.
_BATCH_BYTES: Final = 8 << 20
_MOST_ROWS: Final = 4096


def require_arrow() -> None:
    """Raise InputError if the library for parquet is not there."""
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        raise InputError("parquet needs pyarrow; install stance-news[arrow]")


def read_parquet(stream: BinaryIO, each: Input, columns: Columns) -> Iterator[tuple[int, dict[str, Any] | Reject]]:
    """Yield numbered rows, from 1: the values of text, id, date and source, or a reject.

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
        If pyarrow or a named column is missing, or the column with the text holds something else.
    """
    require_arrow()
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    row = 0
    with ExitStack() as stack:
        try:
            if not (each.path is not None and stream.seekable() and hasattr(stream, "peek") and hasattr(stream, "raw")):
                unpacked = stack.enter_context(tempfile.TemporaryFile())
                shutil.copyfileobj(stream, unpacked)
                stream = unpacked
            names = _names(ParquetFile(stream), each, columns)
            # Kept apart as a dictionary, what stands in many rows takes memory once.
            file = ParquetFile(stream, read_dictionary=list(names.values()), pre_buffer=False)
            for group in range(file.metadata.num_row_groups):
                about = file.metadata.row_group(group)
                size = _unpacked_bytes(about, set(names.values()))
                if size > limits.LARGEST_ROW_GROUP:
                    most = f"{limits.LARGEST_ROW_GROUP >> 20} MiB"
                    reason = f"from here to row {row + about.num_rows}: more than {most} in one row group"
                    yield row + 1, Reject(each.place, row + 1, reason)
                    row += about.num_rows
                    continue
                rows = max(1, min(_MOST_ROWS, _BATCH_BYTES * about.num_rows // max(1, size)))
                for batch in file.iter_batches(rows, [group], list(names.values())):
                    for values in _values(batch, names):
                        row += 1
                        yield row, values
        except (OSError, pa.ArrowException) as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            yield (
                row + 1,
                Reject(each.place, row + 1 if row else 0, f"damaged{' from here on' if row else ''}: {reason}"),
            )


def _names(file: ParquetFile, each: Input, columns: Columns) -> dict[str, str]:
    import pyarrow.types as kinds

    schema = file.schema_arrow
    names = columns.chosen_of_table(schema.names, each.place)
    chosen = {field: name for field, name in names.items() if name is not None}
    kind = schema.field(chosen["text"]).type
    kind = kind.value_type if kinds.is_dictionary(kind) else kind
    if not (kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind)):
        raise InputError(f"{each.place}: column {chosen['text']!r} holds {kind}, not strings; name another")
    return chosen


def _unpacked_bytes(about: Any, names: set[str]) -> int:
    """Return the unpacked bytes of some columns of a row group, as the file says."""
    columns = (about.column(n) for n in range(about.num_columns))
    return sum(each.total_uncompressed_size for each in columns if each.path_in_schema in names)


def _values(batch: Any, names: dict[str, str]) -> Iterator[dict[str, Any]]:
    columns = {field: batch.column(batch.schema.get_field_index(name)) for field, name in names.items()}
    for n in range(batch.num_rows):
        # One row at a time, since a batch may be small only as long as it is packed.
        values = {field: _plain(column[n].as_py()) for field, column in columns.items()}
        yield {"id": "", "date": "", "source": ""} | values


def _plain(value: Any) -> Any:
    # Days and times.
    return value.isoformat() if hasattr(value, "isoformat") else value
